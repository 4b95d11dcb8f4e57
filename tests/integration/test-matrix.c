/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request runs and what the caller is told: every row of the contract's table, with the return value,
 * callbacks, handles, queue hops and busy reasons counted.
 *
 * The device is the fault provider: one slot, a gate that holds its jobs, and a queue of one.
 */
#include <string.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

enum target { SW_BYTES, SW_HANDLE, HW };
enum state { IDLE, IN_FLIGHT, FULL }; /* the device: ready; slot taken, nothing waits; queue full too */

struct expect {
	enum kcf_status status;	   /* of the call */
	unsigned callbacks;	   /* finals in the end */
	enum kcf_status cb_status; /* if there is one */
	unsigned hops;
	enum kcf_busy_reason reason; /* of BUSY */
};

static const struct cell {
	const char *name;
	enum target target;
	enum state state;
	bool is_sync;
	uint32_t flags;
	struct expect expect;
} cells[] = {
	/* software, key bytes: the caller's own thread unless it must queue */
	{"sync_bytes", SW_BYTES, IDLE, true, 0, {KCF_SUCCESS, 0, 0, 0, 0}},
	{"adaptive_bytes", SW_BYTES, IDLE, false, 0, {KCF_SUCCESS, 0, 0, 0, 0}},
	{"never_bytes", SW_BYTES, IDLE, false, KCF_NEVER_QUEUE, {KCF_SUCCESS, 0, 0, 0, 0}},
	{"always_bytes", SW_BYTES, IDLE, false, KCF_ALWAYS_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 1, 0}},
	/* software, key by handle: kcfd, at once while its loop or a worker is free */
	{"sync_handle", SW_HANDLE, IDLE, true, 0, {KCF_SUCCESS, 0, 0, 0, 0}},
	{"adaptive_handle", SW_HANDLE, IDLE, false, 0, {KCF_QUEUED, 1, KCF_SUCCESS, 0, 0}},
	{"never_handle", SW_HANDLE, IDLE, false, KCF_NEVER_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 0, 0}},
	{"always_handle", SW_HANDLE, IDLE, false, KCF_ALWAYS_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 1, 0}},
	/* hardware, ready and nothing waits */
	{"sync_device_ready", HW, IDLE, true, 0, {KCF_SUCCESS, 0, 0, 0, 0}},
	{"adaptive_device_ready", HW, IDLE, false, 0, {KCF_QUEUED, 1, KCF_SUCCESS, 0, 0}},
	{"never_device_ready", HW, IDLE, false, KCF_NEVER_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 0, 0}},
	{"always_device_ready", HW, IDLE, false, KCF_ALWAYS_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 1, 0}},
	/* hardware, its slot taken, room in its queue */
	{"sync_device_busy", HW, IN_FLIGHT, true, 0, {KCF_SUCCESS, 0, 0, 1, 0}},
	{"adaptive_device_busy", HW, IN_FLIGHT, false, 0, {KCF_QUEUED, 1, KCF_SUCCESS, 1, 0}},
	{"always_device_busy", HW, IN_FLIGHT, false, KCF_ALWAYS_QUEUE, {KCF_QUEUED, 1, KCF_SUCCESS, 1, 0}},
	{"never_device_busy", HW, IN_FLIGHT, false, KCF_NEVER_QUEUE,
	 {KCF_BUSY, 0, 0, 0, KCF_BUSY_WOULD_QUEUE}},
	/* hardware, nothing fits any more */
	{"sync_device_full", HW, FULL, true, 0, {KCF_SUCCESS, 0, 0, 1, 0}},
	{"adaptive_device_full", HW, FULL, false, 0, {KCF_BUSY, 0, 0, 0, KCF_BUSY_NO_ROOM}},
	{"always_device_full", HW, FULL, false, KCF_ALWAYS_QUEUE, {KCF_BUSY, 0, 0, 0, KCF_BUSY_NO_ROOM}},
	{"never_device_full", HW, FULL, false, KCF_NEVER_QUEUE, {KCF_BUSY, 0, 0, 0, KCF_BUSY_WOULD_QUEUE}},
};

#define N_CELLS (sizeof(cells) / sizeof(cells[0]))

static const char config[] = "[limits]\nhardware_queue = 1\nworkers_max = 1\n";
static const uint8_t data[64] = "what is done";
static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done, filler;
static struct kcf_key handle;
static kcf_mech_t only;

