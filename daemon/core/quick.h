/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quick - small operations that begin and end within one turn of the loop, many at once.
 *
 * Most work is small, for software, and comes when nothing waits: then no struct request, queue or
 * list is needed. The owner fills operations, of any connections; those that quick_take() accepts
 * run together, one submit per mechanism and key size, and have their result when quick_run()
 * returns. All others are to be submitted as requests. Nothing of it can be seen, cancelled or
 * late: the loop does nothing else meanwhile. Counted, traced and charged as requests are. Loop
 * thread.
 */
#pragma once

#include "core/core.h"

#define QUICK_OPS 64u

struct offer;
struct prepared;

struct quick_op {
	/* what, set by the owner; everything is borrowed until the result is there */
	struct consumer *consumer;
	struct tmpl *tmpl, *tmpl2; /* tmpl2: the MAC of a dual operation */
	uint16_t op;               /* single-part */
	bool queued;               /* ALWAYS_QUEUE: a hop is counted */
	const void *param, *param2;
	struct iovec in, out, mac; /* memory the client can change; base NULL: none */
	struct iovec check;        /* private */
	uint64_t id;
	/* result */
	enum kcf_status status;
	size_t out_len, mac_len; /* out_len with BUFFER_TOO_SMALL: required */
	uint32_t provider_row1;
	bool again; /* nobody had it: to be submitted as a request after all */
	/* quick's own */
	struct offer *offer;
	bool company; /* it was chosen as one of many */
	struct prepared *prepared, *prepared_mac;
	struct iovec work_in, work_out, work_mac; /* where the job reads and writes */
	struct kcf_job job;
};

/* Is this the time for it at all? Not while requests wait: theirs is the turn. */
bool quick_may(const struct core *core);
/* So much is taken that what comes next might not fit: run first. */
bool quick_is_full(const struct core *core);
/* Accept op among those that run next. False: submit it as a request. Nothing else may be done to
 * templates, keys and connections until quick_run(). */
bool quick_take(struct core *core, struct quick_op *op);
/* Run what was taken, at most QUICK_OPS. */
void quick_run(struct core *core, struct quick_op *const *ops, unsigned n);
/* How many more of their kind would fill the provider's lanes; 0: they are full, it has none, or
 * the operations are of several kinds. */
unsigned quick_missing(struct quick_op *const *ops, unsigned n);
/* None follows soon: wipe what is left in private memory. */
void quick_rest(struct core *core);
void quick_deinit(struct core *core);
