/* SPDX-License-Identifier: Apache-2.0 */
/* The connection goes away, kcfd is silent, the process forks: nothing hangs, everything completes once. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client-fixture.h"
#include "test-main.h"

static void setup(void)
{
	fixture_setup();
}

static void teardown(void)
{
	fixture_teardown();
}

static enum kcf_status encrypt(struct kcf_client *c, const struct kcf_key *key, const void *in,
			       void *out, size_t len, struct kcf_call_req *req)
{
	const struct kcf_param_iv iv = {data_in, 16};
	const struct kcf_mechanism mech = {KCF_M_AES_CBC, sizeof(iv), &iv};
	struct kcf_data din = kcf_flat(in, len), dout = kcf_flat(out, len);

	return kcf_encrypt(c, &mech, key, &din, &dout, req);
}

static const struct kcf_key raw_key = {KCF_KEY_BYTES, KCF_KEY_RAW, "0123456789abcdef", 16};

/* ---- another kcfd ---- */

START_TEST(connects_again_and_says_so)
{
	struct kcf_client *c = open_client(0);

	fake_drop(&fake);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert(kcf_client_connected(c));
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 2);
	kcf_client_close(c);
}
END_TEST

START_TEST(connects_again_from_the_applications_loop)
{
	struct kcf_client *c = open_client(KCF_CLIENT_APP_LOOP);
	int fd = kcf_client_fd(c);

	fake_drop(&fake);
	while (!events.n[KCF_EVENT_DAEMON_REGAINED]) {
		struct pollfd p = {fd, POLLIN, 0};

		ck_assert_int_eq(poll(&p, 1, -1), 1);
		ck_assert_int_eq(kcf_client_dispatch(c), KCF_SUCCESS);
	}
	ck_assert_int_eq(kcf_client_fd(c), fd);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(fails_at_once_while_kcfd_is_away)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);

	fake_unlisten(&fake);
	fake_drop(&fake);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	ck_assert(!kcf_client_connected(c));
	ck_assert_int_eq(digest(c, NULL), KCF_NO_DAEMON);
	ck_assert_int_eq(digest(c, &req), KCF_NO_DAEMON);
	ck_assert_ptr_null(kcf_buf_alloc(c, 64));
	fake_listen(&fake);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 0);
}
END_TEST

START_TEST(submits_again_what_may_be_done_twice)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_key named = kcf_key_named("disk");
	struct kcf_client *c = open_client(0);
	uint8_t a[64], b[64];

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(c, &raw_key, data_in, a, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(c, &named, data_in, b, 64, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 3);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&r, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(r.statuses[i], KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 6);
	expect_mixed(data_out, data_in, 64);
	expect_mixed(a, data_in, 64);
	expect_mixed(b, data_in, 64);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 3);
}
END_TEST

START_TEST(submits_again_with_the_key_of_a_template)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);
	struct kcf_template *t;
	struct kcf_key key;
	uint8_t out[64];

	ck_assert_int_eq(kcf_template_create(c, KCF_M_AES_CBC, &raw_key, &t), KCF_SUCCESS);
	key = kcf_key_tmpl(t);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(c, &key, data_in, out, 64, &req), KCF_QUEUED);
	kcf_template_destroy(t); /* the request still has it */
	fake_wait(&fake, FRAME_OP, 1);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	ck_assert_int_eq(fake.last_op.key.kind, KCF_KEY_BYTES);
	expect_mixed(out, data_in, 64);
	kcf_client_close(c);
}
END_TEST

START_TEST(does_not_submit_again_what_may_not)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_key handle = {.kind = KCF_KEY_HANDLE}, made;
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	struct kcf_client *c = open_client(0);
	struct kcf_context *ctx;
	uint8_t out[64], same[64] = {0};

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(c, &handle, data_in, out, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(c, &raw_key, same, same, 64, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_key_import(c, &raw_key, 0, &made, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_init(c, &how, &ctx, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 3);
	fake_wait(&fake, FRAME_KEY_OP, 1);
	fake_forget(&fake);
	fake_drop(&fake);
	wait_result(&r, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(r.statuses[i], KCF_NO_DAEMON);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 4);
	ck_assert_int_eq(kcf_update(ctx, &(struct kcf_data){0}, NULL, NULL), KCF_INVALID_CONTEXT);
	kcf_context_free(ctx);
	kcf_client_close(c);
}
END_TEST

START_TEST(completes_what_waited_too_long_for_kcfd)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .timeout_ms = 50};
	struct kcf_call_req none = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(digest(c, &none), KCF_QUEUED);
	fake_unlisten(&fake);
	fake_drop(&fake);
	wait_result(&r, 2);
	ck_assert_int_eq(r.statuses[0], KCF_TIMED_OUT);
	ck_assert_int_eq(r.statuses[1], KCF_NO_DAEMON);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 2);
}
END_TEST

