/* SPDX-License-Identifier: Apache-2.0 */
#include "core/context.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/iov.h"
#include "core/dual.h"
#include "core/private.h"
#include "core/request-pool.h"
#include "core/steps.h"

static void set_state(struct context *c, enum context_state state)
{
	assert(state > c->state);
	c->state = state;
}

static struct context *context_alloc(struct core *core, uint16_t op, struct tmpl *t,
				     struct tmpl *t2)
{
	struct context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->core = core;
	c->op = op;
	c->tmpl = tmpl_ref(t);
	c->tmpl2 = t2 ? tmpl_ref(t2) : NULL;
	c->buffered = op_is_dual(op) || (op == KCF_OP_DECRYPT && t->mech->classes & KCF_CLASS_AEAD);
	c->end_status = KCF_INVALID_CONTEXT;
	list_init(&c->link);
	list_init(&c->waiting);
	return c;
}

enum kcf_status context_new(struct core *core, struct consumer *c, uint16_t op, struct tmpl *t,
			    struct tmpl *t2, struct context **ret)
{
	enum kcf_status status;
	struct context *ctx;

	if (op_is_dual(op) != (t2 != NULL))
		return KCF_ARGUMENTS_BAD;
	status = consumer_charge(c, CHARGE_CONTEXT, 1);
	if (status != KCF_SUCCESS)
		return status;
	ctx = context_alloc(core, op, t, t2);
	if (!ctx) {
		consumer_uncharge(c, CHARGE_CONTEXT, 1);
		return KCF_HOST_MEMORY;
	}
	ctx->consumer = c;
	*ret = ctx;
	return KCF_SUCCESS;
}

struct context *context_new_hidden(struct core *core, const struct request *r)
{
	return context_alloc(core, r->op, r->tmpl, r->tmpl2);
}

bool context_is_open(const struct context *c)
{
	return c->state != CONTEXT_ENDED && !c->closed;
}

bool context_may_use(const struct context *c, const struct provider *p)
{
	return !c->provider || c->provider == p || op_is_dual(c->op);
}

static void free_pctx(struct context *c)
{
	if (c->pctx)
		c->provider->inst.desc->ops->context_free(c->provider->inst.prov, c->pctx);
	c->pctx = NULL;
}

static void free_buf(struct context *c)
{
	if (c->buf)
		explicit_bzero(c->buf, c->buf_len);
	free(c->buf);
	c->buf = NULL;
	c->buf_len = c->buf_room = 0;
}

/* Leave the provider; nobody uses pctx or buf any more. */
static void context_leave(struct context *c)
{
	struct provider *p = c->provider;

	free_pctx(c);
	free_buf(c);
	if (c->prepared)
		prepared_unref(c->prepared);
	c->prepared = NULL;
	c->provider = NULL;
	if (c->init)
		request_unhold(c->init);
	c->init = NULL;
	if (p) {
		list_remove(&c->link);
		provider_check_drained(p);
	}
}

static void context_end(struct context *c)
{
	if (c->state != CONTEXT_ENDED)
		set_state(c, CONTEXT_ENDED);
	if (!c->flying)
		context_leave(c);
}

void context_lost(struct context *c)
{
	c->end_status = KCF_DEVICE_REMOVED;
	context_end(c);
}

static void context_check_free(struct context *c)
{
	if (!c->closed || c->first || c->flying || c->passing || !list_empty(&c->waiting))
		return;
	context_end(c);
	tmpl_unref(c->tmpl);
	if (c->tmpl2)
		tmpl_unref(c->tmpl2);
	if (c->consumer)
		consumer_uncharge(c->consumer, CHARGE_CONTEXT, 1);
	free(c);
}

void context_drop_late(const struct request *r)
{
	const struct request_sched *s = r->sched;
	const struct instance *inst = &s->provider->inst;

	if (s->stage.phase == KCF_INIT && s->job.status == KCF_SUCCESS && s->job.ctx)
		inst->desc->ops->context_free(inst->prov, s->job.ctx);
}

