/* SPDX-License-Identifier: Apache-2.0 */
/* Credits, waiting for room, and payload that is too much for a frame. */
#include <stdlib.h>
#include <string.h>
#include "client-fixture.h"
#include "test-main.h"

#define BIG (200u * 1024)

static void setup(void)
{
	fixture_setup();
}

static void teardown(void)
{
	fixture_teardown();
}

static struct kcf_mechanism cbc_mech(const struct kcf_param_iv *iv)
{
	return (struct kcf_mechanism){KCF_M_AES_CBC, sizeof(*iv), iv};
}

static enum kcf_status encrypt(struct kcf_client *c, const void *in, void *out, size_t len,
			       struct kcf_call_req *req)
{
	const struct kcf_param_iv iv = {data_in, 16};
	const struct kcf_mechanism mech = cbc_mech(&iv);
	const struct kcf_key key = kcf_key_bytes("0123456789abcdef", 16);
	struct kcf_data din = kcf_flat(in, len), dout = kcf_flat(out, len);

	return kcf_encrypt(c, &mech, &key, &din, &dout, req);
}

/* ---- credits ---- */

START_TEST(pays_one_unit_and_one_per_started_page_inline)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[16384], out[16384];

	ck_assert_int_eq(encrypt(c, in, out, 64, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.units, 2);
	ck_assert_int_eq(encrypt(c, in, out, 4096, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.units, 3);
	ck_assert_int_eq(encrypt(c, in, out, 4112, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.units, 4);
	kcf_client_close(c);
}
END_TEST

START_TEST(does_not_pay_for_room_that_cannot_be_used)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[64], out[1 << 20];
	struct kcf_data din = kcf_flat(in, sizeof(in)), dout = kcf_flat(out, sizeof(out));
	struct kcf_param_iv iv = {data_in, 16};
	struct kcf_mechanism mech = cbc_mech(&iv);
	struct kcf_key key = kcf_key_bytes("0123456789abcdef", 16);

	ck_assert_int_eq(kcf_encrypt(c, &mech, &key, &din, &dout, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.units, 2);
	kcf_client_close(c);
}
END_TEST

START_TEST(refuses_at_once_without_credit)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c;

	FAKE_SET(&fake, lease, 3);
	FAKE_SET(&fake, hold, true);
	c = open_client(0);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(digest(c, &req), KCF_BUSY);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_NO_ROOM);
	ck_assert_uint_eq(req.id, 0);
	fake_release(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_NONE);
	wait_result(&r, 2);
	ck_assert_uint_eq(fake_count(&fake, FRAME_WANT), 0);
	kcf_client_close(c);
	ck_assert_uint_eq(r.n, 2);
}
END_TEST

START_TEST(tells_when_there_is_room)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_NOTIFY_SPACE};
	struct wire_msg room = {.type = FRAME_ROOM, .room.units = 2};
	struct kcf_client *c;

	FAKE_SET(&fake, lease, 0);
	c = open_client(0);
	ck_assert_int_eq(digest(c, &req), KCF_BUSY);
	ck_assert_int_eq(digest(c, &req), KCF_BUSY); /* joins */
	fake_wait(&fake, FRAME_WANT, 1);
	fake_give(&fake, 2);
	fake_send(&fake, &room, 0);
	wait_event(KCF_EVENT_ROOM, 1);
	ck_assert_uint_eq(events.last.units, 2);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_WANT), 1);
	kcf_client_close(c);
	ck_assert_uint_eq(events.n[KCF_EVENT_ROOM], 1);
}
END_TEST

static void *digest_thread(void *arg)
{
	return (void *)(uintptr_t)digest(arg, NULL);
}

