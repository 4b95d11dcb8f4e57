/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf/types.h - the words shared by applications, providers and kcfd.
 *
 * Status values, mechanisms and their parameters. Lengths are bytes unless the name says bits.
 * Names and parameter meanings follow PKCS#11 3.0 where it has them.
 */
#ifndef KCF_TYPES_H
#define KCF_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---------------------------------------------------------------------------------- */

/* X(name, value, text). Values are fixed for ever: they travel on the wire. */
#define KCF_STATUS_LIST(X)                                                                         \
	X(SUCCESS, 0, "success")                                                                   \
	X(QUEUED, 1, "accepted, the callback will run")                                            \
	X(HOST_MEMORY, 2, "out of memory")                                                         \
	X(ARGUMENTS_BAD, 3, "bad argument")                                                        \
	X(BUFFER_TOO_SMALL, 4, "output buffer too small; the required length is returned")         \
	X(BUFFER_TOO_BIG, 5, "too much data for one request; use the multi-part functions")        \
	X(INVALID_CONTEXT, 6, "context finished, cancelled or of another kind")                    \
	X(DATA_LEN_RANGE, 7, "input length not possible for this mechanism")                       \
	X(ENCRYPTED_DATA_LEN_RANGE, 8, "ciphertext length not possible for this mechanism")        \
	X(MECHANISM_INVALID, 9, "unknown mechanism number")                                        \
	X(MECHANISM_PARAM_INVALID, 10, "mechanism parameter missing or out of range")              \
	X(KEY_SIZE_RANGE, 11, "key length not possible for this mechanism")                        \
	X(MECH_NOT_SUPPORTED, 12, "no provider offers this mechanism for this operation")          \
	X(BUSY, 13, "no room, or it would have to wait; try again")                                \
	X(CANCELED, 14, "cancelled")                                                               \
	X(FAILED, 15, "the provider could not do it")                                              \
	X(INVALID_MAC, 16, "MAC or tag does not match, or ciphertext is not valid")                \
	X(SIGNATURE_INVALID, 17, "signature does not match")                                       \
	X(KEY_HANDLE_INVALID, 18, "no such key for this connection")                               \
	X(KEY_TYPE_INCONSISTENT, 19, "the key is not of a type this mechanism uses")               \
	X(PERMISSION_DENIED, 20, "not permitted for this user")                                    \
	X(TIMED_OUT, 21, "deadline passed")                                                        \
	X(DEVICE_ERROR, 22, "the device reported an error")                                        \
	X(DEVICE_MEMORY, 23, "the device is out of memory")                                        \
	X(DEVICE_REMOVED, 24, "the device or provider is gone")                                    \
	X(NO_DAEMON, 25, "kcfd is not running or not reachable")                                   \
	X(VERSION_MISMATCH, 26, "client and kcfd have no protocol version in common")              \
	X(PROTOCOL_ERROR, 27, "malformed message; the connection is closed")                       \
	X(QUOTA_EXCEEDED, 28, "this user's limit is reached")                                      \
	X(NOT_FOUND, 29, "no such object")                                                         \
	X(ALREADY_EXISTS, 30, "already exists")                                                    \
	X(MODULE_INVALID, 31, "not a kcf provider module, or refused by the verifier")             \
	X(BUFFER_LOST, 32, "the arena buffer may still change and cannot be used again")           \
	X(KEY_FUNCTION_NOT_PERMITTED, 33, "the key's policy forbids this use")

enum kcf_status {
#define KCF__X(name, value, text) KCF_##name = value,
	KCF_STATUS_LIST(KCF__X)
#undef KCF__X
		KCF_STATUS_COUNT
};

/* ---- classes, operations --------------------------------------------------------------------- */

