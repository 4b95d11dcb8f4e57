/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider's signatures and RSA encryption, both ways against libcrypto's EVP
 * interface, each with a tampered twin; key formats and sizes.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include "openssl-calls.h"
#include "test-main.h"

#define DER_MAX 4096
#define SIG_MAX 600

/* A key pair, both halves as DER. Made once, before the tests fork. */
struct pair {
	EVP_PKEY *key;
	uint8_t priv[DER_MAX], pub[DER_MAX];
	size_t priv_len, pub_len;
};

static struct pair rsa, rsa_small, ec[3], ed25519, ed448, dsa;
static const char *const ec_names[] = {"P-256", "P-384", "P-521"};
static const unsigned ec_width[] = {32, 48, 66};
static const uint8_t data[300] = "to be signed";

static void encode(struct pair *p)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(p->key);
	uint8_t *at = p->priv;

	ck_assert(info != NULL);
	p->priv_len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	at = p->pub;
	p->pub_len = (size_t)i2d_PUBKEY(p->key, &at);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void make_dsa(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY *params = NULL;
	unsigned bits = 2048, q_bits = 256;
	OSSL_PARAM sizes[] = {
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_FFC_PBITS, &bits),
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_FFC_QBITS, &q_bits),
		OSSL_PARAM_construct_end(),
	};

	EVP_PKEY_paramgen_init(ctx);
	EVP_PKEY_CTX_set_params(ctx, sizes);
	ck_assert_int_eq(EVP_PKEY_generate(ctx, &params), 1);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	EVP_PKEY_keygen_init(ctx);
	ck_assert_int_eq(EVP_PKEY_generate(ctx, &dsa.key), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	encode(&dsa);
}

static void make_keys(void)
{
	rsa.key = EVP_RSA_gen(2048);
	rsa_small.key = EVP_RSA_gen(1024);
	ed25519.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ed448.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	encode(&rsa);
	encode(&rsa_small);
	encode(&ed25519);
	encode(&ed448);
	for (size_t i = 0; i < N(ec); i++) {
		ec[i].key = EVP_EC_gen(ec_names[i]);
		encode(&ec[i]);
	}
	make_dsa();
}

static void free_keys(void)
{
	struct pair *all[] = {&rsa, &rsa_small, &ec[0], &ec[1], &ec[2], &ed25519, &ed448, &dsa};

	for (size_t i = 0; i < N(all); i++)
		EVP_PKEY_free(all[i]->key);
}

/* ---- signing both ways ----------------------------------------------------------------------- */

struct sign_case {
	const char *name;
	const char *hash; /* NULL: the input is what is signed */
	size_t raw_len;   /* its length then */
	bool pss;
};

static size_t evp_sign(EVP_PKEY *key, const struct sign_case *c, int salt_len, const uint8_t *in,
		       size_t in_len, uint8_t *sig)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	size_t len = SIG_MAX;

	ck_assert_int_eq(EVP_DigestSignInit_ex(md, &ctx, c->hash, NULL, NULL, key, NULL), 1);
	if (c->pss) {
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len);
	}
	ck_assert_int_eq(EVP_DigestSign(md, sig, &len, in, in_len), 1);
	EVP_MD_CTX_free(md);
	return len;
}

static bool evp_verify(EVP_PKEY *key, const struct sign_case *c, int salt_len, const uint8_t *in,
		       size_t in_len, const uint8_t *sig, size_t len)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	int ok;

	ck_assert_int_eq(EVP_DigestVerifyInit_ex(md, &ctx, c->hash, NULL, NULL, key, NULL), 1);
	if (c->pss) {
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len);
	}
	ok = EVP_DigestVerify(md, sig, len, in, in_len);
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok == 1;
}

