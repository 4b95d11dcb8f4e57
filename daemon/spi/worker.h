/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - threads that run what would hold up the loop.
 *
 * The loop hands over bursts of work; an idle worker takes several at once, runs them and posts
 * them to the mailbox, where their done functions run on the loop. Short ones are posted together:
 * a millisecond's worth at most, and while there is as much left to do, so that the loop brings
 * more before the worker is idle. Workers touch their work and the mailbox, nothing else. The pool
 * grows when work comes and no worker is idle, and shrinks when one was idle for long; between its
 * bounds.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include "base/list.h"
#include "io/wake.h"

#define WORKER_BURST 16u

struct work {
	struct wake_node node; /* fn: done, on the loop */
	struct list link;
	void (*run)(struct work *w); /* on a worker */
	uint64_t cost_ns; /* what it is expected to take, after run() what it took; 0 = not
			   * known */
};

struct worker_pool {
	struct wake *wake;
	pthread_mutex_t lock;
	pthread_cond_t more; /* work, new bounds, or the end */
	pthread_cond_t gone; /* a thread ended */
	struct list todo;
	struct list ended; /* threads to be joined */
	unsigned n_threads, n_idle, n_todo, min, max;
	uint64_t todo_ns; /* expected, of what is in todo */
	unsigned idle_ms;
	bool stopping;
	unsigned outstanding; /* loop only: submitted and not yet done */
};

/* max 0 = the number of processors. 0 or negative errno. */
int worker_pool_init(struct worker_pool *p, struct wake *wake, unsigned min, unsigned max,
		     unsigned idle_ms);
/* New bounds; surplus threads end when idle. Thread: loop. */
void worker_pool_set(struct worker_pool *p, unsigned min, unsigned max, unsigned idle_ms);
/* Hand over. node.fn and run are set. Thread: loop. */
void worker_submit(struct worker_pool *p, struct work *const *works, unsigned n);
/* Would a work submitted now start at once? Thread: loop. */
static inline bool worker_is_free(const struct worker_pool *p)
{
	return p->outstanding < p->max;
}
/* In node.fn, first: the work is the loop's again. */
static inline void worker_done(struct worker_pool *p)
{
	p->outstanding--;
}
/* Runs what was handed over, then joins every thread; the mailbox may hold done works afterwards.
 */
void worker_pool_deinit(struct worker_pool *p);
/* Threads now, for statistics. Thread: any. */
unsigned worker_threads(struct worker_pool *p);
