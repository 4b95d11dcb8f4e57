/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-batch - many calls at once on the calling thread, those of a kind side by side.
 *
 * Calls whose template's plan leaves nothing to decide are collected, a chunk at a time, and run as
 * a burst: one submit and one count per provider, mechanism and key size. All others go the way of
 * a single call, at once; so does what its provider would hand on to the next one. Nothing is
 * allocated. Any thread.
 */
#include "direct-call.h"
#include "module/burst.h"

#define COMPANY 8u  /* fewer calls are each as if alone */
#define CHUNK   32u /* calls whose jobs stay in the innermost cache */

struct item {
	struct kcf_batch_op *op;
	struct template_plan *plan;
	const struct plan_fast *fast; /* of the plan */
	struct tstate *ts, *mac;      /* ts NULL: those of the item before */
	struct call_io io;
	struct kcf_job job;
};

/* What the call before went by. One of the same operation and mechanism goes by the same plan; with
 * the same template, in the same way. */
struct like {
	const struct item *item; /* NULL: there is none */
	const struct kcf_template *tmpl;
	const struct direct_plan *plan;
	enum kcf_op op;
	kcf_mech_t mech;
	uint16_t step;
	uint8_t shape;
	uint64_t max_input;
};

struct chunk {
	struct direct *d;
	struct kcf_call_req *req;
	bool company; /* enough of them to fill lanes */
	unsigned n;   /* items */
	size_t n_bad; /* calls that did not succeed */
	struct like like;
	struct burst burst;
	struct item items[CHUNK];
	struct kcf_batch_op *again[CHUNK]; /* the next provider may do them */
	unsigned n_again;
};

static inline struct item *item_of(struct kcf_job *job)
{
	return (struct item *)((char *)job - offsetof(struct item, job));
}

/* ---- collecting ---- */

/* Does the call's plan say where it ends without a walk? NULL: it does not. */
static inline const struct plan_fast *plain(struct direct *d, const struct op_call *call,
					    const struct call_io *io, struct template_plan **ret)
{
	struct kcf_template *t = call_template(d, call);
	struct template_plan *own = t ? __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE) : NULL;
	const struct plan_fast *fast = own ? plan_fast(own, io->in.len, call->company) : NULL;
	const struct direct_plan *p = fast ? own->plan : NULL;

	*ret = own;
	if (!p || !plan_is_current(d, p) || !call_is_plain(&p->steps[fast->step], call, io))
		return NULL;
	return call_param_ok(p->kind, call->mech) ? fast : NULL;
}

static struct tstate *collect_mac(struct chunk *c, const struct op_call *call, struct item *item,
				  const struct prepared *cipher)
{
	const struct op_call half = {
		.op = call->op == KCF_OP_ENCRYPT_MAC ? KCF_OP_MAC : KCF_OP_MAC_VERIFY,
		.mech = call->mech2,
		.key = call->key2,
		.req = call->req,
		.company = call->company,
	};
	const struct plan_fast *mac;
	struct template_plan *plan;
	enum kcf_status status;
	struct dual_job dual;

	if (!dual_data(call, &item->io))
		return NULL;
	mac = plain(c->d, &half, &item->io, &plan);
	if (!mac || !dual_is_native(cipher, mac->prep))
		return NULL;
	dual_fill(call, &item->io, &dual);
	dual_to_job(&dual, &item->job);
	return prepared_thread(mac->prep, &status);
}

static inline void remember(struct chunk *c, const struct op_call *call, const struct item *item,
			    uint8_t shape)
{
	const struct direct_plan *p = item->plan->plan;

	if (!call->key || call->key->kind != KCF_KEY_TEMPLATE)
		return;
	c->like = (struct like){
		.item = item,
		.tmpl = call->key->tmpl,
		.plan = p,
		.op = call->op,
		.mech = call->mech->number,
		.step = item->fast->step,
		.shape = shape,
		.max_input = p->steps[item->fast->step].max_input,
	};
}