/* Verifies in every way, with the public and the private key; a changed bit anywhere is refused. */
static void verify_all(const struct sign_case *sc, const struct pair *p, const void *param,
		       const uint8_t *sig, size_t sig_len)
{
	struct fake_template pub = template_format(sc->name, KCF_KEY_SPKI, p->pub, p->pub_len);
	struct fake_template priv = template_format(sc->name, KCF_KEY_PKCS8, p->priv, p->priv_len);
	uint8_t bad_sig[SIG_MAX], bad_data[sizeof(data)];
	struct call c = {.t = &pub,
			 .op = KCF_OP_VERIFY,
			 .param = param,
			 .in = data,
			 .in_len = sc->raw_len ? sc->raw_len : sizeof(data),
			 .check = sig,
			 .check_len = sig_len};

	ck_assert_msg(run(&c) == KCF_SUCCESS, "%s", sc->name);
	ck_assert_int_eq(run_cut(&c, 1, 1), KCF_SUCCESS);
	if (sc->hash && strcmp(sc->name, "CKM_EDDSA"))
		ck_assert_int_eq(run_parts(&c, 99, sig[0] & 1), KCF_SUCCESS);
	c.t = &priv;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.t = &pub;
	memcpy(bad_sig, sig, sig_len);
	c.check = bad_sig;
	for (size_t i = 0; i < sig_len; i += 1 + sig_len / 9) {
		bad_sig[i] ^= 1;
		ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
		bad_sig[i] ^= 1;
	}
	c.check_len--;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	c.check_len = 0;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	bad_sig[sig_len] = 0;
	c.check_len = sig_len + 1;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	c.check_len = sig_len;
	memcpy(bad_data, data, sizeof(data));
	bad_data[7] ^= 0x80;
	c.in = bad_data;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	fake_template_free(&fake, &pub);
	fake_template_free(&fake, &priv);
}

/* Signs with the private half; refuses to with the public one. */
static size_t sign_with(const struct sign_case *sc, const struct pair *p, const void *param,
			uint8_t *sig)
{
	struct fake_template t = template_format(sc->name, KCF_KEY_PKCS8, p->priv, p->priv_len);
	struct call c = {.t = &t,
			 .op = KCF_OP_SIGN,
			 .param = param,
			 .in = data,
			 .in_len = sc->raw_len ? sc->raw_len : sizeof(data),
			 .out = sig,
			 .room = 0};
	size_t need;

	ck_assert_msg(run(&c) == KCF_BUFFER_TOO_SMALL, "%s", sc->name);
	need = c.out_len;
	c.room = need;
	ck_assert_int_eq(run_cut(&c, 3, 5), KCF_SUCCESS);
	ck_assert_uint_le(c.out_len, need);
	verify_all(sc, p, param, sig, c.out_len);
	if (sc->hash && strcmp(sc->name, "CKM_EDDSA")) {
		ck_assert_int_eq(run_parts(&c, 50, false), KCF_SUCCESS);
		verify_all(sc, p, param, sig, c.out_len);
	}
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	need = c.out_len;
	fake_template_free(&fake, &t);
	t = template_format(sc->name, KCF_KEY_SPKI, p->pub, p->pub_len);
	ck_assert_int_eq(run(&c), KCF_KEY_TYPE_INCONSISTENT);
	fake_template_free(&fake, &t);
	return need;
}

static const struct sign_case pkcs1[] = {
	{"CKM_SHA1_RSA_PKCS", "SHA1"},       {"CKM_SHA224_RSA_PKCS", "SHA2-224"},
	{"CKM_SHA256_RSA_PKCS", "SHA2-256"}, {"CKM_SHA384_RSA_PKCS", "SHA2-384"},
	{"CKM_SHA512_RSA_PKCS", "SHA2-512"}, {"CKM_RSA_PKCS", NULL, 245},
};

START_TEST(signs_and_verifies_rsa_pkcs1)
{
	const struct sign_case *sc = &pkcs1[_i];
	uint8_t sig[SIG_MAX];
	size_t len = sign_with(sc, &rsa, NULL, sig);

	ck_assert_uint_eq(len, 256);
	if (!sc->hash)
		return;
	ck_assert(evp_verify(rsa.key, sc, 0, data, sizeof(data), sig, len));
	len = evp_sign(rsa.key, sc, 0, data, sizeof(data), sig);
	verify_all(sc, &rsa, NULL, sig, len);
	len = evp_sign(rsa_small.key, sc, 0, data, sizeof(data), sig);
	verify_all(sc, &rsa_small, NULL, sig, len);
}
END_TEST

static const struct sign_case pss[] = {
	{"CKM_SHA1_RSA_PKCS_PSS", "SHA1", 0, true},
	{"CKM_SHA224_RSA_PKCS_PSS", "SHA2-224", 0, true},
	{"CKM_SHA256_RSA_PKCS_PSS", "SHA2-256", 0, true},
	{"CKM_SHA384_RSA_PKCS_PSS", "SHA2-384", 0, true},
	{"CKM_SHA512_RSA_PKCS_PSS", "SHA2-512", 0, true},
};

