/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script - fuzz input as a list of frames, so that mutation of one does not lose the rest of the stream.
 *
 * A record is 7 bytes (type, flags, id, message length u16, payload length u16, little-endian), the message, the
 * payload. script_next turns it into the bytes of a frame with a right header.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/codec.h"

#define SCRIPT_RECORD_LEN 7
#define SCRIPT_FIX 0x01	  /* OP: make units and payload fit the message */
#define SCRIPT_FD 0x02	  /* send a descriptor along: a memfd of a page */
#define SCRIPT_TURN 0x04  /* let the receiver work before the next record */
#define SCRIPT_RAW 0x08	  /* the message bytes alone, no header */
#define SCRIPT_DEADLINE 0x10 /* with a deadline of 1 ms */

struct script {
	const uint8_t *p;
	size_t len;
};

struct script_frame {
	uint8_t flags;
	size_t len;
	uint8_t bytes[FRAME_HEADER_LEN + 2 * FRAME_MESSAGE_MAX];
};

/* false at the end. */
bool script_next(struct script *s, struct script_frame *ret);
/* Append a record with this message to buf; returns the new length. */
size_t script_put(uint8_t *buf, size_t len, const struct wire_msg *msg, uint8_t flags, uint8_t id,
		  const void *payload, uint16_t payload_len);
