/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead-alg: AES-GCM (SP 800-38D), AES-CCM (SP 800-38C) and ChaCha20-Poly1305 (RFC 8439) as aead.h
 * wants them. Nothing here keeps state of its own. Thread: any.
 */
#include "aead.h"

/* ---- GCM ------------------------------------------------------------------------------------- */

#define GCM_TOTAL_MAX ((UINT64_C(1) << 36) - 32)

static bool do_gcm_fits(const struct kcf_param_aead *p, size_t tag_len, uint64_t total)
{
	bool tag_ok = tag_len == 4 || tag_len == 8 || (tag_len >= 12 && tag_len <= 16);

	return tag_ok && p->iv_len > 0 && total <= GCM_TOTAL_MAX;
}

static enum kcf_status do_gcm_set(struct aead_template *tmpl, const struct kcf_key_data *key)
{
	enum kcf_status status = aes_init(&tmpl->aes, key->bytes, key->len);

	if (status == KCF_SUCCESS)
		gcm_set_key(&tmpl->key.gcm, &tmpl->aes.enc, tmpl->aes.encrypt);
	return status;
}

static void do_gcm_start(const struct aead_template *tmpl, union aead_state *state,
			 const struct kcf_param_aead *p, size_t total, size_t tag_len)
{
	gcm_set_iv(&state->gcm, &tmpl->key.gcm, p->iv_len, p->iv);
	gcm_update(&state->gcm, &tmpl->key.gcm, p->aad_len, p->aad);
}

static void do_gcm_crypt(const struct aead_template *tmpl, union aead_state *state, bool encrypt,
			 size_t len, uint8_t *dst, const uint8_t *src)
{
	const struct aes *aes = &tmpl->aes;

	if (encrypt)
		gcm_encrypt(&state->gcm, &tmpl->key.gcm, &aes->enc, aes->encrypt, len, dst, src);
	else
		gcm_decrypt(&state->gcm, &tmpl->key.gcm, &aes->enc, aes->encrypt, len, dst, src);
}

static void do_gcm_tag(const struct aead_template *tmpl, union aead_state *state, size_t len,
		       uint8_t *ret)
{
	gcm_digest(&state->gcm, &tmpl->key.gcm, &tmpl->aes.enc, tmpl->aes.encrypt, len, ret);
}

const struct aead_alg aead_gcm = {GCM_BLOCK_SIZE, false,        do_gcm_fits, do_gcm_set,
				  do_gcm_start,   do_gcm_crypt, do_gcm_tag};

/* ---- CCM ------------------------------------------------------------------------------------- */

static bool do_ccm_fits(const struct kcf_param_aead *p, size_t tag_len, uint64_t total)
{
	size_t len_bytes = 15 - p->iv_len; /* of the length field */

	if (tag_len < 4 || tag_len > 16 || tag_len % 2 != 0)
		return false;
	if (p->iv_len < 7 || p->iv_len > 13)
		return false;
	return len_bytes >= sizeof(total) || total >> (8 * len_bytes) == 0;
}

static enum kcf_status do_ccm_set(struct aead_template *tmpl, const struct kcf_key_data *key)
{
	return aes_init(&tmpl->aes, key->bytes, key->len);
}

static void do_ccm_start(const struct aead_template *tmpl, union aead_state *state,
			 const struct kcf_param_aead *p, size_t total, size_t tag_len)
{
	const struct aes *aes = &tmpl->aes;

	ccm_set_nonce(&state->ccm, &aes->enc, aes->encrypt, p->iv_len, p->iv, p->aad_len, total,
		      tag_len);
	ccm_update(&state->ccm, &aes->enc, aes->encrypt, p->aad_len, p->aad);
}

static void do_ccm_crypt(const struct aead_template *tmpl, union aead_state *state, bool encrypt,
			 size_t len, uint8_t *dst, const uint8_t *src)
{
	const struct aes *aes = &tmpl->aes;

	if (encrypt)
		ccm_encrypt(&state->ccm, &aes->enc, aes->encrypt, len, dst, src);
	else
		ccm_decrypt(&state->ccm, &aes->enc, aes->encrypt, len, dst, src);
}

static void do_ccm_tag(const struct aead_template *tmpl, union aead_state *state, size_t len,
		       uint8_t *ret)
{
	ccm_digest(&state->ccm, &tmpl->aes.enc, tmpl->aes.encrypt, len, ret);
}

const struct aead_alg aead_ccm = {CCM_BLOCK_SIZE, true,         do_ccm_fits, do_ccm_set,
				  do_ccm_start,   do_ccm_crypt, do_ccm_tag};

/* ---- ChaCha20-Poly1305 ----------------------------------------------------------------------- */

#define CHACHA_TOTAL_MAX ((UINT64_C(1) << 38) - 64) /* the 32-bit block counter */

static bool do_chacha_fits(const struct kcf_param_aead *p, size_t tag_len, uint64_t total)
{
	return tag_len == 16 && p->iv_len == CHACHA_POLY1305_NONCE_SIZE &&
	       total <= CHACHA_TOTAL_MAX;
}

static enum kcf_status do_chacha_set(struct aead_template *tmpl, const struct kcf_key_data *key)
{
	if (key->len != CHACHA_POLY1305_KEY_SIZE)
		return KCF_KEY_SIZE_RANGE;
	chacha_poly1305_set_key(&tmpl->key.chacha, key->bytes);
	return KCF_SUCCESS;
}

static void do_chacha_start(const struct aead_template *tmpl, union aead_state *state,
			    const struct kcf_param_aead *p, size_t total, size_t tag_len)
{
	state->chacha = tmpl->key.chacha;
	chacha_poly1305_set_nonce(&state->chacha, p->iv);
	chacha_poly1305_update(&state->chacha, p->aad_len, p->aad);
}

static void do_chacha_crypt(const struct aead_template *tmpl, union aead_state *state, bool encrypt,
			    size_t len, uint8_t *dst, const uint8_t *src)
{
	if (encrypt)
		chacha_poly1305_encrypt(&state->chacha, len, dst, src);
	else
		chacha_poly1305_decrypt(&state->chacha, len, dst, src);
}

static void do_chacha_tag(const struct aead_template *tmpl, union aead_state *state, size_t len,
			  uint8_t *ret)
{
	chacha_poly1305_digest(&state->chacha, len, ret);
}

const struct aead_alg aead_chacha = {CHACHA_POLY1305_BLOCK_SIZE,
				     false,
				     do_chacha_fits,
				     do_chacha_set,
				     do_chacha_start,
				     do_chacha_crypt,
				     do_chacha_tag};
