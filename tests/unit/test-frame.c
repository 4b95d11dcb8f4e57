/* SPDX-License-Identifier: Apache-2.0 */
#include "test-main.h"
#include "wire/frame.h"

#include <string.h>

static const struct frame_header sample = {
	.type = FRAME_OP, .flags = 0, .msg_len = 77, .payload_len = 64, .id = 0x1122334455667788,
	.deadline_us = 0x99aabbccddeeff01,
};
static uint8_t buf[FRAME_HEADER_MAX];

static void setup(void)
{
	memset(buf, 0xa5, sizeof(buf));
	frame_put(buf, &sample);
}

static enum frame_result get(size_t len)
{
	struct frame_header h;

	return frame_get(buf, len, FRAME_PAYLOAD_MAX, &h);
}

START_TEST(writes_the_documented_bytes)
{
	static const uint8_t expect[FRAME_HEADER_LEN] = {
		'K',  'C',  'F',  '1',	1,    0,    40,	  0,	3,    0,    0,	  0,	77,  0,
		0,    0,    64,	  0,	0,    0,    0,	  0,	0,    0,    0x88, 0x77, 0x66, 0x55,
		0x44, 0x33, 0x22, 0x11, 0x01, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99};

	ck_assert_mem_eq(buf, expect, sizeof(expect));
	ck_assert_uint_eq(buf[FRAME_HEADER_LEN], 0xa5);
}
END_TEST

START_TEST(reads_back_what_it_wrote)
{
	struct frame_header h;

	ck_assert_int_eq(frame_get(buf, FRAME_HEADER_LEN, FRAME_PAYLOAD_MAX, &h), FRAME_OK);
	ck_assert_uint_eq(h.type, sample.type);
	ck_assert_uint_eq(h.version, FRAME_VERSION);
	ck_assert_uint_eq(h.header_len, FRAME_HEADER_LEN);
	ck_assert_uint_eq(h.msg_len, sample.msg_len);
	ck_assert_uint_eq(h.payload_len, sample.payload_len);
	ck_assert_uint_eq(h.id, sample.id);
	ck_assert_uint_eq(h.deadline_us, sample.deadline_us);
	ck_assert_uint_eq(frame_len(&h), 40 + 77 + 64);
}
END_TEST

START_TEST(asks_for_more_at_every_shorter_length)
{
	struct frame_header h = {.type = 4711};

	for (size_t len = 0; len < FRAME_HEADER_LEN; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, buf, len);
		ck_assert_int_eq(frame_get(exact, len, FRAME_PAYLOAD_MAX, &h), FRAME_MORE);
		free(exact);
	}
	ck_assert_uint_eq(h.type, 4711);
}
END_TEST

START_TEST(rejects_a_wrong_magic_after_four_bytes)
{
	ck_assert_int_eq(get(4), FRAME_MORE);
	for (int i = 0; i < 4; i++) {
		setup();
		buf[i] ^= 0x20;
		ck_assert_int_eq(get(4), FRAME_BAD_MAGIC);
		ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_MAGIC);
	}
}
END_TEST

START_TEST(rejects_another_header_version)
{
	buf[4] = 2;
	ck_assert_int_eq(get(6), FRAME_BAD_VERSION);
	buf[4] = 0;
	ck_assert_int_eq(get(6), FRAME_BAD_VERSION);
	buf[4] = 1;
	ck_assert_int_eq(get(6), FRAME_MORE);
}
END_TEST

START_TEST(rejects_a_header_shorter_than_the_fixed_part)
{
	buf[6] = FRAME_HEADER_LEN - 1;
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_LENGTH);
}
END_TEST

START_TEST(skips_a_longer_header_up_to_its_limit)
{
	struct frame_header h;

	buf[6] = 0;
	buf[7] = 1; /* 256 */
	ck_assert_int_eq(get(255), FRAME_MORE);
	ck_assert_int_eq(frame_get(buf, 256, FRAME_PAYLOAD_MAX, &h), FRAME_OK);
	ck_assert_uint_eq(frame_len(&h), 256 + 77 + 64);
	buf[6] = 1; /* 257 */
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_LENGTH);
}
END_TEST

START_TEST(rejects_frame_longer_than_limit)
{
	struct frame_header h = sample;

	h.msg_len = FRAME_MESSAGE_MAX;
	h.payload_len = FRAME_PAYLOAD_MAX;
	frame_put(buf, &h);
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_OK);
	h.msg_len++;
	frame_put(buf, &h);
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_LENGTH);
	h.msg_len = UINT32_MAX;
	frame_put(buf, &h);
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_LENGTH);
	h.msg_len = 0;
	h.payload_len++;
	frame_put(buf, &h);
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_LENGTH);
}
END_TEST

START_TEST(takes_the_payload_limit_of_the_receiver)
{
	struct frame_header h = sample, got;

	h.payload_len = FRAME_ADMIN_PAYLOAD_MAX;
	frame_put(buf, &h);
	ck_assert_int_eq(frame_get(buf, 40, FRAME_ADMIN_PAYLOAD_MAX, &got), FRAME_OK);
	ck_assert_int_eq(frame_get(buf, 40, FRAME_PAYLOAD_MAX, &got), FRAME_BAD_LENGTH);
}
END_TEST

START_TEST(rejects_unknown_types)
{
	buf[8] = 0;
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_TYPE);
	buf[8] = FRAME_TYPE_COUNT - 1;
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_OK);
	buf[8] = FRAME_TYPE_COUNT;
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_TYPE);
	buf[8] = FRAME_OP;
	buf[9] = 1;
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_BAD_TYPE);
}
END_TEST

START_TEST(ignores_the_reserved_word_and_flags)
{
	memset(buf + 20, 0xff, 4);
	memset(buf + 10, 0xff, 2);
	ck_assert_int_eq(get(FRAME_HEADER_LEN), FRAME_OK);
}
END_TEST

START_TEST(names_every_type)
{
	for (unsigned t = 1; t < FRAME_TYPE_COUNT; t++)
		ck_assert_str_ne(frame_type_name(t), "?");
	ck_assert_str_eq(frame_type_name(FRAME_OP_STEP), "OP_STEP");
	ck_assert_str_eq(frame_type_name(0), "?");
	ck_assert_str_eq(frame_type_name(FRAME_TYPE_COUNT), "?");
	ck_assert_str_eq(frame_type_name(UINT32_MAX), "?");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *t = tcase_create("frame");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, writes_the_documented_bytes);
	tcase_add_test(t, reads_back_what_it_wrote);
	tcase_add_test(t, asks_for_more_at_every_shorter_length);
	tcase_add_test(t, rejects_a_wrong_magic_after_four_bytes);
	tcase_add_test(t, rejects_another_header_version);
	tcase_add_test(t, rejects_a_header_shorter_than_the_fixed_part);
	tcase_add_test(t, skips_a_longer_header_up_to_its_limit);
	tcase_add_test(t, rejects_frame_longer_than_limit);
	tcase_add_test(t, takes_the_payload_limit_of_the_receiver);
	tcase_add_test(t, rejects_unknown_types);
	tcase_add_test(t, ignores_the_reserved_word_and_flags);
	tcase_add_test(t, names_every_type);
	suite_add_tcase(s, t);
	return test_main(s);
}
