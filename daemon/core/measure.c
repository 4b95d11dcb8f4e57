/* SPDX-License-Identifier: Apache-2.0 */
#include "core/measure.h"

#include <string.h>
#include <unistd.h>
#include "core/private.h"

#define ROUNDS  8u        /* requests of each length to a device */
#define AT_ONCE 8u        /* of them, one after the other, before the loop may sleep again */
#define LOOK_NS 20000000u /* after a moment that was not idle */
#define LOOKS   250u      /* then a moment without queues has to do */
#define GIVE_UP 1000u     /* looks */
#define ROOM    (TRIAL_LEN_MAX + 64) /* for padding and tag, or a digest */

static const unsigned sizes[] = {64, 1024, 4096, TRIAL_LEN_MAX};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* What a request of kcfd's own has in its private memory. */
struct own {
	struct iovec in, out;
	struct trial_param param;
	uint8_t from[TRIAL_LEN_MAX], to[ROOM];
};

static void on_timer(struct wheel_entry *e);

void measure_init(struct core *core)
{
	struct measure *x = &core->measure;

	list_init(&x->due);
	x->timer.fn = on_timer;
	x->consumer = (struct consumer){.core = core, .uid = geteuid(), .refs = 1, .weight = 1};
	list_init(&x->consumer.idle);
	for (unsigned i = 0; i <= TABLE_PROVIDERS; i++)
		queue_share_init(&x->consumer.shares[i], 1);
}

static void drop_samples(struct measure *x)
{
	cost_deinit(&x->alone);
	cost_deinit(&x->burst);
}

static void drop_template(struct measure *x)
{
	if (x->tmpl)
		tmpl_unref(x->tmpl);
	x->tmpl = NULL;
}

void measure_deinit(struct core *core)
{
	struct measure *x = &core->measure;

	wheel_disarm(&core->wheel, &x->timer);
	drop_template(x);
	drop_samples(x);
	trial_free(x->trial);
}

static void look_at(struct core *core, uint64_t in_ns)
{
	if (!core->stopping)
		wheel_arm(&core->wheel, &core->measure.timer, uv_hrtime() + in_ns);
}

/* ---- what is to be found out ---- */

static bool is_measured(const struct offer *offer)
{
	return offer->enabled && provider_is_usable(offer->provider);
}

/* Between two there is something to choose. */
static bool is_worth_it(const struct mech *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_offers; i++)
		n += is_measured(m->offers[i]);
	return n > 1 && mech_is_measurable(m);
}

void measure_first_use(struct core *core, struct mech *m)
{
	if (m->measure != MEASURE_NOT || !core->limits.measure || core->measure.mech == m)
		return;
	m->measure = is_worth_it(m) ? MEASURE_DUE : MEASURE_DONE;
	if (m->measure != MEASURE_DUE)
		return;
	list_push(&core->measure.due, &m->due);
	if (!core->measure.mech)
		look_at(core, LOOK_NS);
}

void measure_again(struct core *core, struct mech *m)
{
	list_remove(&m->due);
	m->measure = MEASURE_NOT; /* one under way sees that and gives up */
}

/* ---- one after the other ---- */

static void go_on(struct core *core, struct measure *x);

static void next_offer(struct measure *x)
{
	x->offer++;
	x->size = x->round = x->variant = 0;
	drop_template(x);
	drop_samples(x);
}

/* It was no good moment. */
static void look_later(struct core *core, struct measure *x)
{
	if (++x->looks % GIVE_UP == 0) {
		x->failed = true;
		next_offer(x);
	}
	look_at(core, LOOK_NS);
}

/* A job could not be done: in this form, or at all. */
static void refused(struct measure *x, enum kcf_status status)
{
	if (status == KCF_MECHANISM_PARAM_INVALID && x->variant + 1 < TRIAL_VARIANTS) {
		x->variant++;
		return;
	}
	x->failed = true;
	next_offer(x);
}

/* A length that the row takes, 256 bits if it can be. */
static size_t key_len(const struct kcf_mech_row *row)
{
	uint32_t bits = 256;

	if (bits > row->key_max_bits)
		bits = row->key_max_bits;
	if (bits < row->key_min_bits ||
	    (row->key_step_bits > 1 && (bits - row->key_min_bits) % row->key_step_bits))
		bits = row->key_min_bits;
	return bits / 8;
}

