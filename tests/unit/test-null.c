/* SPDX-License-Identifier: Apache-2.0 */
/* The teaching provider does what its comments promise. */
#include "fake-host.h"
#include "test-main.h"

#include <string.h>

static struct fake_host fake;
static struct fake_template digest, cipher;

static void setup(void)
{
	uint8_t byte = 0x5a;
	struct kcf_key_data key = {KCF_KEY_RAW, &byte, 1};

	ck_assert_int_eq(fake_host_open(&fake, TEST_MODULE_DIR "/kcf-null.so", NULL), KCF_SUCCESS);
	ck_assert_int_eq(fake_template_new(&fake, 0, NULL, &digest), KCF_SUCCESS);
	ck_assert_int_eq(fake_template_new(&fake, 1, &key, &cipher), KCF_SUCCESS);
}

static void teardown(void)
{
	fake_template_free(&fake, &digest);
	fake_template_free(&fake, &cipher);
	fake_host_close(&fake);
}

/* One job with input in two pieces, the first of cut bytes. */
static enum kcf_status run(const struct fake_template *t, enum kcf_op op, enum kcf_phase phase,
			   void **ctx, const char *in, size_t cut, void *out, size_t room)
{
	struct iovec in_iov[2] = {{(void *)in, cut}, {(void *)(in + cut), strlen(in) - cut}};
	struct iovec out_iov[2] = {{out, room / 3}, {NULL, room - room / 3}};
	struct kcf_job job;
	enum kcf_status status;

	if (room)
		out_iov[1].iov_base = (uint8_t *)out + room / 3;
	fake_job(&job, t, op, phase, NULL);
	job.ctx = *ctx;
	fake_job_in(&job, in_iov, 2);
	fake_job_out(&job, out_iov, 2);
	status = fake_run(&fake, &job);
	*ctx = job.ctx;
	return status;
}

START_TEST(offers_names_of_its_own)
{
	ck_assert_int_eq(fake_row(&fake, "KCF_NULL_DIGEST", KCF_CLASS_DIGEST), 0);
	ck_assert_int_eq(fake_row(&fake, "KCF_NULL_CIPHER", KCF_CLASS_CIPHER), 1);
	ck_assert_int_eq(fake_row(&fake, "KCF_NULL_CIPHER", KCF_CLASS_MAC), -1);
}
END_TEST

START_TEST(passes_its_known_answer)
{
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
}
END_TEST

START_TEST(folds_input_wherever_it_is_cut)
{
	uint8_t want[8], got[8];
	void *ctx = NULL;

	run(&digest, KCF_OP_DIGEST, KCF_SINGLE, &ctx, "hello, world", 0, want, 8);
	for (size_t cut = 1; cut < 12; cut++) {
		run(&digest, KCF_OP_DIGEST, KCF_SINGLE, &ctx, "hello, world", cut, got, 8);
		ck_assert_mem_eq(got, want, 8);
	}
	run(&digest, KCF_OP_DIGEST, KCF_SINGLE, &ctx, "hello, worlD", 3, got, 8);
	ck_assert_mem_ne(got, want, 8);
}
END_TEST

START_TEST(a_context_gives_what_one_job_gives)
{
	uint8_t want[8], got[8];
	void *ctx = NULL, *none = NULL;

	run(&digest, KCF_OP_DIGEST, KCF_SINGLE, &none, "hello, world", 5, want, 8);
	run(&digest, KCF_OP_DIGEST, KCF_INIT, &ctx, "", 0, NULL, 0);
	run(&digest, KCF_OP_DIGEST, KCF_UPDATE, &ctx, "hello", 2, NULL, 0);
	run(&digest, KCF_OP_DIGEST, KCF_UPDATE, &ctx, ", world", 2, NULL, 0);
	ck_assert_int_eq(run(&digest, KCF_OP_DIGEST, KCF_FINAL_PHASE, &ctx, "", 0, got, 7),
			 KCF_BUFFER_TOO_SMALL);
	ck_assert_int_eq(run(&digest, KCF_OP_DIGEST, KCF_FINAL_PHASE, &ctx, "", 0, got, 8),
			 KCF_SUCCESS);
	ck_assert_mem_eq(got, want, 8);
	fake.desc->ops->context_free(fake.prov, ctx);
}
END_TEST

START_TEST(decrypts_what_it_encrypted)
{
	char sealed[13] = {0}, opened[13] = {0};
	void *ctx = NULL;

	ck_assert_int_eq(
		run(&cipher, KCF_OP_ENCRYPT, KCF_SINGLE, &ctx, "hello, world", 5, sealed, 12),
		KCF_SUCCESS);
	ck_assert_str_ne(sealed, "hello, world");
	ck_assert_int_eq(run(&cipher, KCF_OP_DECRYPT, KCF_SINGLE, &ctx, sealed, 7, opened, 12),
			 KCF_SUCCESS);
	ck_assert_str_eq(opened, "hello, world");
	ck_assert_int_eq(run(&cipher, KCF_OP_DECRYPT, KCF_SINGLE, &ctx, sealed, 7, opened, 11),
			 KCF_BUFFER_TOO_SMALL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("null");
	TCase *t = tcase_create("null");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, offers_names_of_its_own);
	tcase_add_test(t, passes_its_known_answer);
	tcase_add_test(t, folds_input_wherever_it_is_cut);
	tcase_add_test(t, a_context_gives_what_one_job_gives);
	tcase_add_test(t, decrypts_what_it_encrypted);
	suite_add_tcase(s, t);
	return test_main(s);
}
