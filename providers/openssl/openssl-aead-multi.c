/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AEAD contexts.
 *
 * Encryption streams (GCM, ChaCha20-Poly1305, OCB). Decryption holds all ciphertext back until
 * final, where the tag is the end of the data, so nothing is released before it was verified; and
 * CCM holds back both ways, because libcrypto wants its data at once. What is held back is at most
 * 1 MiB: KCF_BUFFER_TOO_BIG beyond. A held-back message is then one single-part job.
 *
 * Thread: one per context.
 */
#include <stdlib.h>
#include "openssl-aead.h"

struct aead_data {
	struct kcf_param_aead param; /* iv and aad point to the copies below */
	uint8_t iv[OPENSSL_AEAD_IV_MAX];
	uint8_t *aad;
	size_t tag_len;
	bool streams;
	struct openssl_carry carry; /* OCB */
	uint8_t *held;
	size_t held_len, held_room;
};

static enum kcf_status copy_params(struct aead_data *d, const struct kcf_param_aead *p)
{
	d->param = *p;
	memcpy(d->iv, p->iv, p->iv_len);
	d->param.iv = d->iv;
	if (p->aad_len == 0)
		return KCF_SUCCESS;
	d->aad = malloc(p->aad_len);
	if (!d->aad)
		return KCF_HOST_MEMORY;
	memcpy(d->aad, p->aad, p->aad_len);
	d->param.aad = d->aad;
	return KCF_SUCCESS;
}

/* CCM with its length given: too much is said at once. */
static enum kcf_status check_announced(const struct openssl_ctx *c, const struct aead_data *d)
{
	bool dec = c->op == KCF_OP_DECRYPT;

	if (c->tmpl->spec->kind != OPENSSL_CCM || d->param.data_len == 0)
		return KCF_SUCCESS;
	if (d->param.data_len > OPENSSL_AEAD_BUFFER + (dec ? d->tag_len : 0))
		return KCF_BUFFER_TOO_BIG;
	return openssl_aead_data_len(c->tmpl, d->param.iv_len, d->param.data_len, dec);
}

enum kcf_status openssl_aead_ctx_init(struct openssl_ctx *c, struct kcf_job *job)
{
	struct aead_data *d;
	enum kcf_status status;
	size_t tag_len;

	if (job->op != KCF_OP_ENCRYPT && job->op != KCF_OP_DECRYPT)
		return KCF_MECH_NOT_SUPPORTED;
	status = openssl_aead_params(c->tmpl, job->param, &tag_len);
	if (status != KCF_SUCCESS)
		return status;
	d = calloc(1, sizeof(*d));
	if (!d)
		return KCF_HOST_MEMORY;
	c->data = d;
	d->tag_len = tag_len;
	d->streams = job->op == KCF_OP_ENCRYPT && c->tmpl->spec->kind != OPENSSL_CCM;
	status = copy_params(d, job->param);
	if (status == KCF_SUCCESS)
		status = check_announced(c, d);
	if (status != KCF_SUCCESS || !d->streams)
		return status;
	status = openssl_aead_start(c->state, false, d->iv, d->param.iv_len, tag_len);
	if (status == KCF_SUCCESS &&
	    !openssl_aead_aad(c->state, false, d->param.aad, d->param.aad_len))
		status = KCF_FAILED;
	return status;
}

/* ---- holding back ---------------------------------------------------------------------------- */

static enum kcf_status hold_room(struct aead_data *d, size_t len)
{
	size_t room = d->held_room ? d->held_room : 4096;
	uint8_t *p;

	if (len > OPENSSL_AEAD_BUFFER + OPENSSL_AEAD_TAG_MAX)
		return KCF_BUFFER_TOO_BIG;
	if (len <= d->held_room)
		return KCF_SUCCESS;
	while (room < len)
		room *= 2;
	p = malloc(room);
	if (!p)
		return KCF_HOST_MEMORY;
	if (d->held) {
		memcpy(p, d->held, d->held_len);
		explicit_bzero(d->held, d->held_room);
		free(d->held);
	}
	d->held = p;
	d->held_room = room;
	return KCF_SUCCESS;
}

static enum kcf_status hold(struct aead_data *d, const struct kcf_job *job)
{
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	enum kcf_status status;

	if (job->in_len == 0)
		return KCF_SUCCESS;
	if (job->in_len > OPENSSL_AEAD_BUFFER + OPENSSL_AEAD_TAG_MAX)
		return KCF_BUFFER_TOO_BIG;
	status = hold_room(d, d->held_len + job->in_len);
	if (status != KCF_SUCCESS)
		return status;
	d->held_len += openssl_pos_read(&in, d->held + d->held_len, job->in_len);
	return KCF_SUCCESS;
}

