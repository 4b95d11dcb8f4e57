/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AEAD, single part: GCM, CCM, ChaCha20-Poly1305, OCB. openssl-aead-multi.c has the contexts.
 *
 * A live state holds one context per direction. It is keyed once; a message sets the IV, and
 * lengths of IV and tag only where they differ from the last message's. CCM and OCB bind the tag
 * length into the first block, so it must precede the IV; CCM binds both lengths when it is keyed.
 *
 * Decryption wipes what it wrote before it reports a tag that does not match.
 *
 * Thread: one per state.
 */
#include <stdlib.h>
#include <openssl/err.h>
#include "openssl-aead.h"

static bool aead_tag_len_ok(enum openssl_kind kind, size_t len)
{
	switch (kind) {
	case OPENSSL_GCM: /* SP 800-38D 5.2.1.2 */
		return len == 4 || len == 8 || (len >= 12 && len <= 16);
	case OPENSSL_CCM: /* SP 800-38C 5.1 */
		return len >= 4 && len <= 16 && len % 2 == 0;
	case OPENSSL_OCB: /* RFC 7253 3.1 */
		return len == 8 || len == 12 || len == 16;
	default:
		return len == 16;
	}
}

static bool aead_iv_len_ok(enum openssl_kind kind, size_t len)
{
	switch (kind) {
	case OPENSSL_GCM:
		return len >= 1 && len <= OPENSSL_AEAD_IV_MAX;
	case OPENSSL_CCM:
		return len >= 7 && len <= 13;
	case OPENSSL_OCB:
		return len >= 1 && len <= 15;
	default:
		return len == 12;
	}
}

enum kcf_status openssl_aead_params(const struct openssl_tmpl *t, const struct kcf_param_aead *p,
				    size_t *ret_tag_len)
{
	size_t tag_len;

	if (unlikely(!p || !p->iv))
		return KCF_MECHANISM_PARAM_INVALID;
	tag_len = p->tag_len ? p->tag_len : OPENSSL_AEAD_TAG_MAX;
	if (unlikely(!aead_tag_len_ok(t->spec->kind, tag_len) ||
		     !aead_iv_len_ok(t->spec->kind, p->iv_len) || (p->aad_len && !p->aad)))
		return KCF_MECHANISM_PARAM_INVALID;
	*ret_tag_len = tag_len;
	return KCF_SUCCESS;
}

enum kcf_status openssl_aead_data_len(const struct openssl_tmpl *t, size_t iv_len, uint64_t len,
				      bool dec)
{
	enum kcf_status status = dec ? KCF_ENCRYPTED_DATA_LEN_RANGE : KCF_DATA_LEN_RANGE;

	if (t->spec->kind != OPENSSL_CCM)
		return KCF_SUCCESS;
	if (len > INT32_MAX || (iv_len == 13 && len > 0xffff))
		return status;
	return KCF_SUCCESS;
}

static bool set_lens(struct openssl_aead_state *s, bool dec, size_t iv_len, size_t tag_len)
{
	const struct openssl_cipher_fns *f = &s->tmpl->fns.cipher;
	enum openssl_kind kind = s->tmpl->spec->kind;
	OSSL_PARAM iv[] = {
		OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, &iv_len),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM tag[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, tag_len),
		OSSL_PARAM_construct_end(),
	};

	if (kind != OPENSSL_CHACHA && s->iv_len[dec] != iv_len && !f->set(s->ctx[dec], iv))
		return false;
	if ((kind == OPENSSL_CCM || kind == OPENSSL_OCB) && !f->set(s->ctx[dec], tag))
		return false;
	if (kind == OPENSSL_CCM &&
	    !f->init[dec](s->ctx[dec], s->tmpl->key, s->tmpl->key_len, NULL, 0, NULL))
		return false;
	s->iv_len[dec] = iv_len;
	s->tag_len[dec] = tag_len;
	return true;
}

static bool open_ctx(struct openssl_aead_state *s, bool dec)
{
	const struct openssl_tmpl *t = s->tmpl;
	const struct openssl_cipher_fns *f = &t->fns.cipher;

	s->ctx[dec] = f->newctx(t->prov->provctx);
	if (!s->ctx[dec])
		return false;
	if (f->init[dec](s->ctx[dec], t->key, t->key_len, NULL, 0, NULL))
		return true;
	f->freectx(s->ctx[dec]);
	s->ctx[dec] = NULL;
	return false;
}

enum kcf_status openssl_aead_start(struct openssl_aead_state *s, bool dec, const uint8_t *iv,
				   size_t iv_len, size_t tag_len)
{
	const struct openssl_cipher_fns *f = &s->tmpl->fns.cipher;

	if (unlikely(!s->ctx[dec]) && !open_ctx(s, dec))
		return KCF_HOST_MEMORY;
	if (unlikely(s->iv_len[dec] != iv_len || s->tag_len[dec] != tag_len) &&
	    !set_lens(s, dec, iv_len, tag_len))
		return KCF_FAILED;
	return f->init[dec](s->ctx[dec], NULL, 0, iv, iv_len, NULL) ? KCF_SUCCESS : KCF_FAILED;
}

