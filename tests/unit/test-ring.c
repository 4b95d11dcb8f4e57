/* SPDX-License-Identifier: Apache-2.0 */
/* test-ring - submissions and completions in shared memory, over kcfd's and a client's mapping. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "table/ring.h"
#include "test-main.h"

static struct ring_server kcfd;
static struct ring_client client;
static uint8_t extra[RING_EXTRA_ROOM];

static void setup(void)
{
	int fd;

	ck_assert_int_eq(ring_new(&kcfd, &fd), 0);
	ck_assert_int_eq(ring_map(&client, fd), 0);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}

static void teardown(void)
{
	ring_unmap(&client);
	ring_free(&kcfd);
}

static bool put(uint64_t id, const void *bytes, size_t len)
{
	struct ring_entry e = {.id = id, .op = 4, .slot = 7, .in_len = 100};

	return ring_put(&client, &e, bytes, len);
}

START_TEST(hands_over_what_was_put)
{
	uint8_t bytes[130];
	struct ring_entry e;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	ck_assert(!ring_take(&kcfd, &e, extra));
	ck_assert(put(41, NULL, 0) && put(42, bytes, sizeof(bytes)) && put(43, NULL, 0));
	ck_assert(ring_take(&kcfd, &e, extra));
	ck_assert(e.id == 41 && e.op == 4 && e.slot == 7 && e.in_len == 100 && e.n_extra == 0);
	ck_assert(ring_take(&kcfd, &e, extra));
	ck_assert(e.id == 42 && e.n_extra == 3);
	ck_assert_mem_eq(extra, bytes, sizeof(bytes));
	ck_assert(ring_take(&kcfd, &e, extra) && e.id == 43);
	ck_assert(!ring_take(&kcfd, &e, extra));
}
END_TEST

/* Many laps, with entries of every size, and positions that run over 32 bits. */
START_TEST(goes_round_and_over_the_end_of_positions)
{
	uint8_t bytes[RING_EXTRA_ROOM];
	struct ring_entry e;
	uint64_t id = 0, want = 0;

	client.claimed = kcfd.taken = client.r->taken = UINT32_MAX - 1000;
	for (unsigned round = 0; round < 2000; round++) {
		size_t len = round * 13 % (RING_EXTRA_ROOM + 1);

		memset(bytes, (int)round, len);
		ck_assert(put(++id, bytes, len) && put(++id, NULL, 0));
		if (round % 5 != 4)
			continue;
		while (ring_take(&kcfd, &e, extra)) {
			ck_assert_uint_eq(e.id, ++want);
			if (e.n_extra)
				ck_assert_uint_eq(extra[0], (want - 1) / 2 % 256);
		}
		ck_assert_uint_eq(want, id);
		ring_taken(&kcfd);
	}
	ck_assert(!kcfd.broken);
}
END_TEST

START_TEST(refuses_more_than_kcfd_has_taken)
{
	struct ring_entry e;

	for (unsigned i = 0; i < RING_ENTRIES; i++)
		ck_assert(put(i + 1, NULL, 0));
	ck_assert(!put(9999, NULL, 0));
	ck_assert(ring_take(&kcfd, &e, extra));
	ck_assert(!put(9999, NULL, 0)); /* taken, but kcfd has not said so */
	ring_taken(&kcfd);
	ck_assert(!put(9999, "x", 1)); /* needs two places */
	ck_assert(put(9999, NULL, 0));
}
END_TEST

START_TEST(refuses_more_extra_bytes_than_fit)
{
	uint8_t bytes[RING_EXTRA_ROOM + 1] = {0};

	ck_assert(!put(1, bytes, sizeof(bytes)));
	ck_assert(put(1, bytes, sizeof(bytes) - 1));
}
END_TEST

static bool answer(uint64_t id)
{
	struct ring_done done = {.id = id, .len = 5, .status = 3};

	return ring_answer(&kcfd, &done);
}

START_TEST(completions_are_seen_after_a_flush)
{
	struct ring_done done[8];

	ck_assert(answer(1) && answer(2));
	ck_assert_uint_eq(ring_reap(&client, done, 8), 0);
	ring_flush(&kcfd);
	ck_assert(ring_has_done(&client));
	ck_assert_uint_eq(ring_reap(&client, done, 1), 1);
	ck_assert(done[0].id == 1 && done[0].len == 5 && done[0].status == 3);
	ck_assert_uint_eq(ring_reap(&client, done, 8), 1);
	ck_assert(done[0].id == 2 && !ring_has_done(&client));
}
END_TEST

