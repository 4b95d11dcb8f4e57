/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that frameworks of this kind have had in dual operations and around tags: a template judged by the other half's
 * mechanism, references lost on the ways of failure, comparisons that stop early.
 */
#include <string.h>
#include "bed.h"
#include "test-main.h"

#define LEN 64
#define MANY 100

static struct bed bed;
static uint8_t data[LEN] = "text", iv[16] = {9}, cipher[LEN], tag[32];
static struct kcf_data in, c, t;
static const struct kcf_param_iv iv_param = {iv, sizeof(iv)};
static const struct kcf_mechanism cbc = {KCF_M_AES_CBC, sizeof(iv_param), &iv_param};
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static struct kcf_key cipher_key, mac_key;
static struct kcf_dual dual;

static void setup(void)
{
	bed_open(&bed, "[limits]\nuser_contexts = 2\n");
	in = kcf_flat(data, LEN);
	c = kcf_flat(cipher, LEN);
	t = kcf_flat(tag, sizeof(tag));
	cipher_key = kcf_key_bytes("0123456789abcdef", 16);
	mac_key = kcf_key_bytes("another key here", 16);
	dual = (struct kcf_dual){&cbc, &cipher_key, &hmac, &mac_key};
	ck_assert_int_eq(kcf_encrypt_mac(bed.client, &dual, &in, &c, &t, NULL), KCF_SUCCESS);
}

static void teardown(void)
{
	bed_close(&bed);
}

/* Decrypt what setup made: in the caller's thread, or queued in kcfd. */
static enum kcf_status decrypt(bool in_kcfd, uint8_t *plain)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_data out = kcf_flat(plain, LEN);

	memset(plain, 0x55, LEN);
	collect_reset(&bed.done);
	return bed_end(&bed,
		       kcf_mac_decrypt(bed.client, &dual, &c, &t, &out, in_kcfd ? &req : NULL), 1);
}

/* Class of fault 7: the MAC's template was compared with the generation of the cipher's provider. */
START_TEST(a_dual_operation_takes_both_templates_after_a_reload)
{
	struct kcf_template *both[2];
	struct kcf_key keys[2];
	uint8_t plain[LEN];

	ck_assert_int_eq(kcf_template_create(bed.client, cbc.number, &cipher_key, &both[0]),
			 KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(bed.client, hmac.number, &mac_key, &both[1]),
			 KCF_SUCCESS);
	keys[0] = kcf_key_tmpl(both[0]);
	keys[1] = kcf_key_tmpl(both[1]);
	dual.cipher_key = &keys[0];
	dual.mac_key = &keys[1];
	admin_do(&bed.kcfd, "load", "nettle", NULL);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned in_kcfd = 0; in_kcfd < 2; in_kcfd++) {
			ck_assert_int_eq(decrypt(in_kcfd, plain), KCF_SUCCESS);
			ck_assert_mem_eq(plain, data, LEN);
		}
		/* another generation; in between the two halves have different providers */
		if (round == 0)
			admin_do(&bed.kcfd, "disable", "openssl", "CKM_SHA256_HMAC", NULL);
		admin_do(&bed.kcfd, "unload", round ? "openssl" : "nettle", NULL);
		admin_do(&bed.kcfd, "load", round ? "openssl" : "nettle", NULL);
	}
	kcf_template_destroy(both[0]);
	kcf_template_destroy(both[1]);
}
END_TEST

static enum kcf_status context_decrypt(const struct kcf_dual *how_dual)
{
	struct kcf_how how = {.op = KCF_OP_MAC_DECRYPT, .dual = how_dual};
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_context *ctx = NULL;
	uint8_t plain[LEN];
	struct kcf_data out = kcf_flat(plain, LEN);
	enum kcf_status st;

	collect_reset(&bed.done);
	st = bed_end(&bed, kcf_init(bed.client, &how, &ctx, &req), 1);
	if (st == KCF_SUCCESS)
		st = kcf_update(ctx, &c, &out, NULL);
	if (st == KCF_SUCCESS)
		st = kcf_final(ctx, &t, &out, NULL);
	kcf_context_free(ctx);
	return st;
}

/* Class of fault 8: an init that failed half-way kept its provider and its MAC context. */
START_TEST(failing_dual_inits_leave_nothing_behind)
{
	struct kcf_key short_key = kcf_key_bytes("short", 5);
	struct kcf_mechanism no_iv = {KCF_M_AES_CBC, 0, NULL}, rsa = {KCF_M_SHA256_RSA_PKCS, 0, NULL};
	struct kcf_dual wrong[] = {dual, dual, dual, dual};
	enum kcf_status want[] = {KCF_KEY_SIZE_RANGE, KCF_MECHANISM_PARAM_INVALID,
				  KCF_MECH_NOT_SUPPORTED, KCF_INVALID_MAC};

	wrong[0].cipher_key = &short_key;
	wrong[1].cipher = &no_iv;
	wrong[2].mac = &rsa;
	ck_assert_int_eq(context_decrypt(&dual), KCF_SUCCESS);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned k = i % 4;

		tag[0] ^= k == 3;
		ck_assert_int_eq(context_decrypt(&wrong[k]), want[k]);
		tag[0] ^= k == 3;
	}
	ck_assert_int_eq(context_decrypt(&dual), KCF_SUCCESS);
	ck_assert_uint_eq(bed_stat(&bed, "software_units"), 0);
	/* nobody holds the provider: it drains */
	admin_do(&bed.kcfd, "unload", "openssl", NULL);
	admin_do(&bed.kcfd, "load", "openssl", NULL);
	ck_assert_int_eq(context_decrypt(&dual), KCF_SUCCESS);
}
END_TEST

/* Class of fault 21: tags compared as text, byte by byte until they differ. (That all comparisons go through the
 * constant-time one is a check of the sources.) */
START_TEST(every_bit_of_a_tag_counts)
{
	uint8_t plain[LEN];
	bool in_kcfd = _i;

	ck_assert_int_eq(decrypt(in_kcfd, plain), KCF_SUCCESS);
	for (unsigned bit = 0; bit < sizeof(tag) * 8; bit++) {
		tag[bit / 8] ^= 1u << bit % 8;
		ck_assert_int_eq(decrypt(in_kcfd, plain), KCF_INVALID_MAC);
		ck_assert_mem_ne(plain, data, LEN);
		ck_assert_int_eq(kcf_mac_verify(bed.client, &hmac, &mac_key, &c, &t, NULL),
				 KCF_INVALID_MAC);
		tag[bit / 8] ^= 1u << bit % 8;
	}
	ck_assert_int_eq(decrypt(in_kcfd, plain), KCF_SUCCESS);
	ck_assert_mem_eq(plain, data, LEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("faults-dual");
	TCase *tc = tcase_create("faults-dual");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_dual_operation_takes_both_templates_after_a_reload);
	tcase_add_test(tc, failing_dual_inits_leave_nothing_behind);
	tcase_add_loop_test(tc, every_bit_of_a_tag_counts, 0, 2);
	suite_add_tcase(s, tc);
	return test_main(s);
}
