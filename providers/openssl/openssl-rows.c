/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mechanisms of the openssl provider: one table, one row each, and the module's descriptor.
 *
 * A row's name, classes and parameter kind come from the list in types.h, all of which is here. Costs
 * are rounded measurements of one core with AES-NI and SHA extensions. KCF_ROW_SHARED_OK is given
 * where input is read once and output is not read back to decide anything; for AEAD it speaks of
 * encryption.
 *
 * Thread: any; constant.
 */
#include "openssl-private.h"

#define MULTI KCF_ROW_MULTI_PART
#define SHARED KCF_ROW_SHARED_OK
#define SHORT KCF_ROW_SHORT
#define LEGACY KCF_ROW_LEGACY
#define OLD (MULTI | SHARED | LEGACY)
#define RAW KCF_ROW_FORMAT(KCF_KEY_RAW)
#define PKCS8 KCF_ROW_FORMAT(KCF_KEY_PKCS8)
#define SPKI KCF_ROW_FORMAT(KCF_KEY_SPKI)

enum {
#define KCF__X(ident, number, mech_name, alias, mech_classes, kind)                                \
	CLASSES_##ident = (mech_classes), PARAM_##ident = KCF_PARAM_##kind,
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
};
#define KCF__X(ident, number, mech_name, alias, mech_classes, kind)                                \
	static const char NAME_##ident[] __attribute__((unused)) = mech_name;
KCF_MECH_LIST(KCF__X)
#undef KCF__X

#define SPEC(ident, class_, ...)                                                                   \
	.priv = (uintptr_t) & (const struct openssl_spec)                                          \
	{                                                                                          \
		.cls = &openssl_##class_##_class, .mech = KCF_M_##ident, __VA_ARGS__               \
	}
/* key: min, max, step in bits. cost: ns a request, ns a KiB. */
#define ROW(ident, flags_, min, max, step, cost0, cost1, ...)                                      \
	{.name = NAME_##ident,                                                                     \
	 .classes = CLASSES_##ident,                                                               \
	 .param_kind = PARAM_##ident,                                                              \
	 .flags = (flags_),                                                                        \
	 .key_min_bits = (min),                                                                    \
	 .key_max_bits = (max),                                                                    \
	 .key_step_bits = (step),                                                                  \
	 .setup_ns = (cost0),                                                                      \
	 .ns_per_kib = (cost1),                                                                    \
	 __VA_ARGS__}

#define DIGEST(ident, alg_, len_, block_, flags_, cost0, cost1)                                    \
	ROW(ident, MULTI | SHARED | (flags_), 0, 0, 0, cost0, cost1,                               \
	    SPEC(ident, digest, .alg = {alg_}, .len = (len_), .block = (block_)))

