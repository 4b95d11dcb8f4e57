/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-burst - jobs of many templates in one submit per kind, and dual operations as one job.
 */
#include <pthread.h>
#include <string.h>
#include "fake-xor.h"
#include "module/burst.h"
#include "test-main.h"

#define N BURST_MAX

static uint8_t in[N][4], out[N][4];
static struct iovec iov_in[N], iov_out[N];
static struct kcf_job jobs[N];
static struct burst burst;

/* Job i: 4 bytes through ts. */
static bool add_to(unsigned i, struct tstate *ts, uint32_t row)
{

	for (unsigned k = 0; k < 4; k++)
		in[i][k] = (uint8_t)(i + k);
	memset(out[i], 0, 4);
	iov_in[i] = (struct iovec){in[i], 4};
	iov_out[i] = (struct iovec){out[i], 4};
	jobs[i] = (struct kcf_job){.op = row ? KCF_OP_MAC : KCF_OP_ENCRYPT,
				   .in = &iov_in[i],
				   .out = &iov_out[i],
				   .n_in = 1,
				   .n_out = 1,
				   .in_len = 4,
				   .out_room = 4,
				   .status = KCF_FAILED};
	ck_assert_ptr_nonnull(ts);
	return burst_add(&burst, ts, NULL, &jobs[i]);
}

static void add(unsigned i, struct prepared *p)
{
	enum kcf_status status;

	ck_assert(add_to(i, prepared_thread(p, &status), p->row));
}

static void run_all(void)
{
	for (unsigned g = 0; g < burst.n_groups; g++)
		burst_submit(&burst, g);
	burst_end(&burst);
}

static void check_xor(unsigned i, uint8_t key)
{
	ck_assert_int_eq(jobs[i].status, KCF_SUCCESS);
	ck_assert_uint_eq(jobs[i].out_len, 4);
	for (unsigned k = 0; k < 4; k++)
		ck_assert_uint_eq(out[i][k], in[i][k] ^ key);
}

static void check_sum(unsigned i, uint8_t key)
{
	uint32_t sum = key, got;

	for (unsigned k = 0; k < 4; k++)
		sum += in[i][k];
	memcpy(&got, out[i], 4);
	ck_assert_int_eq(jobs[i].status, KCF_SUCCESS);
	ck_assert_uint_eq(got, sum);
}

