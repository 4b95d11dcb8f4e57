/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcfd dies, comes back, is not there; the program forks; clients vanish. Nothing hangs, every request ends exactly once.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

#define MANY 100

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t data[64] = "payload", buf[MANY][32], want[32];
static struct kcf_data in;
static struct kcf_key key;
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static struct kcf_client_options options;

static void setup(void)
{
	struct kcf_data w = kcf_flat(want, 32);

	collect_init(&done);
	harness_kcfd_start(&kcfd, NULL);
	options = (struct kcf_client_options){.size = sizeof(options), .socket = kcfd.socket,
					      .flags = KCF_CLIENT_STANDALONE,
					      .on_event = collect_event_cb, .event_arg = &done,
					      .module_dir = TEST_MODULE_DIR};
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	in = kcf_flat(data, sizeof(data));
	key = kcf_key_bytes("0123456789abcdef", 16);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

START_TEST(repeatable_requests_in_flight_survive_a_restart)
{
	admin_do(&kcfd, "load", "fault", "instance=fault0", "gate=closed", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[i], 32);

		req.preference = KCF_PREFER_HARDWARE;
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	admin_wait_requests(&kcfd, "running", 1);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, NULL);
	collect_wait(&done, MANY);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_mem_eq(buf[i], want, 32);
	collect_wait_event(&done, KCF_EVENT_DAEMON_LOST);
	collect_wait_event(&done, KCF_EVENT_DAEMON_REGAINED);
	ck_assert_uint_eq(collect_n(&done), MANY);
}
END_TEST

START_TEST(without_a_daemon_requests_end_with_an_error_and_in_caller_work_goes_on)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data out = kcf_flat(buf[0], 32);

	admin_do(&kcfd, "load", "fault", "instance=fault0", "gate=closed", NULL);
	req.preference = KCF_PREFER_HARDWARE;
	req.timeout_ms = 100;
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	harness_kcfd_kill(&kcfd);
	collect_wait(&done, 1);
	ck_assert(done.status == KCF_NO_DAEMON || done.status == KCF_TIMED_OUT);
	collect_wait_event(&done, KCF_EVENT_DAEMON_LOST);
	ck_assert(!kcf_client_connected(client));
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(buf[0], want, 32);
	ck_assert_uint_eq(collect_n(&done), 1);
}
END_TEST

START_TEST(session_keys_die_with_the_daemon_named_numbers_do_not)
{
	struct kcf_data out = kcf_flat(buf[0], 32);
	struct kcf_key k;

	ck_assert_int_eq(kcf_key_import(client, &key, 0, &k, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_SUCCESS);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, NULL);
	collect_wait_event(&done, KCF_EVENT_DAEMON_REGAINED);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_KEY_HANDLE_INVALID);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
}
END_TEST

START_TEST(arena_buffers_work_again_after_a_restart)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	uint8_t *b = kcf_buf_alloc(client, 65536);
	struct kcf_data d, out = kcf_flat(buf[0], 32);

	ck_assert_ptr_nonnull(b);
	memcpy(b, data, sizeof(data));
	d = kcf_flat(b, sizeof(data));
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &d, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, NULL);
	collect_wait_event(&done, KCF_EVENT_DAEMON_REGAINED);
	memset(buf[0], 0, 32);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &d, &out, &req), KCF_QUEUED);
	collect_wait(&done, 2);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_mem_eq(buf[0], want, 32);
	kcf_buf_free(client, b);
}
END_TEST

/* Runs in the child: 0, or the number of what went wrong. */
static int child(void)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data out = kcf_flat(buf[1], 32);

	if (kcf_mac(client, &hmac, &key, &in, &out, NULL) != KCF_SUCCESS || memcmp(buf[1], want, 32))
		return 1;
	if (kcf_mac(client, &hmac, &key, &in, &out, &req) != KCF_NO_DAEMON)
		return 2;
	if (kcf_client_reopen(client) != KCF_SUCCESS)
		return 3;
	memset(buf[1], 0, 32);
	collect_reset(&done);
	if (kcf_mac(client, &hmac, &key, &in, &out, &req) != KCF_QUEUED)
		return 4;
	collect_wait(&done, 1);
	if (done.status != KCF_SUCCESS || memcmp(buf[1], want, 32))
		return 5;
	return 0;
}

START_TEST(a_forked_child_computes_alone_until_it_reopens)
{
	struct kcf_data out = kcf_flat(buf[0], 32);
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(child());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: %x", status);
	/* The parent's connection is as it was. */
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

START_TEST(closing_completes_everything_open_as_cancelled)
{
	admin_do(&kcfd, "load", "fault", "instance=fault0", "gate=closed", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[i], 32);

		req.preference = KCF_ONLY_HARDWARE;
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	ck_assert_uint_eq(collect_n(&done), MANY);
	ck_assert_uint_eq(done.n_status[KCF_CANCELED], MANY);
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
}
END_TEST

START_TEST(a_vanished_clients_requests_are_cancelled)
{
	int ready[2];
	char c;

	admin_do(&kcfd, "load", "fault", "instance=fault0", "slots=1", "gate=closed", NULL);
	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		if (kcf_client_reopen(client) != KCF_SUCCESS)
			_exit(1);
		for (unsigned i = 0; i < 20; i++) {
			struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
			struct kcf_data out = kcf_flat(buf[i], 32);

			req.preference = KCF_ONLY_HARDWARE;
			if (kcf_mac(client, &hmac, &key, &in, &out, &req) != KCF_QUEUED)
				_exit(2);
		}
		if (write(ready[1], "x", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	admin_wait_requests(&kcfd, "waiting", 19);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (;;) {
		json_t *j = admin_json(&kcfd, "requests", NULL);
		json_t *rows = json_is_array(j) ? j : json_object_get(j, "requests");
		size_t n = json_array_size(rows);

		json_decref(j);
		if (n <= 1) /* what the device still holds */
			break;
	}
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	harness_raw_check_service(&kcfd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lifecycle");
	TCase *t = tcase_create("lifecycle");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, repeatable_requests_in_flight_survive_a_restart);
	tcase_add_test(t, without_a_daemon_requests_end_with_an_error_and_in_caller_work_goes_on);
	tcase_add_test(t, session_keys_die_with_the_daemon_named_numbers_do_not);
	tcase_add_test(t, arena_buffers_work_again_after_a_restart);
	tcase_add_test(t, a_forked_child_computes_alone_until_it_reopens);
	tcase_add_test(t, closing_completes_everything_open_as_cancelled);
	tcase_add_test(t, a_vanished_clients_requests_are_cancelled);
	suite_add_tcase(s, t);
	return test_main(s);
}
