/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMAC (SP 800-185 4) over libcrypto's cSHAKE core.
 *
 * libcrypto's own KMAC copies a digest context on the heap for every message; this one starts its
 * only context again and absorbs the encoded function name, custom string and key.
 *
 * Thread: one per object.
 */
#include <stdlib.h>
#include "openssl-private.h"

struct openssl_kmac {
	struct openssl_digest_fns f;
	void *md;
	unsigned rate;
	size_t len, key_len;
	uint8_t key[];
};

/* left_encode and right_encode: the number big-endian, its length before or behind. */
static size_t encode(uint64_t n, bool right, uint8_t *out)
{
	size_t len = 1;

	while (len < 8 && n >> (8 * len))
		len++;
	for (size_t i = 0; i < len; i++)
		out[i + !right] = (uint8_t)(n >> (8 * (len - 1 - i)));
	out[right ? len : 0] = (uint8_t)len;
	return len + 1;
}

static bool absorb(struct openssl_kmac *k, const void *p, size_t len, size_t *total)
{
	*total += len;
	return len == 0 || k->f.update(k->md, p, len);
}

static bool absorb_string(struct openssl_kmac *k, const void *p, size_t len, size_t *total)
{
	uint8_t head[9];

	return absorb(k, head, encode(8 * (uint64_t)len, false, head), total) &&
	       absorb(k, p, len, total);
}

/* bytepad: the encoded rate in front, zeros up to a multiple of it. */
static bool absorb_rate(struct openssl_kmac *k, size_t *total)
{
	uint8_t head[9];

	return absorb(k, head, encode(k->rate, false, head), total);
}

static bool absorb_zeros(struct openssl_kmac *k, size_t *total)
{
	static const uint8_t zeros[168];

	return absorb(k, zeros, (k->rate - *total % k->rate) % k->rate, total);
}

void openssl_kmac_free(struct openssl_kmac *k)
{
	if (!k)
		return;
	if (k->md)
		k->f.freectx(k->md);
	explicit_bzero(k->key, k->key_len);
	free(k);
}

struct openssl_kmac *openssl_kmac_new(struct openssl_prov *prov, const OSSL_DISPATCH *impl,
				      unsigned rate, const uint8_t *key, size_t key_len)
{
	struct openssl_kmac *k = calloc(1, sizeof(*k) + key_len);

	if (!k)
		return NULL;
	k->rate = rate;
	k->key_len = key_len;
	memcpy(k->key, key, key_len);
	if (openssl_digest_fns_init(impl, &k->f))
		k->md = k->f.newctx(prov->provctx);
	if (k->md)
		return k;
	openssl_kmac_free(k);
	return NULL;
}

bool openssl_kmac_start(struct openssl_kmac *k, const uint8_t *custom, size_t custom_len,
			size_t len)
{
	size_t prefix = 0, keyed = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_DIGEST_PARAM_XOFLEN, &len),
		OSSL_PARAM_construct_end(),
	};

	k->len = len;
	return k->f.init(k->md, params) && absorb_rate(k, &prefix) &&
	       absorb_string(k, "KMAC", 4, &prefix) &&
	       absorb_string(k, custom, custom_len, &prefix) && absorb_zeros(k, &prefix) &&
	       absorb_rate(k, &keyed) && absorb_string(k, k->key, k->key_len, &keyed) &&
	       absorb_zeros(k, &keyed);
}

bool openssl_kmac_add(struct openssl_kmac *k, const void *p, size_t len)
{
	return k->f.update(k->md, p, len);
}

bool openssl_kmac_end(struct openssl_kmac *k, uint8_t *out)
{
	uint8_t tail[9];
	size_t done;

	return k->f.update(k->md, tail, encode(8 * (uint64_t)k->len, true, tail)) &&
	       k->f.final(k->md, out, &done, k->len);
}
