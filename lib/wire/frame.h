/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/frame - the fixed header in front of every message, and the hard limits of the protocol.
 *
 * A frame is header (FRAME_HEADER_LEN bytes or more; extra header bytes are skipped), protobuf message,
 * payload. Little-endian. Pure functions over bytes: no I/O, any thread. PROTOCOL.md section "Frames".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAGIC 0x3146434bu /* "KCF1" */
#define FRAME_VERSION 1
#define FRAME_HEADER_LEN 40u
#define FRAME_HEADER_MAX 256u
#define FRAME_MESSAGE_MAX (64u * 1024)
#define FRAME_PAYLOAD_MAX (64u * 1024)	/* replies to administration: FRAME_ADMIN_PAYLOAD_MAX */
#define FRAME_ADMIN_PAYLOAD_MAX (4u * 1024 * 1024)
#define WIRE_MAX_INLINE (16u * 1024) /* input or output of one request carried inline */
#define WIRE_UNIT_BYTES 4096u	     /* one more credit per started this much inline */
#define WIRE_MAX_RANGES 64u	     /* arena ranges per direction */
#define WIRE_MAX_STEP_RANGES 512u    /* arena ranges of all steps of a request together */
#define WIRE_MAX_FDS 16u
#define WIRE_MAX_REQUEST (16u * 1024 * 1024)
#define WIRE_MAX_KEY 16384u
#define WIRE_MAX_PARAM 32768u /* all bytes of one Param */
#define WIRE_MAX_LABEL 32u
#define WIRE_MAX_SLOT 65536u  /* template slots are 1 to this */
#define WIRE_MAX_TEXT 1024u   /* error texts for people; longer ones are cut when sent */
#define WIRE_MAX_ARG 4096u    /* one argument of an administration command */
#define WIRE_MAX_MODULES 8u
#define WIRE_IV_LEN 12u	      /* a generated IV */

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_HELLO_REPLY = 2,
	FRAME_OP = 3,
	FRAME_OP_REPLY = 4,
	FRAME_OP_STEP = 5,
	FRAME_TEMPLATE_ATTACH = 6, /* answered by DONE */
	FRAME_TEMPLATE_DROP = 7,   /* no answer */
	FRAME_CONTEXT_DROP = 8,	   /* no answer */
	FRAME_KEY_OP = 9,
	FRAME_KEY_REPLY = 10,
	FRAME_CANCEL = 11, /* no answer but the request's own */
	FRAME_STATUS = 12,
	FRAME_STATUS_REPLY = 13,
	FRAME_MECH_FIND = 14,
	FRAME_MECH_REPLY = 15,
	FRAME_DONE = 16,
	FRAME_ARENA_NEW = 17,
	FRAME_ARENA_OFFER = 18,
	FRAME_ARENA_FREE = 19, /* no answer */
	FRAME_ARENA_REPLY = 20,
	FRAME_WANT = 21, /* answered by ROOM, once room is there */
	FRAME_ROOM = 22,
	FRAME_EVENT = 23,
	FRAME_FATAL = 24,
	FRAME_ADMIN = 25,
	FRAME_ADMIN_REPLY = 26,
	FRAME_RING_NEW = 27,
	FRAME_RING_REPLY = 28,
	FRAME_TYPE_COUNT
};

/* Op.flags: what kcfd must know of the call request's flags. */
#define OPF_ALWAYS_QUEUE 0x1
#define OPF_NEVER_QUEUE 0x2
#define OPF_NOTIFY_STEPS 0x4
#define OPF_SYNC 0x8 /* the caller blocks; waiting for a device is permitted */

struct frame_header {
	uint16_t type;
	uint16_t flags;
	uint16_t header_len; /* as received; FRAME_HEADER_LEN when sent */
	uint16_t version;
	uint32_t msg_len;
	uint32_t payload_len;
	uint64_t id;	      /* request id, or 0 */
	uint64_t deadline_us; /* relative, from receipt; 0 = none */
};

/* The whole frame's length. */
static inline size_t frame_len(const struct frame_header *h)
{
	return (size_t)h->header_len + h->msg_len + h->payload_len;
}

/* Write FRAME_HEADER_LEN bytes. */
void frame_put(uint8_t *buf, const struct frame_header *h);

enum frame_result {
	FRAME_OK = 0,
	FRAME_MORE,	/* len bytes are not a whole header */
	FRAME_BAD_MAGIC,
	FRAME_BAD_VERSION,
	FRAME_BAD_LENGTH, /* header, message or payload length beyond its limit */
	FRAME_BAD_TYPE,
};

/* Read a header from the len bytes at buf. Checks every limit; touches *ret only with FRAME_OK.
 * payload_max: the receiver's limit for this direction. */
enum frame_result frame_get(const uint8_t *buf, size_t len, uint32_t payload_max,
			    struct frame_header *ret);
const char *frame_type_name(unsigned type);
