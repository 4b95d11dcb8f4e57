/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead: jobs of authenticated encryption without lanes. alg: a struct aead_alg.
 *
 * A message in one piece is one call of the library. A scattered one, and a context that encrypts,
 * go part by part. A context that decrypts collects its input, at most COLLECT_MAX, and final does
 * it as one message, so that nothing leaves before the tag was right. A tag that does not match
 * wipes the output. Thread: any.
 */
#include "aead.h"
#include "common/iov.h"

#include <stdlib.h>
#include <string.h>

#define COLLECT_MAX (1u << 20)

static size_t tag_len_of(const struct kcf_param_aead *p)
{
	return p->tag_len ? p->tag_len : AEAD_TAG_MAX;
}

static bool params_ok(const struct aead_alg *alg, const struct kcf_param_aead *p)
{
	return p && p->iv && (p->aad || p->aad_len == 0) && alg->params_fit(p, tag_len_of(p));
}

/* ---- whole messages ------------------------------------------------------------------------- */

struct message {
	const struct aead_alg *alg;
	const void *tmpl;
	bool encrypt;
	union aead_state state;
};

static void crypt_part(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct message *m = arg;

	m->alg->crypt(m->tmpl, &m->state, m->encrypt, len, dst, src);
}

/* Where the tag is if the first piece has all data, and the tag follows there or is the second;
 * else NULL. */
static inline uint8_t *flat_tag(const struct iovec *iov, uint32_t n_iov, size_t len, size_t tag_len)
{
	if (likely(n_iov > 0 && iov->iov_len >= len + tag_len))
		return (uint8_t *)iov->iov_base + len;
	if (n_iov == 2 && iov->iov_len == len && iov[1].iov_len >= tag_len)
		return iov[1].iov_base;
	return NULL;
}

static void run_scattered(const struct aead_alg *alg, const struct kcf_job *job, bool encrypt,
			  struct cursor *in, struct cursor *out, size_t len, uint8_t *tag)
{
	struct message m = {.alg = alg, .tmpl = job->tmpl, .encrypt = encrypt};

	alg->start(m.tmpl, &m.state, job->param);
	walk(in, out, len, 1, crypt_part, &m);
	alg->finish(m.tmpl, &m.state, encrypt, tag);
	wipe_small(&m.state, sizeof(m.state));
}

static void seal_scattered(const struct aead_alg *alg, struct kcf_job *job, size_t tag_len)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	uint8_t tag[AEAD_TAG_MAX];

	run_scattered(alg, job, true, &in, &out, job->in_len, tag);
	cursor_write(&out, tag, tag_len);
}

static enum kcf_status seal(const struct aead_alg *alg, struct kcf_job *job)
{
	const struct kcf_param_aead *p = job->param;
	size_t len = job->in_len, tag_len;
	uint8_t *tag;

	if (unlikely(!params_ok(alg, p)))
		return KCF_MECHANISM_PARAM_INVALID;
	if (unlikely(len > alg->total_max))
		return KCF_DATA_LEN_RANGE;
	tag_len = tag_len_of(p);
	if (unlikely(!job_has_room(job, len + tag_len)))
		return KCF_BUFFER_TOO_SMALL;
	job->out_len = len + tag_len;
	tag = flat_tag(job->out, job->n_out, len, tag_len);
	if (likely(tag && tag_len == AEAD_TAG_MAX && job->n_in > 0 && job->in->iov_len == len))
		alg->whole(job->tmpl, true, p, len, job->out->iov_base, job->in->iov_base, tag);
	else
		seal_scattered(alg, job, tag_len);
	return KCF_SUCCESS;
}

/* The first tag_len bytes. */
static inline bool tag_matches(const uint8_t *tag, const uint8_t *given, size_t tag_len)
{
	uint64_t a[2], b[2];

	if (unlikely(tag_len != AEAD_TAG_MAX))
		return equal_sec(tag, given, tag_len);
	memcpy(a, tag, sizeof(a));
	memcpy(b, given, sizeof(b));
	return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}

/* Decrypts; is the tag right? */
static bool open_scattered(const struct aead_alg *alg, struct kcf_job *job, size_t len,
			   size_t tag_len)
{
	struct cursor in = cursor_at(job->in, job->n_in), tag_at = in;
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t tag[AEAD_TAG_MAX], given[AEAD_TAG_MAX];

	/* before writing: out may lie over in, tag and all */
	cursor_forward(&tag_at, len);
	cursor_read(&tag_at, given, tag_len);
	run_scattered(alg, job, false, &in, &out, len, tag);
	return tag_matches(tag, given, tag_len);
}

static inline bool open_flat(const struct aead_alg *alg, struct kcf_job *job, size_t len,
			     const uint8_t *given, size_t tag_len)
{
	uint8_t tag[AEAD_TAG_MAX];

	alg->whole(job->tmpl, false, job->param, len, job->out->iov_base, job->in->iov_base, tag);
	return tag_matches(tag, given, tag_len);
}

static enum kcf_status open_message(const struct aead_alg *alg, struct kcf_job *job)
{
	const struct kcf_param_aead *p = job->param;
	struct cursor out = cursor_at(job->out, job->n_out);
	const uint8_t *given;
	size_t tag_len, len;
	bool ok;

	if (unlikely(!params_ok(alg, p)))
		return KCF_MECHANISM_PARAM_INVALID;
	tag_len = tag_len_of(p);
	if (unlikely(job->in_len < tag_len || job->in_len - tag_len > alg->total_max))
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	len = job->in_len - tag_len;
	if (unlikely(!job_has_room(job, len)))
		return KCF_BUFFER_TOO_SMALL;
	given = flat_tag(job->in, job->n_in, len, tag_len);
	if (likely(given && job->n_out > 0 && job->out->iov_len >= len))
		ok = open_flat(alg, job, len, given, tag_len);
	else
		ok = open_scattered(alg, job, len, tag_len);
	if (unlikely(!ok)) {
		cursor_wipe(&out, len);
		return KCF_INVALID_MAC;
	}
	job->out_len = len;
	return KCF_SUCCESS;
}

