/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-prepared - templates and their states per thread, over a provider that counts what lives.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fake-xor.h"
#include "test-main.h"

/* 'a' through p. */
static uint8_t run(struct prepared *p)
{
	uint8_t in = 'a', out = 0;
	struct iovec i = {&in, 1}, o = {&out, 1};
	struct kcf_job job = {.op = KCF_OP_ENCRYPT,
			      .in = &i,
			      .out = &o,
			      .n_in = 1,
			      .n_out = 1,
			      .in_len = 1,
			      .out_room = 1};

	prepared_run(p, &job);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	return out;
}

static void *run_in_thread(void *p)
{
	return (void *)(uintptr_t)run(p);
}

static uint8_t run_elsewhere(struct prepared *p)
{
	pthread_t thread;
	void *ret;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_in_thread, p), 0);
	pthread_join(thread, &ret);
	return (uint8_t)(uintptr_t)ret;
}

START_TEST(runs_with_its_own_key)
{
	struct prepared *a = fake_make(0, 1), *b = fake_make(0, 2);

	ck_assert_uint_eq(run(a), 'a' ^ 1);
	ck_assert_uint_eq(run(b), 'a' ^ 2);
	ck_assert_uint_eq(run(a), 'a' ^ 1);
	prepared_unref(a);
	prepared_unref(b);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(keeps_one_state_per_thread)
{
	struct prepared *p = fake_make(0, 1);

	for (int i = 0; i < 10; i++)
		run(p);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(p);
}
END_TEST

START_TEST(thread_exit_frees_its_state)
{
	struct prepared *p = fake_make(0, 1);

	run(p);
	run_elsewhere(p);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(p);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(last_reference_wipes_idle_states_at_once)
{
	struct prepared *p = fake_make(0, 1);

	run(p);
	prepared_ref(p);
	prepared_unref(p);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(p);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
	prepared_unref(NULL);
}
END_TEST

static pthread_barrier_t barrier;

static void *run_and_wait(void *p)
{
	run(p);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

START_TEST(last_reference_wipes_states_of_other_threads)
{
	struct prepared *p = fake_make(0, 1);
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, run_and_wait, p);
	pthread_barrier_wait(&barrier);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(p);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}
END_TEST

static struct prepared *dropped;

static void drop_now(void)
{
	prepared_unref(dropped);
	/* under way: nothing may be freed yet */
	ck_assert_int_eq(fake_templates, 1);
	ck_assert_int_eq(fake_states, 1);
}

START_TEST(state_in_use_is_wiped_when_its_run_returns)
{
	dropped = fake_make(0, 1);
	fake_during_run = drop_now;
	ck_assert_uint_eq(run(dropped), 'a' ^ 1);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

static void *drop_in_thread(void *arg)
{
	drop_now();
	return NULL;
}

static void drop_elsewhere(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, drop_in_thread, NULL);
	pthread_join(thread, NULL);
}

START_TEST(another_thread_may_drop_what_is_in_use)
{
	struct prepared *p;

	dropped = fake_make(0, 1);
	fake_during_run = drop_elsewhere;
	ck_assert_uint_eq(run(dropped), 'a' ^ 1);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
	p = fake_make(0, 2);
	ck_assert_uint_eq(run(p), 'a' ^ 2);
	prepared_unref(p);
}
END_TEST

static struct prepared *nested;

static void run_nested(void)
{
	ck_assert_uint_eq(run(nested), 'a' ^ 7);
}

START_TEST(run_inside_a_run_gets_a_state_of_its_own)
{
	nested = fake_make(0, 7);
	fake_during_run = run_nested;
	ck_assert_uint_eq(run(nested), 'a' ^ 7);
	ck_assert_int_eq(fake_submits, 2);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(nested);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(many_templates_come_and_go_on_one_thread)
{
	struct prepared *p[300];

	for (int round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 300; i++) {
			p[i] = fake_make(0, (uint8_t)(i % 200));
			ck_assert_uint_eq(run(p[i]), (uint8_t)('a' ^ (i % 200)));
		}
		for (unsigned i = 0; i < 300; i++)
			ck_assert_uint_eq(run(p[i]), (uint8_t)('a' ^ (i % 200)));
		/* odd ones first, so that gaps close in every order */
		for (unsigned i = 1; i < 300; i += 2)
			prepared_unref(p[i]);
		for (unsigned i = 0; i < 300; i += 2) {
			ck_assert_uint_eq(run(p[i]), (uint8_t)('a' ^ (i % 200)));
			prepared_unref(p[i]);
		}
		ck_assert_int_eq(fake_states, 0);
		ck_assert_int_eq(fake_templates, 0);
	}
}
END_TEST

static void *churn(void *shared)
{
	for (int i = 0; i < 200; i++) {
		struct prepared *p = fake_make(0, 3);

		ck_assert_uint_eq(run(p), 'a' ^ 3);
		ck_assert_uint_eq(run(shared), 'a' ^ 9);
		prepared_unref(p);
	}
	return NULL;
}

START_TEST(threads_and_templates_end_in_any_order)
{
	pthread_t threads[4];

	for (int round = 0; round < 20; round++) {
		struct prepared *p = fake_make(0, 9);

		for (int i = 0; i < 4; i++) {
			prepared_ref(p);
			pthread_create(&threads[i], NULL, churn, p);
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], NULL);
			prepared_unref(p);
		}
		prepared_unref(p);
	}
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

/* A thread that ends while its states are being dropped. */
static void *end_at_once(void *p)
{
	run(p);
	pthread_barrier_wait(&barrier);
	return NULL;
}

START_TEST(drop_races_with_thread_exit)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 500; i++) {
		struct prepared *p = fake_make(0, 1);

		pthread_create(&thread, NULL, end_at_once, p);
		pthread_barrier_wait(&barrier);
		prepared_unref(p);
		pthread_join(thread, NULL);
		ck_assert_int_eq(fake_states, 0);
		ck_assert_int_eq(fake_templates, 0);
	}
}
END_TEST