static bool make_template(struct core *core, struct measure *x, const struct offer *offer)
{
	uint8_t key[512];
	size_t len = key_len(offer->desc);
	struct kcf_key_data data = {.format = KCF_KEY_RAW, .bytes = key, .len = len};
	enum kcf_status status;

	if (len > sizeof(key) || !core_random(core, key, len))
		return false;
	status = tmpl_new(core, &x->consumer, x->mech->number, len ? &data : NULL, NULL, &x->tmpl);
	explicit_bzero(key, sizeof(key));
	return status == KCF_SUCCESS;
}

static bool takes(const struct kcf_mech_row *row, size_t len)
{
	return (!row->max_input || len <= row->max_input) &&
	       (row->block_len < 2 || len % row->block_len == 0);
}

/* ---- software ---- */

/* All lengths were tried. */
static void software_ends(struct measure *x, struct offer *offer)
{
	if (x->alone.fits) {
		cost_set_base(&offer->alone, x->alone.line);
		cost_set_base(&offer->burst, x->burst.fits ? x->burst.line : x->alone.line);
	}
	next_offer(x);
}

static void next_length(struct measure *x, struct offer *offer)
{
	if (++x->size == N_SIZES)
		software_ends(x, offer);
}

static void on_trial(struct trial *t)
{
	struct core *core = t->arg;
	struct measure *x = &core->measure;
	struct provider *p = provider_of(t->prepared);

	worker_done(&core->workers);
	x->out = false;
	for (unsigned i = 0; i < t->n_alone; i++)
		cost_sample(&x->alone, t->len, t->alone_ns[i]);
	for (unsigned i = 0; i < t->n_company; i++)
		cost_sample(&x->burst, t->len, t->company_ns[i]);
	prepared_unref(t->prepared);
	p->n_using--;
	provider_check_drained(p);
	if (x->mech->measure == MEASURE_DUE) { /* else the offers are others now */
		if (t->status == KCF_SUCCESS)
			next_length(x, x->mech->offers[x->offer]);
		else
			refused(x, t->status);
	}
	look_at(core, 0);
}

static void begin_trial(struct core *core, struct measure *x, struct offer *offer, size_t len)
{
	struct trial *t = x->trial ? x->trial : trial_new();
	enum kcf_status status = KCF_HOST_MEMORY;

	x->trial = t;
	if (t)
		status = tmpl_prepare(x->tmpl, offer, &t->prepared);
	if (status != KCF_SUCCESS) {
		refused(x, status);
		look_at(core, 0);
		return;
	}
	offer->provider->n_using++;
	if (!x->alone.memory && !x->burst.memory) {
		cost_init(&x->alone, offer->alone.row.setup_ns, offer->alone.row.ns_per_kib);
		cost_init(&x->burst, offer->burst.row.setup_ns, offer->burst.row.ns_per_kib);
	}
	t->done = on_trial;
	t->arg = core;
	t->classes = x->mech->classes;
	t->param_kind = x->mech->param_kind;
	t->variant = x->variant;
	t->lanes = offer->desc->lanes;
	t->len = len;
	x->out = true;
	trial_start(t, &core->workers);
}

/* ---- devices ---- */

static void device_ends(struct measure *x, struct offer *offer)
{
	cost_set_base(&offer->alone, offer->alone.line);
	next_offer(x);
}

static void next_request(struct measure *x, struct offer *offer)
{
	if (++x->size < N_SIZES)
		return;
	x->size = 0;
	if (++x->round == ROUNDS)
		device_ends(x, offer);
}

static void on_complete(struct request *r)
{
	struct core *core = r->sched->core;
	struct measure *x = &core->measure;
	enum kcf_status status = r->status;

	x->out = false;
	request_free(r);
	if (status == KCF_BUSY) {
		look_later(core, x);
		return;
	}
	if (x->mech->measure == MEASURE_DUE) {
		if (status == KCF_SUCCESS)
			next_request(x, x->mech->offers[x->offer]);
		else
			refused(x, status);
	}
	if (++x->jobs % AT_ONCE)
		go_on(core, x);
	else
		look_at(core, 0);
}

