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

struct quick_entry;
union entry_param;
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
/* The parameter, in mem; NULL: none. */
void *entry_param(const struct ring_entry *e, const uint8_t *iv, const uint8_t *aad,
		  union entry_param *mem);
/* What was just taken: check, charge, and keep it for a quick run or submit it; a failure is
 * answered at once, what is wrong closes the connection. */
void entry_take(struct conn *c, struct quick_entry *q);
/* Submit what was checked and charged before. */
void entry_submit(struct conn *c, const struct ring_entry *e, const uint8_t *extra);

struct entry_result {
	uint64_t id;
	enum kcf_status status;
	size_t len, mac_len;
	uint32_t provider_row1, queue_hops, busy_reason;
};

/* By ring; or by socket if that is full. */
void entry_answer(struct conn *c, const struct entry_result *result);
