/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: cancelling, looking up, room, events, buffers, and its end. */
#include <string.h>
#include <unistd.h>
#include "api-world.h"

/* ---- under way ---- */

START_TEST(cancels_by_id_and_tells_where_a_request_stands)
{
	struct wire_msg m = {.type = FRAME_STATUS}, cancel = {.type = FRAME_CANCEL};
	struct wire_op op = digest_op();
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	harness_raw_send_op(&raw, &op, 2, "abc", 3);
	m.id = 2;
	send_msg(&m, 10);
	harness_raw_expect(&raw, FRAME_STATUS_REPLY, &f);
	ck_assert_uint_eq(f.msg.status_reply.state, KCF_REQ_WAITING);
	ck_assert_uint_eq(f.msg.status_reply.position, 1);
	cancel.id = 2;
	send_msg(&cancel, 0);
	ck_assert_uint_eq(expect_op(2, &f).status, KCF_CANCELED);
	send_msg(&m, 11);
	harness_raw_expect(&raw, FRAME_STATUS_REPLY, &f);
	ck_assert_uint_eq(f.msg.status_reply.status, KCF_NOT_FOUND);
	fake_start(wait_request());
	cancel.id = 1;
	send_msg(&cancel, 0);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_SUCCESS);
}
END_TEST

START_TEST(cancels_everything_when_the_client_goes_away)
{
	struct wire_op op = digest_op();
	struct request *running;

	for (uint64_t id = 1; id <= 10; id++)
		harness_raw_send_op(&raw, &op, id, "abc", 3);
	running = wait_request();
	for (int i = 0; i < 100 && fake.n_submitted < 10; i++)
		pump(NULL);
	fake_start(running);
	attach(3, KCF_M_SHA256_HMAC);
	harness_raw_close(&raw);
	pump_some();
	ck_assert_uint_eq(fake.n_canceled, 10);
	ck_assert_int_eq(fake.n_requests, 1); /* its memory stays until it returns */
	ck_assert_int_eq(fake.n_consumers, 1);
	fake_complete(running, KCF_SUCCESS, 1);
	ck_assert_int_eq(fake.n_requests, 0);
}
END_TEST

START_TEST(answers_a_lookup_that_has_to_wait)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};
	struct harness_frame f;

	m.name = "later";
	send_msg(&m, 4);
	for (int i = 0; i < 100 && !fake.find_done; i++)
		pump(NULL);
	fake.find_done(fake.find_arg, KCF_SUCCESS, 4096);
	harness_raw_expect(&raw, FRAME_MECH_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 4);
	ck_assert_uint_eq(f.msg.mech_reply.mech, 4096);
}
END_TEST

START_TEST(survives_a_client_that_leaves_during_a_lookup)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};

	m.name = "later";
	send_msg(&m, 4);
	for (int i = 0; i < 100 && !fake.find_done; i++)
		pump(NULL);
	harness_raw_close(&raw);
	pump_some();
	ck_assert_uint_eq(api.n_conns, 0);
	fake.find_done(fake.find_arg, KCF_SUCCESS, 4096);
}
END_TEST

START_TEST(sends_room_when_credits_come_back)
{
	struct wire_msg m = {.type = FRAME_WANT};
	struct wire_op op = digest_op();
	struct harness_frame f;

	fake.units_free = 0;
	for (uint64_t id = 1; id <= 128; id++)
		harness_raw_send_op(&raw, &op, id, "abc", 3);
	m.room.units = 2;
	send_msg(&m, 0);
	for (int i = 0; i < 1000 && fake.n_submitted < 128; i++)
		pump(NULL);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	expect_op(1, &f);
	harness_raw_expect(&raw, FRAME_ROOM, &f);
	ck_assert_uint_eq(f.msg.room.units, 2);
	ck_assert_uint_eq(raw.page->credit, 2);
}
END_TEST

START_TEST(tells_events_to_every_client)
{
	struct harness_frame f;

	api.events.event(api.events.arg, KCF_EVENT_PROVIDER_ADDED, NULL, "null");
	harness_raw_expect(&raw, FRAME_EVENT, &f);
	ck_assert_uint_eq(f.msg.event.type, KCF_EVENT_PROVIDER_ADDED);
	ck_assert_str_eq(f.msg.event.provider, "null");
	ck_assert_str_eq(f.msg.event.mechanism, "");
}
END_TEST

