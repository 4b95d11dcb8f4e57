/* SPDX-License-Identifier: Apache-2.0 */
#include "core/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/iov.h"
#include "core/dual.h"
#include "core/private.h"

static bool is_shared(const struct request_data *d)
{
	return d && d->shared;
}

static size_t len_of(const struct request_data *d)
{
	return d ? d->len : 0;
}

static bool overlap(const struct request_data *a, const struct request_data *b)
{
	for (uint32_t i = 0; a && b && i < a->n_iov; i++) {
		for (uint32_t k = 0; k < b->n_iov; k++) {
			uintptr_t x = (uintptr_t)a->iov[i].iov_base; /* may be NULL + 0 */
			uintptr_t y = (uintptr_t)b->iov[k].iov_base;

			if (x < y + b->iov[k].iov_len && y < x + a->iov[i].iov_len)
				return true;
		}
	}
	return false;
}

/* May the provider work on memory the client can change? */
static bool shared_ok(const struct request_sched *s)
{
	const struct stage *st = &s->stage;

	if (s->provider->hardware || s->dual || !(s->offer->desc->flags & KCF_ROW_SHARED_OK))
		return false;
	return st->op != KCF_OP_DECRYPT || !(s->offer->desc->classes & KCF_CLASS_AEAD);
}

struct copies {
	bool in, out, check;
};

static struct copies copies_needed(const struct request_sched *s)
{
	const struct stage *st = &s->stage;
	bool private = !shared_ok(s);
	struct copies c = {
		.in = private && is_shared(st->in),
		.out = private && is_shared(st->out),
		.check = is_shared(st->check),
	};

	/* a job given to a device may have to be repeated elsewhere */
	if (s->provider->hardware && overlap(st->in, st->out))
		c.out = true;
	/* what a dual operation makes is released at its end, all at once */
	if (st->fused || (dual_keeps_copies(s) && st->out))
		c.out = true;
	return c;
}

