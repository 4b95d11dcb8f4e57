/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst - claims states, forms groups, submits them.
 *
 * A state that this burst has claimed already is known by its pointer to the burst, so a template
 * costs one exchange each way however many jobs it has. Thread: the one that has it on its stack.
 */
#include "module/burst.h"
#include "module/tstate.h"

static void job_fail(struct kcf_job *job, enum kcf_status status)
{
	job->status = status;
	job->out_len = 0;
	job->mac_len = 0;
}

/* The state is in use further up this very stack (a signal handler): this job gets one of its own.
 */
static __attribute__((noinline, cold)) enum kcf_status
claim_beside(struct burst *b, struct tstate *ts, void **ret_thread)
{
	enum kcf_status status =
		ts->inst->desc->ops->thread_state_new(ts->prov, ts->tmpl, ret_thread);

	if (status == KCF_SUCCESS)
		b->claims[b->n_claims++] = (struct burst_claim){ts, *ret_thread, true};
	return status;
}

static inline enum kcf_status claim(struct burst *b, struct tstate *ts, void **ret_thread)
{
	uint32_t state;

	*ret_thread = ts->thread;
	if (ts->burst == b)
		return KCF_SUCCESS;
	state = tstate_claim(ts);
	if (__builtin_expect(state != STATE_IDLE, 0)) /* dead: a template used after its end */
		return state == STATE_BUSY ? claim_beside(b, ts, ret_thread) : KCF_FAILED;
	ts->burst = b;
	b->claims[b->n_claims++] = (struct burst_claim){ts, ts->thread, false};
	return KCF_SUCCESS;
}

static inline bool same_kind(const struct tstate *a, const struct tstate *b)
{
	return a == b ||
	       (a && b && a->inst == b->inst && a->row == b->row && a->key_len == b->key_len);
}

static inline bool is_of(const struct burst_group *g, const struct tstate *ts,
			 const struct tstate *mac)
{
	return same_kind(g->cipher, ts) && same_kind(g->mac, mac);
}

static inline unsigned group_of(struct burst *b, struct tstate *ts, struct tstate *mac)
{
	unsigned g = b->latest;

	if (b->n_groups && is_of(&b->groups[g], ts, mac))
		return g;
	for (g = 0; g < b->n_groups; g++)
		if (is_of(&b->groups[g], ts, mac))
			return g;
	b->groups[g] = (struct burst_group){.cipher = ts, .mac = mac};
	b->n_groups++;
	return g;
}

bool burst_add(struct burst *b, struct tstate *ts, struct tstate *mac, struct kcf_job *job)
{
	enum kcf_status status = claim(b, ts, &job->thread);
	struct burst_group *g;
	unsigned i = b->n;

	if (mac && status == KCF_SUCCESS)
		status = claim(b, mac, &job->thread2);
	if (__builtin_expect(status != KCF_SUCCESS, 0)) {
		job_fail(job, status);
		return false;
	}
	job->row = ts->row;
	job->tmpl = ts->tmpl;
	if (mac) {
		job->row2 = mac->row;
		job->tmpl2 = mac->tmpl;
	}
	b->latest = group_of(b, ts, mac);
	g = &b->groups[b->latest];
	if (g->n++)
		b->next[g->last] = (uint16_t)i;
	else
		g->first = (uint16_t)i;
	g->last = (uint16_t)i;
	b->jobs[i] = job;
	b->n++;
	return true;
}

void burst_submit(struct burst *b, unsigned group)
{
	const struct burst_group *g = &b->groups[group];
	const struct tstate *ts = g->cipher;
	struct kcf_job *room[BURST_MAX], **jobs = b->jobs;
	unsigned taken;

	if (b->n_groups > 1) {
		jobs = room;
		for (unsigned n = 0, i = g->first; n < g->n; i = b->next[i])
			room[n++] = b->jobs[i];
	}
	taken = ts->submit(ts->prov, jobs, g->n);
	for (; taken < g->n; taken++)
		job_fail(jobs[taken], KCF_FAILED);
}

void burst_end(struct burst *b)
{
	for (unsigned i = 0; i < b->n_claims; i++) {
		struct tstate *ts = b->claims[i].ts;

		if (b->claims[i].beside) {
			ts->inst->desc->ops->thread_state_free(ts->prov, b->claims[i].thread);
			continue;
		}
		ts->burst = NULL;
		tstate_release(ts);
	}
}
