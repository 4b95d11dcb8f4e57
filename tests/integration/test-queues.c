/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues and workers of a real kcfd: one queue for all software, one per device, threads that come and go, time that is
 * measured, limits that change at run time, submitting that never waits.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include "bed.h"
#include "test-main.h"

#define MANY 8

static struct bed bed;
static struct collect tries;
static uint8_t data[64] = "work", buf[64][64];
static struct kcf_data in;
static unsigned n_out;
static const struct kcf_mechanism sha = {KCF_M_SHA256, 0, NULL};

static void start(const char *config)
{
	bed_open(&bed, config);
	collect_init(&tries);
	in = kcf_flat(data, sizeof(data));
	n_out = 0;
}

static void teardown(void)
{
	bed_close(&bed);
	collect_deinit(&tries);
}

static enum kcf_status submit(const struct kcf_mechanism *m, const char *provider, uint32_t flags,
			      kcf_req_id *ret_id)
{
	struct kcf_call_req req = collect_req(&bed.done, flags);
	struct kcf_data out = kcf_flat(buf[n_out++ % 64], 64);
	enum kcf_status st;

	req.preference = provider ? KCF_ONLY_PROVIDER : KCF_PREFER_DEFAULT;
	req.provider = provider;
	st = kcf_digest(bed.client, m, &in, &out, &req);
	if (ret_id)
		*ret_id = req.id;
	return st;
}

static kcf_req_id queue_one(const struct kcf_mechanism *m, const char *provider)
{
	kcf_req_id id;

	ck_assert_int_eq(submit(m, provider, KCF_ALWAYS_QUEUE, &id), KCF_QUEUED);
	return id;
}

static void gate(const char *provider, const char *word)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.gate", provider);
	admin_do(&bed.kcfd, "set", name, word, NULL);
}

static void load_device(const char *name)
{
	char option[32];

	snprintf(option, sizeof(option), "instance=%s", name);
	admin_do(&bed.kcfd, "load", "fault", option, "slots=1", "gate=closed", NULL);
}

START_TEST(software_of_all_providers_waits_in_one_queue_in_order)
{
	struct kcf_mechanism a, b;
	kcf_req_id ids[2 + MANY];
	unsigned n = 0;

	start("[limits]\nworkers_max = 1\n");
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	admin_do(&bed.kcfd, "load", "held-b", NULL);
	a = bed_mech(&bed, "KCF_TEST_HELD_A");
	b = bed_mech(&bed, "KCF_TEST_HELD_B");
	gate("held-a", "closed");
	ids[n++] = queue_one(&a, NULL);
	ids[n++] = queue_one(&a, NULL);
	admin_wait_requests(&bed.kcfd, "running", 2);
	for (unsigned i = 0; i < MANY; i++)
		ids[n++] = queue_one(i % 2 ? &a : &b, NULL);
	bed_wait_stat(&bed, "software_depth", MANY);
	gate("held-a", "open");
	collect_wait(&bed.done, n);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(bed.done.order[i], ids[i]);
	bed_wait_stat(&bed, "software_depth", 0);
}
END_TEST

START_TEST(every_device_has_a_queue_of_its_own)
{
	start(NULL);
	load_device("fault0");
	load_device("fault1");
	for (unsigned i = 0; i < 3; i++) {
		queue_one(&sha, "fault0");
		queue_one(&sha, "fault1");
	}
	admin_wait_requests(&bed.kcfd, "waiting", 4);
	ck_assert_uint_eq(bed_provider(&bed, "fault0", "depth"), 2);
	ck_assert_uint_eq(bed_provider(&bed, "fault1", "depth"), 2);
	ck_assert_uint_eq(bed_stat(&bed, "software_depth"), 0);
	gate("fault1", "open");
	collect_wait(&bed.done, 3);
	ck_assert_str_eq(bed.done.provider, "fault1");
	ck_assert_uint_eq(bed_provider(&bed, "fault1", "depth"), 0);
	ck_assert_uint_eq(bed_provider(&bed, "fault0", "depth"), 2);
	ck_assert_uint_eq(collect_n(&bed.done), 3);
	gate("fault0", "open");
	collect_wait(&bed.done, 6);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 6);
}
END_TEST

START_TEST(a_device_takes_its_queue_from_the_head)
{
	kcf_req_id ids[MANY];

	start(NULL);
	load_device("fault0");
	for (unsigned i = 0; i < MANY; i++)
		ids[i] = queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "waiting", MANY - 1);
	gate("fault0", "open");
	collect_wait(&bed.done, MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(bed.done.order[i], ids[i]);
}
END_TEST

struct sync_call {
	enum kcf_status status;
	unsigned n_before; /* callbacks that had run when it returned */
};

