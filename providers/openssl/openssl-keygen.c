/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key generation: secret bytes, RSA, EC, Ed25519/Ed448, X25519/X448; and, with a key given in the
 * template, its public half (KCF_OP_PUBLIC).
 *
 * Pairs come as PKCS#8 DER. The room is checked before anything is generated, against the longest
 * encoding such a key can have, so that no key is made and thrown away.
 *
 * Thread: any; a job has its own objects.
 */
#include <openssl/rand.h>
#include <openssl/x509.h>
#include "openssl-private.h"

#define RSA_MIN_BITS    2048
#define RSA_MAX_BITS    8192
#define SECRET_MAX_BITS 65536

struct pair_type {
	uint32_t curve;
	enum openssl_kind kind;
	const char *type, *group;
	size_t der_len;
};

static const struct pair_type pair_types[] = {
	{KCF_CURVE_P256, OPENSSL_KEYGEN_EC, "EC", "P-256", 138},
	{KCF_CURVE_P384, OPENSSL_KEYGEN_EC, "EC", "P-384", 185},
	{KCF_CURVE_P521, OPENSSL_KEYGEN_EC, "EC", "P-521", 241},
	{KCF_CURVE_ED25519, OPENSSL_KEYGEN_ED, "ED25519", NULL, 48},
	{KCF_CURVE_ED448, OPENSSL_KEYGEN_ED, "ED448", NULL, 73},
	{KCF_CURVE_X25519, OPENSSL_KEYGEN_X, "X25519", NULL, 48},
	{KCF_CURVE_X448, OPENSSL_KEYGEN_X, "X448", NULL, 72},
};

static enum kcf_status gen_secret(const struct openssl_tmpl *t, const struct kcf_param_keygen *p,
				  struct kcf_job *job)
{
	bool aes = t->spec->mech == KCF_M_AES_KEY_GEN;
	uint8_t key[SECRET_MAX_BITS / 8];
	enum kcf_status status;
	size_t len = p->bits / 8;

	if (aes ? p->bits != 128 && p->bits != 192 && p->bits != 256
		: p->bits < 8 || p->bits > SECRET_MAX_BITS || p->bits % 8)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room < len)
		return openssl_too_small(job, len);
	status = KCF_FAILED;
	if (RAND_priv_bytes_ex(t->prov->lib, key, len, 0) > 0)
		status = openssl_job_put(job, key, len);
	explicit_bzero(key, len);
	return status;
}

static enum kcf_status put_pkcs8(const EVP_PKEY *pair, struct kcf_job *job)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair);
	uint8_t *der = NULL;
	enum kcf_status status = KCF_FAILED;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

	if (len > 0) {
		status = openssl_job_put(job, der, len);
		OPENSSL_clear_free(der, len);
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return status;
}

static enum kcf_status gen_pair(const struct openssl_tmpl *t, const char *type, OSSL_PARAM *params,
				struct kcf_job *job)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(t->prov->lib, type, OPENSSL_PROPS);
	enum kcf_status status = KCF_FAILED;
	EVP_PKEY *pair = NULL;

	if (ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_params(ctx, params) > 0 &&
	    EVP_PKEY_generate(ctx, &pair) > 0)
		status = put_pkcs8(pair, job);
	EVP_PKEY_free(pair);
	EVP_PKEY_CTX_free(ctx);
	return status;
}

static enum kcf_status gen_rsa(const struct openssl_tmpl *t, const struct kcf_param_keygen *p,
			       struct kcf_job *job)
{
	unsigned bits = p->bits;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &bits),
		OSSL_PARAM_construct_end(),
	};
	size_t der_max = (size_t)bits / 8 * 9 / 2 + 80;

	if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS || bits % 256)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room < der_max)
		return openssl_too_small(job, der_max);
	return gen_pair(t, "RSA", params, job);
}

static enum kcf_status gen_curve(const struct openssl_tmpl *t, const struct kcf_param_keygen *p,
				 struct kcf_job *job)
{
	const struct pair_type *pt = NULL;
	OSSL_PARAM params[2], *q = params;

	for (size_t i = 0; i < sizeof(pair_types) / sizeof(pair_types[0]); i++)
		if (pair_types[i].curve == p->curve && pair_types[i].kind == t->spec->kind)
			pt = &pair_types[i];
	if (!pt)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room < pt->der_len)
		return openssl_too_small(job, pt->der_len);
	if (pt->group)
		*q++ = openssl_text(OSSL_PKEY_PARAM_GROUP_NAME, pt->group);
	*q = OSSL_PARAM_construct_end();
	return gen_pair(t, pt->type, params, job);
}

static enum kcf_status keygen_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	const struct kcf_param_keygen *p = job->param;

	if (job->op == KCF_OP_PUBLIC)
		return openssl_key_public(t, job);
	if (job->op != KCF_OP_KEYGEN)
		return KCF_MECH_NOT_SUPPORTED;
	if (!p)
		return KCF_MECHANISM_PARAM_INVALID;
	switch (t->spec->kind) {
	case OPENSSL_KEYGEN_SECRET:
		return gen_secret(t, p, job);
	case OPENSSL_KEYGEN_RSA:
		return gen_rsa(t, p, job);
	default:
		return gen_curve(t, p, job);
	}
}

static enum kcf_status keygen_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return key ? openssl_key_load(t, key) : KCF_SUCCESS;
}

static enum kcf_status keygen_state_new(struct openssl_tmpl *t, void **ret)
{
	*ret = t;
	return KCF_SUCCESS;
}

static void keygen_state_free(void *state)
{
}

const struct openssl_class openssl_keygen_class = {
	.tmpl_init = keygen_tmpl_init,
	.state_new = keygen_state_new,
	.state_free = keygen_state_free,
	.single = keygen_single,
};
