/* SPDX-License-Identifier: Apache-2.0 */
/* The openssl provider's AEAD against EVP, in every way; see test-openssl.c. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include "openssl-calls.h"
#include "test-main.h"

static const struct row_case aeads[] = {
	{"CKM_AES_GCM", "AES-128-GCM", NULL, 16, 12},
	{"CKM_AES_GCM", "AES-256-GCM", NULL, 32, 1},
	{"CKM_AES_GCM", "AES-192-GCM", NULL, 24, 128},
	{"CKM_AES_CCM", "AES-128-CCM", NULL, 16, 13},
	{"CKM_AES_CCM", "AES-256-CCM", NULL, 32, 7},
	{"CKM_CHACHA20_POLY1305", "ChaCha20-Poly1305", NULL, 32, 12},
	{"KCF_AES-OCB", "AES-128-OCB", NULL, 16, 12},
	{"KCF_AES-OCB", "AES-256-OCB", NULL, 32, 15},
	{"KCF_ARIA-GCM", "ARIA-256-GCM", NULL, 32, 12},
	{"KCF_ARIA-CCM", "ARIA-128-CCM", NULL, 16, 12},
};

/* ---- AEAD ------------------------------------------------------------------------------------ */

static void evp_aead(const struct row_case *rc, const struct kcf_param_aead *p, const uint8_t *data,
		     size_t len, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, rc->evp, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ccm = strstr(rc->evp, "CCM"), ocb = strstr(rc->evp, "OCB");
	uint8_t key[256], none[1];
	int n = 0, m = 0;

	fill(key, sizeof(key), 1);
	EVP_EncryptInit_ex2(ctx, cipher, NULL, NULL, NULL);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)p->iv_len, NULL);
	if (ccm || ocb)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)p->tag_len, NULL);
	ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, NULL, key, p->iv, NULL), 1);
	if (ccm)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, NULL, (int)len), 1);
	if (p->aad_len)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, p->aad, (int)p->aad_len), 1);
	n = 0;
	if (len || ccm)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, len ? data : none, (int)len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, out + n, &m), 1);
	ck_assert_int_eq(
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)p->tag_len, out + len), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

static bool aead_streams(const struct row_case *rc)
{
	return !strstr(rc->evp, "CCM");
}

