/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider's key agreement, key derivation, random bytes and key generation, against
 * published values and libcrypto's EVP interface.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>
#include <string.h>
#include "openssl-calls.h"
#include "test-main.h"

#define DER_MAX 6000

static size_t pkcs8_of(EVP_PKEY *key, uint8_t *der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	size_t len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	PKCS8_PRIV_KEY_INFO_free(info);
	return len;
}

static struct fake_template agree_template(const char *name, EVP_PKEY *key)
{
	uint8_t der[DER_MAX];
	size_t len = pkcs8_of(key, der);

	return template_format(name, KCF_KEY_PKCS8, der, len);
}

static size_t evp_derive(EVP_PKEY *key, EVP_PKEY *peer, uint8_t *out, size_t room)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	EVP_PKEY_derive_init(ctx);
	EVP_PKEY_CTX_set_dh_pad(ctx, 1);
	ERR_clear_error();
	ck_assert_int_eq(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	ck_assert_int_eq(EVP_PKEY_derive(ctx, out, &room), 1);
	EVP_PKEY_CTX_free(ctx);
	return room;
}

/* ---- key agreement --------------------------------------------------------------------------- */

START_TEST(agrees_on_named_curves_with_points_and_spki)
{
	static const char *const curves[] = {"P-256", "P-384", "P-521", "brainpoolP256r1"};
	static const size_t width[] = {32, 48, 66, 32};
	uint8_t expect[66], out[66], spki[DER_MAX], *point = NULL, *at;

	for (size_t i = 0; i < N(curves); i++) {
		EVP_PKEY *key = EVP_EC_gen(curves[i]), *peer = EVP_EC_gen(curves[i]);
		struct fake_template t = agree_template("CKM_ECDH1_DERIVE", key);
		struct kcf_param_ecdh p = {0};
		struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 66};

		p.peer_len = EVP_PKEY_get1_encoded_public_key(peer, &point);
		p.peer = point;
		evp_derive(key, peer, expect, sizeof(expect));
		ck_assert_int_eq(run_cut(&c, 1, 5), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, width[i]);
		ck_assert_mem_eq(out, expect, width[i]);
		c.room = width[i] - 1;
		ck_assert_int_eq(run(&c), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(c.out_len, width[i]);
		c.room = 66;
		point[p.peer_len - 1] ^= 1; /* off the curve */
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		point[p.peer_len - 1] ^= 1;
		p.peer_len--;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		point[0] = 2 + (point[p.peer_len] & 1); /* compressed */
		p.peer_len = width[i] + 1;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		OPENSSL_free(point);
		at = spki;
		p.peer_len = (size_t)i2d_PUBKEY(peer, &at);
		p.peer = spki;
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_mem_eq(out, expect, width[i]);
		p.peer_len++; /* a byte after the end */
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
		EVP_PKEY_free(key);
		EVP_PKEY_free(peer);
	}
}
END_TEST

