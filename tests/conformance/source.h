/* SPDX-License-Identifier: Apache-2.0 */
/* source: which published files there are, what they are about, and who reads them. */
#ifndef CONFORMANCE_SOURCE_H
#define CONFORMANCE_SOURCE_H

#include "rsp.h"

struct source {
	const char *pattern; /* glob below the vector directory */
	const char *mech;    /* NULL: the file says */
	void (*parse)(struct set *set, struct rsp *r, const struct source *source);
	kcf_mech_t hash; /* where the file does not say it */
};

/* Ends with a NULL pattern. */
extern const struct source sources[];

void parse_digest(struct set *set, struct rsp *r, const struct source *source);
void parse_xof(struct set *set, struct rsp *r, const struct source *source);
void parse_mac(struct set *set, struct rsp *r, const struct source *source);
void parse_cipher(struct set *set, struct rsp *r, const struct source *source);
void parse_xts(struct set *set, struct rsp *r, const struct source *source);
void parse_chacha20(struct set *set, struct rsp *r, const struct source *source);
void parse_camellia_ecb(struct set *set, struct rsp *r, const struct source *source);
void parse_key_wrap(struct set *set, struct rsp *r, const struct source *source);
void parse_gcm(struct set *set, struct rsp *r, const struct source *source);
void parse_ccm(struct set *set, struct rsp *r, const struct source *source);
void parse_aead(struct set *set, struct rsp *r, const struct source *source);
void parse_hkdf(struct set *set, struct rsp *r, const struct source *source);
void parse_pbkdf2(struct set *set, struct rsp *r, const struct source *source);
void parse_scrypt(struct set *set, struct rsp *r, const struct source *source);
void parse_kbkdf(struct set *set, struct rsp *r, const struct source *source);
void parse_ed25519(struct set *set, struct rsp *r, const struct source *source);
void parse_eddsa(struct set *set, struct rsp *r, const struct source *source);
void parse_xdh(struct set *set, struct rsp *r, const struct source *source);
void parse_ecdh(struct set *set, struct rsp *r, const struct source *source);
void parse_ecdsa(struct set *set, struct rsp *r, const struct source *source);
void parse_rsa_sigver(struct set *set, struct rsp *r, const struct source *source);
void parse_rsa_pkcs1(struct set *set, struct rsp *r, const struct source *source);
void parse_dsa(struct set *set, struct rsp *r, const struct source *source);
void parse_dh(struct set *set, struct rsp *r, const struct source *source);
/* The repository's own files. */
void parse_own(struct set *set, struct rsp *r, const struct source *source);

#endif
