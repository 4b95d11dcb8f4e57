/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message there and back with random members, and what a hostile sender can do to the memory of the receiver.
 * The limits are in test-codec-limits.c.
 */
#include "test-main.h"
#include "wire-random.h"
#include "wire-raw.h"

#include "kcf.pb-c.h"

#include <string.h>

#define ROUNDS 300

static struct random rnd;

static void setup(void)
{
	codec_init(&arena);
	random_init(&rnd, 1);
}

static void teardown(void)
{
	codec_deinit(&arena);
}

/* ---- round trip ---- */

START_TEST(returns_every_member_of_every_message)
{
	static uint8_t buf[FRAME_MESSAGE_MAX];
	struct wire_msg msg;

	for (int i = 0; i < ROUNDS; i++) {
		const char *member;
		uint8_t *exact;
		size_t len;

		random_msg(&rnd, (enum frame_type)_i, &msg);
		len = codec_encode(&msg, buf, sizeof(buf));
		ck_assert_uint_ne(len, SIZE_MAX);
		exact = malloc(len ? len : 1);
		memcpy(exact, buf, len);
		memset(&got, 0xee, sizeof(got));
		ck_assert(codec_decode(&arena, (enum frame_type)_i, exact, len, &got));
		member = msg_differs(&msg, &got);
		ck_assert_msg(!member, "%s, round %d: %s differs", frame_type_name(_i), i, member);
		codec_reset(&arena);
		free(exact);
	}
}
END_TEST

START_TEST(encodes_into_exactly_enough_room_and_no_less)
{
	static uint8_t buf[FRAME_MESSAGE_MAX], again[FRAME_MESSAGE_MAX + 8];
	struct wire_msg msg;

	for (int i = 0; i < ROUNDS; i++) {
		size_t len;

		random_msg(&rnd, (enum frame_type)_i, &msg);
		len = codec_encode(&msg, buf, sizeof(buf));
		memset(again, 0x5a, sizeof(again));
		ck_assert_uint_eq(codec_encode(&msg, again, len), len);
		ck_assert_mem_eq(again, buf, len);
		for (size_t k = len; k < len + 8; k++)
			ck_assert_uint_eq(again[k], 0x5a);
		if (len)
			ck_assert_uint_eq(codec_encode(&msg, again, len - 1), SIZE_MAX);
	}
}
END_TEST

START_TEST(reads_nothing_beyond_a_truncated_message)
{
	static uint8_t buf[FRAME_MESSAGE_MAX];
	struct wire_msg msg;

	for (int i = 0; i < 8; i++) {
		size_t len;

		random_msg(&rnd, (enum frame_type)_i, &msg);
		len = codec_encode(&msg, buf, sizeof(buf));
		for (size_t n = 0; n < len; n += len > 2000 ? 97 : 1) {
			uint8_t *exact = malloc(n ? n : 1);

			memcpy(exact, buf, n);
			if (codec_decode(&arena, (enum frame_type)_i, exact, n, &got)) {
				/* A shorter message that is valid: it must be one we could have sent. */
				static uint8_t again[FRAME_MESSAGE_MAX];

				ck_assert_uint_le(codec_encode(&got, again, sizeof(again)),
						  FRAME_MESSAGE_MAX);
			}
			codec_reset(&arena);
			free(exact);
		}
	}
}
END_TEST

START_TEST(survives_flipped_bits)
{
	static uint8_t buf[FRAME_MESSAGE_MAX], again[FRAME_MESSAGE_MAX];
	struct wire_msg msg;

	for (int i = 0; i < ROUNDS; i++) {
		size_t len;

		random_msg(&rnd, (enum frame_type)_i, &msg);
		len = codec_encode(&msg, buf, sizeof(buf));
		for (int k = 0; len && k < 4; k++)
			buf[random_below(&rnd, len)] ^= 1 << random_below(&rnd, 8);
		if (codec_decode(&arena, (enum frame_type)_i, buf, len, &got))
			codec_encode(&got, again, sizeof(again));
		codec_reset(&arena);
	}
}
END_TEST

START_TEST(never_underestimates_an_op)
{
	struct wire_msg msg = {.type = FRAME_OP}, reply = {.type = FRAME_OP_REPLY};
	const uint32_t max = UINT32_MAX;
	uint8_t buf[512];
	size_t len;

	msg.op = (struct wire_op){max, max, max, max, max, max};
	msg.op.in_len = msg.op.check_len = msg.op.out_room = msg.op.mac_room = max;
	msg.op.preference = msg.op.units = msg.op.mech2 = msg.op.tmpl2 = max;
	len = codec_encode(&msg, buf, sizeof(buf));
	ck_assert_uint_ge(len, 14 * 6);
	ck_assert_uint_eq(codec_encode(&msg, buf, len - 1), SIZE_MAX);
	reply.op_reply = (struct wire_op_reply){max, max, max, max, max, max, UINT64_MAX, UINT64_MAX};
	len = codec_encode(&reply, buf, sizeof(buf));
	ck_assert_uint_eq(len, 6 * 6 + 2 * 11);
	ck_assert_uint_eq(codec_encode(&reply, buf, len - 1), SIZE_MAX);
}
END_TEST

