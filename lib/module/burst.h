/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst - jobs of many prepared ones run together on one thread, so that a provider sees them in
 * company.
 *
 * Jobs are added with their thread's states, which are the burst's from then on; they form groups
 * of one provider instance, mechanism row and key size, and each group is one submit. Then the
 * states are given back. The same state may occur any number of times. On the stack of the thread
 * that runs it; no lock, allocation or system call.
 */
#pragma once

#include "module/prepared.h"

#define BURST_MAX 64u

struct burst_group {
	struct tstate *cipher,
		*mac;            /* of its first job; mac: of native dual operations, else NULL */
	uint16_t first, last, n; /* jobs, by burst.next, in the order they were added */
};

struct burst {
	unsigned n, n_groups, n_claims;
	unsigned latest; /* group of the last job */
	struct kcf_job *jobs[BURST_MAX];
	uint16_t next[BURST_MAX]; /* of the same group */
	struct burst_group groups[BURST_MAX];
	struct burst_claim {
		struct tstate *ts;
		void *thread;
		bool beside; /* thread was made for this burst: ts is in use further up the stack */
	} claims[2 * BURST_MAX];
};

static inline void burst_begin(struct burst *b)
{
	b->n = b->n_groups = b->n_claims = b->latest = 0;
}

/* Add a job; ts from prepared_thread(); mac: the MAC's of a native dual operation, else NULL. Row,
 * template and thread are filled in. At most BURST_MAX. False: it cannot be run, its status says
 * why; it is not part of the burst. */
bool burst_add(struct burst *b, struct tstate *ts, struct tstate *mac, struct kcf_job *job);
/* The same for a job that has the states of the one added last, no dual operation. */
static inline void burst_add_like(struct burst *b, const struct kcf_job *last, struct kcf_job *job)
{
	struct burst_group *g = &b->groups[b->latest];

	job->row = last->row;
	job->tmpl = last->tmpl;
	job->thread = last->thread;
	b->next[g->last] = (uint16_t)b->n;
	g->last = (uint16_t)b->n;
	b->jobs[b->n++] = job;
	g->n++;
}
/* Run one group: its jobs have their status. */
void burst_submit(struct burst *b, unsigned group);
/* After all groups: states of templates that ended meanwhile are wiped. */
void burst_end(struct burst *b);
