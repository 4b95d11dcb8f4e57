/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-context - multi-part operations by separate calls.
 *
 * A context is wholly in the caller's thread (direct) or wholly in kcfd (a number of the client's,
 * never used twice). Queued requests hold a reference, so that it can be freed before they
 * complete. Any thread.
 */
#include "client-core.h"

#include <stdlib.h>

struct kcf_context {
	struct kcf_context *next, *prev; /* of the client, under its lock */
	struct kcf_client *client;
	struct direct_context *direct; /* NULL: in kcfd */
	uint32_t number;
	uint64_t epoch; /* of its connection */
	uint32_t refs;  /* atomic: the user's, and one per queued request */
	uint32_t ended; /* atomic */
	enum kcf_op op;
};

void context_ref(struct kcf_context *ctx)
{
	__atomic_add_fetch(&ctx->refs, 1, __ATOMIC_RELAXED);
}

void context_unref(struct kcf_context *ctx)
{
	if (!__atomic_sub_fetch(&ctx->refs, 1, __ATOMIC_ACQ_REL))
		free(ctx);
}

uint32_t context_number(const struct kcf_context *ctx)
{
	return ctx->number;
}

bool context_enter(struct kcf_context *ctx, bool init, uint64_t epoch)
{
	if (init)
		ctx->epoch = epoch;
	return ctx->epoch == epoch;
}

void context_set_ended(struct kcf_context *ctx)
{
	__atomic_store_n(&ctx->ended, 1, __ATOMIC_RELAXED);
}

static bool has_ended(const struct kcf_context *ctx)
{
	return __atomic_load_n(&ctx->ended, __ATOMIC_RELAXED);
}

static struct kcf_context *context_new(struct kcf_client *c, enum kcf_op op)
{
	struct kcf_context *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return NULL;
	ctx->client = c;
	ctx->op = op;
	ctx->refs = 1;
	pthread_mutex_lock(&c->lock);
	ctx->number = ++c->next_context;
	if (!ctx->number)
		ctx->number = ++c->next_context;
	ctx->next = c->contexts;
	if (ctx->next)
		ctx->next->prev = ctx;
	c->contexts = ctx;
	pthread_mutex_unlock(&c->lock);
	return ctx;
}

/* Lock held. */
static void unlink_context(struct kcf_context *ctx)
{
	if (ctx->prev)
		ctx->prev->next = ctx->next;
	else
		ctx->client->contexts = ctx->next;
	if (ctx->next)
		ctx->next->prev = ctx->prev;
}

void context_free_all(struct kcf_client *client)
{
	struct kcf_context *ctx;

	while ((ctx = client->contexts) != NULL) {
		unlink_context(ctx);
		direct_context_free(ctx->direct);
		context_unref(ctx);
	}
}

void kcf_context_free(struct kcf_context *ctx)
{
	struct kcf_client *c;

	if (!ctx)
		return;
	c = ctx->client;
	client_enter(c);
	direct_context_free(ctx->direct);
	pthread_mutex_lock(&c->lock);
	unlink_context(ctx);
	if (!ctx->direct && !has_ended(ctx) && c->state == CLIENT_UP && ctx->epoch == c->epoch) {
		struct wire_msg msg = {.type = FRAME_CONTEXT_DROP, .slot = ctx->number};

		client_tx_msg(c, &msg, 0, 0);
		if (!client_in_callback(c))
			client_flush(c);
	}
	context_unref(ctx);
	pthread_mutex_unlock(&c->lock);
}

static bool op_has_contexts(enum kcf_op op)
{
	return op >= KCF_OP_DIGEST && op <= KCF_OP_MAC_DECRYPT;
}

enum kcf_status op_fill_how(const struct kcf_how *how, struct op_call *call)
{
	const struct kcf_dual *dual = how->dual;
	enum kcf_status st;

