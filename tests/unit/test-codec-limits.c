/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the wire at its number and beyond, in messages written by hand. */
#include "test-main.h"
#include "wire-raw.h"

#include <string.h>

static void setup(void)
{
	codec_init(&arena);
}

static void teardown(void)
{
	codec_deinit(&arena);
}

/* ---- OP ---- */

START_TEST(checks_the_enumerations_of_op)
{
	raw.len = 0;
	ck_assert(!decode(FRAME_OP)); /* op 0 */
	ck_assert(op_with_num(1, KCF_OP_COUNT - 1));
	ck_assert(!op_with_num(1, KCF_OP_COUNT));
	ck_assert(op_with_num(2, 3));
	ck_assert(!op_with_num(2, 4));
	ck_assert(op_with_num(3, 15));
	ck_assert(!op_with_num(3, 16));
	ck_assert(op_with_num(14, KCF_ONLY_PROVIDER));
	ck_assert(!op_with_num(14, KCF_ONLY_PROVIDER + 1));
}
END_TEST

START_TEST(limits_what_an_op_carries_inline)
{
	static const unsigned fields[] = {9, 10, 11, 20};

	for (unsigned i = 0; i < 4; i++) {
		ck_assert(op_with_num(fields[i], WIRE_MAX_INLINE));
		ck_assert(!op_with_num(fields[i], WIRE_MAX_INLINE + 1));
		ck_assert(!op_with_num(fields[i], UINT32_MAX));
	}
}
END_TEST

START_TEST(limits_and_completes_ranges)
{
	static const unsigned fields[] = {12, 13, 23};

	for (unsigned i = 0; i < 3; i++) {
		begin_op();
		put_ranges(&raw, fields[i], WIRE_MAX_RANGES, false);
		ck_assert(decode(FRAME_OP));
		begin_op();
		put_ranges(&raw, fields[i], WIRE_MAX_RANGES + 1, false);
		ck_assert(!decode(FRAME_OP));
		begin_op();
		put_ranges(&raw, fields[i], 1, true);
		ck_assert(!decode(FRAME_OP));
	}
}
END_TEST

START_TEST(takes_ranges_that_are_not_packed)
{
	begin_op();
	for (int i = 0; i < 6; i++)
		put_num(&raw, 12, 100 + i);
	ck_assert(decode(FRAME_OP));
	ck_assert_uint_eq(got.op.n_in, 2);
	ck_assert_uint_eq(got.op.in[1].segment, 103);
	ck_assert_uint_eq(got.op.in[1].len, 105);
}
END_TEST

START_TEST(refuses_a_segment_number_beyond_32_bits)
{
	for (int over = 0; over < 2; over++) {
		begin_op();
		put_num(&raw, 12, (uint64_t)UINT32_MAX + over);
		put_num(&raw, 12, UINT64_MAX);
		put_num(&raw, 12, UINT64_MAX);
		ck_assert_int_eq(decode(FRAME_OP), !over);
	}
}
END_TEST

START_TEST(refuses_a_direction_both_inline_and_in_ranges)
{
	static const unsigned pairs[][2] = {{9, 12}, {11, 13}, {20, 23}};

	for (unsigned i = 0; i < 3; i++) {
		begin_op();
		put_num(&raw, pairs[i][0], 1);
		put_ranges(&raw, pairs[i][1], 1, false);
		ck_assert(!decode(FRAME_OP));
		begin_op();
		put_num(&raw, pairs[i][0], 0);
		put_ranges(&raw, pairs[i][1], 1, false);
		ck_assert(decode(FRAME_OP));
	}
}
END_TEST

static bool steps(unsigned n, unsigned kind, uint64_t in_len, uint64_t room, unsigned n_ranges)
{
	begin_op();
	for (unsigned i = 0; i < n; i++) {
		sub.len = 0;
		put_num(&sub, 1, kind);
		put_num(&sub, 2, in_len);
		put_num(&sub, 3, room);
		if (n_ranges)
			put_ranges(&sub, 4, n_ranges, false);
		put_bytes(&raw, 21, sub.b, sub.len);
	}
	return decode(FRAME_OP);
}