/* Nothing before final, and nothing of a message whose tag is wrong. */
static void aead_twin(struct call *c, size_t len)
{
	static uint8_t twin[DATA_MAX + 16], out[DATA_MAX + 16];
	static const uint8_t zero[DATA_MAX + 16];
	struct call bad = *c;

	bad.in = twin;
	bad.out = out;
	bad.room = len;
	for (size_t at = 0; at < c->in_len; at += 1 + c->in_len / 7) {
		memcpy(twin, c->in, c->in_len);
		twin[at] ^= 0x10;
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run(&bad), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
		ck_assert_int_eq(run_cut(&bad, 3, 7), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
		ck_assert_int_eq(run_parts(&bad, 100, at & 1), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
	}
	bad.in_len = 3;
	ck_assert_int_eq(run(&bad), KCF_ENCRYPTED_DATA_LEN_RANGE);
	ck_assert_int_eq(run_parts(&bad, 2, false), KCF_ENCRYPTED_DATA_LEN_RANGE);
}

START_TEST(aeads_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &aeads[_i];
	static const size_t tags[] = {16, 8, 12, 16};
	struct fake_template t = template_case(rc);
	uint8_t data[DATA_MAX], aad[300], iv[128], expect[DATA_MAX + 16];

	fill(data, sizeof(data), 12);
	fill(aad, sizeof(aad), 13);
	fill(iv, sizeof(iv), 14);
	for (size_t i = 0; i < N_LENGTHS; i++) {
		size_t tag_len = strstr(rc->evp, "Poly1305") ? 16 : tags[i % N(tags)];
		struct kcf_param_aead p = {.iv = iv,
					   .iv_len = rc->iv_len,
					   .aad = aad,
					   .aad_len = i * 13 % 300,
					   .tag_len = tag_len};
		struct call c = {.t = &t,
				 .op = KCF_OP_ENCRYPT,
				 .param = &p,
				 .in = data,
				 .in_len = lengths[i]};

		iv[0] += i;
		evp_aead(rc, &p, data, lengths[i], expect);
		all_ways(rc, &c, expect, lengths[i] + tag_len, true);
		if (aead_streams(rc))
			in_place_parts(rc, &c, expect, lengths[i] + tag_len);
		c = (struct call){.t = &t,
				  .op = KCF_OP_DECRYPT,
				  .param = &p,
				  .in = expect,
				  .in_len = lengths[i] + tag_len};
		all_ways(rc, &c, data, lengths[i], true);
		aead_twin(&c, lengths[i]);
		p.aad_len++;
		c.out = data;
		c.room = sizeof(data);
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC); /* and it wipes data */
		fill(data, sizeof(data), 12);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(yields_nothing_of_an_aead_decryption_before_final)
{
	for (size_t i = 0; i < N(aeads); i++) {
		struct fake_template t = template_case(&aeads[i]);
		uint8_t iv[128] = {0}, buf[64] = {0}, out[64];
		struct kcf_param_aead p = {.iv = iv, .iv_len = aeads[i].iv_len};
		struct iovec in_v = {buf, 64}, out_v = {out, 64};
		struct kcf_job job;
		void *ctx;

		fake_job(&job, &t, KCF_OP_DECRYPT, KCF_INIT, &p);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		ctx = job.ctx;
		fake_job(&job, &t, KCF_OP_DECRYPT, KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in_v, 1);
		fake_job_out(&job, &out_v, 1);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		ck_assert_uint_eq(job.out_len, 0);
		fake.desc->ops->context_free(fake.prov, ctx);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(bounds_what_an_aead_context_holds_back)
{
	static uint8_t big[(1 << 20) + 64], out[(1 << 20) + 64];
	uint8_t key[16] = {1}, iv[12] = {2};
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct fake_template t = template_of("CKM_AES_GCM", key, 16);
	struct call c = {.t = &t,
			 .op = KCF_OP_ENCRYPT,
			 .param = &p,
			 .in = big,
			 .in_len = 1 << 20,
			 .out = out,
			 .room = sizeof(out)};

	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, (1 << 20) + 16);
	memcpy(big, out, sizeof(big));
	c.op = KCF_OP_DECRYPT;
	c.in_len = (1 << 20) + 16;
	ck_assert_int_eq(run_parts(&c, 100000, true), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, 1 << 20);
	c.in_len++;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	fake_template_free(&fake, &t);

	t = template_of("CKM_AES_CCM", key, 16);
	c.op = KCF_OP_ENCRYPT;
	c.in_len = (1 << 20) + 1;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	p.data_len = (1 << 20) + 1;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	p.data_len = 100;
	c.in_len = 100;
	ck_assert_int_eq(run_parts(&c, 7, false), KCF_SUCCESS);
	c.in_len = 99;
	ck_assert_int_eq(run_parts(&c, 7, false), KCF_DATA_LEN_RANGE);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_aead_parameters_out_of_range)
{
	static const struct {
		const char *name;
		size_t key_len, iv_len, tag_len;
	} bad[] = {
		{"CKM_AES_GCM", 16, 0, 16},           {"CKM_AES_GCM", 16, 129, 16},
		{"CKM_AES_GCM", 16, 12, 17},          {"CKM_AES_GCM", 16, 12, 5},
		{"CKM_AES_GCM", 16, 12, 11},          {"CKM_AES_CCM", 16, 6, 16},
		{"CKM_AES_CCM", 16, 14, 16},          {"CKM_AES_CCM", 16, 12, 5},
		{"CKM_AES_CCM", 16, 12, 2},           {"CKM_CHACHA20_POLY1305", 32, 11, 16},
		{"CKM_CHACHA20_POLY1305", 32, 12, 8}, {"KCF_AES-OCB", 16, 16, 16},
		{"KCF_AES-OCB", 16, 0, 16},           {"KCF_AES-OCB", 16, 12, 7},
	};
	uint8_t key[32] = {1}, iv[130] = {0}, data[16] = {0}, out[64];

	for (size_t i = 0; i < N(bad); i++) {
		struct fake_template t = template_of(bad[i].name, key, bad[i].key_len);
		struct kcf_param_aead p = {
			.iv = iv, .iv_len = bad[i].iv_len, .tag_len = bad[i].tag_len};
		struct call c = {.t = &t,
				 .op = KCF_OP_ENCRYPT,
				 .param = &p,
				 .in = data,
				 .in_len = 16,
				 .out = out,
				 .room = 64};

		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		ck_assert_int_eq(run_parts(&c, 16, false), KCF_MECHANISM_PARAM_INVALID);
		c.param = NULL;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
	static uint8_t long_data[65536 + 16], long_out[65536 + 32];
	struct fake_template t = template_of("CKM_AES_CCM", key, 16);
	struct kcf_param_aead p = {.iv = iv, .iv_len = 13, .tag_len = 16};
	struct call c = {.t = &t,
			 .op = KCF_OP_ENCRYPT,
			 .param = &p,
			 .in = long_data,
			 .in_len = 65536,
			 .out = long_out,
			 .room = sizeof(long_out)};

	ck_assert_int_eq(run(&c),
			 KCF_DATA_LEN_RANGE); /* a 13-byte nonce leaves two for the length */
	c.in_len = 65535;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(leaves_the_error_queue_as_it_was)
{
	uint8_t key[32] = {1}, iv[16] = {2}, data[64] = {3}, out[64];
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct fake_template t;

	ERR_raise(ERR_LIB_USER, 42);
	unsigned long mine = ERR_peek_error();
	for (size_t i = 0; i < N(aeads); i++) {
		struct call c = {.t = &t,
				 .op = KCF_OP_DECRYPT,
				 .param = &p,
				 .in = data,
				 .in_len = 64,
				 .out = out,
				 .room = 64};

		p.iv_len = aeads[i].iv_len == 128 ? 12 : aeads[i].iv_len;
		t = template_case(&aeads[i]);
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		ck_assert_uint_eq(ERR_peek_last_error(), mine);
		fake_template_free(&fake, &t);
	}
	t = template_of("CKM_AES_KEY_WRAP", key, 32);
	struct call c = {
		.t = &t, .op = KCF_OP_DECRYPT, .in = data, .in_len = 64, .out = out, .room = 64};
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	ck_assert_uint_eq(ERR_get_error(), mine);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	fake_template_free(&fake, &t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("AEAD");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, aeads_every_length_in_every_way_as_evp_does, 0, N(aeads));
	tcase_add_test(tc, yields_nothing_of_an_aead_decryption_before_final);
	tcase_add_test(tc, bounds_what_an_aead_context_holds_back);
	tcase_add_test(tc, refuses_aead_parameters_out_of_range);
	tcase_add_test(tc, leaves_the_error_queue_as_it_was);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
