/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ciphers without authentication, and key wrap.
 *
 * Kinds: STREAM takes any cut; BLOCKS whole blocks; PADDED adds PKCS#7 padding here, because
 * libcrypto's own would keep a block back inside its context; XTS, CTS and the wraps see all data
 * at once. CKM_AES_CTS is CBC-CS1 of SP 800-38A's addendum (the variant libcrypto and NSS default
 * to). One status for bad padding and one for a wrap that does not check: KCF_INVALID_MAC.
 *
 * A live state holds one context per direction, keyed once; a job only sets the IV.
 *
 * Thread: one per state or context.
 */
#include <stdlib.h>
#include <openssl/err.h>
#include "openssl-private.h"

#define XTS_UNIT_MAX (1u << 24) /* IEEE 1619: 2^20 blocks in a data unit */

struct cipher_state {
	struct openssl_tmpl *tmpl;
	void *ctx[2]; /* [1] decrypts; made at first use */
};

/* A multi-part operation. */
struct cipher_data {
	bool dec;
	struct openssl_carry carry;
	uint8_t tail[OPENSSL_BLOCK_MAX]; /* PADDED decrypt: the last block, opened */
	bool tail_ready;
};

static unsigned alg_index(const struct openssl_tmpl *t)
{
	size_t len = t->spec->kind == OPENSSL_XTS ? t->key_len / 2 : t->key_len;

	return t->spec->alg[1] || t->spec->alg[2] ? len / 8 - 2 : 0;
}

static enum kcf_status cipher_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	enum kcf_status status = openssl_tmpl_raw_key(t, key);

	if (status != KCF_SUCCESS)
		return status;
	/* SP 800-38E, IEEE 1619: the halves must differ. It is the key that is wrong, not its
	 * length: KCF_KEY_SIZE_RANGE would send the request to another provider. */
	if (t->spec->kind == OPENSSL_XTS &&
	    CRYPTO_memcmp(t->key, t->key + t->key_len / 2, t->key_len / 2) == 0)
		return KCF_KEY_TYPE_INCONSISTENT;
	if (!openssl_cipher_fns_init(t->prov->impl[t->row - openssl_rows][alg_index(t)],
				     &t->fns.cipher))
		return KCF_MECH_NOT_SUPPORTED;
	return KCF_SUCCESS;
}

static void cipher_state_free(void *arg)
{
	struct cipher_state *s = arg;

	if (!s)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (s->ctx[i])
			s->tmpl->fns.cipher.freectx(s->ctx[i]);
	free(s);
}

static enum kcf_status cipher_state_new(struct openssl_tmpl *t, void **ret)
{
	struct cipher_state *s = calloc(1, sizeof(*s));

	if (!s)
		return KCF_HOST_MEMORY;
	s->tmpl = t;
	*ret = s;
	return KCF_SUCCESS;
}

/* The context of a direction, keyed. */
static void *cipher_ctx(struct cipher_state *s, bool dec)
{
	const struct openssl_tmpl *t = s->tmpl;
	const struct openssl_cipher_fns *f = &t->fns.cipher;
	OSSL_PARAM cts[] = {
		openssl_text(OSSL_CIPHER_PARAM_CTS_MODE, "CS1"),
		OSSL_PARAM_construct_end(),
	};

	if (likely(s->ctx[dec] != NULL))
		return s->ctx[dec];
	s->ctx[dec] = f->newctx(t->prov->provctx);
	if (s->ctx[dec] && f->init[dec](s->ctx[dec], t->key, t->key_len, NULL, 0, NULL) &&
	    (t->spec->kind != OPENSSL_CTS || f->set(s->ctx[dec], cts)))
		return s->ctx[dec];
	if (s->ctx[dec])
		f->freectx(s->ctx[dec]);
	s->ctx[dec] = NULL;
	return NULL;
}

/* Makes the direction's context ready for a new message. */
static enum kcf_status cipher_start(struct cipher_state *s, const struct kcf_job *job,
				    struct openssl_pump *ret_pump)
{
	const struct openssl_tmpl *t = s->tmpl;
	const struct kcf_param_iv *param = job->param;
	bool dec = job->op == KCF_OP_DECRYPT;

	if (unlikely(!dec && job->op != KCF_OP_ENCRYPT))
		return KCF_MECH_NOT_SUPPORTED;
	if (t->spec->len && unlikely(!param || !param->iv || param->iv_len != t->spec->len))
		return KCF_MECHANISM_PARAM_INVALID;
	ret_pump->crypt = t->fns.cipher.cipher;
	ret_pump->block = t->spec->block;
	ret_pump->ctx = cipher_ctx(s, dec);
	if (unlikely(!ret_pump->ctx))
		return KCF_HOST_MEMORY;
	if (t->spec->len && unlikely(!t->fns.cipher.init[dec](ret_pump->ctx, NULL, 0, param->iv,
							      t->spec->len, NULL)))
		return KCF_FAILED;
	return KCF_SUCCESS;
}