START_TEST(limits_steps_alone_and_together)
{
	ck_assert(steps(64, 2, 0, 0, 0));
	ck_assert_uint_eq(got.op.n_steps, 64);
	ck_assert(!steps(65, 2, 0, 0, 0));
	ck_assert(!steps(1, 0, 0, 0, 0));
	ck_assert(!steps(1, KCF_STEP_FINAL + 1, 0, 0, 0));
	ck_assert(steps(64, 2, 256, 256, 0));
	ck_assert(!steps(64, 2, 257, 256, 0));
	ck_assert(!steps(64, 2, 256, 257, 0));
	ck_assert(!steps(2, 2, UINT32_MAX, 0, 0));
	ck_assert(steps(8, 2, 0, 0, 64));
	ck_assert(!steps(8, 2, 0, 0, 65));
	ck_assert(!steps(9, 2, 0, 0, 64));
	ck_assert(!steps(1, 2, 1, 0, 1));
}
END_TEST

START_TEST(limits_provider_names)
{
	begin_op();
	put_fill(&raw, 15, 'p', 47);
	ck_assert(decode(FRAME_OP));
	begin_op();
	put_fill(&raw, 15, 'p', 48);
	ck_assert(!decode(FRAME_OP));
	begin_op();
	put_fill(&raw, 15, '\n', 1);
	ck_assert(!decode(FRAME_OP));
	begin_op();
	put_fill(&raw, 15, 0x7f, 1);
	ck_assert(!decode(FRAME_OP));
}
END_TEST

START_TEST(wants_exactly_one_kind_of_key)
{
	sub.len = 0;
	ck_assert(!op_with_key()); /* a KeyRef without anything */
	put_fill(&sub, 1, 'k', 16);
	put_num(&sub, 5, 1);
	ck_assert(op_with_key());
	ck_assert_int_eq(got.op.key.kind, KCF_KEY_BYTES);
	put_fill(&sub, 1, 'k', 16);
	put_fill(&sub, 3, 'h', 16);
	ck_assert(!op_with_key());
	put_fill(&sub, 3, 'h', 16);
	put_fill(&sub, 4, 'n', 5);
	ck_assert(!op_with_key());
	put_num(&sub, 5, 1);
	put_fill(&sub, 4, 'n', 5);
	ck_assert(!op_with_key());
}
END_TEST

START_TEST(limits_keys)
{
	put_fill(&sub, 1, 'k', WIRE_MAX_KEY);
	ck_assert(op_with_key());
	put_fill(&sub, 1, 'k', WIRE_MAX_KEY + 1);
	ck_assert(!op_with_key());
	put_fill(&sub, 1, 'k', 16);
	put_num(&sub, 2, KCF_KEY_SPKI);
	ck_assert(op_with_key());
	put_fill(&sub, 1, 'k', 16);
	put_num(&sub, 2, KCF_KEY_SPKI + 1);
	ck_assert(!op_with_key());
	put_fill(&sub, 3, 'h', 16);
	ck_assert(op_with_key());
	put_fill(&sub, 3, 'h', 15);
	ck_assert(!op_with_key());
	put_fill(&sub, 3, 'h', 17);
	ck_assert(!op_with_key());
	put_fill(&sub, 4, 'n', KCF_KEY_NAME_MAX);
	ck_assert(op_with_key());
	put_fill(&sub, 4, 'n', KCF_KEY_NAME_MAX + 1);
	ck_assert(!op_with_key());
	put_fill(&sub, 4, '\t', 3);
	ck_assert(!op_with_key());
}
END_TEST

START_TEST(limits_parameters)
{
	ck_assert(!op_with_param()); /* kind 0 */
	put_num(&sub, 1, KCF_PARAM_COUNT);
	ck_assert(!op_with_param());
	for (unsigned kind = 1; kind < KCF_PARAM_COUNT; kind++) {
		sub.len = 0;
		put_num(&sub, 1, kind);
		ck_assert(op_with_param());
		ck_assert_int_eq(got.op.param.kind, kind);
		ck_assert_ptr_nonnull(got.op.param.data);
	}
	for (int over = 0; over < 2; over++) {
		put_num(&sub, 1, KCF_PARAM_AEAD);
		put_fill(&sub, 2, 'i', 12);
		put_fill(&sub, 3, 'a', WIRE_MAX_PARAM - 20 + over);
		put_fill(&sub, 4, 's', 8);
		ck_assert_int_eq(op_with_param(), !over);
		sub.len = 0;
	}
	for (int over = 0; over < 2; over++) {
		put_num(&sub, 1, KCF_PARAM_PBKDF2);
		put_num(&sub, 10, (uint64_t)UINT32_MAX + over);
		ck_assert_int_eq(op_with_param(), !over);
		sub.len = 0;
	}
}
END_TEST