/* Function groups, a bit each. A mechanism row says for which it is offered. */
#define KCF_CLASS_LIST(X)                                                                          \
	X(DIGEST, 0, "digest")                                                                     \
	X(MAC, 1, "mac")                                                                           \
	X(CIPHER, 2, "cipher")                                                                     \
	X(AEAD, 3, "aead")                                                                         \
	X(SIGN, 4, "sign")                                                                         \
	X(VERIFY, 5, "verify")                                                                     \
	X(DUAL, 6, "dual")                                                                         \
	X(DERIVE, 7, "derive")                                                                     \
	X(RANDOM, 8, "random")                                                                     \
	X(KEYGEN, 9, "keygen")

enum kcf_class {
#define KCF__X(name, bit, text) KCF_CLASS_##name = 1 << (bit),
	KCF_CLASS_LIST(KCF__X)
#undef KCF__X
};

/* Operations. X(name, value, text, classes that permit it). */
#define KCF_OP_LIST(X)                                                                             \
	X(DIGEST, 1, "digest", KCF_CLASS_DIGEST)                                                   \
	X(MAC, 2, "mac", KCF_CLASS_MAC)                                                            \
	X(MAC_VERIFY, 3, "mac-verify", KCF_CLASS_MAC)                                              \
	X(ENCRYPT, 4, "encrypt", KCF_CLASS_CIPHER | KCF_CLASS_AEAD)                                \
	X(DECRYPT, 5, "decrypt", KCF_CLASS_CIPHER | KCF_CLASS_AEAD)                                \
	X(SIGN, 6, "sign", KCF_CLASS_SIGN)                                                         \
	X(VERIFY, 7, "verify", KCF_CLASS_VERIFY)                                                   \
	X(ENCRYPT_MAC, 8, "encrypt-mac", KCF_CLASS_CIPHER)                                         \
	X(MAC_DECRYPT, 9, "mac-decrypt", KCF_CLASS_CIPHER)                                         \
	X(DERIVE, 10, "derive", KCF_CLASS_DERIVE)                                                  \
	X(RANDOM, 11, "random", KCF_CLASS_RANDOM)                                                  \
	X(KEYGEN, 12, "keygen", KCF_CLASS_KEYGEN)                                                  \
	X(PUBLIC, 13, "public", KCF_CLASS_KEYGEN)

enum kcf_op {
#define KCF__X(name, value, text, classes) KCF_OP_##name = value,
	KCF_OP_LIST(KCF__X)
#undef KCF__X
		KCF_OP_COUNT
};

/* ---- mechanisms ------------------------------------------------------------------------------ */

enum kcf_param_kind {
	KCF_PARAM_NONE = 0,
	KCF_PARAM_IV = 1,       /* struct kcf_param_iv */
	KCF_PARAM_AEAD = 2,     /* struct kcf_param_aead */
	KCF_PARAM_MAC = 3,      /* struct kcf_param_mac, optional */
	KCF_PARAM_DIGEST = 4,   /* struct kcf_param_digest, optional */
	KCF_PARAM_RSA_PSS = 5,  /* struct kcf_param_rsa_pss, optional */
	KCF_PARAM_RSA_OAEP = 6, /* struct kcf_param_rsa_oaep, optional */
	KCF_PARAM_SIGN = 7,     /* struct kcf_param_sign, optional */
	KCF_PARAM_ECDH = 8,     /* struct kcf_param_ecdh */
	KCF_PARAM_HKDF = 9,     /* struct kcf_param_hkdf */
	KCF_PARAM_PBKDF2 = 10,  /* struct kcf_param_pbkdf2 */
	KCF_PARAM_KBKDF = 11,   /* struct kcf_param_kbkdf */
	KCF_PARAM_SCRYPT = 12,  /* struct kcf_param_scrypt */
	KCF_PARAM_KEYGEN = 13,  /* struct kcf_param_keygen */
	KCF_PARAM_COUNT
};

