/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "test-main.h"

struct item {
	struct list link;
	int n;
};

static struct item items[4];
static struct list head;

static void setup(void)
{
	list_init(&head);
	for (int i = 0; i < 4; i++)
		items[i].n = i;
}

START_TEST(keeps_the_order_of_pushes)
{
	int expect = 0;

	for (int i = 0; i < 4; i++)
		list_push(&head, &items[i].link);
	list_for_each(l, &head) ck_assert_int_eq(list_entry(l, struct item, link)->n, expect++);
	ck_assert_int_eq(expect, 4);
}
END_TEST

START_TEST(pops_from_the_front_until_empty)
{
	list_push(&head, &items[0].link);
	list_push(&head, &items[1].link);
	ck_assert_ptr_eq(list_pop(&head), &items[0].link);
	ck_assert_ptr_eq(list_pop(&head), &items[1].link);
	ck_assert_ptr_null(list_pop(&head));
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(removing_twice_is_harmless)
{
	list_push(&head, &items[0].link);
	list_push(&head, &items[1].link);
	list_remove(&items[0].link);
	list_remove(&items[0].link);
	ck_assert_ptr_eq(head.next, &items[1].link);
	ck_assert_ptr_eq(head.prev, &items[1].link);
}
END_TEST

START_TEST(splices_in_order_and_empties_the_source)
{
	struct list other;
	int expect = 0;

	list_init(&other);
	list_push(&head, &items[0].link);
	list_push(&head, &items[1].link);
	list_push(&other, &items[2].link);
	list_push(&other, &items[3].link);
	list_splice(&head, &other);
	ck_assert(list_empty(&other));
	list_splice(&head, &other);
	list_for_each(l, &head) ck_assert_int_eq(list_entry(l, struct item, link)->n, expect++);
	ck_assert_int_eq(expect, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("list");
	TCase *t = tcase_create("list");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, keeps_the_order_of_pushes);
	tcase_add_test(t, pops_from_the_front_until_empty);
	tcase_add_test(t, removing_twice_is_harmless);
	tcase_add_test(t, splices_in_order_and_empties_the_source);
	suite_add_tcase(s, t);
	return test_main(s);
}