/* ---- limits of the other messages: field, largest value, type ---- */

struct number_limit {
	enum frame_type type;
	unsigned field;
	uint64_t max;
};

static const struct number_limit number_limits[] = {
	{FRAME_OP_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_OP_REPLY, 5, KCF_BUSY_NO_ROOM},
	{FRAME_OP_REPLY, 8, KCF_STEPS_MAX - 1},
	{FRAME_OP_STEP, 1, KCF_STATUS_COUNT - 1},
	{FRAME_KEY_OP, 1, KEYOP_DESTROY},
	{FRAME_KEY_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_STATUS_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_STATUS_REPLY, 2, KCF_REQ_DONE},
	{FRAME_MECH_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_DONE, 1, KCF_STATUS_COUNT - 1},	  {FRAME_RING_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_ARENA_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_FATAL, 1, KCF_STATUS_COUNT - 1},
	{FRAME_ADMIN_REPLY, 1, KCF_STATUS_COUNT - 1},
	{FRAME_HELLO_REPLY, 4, WIRE_MAX_INLINE},
	{FRAME_TEMPLATE_ATTACH, 1, WIRE_MAX_SLOT},
};

START_TEST(limits_numbers_of_other_messages)
{
	const struct number_limit *l = &number_limits[_i];

	put_num(&raw, l->field, l->max);
	ck_assert(decode(l->type));
	put_num(&raw, l->field, l->max + 1);
	ck_assert(!decode(l->type));
	put_num(&raw, l->field, UINT32_MAX);
	ck_assert(!decode(l->type));
}
END_TEST

static const struct number_limit length_limits[] = {
	{FRAME_HELLO, 3, WIRE_MAX_LABEL},   {FRAME_MECH_FIND, 1, KCF_NAME_MAX - 1},
	{FRAME_EVENT, 2, KCF_NAME_MAX - 1}, {FRAME_EVENT, 3, KCF_NAME_MAX - 1},
	{FRAME_FATAL, 2, WIRE_MAX_TEXT},    {FRAME_ADMIN_REPLY, 2, WIRE_MAX_TEXT},
	{FRAME_ADMIN, 1, KCF_NAME_MAX - 1}, {FRAME_ADMIN, 2, WIRE_MAX_ARG},
	{FRAME_KEY_REPLY, 3, WIRE_MAX_KEY}, {FRAME_OP_REPLY, 7, WIRE_IV_LEN},
	{FRAME_KEY_REPLY, 2, 16},
};

START_TEST(limits_lengths_of_other_messages)
{
	const struct number_limit *l = &length_limits[_i];

	put_fill(&raw, l->field, 'x', l->max);
	ck_assert(decode(l->type));
	put_fill(&raw, l->field, 'x', l->max + 1);
	ck_assert(!decode(l->type));
}
END_TEST

START_TEST(refuses_a_generated_iv_or_handle_that_is_too_short)
{
	put_fill(&raw, 7, 'i', WIRE_IV_LEN - 1);
	ck_assert(!decode(FRAME_OP_REPLY));
	put_fill(&raw, 2, 'h', 15);
	ck_assert(!decode(FRAME_KEY_REPLY));
}
END_TEST

START_TEST(refuses_slot_and_kind_zero)
{
	ck_assert(!decode(FRAME_TEMPLATE_ATTACH));
	ck_assert(!decode(FRAME_KEY_OP));
}
END_TEST

