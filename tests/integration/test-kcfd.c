/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon as a process: its arguments, its configuration, its socket, its start and its end. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;

static void teardown(void)
{
	harness_kcfd_stop(&kcfd);
}

static void expect_run(int status, const char *text, const char *const args[])
{
	char *said;
	int got = harness_kcfd_run(args, &said);

	ck_assert_msg(got == status, "exit status %d: %s", got, said);
	ck_assert_msg(strstr(said, text) != NULL, "\"%s\" is not in: %s", text, said);
	free(said);
}

#define RUN(status, text, ...) expect_run(status, text, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(says_its_version_and_its_options)
{
	RUN(0, "kcfd 0.", "--version");
	RUN(0, "--check-config", "--help");
}
END_TEST

START_TEST(refuses_unknown_options)
{
	RUN(2, "kcfd --help", "--no-such-option");
	RUN(2, "not an option", "word");
	RUN(2, "not an open descriptor", "--ready-fd", "99");
}
END_TEST

START_TEST(checks_a_configuration_and_says_where_it_is_wrong)
{
	char good[128], bad[128], at[256];

	harness_kcfd_start(&kcfd, NULL); /* for its directory */
	harness_file(&kcfd, "good.conf", "[limits]\nlease = 16\n", 20, good);
	harness_file(&kcfd, "bad.conf", "[limits]\nleese = 16\n", 20, bad);
	RUN(0, "", "--check-config", "--config", good);
	snprintf(at, sizeof(at), "%s:2: unknown limit \"leese\"; did you mean \"lease\"?", bad);
	RUN(3, at, "--check-config", "--config", bad);
	RUN(3, at, "--config", bad);
	ck_assert_int_eq(chmod(good, 0666), 0);
	RUN(3, "others could have written it", "--check-config", "--config", good);
	RUN(3, "No such file", "--check-config", "--config", "/nowhere/x.conf");
}
END_TEST

START_TEST(refuses_limits_that_do_not_fit_at_start)
{
	char path[128];

	harness_kcfd_start(&kcfd, NULL);
	harness_file(&kcfd, "x.conf", "[limits]\nconnections = 2000\n", 28, path);
	RUN(3, "software_queue", "--config", path);
}
END_TEST

START_TEST(ends_when_told_and_takes_its_socket_away)
{
	struct stat st;

	harness_kcfd_start(&kcfd, NULL);
	harness_raw_check_service(&kcfd);
	ck_assert_int_eq(lstat(kcfd.socket, &st), 0);
	ck_assert_int_eq(kill(kcfd.pid, SIGTERM), 0);
	int status;
	ck_assert_int_eq(waitpid(kcfd.pid, &status, 0), kcfd.pid);
	kcfd.pid = 0;
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(lstat(kcfd.socket, &st), -1);
}
END_TEST

START_TEST(replaces_the_socket_of_a_kcfd_that_died)
{
	struct stat st;

	harness_kcfd_start(&kcfd, NULL);
	harness_kcfd_kill(&kcfd);
	ck_assert_int_eq(lstat(kcfd.socket, &st), 0);
	harness_kcfd_restart(&kcfd, NULL);
	harness_raw_check_service(&kcfd);
}
END_TEST

START_TEST(leaves_the_socket_of_a_living_kcfd_alone)
{
	harness_kcfd_start(&kcfd, NULL);
	RUN(1, "another kcfd serves it", "--socket", kcfd.socket, "--modules", TEST_MODULE_DIR);
	harness_raw_check_service(&kcfd);
}
END_TEST

START_TEST(leaves_a_file_that_is_no_socket_alone)
{
	char path[128];
	struct stat st;

	harness_kcfd_start(&kcfd, NULL);
	harness_file(&kcfd, "file", "precious", 8, path);
	RUN(1, "no socket is there", "--socket", path, "--modules", TEST_MODULE_DIR);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 8);
}
END_TEST

START_TEST(refuses_a_socket_path_that_is_too_long)
{
	char path[256];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	RUN(1, "at most 107 bytes", "--socket", path, "--modules", TEST_MODULE_DIR);
}
END_TEST

START_TEST(gives_the_socket_its_configured_mode)
{
	struct stat st;

	harness_kcfd_start_config(&kcfd, "[socket]\nmode = 0600\n", NULL);
	ck_assert_int_eq(lstat(kcfd.socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(serves_a_client_that_submits_before_the_end_is_told)
{
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
	struct harness_frame f;
	struct harness_raw r;

	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	harness_raw_send_op(&r, &op, 3, "abc", 3);
	harness_raw_expect(&r, FRAME_OP_REPLY, &f);
	ck_assert_int_eq(kill(kcfd.pid, SIGTERM), 0);
	harness_raw_expect_closed(&r, NULL);
	harness_raw_close(&r);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}
END_TEST

START_TEST(answers_what_is_under_way_before_it_ends)
{
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .in_len = 3,
			     .out_room = 32,
			     .preference = KCF_ONLY_PROVIDER,
			     .provider = "fault"};
	static const char *const load[] = {"load", "fault", "latency-us=300000", NULL};
	struct wire_msg status = {.type = FRAME_STATUS};
	struct harness_frame f;
	struct harness_raw r;

	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	ck_assert_uint_eq(harness_raw_admin(&r, load, NULL), KCF_SUCCESS);
	harness_raw_send_op(&r, &op, 3, "abc", 3);
	status.id = 3;
	harness_raw_send(&r, &status, 4, NULL, 0); /* so kcfd has it */
	harness_raw_expect(&r, FRAME_STATUS_REPLY, &f);
	ck_assert_uint_eq(f.msg.status_reply.status, KCF_SUCCESS);
	ck_assert_int_eq(kill(kcfd.pid, SIGTERM), 0);
	harness_raw_expect(&r, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
	harness_raw_expect_closed(&r, NULL);
	harness_raw_close(&r);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}
END_TEST

START_TEST(says_which_key_it_cannot_read)
{
	char path[128];
	static const char text[] = "[key web]\nfile = nothing.pem\nuids = 0\n";

	harness_kcfd_start(&kcfd, NULL);
	harness_file(&kcfd, "x.conf", text, strlen(text), path);
	RUN(1, "nothing.pem", "--config", path, "--socket", "/tmp/kcf-unused.sock", "--modules",
	    TEST_MODULE_DIR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kcfd");
	TCase *t = tcase_create("kcfd");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, says_its_version_and_its_options);
	tcase_add_test(t, refuses_unknown_options);
	tcase_add_test(t, checks_a_configuration_and_says_where_it_is_wrong);
	tcase_add_test(t, refuses_limits_that_do_not_fit_at_start);
	tcase_add_test(t, ends_when_told_and_takes_its_socket_away);
	tcase_add_test(t, replaces_the_socket_of_a_kcfd_that_died);
	tcase_add_test(t, leaves_the_socket_of_a_living_kcfd_alone);
	tcase_add_test(t, leaves_a_file_that_is_no_socket_alone);
	tcase_add_test(t, refuses_a_socket_path_that_is_too_long);
	tcase_add_test(t, gives_the_socket_its_configured_mode);
	tcase_add_test(t, serves_a_client_that_submits_before_the_end_is_told);
	tcase_add_test(t, answers_what_is_under_way_before_it_ends);
	tcase_add_test(t, says_which_key_it_cannot_read);
	suite_add_tcase(s, t);
	return test_main(s);
}
