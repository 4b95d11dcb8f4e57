/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: a pretended device. fault.c is the module and computes; held.c keeps the jobs a device has
 * taken and decides when each is over.
 *
 * All of an instance belongs to kcfd's loop thread; template_new and _free, which may run
 * elsewhere, touch only the inner provider.
 */
#ifndef FAULT_H
#define FAULT_H

#include "settings.h"

/* The provider whose sources are compiled in. */
extern const struct kcf_provider_desc fault_inner;

struct held;

struct fault {
	const struct kcf_host *host;
	void *inner; /* its instance */
	struct settings settings;
	struct held *oldest, *newest;
	unsigned n_held;
	bool dead;     /* takes nothing until return or reset */
	bool was_full; /* KCF_NOTICE_BUSY was given */
};

/* What a job finds behind job->tmpl. Jobs are computed on one thread, so one thread state is
 * enough. */
struct fault_template {
	uint32_t inner_row;
	void *tmpl, *thread;
};

/* The true answer: status, out_len, ctx. */
void fault_compute(struct fault *f, struct kcf_job *job);

/* Takes a job; false if out of memory or full. */
bool held_take(struct fault *f, struct kcf_job *job);
/* The gate has opened. */
void held_open_gate(struct fault *f);
/* Finish the n oldest of those held by the gate. */
void held_release(struct fault *f, int64_t n);
void held_cancel(struct fault *f, struct kcf_job *job);
/* Completes every job with KCF_DEVICE_ERROR, lost ones too. */
void held_reset(struct fault *f);

#endif
