/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-core - stands in for everything below the api layer: requests wait until the test completes
 * them.
 *
 * Counts what is charged, referenced and leased, so that a test can see that nothing is left
 * behind. One thread.
 */
#pragma once

#include "core/core.h"

struct fake_core {
	struct limits limits;
	uint32_t units_free, units_taken;
	int64_t charged[CHARGE_KINDS];
	enum kcf_status refuse[CHARGE_KINDS]; /* answer to a charge, KCF_SUCCESS = take it */
	int n_consumers, n_labels, n_templates, n_contexts, n_keys, n_requests;
	struct list waiting; /* submitted, in order */
	unsigned n_submitted, n_canceled;
	unsigned turn;                /* submitted requests that fill a turn; 0: none does */
	unsigned n_fresh, most_fresh; /* submitted since the last kick, and the most there were */
	bool quick;                   /* it is the time for quick runs */
	unsigned lanes;               /* of every provider */
	uint64_t quick_again;         /* id of an operation that is given back */
	unsigned n_quick_runs, n_quick, most_quick; /* runs, operations in all, in one */
	uint32_t free_slots;          /* what sched_reserve may give */
	uint32_t spinners;            /* as told */
	bool crowded;
	void (*find_done)(void *arg, enum kcf_status status, uint32_t number);
	void *find_arg; /* a look-up that waits: name "later" */
	core_done load_done;
	void *load_arg;
};

extern struct fake_core fake;

/* Everything zero, the default limits, all units free. */
void fake_core_reset(void);
/* As a pointer for the api layer. */
struct core *fake_core(void);
/* The oldest request; NULL if there is none. */
struct request *fake_first(void);
/* Complete it: SUCCESS fills the output with `byte`. */
void fake_complete(struct request *r, enum kcf_status status, uint8_t byte);
/* Mark as running: sched_cancel does not complete it any more. */
void fake_start(struct request *r);
/* Is nothing charged, referenced, leased or waiting? Fails the test otherwise. */
void fake_check_clean(void);