void context_job_back(struct context *c)
{
	c->flying = NULL;
	if (c->state == CONTEXT_ENDED)
		context_leave(c);
	context_check_free(c);
}

void context_release(struct context *c)
{
	c->closed = true;
	if (c->state != CONTEXT_ENDED)
		context_end(c);
	context_check_free(c);
}

void context_restart(struct context *c)
{
	c->flying = NULL;
	context_leave(c);
	c->state = CONTEXT_NEW;
}

/* ---- turns ---- */

/* Hand the turn on until somebody is under way. A loop, not a recursion: a broken context may have
 * many behind it. */
static void pass_turn(struct context *c)
{
	struct list *l;

	if (c->passing)
		return;
	c->passing = true;
	while (!c->first && (l = list_pop(&c->waiting))) {
		c->first = sched_of_link(l)->r;
		c->first->sched->at = AT_NOWHERE;
		context_go_on(c->first);
	}
	c->passing = false;
	context_check_free(c);
}

void context_submit(struct request *r)
{
	struct context *c = r->context;

	if ((r->phase == KCF_INIT) != (c->state == CONTEXT_NEW && !c->begun) || c->closed) {
		r->sched->outside = true;
		sched_finish(c->core, r, c->closed ? KCF_INVALID_CONTEXT : c->end_status);
		return;
	}
	c->begun = true;
	if (!c->first && list_empty(&c->waiting)) {
		c->first = r;
		context_go_on(r);
		return;
	}
	if (r->flags & REQUEST_NEVER_QUEUE) {
		r->busy_reason = KCF_BUSY_WOULD_QUEUE;
		r->sched->outside = true;
		sched_finish(c->core, r, KCF_BUSY);
		return;
	}
	r->sched->at = AT_CONTEXT;
	list_push(&c->waiting, &r->sched->item.link);
	sched_arm_deadline(c->core, r);
}

/* Does this end of a request end its context? */
static bool ends_context(const struct request *r, enum kcf_status status)
{
	if (status == KCF_BUFFER_TOO_SMALL)
		return false;
	if (r->phase == KCF_UPDATE && (status == KCF_SUCCESS || status == KCF_BUSY))
		return false;
	if (r->phase == KCF_FINAL_PHASE && status == KCF_BUSY)
		return false;
	return r->phase != KCF_INIT || status != KCF_SUCCESS;
}

void context_request_done(struct request *r, enum kcf_status status)
{
	struct context *c = r->context;

	if (ends_context(r, status))
		context_end(c);
	if (c->first == r) {
		c->first = NULL;
		pass_turn(c);
	} else {
		context_check_free(c);
	}
}

void context_close(struct context *c)
{
	struct list *l;

	c->closed = true;
	c->passing = true; /* none of those ends may free it or begin another */
	while ((l = list_pop(&c->waiting))) {
		struct request *r = sched_of_link(l)->r;

		r->sched->at = AT_NOWHERE;
		sched_finish(c->core, r, KCF_CANCELED);
	}
	if (c->first)
		sched_end_early(c->core, c->first, KCF_CANCELED);
	c->passing = false;
	if (c->state != CONTEXT_ENDED)
		context_end(c);
	context_check_free(c);
}

/* ---- what runs ---- */

static enum kcf_status buffer_add(struct context *c, const struct request_data *in)
{
	uint64_t bound = c->core->limits.aead_buffer;
	uint8_t *buf;

	if (in->len == 0)
		return KCF_SUCCESS;
	if (in->len > bound || c->buf_len > bound - in->len)
		return KCF_BUFFER_TOO_BIG;
	if (c->buf_len + in->len > c->buf_room) {
		size_t room = c->buf_room ? c->buf_room * 2 : 4096;

		while (room < c->buf_len + in->len)
			room *= 2;
		buf = malloc(room); /* not realloc: the old block is wiped */
		if (!buf)
			return KCF_HOST_MEMORY;
		if (c->buf_len) {
			memcpy(buf, c->buf, c->buf_len);
			explicit_bzero(c->buf, c->buf_len);
		}
		free(c->buf);
		c->buf = buf;
		c->buf_room = room;
	}
	iov_gather(in->iov, in->n_iov, c->buf + c->buf_len);
	c->buf_len += in->len;
	return KCF_SUCCESS;
}

