/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-evp - libcrypto called the fair way: algorithms fetched once, a context per key with the
 * key set, per operation only what must be (IV, MAC restart). What kcf is measured against, and
 * what its results are compared with. One thread a state. Nothing of kcf's.
 */
#pragma once

#include <openssl/evp.h>

#include "speed-work.h"

struct speed_evp {
	enum speed_work_kind work;
	size_t size;
	EVP_CIPHER_CTX *ciphers[SPEED_TEMPLATES];
	EVP_MAC_CTX *macs[SPEED_TEMPLATES];
	EVP_PKEY_CTX *signers[SPEED_TEMPLATES];
	EVP_MD *sha256;
	EVP_MD_CTX *hash;
	bool (*operate)(struct speed_evp *e, uint64_t n, const unsigned char *in,
			unsigned char *out);
};

/* False: libcrypto could not. Close in any case. */
bool speed_evp_open(struct speed_evp *e, enum speed_work_kind work, size_t size);
void speed_evp_close(struct speed_evp *e);
/* Instead of the two operations of SPEED_DUAL_ENC the nearest that libcrypto has in one: the
 * stitched cipher of TLS, MAC then encrypt, which is faster. False and unchanged without it. out
 * needs SPEED_STITCHED_MORE bytes more than size. */
#define SPEED_STITCHED_MORE 64u
bool speed_evp_stitch(struct speed_evp *e);
/* What authenticates the inputs of this work; nothing if it has none. */
bool speed_evp_auth(enum speed_work_kind work, size_t size, struct speed_auth *ret);

/* ---- signatures (speed-evp-sign.c) ---- */

#define SPEED_SIGN_KEYS 8u /* distinct; the 64 templates share them, RSA key generation is slow */

/* PKCS#8 DER of key i, made at first use and kept. */
bool speed_evp_sign_key(enum speed_work_kind work, unsigned i, const unsigned char **ret,
			size_t *ret_len);
bool speed_evp_sign_open(struct speed_evp *e);
/* Is out a signature of operation n's input? */
bool speed_evp_verify(struct speed_evp *e, uint64_t n, const unsigned char *in,
		      const unsigned char *out);