START_TEST(signs_and_verifies_rsa_pss_with_any_salt)
{
	const struct sign_case *sc = &pss[_i];
	static const struct {
		int kcf, evp;
	} salts[] = {{KCF_SALT_DIGEST, RSA_PSS_SALTLEN_DIGEST},
		     {0, 0},
		     {7, 7},
		     {KCF_SALT_AUTO, RSA_PSS_SALTLEN_AUTO}};
	uint8_t sig[SIG_MAX];

	for (size_t i = 0; i < N(salts); i++) {
		struct kcf_param_rsa_pss p = {0, 0, salts[i].kcf};
		size_t len = sign_with(sc, &rsa, &p, sig);

		ck_assert(evp_verify(rsa.key, sc, salts[i].evp, data, sizeof(data), sig, len));
		len = evp_sign(rsa.key, sc, salts[i].evp, data, sizeof(data), sig);
		verify_all(sc, &rsa, &p, sig, len);
		if (i == 0)
			verify_all(sc, &rsa, NULL, sig, len);
	}
}
END_TEST

START_TEST(checks_pss_parameters)
{
	const struct sign_case sc = {"CKM_SHA256_RSA_PKCS_PSS", "SHA2-256", 0, true};
	struct kcf_param_rsa_pss p = {0, 0, 20}, other = {0, 0, 21};
	static const struct kcf_param_rsa_pss bad[] = {
		{KCF_M_SHA_1, 0, 20},
		{KCF_M_AES_CBC, 0, 20},
		{0, KCF_M_SHAKE128, 20},
		{0, 0, 256 - 32 - 1},
		{0, 0, -3},
	};
	struct fake_template t = template_format(sc.name, KCF_KEY_PKCS8, rsa.priv, rsa.priv_len);
	uint8_t sig[SIG_MAX];
	struct call c = {
		.t = &t, .op = KCF_OP_VERIFY, .in = data, .in_len = sizeof(data), .check = sig};

	c.check_len = sign_with(&sc, &rsa, &p, sig);
	c.param = &p;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.param = &other; /* a salt of another length than asked for */
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	other = (struct kcf_param_rsa_pss){0, KCF_M_SHA_1, 20};
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	for (size_t i = 0; i < N(bad); i++) {
		c.param = &bad[i];
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(signs_a_digest_with_pss)
{
	const struct sign_case raw = {"CKM_RSA_PKCS_PSS", NULL, 48};
	const struct sign_case hashed = {"CKM_SHA384_RSA_PKCS_PSS", "SHA2-384", 0, true};
	struct kcf_param_rsa_pss p = {KCF_M_SHA384, KCF_M_SHA384, 48};
	struct fake_template t = template_format(raw.name, KCF_KEY_PKCS8, rsa.priv, rsa.priv_len);
	uint8_t sig[SIG_MAX], digest[64];
	struct call c = {.t = &t,
			 .op = KCF_OP_SIGN,
			 .param = &p,
			 .in = digest,
			 .in_len = 48,
			 .out = sig,
			 .room = SIG_MAX};

	sign_with(&raw, &rsa, &p, sig);
	EVP_Q_digest(NULL, "SHA384", NULL, data, sizeof(data), digest, NULL);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	verify_all(&hashed, &rsa, NULL, sig, 256);
	c.in_len = 47;
	ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
	fake_template_free(&fake, &t);
}
END_TEST

static const struct sign_case ecdsa[] = {
	{"CKM_ECDSA_SHA1", "SHA1"},       {"CKM_ECDSA_SHA224", "SHA2-224"},
	{"CKM_ECDSA_SHA256", "SHA2-256"}, {"CKM_ECDSA_SHA384", "SHA2-384"},
	{"CKM_ECDSA_SHA512", "SHA2-512"},
};

START_TEST(signs_and_verifies_ecdsa_in_both_encodings)
{
	const struct sign_case *sc = &ecdsa[_i], raw = {"CKM_ECDSA", NULL, 32};
	struct kcf_param_sign der = {.flags = KCF_SIG_DER};
	uint8_t sig[SIG_MAX];

	for (size_t i = 0; i < N(ec); i++) {
		size_t len = sign_with(sc, &ec[i], NULL, sig);

		ck_assert_uint_eq(len, 2 * ec_width[i]);
		len = sign_with(sc, &ec[i], &der, sig);
		ck_assert(evp_verify(ec[i].key, sc, 0, data, sizeof(data), sig, len));
		len = evp_sign(ec[i].key, sc, 0, data, sizeof(data), sig);
		verify_all(sc, &ec[i], &der, sig, len);
		ck_assert_uint_eq(sign_with(&raw, &ec[i], NULL, sig), 2 * ec_width[i]);
	}
}
END_TEST

/* r||s to DER by hand, so that the encoding can be spoiled. */
static size_t der_sig(const uint8_t *rs, unsigned width, uint8_t *der)
{
	size_t n = 2;

	for (unsigned k = 0; k < 2; k++) {
		const uint8_t *v = rs + k * width;
		unsigned len = width;

		while (len > 1 && *v == 0) {
			v++;
			len--;
		}
		der[n++] = 2;
		der[n++] = (uint8_t)(len + (*v >> 7));
		if (*v >> 7)
			der[n++] = 0;
		memcpy(der + n, v, len);
		n += len;
	}
	der[0] = 0x30;
	der[1] = (uint8_t)(n - 2);
	return n;
}

START_TEST(accepts_strict_der_signatures_alone)
{
	const struct sign_case sc = {"CKM_ECDSA_SHA256", "SHA2-256"};
	struct fake_template t = template_format(sc.name, KCF_KEY_SPKI, ec[0].pub, ec[0].pub_len);
	struct kcf_param_sign param = {.flags = KCF_SIG_DER};
	uint8_t rs[SIG_MAX], der[SIG_MAX], bad[SIG_MAX];
	struct call c = {.t = &t,
			 .op = KCF_OP_VERIFY,
			 .param = &param,
			 .in = data,
			 .in_len = sizeof(data),
			 .check = der};
	size_t len;

	sign_with(&sc, &ec[0], NULL, rs);
	c.check_len = len = der_sig(rs, 32, der);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.check = bad;
	memcpy(bad, der, len); /* a byte after the end */
	bad[len] = 0;
	c.check_len = len + 1;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	bad[1]++; /* also when counted in */
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	bad[0] = 0x30; /* long form where the short one does */
	bad[1] = 0x81;
	memcpy(bad + 2, der + 1, len - 1);
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	memcpy(bad, der, 4); /* a needless zero before r */
	bad[1] = (uint8_t)(der[1] + 1);
	bad[3] = (uint8_t)(der[3] + 1);
	bad[4] = 0;
	memcpy(bad + 5, der + 4, len - 4);
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	c.param = NULL; /* DER where r||s is due */
	c.check = der;
	c.check_len = len;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	memset(rs, 0, 64);
	c.check = rs;
	c.check_len = 64;
	ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
	param.flags = KCF_SIG_PREHASH;
	c.param = &param;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(signs_and_verifies_eddsa_with_every_key_format)
{
	const struct sign_case sc = {"CKM_EDDSA", NULL};
	const struct pair *pairs[] = {&ed25519, &ed448};
	static const size_t key_len[] = {32, 57}, sig_len[] = {64, 114};
	uint8_t sig[SIG_MAX], again[SIG_MAX], raw[64];

	for (size_t i = 0; i < 2; i++) {
		size_t len = sign_with(&sc, pairs[i], NULL, sig), raw_len = sizeof(raw);
		struct fake_template t;
		struct call c = {.t = &t,
				 .op = KCF_OP_SIGN,
				 .in = data,
				 .in_len = sizeof(data),
				 .out = again,
				 .room = SIG_MAX};

		ck_assert_uint_eq(len, sig_len[i]);
		ck_assert(evp_verify(pairs[i]->key, &sc, 0, data, sizeof(data), sig, len));
		EVP_PKEY_get_raw_private_key(pairs[i]->key, raw, &raw_len);
		ck_assert_uint_eq(raw_len, key_len[i]);
		t = template_of("CKM_EDDSA", raw, raw_len);
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_mem_eq(again, sig, len);
		fake_template_free(&fake, &t);
		raw_len = sizeof(raw);
		EVP_PKEY_get_raw_public_key(pairs[i]->key, raw, &raw_len);
		t = template_of("CKM_EDDSA", raw, raw_len);
		c.op = KCF_OP_VERIFY;
		c.check = sig;
		c.check_len = len;
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		sig[10] ^= 1;
		ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(refuses_eddsa_variants_libcrypto_lacks)
{
	static const struct kcf_param_sign bad[] = {
		{.flags = KCF_SIG_PREHASH},
		{.context = (const uint8_t *)"x", .context_len = 1},
		{.flags = KCF_SIG_DER},
	};
	struct fake_template t =
		template_format("CKM_EDDSA", KCF_KEY_PKCS8, ed25519.priv, ed25519.priv_len);
	uint8_t sig[SIG_MAX];
	struct call c = {
		.t = &t, .op = KCF_OP_SIGN, .in = data, .in_len = 5, .out = sig, .room = SIG_MAX};

	for (size_t i = 0; i < N(bad); i++) {
		c.param = &bad[i];
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(signs_and_verifies_dsa)
{
	static const struct sign_case cases[] = {
		{"CKM_DSA_SHA1", "SHA1"}, {"CKM_DSA_SHA256", "SHA2-256"}, {"CKM_DSA", NULL, 32}};
	struct kcf_param_sign der = {.flags = KCF_SIG_DER};
	uint8_t sig[SIG_MAX];

	for (size_t i = 0; i < N(cases); i++) {
		size_t len;

		ck_assert_uint_eq(sign_with(&cases[i], &dsa, NULL, sig), 64);
		len = sign_with(&cases[i], &dsa, &der, sig);
		if (!cases[i].hash)
			continue;
		ck_assert(evp_verify(dsa.key, &cases[i], 0, data, sizeof(data), sig, len));
		len = evp_sign(dsa.key, &cases[i], 0, data, sizeof(data), sig);
		verify_all(&cases[i], &dsa, &der, sig, len);
	}
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------ */

START_TEST(refuses_keys_of_another_type_or_form)
{
	uint8_t der[DER_MAX];

	ck_assert_int_eq(template_status("CKM_ECDSA", KCF_KEY_PKCS8, rsa.priv, rsa.priv_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_PKCS8, ec[0].priv, ec[0].priv_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_EDDSA", KCF_KEY_SPKI, ec[0].pub, ec[0].pub_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_SPKI, rsa.priv, rsa.priv_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_PKCS8, rsa.pub, rsa.pub_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_RAW, rsa.priv, 32),
			 KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(template_status("CKM_EDDSA", KCF_KEY_RAW, rsa.priv, 33),
			 KCF_KEY_SIZE_RANGE);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_PKCS8, NULL, 0),
			 KCF_KEY_TYPE_INCONSISTENT);
	memcpy(der, rsa.priv, rsa.priv_len); /* a byte after the end */
	der[rsa.priv_len] = 0;
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_PKCS8, der, rsa.priv_len + 1),
			 KCF_KEY_TYPE_INCONSISTENT);
	memcpy(der, rsa.pub, rsa.pub_len);
	der[rsa.pub_len] = 0;
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_SPKI, der, rsa.pub_len + 1),
			 KCF_KEY_TYPE_INCONSISTENT);
	for (size_t cut = 1; cut < rsa.priv_len; cut += 100)
		ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_PKCS8, rsa.priv, cut),
				 KCF_KEY_TYPE_INCONSISTENT);
}
END_TEST

START_TEST(refuses_keys_of_sizes_it_does_not_offer)
{
	struct pair tiny = {.key = EVP_RSA_gen(512)};
	struct fake_template t;
	uint8_t sig[SIG_MAX];
	struct call c = {
		.t = &t, .op = KCF_OP_SIGN, .in = data, .in_len = 5, .out = sig, .room = SIG_MAX};

	encode(&tiny);
	ck_assert_int_eq(template_status("CKM_RSA_PKCS", KCF_KEY_SPKI, tiny.pub, tiny.pub_len),
			 KCF_KEY_SIZE_RANGE);
	EVP_PKEY_free(tiny.key);
	t = template_format("CKM_SHA256_RSA_PKCS", KCF_KEY_PKCS8, rsa_small.priv,
			    rsa_small.priv_len);
	ck_assert_int_eq(run(&c), KCF_KEY_SIZE_RANGE); /* it may verify */
	fake_template_free(&fake, &t);
	tiny.key = EVP_EC_gen("secp160r1");
	encode(&tiny);
	ck_assert_int_eq(template_status("CKM_ECDSA", KCF_KEY_SPKI, tiny.pub, tiny.pub_len),
			 KCF_KEY_SIZE_RANGE);
	EVP_PKEY_free(tiny.key);
}
END_TEST

START_TEST(refuses_explicit_curve_parameters)
{
	struct pair p = {.key = EVP_EC_gen("P-256")};

	ck_assert_int_eq(
		EVP_PKEY_set_utf8_string_param(p.key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
	encode(&p);
	ck_assert_uint_gt(p.pub_len, ec[0].pub_len + 100);
	ck_assert_int_eq(template_status("CKM_ECDSA", KCF_KEY_SPKI, p.pub, p.pub_len),
			 KCF_KEY_TYPE_INCONSISTENT);
	EVP_PKEY_free(p.key);
}
END_TEST

START_TEST(tells_the_public_half_of_a_key)
{
	static const char *const names[] = {"CKM_SHA256_RSA_PKCS", "CKM_RSA_PKCS_KEY_PAIR_GEN",
					    "CKM_EC_KEY_PAIR_GEN", "CKM_EC_EDWARDS_KEY_PAIR_GEN"};
	const struct pair *pairs[] = {&rsa, &rsa, &ec[1], &ed448};
	uint8_t out[DER_MAX];

	for (size_t i = 0; i < N(names); i++) {
		struct fake_template t = template_format(names[i], KCF_KEY_PKCS8, pairs[i]->priv,
							 pairs[i]->priv_len);
		struct call c = {.t = &t, .op = KCF_OP_PUBLIC, .out = out, .room = 20};

		ck_assert_int_eq(run(&c), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(c.out_len, pairs[i]->pub_len);
		c.room = DER_MAX;
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, pairs[i]->pub_len);
		ck_assert_mem_eq(out, pairs[i]->pub, c.out_len);
		fake_template_free(&fake, &t);
	}
}
END_TEST

/* ---- RSA encryption -------------------------------------------------------------------------- */

static size_t evp_rsa(bool encrypt, const struct kcf_param_rsa_oaep *p, const char *hash,
		      const char *mgf, const uint8_t *in, size_t in_len, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, rsa.key, NULL);
	size_t len = SIG_MAX;

	encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx);
	EVP_PKEY_CTX_set_rsa_padding(ctx, hash ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING);
	if (hash) {
		EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, hash, NULL);
		EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL);
		if (p && p->label_len)
			EVP_PKEY_CTX_set0_rsa_oaep_label(
				ctx, OPENSSL_memdup(p->label, p->label_len), (int)p->label_len);
	}
	ck_assert_int_eq(encrypt ? EVP_PKEY_encrypt(ctx, out, &len, in, in_len)
				 : EVP_PKEY_decrypt(ctx, out, &len, in, in_len),
			 1);
	EVP_PKEY_CTX_free(ctx);
	return len;
}

