/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of users: charges, what clients report, units of the software queue. */
#include "unit/core-world.h"

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
	ck_assert_ptr_null(consumer_find(world.core, 5));
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

int main(void)
{
	Suite *suite = suite_create("consumer");
	TCase *tc = tcase_create("consumer");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, one_account_per_user_kept_while_needed);
	tcase_add_test(tc, charges_stop_at_the_limit);
	tcase_add_test(tc, what_a_client_reports_is_added_and_never_believed);
	tcase_add_test(tc, units_are_a_sum_that_cannot_be_overdrawn);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
