/* SPDX-License-Identifier: Apache-2.0 */
#include "api/credit.h"
#include "core/consumer.h"
#include "fake-core.h"
#include "table/page.h"
#include "test-main.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N 4

static struct credit credit;
static struct credit_account account[N];
static struct page *page[N];
static struct consumer *consumer[2];
static struct {
	struct credit_account *account;
	uint32_t units, row1;
} rooms[16];
static unsigned n_rooms;

static void on_room(struct credit_account *a, uint32_t units, uint32_t row1)
{
	ck_assert_uint_lt(n_rooms, 16);
	rooms[n_rooms].account = a;
	rooms[n_rooms].units = units;
	rooms[n_rooms++].row1 = row1;
}

static void setup(void)
{
	fake_core_reset();
	n_rooms = 0;
	credit_init(&credit, on_room);
	credit_set_core(&credit, fake_core());
	credit.now_ms = 1000;
	for (int i = 0; i < N; i++) {
		int fd;

		ck_assert_int_eq(page_new(1, &page[i], &fd), 0);
		close(fd);
	}
	consumer[0] = consumer_get(fake_core(), 1, 1);
	consumer[1] = consumer_get(fake_core(), 2, 2);
}

static void teardown(void)
{
	for (int i = 0; i < N; i++)
		page_unmap(page[i]);
}

/* A queue this small, with room for so many connections. */
static void limit(uint32_t queue, uint32_t connections, uint32_t lease)
{
	fake.limits.software_queue = fake.units_free = queue;
	fake.limits.connections = connections;
	fake.limits.lease = lease;
}

static void open_account(int i, int user)
{
	ck_assert(credit_open(&credit, &account[i], consumer[user], &account[i],
			      page[i]));
}

/* As a client: take from the word, then submit. */
static void use(int i, uint32_t units)
{
	ck_assert(page_credit_take(page[i], units));
	ck_assert(credit_spend(&account[i], units));
}

START_TEST(leases_the_configured_credits_to_a_new_connection)
{
	open_account(0, 0);
	ck_assert_uint_eq(account[0].leased, 256);
	ck_assert_uint_eq(page[0]->credit, 256);
	ck_assert_uint_eq(fake.units_taken, 256);
	credit_close(&account[0]);
	ck_assert_uint_eq(fake.units_taken, 0);
}
END_TEST

START_TEST(refuses_a_request_beyond_what_was_leased)
{
	open_account(0, 0);
	page[0]->credit = 1u << 30; /* a client that helps itself */
	ck_assert(credit_spend(&account[0], 256));
	ck_assert(!credit_spend(&account[0], 1));
	credit_done(&account[0], 256);
	ck_assert(credit_spend(&account[0], 1));
}
END_TEST

START_TEST(puts_units_back_into_the_word_when_a_request_is_done)
{
	open_account(0, 0);
	use(0, 3);
	ck_assert_uint_eq(page[0]->credit, 253);
	credit_done(&account[0], 3);
	ck_assert_uint_eq(page[0]->credit, 256);
	ck_assert_uint_eq(account[0].held, 0);
}
END_TEST

START_TEST(gives_every_connection_its_floor_however_greedy_the_others_are)
{
	limit(64, 4, 64);
	open_account(0, 0);
	use(0, account[0].leased);
	for (int i = 1; i < N; i++) {
		open_account(i, 1);
		ck_assert_uint_ge(account[i].leased, CREDIT_FLOOR);
	}
	ck_assert_uint_le(fake.units_taken, 64);
}
END_TEST

START_TEST(takes_back_from_idle_connections_when_little_floats)
{
	uint32_t before;

	limit(128, 2, 120);
	open_account(0, 0);
	before = account[0].leased;
	ck_assert_uint_gt(before, 100);
	credit.now_ms += CREDIT_IDLE_MS;
	open_account(1, 1);
	ck_assert_uint_lt(account[0].leased, before);
	ck_assert_uint_eq(page[0]->credit, account[0].leased);
	ck_assert_uint_gt(account[1].leased, CREDIT_FLOOR);
}
END_TEST

