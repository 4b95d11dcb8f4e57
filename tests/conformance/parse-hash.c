/* SPDX-License-Identifier: Apache-2.0 */
/* parse-hash: digests, extendable output, HMAC, CMAC, Poly1305. */
#include "source.h"

#include <string.h>

/* Len counts bits; a message of none is written 00. */
static bool message(const struct rsp *r, struct set *set, struct bytes *ret)
{
	long bits = rsp_num(r, "Len", -1);

	*ret = rsp_hex(r, "Msg", set);
	if (bits < 0)
		return true;
	if (bits % 8 != 0 || ret->len < (size_t)bits / 8)
		return false;
	ret->len = (size_t)bits / 8;
	return true;
}

void parse_digest(struct set *set, struct rsp *r, const struct source *source)
{
	enum rsp_event e;
	struct vector *v;
	struct bytes in;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "MD"))
			continue;
		if (!message(r, set, &in)) {
			set->n_skipped++;
			continue;
		}
		v = set_add(set, r->line, source->mech, KCF_OP_DIGEST);
		v->in = in;
		v->out = rsp_hex(r, "MD", set);
	}
}

void parse_xof(struct set *set, struct rsp *r, const struct source *source)
{
	enum rsp_event e;
	struct vector *v;
	struct bytes in;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "Output"))
			continue;
		if (!message(r, set, &in) || rsp_num(r, "Outputlen", 0) % 8 != 0) {
			set->n_skipped++;
			continue;
		}
		v = set_add(set, r->line, source->mech, KCF_OP_DIGEST);
		v->in = in;
		v->out = rsp_hex(r, "Output", set);
		v->kind = KCF_PARAM_DIGEST;
		v->param.digest.out_len = v->out.len;
	}
}

static struct bytes mac_key(const struct rsp *r, struct set *set)
{
	static const char *const parts[] = {"KEY1", "KEY2", "KEY3"};
	struct bytes key, part;
	size_t i;

	if (!rsp_get(r, "KEY1"))
		return rsp_hex(r, "Key", set);
	key = set_copy(set, NULL, 0);
	key.at = set_alloc(set, 24);
	for (i = 0; i < 3; i++) {
		part = rsp_hex(r, parts[i], set);
		memcpy(key.at + key.len, part.at, part.len);
		key.len += part.len;
	}
	return key;
}

/* Each is computed and verified. */
void parse_mac(struct set *set, struct rsp *r, const struct source *source)
{
	static const char *const results[] = {"MD", "OUTPUT", "TAG"};
	enum rsp_event e;
	struct vector *v;
	size_t i;

	while ((e = rsp_next(r)) != RSP_END) {
		for (i = 0; i < 3 && !rsp_is(r, e, results[i]); i++)
			;
		if (i == 3)
			continue;
		v = set_add(set, r->line, source->mech, KCF_OP_MAC);
		vector_key(v, mac_key(r, set), KCF_KEY_RAW);
		v->in = rsp_hex(r, rsp_get(r, "Msg") ? "Msg" : "MESSAGE", set);
		v->out = rsp_hex(r, results[i], set);
		v = set_add_twin(set, KCF_OP_MAC_VERIFY);
		v->check = v->out;
	}
}
