/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm: AES-GCM (SP 800-38D) as aead.h wants it, by the library's direct functions.
 *
 * A template is the expanded key with the powers of the hash key; a message's state is on the
 * stack. Lanes would gain nothing: one message fills the vector units by itself. Thread: any.
 */
#include "aead.h"

#define GCM_IV_LEN    12
#define GCM_TOTAL_MAX ((UINT64_C(1) << 36) - 32)

struct gcm_fns {
	aes_gcm_enc_dec_t whole[2]; /* [1] encrypts */
	aes_gcm_init_var_iv_t start;
	aes_gcm_enc_dec_update_t crypt[2];
	aes_gcm_enc_dec_finalize_t finish[2];
};

struct gcm_template {
	struct object obj;
	struct gcm_fns fns;
	struct gcm_key_data key __attribute__((aligned(64)));
};

static bool gcm_params_fit(const struct kcf_param_aead *p, size_t tag_len)
{
	return (tag_len >= 12 || tag_len == 8 || tag_len == 4) && tag_len <= 16 && p->iv_len > 0;
}

static void fns_128(const IMB_MGR *m, struct gcm_fns *f)
{
	*f = (struct gcm_fns){{m->gcm128_dec, m->gcm128_enc},
			      m->gcm128_init_var_iv,
			      {m->gcm128_dec_update, m->gcm128_enc_update},
			      {m->gcm128_dec_finalize, m->gcm128_enc_finalize}};
}

static void fns_192(const IMB_MGR *m, struct gcm_fns *f)
{
	*f = (struct gcm_fns){{m->gcm192_dec, m->gcm192_enc},
			      m->gcm192_init_var_iv,
			      {m->gcm192_dec_update, m->gcm192_enc_update},
			      {m->gcm192_dec_finalize, m->gcm192_enc_finalize}};
}

static void fns_256(const IMB_MGR *m, struct gcm_fns *f)
{
	*f = (struct gcm_fns){{m->gcm256_dec, m->gcm256_enc},
			      m->gcm256_init_var_iv,
			      {m->gcm256_dec_update, m->gcm256_enc_update},
			      {m->gcm256_dec_finalize, m->gcm256_enc_finalize}};
}

bool gcm_key_init(const IMB_MGR *m, const struct kcf_key_data *key, struct gcm_key_data *ret)
{
	switch (key->len) {
	case 16:
		m->gcm128_pre(key->bytes, ret);
		return true;
	case 24:
		m->gcm192_pre(key->bytes, ret);
		return true;
	case 32:
		m->gcm256_pre(key->bytes, ret);
		return true;
	default:
		return false;
	}
}

static enum kcf_status gcm_template_new(struct mb *mb, const struct kcf_key_data *key, void **ret)
{
	struct gcm_template *t = object_new(sizeof(*t), NULL);

	if (!t)
		return KCF_HOST_MEMORY;
	if (!gcm_key_init(mb->fns, key, &t->key)) {
		object_free(t);
		return KCF_KEY_SIZE_RANGE;
	}
	if (key->len == 16)
		fns_128(mb->fns, &t->fns);
	else if (key->len == 24)
		fns_192(mb->fns, &t->fns);
	else
		fns_256(mb->fns, &t->fns);
	*ret = t;
	return KCF_SUCCESS;
}

static void gcm_start(const void *tmpl, union aead_state *state, const struct kcf_param_aead *p)
{
	const struct gcm_template *t = tmpl;

	t->fns.start(&t->key, &state->gcm, p->iv, p->iv_len, p->aad, p->aad_len);
}

static void gcm_crypt(const void *tmpl, union aead_state *state, bool encrypt, size_t len,
		      uint8_t *dst, const uint8_t *src)
{
	const struct gcm_template *t = tmpl;

	t->fns.crypt[encrypt](&t->key, &state->gcm, dst, src, len);
}

static void gcm_finish(const void *tmpl, union aead_state *state, bool encrypt, uint8_t *tag)
{
	const struct gcm_template *t = tmpl;

	t->fns.finish[encrypt](&t->key, &state->gcm, tag, AEAD_TAG_MAX);
}

static void gcm_whole(const void *tmpl, bool encrypt, const struct kcf_param_aead *p, size_t len,
		      uint8_t *dst, const uint8_t *src, uint8_t *tag)
{
	const struct gcm_template *t = tmpl;
	union aead_state state;

	if (likely(p->iv_len == GCM_IV_LEN)) {
		t->fns.whole[encrypt](&t->key, &state.gcm, dst, src, len, p->iv, p->aad, p->aad_len,
				      tag, AEAD_TAG_MAX);
	} else {
		gcm_start(t, &state, p);
		gcm_crypt(t, &state, encrypt, len, dst, src);
		gcm_finish(t, &state, encrypt, tag);
	}
	wipe_small(&state.gcm, sizeof(state.gcm));
}

const struct aead_alg aead_gcm = {gcm_params_fit, GCM_TOTAL_MAX, gcm_template_new, gcm_whole,
				  gcm_start,      gcm_crypt,     gcm_finish};
