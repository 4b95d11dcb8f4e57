/* SPDX-License-Identifier: Apache-2.0 */
/* parse-rsa: RSA signatures and encryption, of NIST and of PKCS #1's own files; DSA and DH of NIST.
 */
#include "der.h"
#include "digest.h"
#include "source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- NIST: SigVer, SigGen -------------------------------------------------------------------- */

/* "CKM_%s_RSA_PKCS" with SHA1... */
static const char *rsa_mech(struct set *set, const char *hash, bool pss)
{
	char name[40];

	snprintf(name, sizeof(name), "CKM_%s_RSA_PKCS%s", hash, pss ? "_PSS" : "");
	return (char *)set_copy(set, name, strlen(name) + 1).at;
}

static void pss_param(struct vector *v, size_t salt_len)
{
	v->kind = KCF_PARAM_RSA_PSS;
	v->param.pss.salt_len = (int32_t)salt_len;
}

static size_t salt_len(const struct rsp *r)
{
	const char *salt = rsp_get(r, "SaltVal");

	return !salt || strcmp(salt, "00") == 0 ? 0 : strlen(salt) / 2;
}

/* What verifies can be signed again where the private key is known: PKCS #1 v1.5 gives the same
 * bytes, PSS others that verify as well. */
static void add_sign(struct set *set, bool pss, struct bytes private_key)
{
	struct vector *verify = set->vectors[set->n - 1];
	struct vector *sign = set_add_twin(set, KCF_OP_SIGN);

	vector_key(sign, private_key, KCF_KEY_PKCS8);
	sign->out = verify->check;
	if (pss)
		sign->undo = set_aside(set, verify, KCF_OP_VERIFY);
}

/* With a mechanism in the source the hash is applied here. */
void parse_rsa_sigver(struct set *set, struct rsp *r, const struct source *source)
{
	bool generated = strstr(set->file, "SigGen") != NULL;
	bool pss = strstr(set->file, "PSS") != NULL;
	struct rsa_numbers rsa;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, generated ? "S" : "Result"))
			continue;
		rsa.n = rsp_hex(r, "n", set);
		rsa.e = rsp_hex(r, "e", set);
		v = set_add(set, r->line, rsa_mech(set, rsp_get(r, "SHAAlg"), pss), KCF_OP_VERIFY);
		vector_key(v, der_rsa_public(set, rsa.n, rsa.e), KCF_KEY_SPKI);
		v->in = rsp_hex(r, "Msg", set);
		v->check = rsp_hex(r, "S", set);
		if (pss)
			pss_param(v, salt_len(r));
		if (source->mech) {
			v->mech = source->mech;
			v->param.pss.hash = digest_by_name(rsp_get(r, "SHAAlg"));
			v->in = digest(set, v->param.pss.hash, v->in);
		}
		if (generated)
			continue;
		if (rsp_get(r, "Result")[0] != 'P') {
			v->verdict = MUST_FAIL;
			continue;
		}
		rsa.d = rsp_hex(r, "d", set);
		rsa.p = rsp_hex(r, "p", set);
		rsa.q = rsp_hex(r, "q", set);
		add_sign(set, pss, der_rsa_private(set, &rsa));
	}
}

/* ---- PKCS #1's files: "# Name:" and lines of hex below --------------------------------------- */

enum label {
	MODULUS,
	PUBLIC_E,
	PRIVATE_D,
	PRIME_P,
	PRIME_Q,
	MESSAGE,
	SALT,
	RESULT,
	N_LABELS,
	NONE
};

struct pkcs1 {
	struct set *set;
	unsigned line;
	enum label label;
	struct bytes values[N_LABELS];
	char hex[4096];
	size_t n_hex;
	bool private_half;
	kcf_mech_t hash, mgf_hash; /* OAEP */
	const char *mech;
	bool encryption;
	struct bytes public_key, private_key; /* of the modulus seen last */
};

static enum label label_of(struct pkcs1 *p, const char *text)
{
	static const struct {
		const char *text;
		enum label label;
	} labels[] = {
		{"Modulus:", MODULUS},    {"Public exponent:", PUBLIC_E},
		{"Exponent:", PRIVATE_D}, {"Prime 1:", PRIME_P},
		{"Prime 2:", PRIME_Q},    {"Message:", MESSAGE},
		{"Salt:", SALT},          {"Encryption:", RESULT},
		{"Signature:", RESULT},   {"Message to be signed:", MESSAGE},
	};
	size_t i;

	for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (!strncmp(text, labels[i].text, strlen(labels[i].text)))
			break;
	}
	if (i == sizeof(labels) / sizeof(labels[0]))
		return NONE;
	return labels[i].label == PRIVATE_D && !p->private_half ? PUBLIC_E : labels[i].label;
}

static void add_encryption(struct pkcs1 *p)
{
	struct vector *v = set_add(p->set, p->line, p->mech, KCF_OP_DECRYPT), *decrypt = v;

	vector_key(v, p->private_key, KCF_KEY_PKCS8);
	v->in = pad_left(p->set, p->values[RESULT], p->values[MODULUS].len);
	v->out = p->values[MESSAGE];
	if (p->hash) {
		v->kind = KCF_PARAM_RSA_OAEP;
		v->param.oaep.hash = p->hash;
		v->param.oaep.mgf_hash = p->mgf_hash;
	}
	v = set_add_twin(p->set, KCF_OP_ENCRYPT);
	vector_key(v, p->public_key, KCF_KEY_SPKI);
	v->undo = set_aside(p->set, decrypt, KCF_OP_DECRYPT);
	v->out = decrypt->in;
	v->in = decrypt->out;
}

