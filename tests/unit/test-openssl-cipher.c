/* SPDX-License-Identifier: Apache-2.0 */
/* The openssl provider's ciphers and key wraps against EVP, in every way; see test-openssl.c. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include "openssl-calls.h"
#include "test-main.h"

static const struct row_case ciphers[] = {
	{"CKM_AES_ECB", "AES-128-ECB", NULL, 16, 0, 16},
	{"CKM_AES_ECB", "AES-192-ECB", NULL, 24, 0, 16},
	{"CKM_AES_CBC", "AES-128-CBC", NULL, 16, 16, 16},
	{"CKM_AES_CBC", "AES-256-CBC", NULL, 32, 16, 16},
	{"CKM_AES_CBC_PAD", "AES-128-CBC", NULL, 16, 16, 16, true},
	{"CKM_AES_CBC_PAD", "AES-256-CBC", NULL, 32, 16, 16, true},
	{"CKM_AES_CTR", "AES-128-CTR", NULL, 16, 16, 1},
	{"CKM_AES_CTR", "AES-256-CTR", NULL, 32, 16, 1},
	{"CKM_AES_CFB128", "AES-256-CFB", NULL, 32, 16, 1},
	{"CKM_AES_CFB8", "AES-192-CFB8", NULL, 24, 16, 1},
	{"CKM_AES_OFB", "AES-256-OFB", NULL, 32, 16, 1},
	{"CKM_CHACHA20", "ChaCha20", NULL, 32, 16, 1},
	{"CKM_CAMELLIA_ECB", "CAMELLIA-256-ECB", NULL, 32, 0, 16},
	{"CKM_CAMELLIA_CBC", "CAMELLIA-128-CBC", NULL, 16, 16, 16},
	{"CKM_CAMELLIA_CTR", "CAMELLIA-192-CTR", NULL, 24, 16, 1},
	{"CKM_ARIA_ECB", "ARIA-256-ECB", NULL, 32, 0, 16},
	{"CKM_ARIA_CBC", "ARIA-128-CBC", NULL, 16, 16, 16},
	{"KCF_ARIA-CTR", "ARIA-192-CTR", NULL, 24, 16, 1},
	{"KCF_SM4-ECB", "SM4-ECB", NULL, 16, 0, 16},
	{"KCF_SM4-CBC", "SM4-CBC", NULL, 16, 16, 16},
	{"KCF_SM4-CTR", "SM4-CTR", NULL, 16, 16, 1},
	{"CKM_DES3_ECB", "DES-EDE3-ECB", NULL, 24, 0, 8},
	{"CKM_DES3_CBC", "DES-EDE3-CBC", NULL, 24, 8, 8},
};

static const struct row_case wholes[] = {
	{"CKM_AES_XTS", "AES-128-XTS", NULL, 32, 16, 1},
	{"CKM_AES_XTS", "AES-256-XTS", NULL, 64, 16, 1},
	{"CKM_AES_CTS", "AES-128-CBC-CTS", NULL, 16, 16, 1},
	{"CKM_AES_KEY_WRAP", "AES-256-WRAP", NULL, 32, 0, 8},
	{"CKM_AES_KEY_WRAP_KWP", "AES-192-WRAP-PAD", NULL, 24, 0, 1},
};

/* ---- ciphers --------------------------------------------------------------------------------- */

static size_t evp_cipher(const struct row_case *rc, const uint8_t *iv, const uint8_t *data,
			 size_t len, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, rc->evp, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[256];
	int n = 0, m = 0;

	fill(key, sizeof(key), 1);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, cipher, key, rc->iv_len ? iv : NULL, NULL), 1);
	EVP_CIPHER_CTX_set_padding(ctx, rc->padded);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, data, (int)len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, out + n, &m), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return n + m;
}

static void both_directions(const struct row_case *rc, const struct fake_template *t, size_t len,
			    bool multi)
{
	uint8_t data[DATA_MAX], iv[16], expect[DATA_MAX + 64];
	struct kcf_param_iv param = {iv, rc->iv_len};
	struct call c = {.t = t, .op = KCF_OP_ENCRYPT, .in = data, .in_len = len};
	size_t expect_len;

	fill(data, sizeof(data), 7);
	fill(iv, sizeof(iv), 8);
	expect_len = evp_cipher(rc, iv, data, len, expect);
	c.param = rc->iv_len ? &param : NULL;
	all_ways(rc, &c, expect, expect_len, multi);
	if (multi)
		in_place_parts(rc, &c, expect, expect_len);
	c.op = KCF_OP_DECRYPT;
	c.in = expect;
	c.in_len = expect_len;
	all_ways(rc, &c, data, len, multi);
	if (multi)
		in_place_parts(rc, &c, data, len);
}

