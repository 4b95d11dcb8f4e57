/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nettle: a software provider on libnettle.
 *
 * Nothing here is global but constants, and libnettle has no state either, so any number of
 * instances live side by side in one process. An instance is just its host. Thread states are the
 * templates themselves, which are never written. Rows and what does them are two arrays of the same
 * order, made from one list.
 */
#include "aead.h"
#include "cipher.h"
#include "hash.h"
#include "class.h"

#include <string.h>

static const struct cipher_alg ecb = {MODE_ECB}, cbc = {MODE_CBC}, ctr = {MODE_CTR};

#define MP    KCF_ROW_MULTI_PART
#define OK    KCF_ROW_SHARED_OK
#define SHORT KCF_ROW_SHORT
#define ANY_FORMAT                                                                                 \
	(KCF_ROW_FORMAT(KCF_KEY_RAW) | KCF_ROW_FORMAT(KCF_KEY_PKCS8) | KCF_ROW_FORMAT(KCF_KEY_SPKI))
#define SECRET_BITS_MAX (8u << 20)

/* The lines of one kind differ in name, algorithm and speed only. Costs were measured on x86-64. */
#define DIGEST(X, name, alg, ns)                                                                   \
	X(name, DIGEST, NONE, MP | OK | SHORT, 0, 0, 0, 1, 150, ns, digest, alg)
#define HMAC(X, name, alg, ns)                                                                     \
	X(name, MAC, MAC, MP | OK | SHORT, 0, SECRET_BITS_MAX, 8, 1, 500, ns, mac, alg)
#define AES(X, name, kind, flags, block, ns, alg)                                                  \
	X(name, CIPHER, kind, flags, 128, 256, 64, block, 100, ns, cipher, alg)
#define AEAD(X, name, min, flags, ns, alg)                                                         \
	X(name, AEAD, AEAD, flags, min, 256, 64, 1, 400, ns, aead, alg)

/* X(name, class, parameter, flags, key min, max, step, block, setup, per KiB, class_ops, alg) */
#define ROWS(X)                                                                                    \
	DIGEST(X, "CKM_SHA_1", &nettle_sha1, 700)                                                  \
	DIGEST(X, "CKM_SHA224", &nettle_sha224, 700)                                               \
	DIGEST(X, "CKM_SHA256", &nettle_sha256, 700)                                               \
	DIGEST(X, "CKM_SHA384", &nettle_sha384, 2000)                                              \
	DIGEST(X, "CKM_SHA512", &nettle_sha512, 2000)                                              \
	DIGEST(X, "CKM_SHA512_224", &nettle_sha512_224, 2000)                                      \
	DIGEST(X, "CKM_SHA512_256", &nettle_sha512_256, 2000)                                      \
	DIGEST(X, "CKM_SHA3_224", &nettle_sha3_224, 2500)                                          \
	DIGEST(X, "CKM_SHA3_256", &nettle_sha3_256, 2700)                                          \
	DIGEST(X, "CKM_SHA3_384", &nettle_sha3_384, 3500)                                          \
	DIGEST(X, "CKM_SHA3_512", &nettle_sha3_512, 5000)                                          \
	HMAC(X, "CKM_SHA_1_HMAC", &nettle_sha1, 700)                                               \
	HMAC(X, "CKM_SHA224_HMAC", &nettle_sha224, 700)                                            \
	HMAC(X, "CKM_SHA256_HMAC", &nettle_sha256, 700)                                            \
	HMAC(X, "CKM_SHA384_HMAC", &nettle_sha384, 2000)                                           \
	HMAC(X, "CKM_SHA512_HMAC", &nettle_sha512, 2000)                                           \
	HMAC(X, "CKM_SHA512_224_HMAC", &nettle_sha512_224, 2000)                                   \
	HMAC(X, "CKM_SHA512_256_HMAC", &nettle_sha512_256, 2000)                                   \
	X("CKM_AES_CMAC", MAC, MAC, MP | OK | SHORT, 128, 256, 64, 1, 200, 1500, mac, NULL)        \
	AES(X, "CKM_AES_ECB", NONE, MP | OK | SHORT, 16, 200, &ecb)                                \
	AES(X, "CKM_AES_CBC", IV, MP | SHORT, 16, 1500, &cbc)                                      \
	AES(X, "CKM_AES_CTR", IV, MP | OK | SHORT, 1, 300, &ctr)                                   \
	AEAD(X, "CKM_AES_GCM", 128, MP | OK | SHORT, 1000, &aead_gcm)                              \
	AEAD(X, "CKM_AES_CCM", 128, MP | SHORT, 2000, &aead_ccm)                                   \
	AEAD(X, "CKM_CHACHA20_POLY1305", 256, MP | OK | SHORT, 1200, &aead_chacha)                 \
	X("CKM_EDDSA", SIGN | KCF_CLASS_VERIFY, SIGN, ANY_FORMAT, 256, 256, 1, 1, 150000, 4000,    \
	  eddsa, NULL)                                                                             \
	X("CKM_ECDH1_DERIVE", DERIVE, ECDH, ANY_FORMAT, 256, 256, 1, 1, 100000, 0, x25519, NULL)   \
	X("CKM_HKDF_DERIVE", DERIVE, HKDF, SHORT, 0, SECRET_BITS_MAX, 8, 1, 3000, 0, hkdf, NULL)   \
	X("CKM_PKCS5_PBKD2", DERIVE, PBKDF2, 0, 0, SECRET_BITS_MAX, 8, 1, 2000000, 0, pbkdf2, NULL)