#define HMAC_KEY_MAX_BITS 65536
#define HMAC(ident, hash_, len_, flags_, cost0, cost1)                                             \
	ROW(ident, MULTI | SHARED | (flags_), 0, HMAC_KEY_MAX_BITS, 8, cost0, cost1,               \
	    SPEC(ident, mac, .kind = OPENSSL_HMAC, .hash = KCF_M_##hash_, .len = (len_)))

#define BY_KEY(fam, mode) .alg = {fam "-128-" mode, fam "-192-" mode, fam "-256-" mode}
#define MAC(ident, kind_, min, max, step, len_, cost0, cost1, ...)                                 \
	ROW(ident, MULTI | SHARED | SHORT, min, max, step, cost0, cost1,                           \
	    SPEC(ident, mac, .kind = OPENSSL_##kind_, .len = (len_), __VA_ARGS__))

/* kind, cipher name, mode, flags, IV length, granularity */
#define CIPHER(ident, kind_, fam, mode, flags_, iv_len, gran, cost0, cost1)                     \
	ROW(ident, (flags_), 128, 256, 64, cost0, cost1, .block_len = (gran),                      \
	    SPEC(ident, cipher, .kind = OPENSSL_##kind_, BY_KEY(fam, mode), .len = (iv_len),    \
		 .block = (gran)))
#define ONE_CIPHER(ident, kind_, alg_, bits, flags_, iv_len, gran, cost0, cost1)                   \
	ROW(ident, (flags_), bits, bits, 0, cost0, cost1, .block_len = (gran),                     \
	    SPEC(ident, cipher, .kind = OPENSSL_##kind_, .alg = {alg_}, .len = (iv_len),           \
		 .block = (gran)))

#define AEAD(ident, kind_, fam, mode, flags_, cost0, cost1)                                     \
	ROW(ident, MULTI | (flags_), 128, 256, 64, cost0, cost1,                                   \
	    SPEC(ident, aead, .kind = OPENSSL_##kind_, BY_KEY(fam, mode)))

#define RSA(ident, kind_, flags_, hash_, cost1)                                                    \
	ROW(ident, PKCS8 | SPKI | (flags_), 1024, 16384, 0, 300000, cost1,                         \
	    SPEC(ident, sign, .kind = OPENSSL_##kind_, .hash = (hash_)))
#define ECDSA(ident, flags_, hash_, cost1)                                                         \
	ROW(ident, PKCS8 | SPKI | (flags_), 224, 521, 0, 60000, cost1,                             \
	    SPEC(ident, sign, .kind = OPENSSL_ECDSA, .hash = (hash_)))
#define DSA(ident, flags_, hash_, cost1)                                                           \
	ROW(ident, PKCS8 | SPKI | LEGACY | (flags_), 1024, 4096, 0, 500000, cost1,                 \
	    SPEC(ident, sign, .kind = OPENSSL_DSA, .hash = (hash_)))

#define KDF_KEY_MAX_BITS 65536
#define KDF(ident, kind_, flags_, cost0, cost1)                                                    \
	ROW(ident, (flags_), 0, KDF_KEY_MAX_BITS, 8, cost0, cost1,                                 \
	    SPEC(ident, kdf, .kind = OPENSSL_##kind_))
#define KEYGEN(ident, kind_, flags_, cost0)                                                        \
	ROW(ident, (flags_), 0, 0, 0, cost0, 0, SPEC(ident, keygen, .kind = OPENSSL_KEYGEN_##kind_))

const struct kcf_mech_row openssl_rows[] = {
	/* digests: name in libcrypto, length, block */
	DIGEST(SHA_1, "SHA1", 20, 64, SHORT, 55, 530),
	DIGEST(SHA224, "SHA2-224", 28, 64, SHORT, 60, 570),
	DIGEST(SHA256, "SHA2-256", 32, 64, SHORT, 60, 570),
	DIGEST(SHA384, "SHA2-384", 48, 128, SHORT, 190, 1150),
	DIGEST(SHA512, "SHA2-512", 64, 128, SHORT, 190, 1150),
	DIGEST(SHA512_224, "SHA2-512/224", 28, 128, SHORT, 190, 1150),
	DIGEST(SHA512_256, "SHA2-512/256", 32, 128, SHORT, 190, 1150),
	DIGEST(SHA3_224, "SHA3-224", 28, 144, SHORT, 310, 1900),
	DIGEST(SHA3_256, "SHA3-256", 32, 136, SHORT, 310, 2000),
	DIGEST(SHA3_384, "SHA3-384", 48, 104, SHORT, 310, 2600),
	DIGEST(SHA3_512, "SHA3-512", 64, 72, 0, 310, 3800),
	DIGEST(SHAKE128, "SHAKE-128", 32, 168, SHORT, 320, 1700),
	DIGEST(SHAKE256, "SHAKE-256", 64, 136, SHORT, 320, 2000),
	DIGEST(BLAKE2B_512, "BLAKE2B-512", 64, 128, SHORT, 180, 1100),
	DIGEST(BLAKE2S_256, "BLAKE2S-256", 32, 64, SHORT, 150, 1800),
	DIGEST(SM3, "SM3", 32, 64, SHORT, 210, 2700),
	DIGEST(MD5, "MD5", 16, 64, SHORT | LEGACY, 100, 1350),

	/* MACs */
	HMAC(SHA_1_HMAC, SHA_1, 20, SHORT, 105, 530),
	HMAC(SHA224_HMAC, SHA224, 28, SHORT, 110, 570),
	HMAC(SHA256_HMAC, SHA256, 32, SHORT, 110, 570),
	HMAC(SHA384_HMAC, SHA384, 48, SHORT, 360, 1150),
	HMAC(SHA512_HMAC, SHA512, 64, SHORT, 360, 1150),
	HMAC(SHA512_224_HMAC, SHA512_224, 28, SHORT, 680, 1150),
	HMAC(SHA512_256_HMAC, SHA512_256, 32, SHORT, 680, 1150),
	HMAC(SHA3_224_HMAC, SHA3_224, 28, SHORT, 1200, 1900),
	HMAC(SHA3_256_HMAC, SHA3_256, 32, SHORT, 1200, 2000),
	HMAC(SHA3_384_HMAC, SHA3_384, 48, SHORT, 1200, 2600),
	HMAC(SHA3_512_HMAC, SHA3_512, 64, 0, 1200, 3800),
	HMAC(MD5_HMAC, MD5, 16, SHORT | LEGACY, 200, 1350),
	MAC(AES_CMAC, CMAC, 128, 256, 64, 16, 170, 1500, .alg = {"CMAC"}),
	MAC(AES_GMAC, GMAC, 128, 256, 64, 16, 150, 140, BY_KEY("AES", "GCM")),
	MAC(POLY1305, POLY1305, 256, 256, 0, 16, 90, 80, .alg = {"POLY1305"}),
	MAC(KMAC128, KMAC, 0, HMAC_KEY_MAX_BITS, 8, 32, 1300, 1800, .alg = {"KECCAK-KMAC-128"}, .block = 168),
	MAC(KMAC256, KMAC, 0, HMAC_KEY_MAX_BITS, 8, 64, 1300, 2000, .alg = {"KECCAK-KMAC-256"}, .block = 136),
	MAC(SIPHASH, SIPHASH, 128, 128, 0, 16, 65, 350, .alg = {"SIPHASH"}),
	ROW(DES3_CMAC, OLD, 192, 192, 0, 640, 34000,
	    SPEC(DES3_CMAC, mac, .kind = OPENSSL_CMAC, .alg = {"CMAC"}, .len = 8)),

	/* ciphers: how they take data, name and mode in libcrypto, IV length, granularity */
	CIPHER(AES_ECB, BLOCKS, "AES", "ECB", MULTI | SHARED | SHORT, 0, 16, 25, 125),
	CIPHER(AES_CBC, BLOCKS, "AES", "CBC", MULTI | SHARED | SHORT, 16, 16, 35, 1000),
	CIPHER(AES_CBC_PAD, PADDED, "AES", "CBC", MULTI | SHORT, 16, 16, 70, 1000),
	CIPHER(AES_CTR, STREAM, "AES", "CTR", MULTI | SHARED | SHORT, 16, 1, 40, 125),
	ROW(AES_XTS, SHORT, 256, 512, 256, 55, 145, .max_input = 1 << 24,
	    SPEC(AES_XTS, cipher, .kind = OPENSSL_XTS, .alg = {"AES-128-XTS", NULL, "AES-256-XTS"},
		 .len = 16, .block = 1)),
	CIPHER(AES_KEY_WRAP, WRAP, "AES", "WRAP", 0, 0, 8, 1500, 95000),
	CIPHER(AES_KEY_WRAP_KWP, WRAP_PAD, "AES", "WRAP-PAD", 0, 0, 1, 2000, 95000),
	CIPHER(AES_CFB128, STREAM, "AES", "CFB", MULTI | SHARED | SHORT, 16, 1, 60, 1300),
	CIPHER(AES_CFB8, STREAM, "AES", "CFB8", MULTI | SHARED, 16, 1, 450, 27000),
	CIPHER(AES_OFB, STREAM, "AES", "OFB", MULTI | SHARED | SHORT, 16, 1, 40, 1150),
	CIPHER(AES_CTS, CTS, "AES", "CBC-CTS", SHORT, 16, 1, 50, 1050),
	ONE_CIPHER(CHACHA20, STREAM, "ChaCha20", 256, MULTI | SHARED | SHORT, 16, 1, 135, 190),
	CIPHER(CAMELLIA_ECB, BLOCKS, "CAMELLIA", "ECB", MULTI | SHARED, 0, 16, 120, 6200),
	CIPHER(CAMELLIA_CBC, BLOCKS, "CAMELLIA", "CBC", MULTI | SHARED, 16, 16, 140, 6200),
	CIPHER(CAMELLIA_CTR, STREAM, "CAMELLIA", "CTR", MULTI | SHARED, 16, 1, 140, 7100),
	CIPHER(ARIA_ECB, BLOCKS, "ARIA", "ECB", MULTI | SHARED, 0, 16, 150, 7800),
	CIPHER(ARIA_CBC, BLOCKS, "ARIA", "CBC", MULTI | SHARED, 16, 16, 200, 9000),
	CIPHER(ARIA_CTR, STREAM, "ARIA", "CTR", MULTI | SHARED, 16, 1, 200, 8500),
	ONE_CIPHER(SM4_ECB, BLOCKS, "SM4-ECB", 128, MULTI | SHARED, 0, 16, 160, 8200),
	ONE_CIPHER(SM4_CBC, BLOCKS, "SM4-CBC", 128, MULTI | SHARED, 16, 16, 160, 8300),
	ONE_CIPHER(SM4_CTR, STREAM, "SM4-CTR", 128, MULTI | SHARED, 16, 1, 160, 8500),
	ONE_CIPHER(DES3_ECB, BLOCKS, "DES-EDE3-ECB", 192, OLD, 0, 8, 520, 42000),
	ONE_CIPHER(DES3_CBC, BLOCKS, "DES-EDE3-CBC", 192, OLD, 8, 8, 620, 45000),

	/* AEAD */
	AEAD(AES_GCM, GCM, "AES", "GCM", SHARED | SHORT, 120, 220),
	AEAD(AES_CCM, CCM, "AES", "CCM", SHORT, 160, 1000),
	ROW(CHACHA20_POLY1305, MULTI | SHARED | SHORT, 256, 256, 0, 330, 270,
	    SPEC(CHACHA20_POLY1305, aead, .kind = OPENSSL_CHACHA, .alg = {"ChaCha20-Poly1305"})),
	AEAD(AES_OCB, OCB, "AES", "OCB", SHARED | SHORT, 140, 160),
	AEAD(ARIA_GCM, GCM, "ARIA", "GCM", SHARED, 370, 8300),
	AEAD(ARIA_CCM, CCM, "ARIA", "CCM", 0, 600, 22500),

	/* signatures; the cost is of signing with the common size */
	RSA(RSA_PKCS, RSA_PKCS1, 0, 0, 0),
	RSA(SHA1_RSA_PKCS, RSA_PKCS1, MULTI, KCF_M_SHA_1, 600),
	RSA(SHA224_RSA_PKCS, RSA_PKCS1, MULTI, KCF_M_SHA224, 650),
	RSA(SHA256_RSA_PKCS, RSA_PKCS1, MULTI, KCF_M_SHA256, 650),
	RSA(SHA384_RSA_PKCS, RSA_PKCS1, MULTI, KCF_M_SHA384, 1900),
	RSA(SHA512_RSA_PKCS, RSA_PKCS1, MULTI, KCF_M_SHA512, 1900),
	RSA(RSA_PKCS_PSS, RSA_PSS, 0, 0, 0),
	RSA(SHA1_RSA_PKCS_PSS, RSA_PSS, MULTI, KCF_M_SHA_1, 600),
	RSA(SHA224_RSA_PKCS_PSS, RSA_PSS, MULTI, KCF_M_SHA224, 650),
	RSA(SHA256_RSA_PKCS_PSS, RSA_PSS, MULTI, KCF_M_SHA256, 650),
	RSA(SHA384_RSA_PKCS_PSS, RSA_PSS, MULTI, KCF_M_SHA384, 1900),
	RSA(SHA512_RSA_PKCS_PSS, RSA_PSS, MULTI, KCF_M_SHA512, 1900),
	ROW(RSA_PKCS_OAEP, PKCS8 | SPKI, 1024, 16384, 0, 300000, 0,
	    SPEC(RSA_PKCS_OAEP, rsa_crypt, .kind = OPENSSL_RSA_OAEP)),
	ECDSA(ECDSA, 0, 0, 0),
	ECDSA(ECDSA_SHA1, MULTI, KCF_M_SHA_1, 600),
	ECDSA(ECDSA_SHA224, MULTI, KCF_M_SHA224, 650),
	ECDSA(ECDSA_SHA256, MULTI, KCF_M_SHA256, 650),
	ECDSA(ECDSA_SHA384, MULTI, KCF_M_SHA384, 1900),
	ECDSA(ECDSA_SHA512, MULTI, KCF_M_SHA512, 1900),
	ROW(EDDSA, RAW | PKCS8 | SPKI, 256, 456, 0, 40000, 3800,
	    SPEC(EDDSA, sign, .kind = OPENSSL_EDDSA)),
	DSA(DSA, 0, 0, 0),
	DSA(DSA_SHA1, MULTI, KCF_M_SHA_1, 600),
	DSA(DSA_SHA256, MULTI, KCF_M_SHA256, 650),

	/* key agreement and derivation */
	ROW(ECDH1_DERIVE, RAW | PKCS8, 224, 521, 0, 60000, 0,
	    SPEC(ECDH1_DERIVE, agree, .kind = OPENSSL_ECDH)),
	ROW(DH_PKCS_DERIVE, PKCS8, 2048, 8192, 0, 2000000, 0,
	    SPEC(DH_PKCS_DERIVE, agree, .kind = OPENSSL_DH)),
	KDF(HKDF_DERIVE, HKDF, SHORT, 1500, 20000),
	KDF(PKCS5_PBKD2, PBKDF2, 0, 10000000, 0),
	KDF(SP800_108_KDF, KBKDF, SHORT, 1500, 20000),
	KDF(SCRYPT, SCRYPT, 0, 50000000, 0),

	ROW(RANDOM, SHORT, 0, 0, 0, 400, 700, SPEC(RANDOM, random, .kind = OPENSSL_KIND_NONE)),

	/* key generation: a key given is one whose public half is wanted */
	KEYGEN(AES_KEY_GEN, SECRET, SHORT, 500),
	KEYGEN(GENERIC_SECRET_KEY_GEN, SECRET, SHORT, 500),
	KEYGEN(RSA_PKCS_KEY_PAIR_GEN, RSA, PKCS8, 150000000),
	KEYGEN(EC_KEY_PAIR_GEN, EC, PKCS8, 100000),
	KEYGEN(EC_EDWARDS_KEY_PAIR_GEN, ED, RAW | PKCS8, 100000),
	KEYGEN(EC_MONTGOMERY_KEY_PAIR_GEN, X, RAW | PKCS8, 100000),
};

#define N_ROWS (sizeof(openssl_rows) / sizeof(openssl_rows[0]))

const uint32_t openssl_n_rows = N_ROWS;

int openssl_row_find(kcf_mech_t mech)
{
	for (uint32_t i = 0; i < N_ROWS; i++)
		if (openssl_spec(&openssl_rows[i])->mech == mech)
			return (int)i;
	return -1;
}

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "openssl",
	.description = "software on libcrypto",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = N_ROWS,
	.rows = openssl_rows,
	.ops = &openssl_ops,
};