START_TEST(refuses_a_peer_of_another_curve)
{
	static const char *const other[] = {"P-384", "brainpoolP256r1"};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct fake_template t = agree_template("CKM_ECDH1_DERIVE", key);
	uint8_t spki[DER_MAX], out[66];
	struct kcf_param_ecdh p = {spki, 0};
	struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 66};

	for (size_t i = 0; i < N(other); i++) {
		EVP_PKEY *peer = EVP_EC_gen(other[i]);
		uint8_t *at = spki;

		p.peer_len = (size_t)i2d_PUBKEY(peer, &at);
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		EVP_PKEY_free(peer);
	}
	EVP_PKEY *explicit = EVP_EC_gen("P-256"); /* the right curve, but spelled out */
	uint8_t *end = spki;
	EVP_PKEY_set_utf8_string_param(explicit, OSSL_PKEY_PARAM_EC_ENCODING, "explicit");
	p.peer_len = (size_t)i2d_PUBKEY(explicit, &end);
	ck_assert_uint_gt(p.peer_len, 200);
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	EVP_PKEY_free(explicit);
	EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	uint8_t *at = spki;
	p.peer_len = (size_t)i2d_PUBKEY(x, &at);
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	EVP_PKEY_free(x);
	c.param = NULL;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(agrees_on_x25519_and_x448)
{
	static const char *const types[] = {"X25519", "X448"};
	static const size_t width[] = {32, 56};
	uint8_t raw[57], peer_raw[57], expect[56], out[56], zero[56] = {0}, spki[200];

	for (size_t i = 0; i < N(types); i++) {
		EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, types[i]);
		EVP_PKEY *peer = EVP_PKEY_Q_keygen(NULL, NULL, types[i]);
		size_t raw_len = sizeof(raw), peer_len = sizeof(peer_raw);
		struct kcf_param_ecdh p = {peer_raw, width[i]};
		struct fake_template t[2];
		uint8_t *at = spki;

		EVP_PKEY_get_raw_private_key(key, raw, &raw_len);
		EVP_PKEY_get_raw_public_key(peer, peer_raw, &peer_len);
		evp_derive(key, peer, expect, sizeof(expect));
		t[0] = template_of("CKM_ECDH1_DERIVE", raw, raw_len);
		t[1] = agree_template("CKM_ECDH1_DERIVE", key);
		for (size_t k = 0; k < 2; k++) {
			struct call c = {.t = &t[k],
					 .op = KCF_OP_DERIVE,
					 .param = &p,
					 .out = out,
					 .room = 56};

			p = (struct kcf_param_ecdh){peer_raw, width[i]};
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_assert_uint_eq(c.out_len, width[i]);
			ck_assert_mem_eq(out, expect, width[i]);
			p.peer = zero; /* a point of small order: the secret would be zero */
			ck_assert_int_eq(run(&c), KCF_FAILED);
			p.peer_len--;
			ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
			at = spki;
			p.peer_len = (size_t)i2d_PUBKEY(peer, &at);
			p.peer = spki;
			memset(out, 0, sizeof(out));
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_assert_mem_eq(out, expect, width[i]);
			fake_template_free(&fake, &t[k]);
		}
		EVP_PKEY_free(key);
		EVP_PKEY_free(peer);
	}
}
END_TEST

START_TEST(agrees_with_diffie_hellman)
{
	EVP_PKEY *key = NULL, *peer = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"ffdhe2048"},
						 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t expect[256], out[256], spki[DER_MAX], *value = NULL, *at = spki;
	struct kcf_param_ecdh p = {0};
	struct fake_template t;
	struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 256};

	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_CTX_set_params(ctx, params);
	ck_assert_int_eq(EVP_PKEY_generate(ctx, &key), 1);
	ck_assert_int_eq(EVP_PKEY_generate(ctx, &peer), 1);
	EVP_PKEY_CTX_free(ctx);
	t = agree_template("CKM_DH_PKCS_DERIVE", key);
	evp_derive(key, peer, expect, sizeof(expect));
	p.peer_len = EVP_PKEY_get1_encoded_public_key(peer, &value);
	p.peer = value;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, 256);
	ck_assert_mem_eq(out, expect, 256);
	p.peer_len = (size_t)i2d_PUBKEY(peer, &at);
	p.peer = spki;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 256);
	p.peer = (const uint8_t *)"\1"; /* 1 is no public value */
	p.peer_len = 1;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	memset(value, 0xff, 256); /* beyond the prime */
	p.peer = value;
	p.peer_len = 256;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	OPENSSL_free(value);
	fake_template_free(&fake, &t);
	EVP_PKEY_free(key);
	EVP_PKEY_free(peer);
}
END_TEST

/* ---- key derivation -------------------------------------------------------------------------- */

static const struct {
	kcf_mech_t mech;
	const char *evp;
	size_t len;
} hashes[] = {{KCF_M_SHA_1, "SHA1", 20},
	      {KCF_M_SHA256, "SHA256", 32},
	      {KCF_M_SHA384, "SHA384", 48},
	      {KCF_M_SHA512, "SHA512", 64},
	      {KCF_M_SHA512_256, "SHA512-256", 32},
	      {KCF_M_SHA3_256, "SHA3-256", 32}};

