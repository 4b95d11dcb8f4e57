/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that kcfd makes and keeps: generate, derive, export the public half, use, destroy. */
#include <kcf/provider.h>
#include <string.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;

static void start(void)
{
	harness_kcfd_start(&kcfd, NULL);
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

static void teardown(void)
{
	harness_raw_close(&raw);
}

static struct wire_key_reply key_op(const struct wire_key_op_msg *op, struct harness_frame *f)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};

	m.key_op = *op;
	harness_raw_send(&raw, &m, 9, NULL, 0);
	harness_raw_expect(&raw, FRAME_KEY_REPLY, f);
	return f->msg.key_reply;
}

static struct wire_key generate(uint32_t mech, uint32_t bits, uint32_t curve)
{
	struct kcf_param_keygen param = {.bits = bits, .curve = curve};
	struct wire_key_op_msg op = {
		.kind = KEYOP_GENERATE, .mech = mech, .param = {KCF_PARAM_KEYGEN, &param}};
	struct harness_frame f;
	struct wire_key_reply reply = key_op(&op, &f);

	ck_assert_uint_eq(reply.status, KCF_SUCCESS);
	ck_assert(reply.has_handle);
	ck_assert_uint_eq(reply.data.len, 0);
	return (struct wire_key){.kind = KCF_KEY_HANDLE, .handle = reply.handle};
}

static enum kcf_status export_public(struct wire_key key, struct harness_frame *f)
{
	struct wire_key_op_msg op = {.kind = KEYOP_EXPORT, .key = key};

	return key_op(&op, f).status;
}

static enum kcf_status import_key(const void *bytes, size_t len, enum kcf_key_format format,
				  uint32_t usage, struct wire_key *ret)
{
	struct wire_key_op_msg op = {
		.kind = KEYOP_IMPORT,
		.usage = usage,
		.key = {.kind = KCF_KEY_BYTES, .format = format, .bytes = {bytes, len}}};
	struct harness_frame f;
	struct wire_key_reply reply = key_op(&op, &f);

	*ret = (struct wire_key){.kind = KCF_KEY_HANDLE, .handle = reply.handle};
	return reply.status;
}

/* Mechanism, bits, curve; the object identifier in the public key. */
static const struct {
	uint32_t mech, bits, curve;
	const char *oid;
	size_t oid_len;
} pairs[] = {
	{KCF_M_RSA_PKCS_KEY_PAIR_GEN, 2048, 0, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9},
	{KCF_M_EC_KEY_PAIR_GEN, 0, KCF_CURVE_P256, "\x2a\x86\x48\xce\x3d\x02\x01", 7},
	{KCF_M_EC_KEY_PAIR_GEN, 0, KCF_CURVE_P384, "\x2a\x86\x48\xce\x3d\x02\x01", 7},
	{KCF_M_EC_EDWARDS_KEY_PAIR_GEN, 0, KCF_CURVE_ED25519, "\x2b\x65\x70", 3},
	{KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN, 0, KCF_CURVE_X25519, "\x2b\x65\x6e", 3},
};

START_TEST(generates_pairs_and_exports_their_public_half)
{
	struct wire_key key = generate(pairs[_i].mech, pairs[_i].bits, pairs[_i].curve);
	uint8_t spki[1024];
	struct harness_frame f;
	struct wire_key public;
	size_t len;

	ck_assert_uint_eq(export_public(key, &f), KCF_SUCCESS);
	len = f.msg.key_reply.data.len;
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(len, sizeof(spki));
	memcpy(spki, f.msg.key_reply.data.p, len);
	ck_assert_ptr_nonnull(memmem(spki, len, pairs[_i].oid, pairs[_i].oid_len));
	/* A public key is its own public half. */
	ck_assert_uint_eq(import_key(spki, len, KCF_KEY_SPKI, 0, &public), KCF_SUCCESS);
	ck_assert_uint_eq(export_public(public, &f), KCF_SUCCESS);
	ck_assert_uint_eq(f.msg.key_reply.data.len, len);
	ck_assert_mem_eq(f.msg.key_reply.data.p, spki, len);
}
END_TEST

