/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients by the thousand: they come, begin all sorts of things and go without waiting, or stay and
 * are slow. kcfd keeps nothing of them: no descriptor, no memory. KCF_CHURN_TIMES makes it longer.
 */
#include <dirent.h>
#include <kcf/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw admin;
static unsigned times = 1;

static void setup(void)
{
	const char *more = getenv("KCF_CHURN_TIMES");

	times = more ? (unsigned)atoi(more) : 1;
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&admin, &kcfd);
	harness_raw_hello(&admin, NULL);
}

static void teardown(void)
{
	harness_raw_close(&admin);
	harness_raw_check_service(&kcfd);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static uint64_t ask(const char *what, const char *key)
{
	const char *const words[] = {what, NULL};
	uint64_t n;
	char *text;

	ck_assert_uint_eq(harness_raw_admin(&admin, words, &text), KCF_SUCCESS);
	n = harness_json_u64(text, key);
	free(text);
	return n;
}

static void wait_for(const char *what, const char *key, uint64_t value)
{
	uint64_t n = UINT64_MAX;

	for (int i = 0; i < 100000 && n != value; i++)
		n = ask(what, key);
	ck_assert_msg(n == value, "%s: %s is %llu, not %llu", what, key, (unsigned long long)n,
		      (unsigned long long)value);
}

static unsigned n_fds(void)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", kcfd.pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static unsigned long resident_kib(void)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", kcfd.pid);
	in = fopen(path, "re");
	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof(line), in))
		sscanf(line, "VmRSS: %lu", &kib);
	fclose(in);
	return kib;
}

static const uint8_t key[32] = {9};
static const struct kcf_param_pbkdf2 slow = {.hash = KCF_M_SHA256, .iterations = 2000};

static void begin_all_sorts(struct harness_raw *r, unsigned i)
{
	struct wire_key bytes = {.kind = KCF_KEY_BYTES, .bytes = {key, 32}};
	struct wire_op digest = {.op = KCF_OP_DIGEST,
				 .mech = KCF_M_SHA256,
				 .in_len = 3,
				 .out_room = 32,
				 .flags = OPF_ALWAYS_QUEUE};
	struct wire_op init = {.op = KCF_OP_MAC,
			       .phase = KCF_INIT,
			       .mech = KCF_M_SHA256_HMAC,
			       .key = bytes,
			       .context = 7};
	struct wire_op derive = {.op = KCF_OP_DERIVE,
				 .mech = KCF_M_PKCS5_PBKD2,
				 .key = bytes,
				 .param = {KCF_PARAM_PBKDF2, &slow},
				 .out_room = 32};
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	uint64_t id = 10;

	for (unsigned k = 0; k < i % 5; k++)
		harness_raw_send_op(r, &digest, id++, "abc", 3);
	if (i % 3 == 0) {
		m.arena.size = 65536;
		harness_raw_send(r, &m, id++, NULL, 0);
	}
	if (i % 4 == 0)
		harness_raw_send_op(r, &init, id++, NULL, 0);
	if (i % 7 == 0)
		harness_raw_send_op(r, &derive, id++, NULL, 0);
	m = (struct wire_msg){.type = FRAME_TEMPLATE_ATTACH};
	m.attach.slot = 1 + i % 9;
	m.attach.mech = KCF_M_AES_GCM;
	m.attach.key = bytes;
	if (i % 2)
		harness_raw_send(r, &m, id++, NULL, 0);
	m = (struct wire_msg){.type = FRAME_KEY_OP};
	m.key_op.kind = KEYOP_IMPORT;
	m.key_op.key = bytes;
	if (i % 3 == 1)
		harness_raw_send(r, &m, id++, NULL, 0);
	m = (struct wire_msg){.type = FRAME_WANT};
	m.room.units = 64;
	if (i % 5 == 2)
		harness_raw_send(r, &m, 0, NULL, 0);
}

static void come_and_go(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct harness_raw r;

		harness_raw_open(&r, &kcfd);
		if (i % 11) {
			harness_raw_hello(&r, NULL);
			begin_all_sorts(&r, i);
		}
		harness_raw_close(&r);
	}
	wait_for("connections", "open", 1);
	wait_for("connections", "closing", 0);
}

START_TEST(keeps_nothing_of_those_who_came_and_went)
{
	unsigned fds, rounds = 2 + times;
	unsigned long before, after;

	come_and_go(500); /* pools fill, modules load, threads start */
	fds = n_fds();
	before = resident_kib();
	for (unsigned i = 0; i < rounds; i++)
		come_and_go(500);
	after = resident_kib();
	ck_assert_uint_eq(n_fds(), fds);
	ck_assert_uint_eq(ask("connections", "all_segments"), 0);
	ck_assert_uint_eq(ask("consumers", "keys"), 0);
	ck_assert_uint_eq(ask("consumers", "contexts"), 0);
	ck_assert_uint_eq(ask("consumers", "templates"), 0);
	ck_assert_uint_eq(ask("consumers", "requests"), 0);
	ck_assert_uint_eq(ask("stats", "units_leased"), ask("connections", "units_leased"));
	if (times > 1)
		fprintf(stderr, "# %lu KiB, then %lu KiB\n", before, after);
#ifndef KCF_SANITIZED /* what is freed stays resident there */
	/* a KiB for each of 500 would show */
	ck_assert_uint_lt(after, before + 300 * rounds);
#endif
}
END_TEST

#define CROWD 1000u

START_TEST(serves_a_thousand_at_a_time)
{
	static struct harness_raw r[CROWD];
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .in_len = 3,
			     .out_room = 32,
			     .flags = OPF_ALWAYS_QUEUE};
	unsigned fds = n_fds();

	for (unsigned i = 0; i < CROWD; i++) {
		harness_raw_open(&r[i], &kcfd);
		harness_raw_hello(&r[i], NULL);
	}
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < CROWD; i++)
			ck_assert(harness_raw_send_op(&r[i], &op, 1 + k, "abc", 3));
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < CROWD; i++) {
			struct harness_frame f;

			harness_raw_expect(&r[i], FRAME_OP_REPLY, &f);
			ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
			ck_assert_uint_eq(f.h.payload_len, 32);
		}
	for (unsigned i = 0; i < CROWD; i++)
		harness_raw_close(&r[i]);
	wait_for("connections", "open", 1);
	wait_for("connections", "closing", 0);
	ck_assert_uint_eq(n_fds(), fds);
}
END_TEST

/* A client that asks and never reads: it is no longer read itself; the others are served. */
START_TEST(one_who_never_reads_holds_up_nobody)
{
	struct wire_msg m = {.type = FRAME_STATUS, .id = 1};
	struct harness_raw deaf;
	uint8_t buf[256];
	size_t len;

	harness_raw_open(&deaf, &kcfd);
	harness_raw_hello(&deaf, NULL);
	len = codec_encode_frame(&m, 2, 0, 0, buf, sizeof(buf));
	for (;;) { /* until kcfd takes no more */
		ssize_t n = send(deaf.fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			break;
		ck_assert_int_eq(n, len);
	}
	for (unsigned i = 0; i < 20; i++)
		harness_raw_check_service(&kcfd);
	harness_raw_close(&deaf);
	wait_for("connections", "open", 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("churn");
	TCase *t = tcase_create("churn");

	if (geteuid() != 0)
		test_skip_all("kcfd is closed to inspection: only root can count what it holds");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, keeps_nothing_of_those_who_came_and_went);
	tcase_add_test(t, serves_a_thousand_at_a_time);
	tcase_add_test(t, one_who_never_reads_holds_up_nobody);
	suite_add_tcase(s, t);
	return test_main(s);
}
