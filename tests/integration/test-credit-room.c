/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credits and room on a real kcfd: who may queue how much, what is told when that is used up, who
 * is served next.
 *
 * A device with a closed gate holds everything, so that credits come back when a job is released
 * and not before. A digest of what travels inline costs two units. Clients are dispatched by the
 * test itself, and every command goes over one connection: nothing happens that the test did not
 * do.
 */
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

#define COST      2u /* units of a request here */
#define SLOTS     8u /* of the device */
#define OTHER_UID 65533

struct user {
	struct kcf_client *client;
	struct collect done;
	kcf_mech_t only;
};

static struct harness_kcfd kcfd;
static struct harness_raw admin;
static uint8_t in[64] = "what is done", out[32];

/* ---- kcfd ---- */

static json_t *command(const char *a, const char *b, const char *c, const char *d, const char *e)
{
	const char *const words[] = {a, b, c, d, e, NULL};
	json_t *j = NULL;
	char *text;

	ck_assert_msg(harness_raw_admin(&admin, words, &text) == KCF_SUCCESS, "%s", text);
	if (text[0])
		j = json_loads(text, 0, NULL);
	free(text);
	return j;
}

static void start(const char *limits)
{
	char text[256];

	snprintf(text, sizeof(text), "[limits]\nworkers_max = 1\nhardware_queue = 65536\n%s\n",
		 limits);
	harness_kcfd_start_config(&kcfd, text, NULL);
	harness_raw_open(&admin, &kcfd);
	harness_raw_hello(&admin, NULL);
	json_decref(command("load", "fault", "instance=fault0", "slots=8", "gate=closed"));
}

/* 256 units, of which 8 for each of 16 connections cannot be had by others: 136 for one while
 * nobody else is there but the administrator, whose own 8 are among the others'. */
#define SMALL      "software_queue = 256\nconnections = 16\nlease = 256"
#define SMALL_MOST 136u

/* More than anybody here takes. */
#define LARGE       "software_queue = 16384\nconnections = 16\nlease = 64"
#define LARGE_LEASE 64u

static void teardown(void)
{
	harness_raw_close(&admin);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static void release_jobs(unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	json_decref(command("set", "fault0.release", text, NULL, NULL));
}

static void open_gate(void)
{
	json_decref(command("set", "fault0.gate", "open", NULL, NULL));
}

/* What `connections` says of a user; all of them have labels. */
static uint64_t account(const char *label, const char *what)
{
	json_t *j = command("connections", NULL, NULL, NULL, NULL), *row;
	uint64_t n = UINT64_MAX;
	size_t i;

	json_array_foreach(json_object_get(j, "connections"), i, row)
	{
		const char *l = json_string_value(json_object_get(row, "label"));

		if (l && !strcmp(l, label))
			n = (uint64_t)json_integer_value(json_object_get(row, what));
	}
	json_decref(j);
	ck_assert_uint_ne(n, UINT64_MAX);
	return n;
}

/* ---- users ---- */

static void user_open(struct user *u, const char *label)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = kcfd.socket,
					     .label = label,
					     .flags = KCF_CLIENT_APP_LOOP,
					     .on_event = collect_event_cb,
					     .event_arg = &u->done};

	collect_init(&u->done);
	ck_assert_int_eq(kcf_client_open(&options, &u->client), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mech_find(u->client, "KCF_FAULT_ONLY", &u->only), KCF_SUCCESS);
}

static void user_close(struct user *u)
{
	ck_assert_int_eq(kcf_client_close(u->client), KCF_SUCCESS);
	collect_deinit(&u->done);
}

static enum kcf_status call(struct user *u, struct kcf_call_req *req)
{
	struct kcf_mechanism m = {u->only, 0, NULL};
	struct kcf_data i = kcf_flat(in, sizeof(in)), o = kcf_flat(out, sizeof(out));

	return kcf_digest(u->client, &m, &i, &o, req);
}

