/* SPDX-License-Identifier: Apache-2.0 */
/* Mechanism names and numbers, the table, settings. */
#include "unit/core-world.h"

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
	ck_assert_int_eq(core_set(world.core, "mode all", "adaptiv", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(err, "adaptive"));
	ck_assert_int_eq(core_set(world.core, "mode CKM_NOTHING", "adaptive", err, sizeof(err)),
			 KCF_NOT_FOUND);
	ck_assert_int_eq(core_set(world.core, "mode all", "hardware-first", err, sizeof(err)),
			 KCF_SUCCESS);
	ck_assert_int_eq(core_set(world.core, "threshold CKM_AES_GCM", "soon", err, sizeof(err)),
			 KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(core_set(world.core, "openssl.nothing", "1", err, sizeof(err)),
			 KCF_NOT_FOUND);
	ck_assert_int_eq(core_set(world.core, "weight 1000", "3", err, sizeof(err)), KCF_SUCCESS);
	ck_assert_uint_eq(world.consumer->shares[0].weight, 3);
	ck_assert_int_eq(core_set(world.core, "weight 1000", "1", err, sizeof(err)), KCF_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mech");
	TCase *tc = tcase_create("mech");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_add_test(tc, fixed_names_have_their_fixed_numbers);
	tcase_add_test(tc, dynamic_numbers_stay_over_unload_and_load);
	tcase_add_test(tc, many_mechanisms_fill_the_table_and_no_more);
	tcase_add_test(tc, another_parameter_kind_under_a_known_name_is_refused);
	tcase_add_test(tc, the_table_shows_offers_policy_and_thresholds);
	tcase_add_test(tc, settings_are_checked_and_explained);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
