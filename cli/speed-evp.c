/* SPDX-License-Identifier: Apache-2.0 */
/* speed-evp - symmetric work with libcrypto. */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "speed-evp.h"

/* ---- AES-256-GCM ---- */

static bool gcm_encrypt(struct speed_evp *e, uint64_t n, const unsigned char *in,
			unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = e->ciphers[n % SPEED_TEMPLATES];
	unsigned char iv[SPEED_IV_LEN];
	int len = 0, rest = 0;

	speed_iv(iv, n);
	return EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL) &&
	       EVP_EncryptUpdate(ctx, out, &len, in, (int)e->size) &&
	       EVP_EncryptFinal_ex(ctx, out + len, &rest) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SPEED_TAG_LEN, out + e->size);
}

static bool gcm_decrypt(struct speed_evp *e, uint64_t n, const unsigned char *in,
			unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = e->ciphers[n % SPEED_TEMPLATES];
	unsigned char iv[SPEED_IV_LEN];
	int len = 0, rest = 0;

	speed_iv(iv, speed_seed(SPEED_GCM_DEC, n));
	return EVP_DecryptInit_ex2(ctx, NULL, NULL, iv, NULL) &&
	       EVP_DecryptUpdate(ctx, out, &len, in, (int)e->size) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SPEED_TAG_LEN,
				   (void *)(in + e->size)) &&
	       EVP_DecryptFinal_ex(ctx, out + len, &rest) > 0;
}

/* ---- AES-128-CBC ---- */

static bool cbc_run(struct speed_evp *e, uint64_t n, const unsigned char *in, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = e->ciphers[n % SPEED_TEMPLATES];
	unsigned char iv[SPEED_IV_LEN];
	int len = 0, rest = 0;

	speed_iv(iv, speed_seed(e->work, n));
	return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) &&
	       EVP_CipherUpdate(ctx, out, &len, in, (int)e->size) &&
	       EVP_CipherFinal_ex(ctx, out + len, &rest);
}

/* ---- HMAC-SHA-256 ---- */

static bool hmac_of(struct speed_evp *e, uint64_t n, const unsigned char *in, unsigned char *mac)
{
	EVP_MAC_CTX *ctx = e->macs[n % SPEED_TEMPLATES];
	size_t len = 0;

	return EVP_MAC_init(ctx, NULL, 0, NULL) && EVP_MAC_update(ctx, in, e->size) &&
	       EVP_MAC_final(ctx, mac, &len, SPEED_MAC_LEN) && len == SPEED_MAC_LEN;
}

/* ---- both ---- */

static bool dual_encrypt(struct speed_evp *e, uint64_t n, const unsigned char *in,
			 unsigned char *out)
{
	return cbc_run(e, n, in, out) && hmac_of(e, n, out, out + e->size);
}

static bool dual_decrypt(struct speed_evp *e, uint64_t n, const unsigned char *in,
			 unsigned char *out)
{
	unsigned char mac[SPEED_MAC_LEN];

	return hmac_of(e, n, in, mac) && !CRYPTO_memcmp(mac, in + e->size, sizeof(mac)) &&
	       cbc_run(e, n, in, out);
}

/* ---- contexts ---- */

static bool prepare_ciphers(struct speed_evp *e, const char *name, int encrypt)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	unsigned no = 0;
	/* Not EVP_CIPHER_CTX_set_padding: what that sets is set again at every operation. */
	OSSL_PARAM unpadded[] = {OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_PADDING, &no),
				 OSSL_PARAM_construct_end()};
	bool ok = cipher != NULL;

	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[32];

		speed_key(key, sizeof(key), i);
		e->ciphers[i] = EVP_CIPHER_CTX_new();
		ok = e->ciphers[i] &&
		     EVP_CipherInit_ex2(e->ciphers[i], cipher, key, NULL, encrypt, NULL) &&
		     EVP_CIPHER_CTX_set_params(e->ciphers[i], unpadded);
	}
	EVP_CIPHER_free(cipher);
	return ok;
}

static bool prepare_macs(struct speed_evp *e, unsigned first_key)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA2-256", 0),
		OSSL_PARAM_construct_end()};
	bool ok = hmac != NULL;

	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[SPEED_MAC_LEN];

		speed_key(key, sizeof(key), first_key + i);
		e->macs[i] = EVP_MAC_CTX_new(hmac);
		ok = e->macs[i] && EVP_MAC_init(e->macs[i], key, sizeof(key), params);
	}
	EVP_MAC_free(hmac);
	return ok;
}

