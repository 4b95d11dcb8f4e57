/* SPDX-License-Identifier: Apache-2.0 */
/* der: see der.h. Written for well-formed vectors: what does not fit ends the program. */
#include "der.h"

#include <openssl/bn.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define INTEGER      0x02
#define BIT_STRING   0x03
#define OCTET_STRING 0x04
#define NULL_TAG     0x05
#define OID          0x06
#define SEQUENCE     0x30

static size_t put_head(uint8_t *at, uint8_t tag, size_t len)
{
	size_t n = 0;

	at[n++] = tag;
	if (len >= 0x10000)
		die("DER element of %zu bytes", len);
	if (len >= 0x100) {
		at[n++] = 0x82;
		at[n++] = (uint8_t)(len >> 8);
	} else if (len >= 0x80) {
		at[n++] = 0x81;
	}
	at[n++] = (uint8_t)len;
	return n;
}

struct bytes der(struct set *set, uint8_t tag, unsigned n, ...)
{
	struct bytes all = {NULL, 0}, part;
	size_t len = 0;
	va_list args;
	unsigned i;

	va_start(args, n);
	for (i = 0; i < n; i++)
		len += va_arg(args, struct bytes).len;
	va_end(args);
	all.at = set_alloc(set, len + 4);
	all.len = put_head(all.at, tag, len);
	va_start(args, n);
	for (i = 0; i < n; i++) {
		part = va_arg(args, struct bytes);
		memcpy(all.at + all.len, part.at, part.len);
		all.len += part.len;
	}
	va_end(args);
	return all;
}

static struct bytes strip(struct bytes number)
{
	while (number.len > 1 && number.at[0] == 0) {
		number.at++;
		number.len--;
	}
	return number;
}

struct bytes pad_left(struct set *set, struct bytes number, size_t len)
{
	struct bytes out = {set_alloc(set, len), len};

	number = strip(number);
	if (number.len > len)
		die("number of %zu bytes where %zu are due", number.len, len);
	memcpy(out.at + len - number.len, number.at, number.len);
	return out;
}

struct bytes der_uint(struct set *set, struct bytes number)
{
	number = strip(number);
	if (number.len > 0 && number.at[0] & 0x80)
		number = pad_left(set, number, number.len + 1);
	return der(set, INTEGER, 1, number);
}

static struct bytes bit_string(struct set *set, struct bytes content)
{
	struct bytes zero = set_copy(set, "", 1);

	return der(set, BIT_STRING, 2, zero, content);
}

static struct bytes oid(struct set *set, const char *hex)
{
	return der(set, OID, 1, set_hex(set, hex));
}

static struct bytes number(struct set *set, uint8_t value)
{
	return der_uint(set, set_copy(set, &value, 1));
}

/* ---- RSA ------------------------------------------------------------------------------------- */

static struct bytes rsa_algorithm(struct set *set)
{
	return der(set, SEQUENCE, 2, oid(set, "2a864886f70d010101"), der(set, NULL_TAG, 0));
}

struct bytes der_rsa_public(struct set *set, struct bytes n, struct bytes e)
{
	struct bytes key = der(set, SEQUENCE, 2, der_uint(set, n), der_uint(set, e));

	return der(set, SEQUENCE, 2, rsa_algorithm(set), bit_string(set, key));
}

static struct bytes from_bn(struct set *set, const BIGNUM *bn)
{
	struct bytes b = {set_alloc(set, (size_t)BN_num_bytes(bn) + 1), (size_t)BN_num_bytes(bn)};

	BN_bn2bin(bn, b.at);
	return b;
}

/* d mod (p - 1) */
static struct bytes crt_exponent(struct set *set, struct bytes d, struct bytes p, BN_CTX *ctx)
{
	BIGNUM *bd = BN_bin2bn(d.at, (int)d.len, NULL), *bp = BN_bin2bn(p.at, (int)p.len, NULL);
	struct bytes result;

	BN_sub_word(bp, 1);
	BN_mod(bd, bd, bp, ctx);
	result = from_bn(set, bd);
	BN_free(bd);
	BN_free(bp);
	return result;
}

