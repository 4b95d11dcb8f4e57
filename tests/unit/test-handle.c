/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection names by numbers of its own: templates, contexts, keys, arena segments. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "api-world.h"

/* ---- templates, contexts, keys ---- */

START_TEST(uses_a_template_while_its_slot_is_dropped)
{
	struct wire_msg drop = {.type = FRAME_TEMPLATE_DROP};
	struct wire_op op = {.op = KCF_OP_MAC,
			     .mech = KCF_M_SHA256_HMAC,
			     .tmpl = 7,
			     .in_len = 3,
			     .out_room = 32};
	struct harness_frame f;

	ck_assert_uint_eq(attach(7, KCF_M_SHA256_HMAC), KCF_SUCCESS);
	ck_assert_uint_eq(attach(7, KCF_M_SHA256_HMAC), KCF_ALREADY_EXISTS);
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	drop.slot = 7;
	send_msg(&drop, 0);
	harness_raw_send_op(&raw, &op, 2, "abc", 3);
	ck_assert_uint_eq(expect_op(2, &f).status, KCF_ARGUMENTS_BAD);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_SUCCESS);
	ck_assert_int_eq(fake.n_templates, 0);
}
END_TEST

START_TEST(counts_a_request_to_the_label_of_its_connection)
{
	struct wire_op op = {.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
	struct kcf_param_keygen param = {.bits = 256};
	struct wire_msg key = {.type = FRAME_KEY_OP};
	struct harness_frame f;

	ck_assert_int_eq(fake.n_labels, 1);
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	ck_assert_uint_eq(wait_request()->label, strlen("raw"));
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	expect_op(1, &f);
	key.key_op.kind = KEYOP_GENERATE;
	key.key_op.mech = KCF_M_AES_KEY_GEN;
	key.key_op.param = (struct wire_param){KCF_PARAM_KEYGEN, &param};
	send_msg(&key, 2);
	ck_assert_uint_eq(wait_request()->label, strlen("raw"));
	fake_complete(wait_request(), KCF_FAILED, 1);
}
END_TEST

START_TEST(refuses_a_template_of_another_mechanism)
{
	struct wire_op op = {
		.op = KCF_OP_MAC, .mech = KCF_M_SHA256, .tmpl = 7, .in_len = 3, .out_room = 32};
	struct harness_frame f;

	ck_assert_uint_eq(attach(7, KCF_M_SHA256_HMAC), KCF_SUCCESS);
	harness_raw_send_op(&raw, &op, 1, "abc", 3);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_ARGUMENTS_BAD);
}
END_TEST

START_TEST(closes_a_client_that_names_a_slot_out_of_range)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};

	m.attach.slot = 65537;
	m.attach.mech = KCF_M_SHA256;
	send_msg(&m, 1);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

static void send_phase(uint64_t id, uint32_t op_number, enum kcf_phase phase, uint32_t context)
{
	struct wire_op op = {
		.op = op_number, .mech = KCF_M_SHA256, .phase = phase, .context = context};

	harness_raw_send_op(&raw, &op, id, NULL, 0);
}

START_TEST(ends_a_context_with_its_final)
{
	struct harness_frame f;

	send_phase(1, KCF_OP_DIGEST, KCF_INIT, 3);
	fake_complete(wait_request(), KCF_SUCCESS, 0);
	expect_op(1, &f);
	send_phase(2, KCF_OP_DIGEST, KCF_INIT, 3);
	ck_assert_uint_eq(expect_op(2, &f).status, KCF_ALREADY_EXISTS);
	send_phase(3, KCF_OP_MAC, KCF_UPDATE, 3);
	ck_assert_uint_eq(expect_op(3, &f).status, KCF_INVALID_CONTEXT);
	send_phase(4, KCF_OP_DIGEST, KCF_FINAL_PHASE, 3);
	fake_complete(wait_request(), KCF_SUCCESS, 0);
	expect_op(4, &f);
	ck_assert_int_eq(fake.n_contexts, 0);
	send_phase(5, KCF_OP_DIGEST, KCF_UPDATE, 3);
	ck_assert_uint_eq(expect_op(5, &f).status, KCF_INVALID_CONTEXT);
	send_phase(6, KCF_OP_DIGEST, KCF_INIT, 3);
	fake_complete(wait_request(), KCF_SUCCESS, 0);
	ck_assert_uint_eq(expect_op(6, &f).status, KCF_SUCCESS);
}
END_TEST

