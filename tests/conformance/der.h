/* SPDX-License-Identifier: Apache-2.0 */
/* der: vector files give keys as numbers; kcf wants PKCS#8 and SubjectPublicKeyInfo. */
#ifndef CONFORMANCE_DER_H
#define CONFORMANCE_DER_H

#include "vector.h"

/* One element of n parts, each struct bytes. */
struct bytes der(struct set *set, uint8_t tag, unsigned n, ...);
/* INTEGER from an unsigned big-endian number of any padding. */
struct bytes der_uint(struct set *set, struct bytes number);

struct rsa_numbers {
	struct bytes n, e, d, p, q;
};

struct bytes der_rsa_public(struct set *set, struct bytes n, struct bytes e);
/* The CRT numbers are computed. */
struct bytes der_rsa_private(struct set *set, const struct rsa_numbers *rsa);

struct curve {
	const char *name; /* "P-256" */
	const char *oid;  /* contents, hex */
	size_t len;       /* bytes of a coordinate */
};

/* P-256, P-384 or P-521 in any of the usual spellings; NULL for another curve. */
const struct curve *curve_find(const char *name);
/* 04 || x || y, each padded. */
struct bytes der_ec_point(struct set *set, const struct curve *curve, struct bytes x,
			  struct bytes y);
struct bytes der_ec_public(struct set *set, const struct curve *curve, struct bytes point);
struct bytes der_ec_private(struct set *set, const struct curve *curve, struct bytes d);

struct bytes der_dsa_public(struct set *set, struct bytes p, struct bytes q, struct bytes g,
			    struct bytes y);
struct bytes der_dh_private(struct set *set, struct bytes p, struct bytes g, struct bytes x);

/* Right-aligned in len bytes; leading zeros are dropped or added. */
struct bytes pad_left(struct set *set, struct bytes number, size_t len);

#endif