	call->op = how->op;
	if (!op_has_contexts(how->op))
		return KCF_ARGUMENTS_BAD;
	if (how->op == KCF_OP_ENCRYPT_MAC || how->op == KCF_OP_MAC_DECRYPT) {
		if (!dual || !dual->cipher || !dual->cipher_key || !dual->mac || !dual->mac_key)
			return KCF_ARGUMENTS_BAD;
		call->mech = dual->cipher;
		call->key = dual->cipher_key;
		call->mech2 = dual->mac;
		call->key2 = dual->mac_key;
	} else {
		if (!how->mech || (!how->key && how->op != KCF_OP_DIGEST))
			return KCF_ARGUMENTS_BAD;
		call->mech = how->mech;
		call->key = how->key;
	}
	st = op_check_key(call->client, call->mech, call->key);
	if (st == KCF_SUCCESS)
		st = op_check_key(call->client, call->mech2, call->key2);
	return st == KCF_SUCCESS ? op_check_req(call->req) : st;
}

void op_reset_req(struct kcf_call_req *req)
{
	if (!req)
		return;
	req->id = 0;
	req->busy_reason = KCF_BUSY_NONE;
}

enum kcf_status kcf_init(struct kcf_client *client, const struct kcf_how *how,
			 struct kcf_context **ret, struct kcf_call_req *req)
{
	struct op_call call = {.client = client, .req = req};
	struct op_more more = {.phase = KCF_INIT};
	struct kcf_context *ctx;
	enum kcf_status st;

	if (!client || !how || !ret)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	op_reset_req(req);
	st = op_fill_how(how, &call);
	if (st != KCF_SUCCESS)
		return st;
	ctx = context_new(client, how->op);
	if (!ctx)
		return KCF_HOST_MEMORY;
	if (direct_context_new(client->direct, how, req, &ctx->direct, &st) == DIRECT_SEND) {
		ctx->direct = NULL;
		more.ctx = ctx;
		st = op_send(&call, &more);
	}
	if (st == KCF_SUCCESS || st == KCF_QUEUED) {
		*ret = ctx;
	} else {
		context_set_ended(ctx);
		kcf_context_free(ctx);
	}
	return st;
}

/* In the caller's thread. */
static enum kcf_status run_here(struct kcf_context *ctx, uint32_t phase, const struct kcf_data *in,
				struct kcf_data *out, struct kcf_call_req *req)
{
	bool wait = op_is_sync(req);
	enum kcf_status st;

	if (req && (req->flags & KCF_ALWAYS_QUEUE))
		return KCF_ARGUMENTS_BAD;
	if (phase == KCF_UPDATE)
		st = direct_context_update(ctx->direct, in, out, wait);
	else
		st = direct_context_final(ctx->direct, in, out, wait);
	if (st == KCF_BUSY && req)
		req->busy_reason = KCF_BUSY_WOULD_QUEUE;
	if (phase == KCF_FINAL_PHASE && st != KCF_BUSY && st != KCF_BUFFER_TOO_SMALL &&
	    st != KCF_ARGUMENTS_BAD)
		context_set_ended(ctx);
	return st;
}

/* in: of an update; check: of a final. */
static enum kcf_status run(struct kcf_context *ctx, uint32_t phase, const struct kcf_data *in,
			   const struct kcf_data *check, struct kcf_data *out,
			   struct kcf_call_req *req)
{
	struct op_more more = {.phase = phase, .ctx = ctx};
	struct op_call call = {.in = in, .check = check, .out = out, .req = req};
	enum kcf_status st = op_check_req(req);

	if (!ctx || !op_data_ok(in) || !op_data_ok(check) || !op_data_ok(out))
		return KCF_ARGUMENTS_BAD;
	client_enter(ctx->client);
	if (st != KCF_SUCCESS)
		return st;
	op_reset_req(req);
	if (has_ended(ctx))
		return KCF_INVALID_CONTEXT;
	if (ctx->direct)
		return run_here(ctx, phase, phase == KCF_UPDATE ? in : check, out, req);
	call.client = ctx->client;
	call.op = ctx->op;
	return op_send(&call, &more);
}

enum kcf_status kcf_update(struct kcf_context *ctx, const struct kcf_data *in, struct kcf_data *out,
			   struct kcf_call_req *req)
{
	if (!in)
		return KCF_ARGUMENTS_BAD;
	return run(ctx, KCF_UPDATE, in, NULL, out, req);
}

enum kcf_status kcf_final(struct kcf_context *ctx, const struct kcf_data *check,
			  struct kcf_data *out, struct kcf_call_req *req)
{
	return run(ctx, KCF_FINAL_PHASE, NULL, check, out, req);
}
