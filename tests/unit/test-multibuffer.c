/* SPDX-License-Identifier: Apache-2.0 */
/* test-multibuffer - bursts of mixed jobs, long messages, contexts and threads: each job is what
 * openssl makes of it. */
#include "multibuffer-works.h"
#include "../test-main.h"

#include <pthread.h>

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(rows_are_what_the_contract_allows)
{
	ck_assert_int_eq(mb.desc->kind, KCF_SOFTWARE);
	for (uint32_t i = 0; i < mb.desc->n_rows; i++) {
		const struct kcf_mech_row *row = &mb.desc->rows[i];

		ck_assert_uint_le(row->key_min_bits, row->key_max_bits);
		ck_assert_uint_gt(row->setup_ns, 0);
		ck_assert_msg(!row->lanes || (row->burst_setup_ns &&
					      row->burst_ns_per_kib < row->ns_per_kib),
			      "%s", row->name);
		ck_assert(!!(row->flags & KCF_ROW_MULTI_PART) == !row->max_input || row->lanes);
	}
}
END_TEST

START_TEST(passes_its_known_answers)
{
	ck_assert_int_eq(mb.desc->ops->self_test(mb.prov), KCF_SUCCESS);
}
END_TEST

/* A burst of every size, of jobs in random order: any row may stand beside any other. */
START_TEST(mixed_bursts_are_what_each_job_is_alone)
{
	struct work *works;

	if (!works_use_vectors(_i))
		return;
	works = works_new();
	for (unsigned n = 1; n <= JOBS_MAX; n += 1 + (_i != 0)) {
		seed_state = n * 7919;
		for (unsigned i = 0; i < n; i++)
			random_work(&works[i], &keyed[rnd(N(kinds))][rnd(KEYS_PER_ROW)]);
		run_burst(works, n);
	}
	free(works);
}
END_TEST

/* As kcfd groups them: jobs of one row side by side, so that lanes fill up and run over. */
START_TEST(bursts_of_one_row_are_what_each_job_is_alone)
{
	struct work *works = works_new();
	unsigned row = (unsigned)_i;

	for (unsigned n = 1; n <= JOBS_MAX; n += 1 + n / 8) {
		seed_state = n * 104729 + row;
		for (unsigned i = 0; i < n; i++)
			random_work(&works[i], &keyed[row][i * KEYS_PER_ROW / n]);
		run_burst(works, n);
	}
	free(works);
}
END_TEST

/* The library takes an HMAC of nothing for one of 64 KiB, and its lane is wrong from then on. */
START_TEST(an_empty_message_spoils_no_lane)
{
	struct work *works = works_new();

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 20; i++) {
			seed_state = round + i;
			random_work(&works[i], keyed_of("CKM_SHA512_HMAC", 0));
			works[i].op = KCF_OP_MAC;
			works[i].len = i % 3 == 0 ? 0 : 100;
			works[i].room = 64;
			works[i].n_pieces = 1;
			side_job(&works[i], &works[i].mb, &works[i].keyed->mb);
			side_job(&works[i], &works[i].ref, &works[i].keyed->ref);
		}
		run_burst(works, 20);
	}
	free(works);
}
END_TEST

/* ---- beyond lanes ---------------------------------------------------------------------------- */

#define LONG_LEN 200016

/* Both modules, one flat job; returns the status, which must be the same, as must be the bytes. */
static enum kcf_status run_long(const char *name, enum kcf_op op, const uint8_t *iv, size_t len)
{
	struct keyed *k = keyed_of(name, 1);
	uint8_t *in = malloc(LONG_LEN), *out = malloc(LONG_LEN + 16), *want = malloc(LONG_LEN + 16);
	struct kcf_param_iv p = {iv, 16};
	struct iovec in_iov = {in, len}, out_iov = {out, LONG_LEN + 16},
		     want_iov = {want, LONG_LEN + 16};
	struct kcf_job a, b;

