/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure - finds out, when a mechanism is first used, what its providers take.
 *
 * Jobs of kcfd's own, one provider and one length at a time, with a throw-away key: software runs
 * trials on a worker; a device is sent requests, one after the other, neither counted nor traced.
 * One is begun only in a moment when nobody has a request in kcfd nor had one since the last look,
 * or, where there is no such moment for long, when nothing waits, a worker is free and the device
 * has a free slot. The results are the bases of costs; then the threshold is set by them. Loop
 * thread.
 */
#pragma once

#include "core/consumer.h"
#include "core/trace.h"
#include "core/trial.h"
#include "spi/cost.h"
#include "spi/wheel.h"

struct mech;
struct request;
struct tmpl;

enum measure_state {
	MEASURE_NOT = 0, /* not used yet */
	MEASURE_DUE,     /* on the list, or under way */
	MEASURE_DONE,    /* or nothing to find out */
};

struct measure {
	struct list due; /* mechanisms */
	struct wheel_entry timer;
	struct consumer consumer; /* kcfd itself; in no list */
	struct trace_entry trace; /* where its decisions go */
	struct mech *mech;        /* under way, or NULL */
	struct tmpl *tmpl;
	struct trial *trial;                  /* storage, and what a worker has */
	bool out;                             /* a trial or a request is under way */
	unsigned offer, size, round, variant; /* what is next */
	struct cost alone, burst;             /* of software: samples so far */
	unsigned jobs;                        /* done */
	uint64_t completed;                   /* of others, at the last look */
	unsigned looks;                       /* without an idle moment */
	bool failed;                          /* somebody's jobs could not be done */
};

void measure_init(struct core *core);
/* Nothing runs any more. */
void measure_deinit(struct core *core);
/* Somebody uses m. */
void measure_first_use(struct core *core, struct mech *m);
/* Its offers are others now, or it is to be done again: with the next use. */
void measure_again(struct core *core, struct mech *m);