static void *sync_main(void *arg)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER,
				   .provider = "fault0"};
	struct kcf_data out = kcf_flat(buf[63], 64);
	struct sync_call *s = arg;

	s->status = kcf_digest(bed.client, &sha, &in, &out, &req);
	s->n_before = collect_n(&bed.done);
	return NULL;
}

START_TEST(a_waiting_call_returns_with_its_result_and_after_what_came_before)
{
	struct sync_call s = {KCF_FAILED, 0};
	uint8_t want[32];
	struct kcf_data w = kcf_flat(want, 32);
	pthread_t thread;

	start(NULL);
	load_device("fault0");
	ck_assert_int_eq(kcf_digest(bed.client, &sha, &in, &w, NULL), KCF_SUCCESS);
	queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "running", 1);
	pthread_create(&thread, NULL, sync_main, &s);
	admin_wait_requests(&bed.kcfd, "waiting", 1);
	ck_assert_uint_eq(collect_n(&bed.done), 0);
	admin_do(&bed.kcfd, "set", "fault0.release", "1", NULL);
	collect_wait(&bed.done, 1);
	admin_do(&bed.kcfd, "set", "fault0.gate", "open", NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(s.status, KCF_SUCCESS);
	ck_assert_uint_eq(s.n_before, 1);
	ck_assert_mem_eq(buf[63], want, 32);
}
END_TEST

static unsigned last_hops(void)
{
	json_t *rows = bed_trace(&bed, 1), *row = json_array_get(rows, 0);
	unsigned n = (unsigned)json_integer_value(json_object_get(row, "queue_hops"));

	ck_assert_str_eq(bed_text(row, "chosen"), "fault0");
	json_decref(rows);
	return n;
}

START_TEST(an_idle_device_is_called_without_a_queue)
{
	struct sync_call s = {KCF_FAILED, 0};
	pthread_t thread;

	start(NULL);
	load_device("fault0");
	gate("fault0", "open");
	sync_main(&s);
	ck_assert_int_eq(s.status, KCF_SUCCESS);
	ck_assert_uint_eq(last_hops(), 0);
	gate("fault0", "closed");
	queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "running", 1);
	pthread_create(&thread, NULL, sync_main, &s);
	admin_wait_requests(&bed.kcfd, "waiting", 1);
	gate("fault0", "open");
	pthread_join(thread, NULL);
	ck_assert_int_eq(s.status, KCF_SUCCESS);
	ck_assert_uint_eq(last_hops(), 1);
}
END_TEST

START_TEST(a_queued_request_tells_where_it_is)
{
	struct kcf_req_info info;
	kcf_req_id ids[3];

	start(NULL);
	load_device("fault0");
	for (unsigned i = 0; i < 3; i++)
		ids[i] = queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "waiting", 2);
	ck_assert_int_eq(kcf_request_status(bed.client, ids[0], &info), KCF_SUCCESS);
	ck_assert_int_eq(info.state, KCF_REQ_RUNNING);
	ck_assert_str_eq(info.provider, "fault0");
	for (unsigned i = 1; i < 3; i++) {
		ck_assert_int_eq(kcf_request_status(bed.client, ids[i], &info), KCF_SUCCESS);
		ck_assert_int_eq(info.state, KCF_REQ_WAITING);
		ck_assert_uint_eq(info.position, i - 1);
	}
	gate("fault0", "open");
	collect_wait(&bed.done, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(kcf_request_status(bed.client, ids[i], &info), KCF_NOT_FOUND);
}
END_TEST

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t traced_wait(kcf_req_id id)
{
	json_t *rows = bed_trace(&bed, 16), *row;
	uint64_t n = 0;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if ((kcf_req_id)json_integer_value(json_object_get(row, "request")) == id)
			n = (uint64_t)json_integer_value(json_object_get(row, "queue_ns"));
	}
	json_decref(rows);
	return n;
}

/* Nothing here depends on how long anything takes: the wait lies between what was seen before and after it. */
START_TEST(time_in_a_queue_is_measured)
{
	uint64_t before, seen, opened, after, wait;
	struct timespec pause = {0, 20000000};
	kcf_req_id id;

	start(NULL);
	load_device("fault0");
	queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "running", 1);
	before = now_ns();
	id = queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "waiting", 1);
	seen = now_ns();
	nanosleep(&pause, NULL); /* so that there is something to measure */
	opened = now_ns();
	gate("fault0", "open");
	collect_wait(&bed.done, 2);
	after = now_ns();
	wait = traced_wait(id);
	ck_assert_uint_ge(wait, opened - seen);
	ck_assert_uint_le(wait, after - before);
	ck_assert_uint_ge(admin_stat(&bed.kcfd, "wait_ns", "hardware", "CKM_SHA256", "fault0"), wait);
}
END_TEST

