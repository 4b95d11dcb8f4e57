/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanism numbers, consumers' accounts, and the states of a request. */
#include "unit/core-world.h"

#include "core/request-pool.h"

START_TEST(fixed_names_have_their_fixed_numbers)
{
	struct mech *m = mech_by_name(world.core, "CKM_SHA256");

	ck_assert_uint_eq(m->number, KCF_M_SHA256);
	ck_assert_ptr_eq(mech_by_number(world.core, KCF_M_SHA256), m);
	ck_assert_int_eq(mech_param_kind(world.core, KCF_M_AES_GCM), KCF_PARAM_AEAD);
	ck_assert_int_eq(mech_param_kind(world.core, 0), -1);
	ck_assert_int_eq(mech_param_kind(world.core, 63), -1);
	ck_assert_int_eq(mech_param_kind(world.core, 4095), -1);
	ck_assert_int_eq(mech_param_kind(world.core, UINT32_MAX), -1);
}
END_TEST

START_TEST(dynamic_numbers_stay_over_unload_and_load)
{
	uint32_t number;

	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	number = mech_by_name(world.core, "KCF_FAULT_ONLY")->number;
	ck_assert_uint_ge(number, KCF_M_DYNAMIC);
	ck_assert_int_eq(world_unload("dev"), KCF_SUCCESS);
	ck_assert(!mech_is_offered(mech_by_number(world.core, number)));
	ck_assert_int_eq(world_load("fault", "again", NULL), KCF_SUCCESS);
	ck_assert_uint_eq(mech_by_name(world.core, "KCF_FAULT_ONLY")->number, number);
	ck_assert(mech_is_offered(mech_by_number(world.core, number)));
}
END_TEST

START_TEST(many_mechanisms_fill_the_table_and_no_more)
{
	struct kcf_mech_row row = {.classes = KCF_CLASS_DIGEST};
	struct mech *m, *first = NULL;
	char name[32];
	unsigned n = 0;

	row.name = name;
	for (;; n++) {
		snprintf(name, sizeof(name), "KCF_MANY_%u", n);
		m = mech_get(world.core, &row);
		if (!m)
			break;
		first = first ? first : m;
		ck_assert_uint_eq(m->number, first->number + n);
		ck_assert_ptr_eq(mech_by_number(world.core, m->number), m);
	}
	ck_assert_uint_eq(world.core->mechs.n_rows, TABLE_MECHS);
	ck_assert_uint_gt(n, 100);
	snprintf(name, sizeof(name), "KCF_MANY_0");
	ck_assert_ptr_eq(mech_get(world.core, &row), first);
	mechs_publish(world.core);
	ck_assert_uint_eq(core_table(world.core)->n_mechs, TABLE_MECHS);
}
END_TEST

START_TEST(another_parameter_kind_under_a_known_name_is_refused)
{
	struct kcf_mech_row row = {.name = "CKM_SHA256", .param_kind = KCF_PARAM_IV};

	ck_assert_ptr_null(mech_get(world.core, &row));
	row.param_kind = KCF_PARAM_NONE;
	ck_assert_ptr_nonnull(mech_get(world.core, &row));
	row.name = "SHA2-256"; /* an alias is no name of its own */
	ck_assert_ptr_null(mech_get(world.core, &row));
}
END_TEST

START_TEST(the_table_shows_offers_policy_and_thresholds)
{
	const struct table_copy *c = core_table(world.core);
	int i = table_find(c, KCF_M_AES_GCM);
	char err[128];

	ck_assert_int_ge(i, 0);
	ck_assert_uint_eq(c->mechs[i].n_offers, 1);
	ck_assert_uint_eq(c->mechs[i].offers[0].flags, OFFER_ENABLED);
	ck_assert_str_eq(c->providers[c->mechs[i].offers[0].provider].name, "openssl");
	ck_assert_uint_eq(world.core->table.t->thresholds[i], MECH_THRESHOLD);
	world_set("threshold AES-GCM", "100");
	ck_assert_uint_eq(world.core->table.t->thresholds[i], 100);
	world_set("threshold CKM_AES_GCM", "never");
	ck_assert_uint_eq(world.core->table.t->thresholds[i], UINT32_MAX);
	core_enable(world.core, "openssl", NULL, false, err, sizeof(err));
	c = core_table(world.core);
	ck_assert_uint_eq(c->mechs[i].offers[0].flags, 0);
}
END_TEST

