/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead: authenticated encryption jobs. alg: a struct aead_alg.
 *
 * Encryption streams: an update writes the whole blocks it has, final the rest and the tag. Where
 * data must not leave before it is known to be whole - decryption, and CCM whose total was not
 * announced - updates collect input, at most COLLECT_MAX, and final does it as one message. A tag
 * that does not match wipes the output. Thread: any.
 */
#include "aead.h"
#include "common/iov.h"

#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_MAX (1u << 20)

struct message {
	const struct aead_template *tmpl;
	bool encrypt;
	size_t tag_len;
	union aead_state state;
};

struct aead_context {
	struct object obj;
	struct message msg;
	bool collects;
	uint64_t announced, n_done; /* CCM */
	struct carry carry;
	/* collecting: the parameters until final, and the input so far */
	struct kcf_param_aead param;
	uint8_t *bytes; /* nonce, associated data, input */
	size_t n_bytes, room;
};

static void crypt_blocks(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct message *msg = arg;

	msg->tmpl->alg->crypt(msg->tmpl, &msg->state, msg->encrypt, len, dst, src);
}

static size_t tag_len_of(const struct kcf_param_aead *p)
{
	return p->tag_len ? p->tag_len : TAG_MAX;
}

static enum kcf_status check_lengths(const struct aead_alg *alg, const struct kcf_param_aead *p,
				     uint64_t total)
{
	if (!alg->fits(p, tag_len_of(p), 0))
		return KCF_MECHANISM_PARAM_INVALID;
	return alg->fits(p, tag_len_of(p), total) ? KCF_SUCCESS : KCF_DATA_LEN_RANGE;
}

static void message_start(struct message *msg, const struct aead_template *tmpl, bool encrypt,
			  const struct kcf_param_aead *p, size_t total)
{
	msg->tmpl = tmpl;
	msg->encrypt = encrypt;
	msg->tag_len = tag_len_of(p);
	tmpl->alg->start(tmpl, &msg->state, p, total, msg->tag_len);
}

static size_t write_tag(struct message *msg, struct cursor *out)
{
	uint8_t tag[TAG_MAX];

	msg->tmpl->alg->tag(msg->tmpl, &msg->state, msg->tag_len, tag);
	return cursor_write(out, tag, msg->tag_len);
}

static bool tag_matches(struct message *msg, const uint8_t *given)
{
	uint8_t tag[TAG_MAX];
	int same;

	msg->tmpl->alg->tag(msg->tmpl, &msg->state, msg->tag_len, tag);
	same = memeql_sec(tag, given, msg->tag_len);
	explicit_bzero(tag, sizeof(tag));
	return same != 0;
}

/* One whole message; in is where the job's input really is. */
static enum kcf_status seal(const struct aead_template *tmpl, const struct kcf_param_aead *p,
			    struct cursor in, size_t len, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	enum kcf_status status = check_lengths(tmpl->alg, p, len);
	struct message msg;

	if (status != KCF_SUCCESS)
		return status;
	if (!job_has_room(job, len + tag_len_of(p)))
		return KCF_BUFFER_TOO_SMALL;
	message_start(&msg, tmpl, true, p, len);
	walk(&in, &out, len, tmpl->alg->block, crypt_blocks, &msg);
	job->out_len = len + write_tag(&msg, &out);
	explicit_bzero(&msg, sizeof(msg));
	return KCF_SUCCESS;
}

static enum kcf_status open_message(const struct aead_template *tmpl,
				    const struct kcf_param_aead *p, struct cursor in, size_t len,
				    struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out), written = out, tag_at = in;
	uint8_t given[TAG_MAX];
	enum kcf_status status = check_lengths(tmpl->alg, p, 0);
	struct message msg;
	bool good;

	if (status != KCF_SUCCESS)
		return status;
	if (len < tag_len_of(p))
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	len -= tag_len_of(p);
	if (check_lengths(tmpl->alg, p, len) != KCF_SUCCESS)
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	if (!job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	message_start(&msg, tmpl, false, p, len);
	/* before writing: out may lie over in, tag and all */
	cursor_forward(&tag_at, len);
	cursor_read(&tag_at, given, msg.tag_len);
	walk(&in, &out, len, tmpl->alg->block, crypt_blocks, &msg);
	good = tag_matches(&msg, given);
	if (!good)
		cursor_wipe(&written, len);
	explicit_bzero(&msg, sizeof(msg));
	job->out_len = good ? len : 0;
	return good ? KCF_SUCCESS : KCF_INVALID_MAC;
}

static enum kcf_status single(const struct aead_template *tmpl, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in);

	if (!job->param)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->op == KCF_OP_ENCRYPT)
		return seal(tmpl, job->param, in, job->in_len, job);
	return open_message(tmpl, job->param, in, job->in_len, job);
}

/* ---- multi-part ------------------------------------------------------------------------------ */

static void context_deinit(void *obj)
{
	struct aead_context *ctx = obj;

	if (ctx->bytes)
		explicit_bzero(ctx->bytes, ctx->room);
	free(ctx->bytes);
}

/* Room for len more bytes; never by realloc, which would leave a copy behind. */
static bool collect_room(struct aead_context *ctx, size_t len)
{
	size_t room = ctx->room ? ctx->room : 256;
	uint8_t *bytes;

	if (ctx->room - ctx->n_bytes >= len && ctx->bytes)
		return true;
	while (room - ctx->n_bytes < len)
		room *= 2;
	bytes = malloc(room);
	if (!bytes)
		return false;
	if (ctx->n_bytes)
		memcpy(bytes, ctx->bytes, ctx->n_bytes);
	context_deinit(ctx);
	ctx->bytes = bytes;
	ctx->room = room;
	return true;
}