START_TEST(workers_come_under_load_and_go_when_idle)
{
	struct kcf_mechanism m;

	start("[limits]\nworkers_min = 1\nworkers_max = 4\nworker_idle_ms = 10\n");
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_HELD_A");
	gate("held-a", "closed");
	for (unsigned i = 0; i < MANY; i++)
		queue_one(&m, NULL);
	bed_wait_stat(&bed, "workers", 4);
	gate("held-a", "open");
	collect_wait(&bed.done, MANY);
	bed_wait_stat(&bed, "workers", 1);
	gate("held-a", "closed");
	for (unsigned i = 0; i < MANY; i++)
		queue_one(&m, NULL);
	bed_wait_stat(&bed, "workers", 4);
	gate("held-a", "open");
	collect_wait(&bed.done, 2 * MANY);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 2 * MANY);
}
END_TEST

/* One more for the device: taken (QUEUED), or refused, which may be said by callback. */
static enum kcf_status try_device(void)
{
	struct kcf_call_req req = collect_req(&tries, 0);
	struct kcf_data out = kcf_flat(buf[n_out++ % 64], 64);
	struct kcf_req_info info;
	enum kcf_status st;

	collect_reset(&tries);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = "fault0";
	st = kcf_digest(bed.client, &sha, &in, &out, &req);
	if (st != KCF_QUEUED || (kcf_request_status(bed.client, req.id, &info) == KCF_SUCCESS &&
				 info.state != KCF_REQ_DONE))
		return st;
	collect_wait(&tries, 1);
	return tries.status;
}

/* Its slot and the one place behind it. */
static void fill_device(void)
{
	load_device("fault0");
	queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "running", 1);
	queue_one(&sha, "fault0");
	admin_wait_requests(&bed.kcfd, "waiting", 1);
}

START_TEST(queues_and_workers_are_resized_at_run_time)
{
	struct kcf_mechanism m;

	start("[limits]\nhardware_queue = 1\nworkers_max = 1\nworkers_min = 1\n");
	fill_device();
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_HELD_A");
	ck_assert_int_eq(try_device(), KCF_BUSY);
	admin_do(&bed.kcfd, "set", "hardware_queue", "4", NULL);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(try_device(), KCF_QUEUED);
	admin_wait_requests(&bed.kcfd, "waiting", 4);
	ck_assert_int_eq(try_device(), KCF_BUSY);
	gate("fault0", "open");
	gate("held-a", "closed");
	for (unsigned i = 0; i < MANY; i++)
		queue_one(&m, NULL);
	admin_wait_requests(&bed.kcfd, "running", 2);
	ck_assert_uint_eq(bed_stat(&bed, "workers"), 1);
	admin_do(&bed.kcfd, "set", "workers_max", "4", NULL);
	bed_wait_stat(&bed, "workers", 4);
	gate("held-a", "open");
	collect_wait(&bed.done, 2 + MANY);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 2 + MANY);
}
END_TEST

START_TEST(a_refused_request_is_served_when_it_is_tried_again)
{
	enum kcf_status st;

	start("[limits]\nhardware_queue = 1\n");
	fill_device();
	ck_assert_int_eq(try_device(), KCF_BUSY);
	gate("fault0", "open");
	do {
		st = try_device();
		if (st == KCF_QUEUED) {
			collect_wait(&tries, 1);
			st = tries.status;
		}
	} while (st == KCF_BUSY);
	ck_assert_int_eq(st, KCF_SUCCESS);
	ck_assert_uint_eq(collect_n_events(&bed.done, KCF_EVENT_ROOM), 0);
}
END_TEST

START_TEST(parts_of_a_context_come_one_by_one_and_hold_no_other_worker)
{
	struct kcf_mechanism m;
	struct kcf_how how = {KCF_OP_DIGEST, &m, NULL, NULL};
	struct kcf_call_req req;
	struct kcf_context *ctx;
	uint8_t whole[MANY * 8], want[8], result[8];
	struct kcf_data w = kcf_flat(want, 8), got = kcf_flat(result, 8);

	start("[limits]\nworkers_max = 4\n");
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_HELD_A");
	for (unsigned i = 0; i < sizeof(whole); i++)
		whole[i] = (uint8_t)i;
	in = kcf_flat(whole, sizeof(whole));
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &w, NULL), KCF_SUCCESS);
	req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	ck_assert_int_eq(kcf_init(bed.client, &how, &ctx, &req), KCF_QUEUED);
	collect_wait(&bed.done, 1);
	gate("held-a", "closed");
	for (unsigned i = 0; i < MANY; i++) {
		in = kcf_flat(whole + 8 * i, 8);
		ck_assert_int_eq(kcf_update(ctx, &in, NULL, &req), KCF_QUEUED);
	}
	ck_assert_int_eq(kcf_final(ctx, NULL, &got, &req), KCF_QUEUED);
	admin_wait_requests(&bed.kcfd, "running", 1);
	admin_wait_requests(&bed.kcfd, "waiting", MANY);
	/* the other workers are free for others */
	queue_one(&m, NULL);
	queue_one(&m, NULL);
	admin_wait_requests(&bed.kcfd, "running", 3);
	gate("held-a", "open");
	collect_wait(&bed.done, MANY + 4);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], MANY + 4);
	ck_assert_mem_eq(result, want, 8);
	kcf_context_free(ctx);
}
END_TEST

