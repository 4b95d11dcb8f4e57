/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the dispatch table: handshake, operations, steps. */
#include <string.h>
#include "api-world.h"

/* ---- handshake ---- */

START_TEST(answers_hello_with_table_page_and_lease)
{
	struct wire_hello_reply reply;

	harness_raw_hello(&raw, &reply);
	ck_assert_uint_eq(reply.version, FRAME_VERSION);
	ck_assert_uint_eq(reply.lease, 256);
	ck_assert_uint_eq(reply.daemon_id, 42);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

START_TEST(closes_a_client_without_common_version)
{
	struct wire_msg m = {.type = FRAME_HELLO};

	m.hello.version_min = m.hello.version_max = FRAME_VERSION + 1;
	m.hello.label = "";
	send_msg(&m, 1);
	expect_violation(KCF_VERSION_MISMATCH);
}
END_TEST

START_TEST(closes_a_client_that_begins_without_hello)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};

	m.name = "CKM_SHA256";
	send_msg(&m, 1);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(closes_a_client_that_says_hello_twice)
{
	struct wire_msg m = {.type = FRAME_HELLO};

	m.hello.version_min = m.hello.version_max = FRAME_VERSION;
	m.hello.label = "";
	send_msg(&m, 2);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

/* ---- operations ---- */

START_TEST(answers_an_inline_operation_with_its_output)
{
	struct wire_op op = digest_op();
	struct harness_frame f;
	struct request *r;

	harness_raw_send_op(&raw, &op, 5, "abc", 3);
	r = wait_request();
	ck_assert_uint_eq(r->in.len, 3);
	ck_assert_mem_eq(r->in.iov[0].iov_base, "abc", 3);
	ck_assert(!r->in.shared);
	ck_assert_uint_eq(r->out.len, 32);
	ck_assert_uint_eq(raw.page->credit, 254);
	fake_complete(r, KCF_SUCCESS, 0x5a);
	ck_assert_uint_eq(expect_op(5, &f).status, KCF_SUCCESS);
	ck_assert_uint_eq(f.h.payload_len, 32);
	for (int i = 0; i < 32; i++)
		ck_assert_uint_eq(f.payload[i], 0x5a);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

START_TEST(releases_no_output_with_a_failure)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 5, "abc", 3);
	fake_complete(wait_request(), KCF_INVALID_MAC, 0x5a);
	ck_assert_uint_eq(expect_op(5, &f).status, KCF_INVALID_MAC);
	ck_assert_uint_eq(f.h.payload_len, 0);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

START_TEST(answers_in_the_order_of_completion)
{
	struct wire_op op = digest_op();
	struct harness_frame f;
	struct request *first;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	harness_raw_send_op(&raw, &op, 2, "abd", 3);
	first = wait_request();
	for (int i = 0; i < 100 && fake.n_submitted < 2; i++)
		pump(NULL);
	fake_complete(list_entry(first->link.next, struct request, link), KCF_SUCCESS, 2);
	fake_complete(first, KCF_SUCCESS, 1);
	expect_op(2, &f);
	expect_op(1, &f);
}
END_TEST

START_TEST(refuses_units_other_than_the_message_costs)
{
	struct wire_msg m = {.type = FRAME_OP};

	m.op = digest_op();
	m.op.units = codec_op_units(&m.op) + 1;
	ck_assert(harness_raw_send(&raw, &m, 1, "abc", 3));
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 0);
}
END_TEST

START_TEST(closes_a_client_that_uses_more_credit_than_it_has)
{
	struct wire_op op = digest_op();

	for (uint64_t id = 1; id <= 128; id++) /* two units each */
		ck_assert(harness_raw_send_op(&raw, &op, id, "abc", 3));
	page_credit_give(raw.page, 2);
	ck_assert(harness_raw_send_op(&raw, &op, 129, "abc", 3));
	expect_violation(KCF_PROTOCOL_ERROR);
	ck_assert_uint_eq(fake.n_submitted, 128);
}
END_TEST

