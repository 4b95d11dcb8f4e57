/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC (FIPS 198-1, RFC 2104) over libcrypto's digests, for the MAC rows and as the pseudo-random
 * function of the KDFs.
 *
 * libcrypto's own HMAC duplicates two digest contexts on the heap for every message. Here the
 * digests whose state is a plain structure (SHA-1, SHA-2, MD5) keep the chaining value after the
 * inner and after the outer padded key and start by copying it: no allocation, two compressions
 * less. The others hash the padded key again.
 *
 * Thread: one per object.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain digest states: stable in all of 3.x */
#include <stddef.h>
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
	size_t size;  /* of its state, */
	size_t kept;  /* of the beginning of that: all there is to keep after whole blocks, */
	size_t count; /* and where it counts the bytes of a block begun (unsigned) */
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

#define DIGEST(mech, ident, type, data)                                                            \
	{                                                                                          \
		KCF_M_##mech, sizeof(type), offsetof(type, data), offsetof(type, num),             \
			ident##_init, ident##_update, ident##_final                                \
	}

static const struct plain_digest plain_digests[] = {
	DIGEST(SHA256, sha256, SHA256_CTX, data), DIGEST(SHA_1, sha1, SHA_CTX, data),
	DIGEST(SHA224, sha224, SHA256_CTX, data), DIGEST(SHA384, sha384, SHA512_CTX, u),
	DIGEST(SHA512, sha512, SHA512_CTX, u),    DIGEST(MD5, md5, MD5_CTX, data),
};

/* For the other digests. */
struct slow {
	struct openssl_digest_fns f;
	void *md;
	uint8_t pad[2][HMAC_BLOCK_MAX];
};

/* As small as can be, for there may be ten thousand of them: what a message needs of the plain ones
 * is four cache lines of SHA-256. */
struct openssl_hmac {
	const struct plain_digest *plain; /* NULL: slow */
	unsigned len, block;
	union {
		struct slow *slow;
		uint8_t *kept; /* after the inner and after the outer pad, of each plain->kept bytes
				*/
	};
	union plain_state run[]; /* plain->size bytes of one */
};

static const struct plain_digest *find_plain(kcf_mech_t mech)
{
	for (size_t i = 0; i < sizeof(plain_digests) / sizeof(plain_digests[0]); i++)
		if (plain_digests[i].mech == mech)
			return &plain_digests[i];
	return NULL;
}

static size_t hmac_size(const struct plain_digest *plain)
{
	return sizeof(struct openssl_hmac) + (plain ? plain->size + 2 * plain->kept : 0);
}

