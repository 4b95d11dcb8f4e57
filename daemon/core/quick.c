/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operation of a template is to run with is remembered beside the template for as long as
 * nothing about providers, policy or limits has changed (core->plans). Only where software alone
 * could do it: a device in question means the whole walk. Private copies come from one piece of
 * memory, used from its beginning each time.
 */
#include "core/quick.h"

#include <stdlib.h>
#include <string.h>
#include "base/iov.h"
#include "core/job.h"
#include "core/learn.h"
#include "core/private.h"
#include "core/sched-mode.h"
#include "module/burst.h"

#define SCRATCH (512u * 1024)
#define SPARE   (160u * 1024) /* scratch that one operation may want */
#define COST_NS 1000000u /* predicted, of one run: what is beyond it takes its turn as requests */
#define USES    4096u    /* of a plan: then costs learned since are looked at */

bool quick_may(const struct core *core)
{
	return !core->stopping && !core->software.depth && list_empty(&core->turn);
}

bool quick_is_full(const struct core *core)
{
	return core->quick.used > SCRATCH - SPARE;
}

/* ---- plans ---- */

static unsigned class_of(size_t len)
{
	return len < 256 ? 0 : len < 4096 ? 1 : 2;
}

/* The template's own reference is enough: it lasts as long as plans do. */
static bool prepare(struct tmpl *t, const struct offer *offer, struct prepared **ret)
{
	if (tmpl_prepare(t, offer, ret) != KCF_SUCCESS)
		return false;
	prepared_unref(*ret);
	return true;
}

static void plan_make(struct core *core, const struct quick_op *op, struct quick_plan *plan)
{
	struct offer *offer = sched_software_alone(core, op);

	measure_first_use(core, op->tmpl->mech);
	*plan = (struct quick_plan){.op = op->op, .company = op->company};
	if (offer && offer->desc->flags & KCF_ROW_SHORT &&
	    sched_key_permits(op->tmpl, op->op, false) == KCF_SUCCESS &&
	    prepare(op->tmpl, offer, &plan->prepared))
		plan->offer = offer;
	plan->plans = core->plans;
}

static const struct quick_plan *plan_of(struct core *core, struct quick_op *op)
{
	struct quick_plan *plan = &op->tmpl->plan[op->op & 1][class_of(op->in.iov_len)];

	op->company = op->queued || op->tmpl->mech->company;
	if (plan->plans != core->plans || plan->op != op->op || plan->company != op->company ||
	    ++plan->uses > USES)
		plan_make(core, op, plan);
	return plan;
}

/* The MAC of a dual operation, by the same provider: a plan is one template's, this is the other's.
 */
static bool find_mac(struct quick_op *op, const struct offer *cipher)
{
	const struct mech *m = op->tmpl2->mech;

	if (sched_key_permits(op->tmpl2, op->op, true) != KCF_SUCCESS)
		return false;
	for (unsigned i = 0; i < m->n_offers; i++)
		if (m->offers[i]->provider == cipher->provider && m->offers[i]->enabled)
			return prepare(op->tmpl2, m->offers[i], &op->prepared_mac) &&
			       dual_is_native(op->prepared, op->prepared_mac);
	return false;
}

/* ---- taking ---- */

static bool is_dual(const struct quick_op *op)
{
	return op->tmpl2 != NULL;
}

/* Room of our own; NULL: there is no more. */
static void *scratch(struct core *core, size_t len)
{
	struct quick *q = &core->quick;
	uint8_t *at;

	len = (len + 63) & ~(size_t)63;
	if (!q->scratch)
		q->scratch = aligned_alloc(64, SCRATCH);
	if (!q->scratch || len > SCRATCH - q->used)
		return NULL;
	at = q->scratch + q->used;
	q->used += len;
	q->high = q->used > q->high ? q->used : q->high;
	return at;
}

static bool place_one(struct core *core, const struct iovec *client, bool private, bool copy,
		      struct iovec *ret)
{
	*ret = *client;
	if (!private || !client->iov_len)
		return true;
	ret->iov_base = scratch(core, client->iov_len);
	if (ret->iov_base && copy)
		memcpy(ret->iov_base, client->iov_base, client->iov_len);
	return ret->iov_base;
}

/* Decide what the job works on: the client's memory, or copies where it could change what is read
 * twice, or see what has not been checked. */
