/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What single-part and multi-part AEAD share. Thread: one per state.
 */
#ifndef KCF_OPENSSL_AEAD_H
#define KCF_OPENSSL_AEAD_H

#include "openssl-private.h"

#define OPENSSL_AEAD_IV_MAX 128

struct openssl_aead_state {
	struct openssl_tmpl *tmpl;
	void *ctx[2]; /* [1] decrypts; made at first use */
	size_t iv_len[2], tag_len[2];
	OSSL_PARAM tag[2][2];
};

/* The function that takes data. The one-shot function of OCB does not set the IV, and that of CCM
 * takes no length ahead. */
static inline OSSL_FUNC_cipher_update_fn *openssl_aead_fn(const struct openssl_aead_state *s)
{
	const struct openssl_cipher_fns *f = &s->tmpl->fns.cipher;
	enum openssl_kind kind = s->tmpl->spec->kind;

	return kind == OPENSSL_OCB || kind == OPENSSL_CCM ? f->update : f->cipher;
}

/* Checks lengths of IV, tag and data. */
enum kcf_status openssl_aead_params(const struct openssl_tmpl *t, const struct kcf_param_aead *p,
				    size_t *ret_tag_len);
enum kcf_status openssl_aead_data_len(const struct openssl_tmpl *t, size_t iv_len, uint64_t len,
				      bool dec);

/* start, aad, run, then seal; CCM only through encrypt and decrypt. */
enum kcf_status openssl_aead_start(struct openssl_aead_state *s, bool dec, const uint8_t *iv,
				   size_t iv_len, size_t tag_len);
bool openssl_aead_aad(struct openssl_aead_state *s, bool dec, const uint8_t *aad, size_t len);
/* The first len bytes of the job's input. */
bool openssl_aead_run(struct openssl_aead_state *s, bool dec, const struct kcf_job *job,
		      struct openssl_pos *out, size_t len);
/* Puts out the end of the ciphertext and the tag. */
enum kcf_status openssl_aead_seal(struct openssl_aead_state *s, struct openssl_pos *out);

/* A whole message; parameters were checked. */
enum kcf_status openssl_aead_encrypt(struct openssl_aead_state *s, const struct kcf_param_aead *p,
				     size_t tag_len, struct kcf_job *job);
enum kcf_status openssl_aead_decrypt(struct openssl_aead_state *s, const struct kcf_param_aead *p,
				     size_t tag_len, struct kcf_job *job);

enum kcf_status openssl_aead_ctx_init(struct openssl_ctx *c, struct kcf_job *job);
enum kcf_status openssl_aead_ctx_update(struct openssl_ctx *c, struct kcf_job *job);
enum kcf_status openssl_aead_ctx_final(struct openssl_ctx *c, struct kcf_job *job);
void openssl_aead_ctx_data_free(struct openssl_ctx *c);

#endif