	fill(in, LONG_LEN, 4711);
	fake_job(&a, &k->mb, op, KCF_SINGLE, k->kind->iv_len ? &p : NULL);
	fake_job_in(&a, &in_iov, 1);
	fake_job_out(&a, &out_iov, 1);
	fake_job(&b, &k->ref, op, KCF_SINGLE, a.param);
	fake_job_in(&b, &in_iov, 1);
	fake_job_out(&b, &want_iov, 1);
	fake_run(&mb, &a);
	fake_run(&ref, &b);
	if (a.status == KCF_SUCCESS) {
		ck_assert_uint_eq(a.out_len, b.out_len);
		ck_assert_mem_eq(out, want, a.out_len);
	}
	free(in);
	free(out);
	free(want);
	return a.status;
}

START_TEST(messages_longer_than_a_lane_are_done_in_pieces)
{
	static const char *const names[] = {"CKM_AES_CBC", "CKM_AES_CTR", "CKM_AES_ECB",
					    "CKM_AES_CFB128", "CKM_AES_OFB"};
	static const size_t lens[] = {65488, 65504, 65520, 65536, 131040, LONG_LEN};
	uint8_t iv[16] = {1, 2, 3};

	for (unsigned i = 0; i < N(names); i++) {
		for (unsigned j = 0; j < N(lens); j++) {
			ck_assert_int_eq(run_long(names[i], KCF_OP_ENCRYPT, iv, lens[j]),
					 KCF_SUCCESS);
			ck_assert_int_eq(run_long(names[i], KCF_OP_DECRYPT, iv, lens[j]),
					 KCF_SUCCESS);
		}
	}
	for (unsigned j = 0; j < N(lens); j++)
		ck_assert_int_eq(run_long("CKM_AES_CBC_PAD", KCF_OP_ENCRYPT, iv, lens[j] - j),
				 KCF_SUCCESS);
}
END_TEST

START_TEST(padding_of_long_messages_is_judged_too)
{
	struct keyed *k = keyed_of("CKM_AES_CBC_PAD", 2);
	uint8_t *text = malloc(LONG_LEN), *sealed = malloc(LONG_LEN), iv[16] = {9};
	struct kcf_param_iv p = {iv, 16};
	struct iovec in = {text, LONG_LEN - 30}, out = {sealed, LONG_LEN};
	struct kcf_job job;

	fill(text, LONG_LEN, 5);
	fake_job(&job, &k->mb, KCF_OP_ENCRYPT, KCF_SINGLE, &p);
	fake_job_in(&job, &in, 1);
	fake_job_out(&job, &out, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	in.iov_len = job.out_len;
	in.iov_base = sealed;
	out.iov_base = text;
	memset(text, 0, LONG_LEN);
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_SINGLE, &p);
	fake_job_in(&job, &in, 1);
	fake_job_out(&job, &out, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, LONG_LEN - 30);
	sealed[in.iov_len - 1] ^= 0x10;
	memset(text, 0xee, LONG_LEN);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_INVALID_MAC);
	ck_assert_uint_eq(text[0], 0xee);
	free(text);
	free(sealed);
}
END_TEST

START_TEST(counters_wrap_in_all_their_128_bits)
{
	uint8_t iv[16];

	memset(iv, 0xff, 16);
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_ENCRYPT, iv, 1000), KCF_SUCCESS);
	iv[15] = 0xf0;
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_ENCRYPT, iv, 1000), KCF_SUCCESS);
	memset(iv, 0, 12);
	ck_assert_int_eq(run_long("CKM_AES_CTR", KCF_OP_DECRYPT, iv, 1001), KCF_SUCCESS);
}
END_TEST

