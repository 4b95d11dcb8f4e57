/* SPDX-License-Identifier: Apache-2.0 */
/* The pretended device: every misbehaviour happens as often as told, and every job is over once. */
#include "fake-host.h"
#include "test-main.h"

#include <string.h>

#define N_JOBS 8

static struct fake_host fake;
static struct fake_template tmpl;
static struct kcf_job jobs[N_JOBS];
static uint8_t digests[N_JOBS][32];
static struct iovec outs[N_JOBS];
static struct iovec in = {(void *)"abc", 3};

static const uint8_t sha256_abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
				       0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
				       0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
				       0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static enum kcf_status start(const char *const *config)
{
	return fake_host_open(&fake, TEST_MODULE_DIR "/kcf-fault.so", config);
}

static void setup(void)
{
	ck_assert_int_eq(start(NULL), KCF_SUCCESS);
	ck_assert_int_eq(fake_template_new(&fake, 0, NULL, &tmpl), KCF_SUCCESS);
}

static void teardown(void)
{
	fake_template_free(&fake, &tmpl);
	fake_host_close(&fake);
}

static enum kcf_status set(const char *key, const char *value)
{
	return fake.desc->ops->set(fake.prov, key, value);
}

/* Submits jobs[first..first+n): how many were taken. */
static unsigned submit(unsigned first, unsigned n)
{
	struct kcf_job *list[N_JOBS];

	for (unsigned i = 0; i < n; i++) {
		struct kcf_job *job = &jobs[first + i];

		memset(digests[first + i], 0, 32);
		outs[first + i] = (struct iovec){digests[first + i], 32};
		fake_job(job, &tmpl, KCF_OP_DIGEST, KCF_SINGLE, NULL);
		fake_job_in(job, &in, 1);
		fake_job_out(job, &outs[first + i], 1);
		list[i] = job;
	}
	return fake.desc->ops->submit(fake.prov, list, n);
}

static enum kcf_status run_one(void)
{
	unsigned before = fake.n_completed;

	ck_assert_uint_eq(submit(0, 1), 1);
	ck_assert_uint_eq(fake.n_completed, before);
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, before + 1);
	return jobs[0].status;
}

START_TEST(is_hardware_that_is_never_loaded_on_demand)
{
	ck_assert_int_eq(fake.desc->kind, KCF_HARDWARE);
	ck_assert_uint_ne(fake.desc->flags & KCF_DESC_TEST_ONLY, 0);
	ck_assert_int_ge(fake_row(&fake, "KCF_FAULT_ONLY", KCF_CLASS_DIGEST), 0);
}
END_TEST

START_TEST(answers_right_and_never_inside_submit)
{
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
	ck_assert_uint_eq(jobs[0].out_len, 32);
	ck_assert_mem_eq(digests[0], sha256_abc, 32);
}
END_TEST

START_TEST(takes_as_many_jobs_as_it_has_slots_and_says_so)
{
	ck_assert_int_eq(set("slots", "3"), KCF_SUCCESS);
	ck_assert_uint_eq(fake.desc->ops->slots(fake.prov), 3);
	ck_assert_uint_eq(submit(0, 5), 3);
	ck_assert_uint_eq(fake.n_notices, 1);
	ck_assert_int_eq(fake.notices[0], KCF_NOTICE_BUSY);
	ck_assert_uint_eq(submit(3, 1), 0);
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 3);
	ck_assert_int_eq(fake.notices[1], KCF_NOTICE_READY);
	ck_assert_uint_eq(submit(3, 1), 1);
}
END_TEST

START_TEST(waits_its_latency)
{
	set("latency-us", "1000");
	submit(0, 1);
	fake_host_advance(&fake, 999);
	ck_assert_uint_eq(fake.n_completed, 0);
	fake_host_advance(&fake, 1);
	ck_assert_uint_eq(fake.n_completed, 1);
}
END_TEST

START_TEST(a_closed_gate_holds_jobs_until_it_opens_or_they_are_released)
{
	set("gate", "closed");
	ck_assert_uint_eq(submit(0, 4), 4);
	fake_host_advance(&fake, 1000000);
	ck_assert_uint_eq(fake.n_completed, 0);
	ck_assert_int_eq(set("release", "1"), KCF_SUCCESS);
	ck_assert_uint_eq(fake.n_completed, 1);
	ck_assert_ptr_eq(fake.completed[0], &jobs[0]);
	set("gate", "open");
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_ptr_eq(fake.completed[i], &jobs[i]);
		ck_assert_mem_eq(digests[i], sha256_abc, 32);
	}
}
END_TEST

START_TEST(a_gate_that_closes_holds_what_was_taken_before)
{
	set("latency-us", "10");
	submit(0, 1);
	set("gate", "closed");
	fake_host_advance(&fake, 100);
	ck_assert_uint_eq(fake.n_completed, 0);
	set("gate", "open");
	fake_host_advance(&fake, 100);
	ck_assert_uint_eq(fake.n_completed, 1);
}
END_TEST

