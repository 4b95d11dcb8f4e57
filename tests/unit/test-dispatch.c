/* SPDX-License-Identifier: Apache-2.0 */
/* The api layer over a socketpair, on a core that completes requests when the test says so. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../harness.h"
#include "api/conn.h"
#include "fake-core.h"
#include "test-main.h"

static uv_loop_t loop;
static struct api api;
static struct harness_raw raw;

static void pump(void *arg)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void pump_some(void)
{
	for (int i = 0; i < 4; i++)
		pump(NULL);
}

static void connect_raw(struct harness_raw *r, uid_t uid)
{
	struct consumer *c = consumer_get(fake_core(), uid, 0);
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(consumer_charge(c, CHARGE_CONNECTION, 1), KCF_SUCCESS);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_ptr_nonnull(conn_new(&api, fds[0], uid, 0, c));
	harness_raw_attach(r, fds[1]);
	r->pump = pump;
}

static void setup(void)
{
	fake_core_reset();
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(api_init(&api, &loop, 42), 0);
	api_set_core(&api, fake_core());
	connect_raw(&raw, geteuid());
}

static void setup_served(void)
{
	setup();
	harness_raw_hello(&raw, NULL);
}

/* Whatever a test did: nothing is left of its connections once they are closed. */
static void teardown(void)
{
	harness_raw_close(&raw);
	pump_some();
	api_close_conns(&api);
	while (fake_first()) /* what was running */
		fake_complete(fake_first(), KCF_SUCCESS, 0);
	api_deinit(&api);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_uint_eq(api.open, 0);
	ck_assert_uint_eq(api.n_segments, 0);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	fake_check_clean();
}

static struct wire_op digest_op(void)
{
	return (struct wire_op){
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
}

static struct request *wait_request(void)
{
	for (int i = 0; i < 100 && !fake_first(); i++)
		pump(NULL);
	ck_assert_ptr_nonnull(fake_first());
	return fake_first();
}

static struct wire_op_reply expect_op(uint64_t id, struct harness_frame *f)
{
	harness_raw_expect(&raw, FRAME_OP_REPLY, f);
	ck_assert_uint_eq(f->h.id, id);
	return f->msg.op_reply;
}

static void expect_violation(enum kcf_status want)
{
	enum kcf_status status;

	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, want);
	pump_some();
	ck_assert_uint_eq(api.n_conns, 0);
}

static void send_msg(const struct wire_msg *msg, uint64_t id)
{
	ck_assert(harness_raw_send(&raw, msg, id, NULL, 0));
}

static enum kcf_status attach(uint32_t slot, uint32_t mech)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};
	struct harness_frame f;

	m.attach.slot = slot;
	m.attach.mech = mech;
	m.attach.key = (struct wire_key){.kind = KCF_KEY_BYTES,
					 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
	send_msg(&m, 99);
	harness_raw_expect(&raw, FRAME_DONE, &f);
	ck_assert_uint_eq(f.h.id, 99);
	return f.msg.status;
}

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

static struct wire_key some_bytes(void)
{
	return (struct wire_key){.kind = KCF_KEY_BYTES,
				 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
}

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

/* ---- administration ---- */

static enum kcf_status admin(const char *command, const char *const *args, unsigned n,
			     struct harness_frame *f)
{
	struct wire_msg m = {.type = FRAME_ADMIN};

	m.admin.command = command;
	for (unsigned i = 0; i < n; i++)
		m.admin.args[i] = args[i];
	m.admin.n_args = n;
	send_msg(&m, 12);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, f);
	return f->msg.admin_reply.status;
}

START_TEST(answers_commands_with_json)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("list", (const char *const[]){"mechanisms"}, 1, &f), KCF_SUCCESS);
	ck_assert_uint_gt(f.h.payload_len, 0);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "list mechanisms", 15));
	ck_assert_uint_eq(admin("trace", NULL, 0, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "caller", 6));
	ck_assert_uint_eq(admin("connections", NULL, 0, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "\"raw\"", 5));
}
END_TEST

START_TEST(says_what_is_wrong_with_a_command)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("lst", NULL, 0, &f), KCF_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(f.msg.admin_reply.error, "lst"));
	ck_assert_uint_eq(admin("unload", NULL, 0, &f), KCF_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(f.msg.admin_reply.error, "unload INSTANCE"));
	ck_assert_uint_eq(admin("unload", (const char *const[]){"x"}, 1, &f), KCF_NOT_FOUND);
	ck_assert_str_eq(f.msg.admin_reply.error, "there is no such provider");
}
END_TEST