bool speed_evp_open(struct speed_evp *e, enum speed_work_kind work, size_t size)
{
	memset(e, 0, sizeof(*e));
	e->work = work;
	e->size = size;
	switch (work) {
	case SPEED_GCM_ENC:
		e->operate = gcm_encrypt;
		return prepare_ciphers(e, "AES-256-GCM", 1);
	case SPEED_GCM_DEC:
		e->operate = gcm_decrypt;
		return prepare_ciphers(e, "AES-256-GCM", 0);
	case SPEED_CBC_ENC:
	case SPEED_CBC_DEC:
		e->operate = cbc_run;
		return prepare_ciphers(e, "AES-128-CBC", work == SPEED_CBC_ENC);
	case SPEED_HMAC:
		e->operate = hmac_of;
		return prepare_macs(e, 0);
	case SPEED_DUAL_ENC:
	case SPEED_DUAL_DEC:
		e->operate = work == SPEED_DUAL_ENC ? dual_encrypt : dual_decrypt;
		return prepare_ciphers(e, "AES-128-CBC", work == SPEED_DUAL_ENC) &&
		       prepare_macs(e, SPEED_MAC_KEYS);
	default:
		return speed_evp_sign_open(e);
	}
}

static void free_ciphers(struct speed_evp *e)
{
	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		EVP_CIPHER_CTX_free(e->ciphers[i]);
		e->ciphers[i] = NULL;
	}
}

void speed_evp_close(struct speed_evp *e)
{
	free_ciphers(e);
	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		EVP_MAC_CTX_free(e->macs[i]);
		EVP_PKEY_CTX_free(e->signers[i]);
	}
	EVP_MD_CTX_free(e->hash);
	EVP_MD_free(e->sha256);
}

/* ---- TLS's stitched cipher ---- */

#define TLS_AAD_LEN 13

static bool stitched_run(struct speed_evp *e, uint64_t n, const unsigned char *in,
			 unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = e->ciphers[n % SPEED_TEMPLATES];
	unsigned char iv[SPEED_IV_LEN];
	/* sequence number, type, version 1.0 (no IV in the record), length */
	unsigned char aad[TLS_AAD_LEN] = {
		[8] = 23, 3, 1, (unsigned char)(e->size >> 8), (unsigned char)e->size};
	int more;

	speed_iv(iv, n);
	memcpy(aad, &n, sizeof(n));
	if (!EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL))
		return false;
	more = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_TLS1_AAD, sizeof(aad), aad);
	return more > 0 && more <= (int)SPEED_STITCHED_MORE &&
	       EVP_Cipher(ctx, out, in, (unsigned)(e->size + (size_t)more)) > 0;
}

bool speed_evp_stitch(struct speed_evp *e)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC-HMAC-SHA256", NULL);
	bool ok = cipher && e->size <= UINT16_MAX - SPEED_STITCHED_MORE;

	if (!ok) {
		EVP_CIPHER_free(cipher);
		return false;
	}
	free_ciphers(e);
	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[SPEED_MAC_LEN];

		speed_key(key, sizeof(key), i);
		e->ciphers[i] = EVP_CIPHER_CTX_new();
		ok = e->ciphers[i] && EVP_EncryptInit_ex2(e->ciphers[i], cipher, key, NULL, NULL);
		speed_key(key, sizeof(key), SPEED_MAC_KEYS + i);
		ok = ok && EVP_CIPHER_CTX_ctrl(e->ciphers[i], EVP_CTRL_AEAD_SET_MAC_KEY,
					       sizeof(key), key) > 0;
	}
	EVP_CIPHER_free(cipher);
	e->operate = stitched_run;
	return ok;
}

/* ---- authentic input ---- */

/* The tag of ciphertext i: what it decrypts to, unchecked, encrypted again. */
static bool gcm_tag(struct speed_evp *encrypt, struct speed_evp *decrypt, unsigned i,
		    unsigned char *buf, unsigned char *ret)
{
	size_t size = encrypt->size;
	unsigned char iv[SPEED_IV_LEN];
	int len = 0;
	bool ok;

	speed_iv(iv, i);
	speed_fill(buf, size, i);
	ok = EVP_DecryptInit_ex2(decrypt->ciphers[i], NULL, NULL, iv, NULL) &&
	     EVP_DecryptUpdate(decrypt->ciphers[i], buf, &len, buf, (int)size) &&
	     encrypt->operate(encrypt, i, buf, buf);
	memcpy(ret, buf + size, SPEED_TAG_LEN);
	return ok;
}

bool speed_evp_auth(enum speed_work_kind work, size_t size, struct speed_auth *ret)
{
	struct speed_evp main, other = {0};
	unsigned char *buf = malloc(size + SPEED_TAG_LEN);
	bool ok;

	if (!speed_auth_len(work)) {
		free(buf);
		return true;
	}
	ok = speed_evp_open(&main, work == SPEED_GCM_DEC ? SPEED_GCM_ENC : work, size) && buf;
	if (work == SPEED_GCM_DEC)
		ok = speed_evp_open(&other, SPEED_GCM_DEC, size) && ok;
	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		if (work == SPEED_GCM_DEC) {
			ok = gcm_tag(&main, &other, i, buf, ret->bytes[i]);
		} else {
			speed_fill(buf, size, i);
			ok = hmac_of(&main, i, buf, ret->bytes[i]);
		}
	}
	speed_evp_close(&main);
	speed_evp_close(&other);
	free(buf);
	return ok;
}