START_TEST(limits_lists)
{
	for (unsigned over = 0; over < 2; over++) {
		for (unsigned i = 0; i < WIRE_ADMIN_ARGS + over; i++)
			put_fill(&raw, 2, 'a', 3);
		ck_assert_int_eq(decode(FRAME_ADMIN), !over);
		for (unsigned i = 0; i < WIRE_MAX_MODULES + over; i++)
			put_bytes(&raw, 7, NULL, 0);
		ck_assert_int_eq(decode(FRAME_HELLO_REPLY), !over);
		put_fill(&raw, 10, 1, KCF_STEPS_MAX + over);
		ck_assert_int_eq(decode(FRAME_OP_REPLY), !over);
	}
	put_fill(&sub, 1, 'm', KCF_NAME_MAX);
	put_bytes(&raw, 7, sub.b, sub.len);
	ck_assert(!decode(FRAME_HELLO_REPLY));
}
END_TEST

START_TEST(does_not_send_what_nobody_takes)
{
	struct wire_msg msg = {.type = FRAME_ADMIN};
	uint8_t buf[64];
	char name[64];

	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	msg.admin.n_args = WIRE_ADMIN_ARGS + 1;
	ck_assert_uint_eq(codec_encode(&msg, buf, sizeof(buf)), SIZE_MAX);
	msg = (struct wire_msg){.type = FRAME_HELLO_REPLY};
	msg.hello_reply.n_modules = WIRE_MAX_MODULES + 1;
	ck_assert_uint_eq(codec_encode(&msg, buf, sizeof(buf)), SIZE_MAX);
	msg = (struct wire_msg){.type = FRAME_MECH_FIND, .name = name};
	ck_assert_uint_eq(codec_encode(&msg, buf, sizeof(buf)), SIZE_MAX);
	msg = (struct wire_msg){.type = FRAME_OP};
	msg.op.n_in = WIRE_MAX_RANGES + 1;
	ck_assert_uint_eq(codec_encode(&msg, buf, sizeof(buf)), SIZE_MAX);
	msg.op.n_in = 0;
	msg.op.n_steps = KCF_STEPS_MAX + 1;
	ck_assert_uint_eq(codec_encode(&msg, buf, sizeof(buf)), SIZE_MAX);
}
END_TEST

START_TEST(cuts_error_texts_between_characters)
{
	struct wire_msg msg = {.type = FRAME_FATAL};
	static char text[2 * WIRE_MAX_TEXT];
	uint8_t buf[2 * WIRE_MAX_TEXT];
	size_t len;

	memset(text, 'a', WIRE_MAX_TEXT - 1);
	memcpy(text + WIRE_MAX_TEXT - 1, "\xc3\xa4 and more", 12);
	msg.fatal.text = text;
	len = codec_encode(&msg, buf, sizeof(buf));
	ck_assert(codec_decode(&arena, FRAME_FATAL, buf, len, &got));
	ck_assert_uint_eq(strlen(got.fatal.text), WIRE_MAX_TEXT - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec-limits");
	TCase *t = tcase_create("codec-limits");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, checks_the_enumerations_of_op);
	tcase_add_test(t, limits_what_an_op_carries_inline);
	tcase_add_test(t, limits_and_completes_ranges);
	tcase_add_test(t, takes_ranges_that_are_not_packed);
	tcase_add_test(t, refuses_a_segment_number_beyond_32_bits);
	tcase_add_test(t, refuses_a_direction_both_inline_and_in_ranges);
	tcase_add_test(t, limits_steps_alone_and_together);
	tcase_add_test(t, limits_provider_names);
	tcase_add_test(t, wants_exactly_one_kind_of_key);
	tcase_add_test(t, limits_keys);
	tcase_add_test(t, limits_parameters);
	tcase_add_loop_test(t, limits_numbers_of_other_messages, 0,
			    sizeof(number_limits) / sizeof(number_limits[0]));
	tcase_add_loop_test(t, limits_lengths_of_other_messages, 0,
			    sizeof(length_limits) / sizeof(length_limits[0]));
	tcase_add_test(t, refuses_a_generated_iv_or_handle_that_is_too_short);
	tcase_add_test(t, refuses_slot_and_kind_zero);
	tcase_add_test(t, limits_lists);
	tcase_add_test(t, does_not_send_what_nobody_takes);
	tcase_add_test(t, cuts_error_texts_between_characters);
	suite_add_tcase(s, t);
	return test_main(s);
}