/*
 * The one list of mechanisms with fixed numbers. X(ident, number, name, alias, classes, param
 * kind). name: PKCS#11 3.0 where it has one, else KCF_<OpenSSL name>. alias: what the openssl
 * command calls it. Numbers are for ever; append only. Providers may offer names that are not here:
 * those get a number at run time (kcf_mech_find).
 */
#define KCF__SV (KCF_CLASS_SIGN | KCF_CLASS_VERIFY)
#define KCF_MECH_LIST(X)                                                                           \
	X(SHA_1, 1, "CKM_SHA_1", "SHA1", KCF_CLASS_DIGEST, NONE)                                   \
	X(SHA224, 2, "CKM_SHA224", "SHA2-224", KCF_CLASS_DIGEST, NONE)                             \
	X(SHA256, 3, "CKM_SHA256", "SHA2-256", KCF_CLASS_DIGEST, NONE)                             \
	X(SHA384, 4, "CKM_SHA384", "SHA2-384", KCF_CLASS_DIGEST, NONE)                             \
	X(SHA512, 5, "CKM_SHA512", "SHA2-512", KCF_CLASS_DIGEST, NONE)                             \
	X(SHA512_224, 6, "CKM_SHA512_224", "SHA2-512/224", KCF_CLASS_DIGEST, NONE)                 \
	X(SHA512_256, 7, "CKM_SHA512_256", "SHA2-512/256", KCF_CLASS_DIGEST, NONE)                 \
	X(SHA3_224, 8, "CKM_SHA3_224", "SHA3-224", KCF_CLASS_DIGEST, NONE)                         \
	X(SHA3_256, 9, "CKM_SHA3_256", "SHA3-256", KCF_CLASS_DIGEST, NONE)                         \
	X(SHA3_384, 10, "CKM_SHA3_384", "SHA3-384", KCF_CLASS_DIGEST, NONE)                        \
	X(SHA3_512, 11, "CKM_SHA3_512", "SHA3-512", KCF_CLASS_DIGEST, NONE)                        \
	X(SHAKE128, 12, "KCF_SHAKE128", "SHAKE128", KCF_CLASS_DIGEST, DIGEST)                      \
	X(SHAKE256, 13, "KCF_SHAKE256", "SHAKE256", KCF_CLASS_DIGEST, DIGEST)                      \
	X(BLAKE2B_512, 14, "CKM_BLAKE2B_512", "BLAKE2B-512", KCF_CLASS_DIGEST, NONE)               \
	X(BLAKE2S_256, 15, "KCF_BLAKE2S-256", "BLAKE2S-256", KCF_CLASS_DIGEST, NONE)               \
	X(SM3, 16, "KCF_SM3", "SM3", KCF_CLASS_DIGEST, NONE)                                       \
	X(MD5, 17, "CKM_MD5", "MD5", KCF_CLASS_DIGEST, NONE)                                       \
	X(SHA_1_HMAC, 32, "CKM_SHA_1_HMAC", "HMAC-SHA1", KCF_CLASS_MAC, MAC)                       \
	X(SHA224_HMAC, 33, "CKM_SHA224_HMAC", "HMAC-SHA2-224", KCF_CLASS_MAC, MAC)                 \
	X(SHA256_HMAC, 34, "CKM_SHA256_HMAC", "HMAC-SHA2-256", KCF_CLASS_MAC, MAC)                 \
	X(SHA384_HMAC, 35, "CKM_SHA384_HMAC", "HMAC-SHA2-384", KCF_CLASS_MAC, MAC)                 \
	X(SHA512_HMAC, 36, "CKM_SHA512_HMAC", "HMAC-SHA2-512", KCF_CLASS_MAC, MAC)                 \
	X(SHA512_224_HMAC, 37, "CKM_SHA512_224_HMAC", "HMAC-SHA2-512/224", KCF_CLASS_MAC, MAC)     \
	X(SHA512_256_HMAC, 38, "CKM_SHA512_256_HMAC", "HMAC-SHA2-512/256", KCF_CLASS_MAC, MAC)     \
	X(SHA3_224_HMAC, 39, "CKM_SHA3_224_HMAC", "HMAC-SHA3-224", KCF_CLASS_MAC, MAC)             \
	X(SHA3_256_HMAC, 40, "CKM_SHA3_256_HMAC", "HMAC-SHA3-256", KCF_CLASS_MAC, MAC)             \
	X(SHA3_384_HMAC, 41, "CKM_SHA3_384_HMAC", "HMAC-SHA3-384", KCF_CLASS_MAC, MAC)             \
	X(SHA3_512_HMAC, 42, "CKM_SHA3_512_HMAC", "HMAC-SHA3-512", KCF_CLASS_MAC, MAC)             \
	X(MD5_HMAC, 43, "CKM_MD5_HMAC", "HMAC-MD5", KCF_CLASS_MAC, MAC)                            \
	X(AES_CMAC, 44, "CKM_AES_CMAC", "CMAC-AES", KCF_CLASS_MAC, MAC)                            \
	X(AES_GMAC, 45, "CKM_AES_GMAC", "GMAC-AES", KCF_CLASS_MAC, MAC)                            \
	X(POLY1305, 46, "CKM_POLY1305", "POLY1305", KCF_CLASS_MAC, MAC)                            \
	X(KMAC128, 47, "KCF_KMAC-128", "KMAC-128", KCF_CLASS_MAC, MAC)                             \
	X(KMAC256, 48, "KCF_KMAC-256", "KMAC-256", KCF_CLASS_MAC, MAC)                             \
	X(SIPHASH, 49, "KCF_SIPHASH", "SIPHASH", KCF_CLASS_MAC, MAC)                               \
	X(DES3_CMAC, 50, "CKM_DES3_CMAC", "CMAC-DES3", KCF_CLASS_MAC, MAC)                         \
	X(AES_ECB, 64, "CKM_AES_ECB", "AES-ECB", KCF_CLASS_CIPHER, NONE)                           \
	X(AES_CBC, 65, "CKM_AES_CBC", "AES-CBC", KCF_CLASS_CIPHER, IV)                             \
	X(AES_CBC_PAD, 66, "CKM_AES_CBC_PAD", "AES-CBC", KCF_CLASS_CIPHER, IV)                     \
	X(AES_CTR, 67, "CKM_AES_CTR", "AES-CTR", KCF_CLASS_CIPHER, IV)                             \
	X(AES_XTS, 68, "CKM_AES_XTS", "AES-XTS", KCF_CLASS_CIPHER, IV)                             \
	X(AES_KEY_WRAP, 69, "CKM_AES_KEY_WRAP", "AES-WRAP", KCF_CLASS_CIPHER, NONE)                \
	X(AES_KEY_WRAP_KWP, 70, "CKM_AES_KEY_WRAP_KWP", "AES-WRAP-PAD", KCF_CLASS_CIPHER, NONE)    \
	X(AES_CFB128, 71, "CKM_AES_CFB128", "AES-CFB", KCF_CLASS_CIPHER, IV)                       \
	X(AES_CFB8, 72, "CKM_AES_CFB8", "AES-CFB8", KCF_CLASS_CIPHER, IV)                          \
	X(AES_OFB, 73, "CKM_AES_OFB", "AES-OFB", KCF_CLASS_CIPHER, IV)                             \
	X(AES_CTS, 74, "CKM_AES_CTS", "AES-CBC-CTS", KCF_CLASS_CIPHER, IV)                         \
	X(CHACHA20, 75, "CKM_CHACHA20", "CHACHA20", KCF_CLASS_CIPHER, IV)                          \
	X(CAMELLIA_ECB, 76, "CKM_CAMELLIA_ECB", "CAMELLIA-ECB", KCF_CLASS_CIPHER, NONE)            \
	X(CAMELLIA_CBC, 77, "CKM_CAMELLIA_CBC", "CAMELLIA-CBC", KCF_CLASS_CIPHER, IV)              \
	X(CAMELLIA_CTR, 78, "CKM_CAMELLIA_CTR", "CAMELLIA-CTR", KCF_CLASS_CIPHER, IV)              \
	X(ARIA_ECB, 79, "CKM_ARIA_ECB", "ARIA-ECB", KCF_CLASS_CIPHER, NONE)                        \
	X(ARIA_CBC, 80, "CKM_ARIA_CBC", "ARIA-CBC", KCF_CLASS_CIPHER, IV)                          \
	X(ARIA_CTR, 81, "KCF_ARIA-CTR", "ARIA-CTR", KCF_CLASS_CIPHER, IV)                          \
	X(SM4_ECB, 82, "KCF_SM4-ECB", "SM4-ECB", KCF_CLASS_CIPHER, NONE)                           \
	X(SM4_CBC, 83, "KCF_SM4-CBC", "SM4-CBC", KCF_CLASS_CIPHER, IV)                             \
	X(SM4_CTR, 84, "KCF_SM4-CTR", "SM4-CTR", KCF_CLASS_CIPHER, IV)                             \
	X(DES3_ECB, 85, "CKM_DES3_ECB", "DES-EDE3-ECB", KCF_CLASS_CIPHER, NONE)                    \
	X(DES3_CBC, 86, "CKM_DES3_CBC", "DES-EDE3-CBC", KCF_CLASS_CIPHER, IV)                      \
	X(AES_GCM, 96, "CKM_AES_GCM", "AES-GCM", KCF_CLASS_AEAD, AEAD)                             \
	X(AES_CCM, 97, "CKM_AES_CCM", "AES-CCM", KCF_CLASS_AEAD, AEAD)                             \
	X(CHACHA20_POLY1305, 98, "CKM_CHACHA20_POLY1305", "ChaCha20-Poly1305", KCF_CLASS_AEAD,     \
	  AEAD)                                                                                    \
	X(AES_OCB, 99, "KCF_AES-OCB", "AES-OCB", KCF_CLASS_AEAD, AEAD)                             \
	X(ARIA_GCM, 100, "KCF_ARIA-GCM", "ARIA-GCM", KCF_CLASS_AEAD, AEAD)                         \
	X(ARIA_CCM, 101, "KCF_ARIA-CCM", "ARIA-CCM", KCF_CLASS_AEAD, AEAD)                         \
	X(RSA_PKCS, 128, "CKM_RSA_PKCS", "RSA", KCF__SV | KCF_CLASS_CIPHER, NONE)                  \
	X(SHA1_RSA_PKCS, 129, "CKM_SHA1_RSA_PKCS", "RSA-SHA1", KCF__SV, NONE)                      \
	X(SHA224_RSA_PKCS, 130, "CKM_SHA224_RSA_PKCS", "RSA-SHA224", KCF__SV, NONE)                \
	X(SHA256_RSA_PKCS, 131, "CKM_SHA256_RSA_PKCS", "RSA-SHA256", KCF__SV, NONE)                \
	X(SHA384_RSA_PKCS, 132, "CKM_SHA384_RSA_PKCS", "RSA-SHA384", KCF__SV, NONE)                \
	X(SHA512_RSA_PKCS, 133, "CKM_SHA512_RSA_PKCS", "RSA-SHA512", KCF__SV, NONE)                \
	X(RSA_PKCS_PSS, 136, "CKM_RSA_PKCS_PSS", "RSA-PSS", KCF__SV, RSA_PSS)                      \
	X(SHA1_RSA_PKCS_PSS, 137, "CKM_SHA1_RSA_PKCS_PSS", "RSA-PSS-SHA1", KCF__SV, RSA_PSS)       \
	X(SHA224_RSA_PKCS_PSS, 138, "CKM_SHA224_RSA_PKCS_PSS", "RSA-PSS-SHA224", KCF__SV, RSA_PSS) \
	X(SHA256_RSA_PKCS_PSS, 139, "CKM_SHA256_RSA_PKCS_PSS", "RSA-PSS-SHA256", KCF__SV, RSA_PSS) \
	X(SHA384_RSA_PKCS_PSS, 140, "CKM_SHA384_RSA_PKCS_PSS", "RSA-PSS-SHA384", KCF__SV, RSA_PSS) \
	X(SHA512_RSA_PKCS_PSS, 141, "CKM_SHA512_RSA_PKCS_PSS", "RSA-PSS-SHA512", KCF__SV, RSA_PSS) \
	X(RSA_PKCS_OAEP, 144, "CKM_RSA_PKCS_OAEP", "RSA-OAEP", KCF_CLASS_CIPHER, RSA_OAEP)         \
	X(ECDSA, 152, "CKM_ECDSA", "ECDSA", KCF__SV, SIGN)                                         \
	X(ECDSA_SHA1, 153, "CKM_ECDSA_SHA1", "ECDSA-SHA1", KCF__SV, SIGN)                          \
	X(ECDSA_SHA224, 154, "CKM_ECDSA_SHA224", "ECDSA-SHA224", KCF__SV, SIGN)                    \
	X(ECDSA_SHA256, 155, "CKM_ECDSA_SHA256", "ECDSA-SHA256", KCF__SV, SIGN)                    \
	X(ECDSA_SHA384, 156, "CKM_ECDSA_SHA384", "ECDSA-SHA384", KCF__SV, SIGN)                    \
	X(ECDSA_SHA512, 157, "CKM_ECDSA_SHA512", "ECDSA-SHA512", KCF__SV, SIGN)                    \
	X(EDDSA, 160, "CKM_EDDSA", "EdDSA", KCF__SV, SIGN)                                         \
	X(DSA, 164, "CKM_DSA", "DSA", KCF__SV, SIGN)                                               \
	X(DSA_SHA1, 165, "CKM_DSA_SHA1", "DSA-SHA1", KCF__SV, SIGN)                                \
	X(DSA_SHA256, 166, "CKM_DSA_SHA256", "DSA-SHA256", KCF__SV, SIGN)                          \
	X(ECDH1_DERIVE, 176, "CKM_ECDH1_DERIVE", "ECDH", KCF_CLASS_DERIVE, ECDH)                   \
	X(DH_PKCS_DERIVE, 177, "CKM_DH_PKCS_DERIVE", "DH", KCF_CLASS_DERIVE, ECDH)                 \
	X(HKDF_DERIVE, 178, "CKM_HKDF_DERIVE", "HKDF", KCF_CLASS_DERIVE, HKDF)                     \
	X(PKCS5_PBKD2, 179, "CKM_PKCS5_PBKD2", "PBKDF2", KCF_CLASS_DERIVE, PBKDF2)                 \
	X(SP800_108_KDF, 180, "CKM_SP800_108_COUNTER_KDF", "KBKDF", KCF_CLASS_DERIVE, KBKDF)       \
	X(SCRYPT, 181, "KCF_SCRYPT", "SCRYPT", KCF_CLASS_DERIVE, SCRYPT)                           \
	X(RANDOM, 192, "KCF_RANDOM", "CTR-DRBG", KCF_CLASS_RANDOM, NONE)                           \
	X(AES_KEY_GEN, 200, "CKM_AES_KEY_GEN", "AES", KCF_CLASS_KEYGEN, KEYGEN)                    \
	X(GENERIC_SECRET_KEY_GEN, 201, "CKM_GENERIC_SECRET_KEY_GEN", "secret", KCF_CLASS_KEYGEN,   \
	  KEYGEN)                                                                                  \
	X(RSA_PKCS_KEY_PAIR_GEN, 202, "CKM_RSA_PKCS_KEY_PAIR_GEN", "RSA", KCF_CLASS_KEYGEN,        \
	  KEYGEN)                                                                                  \
	X(EC_KEY_PAIR_GEN, 203, "CKM_EC_KEY_PAIR_GEN", "EC", KCF_CLASS_KEYGEN, KEYGEN)             \
	X(EC_EDWARDS_KEY_PAIR_GEN, 204, "CKM_EC_EDWARDS_KEY_PAIR_GEN", "ED25519",                  \
	  KCF_CLASS_KEYGEN, KEYGEN)                                                                \
	X(EC_MONTGOMERY_KEY_PAIR_GEN, 205, "CKM_EC_MONTGOMERY_KEY_PAIR_GEN", "X25519",             \
	  KCF_CLASS_KEYGEN, KEYGEN)

