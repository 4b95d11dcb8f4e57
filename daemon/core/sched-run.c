/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-run - where a chosen request runs, and the runs on the loop and on workers.
 *
 * Small jobs run on the loop itself, in bursts, up to a bounded time a turn; long ones go to
 * workers, at most two per worker or two milliseconds' worth, so that what is not started stays in
 * the fair queue. No system call on the software path of small jobs. Loop thread, except
 * work_run().
 */
#include <assert.h>
#include <string.h>
#include "core/context.h"
#include "core/dual.h"
#include "core/job.h"
#include "core/learn.h"
#include "core/private.h"
#include "core/request-pool.h"
#include "core/steps.h"
#include "core/work.h"

#define BURST     32u
#define TURN_NS   1000000u /* predicted work the loop does itself in one turn */
#define AHEAD_NS  2000000u /* predicted work handed to each worker, beyond two jobs */
#define DIRECT_NS 250000u  /* beyond this much due already the loop is not free */
#define BACKLOG   32u /* requests left in the queue after a turn: workers help with small ones */

/* ---- where ---- */

static bool is_short(const struct core *core, const struct offer *offer, uint64_t cost)
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
	if (is_short(core, offer, cost))
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

static void give_to_workers(struct core *core, struct request *const *rs, unsigned n);