START_TEST(refuses_limits_that_do_not_fit_together)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("set", (const char *const[]){"connections", "16"}, 2, &f),
			  KCF_SUCCESS);
	ck_assert_uint_eq(fake.limits.connections, 16);
	ck_assert_uint_eq(admin("set", (const char *const[]){"connections", "60000"}, 2, &f),
			  KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(fake.limits.connections, 16);
}
END_TEST

START_TEST(cancels_a_request_for_the_administrator)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 31, "abc", 3);
	wait_request();
	ck_assert_uint_eq(admin("cancel", (const char *const[]){"32"}, 1, &f), KCF_NOT_FOUND);
	struct wire_msg m = {.type = FRAME_ADMIN};
	m.admin.command = "cancel";
	m.admin.args[0] = "31";
	m.admin.n_args = 1;
	send_msg(&m, 13);
	ck_assert_uint_eq(expect_op(31, &f).status, KCF_CANCELED);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, &f);
	ck_assert_uint_eq(f.msg.admin_reply.status, KCF_SUCCESS);
}
END_TEST

START_TEST(refuses_commands_of_other_users)
{
	struct harness_frame f;

	harness_raw_close(&raw);
	connect_raw(&raw, geteuid() + 12345);
	harness_raw_hello(&raw, NULL);
	ck_assert_uint_eq(admin("stats", NULL, 0, &f), KCF_PERMISSION_DENIED);
	ck_assert_uint_eq(f.h.payload_len, 0);
}
END_TEST

START_TEST(answers_load_when_the_module_is_there)
{
	struct wire_msg m = {.type = FRAME_ADMIN};
	struct harness_frame f;

	m.admin.command = "load";
	m.admin.args[0] = "null";
	m.admin.n_args = 1;
	send_msg(&m, 20);
	for (int i = 0; i < 100 && !fake.load_done; i++)
		pump(NULL);
	ck_assert_uint_eq(admin("stats", NULL, 0, &f), KCF_SUCCESS); /* others are not held up */
	fake.load_done(fake.load_arg, KCF_SUCCESS, NULL);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 20);
	ck_assert_uint_eq(f.msg.admin_reply.status, KCF_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dispatch");
	TCase *fresh = tcase_create("handshake"), *t = tcase_create("served");

	tcase_add_checked_fixture(fresh, setup, teardown);
	tcase_add_test(fresh, answers_hello_with_table_page_and_lease);
	tcase_add_test(fresh, closes_a_client_without_common_version);
	tcase_add_test(fresh, closes_a_client_that_begins_without_hello);
	suite_add_tcase(s, fresh);
	tcase_add_checked_fixture(t, setup_served, teardown);
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
	tcase_add_test(t, uses_a_template_while_its_slot_is_dropped);
	tcase_add_test(t, refuses_a_template_of_another_mechanism);
	tcase_add_test(t, closes_a_client_that_names_a_slot_out_of_range);
	tcase_add_test(t, ends_a_context_with_its_final);
	tcase_add_test(t, imports_and_destroys_a_key_by_handle);
	tcase_add_test(t, makes_a_key_by_a_request_and_answers_with_its_handle);
	tcase_add_test(t, tries_the_key_types_in_turn_to_export);
	tcase_add_test(t, works_in_place_on_arena_ranges);
	tcase_add_test(t, refuses_ranges_outside_their_segment);
	tcase_add_test(t, refuses_input_beyond_the_largest_request);
	tcase_add_test(t, takes_only_sealed_memory_that_is_offered);
	tcase_add_test(t, closes_a_client_that_offers_no_memory);
	tcase_add_test(t, closes_a_client_with_descriptors_nobody_takes);
	tcase_add_test(t, refuses_more_segments_than_a_connection_may_have);
	tcase_add_test(t, cancels_by_id_and_tells_where_a_request_stands);
	tcase_add_test(t, cancels_everything_when_the_client_goes_away);
	tcase_add_test(t, answers_a_lookup_that_has_to_wait);
	tcase_add_test(t, survives_a_client_that_leaves_during_a_lookup);
	tcase_add_test(t, sends_room_when_credits_come_back);
	tcase_add_test(t, tells_events_to_every_client);
	tcase_add_test(t, reads_no_more_from_a_client_that_does_not_read);
	tcase_add_test(t, owns_no_buffer_while_idle);
	tcase_add_test(t, leaves_no_key_bytes_in_its_buffers);
	tcase_add_test(t, takes_frames_split_at_every_byte);
	tcase_add_test(t, answers_commands_with_json);
	tcase_add_test(t, says_what_is_wrong_with_a_command);
	tcase_add_test(t, refuses_limits_that_do_not_fit_together);
	tcase_add_test(t, cancels_a_request_for_the_administrator);
	tcase_add_test(t, refuses_commands_of_other_users);
	tcase_add_test(t, answers_load_when_the_module_is_there);
	suite_add_tcase(s, t);
	return test_main(s);
}
