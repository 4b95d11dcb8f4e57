/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher: AES in ECB, CBC and CTR mode (SP 800-38A). alg: a struct cipher_alg.
 *
 * One struct stream does single-part and multi-part work: whole blocks go straight to nettle; ECB
 * and CBC carry the bytes of an unfinished block to the next update, CTR keeps the unused end of
 * its key stream block instead, so that it never holds data back. Thread: any.
 */
#include "aes-key.h"
#include "cipher.h"
#include "common/iov.h"
#include "class.h"

#include <nettle/cbc.h>
#include <nettle/ctr.h>
#include <nettle/memxor.h>
#include <string.h>

struct cipher_template {
	struct object obj;
	struct aes aes;
};

struct stream {
	const struct aes *aes;
	enum cipher_mode mode;
	bool encrypt;
	uint8_t iv[AES_BLOCK_SIZE]; /* CBC: last ciphertext block; CTR: next counter */
	uint8_t key_stream[AES_BLOCK_SIZE];
	size_t n_key_stream; /* unused bytes at the end of key_stream */
	struct carry carry;
};

struct cipher_context {
	struct object obj;
	struct stream stream;
};

static void crypt_blocks(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct stream *s = arg;
	const struct aes *aes = s->aes;

	if (s->mode == MODE_CBC && s->encrypt)
		cbc_encrypt(&aes->enc, aes->encrypt, AES_BLOCK_SIZE, s->iv, len, dst, src);
	else if (s->mode == MODE_CBC)
		cbc_decrypt(&aes->dec, aes->decrypt, AES_BLOCK_SIZE, s->iv, len, dst, src);
	else if (s->encrypt)
		aes->encrypt(&aes->enc, len, dst, src);
	else
		aes->decrypt(&aes->dec, len, dst, src);
}

static void next_key_stream(struct stream *s)
{
	memset(s->key_stream, 0, sizeof(s->key_stream));
	ctr_crypt(&s->aes->enc, s->aes->encrypt, AES_BLOCK_SIZE, s->iv, AES_BLOCK_SIZE,
		  s->key_stream, s->key_stream);
	s->n_key_stream = AES_BLOCK_SIZE;
}

/* XOR with what is left of the key stream block. */
static void use_key_stream(struct stream *s, size_t len, uint8_t *dst, const uint8_t *src)
{
	memxor3(dst, src, s->key_stream + AES_BLOCK_SIZE - s->n_key_stream, len);
	s->n_key_stream -= len;
}

static void crypt_ctr(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct stream *s = arg;
	size_t head = len < s->n_key_stream ? len : s->n_key_stream, whole;

	use_key_stream(s, head, dst, src);
	len -= head;
	whole = len - len % AES_BLOCK_SIZE;
	ctr_crypt(&s->aes->enc, s->aes->encrypt, AES_BLOCK_SIZE, s->iv, whole, dst + head,
		  src + head);
	if (len > whole) {
		next_key_stream(s);
		use_key_stream(s, len - whole, dst + head + whole, src + head + whole);
	}
}

static enum kcf_status stream_init(struct stream *s, const struct cipher_alg *alg,
				   const struct kcf_job *job)
{
	const struct cipher_template *tmpl = job->tmpl;
	const struct kcf_param_iv *p = job->param;

	s->aes = &tmpl->aes;
	s->mode = alg->mode;
	s->encrypt = job->op == KCF_OP_ENCRYPT;
	s->n_key_stream = 0;
	s->carry.len = 0;
	if (alg->mode == MODE_ECB)
		return KCF_SUCCESS;
	if (!p || p->iv_len != sizeof(s->iv))
		return KCF_MECHANISM_PARAM_INVALID;
	memcpy(s->iv, p->iv, sizeof(s->iv));
	return KCF_SUCCESS;
}

static enum kcf_status stream_update(struct stream *s, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	size_t len = job->in_len;

	if (s->mode != MODE_CTR)
		len = (s->carry.len + len) / AES_BLOCK_SIZE * AES_BLOCK_SIZE;
	if (!job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	if (s->mode == MODE_CTR)
		walk(&in, &out, job->in_len, 1, crypt_ctr, s);
	else
		walk_carry(&s->carry, &in, &out, job->in_len, AES_BLOCK_SIZE, crypt_blocks, s);
	job->out_len = len;
	return KCF_SUCCESS;
}

static enum kcf_status bad_length(const struct stream *s)
{
	return s->encrypt ? KCF_DATA_LEN_RANGE : KCF_ENCRYPTED_DATA_LEN_RANGE;
}

static enum kcf_status single(const struct cipher_alg *alg, struct kcf_job *job)
{
	struct stream s;
	enum kcf_status status = stream_init(&s, alg, job);

	if (status != KCF_SUCCESS)
		return status;
	if (s.mode != MODE_CTR && job->in_len % AES_BLOCK_SIZE != 0)
		return bad_length(&s);
	status = stream_update(&s, job);
	explicit_bzero(&s, sizeof(s));
	return status;
}

static enum kcf_status init(const struct cipher_alg *alg, struct kcf_job *job)
{
	struct cipher_context *ctx = object_new(sizeof(*ctx), NULL);
	enum kcf_status status;

	if (!ctx)
		return KCF_HOST_MEMORY;
	status = stream_init(&ctx->stream, alg, job);
	if (status != KCF_SUCCESS)
		object_free(ctx);
	else
		job->ctx = ctx;
	return status;
}

static enum kcf_status cipher_run(const void *alg, struct kcf_job *job)
{
	struct cipher_context *ctx = job->ctx;

	switch (job->phase) {
	case KCF_SINGLE:
		return single(alg, job);
	case KCF_INIT:
		return init(alg, job);
	case KCF_UPDATE:
		return stream_update(&ctx->stream, job);
	default:
		job->out_len = 0;
		return ctx->stream.carry.len == 0 ? KCF_SUCCESS : bad_length(&ctx->stream);
	}
}

static enum kcf_status cipher_template_new(const void *alg, const struct kcf_key_data *key,
					   void **ret)
{
	struct cipher_template *tmpl = object_new(sizeof(*tmpl), NULL);
	enum kcf_status status;

	if (!tmpl)
		return KCF_HOST_MEMORY;
	status = aes_init(&tmpl->aes, key->bytes, key->len);
	if (status != KCF_SUCCESS)
		object_free(tmpl);
	else
		*ret = tmpl;
	return status;
}

const struct class_ops cipher_class = {cipher_template_new, cipher_run};
