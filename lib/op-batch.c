/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-batch - many single-part operations as one synchronous call.
 *
 * What can be done in the caller's thread is done there, together; the rest goes to kcfd and is
 * waited for when all of it is on its way. Any thread.
 */
#include "client-core.h"
#include "direct-call.h"

#define TOGETHER 32u

/* What goes to kcfd together. */
struct sending {
	struct kcf_batch_op *ops[TOGETHER];
	struct op_call calls[TOGETHER];
	struct pending *pending[TOGETHER]; /* NULL: not under way */
	unsigned n;
};

/* By ring, else by socket; no room is nobody's last word. */
static void put(struct sending *s, unsigned i, struct waiter *w)
{
	s->pending[i] = op_ring_put(&s->calls[i], w);
	w->by_ring |= s->pending[i] != NULL;
	if (!s->pending[i])
		s->pending[i] = op_send_put(&s->calls[i], w, &s->ops[i]->status);
	if (!s->pending[i] && s->ops[i]->status == KCF_BUSY)
		s->ops[i]->status = KCF_QUEUED;
}

/* Lock held. */
static void wait_for(struct sending *s, unsigned i, struct waiter *w)
{
	struct pending *p = s->pending[i];

	while (p->state != PENDING_DONE) { /* whoever ends wakes w */
		w->done = false;
		client_wait(s->calls[i].client, w, 0);
	}
	if (!op_take(&s->calls[i], p, &s->ops[i]->status))
		s->ops[i]->status = KCF_QUEUED;
}

/* All are on their way before any is waited for; those without room then go alone. */
static void send_all(struct sending *s)
{
	struct kcf_client *c = s->calls[0].client;
	struct waiter w;

	if (!s->n)
		return;
	client_waiter_init(&w);
	for (unsigned i = 0; i < s->n; i++)
		put(s, i, &w);
	pthread_mutex_lock(&c->lock);
	client_ask_room(c);
	client_flush(c);
	if (w.by_ring && client_ring_is_up(&c->ring))
		client_ring_kick(c);
	for (unsigned i = 0; i < s->n; i++)
		if (s->pending[i])
			wait_for(s, i, &w);
	pthread_mutex_unlock(&c->lock);
	client_waiter_deinit(&w);
	for (unsigned i = 0; i < s->n; i++)
		if (s->ops[i]->status == KCF_QUEUED)
			s->ops[i]->status = op_send_single(&s->calls[i]);
	s->n = 0;
}

static void send(struct sending *s, struct kcf_client *c, struct kcf_batch_op *op,
		 struct kcf_call_req *req)
{
	struct op_call *call = &s->calls[s->n];

	call->company = false; /* kcfd sees for itself */
	call_of_batch(c, op, req, call);
	op->status = op_check_call(call);
	if (op->status != KCF_SUCCESS)
		return;
	s->ops[s->n++] = op;
	if (s->n == TOGETHER)
		send_all(s);
}

static enum kcf_status send_rest(struct kcf_client *c, struct kcf_batch_op *ops, size_t n,
				 struct kcf_call_req *req)
{
	struct sending sending = {.n = 0};
	enum kcf_status st = KCF_SUCCESS;

	for (size_t i = 0; i < n; i++)
		if (ops[i].status == KCF_QUEUED)
			send(&sending, c, &ops[i], req);
	send_all(&sending);
	for (size_t i = 0; i < n && st == KCF_SUCCESS; i++)
		st = ops[i].status;
	return st;
}

static enum kcf_status refuse(struct kcf_batch_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ops[i].status = KCF_ARGUMENTS_BAD;
	return KCF_ARGUMENTS_BAD;
}

enum kcf_status kcf_submit_batch(struct kcf_client *client, struct kcf_batch_op *ops, size_t n_ops,
				 struct kcf_call_req *req)
{
	if (!client || (!ops && n_ops))
		return KCF_ARGUMENTS_BAD;
	if (!op_is_sync(req) || op_check_req(req) != KCF_SUCCESS)
		return refuse(ops, n_ops);
	client_enter(client);
	op_reset_req(req);
	if (!direct_batch(client->direct, ops, n_ops, req))
		return KCF_SUCCESS;
	return send_rest(client, ops, n_ops, req);
}
