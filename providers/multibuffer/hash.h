/* SPDX-License-Identifier: Apache-2.0 */
/* hash: digests and MACs in lanes, for the table of rows and for dual.c. */
#ifndef MB_HASH_H
#define MB_HASH_H

#include "mb.h"

struct hash_alg;

extern const struct hash_alg hash_sha1, hash_sha224, hash_sha256, hash_sha384, hash_sha512;
extern const struct hash_alg hmac_sha1, hmac_sha224, hmac_sha256, hmac_sha384, hmac_sha512;
extern const struct hash_alg cmac_aes, poly1305;

/* Does n jobs of one row in lanes that are the caller's. */
void hash_run(struct lanes *l, const void *alg, struct kcf_job *const *jobs, unsigned n);
size_t hash_tag_len(const void *alg);

#endif
