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

#define COMPANY 8u /* fewer calls are each as if alone */
#define CHUNK 32u /* calls whose jobs stay in the innermost cache */

struct item {
	struct kcf_batch_op *op;
	struct template_plan *plan;
	const struct plan_fast *fast; /* of the plan */
	struct call_io io;
	struct kcf_job job;
};

struct chunk {
	struct direct *d;
	struct kcf_call_req *req;
	bool company; /* enough of them to fill lanes */
	unsigned n;   /* items */
	struct burst burst;
	struct item items[CHUNK];
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
	return half_param_ok(p, call->mech, true) ? fast : NULL;
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
	c->n++;
	burst_add(&c->burst, ts, mac, &item->job); /* what it refuses has its status */
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
}

static inline void take(struct chunk *c, struct kcf_batch_op *op)
{
	struct op_call call;

	call.company = c->company;
	if (!call_of_batch(c->d->client, op, c->req, &call) ||
	    !collect(c, op, &call, op_shape[call.op]))
		call_alone(c, op);
}

/* ---- running ---- */

static void count_group(struct chunk *c, const struct burst_group *g, const struct count_at *at,
			uint64_t ns)
{
	struct page_sum sum = {.n = g->n, .status = KCF_SUCCESS};
	unsigned i = g->first;

	for (unsigned k = 0; k < g->n; k++, i = c->burst.next[i]) {
		const struct kcf_job *job = c->burst.jobs[i];

		sum.bytes += job->in_len;
		if (__builtin_expect(job->status != KCF_SUCCESS, 0) && !sum.errors++)
			sum.status = job->status;
	}
	count_calls(c->d, at, (enum kcf_op)c->burst.jobs[g->first]->op, &sum, ns);
}

static void run_group(struct chunk *c, unsigned group)
{
	const struct burst_group *g = &c->burst.groups[group];
	const struct item *first = item_of(c->burst.jobs[g->first]);
	uint64_t start = 0, ns = 0;
	struct count_at at;

	count_get(c->d, g->cipher, first->plan->plan, &first->plan->plan->steps[first->fast->step],
		  &at);
	if (__builtin_expect(count_is_sample(&at, g->n), 0)) {
		plan_look_again(c->d, first->plan);
		start = count_now_ns();
	}
	burst_submit(&c->burst, group);
	if (__builtin_expect(start != 0, 0))
		ns = (count_now_ns() - start) / g->n;
	count_group(c, g, &at, ns);
}

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

static inline void finish(struct chunk *c, struct item *item)
{
	struct kcf_job *job = &item->job;
	struct kcf_batch_op *op = item->op;

	op->status = job->status;
	if (__builtin_expect(op_shape[job->op] & IS_DUAL, 0)) {
		finish_dual(item);
	} else if (__builtin_expect(job->status == KCF_SUCCESS, 1)) {
		op->out.used = job->out_len;
		return;
	} else {
		run_wipe_failed(job);
		op->out.used = job->status == KCF_BUFFER_TOO_SMALL ? job->out_len : 0;
	}
	if (status_is_provider_fault(op->status))
		call_alone(c, op);
}

/* Returns how many of them did not succeed. */
static size_t run_chunk(struct chunk *c, struct kcf_batch_op *ops, size_t n)
{
	size_t bad = 0;

	c->n = 0;
	c->company = n >= COMPANY;
	burst_begin(&c->burst);
	for (size_t i = 0; i < n; i++)
		take(c, &ops[i]);
	for (unsigned g = 0; g < c->burst.n_groups; g++)
		run_group(c, g);
	burst_end(&c->burst);
	for (unsigned i = 0; i < c->n; i++)
		finish(c, &c->items[i]);
	for (size_t i = 0; i < n; i++)
		bad += ops[i].status != KCF_SUCCESS;
	return bad;
}

size_t direct_batch(struct direct *d, struct kcf_batch_op *ops, size_t n, struct kcf_call_req *req)
{
	struct chunk c; /* filled as far as it is used */
	size_t bad = 0;

	c.d = d;
	c.req = req;
	for (size_t done = 0; done < n; done += CHUNK)
		bad += run_chunk(&c, ops + done, n - done < CHUNK ? n - done : CHUNK);
	return bad;
}