START_TEST(puts_header_and_message_together)
{
	uint8_t buf[256];
	struct wire_msg msg = {.type = FRAME_DONE, .status = KCF_BUSY};
	struct frame_header h;
	size_t len = codec_encode_frame(&msg, 7, 8, 9, buf, sizeof(buf));

	ck_assert_uint_eq(len, FRAME_HEADER_LEN + 2);
	ck_assert_int_eq(frame_get(buf, len, FRAME_PAYLOAD_MAX, &h), FRAME_OK);
	ck_assert_uint_eq(h.id, 7);
	ck_assert_uint_eq(h.deadline_us, 8);
	ck_assert_uint_eq(h.payload_len, 9);
	ck_assert_uint_eq(h.msg_len, 2);
	ck_assert(codec_decode(&arena, h.type, buf + FRAME_HEADER_LEN, h.msg_len, &got));
	ck_assert_uint_eq(got.status, KCF_BUSY);
	ck_assert_uint_eq(codec_encode_frame(&msg, 7, 8, 9, buf, len), len);
	ck_assert_uint_eq(codec_encode_frame(&msg, 7, 8, 9, buf, len - 1), SIZE_MAX);
	ck_assert_uint_eq(codec_encode_frame(&msg, 7, 8, 9, buf, 39), SIZE_MAX);
}
END_TEST

START_TEST(a_message_without_members_is_no_bytes)
{
	struct wire_msg msg = {.type = FRAME_DONE};
	uint8_t b;

	ck_assert_uint_eq(codec_encode(&msg, &b, 0), 0);
	ck_assert(codec_decode(&arena, FRAME_DONE, &b, 0, &got));
	ck_assert_uint_eq(got.status, KCF_SUCCESS);
}
END_TEST

START_TEST(refuses_types_that_do_not_exist)
{
	struct wire_msg msg = {.type = FRAME_TYPE_COUNT};
	uint8_t b[64];

	ck_assert_uint_eq(codec_encode(&msg, b, sizeof(b)), SIZE_MAX);
	ck_assert(!codec_decode(&arena, FRAME_TYPE_COUNT, b, 0, &got));
	msg.type = 0;
	ck_assert_uint_eq(codec_encode(&msg, b, sizeof(b)), SIZE_MAX);
	ck_assert(!codec_decode(&arena, 0, b, 0, &got));
}
END_TEST

/* ---- keys and parameters ---- */

START_TEST(counts_units_of_everything_inline)
{
	struct wire_step two[2] = {{.in_len = 4000, .out_room = 50}, {.in_len = 46}};
	struct wire_op op = {0};

	ck_assert_uint_eq(codec_op_units(&op), 1);
	op.in_len = 1;
	ck_assert_uint_eq(codec_op_units(&op), 2);
	op = (struct wire_op){.in_len = 1000, .check_len = 1000, .out_room = 1000, .mac_room = 1096};
	ck_assert_uint_eq(codec_op_units(&op), 2);
	op.mac_room++;
	ck_assert_uint_eq(codec_op_units(&op), 3);
	op = (struct wire_op){.steps = two, .n_steps = 2};
	ck_assert_uint_eq(codec_op_units(&op), 2);
	two[1].out_room = 1;
	ck_assert_uint_eq(codec_op_units(&op), 3);
}
END_TEST

START_TEST(an_empty_raw_key_is_not_no_key)
{
	put_num(&sub, 5, 1);
	ck_assert(op_with_key());
	ck_assert_int_eq(got.op.key.kind, KCF_KEY_BYTES);
	ck_assert_uint_eq(got.op.key.bytes.len, 0);
	begin_op();
	ck_assert(decode(FRAME_OP));
	ck_assert_int_eq(got.op.key.kind, KCF_KEY_NONE);
}
END_TEST