START_TEST(ciphers_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &ciphers[_i];
	struct fake_template t = template_case(rc);

	for (size_t i = 0; i < N_LENGTHS; i++)
		if (rc->padded || lengths[i] % rc->block == 0)
			both_directions(rc, &t, lengths[i], true);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(ciphers_whole_messages_in_every_way_as_evp_does)
{
	const struct row_case *rc = &wholes[_i];
	struct fake_template t = template_case(rc);
	size_t min = strstr(rc->name, "KWP") ? 1 : 16;

	for (size_t i = 0; i < N_LENGTHS; i++)
		if (lengths[i] >= min && lengths[i] % rc->block == 0)
			both_directions(rc, &t, lengths[i], false);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_lengths_no_block_cipher_has)
{
	uint8_t data[64] = {0}, out[80], iv[16] = {0};
	struct kcf_param_iv param = {iv, 0};

	for (size_t i = 0; i < N(ciphers); i++) {
		const struct row_case *rc = &ciphers[i];
		struct fake_template t = template_case(rc);
		struct call c = {.t = &t,
				 .op = KCF_OP_ENCRYPT,
				 .in = data,
				 .in_len = 17,
				 .out = out,
				 .room = sizeof(out)};

		param.iv_len = rc->iv_len;
		c.param = rc->iv_len ? &param : NULL;
		if (rc->block > 1 && !rc->padded) {
			ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
			ck_assert_int_eq(run_parts(&c, 5, false), KCF_DATA_LEN_RANGE);
		}
		c.op = KCF_OP_DECRYPT;
		if (rc->block > 1) {
			ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
			ck_assert_int_eq(run_parts(&c, 5, true), KCF_ENCRYPTED_DATA_LEN_RANGE);
		}
		if (rc->padded) {
			c.in_len = 0;
			ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
		}
		if (rc->iv_len) {
			c.in_len = 16;
			param.iv_len--;
			ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
			c.param = NULL;
			ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		}
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(refuses_lengths_no_whole_message_has)
{
	static const struct {
		const char *name;
		size_t enc, dec;
	} rows[] = {{"CKM_AES_XTS", 15, 15},        {"CKM_AES_CTS", 15, 15},
		    {"CKM_AES_KEY_WRAP", 8, 16},    {"CKM_AES_KEY_WRAP", 17, 25},
		    {"CKM_AES_KEY_WRAP_KWP", 0, 8}, {"CKM_AES_KEY_WRAP_KWP", 0, 17}};
	uint8_t data[64] = {0}, out[80], iv[16] = {0}, key[32];
	struct kcf_param_iv param = {iv, 16};

	fill(key, sizeof(key), 9);
	for (size_t i = 0; i < N(rows); i++) {
		struct fake_template t = template_of(rows[i].name, key, 32);
		struct call c = {.t = &t,
				 .op = KCF_OP_ENCRYPT,
				 .param = &param,
				 .in = data,
				 .in_len = rows[i].enc,
				 .out = out,
				 .room = sizeof(out)};

		ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
		c.op = KCF_OP_DECRYPT;
		c.in_len = rows[i].dec;
		ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(gives_bad_padding_one_status_and_writes_nothing)
{
	uint8_t key[16] = {1}, iv[16] = {2}, plain[32], crypt[32], out[32], zero[32] = {0};
	struct fake_template raw = template_of("CKM_AES_CBC", key, 16);
	struct fake_template padded = template_of("CKM_AES_CBC_PAD", key, 16);
	struct kcf_param_iv param = {iv, 16};

	for (unsigned pad = 0; pad < 256; pad++) {
		struct call c = {.t = &raw,
				 .op = KCF_OP_ENCRYPT,
				 .param = &param,
				 .in = plain,
				 .in_len = 32,
				 .out = crypt,
				 .room = 32};
		bool good = pad >= 1 && pad <= 16;

		memset(plain, (int)pad, sizeof(plain));
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &padded,
				  .op = KCF_OP_DECRYPT,
				  .param = &param,
				  .in = crypt,
				  .in_len = 32,
				  .out = out,
				  .room = 32};
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run(&c), good ? KCF_SUCCESS : KCF_INVALID_MAC);
		ck_assert_uint_eq(c.out_len, good ? 32 - pad : 0);
		if (!good)
			ck_assert_mem_eq(out, zero, 32);
		ck_assert_int_eq(run_parts(&c, 32, false), good ? KCF_SUCCESS : KCF_INVALID_MAC);
		if (pad < 2 || pad > 16)
			continue;
		plain[31 - pad / 2] ^= 1; /* one padding byte is wrong */
		c = (struct call){.t = &raw,
				  .op = KCF_OP_ENCRYPT,
				  .param = &param,
				  .in = plain,
				  .in_len = 32,
				  .out = crypt,
				  .room = 32};
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &padded,
				  .op = KCF_OP_DECRYPT,
				  .param = &param,
				  .in = crypt,
				  .in_len = 32,
				  .out = out,
				  .room = 32};
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	}
	fake_template_free(&fake, &raw);
	fake_template_free(&fake, &padded);
}
END_TEST

START_TEST(refuses_a_wrapped_key_that_was_changed)
{
	static const char *const names[] = {"CKM_AES_KEY_WRAP", "CKM_AES_KEY_WRAP_KWP"};
	uint8_t kek[32], key[24], wrapped[40], out[40];

	fill(kek, sizeof(kek), 10);
	fill(key, sizeof(key), 11);
	for (size_t i = 0; i < N(names); i++) {
		struct fake_template t = template_of(names[i], kek, 32);
		struct call c = {.t = &t,
				 .op = KCF_OP_ENCRYPT,
				 .in = key,
				 .in_len = 24,
				 .out = wrapped,
				 .room = 40};

		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &t,
				  .op = KCF_OP_DECRYPT,
				  .in = wrapped,
				  .in_len = c.out_len,
				  .out = out,
				  .room = 40};
		for (size_t bit = 0; bit < c.in_len * 8; bit += 5) {
			memset(out, 0xaa, sizeof(out));
			wrapped[bit / 8] ^= 1 << bit % 8;
			ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
			for (size_t k = 0; k < sizeof(out); k++)
				ck_assert_uint_eq(out[k], 0xaa);
			wrapped[bit / 8] ^= 1 << bit % 8;
		}
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(refuses_keys_of_wrong_length_or_weak)
{
	uint8_t key[1 + 8192] = {0};
	struct fake_template t;

	for (uint32_t row = 0; row < fake.desc->n_rows; row++) {
		const struct kcf_mech_row *r = &fake.desc->rows[row];
		struct kcf_key_data data = {KCF_KEY_RAW, key, r->key_max_bits / 8 + 1};

		if (r->key_max_bits == 0 || r->flags & KCF_ROW_FORMAT(KCF_KEY_PKCS8))
			continue;
		ck_assert_int_eq(fake_template_new(&fake, row, &data, &t), KCF_KEY_SIZE_RANGE);
		data.len = r->key_min_bits / 8 - 1;
		if (r->key_min_bits > 0)
			ck_assert_int_eq(fake_template_new(&fake, row, &data, &t),
					 KCF_KEY_SIZE_RANGE);
		data.len = r->key_max_bits / 8;
		data.format = KCF_KEY_PKCS8;
		ck_assert_int_eq(fake_template_new(&fake, row, &data, &t),
				 KCF_KEY_TYPE_INCONSISTENT);
	}
	struct kcf_key_data equal_halves = {KCF_KEY_RAW, key, 64};
	ck_assert_int_eq(
		fake_template_new(&fake, fake_row(&fake, "CKM_AES_XTS", ~0u), &equal_halves, &t),
		KCF_KEY_TYPE_INCONSISTENT);
	equal_halves.len = 48;
	ck_assert_int_eq(
		fake_template_new(&fake, fake_row(&fake, "CKM_AES_XTS", ~0u), &equal_halves, &t),
		KCF_KEY_SIZE_RANGE);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("ciphers");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, ciphers_every_length_in_every_way_as_evp_does, 0, N(ciphers));
	tcase_add_loop_test(tc, ciphers_whole_messages_in_every_way_as_evp_does, 0, N(wholes));
	tcase_add_test(tc, refuses_lengths_no_block_cipher_has);
	tcase_add_test(tc, refuses_lengths_no_whole_message_has);
	tcase_add_test(tc, gives_bad_padding_one_status_and_writes_nothing);
	tcase_add_test(tc, refuses_a_wrapped_key_that_was_changed);
	tcase_add_test(tc, refuses_keys_of_wrong_length_or_weak);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
