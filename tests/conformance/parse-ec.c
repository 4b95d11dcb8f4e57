/* SPDX-License-Identifier: Apache-2.0 */
/* parse-ec: ECDSA, ECDH, EdDSA, X25519, X448. */
#include "der.h"
#include "digest.h"
#include "source.h"

#include <stdio.h>
#include <string.h>

static struct bytes join(struct set *set, struct bytes a, struct bytes b)
{
	struct bytes both = {set_alloc(set, a.len + b.len + 1), a.len + b.len};

	memcpy(both.at, a.at, a.len);
	memcpy(both.at + a.len, b.at, b.len);
	return both;
}

/* Signing is random: it is undone by verifying what came out. */
static void add_random_sign(struct set *set, struct bytes private_key)
{
	struct vector *verify = set->vectors[set->n - 1], *sign;

	sign = set_add_twin(set, KCF_OP_SIGN);
	sign->undo = set_aside(set, verify, KCF_OP_VERIFY);
	vector_key(sign, private_key, KCF_KEY_PKCS8);
	sign->out = verify->check;
	sign->check.len = 0;
}

/* "[P-256,SHA-256]", or without a hash: then it is SHA-1 and applied here. The result comes last,
 * where there is one. */
void parse_ecdsa(struct set *set, struct rsp *r, const struct source *source)
{
	bool generated = strstr(set->file, "SigGen") != NULL;
	const struct curve *curve = NULL;
	char mech[40] = "";
	const char *hash, *name = NULL;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e == RSP_SECTION) {
			hash = strchr(r->section, ',');
			curve = curve_find(r->section);
			name = "CKM_ECDSA";
			if (!curve || source->hash)
				continue;
			if (!hash)
				die("%s:%u: no hash", set->file, r->line);
			snprintf(mech, sizeof(mech), "CKM_ECDSA_SHA%s", hash + strlen(",SHA-"));
			name = (char *)set_copy(set, mech, strlen(mech) + 1).at;
		}
		if (!rsp_is(r, e, generated ? "S" : "Result"))
			continue;
		if (!curve) {
			set->n_skipped++;
			continue;
		}
		v = set_add(set, r->line, name, KCF_OP_VERIFY);
		vector_key(v,
			   der_ec_public(set, curve,
					 der_ec_point(set, curve, rsp_hex(r, "Qx", set),
						      rsp_hex(r, "Qy", set))),
			   KCF_KEY_SPKI);
		v->in = rsp_hex(r, "Msg", set);
		if (source->hash)
			v->in = digest(set, source->hash, v->in);
		v->check = join(set, pad_left(set, rsp_hex(r, "R", set), curve->len),
				pad_left(set, rsp_hex(r, "S", set), curve->len));
		if (!generated && rsp_get(r, "Result")[0] != 'P')
			v->verdict = MUST_FAIL;
		if (generated && rsp_get(r, "d"))
			add_random_sign(set, der_ec_private(set, curve, rsp_hex(r, "d", set)));
	}
}

/* "[EC - SHA256]"; EC, ED, EE are our curves. */
void parse_ecdh(struct set *set, struct rsp *r, const struct source *source)
{
	static const char *const sets[] = {"EC - ", "ED - ", "EE - "};
	static const char *const names[] = {"P-256", "P-384", "P-521"};
	const struct curve *curve = NULL;
	const char *result;
	struct bytes peer;
	enum rsp_event e;
	struct vector *v;
	size_t i;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e == RSP_SECTION) {
			curve = NULL;
			for (i = 0; i < 3; i++) {
				if (!strncmp(r->section, sets[i], 5))
					curve = curve_find(names[i]);
			}
		}
		if (!rsp_is(r, e, "Result"))
			continue;
		if (!curve) {
			set->n_skipped++;
			continue;
		}
		peer = der_ec_point(set, curve, rsp_hex(r, "QsCAVSx", set),
				    rsp_hex(r, "QsCAVSy", set));
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, der_ec_private(set, curve, rsp_hex(r, "dsIUT", set)), KCF_KEY_PKCS8);
		v->kind = KCF_PARAM_ECDH;
		v->param.ecdh.peer = peer.at;
		v->param.ecdh.peer_len = peer.len;
		v->out = pad_left(set, rsp_hex(r, "Z", set), curve->len);
		result = rsp_get(r, "Result");
		if (result[0] == 'P')
			continue;
		/* a peer off the curve is refused; faults of the own key pair are not about Z */
		v->no_answer = strstr(result, "CAVS's Static public") != NULL;
		v->verdict = v->no_answer || strstr(result, "Z changed") ? MUST_FAIL : MAY_PASS;
	}
}

/* secret||public:public:message:signature||message: */
void parse_ed25519(struct set *set, struct rsp *r, const struct source *source)
{
	char *fields[4], *state;
	struct bytes secret;
	struct vector *v;
	char *line;
	size_t i;

	while (rsp_next(r) != RSP_END) {
		line = (char *)r->name;
		for (i = 0; i < 4; i++) {
			fields[i] = line;
			state = strchr(line, ':');
			if (!state)
				die("%s:%u: four fields are due", set->file, r->line);
			*state = '\0';
			line = state + 1;
		}
		secret = set_hex(set, fields[0]);
		secret.len = 32;
		v = set_add(set, r->line, source->mech, KCF_OP_VERIFY);
		vector_key(v, set_hex(set, fields[1]), KCF_KEY_RAW);
		v->in = set_hex(set, fields[2]);
		v->check = set_hex(set, fields[3]);
		v->check.len = 64;
		v = set_add_twin(set, KCF_OP_SIGN);
		vector_key(v, secret, KCF_KEY_RAW);
		v->out = v->check;
	}
}

void parse_eddsa(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes context;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (rsp_is(r, e, "COUNT"))
			rsp_unset(r, "CONTEXT");
		if (!rsp_is(r, e, "SIGNATURE"))
			continue;
		v = set_add(set, r->line, source->mech, KCF_OP_VERIFY);
		vector_key(v, rsp_hex(r, "PUBLIC", set), KCF_KEY_RAW);
		v->in = rsp_hex(r, "MESSAGE", set);
		v->check = rsp_hex(r, "SIGNATURE", set);
		context = rsp_hex(r, "CONTEXT", set);
		if (context.len > 0) {
			v->kind = KCF_PARAM_SIGN;
			v->param.sign.context = context.at;
			v->param.sign.context_len = context.len;
		}
		v = set_add_twin(set, KCF_OP_SIGN);
		vector_key(v, rsp_hex(r, "SECRET", set), KCF_KEY_RAW);
		v->out = v->check;
	}
}

void parse_xdh(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes peer;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "OUTPUT_U"))
			continue;
		peer = rsp_hex(r, "INPUT_U", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, rsp_hex(r, "INPUT_SCALAR", set), KCF_KEY_RAW);
		v->kind = KCF_PARAM_ECDH;
		v->param.ecdh.peer = peer.at;
		v->param.ecdh.peer_len = peer.len;
		v->out = rsp_hex(r, "OUTPUT_U", set);
	}
}
