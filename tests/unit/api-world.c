/* SPDX-License-Identifier: Apache-2.0 */
#include "api-world.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

uv_loop_t loop;
struct api api;
struct harness_raw raw;

void pump(void *arg)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

void pump_some(void)
{
	for (int i = 0; i < 4; i++)
		pump(NULL);
}

void connect_raw(struct harness_raw *r, uid_t uid)
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

void world_setup(void)
{
	fake_core_reset();
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(api_init(&api, &loop, 42), 0);
	api_set_core(&api, fake_core());
	connect_raw(&raw, geteuid());
}

void world_setup_served(void)
{
	world_setup();
	harness_raw_hello(&raw, NULL);
}

void world_teardown(void)
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

struct wire_op digest_op(void)
{
	return (struct wire_op){
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};
}

struct request *wait_request(void)
{
	for (int i = 0; i < 100 && !fake_first(); i++)
		pump(NULL);
	ck_assert_ptr_nonnull(fake_first());
	return fake_first();
}

struct wire_op_reply expect_op(uint64_t id, struct harness_frame *f)
{
	harness_raw_expect(&raw, FRAME_OP_REPLY, f);
	ck_assert_uint_eq(f->h.id, id);
	return f->msg.op_reply;
}

void expect_violation(enum kcf_status want)
{
	enum kcf_status status;

	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, want);
	pump_some();
	ck_assert_uint_eq(api.n_conns, 0);
}

void send_msg(const struct wire_msg *msg, uint64_t id)
{
	ck_assert(harness_raw_send(&raw, msg, id, NULL, 0));
}

enum kcf_status attach(uint32_t slot, uint32_t mech)
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

struct wire_key some_bytes(void)
{
	return (struct wire_key){.kind = KCF_KEY_BYTES,
				 .bytes = {(const uint8_t *)"0123456789abcdef", 16}};
}
