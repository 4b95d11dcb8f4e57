/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched - admits, ends and cancels requests; the turn of the loop.
 */
#include <assert.h>
#include "core/context.h"
#include "core/dual.h"
#include "core/job.h"
#include "core/private.h"
#include "core/request-pool.h"
#include "core/steps.h"
#include "core/work.h"

/* As many as fill every lane of a batch several times, and few enough that all they need is still
 * in the CPU's own caches when they are answered. */
#define TURN_REQUESTS 128u

/* ---- the loop's turn ---- */

void sched_arm(struct core *core)
{
	/* an active idle handle keeps the loop from sleeping; the check handle does the work */
	if (!core->idle_on)
		uv_idle_start(&core->idle, core->idle_fn);
	core->idle_on = true;
}

static void flush_finished(struct core *core)
{
	struct list batch, *l;

	list_init(&batch);
	list_splice(&batch, &core->finished);
	while ((l = list_pop(&batch))) {
		struct request *r = sched_of_link(l)->r;

		r->sched->finished = false;
		r->ops->complete(r);
	}
}

void sched_kick(struct core *core)
{
	if (core->running)
		return;
	core->running = true;
	core->n_fresh = 0;
	core->now_ns = uv_hrtime();
	wake_drain(&core->wake);
	sched_run(core);
	flush_finished(core);
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			provider_update_live(core->providers[i]);
	__atomic_store_n(&core->table.t->software_room, sched_units_free(core), __ATOMIC_RELAXED);
	core->running = false;
	core->now_ns = 0;
	if (sched_has_work(core)) {
		sched_arm(core);
	} else if (core->idle_on) {
		uv_idle_stop(&core->idle);
		core->idle_on = false;
	}
}

bool sched_is_full(const struct core *core)
{
	return core->n_fresh >= TURN_REQUESTS;
}

bool sched_is_due(const struct core *core)
{
	return core->idle_on || wake_is_due(&core->wake);
}

/* ---- admission ---- */

static uint32_t uses(uint16_t op, bool mac_half)
{
	switch (op) {
	case KCF_OP_ENCRYPT_MAC:
		return KCF_KEY_USE(op) | KCF_KEY_USE(mac_half ? KCF_OP_MAC : KCF_OP_ENCRYPT);
	case KCF_OP_MAC_DECRYPT:
		return KCF_KEY_USE(op) | KCF_KEY_USE(mac_half ? KCF_OP_MAC_VERIFY : KCF_OP_DECRYPT);
	case KCF_OP_PUBLIC: /* what everybody may know needs no permission */
		return UINT32_MAX;
	default:
		return KCF_KEY_USE(op);
	}
}

static const struct kcf_param_aead *generated(const struct request *r)
{
	const struct kcf_param_aead *p = r->param;

	if (!p || r->tmpl->mech->param_kind != KCF_PARAM_AEAD)
		return NULL;
	return p->flags & KCF_IV_GENERATED ? p : NULL;
}

/* Nonces made by kcfd: only for its own keys, and always where the key's policy says so. */
static enum kcf_status check_nonce(const struct request *r)
{
	const struct key *k = r->tmpl->key;
	bool begins = r->phase == KCF_SINGLE || r->phase == KCF_INIT;
	bool encrypts = r->op == KCF_OP_ENCRYPT || r->op == KCF_OP_ENCRYPT_MAC;

	if (!begins)
		return KCF_SUCCESS;
	if (generated(r)) {
		if (r->op != KCF_OP_ENCRYPT)
			return KCF_MECHANISM_PARAM_INVALID;
		return k && k->by_handle ? KCF_SUCCESS : KCF_ARGUMENTS_BAD;
	}
	if (k && k->by_handle && k->iv_generated && encrypts)
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	return KCF_SUCCESS;
}

static enum kcf_status check_key(const struct tmpl *t, uint16_t op, bool mac_half)
{
	const struct key *k = t->key;

