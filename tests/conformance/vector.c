/* SPDX-License-Identifier: Apache-2.0 */
/* vector: see vector.h. */
#include "vector.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN (256u << 10)

struct chunk {
	struct chunk *next;
	size_t used, room;
	_Alignas(16) uint8_t bytes[];
};

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("kcf-conformance: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void set_init(struct set *set, const char *file)
{
	memset(set, 0, sizeof(*set));
	set->file = file;
}

void set_deinit(struct set *set)
{
	struct chunk *c, *next;

	for (c = set->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(set->vectors);
	memset(set, 0, sizeof(*set));
}

void *set_alloc(struct set *set, size_t len)
{
	struct chunk *c = set->chunks;
	size_t room = len > CHUNK_LEN ? len : CHUNK_LEN;
	void *at;

	len = (len + 15) & ~(size_t)15;
	room = (room + 15) & ~(size_t)15;
	if (!c || c->room - c->used < len) {
		c = calloc(1, sizeof(*c) + room);
		if (!c)
			die("out of memory");
		c->room = room;
		c->next = set->chunks;
		set->chunks = c;
	}
	at = c->bytes + c->used;
	c->used += len;
	return at;
}

struct bytes set_copy(struct set *set, const void *at, size_t len)
{
	struct bytes b = {set_alloc(set, len ? len : 1), len};

	if (len)
		memcpy(b.at, at, len);
	return b;
}

static struct vector *append(struct set *set)
{
	struct vector *v = set_alloc(set, sizeof(*v));

	if (set->n == set->room) {
		set->room = set->room ? set->room * 2 : 256;
		set->vectors = realloc(set->vectors, set->room * sizeof(set->vectors[0]));
		if (!set->vectors)
			die("out of memory");
	}
	set->vectors[set->n++] = v;
	return v;
}

struct vector *set_add(struct set *set, unsigned line, const char *mech, enum kcf_op op)
{
	struct vector *v = append(set);

	v->file = set->file;
	v->line = line;
	v->mech = mech;
	v->op = op;
	v->id = set->n_ids++;
	return v;
}

struct vector *set_add_twin(struct set *set, enum kcf_op op)
{
	const struct vector *last = set->vectors[set->n - 1];
	struct vector *v = append(set);

	*v = *last;
	v->op = op;
	return v;
}

struct vector *set_aside(struct set *set, const struct vector *from, enum kcf_op op)
{
	struct vector *v = set_alloc(set, sizeof(*v));

	*v = *from;
	v->op = op;
	v->undo = NULL;
	return v;
}

static uint8_t nibble(char c)
{
	if (isdigit((unsigned char)c))
		return (uint8_t)(c - '0');
	c = (char)tolower((unsigned char)c);
	if (c < 'a' || c > 'f')
		die("not a hex digit: '%c'", c);
	return (uint8_t)(c - 'a' + 10);
}

struct bytes set_hex(struct set *set, const char *text)
{
	size_t digits = strlen(text), odd = digits % 2, i;
	struct bytes b = {set_alloc(set, digits / 2 + 1), (digits + 1) / 2};

	for (i = 0; i < digits; i++) {
		uint8_t n = nibble(text[i]);

		b.at[(i + odd) / 2] |= (uint8_t)((i + odd) % 2 ? n : n << 4);
	}
	return b;
}

void vector_key(struct vector *v, struct bytes key, enum kcf_key_format format)
{
	v->has_key = true;
	v->key = key;
	v->key_format = format;
}

void vector_iv(struct vector *v, struct bytes iv)
{
	v->kind = KCF_PARAM_IV;
	v->param.iv.iv = iv.at;
	v->param.iv.iv_len = iv.len;
}

void vector_aead(struct vector *v, struct bytes iv, struct bytes aad, size_t tag_len)
{
	v->kind = KCF_PARAM_AEAD;
	v->param.aead.iv = iv.at;
	v->param.aead.iv_len = iv.len;
	v->param.aead.aad = aad.at;
	v->param.aead.aad_len = aad.len;
	v->param.aead.tag_len = tag_len;
}

uint32_t op_classes(enum kcf_op op)
{
	switch (op) {
#define KCF__X(name, value, text, classes)                                                         \
	case KCF_OP_##name:                                                                        \
		return classes;
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	default:
		return 0;
	}
}

size_t vector_room(const struct vector *v)
{
	if (v->op == KCF_OP_MAC_VERIFY || v->op == KCF_OP_VERIFY)
		return 0;
	/* a refused decryption has no published output, but must have had room for one */
	if (v->op == KCF_OP_DECRYPT && v->out.len < v->in.len)
		return v->in.len;
	return v->out.len;
}

kcf_mech_t digest_by_name(const char *name)
{
	static const struct {
		const char *squeezed;
		kcf_mech_t number;
	} digests[] = {
		{"sha1", KCF_M_SHA_1},
		{"sha224", KCF_M_SHA224},
		{"sha256", KCF_M_SHA256},
		{"sha384", KCF_M_SHA384},
		{"sha512", KCF_M_SHA512},
		{"sha512224", KCF_M_SHA512_224},
		{"sha512256", KCF_M_SHA512_256},
		{"sha3224", KCF_M_SHA3_224},
		{"sha3256", KCF_M_SHA3_256},
		{"sha3384", KCF_M_SHA3_384},
		{"sha3512", KCF_M_SHA3_512},
		{"sm3", KCF_M_SM3},
		{"md5", KCF_M_MD5},
	};
	char squeezed[16];
	size_t n = 0, i;

	for (; *name && n < sizeof(squeezed) - 1; name++) {
		if (isalnum((unsigned char)*name))
			squeezed[n++] = (char)tolower((unsigned char)*name);
	}
	squeezed[n] = '\0';
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		if (!strcmp(squeezed, digests[i].squeezed))
			return digests[i].number;
	}
	return 0;
}

const char *mech_name(kcf_mech_t number)
{
	switch (number) {
#define KCF__X(ident, value, name, alias, classes, kind)                                           \
	case value:                                                                                \
		return name;
		KCF_MECH_LIST(KCF__X)
#undef KCF__X
	default:
		return NULL;
	}
}