START_TEST(templates_of_one_kind_go_in_one_submit)
{
	struct prepared *p[8];

	burst_begin(&burst);
	for (uint8_t i = 0; i < 8; i++)
		p[i] = fake_make(0, i);
	for (unsigned i = 0; i < N; i++)
		add(i, p[i % 8]);
	run_all();
	ck_assert_int_eq(fake_submits, 1);
	ck_assert_uint_eq(fake_log[0].n, N);
	for (unsigned i = 0; i < N; i++)
		check_xor(i, (uint8_t)(i % 8));
	for (unsigned i = 0; i < 8; i++)
		prepared_unref(p[i]);
	ck_assert_int_eq(fake_states, 0);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(kinds_are_put_side_by_side)
{
	struct prepared * xor = fake_make(0, 1), *sum = fake_make(1, 5);
	struct prepared *other = fake_make_of(&fake_native, 0, 2);

	burst_begin(&burst);
	for (unsigned i = 0; i < N; i++)
		add(i, i % 3 == 0 ? xor : i % 3 == 1 ? sum : other);
	run_all();
	ck_assert_int_eq(fake_submits, 3);
	ck_assert_uint_eq(fake_log[0].n, 22);
	ck_assert_uint_eq(fake_log[1].n, 21);
	ck_assert_uint_eq(fake_log[1].row, 1);
	ck_assert_uint_eq(fake_log[2].n, 21);
	for (int i = 0; i < 3; i++)
		ck_assert(fake_log[i].alike);
	for (unsigned i = 0; i < N; i++) {
		if (i % 3 == 1)
			check_sum(i, 5);
		else
			check_xor(i, i % 3 ? 2 : 1);
	}
	prepared_unref(xor);
	prepared_unref(sum);
	prepared_unref(other);
}
END_TEST

START_TEST(key_sizes_are_kept_apart)
{
	uint8_t bytes[3] = {7, 7, 7};
	struct kcf_key_data key = {KCF_KEY_RAW, bytes, 3};
	struct prepared *small = fake_make(0, 7), *large;

	ck_assert_int_eq(prepared_new(&fake_inst, 0, &key, &large), KCF_SUCCESS);
	burst_begin(&burst);
	for (unsigned i = 0; i < 10; i++)
		add(i, i % 2 ? small : large);
	run_all();
	ck_assert_int_eq(fake_submits, 2);
	ck_assert_uint_eq(fake_log[0].n, 5);
	ck_assert_uint_eq(fake_log[1].n, 5);
	for (unsigned i = 0; i < 10; i++)
		check_xor(i, 7);
	prepared_unref(small);
	prepared_unref(large);
}
END_TEST

static struct prepared *dropped;

static void *drop_in_thread(void *arg)
{
	prepared_unref(dropped);
	return NULL;
}

static void drop_elsewhere(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, drop_in_thread, NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(fake_states, 2);
}

START_TEST(template_dropped_meanwhile_is_wiped_at_the_end)
{
	struct prepared *stays = fake_make(0, 1);

	dropped = fake_make(0, 2);
	fake_during_run = drop_elsewhere;
	burst_begin(&burst);
	for (unsigned i = 0; i < 6; i++)
		add(i, i % 2 ? dropped : stays);
	run_all();
	for (unsigned i = 0; i < 6; i++)
		check_xor(i, i % 2 ? 2 : 1);
	ck_assert_int_eq(fake_states, 1);
	ck_assert_int_eq(fake_templates, 1);
	prepared_unref(stays);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(template_dropped_before_the_run_does_its_part)
{
	struct prepared *stays = fake_make(0, 1);
	pthread_t thread;

	dropped = fake_make(0, 2);
	burst_begin(&burst);
	for (unsigned i = 0; i < 6; i++)
		add(i, i % 2 ? dropped : stays);
	pthread_create(&thread, NULL, drop_in_thread, NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(fake_states, 2);
	run_all();
	for (unsigned i = 0; i < 6; i++)
		check_xor(i, i % 2 ? 2 : 1);
	ck_assert_int_eq(fake_states, 1);
	ck_assert_int_eq(fake_templates, 1);
	prepared_unref(stays);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(template_used_after_its_end_fails_alone)
{
	struct prepared *stays = fake_make(0, 1);
	enum kcf_status status;
	struct tstate *ts;
	pthread_t thread;

	dropped = fake_make(0, 2);
	ts = prepared_thread(dropped, &status);
	pthread_create(&thread, NULL, drop_in_thread, NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(fake_states, 0);
	burst_begin(&burst);
	for (unsigned i = 0; i < 6; i++) {
		if (i == 3)
			ck_assert(!add_to(i, ts, 0));
		else
			add(i, stays);
	}
	run_all();
	for (unsigned i = 0; i < 6; i++) {
		if (i != 3)
			check_xor(i, 1);
	}
	ck_assert_int_eq(jobs[3].status, KCF_FAILED);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(stays);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

static struct prepared *nested;

/* As from a signal handler in the middle of a submit: the state is taken. */
static void burst_inside(void)
{
	uint8_t byte = 'a', got[2] = {0};
	struct iovec i = {&byte, 1}, o[2] = {{&got[0], 1}, {&got[1], 1}};
	struct kcf_job inner[2];
	enum kcf_status status;
	struct burst b;

	burst_begin(&b);
	for (int k = 0; k < 2; k++) {
		inner[k] = (struct kcf_job){.op = KCF_OP_ENCRYPT,
					    .in = &i,
					    .out = &o[k],
					    .n_in = 1,
					    .n_out = 1,
					    .in_len = 1,
					    .out_room = 1};
		ck_assert(burst_add(&b, prepared_thread(nested, &status), NULL, &inner[k]));
		ck_assert_ptr_ne(inner[k].thread, jobs[0].thread);
	}
	burst_submit(&b, 0);
	burst_end(&b);
	ck_assert_uint_eq(got[0], 'a' ^ 3);
	ck_assert_uint_eq(got[1], 'a' ^ 3);
	ck_assert_int_eq(fake_states, 1);
}

START_TEST(burst_inside_a_burst_gets_states_of_its_own)
{
	nested = fake_make(0, 3);
	fake_during_run = burst_inside;
	burst_begin(&burst);
	for (unsigned i = 0; i < 4; i++)
		add(i, nested);
	run_all();
	for (unsigned i = 0; i < 4; i++)
		check_xor(i, 3);
	/* and the state is free again */
	burst_begin(&burst);
	add(0, nested);
	run_all();
	check_xor(0, 3);
	ck_assert_int_eq(fake_states, 1);
	prepared_unref(nested);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

static void *bursts(void *shared)
{
	struct prepared *p = shared;

	for (int round = 0; round < 100; round++) {
		uint8_t bytes[4] = "abcd", got[4][4];
		struct iovec i = {bytes, 4}, o[4];
		struct prepared *own = fake_make(0, 4);
		struct kcf_job mine[4];
		enum kcf_status status;
		struct burst b;

		burst_begin(&b);
		for (int k = 0; k < 4; k++) {
			o[k] = (struct iovec){got[k], 4};
			mine[k] = (struct kcf_job){.op = KCF_OP_ENCRYPT,
						   .in = &i,
						   .out = &o[k],
						   .n_in = 1,
						   .n_out = 1,
						   .in_len = 4,
						   .out_room = 4};
			ck_assert(burst_add(&b, prepared_thread(k % 2 ? p : own, &status), NULL,
					    &mine[k]));
		}
		burst_submit(&b, 0);
		burst_end(&b);
		for (int k = 0; k < 4; k++)
			ck_assert_uint_eq(got[k][0], 'a' ^ (k % 2 ? 9 : 4));
		prepared_unref(own);
	}
	return NULL;
}

START_TEST(threads_burst_over_shared_templates)
{
	struct prepared *p = fake_make(0, 9);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, bursts, p);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(fake_states, 0);
	prepared_unref(p);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

/* ---- dual ---- */

struct both {
	struct prepared *cipher, *mac;
};

static struct both make_both(const struct instance *inst, uint8_t key)
{
	return (struct both){fake_make_of(inst, 0, key), fake_make_of(inst, 1, 5)};
}

static void drop_both(struct both b)
{
	prepared_unref(b.cipher);
	prepared_unref(b.mac);
}

static struct dual_job run_dual(uint16_t op, struct both b, struct iovec *i, struct iovec *o,
				struct iovec *check)
{
	struct dual_job job = {
		.op = op,
		.cipher = b.cipher,
		.mac = b.mac,
		.in = i,
		.out = o,
		.check = check,
		.n_in = 1,
		.n_out = 1,
		.n_check = 1,
		.in_len = i->iov_len,
		.out_room = o->iov_len,
		.check_len = check->iov_len,
	};

	dual_run(&job);
	return job;
}

START_TEST(native_dual_is_one_job_and_gives_the_same)
{
	struct both one = make_both(&fake_native, 1), two = make_both(&fake_inst, 1);
	uint8_t text[4] = "abcd", a[4], b[4], back[4];
	uint32_t mac_a = 0, mac_b = 0;
	struct iovec i = {text, 4}, o = {a, 4}, k = {&mac_a, 4}, r = {back, 4};
	struct dual_job job = run_dual(KCF_OP_ENCRYPT_MAC, one, &i, &o, &k);

	ck_assert_int_eq(fake_submits, 1);
	ck_assert_uint_eq(fake_log[0].row2, 1);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, 4);
	ck_assert_uint_eq(job.mac_len, 4);
	o.iov_base = b;
	k.iov_base = &mac_b;
	job = run_dual(KCF_OP_ENCRYPT_MAC, two, &i, &o, &k);
	ck_assert_int_eq(fake_submits, 3);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_mem_eq(a, b, 4);
	ck_assert_uint_eq(mac_a, mac_b);
	job = run_dual(KCF_OP_MAC_DECRYPT, one, &o, &r, &k);
	ck_assert_int_eq(fake_submits, 4);
	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_mem_eq(back, text, 4);
	drop_both(one);
	drop_both(two);
	ck_assert_int_eq(fake_templates, 0);
}
END_TEST

START_TEST(native_dual_with_a_wrong_mac_leaves_nothing_decrypted)
{
	struct both b = make_both(&fake_native, 1);
	uint8_t text[4] = "abcd", back[4] = "zzzz";
	uint32_t mac = 17;
	struct iovec i = {text, 4}, k = {&mac, 4}, r = {back, 4};
	struct dual_job job = run_dual(KCF_OP_MAC_DECRYPT, b, &i, &r, &k);

	ck_assert_int_eq(job.status, KCF_INVALID_MAC);
	ck_assert_uint_eq(job.out_len, 0);
	ck_assert_mem_eq(back, "\0\0\0\0", 4);
	drop_both(b);
}
END_TEST

START_TEST(native_dual_that_fails_late_leaves_nothing)
{
	struct both b = make_both(&fake_native, 0xee);
	uint8_t text[4] = "abcd", cipher[4] = "zzzz";
	uint32_t mac = 17;
	struct iovec i = {text, 4}, k = {&mac, 4}, o = {cipher, 4};
	struct dual_job job = run_dual(KCF_OP_ENCRYPT_MAC, b, &i, &o, &k);

	ck_assert_int_eq(job.status, KCF_FAILED);
	ck_assert_uint_eq(job.out_len, 0);
	ck_assert_uint_eq(job.mac_len, 0);
	ck_assert_mem_eq(cipher, "\0\0\0\0", 4);
	drop_both(b);
}
END_TEST

START_TEST(native_dual_without_room_says_how_much)
{
	struct both b = make_both(&fake_native, 1);
	uint8_t text[4] = "abcd", small[3] = "zz";
	struct iovec i = {text, 4}, k = {small, 3};
	struct dual_job job = run_dual(KCF_OP_ENCRYPT_MAC, b, &i, &i, &k);

	ck_assert_int_eq(job.status, KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_eq(job.out_len, 4);
	ck_assert_uint_eq(job.mac_len, 4);
	ck_assert_mem_eq(text, "abcd", 4);
	drop_both(b);
}
END_TEST

START_TEST(halves_of_different_providers_are_two_jobs)
{
	struct both b = {fake_make_of(&fake_native, 0, 1), fake_make(1, 5)};
	uint8_t text[4] = "abcd", cipher[4];
	uint32_t mac = 0;
	struct iovec i = {text, 4}, k = {&mac, 4}, o = {cipher, 4};
	struct dual_job job = run_dual(KCF_OP_ENCRYPT_MAC, b, &i, &o, &k);

	ck_assert_int_eq(job.status, KCF_SUCCESS);
	ck_assert_int_eq(fake_submits, 2);
	ck_assert(!dual_is_native(b.cipher, b.mac));
	drop_both(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("burst");
	TCase *tc = tcase_create("burst"), *dual = tcase_create("dual");

	tcase_add_test(tc, templates_of_one_kind_go_in_one_submit);
	tcase_add_test(tc, kinds_are_put_side_by_side);
	tcase_add_test(tc, key_sizes_are_kept_apart);
	tcase_add_test(tc, template_dropped_meanwhile_is_wiped_at_the_end);
	tcase_add_test(tc, template_dropped_before_the_run_does_its_part);
	tcase_add_test(tc, template_used_after_its_end_fails_alone);
	tcase_add_test(tc, burst_inside_a_burst_gets_states_of_its_own);
	tcase_add_test(tc, threads_burst_over_shared_templates);
	suite_add_tcase(s, tc);
	tcase_add_test(dual, native_dual_is_one_job_and_gives_the_same);
	tcase_add_test(dual, native_dual_with_a_wrong_mac_leaves_nothing_decrypted);
	tcase_add_test(dual, native_dual_that_fails_late_leaves_nothing);
	tcase_add_test(dual, native_dual_without_room_says_how_much);
	tcase_add_test(dual, halves_of_different_providers_are_two_jobs);
	suite_add_tcase(s, dual);
	return test_main(s);
}