	/* CTR in either direction, or a GMAC, under a nonce of the client's is what such a key's
	 * policy forbids */
	if (k && k->by_handle && k->iv_generated && t->mech->param_kind != KCF_PARAM_AEAD &&
	    op != KCF_OP_PUBLIC)
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	return key_permits(k, uses(op, mac_half), t->mech->number, op);
}

static enum kcf_status check_keys(const struct request *r)
{
	enum kcf_status status = check_key(r->tmpl, r->op, false);

	if (status == KCF_SUCCESS && r->tmpl2)
		status = check_key(r->tmpl2, r->op, true);
	return status == KCF_SUCCESS ? check_nonce(r) : status;
}

enum kcf_status sched_key_permits(const struct tmpl *t, uint16_t op, bool mac)
{
	const struct key *k = t->key;

	if (k && k->by_handle && k->iv_generated)
		return KCF_KEY_FUNCTION_NOT_PERMITTED;
	return check_key(t, op, mac);
}

static enum kcf_status check(struct request *r)
{
	if (r->op == 0 || r->op >= KCF_OP_COUNT || r->phase > KCF_FINAL_PHASE)
		return KCF_ARGUMENTS_BAD;
	if (r->flags & REQUEST_ALWAYS_QUEUE && r->flags & REQUEST_NEVER_QUEUE)
		return KCF_ARGUMENTS_BAD;
	if (r->context && r->context->op != r->op)
		return KCF_ARGUMENTS_BAD;
	if (!r->context && (!r->tmpl || (r->phase != KCF_SINGLE && !r->n_steps)))
		return KCF_ARGUMENTS_BAD;
	if (!r->context && op_is_dual(r->op) != (r->tmpl2 != NULL))
		return KCF_ARGUMENTS_BAD;
	if (r->n_steps && steps_check(r) != KCF_SUCCESS)
		return KCF_ARGUMENTS_BAD;
	if (work_steps(r) > r->sched->core->limits.request_steps)
		return KCF_QUOTA_EXCEEDED;
	return check_keys(r);
}

/* A context's later requests have what its init had. */
static void take_templates(struct request *r)
{
	struct context *c = r->context;

	if (!c)
		return;
	if (!r->tmpl)
		r->tmpl = tmpl_ref(c->tmpl);
	if (!r->tmpl2 && c->tmpl2)
		r->tmpl2 = tmpl_ref(c->tmpl2);
}

static void submit_single(struct core *core, struct request *r)
{
	struct stage *st = &r->sched->stage;

	if (op_is_dual(r->op)) {
		if (dual_stage(r, &r->in))
			sched_route(core, r);
		else
			sched_finish(core, r, KCF_HOST_MEMORY);
		return;
	}
	st->op = r->op;
	st->phase = KCF_SINGLE;
	st->tmpl = r->tmpl;
	st->mech = r->tmpl->mech;
	st->param = r->param;
	st->in = &r->in;
	st->out = &r->out;
	st->check = &r->check;
	sched_route(core, r);
}

/* Steps begin in the next run, so that none is reported from inside sched_submit. */
static void submit_steps(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	s->hidden = context_new_hidden(core, r);
	if (!s->hidden) {
		sched_finish(core, r, KCF_HOST_MEMORY);
		return;
	}
	s->at = AT_FRESH;
	list_push(&core->fresh, &s->item.link);
	sched_arm(core);
}

void sched_submit(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	enum kcf_status status;

	s->core = core;
	s->arrived_ns = core_now(core);
	s->timer.fn = sched_on_timer;
	core->n_fresh++;
	take_templates(r);
	request_set_state(r, REQUEST_WAITING);
	list_push(&core->live, &s->live);
	status = core->stopping ? KCF_CANCELED : check(r);
	if (status != KCF_SUCCESS)
		sched_finish(core, r, status);
	else if (r->deadline_ns && r->deadline_ns <= s->arrived_ns)
		sched_finish(core, r, KCF_TIMED_OUT);
	else if (r->context)
		context_submit(r);
	else if (r->n_steps)
		submit_steps(core, r);
	else
		submit_single(core, r);
}