START_TEST(never_takes_back_what_requests_hold)
{
	limit(128, 2, 120);
	open_account(0, 0);
	use(0, account[0].leased);
	credit.now_ms += CREDIT_IDLE_MS;
	open_account(1, 1);
	ck_assert_uint_eq(account[0].leased, account[0].held);
	ck_assert_uint_eq(account[1].leased, CREDIT_FLOOR);
}
END_TEST

START_TEST(answers_want_at_once_while_units_float)
{
	open_account(0, 0);
	use(0, account[0].leased);
	credit_want(&account[0], 2, 0);
	ck_assert_uint_eq(n_rooms, 1);
	ck_assert_uint_ge(rooms[0].units, 2);
	ck_assert_uint_eq(page[0]->credit, rooms[0].units);
	ck_assert(!account[0].wants);
}
END_TEST

START_TEST(answers_want_in_the_order_of_arrival)
{
	limit(32, 2, 8);
	open_account(0, 0);
	open_account(1, 1);
	fake.units_free = 0;
	use(0, 8);
	use(1, 8);
	credit_want(&account[1], 10, 0);
	credit_want(&account[0], 1, 0);
	fake.units_free = 1; /* enough for 0, but 1 came first */
	ck_assert(credit_serve(&credit));
	ck_assert_uint_eq(n_rooms, 0);
	fake.units_free = 11;
	ck_assert(!credit_serve(&credit));
	ck_assert_uint_eq(n_rooms, 2);
	ck_assert_ptr_eq(rooms[0].account, &account[1]);
	ck_assert_ptr_eq(rooms[1].account, &account[0]);
}
END_TEST

START_TEST(lets_nobody_wait_for_units_of_its_own)
{
	limit(16, 2, 8);
	open_account(0, 0);
	open_account(1, 1);
	use(0, 8);
	use(1, 8);
	credit_want(&account[1], 10, 0);
	credit_want(&account[0], 1, 0);
	credit_done(&account[0], 8);
	ck_assert_uint_eq(n_rooms, 1);
	ck_assert_ptr_eq(rooms[0].account, &account[0]);
}
END_TEST

START_TEST(joins_a_second_want_to_the_first)
{
	limit(16, 2, 8);
	open_account(0, 0);
	fake.units_free = 0;
	use(0, 8);
	credit_want(&account[0], 2, 0);
	credit_want(&account[0], 5, 0);
	credit_want(&account[0], 3, 0);
	ck_assert_uint_eq(account[0].want_units, 5);
	credit_done(&account[0], 4);
	ck_assert_uint_eq(n_rooms, 0);
	credit_done(&account[0], 4);
	ck_assert_uint_eq(n_rooms, 1);
	ck_assert_uint_eq(rooms[0].units, 5);
	ck_assert(!credit_serve(&credit));
}
END_TEST

START_TEST(does_not_take_back_what_room_reserved)
{
	limit(128, 2, 8);
	open_account(0, 0);
	use(0, 8);
	credit_want(&account[0], 20, 0);
	ck_assert_uint_eq(n_rooms, 1);
	credit_done(&account[0], 8);
	uint64_t reserved = page[0]->credit;
	credit.now_ms += CREDIT_IDLE_MS; /* idle, but reserved */
	open_account(1, 1);
	fake.units_free = 0;
	use(1, account[1].leased);
	credit_want(&account[1], 10, 0);
	ck_assert_uint_eq(n_rooms, 1);
	ck_assert_uint_eq(page[0]->credit, reserved);
	credit.now_ms += CREDIT_RESERVED_MS;
	ck_assert(!credit_serve(&credit));
	ck_assert_uint_eq(n_rooms, 2);
	ck_assert_uint_lt(page[0]->credit, reserved);
}
END_TEST

START_TEST(answers_want_of_a_hardware_slot_when_one_is_free)
{
	open_account(0, 0);
	credit_want(&account[0], 0, 3);
	ck_assert_uint_eq(n_rooms, 0);
	fake.free_slots = 1;
	ck_assert(!credit_serve(&credit));
	ck_assert_uint_eq(n_rooms, 1);
	ck_assert_uint_eq(rooms[0].row1, 3);
	ck_assert_uint_eq(rooms[0].units, 0);
}
END_TEST

