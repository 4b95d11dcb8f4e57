/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher-context: ECB, CBC and CTR in several parts, each part a stream that goes on from the last
 * block.
 *
 * ECB and CBC keep the bytes of an unfinished block; CTR keeps the rest of its key stream
 * block instead, so that it never holds data back. Lanes are taken for an update, not for the
 * context. Thread: one per context.
 */
#include "cipher.h"
#include "common/iov.h"

#include <string.h>

struct cipher_context {
	struct object obj;
	struct stream stream;
	bool is_ctr, encrypts;
	uint8_t key_stream[BLOCK];
	size_t n_key_stream; /* unused bytes at the end of key_stream */
	struct carry carry;
};

static enum kcf_status init(enum cipher_mode mode, struct kcf_job *job)
{
	const struct kcf_param_iv *p = job->param;
	struct cipher_context *ctx;

	if (mode != MODE_ECB && (!p || !p->iv || p->iv_len != BLOCK))
		return KCF_MECHANISM_PARAM_INVALID;
	ctx = object_new(sizeof(*ctx), NULL);
	if (!ctx)
		return KCF_HOST_MEMORY;
	ctx->is_ctr = mode == MODE_CTR;
	ctx->encrypts = job->op == KCF_OP_ENCRYPT;
	ctx->stream.tmpl = job->tmpl;
	ctx->stream.mode = LANE_CTR;
	if (mode == MODE_ECB)
		ctx->stream.mode = ctx->encrypts ? LANE_ECB_ENC : LANE_ECB_DEC;
	else if (mode == MODE_CBC)
		ctx->stream.mode = ctx->encrypts ? LANE_CBC_ENC : LANE_CBC_DEC;
	if (mode != MODE_ECB)
		memcpy(ctx->stream.iv, p->iv, BLOCK);
	job->ctx = ctx;
	return KCF_SUCCESS;
}

static void use_key_stream(struct cipher_context *ctx, size_t len, uint8_t *dst, const uint8_t *src)
{
	const uint8_t *ks = ctx->key_stream + BLOCK - ctx->n_key_stream;

	for (size_t i = 0; i < len; i++)
		dst[i] = src[i] ^ ks[i];
	ctx->n_key_stream -= len;
}

static void crypt_ctr(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct cipher_context *ctx = arg;
	size_t head = len < ctx->n_key_stream ? len : ctx->n_key_stream;
	size_t whole = (len - head) / BLOCK * BLOCK, rest = len - head - whole;

	use_key_stream(ctx, head, dst, src);
	stream_crypt(&ctx->stream, whole, dst + head, src + head);
	if (rest == 0)
		return;
	memset(ctx->key_stream, 0, BLOCK);
	stream_crypt(&ctx->stream, BLOCK, ctx->key_stream, ctx->key_stream);
	ctx->n_key_stream = BLOCK;
	use_key_stream(ctx, rest, dst + head + whole, src + head + whole);
}

static enum kcf_status update(struct mb *mb, struct cipher_context *ctx, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	size_t len = job->in_len;

	if (!ctx->is_ctr)
		len = (ctx->carry.len + len) / BLOCK * BLOCK;
	if (!job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	ctx->stream.l = lanes_take(mb);
	if (!ctx->stream.l)
		return KCF_HOST_MEMORY;
	if (ctx->is_ctr)
		walk(&in, &out, len, 1, crypt_ctr, ctx);
	else
		walk_carry(&ctx->carry, &in, &out, job->in_len, BLOCK, stream_crypt, &ctx->stream);
	lanes_give(mb, ctx->stream.l);
	job->out_len = len;
	return ctx->stream.failed ? KCF_FAILED : KCF_SUCCESS;
}

static enum kcf_status final(struct mb *mb, struct cipher_context *ctx, struct kcf_job *job)
{
	if ((ctx->carry.len + job->in_len) % BLOCK && !ctx->is_ctr)
		return ctx->encrypts ? KCF_DATA_LEN_RANGE : KCF_ENCRYPTED_DATA_LEN_RANGE;
	return job->in_len > 0 ? update(mb, ctx, job) : KCF_SUCCESS;
}

enum kcf_status cipher_step(struct mb *mb, const void *alg, struct kcf_job *job)
{
	switch (job->phase) {
	case KCF_INIT:
		return init(((const struct cipher_alg *)alg)->mode, job);
	case KCF_UPDATE:
		return update(mb, job->ctx, job);
	default:
		return final(mb, job->ctx, job);
	}
}
