/* SPDX-License-Identifier: Apache-2.0 */
/* wycheproof-sym: groups whose keys are in the tests - AEAD, ciphers, MACs, key wrap, derivation.
 */
#include "wycheproof.h"

#include <string.h>
#include <strings.h>

struct name {
	const char *algorithm, *mech;
};

static bool find_mech(struct group *g, const struct name *names)
{
	for (; names->algorithm; names++) {
		if (!strcasecmp(names->algorithm, g->algorithm)) {
			g->mech = names->mech;
			return true;
		}
	}
	return false;
}

static struct bytes join(struct set *set, struct bytes a, struct bytes b)
{
	struct bytes both = {set_alloc(set, a.len + b.len + 1), a.len + b.len};

	memcpy(both.at, a.at, a.len);
	memcpy(both.at + a.len, b.at, b.len);
	return both;
}

/* Forward only where the published output is meant to be made; back in every case. */
static void both_ways(struct group *g, struct vector *v, struct bytes plain, struct bytes sealed)
{
	v->in = sealed;
	v->out = plain;
	if (v->verdict != MUST_PASS)
		return;
	v = set_add_twin(g->set, KCF_OP_ENCRYPT);
	v->in = plain;
	v->out = sealed;
}

/* ---- AEAD ------------------------------------------------------------------------------------ */

static bool aead_begin(struct group *g)
{
	static const struct name names[] = {
		{"AES-GCM", "CKM_AES_GCM"},
		{"AES-CCM", "CKM_AES_CCM"},
		{"AES-OCB", "KCF_AES-OCB"},
		{"CHACHA20-POLY1305", "CKM_CHACHA20_POLY1305"},
		{"ARIA-GCM", "KCF_ARIA-GCM"},
		{"ARIA-CCM", "KCF_ARIA-CCM"},
		{NULL, NULL},
	};

	return find_mech(g, names);
}

static bool aead_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes tag = json_hex(g->set, test, "tag");
	struct bytes sealed = join(g->set, json_hex(g->set, test, "ct"), tag);
	struct vector *v = group_add(g, test, KCF_OP_DECRYPT, verdict);

	vector_key(v, json_hex(g->set, test, "key"), KCF_KEY_RAW);
	vector_aead(v, json_hex(g->set, test, "iv"), json_hex(g->set, test, "aad"),
		    json_number(g->json, "tagSize", 8 * tag.len) / 8);
	both_ways(g, v, json_hex(g->set, test, "msg"), sealed);
	return true;
}

/* ---- ciphers, key wrap ----------------------------------------------------------------------- */

static bool cipher_begin(struct group *g)
{
	static const struct name names[] = {
		{"AES-CBC-PKCS5", "CKM_AES_CBC_PAD"}, {"AES-XTS", "CKM_AES_XTS"},
		{"AES-WRAP", "CKM_AES_KEY_WRAP"},     {"KW", "CKM_AES_KEY_WRAP"},
		{"AES-KW", "CKM_AES_KEY_WRAP"},       {"AES-KWP", "CKM_AES_KEY_WRAP_KWP"},
		{"KWP", "CKM_AES_KEY_WRAP_KWP"},      {NULL, NULL},
	};

	return find_mech(g, names);
}

static bool cipher_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = group_add(g, test, KCF_OP_DECRYPT, verdict);

	vector_key(v, json_hex(g->set, test, "key"), KCF_KEY_RAW);
	if (json_object_get(test, "iv"))
		vector_iv(v, json_hex(g->set, test, "iv"));
	both_ways(g, v, json_hex(g->set, test, "msg"), json_hex(g->set, test, "ct"));
	return true;
}

/* ---- MAC ------------------------------------------------------------------------------------- */

