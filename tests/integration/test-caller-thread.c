/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-caller-thread - work with key bytes makes no system call and stays on the thread that asks.
 *
 * The kernel's syscall user dispatch turns every system call of the thread into SIGSYS while a byte
 * says so. The program has one thread, so what makes no system call is done by it. The client
 * stands alone: nothing else is there.
 */
#include <dirent.h>
#include <errno.h>
#include <kcf/client.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "test-main.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#define DISPATCH_ON 1
#define BLOCK       1
#define ALLOW       0

static volatile char selector;
static volatile sig_atomic_t n_calls, last_call;

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	selector = ALLOW; /* or the return from here would be the next one */
	n_calls++;
	last_call = info->si_syscall;
}

static bool watch(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &sa, NULL);
	return !prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, 0, 0, &selector);
}

static struct kcf_client *client;
static uint8_t key_bytes[32] = "0123456789abcdef0123456789abcde";
static uint8_t iv[16] = "sixteen bytes iv", in[4096], out[4112], back[4096];

static void setup(void)
{
	struct kcf_client_options o = {
		.size = sizeof(o),
		.flags = KCF_CLIENT_STANDALONE | KCF_CLIENT_NO_DAEMON | KCF_CLIENT_APP_LOOP,
		.module_dir = TEST_MODULE_DIR,
	};

	ck_assert_int_eq(kcf_client_open(&o, &client), KCF_SUCCESS);
	ck_assert(watch());
}

static void teardown(void)
{
	kcf_client_close(client);
}

static unsigned n_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Does reading the clock cost a system call on this machine? It is read once in 256 calls. */
static bool clock_traps(void)
{
	struct timespec ts;
	bool ret;

	n_calls = 0;
	selector = BLOCK;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	selector = ALLOW;
	ret = n_calls != 0;
	n_calls = 0;
	return ret;
}

#define CALLS 1024

/* One call after another, none of which may reach the kernel after the first. */
static void quiet(enum kcf_status (*call)(void))
{
	int allowed = clock_traps() ? 2 * CALLS / 256 : 0;

	ck_assert_int_eq(call(), KCF_SUCCESS);
	for (int i = 0; i < CALLS; i++) {
		enum kcf_status status;

		selector = BLOCK;
		status = call();
		selector = ALLOW;
		ck_assert_int_eq(status, KCF_SUCCESS);
	}
	ck_assert_msg(n_calls <= allowed, "%d system calls, the last was number %d", (int)n_calls,
		      (int)last_call);
	ck_assert_uint_eq(n_threads(), 1);
}

START_TEST(watching_sees_a_system_call)
{
	selector = BLOCK;
	syscall(SYS_getppid);
	selector = ALLOW;
	ck_assert_int_eq(n_calls, 1);
	ck_assert_int_eq(last_call, SYS_getppid);
}
END_TEST

static enum kcf_status digest(void)
{
	struct kcf_mechanism m = {KCF_M_SHA256, 0, NULL};
	struct kcf_data i = kcf_flat(in, 4096), o = kcf_flat(out, 32);

	return kcf_digest(client, &m, &i, &o, NULL);
}

START_TEST(digest_makes_no_system_call)
{
	quiet(digest);
}
END_TEST

static struct kcf_template *tmpl;

static void make_template(kcf_mech_t mech)
{
	struct kcf_key k = kcf_key_bytes(key_bytes, 32);

	ck_assert_int_eq(kcf_template_create(client, mech, &k, &tmpl), KCF_SUCCESS);
}

static enum kcf_status mac(void)
{
	struct kcf_mechanism m = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k = kcf_key_tmpl(tmpl);
	struct kcf_data i = kcf_flat(in, 4096), o = kcf_flat(out, 32);

	return kcf_mac(client, &m, &k, &i, &o, NULL);
}

START_TEST(mac_makes_no_system_call)
{
	make_template(KCF_M_SHA256_HMAC);
	quiet(mac);
	kcf_template_destroy(tmpl);
}
END_TEST

