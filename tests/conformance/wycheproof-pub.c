/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wycheproof-pub: groups with a key pair's half - signatures, RSA decryption, key agreement.
 *
 * A hash for which kcf has no mechanism of its own is applied here and the mechanism that takes a
 * digest is used, where there is one.
 */
#include "der.h"
#include "digest.h"
#include "wycheproof.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- keys and hashes ------------------------------------------------------------------------- */

static bool use_key(struct group *g, struct bytes key, enum kcf_key_format format)
{
	g->key = key;
	g->key_format = format;
	return key.len > 0;
}

/* The group's key object by any of its names. */
static json_t *key_object(struct group *g, const char *name)
{
	json_t *key = json_object_get(g->json, name);

	return key ? key : json_object_get(g->json, "key");
}

/* The SubjectPublicKeyInfo, where the group has it as such. */
static bool use_spki(struct group *g)
{
	struct bytes spki = json_hex(g->set, g->json, "publicKeyDer");

	if (spki.len == 0)
		spki = json_hex(g->set, g->json, "keyDer");
	return use_key(g, spki, KCF_KEY_SPKI);
}

static bool find_hash(struct group *g)
{
	g->hash = digest_by_name(json_text(g->json, "sha"));
	return g->hash != 0;
}

/* "CKM_" stem with the hash's name at %s, if types.h lists it; else the one that takes a digest. */
static bool find_hash_mech(struct group *g, const char *stem, const char *bare)
{
	char squeezed[32], name[64];
	const char *hash = mech_name(g->hash), *listed = NULL;
	size_t n = 0;

	/* CKM_SHA_1 is SHA1 inside other names */
	for (hash += strlen("CKM_"); *hash && n < sizeof(squeezed) - 1; hash++) {
		if (*hash != '_' || g->hash != KCF_M_SHA_1)
			squeezed[n++] = *hash;
	}
	squeezed[n] = '\0';
	snprintf(name, sizeof(name), stem, squeezed);
#define KCF__X(ident, value, mech, alias, classes, kind)                                           \
	if (!strcmp(name, mech))                                                                   \
		listed = mech;
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
	g->mech = listed ? listed : bare;
	g->hash_first = !listed;
	return g->mech != NULL;
}

static struct vector *verify_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = group_add(g, test, KCF_OP_VERIFY, verdict);
	struct bytes msg = json_hex(g->set, test, "msg");

	v->in = g->hash_first ? digest(g->set, g->hash, msg) : msg;
	v->check = json_hex(g->set, test, "sig");
	return v;
}

/* ---- ECDSA, DSA, EdDSA ----------------------------------------------------------------------- */

static bool ecdsa_begin(struct group *g)
{
	json_t *key = key_object(g, "publicKey");

	return curve_find(json_text(key, "curve")) && find_hash(g) &&
	       find_hash_mech(g, "CKM_ECDSA_%s", "CKM_ECDSA") && use_spki(g);
}

static bool dsa_begin(struct group *g)
{
	return find_hash(g) && find_hash_mech(g, "CKM_DSA_%s", "CKM_DSA") && use_spki(g);
}

static bool der_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = verify_test(g, test, verdict);

	v->kind = KCF_PARAM_SIGN;
	v->param.sign.flags = KCF_SIG_DER;
	return true;
}

static bool p1363_test(struct group *g, json_t *test, enum verdict verdict)
{
	verify_test(g, test, verdict);
	return true;
}

static bool eddsa_begin(struct group *g)
{
	json_t *key = key_object(g, "publicKey");

	g->mech = "CKM_EDDSA";
	return use_key(g, json_hex(g->set, key, "pk"), KCF_KEY_RAW) || use_spki(g);
}

/* ---- RSA ------------------------------------------------------------------------------------- */

static bool rsa_public(struct group *g)
{
	json_t *key = key_object(g, "publicKey");
	struct bytes n = json_hex(g->set, key, "modulus"), e;

	if (use_spki(g))
		return true;
	e = json_hex(g->set, key, "publicExponent");
	if (n.len == 0)
		n = json_hex(g->set, g->json, "n");
	if (e.len == 0)
		e = json_hex(g->set, g->json, "e");
	return n.len > 0 && use_key(g, der_rsa_public(g->set, n, e), KCF_KEY_SPKI);
}

static bool rsa_private(struct group *g)
{
	return use_key(g, json_hex(g->set, g->json, "privateKeyPkcs8"), KCF_KEY_PKCS8);
}

static bool pkcs1_verify_begin(struct group *g)
{
	return find_hash(g) && find_hash_mech(g, "CKM_%s_RSA_PKCS", NULL) && rsa_public(g);
}

static bool pkcs1_sign_begin(struct group *g)
{
	return find_hash(g) && find_hash_mech(g, "CKM_%s_RSA_PKCS", NULL) && rsa_private(g);
}

static bool pkcs1_sign_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = group_add(g, test, KCF_OP_SIGN, verdict);

	v->in = json_hex(g->set, test, "msg");
	v->out = json_hex(g->set, test, "sig");
	return true;
}