/* A mechanism number: KCF_M_<ident> for the list above, else what kcf_mech_find() gave. */
typedef uint32_t kcf_mech_t;

enum kcf_mech_number {
#define KCF__X(ident, number, name, alias, classes, kind) KCF_M_##ident = number,
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
		KCF_M_DYNAMIC = 4096 /* numbers from here on are made at run time */
};

/* ---- parameters, one structure per kind ------------------------------------------------------ */

/* Parameters and what they point to are copied by the call. The bytes of one parameter together are
 * at most 32 KiB when the work is kcfd's (KCF_BUFFER_TOO_BIG). What a provider cannot do or finds
 * out of range is KCF_MECHANISM_PARAM_INVALID. */

/* IV, initial counter block (CTR: 128-bit big-endian counter; ChaCha20: 32-bit little-endian
 * counter then nonce), or XTS tweak. Length: the mechanism's block, ChaCha20 16, 3DES 8. SP
 * 800-38A. */
struct kcf_param_iv {
	const uint8_t *iv;
	size_t iv_len;
};

#define KCF_IV_GENERATED 0x1 /* kcfd makes the nonce; keys by handle only; see iv_out */

/* AEAD (SP 800-38C, SP 800-38D, RFC 7253, RFC 8439). A nonce is used once under a key, or all is
 * lost. tag_len 0 = 16 bytes. iv_out: with KCF_IV_GENERATED (then iv is NULL), 12 bytes that
 * receive the nonce, set before the call returns or before the callback of the single-part
 * operation, the init or the request of steps; must stay until then. It is made for encryption only
 * and for keys by handle or name: at most 2^32 of them for a key (KCF_KEY_FUNCTION_NOT_PERMITTED).
 * aad: any length in the caller's thread; through kcfd nonce and AAD together are at most 32768
 * bytes (KCF_BUFFER_TOO_BIG). data_len: CCM multi-part, the whole input length in bytes when it is
 * known at init, else 0 (then buffered). */