START_TEST(keeps_completions_nobody_has_read)
{
	struct ring_done done[RING_COMPLETIONS];

	for (unsigned i = 0; i < RING_COMPLETIONS; i++)
		ck_assert(answer(i));
	ck_assert(!answer(0) && !kcfd.broken);
	ring_flush(&kcfd);
	ck_assert_uint_eq(ring_reap(&client, done, RING_COMPLETIONS), RING_COMPLETIONS);
	for (unsigned i = 0; i < RING_COMPLETIONS; i++)
		ck_assert_uint_eq(done[i].id, i);
	ck_assert(answer(0));
}
END_TEST

START_TEST(who_sleeps_is_rung_once)
{
	struct ring_entry e;

	ck_assert(put(1, NULL, 0) && ring_wants_bell(&client)); /* kcfd begins asleep */
	ck_assert(put(2, NULL, 0) && !ring_wants_bell(&client));
	ck_assert(!ring_server_sleep(&kcfd)); /* there is work */
	ck_assert(!ring_wants_bell(&client));
	while (ring_take(&kcfd, &e, extra))
		;
	ck_assert(ring_server_sleep(&kcfd));
	ck_assert(put(3, NULL, 0) && ring_wants_bell(&client) && !ring_wants_bell(&client));

	ck_assert(answer(1) && !ring_flush(&kcfd));
	ck_assert(!ring_sleep(&client));
	ck_assert_uint_eq(ring_reap(&client, &(struct ring_done){0}, 1), 1);
	ck_assert(ring_sleep(&client));
	ck_assert(answer(2) && ring_flush(&kcfd) && !ring_flush(&kcfd));
	ring_awake(&client);
}
END_TEST

/* Whatever a client writes breaks its own ring and nothing else. */
START_TEST(nonsense_breaks_the_ring)
{
	struct ring_entry e;

	ck_assert(put(1, NULL, 0));
	client.r->entries[0].n_extra = RING_EXTRA_MAX + 1;
	ck_assert(!ring_take(&kcfd, &e, extra) && kcfd.broken);

	kcfd.broken = false;
	for (uint64_t id = 0; id < RING_COMPLETIONS; id++)
		ck_assert(answer(id));
	client.r->seen = RING_COMPLETIONS + 1; /* more than there were */
	ck_assert(!answer(1) && kcfd.broken);
}
END_TEST

START_TEST(maps_only_what_is_a_ring)
{
	struct ring_client other;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, sizeof(struct ring)), 0);
	ck_assert_int_eq(ring_map(&other, dup(fd)), -EPERM);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(ring_map(&other, dup(fd)), -EPROTO);
	close(fd);
	fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(fd, sizeof(struct ring) - 1), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(ring_map(&other, fd), -EMSGSIZE);
}
END_TEST

#define THREADS 4
#define EACH    20000u

static void *producer(void *arg)
{
	uint64_t first = (uint64_t)(uintptr_t)arg * EACH;

	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t id = first + i + 1;

		while (!put(id, &id, id % 3 ? 0 : sizeof(id)))
			sched_yield();
	}
	return NULL;
}

/* Each exactly once, those of one thread in its order, with their own extra bytes. Through one
 * mapping, because a race detector knows memory by its address. */
START_TEST(threads_put_side_by_side)
{
	pthread_t threads[THREADS];
	uint64_t last[THREADS] = {0}, n = 0;
	struct ring *mapped = client.r;
	struct ring_entry e;

	client.r = kcfd.r;

	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, producer, (void *)i), 0);
	while (n < THREADS * EACH) {
		uint64_t who, extra_id;

		if (!ring_take(&kcfd, &e, extra)) {
			ring_taken(&kcfd);
			sched_yield();
			continue;
		}
		n++;
		who = (e.id - 1) / EACH;
		ck_assert_uint_eq(e.id, who * EACH + ++last[who]);
		ck_assert_uint_eq(e.n_extra, e.id % 3 ? 0 : 1);
		memcpy(&extra_id, extra, sizeof(extra_id));
		if (e.n_extra)
			ck_assert_uint_eq(extra_id, e.id);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	client.r = mapped;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, hands_over_what_was_put);
	tcase_add_test(tc, goes_round_and_over_the_end_of_positions);
	tcase_add_test(tc, refuses_more_than_kcfd_has_taken);
	tcase_add_test(tc, refuses_more_extra_bytes_than_fit);
	tcase_add_test(tc, completions_are_seen_after_a_flush);
	tcase_add_test(tc, keeps_completions_nobody_has_read);
	tcase_add_test(tc, who_sleeps_is_rung_once);
	tcase_add_test(tc, nonsense_breaks_the_ring);
	tcase_add_test(tc, maps_only_what_is_a_ring);
	tcase_add_test(tc, threads_put_side_by_side);
	suite_add_tcase(s, tc);
	return test_main(s);
}
