/* SPDX-License-Identifier: Apache-2.0 */
/* test-multibuffer-dual - dual operations in one job are what their halves are one after the other.
 */
#include "multibuffer-works.h"
#include "../test-main.h"

static void dual_side(struct work *w, struct side *s, const struct fake_template *cipher,
		      const struct fake_template *mac)
{
	side_job(w, s, cipher);
	s->job.row2 = mac->row;
	s->job.tmpl2 = mac->tmpl;
	s->job.thread2 = mac->thread;
	s->job.param2 = &w->mac_param;
}

/* What the two halves make one after the other: w->ref becomes what a dual job should leave behind.
 */
static void dual_reference(struct work *w)
{
	struct side *s = &w->ref;
	struct kcf_job mac;
	struct iovec iov;

	w->op = KCF_OP_ENCRYPT;
	side_job(w, s, &w->keyed->ref);
	ck_assert_int_eq(fake_run(&ref, &s->job), KCF_SUCCESS);
	fake_job(&mac, &w->mac->ref, KCF_OP_MAC, KCF_SINGLE, &w->mac_param);
	iov = (struct iovec){s->out, s->job.out_len};
	fake_job_in(&mac, &iov, 1);
	s->check_iov = (struct iovec){s->check, sizeof(s->check)};
	fake_job_out(&mac, &s->check_iov, 1);
	ck_assert_int_eq(fake_run(&ref, &mac), KCF_SUCCESS);
	s->job.mac_len = mac.out_len;
}

static const char *const dual_ciphers[] = {"CKM_AES_CBC", "CKM_AES_CTR", "CKM_AES_CBC_PAD"};
static const char *const dual_macs[] = {"CKM_SHA256_HMAC", "CKM_SHA_1_HMAC", "CKM_SHA512_HMAC",
					"CKM_AES_CMAC"};

static void dual_work(struct work *w)
{
	memset(w, 0, sizeof(*w));
	w->keyed = keyed_of(dual_ciphers[rnd(3)], rnd(KEYS_PER_ROW));
	w->mac = keyed_of(dual_macs[rnd(4)], rnd(KEYS_PER_ROW));
	w->n_pieces = 1;
	w->len = random_len(w->keyed->kind);
	w->room = w->len + 16;
	random_param(w);
	w->mac_param.mac_len = rnd(2) ? 0 : 12;
	fill(w->ref.in, sizeof(w->ref.in), rnd(1 << 20));
	dual_reference(w);
}

/* flaw: 0 none, 1 the MAC's room is short by one, 2 the cipher's room is. */
static void dual_encrypt(struct work *w, unsigned flaw)
{
	struct kcf_job *job = &w->mb.job;

	w->op = KCF_OP_ENCRYPT_MAC;
	memcpy(w->mb.in, w->ref.in, sizeof(w->mb.in));
	memset(w->mb.out, 0xee, sizeof(w->mb.out));
	w->in_place = rnd(3) == 0;
	w->n_pieces = 1 + rnd(PIECES_MAX);
	w->room = w->ref.job.out_len - (flaw == 2);
	w->mb.check_iov = (struct iovec){w->mb.check, w->ref.job.mac_len - (flaw == 1)};
	dual_side(w, &w->mb, &w->keyed->mb, &w->mac->mb);
	ck_assert_uint_eq(job->check_len, w->mb.check_iov.iov_len);
}