void sched_start(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	if (s->provider->hardware) {
		s->at = AT_BATCH;
		list_push(&s->provider->batch, &s->item.link);
		s->provider->n_batch++;
		provider_use_reservation(s->provider, r->conn);
	} else if (is_short(core, s->offer, s->cost)) {
		s->at = AT_TURN;
		list_push(&core->turn, &s->item.link);
		core->turn_cost += s->cost;
	} else {
		give_to_workers(core, &r, 1);
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

/* ---- on the loop ---- */

/* Run n that share a prepared template. */
static void run_burst(struct core *core, struct request **rs, unsigned n)
{
	bool sample = learn_wants(core);
	uint64_t begun = sample ? uv_hrtime() : core_now(core), took;

	job_run_burst(rs, n);
	core->now_ns = uv_hrtime();
	took = (core->now_ns - begun) / n;
	if (sample)
		learn_submit(core, rs, n, core->now_ns - begun);
	for (unsigned i = 0; i < n; i++)
		sched_job_ended(core, rs[i], took);
}

struct burst {
	struct request *rs[BURST];
	unsigned n;
};

static void burst_run(struct core *core, struct burst *b)
{
	if (b->n)
		run_burst(core, b->rs, b->n);
	b->n = 0;
}

/* Collect what can go to the provider in one call; run what was collected when the next one
 * differs. */
static void burst_add(struct core *core, struct burst *b, struct request *r)
{
	struct request_sched *s = r->sched;

	if (b->n && (b->n == BURST || s->stage.fused || b->rs[0]->sched->prepared != s->prepared ||
		     b->rs[0]->sched->stage.fused))
		burst_run(core, b);
	if (sched_begin(core, r, AT_LOOP))
		b->rs[b->n++] = r;
}

static void run_turn(struct core *core)
{
	struct burst burst = {.n = 0};
	struct list *l;

	do {
		while ((l = list_pop(&core->turn))) {
			struct request_sched *s = sched_of_link(l);

			core->turn_cost -= s->cost;
			burst_add(core, &burst, s->r);
		}
		burst_run(core, &burst);
	} while (!list_empty(&core->turn)); /* further steps and stages */
}

/* ---- on workers ---- */

static void work_run(struct work *w)
{
	struct request *r = request_of_work(w);
	uint64_t begun = uv_hrtime();

	job_run_burst(&r, 1);
	w->cost_ns = r->sched->job_ns = uv_hrtime() - begun;
}

static void work_done(struct wake_node *node)
{
	struct request *r = request_of_work(container_of(node, struct work, node));
	struct core *core = r->sched->core;
	bool ended = r->state == REQUEST_DONE;

	worker_done(&core->workers);
	core->worker_cost -= r->sched->cost;
	sched_arm(core);
	sched_returned(core, r);
	if (ended)
		return;
	if (learn_wants(core))
		learn_submit(core, &r, 1, r->sched->job_ns);
	sched_job_ended(core, r, r->sched->job_ns);
}

static void give_to_workers(struct core *core, struct request *const *rs, unsigned n)
{
	struct work *works[WORKER_BURST];
	unsigned n_works = 0;

	for (unsigned i = 0; i < n; i++) {
		struct request_sched *s = rs[i]->sched;

		if (!sched_begin(core, rs[i], AT_WORKER))
			continue;
		s->work.run = work_run;
		s->work.cost_ns = s->cost;
		s->work.node.fn = work_done;
		sched_fly(core, rs[i]);
		core->worker_cost += s->cost;
		works[n_works++] = &s->work;
	}
	if (n_works)
		worker_submit(&core->workers, works, n_works);
}

/* ---- the software queue ---- */

struct taking {
	struct core *core;
	unsigned workers; /* jobs that may still be handed over, however long */
	uint64_t ahead;   /* beyond them: predicted ns that may be */
	bool backlog;     /* small ones go to workers too */
};

static bool may_take(const struct queue_item *item, void *arg)
{
	const struct taking *t = arg;
	const struct request_sched *s = container_of(item, struct request_sched, item);
	bool here = !t->backlog && is_short(t->core, s->offer, s->cost);

	return here || t->workers > 0 || t->ahead > 0;
}

/* The next of the queue; NULL: none that may be taken. A request whose provider may no longer be
 * used goes elsewhere. */
static struct request *take(struct taking *t)
{
	struct core *core = t->core;

	for (;;) {
		struct queue_item *item = queue_pop(&core->software, may_take, t);
		struct request_sched *s;

		if (!item)
			return NULL;
		s = sched_of_item(item);
		s->at = AT_NOWHERE;
		s->queue_ns += core_now(core) - s->since_ns;
		if (context_of(s->r) || (s->offer->enabled && provider_is_usable(s->provider)))
			return s->r;
		sched_unchoose(s);
		sched_route(core, s->r);
	}
}

static unsigned help_with_backlog(struct core *core)
{
	struct taking t = {.core = core, .backlog = true};
	struct request *rs[WORKER_BURST];
	unsigned n = 0;

	if (core->software.depth < BACKLOG || !worker_is_free(&core->workers))
		return 0;
	t.workers = WORKER_BURST;
	while (n < WORKER_BURST && (rs[n] = take(&t)))
		n++;
	if (n)
		give_to_workers(core, rs, n);
	return n;
}

/* What may be handed to workers now. */
static struct taking take_long(struct core *core)
{
	uint64_t n = core->workers.max, ahead = n * AHEAD_NS;
	unsigned out = core->workers.outstanding;

	return (struct taking){
		.core = core,
		.workers = out < 2 * n ? (unsigned)(2 * n) - out : 0,
		.ahead = core->worker_cost < ahead ? ahead - core->worker_cost : 0,
	};
}

static void taken_long(struct taking *t, uint64_t cost)
{
	if (t->workers)
		t->workers--;
	t->ahead -= cost < t->ahead ? cost : t->ahead;
}

/* How many it took from the queue. */
static unsigned run_software(struct core *core)
{
	struct taking t = take_long(core);
	struct burst burst = {.n = 0};
	struct request *long_ones[WORKER_BURST], *r;
	unsigned n_long = 0, n = 0;
	uint64_t cost = 0;

	for (; cost < TURN_NS && (r = take(&t)); n++) {
		if (is_short(core, r->sched->offer, r->sched->cost)) {
			cost += r->sched->cost;
			burst_add(core, &burst, r);
			continue;
		}
		taken_long(&t, r->sched->cost);
		long_ones[n_long++] = r;
		if (n_long < WORKER_BURST)
			continue;
		give_to_workers(core, long_ones, n_long);
		n_long = 0;
	}
	if (n_long) /* before the loop's own work: they begin meanwhile */
		give_to_workers(core, long_ones, n_long);
	burst_run(core, &burst);
	return n + help_with_backlog(core);
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
	run_turn(core);
	taken = run_software(core);
	run_turn(core);
	/* only long jobs are left and every worker has its two: sleep until one is back */
	core->blocked = !taken;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			run_provider(core, core->providers[i]);
}
