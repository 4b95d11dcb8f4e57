/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-batch - many single-part operations as one synchronous call.
 *
 * What can be done in the caller's thread is done there, together; the rest goes to kcfd, by ring
 * all at once, too. Any thread.
 */
#include "client-core.h"
#include "direct-call.h"

/* What goes to kcfd together. */
struct sending {
	struct kcf_batch_op *ops[OP_RING_ALL];
	struct op_call calls[OP_RING_ALL];
	unsigned n;
};

/* By ring all at once; what is not for the ring, one after the other. */
static void send_all(struct sending *s)
{
	enum kcf_status status[OP_RING_ALL];
	bool done[OP_RING_ALL];

	if (!s->n)
		return;
	op_ring_all(s->calls, s->n, done, status);
	for (unsigned i = 0; i < s->n; i++)
		s->ops[i]->status = done[i] ? status[i] : op_send_single(&s->calls[i]);
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
	if (s->n == OP_RING_ALL)
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
