/* SPDX-License-Identifier: Apache-2.0 */
/* test-multibuffer-border - what a job points to may lie against memory that is not there. */
#include "multibuffer-works.h"
#include "../test-main.h"

#include <sys/mman.h>

#define FENCED 4096

/* A page between two that nobody may touch. */
static uint8_t *fenced_page(void)
{
	uint8_t *p = mmap(NULL, 3 * FENCED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(mprotect(p + FENCED, FENCED, PROT_READ | PROT_WRITE), 0);
	return p + FENCED;
}

/* len bytes of a fenced page, at its end or at its beginning. */
static uint8_t *at_border(uint8_t *page, size_t len, bool end)
{
	return end ? page + FENCED - len : page;
}

/* Everything a job points to lies against a border. */
static enum kcf_status run_at_border(const struct keyed *k, enum kcf_op op, size_t len, size_t room,
				     bool end, uint8_t *const pages[4], unsigned n)
{
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	uint8_t *iv = at_border(pages[2], k->kind->iv_len, end);
	struct iovec in = {at_border(pages[0], len, end), len};
	struct iovec out = {at_border(pages[1], room, end), room};
	struct kcf_job jobs[JOBS_MAX], *list[JOBS_MAX];

	if (k->kind->class == KCF_CLASS_AEAD)
		param.aead = (struct kcf_param_aead){
			.iv = iv,
			.iv_len = k->kind->iv_len,
			.aad = at_border(pages[3], len % 47, end),
			.aad_len = len % 47,
		};
	else if (k->kind->class == KCF_CLASS_CIPHER)
		param.iv = (struct kcf_param_iv){iv, k->kind->iv_len};
	else
		param.mac = (struct kcf_param_mac){.iv = iv, .iv_len = k->kind->iv_len};
	for (unsigned i = 0; i < n; i++) {
		bool plain = k->kind->class == KCF_CLASS_DIGEST;

		fake_job(&jobs[i], &k->mb, op, KCF_SINGLE, plain ? NULL : &param);
		fake_job_in(&jobs[i], &in, 1);
		fake_job_out(&jobs[i], &out, 1);
		list[i] = &jobs[i];
	}
	mb.desc->ops->submit(mb.prov, list, n);
	return jobs[n - 1].status;
}

START_TEST(nothing_outside_the_payload_is_touched)
{
	unsigned row = (unsigned)_i % N(kinds);
	const struct kind *k = &kinds[row];
	uint8_t *pages[4];

	if (!works_use_vectors(_i / (int)N(kinds)))
		return;
	for (unsigned i = 0; i < 4; i++)
		pages[i] = fenced_page();
	for (size_t len = k->block; len < 700; len += k->block + len / 64 * k->block) {
		for (unsigned way = 0; way < 4; way++) {
			struct keyed *key = &keyed[row][len % KEYS_PER_ROW];
			unsigned n = way < 2 ? 1 : 20; /* both managers */
			size_t tag = k->class == KCF_CLASS_AEAD ? 16 : 0, room = len + tag;
			enum kcf_op op = KCF_OP_ENCRYPT;

			if (strcmp(k->name, "CKM_AES_CBC_PAD") == 0)
				room = len / 16 * 16 + 16;
			if (k->class == KCF_CLASS_DIGEST || k->class == KCF_CLASS_MAC) {
				op = k->class == KCF_CLASS_MAC ? KCF_OP_MAC : KCF_OP_DIGEST;
				room = 64;
			}
			ck_assert_int_eq(run_at_border(key, op, len, room, way & 1, pages, n),
					 KCF_SUCCESS);
			if (op != KCF_OP_ENCRYPT)
				continue;
			memcpy(at_border(pages[0], room, way & 1),
			       at_border(pages[1], room, way & 1), room);
			ck_assert_int_eq(
				run_at_border(key, KCF_OP_DECRYPT, room, len, way & 1, pages, 1),
				k->class == KCF_CLASS_AEAD ? KCF_INVALID_MAC : KCF_SUCCESS);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		munmap(pages[i] - FENCED, 3 * FENCED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("multibuffer-border");
	TCase *tc = tcase_create("multibuffer-border");

	if (!works_cpu_can())
		test_skip_all("libipsec-mb cannot use this CPU");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, works_setup, works_teardown);
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, nothing_outside_the_payload_is_touched, 0, N_KINDS * N_VECTORS);
	return test_main(suite);
}
