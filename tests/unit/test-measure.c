/* SPDX-License-Identifier: Apache-2.0 */
/* test-measure - thresholds that are found out, and jobs of kcfd's own that disturb nobody. */
#include "unit/core-world.h"

static struct tmpl *sha;
static struct sent s[4];
static uint8_t big[8192];

static void setup(void)
{
	limits_init(&world_limits);
	world_limits.max_request = 65536; /* far from where a slow device could win */
	world_setup();
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
}

static void teardown(void)
{
	tmpl_unref(sha);
	world_teardown();
}

static void device(const char *name, const char *option)
{
	ck_assert_int_eq(world_load("fault", name, option, NULL), KCF_SUCCESS);
}

static void use(void)
{
	sent_init(&s[0], sha, KCF_OP_DIGEST, big, 64);
	s[0].r->preference = KCF_ONLY_SOFTWARE;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	sent_free(&s[0]);
}

static void until_measured(const struct mech *m)
{
	while (m->measure != MEASURE_DONE)
		uv_run(&world.loop, UV_RUN_ONCE);
}

static struct offer *offer_of(const struct mech *m, const char *provider)
{
	for (unsigned i = 0; i < m->n_offers; i++)
		if (!strcmp(m->offers[i]->provider->name, provider))
			return m->offers[i];
	ck_abort_msg("%s does not offer it", provider);
}

static void costs_of(const char *provider, uint32_t setup_ns, uint32_t ns_per_kib)
{
	struct cost *c = &offer_of(sha->mech, provider)->alone;

	c->line = c->base = (struct cost_line){setup_ns, ns_per_kib};
}

START_TEST(a_slow_device_is_found_out_at_the_first_use)
{
	struct mech *m = sha->mech;

	device("dev", "latency-us=5000");
	ck_assert_uint_eq(m->threshold, MECH_THRESHOLD);
	ck_assert_str_eq(mech_threshold_word(m), "initial");
	use();
	until_measured(m);
	ck_assert_uint_eq(m->threshold, UINT32_MAX);
	ck_assert_str_eq(mech_threshold_word(m), "measured");
	ck_assert_uint_eq(world.core->table.t->thresholds[m->index], UINT32_MAX);
	ck_assert_uint_eq(cost_samples(&offer_of(m, "dev")->alone), 32);
	ck_assert(offer_of(m, "dev")->alone.measured && offer_of(m, "openssl")->alone.measured);
	/* what it takes by itself is known, and what it takes among others it has still to show */
	ck_assert_uint_eq(cost_samples(&offer_of(m, "openssl")->alone), 0);
	ck_assert(world.core->table.t->costs[m->index][0][0] ==
		  TABLE_COST(offer_of(m, "openssl")->alone.base.setup_ns,
			     offer_of(m, "openssl")->alone.base.ns_per_kib));
}
END_TEST

START_TEST(threshold_is_where_the_device_is_done_no_later_than_any_software)
{
	struct mech *m = sha->mech;

	device("dev", "gate=open");
	ck_assert_int_eq(world_load("nettle", NULL, NULL), KCF_SUCCESS);
	costs_of("openssl", 1000, 1000);
	costs_of("nettle", 500, 2000);
	costs_of("dev", 11000, 500);
	mech_measured(world.core, m, true);
	ck_assert_uint_eq(m->threshold, 20480);
	costs_of("dev", 300, 500);
	mech_measured(world.core, m, true);
	ck_assert_uint_eq(m->threshold, 0);
	costs_of("dev", 300, 1500); /* good for small ones, but a threshold says from where on */
	mech_measured(world.core, m, true);
	ck_assert_uint_eq(m->threshold, UINT32_MAX);
	device("other", "gate=open");
	costs_of("other", 2000, 10);
	mech_measured(world.core, m, true);
	ck_assert_uint_eq(m->threshold, 1035);
	mech_measured(world.core, m, false);
	ck_assert_str_eq(mech_threshold_word(m), "estimated");
}
END_TEST