static bool collect(struct aead_context *ctx, const void *bytes, size_t len)
{
	if (!collect_room(ctx, len))
		return false;
	if (len)
		memcpy(ctx->bytes + ctx->n_bytes, bytes, len);
	ctx->n_bytes += len;
	return true;
}

static enum kcf_status init_message(struct aead_context *ctx, const struct kcf_param_aead *p,
				    const struct aead_template *tmpl, bool encrypt)
{
	ctx->msg.tmpl = tmpl;
	ctx->msg.encrypt = encrypt;
	ctx->announced = p->data_len;
	ctx->collects = !encrypt || (tmpl->alg->needs_total && p->data_len == 0);
	if (!ctx->collects) {
		message_start(&ctx->msg, tmpl, true, p, p->data_len);
		return KCF_SUCCESS;
	}
	ctx->param = *p;
	if (!collect(ctx, p->iv, p->iv_len) || !collect(ctx, p->aad, p->aad_len))
		return KCF_HOST_MEMORY;
	return KCF_SUCCESS;
}

static enum kcf_status init(const struct aead_template *tmpl, struct kcf_job *job)
{
	const struct kcf_param_aead *p = job->param;
	struct aead_context *ctx;
	enum kcf_status status;

	if (!p)
		return KCF_MECHANISM_PARAM_INVALID;
	status = check_lengths(tmpl->alg, p, p->data_len);
	if (status != KCF_SUCCESS)
		return status;
	ctx = object_new(sizeof(*ctx), context_deinit);
	if (!ctx)
		return KCF_HOST_MEMORY;
	status = init_message(ctx, p, tmpl, job->op == KCF_OP_ENCRYPT);
	if (status != KCF_SUCCESS)
		object_free(ctx);
	else
		job->ctx = ctx;
	return status;
}

static size_t collected(const struct aead_context *ctx)
{
	return ctx->n_bytes - ctx->param.iv_len - ctx->param.aad_len;
}

static enum kcf_status update_collect(struct aead_context *ctx, struct kcf_job *job)
{
	uint32_t i;

	if (job->in_len > COLLECT_MAX - collected(ctx))
		return KCF_BUFFER_TOO_BIG;
	if (!collect_room(ctx, job->in_len))
		return KCF_HOST_MEMORY;
	for (i = 0; i < job->n_in; i++)
		collect(ctx, job->in[i].iov_base, job->in[i].iov_len);
	job->out_len = 0;
	return KCF_SUCCESS;
}

static enum kcf_status update(struct aead_context *ctx, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	const struct aead_alg *alg = ctx->msg.tmpl->alg;
	size_t total = ctx->carry.len + job->in_len, len = total - total % alg->block;

	if (ctx->collects)
		return update_collect(ctx, job);
	if (alg->needs_total && job->in_len > ctx->announced - ctx->n_done)
		return KCF_DATA_LEN_RANGE;
	if (!job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	walk_carry(&ctx->carry, &in, &out, job->in_len, alg->block, crypt_blocks, &ctx->msg);
	ctx->n_done += job->in_len;
	job->out_len = len;
	return KCF_SUCCESS;
}

static enum kcf_status final_collect(struct aead_context *ctx, struct kcf_job *job)
{
	struct kcf_param_aead *p = &ctx->param;
	struct iovec iov = {ctx->bytes + p->iv_len + p->aad_len, collected(ctx)};
	struct cursor in = cursor_at(&iov, 1);

	p->iv = ctx->bytes;
	p->aad = ctx->bytes + p->iv_len;
	if (ctx->msg.encrypt)
		return seal(ctx->msg.tmpl, p, in, iov.iov_len, job);
	return open_message(ctx->msg.tmpl, p, in, iov.iov_len, job);
}

static enum kcf_status final(struct aead_context *ctx, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	struct carry *carry = &ctx->carry;

	if (ctx->collects)
		return final_collect(ctx, job);
	if (ctx->msg.tmpl->alg->needs_total && ctx->n_done != ctx->announced)
		return KCF_DATA_LEN_RANGE;
	if (!job_has_room(job, carry->len + ctx->msg.tag_len))
		return KCF_BUFFER_TOO_SMALL;
	if (carry->len > 0)
		crypt_blocks(&ctx->msg, carry->len, carry->bytes, carry->bytes);
	job->out_len = cursor_write(&out, carry->bytes, carry->len);
	job->out_len += write_tag(&ctx->msg, &out);
	return KCF_SUCCESS;
}

static enum kcf_status aead_run(const void *alg, struct kcf_job *job)
{
	switch (job->phase) {
	case KCF_SINGLE:
		return single(job->tmpl, job);
	case KCF_INIT:
		return init(job->tmpl, job);
	case KCF_UPDATE:
		return update(job->ctx, job);
	default:
		return final(job->ctx, job);
	}
}

static enum kcf_status aead_template_new(const void *alg, const struct kcf_key_data *key,
					 void **ret)
{
	struct aead_template *tmpl = object_new(sizeof(*tmpl), NULL);
	enum kcf_status status;

	if (!tmpl)
		return KCF_HOST_MEMORY;
	tmpl->alg = alg;
	status = tmpl->alg->set_key(tmpl, key);
	if (status != KCF_SUCCESS)
		object_free(tmpl);
	else
		*ret = tmpl;
	return status;
}

const struct class_ops aead_class = {aead_template_new, aead_run};
