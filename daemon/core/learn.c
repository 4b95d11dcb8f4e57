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

/* Of this software something is known now. What nothing is known of - it in the other way, other
 * software with the same work - is not to look better for that. */
static void learned(struct core *core, const struct offer *offer, const struct cost *one)
{
	const struct mech *m = offer->mech;

	for (unsigned i = 0; i < m->n_offers; i++) {
		struct offer *other = m->offers[i];

		if (other->provider->hardware != offer->provider->hardware ||
		    (other->provider->hardware && other != offer))
			continue;
		cost_follow(&other->alone, one);
		cost_follow(&other->burst, one);
		mech_publish_cost(core, other);
	}
}

static void sample(struct core *core, struct offer *offer, bool company, uint64_t bytes,
		   uint64_t ns)
{
	struct cost *one = company ? &offer->burst : &offer->alone;

	if (offer->mech && cost_sample(one, bytes, ns))
		learned(core, offer, one);
}

void learn_jobs(struct core *core, struct offer *offer, unsigned n, uint64_t bytes, uint64_t ns)
{
	uint32_t company = offer->desc->lanes ? offer->desc->lanes : COMPANY;

	if (n > 1 && n < company) /* neither one nor the other */
		return;
	sample(core, offer, n > 1, bytes / n, ns / n);
}

void learn_submit(struct core *core, struct request *const *rs, unsigned n, uint64_t ns)
{
	const struct request_sched *first = rs[0]->sched;
	struct offer *offer = &first->provider->offers[first->offer->row];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		if (rs[i]->sched->offer != offer || !teaches(rs[i]))
			return;
		bytes += work_bytes(rs[i]);
	}
	learn_jobs(core, offer, n, bytes, ns);
}

void learn_device(struct core *core, struct request *r, uint64_t ns)
{
	struct request_sched *s = r->sched;
	struct offer *offer = &s->provider->offers[s->offer->row];
	uint64_t bytes = work_bytes(r), alone = cost_expect(&offer->alone.line, bytes);

	if (!teaches(r))
		return;
	/* with others before it, only what it took less than alone says something of the job */
	if (!s->ahead || ns < alone)
		sample(core, offer, false, bytes, ns);
	if (s->ahead)
		cost_sample(&s->provider->behind, 0, ns > alone ? (ns - alone) / s->ahead : 1);
}