static void crypt_both_ways(const char *name, const struct kcf_param_rsa_oaep *p, const char *hash,
			    const char *mgf, size_t max)
{
	struct fake_template pub = template_format(name, KCF_KEY_SPKI, rsa.pub, rsa.pub_len);
	struct fake_template priv = template_format(name, KCF_KEY_PKCS8, rsa.priv, rsa.priv_len);
	uint8_t crypt[SIG_MAX], plain[SIG_MAX];

	for (size_t len = 0; len <= max; len = len * 3 + 1) {
		struct call e = {.t = &pub,
				 .op = KCF_OP_ENCRYPT,
				 .param = p,
				 .in = data,
				 .in_len = len,
				 .out = crypt,
				 .room = 256};
		struct call d = {.t = &priv,
				 .op = KCF_OP_DECRYPT,
				 .param = p,
				 .in = crypt,
				 .in_len = 256,
				 .out = plain,
				 .room = len};

		ck_assert_int_eq(run_cut(&e, 3, 7), KCF_SUCCESS);
		ck_assert_uint_eq(e.out_len, 256);
		ck_assert_uint_eq(evp_rsa(false, p, hash, mgf, crypt, 256, plain), len);
		ck_assert_mem_eq(plain, data, len);
		evp_rsa(true, p, hash, mgf, data, len, crypt);
		ck_assert_int_eq(run_cut(&d, 3, 7), KCF_SUCCESS);
		ck_assert_uint_eq(d.out_len, len);
		ck_assert_mem_eq(plain, data, len);
		crypt[100] ^= 1;
		ck_assert_int_eq(run(&d), KCF_INVALID_MAC);
		d.in_len = 255;
		ck_assert_int_eq(run(&d), KCF_ENCRYPTED_DATA_LEN_RANGE);
		e.in_len = max + 1;
		ck_assert_int_eq(run(&e), KCF_DATA_LEN_RANGE);
		e.in_len = len;
		e.room = 255;
		ck_assert_int_eq(run(&e), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(e.out_len, 256);
		d.t = &pub;
		ck_assert_int_eq(run(&d), KCF_KEY_TYPE_INCONSISTENT);
	}
	fake_template_free(&fake, &pub);
	fake_template_free(&fake, &priv);
}

START_TEST(encrypts_and_decrypts_rsa_oaep)
{
	struct kcf_param_rsa_oaep sha256 = {KCF_M_SHA256, 0, NULL, 0};
	struct kcf_param_rsa_oaep label = {KCF_M_SHA512, KCF_M_SHA_1, (const uint8_t *)"label", 5};

	crypt_both_ways("CKM_RSA_PKCS_OAEP", NULL, "SHA1", "SHA1", 256 - 42);
	crypt_both_ways("CKM_RSA_PKCS_OAEP", &sha256, "SHA256", "SHA256", 256 - 66);
	crypt_both_ways("CKM_RSA_PKCS_OAEP", &label, "SHA512", "SHA1", 256 - 130);
}
END_TEST

START_TEST(encrypts_and_decrypts_rsa_pkcs1)
{
	crypt_both_ways("CKM_RSA_PKCS", NULL, NULL, NULL, 256 - 11);
}
END_TEST

START_TEST(checks_oaep_parameters)
{
	static const struct kcf_param_rsa_oaep bad[] = {
		{KCF_M_AES_CBC, 0, NULL, 0}, {KCF_M_SHA256, 9999, NULL, 0}, {0, 0, NULL, 5}};
	struct fake_template t =
		template_format("CKM_RSA_PKCS_OAEP", KCF_KEY_PKCS8, rsa.priv, rsa.priv_len);
	struct kcf_param_rsa_oaep label = {0, 0, (const uint8_t *)"a", 1};
	uint8_t crypt[256], plain[256];
	struct call c = {
		.t = &t, .op = KCF_OP_ENCRYPT, .in = data, .in_len = 5, .out = crypt, .room = 256};

	for (size_t i = 0; i < N(bad); i++) {
		c.param = &bad[i];
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	}
	c.param = NULL;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c = (struct call){.t = &t,
			  .op = KCF_OP_DECRYPT,
			  .param = &label,
			  .in = crypt,
			  .in_len = 256,
			  .out = plain,
			  .room = 256};
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC); /* another label */
	c.param = NULL;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	fake_template_free(&fake, &t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("signatures and RSA");

	tcase_add_unchecked_fixture(tc, make_keys, free_keys);
	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, signs_and_verifies_rsa_pkcs1, 0, N(pkcs1));
	tcase_add_loop_test(tc, signs_and_verifies_rsa_pss_with_any_salt, 0, N(pss));
	tcase_add_test(tc, checks_pss_parameters);
	tcase_add_test(tc, signs_a_digest_with_pss);
	tcase_add_loop_test(tc, signs_and_verifies_ecdsa_in_both_encodings, 0, N(ecdsa));
	tcase_add_test(tc, accepts_strict_der_signatures_alone);
	tcase_add_test(tc, signs_and_verifies_eddsa_with_every_key_format);
	tcase_add_test(tc, refuses_eddsa_variants_libcrypto_lacks);
	tcase_add_test(tc, signs_and_verifies_dsa);
	tcase_add_test(tc, refuses_keys_of_another_type_or_form);
	tcase_add_test(tc, refuses_keys_of_sizes_it_does_not_offer);
	tcase_add_test(tc, refuses_explicit_curve_parameters);
	tcase_add_test(tc, tells_the_public_half_of_a_key);
	tcase_add_test(tc, encrypts_and_decrypts_rsa_oaep);
	tcase_add_test(tc, encrypts_and_decrypts_rsa_pkcs1);
	tcase_add_test(tc, checks_oaep_parameters);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
