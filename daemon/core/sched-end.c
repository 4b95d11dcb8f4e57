/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-end - a job is over: failover, the next stage or step, or the end of the request.
 */
#include "core/context.h"
#include "core/dual.h"
#include "core/private.h"
#include "core/steps.h"

bool sched_is_fault(enum kcf_status status)
{
	switch (status) {
	case KCF_DEVICE_ERROR:
	case KCF_DEVICE_REMOVED:
	case KCF_DEVICE_MEMORY:
	case KCF_BUSY:
	case KCF_BUFFER_TOO_BIG:
	case KCF_KEY_SIZE_RANGE:
		return true;
	default:
		return false;
	}
}

static bool may_retry(const struct request *r)
{
	const struct stage *st = &r->sched->stage;

	if (r->n_steps)
		return steps_may_restart(r);
	return st->phase == KCF_INIT || (st->phase == KCF_SINGLE && !r->context);
}

static void retry(struct core *core, struct request *r, enum kcf_status status)
{
	struct request_sched *s = r->sched;
	struct trace_entry *e = trace_find(&core->trace, s->trace);

	if (e) {
		e->status = (uint8_t)status;
		e->service_ns = s->service_ns;
	}
	s->tried |= 1u << s->provider->row;
	s->fault = status;
	core->stats.failovers++;
	if (s->offer->stat)
		s->offer->stat->errors++;
	sched_unchoose(s);
	if (r->n_steps) {
		steps_restart(r);
		context_go_on(r);
	} else {
		sched_route(core, r);
	}
}

/* Is there another stage or step? Then it is on its way. */
static bool go_on(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	if (s->dual && dual_next(r)) {
		sched_unchoose(s);
		sched_route(core, r);
		return true;
	}
	return false;
}

static bool next_step(struct request *r, size_t out_len)
{
	struct request_sched *s = r->sched;

	if (!r->n_steps || !steps_next(r, out_len))
		return false;
	sched_unchoose(s);
	context_go_on(r);
	return true;
}

void sched_part_ended(struct core *core, struct request *r, enum kcf_status status)
{
	struct request_sched *s = r->sched;
	bool had_job = r->state == REQUEST_RUNNING;
	size_t out_len = had_job ? s->job.out_len : 0;

	s->at = AT_NOWHERE;
	if (had_job) {
		if (context_of(r))
			context_job_ended(r, status);
		request_set_state(r, REQUEST_WAITING);
		if (sched_is_fault(status) && may_retry(r)) {
			retry(core, r, status);
			return;
		}
	}
	if (status == KCF_SUCCESS && go_on(core, r))
		return;
	if (s->dual && had_job)
		status = dual_finish(r, status, &out_len);
	if (status == KCF_SUCCESS && next_step(r, out_len))
		return;
	if (!r->n_steps || status == KCF_BUFFER_TOO_SMALL)
		r->out_len = out_len;
	sched_finish(core, r, status);
}

void sched_job_ended(struct core *core, struct request *r, uint64_t service_ns)
{
	struct request_sched *s = r->sched;

	s->service_ns += service_ns;
	if (s->provider->hardware)
		provider_job_ended(s->provider, s->job.status);
	sched_part_ended(core, r, s->job.status);
}