static enum kcf_status len_status(bool dec)
{
	return dec ? KCF_ENCRYPTED_DATA_LEN_RANGE : KCF_DATA_LEN_RANGE;
}

static enum kcf_status run_pieces(const struct openssl_pump *pump, struct kcf_job *job)
{
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pos out = openssl_pos(job->out, job->n_out);

	if (!openssl_pump(pump, &in, &out, job->in_len))
		return KCF_FAILED;
	job->out_len = job->in_len;
	return KCF_SUCCESS;
}

/* ---- padding --------------------------------------------------------------------------------- */

/* Encrypts the last, padded block: n bytes of data are in block. */
static bool pad_and_crypt(const struct openssl_pump *pump, uint8_t *block, unsigned n)
{
	size_t done;

	memset(block + n, (int)(pump->block - n), pump->block - n);
	return pump->crypt(pump->ctx, block, &done, pump->block, block, pump->block);
}

/* Bytes of data in the last block, or -1. The time does not depend on the contents. */
static int unpad(const uint8_t *tail, unsigned block)
{
	unsigned pad = tail[block - 1], bad = 0;

	bad |= (pad - 1) >> 8;     /* 0 */
	bad |= (block - pad) >> 8; /* beyond the block */
	for (unsigned i = 0; i < block; i++) {
		unsigned in_pad = ~((i - (block - pad)) >> 8); /* i >= block - pad */

		bad |= in_pad & (tail[i] ^ pad) & 0xff;
	}
	return bad ? -1 : (int)(block - pad);
}

static enum kcf_status pad_encrypt(const struct openssl_pump *pump, struct kcf_job *job)
{
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	size_t whole = job->in_len - job->in_len % pump->block, total = whole + pump->block;
	uint8_t last[OPENSSL_BLOCK_MAX];
	bool ok;

	if (job->out_room < total)
		return openssl_too_small(job, total);
	ok = openssl_pump(pump, &in, &out, whole);
	openssl_pos_read(&in, last, job->in_len - whole);
	ok = ok && pad_and_crypt(pump, last, job->in_len - whole) &&
	     openssl_pos_write(&out, last, pump->block) == pump->block;
	explicit_bzero(last, sizeof(last));
	if (!ok)
		return KCF_FAILED;
	job->out_len = total;
	return KCF_SUCCESS;
}

/* The last block first, chained to the one before it, so that the length is known before anything
 * is written. */
static enum kcf_status open_tail(struct cipher_state *s, const struct openssl_pump *pump,
				 const struct kcf_job *job, uint8_t *tail, int *ret_n)
{
	const struct kcf_param_iv *param = job->param;
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	uint8_t iv[OPENSSL_BLOCK_MAX];
	unsigned block = pump->block;
	size_t done;

	memcpy(iv, param->iv, block);
	if (job->in_len > block) {
		openssl_pos_skip(&in, job->in_len - 2 * block);
		openssl_pos_read(&in, iv, block);
	}
	openssl_pos_read(&in, tail, block);
	if (!s->tmpl->fns.cipher.init[1](pump->ctx, NULL, 0, iv, block, NULL) ||
	    !pump->crypt(pump->ctx, tail, &done, block, tail, block) ||
	    !s->tmpl->fns.cipher.init[1](pump->ctx, NULL, 0, param->iv, block, NULL))
		return KCF_FAILED;
	*ret_n = unpad(tail, block);
	return *ret_n < 0 ? KCF_INVALID_MAC : KCF_SUCCESS;
}

static enum kcf_status pad_decrypt(struct cipher_state *s, const struct openssl_pump *pump,
				   struct kcf_job *job)
{
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	size_t whole = job->in_len - pump->block;
	uint8_t tail[OPENSSL_BLOCK_MAX];
	enum kcf_status status;
	int n;

	if (job->in_len == 0 || job->in_len % pump->block)
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	status = open_tail(s, pump, job, tail, &n);
	if (status == KCF_SUCCESS && job->out_room < whole + n)
		status = openssl_too_small(job, whole + n);
	if (status == KCF_SUCCESS) {
		if (!openssl_pump(pump, &in, &out, whole))
			status = KCF_FAILED;
		openssl_pos_write(&out, tail, n);
		job->out_len = whole + n;
	}
	explicit_bzero(tail, sizeof(tail));
	return status;
}

/* ---- kinds that need all data in one piece --------------------------------------------------- */