START_TEST(two_keys_and_two_parameters_stay_apart)
{
	struct kcf_param_iv iv = {(const uint8_t *)"iv", 2};
	struct kcf_param_mac mac = {.mac_len = 12};
	struct wire_msg msg = {.type = FRAME_OP};
	uint8_t buf[512];
	size_t len;

	msg.op.op = KCF_OP_ENCRYPT_MAC;
	msg.op.key = (struct wire_key){.kind = KCF_KEY_NAMED, .name = "one"};
	msg.op.key2 = (struct wire_key){.kind = KCF_KEY_NAMED, .name = "two"};
	msg.op.param = (struct wire_param){KCF_PARAM_IV, &iv};
	msg.op.param2 = (struct wire_param){KCF_PARAM_MAC, &mac};
	len = codec_encode(&msg, buf, sizeof(buf));
	ck_assert(codec_decode(&arena, FRAME_OP, buf, len, &got));
	ck_assert_str_eq(got.op.key.name, "one");
	ck_assert_str_eq(got.op.key2.name, "two");
	ck_assert(param_equal(&got.op.param, &msg.op.param));
	ck_assert(param_equal(&got.op.param2, &msg.op.param2));
}
END_TEST

START_TEST(a_template_key_is_not_sent)
{
	struct wire_msg msg = {.type = FRAME_OP};
	uint8_t buf[64];
	size_t len;

	msg.op.op = KCF_OP_MAC;
	msg.op.tmpl = 9;
	msg.op.key.kind = KCF_KEY_TEMPLATE;
	len = codec_encode(&msg, buf, sizeof(buf));
	ck_assert(codec_decode(&arena, FRAME_OP, buf, len, &got));
	ck_assert_int_eq(got.op.key.kind, KCF_KEY_NONE);
	ck_assert_uint_eq(got.op.tmpl, 9);
}
END_TEST

START_TEST(copies_parameters_deeply)
{
	struct wire_param a, b;

	for (int kind = 1; kind < KCF_PARAM_COUNT; kind++) {
		size_t len;
		void *mem;

		rnd.used = 0;
		random_param(&rnd, kind, &a);
		len = param_copy_len(kind, a.data);
		ck_assert_uint_ge(len, param_size(kind));
		mem = malloc(len);
		b = (struct wire_param){kind, param_copy(kind, a.data, mem)};
		ck_assert_ptr_eq(b.data, mem);
		ck_assert(param_equal(&a, &b));
		if (kind == KCF_PARAM_ECDH && len > param_size(kind)) {
			const struct kcf_param_ecdh *e = b.data;

			ck_assert_ptr_eq(e->peer, (uint8_t *)mem + sizeof(*e));
		}
		free(mem);
	}
}
END_TEST

START_TEST(a_copy_keeps_where_the_generated_iv_goes)
{
	uint8_t iv[12], mem[sizeof(struct kcf_param_aead)];
	struct kcf_param_aead aead = {.iv_out = iv, .flags = KCF_IV_GENERATED}, *copy;

	ck_assert_uint_eq(param_copy_len(KCF_PARAM_AEAD, &aead), sizeof(aead));
	copy = param_copy(KCF_PARAM_AEAD, &aead, mem);
	ck_assert_ptr_eq(copy->iv_out, iv);
	ck_assert_ptr_null(copy->iv);
}
END_TEST

START_TEST(knows_which_parameters_may_be_missing)
{
	ck_assert(param_is_optional(KCF_PARAM_NONE));
	ck_assert(param_is_optional(KCF_PARAM_MAC));
	ck_assert(param_is_optional(KCF_PARAM_RSA_PSS));
	ck_assert(!param_is_optional(KCF_PARAM_AEAD));
	ck_assert(!param_is_optional(KCF_PARAM_HKDF));
	ck_assert(!param_is_optional(KCF_PARAM_COUNT));
	ck_assert_uint_eq(param_size(KCF_PARAM_NONE), 0);
	ck_assert_uint_eq(param_size(KCF_PARAM_COUNT), 0);
	ck_assert_uint_eq(param_copy_len(KCF_PARAM_IV, NULL), 0);
}
END_TEST

/* ---- what a sender can make us do ---- */

START_TEST(refuses_messages_longer_than_a_frame_carries)
{
	static uint8_t big[FRAME_MESSAGE_MAX + 1];

	/* One unknown field that fills the message. */
	big[0] = 15 << 3 | 2;
	big[1] = 0xfc;
	big[2] = 0xff;
	big[3] = 0x03; /* 65532 */
	ck_assert(codec_decode(&arena, FRAME_DONE, big, FRAME_MESSAGE_MAX, &got));
	codec_reset(&arena);
	ck_assert(!codec_decode(&arena, FRAME_DONE, big, FRAME_MESSAGE_MAX + 1, &got));
}
END_TEST

START_TEST(ignores_a_bounded_number_of_unknown_fields)
{
	begin_op();
	for (int i = 0; i < 100; i++)
		put_num(&raw, 1000 + i, i);
	put_num(&raw, 4, 77);
	ck_assert(decode(FRAME_OP));
	ck_assert_uint_eq(got.op.mech, 77);
	begin_op();
	for (int i = 0; i < 1000; i++)
		put_num(&raw, 1000 + i, i);
	ck_assert(!decode(FRAME_OP));
}
END_TEST