START_TEST(cancels_what_is_held)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);
	struct kcf_req_info info;

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 1);
	fake_unlisten(&fake);
	fake_drop(&fake);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	ck_assert_int_eq(kcf_request_status(c, req.id, &info), KCF_SUCCESS);
	ck_assert_int_eq(info.state, KCF_REQ_WAITING);
	ck_assert_int_eq(kcf_cancel(c, req.id), KCF_SUCCESS);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_CANCELED);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(waits_for_credit_before_submitting_again)
{
	struct wire_msg room = {.type = FRAME_ROOM, .room.units = 2};
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 1);
	fake_forget(&fake);
	FAKE_SET(&fake, lease, 0);
	fake_drop(&fake);
	fake_wait(&fake, FRAME_WANT, 1);
	fake_give(&fake, 2);
	fake_send(&fake, &room, 0);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

/* ---- arena ---- */

START_TEST(offers_its_segments_to_another_kcfd)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);
	uint8_t *in = kcf_buf_alloc(c, 8192), *out = kcf_buf_alloc(c, 8192);

	memset(in, 3, 8192);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(c, &raw_key, in, out, 8192, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 1);
	fake_forget(&fake);
	FAKE_SET(&fake, daemon_id, 2);
	fake_drop(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_ARENA_OFFER), 1);
	expect_mixed(out, in, 8192);
	ck_assert_int_eq(kcf_buf_status(c, out), KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(loses_buffers_that_the_same_kcfd_may_still_fill)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);
	uint8_t *in = kcf_buf_alloc(c, 8192), *out = kcf_buf_alloc(c, 8192);

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(c, &raw_key, in, out, 8192, &req), KCF_QUEUED);
	fake_wait(&fake, FRAME_OP, 1);
	fake_drop(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_NO_DAEMON);
	ck_assert_int_eq(kcf_buf_status(c, out), KCF_BUFFER_LOST);
	ck_assert_int_eq(kcf_buf_status(c, in), KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(gives_up_a_kcfd_that_is_silent_past_the_deadline)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .timeout_ms = 1};
	struct kcf_client *c = open_client(0);
	uint8_t *in = kcf_buf_alloc(c, 8192), *out = kcf_buf_alloc(c, 8192);

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(encrypt(c, &raw_key, in, out, 8192, &req), KCF_QUEUED);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_TIMED_OUT);
	ck_assert_int_eq(kcf_buf_status(c, out), KCF_BUFFER_LOST);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	kcf_buf_free(c, out);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(ends_a_synchronous_call_on_a_silent_kcfd)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = 1};
	struct kcf_client *c = open_client(0);

	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_TIMED_OUT);
	kcf_client_close(c);
}
END_TEST

/* ---- a kcfd that does not keep to the protocol ---- */

static void expect_loss(const void *bytes, size_t len)
{
	struct kcf_client *c = open_client(0);

	fake_send_bytes(&fake, bytes, len);
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	wait_event(KCF_EVENT_DAEMON_REGAINED, 1);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	kcf_client_close(c);
}

START_TEST(leaves_a_kcfd_that_sends_garbage)
{
	static const uint8_t garbage[64] = "this is not a frame, whatever else it may be";

	expect_loss(garbage, sizeof(garbage));
}
END_TEST

static void expect_loss_msg(const struct wire_msg *msg, uint64_t id)
{
	uint8_t buf[512];
	size_t len = codec_encode_frame(msg, id, 0, 0, buf, sizeof(buf));

	expect_loss(buf, len);
}

START_TEST(leaves_a_kcfd_that_answers_what_was_not_asked)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};

	expect_loss_msg(&msg, 12345);
}
END_TEST

START_TEST(leaves_a_kcfd_that_sends_what_clients_send)
{
	struct wire_msg msg = {.type = FRAME_CANCEL, .id = 1};

	expect_loss_msg(&msg, 0);
}
END_TEST

START_TEST(leaves_a_kcfd_that_says_goodbye)
{
	struct wire_msg msg = {.type = FRAME_FATAL, .fatal = {.status = KCF_PROTOCOL_ERROR,
							     .text = "so"}};

	expect_loss_msg(&msg, 0);
}
END_TEST

/* The far end of fd is closed when nobody has fd any more. */
static void expect_unused(int far_end)
{
	struct pollfd p = {.fd = far_end};

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_ne(p.revents & POLLHUP, 0);
}

