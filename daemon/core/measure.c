/* SPDX-License-Identifier: Apache-2.0 */
#include "core/measure.h"

#include <string.h>
#include <unistd.h>
#include "core/private.h"

#define ROUNDS   8u        /* jobs of each size */
#define AT_ONCE  8u        /* jobs one after the other before the loop may sleep again */
#define LOOK_NS  20000000u /* after a moment that was not idle */
#define LOOKS    250u      /* then a moment without queues has to do */
#define GIVE_UP  1000u     /* looks */
#define VARIANTS 3u        /* of the parameter, where one is refused */
#define LONGEST  16384u
#define ROOM     (LONGEST + 64) /* for padding and tag, or a digest */

static const unsigned sizes[] = {64, 1024, 4096, LONGEST};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* What a job of kcfd's own lives in: its request's private memory. */
struct own_job {
	struct iovec in, out;
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	uint8_t iv[16];
	uint8_t from[LONGEST], to[ROOM];
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

static void drop_template(struct measure *x)
{
	if (x->tmpl)
		tmpl_unref(x->tmpl);
	x->tmpl = NULL;
}

void measure_deinit(struct core *core)
{
	wheel_disarm(&core->wheel, &core->measure.timer);
	drop_template(&core->measure);
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

/* ---- jobs ---- */

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

/* The parameter's n-th form; NULL where it has none, or needs none. */
static void *make_param(struct own_job *job, enum kcf_param_kind kind, unsigned variant)
{
	static const uint8_t iv_lens[VARIANTS] = {16, 8, 12};

	switch (kind) {
	case KCF_PARAM_IV:
		job->param.iv = (struct kcf_param_iv){job->iv, iv_lens[variant]};
		return &job->param;
	case KCF_PARAM_AEAD:
		job->param.aead = (struct kcf_param_aead){.iv = job->iv, .iv_len = 12};
		return &job->param;
	case KCF_PARAM_MAC: /* GMAC has an IV */
		job->param.mac = (struct kcf_param_mac){.iv = job->iv, .iv_len = 12};
		return variant ? &job->param : NULL;
	default:
		return NULL;
	}
}

static uint16_t op_of(const struct mech *m)
{
	return m->classes & KCF_CLASS_DIGEST ? KCF_OP_DIGEST
	       : m->classes & KCF_CLASS_MAC  ? KCF_OP_MAC
					     : KCF_OP_ENCRYPT;
}

static void on_complete(struct request *r);

static const struct request_ops own_ops = {.complete = on_complete};

static struct request *make_request(struct measure *x, const struct offer *offer, size_t len)
{
	struct request *r = request_new(sizeof(struct own_job));
	struct own_job *job;

	if (!r)
		return NULL;
	job = (struct own_job *)r->mem;
	memset(job, 0, sizeof(*job));
	job->in = (struct iovec){job->from, len};
	job->out = (struct iovec){job->to, sizeof(job->to)};
	r->ops = &own_ops;
	r->consumer = &x->consumer;
	r->op = op_of(x->mech);
	r->flags = REQUEST_NEVER_QUEUE;
	r->tmpl = tmpl_ref(x->tmpl);
	r->param = make_param(job, (enum kcf_param_kind)x->mech->param_kind, x->variant);
	r->in = (struct request_data){.iov = &job->in, .n_iov = 1, .len = len};
	r->out = (struct request_data){.iov = &job->out, .n_iov = 1, .len = job->out.iov_len};
	r->preference = KCF_ONLY_PROVIDER;
	memcpy(r->provider_filter, offer->provider->name, sizeof(r->provider_filter));
	r->units = 1;
	r->sched->own = true;
	return r;
}

/* ---- one after the other ---- */

static void next_offer(struct measure *x)
{
	x->offer++;
	x->size = x->round = x->variant = 0;
	drop_template(x);
}

static void next_job(struct measure *x)
{
	if (++x->size < N_SIZES)
		return;
	x->size = 0;
	if (++x->round == ROUNDS)
		next_offer(x);
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

static void go_on(struct core *core, struct measure *x);

static void on_complete(struct request *r)
{
	struct core *core = r->sched->core;
	struct measure *x = &core->measure;
	enum kcf_status status = r->status;

	x->r = NULL;
	request_free(r);
	if (status == KCF_BUSY) {
		look_later(core, x);
		return;
	}
	if (status == KCF_SUCCESS) {
		next_job(x);
	} else if (status == KCF_MECHANISM_PARAM_INVALID && x->variant + 1 < VARIANTS) {
		x->variant++;
	} else {
		x->failed = true;
		next_offer(x);
	}
	if (++x->jobs % AT_ONCE)
		go_on(core, x);
	else
		look_at(core, 0);
}

static bool takes(const struct kcf_mech_row *row, size_t len)
{
	return (!row->max_input || len <= row->max_input) &&
	       (row->block_len < 2 || len % row->block_len == 0);
}

static void begin_job(struct core *core, struct measure *x, const struct offer *offer)
{
	size_t len = sizes[x->size];

	if (!takes(offer->desc, len)) {
		next_job(x);
		look_at(core, 0);
		return;
	}
	if (!x->tmpl && !make_template(core, x, offer)) {
		x->failed = true;
		next_offer(x);
		look_at(core, 0);
		return;
	}
	x->r = make_request(x, offer, len);
	if (x->r)
		sched_submit(core, x->r);
	else
		look_later(core, x);
}

/* ---- moments ---- */

static bool is_idle(struct core *core, const struct provider *p)
{
	struct measure *x = &core->measure;
	bool quiet = core->completed == x->completed;

	x->completed = core->completed;
	if (p->hardware && (p->queue.depth || !provider_free_slots(p)))
		return false;
	if (x->looks >= LOOKS)
		return !core->software.depth;
	return quiet && list_empty(&core->live) && !core->workers.outstanding && !p->n_flying;
}

static bool begin_mech(struct core *core, struct measure *x)
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
	x->mech = NULL;
	look_at(core, 0);
}

/* The next who can be measured; NULL: none. */
static const struct offer *present_offer(struct measure *x)
{
	const struct mech *m = x->mech;

	if (m->measure != MEASURE_DUE)
		return NULL;
	while (x->offer < m->n_offers && !is_measured(m->offers[x->offer]))
		next_offer(x);
	return x->offer < m->n_offers ? m->offers[x->offer] : NULL;
}

static void go_on(struct core *core, struct measure *x)
{
	const struct offer *offer;

	if (core->stopping || x->r)
		return;
	if (!x->mech && !begin_mech(core, x))
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
