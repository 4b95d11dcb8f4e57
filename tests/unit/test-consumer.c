/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of users: charges, what clients report, units of the software queue. */
#include "unit/core-world.h"

#include "core/consumer.h"

START_TEST(one_account_per_user_kept_while_needed)
{
	struct consumer *a = consumer_get(world.core, 5, 5), *b = consumer_get(world.core, 5, 6);

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, world.consumer);
	ck_assert_int_eq(consumer_charge(a, CHARGE_ARENA, 4096), KCF_SUCCESS);
	consumer_put(a);
	consumer_put(b);
	ck_assert_ptr_eq(consumer_find(world.core, 5), a);
	consumer_uncharge(a, CHARGE_ARENA, 4096);
}
END_TEST

START_TEST(labels_have_numbers_while_somebody_has_them)
{
	struct consumer *c = world.consumer;
	uint8_t a = consumer_label_get(c, "a"), b = consumer_label_get(c, "b"), n;

	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(consumer_label_get(c, "a"), a);
	consumer_label_put(c, a);
	ck_assert_uint_eq(consumer_label_get(c, "a"), a); /* the other one still has it */
	consumer_label_put(c, b);
	ck_assert_uint_eq(consumer_label_get(c, "c"), b);
	for (char name[] = "d"; name[0] < 'z'; name[0]++) {
		n = consumer_label_get(c, name);
		ck_assert_uint_ne(n, a);
		ck_assert_uint_lt(n, QUEUE_LABELS);
	}
	ck_assert_uint_eq(n, QUEUE_LABELS - 1); /* there are no more */
}
END_TEST

START_TEST(charges_stop_at_the_limit)
{
	ck_assert_int_eq(
		consumer_charge(world.consumer, CHARGE_ARENA, world.core->limits.user_arena),
		KCF_SUCCESS);
	ck_assert_int_eq(consumer_charge(world.consumer, CHARGE_ARENA, 1), KCF_QUOTA_EXCEEDED);
	ck_assert_int_eq(consumer_charge(world.consumer, CHARGE_ARENA, UINT64_MAX),
			 KCF_QUOTA_EXCEEDED);
	consumer_uncharge(world.consumer, CHARGE_ARENA, world.core->limits.user_arena);
	ck_assert_int_eq(consumer_charge(world.consumer, CHARGE_ARENA, 1), KCF_SUCCESS);
	consumer_uncharge(world.consumer, CHARGE_ARENA, 1);
}
END_TEST

START_TEST(what_a_client_reports_is_added_and_never_believed)
{
	struct caller_count c = {KCF_M_SHA256, 1, 10, 1000, 1, 50, 1};
	int conn = 0;

	core_caller_counts(world.core, &conn, world.consumer, &c, 1, false);
	core_caller_counts(world.core, &conn, world.consumer, &c, 1, false);
	ck_assert_uint_eq(world.consumer->caller_ops, 10);
	c.ops = 5; /* backwards: nothing */
	c.bytes = UINT64_MAX;
	core_caller_counts(world.core, &conn, world.consumer, &c, 1, false);
	ck_assert_uint_eq(world.consumer->caller_ops, 10);
	c.ops = 7;
	core_caller_counts(world.core, &conn, world.consumer, &c, 1, true);
	ck_assert_uint_eq(world.consumer->caller_ops, 12);
	c.bytes = UINT64_MAX; /* saturates over connections */
	core_caller_counts(world.core, &c, world.consumer, &c, 1, true);
	ck_assert_uint_eq(world.consumer->caller_bytes, UINT64_MAX);
	c.mech = 999999;
	c.provider_row1 = 4000;
	core_caller_counts(world.core, &c, world.consumer, &c, 1, true);
}
END_TEST