START_TEST(reads_no_more_from_a_client_that_does_not_read)
{
	struct wire_op op = {.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .out_room = 16384};
	struct harness_frame f;
	uint64_t sent = 0, answered = 0;
	struct conn *c = list_entry(api.conns.next, struct conn, link);

	/* Answers of 16 KiB, none of them read. */
	while (!c->paused && sent < 1000) {
		ck_assert(harness_raw_send_op(&raw, &op, ++sent, NULL, 0));
		pump_some();
		if (fake_first())
			fake_complete(fake_first(), KCF_SUCCESS, 1);
		pump(NULL);
	}
	ck_assert(c->paused);
	ck_assert_uint_lt(sent, 1000);
	ck_assert_uint_lt(out_len(&c->out), OUT_PAUSE + 2 * 16384);
	ck_assert(harness_raw_send_op(&raw, &op, ++sent, NULL, 0));
	pump_some();
	ck_assert_ptr_null(fake_first()); /* it was not read */
	while (answered < sent) {
		if (fake_first())
			fake_complete(fake_first(), KCF_SUCCESS, 1);
		harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
		ck_assert_uint_eq(f.h.id, ++answered);
	}
	ck_assert(!c->paused);
}
END_TEST

START_TEST(owns_no_buffer_while_idle)
{
	struct conn *c = list_entry(api.conns.next, struct conn, link);
	struct wire_op op = digest_op();
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	expect_op(1, &f);
	pump_some();
	ck_assert_ptr_null(c->in.mem);
	ck_assert_ptr_null(c->out.buf.mem);
	ck_assert_uint_lt(sizeof(*c), 2048);
}
END_TEST

START_TEST(leaves_no_key_bytes_in_its_buffers)
{
	struct conn *c = list_entry(api.conns.next, struct conn, link);
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};
	struct harness_frame f;
	uint8_t buf[256];
	size_t n;

	m.attach.slot = 1;
	m.attach.mech = KCF_M_SHA256_HMAC;
	m.attach.key = some_bytes();
	n = codec_encode_frame(&m, 1, 0, 0, buf, sizeof(buf));
	memcpy(buf + n, "\x4b", 1); /* the next frame begins, so the buffer stays */
	ck_assert(harness_raw_write(&raw, buf, n + 1, NULL, 0));
	harness_raw_expect(&raw, FRAME_DONE, &f);
	ck_assert_ptr_nonnull(c->in.mem);
	ck_assert_uint_eq(c->in.len, 1);
	ck_assert_ptr_null(memmem(c->in.mem, c->in.high, "0123456789abcdef", 16));
	ck_assert_ptr_null(memmem(api.arena.mem, CODEC_ARENA_SIZE, "0123456789abcdef", 16));
}
END_TEST

START_TEST(runs_a_turns_worth_before_it_reads_more)
{
	struct harness_raw other;
	struct wire_op op = digest_op();

	connect_raw(&other, geteuid());
	harness_raw_hello(&other, NULL);
	fake.turn = 3;
	for (uint64_t id = 1; id <= 3; id++) {
		ck_assert(harness_raw_send_op(&raw, &op, id, "abc", 3));
		ck_assert(harness_raw_send_op(&other, &op, id, "abc", 3));
	}
	while (fake.n_submitted < 6)
		pump(NULL);
	ck_assert_uint_eq(fake.most_fresh, 3);
	fake.turn = fake.most_fresh = 0; /* and without that both go into one turn */
	for (uint64_t id = 4; id <= 6; id++) {
		ck_assert(harness_raw_send_op(&raw, &op, id, "abc", 3));
		ck_assert(harness_raw_send_op(&other, &op, id, "abc", 3));
	}
	while (fake.n_submitted < 12)
		pump(NULL);
	ck_assert_uint_eq(fake.most_fresh, 6);
	harness_raw_close(&other);
	pump_some();
}
END_TEST

START_TEST(takes_frames_split_at_every_byte)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};
	struct harness_frame f;
	uint8_t buf[256];
	size_t n;

	m.name = "CKM_SHA256";
	n = codec_encode_frame(&m, 3, 0, 0, buf, sizeof(buf));
	for (size_t i = 0; i < n; i++) {
		ck_assert(harness_raw_write(&raw, buf + i, 1, NULL, 0));
		pump(NULL);
	}
	harness_raw_expect(&raw, FRAME_MECH_REPLY, &f);
	ck_assert_uint_eq(f.msg.mech_reply.mech, KCF_M_SHA256);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn");
	TCase *t = tcase_create("served");

	tcase_add_checked_fixture(t, world_setup_served, world_teardown);
	tcase_add_test(t, cancels_by_id_and_tells_where_a_request_stands);
	tcase_add_test(t, cancels_everything_when_the_client_goes_away);
	tcase_add_test(t, answers_a_lookup_that_has_to_wait);
	tcase_add_test(t, survives_a_client_that_leaves_during_a_lookup);
	tcase_add_test(t, sends_room_when_credits_come_back);
	tcase_add_test(t, tells_events_to_every_client);
	tcase_add_test(t, reads_no_more_from_a_client_that_does_not_read);
	tcase_add_test(t, owns_no_buffer_while_idle);
	tcase_add_test(t, leaves_no_key_bytes_in_its_buffers);
	tcase_add_test(t, runs_a_turns_worth_before_it_reads_more);
	tcase_add_test(t, takes_frames_split_at_every_byte);
	suite_add_tcase(s, t);
	return test_main(s);
}