/* True: queued; false: refused by the call itself, and nothing is kept. */
static bool submit(struct user *u, uint32_t flags, kcf_req_id *ret)
{
	struct kcf_call_req req = collect_req(&u->done, flags);
	enum kcf_status st = call(u, &req);

	if (st == KCF_QUEUED) {
		if (ret)
			*ret = req.id;
		return true;
	}
	ck_assert_str_eq(kcf_status_name(st), "BUSY");
	ck_assert_int_eq(req.busy_reason, KCF_BUSY_NO_ROOM);
	ck_assert_uint_eq(req.id, 0);
	return false;
}

/* As many as can be queued without waiting. */
static unsigned fill(struct user *u)
{
	unsigned n = 0;

	while (submit(u, 0, NULL))
		n++;
	return n;
}

static void pump(struct user *u)
{
	struct pollfd p = {.fd = kcf_client_fd(u->client), .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, HARNESS_PATIENCE_MS), 1);
	ck_assert_int_eq(kcf_client_dispatch(u->client), KCF_SUCCESS);
}

static void wait_finals(struct user *u, unsigned n)
{
	while (u->done.n_final < n)
		pump(u);
}

static unsigned rooms(struct user *u)
{
	return collect_n_events(&u->done, KCF_EVENT_ROOM);
}

static void wait_rooms(struct user *u, unsigned n)
{
	while (rooms(u) < n)
		pump(u);
}

/* kcfd has seen all that was sent before, and the user all that kcfd said before. */
static void round_trip(struct user *u)
{
	struct wire_msg msg = {.type = FRAME_STATUS, .id = 1};
	struct kcf_req_info info;
	struct harness_frame f;
	kcf_mech_t number;

	ck_assert(harness_raw_send(&admin, &msg, 77, NULL, 0));
	harness_raw_expect(&admin, FRAME_STATUS_REPLY, &f);
	ck_assert_int_eq(kcf_mech_find(u->client, "KCF_NOBODY_HAS_THIS", &number),
			 KCF_MECH_NOT_SUPPORTED);
	kcf_request_status(u->client, 1, &info);
	ck_assert_int_eq(kcf_client_dispatch(u->client), KCF_SUCCESS);
}

/* Queue n, asking for room as often as it takes. */
static void submit_all(struct user *u, unsigned n)
{
	while (n) {
		unsigned before = rooms(u);

		if (submit(u, KCF_NOTIFY_SPACE, NULL))
			n--;
		else
			wait_rooms(u, before + 1);
		collect_reset(&u->done);
	}
}

/* ---- one user ---- */

START_TEST(a_used_up_lease_is_busy_from_the_call_itself)
{
	struct user u;

	start(LARGE);
	user_open(&u, "u");
	ck_assert_uint_eq(fill(&u), LARGE_LEASE / COST);
	ck_assert(!submit(&u, 0, NULL));
	round_trip(&u);
	ck_assert_uint_eq(u.done.n_final, 0);
	ck_assert_uint_eq(account("u", "units_held"), LARGE_LEASE);
	release_jobs(1);
	wait_finals(&u, 1);
	ck_assert_uint_eq(fill(&u), 1);
	open_gate();
	wait_finals(&u, LARGE_LEASE / COST + 1);
	round_trip(&u);
	ck_assert_uint_eq(u.done.n_final, LARGE_LEASE / COST + 1);
	ck_assert_uint_eq(u.done.n_status[KCF_SUCCESS], LARGE_LEASE / COST + 1);
	ck_assert_uint_eq(account("u", "units_held"), 0);
	ck_assert_uint_eq(rooms(&u), 0); /* nobody asked */
	user_close(&u);
}
END_TEST

START_TEST(who_asked_is_told_once_when_there_is_room)
{
	struct user u;

	start(SMALL);
	user_open(&u, "u");
	submit_all(&u, SMALL_MOST / COST);
	for (int i = 0; i < 3; i++)
		ck_assert(!submit(&u, KCF_NOTIFY_SPACE, NULL));
	round_trip(&u);
	ck_assert_uint_eq(rooms(&u), 0);
	release_jobs(1);
	wait_rooms(&u, 1);
	round_trip(&u);
	ck_assert_uint_eq(rooms(&u), 1);
	ck_assert(submit(&u, KCF_NOTIFY_SPACE, NULL));
	ck_assert(!submit(&u, 0, NULL)); /* does not ask */
	release_jobs(1);
	wait_finals(&u, 2);
	round_trip(&u);
	ck_assert_uint_eq(rooms(&u), 1);
	ck_assert(submit(&u, 0, NULL));
	user_close(&u);
}
END_TEST

