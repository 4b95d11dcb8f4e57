/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-direct - libcrypto called the fair way: algorithms fetched once, one context per key with
 * the key set, per operation only what must be (nonce, MAC restart). Also runs the bare probe as a
 * door. One thread.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

struct direct {
	struct speed_case c;
	uint64_t n;
	unsigned char *in, *out;
	EVP_CIPHER_CTX *ciphers[SPEED_TEMPLATES];
	EVP_MAC_CTX *macs[SPEED_TEMPLATES];
	EVP_PKEY_CTX *signers[SPEED_TEMPLATES];
	EVP_MD *sha256;
	EVP_MD_CTX *hash;
	bool (*operate)(struct direct *d);
};

static volatile uint64_t consumed;

void speed_consume(uint64_t sum)
{
	consumed += sum;
}

/* ---- AES-256-GCM ---- */

static bool gcm_operate(struct direct *d)
{
	EVP_CIPHER_CTX *ctx = d->ciphers[d->n % SPEED_TEMPLATES];
	unsigned char nonce[SPEED_NONCE_LEN];
	int n = 0, rest = 0;

	speed_nonce(nonce, d->n);
	return EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) &&
	       EVP_EncryptUpdate(ctx, d->out, &n, d->in, (int)d->c.size) &&
	       EVP_EncryptFinal_ex(ctx, d->out + n, &rest) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SPEED_TAG_LEN, d->out + d->c.size);
}

static bool gcm_prepare(struct direct *d)
{
	EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	bool ok = gcm != NULL;

	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[32];

		speed_key(key, sizeof(key), i);
		d->ciphers[i] = EVP_CIPHER_CTX_new();
		ok = d->ciphers[i] && EVP_EncryptInit_ex2(d->ciphers[i], gcm, key, NULL, NULL);
	}
	EVP_CIPHER_free(gcm);
	d->operate = gcm_operate;
	return ok;
}

/* ---- HMAC-SHA-256 ---- */

static bool hmac_operate(struct direct *d)
{
	EVP_MAC_CTX *ctx = d->macs[d->n % SPEED_TEMPLATES];
	size_t len = 0;

	return EVP_MAC_init(ctx, NULL, 0, NULL) && EVP_MAC_update(ctx, d->in, d->c.size) &&
	       EVP_MAC_final(ctx, d->out, &len, SPEED_MAC_LEN) && len == SPEED_MAC_LEN;
}

static bool hmac_prepare(struct direct *d)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA2-256", 0),
		OSSL_PARAM_construct_end()};
	bool ok = hmac != NULL;

	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[32];

		speed_key(key, sizeof(key), i);
		d->macs[i] = EVP_MAC_CTX_new(hmac);
		ok = d->macs[i] && EVP_MAC_init(d->macs[i], key, sizeof(key), params);
	}
	EVP_MAC_free(hmac);
	d->operate = hmac_operate;
	return ok;
}

/* ---- RSA-2048, PKCS#1 v1.5 with SHA-256 ---- */

static unsigned char *rsa_der[SPEED_RSA_KEYS];
static size_t rsa_len[SPEED_RSA_KEYS];

static bool rsa_make(unsigned i)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	PKCS8_PRIV_KEY_INFO *info = pkey ? EVP_PKEY2PKCS8(pkey) : NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &rsa_der[i]) : 0;

	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(pkey);
	rsa_len[i] = len > 0 ? (size_t)len : 0;
	return len > 0;
}

bool speed_rsa_key(unsigned i, const unsigned char **ret, size_t *ret_len)
{
	i %= SPEED_RSA_KEYS;
	if (!rsa_der[i] && !rsa_make(i))
		return false;
	*ret = rsa_der[i];
	*ret_len = rsa_len[i];
	return true;
}

static bool rsa_operate(struct direct *d)
{
	EVP_PKEY_CTX *ctx = d->signers[d->n % SPEED_TEMPLATES];
	unsigned char digest[32];
	unsigned digest_len = 0;
	size_t len = SPEED_RSA_OUT;

	return EVP_DigestInit_ex2(d->hash, d->sha256, NULL) &&
	       EVP_DigestUpdate(d->hash, d->in, d->c.size) &&
	       EVP_DigestFinal_ex(d->hash, digest, &digest_len) &&
	       EVP_PKEY_sign(ctx, d->out, &len, digest, digest_len) > 0;
}

