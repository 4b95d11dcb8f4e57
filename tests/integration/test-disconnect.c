/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that go away with requests in every state: all of it is cancelled, what a device still
 * uses stays until it is done, nothing is left. The pretended device holds its jobs while its gate
 * is closed.
 */
#include <kcf/provider.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw admin;

static void command(const char *a, const char *b, const char *c)
{
	const char *const words[] = {a, b, c, NULL};
	enum kcf_status status;
	char *text;

	status = harness_raw_admin(&admin, words, &text);
	ck_assert_msg(status == KCF_SUCCESS, "%s %s: %s", a, b, text);
	free(text);
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

/* kcfd notices in a turn of its own; each question is one. */
static void wait_for(const char *what, const char *key, uint64_t value)
{
	uint64_t n = UINT64_MAX;

	for (int i = 0; i < 100000 && n != value; i++)
		n = ask(what, key);
	ck_assert_msg(n == value, "%s: %s is %llu, not %llu", what, key, (unsigned long long)n,
		      (unsigned long long)value);
}

static void setup(void)
{
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&admin, &kcfd);
	harness_raw_hello(&admin, NULL);
	command("load", "fault", "gate=closed");
}

static void teardown(void)
{
	command("set", "fault.gate", "open");
	wait_for("connections", "open", 1);
	wait_for("connections", "closing", 0);
	ck_assert_uint_eq(ask("connections", "all_segments"), 0);
	ck_assert_uint_eq(ask("stats", "units_leased"), ask("connections", "units_leased"));
	harness_raw_close(&admin);
	harness_raw_check_service(&kcfd);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static struct wire_op on_device(void)
{
	return (struct wire_op){.op = KCF_OP_DIGEST,
				.mech = KCF_M_SHA256,
				.in_len = 3,
				.out_room = 32,
				.preference = KCF_ONLY_PROVIDER,
				.provider = "fault"};
}

static void send_many(struct harness_raw *r, unsigned n)
{
	struct wire_op op = on_device();

	for (uint64_t id = 1; id <= n; id++)
		ck_assert(harness_raw_send_op(r, &op, id, "abc", 3));
}

START_TEST(cancels_running_and_waiting_requests_of_a_client_that_leaves)
{
	struct harness_raw r;

	command("set", "fault.slots", "4");
	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	send_many(&r, 40);
	wait_for("stats", "in_flight", 0); /* of the first provider: software */
	harness_raw_close(&r);
}
END_TEST

START_TEST(lets_a_client_leave_while_a_device_works_on_its_arena)
{
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	struct wire_range in, out;
	struct wire_op op = on_device();
	struct harness_frame f;
	struct harness_raw r;

	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	m.arena.size = 65536;
	harness_raw_send(&r, &m, 1, NULL, 0);
	harness_raw_expect(&r, FRAME_ARENA_REPLY, &f);
	in = (struct wire_range){f.msg.arena.segment, 0, 60000};
	out = (struct wire_range){f.msg.arena.segment, 60000, 32};
	op.in_len = op.out_room = 0;
	op.in = &in;
	op.n_in = 1;
	op.out = &out;
	op.n_out = 1;
	ck_assert(harness_raw_send_op(&r, &op, 2, NULL, 0));
	m.type = FRAME_STATUS;
	m.id = 2;
	do { /* until the device has it */
		harness_raw_send(&r, &m, 3, NULL, 0);
		harness_raw_expect(&r, FRAME_STATUS_REPLY, &f);
	} while (f.msg.status_reply.state != KCF_REQ_RUNNING);
	harness_raw_close(&r);
	wait_for("connections", "open", 1);
	command("set", "fault.gate", "open"); /* now the device reads its input */
	wait_for("connections", "all_segments", 0);
}
END_TEST

START_TEST(ends_contexts_and_what_waits_on_them)
{
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .phase = KCF_INIT, .context = 1};
	struct harness_raw r;

	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	for (uint32_t i = 0; i < 50; i++) {
		op.phase = i == 0 ? KCF_INIT : KCF_UPDATE;
		op.in_len = i == 0 ? 0 : 3;
		op.preference = KCF_ONLY_PROVIDER;
		op.provider = "fault";
		ck_assert(harness_raw_send_op(&r, &op, i + 1, "abc", op.in_len));
	}
	harness_raw_close(&r);
	wait_for("connections", "open", 1);
	ck_assert_uint_eq(ask("consumers", "contexts"), 0);
}
END_TEST

START_TEST(takes_hundreds_of_clients_that_come_and_go_in_the_middle_of_work)
{
	for (int round = 0; round < 20; round++) {
		struct harness_raw r[20];

		for (int i = 0; i < 20; i++) {
			harness_raw_open(&r[i], &kcfd);
			harness_raw_hello(&r[i], NULL);
			send_many(&r[i], 4);
		}
		for (int i = 0; i < 20; i++)
			harness_raw_close(&r[i]);
		command("set", "fault.gate", round % 2 ? "closed" : "open");
	}
}
END_TEST

START_TEST(ends_in_time_with_work_that_never_comes_back)
{
	struct harness_raw r;

	command("set", "fault.lose", "1000");
	harness_raw_open(&r, &kcfd);
	harness_raw_hello(&r, NULL);
	send_many(&r, 4);
	harness_raw_close(&admin);
	harness_raw_close(&r);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
	setup(); /* for teardown */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disconnect");
	TCase *t = tcase_create("disconnect");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, cancels_running_and_waiting_requests_of_a_client_that_leaves);
	tcase_add_test(t, lets_a_client_leave_while_a_device_works_on_its_arena);
	tcase_add_test(t, ends_contexts_and_what_waits_on_them);
	tcase_add_test(t, takes_hundreds_of_clients_that_come_and_go_in_the_middle_of_work);
	tcase_add_test(t, ends_in_time_with_work_that_never_comes_back);
	suite_add_tcase(s, t);
	return test_main(s);
}
