/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: the mechanisms of the multibuffer provider, and the module's descriptor.
 *
 * Costs were measured on one core with AVX-512, VAES and the SHA extensions: alone, and in full
 * lanes. KCF_ROW_SHARED_OK is given where an input byte is used once, though an idle lane may look
 * at it again; not where padding is judged or data is read once more to be masked. Thread: any;
 * constant.
 */
#include "cipher.h"
#include "hash.h"
#include "aead.h"

#define MULTI  KCF_ROW_MULTI_PART
#define SHARED KCF_ROW_SHARED_OK
#define SHORT  KCF_ROW_SHORT

#define SECRET_BITS_MAX 65536
/* A MAC may be over ciphertext that is longer by a block than the input of its dual operation. */
#define MAC_LEN_MAX (LANE_LEN_MAX - BLOCK)

/* cost: ns a request, ns a KiB, alone; then the lanes and the same in their company. */
#define ROW(mech, class, kind, flag_bits, min, max, step, block, limit, cls, how, ...)             \
	{                                                                                          \
		.name = mech, .classes = KCF_CLASS_##class, .param_kind = KCF_PARAM_##kind,        \
		.flags = (flag_bits) | SHORT, .key_min_bits = (min), .key_max_bits = (max),        \
		.key_step_bits = (step), .block_len = (block), .max_input = (limit),               \
		.priv = (uintptr_t) & (const struct entry){&cls##_class, how}, COSTS(__VA_ARGS__)  \
	}
#define COSTS(setup, kib, n, burst_setup, burst_kib)                                               \
	.setup_ns = (setup), .ns_per_kib = (kib), .lanes = (n), .burst_setup_ns = (burst_setup),   \
	.burst_ns_per_kib = (burst_kib)

#define AEAD(mech, min, how, ...)                                                                  \
	ROW(mech, AEAD, AEAD, MULTI | SHARED, min, 256, 64, 1, 0, aead, how, __VA_ARGS__)
#define AES(mech, kind, flags, block, how, ...)                                                    \
	ROW(mech, CIPHER, kind, flags, 128, 256, 64, block, 0, cipher, how, __VA_ARGS__)
#define SHA(mech, how, ...)                                                                        \
	ROW(mech, DIGEST, NONE, SHARED, 0, 0, 0, 1, LANE_LEN_MAX, hash, how, __VA_ARGS__)
#define HMAC(mech, how, ...)                                                                       \
	ROW(mech, MAC, MAC, SHARED, 0, SECRET_BITS_MAX, 8, 1, MAC_LEN_MAX, hash, how, __VA_ARGS__)

const struct kcf_mech_row mb_rows[] = {
	SHA("CKM_SHA_1", &hash_sha1, 120, 600, 16, 85, 145),
	SHA("CKM_SHA224", &hash_sha224, 120, 580, 2, 95, 285),
	SHA("CKM_SHA256", &hash_sha256, 120, 580, 2, 95, 285),
	SHA("CKM_SHA384", &hash_sha384, 450, 2800, 8, 125, 350),
	SHA("CKM_SHA512", &hash_sha512, 450, 2800, 8, 125, 350),
	HMAC("CKM_SHA_1_HMAC", &hmac_sha1, 130, 580, 16, 80, 145),
	HMAC("CKM_SHA224_HMAC", &hmac_sha224, 130, 580, 2, 105, 285),
	HMAC("CKM_SHA256_HMAC", &hmac_sha256, 130, 580, 2, 105, 285),
	HMAC("CKM_SHA384_HMAC", &hmac_sha384, 700, 2900, 8, 130, 360),
	HMAC("CKM_SHA512_HMAC", &hmac_sha512, 700, 2900, 8, 130, 360),
	ROW("CKM_AES_CMAC", MAC, MAC, SHARED, 128, 256, 128, 1, MAC_LEN_MAX, hash, &cmac_aes, 110,
	    1000, 16, 65, 75),
	ROW("CKM_AES_GMAC", MAC, MAC, MULTI | SHARED, 128, 256, 64, 1, 0, gmac, NULL, 45, 50, 0, 0,
	    0),
	ROW("CKM_POLY1305", MAC, MAC, SHARED, 256, 256, 0, 1, MAC_LEN_MAX, hash, &poly1305, 75, 85,
	    0, 0, 0),
	AES("CKM_AES_ECB", NONE, MULTI | SHARED, 16, &cipher_ecb, 60, 55, 0, 0, 0),
	AES("CKM_AES_CBC", IV, MULTI | SHARED, 16, &cipher_cbc, 85, 1150, 16, 40, 85),
	AES("CKM_AES_CBC_PAD", IV, 0, 1, &cipher_cbc_pad, 120, 1180, 16, 75, 130),
	AES("CKM_AES_CTR", IV, MULTI | SHARED, 1, &cipher_ctr, 50, 50, 0, 0, 0),
	AES("CKM_AES_CFB128", IV, 0, 1, &cipher_cfb, 130, 1200, 16, 80, 170),
	AES("CKM_AES_OFB", IV, 0, 1, &cipher_ofb, 130, 1200, 16, 80, 170),
	AEAD("CKM_AES_GCM", 128, &aead_gcm, 50, 100, 0, 0, 0),
	ROW("CKM_AES_CCM", AEAD, AEAD, 0, 128, 256, 64, 1, 0, ccm, NULL, 170, 1100, 16, 130, 140),
	AEAD("CKM_CHACHA20_POLY1305", 256, &aead_chacha, 165, 275, 0, 0, 0),
};

#define N_ROWS (sizeof(mb_rows) / sizeof(mb_rows[0]))

const uint32_t mb_n_rows = N_ROWS;

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "multibuffer",
	.description = "software, many messages at once, on libipsec-mb",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = N_ROWS,
	.rows = mb_rows,
	.ops = &mb_ops,
};