/* Into the burst. False: not so simple. */
static inline bool collect(struct chunk *c, struct kcf_batch_op *op, const struct op_call *call,
			   uint8_t shape)
{
	struct item *item = &c->items[c->n];
	struct tstate *ts, *mac = NULL;
	enum kcf_status status;

	if (!half_key_ok(call->key, shape) || !call_data(call, shape, &item->io))
		return false;
	item->fast = plain(c->d, call, &item->io, &item->plan);
	ts = item->fast ? prepared_thread(item->fast->prep, &status) : NULL;
	if (!ts)
		return false;
	if (__builtin_expect(shape & IS_DUAL, 0)) {
		mac = collect_mac(c, call, item, item->fast->prep);
		if (!mac)
			return false;
	} else {
		call_job(call, &item->io, &item->job);
	}
	item->op = op;
	item->ts = ts;
	item->mac = mac;
	tstate_touch(ts);
	if (!mac)
		remember(c, call, item, shape);
	c->n++;
	return true;
}

/* Is it of the same operation, mechanism and client, with a template? */
static inline bool is_like(const struct chunk *c, const struct kcf_how *how)
{
	const struct like *l = &c->like;

	return l->item && how->op == l->op && how->mech && how->mech->number == l->mech &&
	       how->key && how->key->kind == KCF_KEY_TEMPLATE && how->key->tmpl &&
	       (how->key->tmpl == l->tmpl ||
		(how->key->tmpl->direct == c->d && how->key->tmpl->mech == l->mech));
}

/* Where another template's calls go by the same plan; false: elsewhere. */
static inline bool find_like(struct chunk *c, struct kcf_template *t, struct item *item)
{
	struct template_plan *own = __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE);
	enum kcf_status status;

	if (!own || own->plan != c->like.plan)
		return false;
	item->fast = plan_fast(own, item->io.in.len, c->company);
	if (!item->fast || item->fast->step != c->like.step)
		return false;
	item->plan = own;
	item->mac = NULL;
	item->ts = prepared_thread(item->fast->prep, &status);
	if (!item->ts)
		return false;
	tstate_touch(item->ts);
	return true;
}

static inline bool same_length(const struct plan_fast *fast, size_t len)
{
	uint64_t range = __atomic_load_n(&fast->range, __ATOMIC_RELAXED);

	return len >= (uint32_t)range && len <= range >> 32;
}

/* As collect(), for one like the one before. */
static inline bool collect_like(struct chunk *c, struct kcf_batch_op *op)
{
	struct like *l = &c->like;
	struct item *item = &c->items[c->n];
	struct kcf_template *t = op->how.key->tmpl;
	const struct op_call call = {
		.op = op->how.op,
		.mech = op->how.mech,
		.in = &op->in,
		.out = l->shape & HAS_OUT ? &op->out : NULL,
		.check = l->shape & HAS_CHECK ? &op->mac : NULL,
	};

	if (!call_data(&call, l->shape, &item->io) || item->io.in.len > l->max_input ||
	    !call_param_ok(l->plan->kind, call.mech))
		return false;
	if (t == l->tmpl && same_length(l->item->fast, item->io.in.len)) {
		item->plan = l->item->plan;
		item->fast = l->item->fast;
		item->ts = NULL;
	} else if (!find_like(c, t, item)) {
		return false;
	}
	item->op = op;
	call_job(&call, &item->io, &item->job);
	l->item = item;
	l->tmpl = t;
	c->n++;
	return true;
}

static void call_alone(struct chunk *c, struct kcf_batch_op *op)
{
	struct op_call call;

	op->status = KCF_ARGUMENTS_BAD;
	call.company = c->company;
	if (call_of_batch(c->d->client, op, c->req, &call) &&
	    direct_call(c->d, &call, &op->status) == DIRECT_SEND)
		op->status = KCF_QUEUED;
	c->n_bad += op->status != KCF_SUCCESS;
}

static inline void take(struct chunk *c, struct kcf_batch_op *op)
{
	struct op_call call;

	if (is_like(c, &op->how) && collect_like(c, op))
		return;
	c->like.item = NULL;
	call.company = c->company;
	if (!call_of_batch(c->d->client, op, c->req, &call) ||
	    !collect(c, op, &call, op_shape[call.op]))
		call_alone(c, op);
}

/* ---- running ---- */

static void finish_dual(struct item *item)
{
	struct kcf_batch_op *op = item->op;
	struct dual_job dual = {
		.op = item->job.op,
		.out = item->io.out.iov,
		.n_out = item->io.out.n,
		.out_room = item->io.out.len,
	};

	dual_from_job(&dual, &item->job);
	dual_result(&dual, &op->out, dual.op == KCF_OP_ENCRYPT_MAC ? &op->mac : NULL);
}

