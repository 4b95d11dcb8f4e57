/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message there and back with random members; every limit at and beyond its number, in bytes written by
 * hand; and what a hostile sender can do to the memory of the receiver.
 */
#include "test-main.h"
#include "wire-random.h"
#include "wire/codec.h"

#include "kcf.pb-c.h"

#include <string.h>

#define ROUNDS 300

static struct codec_arena arena;
static struct random rnd;
static struct wire_msg got;

static void setup(void)
{
	codec_init(&arena);
	random_init(&rnd, 1);
}

static void teardown(void)
{
	codec_deinit(&arena);
}

/* ---- protobuf by hand ---- */

struct raw {
	uint8_t b[FRAME_MESSAGE_MAX + 4096];
	size_t len;
};

static struct raw raw, sub;

static void put_varint(struct raw *r, uint64_t v)
{
	for (; v > 127; v >>= 7)
		r->b[r->len++] = (uint8_t)(v | 128);
	r->b[r->len++] = (uint8_t)v;
}

static void put_num(struct raw *r, unsigned field, uint64_t v)
{
	put_varint(r, field << 3);
	put_varint(r, v);
}

static void put_bytes(struct raw *r, unsigned field, const void *p, size_t len)
{
	put_varint(r, field << 3 | 2);
	put_varint(r, len);
	if (len)
		memcpy(r->b + r->len, p, len);
	r->len += len;
}

static void put_fill(struct raw *r, unsigned field, char c, size_t len)
{
	put_varint(r, field << 3 | 2);
	put_varint(r, len);
	memset(r->b + r->len, c, len);
	r->len += len;
}

/* n ranges, or with odd one number more. */
static void put_ranges(struct raw *r, unsigned field, unsigned n, bool odd)
{
	uint8_t packed[4096];

	memset(packed, 1, sizeof(packed));
	put_bytes(r, field, packed, 3 * n + odd);
}

static bool decode(enum frame_type type)
{
	bool ok;

	codec_reset(&arena);
	ok = codec_decode(&arena, type, raw.b, raw.len, &got);
	raw.len = sub.len = 0;
	return ok;
}

/* The least valid OP, to which a test adds. */
static void begin_op(void)
{
	raw.len = sub.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
}

static bool op_with_num(unsigned field, uint64_t v)
{
	begin_op();
	put_num(&raw, field, v);
	return decode(FRAME_OP);
}


/* sub was filled before; begin_op would clear it. */
static bool op_with_key(void)
{
	size_t len = sub.len;

	raw.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
	put_bytes(&raw, 6, sub.b, len);
	return decode(FRAME_OP);
}

static bool op_with_param(void)
{
	raw.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
	put_bytes(&raw, 7, sub.b, sub.len);
	return decode(FRAME_OP);
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

/* ---- limits of OP ---- */

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

/* ---- keys and parameters ---- */

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
	{FRAME_DONE, 1, KCF_STATUS_COUNT - 1},
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
	{FRAME_HELLO, 3, WIRE_MAX_LABEL},
	{FRAME_MECH_FIND, 1, KCF_NAME_MAX - 1},
	{FRAME_EVENT, 2, KCF_NAME_MAX - 1},
	{FRAME_EVENT, 3, KCF_NAME_MAX - 1},
	{FRAME_FATAL, 2, WIRE_MAX_TEXT},
	{FRAME_ADMIN_REPLY, 2, WIRE_MAX_TEXT},
	{FRAME_ADMIN, 1, KCF_NAME_MAX - 1},
	{FRAME_ADMIN, 2, WIRE_MAX_ARG},
	{FRAME_KEY_REPLY, 3, WIRE_MAX_KEY},
	{FRAME_OP_REPLY, 7, WIRE_IV_LEN},
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

static void add_limits(TCase *t)
{
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
}

static void add_memory(TCase *t)
{
	tcase_add_test(t, refuses_messages_longer_than_a_frame_carries);
	tcase_add_test(t, ignores_a_bounded_number_of_unknown_fields);
	tcase_add_test(t, a_message_cannot_take_more_memory_than_the_budget);
	tcase_add_test(t, reset_wipes_every_byte);
	tcase_add_test(t, wipes_after_a_message_that_was_refused);
	tcase_add_test(t, no_message_contains_itself);
}

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
	add_limits(t);
	add_memory(t);
	suite_add_tcase(s, t);
	return test_main(s);
}
