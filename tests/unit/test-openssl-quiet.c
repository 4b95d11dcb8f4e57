/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the openssl provider does not do once a thread state has been used: allocate, call the
 * kernel. And that threads may share a template.
 *
 * Allocations are counted by this program's own malloc, which stands in front of the C library's
 * for libcrypto and the module too; system calls kill a child under strict seccomp.
 */
#include <linux/seccomp.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "openssl-calls.h"
#include "test-main.h"

#define WARM_CLASSES (KCF_CLASS_DIGEST | KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)

#ifndef KCF_SANITIZED
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
#endif

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
#ifndef KCF_SANITIZED
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
#endif
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
#ifndef KCF_SANITIZED
	for (uint32_t row = 0; row < fake.desc->n_rows; row++) {
		struct warm w;

		if (!is_warm_row(&fake.desc->rows[row]))
			continue;
		warm_init(&w, row);
		ck_assert(warm_run(&w));
		ck_assert_msg(run_under_seccomp(&w) == 0, "%s", w.row->name);
		fake_template_free(&fake, &w.t);
	}
#endif
}
END_TEST

/* ---- a guest in the process
 * ---------------------------------------------------------------------- */

/* The application's configuration takes every algorithm from libcrypto's default library context.
 */
START_TEST(reads_no_configuration_of_the_process)
{
	char path[] = "/tmp/kcf-openssl-XXXXXX";
	static const char config[] = "openssl_conf = top\n[top]\nalg_section = algs\n[algs]\n"
				     "default_properties = provider=nobody\n";
	uint8_t digest[32];
	struct call c = {.op = KCF_OP_DIGEST, .in = digest, .in_len = 5, .out = digest, .room = 32};
	struct fake_template t;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, config, sizeof(config) - 1), sizeof(config) - 1);
	close(fd);
	ck_assert_int_eq(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL), 1);
	ck_assert_int_eq(CONF_modules_load_file(path, NULL, 0), 1);
	unlink(path);
	ck_assert_ptr_null(EVP_MD_fetch(NULL, "SHA256", NULL));
	ERR_clear_error();
	fake_host_close(&fake);
	calls_setup();
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
	t = template_of("CKM_SHA256", NULL, 0);
	c.t = &t;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	fake_template_free(&fake, &t);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------- */

struct shared {
	struct fake_template t;
	struct kcf_param_aead param;
	uint8_t expect[80];
};

static void *seal_often(void *arg)
{
	const struct shared *s = arg;
	const struct kcf_provider_ops *ops = fake.desc->ops;
	struct fake_template t = s->t;
	uint8_t data[64] = {5}, out[80];
	bool ok = true;

	if (ops->thread_state_new(fake.prov, t.tmpl, &t.thread) != KCF_SUCCESS)
		return NULL;
	for (unsigned i = 0; i < 1000; i++) {
		struct iovec in_v = {data, 64}, out_v = {out, 80};
		struct kcf_job job;

		fake_job(&job, &t, KCF_OP_ENCRYPT, KCF_SINGLE, &s->param);
		fake_job_in(&job, &in_v, 1);
		fake_job_out(&job, &out_v, 1);
		ok = fake_run(&fake, &job) == KCF_SUCCESS && memcmp(out, s->expect, 80) == 0 && ok;
	}
	ops->thread_state_free(fake.prov, t.thread);
	return ok ? arg : NULL;
}

START_TEST(serves_threads_from_one_template)
{
	uint8_t key[32] = {1}, iv[12] = {2}, data[64] = {5};
	struct shared s = {.param = {.iv = iv, .iv_len = 12}};
	struct call c = {.t = &s.t,
			 .op = KCF_OP_ENCRYPT,
			 .param = &s.param,
			 .in = data,
			 .in_len = 64,
			 .out = s.expect,
			 .room = 80};
	pthread_t threads[4];
	void *result;

	s.t = template_of("CKM_AES_GCM", key, 32);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	for (size_t i = 0; i < N(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, seal_often, &s), 0);
	for (size_t i = 0; i < N(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert(result == &s);
	}
	fake_template_free(&fake, &s.t);
}
END_TEST

struct shared_key {
	struct fake_template t, pub;
};

static void *sign_often(void *arg)
{
	const struct shared_key *s = arg;
	const struct kcf_provider_ops *ops = fake.desc->ops;
	struct fake_template t[2] = {s->t, s->pub};
	uint8_t data[40] = {7}, sig[96];
	bool ok = true;

	for (unsigned i = 0; i < 2; i++)
		if (ops->thread_state_new(fake.prov, t[i].tmpl, &t[i].thread) != KCF_SUCCESS)
			return NULL;
	for (unsigned i = 0; i < 100; i++) {
		struct iovec in_v = {data, 40}, sig_v = {sig, 64};
		struct kcf_job job;

		data[1] = (uint8_t)i;
		fake_job(&job, &t[0], KCF_OP_SIGN, KCF_SINGLE, NULL);
		fake_job_in(&job, &in_v, 1);
		fake_job_out(&job, &sig_v, 1);
		ok = fake_run(&fake, &job) == KCF_SUCCESS && ok;
		fake_job(&job, &t[1], KCF_OP_VERIFY, KCF_SINGLE, NULL);
		fake_job_in(&job, &in_v, 1);
		fake_job_check(&job, &sig_v, 1);
		ok = fake_run(&fake, &job) == KCF_SUCCESS && ok;
	}
	for (unsigned i = 0; i < 2; i++)
		ops->thread_state_free(fake.prov, t[i].thread);
	return ok ? arg : NULL;
}

START_TEST(signs_in_threads_with_one_key)
{
	uint8_t priv[300], pub[200];
	struct kcf_param_keygen p = {0, KCF_CURVE_P256};
	struct fake_template gen = template_of("CKM_EC_KEY_PAIR_GEN", NULL, 0);
	struct call c = {.t = &gen, .op = KCF_OP_KEYGEN, .param = &p, .out = priv, .room = 300};
	struct shared_key s;
	pthread_t threads[4];
	void *result;
	size_t len;

	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	len = c.out_len;
	s.t = template_format("CKM_ECDSA_SHA256", KCF_KEY_PKCS8, priv, len);
	c = (struct call){.t = &s.t, .op = KCF_OP_PUBLIC, .out = pub, .room = 200};
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	s.pub = template_format("CKM_ECDSA_SHA256", KCF_KEY_SPKI, pub, c.out_len);
	for (size_t i = 0; i < N(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, &s), 0);
	for (size_t i = 0; i < N(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert(result == &s);
	}
	fake_template_free(&fake, &gen);
	fake_template_free(&fake, &s.t);
	fake_template_free(&fake, &s.pub);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("quiet");

	tcase_add_checked_fixture(tc, calls_setup, calls_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, allocates_nothing_after_the_first_use);
	tcase_add_test(tc, makes_no_system_call_after_the_first_use);
	tcase_add_test(tc, reads_no_configuration_of_the_process);
	tcase_add_test(tc, serves_threads_from_one_template);
	tcase_add_test(tc, signs_in_threads_with_one_key);
	suite_add_tcase(s, tc);
	return test_main(s);
}
