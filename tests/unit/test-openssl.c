/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider's digests and MACs, driven as kcfd drives them. Every row is compared with
 * libcrypto's own EVP interface over many lengths in every way; each has a tampered twin. Published
 * values are the conformance runner's.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include "openssl-calls.h"
#include "test-main.h"

static const struct row_case digests[] = {
	{"CKM_SHA_1", "SHA1"},
	{"CKM_SHA224", "SHA2-224"},
	{"CKM_SHA256", "SHA2-256"},
	{"CKM_SHA384", "SHA2-384"},
	{"CKM_SHA512", "SHA2-512"},
	{"CKM_SHA512_224", "SHA2-512/224"},
	{"CKM_SHA512_256", "SHA2-512/256"},
	{"CKM_SHA3_224", "SHA3-224"},
	{"CKM_SHA3_256", "SHA3-256"},
	{"CKM_SHA3_384", "SHA3-384"},
	{"CKM_SHA3_512", "SHA3-512"},
	{"CKM_BLAKE2B_512", "BLAKE2B-512"},
	{"KCF_BLAKE2S-256", "BLAKE2S-256"},
	{"KCF_SM3", "SM3"},
	{"CKM_MD5", "MD5"},
};

static const struct row_case macs[] = {
	{"CKM_SHA_1_HMAC", "HMAC", "SHA1", 20},
	{"CKM_SHA224_HMAC", "HMAC", "SHA2-224", 1},
	{"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 64},
	{"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 65},
	{"CKM_SHA384_HMAC", "HMAC", "SHA2-384", 200},
	{"CKM_SHA512_HMAC", "HMAC", "SHA2-512", 128},
	{"CKM_SHA512_224_HMAC", "HMAC", "SHA2-512/224", 129},
	{"CKM_SHA512_256_HMAC", "HMAC", "SHA2-512/256", 32},
	{"CKM_SHA3_224_HMAC", "HMAC", "SHA3-224", 144},
	{"CKM_SHA3_256_HMAC", "HMAC", "SHA3-256", 137},
	{"CKM_SHA3_384_HMAC", "HMAC", "SHA3-384", 32},
	{"CKM_SHA3_512_HMAC", "HMAC", "SHA3-512", 73},
	{"CKM_MD5_HMAC", "HMAC", "MD5", 16},
	{"CKM_AES_CMAC", "CMAC", "AES-128-CBC", 16},
	{"CKM_AES_CMAC", "CMAC", "AES-192-CBC", 24},
	{"CKM_AES_CMAC", "CMAC", "AES-256-CBC", 32},
	{"CKM_DES3_CMAC", "CMAC", "DES-EDE3-CBC", 24},
	{"CKM_AES_GMAC", "GMAC", "AES-128-GCM", 16, 12},
	{"CKM_AES_GMAC", "GMAC", "AES-256-GCM", 32, 60},
	{"CKM_POLY1305", "POLY1305", NULL, 32},
	{"KCF_KMAC-128", "KMAC-128", NULL, 32},
	{"KCF_KMAC-256", "KMAC-256", NULL, 40},
	{"KCF_SIPHASH", "SIPHASH", NULL, 16},
};

/* ---- the module ------------------------------------------------------------------------------ */

START_TEST(offers_every_mechanism_of_the_list){
#define KCF__X(ident, number, name, alias, classes_, kind)                                         \
	{                                                                                          \
		int row = fake_row(&fake, name, ~0u);                                              \
                                                                                                   \
		ck_assert_msg(row >= 0, "%s", name);                                               \
		ck_assert_uint_eq(fake.desc->rows[row].classes, (classes_));                       \
		ck_assert_uint_eq(fake.desc->rows[row].param_kind, KCF_PARAM_##kind);              \
		ck_assert_uint_gt(fake.desc->rows[row].setup_ns, 0);                               \
	}
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
} END_TEST

	START_TEST(passes_its_known_answers)
{
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
}
END_TEST

/* ---- digests --------------------------------------------------------------------------------- */

START_TEST(digests_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &digests[_i];
	struct fake_template t = template_of(rc->name, NULL, 0);
	EVP_MD *md = EVP_MD_fetch(NULL, rc->evp, NULL);
	uint8_t data[DATA_MAX], expect[64];
	unsigned len;

	fill(data, sizeof(data), 2);
	for (size_t i = 0; i < N_LENGTHS; i++) {
		struct call c = {.t = &t, .op = KCF_OP_DIGEST, .in = data, .in_len = lengths[i]};

		ck_assert_int_eq(EVP_Digest(data, lengths[i], expect, &len, md, NULL), 1);
		all_ways(rc, &c, expect, len, true);
	}
	EVP_MD_free(md);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(makes_xof_output_of_the_length_asked_for)
{
	static const struct row_case xofs[] = {{"KCF_SHAKE128", "SHAKE-128"},
					       {"KCF_SHAKE256", "SHAKE-256"}};
	static const size_t room[] = {1, 32, 64, 137, 2000, 32};

	for (size_t x = 0; x < N(xofs); x++) {
		struct fake_template t = template_of(xofs[x].name, NULL, 0);
		EVP_MD *md = EVP_MD_fetch(NULL, xofs[x].evp, NULL);
		uint8_t data[DATA_MAX], expect[2000], out[2000];
		struct call c = {
			.t = &t, .op = KCF_OP_DIGEST, .in = data, .in_len = 333, .out = out};

		fill(data, sizeof(data), 3);
		for (size_t i = 0; i < N(room); i++) {
			struct kcf_param_digest param = {room[i]};
			EVP_MD_CTX *md_ctx = EVP_MD_CTX_new();

			EVP_DigestInit_ex2(md_ctx, md, NULL);
			EVP_DigestUpdate(md_ctx, data, 333);
			EVP_DigestFinalXOF(md_ctx, expect, room[i]);
			EVP_MD_CTX_free(md_ctx);
			c.param = &param;
			c.room = room[i];
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_bytes(&xofs[x], "whole", out, c.out_len, expect, room[i]);
			ck_assert_int_eq(run_cut(&c, 7, 3), KCF_SUCCESS);
			ck_bytes(&xofs[x], "cut", out, c.out_len, expect, room[i]);
			ck_assert_int_eq(run_parts(&c, 100, false), KCF_SUCCESS);
			ck_bytes(&xofs[x], "parts", out, c.out_len, expect, room[i]);
		}
		c.param = NULL;
		c.room = sizeof(out);
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, x == 0 ? 32 : 64);
		EVP_MD_free(md);
		fake_template_free(&fake, &t);
	}
}
END_TEST

/* ---- MACs ------------------------------------------------------------------------------------ */

static size_t evp_mac(const struct row_case *rc, const uint8_t *iv, const uint8_t *data, size_t len,
		      size_t size, uint8_t *out)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, rc->evp, NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[4], *p = params;
	uint8_t key[256];
	size_t out_len = 0;

	fill(key, sizeof(key), 1);
	if (rc->sub)
		*p++ = OSSL_PARAM_construct_utf8_string(
			!strcmp(rc->evp, "HMAC") ? "digest" : "cipher", (char *)rc->sub, 0);
	if (rc->iv_len)
		*p++ = OSSL_PARAM_construct_octet_string("iv", (void *)iv, rc->iv_len);
	if (size)
		*p++ = OSSL_PARAM_construct_size_t("size", &size);
	*p = OSSL_PARAM_construct_end();
	ck_assert_int_eq(EVP_MAC_init(ctx, key, rc->key_len, params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, data, len), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &out_len, 600), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return out_len;
}

START_TEST(macs_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &macs[_i];
	struct fake_template t = template_case(rc);
	uint8_t data[DATA_MAX], expect[600], iv[128], bad[600];

	fill(data, sizeof(data), 4);
	fill(iv, sizeof(iv), 5);
	for (size_t i = 0; i < N_LENGTHS; i++) {
		struct kcf_param_mac param = {.iv = iv, .iv_len = rc->iv_len};
		struct call c = {.t = &t, .op = KCF_OP_MAC, .in = data, .in_len = lengths[i]};
		size_t len = evp_mac(rc, iv, data, lengths[i], 0, expect);

		c.param = rc->iv_len ? &param : NULL;
		all_ways(rc, &c, expect, len, true);
		c.op = KCF_OP_MAC_VERIFY;
		c.room = 0;
		for (size_t n = 1; n <= len; n++) {
			c.check = expect;
			c.check_len = n;
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			memcpy(bad, expect, len);
			bad[n - 1] ^= 1;
			c.check = bad;
			ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		}
		ck_assert_int_eq(run_parts(&c, 50, i & 1), KCF_INVALID_MAC);
		c.check = expect;
		ck_assert_int_eq(run_parts(&c, 50, i & 1), KCF_SUCCESS);
		ck_assert_int_eq(run_cut(&c, 1, 1), KCF_SUCCESS);
		c.check_len = 0;
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		c.check_len = len + 1;
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(truncates_a_mac_and_wants_the_length_asked_for)
{
	const struct row_case rc = {"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 32};
	struct fake_template t = template_case(&rc);
	struct kcf_param_mac param = {.mac_len = 12};
	uint8_t data[50], full[64], out[64];
	struct call c = {.t = &t,
			 .op = KCF_OP_MAC,
			 .param = &param,
			 .in = data,
			 .in_len = 50,
			 .out = out,
			 .room = 64};

	fill(data, sizeof(data), 6);
	evp_mac(&rc, NULL, data, 50, 0, full);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_bytes(&rc, "truncated", out, c.out_len, full, 12);
	c.op = KCF_OP_MAC_VERIFY;
	c.check = full;
	c.check_len = 12;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.check_len = 11;
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	c.check_len = 32;
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	param.mac_len = 33;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(binds_the_length_into_kmac_and_siphash)
{
	static const struct row_case rows[] = {{"KCF_KMAC-128", "KMAC-128", NULL, 32},
					       {"KCF_KMAC-256", "KMAC-256", NULL, 32},
					       {"KCF_SIPHASH", "SIPHASH", NULL, 16}};
	uint8_t data[50], expect[600], out[600];

	fill(data, sizeof(data), 6);
	for (size_t i = 0; i < N(rows); i++) {
		struct fake_template t = template_case(&rows[i]);
		struct kcf_param_mac param = {.mac_len = i == 2 ? 8 : 100};
		struct call c = {.t = &t,
				 .op = KCF_OP_MAC,
				 .param = &param,
				 .in = data,
				 .in_len = 50,
				 .out = out,
				 .room = 600};

		for (int again = 0; again < 2; again++) {
			evp_mac(&rows[i], NULL, data, 50, param.mac_len, expect);
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_bytes(&rows[i], "length", out, c.out_len, expect, param.mac_len);
			param.mac_len = i == 2 ? 16 : 20;
		}
		param.mac_len = i == 2 ? 12 : 513;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(customises_kmac)
{
	/* NIST SP 800-185 sample 2: KMAC128 with customisation */
	static const uint8_t expect[] = {0x3b, 0x1f, 0xba, 0x96, 0x3c, 0xd8, 0xb0, 0xb5,
					 0x9e, 0x8c, 0x1a, 0x6d, 0x71, 0x88, 0x8b, 0x71,
					 0x43, 0x65, 0x1a, 0xf8, 0xba, 0x0a, 0x70, 0x70,
					 0xc0, 0x97, 0x9e, 0x28, 0x11, 0x32, 0x4a, 0xa5};
	static const uint8_t data[] = {0, 1, 2, 3};
	const struct row_case rc = {"KCF_KMAC-128"};
	struct kcf_param_mac param = {.custom = (const uint8_t *)"My Tagged Application",
				      .custom_len = 21};
	uint8_t key[32], out[32];
	struct fake_template t;
	struct call c = {.t = &t,
			 .op = KCF_OP_MAC,
			 .param = &param,
			 .in = data,
			 .in_len = 4,
			 .out = out,
			 .room = 32};

	for (unsigned i = 0; i < 32; i++)
		key[i] = 0x40 + i;
	t = template_of(rc.name, key, 32);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_bytes(&rc, "custom", out, c.out_len, expect, 32);
	c.param = NULL;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_int_ne(memcmp(out, expect, 32), 0); /* the custom string is not remembered */
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(macs_with_an_empty_key)
{
	/* HMAC-SHA-256 of nothing under nothing */
	static const uint8_t expect[] = {0xb6, 0x13, 0x67, 0x9a, 0x08, 0x14, 0xd9, 0xec,
					 0x77, 0x2f, 0x95, 0xd7, 0x78, 0xc3, 0x5f, 0xc5,
					 0xff, 0x16, 0x97, 0xc4, 0x93, 0x71, 0x56, 0x53,
					 0xc6, 0xc7, 0x12, 0x14, 0x42, 0x92, 0xc5, 0xad};
	struct fake_template t = template_of("CKM_SHA256_HMAC", "", 0);
	uint8_t out[32];
	struct call c = {
		.t = &t, .op = KCF_OP_MAC, .in = NULL, .in_len = 0, .out = out, .room = 32};

	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 32);
	fake_template_free(&fake, &t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("digests and MACs");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, offers_every_mechanism_of_the_list);
	tcase_add_test(tc, passes_its_known_answers);
	tcase_add_loop_test(tc, digests_every_length_in_every_way_as_evp_does, 0, N(digests));
	tcase_add_test(tc, makes_xof_output_of_the_length_asked_for);
	tcase_add_loop_test(tc, macs_every_length_in_every_way_as_evp_does, 0, N(macs));
	tcase_add_test(tc, truncates_a_mac_and_wants_the_length_asked_for);
	tcase_add_test(tc, binds_the_length_into_kmac_and_siphash);
	tcase_add_test(tc, customises_kmac);
	tcase_add_test(tc, macs_with_an_empty_key);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
