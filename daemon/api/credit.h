/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credit - who may put how much into the software queue: leases of its units to connections.
 *
 * A connection's account says what was leased to it and how much of that its requests hold; this is
 * the truth. The credit word in its page is what it may take by itself, never more than leased -
 * held if it is honest. Units not leased float; part of the float is set aside so that every
 * connection still to come finds its floor. A new connection gets the floor, and up to the lease
 * while its user is within a fair share. Who waits (WANT) is served in order of arrival: from the
 * float, then from what idle connections have, then from users above their share; and while
 * somebody waits, units of requests that finish above the share go back to the float. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

#define CREDIT_FLOOR       8u
#define CREDIT_IDLE_MS     20u   /* not used for so long: may be taken back */
#define CREDIT_RESERVED_MS 1000u /* after ROOM it may not */
#define CREDIT_WANT_MAX    64u
#define CREDIT_TICK_MS     10u /* how often credit_tick runs while somebody waits */

struct consumer;
struct core;
struct limits;
struct page;
struct credit_account;

struct credit {
	struct core *core;
	const struct limits *limits;
	struct list accounts;
	struct list shares;
	struct list wants; /* accounts, in order of arrival */
	unsigned n_accounts;
	uint64_t now_ms; /* set every loop turn */
	/* Answer a WANT. */
	void (*room)(struct credit_account *a, uint32_t units, uint32_t provider_row1);
};

/* All connections of one consumer. */
struct credit_share {
	struct list link;
	struct consumer *consumer;
	unsigned n_accounts;
	unsigned n_segments; /* arena segments, counted here for their limit per user */
	uint64_t leased;
};

struct credit_account {
	struct list link, want_link;
	struct credit *credit;
	struct credit_share *share;
	const void *conn; /* whose requests may use what is reserved */
	struct page *page;
	uint32_t leased, held;
	uint64_t used_ms;               /* last spent */
	uint64_t reserved_ms;           /* until then nothing is taken back */
	uint32_t want_units, want_rows; /* rows: a bit per hardware provider's */
	bool wants, open;
};

void credit_init(struct credit *cr,
		 void (*room)(struct credit_account *a, uint32_t units, uint32_t provider_row1));
void credit_set_core(struct credit *cr, struct core *core);
/* Lease what a new connection gets and put it into its page. false: not even the floor is there. */
bool credit_open(struct credit *cr, struct credit_account *a, struct consumer *consumer,
		 const void *conn, struct page *page);
/* Give back all but what requests hold; that comes with credit_done. */
void credit_close(struct credit_account *a);
/* A request came with this many units. false: more than was leased. */
bool credit_spend(struct credit_account *a, uint32_t units);
/* It is complete. */
void credit_done(struct credit_account *a, uint32_t units);
/* Ask for units, or for a slot of one device; a later one joins an earlier one. */
void credit_want(struct credit_account *a, uint32_t units, uint32_t provider_row1);
/* Look after those who wait. Returns whether somebody still does. */
bool credit_serve(struct credit *cr);
/* Units this account may have while others want some. */
uint32_t credit_fair(const struct credit_account *a);
