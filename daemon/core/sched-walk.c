/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-walk - who could run a request's next job, in which order, and the one walk over them.
 *
 * Every look is written to the trace. A software candidate serves at once when the loop or a worker
 * is free and nothing waits in the software queue; a device when it is READY and nothing waits in
 * its queue.
 */
#include <assert.h>
#include <string.h>
#include "core/context.h"
#include "core/private.h"
#include "core/quick.h"
#include "core/sched-mode.h"
#include "core/work.h"

struct walk {
	struct core *core;
	struct request *r;
	struct trace_entry *trace;
	struct order o;
	unsigned why_not[WHY_COUNT]; /* how many fell out for what */
	uint32_t full_row1;          /* the first device without room */
};

static bool key_size_ok(const struct kcf_mech_row *row, const struct key *k)
{
	uint64_t bits = (uint64_t)k->len * 8;

	/* ranges of asymmetric keys are the provider's to check: they mean modulus or field */
	if (!(row->classes & (KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)) ||
	    row->flags & (KCF_ROW_FORMAT(KCF_KEY_PKCS8) | KCF_ROW_FORMAT(KCF_KEY_SPKI)))
		return true;
	return bits >= row->key_min_bits && bits <= row->key_max_bits &&
	       (row->key_step_bits < 2 || (bits - row->key_min_bits) % row->key_step_bits == 0);
}

static bool key_format_ok(const struct kcf_mech_row *row, const struct key *k)
{
	uint32_t formats =
		row->flags & (KCF_ROW_FORMAT(KCF_KEY_RAW) | KCF_ROW_FORMAT(KCF_KEY_PKCS8) |
			      KCF_ROW_FORMAT(KCF_KEY_SPKI));

	if (row->classes & KCF_CLASS_KEYGEN)
		return true;
	return formats ? formats & KCF_ROW_FORMAT(k->format) : k->format == KCF_KEY_RAW;
}

