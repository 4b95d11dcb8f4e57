/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider as a guest: it reads no configuration of its process, and threads may share a
 * template.
 */
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "openssl-calls.h"
#include "test-main.h"

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
	tcase_add_test(tc, reads_no_configuration_of_the_process);
	tcase_add_test(tc, serves_threads_from_one_template);
	tcase_add_test(tc, signs_in_threads_with_one_key);
	suite_add_tcase(s, tc);
	return test_main(s);
}