bool openssl_aead_aad(struct openssl_aead_state *s, bool dec, const uint8_t *aad, size_t len)
{
	size_t done;

	return len == 0 || openssl_aead_fn(s)(s->ctx[dec], NULL, &done, len, aad, len);
}

/* Sets the tag to expect. */
static bool put_tag(struct openssl_aead_state *s, const uint8_t *tag, size_t len)
{
	s->tag[1][0].data = (void *)tag;
	s->tag[1][0].data_size = len;
	return s->tmpl->fns.cipher.set(s->ctx[1], s->tag[1]);
}

static bool get_tag(struct openssl_aead_state *s, uint8_t *tag, size_t len)
{
	s->tag[0][0].data = tag;
	s->tag[0][0].data_size = len;
	return s->tmpl->fns.cipher.get(s->ctx[0], s->tag[0]);
}

/* Ends the data: whatever OCB kept of a last block goes to out. */
static bool end_data(struct openssl_aead_state *s, bool dec, struct openssl_pos *out)
{
	const struct openssl_cipher_fns *f = &s->tmpl->fns.cipher;
	uint8_t last[OPENSSL_BLOCK_MAX];
	size_t done = 0;
	bool ok;

	if (s->tmpl->spec->kind == OPENSSL_CCM)
		return true;
	if (s->tmpl->spec->kind != OPENSSL_OCB)
		return f->cipher(s->ctx[dec], NULL, &done, 0, NULL, 0);
	ok = f->final(s->ctx[dec], last, &done, sizeof(last));
	if (ok)
		openssl_pos_write(out, last, done);
	explicit_bzero(last, sizeof(last));
	return ok;
}

enum kcf_status openssl_aead_seal(struct openssl_aead_state *s, struct openssl_pos *out)
{
	size_t tag_len = s->tag_len[0], n;
	uint8_t tag[OPENSSL_AEAD_TAG_MAX];

	if (unlikely(!end_data(s, false, out)))
		return KCF_FAILED;
	uint8_t *piece = openssl_pos_piece(out, &n);
	if (likely(n >= tag_len))
		return get_tag(s, piece, tag_len) ? KCF_SUCCESS : KCF_FAILED;
	if (!get_tag(s, tag, tag_len))
		return KCF_FAILED;
	openssl_pos_write(out, tag, tag_len);
	return KCF_SUCCESS;
}

/* OCB: whole blocks, then the rest, which the context keeps until its end. */
static bool run_ocb(struct openssl_aead_state *s, bool dec, struct openssl_pos *in,
		    struct openssl_pos *out, size_t len)
{
	struct openssl_pump pump = {s->tmpl->fns.cipher.update, s->ctx[dec], OPENSSL_BLOCK_MAX};
	uint8_t last[OPENSSL_BLOCK_MAX];
	size_t rest = len % OPENSSL_BLOCK_MAX, done;
	bool ok;

	if (!openssl_pump(&pump, in, out, len - rest))
		return false;
	if (rest == 0)
		return true;
	openssl_pos_read(in, last, rest);
	ok = pump.crypt(pump.ctx, last, &done, sizeof(last), last, rest) && done == 0;
	explicit_bzero(last, sizeof(last));
	return ok;
}

/* CCM: all data in one call, even if there is none. */
static bool run_ccm(struct openssl_aead_state *s, bool dec, const struct kcf_job *job,
		    struct openssl_pos *out, size_t len)
{
	OSSL_FUNC_cipher_update_fn *crypt = openssl_aead_fn(s);
	struct openssl_flat from, to;
	size_t done, n;
	bool ok;

	if (openssl_flat_in(&from, job->in, job->n_in, len) != KCF_SUCCESS)
		return false;
	ERR_set_mark(); /* a tag that does not match is on the queue */
	uint8_t *piece = openssl_pos_piece(out, &n);
	if (len > 0 && n >= len) {
		ok = crypt(s->ctx[dec], piece, &done, len, from.p, len);
		out->off += len;
	} else if (openssl_flat_new(&to, len) != KCF_SUCCESS) {
		ok = false;
	} else {
		ok = crypt(s->ctx[dec], to.p, &done, len, from.p, len);
		if (ok)
			openssl_pos_write(out, to.p, len);
		openssl_flat_close(&to);
	}
	ERR_pop_to_mark();
	openssl_flat_close(&from);
	return ok;
}

bool openssl_aead_run(struct openssl_aead_state *s, bool dec, const struct kcf_job *job,
		      struct openssl_pos *out, size_t len)
{
	struct openssl_pos in = openssl_pos(job->in, job->n_in);
	struct openssl_pump pump = {s->tmpl->fns.cipher.cipher, s->ctx[dec], 1};