START_TEST(units_are_a_sum_that_cannot_be_overdrawn)
{
	uint32_t all = sched_units_free(world.core);

	ck_assert_uint_eq(all, world.core->limits.software_queue);
	ck_assert(sched_units_take(world.core, all));
	ck_assert(!sched_units_take(world.core, 1));
	sched_units_give(world.core, 1);
	ck_assert(sched_units_take(world.core, 1));
	sched_units_give(world.core, all);
}
END_TEST

#define FIRST 2000u

/* A user comes, does something, and goes. */
static void visit(uid_t uid, uint64_t ops)
{
	struct consumer *c = consumer_get(world.core, uid, uid);

	ck_assert_ptr_nonnull(c);
	c->ops += ops;
	consumer_put(c);
}

static void visit_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		visit(FIRST + 1 + i, 1);
}

START_TEST(keeps_totals_when_nothing_is_held_any_more)
{
	struct consumer *c;

	visit(FIRST, 3);
	c = consumer_find(world.core, FIRST);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->ops, 3);
	visit(FIRST, 4);
	ck_assert_uint_eq(consumer_find(world.core, FIRST)->ops, 7);
}
END_TEST

START_TEST(forgets_who_has_been_idle_longest)
{
	visit(FIRST, 1);
	visit_many(CONSUMERS_IDLE - 1);
	ck_assert_ptr_nonnull(consumer_find(world.core, FIRST));
	visit(1001, 1);
	ck_assert_ptr_null(consumer_find(world.core, FIRST));
	ck_assert_ptr_nonnull(consumer_find(world.core, FIRST + 1));
	ck_assert_uint_eq(world.core->n_idle_consumers, CONSUMERS_IDLE);
}
END_TEST

START_TEST(who_comes_back_is_idle_anew)
{
	visit(FIRST, 1);
	visit_many(CONSUMERS_IDLE - 1);
	visit(FIRST, 1);
	visit(1001, 1);
	ck_assert_ptr_nonnull(consumer_find(world.core, FIRST));
	ck_assert_ptr_null(consumer_find(world.core, FIRST + 1));
}
END_TEST

START_TEST(what_is_charged_is_not_forgotten)
{
	struct consumer *c = consumer_get(world.core, FIRST, FIRST);

	ck_assert_int_eq(consumer_charge(c, CHARGE_KEY, 1), KCF_SUCCESS);
	consumer_put(c);
	visit_many(CONSUMERS_IDLE + 1);
	ck_assert_ptr_eq(consumer_find(world.core, FIRST), c);
	consumer_uncharge(c, CHARGE_KEY, 1);
	visit_many(CONSUMERS_IDLE);
	ck_assert_ptr_null(consumer_find(world.core, FIRST));
}
END_TEST

START_TEST(weight_given_by_an_administrator_stays)
{
	struct consumer *c;

	visit(FIRST, 1);
	c = consumer_find(world.core, FIRST);
	consumer_set_weight(c, 5);
	visit_many(CONSUMERS_IDLE + 1);
	ck_assert_ptr_eq(consumer_find(world.core, FIRST), c);
	ck_assert_uint_eq(c->weight, 5);
	consumer_set_weight(c, 1);
	visit_many(CONSUMERS_IDLE);
	ck_assert_ptr_null(consumer_find(world.core, FIRST));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("consumer");
	TCase *tc = tcase_create("consumer");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, one_account_per_user_kept_while_needed);
	tcase_add_test(tc, labels_have_numbers_while_somebody_has_them);
	tcase_add_test(tc, charges_stop_at_the_limit);
	tcase_add_test(tc, what_a_client_reports_is_added_and_never_believed);
	tcase_add_test(tc, units_are_a_sum_that_cannot_be_overdrawn);
	tcase_add_test(tc, keeps_totals_when_nothing_is_held_any_more);
	tcase_add_test(tc, forgets_who_has_been_idle_longest);
	tcase_add_test(tc, who_comes_back_is_idle_anew);
	tcase_add_test(tc, what_is_charged_is_not_forgotten);
	tcase_add_test(tc, weight_given_by_an_administrator_stays);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
