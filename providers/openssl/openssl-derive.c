/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key agreement: ECDH on named curves, X25519, X448, and Diffie-Hellman.
 *
 * The peer's value is checked before use: on the curve and in range (SP 800-56A 5.6.2.3), or not a
 * small order point for X25519 and X448, which shows as an all-zero secret (RFC 7748 6) and fails.
 * The secret of DH keeps its leading zeros (SP 800-56A 5.7.1.1).
 *
 * Thread: one per state; a state keeps one prepared EVP_PKEY_CTX.
 */
#include <stdlib.h>
#include <openssl/x509.h>
#include "openssl-private.h"

struct agree_state {
	EVP_PKEY_CTX *ctx;
};

static bool is_montgomery(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "X25519") || EVP_PKEY_is_a(key, "X448");
}

/* Bytes of a public value on the curve. */
static size_t encoded_len(const struct openssl_tmpl *t)
{
	return is_montgomery(t->priv) ? t->width : 2 * t->width + 1;
}

/* A public key with the template's parameters from its encoded value. */
static EVP_PKEY *peer_encoded(const struct openssl_tmpl *t, const uint8_t *value, size_t len)
{
	EVP_PKEY *peer = EVP_PKEY_new();

	if (peer && EVP_PKEY_copy_parameters(peer, t->priv) > 0 &&
	    EVP_PKEY_set1_encoded_public_key(peer, value, len) > 0)
		return peer;
	EVP_PKEY_free(peer);
	return NULL;
}

static EVP_PKEY *peer_key(const struct openssl_tmpl *t, const uint8_t *value, size_t len)
{
	struct openssl_prov *prov = t->prov;
	size_t head = t->key_len;
	uint8_t padded[OPENSSL_DH_MAX];

	/* libcrypto's decoder takes longer than the agreement; a key of the same curve differs from
	 * ours at the end only */
	if (head > 0 && len == head + encoded_len(t) && memcmp(value, t->key, head) == 0) {
		value += head;
		len -= head;
	}
	if (is_montgomery(t->priv)) {
		const char *type = EVP_PKEY_is_a(t->priv, "X25519") ? "X25519" : "X448";

		if (len == t->width)
			return EVP_PKEY_new_raw_public_key_ex(prov->lib, type, OPENSSL_PROPS, value,
							      len);
	} else if (EVP_PKEY_is_a(t->priv, "EC")) {
		if (len == encoded_len(t) && value[0] == 0x04)
			return peer_encoded(t, value, len);
	} else if (len <= t->width) {
		memset(padded, 0, t->width - len);
		memcpy(padded + t->width - len, value, len);
		return peer_encoded(t, padded, t->width);
	}
	return openssl_key_spki(prov, value, len);
}

/* The quick check is complete for curves of cofactor 1; DH also needs the order looked at. */
static bool peer_ok(const struct openssl_tmpl *t, EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx;
	int explicit_params = 0;
	bool ok;

	if (is_montgomery(t->priv))
		return EVP_PKEY_get_bits(peer) == EVP_PKEY_get_bits(t->priv) && is_montgomery(peer);
	/* explicit parameters may differ in what the comparison does not see */
	EVP_PKEY_get_int_param(peer, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
			       &explicit_params);
	if (explicit_params || EVP_PKEY_parameters_eq(peer, t->priv) != 1)
		return false;
	ctx = EVP_PKEY_CTX_new_from_pkey(t->prov->lib, peer, OPENSSL_PROPS);
	if (!ctx)
		return false;
	ok = (EVP_PKEY_is_a(t->priv, "EC") ? EVP_PKEY_public_check_quick(ctx)
					   : EVP_PKEY_public_check(ctx)) > 0;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static enum kcf_status prepare(struct openssl_tmpl *t, struct agree_state *s)
{
	unsigned pad = 1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad),
		OSSL_PARAM_construct_end(),
	};
	bool dh = t->spec->kind == OPENSSL_DH;

	if (s->ctx)
		return KCF_SUCCESS;
	s->ctx = EVP_PKEY_CTX_new_from_pkey(t->prov->lib, t->priv, OPENSSL_PROPS);
	if (s->ctx && EVP_PKEY_derive_init_ex(s->ctx, dh ? params : NULL) > 0)
		return KCF_SUCCESS;
	EVP_PKEY_CTX_free(s->ctx);
	s->ctx = NULL;
	return KCF_FAILED;
}

static enum kcf_status agree(struct openssl_tmpl *t, struct agree_state *s, EVP_PKEY *peer,
			     struct kcf_job *job)
{
	struct openssl_flat secret;
	enum kcf_status status;
	size_t len = t->width;

	if (!peer_ok(t, peer))
		return KCF_MECHANISM_PARAM_INVALID;
	status = prepare(t, s);
	if (status == KCF_SUCCESS)
		status = openssl_flat_new(&secret, t->width);
	if (status != KCF_SUCCESS)
		return status;
	if (EVP_PKEY_derive_set_peer_ex(s->ctx, peer, 0) > 0 &&
	    EVP_PKEY_derive(s->ctx, secret.p, &len) > 0)
		status = openssl_job_put(job, secret.p, len);
	else
		status = KCF_FAILED;
	openssl_flat_close(&secret);
	return status;
}

static enum kcf_status agree_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	const struct kcf_param_ecdh *param = job->param;
	enum kcf_status status;
	EVP_PKEY *peer;

	if (job->op == KCF_OP_PUBLIC)
		return openssl_key_public(t, job);
	if (job->op != KCF_OP_DERIVE)
		return KCF_MECH_NOT_SUPPORTED;
	if (!t->priv)
		return KCF_KEY_TYPE_INCONSISTENT;
	if (!param || !param->peer || param->peer_len == 0)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room < t->width)
		return openssl_too_small(job, t->width);
	peer = peer_key(t, param->peer, param->peer_len);
	if (!peer)
		return KCF_MECHANISM_PARAM_INVALID;
	status = agree(t, state, peer, job);
	EVP_PKEY_free(peer);
	return status;
}

/* The template's key bytes: what SubjectPublicKeyInfo of this curve starts with. */
static void keep_spki_head(struct openssl_tmpl *t)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(t->priv, &der);

	if (len > 0 && (size_t)len > encoded_len(t)) {
		t->key_len = len - encoded_len(t);
		t->key = malloc(t->key_len);
		if (t->key)
			memcpy(t->key, der, t->key_len);
		else
			t->key_len = 0;
	}
	OPENSSL_free(der);
}

static enum kcf_status agree_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	enum kcf_status status = openssl_key_load(t, key);

	if (status == KCF_SUCCESS && t->priv && t->spec->kind == OPENSSL_ECDH)
		keep_spki_head(t);
	return status;
}

static void agree_state_free(void *arg)
{
	struct agree_state *s = arg;

	if (s)
		EVP_PKEY_CTX_free(s->ctx);
	free(s);
}

static enum kcf_status agree_state_new(struct openssl_tmpl *t, void **ret)
{
	*ret = calloc(1, sizeof(struct agree_state));
	return *ret ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

const struct openssl_class openssl_agree_class = {
	.tmpl_init = agree_tmpl_init,
	.state_new = agree_state_new,
	.state_free = agree_state_free,
	.single = agree_single,
};