START_TEST(takes_a_module_that_comes_with_an_event)
{
	struct wire_msg msg = {.type = FRAME_EVENT,
			       .event = {.type = KCF_EVENT_PROVIDER_ADDED, .mechanism = "",
					 .provider = "later", .module = 4}};
	struct kcf_client *c = open_client(0);
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	fake_send_fd(&fake, &msg, 0, fds[1]);
	close(fds[1]);
	wait_event(KCF_EVENT_PROVIDER_ADDED, 1);
	ck_assert_uint_eq(fake_direct_modules, 1);
	expect_unused(fds[0]);
	close(fds[0]);
	fake_send(&fake, &msg, 0); /* and none with it: not to be understood */
	wait_event(KCF_EVENT_DAEMON_LOST, 1);
	ck_assert_uint_eq(fake_direct_modules, 1);
	kcf_client_close(c);
}
END_TEST

START_TEST(closes_descriptors_it_did_not_expect)
{
	struct wire_msg msg = {.type = FRAME_EVENT,
			       .event = {.type = 1000, .mechanism = "", .provider = "newer"}};
	struct kcf_client *c = open_client(0);
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	fake_send_fd(&fake, &msg, 0, fds[1]);
	close(fds[1]);
	expect_unused(fds[0]);
	close(fds[0]);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(events.n[KCF_EVENT_DAEMON_LOST], 0);
	kcf_client_close(c);
}
END_TEST

START_TEST(passes_on_events)
{
	struct wire_msg msg = {.type = FRAME_EVENT,
			       .event = {.type = KCF_EVENT_MECH_ADDED, .mechanism = "CKM_X",
					 .provider = "p"}};
	struct kcf_client *c = open_client(0);

	fake_send(&fake, &msg, 0);
	wait_event(KCF_EVENT_MECH_ADDED, 1);
	kcf_client_close(c);
}
END_TEST

/* ---- fork ---- */

static int in_child(void (*fn)(struct kcf_client *c), struct kcf_client *c)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fn(c);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

#define CHILD_EXPECT(condition, code)                                                              \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(code);                                                               \
	} while (0)

static void use_before_reopen(struct kcf_client *c)
{
	CHILD_EXPECT(!kcf_client_connected(c), 1);
	CHILD_EXPECT(digest(c, NULL) == KCF_NO_DAEMON, 2);
	CHILD_EXPECT(fake_direct_forks == 1, 3);
	CHILD_EXPECT(kcf_buf_alloc(c, 64) == NULL, 4);
	CHILD_EXPECT(kcf_client_close(c) == KCF_SUCCESS, 5);
}

START_TEST(knows_that_it_is_a_child)
{
	struct kcf_client *c = open_client(0);

	ck_assert_ptr_nonnull(kcf_buf_alloc(c, 100));
	ck_assert_int_eq(in_child(use_before_reopen, c), 0);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS); /* the parent's connection is untouched */
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 1);
	kcf_client_close(c);
}
END_TEST

static struct kcf_template *inherited;

static void reopen_and_use(struct kcf_client *c)
{
	struct kcf_key key = kcf_key_tmpl(inherited);
	struct kcf_client_options o = {.size = sizeof(o)};
	uint8_t out[64];

	CHILD_EXPECT(o.size != 0, 1);
	CHILD_EXPECT(kcf_client_reopen(c) == KCF_SUCCESS, 2);
	CHILD_EXPECT(kcf_client_connected(c), 3);
	CHILD_EXPECT(digest(c, NULL) == KCF_SUCCESS, 4);
	CHILD_EXPECT(encrypt(c, &key, data_in, out, 64, NULL) == KCF_SUCCESS, 5);
	CHILD_EXPECT(out[5] == (data_in[5] ^ FAKE_XOR), 6);
	CHILD_EXPECT(kcf_client_reopen(c) == KCF_SUCCESS, 7); /* is open */
	CHILD_EXPECT(kcf_client_close(c) == KCF_SUCCESS, 8);
}

/* ThreadSanitizer gives up when a child of a process with threads makes one of its own, as this library does. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

/* kcfd for the child: the fake serves one connection at a time, so it is another one. */
START_TEST(connects_anew_in_a_child)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c = open_client(0);
	int ready[2];
	pid_t pid;
	int status;
	char go;

	ck_assert_int_eq(kcf_template_create(c, KCF_M_AES_CBC, &raw_key, &inherited), KCF_SUCCESS);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED); /* the parent's, under way at the fork */
	fake_wait(&fake, FRAME_OP, 1);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (read(ready[0], &go, 1) != 1)
			_exit(90);
		reopen_and_use(c);
		_exit(0);
	}
	fake_release(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	kcf_client_close(c); /* frees the one connection the fake serves */
	ck_assert_int_eq(write(ready[1], "g", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), 2);
	ck_assert_uint_eq(r.n, 1);
}
END_TEST