static bool mac_begin(struct group *g)
{
	static const struct name names[] = {
		{"HMACSHA1", "CKM_SHA_1_HMAC"},
		{"HMACSHA224", "CKM_SHA224_HMAC"},
		{"HMACSHA256", "CKM_SHA256_HMAC"},
		{"HMACSHA384", "CKM_SHA384_HMAC"},
		{"HMACSHA512", "CKM_SHA512_HMAC"},
		{"HMACSHA512/224", "CKM_SHA512_224_HMAC"},
		{"HMACSHA512/256", "CKM_SHA512_256_HMAC"},
		{"HMACSHA3-224", "CKM_SHA3_224_HMAC"},
		{"HMACSHA3-256", "CKM_SHA3_256_HMAC"},
		{"HMACSHA3-384", "CKM_SHA3_384_HMAC"},
		{"HMACSHA3-512", "CKM_SHA3_512_HMAC"},
		{"AES-CMAC", "CKM_AES_CMAC"},
		{"AES-GMAC", "CKM_AES_GMAC"},
		{"KMAC128", "KCF_KMAC-128"},
		{"KMAC256", "KCF_KMAC-256"},
		{"SipHash-2-4", "KCF_SIPHASH"},
		{"SipHashX-2-4", "KCF_SIPHASH"},
		{NULL, NULL},
	};

	return find_mech(g, names);
}

static bool mac_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes iv = json_hex(g->set, test, "iv");
	struct vector *v = group_add(g, test, KCF_OP_MAC_VERIFY, verdict);

	vector_key(v, json_hex(g->set, test, "key"), KCF_KEY_RAW);
	v->kind = KCF_PARAM_MAC;
	v->param.mac.mac_len = json_number(g->json, "tagSize", 0) / 8;
	v->param.mac.iv = iv.at;
	v->param.mac.iv_len = iv.len;
	v->in = json_hex(g->set, test, "msg");
	v->check = json_hex(g->set, test, "tag");
	if (verdict != MUST_PASS)
		return true;
	v = set_add_twin(g->set, KCF_OP_MAC);
	v->out = v->check;
	return true;
}

/* ---- derivation ------------------------------------------------------------------------------ */

/* The room asked for, where no bytes are published. */
static struct bytes room(struct set *set, struct bytes published, size_t len)
{
	struct bytes b = {set_alloc(set, len + 1), len};

	return published.len == len ? published : b;
}

static bool hkdf_begin(struct group *g)
{
	g->mech = "CKM_HKDF_DERIVE";
	if (strncasecmp(g->algorithm, "HKDF-", 5) != 0)
		return false;
	g->hash = digest_by_name(g->algorithm + 5);
	return g->hash != 0;
}

static bool hkdf_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes salt = json_hex(g->set, test, "salt"), info = json_hex(g->set, test, "info");
	struct bytes okm = json_hex(g->set, test, "okm");
	struct vector *v = group_add(g, test, KCF_OP_DERIVE, verdict);

	vector_key(v, json_hex(g->set, test, "ikm"), KCF_KEY_RAW);
	v->kind = KCF_PARAM_HKDF;
	v->param.hkdf = (struct kcf_param_hkdf){g->hash, 0, salt.at, salt.len, info.at, info.len};
	v->out = room(g->set, okm, json_number(test, "size", okm.len));
	return true;
}

static bool pbkdf2_begin(struct group *g)
{
	const char *hash = g->algorithm + strlen("PBKDF2-HMAC");

	g->mech = "CKM_PKCS5_PBKD2";
	if (strncasecmp(g->algorithm, "PBKDF2-HMAC", 11) != 0)
		return false;
	g->hash = digest_by_name(*hash == '-' ? hash + 1 : hash);
	return g->hash != 0;
}

static bool pbkdf2_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes salt = json_hex(g->set, test, "salt"), dk = json_hex(g->set, test, "dk");
	struct vector *v = group_add(g, test, KCF_OP_DERIVE, verdict);

	vector_key(v, json_hex(g->set, test, "password"), KCF_KEY_RAW);
	v->kind = KCF_PARAM_PBKDF2;
	v->param.pbkdf2 = (struct kcf_param_pbkdf2){
		g->hash, (uint32_t)json_number(test, "iterationCount", 0), salt.at, salt.len};
	v->out = room(g->set, dk, json_number(test, "dkLen", dk.len));
	return true;
}

const struct group_type group_types_sym[] = {
	{"AeadTest", aead_begin, aead_test},        {"IndCpaTest", cipher_begin, cipher_test},
	{"KeywrapTest", cipher_begin, cipher_test}, {"MacTest", mac_begin, mac_test},
	{"MacWithIvTest", mac_begin, mac_test},     {"HkdfTest", hkdf_begin, hkdf_test},
	{"PbkdfTest", pbkdf2_begin, pbkdf2_test},   {NULL, NULL, NULL},
};