START_TEST(settings_are_checked_and_explained)
{
	char err[256] = "";

	ck_assert_int_eq(core_set(world.core, "worker_max", "3", err, sizeof(err)), KCF_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err, "workers_max"));
	ck_assert_int_eq(core_set(world.core, "workers_max", "x", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(core_set(world.core, "workers_max", "-1", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(core_set(world.core, "software_queue", "256", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD); /* too small for the connections */
	ck_assert_int_eq(core_set(world.core, "mode all", "adaptive", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(core_set(world.core, "mode all", "hardware-first", err, sizeof(err)),
			 KCF_SUCCESS);
	ck_assert_int_eq(core_set(world.core, "openssl.nothing", "1", err, sizeof(err)),
			 KCF_NOT_FOUND);
	ck_assert_int_eq(core_set(world.core, "weight 1000", "3", err, sizeof(err)), KCF_SUCCESS);
	ck_assert_uint_eq(world.consumer->shares[0].weight, 3);
	ck_assert_int_eq(core_set(world.core, "weight 1000", "1", err, sizeof(err)), KCF_SUCCESS);
}
END_TEST

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

/* ---- a request's record ---- */

START_TEST(a_record_is_wiped_before_it_is_used_again)
{
	struct request *r = request_new(300);
	uint8_t *mem = r->mem;

	ck_assert_uint_eq((uintptr_t)mem % 8, 0);
	memset(mem, 0xa5, 300);
	request_free(r);
	r = request_new(300);
	ck_assert_ptr_eq(r->mem, mem); /* the warmest first */
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(r->mem[i], 0);
	request_free(r);
	r = request_new(100000);
	ck_assert_ptr_nonnull(r);
	request_free(r);
	ck_assert_ptr_null(request_new(SIZE_MAX - 10));
}
END_TEST

START_TEST(a_held_record_stays_after_it_was_freed)
{
	struct request *r = request_new(64), *other;

	request_hold(r);
	request_set_state(r, REQUEST_WAITING);
	request_set_state(r, REQUEST_RUNNING);
	request_set_state(r, REQUEST_DONE);
	request_free(r);
	r->mem[0] = 1;
	other = request_new(64);
	ck_assert_ptr_ne(other, r);
	request_unhold(r);
	request_free(other);
}
END_TEST

START_TEST(a_finished_request_does_not_run_again)
{
	struct request *r = request_new(64);

	request_set_state(r, REQUEST_WAITING);
	request_set_state(r, REQUEST_DONE);
	request_set_state(r, REQUEST_RUNNING); /* asserts */
}
END_TEST

START_TEST(a_waiting_request_is_not_freed)
{
	struct request *r = request_new(64);

	request_set_state(r, REQUEST_WAITING);
	request_free(r); /* asserts */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mech");
	TCase *tc = tcase_create("mech"), *record = tcase_create("record");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, fixed_names_have_their_fixed_numbers);
	tcase_add_test(tc, dynamic_numbers_stay_over_unload_and_load);
	tcase_add_test(tc, many_mechanisms_fill_the_table_and_no_more);
	tcase_add_test(tc, another_parameter_kind_under_a_known_name_is_refused);
	tcase_add_test(tc, the_table_shows_offers_policy_and_thresholds);
	tcase_add_test(tc, settings_are_checked_and_explained);
	tcase_add_test(tc, one_account_per_user_kept_while_needed);
	tcase_add_test(tc, charges_stop_at_the_limit);
	tcase_add_test(tc, what_a_client_reports_is_added_and_never_believed);
	tcase_add_test(tc, units_are_a_sum_that_cannot_be_overdrawn);
	suite_add_tcase(suite, tc);
	tcase_add_test(record, a_record_is_wiped_before_it_is_used_again);
	tcase_add_test(record, a_held_record_stays_after_it_was_freed);
	tcase_add_test_raise_signal(record, a_finished_request_does_not_run_again, SIGABRT);
	tcase_add_test_raise_signal(record, a_waiting_request_is_not_freed, SIGABRT);
	suite_add_tcase(suite, record);
	return test_main(suite);
}