/* ---- waiting without a queue ---- */

void sched_park(struct core *core, struct request *r, struct list *parked)
{
	r->sched->at = AT_PARKED;
	list_push(parked, &r->sched->item.link);
	sched_arm_deadline(core, r);
}

void sched_unpark(struct core *core, struct list *parked)
{
	struct list batch, *l;

	list_init(&batch);
	list_splice(&batch, parked);
	while ((l = list_pop(&batch))) {
		struct request *r = sched_of_link(l)->r;

		r->sched->at = AT_NOWHERE;
		sched_route(core, r);
	}
}

void sched_take_out(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	switch (s->at) {
	case AT_SOFTWARE_QUEUE:
		queue_remove(&core->software, &s->item);
		break;
	case AT_HARDWARE_QUEUE:
		queue_remove(&s->provider->queue, &s->item);
		sched_told_room(s->provider);
		break;
	case AT_TURN:
		core->turn_cost -= s->cost;
		list_remove(&s->item.link);
		break;
	case AT_BATCH:
		s->provider->n_batch--;
		list_remove(&s->item.link);
		break;
	case AT_FRESH:
	case AT_PARKED:
	case AT_CONTEXT:
		list_remove(&s->item.link);
		break;
	default:
		break;
	}
	s->at = AT_NOWHERE;
}

/* ---- ends ---- */

static void count(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	struct consumer *c = r->consumer;
	bool failed = r->status != KCF_SUCCESS && r->status != KCF_BUSY;
	struct trace_entry *e = trace_find(&core->trace, s->trace);
	size_t bytes = r->in.len;

	if (s->own)
		return;
	for (uint32_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == KCF_STEP_UPDATE)
			bytes += r->steps[i].in.len;
	c->ops++;
	c->bytes += bytes;
	c->errors += failed;
	c->busy += r->status == KCF_BUSY;
	c->queue_ns += s->queue_ns;
	c->service_ns += s->service_ns;
	core->completed++;
	core->stats.canceled += r->status == KCF_CANCELED;
	core->stats.timed_out += r->status == KCF_TIMED_OUT;
	core->stats.refused += r->status == KCF_BUSY;
	if (s->offer && s->started_ns) {
		struct stats_row *row = s->offer->stat;

		row->ops++;
		row->bytes += bytes;
		row->errors += failed;
		row->wait_ns += s->queue_ns;
		row->service_ns += s->service_ns;
		stat_histogram_add(row->wait, s->queue_ns, 1);
		stat_histogram_add(row->service, s->service_ns, 1);
	}
	if (e) {
		e->queue_hops = (uint8_t)(r->queue_hops < 255 ? r->queue_hops : 255);
		e->queue_ns = s->queue_ns;
		e->service_ns = s->service_ns;
		e->status = (uint8_t)r->status;
	}
}

static void let_go(struct prepared **prepared)
{
	struct provider *p;

	if (!*prepared)
		return;
	p = provider_of(*prepared);
	prepared_unref(*prepared);
	*prepared = NULL;
	if (--p->n_using == 0)
		provider_check_drained(p);
}

void sched_unchoose(struct request_sched *s)
{
	let_go(&s->prepared);
	let_go(&s->prepared_mac);
}

/* What only a flying job still needs. */
static void drop_private(struct request_sched *s)
{
	job_drop_copies(s);
	dual_drop(s);
	sched_unchoose(s);
}

static void withhold_results(struct request *r, enum kcf_status status)
{
	if (status == KCF_SUCCESS)
		return;
	r->iv_made = false;
	if (status == KCF_BUFFER_TOO_SMALL)
		return;
	r->out_len = r->mac_len = 0;
}

