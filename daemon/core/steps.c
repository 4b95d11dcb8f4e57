/* SPDX-License-Identifier: Apache-2.0 */
#include "core/steps.h"

#include "core/context.h"

static const uint16_t phases[] = {
	[KCF_STEP_INIT] = KCF_INIT,
	[KCF_STEP_UPDATE] = KCF_UPDATE,
	[KCF_STEP_FINAL] = KCF_FINAL_PHASE,
};

static bool op_checks(uint16_t op)
{
	return op == KCF_OP_MAC_VERIFY || op == KCF_OP_VERIFY || op == KCF_OP_MAC_DECRYPT;
}

struct part part_of(const struct request *r)
{
	const struct request_step *step;
	struct part part = {r->phase, &r->in, &r->out, &r->check};

	if (!r->n_steps)
		return part;
	step = &r->steps[r->sched->step];
	part = (struct part){.phase = phases[step->kind], .out = &step->out};
	if (step->kind == KCF_STEP_UPDATE)
		part.in = &step->in;
	else if (step->kind == KCF_STEP_FINAL && op_checks(r->op))
		part.check = &step->in;
	return part;
}

enum kcf_status steps_check(const struct request *r)
{
	if (r->n_steps < 2 || r->n_steps > KCF_STEPS_MAX || r->context)
		return KCF_ARGUMENTS_BAD;
	for (uint32_t i = 0; i < r->n_steps; i++) {
		enum kcf_step_kind want = i == 0                ? KCF_STEP_INIT
					  : i == r->n_steps - 1 ? KCF_STEP_FINAL
								: KCF_STEP_UPDATE;

		if (r->steps[i].kind != want)
			return KCF_ARGUMENTS_BAD;
	}
	return KCF_SUCCESS;
}

bool steps_next(struct request *r, size_t out_len)
{
	struct request_sched *s = r->sched;
	unsigned i = s->step;

	r->steps[i].out_len = out_len;
	r->out_len += out_len;
	r->steps_done = i + 1;
	if (r->flags & REQUEST_NOTIFY_STEPS && r->ops->step)
		r->ops->step(r, i);
	if (r->steps_done == r->n_steps)
		return false;
	s->step++;
	return true;
}

static bool same_memory(const struct request_data *a, const struct request_data *b)
{
	for (uint32_t i = 0; i < a->n_iov; i++) {
		for (uint32_t k = 0; k < b->n_iov; k++) {
			const uint8_t *x = a->iov[i].iov_base, *y = b->iov[k].iov_base;

			if (x < y + b->iov[k].iov_len && y < x + a->iov[i].iov_len)
				return true;
		}
	}
	return false;
}

bool steps_may_restart(const struct request *r)
{
	if (r->flags & REQUEST_NOTIFY_STEPS && r->steps_done > 0)
		return false;
	for (uint32_t i = 0; i < r->steps_done; i++)
		for (uint32_t k = 0; k < r->n_steps; k++)
			if (same_memory(&r->steps[i].out, &r->steps[k].in))
				return false;
	return true;
}

void steps_restart(struct request *r)
{
	r->sched->step = 0;
	r->steps_done = 0;
	r->out_len = 0;
	context_restart(r->sched->hidden);
}
