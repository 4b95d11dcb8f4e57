/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry-quick - entries that run at once, those of all rings together.
 *
 * Entries are taken from rings straight into places here. Those the core accepts for a quick run
 * wait, for the rest of a round at most, for others to run with; the others become requests. What
 * waits refers to its connection and to what that has: so it runs before anything is done to a
 * connection, that is before a frame is handled, a connection closed, or a request submitted. Loop
 * thread.
 */
#pragma once

#include "api/company.h"
#include "core/quick.h"
#include "table/ring.h"

struct api;
struct conn;
struct entry;

union entry_param {
	struct kcf_param_iv iv;
	struct kcf_param_aead aead;
	struct kcf_param_mac mac;
};

struct quick_entry {
	struct quick_op op;
	struct conn *conn;
	union entry_param param;
	struct kcf_param_mac param2;
	struct ring_entry e;
	uint8_t extra[RING_EXTRA_ROOM];
};

struct quick_entries {
	struct quick_op *ops[QUICK_OPS];
	struct quick_entry *places; /* QUICK_OPS and one */
	unsigned n;
	unsigned n_conns; /* of those kept */
	bool impatient;   /* one of them blocks its caller, or has a deadline */
	struct company company;
};

bool quick_entries_init(struct quick_entries *qe);
void quick_entries_deinit(struct quick_entries *qe);
/* Where the next entry goes. */
static inline struct quick_entry *quick_entries_place(struct quick_entries *qe)
{
	return &qe->places[qe->n];
}
/* Keep the entry in that place to be run. False: it is to be a request. */
bool quick_entries_keep(struct conn *c, const struct entry *en);
/* Run and answer what is kept. */
void quick_entries_run(struct api *a);
/* Is what is kept to wait, for company that would fill the provider's lanes? Bounded by company_us,
 * and only while n_rings, which are looked at, are more than those it came from. */
bool quick_entries_wait(struct api *a, unsigned n_rings, uint64_t now);