/* Checks the length; the output's on success. The unwrap of KWP yields at most this. */
static enum kcf_status whole_len(const struct openssl_spec *spec, bool dec, size_t len, size_t *ret)
{
	*ret = len;
	switch (spec->kind) {
	case OPENSSL_XTS:
		return len >= 16 && len <= XTS_UNIT_MAX ? KCF_SUCCESS : len_status(dec);
	case OPENSSL_CTS:
		return len >= 16 && len < INT32_MAX ? KCF_SUCCESS : len_status(dec);
	case OPENSSL_WRAP: /* SP 800-38F: two semiblocks at least */
		*ret = dec ? len - 8 : len + 8;
		return len % 8 == 0 && len >= (dec ? 24 : 16) && len < INT32_MAX ? KCF_SUCCESS
										 : len_status(dec);
	default:
		*ret = dec ? len - 8 : (len + 7) / 8 * 8 + 8;
		if (dec)
			return len % 8 == 0 && len >= 16 && len < INT32_MAX ? KCF_SUCCESS
									    : len_status(dec);
		return len >= 1 && len < INT32_MAX - 16 ? KCF_SUCCESS : len_status(dec);
	}
}

static enum kcf_status run_whole(struct cipher_state *s, struct kcf_job *job,
				 const struct openssl_pump *pump, const struct openssl_flat *in,
				 size_t out_len)
{
	const struct openssl_spec *spec = s->tmpl->spec;
	bool wraps = spec->kind == OPENSSL_WRAP || spec->kind == OPENSSL_WRAP_PAD;
	bool dec = job->op == KCF_OP_DECRYPT;
	struct openssl_flat out;
	enum kcf_status status;
	size_t done = 0, room = in->len + 16;

	/* straight into the caller's memory; not the wraps, which write while they check */
	if (!wraps && job->out[0].iov_len >= out_len) {
		job->out_len = out_len;
		return s->tmpl->fns.cipher.update(pump->ctx, job->out[0].iov_base, &done, out_len,
						  in->p, in->len) &&
				       done == out_len
			       ? KCF_SUCCESS
			       : KCF_FAILED;
	}
	status = openssl_flat_new(&out, room);
	if (status != KCF_SUCCESS)
		return status;
	ERR_set_mark();
	/* libcrypto 3.0 reports an unwrap that does not check as a length of -1 */
	if (!s->tmpl->fns.cipher.update(pump->ctx, out.p, &done, room, in->p, in->len) ||
	    done > room)
		status = wraps && dec ? KCF_INVALID_MAC : KCF_FAILED;
	else
		status = openssl_job_put(job, out.p, done);
	ERR_pop_to_mark();
	openssl_flat_close(&out);
	return status;
}

static enum kcf_status crypt_whole(struct cipher_state *s, const struct openssl_pump *pump,
				   struct kcf_job *job)
{
	bool dec = job->op == KCF_OP_DECRYPT;
	struct openssl_flat in;
	enum kcf_status status;
	size_t out_len;

	status = whole_len(s->tmpl->spec, dec, job->in_len, &out_len);
	if (status != KCF_SUCCESS)
		return status;
	/* what KWP unwraps may be up to 7 bytes shorter than it could be */
	if (job->out_room < out_len && (!dec || s->tmpl->spec->kind != OPENSSL_WRAP_PAD))
		return openssl_too_small(job, out_len);
	status = openssl_flat_in(&in, job->in, job->n_in, job->in_len);
	if (status != KCF_SUCCESS)
		return status;
	status = run_whole(s, job, pump, &in, out_len);
	openssl_flat_close(&in);
	return status;
}

/* ---- single part ----------------------------------------------------------------------------- */

static enum kcf_status cipher_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	struct openssl_pump pump;
	enum kcf_status status = cipher_start(state, job, &pump);

	if (unlikely(status != KCF_SUCCESS))
		return status;
	switch (t->spec->kind) {
	case OPENSSL_STREAM:
	case OPENSSL_BLOCKS:
		if (unlikely(job->in_len % t->spec->block))
			return len_status(job->op == KCF_OP_DECRYPT);
		if (unlikely(job->out_room < job->in_len))
			return openssl_too_small(job, job->in_len);
		return run_pieces(&pump, job);
	case OPENSSL_PADDED:
		return job->op == KCF_OP_ENCRYPT ? pad_encrypt(&pump, job)
						 : pad_decrypt(state, &pump, job);
	default:
		return crypt_whole(state, &pump, job);
	}
}

/* ---- multi-part ------------------------------------------------------------------------------ */

static enum kcf_status cipher_init(struct openssl_ctx *c, struct kcf_job *job)
{
	struct openssl_pump pump;
	enum kcf_status status = cipher_start(c->state, job, &pump);
	struct cipher_data *d;