struct kcf_param_aead {
	const uint8_t *iv;
	size_t iv_len;
	const uint8_t *aad;
	size_t aad_len;
	size_t tag_len;
	uint64_t data_len;
	uint8_t *iv_out;
	uint32_t flags;
};

/* MAC. mac_len 0 = the full length; shorter = leftmost bytes. iv: GMAC nonce. custom: KMAC string
 * S. */
struct kcf_param_mac {
	size_t mac_len;
	const uint8_t *iv;
	size_t iv_len;
	const uint8_t *custom;
	size_t custom_len;
};

/* XOF: output length; 0 = twice the security strength in bytes (SHAKE128 32, SHAKE256 64). */
struct kcf_param_digest {
	size_t out_len;
};

#define KCF_SALT_DIGEST (-1) /* salt as long as the digest */
#define KCF_SALT_AUTO   (-2) /* sign: the longest; verify: any */

/* hash: mechanism number of the digest, 0 = that of the mechanism name, else SHA-256. mgf_hash 0 =
 * hash. */
struct kcf_param_rsa_pss {
	kcf_mech_t hash;
	kcf_mech_t mgf_hash;
	int32_t salt_len;
};

/* hash 0 = SHA-1 as in PKCS#1; mgf_hash 0 = hash. */
struct kcf_param_rsa_oaep {
	kcf_mech_t hash;
	kcf_mech_t mgf_hash;
	const uint8_t *label;
	size_t label_len;
};

