/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/queue.h"

#include <string.h>
#include "test-main.h"

static struct queue q;
static struct queue_share a, b;
static struct queue_item items[1000];

static void setup(void)
{
	queue_init(&q, 1000);
	queue_share_init(&a, 1);
	queue_share_init(&b, 1);
	for (unsigned i = 0; i < 1000; i++)
		items[i] = (struct queue_item){.cost = 1000, .units = 1};
}

static unsigned index_of(const struct queue_item *item)
{
	return (unsigned)(item - items);
}

START_TEST(is_first_in_first_out_within_a_consumer)
{
	for (unsigned i = 0; i < 500; i++)
		ck_assert(queue_push(&q, &a, &items[i]));
	for (unsigned i = 0; i < 500; i++)
		ck_assert_uint_eq(index_of(queue_pop(&q, NULL, NULL)), i);
	ck_assert_ptr_null(queue_pop(&q, NULL, NULL));
}
END_TEST

START_TEST(refuses_beyond_its_bound_and_takes_again_after_a_pop)
{
	queue_init(&q, 3);
	items[1].units = 2;
	ck_assert(queue_push(&q, &a, &items[0]));
	ck_assert(queue_push(&q, &a, &items[1]));
	ck_assert(!queue_push(&q, &b, &items[2]));
	ck_assert_ptr_eq(queue_pop(&q, NULL, NULL), &items[0]);
	ck_assert(queue_push(&q, &b, &items[2]));
	ck_assert_uint_eq(q.units, 3);
}
END_TEST

START_TEST(removing_gives_the_slot_back)
{
	queue_init(&q, 2);
	for (unsigned round = 0; round < 100; round++) {
		ck_assert(queue_push(&q, &a, &items[0]));
		ck_assert(queue_push(&q, &a, &items[1]));
		ck_assert(!queue_push(&q, &a, &items[2]));
		queue_remove(&q, &items[1]);
		queue_remove(&q, &items[0]);
		ck_assert_uint_eq(q.depth, 0);
		ck_assert_uint_eq(q.units, 0);
	}
	ck_assert_ptr_null(queue_pop(&q, NULL, NULL));
}
END_TEST

/* Pop n; how many were of share s. The share is read from the index: a's are even. */
static unsigned pop_even(unsigned n)
{
	unsigned even = 0;

	while (n-- > 0)
		even += index_of(queue_pop(&q, NULL, NULL)) % 2 == 0;
	return even;
}

START_TEST(divides_time_between_consumers_by_cost)
{
	/* a's items cost three times b's: in any stretch b gets three times as many */
	for (unsigned i = 0; i < 1000; i++) {
		items[i].cost = i % 2 ? 10000 : 30000;
		ck_assert(queue_push(&q, i % 2 ? &b : &a, &items[i]));
	}
	ck_assert_uint_ge(pop_even(400), 90);
	setup();
	for (unsigned i = 0; i < 1000; i++) {
		items[i].cost = i % 2 ? 10000 : 30000;
		queue_push(&q, i % 2 ? &b : &a, &items[i]);
	}
	ck_assert_uint_le(pop_even(400), 110);
}
END_TEST

START_TEST(a_heavier_weight_gets_a_larger_part)
{
	a.weight = 3;
	for (unsigned i = 0; i < 1000; i++) {
		items[i].cost = 50000;
		queue_push(&q, i % 2 ? &b : &a, &items[i]);
	}
	unsigned even = pop_even(400);
	ck_assert_uint_ge(even, 290);
	ck_assert_uint_le(even, 310);
}
END_TEST

START_TEST(a_flood_delays_a_newcomer_by_one_round_only)
{
	unsigned popped = 0;

	for (unsigned i = 0; i < 900; i++)
		queue_push(&q, &a, &items[i]);
	queue_pop(&q, NULL, NULL);
	queue_push(&q, &b, &items[999]);
	while (queue_pop(&q, NULL, NULL) != &items[999])
		popped++;
	ck_assert_uint_le(popped, QUEUE_QUANTUM / 1000);
}
END_TEST