static __attribute__((noinline, cold)) void finish_bad(struct chunk *c, struct item *item)
{
	struct kcf_job *job = &item->job;
	struct kcf_batch_op *op = item->op;

	if (op_shape[job->op] & IS_DUAL) {
		finish_dual(item);
	} else {
		run_wipe_failed(job);
		op->out.used = job->status == KCF_BUFFER_TOO_SMALL ? job->out_len : 0;
	}
	if (status_is_provider_fault(op->status))
		c->again[c->n_again++] = op; /* its state is the burst's yet */
	else
		c->n_bad++;
}

static inline void finish(struct chunk *c, struct item *item)
{
	item->op->status = item->job.status;
	if (__builtin_expect(item->job.status != KCF_SUCCESS, 0))
		finish_bad(c, item);
	else if (__builtin_expect(op_shape[item->job.op] & IS_DUAL, 0))
		finish_dual(item);
	else
		item->op->out.used = item->job.out_len;
}

/* The calls of one submit: results, and what is counted of them. */
static struct page_sum finish_group(struct chunk *c, const struct burst_group *g)
{
	struct page_sum sum = {.n = g->n, .status = KCF_SUCCESS};
	unsigned i = g->first;

	for (unsigned k = 0; k < g->n; k++, i = c->burst.next[i]) {
		struct item *item = item_of(c->burst.jobs[i]);

		finish(c, item);
		sum.bytes += item->job.in_len;
		if (__builtin_expect(item->job.status != KCF_SUCCESS, 0) && !sum.errors++)
			sum.status = item->job.status;
	}
	return sum;
}

static void run_group(struct chunk *c, unsigned group)
{
	const struct burst_group *g = &c->burst.groups[group];
	const struct item *first = item_of(c->burst.jobs[g->first]);
	const struct direct_plan *p = first->plan->plan;
	uint64_t start = 0, ns = 0;
	struct page_sum sum;
	struct count_at at;

	count_get(c->d, g->cipher, p, &p->steps[first->fast->step], &at);
	if (__builtin_expect(count_is_sample(&at, g->n), 0)) {
		plan_look_again(c->d, first->plan);
		start = count_now_ns();
	}
	burst_submit(&c->burst, group);
	if (__builtin_expect(start != 0, 0))
		ns = (count_now_ns() - start) / g->n;
	sum = finish_group(c, g);
	count_calls(c->d, &at, (enum kcf_op)first->job.op, &sum, ns);
}

/* After all were looked at: claiming a state waits for everything before it, so that what the looks
 * fetch from memory must be on its way. */
static void fill_burst(struct chunk *c)
{
	const struct kcf_job *last = NULL;

	for (unsigned i = 0; i < c->n; i++) {
		struct item *item = &c->items[i];

		if (!item->ts && last) {
			burst_add_like(&c->burst, last, &item->job);
		} else if (item->ts && burst_add(&c->burst, item->ts, item->mac, &item->job)) {
			last = &item->job;
		} else { /* alone it gets the same answer */
			last = NULL;
			c->again[c->n_again++] = item->op;
		}
	}
}

static void run_chunk(struct chunk *c, struct kcf_batch_op *ops, size_t n)
{
	c->n = c->n_again = 0;
	c->like.item = NULL;
	burst_begin(&c->burst);
	for (size_t i = 0; i < n; i++)
		take(c, &ops[i]);
	fill_burst(c);
	for (unsigned g = 0; g < c->burst.n_groups; g++)
		run_group(c, g);
	burst_end(&c->burst);
	for (unsigned i = 0; i < c->n_again; i++)
		call_alone(c, c->again[i]);
}

size_t direct_batch(struct direct *d, struct kcf_batch_op *ops, size_t n, struct kcf_call_req *req)
{
	struct chunk c; /* filled as far as it is used */

	c.d = d;
	c.req = req;
	c.n_bad = 0;
	for (size_t done = 0; done < n; done += CHUNK) {
		c.company = n - done >= COMPANY;
		run_chunk(&c, ops + done, n - done < CHUNK ? n - done : CHUNK);
	}
	return c.n_bad;
}