static void ck_dual_encrypted(const struct work *w, unsigned flaw)
{
	const struct kcf_job *job = &w->mb.job;

	if (flaw) {
		ck_assert_int_eq(job->status, KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(flaw == 1 ? job->mac_len : job->out_len,
				  flaw == 1 ? w->ref.job.mac_len : w->ref.job.out_len);
		ck_assert_mem_eq(w->mb.in, w->ref.in, w->len);
		return;
	}
	ck_assert_int_eq(job->status, KCF_SUCCESS);
	ck_assert_uint_eq(job->out_len, w->ref.job.out_len);
	ck_assert_uint_eq(job->mac_len, w->ref.job.mac_len);
	ck_assert_mem_eq(w->mb.check, w->ref.check, job->mac_len);
	if (job->out_len)
		ck_assert_mem_eq(w->in_place ? w->mb.in : w->mb.out, w->ref.out, job->out_len);
}

START_TEST(dual_encrypts_then_macs_the_ciphertext)
{
	struct work *works = works_new();
	struct kcf_job *jobs[JOBS_MAX];

	for (unsigned n = 1; n <= JOBS_MAX; n += 3) {
		seed_state = n * 15485863;
		for (unsigned i = 0; i < n; i++) {
			dual_work(&works[i]);
			if (works[i].ref.job.out_len == 0)
				dual_encrypt(&works[i], 0);
			else
				dual_encrypt(&works[i], i % 7 == 3 ? 1 + i % 2 : 0);
			jobs[i] = &works[i].mb.job;
		}
		ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
		for (unsigned i = 0; i < n; i++)
			ck_dual_encrypted(&works[i],
					  works[i].room < works[i].ref.job.out_len
						  ? 2
						  : jobs[i]->check_len < works[i].ref.job.mac_len);
	}
	free(works);
}
END_TEST

static void dual_decrypt(struct work *w, bool flawed)
{
	w->op = KCF_OP_MAC_DECRYPT;
	memcpy(w->mb.in, w->ref.out, sizeof(w->mb.in));
	memset(w->mb.out, 0xee, sizeof(w->mb.out));
	memcpy(w->mb.check, w->ref.check, sizeof(w->mb.check));
	w->mb.check_iov = (struct iovec){w->mb.check, w->ref.job.mac_len};
	w->in_place = rnd(3) == 0;
	w->n_pieces = 1 + rnd(PIECES_MAX);
	w->room = w->ref.job.out_len;
	if (flawed)
		w->mb.check[rnd((unsigned)w->ref.job.mac_len)] ^= 4;
}

static void ck_dual_decrypted(const struct work *w, size_t len, bool flawed)
{
	const struct kcf_job *job = &w->mb.job;

	if (flawed) {
		ck_assert_int_eq(job->status, KCF_INVALID_MAC);
		ck_assert_uint_eq(job->out_len, 0);
		ck_assert(has_only(w->mb.out, w->room, 0xee, 0xee));
		ck_assert_mem_eq(w->mb.in, w->ref.out, w->room + 1); /* in place, too */
		return;
	}
	ck_assert_int_eq(job->status, KCF_SUCCESS);
	ck_assert_uint_eq(job->out_len, len);
	if (len)
		ck_assert_mem_eq(w->in_place ? w->mb.in : w->mb.out, w->ref.in, len);
}

START_TEST(dual_verifies_before_it_decrypts)
{
	struct work *works = works_new();
	struct kcf_job *jobs[JOBS_MAX];
	size_t lens[JOBS_MAX];

	for (unsigned n = 1; n <= JOBS_MAX; n += 3) {
		seed_state = n * 32452843;
		for (unsigned i = 0; i < n; i++) {
			dual_work(&works[i]);
			lens[i] = works[i].len;
			dual_decrypt(&works[i], i % 5 == 2);
			works[i].len = works[i].room;
			dual_side(&works[i], &works[i].mb, &works[i].keyed->mb, &works[i].mac->mb);
			jobs[i] = &works[i].mb.job;
		}
		ck_assert_uint_eq(mb.desc->ops->submit(mb.prov, jobs, n), n);
		for (unsigned i = 0; i < n; i++)
			ck_dual_decrypted(&works[i], lens[i], i % 5 == 2);
	}
	free(works);
}
END_TEST

START_TEST(dual_is_offered_for_ciphers_with_macs_alone)
{
	bool (*dual)(void *, uint32_t, uint32_t) = mb.desc->ops->dual;
	uint32_t cbc = keyed_of("CKM_AES_CBC", 0)->mb.row, gcm = keyed_of("CKM_AES_GCM", 0)->mb.row;
	uint32_t hmac = keyed_of("CKM_SHA256_HMAC", 0)->mb.row,
		 sha = keyed_of("CKM_SHA256", 0)->mb.row;

	ck_assert(dual(mb.prov, cbc, hmac));
	ck_assert(!dual(mb.prov, hmac, cbc));
	ck_assert(!dual(mb.prov, cbc, sha));
	ck_assert(!dual(mb.prov, gcm, hmac));
	ck_assert(!dual(mb.prov, mb.desc->n_rows, hmac));
	ck_assert(!dual(mb.prov, cbc, mb.desc->n_rows));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("multibuffer-dual");
	TCase *tc = tcase_create("multibuffer-dual");

	if (!works_cpu_can())
		test_skip_all("libipsec-mb cannot use this CPU");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, works_setup, works_teardown);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, dual_encrypts_then_macs_the_ciphertext);
	tcase_add_test(tc, dual_verifies_before_it_decrypts);
	tcase_add_test(tc, dual_is_offered_for_ciphers_with_macs_alone);
	return test_main(suite);
}
