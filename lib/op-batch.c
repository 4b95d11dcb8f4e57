/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-batch - many single-part operations as one synchronous call.
 *
 * What can be done in the caller's thread is done there, together; the rest is sent to kcfd, one
 * after the other. Any thread.
 */
#include "client-core.h"
#include "direct-call.h"

static enum kcf_status send(struct kcf_client *c, struct kcf_batch_op *op, struct kcf_call_req *req)
{
	struct op_call call;

	call.company = false; /* kcfd sees for itself */
	call_of_batch(c, op, req, &call);
	return op_send_single(&call);
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
	enum kcf_status st = KCF_SUCCESS;

	if (!client || (!ops && n_ops))
		return KCF_ARGUMENTS_BAD;
	if (!op_is_sync(req) || op_check_req(req) != KCF_SUCCESS)
		return refuse(ops, n_ops);
	client_enter(client);
	op_reset_req(req);
	if (!direct_batch(client->direct, ops, n_ops, req))
		return KCF_SUCCESS;
	for (size_t i = 0; i < n_ops; i++) {
		if (ops[i].status == KCF_QUEUED)
			ops[i].status = send(client, &ops[i], req);
		if (st == KCF_SUCCESS)
			st = ops[i].status;
	}
	return st;
}