START_TEST(child_of_fork_goes_on)
{
	struct prepared *p = fake_make(0, 1);
	int status;
	pid_t pid;

	run(p);
	pid = fork();
	if (!pid) {
		struct prepared *q = fake_make(0, 2);
		bool ok = run(p) == ('a' ^ 1) && run(q) == ('a' ^ 2);

		prepared_unref(p);
		prepared_unref(q);
		_exit(ok && !fake_states && !fake_templates ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	prepared_unref(p);
}
END_TEST

START_TEST(data_of_a_state_belongs_to_one_thread_and_template)
{
	enum kcf_status status;
	struct prepared *a = fake_make(0, 1), *b = fake_make(0, 2);

	tstate_data(prepared_thread(a, &status))[0] = a;
	tstate_data(prepared_thread(b, &status))[0] = b;
	ck_assert_ptr_eq(tstate_data(prepared_thread(a, &status))[0], a);
	ck_assert_ptr_null(tstate_data(prepared_thread(a, &status))[1]);
	prepared_unref(a);
	prepared_unref(b);
}
END_TEST

START_TEST(burst_is_one_submit)
{
	uint8_t in[3] = "abc", out[3];
	struct iovec i[3], o[3];
	struct kcf_job jobs[3], *list[3];
	struct prepared *p = fake_make(0, 1);

	for (int n = 0; n < 3; n++) {
		i[n] = (struct iovec){&in[n], 1};
		o[n] = (struct iovec){&out[n], 1};
		jobs[n] = (struct kcf_job){.op = KCF_OP_ENCRYPT,
					   .in = &i[n],
					   .out = &o[n],
					   .n_in = 1,
					   .n_out = 1,
					   .in_len = 1,
					   .out_room = 1};
		list[n] = &jobs[n];
	}
	prepared_run_burst(p, list, 3);
	ck_assert_int_eq(fake_submits, 1);
	for (int n = 0; n < 3; n++)
		ck_assert_uint_eq(out[n], in[n] ^ 1);
	prepared_unref(p);
}
END_TEST

START_TEST(checks_raw_key_length_against_the_row)
{
	uint8_t bytes[8] = {0};
	struct kcf_key_data key = {KCF_KEY_RAW, bytes, 1};
	struct prepared *p;

	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_SUCCESS);
	prepared_unref(p);
	key.len = 2; /* not a step of 16 from 8 */
	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_KEY_SIZE_RANGE);
	key.len = 3;
	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_SUCCESS);
	prepared_unref(p);
	key.len = 5;
	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_KEY_SIZE_RANGE);
	key.len = 0;
	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_KEY_SIZE_RANGE);
}
END_TEST

START_TEST(checks_key_kind_against_the_row)
{
	uint8_t bytes[8] = {0};
	struct kcf_key_data key = {KCF_KEY_RAW, bytes, 1};
	struct prepared *p;

	ck_assert_int_eq(prepared_new(&fake_inst, 0, NULL, &p), KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(prepared_new(&fake_inst, 2, &key, &p), KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_int_eq(prepared_new(&fake_inst, 2, NULL, &p), KCF_SUCCESS);
	prepared_unref(p);
	ck_assert_int_eq(prepared_new(&fake_inst, 3, &key, &p), KCF_KEY_TYPE_INCONSISTENT);
	key.format = KCF_KEY_PKCS8;
	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &p), KCF_KEY_TYPE_INCONSISTENT);
	/* the modulus is not the length of the encoding */
	ck_assert_int_eq(prepared_new(&fake_inst, 3, &key, &p), KCF_SUCCESS);
	prepared_unref(p);
	ck_assert_int_eq(prepared_new(&fake_inst, 4, &key, &p), KCF_MECH_NOT_SUPPORTED);
}
END_TEST

/* ---- dual ---- */