START_TEST(exports_nothing_of_a_symmetric_key)
{
	struct harness_frame f;

	ck_assert_uint_ne(export_public(generate(KCF_M_GENERIC_SECRET_KEY_GEN, 1024, 0), &f),
			  KCF_SUCCESS);
	ck_assert_uint_eq(f.msg.key_reply.data.len, 0);
}
END_TEST

/* 32 bytes could be the seed of an Ed25519 pair. */
START_TEST(exports_nothing_of_a_secret_as_long_as_a_seed)
{
	static const uint8_t raw_key[32] = {1, 2, 3};
	struct harness_frame f;
	struct wire_key key;

	ck_assert_uint_eq(export_public(generate(KCF_M_AES_KEY_GEN, 256, 0), &f),
			  KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(export_public(generate(KCF_M_GENERIC_SECRET_KEY_GEN, 256, 0), &f),
			  KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(import_key(raw_key, 32, KCF_KEY_RAW, KCF_KEY_USE(KCF_OP_MAC), &key),
			  KCF_SUCCESS);
	ck_assert_uint_eq(export_public(key, &f), KCF_KEY_TYPE_INCONSISTENT);
	ck_assert_uint_eq(import_key(raw_key, 32, KCF_KEY_RAW, 0, &key), KCF_SUCCESS);
	ck_assert_uint_eq(export_public(key, &f), KCF_SUCCESS); /* nobody said what it is */
}
END_TEST

START_TEST(takes_a_raw_key_for_what_its_usage_says)
{
	static const uint8_t raw_key[32] = {1, 2, 3};
	struct harness_frame f;
	struct wire_key key;

	ck_assert_uint_eq(import_key(raw_key, 32, KCF_KEY_RAW, KCF_KEY_USE(KCF_OP_SIGN), &key),
			  KCF_SUCCESS);
	ck_assert_uint_eq(export_public(key, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(
		memmem(f.msg.key_reply.data.p, f.msg.key_reply.data.len, "\x2b\x65\x70", 3));
	ck_assert_uint_eq(import_key(raw_key, 32, KCF_KEY_RAW, KCF_KEY_USE(KCF_OP_DERIVE), &key),
			  KCF_SUCCESS);
	ck_assert_uint_eq(export_public(key, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(
		memmem(f.msg.key_reply.data.p, f.msg.key_reply.data.len, "\x2b\x65\x6e", 3));
}
END_TEST

static enum kcf_status mac(struct wire_key key, uint8_t out[32])
{
	struct wire_op op = {.op = KCF_OP_MAC,
			     .mech = KCF_M_SHA256_HMAC,
			     .in_len = 3,
			     .out_room = 32,
			     .key = key};
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 6, "abc", 3);
	harness_raw_expect(&raw, FRAME_OP_REPLY, &f);
	if (f.msg.op_reply.status == KCF_SUCCESS)
		memcpy(out, f.payload, 32);
	return f.msg.op_reply.status;
}

START_TEST(derives_the_same_key_from_the_same_base)
{
	struct kcf_param_hkdf param = {
		.hash = KCF_M_SHA256, .info = (const uint8_t *)"a", .info_len = 1};
	struct wire_key_op_msg op = {.kind = KEYOP_DERIVE,
				     .mech = KCF_M_HKDF_DERIVE,
				     .len = 32,
				     .param = {KCF_PARAM_HKDF, &param},
				     .key = generate(KCF_M_GENERIC_SECRET_KEY_GEN, 256, 0)};
	struct wire_key keys[3];
	uint8_t macs[3][32];
	struct harness_frame f;

	for (int i = 0; i < 3; i++) {
		if (i == 2)
			param.info = (const uint8_t *)"b";
		struct wire_key_reply reply = key_op(&op, &f);
		ck_assert_uint_eq(reply.status, KCF_SUCCESS);
		keys[i] = (struct wire_key){.kind = KCF_KEY_HANDLE, .handle = reply.handle};
		ck_assert_uint_eq(mac(keys[i], macs[i]), KCF_SUCCESS);
	}
	ck_assert_mem_eq(macs[0], macs[1], 32);
	ck_assert_mem_ne(macs[0], macs[2], 32);
}
END_TEST

START_TEST(refuses_a_destroyed_key)
{
	struct wire_key key = generate(KCF_M_GENERIC_SECRET_KEY_GEN, 256, 0);
	struct wire_key_op_msg op = {.kind = KEYOP_DESTROY, .key = key};
	struct harness_frame f;
	uint8_t out[32];

	ck_assert_uint_eq(mac(key, out), KCF_SUCCESS);
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_SUCCESS);
	ck_assert_uint_eq(mac(key, out), KCF_KEY_HANDLE_INVALID);
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(refuses_what_makes_no_sense)
{
	static const struct wire_key none = {.kind = KCF_KEY_NONE};
	struct wire_key_op_msg op = {.kind = KEYOP_IMPORT, .key = none};
	struct harness_frame f;

	ck_assert_uint_eq(key_op(&op, &f).status, KCF_ARGUMENTS_BAD);
	op.kind = KEYOP_DESTROY;
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_ARGUMENTS_BAD);
	op.kind = KEYOP_EXPORT;
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_ARGUMENTS_BAD);
	op.kind = KEYOP_DERIVE;
	op.mech = KCF_M_HKDF_DERIVE;
	op.len = 32;
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_ARGUMENTS_BAD);
	op.kind = KEYOP_GENERATE;
	op.mech = KCF_M_AES_KEY_GEN; /* without parameter */
	ck_assert_uint_eq(key_op(&op, &f).status, KCF_MECHANISM_PARAM_INVALID);
	op.mech = KCF_M_SHA256;
	ck_assert_uint_ne(key_op(&op, &f).status, KCF_SUCCESS);
}
END_TEST

/* ---- named keys ---- */

static void start_named(void)
{
	static const char config[] = "[key ours]\nfile = ours.key\ngids = 23456\nusage = mac\n";
	char path[128];

	/* The key's file must be there before kcfd starts: begin with one that has no keys. */
	harness_kcfd_start(&kcfd, NULL);
	harness_file(&kcfd, "ours.key", "0123456789abcdef0123456789abcdef", 32, path);
	harness_file(&kcfd, "kcfd.conf", config, strlen(config), path);
	harness_kcfd_kill(&kcfd);
	harness_kcfd_restart(&kcfd, NULL);
}

START_TEST(asks_for_the_group_of_the_connection_that_uses_a_named_key)
{
	struct wire_key key = {.kind = KCF_KEY_NAMED, .name = "ours"};
	struct harness_raw member;
	uint8_t out[32];

	ck_assert_int_eq(setegid(23456), 0);
	harness_raw_open(&member, &kcfd);
	harness_raw_hello(&member, NULL);
	ck_assert_int_eq(setegid(0), 0);
	setup(); /* the user's latest connection is no member */
	ck_assert_uint_eq(mac(key, out), KCF_PERMISSION_DENIED);
	struct harness_raw other = raw;
	raw = member;
	ck_assert_uint_eq(mac(key, out), KCF_SUCCESS);
	raw = other;
	ck_assert_uint_eq(mac(key, out), KCF_PERMISSION_DENIED);
	key.name = "theirs";
	ck_assert_uint_eq(mac(key, out), KCF_KEY_HANDLE_INVALID);
	harness_raw_close(&member);
	teardown();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("key-ops");
	TCase *t = tcase_create("key-ops"), *named = tcase_create("named");

	tcase_add_unchecked_fixture(t, start, stop);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, generates_pairs_and_exports_their_public_half, 0,
			    sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(t, exports_nothing_of_a_symmetric_key);
	tcase_add_test(t, exports_nothing_of_a_secret_as_long_as_a_seed);
	tcase_add_test(t, takes_a_raw_key_for_what_its_usage_says);
	tcase_add_test(t, derives_the_same_key_from_the_same_base);
	tcase_add_test(t, refuses_a_destroyed_key);
	tcase_add_test(t, refuses_what_makes_no_sense);
	suite_add_tcase(s, t);
	if (geteuid() == 0) { /* only root can be of any group */
		tcase_add_unchecked_fixture(named, start_named, stop);
		tcase_add_test(named, asks_for_the_group_of_the_connection_that_uses_a_named_key);
	}
	suite_add_tcase(s, named);
	return test_main(s);
}