struct sync_call {
	struct user *user;
	uint32_t timeout_ms;
	enum kcf_status status;
	pthread_t thread;
};

static void *sync_main(void *arg)
{
	struct sync_call *s = arg;
	struct kcf_call_req req = {.flags = KCF_WAIT, .timeout_ms = s->timeout_ms};

	s->status = call(s->user, s->timeout_ms ? &req : NULL);
	return NULL;
}

START_TEST(synchronous_calls_without_credit_wait_and_succeed)
{
	struct sync_call calls[4];
	struct user u;

	start(SMALL);
	user_open(&u, "u");
	submit_all(&u, SMALL_MOST / COST);
	for (int i = 0; i < 4; i++) {
		calls[i] = (struct sync_call){.user = &u};
		ck_assert_int_eq(pthread_create(&calls[i].thread, NULL, sync_main, &calls[i]), 0);
	}
	while (account("u", "units_wanted") == 0)
		;
	ck_assert(!submit(&u, 0, NULL)); /* not before them */
	open_gate();
	for (int i = 0; i < 4; i++) {
		pthread_join(calls[i].thread, NULL);
		ck_assert_str_eq(kcf_status_name(calls[i].status), "SUCCESS");
	}
	wait_finals(&u, SMALL_MOST / COST);
	ck_assert_uint_eq(u.done.n_status[KCF_SUCCESS], SMALL_MOST / COST);
	ck_assert_uint_eq(rooms(&u), 0);
	user_close(&u);
}
END_TEST

START_TEST(a_synchronous_call_without_credit_ends_at_its_deadline)
{
	struct sync_call first = {.timeout_ms = 20};
	struct user u;

	start(SMALL);
	user_open(&u, "u");
	submit_all(&u, SMALL_MOST / COST);
	first.user = &u;
	sync_main(&first);
	ck_assert_str_eq(kcf_status_name(first.status), "TIMED_OUT");
	open_gate();
	first.timeout_ms = 0;
	sync_main(&first); /* its place in the line is not taken */
	ck_assert_str_eq(kcf_status_name(first.status), "SUCCESS");
	user_close(&u);
}
END_TEST

START_TEST(a_waiting_request_ends_at_its_deadline_and_gives_its_credit_back)
{
	struct kcf_call_req req;
	struct user u;

	start(LARGE);
	user_open(&u, "u");
	for (unsigned i = 0; i < SLOTS; i++)
		ck_assert(submit(&u, 0, NULL));
	for (unsigned i = 0; i < 5; i++) {
		req = collect_req(&u.done, 0);
		req.timeout_ms = 20;
		ck_assert_int_eq(call(&u, &req), KCF_QUEUED);
	}
	wait_finals(&u, 5);
	ck_assert_uint_eq(u.done.n_status[KCF_TIMED_OUT], 5);
	ck_assert_uint_eq(fill(&u), LARGE_LEASE / COST - SLOTS);
	user_close(&u);
}
END_TEST

START_TEST(cancel_gives_the_credit_back_exactly)
{
	const unsigned room = LARGE_LEASE / COST - SLOTS;
	kcf_req_id ids[LARGE_LEASE];
	unsigned canceled = 0;
	struct user u;

	start(LARGE);
	user_open(&u, "u");
	for (unsigned i = 0; i < SLOTS; i++)
		ck_assert(submit(&u, 0, NULL));
	while (canceled < 1000) {
		for (unsigned i = 0; i < room; i++)
			ck_assert(submit(&u, 0, &ids[i]));
		ck_assert(!submit(&u, 0, NULL));
		for (unsigned i = 0; i < room; i++)
			ck_assert_int_eq(kcf_cancel(u.client, ids[i]), KCF_SUCCESS);
		canceled += room;
		wait_finals(&u, canceled);
		ck_assert_uint_eq(u.done.n_status[KCF_CANCELED], canceled);
	}
	round_trip(&u);
	ck_assert_uint_eq(account("u", "units_held"), SLOTS * COST);
	ck_assert_uint_eq(account("u", "units_leased"), LARGE_LEASE);
	ck_assert_uint_eq(fill(&u), room);
	user_close(&u);
}
END_TEST