static const struct {
	const char *name;
	enum kcf_status status;
} failures[] = {
	{"device-error", KCF_DEVICE_ERROR},
	{"device-memory", KCF_DEVICE_MEMORY},
	{"device-removed", KCF_DEVICE_REMOVED},
	{"failed", KCF_FAILED},
	{"busy", KCF_BUSY},
	{"buffer-too-big", KCF_BUFFER_TOO_BIG},
	{"key-size-range", KCF_KEY_SIZE_RANGE},
	{"host-memory", KCF_HOST_MEMORY},
};

START_TEST(fails_as_often_as_told)
{
	ck_assert_int_eq(set("fail", failures[_i].name), KCF_SUCCESS);
	set("fail-count", "2");
	ck_assert_int_eq(run_one(), failures[_i].status);
	ck_assert_int_eq(run_one(), failures[_i].status);
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
}
END_TEST

START_TEST(fails_in_turn_until_told_to_stop)
{
	ck_assert_int_eq(set("fail", "busy,failed"), KCF_SUCCESS);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(run_one(), KCF_BUSY);
		ck_assert_int_eq(run_one(), KCF_FAILED);
	}
	set("fail", "none");
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
}
END_TEST

START_TEST(a_lost_job_completes_once_and_only_by_reset)
{
	set("lose", "1");
	ck_assert_uint_eq(submit(0, 2), 2);
	fake_host_advance(&fake, 1000000);
	ck_assert_uint_eq(fake.n_completed, 1);
	ck_assert_ptr_eq(fake.completed[0], &jobs[1]);
	fake.desc->ops->cancel(fake.prov, &jobs[0]);
	fake_host_advance(&fake, 1000000);
	ck_assert_uint_eq(fake.n_completed, 1);
	ck_assert_int_eq(fake.desc->ops->reset(fake.prov), KCF_SUCCESS);
	ck_assert_uint_eq(fake.n_completed, 2);
	ck_assert_int_eq(jobs[0].status, KCF_DEVICE_ERROR);
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
}
END_TEST

START_TEST(reset_ends_waiting_and_held_jobs_once)
{
	set("latency-us", "50");
	submit(0, 2);
	set("gate", "closed");
	set("slots", "4");
	submit(2, 2);
	ck_assert_uint_eq(fake.n_notices, 1);
	fake.desc->ops->reset(fake.prov);
	ck_assert_uint_eq(fake.n_completed, 4);
	ck_assert_uint_eq(submit(4, 1), 1);
	ck_assert_uint_eq(fake.n_notices, 1);
	fake.desc->ops->reset(fake.prov);
	fake.n_completed = 4;
	ck_assert(!fake_host_has_timers(&fake));
	set("gate", "open");
	fake_host_advance(&fake, 1000000);
	ck_assert_uint_eq(fake.n_completed, 4);
}
END_TEST

START_TEST(a_canceled_job_completes_once_even_behind_the_gate)
{
	set("gate", "closed");
	submit(0, 2);
	fake.desc->ops->cancel(fake.prov, &jobs[0]);
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 1);
	ck_assert_int_eq(jobs[0].status, KCF_CANCELED);
	set("gate", "open");
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 2);
	ck_assert_int_eq(jobs[1].status, KCF_SUCCESS);
}
END_TEST

START_TEST(a_cancel_after_the_completion_does_nothing)
{
	submit(0, 1);
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 1);
	fake.desc->ops->cancel(fake.prov, &jobs[0]);
	fake_host_advance(&fake, 0);
	ck_assert_uint_eq(fake.n_completed, 1);
	ck_assert_int_eq(jobs[0].status, KCF_SUCCESS);
}
END_TEST

START_TEST(gives_wrong_answers_and_wrong_lengths)
{
	set("wrong", "1");
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
	ck_assert_mem_ne(digests[0], sha256_abc, 32);
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
	ck_assert_mem_eq(digests[0], sha256_abc, 32);
	set("wrong-length", "1");
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
	ck_assert_uint_gt(jobs[0].out_len, 32);
}
END_TEST