START_TEST(a_cost_of_many_rounds_is_served_and_paid_for)
{
	items[0].cost = 3600ull * 1000000000;
	items[1].cost = 3600ull * 1000000000;
	for (unsigned i = 0; i < 2; i++)
		queue_push(&q, &a, &items[i]);
	for (unsigned i = 2; i < 900; i++)
		queue_push(&q, &b, &items[i]);
	for (unsigned i = 2; i < 900; i++)
		ck_assert_uint_eq(index_of(queue_pop(&q, NULL, NULL)), i);
	ck_assert_ptr_eq(queue_pop(&q, NULL, NULL), &items[0]);
	ck_assert_ptr_eq(queue_pop(&q, NULL, NULL), &items[1]);
}
END_TEST

static bool odd_only(const struct queue_item *item, void *arg)
{
	return index_of(item) % 2 == 1;
}

START_TEST(a_refused_first_item_holds_back_its_own_consumer_only)
{
	for (unsigned i = 0; i < 10; i++)
		queue_push(&q, i < 5 ? &a : &b, &items[i]);
	/* a's first, 0, is refused; b's are 5 6 7 8 9 */
	ck_assert_ptr_eq(queue_pop(&q, odd_only, NULL), &items[5]);
	ck_assert_ptr_null(queue_pop(&q, odd_only, NULL)); /* b is at 6 */
	ck_assert_uint_eq(q.depth, 9);
	queue_remove(&q, &items[0]);
	ck_assert_ptr_eq(queue_pop(&q, odd_only, NULL), &items[1]);
}
END_TEST

START_TEST(what_a_device_refused_is_first_again)
{
	for (unsigned i = 0; i < 3; i++)
		queue_push(&q, &a, &items[i]);
	struct queue_item *first = queue_pop(&q, NULL, NULL);
	queue_push_front(&q, &a, first);
	ck_assert_uint_eq(q.depth, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(index_of(queue_pop(&q, NULL, NULL)), i);
}
END_TEST

START_TEST(tells_the_position_within_the_consumer)
{
	for (unsigned i = 0; i < 10; i++)
		queue_push(&q, i % 2 ? &b : &a, &items[i]);
	ck_assert_uint_eq(queue_position(&items[0]), 0);
	ck_assert_uint_eq(queue_position(&items[6]), 3);
	queue_remove(&q, &items[2]);
	ck_assert_uint_eq(queue_position(&items[6]), 2);
	ck_assert_uint_eq(queue_position(&items[2]), 0);
}
END_TEST

/* ---- labels ---- */

/* a has labels 1 and 2, b has one; which is what goes by the index. */
static void push_labeled(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		items[i].label = i % 3 ? (uint8_t)(i % 3) : 0;
		ck_assert(queue_push(&q, i % 3 ? &a : &b, &items[i]));
	}
}

/* How many of the next n are of each. */
static void pop_labeled(unsigned n, unsigned count[3])
{
	memset(count, 0, 3 * sizeof(count[0]));
	while (n-- > 0)
		count[index_of(queue_pop(&q, NULL, NULL)) % 3]++;
}

START_TEST(labels_divide_their_users_share_and_add_nothing_to_it)
{
	unsigned count[3];

	push_labeled(999);
	pop_labeled(600, count);
	ck_assert_uint_ge(count[0], 290); /* a user without labels has as much as one with two */
	ck_assert_uint_le(count[0], 310);
	ck_assert_uint_ge(count[1], 145);
	ck_assert_uint_le(count[1], 155);
	ck_assert_uint_ge(count[2], 145);
	ck_assert_uint_le(count[2], 155);
}
END_TEST