START_TEST(connects_when_kcfd_comes_later)
{
	struct kcf_client_options o = {.size = sizeof(o), .socket = fake.path,
				       .flags = KCF_CLIENT_STANDALONE};
	struct kcf_client *c;

	fake_unlisten(&fake);
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_SUCCESS);
	ck_assert_int_eq(kcf_client_reopen(c), KCF_NO_DAEMON);
	fake_listen(&fake);
	ck_assert_int_eq(kcf_client_reopen(c), KCF_SUCCESS);
	ck_assert_int_eq(digest(c, NULL), KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

#define OPENERS 8

static pthread_barrier_t at_once;

/* The address of the client, if it worked. */
static void *reopen(void *client)
{
	pthread_barrier_wait(&at_once);
	if (kcf_client_reopen(client) != KCF_SUCCESS || digest(client, NULL) != KCF_SUCCESS)
		return NULL;
	return client;
}

/* Nobody listens when it is opened. */
static struct kcf_client *open_offline(void)
{
	struct kcf_client_options o = {.size = sizeof(o), .socket = fake.path,
				       .flags = KCF_CLIENT_STANDALONE};
	struct kcf_client *c;

	fake_unlisten(&fake);
	ck_assert_int_eq(kcf_client_open(&o, &c), KCF_SUCCESS);
	fake_listen(&fake);
	return c;
}

/* From many threads at once; how many it worked for. */
static unsigned reopen_at_once(struct kcf_client *c)
{
	pthread_t threads[OPENERS];
	unsigned n = 0;
	void *ret;

	if (pthread_barrier_init(&at_once, NULL, OPENERS) != 0)
		return 0;
	for (int i = 0; i < OPENERS; i++)
		if (pthread_create(&threads[i], NULL, reopen, c) != 0)
			abort();
	for (int i = 0; i < OPENERS; i++) {
		pthread_join(threads[i], &ret);
		n += ret == c;
	}
	pthread_barrier_destroy(&at_once);
	return n;
}

START_TEST(connects_once_when_several_threads_ask)
{
	for (unsigned round = 1; round <= 200; round++) {
		struct kcf_client *c = open_offline();

		ck_assert_uint_eq(reopen_at_once(c), OPENERS);
		ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), round);
		kcf_client_close(c);
	}
}
END_TEST

static void reopen_in_threads(struct kcf_client *c)
{
	CHILD_EXPECT(reopen_at_once(c) == OPENERS, 1);
	CHILD_EXPECT(kcf_client_close(c) == KCF_SUCCESS, 2);
}

START_TEST(connects_once_when_several_threads_of_a_child_ask)
{
	for (unsigned round = 1; round <= 100; round++) {
		struct kcf_client *c = open_offline();

		ck_assert_int_eq(in_child(reopen_in_threads, c), 0);
		ck_assert_uint_eq(fake_count(&fake, FRAME_HELLO), round);
		kcf_client_close(c);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client-loss");
	TCase *tc = tcase_create("loss");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, connects_again_and_says_so);
	tcase_add_test(tc, connects_again_from_the_applications_loop);
	tcase_add_test(tc, fails_at_once_while_kcfd_is_away);
	tcase_add_test(tc, submits_again_what_may_be_done_twice);
	tcase_add_test(tc, submits_again_with_the_key_of_a_template);
	tcase_add_test(tc, does_not_submit_again_what_may_not);
	tcase_add_test(tc, completes_what_waited_too_long_for_kcfd);
	tcase_add_test(tc, cancels_what_is_held);
	tcase_add_test(tc, waits_for_credit_before_submitting_again);
	tcase_add_test(tc, offers_its_segments_to_another_kcfd);
	tcase_add_test(tc, loses_buffers_that_the_same_kcfd_may_still_fill);
	tcase_add_test(tc, gives_up_a_kcfd_that_is_silent_past_the_deadline);
	tcase_add_test(tc, ends_a_synchronous_call_on_a_silent_kcfd);
	tcase_add_test(tc, leaves_a_kcfd_that_sends_garbage);
	tcase_add_test(tc, leaves_a_kcfd_that_answers_what_was_not_asked);
	tcase_add_test(tc, leaves_a_kcfd_that_sends_what_clients_send);
	tcase_add_test(tc, leaves_a_kcfd_that_says_goodbye);
	tcase_add_test(tc, takes_a_module_that_comes_with_an_event);
	tcase_add_test(tc, closes_descriptors_it_did_not_expect);
	tcase_add_test(tc, passes_on_events);
	tcase_add_test(tc, knows_that_it_is_a_child);
	tcase_add_test(tc, connects_anew_in_a_child);
	tcase_add_test(tc, connects_when_kcfd_comes_later);
	tcase_add_test(tc, connects_once_when_several_threads_ask);
	tcase_add_test(tc, connects_once_when_several_threads_of_a_child_ask);
	suite_add_tcase(s, tc);
	return test_main(s);
}
