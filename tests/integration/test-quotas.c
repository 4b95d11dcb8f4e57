/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit is reached by a client that asks for one more than it may have, and only that one
 * more is refused. */
#include <kcf/provider.h>
#include <string.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;

static void start(const char *limits)
{
	char text[512];

	snprintf(text, sizeof(text), "[limits]\n%s\n", limits);
	harness_kcfd_start_config(&kcfd, text, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
}

static void teardown(void)
{
	if (raw.fd >= 0)
		harness_raw_close(&raw);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static void command(const char *a, const char *b, const char *c)
{
	const char *const words[] = {a, b, c, NULL};
	char *text;

	ck_assert_msg(harness_raw_admin(&raw, words, &text) == KCF_SUCCESS, "%s", text);
	free(text);
}

static enum kcf_status refused(void)
{
	struct harness_raw r;
	enum kcf_status status;

	harness_raw_open(&r, &kcfd);
	harness_raw_expect_closed(&r, &status);
	harness_raw_close(&r);
	return status;
}

START_TEST(refuses_a_connection_beyond_the_users_limit)
{
	struct harness_raw other;

	start("user_connections = 2");
	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, NULL);
	ck_assert_uint_eq(refused(), KCF_QUOTA_EXCEEDED);
	command("set", "user_connections", "3");
	harness_raw_check_service(&kcfd);
	harness_raw_close(&other);
}
END_TEST

START_TEST(leaves_room_for_the_administrator_beyond_the_limit_of_all)
{
	struct harness_raw others[8];

	start("connections = 1");
	for (int i = 0; i < 8; i++) {
		harness_raw_open(&others[i], &kcfd);
		harness_raw_hello(&others[i], NULL);
	}
	ck_assert_uint_eq(refused(), KCF_QUOTA_EXCEEDED);
	for (int i = 0; i < 8; i++)
		harness_raw_close(&others[i]);
}
END_TEST

static enum kcf_status import_key(void)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};
	struct harness_frame f;

	m.key_op.kind = KEYOP_IMPORT;
	m.key_op.key = (struct wire_key){.kind = KCF_KEY_BYTES,
					 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
	harness_raw_send(&raw, &m, 5, NULL, 0);
	harness_raw_expect(&raw, FRAME_KEY_REPLY, &f);
	return f.msg.key_reply.status;
}

START_TEST(refuses_a_session_key_beyond_the_users_limit)
{
	enum kcf_status status = KCF_QUOTA_EXCEEDED;

	start("user_keys = 2");
	ck_assert_uint_eq(import_key(), KCF_SUCCESS);
	ck_assert_uint_eq(import_key(), KCF_SUCCESS);
	ck_assert_uint_eq(import_key(), KCF_QUOTA_EXCEEDED);
	/* They go with the connection that made them. */
	harness_raw_close(&raw);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
	for (int i = 0; i < 10000 && status != KCF_SUCCESS; i++) /* until it has noticed */
		status = import_key();
	ck_assert_uint_eq(status, KCF_SUCCESS);
}
END_TEST

static enum kcf_status attach(uint32_t slot)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};
	struct harness_frame f;

	m.attach.slot = slot;
	m.attach.mech = KCF_M_SHA256_HMAC;
	m.attach.key = (struct wire_key){.kind = KCF_KEY_BYTES,
					 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
	harness_raw_send(&raw, &m, 5, NULL, 0);
	harness_raw_expect(&raw, FRAME_DONE, &f);
	return f.msg.status;
}

START_TEST(refuses_a_template_beyond_the_users_limit)
{
	struct wire_msg drop = {.type = FRAME_TEMPLATE_DROP};

	start("user_templates = 2");
	ck_assert_uint_eq(attach(1), KCF_SUCCESS);
	ck_assert_uint_eq(attach(2), KCF_SUCCESS);
	ck_assert_uint_eq(attach(3), KCF_QUOTA_EXCEEDED);
	drop.slot = 1;
	harness_raw_send(&raw, &drop, 0, NULL, 0);
	ck_assert_uint_eq(attach(3), KCF_SUCCESS);
}
END_TEST

static enum kcf_status begin_context(uint32_t number)
{
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .phase = KCF_INIT, .context = number};
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, number, NULL, 0);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	return f.msg.op_reply.status;
}

START_TEST(refuses_a_context_beyond_the_users_limit)
{
	struct wire_msg drop = {.type = FRAME_CONTEXT_DROP};

	start("user_contexts = 2");
	ck_assert_uint_eq(begin_context(1), KCF_SUCCESS);
	ck_assert_uint_eq(begin_context(2), KCF_SUCCESS);
	ck_assert_uint_eq(begin_context(3), KCF_QUOTA_EXCEEDED);
	drop.slot = 2;
	harness_raw_send(&raw, &drop, 0, NULL, 0);
	ck_assert_uint_eq(begin_context(3), KCF_SUCCESS);
}
END_TEST

static enum kcf_status new_segment(uint64_t size, uint32_t *ret_number)
{
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	struct harness_frame f;

