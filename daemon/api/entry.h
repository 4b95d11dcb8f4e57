/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry - an entry of a ring as a request.
 *
 * The entry and what is behind it are private copies already. entry_decode says what they mean:
 * templates, memory, parameters, all of it checked; entry_submit makes a request of that, whose
 * private memory holds everything that was not in the arena. Loop thread.
 */
#pragma once

#include "api/conn.h"
#include "table/ring.h"

struct segment;

/* Memory of a segment; len 0: none, and no segment. */
struct entry_piece {
	struct segment *segment;
	struct iovec iov;
};

/* What an entry says. Everything is borrowed: from the connection's tables until the next frame is
 * handled, from the entry and the bytes behind it. */
struct entry {
	const struct ring_entry *e;
	struct tmpl *tmpl, *tmpl2;
	struct entry_piece in, out, mac;
	const uint8_t *aad, *check;
	uint8_t mac_len2; /* dual: wanted length of the MAC, 0 = full */
};

/* NULL, or what is wrong with it by itself. */
const char *entry_objection(const struct ring_entry *e);
/* KCF_SUCCESS, or what the completion is to say. */
enum kcf_status entry_decode(struct conn *c, const struct ring_entry *e, const uint8_t *extra,
			     struct entry *ret);
/* Charge, check, build, submit; a failure is answered at once, what is wrong closes the connection.
 */
void entry_submit(struct conn *c, const struct ring_entry *e, const uint8_t *extra);