struct bytes der_rsa_private(struct set *set, const struct rsa_numbers *rsa)
{
	BIGNUM *p = BN_bin2bn(rsa->p.at, (int)rsa->p.len, NULL);
	BIGNUM *q = BN_bin2bn(rsa->q.at, (int)rsa->q.len, NULL);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *inverse = BN_mod_inverse(NULL, q, p, ctx);
	struct bytes key;

	if (!inverse)
		die("primes without inverse");
	key = der(set, SEQUENCE, 9, number(set, 0), der_uint(set, rsa->n), der_uint(set, rsa->e),
		  der_uint(set, rsa->d), der_uint(set, rsa->p), der_uint(set, rsa->q),
		  der_uint(set, crt_exponent(set, rsa->d, rsa->p, ctx)),
		  der_uint(set, crt_exponent(set, rsa->d, rsa->q, ctx)),
		  der_uint(set, from_bn(set, inverse)));
	BN_free(p);
	BN_free(q);
	BN_free(inverse);
	BN_CTX_free(ctx);
	return der(set, SEQUENCE, 3, number(set, 0), rsa_algorithm(set),
		   der(set, OCTET_STRING, 1, key));
}

/* ---- elliptic curves ------------------------------------------------------------------------- */

const struct curve *curve_find(const char *name)
{
	static const struct curve curves[] = {
		{"P-256", "2a8648ce3d030107", 32},
		{"P-384", "2b81040022", 48},
		{"P-521", "2b81040023", 66},
	};
	static const char *const other[] = {"secp256r1", "secp384r1", "secp521r1"};
	size_t i;

	for (i = 0; i < 3; i++) {
		if (!strncasecmp(name, curves[i].name, 5) || !strcasecmp(name, other[i]))
			return &curves[i];
	}
	return NULL;
}

static struct bytes ec_algorithm(struct set *set, const struct curve *curve)
{
	return der(set, SEQUENCE, 2, oid(set, "2a8648ce3d0201"), oid(set, curve->oid));
}

struct bytes der_ec_point(struct set *set, const struct curve *curve, struct bytes x,
			  struct bytes y)
{
	struct bytes point = {set_alloc(set, 1 + 2 * curve->len), 1 + 2 * curve->len};

	point.at[0] = 4;
	memcpy(point.at + 1, pad_left(set, x, curve->len).at, curve->len);
	memcpy(point.at + 1 + curve->len, pad_left(set, y, curve->len).at, curve->len);
	return point;
}

struct bytes der_ec_public(struct set *set, const struct curve *curve, struct bytes point)
{
	return der(set, SEQUENCE, 2, ec_algorithm(set, curve), bit_string(set, point));
}

struct bytes der_ec_private(struct set *set, const struct curve *curve, struct bytes d)
{
	struct bytes secret = der(set, OCTET_STRING, 1, pad_left(set, d, curve->len));
	struct bytes key = der(set, SEQUENCE, 2, number(set, 1), secret);

	return der(set, SEQUENCE, 3, number(set, 0), ec_algorithm(set, curve),
		   der(set, OCTET_STRING, 1, key));
}

/* ---- DSA, DH --------------------------------------------------------------------------------- */

struct bytes der_dsa_public(struct set *set, struct bytes p, struct bytes q, struct bytes g,
			    struct bytes y)
{
	struct bytes group =
		der(set, SEQUENCE, 3, der_uint(set, p), der_uint(set, q), der_uint(set, g));
	struct bytes algorithm = der(set, SEQUENCE, 2, oid(set, "2a8648ce380401"), group);

	return der(set, SEQUENCE, 2, algorithm, bit_string(set, der_uint(set, y)));
}

struct bytes der_dh_private(struct set *set, struct bytes p, struct bytes g, struct bytes x)
{
	struct bytes group = der(set, SEQUENCE, 2, der_uint(set, p), der_uint(set, g));
	struct bytes algorithm = der(set, SEQUENCE, 2, oid(set, "2a864886f70d010301"), group);

	return der(set, SEQUENCE, 3, number(set, 0), algorithm,
		   der(set, OCTET_STRING, 1, der_uint(set, x)));
}