static const struct request_ops own_ops = {.complete = on_complete};

static struct request *make_request(struct measure *x, const struct offer *offer, size_t len)
{
	struct request *r = request_new(sizeof(struct own));
	struct own *own;

	if (!r)
		return NULL;
	own = (struct own *)r->mem;
	memset(own, 0, sizeof(*own));
	own->in = (struct iovec){own->from, len};
	own->out = (struct iovec){own->to, sizeof(own->to)};
	r->ops = &own_ops;
	r->consumer = &x->consumer;
	r->op = trial_op(x->mech->classes);
	r->flags = REQUEST_NEVER_QUEUE;
	r->tmpl = tmpl_ref(x->tmpl);
	r->param = trial_param(&own->param, x->mech->param_kind, x->variant);
	r->in = (struct request_data){.iov = &own->in, .n_iov = 1, .len = len};
	r->out = (struct request_data){.iov = &own->out, .n_iov = 1, .len = own->out.iov_len};
	r->preference = KCF_ONLY_PROVIDER;
	memcpy(r->provider_filter, offer->provider->name, sizeof(r->provider_filter));
	r->units = 1;
	r->sched->own = true;
	return r;
}

static void begin_request(struct core *core, struct measure *x, const struct offer *offer,
			  size_t len)
{
	struct request *r = make_request(x, offer, len);

	if (!r) {
		look_later(core, x);
		return;
	}
	x->out = true;
	sched_submit(core, r);
}

/* ---- moments ---- */

static bool is_idle(struct core *core, const struct provider *p)
{
	struct measure *x = &core->measure;
	bool quiet = core->completed == x->completed;

	x->completed = core->completed;
	if (p->hardware ? p->queue.depth || !provider_free_slots(p)
			: !worker_is_free(&core->workers))
		return false;
	if (x->looks >= LOOKS)
		return !core->software.depth;
	return quiet && list_empty(&core->live) && !core->workers.outstanding && !p->n_flying;
}

static bool begin_mech(struct measure *x)
{
	struct list *l = list_pop(&x->due);

	if (!l)
		return false;
	x->mech = list_entry(l, struct mech, due);
	x->offer = x->size = x->round = x->variant = x->looks = 0;
	x->failed = false;
	return true;
}

static void end_mech(struct core *core, struct measure *x)
{
	struct mech *m = x->mech;

	if (m->measure == MEASURE_DUE) { /* else it is to be done again */
		m->measure = MEASURE_DONE;
		mech_measured(core, m, !x->failed);
	}
	drop_template(x);
	drop_samples(x);
	trial_free(x->trial);
	x->trial = NULL;
	x->mech = NULL;
	look_at(core, 0);
}

/* The next that can be measured; NULL: none. */
static struct offer *present_offer(struct measure *x)
{
	const struct mech *m = x->mech;

	if (m->measure != MEASURE_DUE)
		return NULL;
	while (x->offer < m->n_offers && !is_measured(m->offers[x->offer]))
		next_offer(x);
	return x->offer < m->n_offers ? m->offers[x->offer] : NULL;
}

static void begin_job(struct core *core, struct measure *x, struct offer *offer)
{
	bool hardware = offer->provider->hardware;
	size_t len = sizes[x->size];

	if (!takes(offer->desc, len)) {
		if (hardware)
			next_request(x, offer);
		else
			next_length(x, offer);
		look_at(core, 0);
	} else if (!x->tmpl && !make_template(core, x, offer)) {
		refused(x, KCF_HOST_MEMORY);
		look_at(core, 0);
	} else if (hardware) {
		begin_request(core, x, offer, len);
	} else {
		begin_trial(core, x, offer, len);
	}
}

static void go_on(struct core *core, struct measure *x)
{
	struct offer *offer;

	if (core->stopping || x->out || (!x->mech && !begin_mech(x)))
		return;
	offer = present_offer(x);
	if (!offer)
		end_mech(core, x);
	else if (is_idle(core, offer->provider))
		begin_job(core, x, offer);
	else
		look_later(core, x);
}

static void on_timer(struct wheel_entry *e)
{
	struct measure *x = container_of(e, struct measure, timer);

	go_on(x->consumer.core, x);
}