static bool pss_begin(struct group *g)
{
	return find_hash(g) && digest_by_name(json_text(g->json, "mgfSha")) != 0 &&
	       find_hash_mech(g, "CKM_%s_RSA_PKCS_PSS", "CKM_RSA_PKCS_PSS") && rsa_public(g);
}

static bool pss_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = verify_test(g, test, verdict);

	v->kind = KCF_PARAM_RSA_PSS;
	v->param.pss.hash = g->hash;
	v->param.pss.mgf_hash = digest_by_name(json_text(g->json, "mgfSha"));
	v->param.pss.salt_len = (int32_t)json_number(g->json, "sLen", 0);
	return true;
}

static bool oaep_begin(struct group *g)
{
	g->mech = "CKM_RSA_PKCS_OAEP";
	return find_hash(g) && digest_by_name(json_text(g->json, "mgfSha")) != 0 && rsa_private(g);
}

static bool oaep_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes label = json_hex(g->set, test, "label");
	struct vector *v = group_add(g, test, KCF_OP_DECRYPT, verdict);

	v->kind = KCF_PARAM_RSA_OAEP;
	v->param.oaep = (struct kcf_param_rsa_oaep){
		g->hash, digest_by_name(json_text(g->json, "mgfSha")), label.at, label.len};
	v->in = json_hex(g->set, test, "ct");
	v->out = json_hex(g->set, test, "msg");
	return true;
}

static bool pkcs1_decrypt_begin(struct group *g)
{
	g->mech = "CKM_RSA_PKCS";
	return rsa_private(g);
}

static bool pkcs1_decrypt_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct vector *v = group_add(g, test, KCF_OP_DECRYPT, verdict);

	v->in = json_hex(g->set, test, "ct");
	v->out = json_hex(g->set, test, "msg");
	return true;
}

/* ---- key agreement --------------------------------------------------------------------------- */

static bool agreement_test(struct group *g, json_t *test, enum verdict verdict,
			   struct bytes private, enum kcf_key_format format)
{
	struct bytes peer = json_hex(g->set, test, "public");
	struct bytes shared = json_hex(g->set, test, "shared");
	struct vector *v;
	bool fixed = g->curve && shared.len == 0;

	v = group_add(g, test, KCF_OP_DERIVE, verdict);
	vector_key(v, private, format);
	v->kind = KCF_PARAM_ECDH;
	v->param.ecdh.peer = peer.at;
	v->param.ecdh.peer_len = peer.len;
	/* where nothing is published there must be room all the same */
	v->out = fixed ? pad_left(g->set, shared, g->curve->len) : shared;
	if (v->out.len == 0)
		v->out = pad_left(g->set, shared, 56);
	return true;
}

/* "private" is the bare number. */
static bool ecdh_begin(struct group *g)
{
	const char *encoding = json_text(g->json, "encoding");

	g->mech = "CKM_ECDH1_DERIVE";
	g->curve = curve_find(json_text(g->json, "curve"));
	return g->curve && strcmp(encoding, "pem") != 0 && strcmp(encoding, "webcrypto") != 0;
}

static bool ecdh_test(struct group *g, json_t *test, enum verdict verdict)
{
	struct bytes d = json_hex(g->set, test, "private");

	while (d.len > 0 && d.at[0] == 0) {
		d.at++;
		d.len--;
	}
	if (d.len == 0 || d.len > g->curve->len)
		return false;
	return agreement_test(g, test, verdict, der_ec_private(g->set, g->curve, d), KCF_KEY_PKCS8);
}

static bool xdh_begin(struct group *g)
{
	g->mech = "CKM_ECDH1_DERIVE";
	return true;
}

static bool xdh_test(struct group *g, json_t *test, enum verdict verdict)
{
	return agreement_test(g, test, verdict, json_hex(g->set, test, "private"), KCF_KEY_RAW);
}

static bool xdh_asn_test(struct group *g, json_t *test, enum verdict verdict)
{
	return agreement_test(g, test, verdict, json_hex(g->set, test, "private"), KCF_KEY_PKCS8);
}

const struct group_type group_types_pub[] = {
	{"EcdsaVerify", ecdsa_begin, der_test},
	{"EcdsaP1363Verify", ecdsa_begin, p1363_test},
	{"DsaVerify", dsa_begin, der_test},
	{"DsaP1363Verify", dsa_begin, p1363_test},
	{"EddsaVerify", eddsa_begin, p1363_test},
	{"RsassaPkcs1Verify", pkcs1_verify_begin, p1363_test},
	{"RsassaPkcs1Generate", pkcs1_sign_begin, pkcs1_sign_test},
	{"RsassaPssVerify", pss_begin, pss_test},
	{"RsaesOaepDecrypt", oaep_begin, oaep_test},
	{"RsaesPkcs1Decrypt", pkcs1_decrypt_begin, pkcs1_decrypt_test},
	{"EcdhTest", ecdh_begin, ecdh_test},
	{"EcdhEcpointTest", ecdh_begin, ecdh_test},
	{"XdhComp", xdh_begin, xdh_test},
	{"XdhAsnComp", xdh_begin, xdh_asn_test},
	{NULL, NULL, NULL},
};