START_TEST(waits_for_room_in_a_synchronous_call)
{
	struct wire_msg room = {.type = FRAME_ROOM, .room.units = 2};
	struct kcf_client *c;
	pthread_t thread;
	void *status;

	FAKE_SET(&fake, lease, 1);
	c = open_client(0);
	ck_assert_int_eq(pthread_create(&thread, NULL, digest_thread, c), 0);
	fake_wait(&fake, FRAME_WANT, 1);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 0);
	fake_give(&fake, 1);
	fake_send(&fake, &room, 0);
	pthread_join(thread, &status);
	ck_assert_int_eq((int)(uintptr_t)status, KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(nobody_overtakes_a_thread_that_waits_for_credit)
{
	struct wire_msg room = {.type = FRAME_ROOM, .room.units = 2};
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	struct kcf_client *c;
	pthread_t thread;
	void *status;

	FAKE_SET(&fake, lease, 1);
	c = open_client(0);
	ck_assert_int_eq(pthread_create(&thread, NULL, digest_thread, c), 0);
	fake_wait(&fake, FRAME_WANT, 1);
	fake_give(&fake, 1); /* enough, but not for this one */
	ck_assert_int_eq(digest(c, &req), KCF_BUSY);
	fake_send(&fake, &room, 0);
	pthread_join(thread, &status);
	ck_assert_int_eq((int)(uintptr_t)status, KCF_SUCCESS);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 1);
	kcf_client_close(c);
}
END_TEST

START_TEST(gives_up_waiting_for_room_at_the_deadline)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = 20};
	struct kcf_client *c;

	FAKE_SET(&fake, lease, 0);
	c = open_client(0);
	ck_assert_int_eq(digest(c, &req), KCF_TIMED_OUT);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 0);
	kcf_client_close(c);
}
END_TEST

START_TEST(never_returns_busy_from_a_synchronous_call)
{
	struct wire_msg room = {.type = FRAME_ROOM, .room.provider = 3};
	struct kcf_client *c = open_client(0);
	pthread_t thread;
	void *status;

	FAKE_SET(&fake, n_busy, 2);
	FAKE_SET(&fake, busy_provider, 3);
	ck_assert_int_eq(pthread_create(&thread, NULL, digest_thread, c), 0);
	fake_wait(&fake, FRAME_WANT, 1);
	fake_send(&fake, &room, 0);
	fake_wait(&fake, FRAME_WANT, 2);
	fake_send(&fake, &room, 0);
	pthread_join(thread, &status);
	ck_assert_int_eq((int)(uintptr_t)status, KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_OP), 3);
	kcf_client_close(c);
}
END_TEST

START_TEST(passes_on_a_later_busy_by_callback)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_NOTIFY_SPACE};
	struct wire_msg room = {.type = FRAME_ROOM, .room.provider = 1};
	struct kcf_client *c = open_client(0);

	FAKE_SET(&fake, n_busy, 1);
	FAKE_SET(&fake, busy_provider, 1);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_BUSY);
	ck_assert_int_eq(r.last.busy_reason, KCF_BUSY_NO_ROOM);
	fake_wait(&fake, FRAME_WANT, 1);
	fake_send(&fake, &room, 0);
	wait_event(KCF_EVENT_ROOM, 1);
	ck_assert_uint_eq(events.last.units, 0);
	kcf_client_close(c);
}
END_TEST

START_TEST(asks_for_credits_and_for_a_slot_apart)
{
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_NOTIFY_SPACE};
	struct wire_msg slot = {.type = FRAME_ROOM, .room.provider = 3};
	struct wire_msg units = {.type = FRAME_ROOM, .room.units = 2};
	struct kcf_client *c;

	FAKE_SET(&fake, lease, 2);
	FAKE_SET(&fake, n_busy, 1);
	FAKE_SET(&fake, busy_provider, 3);
	c = open_client(0);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	wait_result(&r, 1);
	fake_wait(&fake, FRAME_WANT, 1);
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(digest(c, &req), KCF_BUSY);
	fake_wait(&fake, FRAME_WANT, 2);
	fake_send(&fake, &units, 0);
	wait_event(KCF_EVENT_ROOM, 1);
	ck_assert_uint_eq(events.last.units, 2);
	fake_send(&fake, &slot, 0);
	wait_event(KCF_EVENT_ROOM, 2);
	ck_assert_uint_eq(events.last.units, 0);
	fake_send(&fake, &slot, 0); /* nobody asked any more */
	fake_release(&fake);
	wait_result(&r, 2);
	ck_assert_uint_eq(events.n[KCF_EVENT_ROOM], 2);
	kcf_client_close(c);
}
END_TEST