#define KCF_SIG_DER     0x1 /* ECDSA, DSA: DER SEQUENCE instead of r||s */
#define KCF_SIG_PREHASH 0x2 /* EdDSA: Ed25519ph, Ed448ph; no provider of this version has it */

struct kcf_param_sign {
	uint32_t flags;
	const uint8_t *context; /* Ed25519ctx, Ed448; no provider of this version has it */
	size_t context_len;
};

/* peer: SubjectPublicKeyInfo DER, or an uncompressed X9.62 point, or raw X25519/X448, or for DH the
 * public value big-endian. Output: the raw shared secret (x coordinate). SP 800-56A. */
struct kcf_param_ecdh {
	const uint8_t *peer;
	size_t peer_len;
};

#define KCF_HKDF_EXTRACT 0x1 /* flags 0 = both */
#define KCF_HKDF_EXPAND  0x2

/* RFC 5869. Output length = room given. */
struct kcf_param_hkdf {
	kcf_mech_t hash;
	uint32_t flags;
	const uint8_t *salt;
	size_t salt_len;
	const uint8_t *info;
	size_t info_len;
};

/* RFC 8018, the key is the password. */
struct kcf_param_pbkdf2 {
	kcf_mech_t hash;
	uint32_t iterations;
	const uint8_t *salt;
	size_t salt_len;
};