START_TEST(closes_a_client_whose_payload_has_another_length)
{
	struct wire_op op = digest_op();

	harness_raw_send_op(&raw, &op, 1, "abcd", 4);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(closes_a_client_that_uses_an_id_twice)
{
	struct wire_op op = digest_op();

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(permits_an_id_again_once_it_was_answered)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	for (int i = 0; i < 3; i++) {
		harness_raw_send_op(&raw, &op, 1, "abc", 3);
		fake_complete(wait_request(), KCF_SUCCESS, 1);
		expect_op(1, &f);
	}
}
END_TEST

START_TEST(refuses_an_unknown_mechanism_and_goes_on)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	op.mech = 4000;
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_MECHANISM_INVALID);
	ck_assert_uint_eq(raw.page->credit, 256);
	op.mech = KCF_M_SHA256;
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_SUCCESS);
}
END_TEST

START_TEST(refuses_a_missing_parameter)
{
	struct wire_op op = {.op = KCF_OP_ENCRYPT,
			     .mech = KCF_M_AES_GCM,
			     .tmpl = 1,
			     .in_len = 1,
			     .out_room = 17};
	struct harness_frame f;

	ck_assert_uint_eq(attach(1, KCF_M_AES_GCM), KCF_SUCCESS);
	harness_raw_send_op(&raw, &op, 1, "a", 1);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_MECHANISM_PARAM_INVALID);
}
END_TEST

START_TEST(copies_parameters_out_of_the_message)
{
	static const uint8_t iv[12] = "123456789ab";
	struct kcf_param_aead param = {
		.iv = iv, .iv_len = 12, .aad = (const uint8_t *)"xyz", .aad_len = 3};
	struct wire_op op = {.op = KCF_OP_ENCRYPT,
			     .mech = KCF_M_AES_GCM,
			     .tmpl = 1,
			     .in_len = 1,
			     .out_room = 17,
			     .param = {KCF_PARAM_AEAD, &param}};
	const struct kcf_param_aead *got;
	struct harness_frame f;
	struct request *r;

	ck_assert_uint_eq(attach(1, KCF_M_AES_GCM), KCF_SUCCESS);
	harness_raw_send_op(&raw, &op, 1, "a", 1);
	r = wait_request();
	got = r->param;
	ck_assert_mem_eq(got->iv, iv, 12);
	ck_assert_mem_eq(got->aad, "xyz", 3);
	ck_assert(got->aad >= r->mem && got->aad < r->mem + r->mem_len);
	fake_complete(r, KCF_SUCCESS, 1);
	expect_op(1, &f);
}
END_TEST

START_TEST(refuses_a_request_beyond_the_users_quota)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	fake.refuse[CHARGE_REQUEST] = KCF_QUOTA_EXCEEDED;
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_QUOTA_EXCEEDED);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

START_TEST(tells_busy_with_its_reason)
{
	struct wire_op op = digest_op();
	struct harness_frame f;
	struct request *r;

	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	r = wait_request();
	r->busy_reason = KCF_BUSY_NO_ROOM;
	fake_complete(r, KCF_BUSY, 0);
	ck_assert_uint_eq(expect_op(1, &f).busy_reason, KCF_BUSY_NO_ROOM);
}
END_TEST

/* ---- steps ---- */

static void send_steps(uint32_t flags, const uint32_t kinds[3])
{
	struct wire_step steps[3] = {{.kind = kinds[0]},
				     {.kind = kinds[1], .in_len = 2, .out_room = 2},
				     {.kind = kinds[2], .out_room = 1}};
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .steps = steps,
			     .n_steps = 3,
			     .flags = flags};

	ck_assert(harness_raw_send_op(&raw, &op, 8, "xy", 2));
}

static const uint32_t good_steps[3] = {KCF_STEP_INIT, KCF_STEP_UPDATE, KCF_STEP_FINAL};