START_TEST(tells_nobody_who_has_left)
{
	for (int i = 0; i < 3; i++) {
		open_account(i, 0);
		credit_want(&account[i], 0, 3);
	}
	credit_close(&account[_i]);
	fake.free_slots = 3;
	ck_assert(!credit_serve(&credit));
	ck_assert_uint_eq(n_rooms, 2);
	ck_assert_ptr_eq(rooms[0].account, &account[_i == 0 ? 1 : 0]);
	ck_assert_ptr_eq(rooms[1].account, &account[_i == 2 ? 1 : 2]);
}
END_TEST

START_TEST(lets_a_closed_connection_keep_only_what_its_requests_hold)
{
	open_account(0, 0);
	use(0, 10);
	credit_close(&account[0]);
	ck_assert_uint_eq(fake.units_taken, 10);
	credit_done(&account[0], 4);
	ck_assert_uint_eq(fake.units_taken, 6);
	credit_done(&account[0], 6);
	ck_assert_uint_eq(fake.units_taken, 0);
	ck_assert(list_empty(&credit.shares));
}
END_TEST

START_TEST(serves_those_who_wait_when_a_connection_closes)
{
	limit(32, 2, 8);
	open_account(0, 0);
	open_account(1, 1);
	fake.units_free = 0;
	use(1, 8);
	credit_want(&account[1], 8, 0);
	ck_assert_uint_eq(n_rooms, 0);
	credit_close(&account[0]);
	ck_assert_uint_eq(n_rooms, 0); /* 8 of the floor are set aside for the next connection */
	fake.limits.connections = 1;
	credit_serve(&credit);
	ck_assert_uint_eq(n_rooms, 1);
}
END_TEST

START_TEST(splits_the_queue_by_user_first_then_by_connection)
{
	limit(1024, 4, 1000);
	open_account(0, 0);
	open_account(1, 0);
	open_account(2, 1);
	ck_assert_uint_eq(credit_fair(&account[2]), 2 * credit_fair(&account[0]));
	ck_assert_uint_eq(credit_fair(&account[0]), credit_fair(&account[1]));
}
END_TEST

START_TEST(gives_a_user_of_more_weight_more)
{
	limit(1024, 2, 1000);
	open_account(0, 0);
	open_account(1, 1);
	ck_assert_uint_eq(credit_fair(&account[1]), credit_fair(&account[0]));
	consumer[1]->weight = 3;
	ck_assert_uint_eq(credit_fair(&account[1]), 3 * credit_fair(&account[0]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("credit");
	TCase *t = tcase_create("credit");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, leases_the_configured_credits_to_a_new_connection);
	tcase_add_test(t, refuses_a_request_beyond_what_was_leased);
	tcase_add_test(t, puts_units_back_into_the_word_when_a_request_is_done);
	tcase_add_test(t, gives_every_connection_its_floor_however_greedy_the_others_are);
	tcase_add_test(t, takes_back_from_idle_connections_when_little_floats);
	tcase_add_test(t, never_takes_back_what_requests_hold);
	tcase_add_test(t, answers_want_at_once_while_units_float);
	tcase_add_test(t, answers_want_in_the_order_of_arrival);
	tcase_add_test(t, lets_nobody_wait_for_units_of_its_own);
	tcase_add_test(t, joins_a_second_want_to_the_first);
	tcase_add_test(t, does_not_take_back_what_room_reserved);
	tcase_add_test(t, answers_want_of_a_hardware_slot_when_one_is_free);
	tcase_add_loop_test(t, tells_nobody_who_has_left, 0, 3);
	tcase_add_test(t, lets_a_closed_connection_keep_only_what_its_requests_hold);
	tcase_add_test(t, serves_those_who_wait_when_a_connection_closes);
	tcase_add_test(t, splits_the_queue_by_user_first_then_by_connection);
	tcase_add_test(t, gives_a_user_of_more_weight_more);
	suite_add_tcase(s, t);
	return test_main(s);
}
