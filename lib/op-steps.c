/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-steps - a whole multi-part operation as one request. In the caller's thread on a context that
 * lives during the call alone, or in kcfd. Any thread.
 */
#include "client-core.h"

#define LONG_NS                                                                                    \
	200000u /* an asynchronous call does not compute longer than this in the caller's thread   \
		 */

static bool is_check_op(enum kcf_op op)
{
	return op == KCF_OP_MAC_VERIFY || op == KCF_OP_VERIFY || op == KCF_OP_MAC_DECRYPT;
}

static bool steps_ok(const struct kcf_step *steps, size_t n)
{
	size_t i;

	if (!steps || n < 2 || n > KCF_STEPS_MAX)
		return false;
	for (i = 0; i < n; i++) {
		enum kcf_step_kind kind = KCF_STEP_UPDATE;

		if (i == 0)
			kind = KCF_STEP_INIT;
		else if (i == n - 1)
			kind = KCF_STEP_FINAL;
		if (steps[i].kind != kind || !op_data_ok(&steps[i].in) ||
		    !op_data_ok(&steps[i].out))
			return false;
	}
	return true;
}

static enum kcf_status run_here(struct direct_context *ctx, enum kcf_op op, struct kcf_step *steps,
				size_t n)
{
	enum kcf_status st = KCF_SUCCESS;
	size_t i;

	steps[0].out.used = 0;
	for (i = 1; i + 1 < n && st == KCF_SUCCESS; i++) {
		steps[i].out.used = 0;
		st = direct_context_update(ctx, &steps[i].in, &steps[i].out, true);
	}
	if (st != KCF_SUCCESS)
		return st;
	steps[i].out.used = 0;
	return direct_context_final(ctx, is_check_op(op) ? &steps[i].in : NULL, &steps[i].out,
				    true);
}

/* An event loop is not to be held up. */
static bool takes_long(struct kcf_client *c, const struct op_call *call,
		       const struct kcf_step *steps, size_t n)
{
	size_t len = 0, i;

	if (op_is_sync(call->req) || !kcf_client_connected(c))
		return false;
	for (i = 0; i < n; i++)
		len += data_len(&steps[i].in);
	return direct_predict_ns(c->direct, call->mech->number, len) > LONG_NS;
}

enum kcf_status kcf_submit_steps(struct kcf_client *client, const struct kcf_how *how,
				 struct kcf_step *steps, size_t n_steps, struct kcf_call_req *req)
{
	const struct op_more more = {.phase = KCF_SINGLE, .steps = steps, .n_steps = n_steps};
	struct op_call call = {.client = client, .req = req};
	struct direct_context *ctx;
	enum kcf_status st;

	if (!client || !how || !steps_ok(steps, n_steps))
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	op_reset_req(req);
	st = op_fill_how(how, &call);
	if (st != KCF_SUCCESS)
		return st;
	if (!takes_long(client, &call, steps, n_steps) &&
	    direct_context_new(client->direct, how, req, &ctx, &st) == DIRECT_DONE) {
		if (st != KCF_SUCCESS)
			return st;
		st = run_here(ctx, how->op, steps, n_steps);
		direct_context_free(ctx);
		return st;
	}
	return op_send(&call, &more);
}
