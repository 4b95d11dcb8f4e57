/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-run - where a chosen request goes, and the scheduler's part of a turn of the loop. Loop
 * thread.
 */
#include <assert.h>
#include <string.h>
#include "core/context.h"
#include "core/private.h"
#include "core/request-pool.h"
#include "core/work.h"

#define DIRECT_NS 250000u /* beyond this much due already the loop is not free */

/* ---- where ---- */

bool sched_is_short(const struct core *core, const struct offer *offer, uint64_t cost)
{
	return offer->desc->flags & KCF_ROW_SHORT && cost <= core->limits.short_ns;
}

bool sched_at_once(struct core *core, const struct request *r, const struct offer *offer,
		   uint64_t cost)
{
	struct provider *p = offer->provider;

	if (p->hardware)
		return p->queue.depth == 0 && provider_free_slots(p) > 0;
	if (core->software.depth > 0)
		return false;
	if (sched_is_short(core, offer, cost))
		return core->turn_cost + cost <= DIRECT_NS;
	return worker_is_free(&core->workers);
}

/* ---- beginning ---- */

static struct kcf_param_aead *wants_nonce(struct request *r)
{
	struct stage *st = &r->sched->stage;
	struct kcf_param_aead *p = st->param;

	if (!p || st->mech->param_kind != KCF_PARAM_AEAD || st->op != KCF_OP_ENCRYPT)
		return NULL;
	return p->flags & KCF_IV_GENERATED ? p : NULL;
}

/* Every attempt draws a nonce of its own. */
static enum kcf_status make_nonce(struct core *core, struct request *r)
{
	struct kcf_param_aead *p = wants_nonce(r);
	struct key *k = r->tmpl->key;

	if (!p)
		return KCF_SUCCESS;
	if (k->nonces >= KEY_NONCES)
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	if (!core_random(core, r->iv, sizeof(r->iv)))
		return KCF_FAILED;
	k->nonces++;
	p->iv = r->iv;
	p->iv_len = sizeof(r->iv);
	r->iv_made = true;
	return KCF_SUCCESS;
}

bool sched_begin(struct core *core, struct request *r, enum request_at at)
{
	struct request_sched *s = r->sched;
	struct context *c = context_of(r);
	enum kcf_status status = make_nonce(core, r);

	s->at = AT_NOWHERE;
	if (status != KCF_SUCCESS) {
		sched_finish(core, r, status);
		return false;
	}
	request_set_state(r, REQUEST_RUNNING);
	s->at = at;
	s->started_ns = core_now(core);
	if (c)
		c->flying = r;
	return true;
}

void sched_fly(struct core *core, struct request *r)
{
	r->sched->flying = true;
	request_hold(r);
	sched_arm_deadline(core, r);
}

void sched_start(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	if (s->provider->hardware) {
		s->at = AT_BATCH;
		list_push(&s->provider->batch, &s->item.link);
		s->provider->n_batch++;
		provider_use_reservation(s->provider, r->conn);
	} else if (sched_is_short(core, s->offer, s->cost)) {
		s->at = AT_TURN;
		list_push(&core->turn, &s->item.link);
		core->turn_cost += s->cost;
	} else {
		sched_give(core, r);
	}
	sched_arm(core);
}

bool sched_queue(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	struct provider *p = s->provider;
	struct queue *q = p->hardware ? &p->queue : &core->software;
	struct queue_share *share = &r->consumer->shares[p->hardware ? p->row + 1 : 0];

	s->item.cost = s->cost;
	s->item.label = r->label;
	s->item.units = p->hardware || !r->units ? 1 : r->units;
	s->since_ns = core_now(core);
	if ((p->hardware && !provider_has_room(p, r->conn)) || !queue_push(q, share, &s->item)) {
		r->busy_reason = KCF_BUSY_NO_ROOM;
		sched_finish(core, r, KCF_BUSY);
		return false;
	}
	s->at = p->hardware ? AT_HARDWARE_QUEUE : AT_SOFTWARE_QUEUE;
	r->queue_hops++;
	if (p->hardware)
		provider_use_reservation(p, r->conn);
	sched_arm_deadline(core, r);
	sched_arm(core);
	return true;
}

void sched_pinned(struct core *core, struct request *r, const struct offer *offer,
		  struct prepared *prepared)
{
	struct request_sched *s = r->sched;
	struct provider *p = offer->provider;
	struct trace_entry *e;

	if (core->stopping) {
		sched_finish(core, r, KCF_CANCELED);
		return;
	}
	e = trace_new(&core->trace);
	s->prepared = prepared_ref(prepared);
	p->n_using++;
	s->provider = p;
	s->offer = offer;
	s->cost = work_cost_ns(core, r, offer);
	s->trace = e->number;
	r->provider_row1 = p->row + 1;
	e->pinned = true;
	e->id = r->id;
	e->uid = r->consumer->uid;
	e->mech = s->stage.mech->number;
	e->op = s->stage.op;
	e->phase = s->stage.phase;
	e->bytes = s->stage.in ? s->stage.in->len : 0;
	e->chosen = (uint8_t)(p->row + 1);
	e->place = p->hardware ? STAT_HARDWARE : STAT_KCFD;
	memcpy(e->provider, p->name, sizeof(e->provider));
	if ((!(r->flags & REQUEST_ALWAYS_QUEUE) || s->step > 0) &&
	    sched_at_once(core, r, offer, s->cost)) {
		sched_start(core, r);
	} else if (r->flags & REQUEST_NEVER_QUEUE && s->step == 0) {
		r->busy_reason = KCF_BUSY_WOULD_QUEUE;
		sched_finish(core, r, KCF_BUSY);
	} else {
		sched_queue(core, r);
	}
}

/* ---- the turn ---- */

static bool provider_has_work(const struct provider *p)
{
	return p->n_batch > 0 || p->must_fail || p->checking;
}

bool sched_has_work(const struct core *core)
{
	if (!list_empty(&core->turn) || !list_empty(&core->fresh) || !list_empty(&core->finished))
		return true;
	if (core->software.depth > 0 && !core->blocked)
		return true;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i] && provider_has_work(core->providers[i]))
			return true;
	return false;
}

static void run_provider(struct core *core, struct provider *p)
{
	if (p->must_fail)
		provider_fail(p, p->must_fail);
	if (p->hardware)
		sched_pump(core, p);
	if (p->checking) /* may be its end in the registry */
		provider_drain_step(p);
}

void sched_run(struct core *core)
{
	struct list fresh, *l;
	unsigned taken;

	list_init(&fresh);
	list_splice(&fresh, &core->fresh);
	while ((l = list_pop(&fresh))) {
		struct request *r = sched_of_link(l)->r;

		r->sched->at = AT_NOWHERE;
		context_go_on(r);
	}
	sched_run_due(core);
	taken = sched_run_queue(core);
	sched_run_due(core);
	/* only long jobs are left and every worker has its two: sleep until one is back */
	core->blocked = !taken;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			run_provider(core, core->providers[i]);
}