START_TEST(a_refusal_that_is_not_for_room_is_not_waited_for)
{
	struct kcf_client *c = open_client(0);

	FAKE_SET(&fake, status, KCF_BUSY);
	ck_assert_int_eq(digest(c, NULL), KCF_FAILED);
	ck_assert_uint_eq(fake_count(&fake, FRAME_WANT), 0);
	kcf_client_close(c);
}
END_TEST

/* ---- large payload ---- */

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

START_TEST(copies_large_payload_through_the_arena)
{
	struct kcf_client *c = open_client(0);
	uint8_t *in = malloc(BIG), *out = calloc(1, BIG);
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	fill(in, BIG);
	ck_assert_int_eq(encrypt(c, in, out, BIG, NULL), KCF_SUCCESS);
	expect_mixed(out, in, BIG);
	ck_assert_uint_eq(fake.last_op.units, 1);
	ck_assert_uint_eq(fake.last_op.in_len, 0);
	memset(out, 0, BIG);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	wait_result(&r, 1);
	expect_mixed(out, in, BIG);
	for (int i = 0; i < 50; i++) /* the memory is used again */
		ck_assert_int_eq(encrypt(c, in, out, BIG, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake_count(&fake, FRAME_ARENA_NEW), 1);
	kcf_client_close(c);
	free(in);
	free(out);
}
END_TEST

START_TEST(uses_arena_buffers_in_place)
{
	struct kcf_client *c = open_client(0);
	uint8_t *in = kcf_buf_alloc(c, BIG), *out = kcf_buf_alloc(c, BIG);

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	fill(in, BIG);
	ck_assert_int_eq(encrypt(c, in, out, BIG, NULL), KCF_SUCCESS);
	expect_mixed(out, in, BIG);
	ck_assert_int_eq(encrypt(c, in, out, 16, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(fake.last_op.units, 1); /* small, but not inline */
	ck_assert_int_eq(kcf_buf_status(c, in), KCF_SUCCESS);
	ck_assert_int_eq(kcf_buf_status(c, in + 1), KCF_NOT_FOUND);
	kcf_buf_free(c, in);
	ck_assert_int_eq(kcf_buf_status(c, in), KCF_NOT_FOUND);
	kcf_buf_free(c, NULL);
	kcf_client_close(c);
}
END_TEST

START_TEST(refuses_more_than_the_largest_request)
{
	struct kcf_client *c = open_client(0);
	size_t len = WIRE_MAX_REQUEST + 16;
	uint8_t *buf = calloc(1, len);

	ck_assert_int_eq(encrypt(c, buf, buf, len, NULL), KCF_BUFFER_TOO_BIG);
	ck_assert_int_eq(encrypt(c, buf, buf, WIRE_MAX_REQUEST, NULL), KCF_SUCCESS);
	kcf_client_close(c);
	free(buf);
}
END_TEST

START_TEST(reports_a_full_quota)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[BIG], out[BIG];

	FAKE_SET(&fake, arena_status, KCF_QUOTA_EXCEEDED);
	ck_assert_ptr_null(kcf_buf_alloc(c, BIG));
	ck_assert_int_eq(encrypt(c, in, out, BIG, NULL), KCF_QUOTA_EXCEEDED);
	/* what still fits a frame travels in it */
	ck_assert_int_eq(encrypt(c, in, out, 16384, NULL), KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(an_asynchronous_call_offers_memory_and_does_not_wait)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[4][BIG], out[4][BIG];
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	FAKE_SET(&fake, silent, true); /* whoever waited for it would wait for ever */
	for (int i = 0; i < 4; i++) {
		fill(in[i], BIG);
		in[i][0] = (uint8_t)i;
		ck_assert_int_eq(encrypt(c, in[i], out[i], BIG, &req), KCF_QUEUED);
		ck_assert_int_eq(digest(c, &req), KCF_QUEUED); /* with no descriptor, behind it */
	}
	fake_speak(&fake);
	wait_result(&r, 8);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(r.statuses[i], KCF_SUCCESS);
	expect_mixed(out[0], in[0], BIG);
	expect_mixed(out[3], in[3], BIG);
	ck_assert_uint_eq(fake_count(&fake, FRAME_ARENA_NEW), 0);
	ck_assert_uint_eq(fake_count(&fake, FRAME_ARENA_OFFER), 2);
	kcf_client_close(c);
}
END_TEST

START_TEST(memory_that_is_offered_is_not_for_those_who_wait)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[BIG], out[BIG];
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};

	FAKE_SET(&fake, silent, true);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	fake_speak(&fake);
	ck_assert_int_eq(encrypt(c, in, out, BIG, NULL), KCF_SUCCESS);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

START_TEST(refused_memory_is_no_room)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[BIG], out[BIG];
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_NOTIFY_SPACE};

	FAKE_SET(&fake, arena_status, KCF_QUOTA_EXCEEDED);
	FAKE_SET(&fake, silent, true); /* else the refusal may be faster than the call */
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	fake_speak(&fake);
	wait_result(&r, 1);
	ck_assert_int_eq(r.last.status, KCF_BUSY);
	ck_assert_int_eq(r.last.busy_reason, KCF_BUSY_NO_ROOM);
	wait_event(KCF_EVENT_ROOM, 1); /* nobody has any to give back */
	/* while somebody has, the call itself says so */
	FAKE_SET(&fake, hold, true);
	ck_assert_int_eq(digest(c, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_BUSY);
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_NO_ROOM);
	fake_release(&fake);
	wait_result(&r, 2);
	FAKE_SET(&fake, arena_status, KCF_SUCCESS);
	wait_event(KCF_EVENT_ROOM, 2);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	wait_result(&r, 3);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	kcf_client_close(c);
}
END_TEST