START_TEST(a_wrong_verdict_is_the_other_one)
{
	struct kcf_key_data key = {KCF_KEY_RAW, (const uint8_t *)"key", 3};
	uint32_t row = (uint32_t)fake_row(&fake, "CKM_SHA256_HMAC", KCF_CLASS_MAC);
	uint8_t mac[32] = {0};
	struct iovec check = {mac, 32};
	struct fake_template t;
	struct kcf_job job;

	fake_template_new(&fake, row, &key, &t);
	for (int wrong = 0; wrong < 2; wrong++) {
		set("wrong", wrong ? "1" : "0");
		fake_job(&job, &t, KCF_OP_MAC_VERIFY, KCF_SINGLE, NULL);
		fake_job_in(&job, &in, 1);
		fake_job_check(&job, &check, 1);
		ck_assert_int_eq(fake_run(&fake, &job), wrong ? KCF_SUCCESS : KCF_INVALID_MAC);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_input_beyond_its_limit)
{
	set("max-input", "2");
	ck_assert_int_eq(run_one(), KCF_BUFFER_TOO_BIG);
	set("max-input", "3");
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
}
END_TEST

START_TEST(takes_nothing_while_dead)
{
	ck_assert_int_eq(set("die", "1"), KCF_SUCCESS);
	ck_assert_int_eq(fake.notices[0], KCF_NOTICE_FAILED);
	ck_assert_uint_eq(submit(0, 1), 0);
	ck_assert_int_eq(set("return", "1"), KCF_SUCCESS);
	ck_assert_int_eq(fake.notices[1], KCF_NOTICE_READY);
	ck_assert_int_eq(run_one(), KCF_SUCCESS);
}
END_TEST

START_TEST(runs_contexts)
{
	uint8_t digest[32];
	struct iovec out = {digest, 32};
	struct kcf_job job;
	void *ctx;

	fake_job(&job, &tmpl, KCF_OP_DIGEST, KCF_INIT, NULL);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ctx = job.ctx;
	fake_job(&job, &tmpl, KCF_OP_DIGEST, KCF_UPDATE, NULL);
	job.ctx = ctx;
	fake_job_in(&job, &in, 1);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	fake_job(&job, &tmpl, KCF_OP_DIGEST, KCF_FINAL_PHASE, NULL);
	job.ctx = ctx;
	fake_job_out(&job, &out, 1);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ck_assert_mem_eq(digest, sha256_abc, 32);
	fake.desc->ops->context_free(fake.prov, ctx);
}
END_TEST

START_TEST(its_known_answers_can_be_made_to_fail)
{
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
	set("self-test", "fail");
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_FAILED);
}
END_TEST

START_TEST(refuses_settings_it_does_not_know)
{
	ck_assert_int_eq(set("colour", "red"), KCF_NOT_FOUND);
	ck_assert_int_eq(set("slots", "0"), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(set("slots", "3x"), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(set("gate", "ajar"), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(set("fail", "device-error,"), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(set("fail", ""), KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(is_configured_at_start)
{
	static const char *const good[] = {"slots", "1", "gate", "closed", NULL};
	static const char *const bad[] = {"latency-us", "soon", NULL};

	teardown();
	ck_assert_int_eq(start(bad), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(fake.n_logged, 1);
	ck_assert_int_eq(start(good), KCF_SUCCESS);
	ck_assert_int_eq(fake_template_new(&fake, 0, NULL, &tmpl), KCF_SUCCESS);
	ck_assert_uint_eq(submit(0, 2), 1);
	fake_host_advance(&fake, 1000000);
	ck_assert_uint_eq(fake.n_completed, 0);
	fake.desc->ops->reset(fake.prov);
	teardown();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fault");
	TCase *t = tcase_create("fault"), *own = tcase_create("start");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, is_hardware_that_is_never_loaded_on_demand);
	tcase_add_test(t, answers_right_and_never_inside_submit);
	tcase_add_test(t, takes_as_many_jobs_as_it_has_slots_and_says_so);
	tcase_add_test(t, waits_its_latency);
	tcase_add_test(t, a_closed_gate_holds_jobs_until_it_opens_or_they_are_released);
	tcase_add_test(t, a_gate_that_closes_holds_what_was_taken_before);
	tcase_add_loop_test(t, fails_as_often_as_told, 0, 8);
	tcase_add_test(t, fails_in_turn_until_told_to_stop);
	tcase_add_test(t, a_lost_job_completes_once_and_only_by_reset);
	tcase_add_test(t, reset_ends_waiting_and_held_jobs_once);
	tcase_add_test(t, a_canceled_job_completes_once_even_behind_the_gate);
	tcase_add_test(t, a_cancel_after_the_completion_does_nothing);
	tcase_add_test(t, gives_wrong_answers_and_wrong_lengths);
	tcase_add_test(t, a_wrong_verdict_is_the_other_one);
	tcase_add_test(t, refuses_input_beyond_its_limit);
	tcase_add_test(t, takes_nothing_while_dead);
	tcase_add_test(t, runs_contexts);
	tcase_add_test(t, its_known_answers_can_be_made_to_fail);
	tcase_add_test(t, refuses_settings_it_does_not_know);
	tcase_add_checked_fixture(own, setup, NULL);
	tcase_add_test(own, is_configured_at_start);
	suite_add_tcase(s, t);
	suite_add_tcase(s, own);
	return test_main(s);
}