START_TEST(hashes_end_where_a_lane_ends)
{
	const struct kcf_mech_row *row = &mb.desc->rows[keyed_of("CKM_SHA256", 0)->mb.row];

	ck_assert_uint_eq(row->max_input, 65534);
	row = &mb.desc->rows[keyed_of("CKM_SHA256_HMAC", 0)->mb.row];
	ck_assert_uint_eq(row->max_input, 65518); /* padding may make a block more of it */
	ck_assert_int_eq(run_long("CKM_SHA256", KCF_OP_DIGEST, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA512", KCF_OP_DIGEST, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA_1_HMAC", KCF_OP_MAC, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_AES_CMAC", KCF_OP_MAC, NULL, 65534), KCF_SUCCESS);
	ck_assert_int_eq(run_long("CKM_SHA256", KCF_OP_DIGEST, NULL, 65535), KCF_BUFFER_TOO_BIG);
}
END_TEST

/* ---- contexts -------------------------------------------------------------------------------- */

/* In parts of piece bytes, output over input if in_place; must be what the reference makes of it
 * whole. */
static void run_parts(const struct keyed *k, enum kcf_op op, const void *param, size_t len,
		      size_t piece, bool in_place)
{
	static uint8_t text[3000], out[3100], want[3100];
	struct iovec in_iov = {text, len}, out_iov = {want, sizeof(want)};
	struct kcf_job job;
	size_t done = 0, n_out = 0;
	void *ctx;

	fill(text, sizeof(text), (unsigned)(len + piece));
	fake_job(&job, &k->ref, op, KCF_SINGLE, param);
	fake_job_in(&job, &in_iov, 1);
	fake_job_out(&job, &out_iov, 1);
	ck_assert_int_eq(fake_run(&ref, &job), KCF_SUCCESS);
	fake_job(&job, &k->mb, op, KCF_INIT, param);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	for (ctx = job.ctx; done <= len; done += piece) {
		bool last = len - done < piece;

		in_iov = (struct iovec){text + done, last ? len - done : piece};
		out_iov = (struct iovec){in_place ? text + done : out + n_out,
					 in_place && !last ? piece : 200};
		fake_job(&job, &k->mb, op, last ? KCF_FINAL_PHASE : KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in_iov, 1);
		fake_job_out(&job, &out_iov, 1);
		ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
		if (in_place)
			memcpy(out + n_out, text + done, job.out_len);
		n_out += job.out_len;
	}
	mb.desc->ops->context_free(mb.prov, ctx);
	ck_assert_mem_eq(out, want, n_out);
	ck_assert_uint_ge(n_out, len);
}

START_TEST(parts_of_any_size_equal_the_whole)
{
	static const size_t pieces[] = {1, 7, 15, 16, 17, 33, 100, 128};
	uint8_t iv[16];
	struct kcf_param_iv p = {iv, 16};
	struct kcf_param_aead aead = {.iv = iv, .iv_len = 12, .aad = iv, .aad_len = 16};

	memset(iv, 0xff, sizeof(iv));
	for (unsigned i = 0; i < N(pieces); i++) {
		run_parts(keyed_of("CKM_AES_CTR", 0), KCF_OP_ENCRYPT, &p, 1003, pieces[i], true);
		run_parts(keyed_of("CKM_AES_CTR", 0), KCF_OP_ENCRYPT, &p, 1003, pieces[i], false);
		for (unsigned place = 0; place < 1 + (pieces[i] % 16 == 0); place++) {
			run_parts(keyed_of("CKM_AES_CBC", 1), KCF_OP_ENCRYPT, &p, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_CBC", 1), KCF_OP_DECRYPT, &p, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_ECB", 2), KCF_OP_DECRYPT, NULL, 1008, pieces[i],
				  place);
			run_parts(keyed_of("CKM_AES_GCM", 2), KCF_OP_ENCRYPT, &aead, 1003,
				  pieces[i], false);
		}
	}
}
END_TEST

START_TEST(an_unfinished_block_is_an_error_of_final)
{
	struct keyed *k = keyed_of("CKM_AES_CBC", 0);
	uint8_t iv[16] = {0}, bytes[17] = {0}, out[32];
	struct kcf_param_iv p = {iv, 16};
	struct iovec in_iov = {bytes, 17}, out_iov = {out, 32};
	struct kcf_job job;
	void *ctx;

	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_INIT, &p);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ctx = job.ctx;
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_UPDATE, NULL);
	job.ctx = ctx;
	fake_job_in(&job, &in_iov, 1);
	fake_job_out(&job, &out_iov, 1);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_SUCCESS);
	ck_assert_uint_eq(job.out_len, 16);
	fake_job(&job, &k->mb, KCF_OP_DECRYPT, KCF_FINAL_PHASE, NULL);
	job.ctx = ctx;
	ck_assert_int_eq(fake_run(&mb, &job), KCF_ENCRYPTED_DATA_LEN_RANGE);
	mb.desc->ops->context_free(mb.prov, ctx);
}
END_TEST

