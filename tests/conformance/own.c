/* SPDX-License-Identifier: Apache-2.0 */
/* own: the repository's vector files, in the format that vectors/README.md describes. */
#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum kcf_op op_by_name(const struct set *set, unsigned line, const char *name)
{
#define KCF__X(op, value, text, classes)                                                           \
	if (!strcmp(name, text))                                                                   \
		return KCF_OP_##op;
	KCF_OP_LIST(KCF__X)
#undef KCF__X
	die("%s:%u: no operation \"%s\"", set->file, line, name);
}

static enum kcf_param_kind kind_of(const char *mech)
{
#define KCF__X(ident, value, name, alias, classes, param)                                          \
	if (!strcmp(mech, name))                                                                   \
		return KCF_PARAM_##param;
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
	return KCF_PARAM_NONE;
}

static kcf_mech_t mech_number(const char *name)
{
	if (!name)
		return 0;
#define KCF__X(ident, value, mech, alias, classes, param)                                          \
	if (!strcmp(name, mech))                                                                   \
		return value;
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
	return digest_by_name(name);
}

static void set_mac(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes iv = rsp_hex(r, "iv", set), custom = rsp_hex(r, "custom", set);

	v->param.mac.mac_len = (size_t)rsp_num(r, "mac-len", 0);
	v->param.mac.iv = iv.at;
	v->param.mac.iv_len = iv.len;
	v->param.mac.custom = custom.at;
	v->param.mac.custom_len = custom.len;
}

static void set_sign(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes context = rsp_hex(r, "context", set);

	v->param.sign.flags = (uint32_t)rsp_num(r, "flags", 0);
	v->param.sign.context = context.at;
	v->param.sign.context_len = context.len;
}

static void set_ecdh(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes peer = rsp_hex(r, "peer", set);

	v->param.ecdh.peer = peer.at;
	v->param.ecdh.peer_len = peer.len;
}

static void set_kdf(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes salt = rsp_hex(r, "salt", set), info = rsp_hex(r, "info", set);
	kcf_mech_t hash = mech_number(rsp_get(r, "hash"));

	if (v->kind == KCF_PARAM_HKDF) {
		v->param.hkdf = (struct kcf_param_hkdf){hash,    (uint32_t)rsp_num(r, "flags", 0),
							salt.at, salt.len,
							info.at, info.len};
		return;
	}
	if (v->kind == KCF_PARAM_PBKDF2) {
		v->param.pbkdf2 = (struct kcf_param_pbkdf2){
			hash, (uint32_t)rsp_num(r, "iterations", 0), salt.at, salt.len};
		return;
	}
	v->param.scrypt = (struct kcf_param_scrypt){
		(uint64_t)rsp_num(r, "n", 0), (uint32_t)rsp_num(r, "r", 0),
		(uint32_t)rsp_num(r, "p", 0), salt.at, salt.len};
}

static void set_kbkdf(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes label = rsp_hex(r, "label", set), context = rsp_hex(r, "context", set);
	struct bytes seed = rsp_hex(r, "seed", set);

	v->param.kbkdf = (struct kcf_param_kbkdf){mech_number(rsp_get(r, "mac")),
						  (uint32_t)rsp_num(r, "flags", 0),
						  label.at,
						  label.len,
						  context.at,
						  context.len,
						  seed.at,
						  seed.len};
}

static void set_rsa(struct vector *v, const struct rsp *r, struct set *set)
{
	struct bytes label = rsp_hex(r, "label", set);
	kcf_mech_t hash = mech_number(rsp_get(r, "hash")),
		   mgf = mech_number(rsp_get(r, "mgf-hash"));

	if (v->kind == KCF_PARAM_RSA_PSS) {
		v->param.pss =
			(struct kcf_param_rsa_pss){hash, mgf, (int32_t)rsp_num(r, "salt-len", 0)};
		return;
	}
	v->param.oaep = (struct kcf_param_rsa_oaep){hash, mgf, label.at, label.len};
}

static void set_param(struct vector *v, const struct rsp *r, struct set *set)
{
	v->kind = kind_of(v->mech);
	switch (v->kind) {
	case KCF_PARAM_IV:
		vector_iv(v, rsp_hex(r, "iv", set));
		break;
	case KCF_PARAM_AEAD:
		vector_aead(v, rsp_hex(r, "iv", set), rsp_hex(r, "aad", set),
			    (size_t)rsp_num(r, "tag-len", 16));
		break;
	case KCF_PARAM_MAC:
		set_mac(v, r, set);
		break;
	case KCF_PARAM_DIGEST:
		v->param.digest.out_len = v->out.len;
		break;
	case KCF_PARAM_SIGN:
		set_sign(v, r, set);
		break;
	case KCF_PARAM_ECDH:
		set_ecdh(v, r, set);
		break;
	case KCF_PARAM_HKDF:
	case KCF_PARAM_PBKDF2:
	case KCF_PARAM_SCRYPT:
		set_kdf(v, r, set);
		break;
	case KCF_PARAM_KBKDF:
		set_kbkdf(v, r, set);
		break;
	case KCF_PARAM_RSA_PSS:
	case KCF_PARAM_RSA_OAEP:
		set_rsa(v, r, set);
		break;
	default:
		break;
	}
}

static void set_key(struct vector *v, const struct rsp *r, struct set *set)
{
	const char *format = rsp_get(r, "key-format");

	if (!rsp_get(r, "key"))
		return;
	vector_key(v, rsp_hex(r, "key", set),
		   !format || !strcmp(format, "raw") ? KCF_KEY_RAW
		   : !strcmp(format, "pkcs8")        ? KCF_KEY_PKCS8
						     : KCF_KEY_SPKI);
}

/* "in" and "out" are those of the first operation of a line; its counterpart turns them round. */
static void turn_round(struct vector *v, const struct vector *first)
{
	if (v->op == KCF_OP_MAC_VERIFY || v->op == KCF_OP_VERIFY)
		v->check = first->out;
	if (v->op == KCF_OP_DECRYPT && first->op == KCF_OP_ENCRYPT) {
		v->in = first->out;
		v->out = first->in;
	}
}

static void add_record(struct set *set, struct rsp *r, char *ops)
{
	const char *mech = rsp_get(r, "mech"), *result = rsp_get(r, "result");
	struct vector *v = NULL, *first = NULL;
	char *op, *state;

	for (op = strtok_r(ops, " ", &state); op; op = strtok_r(NULL, " ", &state)) {
		enum kcf_op number = op_by_name(set, r->line, op);

		if (first) {
			v = set_add_twin(set, number);
		} else {
			first = v = set_add(set, r->line, mech, number);
			v->in = rsp_hex(r, "in", set);
			v->out = rsp_hex(r, "out", set);
			v->check = rsp_hex(r, "check", set);
			set_param(v, r, set);
		}
		set_key(v, r, set);
		if (v != first || !v->check.len)
			turn_round(v, first);
		if (result && strcmp(result, "valid") != 0)
			v->verdict = !strcmp(result, "invalid") ? MUST_FAIL : MAY_PASS;
	}
}

void parse_own(struct set *set, struct rsp *r, const struct source *source)
{
	char name[sizeof(r->section)];
	enum rsp_event e;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e != RSP_SECTION)
			continue;
		strcpy(name, r->section);
		add_record(set, r, name);
	}
}