/* ---- several ---- */

static uint32_t raw_find(struct harness_raw *r)
{
	struct wire_msg msg = {.type = FRAME_MECH_FIND, .name = "KCF_FAULT_ONLY"};
	struct harness_frame f;

	ck_assert(harness_raw_send(r, &msg, 1000000, NULL, 0));
	harness_raw_expect(r, FRAME_MECH_REPLY, &f);
	ck_assert_uint_eq(f.msg.mech_reply.status, KCF_SUCCESS);
	return f.msg.mech_reply.mech;
}

/* Without a look at the word. */
static void raw_op(struct harness_raw *r, uint32_t mech, uint64_t id)
{
	struct wire_msg msg = {.type = FRAME_OP,
			       .op = {.op = KCF_OP_DIGEST,
				      .mech = mech,
				      .in_len = sizeof(in),
				      .out_room = sizeof(out)}};

	msg.op.units = codec_op_units(&msg.op);
	ck_assert_uint_eq(msg.op.units, COST);
	ck_assert(harness_raw_send(r, &msg, id, in, sizeof(in)));
}

START_TEST(a_request_beyond_the_account_closes_the_connection)
{
	struct wire_hello_reply hello;
	struct harness_raw honest, greedy;
	struct harness_frame f;
	enum kcf_status status;
	uint32_t mech;

	start(LARGE);
	harness_raw_open(&honest, &kcfd);
	harness_raw_hello(&honest, &hello);
	mech = raw_find(&honest);
	harness_raw_open(&greedy, &kcfd);
	harness_raw_hello(&greedy, NULL);
	greedy.page->credit = 1u << 30; /* helping itself does not help */
	for (unsigned i = 1; i <= hello.lease / COST; i++) {
		raw_op(&honest, mech, i);
		raw_op(&greedy, mech, i);
	}
	raw_op(&greedy, mech, 999);
	harness_raw_expect_closed(&greedy, &status);
	ck_assert_int_eq(status, KCF_PROTOCOL_ERROR);
	open_gate();
	for (unsigned i = 1; i <= hello.lease / COST; i++) {
		harness_raw_expect(&honest, FRAME_OP_REPLY, &f);
		ck_assert_uint_eq(f.msg.op_reply.status, KCF_SUCCESS);
	}
	harness_raw_close(&honest);
	harness_raw_close(&greedy);
}
END_TEST

START_TEST(an_idle_lease_is_taken_back_first)
{
	struct user idle, busy;
	uint64_t had;

	start(SMALL);
	user_open(&idle, "idle");
	had = account("idle", "units_leased");
	ck_assert_uint_gt(had, 8);
	user_open(&busy, "busy");
	/* no request completes: all it gets is what others do not use, down to their floor */
	submit_all(&busy, SMALL_MOST / COST);
	ck_assert_uint_eq(account("busy", "units_leased"), SMALL_MOST);
	ck_assert_uint_eq(account("idle", "units_leased"), 8);
	ck_assert_uint_eq(fill(&idle), 8 / COST);
	user_close(&idle);
	user_close(&busy);
}
END_TEST

START_TEST(the_next_in_line_is_served_when_the_first_goes)
{
	struct wire_msg want = {.type = FRAME_WANT, .room = {.units = 64}};
	struct harness_raw first;
	struct user greedy, next;

	start(SMALL);
	user_open(&greedy, "greedy");
	user_open(&next, "next");
	submit_all(&greedy, SMALL_MOST / COST);
	harness_raw_open(&first, &kcfd);
	harness_raw_hello(&first, NULL);
	ck_assert(harness_raw_send(&first, &want, 0, NULL, 0));
	raw_find(&first);
	fill(&next);
	ck_assert(!submit(&next, KCF_NOTIFY_SPACE, NULL));
	release_jobs(1);
	wait_finals(&greedy, 1);
	round_trip(&next);
	ck_assert_uint_eq(rooms(&next), 0); /* what came back is kept for the first */
	harness_raw_close(&first);
	release_jobs(1);
	wait_rooms(&next, 1);
	ck_assert(submit(&next, 0, NULL));
	user_close(&greedy);
	user_close(&next);
}
END_TEST

