/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chacha: ChaCha20-Poly1305 (RFC 8439) as aead.h wants it.
 *
 * One message fills the vector units by itself, so there is no company to wait for. Short messages
 * go through a manager nevertheless: the library makes the first key stream there together with the
 * key of Poly1305, which saves a third of their time. Thread: any.
 */
#include "aead.h"

#include <string.h>

#define CHACHA_KEY_LEN   32
#define CHACHA_IV_LEN    12
#define CHACHA_TOTAL_MAX ((UINT64_C(1) << 38) - 64) /* the 32-bit block counter */

#define SHORT_MAX 2048 /* beyond it both ways take the same time */

struct chacha_template {
	struct object obj;
	struct mb *mb;
	size_t short_max;
	chacha_poly_init_t start;
	chacha_poly_enc_dec_update_t crypt[2]; /* [1] encrypts */
	chacha_poly_finalize_t finish;
	uint8_t key[CHACHA_KEY_LEN] __attribute__((aligned(64)));
};

static bool chacha_params_fit(const struct kcf_param_aead *p, size_t tag_len)
{
	return tag_len == AEAD_TAG_MAX && p->iv_len == CHACHA_IV_LEN;
}

static enum kcf_status chacha_template_new(struct mb *mb, const struct kcf_key_data *key,
					   void **ret)
{
	const IMB_MGR *m = mb->fns;
	struct chacha_template *t;

	if (key->len != CHACHA_KEY_LEN)
		return KCF_KEY_SIZE_RANGE;
	t = object_new(sizeof(*t), NULL);
	if (!t)
		return KCF_HOST_MEMORY;
	t->mb = mb;
	t->short_max = m->used_arch > IMB_ARCH_SSE ? SHORT_MAX : 0;
	t->start = m->chacha20_poly1305_init;
	t->crypt[0] = m->chacha20_poly1305_dec_update;
	t->crypt[1] = m->chacha20_poly1305_enc_update;
	t->finish = m->chacha20_poly1305_finalize;
	memcpy(t->key, key->bytes, sizeof(t->key));
	*ret = t;
	return KCF_SUCCESS;
}

static void chacha_start(const void *tmpl, union aead_state *state, const struct kcf_param_aead *p)
{
	const struct chacha_template *t = tmpl;

	t->start(t->key, &state->chacha, p->iv, p->aad, p->aad_len);
}

static void chacha_crypt(const void *tmpl, union aead_state *state, bool encrypt, size_t len,
			 uint8_t *dst, const uint8_t *src)
{
	const struct chacha_template *t = tmpl;

	t->crypt[encrypt](t->key, &state->chacha, dst, src, len);
}

static void chacha_finish(const void *tmpl, union aead_state *state, bool encrypt, uint8_t *tag)
{
	const struct chacha_template *t = tmpl;

	t->finish(&state->chacha, tag, AEAD_TAG_MAX);
}

/* false: there is no manager to be had. */
static bool whole_short(const struct chacha_template *t, bool encrypt,
			const struct kcf_param_aead *p, size_t len, uint8_t *dst,
			const uint8_t *src, uint8_t *tag)
{
	struct lanes *l = lanes_take(t->mb);
	IMB_JOB *j;

	if (unlikely(!l))
		return false;
	j = l->wide->get_next_job(l->wide);
	j->enc_keys = j->dec_keys = t->key;
	j->key_len_in_bytes = CHACHA_KEY_LEN;
	j->src = src;
	j->dst = dst;
	j->cipher_start_src_offset_in_bytes = j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = j->msg_len_to_hash_in_bytes = len;
	j->iv = p->iv;
	j->iv_len_in_bytes = CHACHA_IV_LEN;
	j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	j->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	j->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	j->u.CHACHA20_POLY1305.aad = p->aad;
	j->u.CHACHA20_POLY1305.aad_len_in_bytes = p->aad_len;
	j->auth_tag_output = tag;
	j->auth_tag_output_len_in_bytes = AEAD_TAG_MAX;
	j = l->wide->submit_job_nocheck(l->wide);
	lanes_give(t->mb, l);
	return j != NULL;
}

static void chacha_whole(const void *tmpl, bool encrypt, const struct kcf_param_aead *p, size_t len,
			 uint8_t *dst, const uint8_t *src, uint8_t *tag)
{
	const struct chacha_template *t = tmpl;
	union aead_state state;

	if (len <= t->short_max && likely(whole_short(t, encrypt, p, len, dst, src, tag)))
		return;
	chacha_start(tmpl, &state, p);
	chacha_crypt(tmpl, &state, encrypt, len, dst, src);
	chacha_finish(tmpl, &state, encrypt, tag);
	wipe_small(&state.chacha, sizeof(state.chacha));
}

const struct aead_alg aead_chacha = {chacha_params_fit, CHACHA_TOTAL_MAX, chacha_template_new,
				     chacha_whole,      chacha_start,     chacha_crypt,
				     chacha_finish};
