/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the openssl provider does not do once a thread state has been used: allocate, or call the
 * kernel. Not built with sanitizers, which do both.
 *
 * Allocations are counted by this program's own malloc, which stands in front of the C library's
 * for libcrypto and the module too; system calls kill a child under strict seccomp.
 */
#include <kcf/provider.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "openssl-calls.h"
#include "test-main.h"

#define WARM_CLASSES (KCF_CLASS_DIGEST | KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);

static _Thread_local unsigned n_allocated;

__attribute__((visibility("default"))) void *malloc(size_t len)
{
	n_allocated++;
	return __libc_malloc(len);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t len)
{
	n_allocated++;
	return __libc_calloc(n, len);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t len)
{
	n_allocated++;
	return __libc_realloc(p, len);
}

/* One symmetric row ready to run both ways. */
struct warm {
	const struct kcf_mech_row *row;
	struct fake_template t;
	uint8_t iv[16];
	struct kcf_param_iv iv_param;
	struct kcf_param_aead aead_param;
	struct kcf_param_mac mac_param;
	struct kcf_job job[2];
	struct iovec in[2], out[2], check;
	uint8_t plain[80], crypt[112], back[112];
};

static bool is_warm_row(const struct kcf_mech_row *row)
{
	return (row->classes & WARM_CLASSES) && !(row->flags & KCF_ROW_FORMAT(KCF_KEY_PKCS8));
}

static const void *warm_param(struct warm *w)
{
	w->iv_param = (struct kcf_param_iv){w->iv, strstr(w->row->name, "DES3") ? 8 : 16};
	w->aead_param =
		(struct kcf_param_aead){.iv = w->iv, .iv_len = 12, .aad = w->iv, .aad_len = 5};
	w->mac_param = (struct kcf_param_mac){.iv = w->iv, .iv_len = 12};
	switch (w->row->param_kind) {
	case KCF_PARAM_IV:
		return &w->iv_param;
	case KCF_PARAM_AEAD:
		return &w->aead_param;
	case KCF_PARAM_MAC:
		return &w->mac_param;
	default:
		return NULL;
	}
}

static void warm_init(struct warm *w, uint32_t row)
{
	uint8_t key[1024];
	struct kcf_key_data data = {KCF_KEY_RAW, key, 0};
	bool keyed;

	memset(w, 0, sizeof(*w));
	fill(key, sizeof(key), 1);
	fill(w->plain, sizeof(w->plain), 2);
	w->row = &fake.desc->rows[row];
	keyed = w->row->key_max_bits > 0;
	data.len = w->row->key_max_bits > 512 ? 64 : w->row->key_max_bits / 8;
	ck_assert_int_eq(fake_template_new(&fake, row, keyed ? &data : NULL, &w->t), KCF_SUCCESS);
	for (unsigned i = 0; i < 2; i++) {
		uint16_t first = w->row->classes & KCF_CLASS_DIGEST ? KCF_OP_DIGEST
				 : w->row->classes & KCF_CLASS_MAC  ? KCF_OP_MAC
								    : KCF_OP_ENCRYPT;
		uint16_t second = first == KCF_OP_MAC       ? KCF_OP_MAC_VERIFY
				  : first == KCF_OP_ENCRYPT ? KCF_OP_DECRYPT
							    : KCF_OP_DIGEST;

		fake_job(&w->job[i], &w->t, i ? second : first, KCF_SINGLE, warm_param(w));
	}
}

/* Encrypts and decrypts, or makes and checks, with fresh iovecs. */
static bool warm_run(struct warm *w)
{
	struct kcf_job *j = w->job;
	bool crypts = j[1].op == KCF_OP_DECRYPT;

	w->in[0] = (struct iovec){w->plain, 80};
	w->out[0] = (struct iovec){w->crypt, sizeof(w->crypt)};
	fake_job_in(&j[0], &w->in[0], 1);
	fake_job_out(&j[0], &w->out[0], 1);
	if (fake_run(&fake, &j[0]) != KCF_SUCCESS)
		return false;
	w->in[1] = crypts ? (struct iovec){w->crypt, j[0].out_len} : (struct iovec){w->plain, 80};
	w->out[1] = (struct iovec){w->back, sizeof(w->back)};
	w->check = (struct iovec){w->crypt, j[1].op == KCF_OP_MAC_VERIFY ? j[0].out_len : 0};
	fake_job_in(&j[1], &w->in[1], 1);
	fake_job_out(&j[1], &w->out[1], 1);
	fake_job_check(&j[1], &w->check, 1);
	return fake_run(&fake, &j[1]) == KCF_SUCCESS &&
	       (!crypts || memcmp(w->back, w->plain, 80) == 0);
}

START_TEST(allocates_nothing_after_the_first_use)
{
	unsigned n_rows = 0;

	for (uint32_t row = 0; row < fake.desc->n_rows; row++) {
		struct warm w;
		bool ok = true;

		if (!is_warm_row(&fake.desc->rows[row]))
			continue;
		n_allocated = 0;
		warm_init(&w, row);
		ck_assert_msg(warm_run(&w), "%s", w.row->name);
		ck_assert_uint_gt(n_allocated,
				  1); /* the counter does see the module and libcrypto */
		n_allocated = 0;
		for (unsigned i = 0; i < 10; i++)
			ok = warm_run(&w) && ok;
		ck_assert_msg(ok && n_allocated == 0, "%s: %u", w.row->name, n_allocated);
		fake_template_free(&fake, &w.t);
		n_rows++;
	}
	ck_assert_uint_gt(n_rows, 60);
}
END_TEST

/* The child's exit status; only read, write and exit are permitted to it. */
static int run_under_seccomp(struct warm *w)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		bool ok = true;

		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
			_exit(77);
		for (unsigned i = 0; i < 10; i++)
			ok = warm_run(w) && ok;
		syscall(SYS_exit, ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

START_TEST(makes_no_system_call_after_the_first_use)
{
	for (uint32_t row = 0; row < fake.desc->n_rows; row++) {
		struct warm w;

		if (!is_warm_row(&fake.desc->rows[row]))
			continue;
		warm_init(&w, row);
		ck_assert(warm_run(&w));
		ck_assert_msg(run_under_seccomp(&w) == 0, "%s", w.row->name);
		fake_template_free(&fake, &w.t);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("openssl-warm");
	TCase *tc = tcase_create("warm");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, allocates_nothing_after_the_first_use);
	tcase_add_test(tc, makes_no_system_call_after_the_first_use);
	suite_add_tcase(s, tc);
	return test_main(s);
}