void sched_finish(struct core *core, struct request *r, enum kcf_status status)
{
	struct request_sched *s = r->sched;
	struct context *hidden = s->hidden;

	assert(s->at == AT_NOWHERE || s->flying);
	wheel_disarm(&core->wheel, &s->timer);
	r->status = status;
	withhold_results(r, status);
	request_set_state(r, REQUEST_DONE);
	count(core, r);
	list_remove(&s->live);
	if (!s->flying) {
		drop_private(s);
		s->hidden = NULL;
	}
	list_push(&core->finished, &s->item.link);
	s->finished = true;
	sched_arm(core);
	if (r->context && !s->outside)
		context_request_done(r, status);
	else if (hidden)
		context_release(hidden);
}

void sched_returned(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	struct context *c = context_of(r);

	s->flying = false;
	if (r->state != REQUEST_DONE) {
		request_unhold(r);
		return;
	}
	/* ended early: nobody waits for this job any more */
	wheel_disarm(&core->wheel, &s->timer);
	if (c)
		context_drop_late(r);
	drop_private(s);
	s->at = AT_NOWHERE;
	s->hidden = NULL;
	if (c)
		context_job_back(c);
	request_unhold(r);
}

bool sched_end_early(struct core *core, struct request *r, enum kcf_status status)
{
	struct request_sched *s = r->sched;
	struct provider *p = s->provider;

	if (r->state == REQUEST_WAITING) {
		sched_take_out(core, r);
		sched_finish(core, r, status);
		return true;
	}
	if (r->state != REQUEST_RUNNING || !s->flying)
		return false;
	if (s->at == AT_DEVICE && p->inst.desc->ops->cancel)
		p->inst.desc->ops->cancel(p->inst.prov, &s->job);
	if (job_touches_shared(r)) /* completes when nothing can write its buffers */
		return false;
	sched_finish(core, r, status);
	if (s->at == AT_DEVICE) /* the device still owes the job */
		wheel_arm(&core->wheel, &s->timer,
			  s->started_ns + core->limits.device_timeout_ms * 1000000);
	return true;
}

void sched_cancel(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	bool waiting = r->state == REQUEST_WAITING;

	if (r->state == REQUEST_DONE || !sched_end_early(core, r, KCF_CANCELED) || !waiting)
		return;
	list_remove(&s->item.link);
	s->finished = false;
	r->ops->complete(r);
}

/* ---- deadlines ---- */

void sched_arm_deadline(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	uint64_t at = r->deadline_ns;

	if (s->at == AT_DEVICE) {
		uint64_t device = s->started_ns + core->limits.device_timeout_ms * 1000000;

		at = at && at < device ? at : device;
	}
	if (at)
		wheel_arm(&core->wheel, &s->timer, at);
}

void sched_on_timer(struct wheel_entry *e)
{
	struct request_sched *s = container_of(e, struct request_sched, timer);
	struct request *r = s->r;
	struct core *core = s->core;
	uint64_t now = uv_hrtime();
	uint64_t device_ns = core->limits.device_timeout_ms * 1000000;

	if (s->at == AT_DEVICE && s->flying && s->started_ns + device_ns <= now &&
	    provider_is_usable(s->provider)) {
		provider_fail(s->provider, "a job was not answered in time");
		return;
	}
	if (r->state == REQUEST_DONE || !r->deadline_ns)
		return;
	if (r->deadline_ns <= now)
		sched_end_early(core, r, KCF_TIMED_OUT);
	else
		wheel_arm(&core->wheel, &s->timer, r->deadline_ns);
}

/* ---- questions ---- */

uint32_t sched_position(struct core *core, const struct request *r)
{
	const struct request_sched *s = r->sched;

	return s->at == AT_SOFTWARE_QUEUE || s->at == AT_HARDWARE_QUEUE ? queue_position(&s->item)
									: 0;
}

uint32_t sched_units_free(struct core *core)
{
	uint64_t bound = core->software.bound;

	return (uint32_t)(core->units_taken < bound ? bound - core->units_taken : 0);
}

bool sched_units_take(struct core *core, uint32_t n)
{
	if (n > sched_units_free(core))
		return false;
	core->units_taken += n;
	return true;
}

void sched_units_give(struct core *core, uint32_t n)
{
	assert(core->units_taken >= n);
	core->units_taken -= n;
}