/* Classes of a mechanism row that permit an operation. */
static uint32_t classes_for(uint16_t op)
{
	static const uint32_t classes[KCF_OP_COUNT] = {
#define KCF__X(name, value, text, classes) [value] = classes,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	};

	return op < KCF_OP_COUNT ? classes[op] : 0;
}

bool sched_is_filtered(const struct request *r, const struct provider *p)
{
	const struct context *ctx = context_of(r);

	if (r->sched->stage.fused && p->hardware)
		return true;
	if (ctx && !context_may_use(ctx, p))
		return true;
	switch (r->preference) {
	case KCF_ONLY_HARDWARE:
		return !p->hardware;
	case KCF_ONLY_SOFTWARE:
		return p->hardware;
	case KCF_ONLY_PROVIDER:
		return strncmp(p->name, r->provider_filter, sizeof(p->name)) != 0;
	default:
		return false;
	}
}

static enum trace_why judge(const struct request *r, const struct offer *offer)
{
	const struct request_sched *s = r->sched;
	const struct stage *st = &s->stage;
	const struct kcf_mech_row *row = offer->desc;
	const struct key *key = st->tmpl->key;

	if (!offer->enabled)
		return WHY_DISABLED;
	if (!provider_is_usable(offer->provider))
		return WHY_STATE;
	if (sched_is_filtered(r, offer->provider))
		return WHY_FILTER;
	if (s->tried & 1u << offer->provider->row)
		return WHY_TRIED;
	if (!(row->classes & classes_for(st->op)))
		return WHY_CLASS;
	if (st->phase != KCF_SINGLE && !(row->flags & KCF_ROW_MULTI_PART))
		return WHY_PARTS;
	if (key && !key_format_ok(row, key))
		return WHY_KEY_FORMAT;
	if (key && !key_size_ok(row, key))
		return WHY_KEY_SIZE;
	if (row->max_input && st->in && st->in->len > row->max_input)
		return WHY_INPUT;
	return WHY_CHOSEN;
}

/* Bytes the choice is made for; SIZE_MAX: unknown, as at the beginning of a context. */
static size_t size_of(const struct request *r)
{
	const struct stage *st = &r->sched->stage;
	size_t sum = 0;

	for (uint32_t i = 0; i < r->n_steps; i++)
		sum += r->steps[i].in.len;
	if (r->n_steps)
		return sum;
	return st->phase == KCF_INIT ? SIZE_MAX : st->in ? st->in->len : 0;
}

bool sched_prefers_software(const struct request *r, const struct tmpl *t, size_t len)
{
	struct mech *m = t->mech;
	struct order o;

	order_begin(&o, r->sched->core, r, m, len);
	for (unsigned i = 0; i < m->n_offers; i++)
		if (m->offers[i]->enabled && provider_is_usable(m->offers[i]->provider) &&
		    !sched_is_filtered(r, m->offers[i]->provider))
			order_add(&o, i);
	order_end(&o);
	return !o.n || !o.c[0].offer->provider->hardware;
}

/* Does one provider do both halves of a dual operation in one job? */
static bool does_both(const struct offer *cipher, const struct tmpl *mac)
{
	const struct instance *inst = &cipher->provider->inst;

	for (unsigned i = 0; inst->desc->ops->dual && i < mac->mech->n_offers; i++) {
		const struct offer *offer = mac->mech->offers[i];

		if (offer->provider == cipher->provider && offer->enabled)
			return inst->desc->ops->dual(inst->prov, cipher->row, offer->row);
	}
	return false;
}

struct offer *sched_software_alone(struct core *core, const struct quick_op *op)
{
	struct mech *m = op->tmpl->mech;
	struct request_data in = {.len = op->in.iov_len};
	struct request_sched s = {.core = core,
				  .stage = {.op = op->op, .tmpl = op->tmpl, .mech = m, .in = &in}};
	struct request r = {.op = op->op, .consumer = op->consumer, .sched = &s};
	struct order o;

	order_begin(&o, core, &r, m, op->in.iov_len);
	o.company = op->company;
	for (unsigned i = 0; i < m->n_offers; i++) {
		if (judge(&r, m->offers[i]) != WHY_CHOSEN)
			continue;
		if (m->offers[i]->provider->hardware)
			return NULL;
		if (!op->tmpl2 || does_both(m->offers[i], op->tmpl2))
			order_add(&o, i);
	}
	order_end(&o);
	return !o.n || (o.n > 1 && m->mode == MODE_ROUND_ROBIN) ? NULL : o.c[0].offer;
}

static uint32_t capped(uint64_t ns)
{
	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

/* What each candidate was judged by. */
static void walk_trace(struct walk *w)
{
	struct trace_entry *e = w->trace;

	e->mode = (uint8_t)w->o.mech->mode;
	e->probe = w->o.probe;
	e->threshold = w->o.mech->threshold;
	for (unsigned i = 0; i < w->o.n; i++) {
		const struct candidate *c = &w->o.c[i];
		struct trace_considered *t = &e->considered[c->index];

		t->place = (uint8_t)(i + 1);
		t->wait_ns = capped(c->wait_ns);
		t->cost_ns = capped(c->cost_ns);
		t->line = c->cost->line;
		t->rank = (uint8_t)c->rank;
		t->by = capped(c->place);
	}
}

static void walk_collect(struct walk *w)
{
	struct mech *m = w->r->sched->stage.mech;
	struct order *o = &w->o;

	order_begin(o, w->core, w->r, m, size_of(w->r));
	if (o->size != SIZE_MAX && !w->r->n_steps)
		o->bytes = work_bytes(w->r);
	o->extra_ns = work_extra_ns(w->r);
	for (unsigned i = 0; i < m->n_offers; i++) {
		enum trace_why why = judge(w->r, m->offers[i]);

		w->trace->considered[i] = (struct trace_considered){
			.row1 = (uint8_t)(m->offers[i]->provider->row + 1),
			.why = (uint8_t)(why == WHY_CHOSEN ? WHY_NOT_REACHED : why)};
		w->why_not[why]++;
		if (why != WHY_CHOSEN)
			continue;
		order_add(o, i);
		if (w->r->sched->stage.fused)
			order_add_more(o, sched_mac_cost_ns(w->r, m->offers[i], o->company));
	}
	w->trace->n_considered = (uint8_t)m->n_offers;
	order_end(o);
	order_decide(o);
	walk_trace(w);
}

static void walk_begin(struct walk *w, struct core *core, struct request *r)
{
	const struct stage *st = &r->sched->stage;

	w->core = core;
	w->r = r;
	w->full_row1 = 0;
	memset(w->why_not, 0, sizeof(w->why_not));
	w->trace = r->sched->own ? &core->measure.trace : trace_new(&core->trace);
	w->trace->id = r->id;
	w->trace->uid = r->consumer->uid;
	w->trace->mech = st->mech->number;
	w->trace->op = st->op;
	w->trace->phase = st->phase;
	w->trace->bytes = st->in ? st->in->len : 0;
	r->sched->trace = w->trace->number;
}

/* Of the job that comes now: the first of several was not what the candidate was judged by. */
static uint64_t walk_cost(const struct walk *w, unsigned i)
{
	const struct candidate *c = &w->o.c[i];

	return w->o.size == SIZE_MAX || w->r->n_steps ? work_cost_ns(w->core, w->r, c->offer)
						      : c->cost_ns;
}

/* Take candidate i: reference its prepared template. KCF_QUEUED: it is being made, r is parked. */
static enum kcf_status walk_choose(struct walk *w, unsigned i)
{
	struct request_sched *s = w->r->sched;
	struct offer *offer = w->o.c[i].offer;
	enum kcf_status status;

	sched_unchoose(s);
	status = tmpl_prepare(s->stage.tmpl, offer, &s->prepared);
	if (status == KCF_QUEUED) {
		sched_park(w->core, w->r, &s->stage.tmpl->parked);
		return status;
	}
	if (status == KCF_SUCCESS) {
		offer->provider->n_using++;
		if (s->stage.fused)
			status = sched_choose_mac(w->core, w->r, offer, w->o.company);
	}
	if (status == KCF_QUEUED)
		return status;
	if (status != KCF_SUCCESS) {
		sched_unchoose(s);
		w->trace->considered[w->o.c[i].index].why = WHY_TEMPLATE;
		s->tried |= 1u << offer->provider->row;
		s->fault = status;
		return status;
	}
	s->provider = offer->provider;
	s->offer = offer;
	s->cost = walk_cost(w, i);
	w->r->provider_row1 = offer->provider->row + 1;
	w->trace->considered[w->o.c[i].index].why = WHY_CHOSEN;
	w->trace->chosen = (uint8_t)(offer->provider->row + 1);
	w->trace->place = offer->provider->hardware ? STAT_HARDWARE : STAT_KCFD;
	memcpy(w->trace->provider, offer->provider->name, sizeof(w->trace->provider));
	return KCF_SUCCESS;
}

static void walk_refuse(struct walk *w, enum kcf_status status)
{
	w->trace->status = (uint8_t)status;
	sched_finish(w->core, w->r, status);
}

/* Nobody can: the real error of one that was tried, or what stood in the way. */
static enum kcf_status walk_obstacle(const struct walk *w)
{
	const struct request_sched *s = w->r->sched;
	unsigned keys = w->why_not[WHY_KEY_SIZE], formats = w->why_not[WHY_KEY_FORMAT];

	if (s->fault != KCF_SUCCESS)
		return s->fault;
	if (keys)
		return KCF_KEY_SIZE_RANGE;
	if (formats)
		return KCF_KEY_TYPE_INCONSISTENT;
	return w->why_not[WHY_INPUT] ? KCF_BUFFER_TOO_BIG : KCF_MECH_NOT_SUPPORTED;
}

enum kcf_status sched_obstacle(struct request *r)
{
	const struct mech *m = r->sched->stage.mech;
	struct walk w = {.r = r};

	for (unsigned i = 0; i < m->n_offers; i++) {
		enum trace_why why = judge(r, m->offers[i]);

		if (why == WHY_CHOSEN)
			return KCF_SUCCESS;
		w.why_not[why]++;
	}
	return m->n_offers ? walk_obstacle(&w) : KCF_SUCCESS; /* a module may come that can */
}

/* Nobody who is loaded can: perhaps a module that is not. True: r waits for it. */
static bool walk_load(struct walk *w)
{
	struct request_sched *s = w->r->sched;
	struct load *load;

	if (s->fault != KCF_SUCCESS || s->stage.mech->n_offers || s->load_tried)
		return false;
	if (load_for_mech(w->core, s->stage.mech->name, &load) != KCF_QUEUED)
		return false;
	s->load_tried = true;
	sched_park(w->core, w->r, load_parked(load));
	return true;
}

static bool has_room(struct walk *w, const struct offer *offer)
{
	struct provider *p = offer->provider;

	if (!p->hardware)
		return queue_has_room(&w->core->software, w->r->units ? w->r->units : 1);
	return provider_has_room(p, w->r->conn);
}

/* The first that serves at once. True: r is on its way, or parked. */
static bool walk_at_once(struct walk *w)
{
	for (unsigned i = 0; i < w->o.n; i++) {
		struct offer *offer = w->o.c[i].offer;
		enum kcf_status status;

		if (!sched_at_once(w->core, w->r, offer, walk_cost(w, i))) {
			w->trace->considered[w->o.c[i].index].why = WHY_BUSY;
			continue;
		}
		status = walk_choose(w, i);
		if (status == KCF_SUCCESS)
			sched_start(w->core, w->r);
		if (status == KCF_SUCCESS || status == KCF_QUEUED)
			return true;
		w->why_not[WHY_TEMPLATE]++;
	}
	return false;
}

/* The first with room. */
static bool walk_queue(struct walk *w)
{
	for (unsigned i = 0; i < w->o.n; i++) {
		struct offer *offer = w->o.c[i].offer;
		enum kcf_status status;

		if (w->r->sched->tried & 1u << offer->provider->row)
			continue;
		if (!has_room(w, offer)) {
			w->trace->considered[w->o.c[i].index].why = WHY_FULL;
			w->why_not[WHY_FULL]++;
			if (!w->full_row1 && offer->provider->hardware)
				w->full_row1 = offer->provider->row + 1;
			continue;
		}
		status = walk_choose(w, i);
		if (status == KCF_SUCCESS)
			return sched_queue(w->core, w->r);
		if (status == KCF_QUEUED)
			return true;
		w->why_not[WHY_TEMPLATE]++;
	}
	return false;
}

static void walk_busy(struct walk *w, enum kcf_busy_reason reason)
{
	w->r->busy_reason = reason;
	walk_refuse(w, KCF_BUSY);
}

void sched_route(struct core *core, struct request *r)
{
	struct walk w;

	if (core->stopping) {
		sched_finish(core, r, KCF_CANCELED);
		return;
	}
	measure_first_use(core, r->sched->stage.mech);
	walk_begin(&w, core, r);
	walk_collect(&w);
	if (!w.o.n) {
		if (!walk_load(&w))
			walk_refuse(&w, walk_obstacle(&w));
		return;
	}
	if (!(r->flags & REQUEST_ALWAYS_QUEUE) && walk_at_once(&w))
		return;
	if (w.o.n == w.why_not[WHY_TEMPLATE]) { /* all refused the key */
		walk_refuse(&w, walk_obstacle(&w));
	} else if (r->flags & REQUEST_NEVER_QUEUE) {
		walk_busy(&w, KCF_BUSY_WOULD_QUEUE);
	} else if (walk_queue(&w)) {
		return;
	} else if (w.why_not[WHY_FULL]) {
		r->provider_row1 = w.full_row1; /* whose room the client may wait for */
		walk_busy(&w, KCF_BUSY_NO_ROOM);
	} else {
		walk_refuse(&w, walk_obstacle(&w));
	}
}