static struct dual_job dual_of(uint16_t op, struct prepared *c, struct prepared *m,
			       struct iovec *in, struct iovec *out, struct iovec *check)
{
	return (struct dual_job){.op = op,
				 .cipher = c,
				 .mac = m,
				 .in = in,
				 .out = out,
				 .check = check,
				 .n_in = 1,
				 .n_out = 1,
				 .n_check = 1,
				 .in_len = in->iov_len,
				 .out_room = out->iov_len,
				 .check_len = check->iov_len};
}

START_TEST(dual_encrypts_then_macs_the_ciphertext)
{
	struct prepared *c = fake_make(0, 1), *m = fake_make(1, 5);
	uint8_t in[4] = "abcd", out[4], back[4] = "";
	uint32_t mac = 0;
	struct iovec i = {in, 4}, o = {out, 4}, k = {&mac, 4}, b = {back, 4};
	struct dual_job job = dual_of(KCF_OP_ENCRYPT_MAC, c, m, &i, &o, &k);

	dual_run(&job);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, 4);
	ck_assert_uint_eq(job.mac_len, 4);
	ck_assert_uint_eq(mac, 5u + out[0] + out[1] + out[2] + out[3]);
	job = dual_of(KCF_OP_MAC_DECRYPT, c, m, &o, &b, &k);
	dual_run(&job);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_mem_eq(back, in, 4);
	/* the tampered twin */
	memset(back, 'z', 4);
	out[2] ^= 1;
	job = dual_of(KCF_OP_MAC_DECRYPT, c, m, &o, &b, &k);
	dual_run(&job);
	ck_assert_int_eq(job.status, KCF_INVALID_MAC);
	ck_assert_mem_eq(back, "zzzz", 4);
	ck_assert_uint_eq(job.out_len, 0);
	prepared_unref(c);
	prepared_unref(m);
}
END_TEST

START_TEST(dual_decryption_that_fails_late_leaves_nothing)
{
	struct prepared *c = fake_make(0, 0xee), *m = fake_make(1, 5);
	uint8_t in[4] = "abcd", back[4] = "zzzz";
	uint32_t mac = 5 + 'a' + 'b' + 'c' + 'd';
	struct iovec i = {in, 4}, k = {&mac, 4}, b = {back, 4};
	struct dual_job job = dual_of(KCF_OP_MAC_DECRYPT, c, m, &i, &b, &k);

	dual_run(&job);
	ck_assert_int_eq(job.status, KCF_FAILED);
	ck_assert_mem_eq(back, "\0\0\0\0", 4);
	prepared_unref(c);
	prepared_unref(m);
}
END_TEST

START_TEST(dual_in_place_without_room_for_the_mac_changes_nothing)
{
	struct prepared *c = fake_make(0, 1), *m = fake_make(1, 5);
	uint8_t buf[4] = "abcd", mac[3];
	struct iovec i = {buf, 4}, k = {mac, 3};
	struct dual_job job = dual_of(KCF_OP_ENCRYPT_MAC, c, m, &i, &i, &k);

	dual_run(&job);
	ck_assert_int_eq(job.status, KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(job.mac_len, 4);
	ck_assert_mem_eq(buf, "abcd", 4);
	prepared_unref(c);
	prepared_unref(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("prepared");
	TCase *tc = tcase_create("prepared"), *dual = tcase_create("dual");

	tcase_add_test(tc, runs_with_its_own_key);
	tcase_add_test(tc, keeps_one_state_per_thread);
	tcase_add_test(tc, thread_exit_frees_its_state);
	tcase_add_test(tc, last_reference_wipes_idle_states_at_once);
	tcase_add_test(tc, last_reference_wipes_states_of_other_threads);
	tcase_add_test(tc, state_in_use_is_wiped_when_its_run_returns);
	tcase_add_test(tc, another_thread_may_drop_what_is_in_use);
	tcase_add_test(tc, run_inside_a_run_gets_a_state_of_its_own);
	tcase_add_test(tc, many_templates_come_and_go_on_one_thread);
	tcase_add_test(tc, threads_and_templates_end_in_any_order);
	tcase_add_test(tc, drop_races_with_thread_exit);
	tcase_add_test(tc, child_of_fork_goes_on);
	tcase_add_test(tc, data_of_a_state_belongs_to_one_thread_and_template);
	tcase_add_test(tc, burst_is_one_submit);
	tcase_add_test(tc, checks_raw_key_length_against_the_row);
	tcase_add_test(tc, checks_key_kind_against_the_row);
	suite_add_tcase(s, tc);
	tcase_add_test(dual, dual_encrypts_then_macs_the_ciphertext);
	tcase_add_test(dual, dual_decryption_that_fails_late_leaves_nothing);
	tcase_add_test(dual, dual_in_place_without_room_for_the_mac_changes_nothing);
	suite_add_tcase(s, dual);
	return test_main(s);
}