static enum kcf_status run_held(struct openssl_ctx *c, struct kcf_job *job)
{
	struct aead_data *d = c->data;
	struct iovec in;
	struct kcf_job whole = *job;
	bool dec = c->op == KCF_OP_DECRYPT;
	size_t total = d->held_len + job->in_len, need;
	enum kcf_status status;

	if (dec && total < d->tag_len)
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	if (c->tmpl->spec->kind == OPENSSL_CCM && d->param.data_len && total != d->param.data_len)
		return dec ? KCF_ENCRYPTED_DATA_LEN_RANGE : KCF_DATA_LEN_RANGE;
	need = dec ? total - d->tag_len : total + d->tag_len;
	if (need > OPENSSL_AEAD_BUFFER + (dec ? 0 : d->tag_len))
		return KCF_BUFFER_TOO_BIG;
	if (job->out_room < need)
		return openssl_too_small(job, need);
	status = hold(d, job);
	if (status != KCF_SUCCESS)
		return status;
	in.iov_base = d->held;
	in.iov_len = d->held_len;
	whole.in = &in;
	whole.n_in = 1;
	whole.in_len = d->held_len;
	status = dec ? openssl_aead_decrypt(c->state, &d->param, d->tag_len, &whole)
		     : openssl_aead_encrypt(c->state, &d->param, d->tag_len, &whole);
	job->out_len = whole.out_len;
	return status;
}

/* ---- streaming ------------------------------------------------------------------------------- */

/* Bytes that go out for in_len more bytes. */
static size_t streamed(const struct openssl_ctx *c, size_t in_len)
{
	const struct aead_data *d = c->data;

	if (c->tmpl->spec->kind != OPENSSL_OCB)
		return in_len;
	return (d->carry.n + in_len) / OPENSSL_BLOCK_MAX * OPENSSL_BLOCK_MAX;
}

static enum kcf_status stream(struct openssl_ctx *c, struct kcf_job *job, struct openssl_pos *out)
{
	struct aead_data *d = c->data;
	struct openssl_aead_state *s = c->state;
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pump pump = {openssl_aead_fn(s), s->ctx[0], OPENSSL_BLOCK_MAX};
	size_t produce = streamed(c, job->in_len);
	bool ok;

	if (c->tmpl->spec->kind == OPENSSL_OCB)
		ok = openssl_pump_carry(&pump, &d->carry, &in, job->in_len, out, produce);
	else
		ok = openssl_aead_run(s, false, job, out, job->in_len);
	job->out_len = produce;
	return ok ? KCF_SUCCESS : KCF_FAILED;
}

enum kcf_status openssl_aead_ctx_update(struct openssl_ctx *c, struct kcf_job *job)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	struct aead_data *d = c->data;

	if (!d->streams)
		return hold(d, job);
	if (job->out_room < streamed(c, job->in_len))
		return openssl_too_small(job, streamed(c, job->in_len));
	return stream(c, job, &out);
}

static enum kcf_status final_stream(struct openssl_ctx *c, struct kcf_job *job)
{
	struct aead_data *d = c->data;
	struct openssl_aead_state *s = c->state;
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	size_t need = d->carry.n + job->in_len + d->tag_len, done;
	uint8_t none[OPENSSL_BLOCK_MAX];
	enum kcf_status status;

	if (job->out_room < need)
		return openssl_too_small(job, need);
	status = stream(c, job, &out);
	if (status != KCF_SUCCESS)
		return status;
	if (d->carry.n > 0 &&
	    !openssl_aead_fn(s)(s->ctx[0], none, &done, sizeof(none), d->carry.buf, d->carry.n))
		return KCF_FAILED;
	job->out_len = need;
	return openssl_aead_seal(s, &out);
}

enum kcf_status openssl_aead_ctx_final(struct openssl_ctx *c, struct kcf_job *job)
{
	const struct aead_data *d = c->data;

	return d->streams ? final_stream(c, job) : run_held(c, job);
}

void openssl_aead_ctx_data_free(struct openssl_ctx *c)
{
	struct aead_data *d = c->data;

	if (d->held) {
		explicit_bzero(d->held, d->held_room);
		free(d->held);
	}
	free(d->aad);
	explicit_bzero(d, sizeof(*d));
	free(d);
}
