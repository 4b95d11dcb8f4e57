/* SPDX-License-Identifier: Apache-2.0 */
/* hash: room for the state of any hash of this provider, and HMAC over any of them (FIPS 198-1). */
#ifndef NETTLE_HASH_H
#define NETTLE_HASH_H

#include <nettle/hmac.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <nettle/sha3.h>
#include <kcf/types.h>

#define HASH_SIZE_MAX 64

union hash_state {
	struct sha1_ctx sha1;
	struct sha256_ctx sha256;
	struct sha512_ctx sha512;
	struct sha3_224_ctx sha3_224;
	struct sha3_256_ctx sha3_256;
	struct sha3_384_ctx sha3_384;
	struct sha3_512_ctx sha3_512;
};

/* The two states every HMAC with one key starts from; read-only once set. */
struct hmac_key {
	union hash_state outer, inner;
};

/* The SHA-1 or SHA-2 hash of this number, or NULL. */
const struct nettle_hash *hash_find(kcf_mech_t number);

#endif
