/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tstate - the inside of a thread's live state of a prepared, for prepared.c and burst.c.
 *
 * Edges of state:
 *
 *   IDLE -> BUSY (a run, or a burst that it is part of) -> IDLE
 *   IDLE -> DEAD (wiped by who did it)          BUSY -> DEAD (wiped by the runner)
 *
 * Its thread alone runs on it.
 */
#pragma once

#include "module/prepared.h"

enum { STATE_IDLE = 0, STATE_BUSY, STATE_DEAD };

struct burst;

struct tstate {
	uint32_t state; /* atomic */
	uint32_t row;
	void *thread;
	void *tmpl;
	void *prov;
	unsigned (*submit)(void *prov, struct kcf_job *const *jobs, unsigned n);
	void *data[TSTATE_DATA];
	/* of bursts */
	const struct burst *burst; /* that claimed it, while BUSY; its thread's own */
	const struct instance *inst;
	uint32_t key_len;
	/* off the path of a run */
	uint32_t refs; /* atomic: the table's and the list's */
	struct prepared *p;
	struct tstate *next, **link; /* in p->states; link NULL when not in it. Locked. */
};

/* Mark it busy: STATE_IDLE, or what it is instead. */
static inline uint32_t tstate_claim(struct tstate *ts)
{
	uint32_t state = STATE_IDLE;

	/* This and the exchange of the release pair with the one in states_kill(). */
	__atomic_compare_exchange_n(&ts->state, &state, STATE_BUSY, false, __ATOMIC_ACQUIRE,
				    __ATOMIC_RELAXED);
	return state;
}

/* The prepared was dropped meanwhile: wiping was left to the runner. The thread's table keeps its
 * entry. */
__attribute__((cold)) void tstate_end(struct tstate *ts);

static inline void tstate_release(struct tstate *ts)
{
	if (__builtin_expect(
		    __atomic_exchange_n(&ts->state, STATE_IDLE, __ATOMIC_ACQ_REL) == STATE_DEAD, 0))
		tstate_end(ts);
}