static struct wire_key_reply key_op(struct wire_key_op_msg op, struct harness_frame *f)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};

	m.key_op = op;
	send_msg(&m, 77);
	if (op.kind == KEYOP_GENERATE || op.kind == KEYOP_DERIVE || op.kind == KEYOP_EXPORT)
		fake_complete(wait_request(), KCF_SUCCESS, 9);
	harness_raw_expect(&raw, FRAME_KEY_REPLY, f);
	return f->msg.key_reply;
}

/* Also where it does not come as far as its provider: what follows must not go on without it. */
START_TEST(ends_a_context_with_an_update_that_is_refused)
{
	struct wire_range nowhere = {9, 0, 100};
	struct wire_op op = {.op = KCF_OP_DIGEST, .phase = KCF_UPDATE, .context = 3,
			     .in = &nowhere, .n_in = 1};
	struct harness_frame f;

	send_phase(1, KCF_OP_DIGEST, KCF_INIT, 3);
	fake_complete(wait_request(), KCF_SUCCESS, 0);
	expect_op(1, &f);
	op.op = KCF_OP_MAC; /* not its operation */
	harness_raw_send_op(&raw, &op, 2, NULL, 0);
	ck_assert_uint_eq(expect_op(2, &f).status, KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(fake.n_contexts, 1);
	op.op = KCF_OP_DIGEST;
	harness_raw_send_op(&raw, &op, 3, NULL, 0);
	send_phase(4, KCF_OP_DIGEST, KCF_UPDATE, 3);
	ck_assert_uint_eq(expect_op(3, &f).status, KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(expect_op(4, &f).status, KCF_INVALID_CONTEXT);
	ck_assert_int_eq(fake.n_contexts, 0);
}
END_TEST

START_TEST(imports_and_destroys_a_key_by_handle)
{
	struct wire_key_op_msg op = {.kind = KEYOP_IMPORT, .key = some_bytes()};
	struct wire_key_reply reply;
	struct harness_frame f;

	reply = key_op(op, &f);
	ck_assert_uint_eq(reply.status, KCF_SUCCESS);
	ck_assert(reply.has_handle);
	ck_assert_int_eq(fake.n_keys, 1);
	op = (struct wire_key_op_msg){.kind = KEYOP_DESTROY,
				      .key = {.kind = KCF_KEY_HANDLE, .handle = reply.handle}};
	ck_assert_uint_eq(key_op(op, &f).status, KCF_SUCCESS);
	ck_assert_int_eq(fake.n_keys, 0);
	ck_assert_uint_eq(key_op(op, &f).status, KCF_KEY_HANDLE_INVALID);
}
END_TEST

START_TEST(makes_a_key_by_a_request_and_answers_with_its_handle)
{
	struct kcf_param_keygen param = {.bits = 256};
	struct wire_key_op_msg op = {.kind = KEYOP_GENERATE,
				     .mech = KCF_M_AES_KEY_GEN,
				     .param = {KCF_PARAM_KEYGEN, &param}};
	struct harness_frame f;
	struct wire_key_reply reply = key_op(op, &f);

	ck_assert_uint_eq(reply.status, KCF_SUCCESS);
	ck_assert(reply.has_handle);
	ck_assert_uint_eq(reply.data.len, 0);
	ck_assert_int_eq(fake.n_keys, 1);
}
END_TEST

START_TEST(tries_the_key_types_in_turn_to_export)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};
	struct harness_frame f;

	m.key_op = (struct wire_key_op_msg){.kind = KEYOP_EXPORT, .key = some_bytes()};
	m.key_op.key.format = KCF_KEY_PKCS8;
	send_msg(&m, 77);
	fake_complete(wait_request(), KCF_KEY_TYPE_INCONSISTENT, 0);
	fake_complete(wait_request(), KCF_SUCCESS, 0x30);
	harness_raw_expect(&raw, FRAME_KEY_REPLY, &f);
	ck_assert_uint_eq(f.msg.key_reply.status, KCF_SUCCESS);
	ck_assert_uint_gt(f.msg.key_reply.data.len, 0);
	ck_assert_uint_eq(f.msg.key_reply.data.p[0], 0x30);
	ck_assert_int_eq(fake.n_templates, 0);
}
END_TEST