static void add_signature(struct pkcs1 *p)
{
	bool pss = strstr(p->mech, "PSS") != NULL;
	struct vector *v = set_add(p->set, p->line, p->mech, KCF_OP_VERIFY);

	vector_key(v, p->public_key, KCF_KEY_SPKI);
	v->in = p->values[MESSAGE];
	v->check = p->values[RESULT];
	if (pss)
		pss_param(v, p->values[SALT].len);
	add_sign(p->set, pss, p->private_key);
}

/* The lines of one label are complete. */
static void end_label(struct pkcs1 *p)
{
	struct rsa_numbers rsa;

	if (p->label == NONE)
		return;
	p->hex[p->n_hex] = '\0';
	p->values[p->label] = set_hex(p->set, p->hex);
	if (p->label == PRIME_Q) {
		rsa = (struct rsa_numbers){p->values[MODULUS], p->values[PUBLIC_E],
					   p->values[PRIVATE_D], p->values[PRIME_P],
					   p->values[PRIME_Q]};
		p->public_key = der_rsa_public(p->set, rsa.n, rsa.e);
		p->private_key = der_rsa_private(p->set, &rsa);
	}
	if (p->label == RESULT && p->encryption)
		add_encryption(p);
	else if (p->label == RESULT)
		add_signature(p);
	p->label = NONE;
}

static void comment(struct pkcs1 *p, const char *text)
{
	const char *alg = strstr(text, "alg="), *mgf = strstr(text, "mgf1=");
	char name[16];

	end_label(p);
	if (!strncmp(text, "Public key", 10))
		p->private_half = false;
	if (!strncmp(text, "Private key", 11))
		p->private_half = true;
	if (alg && mgf) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(alg + 4, " "), alg + 4);
		p->hash = digest_by_name(name);
		p->mgf_hash = digest_by_name(mgf + 5);
	}
	p->label = label_of(p, text);
	p->n_hex = 0;
}

void parse_rsa_pkcs1(struct set *set, struct rsp *r, const struct source *source)
{
	struct pkcs1 p = {.set = set, .label = NONE, .mech = source->mech};
	char *line, *next;
	size_t len;

	p.encryption = strstr(source->mech, "OAEP") || !strcmp(source->mech, "CKM_RSA_PKCS");
	for (line = r->text; *line; line = next) {
		len = strcspn(line, "\n");
		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		p.line++;
		if (*line == '#') {
			comment(&p, line + 1 + strspn(line + 1, " "));
			continue;
		}
		for (; *line && p.label != NONE; line++) {
			if (isxdigit((unsigned char)*line) && p.n_hex < sizeof(p.hex) - 1)
				p.hex[p.n_hex++] = *line;
		}
	}
	end_label(&p);
}

/* ---- DSA, DH --------------------------------------------------------------------------------- */

/* "[mod = L=1024, N=160, SHA-1]", or without a hash: then it is SHA-1 and applied here. */
void parse_dsa(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes q, signature, half;
	const char *hash, *mech = NULL;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (e == RSP_SECTION) {
			hash = strstr(r->section, "SHA-");
			mech = !hash                      ? NULL
			       : !strcmp(hash, "SHA-1")   ? "CKM_DSA_SHA1"
			       : !strcmp(hash, "SHA-256") ? "CKM_DSA_SHA256"
							  : NULL;
			mech = source->hash ? source->mech : mech;
		}
		if (!rsp_is(r, e, "Result"))
			continue;
		if (!mech) {
			set->n_skipped++;
			continue;
		}
		q = rsp_hex(r, "Q", set);
		signature.at = set_alloc(set, 2 * q.len);
		signature.len = 2 * q.len;
		half = pad_left(set, rsp_hex(r, "R", set), q.len);
		memcpy(signature.at, half.at, q.len);
		half = pad_left(set, rsp_hex(r, "S", set), q.len);
		memcpy(signature.at + q.len, half.at, q.len);
		v = set_add(set, r->line, mech, KCF_OP_VERIFY);
		vector_key(v,
			   der_dsa_public(set, rsp_hex(r, "P", set), q, rsp_hex(r, "G", set),
					  rsp_hex(r, "Y", set)),
			   KCF_KEY_SPKI);
		v->in = rsp_hex(r, "Msg", set);
		if (source->hash)
			v->in = digest(set, source->hash, v->in);
		v->check = signature;
		v->verdict = rsp_get(r, "Result")[0] == 'P' ? MUST_PASS : MUST_FAIL;
	}
}

void parse_dh(struct set *set, struct rsp *r, const struct source *source)
{
	struct bytes p, peer;
	enum rsp_event e;
	struct vector *v;

	while ((e = rsp_next(r)) != RSP_END) {
		if (!rsp_is(r, e, "Result"))
			continue;
		p = rsp_hex(r, "P", set);
		peer = rsp_hex(r, "YstatCAVS", set);
		v = set_add(set, r->line, source->mech, KCF_OP_DERIVE);
		vector_key(
			v,
			der_dh_private(set, p, rsp_hex(r, "G", set), rsp_hex(r, "XstatIUT", set)),
			KCF_KEY_PKCS8);
		v->kind = KCF_PARAM_ECDH;
		v->param.ecdh.peer = peer.at;
		v->param.ecdh.peer_len = peer.len;
		v->out = pad_left(set, rsp_hex(r, "Z", set), p.len);
		if (rsp_get(r, "Result")[0] != 'P')
			v->verdict =
				strstr(rsp_get(r, "Result"), "Z changed") ? MUST_FAIL : MAY_PASS;
	}
}