/* No more is asked for than is needed, once more was refused. */
START_TEST(memory_for_one_request_is_found_in_a_small_quota)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[BIG], out[BIG];
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	unsigned n = 0;

	FAKE_SET(&fake, arena_quota, 2 * BIG);
	do {
		FAKE_SET(&fake, silent, true);
		ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
		fake_speak(&fake);
		wait_result(&r, ++n);
	} while (r.last.status == KCF_BUSY && n < 3);
	ck_assert_int_eq(r.last.status, KCF_SUCCESS);
	expect_mixed(out, in, BIG);
	kcf_client_close(c);
}
END_TEST

START_TEST(a_refusal_ends_a_context)
{
	struct kcf_client *c = open_client(0);
	static uint8_t in[BIG];
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r, .flags = KCF_ALWAYS_QUEUE};
	struct kcf_data data = kcf_flat(in, BIG);
	struct kcf_context *ctx;

	FAKE_SET(&fake, arena_status, KCF_QUOTA_EXCEEDED);
	FAKE_SET(&fake, silent, true);
	ck_assert_int_eq(kcf_init(c, &how, &ctx, &req), KCF_QUEUED);
	ck_assert_int_eq(kcf_update(ctx, &data, NULL, &req), KCF_QUEUED);
	fake_speak(&fake);
	wait_result(&r, 2);
	ck_assert_int_eq(r.last.status, KCF_QUOTA_EXCEEDED);
	ck_assert_int_eq(kcf_update(ctx, &data, NULL, NULL), KCF_INVALID_CONTEXT);
	kcf_context_free(ctx);
	kcf_client_close(c);
}
END_TEST