START_TEST(a_message_cannot_take_more_memory_than_the_budget)
{
	begin_op();
	while (raw.len < FRAME_MESSAGE_MAX - 2)
		put_bytes(&raw, 21, NULL, 0); /* empty steps: 2 bytes each on the wire */
	ck_assert(!decode(FRAME_OP));
	ck_assert_uint_le(arena.high, CODEC_ARENA_SIZE);
	ck_assert_uint_le(arena.n_allocs, CODEC_MAX_ALLOCS);
	begin_op();
	while (raw.len < FRAME_MESSAGE_MAX - 4)
		put_fill(&raw, 15, 'p', 1); /* the same string again and again */
	ck_assert(!decode(FRAME_OP));
	ck_assert_uint_le(arena.n_allocs, CODEC_MAX_ALLOCS);
}
END_TEST

START_TEST(reset_wipes_every_byte)
{
	uint8_t *mem;

	put_fill(&sub, 1, 'K', 5000);
	ck_assert(op_with_key());
	mem = arena.mem;
	ck_assert_uint_eq(got.op.key.bytes.len, 5000);
	ck_assert(got.op.key.bytes.p >= mem);
	ck_assert(got.op.key.bytes.p < mem + CODEC_ARENA_SIZE);
	codec_reset(&arena);
	for (size_t i = 0; i < CODEC_ARENA_SIZE; i++)
		ck_assert_uint_eq(mem[i], 0);
}
END_TEST

START_TEST(wipes_after_a_message_that_was_refused)
{
	put_fill(&sub, 1, 'K', 5000);
	put_fill(&sub, 3, 'h', 3);
	ck_assert(!op_with_key());
	codec_reset(&arena);
	for (size_t i = 0; i < CODEC_ARENA_SIZE; i++)
		ck_assert_uint_eq(arena.mem[i], 0);
}
END_TEST

static unsigned depth_of(const ProtobufCMessageDescriptor *d, unsigned depth)
{
	unsigned deepest = depth;

	ck_assert_uint_le(depth, 4);
	for (unsigned i = 0; i < d->n_fields; i++) {
		unsigned n;

		if (d->fields[i].type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		n = depth_of(d->fields[i].descriptor, depth + 1);
		deepest = n > deepest ? n : deepest;
	}
	return deepest;
}

START_TEST(no_message_contains_itself)
{
	/* The messages that have others in them; a cycle would exceed any depth. */
	ck_assert_uint_eq(depth_of(&kcf__wire__op__descriptor, 1), 2);
	ck_assert_uint_eq(depth_of(&kcf__wire__key_op__descriptor, 1), 2);
	ck_assert_uint_eq(depth_of(&kcf__wire__template_attach__descriptor, 1), 2);
	ck_assert_uint_eq(depth_of(&kcf__wire__hello_reply__descriptor, 1), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec");
	TCase *t = tcase_create("codec");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, returns_every_member_of_every_message, 1, FRAME_TYPE_COUNT);
	tcase_add_loop_test(t, encodes_into_exactly_enough_room_and_no_less, 1, FRAME_TYPE_COUNT);
	tcase_add_loop_test(t, reads_nothing_beyond_a_truncated_message, 1, FRAME_TYPE_COUNT);
	tcase_add_loop_test(t, survives_flipped_bits, 1, FRAME_TYPE_COUNT);
	tcase_add_test(t, never_underestimates_an_op);
	tcase_add_test(t, puts_header_and_message_together);
	tcase_add_test(t, a_message_without_members_is_no_bytes);
	tcase_add_test(t, refuses_types_that_do_not_exist);
	tcase_add_test(t, counts_units_of_everything_inline);
	tcase_add_test(t, an_empty_raw_key_is_not_no_key);
	tcase_add_test(t, two_keys_and_two_parameters_stay_apart);
	tcase_add_test(t, a_template_key_is_not_sent);
	tcase_add_test(t, copies_parameters_deeply);
	tcase_add_test(t, a_copy_keeps_where_the_generated_iv_goes);
	tcase_add_test(t, knows_which_parameters_may_be_missing);
	tcase_add_test(t, refuses_messages_longer_than_a_frame_carries);
	tcase_add_test(t, ignores_a_bounded_number_of_unknown_fields);
	tcase_add_test(t, a_message_cannot_take_more_memory_than_the_budget);
	tcase_add_test(t, reset_wipes_every_byte);
	tcase_add_test(t, wipes_after_a_message_that_was_refused);
	tcase_add_test(t, no_message_contains_itself);
	suite_add_tcase(s, t);
	return test_main(s);
}
