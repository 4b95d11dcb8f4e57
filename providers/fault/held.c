/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held: jobs between submit and completion, oldest first.
 *
 *   taken -> DUE (its timer runs) -> over
 *   taken or DUE -> AT_GATE (gate closed) -> DUE, when the gate opens or on release
 *   taken -> LOST -> over, by reset only
 *
 * over() is the one place that completes, and takes the job off the list first: exactly once.
 * Completion never happens inside submit, even without latency. Thread: loop.
 */
#include "fault.h"

#include <stdlib.h>

enum held_state { HELD_DUE, HELD_AT_GATE, HELD_LOST };

struct held {
	struct held *older, *newer;
	struct fault *fault;
	struct kcf_job *job;
	struct kcf_host_timer *timer;
	enum held_state state;
	enum plan plan;
	enum kcf_status fail; /* with PLAN_FAIL */
	bool canceled;
};

static bool is_full(const struct fault *f)
{
	return f->n_held >= (uint64_t)f->settings.slots;
}

static void tell_room(struct fault *f)
{
	if (is_full(f) == f->was_full || f->dead)
		return;
	f->was_full = is_full(f);
	f->host->notify(f->host, f->was_full ? KCF_NOTICE_BUSY : KCF_NOTICE_READY);
}

static void unlink_held(struct held *h)
{
	struct fault *f = h->fault;

	*(h->older ? &h->older->newer : &f->oldest) = h->newer;
	*(h->newer ? &h->newer->older : &f->newest) = h->older;
	f->n_held--;
}

static void link_newest(struct held *h)
{
	struct fault *f = h->fault;

	h->older = f->newest;
	*(f->newest ? &f->newest->newer : &f->oldest) = h;
	f->newest = h;
	f->n_held++;
}

static void over(struct held *h)
{
	struct kcf_job *job = h->job;
	struct fault *f = h->fault;

	if (h->timer)
		f->host->timer_free(f->host, h->timer);
	unlink_held(h);
	job->priv[0] = NULL; /* a cancel may come before the loop sees the completion */
	free(h);
	f->host->complete(f->host, job);
}

/* A wrong answer: another byte, or the other verdict where there are no bytes. */
static void spoil(struct kcf_job *job)
{
	bool verdict = job->op == KCF_OP_MAC_VERIFY || job->op == KCF_OP_VERIFY;
	uint32_t i;

	for (i = 0; i < job->n_out && job->status == KCF_SUCCESS && job->out_len > 0; i++) {
		if (job->out[i].iov_len > 0) {
			*(uint8_t *)job->out[i].iov_base ^= 1;
			return;
		}
	}
	if (!verdict || job->phase == KCF_INIT || job->phase == KCF_UPDATE)
		return;
	if (job->status == KCF_SUCCESS)
		job->status = job->op == KCF_OP_VERIFY ? KCF_SIGNATURE_INVALID : KCF_INVALID_MAC;
	else
		job->status = KCF_SUCCESS;
}

static void finish(struct held *h)
{
	struct kcf_job *job = h->job;
	const struct settings *s = &h->fault->settings;

	job->out_len = 0;
	if (h->canceled) {
		job->status = KCF_CANCELED;
	} else if (h->plan == PLAN_FAIL) {
		job->status = h->fail;
	} else if (s->max_input && job->in_len > (uint64_t)s->max_input) {
		job->status = KCF_BUFFER_TOO_BIG;
	} else {
		fault_compute(h->fault, job);
		if (h->plan == PLAN_WRONG)
			spoil(job);
		if (h->plan == PLAN_WRONG_LENGTH)
			job->out_len = job->out_room + 1;
	}
	over(h);
}

static void on_due(void *arg)
{
	struct held *h = arg;
	struct fault *f = h->fault;

	f->host->timer_free(f->host, h->timer);
	h->timer = NULL;
	if (f->settings.gate_closed && !h->canceled) {
		h->state = HELD_AT_GATE;
		return;
	}
	finish(h);
	tell_room(f);
}

static bool start_timer(struct held *h, int64_t usec)
{
	struct fault *f = h->fault;

	if (h->timer)
		f->host->timer_free(f->host, h->timer);
	h->state = HELD_DUE;
	h->timer = f->host->timer_start(f->host, (uint64_t)usec, on_due, h);
	return h->timer != NULL;
}

bool held_take(struct fault *f, struct kcf_job *job)
{
	struct held *h = f->dead || is_full(f) ? NULL : calloc(1, sizeof(*h));

	if (!h)
		return false;
	h->fault = f;
	h->job = job;
	if (f->settings.gate_closed) {
		h->state = HELD_AT_GATE;
	} else if (!start_timer(h, f->settings.latency_us)) {
		free(h);
		return false;
	}
	job->priv[0] = h;
	h->plan = settings_plan(&f->settings, &h->fail);
	if (h->plan == PLAN_LOSE) {
		if (h->timer)
			f->host->timer_free(f->host, h->timer);
		h->timer = NULL;
		h->state = HELD_LOST;
	}
	link_newest(h);
	tell_room(f);
	return true;
}

void held_open_gate(struct fault *f)
{
	struct held *h;

	for (h = f->oldest; h; h = h->newer) {
		if (h->state == HELD_AT_GATE && !start_timer(h, f->settings.latency_us))
			h->state = HELD_AT_GATE;
	}
}

void held_release(struct fault *f, int64_t n)
{
	struct held *h, *newer;

	for (h = f->oldest; h && n > 0; h = newer) {
		newer = h->newer;
		if (h->state == HELD_AT_GATE) {
			finish(h);
			n--;
		}
	}
	tell_room(f);
}

void held_cancel(struct fault *f, struct kcf_job *job)
{
	struct held *h = job->priv[0];

	if (!h || h->state == HELD_LOST)
		return;
	h->canceled = true;
	start_timer(h, 0);
}

void held_reset(struct fault *f)
{
	f->dead = true; /* whoever submits from a completion waits */
	while (f->oldest) {
		f->oldest->job->status = KCF_DEVICE_ERROR;
		f->oldest->job->out_len = 0;
		over(f->oldest);
	}
	f->dead = false;
	f->was_full = false;
}