static bool rsa_prepare(struct direct *d)
{
	bool ok = true;

	d->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	d->hash = EVP_MD_CTX_new();
	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		const unsigned char *der;
		EVP_PKEY *pkey;
		size_t len;

		ok = speed_rsa_key(i, &der, &len);
		pkey = ok ? d2i_AutoPrivateKey(NULL, &der, (long)len) : NULL;
		d->signers[i] = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
		EVP_PKEY_free(pkey);
		ok = d->signers[i] && EVP_PKEY_sign_init(d->signers[i]) > 0 &&
		     EVP_PKEY_CTX_set_rsa_padding(d->signers[i], RSA_PKCS1_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_signature_md(d->signers[i], d->sha256) > 0;
	}
	d->operate = rsa_operate;
	return ok && d->sha256 && d->hash;
}

/* ---- the door ---- */

static void direct_close(void *state)
{
	struct direct *d = state;

	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		EVP_CIPHER_CTX_free(d->ciphers[i]);
		EVP_MAC_CTX_free(d->macs[i]);
		EVP_PKEY_CTX_free(d->signers[i]);
	}
	EVP_MD_CTX_free(d->hash);
	EVP_MD_free(d->sha256);
	free(d->in);
	free(d->out);
	free(d);
}

static void *direct_open(const struct speed_case *c, struct kcf_client *client)
{
	struct direct *d = calloc(1, sizeof(*d));
	bool ok;

	if (!d)
		return NULL;
	d->c = *c;
	d->in = aligned_alloc(64, (c->size + 63) / 64 * 64);
	d->out = aligned_alloc(64, (speed_out_len(c) + 63) / 64 * 64);
	ok = d->in && d->out &&
	     (c->work == SPEED_AES256GCM    ? gcm_prepare(d)
	      : c->work == SPEED_HMACSHA256 ? hmac_prepare(d)
					    : rsa_prepare(d));
	if (ok)
		return d;
	tool_error("libcrypto could not prepare the keys");
	direct_close(d);
	return NULL;
}

static double direct_run(void *state, double seconds, struct speed_latency *latency)
{
	struct direct *d = state;
	unsigned batch = speed_batch(&d->c);
	size_t out_len = speed_out_len(&d->c);
	double started, now;
	uint64_t first = d->n, sum = 0;

	speed_pin(d->c.cpu_client);
	for (started = now = speed_now(); now - started < seconds; now = speed_now()) {
		for (unsigned i = 0; i < batch; i++, d->n++) {
			uint64_t t = latency ? speed_now_ns() : 0;

			speed_fill(d->in, d->c.size, d->n);
			if (!d->operate(d))
				return -1;
			sum += speed_read(d->out, out_len);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
		}
	}
	speed_consume(sum);
	return (double)(d->n - first) / (now - started);
}

const struct speed_door speed_direct = {"direct", direct_open, direct_run, direct_close};

/* ---- the bare probe, a program of its own ---- */

#define PROBE "kcf-speed-limit"

static void *limit_open(const struct speed_case *c, struct kcf_client *client)
{
	struct speed_case *copy;

	if (c->work != SPEED_AES256GCM)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (copy)
		*copy = *c;
	return copy;
}

static double limit_run(void *state, double seconds, struct speed_latency *latency)
{
	const struct speed_case *c = state;
	char self[512], command[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	double rate = -1;
	FILE *f;

	if (latency || n <= 0)
		return -1;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(command, sizeof(command), "exec '%s/" PROBE "' %zu %.3f %u %d %d", self, c->size,
		 seconds, c->depth, c->cpu_client, c->cpu_server);
	f = popen(command, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%lf", &rate) != 1)
		rate = -1;
	pclose(f);
	return rate;
}

static void limit_close(void *state)
{
	free(state);
}

const struct speed_door speed_limit = {"limit", limit_open, limit_run, limit_close};
