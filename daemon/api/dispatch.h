/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch - from a whole frame to the handler of its type. One table says which types clients may
 * send, when, and with what.
 *
 * A frame that breaks the protocol ends the connection here; a handler sees only decoded,
 * well-formed messages. Every handler either answers or ends the connection; after conn_fatal it
 * returns at once. Loop thread.
 */
#pragma once

#include "wire/codec.h"

struct conn;

struct dispatch_frame {
	const struct frame_header *h;
	const struct wire_msg *msg;
	const uint8_t *payload; /* h->payload_len bytes; private memory, during the call */
};

/* body: message then payload; the message is wiped, because it may have had key bytes. */
void dispatch_frame(struct conn *c, const struct frame_header *h, uint8_t *body);