	if (s->tmpl->spec->kind == OPENSSL_OCB)
		return run_ocb(s, dec, &in, out, len);
	if (s->tmpl->spec->kind == OPENSSL_CCM)
		return run_ccm(s, dec, job, out, len);
	return openssl_pump(&pump, &in, out, len);
}

/* CCM wants the length of the data before the additional data. */
static bool announce_len(struct openssl_aead_state *s, bool dec, size_t len)
{
	size_t done;

	return s->tmpl->spec->kind != OPENSSL_CCM ||
	       openssl_aead_fn(s)(s->ctx[dec], NULL, &done, len, NULL, len);
}

enum kcf_status openssl_aead_encrypt(struct openssl_aead_state *s, const struct kcf_param_aead *p,
				     size_t tag_len, struct kcf_job *job)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	size_t total = job->in_len + tag_len;
	enum kcf_status status;

	status = openssl_aead_data_len(s->tmpl, p->iv_len, job->in_len, false);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(job->out_room < total))
		return openssl_too_small(job, total);
	status = openssl_aead_start(s, false, p->iv, p->iv_len, tag_len);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(!announce_len(s, false, job->in_len) ||
		     !openssl_aead_aad(s, false, p->aad, p->aad_len) ||
		     !openssl_aead_run(s, false, job, &out, job->in_len)))
		return KCF_FAILED;
	job->out_len = total;
	return openssl_aead_seal(s, &out);
}

enum kcf_status openssl_aead_decrypt(struct openssl_aead_state *s, const struct kcf_param_aead *p,
				     size_t tag_len, struct kcf_job *job)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	struct openssl_pos at_tag = openssl_pos(job->in, job->n_in);
	size_t len = job->in_len - tag_len;
	uint8_t tag[OPENSSL_AEAD_TAG_MAX];
	enum kcf_status status;

	if (unlikely(job->in_len < tag_len))
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	status = openssl_aead_data_len(s->tmpl, p->iv_len, len, true);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(job->out_room < len))
		return openssl_too_small(job, len);
	openssl_pos_skip(&at_tag, len);
	openssl_pos_read(&at_tag, tag, tag_len);
	status = openssl_aead_start(s, true, p->iv, p->iv_len, tag_len);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(!put_tag(s, tag, tag_len) || !announce_len(s, true, len) ||
		     !openssl_aead_aad(s, true, p->aad, p->aad_len)))
		return KCF_FAILED;
	job->out_len = len;
	if (likely(openssl_aead_run(s, true, job, &out, len) && end_data(s, true, &out)))
		return KCF_SUCCESS;
	openssl_iov_wipe(job->out, job->n_out, len);
	return KCF_INVALID_MAC;
}

/* ---- the class ------------------------------------------------------------------------------- */

static enum kcf_status aead_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	enum kcf_status status = openssl_tmpl_raw_key(t, key);
	unsigned alg;

	if (status != KCF_SUCCESS)
		return status;
	alg = t->spec->alg[1] ? t->key_len / 8 - 2 : 0;
	if (!openssl_cipher_fns_init(t->prov->impl[t->row - openssl_rows][alg], &t->fns.cipher))
		return KCF_MECH_NOT_SUPPORTED;
	return KCF_SUCCESS;
}

static void aead_state_free(void *arg)
{
	struct openssl_aead_state *s = arg;

	if (!s)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (s->ctx[i])
			s->tmpl->fns.cipher.freectx(s->ctx[i]);
	free(s);
}

static enum kcf_status aead_state_new(struct openssl_tmpl *t, void **ret)
{
	struct openssl_aead_state *s = calloc(1, sizeof(*s));

	if (!s)
		return KCF_HOST_MEMORY;
	s->tmpl = t;
	for (unsigned i = 0; i < 2; i++) {
		s->tag[i][0] =
			OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0);
		s->tag[i][1] = OSSL_PARAM_construct_end();
	}
	*ret = s;
	return KCF_SUCCESS;
}

static enum kcf_status aead_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	size_t tag_len;
	enum kcf_status status = openssl_aead_params(t, job->param, &tag_len);

	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (job->op == KCF_OP_ENCRYPT)
		return openssl_aead_encrypt(state, job->param, tag_len, job);
	if (job->op == KCF_OP_DECRYPT)
		return openssl_aead_decrypt(state, job->param, tag_len, job);
	return KCF_MECH_NOT_SUPPORTED;
}

const struct openssl_class openssl_aead_class = {
	.quiet = true,
	.tmpl_init = aead_tmpl_init,
	.state_new = aead_state_new,
	.state_free = aead_state_free,
	.single = aead_single,
	.init = openssl_aead_ctx_init,
	.update = openssl_aead_ctx_update,
	.final = openssl_aead_ctx_final,
	.data_free = openssl_aead_ctx_data_free,
};
