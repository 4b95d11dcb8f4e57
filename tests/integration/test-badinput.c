/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no client should send: a clear status or the connection closed, nothing left behind, nobody
 * else disturbed.
 *
 * One kcfd for all tests; after each of them it holds nothing but the administrator's connection,
 * and answers others.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <kcf/provider.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;

static void start(void)
{
	harness_kcfd_start_config(&kcfd, "[limits]\nuser_arena = 1M\n", NULL);
	ck_assert_int_eq(chmod(kcfd.dir, 0711), 0);
}

/* For tests that wait until kcfd loses its patience. */
static void start_impatient(void)
{
	harness_kcfd_start_config(&kcfd, "[limits]\nframe_ms = 1000\n", NULL);
}

static void stop(void)
{
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static void setup(void)
{
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
}

/* Ask until what is closed has gone: closing is noticed in another turn of kcfd's loop than the
 * question. */
static void teardown(void)
{
	static const char *const connections[] = {"connections", NULL};
	struct harness_raw admin;
	uint64_t open = 0;
	char *text;

	harness_raw_close(&raw);
	harness_raw_check_service(&kcfd);
	harness_raw_open(&admin, &kcfd);
	harness_raw_hello(&admin, NULL);
	for (int i = 0; i < 10000 && open != 1; i++) {
		ck_assert_uint_eq(harness_raw_admin(&admin, connections, &text), KCF_SUCCESS);
		open = harness_json_u64(text, "open") + harness_json_u64(text, "closing");
		if (open == 1)
			ck_assert_uint_eq(harness_json_u64(text, "all_segments"), 0);
		free(text);
	}
	ck_assert_uint_eq(open, 1);
	ck_assert_uint_eq(harness_raw_admin(&admin, (const char *const[]){"stats", NULL}, &text),
			  KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "units_leased"), 256);
	free(text);
	harness_raw_close(&admin);
}

static void expect_violation(void)
{
	enum kcf_status status;

	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, KCF_PROTOCOL_ERROR);
}

static void put_header(uint8_t *buf, uint16_t type, uint32_t msg_len, uint32_t payload_len)
{
	struct frame_header h = {.type = type,
				 .header_len = FRAME_HEADER_LEN,
				 .version = FRAME_VERSION,
				 .msg_len = msg_len,
				 .payload_len = payload_len,
				 .id = 1};

	frame_put(buf, &h);
}

/* ---- frames ---- */

static const struct {
	size_t at;
	uint8_t byte;
	enum kcf_status status;
} header_faults[] = {
	{0, 'X', KCF_PROTOCOL_ERROR},   {3, 0, KCF_PROTOCOL_ERROR},
	{4, 2, KCF_VERSION_MISMATCH},   {5, 1, KCF_VERSION_MISMATCH},
	{6, 39, KCF_PROTOCOL_ERROR},    {7, 2, KCF_PROTOCOL_ERROR},
	{8, 0, KCF_PROTOCOL_ERROR},     {8, 200, KCF_PROTOCOL_ERROR},
	{9, 1, KCF_PROTOCOL_ERROR},     {14, 2, KCF_PROTOCOL_ERROR},
	{15, 0x80, KCF_PROTOCOL_ERROR}, {18, 2, KCF_PROTOCOL_ERROR},
	{19, 0xff, KCF_PROTOCOL_ERROR},
};

START_TEST(closes_on_every_wrong_header_byte)
{
	uint8_t buf[FRAME_HEADER_LEN];
	enum kcf_status status;

	put_header(buf, FRAME_MECH_FIND, 0, 0);
	buf[header_faults[_i].at] = header_faults[_i].byte;
	harness_raw_write(&raw, buf, sizeof(buf), NULL, 0);
	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, header_faults[_i].status);
}
END_TEST

START_TEST(closes_on_text_of_another_protocol)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

	harness_raw_write(&raw, http, strlen(http), NULL, 0);
	expect_violation();
}
END_TEST