static void user_open_as(struct user *u, const char *label, uid_t uid)
{
	ck_assert_int_eq(chmod(kcfd.dir, 0711), 0);
	ck_assert_int_eq(chmod(kcfd.socket, 0666), 0);
	ck_assert_int_eq(seteuid(uid), 0);
	user_open(u, label);
	ck_assert_int_eq(seteuid(0), 0);
}

/* Take what there is, and ask for more. */
static void grab(struct user *u)
{
	if (collect_n_events(&u->done, KCF_EVENT_ROOM) || u->done.n_final)
		collect_reset(&u->done);
	while (submit(u, KCF_NOTIFY_SPACE, NULL))
		;
}

START_TEST(every_consumer_comes_to_its_share)
{
	struct user first, second;
	uint64_t leased = 0, held = 0;
	unsigned n;

	start(SMALL);
	user_open(&first, "first");
	submit_all(&first, SMALL_MOST / COST);
	user_open_as(&second, "second", OTHER_UID);
	ck_assert_uint_eq(account("second", "units_leased"), 8);
	for (n = 0; n < 300 && leased < 76; n++) {
		grab(&second);
		release_jobs(1);
		round_trip(&first);
		grab(&first);
		round_trip(&second);
		leased = account("second", "units_leased");
		held = account("first", "units_leased");
	}
	/* 152 units for three connections of two users: 76 for the one, 38 for each of the other's
	 */
	ck_assert_msg(leased >= 76, "only %u units after %u jobs", (unsigned)leased, n);
	ck_assert_uint_ge(held, 38);
	user_close(&first);
	user_close(&second);
}
END_TEST

/* Another user's, or another label's of the same user. */
static void flood_beside_few(uid_t uid)
{
	enum { FLOOD = 3000, FEW = 20 };
	struct user flood, other;
	unsigned n = 0;

	start(LARGE);
	user_open(&flood, "flood");
	submit_all(&flood, FLOOD);
	if (uid == geteuid())
		user_open(&other, "other");
	else
		user_open_as(&other, "other", uid);
	submit_all(&other, FEW);
	for (; other.done.n_final < FEW; n++) {
		release_jobs(1);
		round_trip(&other);
		ck_assert_msg(n < 200, "%u of %u done after %u jobs", other.done.n_final, FEW, n);
	}
	ck_assert_uint_eq(other.done.n_status[KCF_SUCCESS], FEW);
	ck_assert_uint_ge(n, FEW);
	user_close(&flood);
	user_close(&other);
}

START_TEST(a_flood_does_not_starve_others)
{
	flood_beside_few(OTHER_UID);
}
END_TEST

START_TEST(a_flood_does_not_starve_other_labels)
{
	flood_beside_few(geteuid());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("credit-room");
	TCase *t = tcase_create("credit-room");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_used_up_lease_is_busy_from_the_call_itself);
	tcase_add_test(t, who_asked_is_told_once_when_there_is_room);
	tcase_add_test(t, synchronous_calls_without_credit_wait_and_succeed);
	tcase_add_test(t, a_synchronous_call_without_credit_ends_at_its_deadline);
	tcase_add_test(t, a_waiting_request_ends_at_its_deadline_and_gives_its_credit_back);
	tcase_add_test(t, cancel_gives_the_credit_back_exactly);
	tcase_add_test(t, a_request_beyond_the_account_closes_the_connection);
	tcase_add_test(t, an_idle_lease_is_taken_back_first);
	tcase_add_test(t, the_next_in_line_is_served_when_the_first_goes);
	tcase_add_test(t, a_flood_does_not_starve_other_labels);
	if (geteuid() == 0) { /* only root can pretend to be others */
		tcase_add_test(t, every_consumer_comes_to_its_share);
		tcase_add_test(t, a_flood_does_not_starve_others);
	}
	suite_add_tcase(s, t);
	return test_main(s);
}