static void evp_kdf(const char *name, const OSSL_PARAM *params, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	ck_assert_int_eq(EVP_KDF_derive(ctx, out, len, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static OSSL_PARAM text(const char *key, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static OSSL_PARAM octets(const char *key, const uint8_t *value, size_t len)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)value, len);
}

START_TEST(derives_with_hkdf)
{
	uint8_t key[80], salt[50], info[40], expect[300], out[300];
	static const char *const modes[] = {"EXTRACT_AND_EXPAND", "EXTRACT_ONLY", "EXPAND_ONLY"};

	fill(key, sizeof(key), 1);
	fill(salt, sizeof(salt), 2);
	fill(info, sizeof(info), 3);
	for (size_t i = 0; i < N(hashes); i++) {
		for (uint32_t flags = 0; flags <= KCF_HKDF_EXPAND; flags++) {
			struct kcf_param_hkdf p = {hashes[i].mech, flags, salt, 50, info, 40};
			size_t len = flags == KCF_HKDF_EXTRACT ? hashes[i].len : 300;
			struct fake_template t = template_of("CKM_HKDF_DERIVE", key, sizeof(key));
			struct call c = {
				.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = len};
			OSSL_PARAM params[] = {
				text("digest", hashes[i].evp),   text("mode", modes[flags]),
				octets("key", key, sizeof(key)), octets("salt", salt, 50),
				octets("info", info, 40),        OSSL_PARAM_construct_end()};

			evp_kdf("HKDF", params, expect, len);
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_assert_uint_eq(c.out_len, len);
			ck_assert_mem_eq(out, expect, len);
			memset(out, 0, len);
			ck_assert_int_eq(run_cut(&c, 1, 7), KCF_SUCCESS);
			ck_assert_mem_eq(out, expect, len);
			salt[0] ^= 1;
			info[0] ^= 1;
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_assert_mem_ne(out, expect, len);
			salt[0] ^= 1;
			info[0] ^= 1;
			fake_template_free(&fake, &t);
		}
	}
}
END_TEST

START_TEST(derives_with_hkdf_from_nothing)
{
	/* RFC 5869 A.3: no salt, no info */
	uint8_t key[22], expect[42], out[42];
	struct kcf_param_hkdf p = {.hash = KCF_M_SHA256};
	struct fake_template t;
	struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 42};

	memset(key, 0x0b, sizeof(key));
	unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c"
	      "8",
	      expect);
	t = template_of("CKM_HKDF_DERIVE", key, 22);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 42);
	p.hash = KCF_M_AES_CBC;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	p.hash = KCF_M_SHA256;
	p.flags = 4;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	p.flags = KCF_HKDF_EXTRACT;
	c.room = 31;
	ck_assert_int_eq(run(&c), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(c.out_len, 32);
	fake_template_free(&fake, &t);
	t = template_of("CKM_HKDF_DERIVE", key, 0); /* an empty key is a key */
	c.room = 42;
	p.flags = 0;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_ne(out, expect, 42);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(bounds_what_hkdf_makes)
{
	static uint8_t out[255 * 32 + 1];
	uint8_t key[16] = {1};
	struct kcf_param_hkdf p = {.hash = KCF_M_SHA256};
	struct fake_template t = template_of("CKM_HKDF_DERIVE", key, 16);
	struct call c = {
		.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = sizeof(out)};

	ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
	c.room--;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.room = 0;
	ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(derives_with_pbkdf2)
{
	static const unsigned rounds[] = {1, 2, 1000};
	uint8_t salt[20], expect[150], out[150];

	fill(salt, sizeof(salt), 4);
	for (size_t i = 0; i < N(hashes) * N(rounds); i++) {
		size_t h = i / N(rounds);
		unsigned iterations = rounds[i % N(rounds)];
		struct kcf_param_pbkdf2 p = {hashes[h].mech, iterations, salt, 20};
		struct fake_template t = template_of("CKM_PKCS5_PBKD2", "password", 8);
		struct call c = {
			.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 150};
		EVP_MD *md = EVP_MD_fetch(NULL, hashes[h].evp, NULL);

		ck_assert_int_eq(PKCS5_PBKDF2_HMAC("password", 8, salt, 20, (int)iterations, md,
						   150, expect),
				 1);
		EVP_MD_free(md);
		ck_assert_int_eq(run_cut(&c, 1, 11), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, 150);
		ck_assert_mem_eq(out, expect, 150);
		p.iterations++;
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_mem_ne(out, expect, 150);
		p.iterations = 0;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
}
END_TEST

static const struct kbkdf_case {
	kcf_mech_t mac;
	const char *evp, *sub_name, *sub;
	uint32_t flags;
} kbkdfs[] = {
	{KCF_M_SHA256_HMAC, "HMAC", "digest", "SHA256", 0},
	{KCF_M_SHA3_512_HMAC, "HMAC", "digest", "SHA3-512", 0},
	{KCF_M_SHA_1_HMAC, "HMAC", "digest", "SHA1", KCF_KBKDF_FEEDBACK},
	{KCF_M_AES_CMAC, "CMAC", "cipher", "AES-256-CBC", 0},
	{KCF_M_AES_CMAC, "CMAC", "cipher", "AES-256-CBC", KCF_KBKDF_FEEDBACK},
	{KCF_M_SHA512_HMAC, "HMAC", "digest", "SHA512", KCF_KBKDF_NO_L},
	{KCF_M_SHA384_HMAC, "HMAC", "digest", "SHA384",
	 KCF_KBKDF_NO_SEPARATOR | KCF_KBKDF_FEEDBACK},
};

START_TEST(derives_with_kbkdf)
{
	const struct kbkdf_case *k = &kbkdfs[_i];
	uint8_t key[32], label[20], context[30], seed[16], expect[200], out[200];
	struct kcf_param_kbkdf p = {k->mac, k->flags, label, 20, context, 30, NULL, 0};
	bool feedback = k->flags & KCF_KBKDF_FEEDBACK;
	int use_l = !(k->flags & KCF_KBKDF_NO_L), use_zero = !(k->flags & KCF_KBKDF_NO_SEPARATOR);
	OSSL_PARAM params[] = {text("mac", k->evp),
			       text(k->sub_name, k->sub),
			       text("mode", feedback ? "feedback" : "counter"),
			       octets("key", key, sizeof(key)),
			       octets("salt", label, 20),
			       octets("info", context, 30),
			       OSSL_PARAM_construct_int("use-l", &use_l),
			       OSSL_PARAM_construct_int("use-separator", &use_zero),
			       OSSL_PARAM_construct_end(),
			       OSSL_PARAM_construct_end()};
	struct fake_template t;
	struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 200};

	fill(key, sizeof(key), 1);
	fill(label, sizeof(label), 2);
	fill(context, sizeof(context), 3);
	fill(seed, sizeof(seed), 4);
	if (k->mac == KCF_M_AES_CMAC && feedback) { /* libcrypto: a seed of one block */
		params[8] = octets("seed", seed, 16);
		p.seed = seed;
		p.seed_len = 16;
	}
	t = template_of("CKM_SP800_108_COUNTER_KDF", key, 32);
	evp_kdf("KBKDF", params, expect, 200);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, 200);
	ck_assert_mem_eq(out, expect, 200);
	memset(out, 0, 200);
	ck_assert_int_eq(run_cut(&c, 1, 9), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 200);
	context[29] ^= 1;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_ne(out, expect, 200);
	p.mac = KCF_M_POLY1305;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	p.mac = KCF_M_SHA256_HMAC;
	p.flags = 8;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);
	t = template_of("CKM_SP800_108_COUNTER_KDF", key, 31);
	p.flags = 0;
	p.seed_len = 0;
	p.mac = KCF_M_AES_CMAC;
	ck_assert_int_eq(run(&c), KCF_KEY_TYPE_INCONSISTENT);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(derives_with_scrypt_within_its_memory)
{
	/* RFC 7914 12, the first two */
	uint8_t expect[64], out[64];
	struct kcf_param_scrypt p = {16, 1, 1, NULL, 0};
	struct fake_template t = template_of("KCF_SCRYPT", "", 0);
	struct call c = {.t = &t, .op = KCF_OP_DERIVE, .param = &p, .out = out, .room = 64};

	unhex("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a"
	      "753a0f"
	      "c81f17e8d3e0fb2e0d3628cf35e20c38d18906",
	      expect);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 64);
	fake_template_free(&fake, &t);

	unhex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff1"
	      "09279d"
	      "9830dac727afb94a83ee6d8360cbdfa2cc0640",
	      expect);
	t = template_of("KCF_SCRYPT", "password", 8);
	p = (struct kcf_param_scrypt){1024, 8, 16, (const uint8_t *)"NaCl", 4};
	ck_assert_int_eq(run_cut(&c, 1, 10), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 64);
	static const struct kcf_param_scrypt bad[] = {
		{1 << 20, 9, 1, NULL, 0},
		{1000, 8, 1, NULL, 0},
		{1, 8, 1, NULL, 0},
		{16, 0, 1, NULL, 0},
		{16, 8, 0, NULL, 0},
		{16, UINT32_MAX, 1, NULL, 0},
		{UINT64_MAX / 2 + 1, 8, 1, NULL, 0},
		{16, 1, UINT32_MAX, NULL, 0},
		{16, 1 << 15, 1 << 15, NULL, 0},
	};
	for (size_t i = 0; i < N(bad); i++) {
		c.param = &bad[i];
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	}
	fake_template_free(&fake, &t);
}
END_TEST

