/* SPDX-License-Identifier: Apache-2.0 */
/* test-ring-turns - rings beside the socket and beside each other; awake, asleep, and gone. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/conn-private.h"
#include "api/conn-ring.h"
#include "ring-world.h"

/* ---- beside the socket ---- */

START_TEST(takes_entries_before_the_frames_sent_after_them)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_DROP};
	struct ring_entry e = seal(1);
	struct ring_done done;

	m.slot = KEY_SLOT;
	for (e.id = 1; e.id <= 100; e.id++)
		harness_ring_put_silently(&ring, &e, NULL, 0);
	send_msg(&m, 0);
	wait_request();
	ck_assert_uint_eq(fake.n_submitted, 100);
	harness_ring_put(&ring, &e, NULL, 0); /* after the drop */
	done = harness_ring_wait(&ring);
	ck_assert(done.id == 101 && done.status == KCF_ARGUMENTS_BAD);
	for (e.id = 1; e.id <= 100; e.id++) {
		fake_complete(fake_first(), KCF_SUCCESS, 1);
		ck_assert_uint_eq(wait_done(e.id).status, KCF_SUCCESS);
	}
}
END_TEST

START_TEST(cancels_an_entry_by_frame)
{
	struct wire_msg m = {.type = FRAME_CANCEL};
	struct ring_entry e = seal(11);

	harness_ring_put_silently(&ring, &e, NULL, 0);
	m.id = 11;
	send_msg(&m, 0);
	ck_assert_uint_eq(wait_done(11).status, KCF_CANCELED);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

START_TEST(keeps_a_segment_that_an_entry_uses)
{
	struct wire_msg m = {.type = FRAME_ARENA_FREE};
	struct ring_entry e = seal(1);
	struct request *r;

	harness_ring_put_silently(&ring, &e, NULL, 0);
	m.slot = ring.segment;
	send_msg(&m, 0);
	r = wait_request();
	pump_some();
	ck_assert_uint_eq(fake.charged[CHARGE_ARENA], sizeof(struct ring) + 65536);
	fake_complete(r, KCF_SUCCESS, 0x33);
	ck_assert_uint_eq(wait_done(1).status, KCF_SUCCESS);
	ck_assert_uint_eq(ring.mem[4096], 0x33);
	ck_assert_uint_eq(fake.charged[CHARGE_ARENA], sizeof(struct ring));
}
END_TEST

START_TEST(answers_by_socket_without_a_place_for_completions)
{
	struct ring_entry e = seal(0);
	struct harness_frame f;

	fill_completions();
	harness_ring_put(&ring, &(struct ring_entry){.id = 1, .op = KCF_OP_SIGN, .slot = 99}, NULL,
			 0);
	ck_assert_uint_eq(expect_op(1, &f).status, KCF_ARGUMENTS_BAD);
	e.id = 2;
	harness_ring_put(&ring, &e, NULL, 0);
	fake_complete(wait_request(), KCF_SUCCESS, 0x44);
	ck_assert_uint_eq(expect_op(2, &f).out_len, 80);
	ck_assert_uint_eq(f.h.payload_len, 0);
	ck_assert_uint_eq(ring.mem[4096], 0x44);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

/* The entries of a client that does not read its answers stay where they are. */
START_TEST(takes_no_entries_from_a_client_that_does_not_read)
{
	struct conn *c = list_entry(api.conns.next, struct conn, link);
	struct ring_entry e = seal(1);
	struct harness_frame f;
	unsigned n = 0;

	for (; conn_has_room_out(c); n++) {
		api.events.event(api.events.arg, KCF_EVENT_PROVIDER_FAILED, NULL, "some device");
		if (n % 256 == 0)
			pump(NULL);
	}
	harness_ring_put(&ring, &e, NULL, 0);
	pump_some();
	ck_assert_uint_eq(fake.n_submitted, 0);
	ck_assert(list_empty(&api.rings.awake));
	for (unsigned i = 0; i < n; i++)
		harness_raw_expect(&raw, FRAME_EVENT, &f);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	ck_assert_uint_eq(wait_done(e.id).status, KCF_SUCCESS);
}
END_TEST

/* ---- ends ---- */

START_TEST(cancels_entries_when_the_client_goes_away)
{
	struct ring_entry e = seal(1);

	for (; e.id < 10; e.id++)
		harness_ring_put(&ring, &e, NULL, 0);
	fake_start(wait_request()); /* one runs on */
	harness_raw_close(&raw);
	pump_some();
	ck_assert_uint_eq(fake.n_canceled, 9);
	ck_assert_int_eq(fake.n_requests, 1);
	ck_assert_uint_eq(fake.charged[CHARGE_ARENA], 65536); /* the ring itself is gone */
}
END_TEST

START_TEST(sleeps_when_the_last_awake_ring_goes)
{
	struct conn *c = list_entry(api.conns.next, struct conn, link);

	conn_ring_wake(c->ring);
	ck_assert(uv_is_active((uv_handle_t *)&api.rings.idle));
	conn_close(c);
	pump(NULL);
	ck_assert(!uv_is_active((uv_handle_t *)&api.rings.idle));
}
END_TEST

START_TEST(survives_a_client_that_closes_its_bell)
{
	struct ring_entry e = seal(1);

	close(ring.bell);
	ring.bell = -1;
	pump_some();
	harness_ring_put_silently(&ring, &e, NULL, 0);
	send_msg(&(struct wire_msg){.type = FRAME_CANCEL}, 0);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	ring_sleep(&ring.client); /* kcfd rings for nobody */
	pump_some();
	ck_assert(ring_has_done(&ring.client));
	ck_assert_uint_eq(api.n_conns, 1);
}
END_TEST

START_TEST(sleeps_when_nothing_comes)
{
	struct ring_entry e = seal(1);

	harness_ring_put(&ring, &e, NULL, 0);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	wait_done(1);
	while (!list_empty(&api.rings.awake))
		pump(NULL);
	ck_assert_uint_eq(ring.client.r->kcfd_sleeps, 1);
	ck_assert_int_ne(uv_backend_timeout(&loop), 0); /* the loop too */
	ck_assert_uint_eq(fake.spinners, 0);
	e.id = 2;
	harness_ring_put(&ring, &e, NULL, 0); /* rings */
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	wait_done(2);
}
END_TEST

/* The host has so many CPUs, and one thread wants to run. */
static void pretend_host(unsigned cpus)
{
	char path[64];
	int fd = mkstemp(test_tmp_path("load-XXXXXX", path, sizeof(path)));

	ck_assert_int_gt(write(fd, "0.1 0.1 0.1 1/80 1\n", 19), 0);
	close(fd);
	spin_deinit(&api.rings.spin);
	spin_init(&api.rings.spin, path, cpus);
	unlink(path);
}

/* An entry that is under way, and a thread that spins until it is complete. */
static void spin_for_one(unsigned cpus)
{
	struct ring_entry e = seal(1);

	pretend_host(cpus);
	fake.limits.spin_us = 1000000000; /* longer than any test */
	ring.client.r->spins = 1;
	harness_ring_put(&ring, &e, NULL, 0);
	wait_request();
}

START_TEST(looks_on_while_that_is_permitted)
{
	spin_for_one(3);
	for (int i = 0; i < 50; i++)
		pump(NULL);
	ck_assert_uint_eq(ring.client.r->kcfd_sleeps, 0);
	ck_assert_uint_eq(fake.spinners, 1);
	ck_assert(!fake.crowded);
	fake.limits.spin_us = 0; /* as kcfadm set does */
	while (!list_empty(&api.rings.awake))
		pump(NULL);
	ck_assert_uint_eq(ring.client.r->kcfd_sleeps, 1);
	ck_assert_uint_eq(fake.spinners, 0);
}
END_TEST

/* Of two CPUs a client's thread spins on one: who computes on the other needs it. */
START_TEST(sleeps_when_too_many_look)
{
	spin_for_one(2);
	while (!list_empty(&api.rings.awake))
		pump(NULL);
	ck_assert_uint_eq(ring.client.r->kcfd_sleeps, 1);
	ck_assert(!fake.crowded);
}
END_TEST

START_TEST(never_looks_on_one_cpu)
{
	spin_for_one(1);
	while (!list_empty(&api.rings.awake))
		pump(NULL);
	ck_assert(fake.crowded); /* so nobody else does */
}
END_TEST

/* Completions that wait to be read are no reason to spin. */
START_TEST(counts_those_who_wait_for_a_completion)
{
	spin_for_one(4);
	fake_complete(wait_request(), KCF_SUCCESS, 1);
	for (int i = 0; i < 50; i++)
		pump(NULL);
	ck_assert_uint_eq(fake.spinners, 0);
	wait_done(1);
	ring.client.r->spins = 1;
	for (int i = 0; i < 50; i++)
		pump(NULL);
	ck_assert_uint_eq(fake.spinners, 1);
}
END_TEST

/* More than a round takes, from several. */
START_TEST(serves_every_ring_in_its_turn)
{
	struct harness_raw raws[7];
	struct harness_ring rings[7];

	for (uint32_t i = 0; i < 7; i++) {
		connect_raw(&raws[i], geteuid());
		harness_ring_open(&rings[i], &raws[i], 65536);
		for (uint64_t id = 1; id <= 100; id++)
			harness_ring_put(&rings[i],
					 &(struct ring_entry){.id = id, .op = KCF_OP_SIGN}, NULL,
					 0);
	}
	for (uint64_t id = 1; id <= 100; id++)
		for (uint32_t i = 0; i < 7; i++)
			ck_assert_uint_eq(harness_ring_wait(&rings[i]).id, id);
	for (uint32_t i = 0; i < 7; i++) {
		harness_ring_close(&rings[i]);
		harness_raw_close(&raws[i]);
	}
}
END_TEST

START_TEST(rings_once_for_what_one_turn_answers)
{
	struct ring_entry e = seal(1);
	char bytes[16];

	for (; e.id <= 20; e.id++)
		harness_ring_put(&ring, &e, NULL, 0);
	wait_request();
	ck_assert_uint_eq(fake.n_submitted, 20);
	ck_assert(ring_sleep(&ring.client));
	while (fake_first())
		fake_complete(fake_first(), KCF_SUCCESS, 1);
	ck_assert(!ring_has_done(&ring.client)); /* not before the end of the turn */
	ck_assert_uint_eq(raw.page->credit, 236);
	pump(NULL);
	ck_assert_int_eq(recv(ring.bell, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
	for (uint64_t id = 1; id <= 20; id++)
		wait_done(id);
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring-turns");
	TCase *t = tcase_create("served");

	tcase_add_checked_fixture(t, ring_setup, ring_teardown);
	tcase_add_test(t, takes_entries_before_the_frames_sent_after_them);
	tcase_add_test(t, cancels_an_entry_by_frame);
	tcase_add_test(t, keeps_a_segment_that_an_entry_uses);
	tcase_add_test(t, answers_by_socket_without_a_place_for_completions);
	tcase_add_test(t, takes_no_entries_from_a_client_that_does_not_read);
	tcase_add_test(t, cancels_entries_when_the_client_goes_away);
	tcase_add_test(t, sleeps_when_the_last_awake_ring_goes);
	tcase_add_test(t, survives_a_client_that_closes_its_bell);
	tcase_add_test(t, sleeps_when_nothing_comes);
	tcase_add_test(t, looks_on_while_that_is_permitted);
	tcase_add_test(t, sleeps_when_too_many_look);
	tcase_add_test(t, never_looks_on_one_cpu);
	tcase_add_test(t, counts_those_who_wait_for_a_completion);
	tcase_add_test(t, serves_every_ring_in_its_turn);
	tcase_add_test(t, rings_once_for_what_one_turn_answers);
	suite_add_tcase(s, t);
	return test_main(s);
}
