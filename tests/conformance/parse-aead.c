/* SPDX-License-Identifier: Apache-2.0 */
/* parse-aead: GCM, CCM, ChaCha20-Poly1305, OCB. Ciphertext and tag are one piece in kcf. */
#include "source.h"

#include <string.h>
#include <strings.h>

static struct bytes join(struct set *set, struct bytes a, struct bytes b)
{
	struct bytes both = {set_alloc(set, a.len + b.len + 1), a.len + b.len};

	memcpy(both.at, a.at, a.len);
	memcpy(both.at + a.len, b.at, b.len);
	return both;
}

/* gcmEncryptExtIV*: ends with Tag. gcmDecrypt*: ends with PT or FAIL. */
void parse_gcm(struct set *set, struct rsp *r, const struct source *source)
{
	bool decrypt = strstr(set->file, "Decrypt") != NULL, fail;
	struct bytes plain, sealed;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		fail = e == RSP_WORD && strcmp(r->name, "FAIL") == 0;
		if (!fail && !rsp_is(r, e, decrypt ? "PT" : "Tag"))
			continue;
		sealed = join(set, rsp_hex(r, "CT", set), rsp_hex(r, "Tag", set));
		plain = fail ? set_copy(set, NULL, 0) : rsp_hex(r, "PT", set);
		v = set_add(set, r->line, source->mech, decrypt ? KCF_OP_DECRYPT : KCF_OP_ENCRYPT);
		vector_key(v, rsp_hex(r, "Key", set), KCF_KEY_RAW);
		vector_aead(v, rsp_hex(r, "IV", set), rsp_hex(r, "AAD", set),
			    (size_t)rsp_num(r, "Taglen", 128) / 8);
		v->in = decrypt ? sealed : plain;
		v->out = decrypt ? plain : sealed;
		v->verdict = fail ? MUST_FAIL : MUST_PASS;
	}
}

/* A field whose length is told elsewhere, since nothing is written 00. */
static struct bytes sized(const struct rsp *r, const char *name, const char *len, struct set *set)
{
	struct bytes b = rsp_hex(r, name, set);

	b.len = (size_t)rsp_num(r, len, (long)b.len);
	return b;
}

/* DVPT*: decryption, ends with Payload after a pass, with Result after a failure. Others:
 * encryption, ends with CT. */
void parse_ccm(struct set *set, struct rsp *r, const struct source *source)
{
	bool decrypt = strstr(set->file, "DVPT") != NULL, fail;
	enum rsp_event e;
	struct vector *v;
	size_t tag_len;

	while ((e = rsp_next(r)) != RSP_END) {
		fail = rsp_is(r, e, "Result") && strncasecmp(r->value, "Fail", 4) == 0;
		if (!fail && !rsp_is(r, e, decrypt ? "Payload" : "CT"))
			continue;
		tag_len = (size_t)rsp_num(r, "Tlen", 16);
		v = set_add(set, r->line, source->mech, decrypt ? KCF_OP_DECRYPT : KCF_OP_ENCRYPT);
		vector_key(v, rsp_hex(r, "Key", set), KCF_KEY_RAW);
		vector_aead(v, rsp_hex(r, "Nonce", set), sized(r, "Adata", "Alen", set), tag_len);
		v->verdict = fail ? MUST_FAIL : MUST_PASS;
		v->in = decrypt ? rsp_hex(r, "CT", set) : sized(r, "Payload", "Plen", set);
		if (!fail)
			v->out = decrypt ? sized(r, "Payload", "Plen", set) : rsp_hex(r, "CT", set);
	}
}

static struct bytes first_of(const struct rsp *r, struct set *set, const char *a, const char *b)
{
	return rsp_hex(r, rsp_get(r, a) ? a : b, set);
}

/* Other files: a record ends where the next COUNT begins. Names differ, the tag may be apart, and
 * Result says what must be refused. */
static void add_record(struct set *set, const struct rsp *r, const struct source *source)
{
	const char *result = rsp_get(r, "Result");
	struct bytes plain = first_of(r, set, "Plaintext", "IN"), sealed;
	struct bytes tag = rsp_hex(r, "Tag", set);
	struct vector *v;

	sealed = join(set, first_of(r, set, "Ciphertext", "CT"), tag);
	v = set_add(set, r->line, source->mech, KCF_OP_DECRYPT);
	vector_key(v, rsp_hex(r, "Key", set), KCF_KEY_RAW);
	vector_aead(v, first_of(r, set, "IV", "Nonce"), first_of(r, set, "AAD", "AD"),
		    tag.len ? tag.len : 16);
	v->in = sealed;
	v->out = plain;
	v->verdict = result && strstr(result, "ERROR") ? MUST_FAIL : MUST_PASS;
	if (v->verdict == MUST_FAIL)
		return;
	v = set_add_twin(set, KCF_OP_ENCRYPT);
	v->in = plain;
	v->out = sealed;
}

void parse_aead(struct set *set, struct rsp *r, const struct source *source)
{
	static const char *const fields[] = {"Tag", "Result", "AAD", "AD", "Plaintext", "IN"};
	bool open = false;
	enum rsp_event e;
	size_t i;

	do {
		e = rsp_next(r);
		if (e != RSP_END && !rsp_is(r, e, "COUNT"))
			continue;
		if (open)
			add_record(set, r, source);
		open = true;
		for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			rsp_unset(r, fields[i]);
	} while (e != RSP_END);
}