/* ---- random, key generation ------------------------------------------------------------------ */

START_TEST(fills_every_piece_with_random_bytes)
{
	uint8_t a[500], b[500], zero[500] = {0};
	struct fake_template t = template_of("KCF_RANDOM", NULL, 0);
	struct call c = {.t = &t, .op = KCF_OP_RANDOM, .out = a, .room = 500};

	ck_assert_int_eq(run_cut(&c, 1, 100), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, 500);
	for (size_t i = 0; i < 5; i++)
		ck_assert_mem_ne(a + i * 100, zero, 100);
	c.out = b;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_ne(a, b, 500);
	c.room = 0;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(runs_keyless_jobs_without_a_template)
{
	static const struct fake_template none;
	uint8_t out[32] = {0}, zero[32] = {0};
	struct fake_template t = none;
	struct call c = {.t = &t, .op = KCF_OP_RANDOM, .out = out, .room = 32};

	t.row = (uint32_t)fake_row(&fake, "KCF_RANDOM", ~0u);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_ne(out, zero, 32);
}
END_TEST

START_TEST(generates_secret_keys)
{
	static const char *const names[] = {"CKM_AES_KEY_GEN", "CKM_GENERIC_SECRET_KEY_GEN"};
	uint8_t a[32], b[32];

	for (size_t i = 0; i < N(names); i++) {
		struct fake_template t = template_of(names[i], NULL, 0);
		struct kcf_param_keygen p = {256, 0};
		struct call c = {.t = &t, .op = KCF_OP_KEYGEN, .param = &p, .out = a, .room = 32};

		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, 32);
		c.out = b;
		ck_assert_int_eq(run_cut(&c, 1, 3), KCF_SUCCESS);
		ck_assert_mem_ne(a, b, 32);
		c.room = 31;
		ck_assert_int_eq(run(&c), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(c.out_len, 32);
		p.bits = 100;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		p.bits = 0;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
}
END_TEST

static const struct {
	const char *gen, *use;
	struct kcf_param_keygen param;
	enum kcf_op op;
} pairs[] = {
	{"CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_SHA256_RSA_PKCS", {2048, 0}, KCF_OP_SIGN},
	{"CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA_SHA256", {0, KCF_CURVE_P256}, KCF_OP_SIGN},
	{"CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA_SHA384", {0, KCF_CURVE_P384}, KCF_OP_SIGN},
	{"CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA_SHA512", {0, KCF_CURVE_P521}, KCF_OP_SIGN},
	{"CKM_EC_EDWARDS_KEY_PAIR_GEN", "CKM_EDDSA", {0, KCF_CURVE_ED25519}, KCF_OP_SIGN},
	{"CKM_EC_EDWARDS_KEY_PAIR_GEN", "CKM_EDDSA", {0, KCF_CURVE_ED448}, KCF_OP_SIGN},
	{"CKM_EC_MONTGOMERY_KEY_PAIR_GEN",
	 "CKM_ECDH1_DERIVE",
	 {0, KCF_CURVE_X25519},
	 KCF_OP_DERIVE},
	{"CKM_EC_MONTGOMERY_KEY_PAIR_GEN", "CKM_ECDH1_DERIVE", {0, KCF_CURVE_X448}, KCF_OP_DERIVE},
};

START_TEST(generates_key_pairs_that_work)
{
	uint8_t priv[DER_MAX], pub[DER_MAX], out[600];
	struct fake_template t = template_of(pairs[_i].gen, NULL, 0), other;
	struct kcf_param_keygen p = pairs[_i].param;
	struct kcf_param_ecdh ecdh = {pub, 0};
	struct call c = {.t = &t, .op = KCF_OP_KEYGEN, .param = &p, .out = priv, .room = 10};
	size_t need, priv_len;

	ck_assert_int_eq(run(&c), KCF_BUFFER_TOO_SMALL);
	c.room = need = c.out_len;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_uint_le(c.out_len, need);
	priv_len = c.out_len;
	c.room = DER_MAX;
	p.curve = p.bits ? 0 : 99;
	p.bits = p.bits ? 2047 : 0;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);

	t = template_format(pairs[_i].gen, KCF_KEY_PKCS8, priv, priv_len);
	c = (struct call){.t = &t, .op = KCF_OP_PUBLIC, .out = pub, .room = DER_MAX};
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ecdh.peer_len = c.out_len;
	fake_template_free(&fake, &t);

	t = template_format(pairs[_i].use, KCF_KEY_PKCS8, priv, priv_len);
	c = (struct call){.t = &t,
			  .op = pairs[_i].op,
			  .in = priv,
			  .in_len = 40,
			  .out = out,
			  .room = sizeof(out)};
	if (pairs[_i].op == KCF_OP_DERIVE)
		c.param = &ecdh;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	if (pairs[_i].op == KCF_OP_SIGN) {
		other = template_format(pairs[_i].use, KCF_KEY_SPKI, pub, ecdh.peer_len);
		c = (struct call){.t = &other,
				  .op = KCF_OP_VERIFY,
				  .in = priv,
				  .in_len = 40,
				  .check = out,
				  .check_len = c.out_len};
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		out[20] ^= 1;
		ck_assert_int_eq(run(&c), KCF_SIGNATURE_INVALID);
		fake_template_free(&fake, &other);
	}
	fake_template_free(&fake, &t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("derivation and generation");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, agrees_on_named_curves_with_points_and_spki);
	tcase_add_test(tc, refuses_a_peer_of_another_curve);
	tcase_add_test(tc, agrees_on_x25519_and_x448);
	tcase_add_test(tc, agrees_with_diffie_hellman);
	tcase_add_test(tc, derives_with_hkdf);
	tcase_add_test(tc, derives_with_hkdf_from_nothing);
	tcase_add_test(tc, bounds_what_hkdf_makes);
	tcase_add_test(tc, derives_with_pbkdf2);
	tcase_add_loop_test(tc, derives_with_kbkdf, 0, N(kbkdfs));
	tcase_add_test(tc, derives_with_scrypt_within_its_memory);
	tcase_add_test(tc, fills_every_piece_with_random_bytes);
	tcase_add_test(tc, runs_keyless_jobs_without_a_template);
	tcase_add_test(tc, generates_secret_keys);
	tcase_add_loop_test(tc, generates_key_pairs_that_work, 0, N(pairs));
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