START_TEST(closes_on_types_that_only_kcfd_sends)
{
	static const uint16_t types[] = {FRAME_HELLO_REPLY, FRAME_OP_REPLY,     FRAME_OP_STEP,
					 FRAME_KEY_REPLY,   FRAME_STATUS_REPLY, FRAME_MECH_REPLY,
					 FRAME_DONE,        FRAME_ARENA_REPLY,  FRAME_ROOM,
					 FRAME_EVENT,       FRAME_FATAL,        FRAME_ADMIN_REPLY};
	uint8_t buf[FRAME_HEADER_LEN];

	put_header(buf, types[_i], 0, 0);
	harness_raw_write(&raw, buf, sizeof(buf), NULL, 0);
	expect_violation();
}
END_TEST

START_TEST(closes_on_messages_that_are_no_protobuf)
{
	uint8_t buf[FRAME_HEADER_LEN + 64];

	put_header(buf, FRAME_OP, 64, 0);
	memset(buf + FRAME_HEADER_LEN, 0xff, 64);
	harness_raw_write(&raw, buf, sizeof(buf), NULL, 0);
	expect_violation();
}
END_TEST

START_TEST(skips_header_bytes_of_a_later_version)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};
	struct harness_frame f;
	uint8_t frame[128], longer[160];
	size_t n;

	m.name = "CKM_SHA256";
	n = codec_encode_frame(&m, 9, 0, 0, frame, sizeof(frame));
	frame[6] = FRAME_HEADER_LEN + 8;
	memcpy(longer, frame, FRAME_HEADER_LEN);
	memset(longer + FRAME_HEADER_LEN, 0xee, 8);
	memcpy(longer + FRAME_HEADER_LEN + 8, frame + FRAME_HEADER_LEN, n - FRAME_HEADER_LEN);
	harness_raw_write(&raw, longer, n + 8, NULL, 0);
	harness_raw_expect(&raw, FRAME_MECH_REPLY, &f);
	ck_assert_uint_eq(f.msg.mech_reply.mech, KCF_M_SHA256);
}
END_TEST

START_TEST(closes_on_a_payload_where_there_is_none)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};

	m.name = "CKM_SHA256";
	harness_raw_send(&raw, &m, 1, "abc", 3);
	expect_violation();
}
END_TEST

START_TEST(closes_on_an_id_of_zero)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};

	m.name = "CKM_SHA256";
	harness_raw_send(&raw, &m, 0, NULL, 0);
	expect_violation();
}
END_TEST

/* ---- time ---- */

START_TEST(closes_a_client_that_never_completes_a_frame)
{
	uint8_t buf[FRAME_HEADER_LEN];
	enum kcf_status status;

	put_header(buf, FRAME_MECH_FIND, 100, 0);
	harness_raw_write(&raw, buf, sizeof(buf) - _i, NULL, 0);
	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, KCF_TIMED_OUT);
}
END_TEST

START_TEST(closes_a_client_that_never_says_hello)
{
	enum kcf_status status;

	harness_raw_close(&raw);
	harness_raw_open(&raw, &kcfd);
	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, KCF_TIMED_OUT);
}
END_TEST

/* ---- cut off ---- */

START_TEST(forgets_a_client_that_leaves_in_the_middle_of_a_frame)
{
	uint8_t buf[FRAME_HEADER_LEN];

	put_header(buf, FRAME_OP, 60000, 60000);
	harness_raw_write(&raw, buf, sizeof(buf), NULL, 0);
}
END_TEST

/* ---- descriptors ---- */

static int memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(closes_on_a_flood_of_descriptors)
{
	uint8_t buf[FRAME_HEADER_LEN];
	int fds[16], fd = memory();

	for (int i = 0; i < 16; i++)
		fds[i] = fd;
	put_header(buf, FRAME_MECH_FIND, 1000, 0);
	/* A byte at a time, each with as many descriptors as one write may have. */
	for (size_t i = 0; i < 4; i++) {
		if (!harness_raw_write(&raw, buf + i, 1, fds, 16))
			break;
	}
	close(fd);
	expect_violation();
}
END_TEST