static bool place(struct core *core, struct quick_op *op)
{
	const struct kcf_mech_row *row = op->offer->desc;
	bool decrypts = op->op == KCF_OP_MAC_DECRYPT ||
			(op->op == KCF_OP_DECRYPT && row->classes & KCF_CLASS_AEAD);
	bool in = decrypts || !(row->flags & KCF_ROW_SHARED_OK), out = in || is_dual(op);

	if (!out) {
		op->work_in = op->in;
		op->work_out = op->out;
		return true;
	}
	return place_one(core, &op->in, in, true, &op->work_in) &&
	       place_one(core, &op->out, out, false, &op->work_out) &&
	       place_one(core, &op->mac, true, false, &op->work_mac);
}

/* The next decision asks a loser: that takes a walk. */
static bool is_probe(struct mech *m)
{
	if (m->mode == MODE_ADAPTIVE && m->n_offers > 1 && (m->turn + 1) % MODE_PROBE == 0)
		return true;
	m->turn++;
	return false;
}

static bool fits(const struct core *core, const struct quick_op *op, uint64_t cost)
{
	const struct kcf_mech_row *row = op->offer->desc;

	return cost <= core->limits.short_ns && core->quick.cost + cost <= COST_NS &&
	       (!row->max_input || op->in.iov_len <= row->max_input);
}

bool quick_take(struct core *core, struct quick_op *op)
{
	struct quick *q = &core->quick;
	const struct quick_plan *plan = plan_of(core, op);
	size_t used = q->used;
	uint64_t cost;

	if (!plan->offer || is_probe(plan->offer->mech))
		return false;
	op->offer = plan->offer;
	op->prepared = plan->prepared;
	op->prepared_mac = NULL;
	cost = cost_expect(&offer_cost(op->offer, op->company)->line, op->in.iov_len);
	/* as if all that is taken were charged: it is over before anybody could look */
	if (!fits(core, op, cost) || (is_dual(op) && !find_mac(op, op->offer)) ||
	    !consumer_has_room(op->consumer, CHARGE_REQUEST, q->n + 1))
		return false;
	if (!place(core, op)) {
		q->used = used;
		return false;
	}
	q->cost += cost;
	q->n++;
	return true;
}

/* ---- running ---- */

/* Member by member: the rest is the burst's to fill, or of other kinds of jobs. */
static void make_job(struct quick_op *op)
{
	const struct iovec *check = op->op == KCF_OP_ENCRYPT_MAC ? &op->work_mac : &op->check;
	struct kcf_job *job = &op->job;

	job->op = op->op;
	job->phase = KCF_SINGLE;
	job->param = op->param;
	job->param2 = op->param2;
	job->ctx = NULL;
	job->in = &op->work_in;
	job->out = &op->work_out;
	job->check = check;
	job->n_in = op->work_in.iov_len != 0;
	job->n_out = op->work_out.iov_len != 0;
	job->n_check = check->iov_len != 0;
	job->in_len = op->work_in.iov_len;
	job->out_room = op->work_out.iov_len;
	job->check_len = check->iov_len;
	job->out_len = job->mac_len = 0;
}

/* Into the burst; false: its status says why not. */
static bool add(struct burst *b, struct quick_op *op)
{
	struct tstate *ts, *mac = NULL;

	make_job(op);
	ts = prepared_thread(op->prepared, &op->job.status);
	if (ts && op->prepared_mac)
		mac = prepared_thread(op->prepared_mac, &op->job.status);
	return ts && (mac || !op->prepared_mac) && burst_add(b, ts, mac, &op->job);
}

static void copy_out(const struct iovec *from, const struct iovec *to, size_t len)
{
	if (from->iov_base != to->iov_base && len)
		memcpy(to->iov_base, from->iov_base, len);
}

static void publish(struct quick_op *op)
{
	struct kcf_job *job = &op->job;
	bool known;

	job_check_result(job);
	known = job->status == KCF_SUCCESS || job->status == KCF_BUFFER_TOO_SMALL;
	op->status = job->status;
	op->out_len = known ? job->out_len : 0;
	op->mac_len = known && op->op == KCF_OP_ENCRYPT_MAC ? job->mac_len : 0;
	op->provider_row1 = op->offer->provider->row + 1;
	op->again = sched_is_fault(job->status);
	if (job->status == KCF_SUCCESS) {
		copy_out(&op->work_out, &op->out, job->out_len);
		copy_out(&op->work_mac, &op->mac, op->mac_len);
	} else if (op->work_out.iov_base == op->out.iov_base && job_failed_late(job->status)) {
		iov_wipe(&op->out, 1, op->out.iov_len);
	}
}