static void aead_run(struct mb *mb, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i]->op == KCF_OP_ENCRYPT)
			jobs[i]->status = seal(alg, jobs[i]);
		else
			jobs[i]->status = open_message(alg, jobs[i]);
	}
}

/* ---- contexts -------------------------------------------------------------------------------- */

struct aead_context {
	struct object obj;
	struct message msg;
	size_t tag_len;
	uint64_t n_done;
	/* collecting: the parameters until final, and the input so far */
	struct kcf_param_aead param;
	uint8_t *bytes; /* nonce, associated data, input */
	size_t n_bytes, room;
};

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

	if (ctx->bytes && ctx->room - ctx->n_bytes >= len)
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

static enum kcf_status init(const struct aead_alg *alg, struct kcf_job *job)
{
	const struct kcf_param_aead *p = job->param;
	struct aead_context *ctx;

	if (!params_ok(alg, p))
		return KCF_MECHANISM_PARAM_INVALID;
	ctx = object_new(sizeof(*ctx), context_deinit);
	if (!ctx)
		return KCF_HOST_MEMORY;
	ctx->msg.alg = alg;
	ctx->msg.tmpl = job->tmpl;
	ctx->msg.encrypt = job->op == KCF_OP_ENCRYPT;
	ctx->tag_len = tag_len_of(p);
	ctx->param = *p;
	if (ctx->msg.encrypt) {
		alg->start(job->tmpl, &ctx->msg.state, p);
	} else if (!collect(ctx, p->iv, p->iv_len) || !collect(ctx, p->aad, p->aad_len)) {
		object_free(ctx);
		return KCF_HOST_MEMORY;
	}
	job->ctx = ctx;
	return KCF_SUCCESS;
}

static enum kcf_status update_collect(struct aead_context *ctx, struct kcf_job *job)
{
	size_t collected = ctx->n_bytes - ctx->param.iv_len - ctx->param.aad_len;
	struct cursor in = cursor_at(job->in, job->n_in);

	if (job->in_len > COLLECT_MAX + ctx->tag_len - collected)
		return KCF_BUFFER_TOO_BIG;
	if (!collect_room(ctx, job->in_len))
		return KCF_HOST_MEMORY;
	ctx->n_bytes += cursor_read(&in, ctx->bytes + ctx->n_bytes, job->in_len);
	return KCF_SUCCESS;
}

static enum kcf_status update(struct aead_context *ctx, struct kcf_job *job, struct cursor *out)
{
	struct cursor in = cursor_at(job->in, job->n_in);

	if (!ctx->msg.encrypt)
		return update_collect(ctx, job);
	if (job->in_len > ctx->msg.alg->total_max - ctx->n_done)
		return KCF_DATA_LEN_RANGE;
	if (!job_has_room(job, job->in_len))
		return KCF_BUFFER_TOO_SMALL;
	walk(&in, out, job->in_len, 1, crypt_part, &ctx->msg);
	ctx->n_done += job->in_len;
	job->out_len = job->in_len;
	return KCF_SUCCESS;
}

/* The collected input, with the job's own if any, as one message. */
static enum kcf_status final_collect(struct aead_context *ctx, struct kcf_job *job)
{
	struct kcf_param_aead *p = &ctx->param;
	struct kcf_job whole = *job;
	struct iovec iov;
	enum kcf_status status;
	size_t before = ctx->n_bytes;

	status = update_collect(ctx, job);
	if (status != KCF_SUCCESS)
		return status;
	p->iv = ctx->bytes;
	p->aad = ctx->bytes + p->iv_len;
	iov.iov_base = ctx->bytes + p->iv_len + p->aad_len;
	iov.iov_len = ctx->n_bytes - p->iv_len - p->aad_len;
	whole.tmpl = (void *)ctx->msg.tmpl;
	whole.param = p;
	whole.in = &iov;
	whole.n_in = 1;
	whole.in_len = iov.iov_len;
	status = open_message(ctx->msg.alg, &whole);
	job->out_len = whole.out_len;
	if (status == KCF_BUFFER_TOO_SMALL)
		ctx->n_bytes = before;
	return status;
}

static enum kcf_status final(struct aead_context *ctx, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t tag[AEAD_TAG_MAX];
	enum kcf_status status;

	if (!ctx->msg.encrypt)
		return final_collect(ctx, job);
	if (!job_has_room(job, job->in_len + ctx->tag_len))
		return KCF_BUFFER_TOO_SMALL;
	status = update(ctx, job, &out);
	if (status != KCF_SUCCESS)
		return status;
	ctx->msg.alg->finish(ctx->msg.tmpl, &ctx->msg.state, true, tag);
	job->out_len += cursor_write(&out, tag, ctx->tag_len);
	return KCF_SUCCESS;
}

static enum kcf_status aead_step(struct mb *mb, const void *alg, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);

	switch (job->phase) {
	case KCF_INIT:
		return init(alg, job);
	case KCF_UPDATE:
		return update(job->ctx, job, &out);
	default:
		return final(job->ctx, job);
	}
}

static enum kcf_status aead_template_new(struct mb *mb, const void *alg,
					 const struct kcf_key_data *key, void **ret)
{
	const struct aead_alg *a = alg;

	return a->template_new(mb, key, ret);
}

const struct class_ops aead_class = {aead_template_new, aead_run, aead_step};