static enum kcf_status cipher(void)
{
	struct kcf_param_iv p = {iv, 16};
	struct kcf_mechanism m = {KCF_M_AES_CTR, sizeof(p), &p};
	struct kcf_key k = kcf_key_tmpl(tmpl);
	struct kcf_data i = kcf_flat(in, 4096), o = kcf_flat(out, 4096), b = kcf_flat(back, 4096);
	enum kcf_status status = kcf_encrypt(client, &m, &k, &i, &o, NULL);

	return status == KCF_SUCCESS ? kcf_decrypt(client, &m, &k, &o, &b, NULL) : status;
}

START_TEST(cipher_makes_no_system_call)
{
	make_template(KCF_M_AES_CTR);
	quiet(cipher);
	ck_assert_mem_eq(in, back, 4096);
	kcf_template_destroy(tmpl);
}
END_TEST

static enum kcf_status aead(void)
{
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12, .aad = iv, .aad_len = 16};
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(p), &p};
	struct kcf_key k = kcf_key_tmpl(tmpl);
	struct iovec pieces[2] = {{in, 1000}, {in + 1000, 3096}};
	struct kcf_data i = kcf_iov(pieces, 2), o = kcf_flat(out, 4112), b = kcf_flat(back, 4096);
	enum kcf_status status = kcf_encrypt(client, &m, &k, &i, &o, NULL);

	return status == KCF_SUCCESS ? kcf_decrypt(client, &m, &k, &o, &b, NULL) : status;
}

START_TEST(aead_makes_no_system_call)
{
	make_template(KCF_M_AES_GCM);
	quiet(aead);
	ck_assert_mem_eq(in, back, 4096);
	kcf_template_destroy(tmpl);
}
END_TEST

static struct kcf_template *tmpl2;

/* 40 of two mechanisms: more than one chunk, and kinds to be put side by side. */
static enum kcf_status batch(void)
{
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(p), &p},
			     hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	struct kcf_key k = kcf_key_tmpl(tmpl), k2 = kcf_key_tmpl(tmpl2);
	struct kcf_batch_op ops[40];

	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < 40; i++) {
		ops[i].how = i % 2 ? (struct kcf_how){KCF_OP_MAC, &hmac, &k2, NULL}
				   : (struct kcf_how){KCF_OP_ENCRYPT, &gcm, &k, NULL};
		ops[i].in = kcf_flat(in + 64 * i, 64);
		ops[i].out = kcf_flat(out + 80 * i, 80);
	}
	return kcf_submit_batch(client, ops, 40, NULL);
}

START_TEST(batch_makes_no_system_call)
{
	make_template(KCF_M_SHA256_HMAC);
	tmpl2 = tmpl;
	make_template(KCF_M_AES_GCM);
	quiet(batch);
	kcf_template_destroy(tmpl);
	kcf_template_destroy(tmpl2);
}
END_TEST

static enum kcf_status adaptive(void)
{
	struct kcf_mechanism m = {KCF_M_SHA256, 0, NULL};
	struct kcf_data i = kcf_flat(in, 64), o = kcf_flat(out, 32);
	struct kcf_call_req req = {.callback = (kcf_callback)abort};

	return kcf_digest(client, &m, &i, &o, &req);
}

START_TEST(short_asynchronous_call_is_finished_inside_it)
{
	quiet(adaptive);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("caller-thread");
	TCase *tc = tcase_create("caller-thread");

#ifdef KCF_SANITIZED
	test_skip_all("sanitizers make system calls of their own");
#endif
	if (!watch())
		test_skip_all("this kernel has no syscall user dispatch");
	if (access(TEST_MODULE_DIR "/kcf-openssl.so", R_OK) < 0)
		test_skip_all("the openssl provider was not built");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, watching_sees_a_system_call);
	tcase_add_test(tc, digest_makes_no_system_call);
	tcase_add_test(tc, mac_makes_no_system_call);
	tcase_add_test(tc, cipher_makes_no_system_call);
	tcase_add_test(tc, aead_makes_no_system_call);
	tcase_add_test(tc, batch_makes_no_system_call);
	tcase_add_test(tc, short_asynchronous_call_is_finished_inside_it);
	suite_add_tcase(s, tc);
	return test_main(s);
}