	if (status != KCF_SUCCESS)
		return status;
	d = calloc(1, sizeof(*d));
	if (!d)
		return KCF_HOST_MEMORY;
	d->dec = job->op == KCF_OP_DECRYPT;
	c->data = d;
	return KCF_SUCCESS;
}

/* Bytes that carried and new input together put out before final. */
static size_t produced(const struct openssl_tmpl *t, const struct cipher_data *d, size_t in_len)
{
	size_t total = d->carry.n + in_len;

	if (d->dec && t->spec->kind == OPENSSL_PADDED && total > 0)
		total--; /* keeps the last block */
	return total - total % t->spec->block;
}

static enum kcf_status feed(struct openssl_ctx *c, struct kcf_job *job, struct openssl_pos *out,
			    size_t produce)
{
	struct cipher_data *d = c->data;
	struct cipher_state *s = c->state;
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pump pump = {c->tmpl->fns.cipher.cipher, s->ctx[d->dec],
				    c->tmpl->spec->block};

	if (!openssl_pump_carry(&pump, &d->carry, &in, job->in_len, out, produce))
		return KCF_FAILED;
	job->out_len = produce;
	return KCF_SUCCESS;
}

static enum kcf_status cipher_update(struct openssl_ctx *c, struct kcf_job *job)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	size_t produce = produced(c->tmpl, c->data, job->in_len);

	if (job->out_room < produce)
		return openssl_too_small(job, produce);
	return feed(c, job, &out, produce);
}

static enum kcf_status final_pad_encrypt(struct openssl_ctx *c, struct kcf_job *job, size_t produce)
{
	struct cipher_state *s = c->state;
	struct cipher_data *d = c->data;
	struct openssl_pump pump = {c->tmpl->fns.cipher.cipher, s->ctx[0], c->tmpl->spec->block};
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	enum kcf_status status;

	if (job->out_room < produce + pump.block)
		return openssl_too_small(job, produce + pump.block);
	status = feed(c, job, &out, produce);
	if (status != KCF_SUCCESS)
		return status;
	if (!pad_and_crypt(&pump, d->carry.buf, d->carry.n))
		return KCF_FAILED;
	openssl_pos_write(&out, d->carry.buf, pump.block);
	job->out_len = produce + pump.block;
	return KCF_SUCCESS;
}

/* The input of final, if any, must have been put out before the tail can be opened; so room is
 * asked for as if nothing were padding, unless there is no input. */
static enum kcf_status final_pad_decrypt(struct openssl_ctx *c, struct kcf_job *job, size_t produce)
{
	struct cipher_state *s = c->state;
	struct cipher_data *d = c->data;
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	unsigned block = c->tmpl->spec->block;
	size_t done;
	int n;

	if ((d->carry.n + job->in_len) % block || d->carry.n + job->in_len == 0)
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	if (job->in_len > 0) {
		enum kcf_status status;

		if (job->out_room < produce + block - 1)
			return openssl_too_small(job, produce + block - 1);
		status = feed(c, job, &out, produce);
		if (status != KCF_SUCCESS)
			return status;
	}
	if (!d->tail_ready &&
	    !c->tmpl->fns.cipher.cipher(s->ctx[1], d->tail, &done, block, d->carry.buf, block))
		return KCF_FAILED;
	d->tail_ready = true;
	n = unpad(d->tail, block);
	if (n < 0) {
		openssl_iov_wipe(job->out, job->n_out, job->out_len);
		return KCF_INVALID_MAC;
	}
	if (job->in_len == 0 && job->out_room < (size_t)n)
		return openssl_too_small(job, n);
	openssl_pos_write(&out, d->tail, n);
	job->out_len += n;
	return KCF_SUCCESS;
}

static enum kcf_status cipher_final(struct openssl_ctx *c, struct kcf_job *job)
{
	struct cipher_data *d = c->data;
	size_t produce = produced(c->tmpl, d, job->in_len);

	if (c->tmpl->spec->kind == OPENSSL_PADDED)
		return d->dec ? final_pad_decrypt(c, job, produce)
			      : final_pad_encrypt(c, job, produce);
	if ((d->carry.n + job->in_len) % c->tmpl->spec->block)
		return len_status(d->dec);
	return cipher_update(c, job);
}

static void cipher_data_free(struct openssl_ctx *c)
{
	explicit_bzero(c->data, sizeof(struct cipher_data));
	free(c->data);
}

const struct openssl_class openssl_cipher_class = {
	.quiet = true,
	.tmpl_init = cipher_tmpl_init,
	.state_new = cipher_state_new,
	.state_free = cipher_state_free,
	.single = cipher_single,
	.init = cipher_init,
	.update = cipher_update,
	.final = cipher_final,
	.data_free = cipher_data_free,
};
