/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-mode - the candidates of one decision, what each is expected to take, and their order.
 *
 * Whoever decides begins an order, adds candidates as they are registered, and ends it; a mode
 * (sched-<mode>.c, one function) gives each candidate a rank and, among equal ranks, a place. A
 * preference of the request comes before the mode. Loop thread.
 */
#pragma once

#include "core/private.h"
#include "spi/cost.h"

#define MODE_STREAM 16384u /* bytes by which the beginning of a context is judged */
#define MODE_PROBE  256u   /* one decision in so many asks a loser first, in mode adaptive */

struct candidate {
	struct offer *offer;
	const struct cost *cost;
	uint64_t wait_ns, cost_ns; /* expected: until it begins, and from then on */
	uint64_t base_ns;          /* by itself: what software is compared by */
	uint64_t place;            /* among equal ranks; lower is asked first */
	unsigned rank;             /* lower is asked first */
	uint8_t index;             /* among the mechanism's offers */
};

struct order {
	struct core *core;
	const struct request *r;
	struct mech *mech;
	size_t size;       /* SIZE_MAX: not known, as at the beginning of a context */
	uint64_t bytes;    /* that cost something */
	uint64_t extra_ns; /* what the parameter asks for, whoever does it */
	uint64_t software_wait_ns;
	bool company; /* will run with others: costs in bursts count */
	bool probe;   /* a loser was put first */
	struct candidate c[TABLE_OFFERS];
	unsigned n;
};

void order_begin(struct order *o, struct core *core, const struct request *r, struct mech *mech,
		 size_t size);
void order_add(struct order *o, unsigned index);
/* The one added last is to do more than the mechanism. */
void order_add_more(struct order *o, uint64_t ns);
/* Best first. */
void order_end(struct order *o);
/* For a decision that will be carried out: turns are passed on, losers probed. Before the rest of
 * the decision, after order_end(). */
void order_decide(struct order *o);

/* One per enum table_mode: sets rank and place of every candidate. */
void mode_hardware_first(struct order *o);
void mode_adaptive(struct order *o);
void mode_software_first(struct order *o);
void mode_round_robin(struct order *o);

/* ---- sched-dual.c: the MAC's half of a dual operation on one thread ---- */

/* What it is expected to take if cipher does the other half. */
uint64_t sched_mac_cost_ns(const struct request *r, const struct offer *cipher, bool company);
/* Reference what is prepared for it. KCF_QUEUED: it is being made, r is parked. */
enum kcf_status sched_choose_mac(struct core *core, struct request *r, const struct offer *cipher,
				 bool company);

/* ---- for the modes ---- */

/* Work a device has and is to have. */
uint64_t candidate_load(const struct candidate *c);
/* Software by what it takes by itself; who came later must be an eighth cheaper, so that noise
 * moves nothing between equals. */
uint64_t candidate_cost_place(const struct candidate *c);
