/* SPDX-License-Identifier: Apache-2.0 */
/* speed-evp-sign - signatures with libcrypto; the digest is part of the operation. */
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "speed-evp.h"

#define ECDSA_DER_MAX 72u

struct sign_key {
	unsigned char *der;
	size_t len;
};

static struct sign_key rsa_keys[SPEED_SIGN_KEYS], ecdsa_keys[SPEED_SIGN_KEYS];

static bool make_key(enum speed_work_kind work, struct sign_key *k)
{
	EVP_PKEY *pkey = work == SPEED_RSA_SIGN ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	PKCS8_PRIV_KEY_INFO *info = pkey ? EVP_PKEY2PKCS8(pkey) : NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &k->der) : 0;

	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(pkey);
	k->len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

bool speed_evp_sign_key(enum speed_work_kind work, unsigned i, const unsigned char **ret,
			size_t *ret_len)
{
	struct sign_key *k = work == SPEED_RSA_SIGN ? &rsa_keys[i % SPEED_SIGN_KEYS]
						    : &ecdsa_keys[i % SPEED_SIGN_KEYS];

	if (!k->der && !make_key(work, k))
		return false;
	*ret = k->der;
	*ret_len = k->len;
	return true;
}

static bool digest(struct speed_evp *e, const unsigned char *in, unsigned char ret[32])
{
	unsigned len = 0;

	return EVP_DigestInit_ex2(e->hash, e->sha256, NULL) &&
	       EVP_DigestUpdate(e->hash, in, e->size) && EVP_DigestFinal_ex(e->hash, ret, &len);
}

static bool sign(struct speed_evp *e, uint64_t n, const unsigned char *in, unsigned char *out)
{
	EVP_PKEY_CTX *ctx = e->signers[n % SPEED_TEMPLATES];
	unsigned char hash[32], der[ECDSA_DER_MAX];
	bool rsa = e->work == SPEED_RSA_SIGN;
	size_t len = rsa ? SPEED_RSA_OUT : sizeof(der);

	if (!digest(e, in, hash) ||
	    EVP_PKEY_sign(ctx, rsa ? out : der, &len, hash, sizeof(hash)) <= 0)
		return false;
	/* Of ECDSA's DER as many bytes as kcf's r||s has: they are only read. */
	if (!rsa)
		memcpy(out, der, SPEED_ECDSA_OUT);
	return true;
}

static EVP_PKEY *parse_key(enum speed_work_kind work, unsigned i)
{
	const unsigned char *der;
	size_t len;

	return speed_evp_sign_key(work, i, &der, &len) ? d2i_AutoPrivateKey(NULL, &der, (long)len)
						       : NULL;
}

/* A context that signs with key i, or verifies. */
static EVP_PKEY_CTX *new_context(const struct speed_evp *e, unsigned i, bool verify)
{
	EVP_PKEY *pkey = parse_key(e->work, i);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
	bool ok;

	EVP_PKEY_free(pkey);
	ok = ctx && (verify ? EVP_PKEY_verify_init(ctx) : EVP_PKEY_sign_init(ctx)) > 0 &&
	     (e->work != SPEED_RSA_SIGN ||
	      EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0) &&
	     EVP_PKEY_CTX_set_signature_md(ctx, e->sha256) > 0;
	if (ok)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

bool speed_evp_sign_open(struct speed_evp *e)
{
	bool ok;

	e->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	e->hash = EVP_MD_CTX_new();
	e->operate = sign;
	ok = e->sha256 && e->hash;
	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		e->signers[i] = new_context(e, i, false);
		ok = e->signers[i] != NULL;
	}
	return ok;
}

/* r||s as DER; 0 if it cannot be. */
static size_t ecdsa_der(const unsigned char *out, unsigned char *ret)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(out, SPEED_ECDSA_OUT / 2, NULL);
	BIGNUM *s = BN_bin2bn(out + SPEED_ECDSA_OUT / 2, SPEED_ECDSA_OUT / 2, NULL);
	int len = 0;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
		len = i2d_ECDSA_SIG(sig, &ret);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}

bool speed_evp_verify(struct speed_evp *e, uint64_t n, const unsigned char *in,
		      const unsigned char *out)
{
	EVP_PKEY_CTX *ctx = new_context(e, (unsigned)(n % SPEED_TEMPLATES), true);
	unsigned char hash[32], der[ECDSA_DER_MAX];
	const unsigned char *sig = out;
	size_t len = SPEED_RSA_OUT;
	bool ok;

	if (e->work == SPEED_ECDSA_SIGN) {
		sig = der;
		len = ecdsa_der(out, der);
	}
	ok = ctx && len && digest(e, in, hash) &&
	     EVP_PKEY_verify(ctx, sig, len, hash, sizeof(hash)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}