START_TEST(what_an_administrator_set_stays_until_auto)
{
	struct mech *m = sha->mech;

	device("dev", "latency-us=5000");
	world_set("threshold CKM_SHA256", "77");
	use();
	until_measured(m);
	ck_assert_uint_eq(m->threshold, 77);
	ck_assert_str_eq(mech_threshold_word(m), "set");
	world_set("threshold CKM_SHA256", "auto");
	ck_assert_uint_eq(m->threshold, MECH_THRESHOLD);
	until_measured(m);
	ck_assert_uint_eq(m->threshold, UINT32_MAX);
	ck_assert_str_eq(mech_threshold_word(m), "measured");
}
END_TEST

START_TEST(where_only_a_device_offers_it_there_is_nothing_to_find_out)
{
	struct tmpl *only;
	struct mech *m;

	device("dev", "gate=open");
	only = world_tmpl_named("KCF_FAULT_ONLY");
	m = only->mech;
	ck_assert_int_eq(sent_do(&s[0], only, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	sent_free(&s[0]);
	ck_assert_int_eq(m->measure, MEASURE_DONE);
	ck_assert_uint_eq(m->threshold, 0);
	ck_assert_str_eq(mech_threshold_word(m), "only hardware");
	ck_assert_ptr_null(world.core->measure.mech);
	tmpl_unref(only);
}
END_TEST

START_TEST(what_cannot_be_tried_is_estimated_from_the_rows)
{
	struct mech *rsa, *ec;

	device("dev", "gate=open");
	rsa = mech_by_name(world.core, "CKM_SHA256_RSA_PKCS");
	ec = mech_by_name(world.core, "CKM_ECDSA_SHA256");
	ck_assert_str_eq(mech_threshold_word(rsa), "estimated");
	/* the rows say: 300 us for the software, 400 for the device */
	ck_assert_uint_eq(rsa->threshold, UINT32_MAX);
	ck_assert_str_eq(mech_threshold_word(ec), "estimated");
	ck_assert_uint_eq(ec->threshold, 0);
}
END_TEST

START_TEST(device_that_fails_is_believed_what_it_says)
{
	struct mech *m = sha->mech;

	device("dev", "fail=failed");
	use();
	until_measured(m);
	ck_assert_str_eq(mech_threshold_word(m), "estimated");
	ck_assert_uint_eq(cost_samples(&offer_of(m, "dev")->alone), 0);
	ck_assert_uint_eq(m->threshold, cost_crossing(&offer_of(m, "openssl")->alone.base,
						      &offer_of(m, "dev")->alone.line, 65536));
}
END_TEST

START_TEST(own_jobs_are_neither_counted_nor_traced)
{
	struct mech *m = sha->mech;
	struct json j;

	device("dev", "latency-us=1");
	use();
	until_measured(m);
	ck_assert_uint_eq(offer_of(m, "dev")->stat->ops, 0);
	ck_assert_uint_eq(offer_of(m, "openssl")->stat->ops, 1);
	ck_assert_uint_eq(world.core->completed, 1);
	ck_assert_uint_eq(world.core->trace.next, 2);
	ck_assert_uint_eq(world.consumer->ops, 1);
	json_init(&j);
	core_consumers(world.core, &j);
	ck_assert_ptr_null(strstr(strstr(j.text, "\"uid\":") + 1, "\"uid\":"));
	json_deinit(&j);
	/* somebody's own use is */
	use();
	ck_assert_uint_eq(offer_of(m, "openssl")->stat->ops, 2);
	ck_assert_uint_eq(world.core->trace.next, 3);
}
END_TEST

START_TEST(waits_while_somebody_has_a_request)
{
	struct mech *m = sha->mech;
	struct tmpl *only;

	device("dev", "gate=closed");
	only = world_tmpl_named("KCF_FAULT_ONLY");
	sent_init(&s[1], only, KCF_OP_DIGEST, "abc", 3);
	sent_submit(&s[1]);
	world_set("device_timeout_ms", "60000");
	use();
	ck_assert_int_eq(m->measure, MEASURE_DUE);
	while (world.core->measure.looks < 3)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert(!offer_of(m, "openssl")->alone.measured);
	ck_assert_uint_eq(world_provider("dev")->n_flying, 1);
	world_set("dev.gate", "open");
	sent_wait(&s[1]);
	sent_free(&s[1]);
	until_measured(m);
	ck_assert_uint_eq(cost_samples(&offer_of(m, "dev")->alone), 32);
	tmpl_unref(only);
}
END_TEST

START_TEST(nothing_is_tried_where_it_is_switched_off)
{
	struct mech *m = sha->mech;

	world_set("measure", "0");
	device("dev", "latency-us=5000");
	use();
	ck_assert_int_eq(m->measure, MEASURE_NOT);
	world_set("measure", "1");
	use();
	until_measured(m);
	ck_assert_str_eq(mech_threshold_word(m), "measured");
}
END_TEST

START_TEST(unloading_gives_up_and_begins_anew_with_the_next_device)
{
	struct mech *m = sha->mech;

	device("dev", "gate=closed");
	use();
	while (!world_provider("dev")->n_flying) /* one of its own jobs is held there */
		uv_run(&world.loop, UV_RUN_ONCE);
	world_set("dev.gate", "open");
	ck_assert_int_eq(world_unload("dev"), KCF_SUCCESS);
	ck_assert_str_eq(mech_threshold_word(m), "initial");
	device("dev2", "latency-us=5000");
	do { /* the next use: not before the last one was given up */
		use();
	} while (m->measure == MEASURE_NOT);
	until_measured(m);
	ck_assert_str_eq(mech_threshold_word(m), "measured");
	ck_assert_uint_eq(cost_samples(&offer_of(m, "dev2")->alone), 32);
}
END_TEST

START_TEST(end_of_the_core_ends_measuring)
{
	device("dev", "gate=closed");
	use();
	while (!world_provider("dev")->n_flying)
		uv_run(&world.loop, UV_RUN_ONCE);
	ck_assert(world.core->measure.out);
}
END_TEST

/* A few need more than a key, a length and an IV. */
static bool is_special(const struct mech *m)
{
	static const char *const names[] = {"CKM_AES_KEY_WRAP", "CKM_AES_KEY_WRAP_KWP"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(m->name, names[i]))
			return true;
	return false;
}

START_TEST(every_symmetric_mechanism_can_be_tried)
{
	struct mech_table *t = &world.core->mechs;
	unsigned n = 0;

	ck_assert_int_eq(world_load("nettle", NULL, NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < t->n_rows; i++) {
		struct mech *m = t->rows[i];

		measure_first_use(world.core, m);
		if (m->measure != MEASURE_DUE)
			continue;
		until_measured(m);
		for (unsigned k = 0; k < m->n_offers && !is_special(m); k++)
			ck_assert_msg(m->offers[k]->alone.measured, "%s by %s", m->name,
				      m->offers[k]->provider->name);
		n++;
	}
	ck_assert_uint_gt(n, 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("measure");
	TCase *tc = tcase_create("measure");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_slow_device_is_found_out_at_the_first_use);
	tcase_add_test(tc, threshold_is_where_the_device_is_done_no_later_than_any_software);
	tcase_add_test(tc, what_an_administrator_set_stays_until_auto);
	tcase_add_test(tc, where_only_a_device_offers_it_there_is_nothing_to_find_out);
	tcase_add_test(tc, what_cannot_be_tried_is_estimated_from_the_rows);
	tcase_add_test(tc, device_that_fails_is_believed_what_it_says);
	tcase_add_test(tc, own_jobs_are_neither_counted_nor_traced);
	tcase_add_test(tc, waits_while_somebody_has_a_request);
	tcase_add_test(tc, nothing_is_tried_where_it_is_switched_off);
	tcase_add_test(tc, unloading_gives_up_and_begins_anew_with_the_next_device);
	tcase_add_test(tc, end_of_the_core_ends_measuring);
	tcase_add_test(tc, every_symmetric_mechanism_can_be_tried);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
