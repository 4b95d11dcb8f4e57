/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asymmetric keys: PKCS#8, SubjectPublicKeyInfo and raw X and Ed keys, checked against their row.
 *
 * DER must be the whole input, exactly. A private key also serves as the public one. Raw Ed bytes
 * may be either half: only the operation tells. libcrypto does not wipe public keys, so that reading
 * is made only where a signature is verified. EC keys are of named curves; explicit parameters are
 * refused.
 *
 * Thread: any; the keys are immutable afterwards.
 */
#include <openssl/x509.h>
#include "openssl-private.h"

static const char *const curves[] = {
	"P-224",           "P-256",           "P-384",           "P-521",     "prime256v1",
	"secp224r1",       "secp256k1",       "secp384r1",       "secp521r1", "brainpoolP256r1",
	"brainpoolP320r1", "brainpoolP384r1", "brainpoolP512r1",
};

static EVP_PKEY *load_pkcs8(struct openssl_prov *prov, const uint8_t *der, size_t len)
{
	const uint8_t *p = der;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
	EVP_PKEY *key = NULL;

	if (info && p == der + len)
		key = EVP_PKCS82PKEY_ex(info, prov->lib, OPENSSL_PROPS);
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

EVP_PKEY *openssl_key_spki(struct openssl_prov *prov, const uint8_t *der, size_t len)
{
	const uint8_t *p = der;
	EVP_PKEY *key;

	if (len == 0 || len > OPENSSL_KEY_DER_MAX)
		return NULL;
	key = d2i_PUBKEY_ex(NULL, &p, (long)len, prov->lib, OPENSSL_PROPS);
	if (key && p != der + len) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* The libcrypto names that raw bytes of this length may have in this row. */
static const char *raw_type(const struct openssl_spec *spec, size_t len)
{
	bool ed = spec->kind == OPENSSL_EDDSA || spec->kind == OPENSSL_KEYGEN_ED;
	bool x = spec->kind == OPENSSL_ECDH || spec->kind == OPENSSL_KEYGEN_X;

	if (ed)
		return len == 32 ? "ED25519" : len == 57 ? "ED448" : NULL;
	if (x)
		return len == 32 ? "X25519" : len == 56 ? "X448" : NULL;
	return NULL;
}

static enum kcf_status load_raw(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	const char *type = raw_type(t->spec, key->len);

	if (!raw_type(t->spec, 32))
		return KCF_KEY_TYPE_INCONSISTENT;
	if (!type)
		return KCF_KEY_SIZE_RANGE;
	t->priv = EVP_PKEY_new_raw_private_key_ex(t->prov->lib, type, OPENSSL_PROPS, key->bytes,
						  key->len);
	if (!t->priv)
		return KCF_FAILED;
	return t->spec->kind == OPENSSL_EDDSA ? openssl_tmpl_raw_key(t, key) : KCF_SUCCESS;
}

EVP_PKEY *openssl_key_verifying(const struct openssl_tmpl *t)
{
	if (t->pub)
		return EVP_PKEY_up_ref(t->pub) ? t->pub : NULL;
	return EVP_PKEY_new_raw_public_key_ex(t->prov->lib, raw_type(t->spec, t->key_len),
					      OPENSSL_PROPS, t->key, t->key_len);
}

static bool is_any(const EVP_PKEY *key, const char *a, const char *b)
{
	return EVP_PKEY_is_a(key, a) || (b && EVP_PKEY_is_a(key, b));
}

static bool type_fits(const struct openssl_spec *spec, const EVP_PKEY *key)
{
	switch (spec->kind) {
	case OPENSSL_RSA_PKCS1:
	case OPENSSL_RSA_OAEP:
		return EVP_PKEY_is_a(key, "RSA");
	case OPENSSL_RSA_PSS:
	case OPENSSL_KEYGEN_RSA:
		return is_any(key, "RSA", "RSA-PSS");
	case OPENSSL_ECDSA:
	case OPENSSL_KEYGEN_EC:
		return EVP_PKEY_is_a(key, "EC");
	case OPENSSL_EDDSA:
	case OPENSSL_KEYGEN_ED:
		return is_any(key, "ED25519", "ED448");
	case OPENSSL_ECDH:
		return EVP_PKEY_is_a(key, "EC") || is_any(key, "X25519", "X448");
	case OPENSSL_KEYGEN_X:
		return is_any(key, "X25519", "X448");
	case OPENSSL_DSA:
		return EVP_PKEY_is_a(key, "DSA");
	case OPENSSL_DH:
		return is_any(key, "DH", "DHX");
	default:
		return false;
	}
}

static enum kcf_status check_curve(const EVP_PKEY *key)
{
	char name[64];
	int explicit_params = 0;

	EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
			       &explicit_params);
	if (explicit_params || !EVP_PKEY_get_group_name(key, name, sizeof(name), NULL))
		return KCF_KEY_TYPE_INCONSISTENT;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (OPENSSL_strcasecmp(name, curves[i]) == 0)
			return KCF_SUCCESS;
	return KCF_KEY_SIZE_RANGE;
}

/* Bytes of s in a DSA signature. */
static unsigned dsa_width(const EVP_PKEY *key)
{
	BIGNUM *q = NULL;
	unsigned width = 0;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_FFC_Q, &q))
		width = BN_num_bytes(q);
	BN_free(q);
	return width;
}

static enum kcf_status check_size(struct openssl_tmpl *t, EVP_PKEY *key)
{
	t->bits = EVP_PKEY_get_bits(key);
	t->width = EVP_PKEY_is_a(key, "DSA") ? dsa_width(key) : (t->bits + 7) / 8;
	/* keys of key generation rows come to have their public half told only */
	if (t->spec->cls != &openssl_keygen_class &&
	    (t->bits < t->row->key_min_bits || t->bits > t->row->key_max_bits))
		return KCF_KEY_SIZE_RANGE;
	return EVP_PKEY_is_a(key, "EC") ? check_curve(key) : KCF_SUCCESS;
}

enum kcf_status openssl_key_load(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	EVP_PKEY *any;
	enum kcf_status status = KCF_SUCCESS;

	if (!key || key->len == 0 || key->len > OPENSSL_KEY_DER_MAX)
		return key ? KCF_KEY_SIZE_RANGE : KCF_KEY_TYPE_INCONSISTENT;
	if (key->format == KCF_KEY_RAW)
		status = load_raw(t, key);
	else if (key->format == KCF_KEY_PKCS8)
		t->priv = load_pkcs8(t->prov, key->bytes, key->len);
	else if (key->format == KCF_KEY_SPKI)
		t->pub = openssl_key_spki(t->prov, key->bytes, key->len);
	if (status != KCF_SUCCESS)
		return status;
	any = t->priv ? t->priv : t->pub;
	if (!any || !type_fits(t->spec, any))
		return KCF_KEY_TYPE_INCONSISTENT;
	if (!t->pub && !t->key && EVP_PKEY_up_ref(t->priv))
		t->pub = t->priv;
	return check_size(t, any);
}

enum kcf_status openssl_key_public(struct openssl_tmpl *t, struct kcf_job *job)
{
	EVP_PKEY *key = t->priv ? t->priv : t->pub;
	uint8_t *der = NULL;
	enum kcf_status status;
	int len;

	if (!key)
		return KCF_KEY_TYPE_INCONSISTENT;
	len = i2d_PUBKEY(key, &der);
	if (len <= 0)
		return KCF_FAILED;
	status = openssl_job_put(job, der, len);
	OPENSSL_free(der);
	return status;
}
