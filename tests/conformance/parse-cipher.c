/* SPDX-License-Identifier: Apache-2.0 */
/* parse-cipher: block and stream ciphers, XTS, key wrap. */
#include "source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct bytes cipher_key(const struct rsp *r, struct set *set)
{
	static const char *const parts[] = {"KEY1", "KEY2", "KEY3"};
	struct bytes key = {set_alloc(set, 24), 0}, part;
	size_t i;

	if (rsp_get(r, "KEY"))
		return rsp_hex(r, "KEY", set);
	for (i = 0; i < 3; i++) {
		part = rsp_hex(r, rsp_get(r, "KEYs") ? "KEYs" : parts[i], set);
		memcpy(key.at + key.len, part.at, part.len);
		key.len += part.len;
	}
	return key;
}

void parse_cipher(struct set *set, struct rsp *r, const struct source *source)
{
	bool encrypt = true;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e == RSP_SECTION)
			encrypt = strcasecmp(r->section, "DECRYPT") != 0;
		if (!rsp_is(r, e, encrypt ? "CIPHERTEXT" : "PLAINTEXT"))
			continue;
		v = set_add(set, r->line, source->mech, encrypt ? KCF_OP_ENCRYPT : KCF_OP_DECRYPT);
		vector_key(v, cipher_key(r, set), KCF_KEY_RAW);
		if (rsp_get(r, "IV"))
			vector_iv(v, rsp_hex(r, "IV", set));
		v->in = rsp_hex(r, encrypt ? "PLAINTEXT" : "CIPHERTEXT", set);
		v->out = rsp_hex(r, encrypt ? "CIPHERTEXT" : "PLAINTEXT", set);
	}
}

/* The tweak is given as such, or as a sequence number, which is little-endian. Equal key halves,
 * which SP 800-38E forbids, do not occur. */
static struct bytes xts_tweak(const struct rsp *r, struct set *set)
{
	unsigned long number = (unsigned long)rsp_num(r, "DataUnitSeqNumber", 0);
	struct bytes tweak;
	size_t i;

	if (rsp_get(r, "i"))
		return rsp_hex(r, "i", set);
	tweak.at = set_alloc(set, 16);
	tweak.len = 16;
	for (i = 0; i < sizeof(number); i++)
		tweak.at[i] = (uint8_t)(number >> 8 * i);
	return tweak;
}

void parse_xts(struct set *set, struct rsp *r, const struct source *source)
{
	bool encrypt = true;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e == RSP_SECTION)
			encrypt = strcasecmp(r->section, "DECRYPT") != 0;
		if (!rsp_is(r, e, encrypt ? "CT" : "PT"))
			continue;
		if (rsp_num(r, "DataUnitLen", 0) % 8 != 0) {
			set->n_skipped++;
			continue;
		}
		v = set_add(set, r->line, source->mech, encrypt ? KCF_OP_ENCRYPT : KCF_OP_DECRYPT);
		vector_key(v, rsp_hex(r, "Key", set), KCF_KEY_RAW);
		vector_iv(v, xts_tweak(r, set));
		v->in = rsp_hex(r, encrypt ? "PT" : "CT", set);
		v->out = rsp_hex(r, encrypt ? "CT" : "PT", set);
	}
}

/* RFC 8439 counter and nonce, as the 16 bytes of the parameter. */
void parse_chacha20(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes iv, nonce;
	unsigned long counter;
	enum rsp_event e;
	struct vector *v;
	size_t i;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "CIPHERTEXT"))
			continue;
		counter = (unsigned long)rsp_num(r, "INITIAL_BLOCK_COUNTER", 0);
		nonce = rsp_hex(r, "NONCE", set);
		iv.at = set_alloc(set, 16);
		iv.len = 16;
		for (i = 0; i < 4; i++)
			iv.at[i] = (uint8_t)(counter >> 8 * i);
		memcpy(iv.at + 4, nonce.at, 12);
		v = set_add(set, r->line, source->mech, KCF_OP_ENCRYPT);
		vector_key(v, rsp_hex(r, "KEY", set), KCF_KEY_RAW);
		vector_iv(v, iv);
		v->in = rsp_hex(r, "PLAINTEXT", set);
		v->out = rsp_hex(r, "CIPHERTEXT", set);
	}
}

/* "K No.001 : 00 00 ..." with lines of K, P and C. */
void parse_camellia_ecb(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes key = {NULL, 0}, plain = {NULL, 0}, *to, got;
	char digits[65];
	const char *at;
	struct vector *v;
	size_t n;

	while (rsp_next(r) != RSP_END) {
		at = strchr(r->name, ':');
		if (!at || !strchr("KPC", r->name[0]))
			continue;
		for (n = 0, at++; *at && n < 64; at++) {
			if (*at != ' ')
				digits[n++] = *at;
		}
		digits[n] = '\0';
		got = set_hex(set, digits);
		to = r->name[0] == 'K' ? &key : &plain;
		if (r->name[0] != 'C') {
			*to = got;
			continue;
		}
		v = set_add(set, r->line, source->mech, KCF_OP_ENCRYPT);
		vector_key(v, key, KCF_KEY_RAW);
		v->in = plain;
		v->out = got;
		v = set_add_twin(set, KCF_OP_DECRYPT);
		v->in = got;
		v->out = plain;
	}
}

/* AE files: K, P, C. AD files: K, C, then P or FAIL. */
void parse_key_wrap(struct set *set, struct rsp *r, const struct source *source)
{
	bool unwrap = strstr(set->file, "_AD_") != NULL;
	enum rsp_event e;
	struct vector *v;
	bool fail;

	while ((e = rsp_next(r)) != RSP_END) {
		fail = e == RSP_WORD && strcmp(r->name, "FAIL") == 0;
		if (!fail && !rsp_is(r, e, unwrap ? "P" : "C"))
			continue;
		v = set_add(set, r->line, source->mech, unwrap ? KCF_OP_DECRYPT : KCF_OP_ENCRYPT);
		vector_key(v, rsp_hex(r, "K", set), KCF_KEY_RAW);
		v->verdict = fail ? MUST_FAIL : MUST_PASS;
		v->in = rsp_hex(r, unwrap ? "C" : "P", set);
		if (!fail)
			v->out = rsp_hex(r, unwrap ? "P" : "C", set);
	}
}