	m.arena.size = size;
	harness_raw_send(&raw, &m, 5, NULL, 0);
	harness_raw_expect(&raw, FRAME_ARENA_REPLY, &f);
	if (f.msg.arena.status == KCF_SUCCESS)
		close(harness_raw_take_fd(&raw));
	*ret_number = f.msg.arena.segment;
	return f.msg.arena.status;
}

START_TEST(refuses_arena_memory_beyond_the_users_limit)
{
	struct wire_msg m = {.type = FRAME_ARENA_FREE};
	uint32_t first, n;

	start("user_arena = 128K\nsegment_max = 96K");
	ck_assert_uint_eq(new_segment(97 << 10, &n), KCF_QUOTA_EXCEEDED);
	ck_assert_uint_eq(new_segment(96 << 10, &first), KCF_SUCCESS);
	ck_assert_uint_eq(new_segment(33 << 10, &n), KCF_QUOTA_EXCEEDED);
	ck_assert_uint_eq(new_segment(32 << 10, &n), KCF_SUCCESS);
	m.slot = first;
	harness_raw_send(&raw, &m, 0, NULL, 0);
	ck_assert_uint_eq(new_segment(33 << 10, &n), KCF_SUCCESS);
}
END_TEST

START_TEST(refuses_a_request_beyond_the_users_limit)
{
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .in_len = 3,
			     .out_room = 32,
			     .preference = KCF_ONLY_PROVIDER,
			     .provider = "fault"};
	struct harness_frame f;
	unsigned done = 0;

	start("user_requests = 4");
	command("load", "fault", "gate=closed");
	for (uint64_t id = 1; id <= 5; id++)
		harness_raw_send_op(&raw, &op, id, "abc", 3);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 5);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_QUOTA_EXCEEDED);
	struct wire_msg m = {.type = FRAME_ADMIN};
	m.admin.command = "set";
	m.admin.args[0] = "fault.gate";
	m.admin.args[1] = "open";
	m.admin.n_args = 2;
	harness_raw_send(&raw, &m, 99, NULL, 0);
	while (done < 5 && harness_raw_recv(&raw, &f)) {
		if (f.h.type == FRAME_OP_REPLY)
			ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
		done += f.h.type == FRAME_OP_REPLY || f.h.type == FRAME_ADMIN_REPLY;
	}
	ck_assert_uint_eq(done, 5);
}
END_TEST

START_TEST(refuses_input_beyond_the_largest_request)
{
	struct wire_range in = {0, 0, 65537};
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in = &in, .n_in = 1, .out_room = 32};
	struct harness_frame f;

	start("max_request = 64K");
	ck_assert_uint_eq(new_segment(1 << 20, &in.segment), KCF_SUCCESS);
	harness_raw_send_op(&raw, &op, 1, NULL, 0);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_BUFFER_TOO_BIG);
	in.len = 65536;
	harness_raw_send_op(&raw, &op, 2, NULL, 0);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
}
END_TEST

START_TEST(leases_no_more_than_configured)
{
	struct wire_hello_reply reply;
	struct harness_raw other;

	start("lease = 16");
	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, &reply);
	ck_assert_uint_eq(reply.lease, 16);
	ck_assert_uint_eq(other.page->credit, 16);
	harness_raw_close(&other);
}
END_TEST

START_TEST(sends_room_to_a_client_that_used_up_its_lease)
{
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
	struct wire_msg want = {.type = FRAME_WANT};
	struct harness_frame f;
	unsigned answered = 0;

	start("lease = 8");
	for (uint64_t id = 1; id <= 4; id++)
		harness_raw_send_op(&raw, &op, id, "abc", 3);
	ck_assert(!page_credit_take(raw.page, 9));
	want.room.units = 9; /* more than it ever had */
	harness_raw_send(&raw, &want, 0, NULL, 0);
	do {
		ck_assert(harness_raw_recv(&raw, &f));
		answered += f.h.type == FRAME_OP_REPLY;
	} while (f.h.type != FRAME_ROOM);
	ck_assert_uint_ge(f.msg.room.units, 1);
	while (answered < 4) {
		harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
		answered++;
	}
	ck_assert(page_credit_take(raw.page, 9));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("quotas");
	TCase *t = tcase_create("quotas");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, refuses_a_connection_beyond_the_users_limit);
	tcase_add_test(t, leaves_room_for_the_administrator_beyond_the_limit_of_all);
	tcase_add_test(t, refuses_a_session_key_beyond_the_users_limit);
	tcase_add_test(t, refuses_a_template_beyond_the_users_limit);
	tcase_add_test(t, refuses_a_context_beyond_the_users_limit);
	tcase_add_test(t, refuses_arena_memory_beyond_the_users_limit);
	tcase_add_test(t, refuses_a_request_beyond_the_users_limit);
	tcase_add_test(t, refuses_input_beyond_the_largest_request);
	tcase_add_test(t, leases_no_more_than_configured);
	tcase_add_test(t, sends_room_to_a_client_that_used_up_its_lease);
	suite_add_tcase(s, t);
	return test_main(s);
}
