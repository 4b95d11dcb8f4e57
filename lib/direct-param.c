/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-param - is a parameter structure what its kind says?
 *
 * Shapes only: sizes, pointers with lengths, flags that exist. Values are the provider's. kcfd
 * checks the same when a parameter arrives as a message. Pure functions, any thread.
 */
#include "direct-private.h"

static bool mac_ok(const struct kcf_param_mac *m)
{
	return param_bytes_ok(m->iv, m->iv_len) && param_bytes_ok(m->custom, m->custom_len);
}

static bool sign_ok(const struct kcf_param_sign *s)
{
	return param_bytes_ok(s->context, s->context_len) &&
	       !(s->flags & ~(KCF_SIG_DER | KCF_SIG_PREHASH));
}

static bool hkdf_ok(const struct kcf_param_hkdf *h)
{
	return param_bytes_ok(h->salt, h->salt_len) && param_bytes_ok(h->info, h->info_len) &&
	       !(h->flags & ~(KCF_HKDF_EXTRACT | KCF_HKDF_EXPAND));
}

static bool kbkdf_ok(const struct kcf_param_kbkdf *k)
{
	return param_bytes_ok(k->label, k->label_len) &&
	       param_bytes_ok(k->context, k->context_len) && param_bytes_ok(k->seed, k->seed_len) &&
	       !(k->flags & ~(KCF_KBKDF_FEEDBACK | KCF_KBKDF_NO_L | KCF_KBKDF_NO_SEPARATOR));
}

static bool contents_ok(enum kcf_param_kind kind, const void *param)
{
	const struct kcf_param_iv *iv = param;
	const struct kcf_param_rsa_oaep *oaep = param;
	const struct kcf_param_ecdh *ecdh = param;
	const struct kcf_param_pbkdf2 *pbkdf2 = param;
	const struct kcf_param_scrypt *scrypt = param;

	switch (kind) {
	case KCF_PARAM_IV:
		return param_bytes_ok(iv->iv, iv->iv_len);
	case KCF_PARAM_AEAD:
		return param_aead_ok(param);
	case KCF_PARAM_MAC:
		return mac_ok(param);
	case KCF_PARAM_RSA_OAEP:
		return param_bytes_ok(oaep->label, oaep->label_len);
	case KCF_PARAM_SIGN:
		return sign_ok(param);
	case KCF_PARAM_ECDH:
		return param_bytes_ok(ecdh->peer, ecdh->peer_len);
	case KCF_PARAM_HKDF:
		return hkdf_ok(param);
	case KCF_PARAM_PBKDF2:
		return param_bytes_ok(pbkdf2->salt, pbkdf2->salt_len);
	case KCF_PARAM_KBKDF:
		return kbkdf_ok(param);
	case KCF_PARAM_SCRYPT:
		return param_bytes_ok(scrypt->salt, scrypt->salt_len);
	default: /* no byte strings inside */
		return true;
	}
}

bool direct_param_ok(enum kcf_param_kind kind, const void *param, uint32_t param_len)
{
	if (!param || kind == KCF_PARAM_NONE)
		return !param && !param_len && param_is_optional(kind);
	return param_len == param_size(kind) && contents_ok(kind, param);
}
