/* SPDX-License-Identifier: Apache-2.0 */
#include "core/learn.h"

#include "core/private.h"
#include "core/work.h"

#define TOGETHER     16 /* fractions of a job */
#define TOGETHER_ON  (4 * TOGETHER)
#define TOGETHER_OFF (2 * TOGETHER)

#define COMPANY 8u /* jobs of one submit that are company, where the row does not say */

bool learn_wants(struct core *core)
{
	return ++core->learn_tick % LEARN_EVERY == 0;
}

void learn_company(struct mech *m, unsigned n)
{
	m->together += ((int32_t)n * TOGETHER - m->together) / 8;
	if (m->together >= TOGETHER_ON)
		m->company = true;
	else if (m->together < TOGETHER_OFF)
		m->company = false;
}

static bool teaches(const struct request *r)
{
	const struct request_sched *s = r->sched;

	return s->job.status == KCF_SUCCESS && s->stage.phase == KCF_SINGLE && !s->stage.fused &&
	       !work_steps(r);
}

void learn_jobs(struct offer *offer, unsigned n, uint64_t bytes, uint64_t ns)
{
	uint32_t company = offer->desc->lanes ? offer->desc->lanes : COMPANY;

	if (n > 1 && n < company) /* neither one nor the other */
		return;
	cost_sample(n > 1 ? &offer->burst : &offer->alone, bytes / n, ns / n);
}

void learn_submit(struct request *const *rs, unsigned n, uint64_t ns)
{
	const struct request_sched *first = rs[0]->sched;
	struct offer *offer = &first->provider->offers[first->offer->row];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		if (rs[i]->sched->offer != offer || !teaches(rs[i]))
			return;
		bytes += work_bytes(rs[i]);
	}
	learn_jobs(offer, n, bytes, ns);
}

void learn_device(struct request *r, uint64_t ns)
{
	struct request_sched *s = r->sched;
	struct offer *offer = &s->provider->offers[s->offer->row];
	uint64_t bytes = work_bytes(r), alone = cost_expect(&offer->alone.line, bytes);

	if (!teaches(r))
		return;
	/* with others before it, only what it took less than alone says something of the job */
	if (!s->ahead || ns < alone)
		cost_sample(&offer->alone, bytes, ns);
	if (s->ahead)
		cost_sample(&s->provider->behind, 0, ns > alone ? (ns - alone) / s->ahead : 1);
}