#define KCF_KBKDF_FEEDBACK     0x1 /* else counter mode */
#define KCF_KBKDF_NO_L         0x2 /* leave the length field out */
#define KCF_KBKDF_NO_SEPARATOR 0x4

/* SP 800-108. mac: an HMAC mechanism or CKM_AES_CMAC. */
struct kcf_param_kbkdf {
	kcf_mech_t mac;
	uint32_t flags;
	const uint8_t *label;
	size_t label_len;
	const uint8_t *context;
	size_t context_len;
	const uint8_t *seed;
	size_t seed_len;
};

/* RFC 7914. n: power of two. */
struct kcf_param_scrypt {
	uint64_t n;
	uint32_t r;
	uint32_t p;
	const uint8_t *salt;
	size_t salt_len;
};

enum kcf_curve {
	KCF_CURVE_NONE = 0,
	KCF_CURVE_P256 = 1,
	KCF_CURVE_P384 = 2,
	KCF_CURVE_P521 = 3,
	KCF_CURVE_ED25519 = 4,
	KCF_CURVE_ED448 = 5,
	KCF_CURVE_X25519 = 6,
	KCF_CURVE_X448 = 7,
};

/* FIPS 186-4, SP 800-133. The openssl provider's RSA: 2048 to 8192 bits by steps of 256. */
struct kcf_param_keygen {
	uint32_t bits;  /* AES: 128, 192, 256; secret: a multiple of 8; RSA: of the modulus */
	uint32_t curve; /* enum kcf_curve: the EC, Edwards and Montgomery mechanisms */
};

/* ---- key formats ----------------------------------------------------------------------------- */

enum kcf_key_format {
	KCF_KEY_RAW = 0,   /* symmetric bytes; X25519, X448, Ed25519, Ed448 raw keys (private or
			      public,   as the operation needs) */
	KCF_KEY_PKCS8 = 1, /* private key, PKCS#8 PrivateKeyInfo DER */
	KCF_KEY_SPKI = 2,  /* public key, SubjectPublicKeyInfo DER */
};

/* The table of fixed mechanisms, ordered by number. */
struct kcf_mech_name {
	kcf_mech_t number;
	const char *name;
	const char *alias;
	uint32_t classes;
	uint32_t param_kind;
};

#ifdef __cplusplus
}
#endif
#endif