START_TEST(closes_on_descriptors_with_a_frame_that_takes_none)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};
	uint8_t buf[128];
	int fd = memory();
	size_t n;

	m.name = "CKM_SHA256";
	n = codec_encode_frame(&m, 1, 0, 0, buf, sizeof(buf));
	harness_raw_write(&raw, buf, n, &fd, 1);
	close(fd);
	expect_violation();
}
END_TEST

/* ---- order ---- */

START_TEST(refuses_an_update_before_its_init)
{
	struct wire_op op = {.op = KCF_OP_DIGEST, .phase = KCF_UPDATE, .context = 4, .in_len = 3};
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_INVALID_CONTEXT);
}
END_TEST

START_TEST(refuses_an_empty_template_slot)
{
	struct wire_op op = {.op = KCF_OP_MAC,
			     .mech = KCF_M_SHA256_HMAC,
			     .tmpl = 4,
			     .in_len = 3,
			     .out_room = 32};
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(ignores_cancel_and_drop_of_what_is_not_there)
{
	static const enum frame_type types[] = {FRAME_TEMPLATE_DROP, FRAME_CONTEXT_DROP,
						FRAME_ARENA_FREE};
	struct wire_msg m = {.type = FRAME_CANCEL};
	struct harness_frame f;

	m.id = 12345;
	harness_raw_send(&raw, &m, 0, NULL, 0);
	for (int i = 0; i < 3; i++) {
		m.type = types[i];
		m.slot = 77;
		harness_raw_send(&raw, &m, 0, NULL, 0);
	}
	m.type = FRAME_STATUS;
	m.id = 12345;
	harness_raw_send(&raw, &m, 3, NULL, 0);
	harness_raw_expect(&raw, FRAME_STATUS_REPLY, &f);
	ck_assert_uint_eq(f.msg.status_reply.status, KCF_NOT_FOUND);
}
END_TEST

/* ---- permission ---- */

static struct wire_key_reply import_key(struct harness_raw *r)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};
	struct harness_frame f;

	m.key_op.kind = KEYOP_IMPORT;
	m.key_op.key = (struct wire_key){.kind = KCF_KEY_BYTES,
					 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
	harness_raw_send(r, &m, 5, NULL, 0);
	harness_raw_expect(r, FRAME_KEY_REPLY, &f);
	ck_assert_uint_eq(f.msg.key_reply.status, KCF_SUCCESS);
	return f.msg.key_reply;
}

static enum kcf_status mac_by_handle(struct harness_raw *r, struct kcf_key_handle handle)
{
	struct wire_op op = {.op = KCF_OP_MAC,
			     .mech = KCF_M_SHA256_HMAC,
			     .in_len = 3,
			     .out_room = 32,
			     .key = {.kind = KCF_KEY_HANDLE, .handle = handle}};
	struct harness_frame f;

	harness_raw_send_op(r, &op, 6, "abc", 3);
	harness_raw_expect(r, FRAME_OP_REPLY, &f);
	return f.msg.op_reply.status;
}

START_TEST(refuses_a_key_of_another_connection)
{
	struct wire_key_reply key = import_key(&raw);
	struct harness_raw other;

	ck_assert_uint_eq(mac_by_handle(&raw, key.handle), KCF_SUCCESS);
	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, NULL);
	ck_assert_uint_eq(mac_by_handle(&other, key.handle), KCF_KEY_HANDLE_INVALID);
	harness_raw_close(&other);
}
END_TEST

START_TEST(refuses_a_named_key_that_does_not_exist)
{
	struct wire_op op = {.op = KCF_OP_MAC,
			     .mech = KCF_M_SHA256_HMAC,
			     .in_len = 3,
			     .out_room = 32,
			     .key = {.kind = KCF_KEY_NAMED, .name = "nope"}};
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 6, "abc", 3);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(refuses_commands_of_a_user_who_is_not_the_administrator)
{
	char *text;

	harness_raw_close(&raw);
	ck_assert_int_eq(seteuid(23456), 0);
	harness_raw_open(&raw, &kcfd);
	ck_assert_int_eq(seteuid(0), 0);
	harness_raw_hello(&raw, NULL);
	ck_assert_uint_eq(harness_raw_admin(&raw, (const char *const[]){"stats", NULL}, &text),
			  KCF_PERMISSION_DENIED);
	free(text);
}
END_TEST