START_TEST(hashes_have_no_contexts)
{
	struct kcf_job job;

	fake_job(&job, &keyed_of("CKM_SHA256", 0)->mb, KCF_OP_DIGEST, KCF_INIT, NULL);
	ck_assert_int_eq(fake_run(&mb, &job), KCF_MECH_NOT_SUPPORTED);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------- */

#define N_THREADS 6

/* NULL, or what went wrong. */
static void *thread_run(void *arg)
{
	static char taken[] = "not all were taken", different[] = "something else came out";
	struct work *works = arg;
	struct kcf_job *jobs[20];

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < N(jobs); i++) {
			jobs[i] = &works[i].mb.job;
			memset(works[i].mb.out, 0, works[i].room);
		}
		if (mb.desc->ops->submit(mb.prov, jobs, N(jobs)) != N(jobs))
			return taken;
		for (unsigned i = 0; i < N(jobs); i++)
			if (jobs[i]->status != works[i].ref.job.status ||
			    (jobs[i]->status == KCF_SUCCESS &&
			     memcmp(works[i].mb.out, works[i].ref.out, jobs[i]->out_len)))
				return different;
	}
	return NULL;
}

/* All templates are shared, and more threads than processors make them meet in the pool. */
START_TEST(threads_share_templates_and_the_pool)
{
	struct work *works[N_THREADS];
	pthread_t threads[N_THREADS];

	seed_state = 99;
	for (unsigned t = 0; t < N_THREADS; t++) {
		works[t] = works_new();
		for (unsigned i = 0; i < 20; i++) {
			do {
				random_work(&works[t][i], &keyed[rnd(N(kinds))][rnd(KEYS_PER_ROW)]);
			} while (works[t][i].in_place);
			fake_run(&ref, &works[t][i].ref.job);
		}
	}
	for (unsigned t = 0; t < N_THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, thread_run, works[t]), 0);
	for (unsigned t = 0; t < N_THREADS; t++) {
		void *what;

		pthread_join(threads[t], &what);
		ck_assert_msg(!what, "%s", (const char *)what);
		free(works[t]);
	}
}
END_TEST

START_TEST(vectors_it_does_not_know_are_refused)
{
	struct fake_host f;

	ck_assert_int_eq(open_with("mmx", &f), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(f.n_logged, 1);
	f.desc = NULL;
	fake_host_close(&f);
}
END_TEST

START_TEST(instances_live_side_by_side)
{
	struct fake_host other;

	ck_assert_int_eq(fake_host_open(&other, TEST_MODULE_DIR "/kcf-multibuffer.so", NULL),
			 KCF_SUCCESS);
	ck_assert_ptr_ne(other.prov, mb.prov);
	ck_assert_int_eq(other.desc->ops->self_test(other.prov), KCF_SUCCESS);
	fake_host_close(&other);
	ck_assert_int_eq(mb.desc->ops->self_test(mb.prov), KCF_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("multibuffer");
	TCase *tc = tcase_create("multibuffer");

	if (!works_cpu_can())
		test_skip_all("libipsec-mb cannot use this CPU");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, works_setup, works_teardown);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, rows_are_what_the_contract_allows);
	tcase_add_test(tc, passes_its_known_answers);
	tcase_add_loop_test(tc, mixed_bursts_are_what_each_job_is_alone, 0, N_VECTORS);
	tcase_add_loop_test(tc, bursts_of_one_row_are_what_each_job_is_alone, 0, N_KINDS);
	tcase_add_test(tc, an_empty_message_spoils_no_lane);
	tcase_add_test(tc, messages_longer_than_a_lane_are_done_in_pieces);
	tcase_add_test(tc, padding_of_long_messages_is_judged_too);
	tcase_add_test(tc, counters_wrap_in_all_their_128_bits);
	tcase_add_test(tc, hashes_end_where_a_lane_ends);
	tcase_add_test(tc, parts_of_any_size_equal_the_whole);
	tcase_add_test(tc, an_unfinished_block_is_an_error_of_final);
	tcase_add_test(tc, hashes_have_no_contexts);
	tcase_add_test(tc, threads_share_templates_and_the_pool);
	tcase_add_test(tc, vectors_it_does_not_know_are_refused);
	tcase_add_test(tc, instances_live_side_by_side);
	return test_main(suite);
}