/* As finished requests are counted; what is to be done again is counted there. */
static void count(struct core *core, struct quick_op *op, uint64_t took)
{
	struct consumer *c = op->consumer;
	struct stats_row *row = op->offer->stat;
	bool failed = op->status != KCF_SUCCESS;

	if (op->again)
		return;
	c->ops++;
	c->bytes += op->in.iov_len;
	c->errors += failed;
	c->service_ns += took;
	core->completed++;
	row->ops++;
	row->bytes += op->in.iov_len;
	row->errors += failed;
	row->service_ns += took;
}

/* The others that offer it, as they stand now. */
static void trace_offers(struct trace_entry *e, const struct quick_op *op)
{
	const struct mech *m = op->offer->mech;

	for (unsigned i = 0; i < m->n_offers; i++) {
		const struct cost_line *line = &offer_cost(m->offers[i], op->company)->line;
		bool chosen = m->offers[i] == op->offer;

		e->considered[i] = (struct trace_considered){
			.row1 = (uint8_t)(m->offers[i]->provider->row + 1),
			.why = chosen ? WHY_CHOSEN : WHY_NOT_REACHED,
			.place = chosen,
			.cost_ns = (uint32_t)cost_expect(line, op->in.iov_len),
			.line = *line};
	}
	e->n_considered = (uint8_t)m->n_offers;
}

/* One decision for all that went the same way. */
static void trace(struct core *core, const struct quick_op *op, unsigned n, uint64_t took)
{
	struct trace_entry *e = trace_new(&core->trace);

	e->id = op->id;
	e->requests = n;
	e->uid = op->consumer->uid;
	e->mech = op->offer->mech->number;
	e->op = op->op;
	e->phase = KCF_SINGLE;
	e->bytes = op->in.iov_len;
	e->mode = (uint8_t)op->offer->mech->mode;
	e->threshold = op->offer->mech->threshold;
	trace_offers(e, op);
	e->chosen = (uint8_t)op->provider_row1;
	e->place = STAT_KCFD;
	e->queue_hops = op->queued;
	e->service_ns = took;
	e->status = (uint8_t)op->status;
	memcpy(e->provider, op->offer->provider->name, sizeof(e->provider));
}

static struct quick_op *op_of_job(struct kcf_job *job)
{
	return container_of(job, struct quick_op, job);
}

/* Run one group, then see to its operations. */
static void run_group(struct core *core, struct burst *b, unsigned group)
{
	const struct burst_group *g = &b->groups[group];
	struct quick_op *first = op_of_job(b->jobs[g->first]);
	uint64_t begun = core_now(core), took, bytes = 0;
	bool sample = learn_wants(core);

	burst_submit(b, group);
	core->now_ns = uv_hrtime();
	took = (core->now_ns - begun) / g->n;
	for (unsigned i = g->first, n = 0; n < g->n; n++, i = b->next[i]) {
		struct quick_op *op = op_of_job(b->jobs[i]);

		publish(op);
		count(core, op, took);
		bytes += op->in.iov_len;
		sample = sample && op->status == KCF_SUCCESS;
	}
	if (sample && !is_dual(first))
		learn_jobs(first->offer, g->n, bytes, core->now_ns - begun);
	learn_company(first->offer->mech, g->n);
	stat_submit(first->offer->stat, g->n, first->offer->desc->lanes);
	stat_histogram_add(first->offer->stat->wait, 0, g->n);
	stat_histogram_add(first->offer->stat->service, took, g->n);
	trace(core, first, g->n, took);
}

void quick_run(struct core *core, struct quick_op *const *ops, unsigned n)
{
	struct burst b;

	burst_begin(&b);
	for (unsigned i = 0; i < n; i++) {
		if (add(&b, ops[i]))
			continue;
		publish(ops[i]);
		count(core, ops[i], 0);
	}
	for (unsigned g = 0; g < b.n_groups; g++)
		run_group(core, &b, g);
	burst_end(&b);
	core->quick.used = 0;
	core->quick.cost = 0;
	core->quick.n = 0;
}

unsigned quick_missing(struct quick_op *const *ops, unsigned n)
{
	unsigned lanes = ops[0]->offer->desc->lanes;

	if (lanes < 2 || n % lanes == 0 || n > QUICK_OPS - lanes)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if (ops[i]->offer != ops[0]->offer)
			return 0;
	return lanes - n % lanes;
}

void quick_rest(struct core *core)
{
	if (core->quick.high)
		explicit_bzero(core->quick.scratch, core->quick.high);
	core->quick.high = 0;
}

void quick_deinit(struct core *core)
{
	quick_rest(core);
	free(core->quick.scratch);
	core->quick.scratch = NULL;
}