START_TEST(labels_divide_by_cost)
{
	unsigned count[3];

	for (unsigned i = 2; i < 999; i += 3)
		items[i].cost = 3000;
	push_labeled(999);
	pop_labeled(600, count);
	ck_assert_uint_ge(count[1], 3 * count[2] - 10);
	ck_assert_uint_le(count[1], 3 * count[2] + 10);
}
END_TEST

START_TEST(a_label_is_first_in_first_out)
{
	unsigned last[3] = {0, 1, 2};

	push_labeled(999);
	for (unsigned i = 0; i < 999; i++) {
		unsigned at = index_of(queue_pop(&q, NULL, NULL));

		ck_assert_uint_ge(at, last[at % 3]);
		last[at % 3] = at;
	}
}
END_TEST

START_TEST(a_label_that_comes_later_has_no_claim_to_the_past)
{
	unsigned count[2] = {0};

	for (unsigned i = 0; i < 1000; i++)
		items[i].label = i >= 500;
	for (unsigned i = 0; i < 500; i++)
		queue_push(&q, &a, &items[i]);
	for (unsigned i = 0; i < 200; i++)
		queue_pop(&q, NULL, NULL);
	for (unsigned i = 500; i < 1000; i++)
		queue_push(&q, &a, &items[i]);
	for (unsigned i = 0; i < 100; i++)
		count[index_of(queue_pop(&q, NULL, NULL)) >= 500]++;
	ck_assert_uint_ge(count[0], 49);
	ck_assert_uint_ge(count[1], 49);
}
END_TEST

START_TEST(a_refused_first_item_holds_back_its_own_label_only)
{
	for (unsigned i = 0; i < 10; i++) {
		items[i].label = i >= 5;
		queue_push(&q, &a, &items[i]);
	}
	ck_assert_ptr_eq(queue_pop(&q, odd_only, NULL), &items[5]);
	ck_assert_ptr_null(queue_pop(&q, odd_only, NULL)); /* 0 and 6 */
	queue_remove(&q, &items[6]);
	ck_assert_ptr_eq(queue_pop(&q, odd_only, NULL), &items[7]);
	ck_assert_ptr_eq(queue_pop(&q, NULL, NULL), &items[0]);
}
END_TEST

START_TEST(what_a_device_refused_is_first_of_its_label_again)
{
	struct queue_item *first;

	for (unsigned i = 0; i < 6; i++) {
		items[i].label = i % 2 ? 3 : 5;
		queue_push(&q, &a, &items[i]);
	}
	first = queue_pop(&q, NULL, NULL);
	queue_push_front(&q, &a, first);
	ck_assert_ptr_eq(queue_pop(&q, NULL, NULL), first);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, is_first_in_first_out_within_a_consumer);
	tcase_add_test(tc, refuses_beyond_its_bound_and_takes_again_after_a_pop);
	tcase_add_test(tc, removing_gives_the_slot_back);
	tcase_add_test(tc, divides_time_between_consumers_by_cost);
	tcase_add_test(tc, a_heavier_weight_gets_a_larger_part);
	tcase_add_test(tc, a_flood_delays_a_newcomer_by_one_round_only);
	tcase_add_test(tc, a_cost_of_many_rounds_is_served_and_paid_for);
	tcase_add_test(tc, a_refused_first_item_holds_back_its_own_consumer_only);
	tcase_add_test(tc, what_a_device_refused_is_first_again);
	tcase_add_test(tc, tells_the_position_within_the_consumer);
	tcase_add_test(tc, labels_divide_their_users_share_and_add_nothing_to_it);
	tcase_add_test(tc, labels_divide_by_cost);
	tcase_add_test(tc, a_label_is_first_in_first_out);
	tcase_add_test(tc, a_label_that_comes_later_has_no_claim_to_the_past);
	tcase_add_test(tc, a_refused_first_item_holds_back_its_own_label_only);
	tcase_add_test(tc, what_a_device_refused_is_first_of_its_label_again);
	suite_add_tcase(s, tc);
	return test_main(s);
}
