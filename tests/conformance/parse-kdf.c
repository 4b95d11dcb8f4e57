/* SPDX-License-Identifier: Apache-2.0 */
/* parse-kdf: HKDF, PBKDF2, scrypt, SP 800-108. */
#include "source.h"

#include <stdlib.h>
#include <string.h>

void parse_hkdf(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes salt, info;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "OKM"))
			continue;
		salt = rsp_hex(r, "salt", set);
		info = rsp_hex(r, "info", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, rsp_hex(r, "IKM", set), KCF_KEY_RAW);
		v->kind = KCF_PARAM_HKDF;
		v->param.hkdf.hash = digest_by_name(rsp_get(r, "Hash"));
		v->param.hkdf.salt = salt.at;
		v->param.hkdf.salt_len = salt.len;
		v->param.hkdf.info = info.at;
		v->param.hkdf.info_len = info.len;
		v->out = rsp_hex(r, "OKM", set);
		if (!rsp_get(r, "PRK"))
			continue;
		v = set_add_twin(set, KCF_OP_DERIVE);
		v->param.hkdf.flags = KCF_HKDF_EXTRACT;
		v->out = rsp_hex(r, "PRK", set);
		v = set_add_twin(set, KCF_OP_DERIVE);
		v->param.hkdf.flags = KCF_HKDF_EXPAND;
		vector_key(v, v->out, KCF_KEY_RAW);
		v->out = rsp_hex(r, "OKM", set);
	}
}

/* Password and salt are text, with \0 for a zero byte. */
static struct bytes text(const struct rsp *r, const char *name, struct set *set)
{
	const char *value = rsp_get(r, name);
	struct bytes b = {set_alloc(set, strlen(value) + 1), 0};

	for (; *value; value++) {
		bool zero = value[0] == '\\' && value[1] == '0';

		b.at[b.len++] = zero ? 0 : (uint8_t)*value;
		value += zero;
	}
	return b;
}

#define ITERATIONS_MAX 100000 /* one RFC 6070 vector has 16 million: minutes of work */

void parse_pbkdf2(struct set *set, struct rsp *r, const struct source *source)
{
	enum rsp_event e;
	struct bytes salt;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "DERIVED_KEY"))
			continue;
		if (rsp_num(r, "ITERATIONS", 0) > ITERATIONS_MAX) {
			set->n_skipped++;
			continue;
		}
		salt = text(r, "SALT", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, text(r, "PASSWORD", set), KCF_KEY_RAW);
		v->kind = KCF_PARAM_PBKDF2;
		v->param.pbkdf2.hash = source->hash;
		v->param.pbkdf2.iterations = (uint32_t)rsp_num(r, "ITERATIONS", 0);
		v->param.pbkdf2.salt = salt.at;
		v->param.pbkdf2.salt_len = salt.len;
		v->out = rsp_hex(r, "DERIVED_KEY", set);
	}
}

#define SCRYPT_N_MAX 65536 /* RFC 7914's last vector needs a gibibyte */

void parse_scrypt(struct set *set, struct rsp *r, const struct source *source)
{
	enum rsp_event e;
	struct bytes salt;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "DERIVED_KEY"))
			continue;
		if (rsp_num(r, "N", 0) > SCRYPT_N_MAX) {
			set->n_skipped++;
			continue;
		}
		salt = text(r, "SALT", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, text(r, "PASSWORD", set), KCF_KEY_RAW);
		v->kind = KCF_PARAM_SCRYPT;
		v->param.scrypt.n = (uint64_t)rsp_num(r, "N", 0);
		v->param.scrypt.r = (uint32_t)rsp_num(r, "r", 0);
		v->param.scrypt.p = (uint32_t)rsp_num(r, "p", 0);
		v->param.scrypt.salt = salt.at;
		v->param.scrypt.salt_len = salt.len;
		v->out = rsp_hex(r, "DERIVED_KEY", set);
	}
}

static kcf_mech_t prf_by_name(const char *name)
{
	static const struct {
		const char *name;
		kcf_mech_t number;
	} prfs[] = {
		{"CMAC_AES128", KCF_M_AES_CMAC},    {"CMAC_AES192", KCF_M_AES_CMAC},
		{"CMAC_AES256", KCF_M_AES_CMAC},    {"HMAC_SHA1", KCF_M_SHA_1_HMAC},
		{"HMAC_SHA224", KCF_M_SHA224_HMAC}, {"HMAC_SHA256", KCF_M_SHA256_HMAC},
		{"HMAC_SHA384", KCF_M_SHA384_HMAC}, {"HMAC_SHA512", KCF_M_SHA512_HMAC},
	};
	size_t i;

	for (i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++) {
		if (!strcmp(name, prfs[i].name))
			return prfs[i].number;
	}
	return 0;
}

/* kcf has the counter of 32 bits before the fixed data, which is given whole as the label. */
void parse_kbkdf(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes fixed;
	enum rsp_event e;
	kcf_mech_t prf;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "KO"))
			continue;
		prf = prf_by_name(rsp_get(r, "PRF"));
		if (!prf || strcmp(rsp_get(r, "CTRLOCATION"), "BEFORE_FIXED") != 0 ||
		    strcmp(rsp_get(r, "RLEN"), "32_BITS") != 0) {
			set->n_skipped++;
			continue;
		}
		fixed = rsp_hex(r, "FixedInputData", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(v, rsp_hex(r, "KI", set), KCF_KEY_RAW);
		v->kind = KCF_PARAM_KBKDF;
		v->param.kbkdf.mac = prf;
		v->param.kbkdf.flags = KCF_KBKDF_NO_L | KCF_KBKDF_NO_SEPARATOR;
		v->param.kbkdf.label = fixed.at;
		v->param.kbkdf.label_len = fixed.len;
		v->out = rsp_hex(r, "KO", set);
	}
}