static void slow_free(struct slow *s)
{
	if (!s)
		return;
	if (s->md)
		s->f.freectx(s->md);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

void openssl_hmac_free(struct openssl_hmac *h)
{
	if (!h)
		return;
	if (!h->plain)
		slow_free(h->slow);
	explicit_bzero(h, hmac_size(h->plain));
	free(h);
}

/* The key, or its digest if it is longer than a block, into both pads. */
static bool set_pads(struct slow *s, const struct openssl_spec *digest, const uint8_t *key,
		     size_t key_len)
{
	uint8_t short_key[OPENSSL_DIGEST_MAX];
	bool ok = true;
	size_t done;

	if (key_len > digest->block) {
		ok = s->f.init(s->md, NULL) && s->f.update(s->md, key, key_len) &&
		     s->f.final(s->md, short_key, &done, sizeof(short_key));
		key = short_key;
		key_len = digest->len;
	}
	for (unsigned i = 0; ok && i < digest->block; i++) {
		uint8_t byte = i < key_len ? key[i] : 0;

		s->pad[0][i] = byte ^ 0x36;
		s->pad[1][i] = byte ^ 0x5c;
	}
	explicit_bzero(short_key, sizeof(short_key));
	return ok;
}

static struct slow *slow_new(struct openssl_prov *prov, const struct openssl_spec *digest,
			     const struct openssl_digest_fns *f, const uint8_t *key, size_t key_len)
{
	struct slow *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->f = *f;
	s->md = s->f.newctx(prov->provctx);
	if (s->md && set_pads(s, digest, key, key_len))
		return s;
	slow_free(s);
	return NULL;
}

static bool keep_pads(struct openssl_hmac *h, const struct slow *s)
{
	const struct plain_digest *plain = h->plain;

	h->kept = (uint8_t *)h->run + plain->size;
	for (unsigned i = 0; i < 2; i++) {
		if (!plain->init(h->run) || !plain->update(h->run, s->pad[i], h->block))
			return false;
		memcpy(h->kept + i * plain->kept, h->run, plain->kept);
	}
	return true;
}

struct openssl_hmac *openssl_hmac_new(struct openssl_prov *prov, kcf_mech_t hash,
				      const uint8_t *key, size_t key_len)
{
	const struct plain_digest *plain = find_plain(hash);
	const struct openssl_spec *digest;
	struct openssl_digest_fns f;
	struct openssl_hmac *h;
	struct slow *slow;
	bool ok;

	if (openssl_digest_find(prov, hash, &digest, &f) != KCF_SUCCESS ||
	    digest->block > HMAC_BLOCK_MAX)
		return NULL;
	slow = slow_new(prov, digest, &f, key, key_len);
	h = slow ? calloc(1, hmac_size(plain)) : NULL;
	if (!h) {
		slow_free(slow);
		return NULL;
	}
	h->plain = plain;
	h->len = digest->len;
	h->block = digest->block;
	if (!plain) {
		h->slow = slow;
		return h;
	}
	ok = keep_pads(h, slow);
	slow_free(slow);
	if (ok)
		return h;
	openssl_hmac_free(h);
	return NULL;
}

/* In pieces that do not overlap and are as large as what the digest reads at once: memcpy's do and
 * are not, and the CPU then waits for its own stores (20 ns a time). */
static inline void copy_kept(uint8_t *to, const uint8_t *from, size_t len)
{
	for (; len >= 16; len -= 16, to += 16, from += 16)
		memcpy(to, from, 16);
	if (len & 8) {
		memcpy(to, from, 8);
		to += 8;
		from += 8;
	}
	if (len & 4)
		memcpy(to, from, 4);
}

/* Continue after a pad: i 0 the inner one. */
static inline void resume(struct openssl_hmac *h, unsigned i)
{
	const struct plain_digest *plain = h->plain;
	const unsigned none = 0;

	copy_kept((uint8_t *)h->run, h->kept + i * plain->kept, plain->kept);
	memcpy((uint8_t *)h->run + plain->count, &none, sizeof(none));
}

bool openssl_hmac_start(struct openssl_hmac *h)
{
	struct slow *s = h->slow;

	if (likely(h->plain != NULL)) {
		resume(h, 0);
		return true;
	}
	return s->f.init(s->md, NULL) && s->f.update(s->md, s->pad[0], h->block);
}

bool openssl_hmac_add(struct openssl_hmac *h, const void *p, size_t len)
{
	if (likely(h->plain != NULL))
		return h->plain->update(h->run, p, len);
	return h->slow->f.update(h->slow->md, p, len);
}

bool openssl_hmac_end(struct openssl_hmac *h, uint8_t *out)
{
	uint8_t inner[OPENSSL_DIGEST_MAX];
	struct slow *s = h->slow;
	size_t done;

	if (likely(h->plain != NULL)) {
		if (!h->plain->final(inner, h->run))
			return false;
		resume(h, 1);
		return h->plain->update(h->run, inner, h->len) && h->plain->final(out, h->run);
	}
	return s->f.final(s->md, inner, &done, h->len) && s->f.init(s->md, NULL) &&
	       s->f.update(s->md, s->pad[1], h->block) && s->f.update(s->md, inner, h->len) &&
	       s->f.final(s->md, out, &done, h->len);
}