static size_t round16(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

/* One block holds all copies, input first. */
static bool make_copies(struct request_sched *s, struct copies c)
{
	const struct stage *st = &s->stage;
	size_t in = c.in ? round16(len_of(st->in)) : 0;
	size_t out = c.out ? round16(len_of(st->out)) : 0;
	size_t check = c.check ? len_of(st->check) : 0;

	s->in_bounced = c.in;
	s->out_bounced = c.out;
	if (!c.in && !c.out && !c.check)
		return true;
	s->bounce_len = in + out + check;
	s->bounce = malloc(s->bounce_len ? s->bounce_len : 1);
	if (!s->bounce)
		return false;
	s->bounce_in = (struct iovec){s->bounce, len_of(st->in)};
	s->bounce_out = (struct iovec){s->bounce + in, len_of(st->out)};
	s->bounce_check = (struct iovec){s->bounce + in + out, check};
	if (c.in)
		iov_gather(st->in->iov, st->in->n_iov, s->bounce);
	if (c.check)
		iov_gather(st->check->iov, st->check->n_iov, s->bounce_check.iov_base);
	return true;
}

void job_drop_copies(struct request_sched *s)
{
	if (!s->bounce)
		return;
	explicit_bzero(s->bounce, s->bounce_len);
	free(s->bounce);
	s->bounce = NULL;
}

static void set_part(const struct request_data *d, const struct iovec *bounce,
		     const struct iovec **iov, uint32_t *n, size_t *len)
{
	*iov = bounce ? bounce : d ? d->iov : NULL;
	*n = bounce ? 1 : d ? d->n_iov : 0;
	*len = len_of(d);
}

enum kcf_status job_make(struct request *r)
{
	struct request_sched *s = r->sched;
	const struct stage *st = &s->stage;
	struct copies c = copies_needed(s);
	struct kcf_job *job = &s->job;

	if (!make_copies(s, c))
		return KCF_HOST_MEMORY;
	memset(job, 0, sizeof(*job));
	job->op = st->op;
	job->phase = st->phase;
	job->row = s->offer->row;
	job->param = st->param;
	job->tmpl = s->prepared->tmpl;
	job->ctx = st->ctx;
	set_part(st->in, c.in ? &s->bounce_in : NULL, &job->in, &job->n_in, &job->in_len);
	set_part(st->out, c.out ? &s->bounce_out : NULL, &job->out, &job->n_out, &job->out_room);
	set_part(st->check, c.check ? &s->bounce_check : NULL, &job->check, &job->n_check,
		 &job->check_len);
	return KCF_SUCCESS;
}

bool job_touches_shared(const struct request *r)
{
	const struct stage *st = &r->sched->stage;

	if (r->sched->at == AT_DEVICE) /* works on copies */
		return false;
	/* a worker makes its copies itself, so at any moment it may be reading what is shared */
	return is_shared(st->in) || is_shared(st->out) || is_shared(st->check);
}

/* A provider that says it wrote more than there was room is not to be believed in anything. */
void job_check_result(struct kcf_job *job)
{
	if (job->status == KCF_SUCCESS && job->out_len > job->out_room) {
		job->status = KCF_DEVICE_ERROR;
		job->out_len = 0;
	}
	if ((unsigned)job->status >= KCF_STATUS_COUNT || job->status == KCF_QUEUED)
		job->status = KCF_FAILED;
}

void job_publish(struct request *r)
{
	struct request_sched *s = r->sched;
	const struct stage *st = &s->stage;
	struct kcf_job *job = &s->job;

	job_check_result(job);
	if (st->fused) {
		dual_publish(r);
	} else if (job->status == KCF_SUCCESS) {
		if (s->out_bounced && !dual_keeps_copies(s))
			iov_scatter(st->out->iov, st->out->n_iov, s->bounce_out.iov_base,
				    job->out_len);
	} else if (!s->out_bounced && st->out && job_failed_late(job->status)) {
		iov_wipe(st->out->iov, st->out->n_iov, st->out->len);
	}
	if (job->status != KCF_SUCCESS || !dual_keeps_copies(s))
		job_drop_copies(s);
}

/* ---- bursts ---- */

static struct request *request_of_job(struct kcf_job *job)
{
	return container_of(job, struct request_sched, job)->r;
}

/* Into the burst. False: it cannot be made (its status says why), or takes two jobs. */
static bool add(struct burst *b, struct request *r)
{
	struct request_sched *s = r->sched;
	struct tstate *ts, *mac = NULL;
	bool fused = s->stage.fused;

	s->company = 0;
	s->job_ns = 0;
	s->job.status = job_make(r);
	if (s->job.status != KCF_SUCCESS ||
	    (fused && !dual_is_native(s->prepared, s->prepared_mac)))
		return false;
	ts = prepared_thread(s->prepared, &s->job.status);
	if (ts && fused)
		mac = prepared_thread(s->prepared_mac, &s->job.status);
	if (!ts || (fused && !mac))
		return false;
	if (fused)
		dual_make_job(r);
	return burst_add(b, ts, mac, &s->job);
}

/* One submit. Its requests go to ret side by side, with their part of the time. */
static void run_group(struct burst *b, unsigned group, struct request **ret)
{
	const struct burst_group *g = &b->groups[group];
	uint64_t begun = uv_hrtime(), ns;
	unsigned i = g->first;

	burst_submit(b, group);
	ns = (uv_hrtime() - begun) / g->n;
	for (unsigned k = 0; k < g->n; k++, i = b->next[i]) {
		ret[k] = request_of_job(b->jobs[i]);
		ret[k]->sched->job_ns = ns;
		if (g->mac)
			dual_take_job(ret[k]);
	}
	ret[0]->sched->company = g->n;
}

/* What is not in the burst: a dual operation of two jobs, or what could not be made. */
static void run_alone(struct request *r)
{
	struct request_sched *s = r->sched;
	uint64_t begun = uv_hrtime();

	if (!s->stage.fused || s->job.status != KCF_SUCCESS)
		return;
	dual_run_fused(r);
	s->job_ns = uv_hrtime() - begun;
	s->company = 1;
}

void job_run_burst(struct request **rs, unsigned n)
{
	struct request *sorted[JOB_BURST];
	uint64_t begun = uv_hrtime(), ns = 0;
	unsigned n_sorted = 0;
	struct burst b;

	assert(n <= JOB_BURST);
	burst_begin(&b);
	for (unsigned i = 0; i < n; i++)
		if (!add(&b, rs[i]))
			sorted[n - ++n_sorted] = rs[i]; /* from the end */
	n_sorted = 0;
	for (unsigned g = 0; g < b.n_groups; n_sorted += b.groups[g++].n)
		run_group(&b, g, sorted + n_sorted);
	burst_end(&b);
	for (unsigned i = n_sorted; i < n; i++)
		run_alone(sorted[i]);
	memcpy(rs, sorted, n * sizeof(rs[0]));
	for (unsigned i = 0; i < n; i++) {
		ns += rs[i]->sched->job_ns;
		job_publish(rs[i]);
	}
	/* making and publishing them is part of their work */
	ns = (uv_hrtime() - begun - ns) / n;
	for (unsigned i = 0; i < n; i++)
		rs[i]->sched->job_ns += ns;
}