static void *init_param(const struct context *c, const struct request *r)
{
	return c->init ? c->init->param : r->param;
}

static void begin(struct context *c, struct request *r)
{
	struct request_sched *s = r->sched;

	if (c->buffered && !r->n_steps) {
		request_hold(r);
		c->init = r;
	}
	if (op_is_dual(c->op)) { /* who does it is chosen when all of the data is there */
		enum kcf_status status = dual_check(r);

		if (status == KCF_SUCCESS)
			set_state(c, CONTEXT_OPEN);
		sched_part_ended(c->core, r, status);
		return;
	}
	s->stage = (struct stage){.op = c->op,
				  .phase = KCF_INIT,
				  .tmpl = c->tmpl,
				  .mech = c->tmpl->mech,
				  .param = r->param};
	sched_route(c->core, r);
}

/* All of the data as one single-part operation. */
static void finish_buffered(struct context *c, struct request *r, const struct part *part)
{
	struct request_sched *s = r->sched;

	s->data_iov = (struct iovec){c->buf, c->buf_len};
	s->data_in = (struct request_data){.iov = &s->data_iov, .n_iov = 1, .len = c->buf_len};
	if (op_is_dual(c->op)) {
		r->param = init_param(c, r);
		r->param2 = c->init ? c->init->param2 : r->param2;
		if (!dual_stage(r, &s->data_in)) {
			sched_part_ended(c->core, r, KCF_HOST_MEMORY);
			return;
		}
	} else {
		s->stage = (struct stage){.op = c->op,
					  .phase = KCF_SINGLE,
					  .tmpl = c->tmpl,
					  .mech = c->tmpl->mech,
					  .param = init_param(c, r),
					  .in = &s->data_in,
					  .out = part->out};
	}
	sched_route(c->core, r);
}

static void run_part(struct context *c, struct request *r, const struct part *part)
{
	r->sched->stage = (struct stage){.op = c->op,
					 .phase = part->phase,
					 .tmpl = c->tmpl,
					 .mech = c->tmpl->mech,
					 .in = part->in,
					 .out = part->out,
					 .check = part->check,
					 .ctx = c->pctx};
	sched_pinned(c->core, r, c->offer, c->prepared);
}

void context_go_on(struct request *r)
{
	struct context *c = context_of(r);
	struct part part = part_of(r);

	if (c->state == CONTEXT_ENDED || (part.phase != KCF_INIT && c->state != CONTEXT_OPEN))
		sched_finish(c->core, r, c->end_status);
	else if (part.phase == KCF_INIT)
		begin(c, r);
	else if (c->buffered && part.phase == KCF_UPDATE)
		sched_part_ended(c->core, r, buffer_add(c, part.in));
	else if (c->buffered)
		finish_buffered(c, r, &part);
	else
		run_part(c, r, &part);
}

void context_job_ended(struct request *r, enum kcf_status status)
{
	struct context *c = context_of(r);
	struct request_sched *s = r->sched;

	c->flying = NULL;
	if (s->stage.phase != KCF_INIT || status != KCF_SUCCESS) {
		if (c->state == CONTEXT_ENDED) /* closed or lost meanwhile */
			context_leave(c);
		return;
	}
	c->provider = s->provider;
	c->offer = s->offer;
	c->pctx = s->job.ctx;
	list_push(&s->provider->contexts, &c->link);
	if (c->state == CONTEXT_ENDED) {
		context_leave(c);
		return;
	}
	c->prepared = prepared_ref(s->prepared);
	set_state(c, CONTEXT_OPEN);
	if (c->buffered) /* it has shown that the parameters are good */
		free_pctx(c);
}