/* ---- submitting where nobody may wait ---- */

/* Until it is refused. Were one of the calls to wait for kcfd, which stands still, it would wait for ever. */
static unsigned submit_all(struct kcf_context *ctx, uint32_t flags)
{
	enum kcf_status st;
	unsigned n = 0;

	for (;;) {
		struct kcf_call_req req = collect_req(&bed.done, flags);

		st = ctx && n < 4 ? kcf_update(ctx, &in, NULL, &req)
				  : submit(&sha, NULL, KCF_ALWAYS_QUEUE | flags, NULL);
		if (st != KCF_QUEUED)
			break;
		n++;
	}
	ck_assert_int_eq(st, KCF_BUSY);
	return n;
}

START_TEST(submitting_returns_while_kcfd_stands_still)
{
	static const uint32_t flags[] = {0, KCF_SKIP_REQID, KCF_NOTIFY_SPACE};
	struct kcf_how how = {KCF_OP_DIGEST, &sha, NULL, NULL};
	struct kcf_call_req req;
	struct kcf_context *ctx;
	unsigned n;

	start("[limits]\nlease = 64\n");
	req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	ck_assert_int_eq(kcf_init(bed.client, &how, &ctx, &req), KCF_QUEUED);
	collect_wait(&bed.done, 1);
	kill(bed.kcfd.pid, SIGSTOP);
	n = submit_all(ctx, flags[_i]);
	ck_assert_uint_gt(n, 4);
	ck_assert_uint_eq(collect_n(&bed.done), 1);
	/* what needs nobody goes on */
	ck_assert_int_eq(submit(&sha, NULL, 0, NULL), KCF_SUCCESS);
	ck_assert_int_eq(submit(&sha, NULL, KCF_NEVER_QUEUE, NULL), KCF_SUCCESS);
	kill(bed.kcfd.pid, SIGCONT);
	collect_wait(&bed.done, n + 1);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], n + 1);
	kcf_context_free(ctx);
}
END_TEST

START_TEST(an_applications_loop_submits_and_looks_without_waiting)
{
	unsigned n, before;

	start("[limits]\nlease = 64\n");
	ck_assert_int_eq(kcf_client_close(bed.client), KCF_SUCCESS);
	bed.options.flags = KCF_CLIENT_APP_LOOP;
	ck_assert_int_eq(kcf_client_open(&bed.options, &bed.client), KCF_SUCCESS);
	kill(bed.kcfd.pid, SIGSTOP);
	n = submit_all(NULL, 0);
	ck_assert_int_eq(kcf_client_dispatch(bed.client), KCF_SUCCESS);
	ck_assert_uint_eq(collect_n(&bed.done), 0);
	kill(bed.kcfd.pid, SIGCONT);
	do {
		before = collect_n(&bed.done);
		ck_assert_int_eq(kcf_client_dispatch(bed.client), KCF_SUCCESS);
		if (collect_n(&bed.done) > before) /* on this thread, inside dispatch */
			ck_assert(pthread_equal(bed.done.thread, pthread_self()));
	} while (collect_n(&bed.done) < n);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queues");
	TCase *t = tcase_create("queues");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, software_of_all_providers_waits_in_one_queue_in_order);
	tcase_add_test(t, every_device_has_a_queue_of_its_own);
	tcase_add_test(t, a_device_takes_its_queue_from_the_head);
	tcase_add_test(t, a_waiting_call_returns_with_its_result_and_after_what_came_before);
	tcase_add_test(t, an_idle_device_is_called_without_a_queue);
	tcase_add_test(t, a_queued_request_tells_where_it_is);
	tcase_add_test(t, time_in_a_queue_is_measured);
	tcase_add_test(t, workers_come_under_load_and_go_when_idle);
	tcase_add_test(t, queues_and_workers_are_resized_at_run_time);
	tcase_add_test(t, a_refused_request_is_served_when_it_is_tried_again);
	tcase_add_test(t, parts_of_a_context_come_one_by_one_and_hold_no_other_worker);
	tcase_add_loop_test(t, submitting_returns_while_kcfd_stands_still, 0, 3);
	tcase_add_test(t, an_applications_loop_submits_and_looks_without_waiting);
	suite_add_tcase(s, t);
	return test_main(s);
}
