/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC (FIPS 198-1, RFC 2104) over libcrypto's digests, for the MAC rows and as the pseudo-random
 * function of the KDFs.
 *
 * libcrypto's own HMAC duplicates two digest contexts on the heap for every message. Here the
 * digests whose state is a plain structure (SHA-1, SHA-2, MD5) keep the state after the inner and
 * after the outer padded key and start by copying it: no allocation, two compressions less. The
 * others hash the padded key again.
 *
 * Thread: one per object.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain digest states: stable in all of 3.x */
#include <stdlib.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include "openssl-private.h"

#define HMAC_BLOCK_MAX 168

union plain_state {
	MD5_CTX md5;
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha512;
};

struct plain_digest {
	kcf_mech_t mech;
	size_t size;
	int (*init)(union plain_state *s);
	int (*update)(union plain_state *s, const void *p, size_t len);
	int (*final)(uint8_t *out, union plain_state *s);
};

#define PLAIN(ident, member, prefix)                                                               \
	static int ident##_init(union plain_state *s)                                              \
	{                                                                                          \
		return prefix##_Init(&s->member);                                                  \
	}                                                                                          \
	static int ident##_update(union plain_state *s, const void *p, size_t len)                 \
	{                                                                                          \
		return prefix##_Update(&s->member, p, len);                                        \
	}                                                                                          \
	static int ident##_final(uint8_t *out, union plain_state *s)                               \
	{                                                                                          \
		return prefix##_Final(out, &s->member);                                            \
	}
PLAIN(md5, md5, MD5)
PLAIN(sha1, sha1, SHA1)
PLAIN(sha224, sha256, SHA224)
PLAIN(sha256, sha256, SHA256)
PLAIN(sha384, sha512, SHA384)
PLAIN(sha512, sha512, SHA512)

static const struct plain_digest plain_digests[] = {
	{KCF_M_SHA256, sizeof(SHA256_CTX), sha256_init, sha256_update, sha256_final},
	{KCF_M_SHA_1, sizeof(SHA_CTX), sha1_init, sha1_update, sha1_final},
	{KCF_M_SHA224, sizeof(SHA256_CTX), sha224_init, sha224_update, sha224_final},
	{KCF_M_SHA384, sizeof(SHA512_CTX), sha384_init, sha384_update, sha384_final},
	{KCF_M_SHA512, sizeof(SHA512_CTX), sha512_init, sha512_update, sha512_final},
	{KCF_M_MD5, sizeof(MD5_CTX), md5_init, md5_update, md5_final},
};

struct openssl_hmac {
	const struct plain_digest *plain; /* NULL: f, md and pads instead */
	union plain_state run, inner, outer;
	unsigned len, block;
	struct openssl_digest_fns f;
	void *md;
	uint8_t pad[2][HMAC_BLOCK_MAX];
};

static const struct plain_digest *find_plain(kcf_mech_t mech)
{
	for (size_t i = 0; i < sizeof(plain_digests) / sizeof(plain_digests[0]); i++)
		if (plain_digests[i].mech == mech)
			return &plain_digests[i];
	return NULL;
}

void openssl_hmac_free(struct openssl_hmac *h)
{
	if (!h)
		return;
	if (h->md)
		h->f.freectx(h->md);
	explicit_bzero(h, sizeof(*h));
	free(h);
}

/* The key, or its digest if it is longer than a block, into both pads. */
static bool set_pads(struct openssl_hmac *h, const uint8_t *key, size_t key_len)
{
	uint8_t short_key[OPENSSL_DIGEST_MAX];
	bool ok = true;
	size_t done;

	if (key_len > h->block) {
		ok = h->f.init(h->md, NULL) && h->f.update(h->md, key, key_len) &&
		     h->f.final(h->md, short_key, &done, sizeof(short_key));
		key = short_key;
		key_len = h->len;
	}
	for (unsigned i = 0; ok && i < h->block; i++) {
		uint8_t byte = i < key_len ? key[i] : 0;

		h->pad[0][i] = byte ^ 0x36;
		h->pad[1][i] = byte ^ 0x5c;
	}
	explicit_bzero(short_key, sizeof(short_key));
	return ok;
}

struct openssl_hmac *openssl_hmac_new(struct openssl_prov *prov, kcf_mech_t hash,
				      const uint8_t *key, size_t key_len)
{
	const struct openssl_spec *digest;
	struct openssl_hmac *h = calloc(1, sizeof(*h));
	bool ok;

	if (!h)
		return NULL;
	ok = openssl_digest_find(prov, hash, &digest, &h->f) == KCF_SUCCESS &&
	     digest->block <= HMAC_BLOCK_MAX;
	if (ok) {
		h->len = digest->len;
		h->block = digest->block;
		h->md = h->f.newctx(prov->provctx);
		ok = h->md && set_pads(h, key, key_len);
	}
	if (ok && (h->plain = find_plain(hash)))
		ok = h->plain->init(&h->inner) && h->plain->init(&h->outer) &&
		     h->plain->update(&h->inner, h->pad[0], h->block) &&
		     h->plain->update(&h->outer, h->pad[1], h->block);
	if (ok)
		return h;
	openssl_hmac_free(h);
	return NULL;
}

bool openssl_hmac_start(struct openssl_hmac *h)
{
	if (likely(h->plain != NULL)) {
		memcpy(&h->run, &h->inner, h->plain->size);
		return true;
	}
	return h->f.init(h->md, NULL) && h->f.update(h->md, h->pad[0], h->block);
}

bool openssl_hmac_add(struct openssl_hmac *h, const void *p, size_t len)
{
	if (likely(h->plain != NULL))
		return h->plain->update(&h->run, p, len);
	return h->f.update(h->md, p, len);
}

bool openssl_hmac_end(struct openssl_hmac *h, uint8_t *out)
{
	uint8_t inner[OPENSSL_DIGEST_MAX];
	size_t done;

	if (likely(h->plain != NULL)) {
		if (!h->plain->final(inner, &h->run))
			return false;
		memcpy(&h->run, &h->outer, h->plain->size);
		return h->plain->update(&h->run, inner, h->len) && h->plain->final(out, &h->run);
	}
	return h->f.final(h->md, inner, &done, h->len) && h->f.init(h->md, NULL) &&
	       h->f.update(h->md, h->pad[1], h->block) && h->f.update(h->md, inner, h->len) &&
	       h->f.final(h->md, out, &done, h->len);
}