START_TEST(answers_steps_with_all_outputs_and_their_lengths)
{
	struct harness_frame f;

	send_steps(0, good_steps);
	fake_complete(wait_request(), KCF_SUCCESS, 10);
	ck_assert_uint_eq(expect_op(8, &f).status, KCF_SUCCESS);
	ck_assert_uint_eq(f.msg.op_reply.n_step_lens, 3);
	ck_assert_uint_eq(f.msg.op_reply.step_lens[1], 2);
	ck_assert_uint_eq(f.msg.op_reply.out_len, 3);
	ck_assert_uint_eq(f.h.payload_len, 3);
	ck_assert_mem_eq(f.payload, "\x0b\x0b\x0c", 3);
}
END_TEST

START_TEST(notifies_each_step_with_its_output)
{
	struct harness_frame f;
	struct request *r;

	send_steps(OPF_NOTIFY_STEPS, good_steps);
	r = wait_request();
	memcpy(r->steps[1].out.iov[0].iov_base, "ZZ", 2);
	r->steps[1].out_len = 2;
	r->ops->step(r, 1);
	harness_raw_expect(&raw, FRAME_OP_STEP, &f);
	ck_assert_uint_eq(f.h.id, 8);
	ck_assert_uint_eq(f.msg.op_reply.step, 1);
	ck_assert_uint_eq(f.h.payload_len, 2);
	ck_assert_mem_eq(f.payload, "ZZ", 2);
	fake_complete(r, KCF_SUCCESS, 10);
	expect_op(8, &f);
	ck_assert_uint_eq(f.h.payload_len, 0);
	ck_assert_uint_eq(f.msg.op_reply.n_step_lens, 3);
}
END_TEST

START_TEST(refuses_steps_out_of_order)
{
	static const uint32_t bad[3] = {KCF_STEP_INIT, KCF_STEP_FINAL, KCF_STEP_UPDATE};
	struct harness_frame f;

	send_steps(0, bad);
	ck_assert_uint_eq(expect_op(8, &f).status, KCF_ARGUMENTS_BAD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dispatch");
	TCase *fresh = tcase_create("handshake"), *t = tcase_create("served");

	tcase_add_checked_fixture(fresh, world_setup, world_teardown);
	tcase_add_test(fresh, answers_hello_with_table_page_and_lease);
	tcase_add_test(fresh, closes_a_client_without_common_version);
	tcase_add_test(fresh, closes_a_client_that_begins_without_hello);
	suite_add_tcase(s, fresh);
	tcase_add_checked_fixture(t, world_setup_served, world_teardown);
	tcase_add_test(t, closes_a_client_that_says_hello_twice);
	tcase_add_test(t, answers_an_inline_operation_with_its_output);
	tcase_add_test(t, releases_no_output_with_a_failure);
	tcase_add_test(t, answers_in_the_order_of_completion);
	tcase_add_test(t, refuses_units_other_than_the_message_costs);
	tcase_add_test(t, closes_a_client_that_uses_more_credit_than_it_has);
	tcase_add_test(t, closes_a_client_whose_payload_has_another_length);
	tcase_add_test(t, closes_a_client_that_uses_an_id_twice);
	tcase_add_test(t, permits_an_id_again_once_it_was_answered);
	tcase_add_test(t, refuses_an_unknown_mechanism_and_goes_on);
	tcase_add_test(t, refuses_a_missing_parameter);
	tcase_add_test(t, copies_parameters_out_of_the_message);
	tcase_add_test(t, refuses_a_request_beyond_the_users_quota);
	tcase_add_test(t, tells_busy_with_its_reason);
	tcase_add_test(t, answers_steps_with_all_outputs_and_their_lengths);
	tcase_add_test(t, notifies_each_step_with_its_output);
	tcase_add_test(t, refuses_steps_out_of_order);
	suite_add_tcase(s, t);
	return test_main(s);
}