static const struct kcf_mech_row rows[] = {
#define ROW(name, class, kind, flags, min, max, step, block, setup, per_kib, ops, alg)             \
	{                                                                                          \
		name,                                                                              \
		KCF_CLASS_##class,                                                                 \
		KCF_PARAM_##kind,                                                                  \
		flags,                                                                             \
		min,                                                                               \
		max,                                                                               \
		step,                                                                              \
		block,                                                                             \
		0,                                                                                 \
		setup,                                                                             \
		per_kib,                                                                           \
		0},
	ROWS(ROW)
#undef ROW
};

static const struct entry entries[] = {
#define ROW(name, class, kind, flags, min, max, step, block, setup, per_kib, ops, alg)             \
	{&ops##_class, alg},
	ROWS(ROW)
#undef ROW
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static enum kcf_status nettle_start(const struct kcf_host *host, void **ret)
{
	*ret = (void *)host;
	return KCF_SUCCESS;
}

static void nettle_stop(void *prov)
{
}

static unsigned nettle_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		const struct entry *e = &entries[jobs[i]->row];

		jobs[i]->out_len = 0;
		jobs[i]->status = e->ops->run(e->alg, jobs[i]);
	}
	return n;
}

static enum kcf_status nettle_template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
					   void **ret)
{
	if (row >= N_ROWS)
		return KCF_MECHANISM_INVALID;
	return entries[row].ops->template_new(entries[row].alg, key, ret);
}

static void nettle_template_free(void *prov, void *tmpl)
{
	object_free(tmpl);
}

static enum kcf_status nettle_thread_state_new(void *prov, void *tmpl, void **ret)
{
	*ret = tmpl;
	return KCF_SUCCESS;
}

static void nettle_thread_state_free(void *prov, void *thread)
{
}

static void nettle_context_free(void *prov, void *ctx)
{
	object_free(ctx);
}

/* One known answer of each building block: FIPS 197 appendix C.1, and SHA-256 of "abc" of FIPS 180.
 */
static enum kcf_status nettle_self_test(void *prov)
{
	static const uint8_t aes_ct[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
					   0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
	static const uint8_t sha_abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					    0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					    0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t key[16], block[16], digest[32];
	struct sha256_ctx sha;
	struct aes aes;
	unsigned i;

	for (i = 0; i < 16; i++) {
		key[i] = (uint8_t)i;
		block[i] = (uint8_t)(i * 0x11);
	}
	aes_init(&aes, key, sizeof(key));
	aes.encrypt(&aes.enc, sizeof(block), block, block);
	sha256_init(&sha);
	sha256_update(&sha, 3, (const uint8_t *)"abc");
	sha256_digest(&sha, sizeof(digest), digest);
	if (memcmp(block, aes_ct, sizeof(aes_ct)) || memcmp(digest, sha_abc, sizeof(sha_abc)))
		return KCF_FAILED;
	return KCF_SUCCESS;
}

static const struct kcf_provider_ops ops = {
	.start = nettle_start,
	.stop = nettle_stop,
	.self_test = nettle_self_test,
	.submit = nettle_submit,
	.template_new = nettle_template_new,
	.template_free = nettle_template_free,
	.thread_state_new = nettle_thread_state_new,
	.thread_state_free = nettle_thread_state_free,
	.context_free = nettle_context_free,
};

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "nettle",
	.description = "software, on libnettle",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = N_ROWS,
	.rows = rows,
	.ops = &ops,
};