/* ---- arena ---- */

static struct wire_arena new_segment(uint64_t size, int *ret_fd)
{
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	struct harness_frame f;

	m.arena.size = size;
	send_msg(&m, 55);
	harness_raw_expect(&raw, FRAME_ARENA_REPLY, &f);
	*ret_fd = harness_raw_take_fd(&raw);
	return f.msg.arena;
}

/* So that 8 bits do for a client that lives long. */
START_TEST(gives_the_smallest_free_segment_number)
{
	struct wire_msg drop = {.type = FRAME_ARENA_FREE};
	int fd;

	for (uint32_t want = 1; want <= 3; want++) {
		ck_assert_uint_eq(new_segment(4096, &fd).segment, want);
		close(fd);
	}
	for (uint32_t i = 0; i < 600; i++) {
		drop.slot = 1 + i % 3;
		send_msg(&drop, 0);
		ck_assert_uint_eq(new_segment(4096, &fd).segment, drop.slot);
		close(fd);
	}
}
END_TEST

START_TEST(works_in_place_on_arena_ranges)
{
	struct wire_range in, out;
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .in = &in,
			     .n_in = 1,
			     .out = &out,
			     .n_out = 1};
	struct wire_msg drop = {.type = FRAME_ARENA_FREE};
	struct wire_arena segment;
	struct harness_frame f;
	struct request *r;
	uint8_t *mem;
	int fd;

	segment = new_segment(5000, &fd);
	ck_assert_uint_eq(segment.status, KCF_SUCCESS);
	ck_assert_uint_eq(segment.size, 8192);
	mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(mem, MAP_FAILED);
	close(fd);
	memcpy(mem + 100, "hello", 5);
	in = (struct wire_range){segment.segment, 100, 5};
	out = (struct wire_range){segment.segment, 8160, 32};
	harness_raw_send_op(&raw, &op, 1, NULL, 0);
	r = wait_request();
	ck_assert(r->in.shared && r->out.shared);
	ck_assert_mem_eq(r->in.iov[0].iov_base, "hello", 5);
	/* The number is free at once, the memory when the request is done. */
	drop.slot = segment.segment;
	send_msg(&drop, 0);
	pump_some();
	ck_assert_int_eq(fake.charged[CHARGE_ARENA], 8192);
	fake_complete(r, KCF_SUCCESS, 0x77);
	ck_assert_uint_eq(expect_op(1, &f).out_len, 32);
	ck_assert_uint_eq(f.h.payload_len, 0);
	ck_assert_uint_eq(mem[8191], 0x77);
	ck_assert_int_eq(fake.charged[CHARGE_ARENA], 0);
	munmap(mem, 8192);
}
END_TEST

START_TEST(refuses_ranges_outside_their_segment)
{
	static const struct wire_range bad[] = {{1, 0, 8193},       {1, 8192, 1},
						{1, 1, UINT64_MAX}, {1, UINT64_MAX, 2},
						{2, 0, 1},          {0, 0, 1}};
	struct harness_frame f;
	int fd;

	new_segment(8192, &fd);
	close(fd);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire_op op = {.op = KCF_OP_DIGEST,
				     .mech = KCF_M_SHA256,
				     .in = &bad[i],
				     .n_in = 1,
				     .out_room = 32};

		harness_raw_send_op(&raw, &op, i + 1, NULL, 0);
		ck_assert_uint_eq(expect_op(i + 1, &f).status, KCF_ARGUMENTS_BAD);
	}
	ck_assert_uint_eq(fake.n_submitted, 0);
}
END_TEST

START_TEST(refuses_input_beyond_the_largest_request)
{
	struct wire_range in = {1, 0, 4096};
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in = &in, .n_in = 1, .out_room = 32};
	struct harness_frame f;
	int fd;

	fake.limits.max_request = 4095;
	new_segment(8192, &fd);
	close(fd);
	harness_raw_send_op(&raw, &op, 1, NULL, 0);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_BUFFER_TOO_BIG);
}
END_TEST