static void *encrypt_thread(void *arg)
{
	static uint8_t in[BIG], out[BIG];

	return (void *)(uintptr_t)encrypt(arg, in, out, BIG, NULL);
}

START_TEST(waits_for_arena_memory_in_a_synchronous_call)
{
	struct kcf_client *c;
	static uint8_t in[BIG], out[BIG];
	struct result r = RESULT_INIT;
	struct kcf_call_req req = {.callback = on_done, .arg = &r};
	pthread_t thread;
	void *status;

	FAKE_SET(&fake, arena_quota, 1 << 20);
	FAKE_SET(&fake, hold, true);
	c = open_client(0);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	ck_assert_int_eq(encrypt(c, in, out, BIG, &req), KCF_QUEUED);
	ck_assert_int_eq(pthread_create(&thread, NULL, encrypt_thread, c), 0);
	fake_wait(&fake, FRAME_ARENA_NEW, 2); /* refused twice: now it waits */
	fake_release(&fake);
	pthread_join(thread, &status);
	ck_assert_int_eq((int)(uintptr_t)status, KCF_SUCCESS);
	wait_result(&r, 2);
	kcf_client_close(c);
}
END_TEST

START_TEST(sends_large_steps_through_the_arena)
{
	struct kcf_client *c = open_client(0);
	struct kcf_how how = {.op = KCF_OP_DIGEST, .mech = &sha256};
	static uint8_t in[BIG], out[BIG];
	struct kcf_step steps[3] = {
		{.kind = KCF_STEP_INIT},
		{.kind = KCF_STEP_UPDATE, .in = kcf_flat(in, BIG), .out = kcf_flat(out, BIG)},
		{.kind = KCF_STEP_FINAL, .out = kcf_flat(data_out, 32)},
	};

	fill(in, BIG);
	ck_assert_int_eq(kcf_submit_steps(c, &how, steps, 3, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(steps[1].out.used, BIG);
	expect_mixed(out, in, BIG);
	kcf_client_close(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client-room");
	TCase *tc = tcase_create("room");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, pays_one_unit_and_one_per_started_page_inline);
	tcase_add_test(tc, does_not_pay_for_room_that_cannot_be_used);
	tcase_add_test(tc, refuses_at_once_without_credit);
	tcase_add_test(tc, tells_when_there_is_room);
	tcase_add_test(tc, waits_for_room_in_a_synchronous_call);
	tcase_add_test(tc, nobody_overtakes_a_thread_that_waits_for_credit);
	tcase_add_test(tc, gives_up_waiting_for_room_at_the_deadline);
	tcase_add_test(tc, never_returns_busy_from_a_synchronous_call);
	tcase_add_test(tc, passes_on_a_later_busy_by_callback);
	tcase_add_test(tc, asks_for_credits_and_for_a_slot_apart);
	tcase_add_test(tc, a_refusal_that_is_not_for_room_is_not_waited_for);
	tcase_add_test(tc, copies_large_payload_through_the_arena);
	tcase_add_test(tc, uses_arena_buffers_in_place);
	tcase_add_test(tc, refuses_more_than_the_largest_request);
	tcase_add_test(tc, reports_a_full_quota);
	tcase_add_test(tc, an_asynchronous_call_offers_memory_and_does_not_wait);
	tcase_add_test(tc, memory_that_is_offered_is_not_for_those_who_wait);
	tcase_add_test(tc, refused_memory_is_no_room);
	tcase_add_test(tc, memory_for_one_request_is_found_in_a_small_quota);
	tcase_add_test(tc, a_refusal_ends_a_context);
	tcase_add_test(tc, waits_for_arena_memory_in_a_synchronous_call);
	tcase_add_test(tc, sends_large_steps_through_the_arena);
	suite_add_tcase(s, tc);
	return test_main(s);
}
