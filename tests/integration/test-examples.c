/* SPDX-License-Identifier: Apache-2.0 */
/* The programs in docs/examples do what they say, on a private kcfd. */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness.h"
#include "test-main.h"

#define EXAMPLES TEST_BUILD_DIR "/docs/examples/"

static struct harness_kcfd kcfd;

static void setup(void)
{
	harness_kcfd_start(&kcfd, NULL);
}

static void teardown(void)
{
	harness_kcfd_stop(&kcfd);
}

/* Run a program with this input; its exit status, and what it printed. */
static int run(const char *program, const char *socket, const char *input, char *ret, size_t room)
{
	char variable[160], *argv[] = {(char *)program, NULL}, *envp[] = {variable, NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	snprintf(variable, sizeof(variable), "KCF_SOCKET=%s", socket);
	ck_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	ck_assert_int_eq(posix_spawn(&pid, program, &actions, NULL, argv, envp), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	ck_assert_int_eq(write(in[1], input, strlen(input)), (ssize_t)strlen(input));
	close(in[1]);
	while (len + 1 < room && (n = read(out[0], ret + len, room - 1 - len)) > 0)
		len += (size_t)n;
	ret[len] = '\0';
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(first_does_it_both_ways)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-first", kcfd.socket, "", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "synchronous: success, ba78...\n"
			       "asynchronous: success, by openssl\n");
	ck_assert_int_eq(run(EXAMPLES "example-first", "/nonexistent", "", text, sizeof(text)), 1);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(sync_digests_its_input)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-sync", kcfd.socket, "abc", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
}
END_TEST

START_TEST(batch_finds_the_changed_packet)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-batch", kcfd.socket, "", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "0 not encrypted, 1 not decrypted\n");
}
END_TEST

START_TEST(epoll_loop_finishes_a_thousand)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-epoll-loop", kcfd.socket, "", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "1000 done, 0 failed\n");
}
END_TEST

START_TEST(libuv_loop_finishes_beside_a_timer)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-libuv-loop", kcfd.socket, "", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "200 done, 0 failed\n");
}
END_TEST

START_TEST(the_loops_say_that_kcfd_is_not_there)
{
	char text[256];

	ck_assert_int_eq(run(EXAMPLES "example-epoll-loop", "/nonexistent", "", text, sizeof(text)),
			 1);
	ck_assert_int_eq(run(EXAMPLES "example-libuv-loop", "/nonexistent", "", text, sizeof(text)),
			 1);
	ck_assert_str_eq(text, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("examples");
	TCase *tc = tcase_create("examples");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, first_does_it_both_ways);
	tcase_add_test(tc, sync_digests_its_input);
	tcase_add_test(tc, batch_finds_the_changed_packet);
	tcase_add_test(tc, epoll_loop_finishes_a_thousand);
	tcase_add_test(tc, libuv_loop_finishes_beside_a_timer);
	tcase_add_test(tc, the_loops_say_that_kcfd_is_not_there);
	suite_add_tcase(s, tc);
	return test_main(s);
}