static enum kcf_status offer(int fd, uint64_t size)
{
	struct wire_msg m = {.type = FRAME_ARENA_OFFER};
	struct harness_frame f;
	uint8_t buf[256];
	size_t n;

	m.arena.segment = 9;
	m.arena.size = size;
	n = codec_encode_frame(&m, 66, 0, 0, buf, sizeof(buf));
	ck_assert_uint_ne(n, SIZE_MAX);
	ck_assert(harness_raw_write(&raw, buf, n, &fd, 1));
	harness_raw_expect(&raw, FRAME_ARENA_REPLY, &f);
	close(fd);
	return f.msg.arena.status;
}

static int sealed(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

START_TEST(takes_only_sealed_memory_that_is_offered)
{
	int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, fds[2];

	ck_assert_uint_eq(offer(sealed(8192, all), 8192), KCF_SUCCESS);
	ck_assert_uint_eq(offer(sealed(8192, F_SEAL_GROW | F_SEAL_SEAL), 8192), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(offer(sealed(8192, F_SEAL_SHRINK | F_SEAL_GROW), 8192),
			  KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(offer(sealed(8192, all), 4096), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(offer(sealed(8192, all), 16384), KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(offer(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 4096),
			  KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_uint_eq(offer(fds[0], 4096), KCF_ARGUMENTS_BAD);
	close(fds[1]);
	ck_assert_int_eq(fake.charged[CHARGE_ARENA], 8192);
}
END_TEST

START_TEST(closes_a_client_that_offers_no_memory)
{
	struct wire_msg m = {.type = FRAME_ARENA_OFFER};

	m.arena.segment = 1;
	m.arena.size = 4096;
	send_msg(&m, 1);
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(closes_a_client_with_descriptors_nobody_takes)
{
	struct wire_msg m = {.type = FRAME_MECH_FIND};
	uint8_t buf[256];
	size_t n;
	int fd = 0;

	m.name = "CKM_SHA256";
	n = codec_encode_frame(&m, 1, 0, 0, buf, sizeof(buf));
	ck_assert(harness_raw_write(&raw, buf, n, &fd, 1));
	expect_violation(KCF_PROTOCOL_ERROR);
}
END_TEST

START_TEST(refuses_more_segments_than_a_connection_may_have)
{
	int fd;

	for (unsigned i = 0; i < 64; i++) {
		ck_assert_uint_eq(new_segment(4096, &fd).status, KCF_SUCCESS);
		close(fd);
	}
	ck_assert_uint_eq(new_segment(4096, &fd).status, KCF_QUOTA_EXCEEDED);
	ck_assert_int_eq(fd, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("handle");
	TCase *t = tcase_create("served");

	tcase_add_checked_fixture(t, world_setup_served, world_teardown);
	tcase_add_test(t, uses_a_template_while_its_slot_is_dropped);
	tcase_add_test(t, counts_a_request_to_the_label_of_its_connection);
	tcase_add_test(t, refuses_a_template_of_another_mechanism);
	tcase_add_test(t, closes_a_client_that_names_a_slot_out_of_range);
	tcase_add_test(t, ends_a_context_with_its_final);
	tcase_add_test(t, ends_a_context_with_an_update_that_is_refused);
	tcase_add_test(t, imports_and_destroys_a_key_by_handle);
	tcase_add_test(t, makes_a_key_by_a_request_and_answers_with_its_handle);
	tcase_add_test(t, tries_the_key_types_in_turn_to_export);
	tcase_add_test(t, gives_the_smallest_free_segment_number);
	tcase_add_test(t, works_in_place_on_arena_ranges);
	tcase_add_test(t, refuses_ranges_outside_their_segment);
	tcase_add_test(t, refuses_input_beyond_the_largest_request);
	tcase_add_test(t, takes_only_sealed_memory_that_is_offered);
	tcase_add_test(t, closes_a_client_that_offers_no_memory);
	tcase_add_test(t, closes_a_client_with_descriptors_nobody_takes);
	tcase_add_test(t, refuses_more_segments_than_a_connection_may_have);
	suite_add_tcase(s, t);
	return test_main(s);
}