static void setup(void)
{
	struct kcf_client_options options = {.size = sizeof(options), .on_event = collect_event_cb,
					     .event_arg = &done};
	struct kcf_key bytes = kcf_key_bytes("0123456789abcdef", 16);

	collect_init(&done);
	collect_init(&filler);
	harness_kcfd_start_config(&kcfd, config, NULL);
	admin_do(&kcfd, "load", "fault", "instance=fault0", "slots=1", NULL);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	ck_assert_int_eq(kcf_key_import(client, &bytes, 0, &handle, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_FAULT_ONLY", &only), KCF_SUCCESS);
}

static void teardown(void)
{
	ck_assert_int_eq(kcf_client_close(client), KCF_SUCCESS);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
	collect_deinit(&filler);
}

static enum kcf_status call(enum target target, struct kcf_data *out, struct kcf_call_req *req)
{
	struct kcf_mechanism mac = {KCF_M_SHA256_HMAC, 0, NULL}, dev = {only, 0, NULL};
	struct kcf_key bytes = kcf_key_bytes("0123456789abcdef", 16);
	struct kcf_data in = kcf_flat(data, sizeof(data));

	if (target == HW)
		return kcf_digest(client, &dev, &in, out, req);
	if (req)
		req->preference = KCF_ONLY_SOFTWARE;
	return kcf_mac(client, &mac, target == SW_BYTES ? &bytes : &handle, &in, out, req);
}

static uint8_t fill_out[2][32];

/* Bring the device to a state. */
static void prepare(enum state state)
{
	for (unsigned i = 0; i < (unsigned)state; i++) {
		struct kcf_call_req req = collect_req(&filler, 0);
		struct kcf_data out = kcf_flat(fill_out[i], 32);

		if (i == 0)
			admin_do(&kcfd, "set", "fault0.gate", "closed", NULL);
		ck_assert_int_eq(call(HW, &out, &req), KCF_QUEUED);
		admin_wait_requests(&kcfd, i == 0 ? "running" : "waiting", 1);
	}
}

static void open_gate(enum state state)
{
	if (state == IDLE)
		return;
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	collect_wait(&filler, state);
	ck_assert_int_eq(filler.status, KCF_SUCCESS);
}

struct sync_call {
	enum target target;
	enum kcf_status status;
	uint8_t out[32];
};

static void *sync_main(void *arg)
{
	struct sync_call *s = arg;
	struct kcf_data out = kcf_flat(s->out, 32);

	s->status = call(s->target, &out, NULL);
	ck_assert_uint_eq(out.used, s->status == KCF_SUCCESS ? 32 : 0);
	return NULL;
}

static void check_sync(const struct cell *c)
{
	struct sync_call s = {.target = c->target};
	pthread_t thread;

	pthread_create(&thread, NULL, sync_main, &s);
	if (c->state == IN_FLIGHT)
		admin_wait_requests(&kcfd, "waiting", 1);
	open_gate(c->state);
	pthread_join(thread, NULL);
	ck_assert_int_eq(s.status, c->expect.status);
	ck_assert_uint_eq(collect_n(&done), 0);
}

static void check_async(const struct cell *c)
{
	struct kcf_call_req req = collect_req(&done, c->flags);
	uint8_t buf[32] = {0};
	struct kcf_data out = kcf_flat(buf, 32);
	enum kcf_status st = call(c->target, &out, &req);
	bool busy_by_callback = c->expect.status == KCF_BUSY && st == KCF_QUEUED;

	/* Only kcfd may know that a device's queue is full: then BUSY comes by callback. */
	if (!busy_by_callback)
		ck_assert_msg(st == c->expect.status, "%s: %s", c->name, kcf_status_name(st));
	if (st == KCF_QUEUED)
		ck_assert_uint_ne(req.id, 0);
	if (busy_by_callback) {
		collect_wait(&done, 1);
		ck_assert_int_eq(done.status, KCF_BUSY);
		ck_assert_int_eq(done.busy_reason, c->expect.reason);
	} else if (st == KCF_BUSY) {
		ck_assert_int_eq(req.busy_reason, c->expect.reason);
	}
	open_gate(c->state);
	if (c->expect.callbacks) {
		collect_wait(&done, 1);
		ck_assert_int_eq(done.status, c->expect.cb_status);
		ck_assert_uint_eq(done.id, req.id);
		ck_assert_uint_eq(done.len, 32);
		ck_assert_msg(done.queue_hops == c->expect.hops, "%s: %u hops", c->name,
			      done.queue_hops);
	} else if (st == KCF_SUCCESS) {
		ck_assert_uint_eq(out.used, 32);
	}
	ck_assert_uint_eq(collect_n(&done), c->expect.callbacks + busy_by_callback);
}

START_TEST(serves_every_row_of_the_table_as_it_says)
{
	const struct cell *c = &cells[_i];

	prepare(c->state);
	if (c->is_sync)
		check_sync(c);
	else
		check_async(c);
}
END_TEST

START_TEST(skip_reqid_makes_no_handle)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE | KCF_SKIP_REQID);
	uint8_t buf[32];
	struct kcf_data out = kcf_flat(buf, 32);

	ck_assert_int_eq(call(SW_BYTES, &out, &req), KCF_QUEUED);
	ck_assert_uint_eq(req.id, 0);
	collect_wait(&done, 1);
	ck_assert_uint_eq(done.id, 0);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

START_TEST(a_request_with_a_full_device_is_told_when_there_is_room)
{
	struct kcf_call_req req = collect_req(&done, KCF_NOTIFY_SPACE);
	uint8_t buf[32];
	struct kcf_data out = kcf_flat(buf, 32);
	enum kcf_status st;

	prepare(FULL);
	st = call(HW, &out, &req);
	if (st == KCF_QUEUED) {
		collect_wait(&done, 1);
		ck_assert_int_eq(done.status, KCF_BUSY);
	} else {
		ck_assert_int_eq(st, KCF_BUSY);
	}
	ck_assert_uint_eq(collect_n_events(&done, KCF_EVENT_ROOM), 0);
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	collect_wait_event(&done, KCF_EVENT_ROOM);
	collect_reset(&done);
	ck_assert_int_eq(call(HW, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

/* Another connection, for the device alone. */
static struct kcf_client *open_other(void)
{
	struct kcf_client_options options = {.size = sizeof(options), .socket = kcfd.socket};
	struct kcf_client *c;
	kcf_mech_t number;

	ck_assert_int_eq(kcf_client_open(&options, &c), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mech_find(c, "KCF_FAULT_ONLY", &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, only); /* each client's first of its own */
	return c;
}

static enum kcf_status call_device(struct kcf_client *c, struct kcf_data *out,
				   struct kcf_call_req *req)
{
	struct kcf_mechanism dev = {only, 0, NULL};
	struct kcf_data in = kcf_flat(data, sizeof(data));

	return kcf_digest(c, &dev, &in, out, req);
}

START_TEST(the_slot_told_of_is_kept_for_who_asked)
{
	struct kcf_call_req req = collect_req(&done, KCF_NOTIFY_SPACE);
	struct kcf_client *other = open_other();
	struct collect others;
	struct kcf_call_req other_req;
	uint8_t buf[2][32];
	struct kcf_data out = kcf_flat(buf[0], 32), other_out = kcf_flat(buf[1], 32);

	collect_init(&others);
	other_req = collect_req(&others, 0);
	prepare(FULL);
	ck_assert_int_eq(call(HW, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_BUSY);
	ck_assert_str_eq(done.provider, "fault0");
	/* the one that waited goes to the device, and its place is free */
	admin_do(&kcfd, "set", "fault0.release", "1", NULL);
	collect_wait_event(&done, KCF_EVENT_ROOM);
	ck_assert_int_eq(call_device(other, &other_out, &other_req), KCF_QUEUED);
	collect_wait(&others, 1);
	ck_assert_int_eq(others.status, KCF_BUSY);
	ck_assert_int_eq(others.busy_reason, KCF_BUSY_NO_ROOM);
	collect_reset(&done);
	ck_assert_int_eq(call(HW, &out, &req), KCF_QUEUED);
	admin_wait_requests(&kcfd, "waiting", 1);
	open_gate(FULL);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_uint_eq(collect_n_events(&done, KCF_EVENT_ROOM), 0);
	kcf_client_close(other);
	collect_deinit(&others);
}
END_TEST

struct many {
	struct kcf_client *client;
	unsigned n_ok;
	pthread_t thread;
};

static void *many_main(void *arg)
{
	struct many *m = arg;
	uint8_t buf[32];
	struct kcf_data out = kcf_flat(buf, 32);

	for (unsigned i = 0; i < 50; i++)
		m->n_ok += call_device(m->client, &out, NULL) == KCF_SUCCESS;
	return NULL;
}

START_TEST(synchronous_calls_share_a_device_that_is_always_full)
{
	struct kcf_client *other = open_other();
	struct many many[16];
	json_t *stats;

	for (unsigned i = 0; i < 16; i++) {
		many[i] = (struct many){.client = i % 2 ? other : client};
		ck_assert_int_eq(pthread_create(&many[i].thread, NULL, many_main, &many[i]), 0);
	}
	for (unsigned i = 0; i < 16; i++) {
		pthread_join(many[i].thread, NULL);
		ck_assert_uint_eq(many[i].n_ok, 50);
	}
	stats = admin_json(&kcfd, "stats", NULL);
	ck_assert_int_gt(json_integer_value(json_object_get(stats, "refused")), 0);
	json_decref(stats);
	kcf_client_close(other);
}
END_TEST

START_TEST(without_notify_space_nobody_is_told)
{
	struct kcf_call_req req = collect_req(&done, 0);
	uint8_t buf[32];
	struct kcf_data out = kcf_flat(buf, 32);
	enum kcf_status st;

	prepare(FULL);
	st = call(HW, &out, &req);
	if (st == KCF_QUEUED)
		collect_wait(&done, 1);
	open_gate(FULL);
	/* A further round trip: an event would have come before it. */
	ck_assert_int_eq(call(SW_HANDLE, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(collect_n_events(&done, KCF_EVENT_ROOM), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("matrix");
	TCase *t = tcase_create("matrix");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, serves_every_row_of_the_table_as_it_says, 0, N_CELLS);
	tcase_add_test(t, skip_reqid_makes_no_handle);
	tcase_add_test(t, a_request_with_a_full_device_is_told_when_there_is_room);
	tcase_add_test(t, the_slot_told_of_is_kept_for_who_asked);
	tcase_add_test(t, synchronous_calls_share_a_device_that_is_always_full);
	tcase_add_test(t, without_notify_space_nobody_is_told);
	suite_add_tcase(s, t);
	return test_main(s);
}
