/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rings - the rings that are looked at, round by round, and when to stop looking.
 *
 * A round takes entries from awake rings in turn, a bounded number each, lets the scheduler run
 * what is due, and shows what was answered, with one bell at most for each ring. Rounds follow one
 * another inside one turn of the loop, so that sockets and timers are looked after every ROUNDS_NS
 * at least and cost nothing between. While a ring is awake the loop does not sleep. A ring goes to
 * sleep when kcfd has looked at it for the permitted time with nothing to do (spin.h), or when
 * nothing came for AWAKE_NS while others kept kcfd busy. Loop thread.
 */
#pragma once

#include <uv.h>
#include "api/spin.h"
#include "base/list.h"

#define ROUNDS_NS 50000u   /* then sockets are looked at */
#define VISIT     64u      /* places taken from a ring in a round */
#define AWAKE_NS  1000000u /* awake without an entry, while kcfd has other work */
/* Entries of a round, or a few more: when they are answered what they are about is still in the
 * CPU's caches, and sockets are not kept waiting. */
#define ROUND_ENTRIES 256u

struct api;
struct conn_ring;

/* What all rings did, for kcfadm. */
struct rings_count {
	uint64_t entries, completions, by_socket, bells_heard, bells_rung;
};

struct rings {
	struct list awake;    /* struct conn_ring */
	struct list answered; /* have something to be shown */
	uv_idle_t idle;       /* active while one is awake */
	bool idle_on;
	struct spin spin;
	uint64_t looked_ns;        /* the clock of looking: time spent with nothing to do */
	uint64_t patience_ns;      /* how long a ring may be looked at now */
	uint64_t doubted_ns;       /* how long it seems that too many spin */
	unsigned n_spinners;       /* threads of clients that do */
	uint64_t counted_ns;       /* when they were counted */
	struct rings_count closed; /* of rings that are gone */
	uint64_t rounds, sleeps;
};

void rings_count_add(struct rings_count *sum, const struct rings_count *count);

void rings_init(struct api *a);
void rings_deinit(struct api *a, uv_close_cb closed);
void rings_add(struct rings *rs, struct conn_ring *cr);
/* Rounds while there is something to do or to look at, for ROUNDS_NS at most. */
void rings_turn(struct api *a);
/* Look at none any more. */
void rings_stop(struct rings *rs);
/* Show what was answered outside a round. */
void rings_show(struct rings *rs);