START_TEST(refuses_the_overflow_user)
{
	enum kcf_status status;

	harness_raw_close(&raw);
	ck_assert_int_eq(seteuid(65534), 0);
	harness_raw_open(&raw, &kcfd);
	ck_assert_int_eq(seteuid(0), 0);
	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, KCF_PERMISSION_DENIED);
}
END_TEST

/* ---- numbers ---- */

START_TEST(refuses_more_arena_than_the_quota)
{
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	static const uint64_t sizes[] = {0, (1 << 20) + 1, UINT64_MAX, UINT64_MAX - 4095};
	struct harness_frame f;

	m.arena.size = sizes[_i];
	harness_raw_send(&raw, &m, 3, NULL, 0);
	harness_raw_expect(&raw, FRAME_ARENA_REPLY, &f);
	ck_assert_uint_ne(f.msg.arena.status, KCF_SUCCESS);
	ck_assert_int_eq(harness_raw_take_fd(&raw), -1);
}
END_TEST

/* Random messages behind a valid header; a fixed sequence. Each costs the connection or is refused.
 */
START_TEST(survives_random_messages_of_every_type)
{
	uint8_t buf[FRAME_HEADER_LEN + 256];
	uint64_t state = 0x9e3779b97f4a7c15u + (uint64_t)_i;

	for (uint16_t type = 1; type < FRAME_TYPE_COUNT; type++) {
		uint32_t len = type * 7u % 200u;

		put_header(buf, type, len, 0);
		for (uint32_t i = 0; i < len; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			buf[FRAME_HEADER_LEN + i] = (uint8_t)state;
		}
		harness_raw_write(&raw, buf, FRAME_HEADER_LEN + len, NULL, 0);
		harness_raw_close(&raw);
		harness_raw_open(&raw, &kcfd);
		harness_raw_hello(&raw, NULL);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("badinput");
	TCase *t = tcase_create("badinput"), *slow = tcase_create("slow");

	tcase_add_unchecked_fixture(t, start, stop);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, closes_on_every_wrong_header_byte, 0,
			    sizeof(header_faults) / sizeof(header_faults[0]));
	tcase_add_test(t, closes_on_text_of_another_protocol);
	tcase_add_loop_test(t, closes_on_types_that_only_kcfd_sends, 0, 12);
	tcase_add_test(t, closes_on_messages_that_are_no_protobuf);
	tcase_add_test(t, skips_header_bytes_of_a_later_version);
	tcase_add_test(t, closes_on_a_payload_where_there_is_none);
	tcase_add_test(t, closes_on_an_id_of_zero);
	tcase_add_test(t, forgets_a_client_that_leaves_in_the_middle_of_a_frame);
	tcase_add_test(t, closes_on_a_flood_of_descriptors);
	tcase_add_test(t, closes_on_descriptors_with_a_frame_that_takes_none);
	tcase_add_test(t, refuses_an_update_before_its_init);
	tcase_add_test(t, refuses_an_empty_template_slot);
	tcase_add_test(t, ignores_cancel_and_drop_of_what_is_not_there);
	tcase_add_test(t, refuses_a_key_of_another_connection);
	tcase_add_test(t, refuses_a_named_key_that_does_not_exist);
	if (geteuid() == 0) { /* only root can pretend to be others */
		tcase_add_test(t, refuses_commands_of_a_user_who_is_not_the_administrator);
		tcase_add_test(t, refuses_the_overflow_user);
	}
	tcase_add_loop_test(t, refuses_more_arena_than_the_quota, 0, 4);
	tcase_add_loop_test(t, survives_random_messages_of_every_type, 0, 5);
	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(slow, start_impatient, stop);
	tcase_add_checked_fixture(slow, setup, teardown);
	tcase_add_loop_test(slow, closes_a_client_that_never_completes_a_frame, 0, 2);
	tcase_add_test(slow, closes_a_client_that_never_says_hello);
	suite_add_tcase(s, slow);
	return test_main(s);
}
