/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: loading on demand and by order, unloading, generations, names never seen before. */
#include "unit/core-world.h"

#include <unistd.h>
#include "core/context.h"

static struct tmpl *sha;
static struct sent s[10];

static void setup(void)
{
	world_setup();
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
}

static void teardown(void)
{
	tmpl_unref(sha);
	world_teardown();
}

struct found {
	unsigned done;
	enum kcf_status status;
	uint32_t number;
};

static void on_found(void *arg, enum kcf_status status, uint32_t number)
{
	struct found *f = arg;

	f->done++;
	f->status = status;
	f->number = number;
}

/* A mechanism of the manifest of a module that is not loaded. */
static const char *unloaded_mech(void)
{
	return "KCF_NULL_DIGEST";
}

START_TEST(loads_openssl_at_start_and_nothing_else)
{
	ck_assert_ptr_nonnull(provider_find(world.core, "openssl"));
	for (unsigned i = 1; i < TABLE_PROVIDERS; i++)
		ck_assert_ptr_null(world.core->providers[i]);
	ck_assert_uint_gt(core_table(world.core)->n_mechs, 30);
}
END_TEST

START_TEST(loads_on_demand_once_for_many_askers)
{
	struct found f[3] = {{0}};
	uint32_t number = 0;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(mech_find(world.core, unloaded_mech(), on_found, &f[i], &number),
				 KCF_QUEUED);
	for (unsigned i = 0; i < 3; i++) {
		world_until(&f[i].done);
		ck_assert_uint_eq(f[i].done, 1);
		ck_assert_int_eq(f[i].status, KCF_SUCCESS);
		ck_assert_uint_eq(f[i].number, f[0].number);
		ck_assert_uint_ge(f[i].number, KCF_M_DYNAMIC);
	}
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_ADDED], 2); /* openssl first */
	ck_assert_int_eq(mech_find(world.core, unloaded_mech(), on_found, &f[0], &number),
			 KCF_SUCCESS);
	ck_assert_uint_eq(number, f[0].number);
}
END_TEST

START_TEST(an_unknown_name_is_refused_at_once)
{
	struct found f = {0};
	uint32_t number = 0;

	ck_assert_int_eq(mech_find(world.core, "KCF_NO_SUCH_THING", on_found, &f, &number),
			 KCF_MECH_NOT_SUPPORTED);
	ck_assert_int_eq(mech_find(world.core, "KCF_FAULT_ONLY", on_found, &f, &number),
			 KCF_MECH_NOT_SUPPORTED); /* for tests only: never on demand */
	ck_assert_uint_eq(f.done, 0);
}
END_TEST

START_TEST(finds_by_every_spelling)
{
	uint32_t number = 0;

	ck_assert_int_eq(mech_find(world.core, "CKM_AES_GCM", on_found, NULL, &number),
			 KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_AES_GCM);
	ck_assert_int_eq(mech_find(world.core, "aes-gcm", on_found, NULL, &number), KCF_SUCCESS);
	ck_assert_uint_eq(number, KCF_M_AES_GCM);
}
END_TEST

START_TEST(a_module_that_does_not_exist_says_so)
{
	ck_assert_int_eq(world_load("nonsense", NULL, NULL), KCF_NOT_FOUND);
	ck_assert_int_eq(world_load("../x", NULL, NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(world_load("openssl", NULL, NULL), KCF_ALREADY_EXISTS);
	ck_assert_int_eq(world_load("fault", NULL, "slots=2", "slot=2", NULL), KCF_ARGUMENTS_BAD);
	ck_assert_ptr_null(provider_find(world.core, "fault"));
	ck_assert_int_eq(world_load("fault", NULL, "slots=none", NULL), KCF_ARGUMENTS_BAD);
	ck_assert_int_eq(world_load("fault", NULL, "self-test=fail", NULL), KCF_FAILED);
}
END_TEST

static unsigned unloaded;

static void on_unloaded(void *arg, enum kcf_status status, const char *err)
{
	ck_assert_int_eq(status, KCF_SUCCESS);
	unloaded++;
}

START_TEST(unload_drains_first)
{
	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", NULL), KCF_SUCCESS);
	sent_init(&s[0], sha, KCF_OP_DIGEST, "abc", 3);
	s[0].r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s[0]);
	world_turn();
	unloaded = 0;
	core_unload(world.core, "dev", on_unloaded, NULL);
	world_turn();
	world_turn();
	ck_assert_uint_eq(unloaded, 0);
	sent_init(&s[1], sha, KCF_OP_DIGEST, "abc", 3);
	s[1].r->preference = KCF_ONLY_HARDWARE;
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_int_eq(s[1].r->status, KCF_MECH_NOT_SUPPORTED);
	world_set("dev.gate", "open");
	sent_wait(&s[0]);
	ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
	world_until(&unloaded);
	ck_assert_ptr_null(provider_find(world.core, "dev"));
	ck_assert_uint_eq(world.events[KCF_EVENT_PROVIDER_REMOVED], 1);
	sent_free(&s[0]);
	sent_free(&s[1]);
}
END_TEST

START_TEST(what_waits_for_an_unloaded_provider_goes_elsewhere)
{
	static uint8_t big[8192];

	ck_assert_int_eq(world_load("fault", "dev", "gate=closed", "slots=1", NULL), KCF_SUCCESS);
	for (unsigned i = 0; i < 3; i++) {
		sent_init(&s[i], sha, KCF_OP_DIGEST, big, sizeof(big));
		s[i].r->flags = REQUEST_ALWAYS_QUEUE;
		sent_submit(&s[i]);
	}
	world_turn();
	unloaded = 0;
	core_unload(world.core, "dev", on_unloaded, NULL);
	for (unsigned i = 1; i < 3; i++) {
		sent_wait(&s[i]);
		ck_assert_uint_eq(s[i].r->provider_row1, world_provider("openssl")->row + 1);
		ck_assert_int_eq(s[i].r->status, KCF_SUCCESS);
	}
	world_set("dev.gate", "open");
	world_until(&unloaded);
	for (unsigned i = 0; i < 3; i++) {
		sent_wait(&s[i]);
		sent_free(&s[i]);
	}
}
END_TEST

START_TEST(software_can_be_unloaded_and_loaded_again_with_another_generation)
{
	uint32_t generation = world_provider("openssl")->inst.generation;
	uint64_t table = world.core->table.t->generation;

	ck_assert_int_eq(sent_do(&s[0], sha, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	sent_free(&s[0]);
	ck_assert_int_eq(world_unload("openssl"), KCF_SUCCESS);
	ck_assert_ptr_null(provider_find(world.core, "openssl"));
	ck_assert_uint_gt(world.core->table.t->generation, table);
	ck_assert_int_eq(world_load("openssl", NULL, NULL), KCF_SUCCESS);
	ck_assert_uint_ne(world_provider("openssl")->inst.generation, generation);
	ck_assert_int_eq(sent_do(&s[0], sha, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	sent_free(&s[0]);
}
END_TEST

/* openssl is gone, and with it all that offered SHA-256; is there a module to be loaded for it? */
static bool only_nettle_is_left(void)
{
	ck_assert_int_eq(world_unload("openssl"), KCF_SUCCESS);
	return access(TEST_MODULE_DIR "/kcf-nettle.so", R_OK) == 0;
}

START_TEST(a_request_loads_the_module_that_can_serve_it)
{
	if (!only_nettle_is_left())
		return;
	ck_assert_int_eq(sent_do(&s[0], sha, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	ck_assert_uint_eq(s[0].r->out_len, 32);
	ck_assert_uint_eq(s[0].r->provider_row1, world_provider("nettle")->row + 1);
	sent_free(&s[0]);
}
END_TEST

START_TEST(what_an_administrator_unloaded_stays_unloaded)
{
	struct found f = {0};
	uint32_t number;

	ck_assert_int_eq(world_load("null", NULL, NULL), KCF_SUCCESS);
	ck_assert_int_eq(world_unload("null"), KCF_SUCCESS);
	ck_assert_int_eq(mech_find(world.core, "KCF_NULL_DIGEST", on_found, &f, &number),
			 KCF_MECH_NOT_SUPPORTED);
	ck_assert_int_eq(world_load("null", NULL, NULL), KCF_SUCCESS);
	ck_assert_int_eq(mech_find(world.core, "KCF_NULL_DIGEST", on_found, &f, &number),
			 KCF_SUCCESS);
}
END_TEST

START_TEST(a_request_parked_for_a_module_can_be_canceled)
{
	if (!only_nettle_is_left())
		return;
	sent_init(&s[0], sha, KCF_OP_DIGEST, "abc", 3);
	sent_submit(&s[0]);
	ck_assert_int_eq(s[0].r->sched->at, AT_PARKED);
	sched_cancel(world.core, s[0].r);
	ck_assert_uint_eq(s[0].completed, 1);
	ck_assert_int_eq(s[0].r->status, KCF_CANCELED);
	sent_free(&s[0]);
	while (world.core->workers.outstanding)
		uv_run(&world.loop, UV_RUN_ONCE);
}
END_TEST

START_TEST(after_the_drain_its_contexts_end)
{
	struct context *ctx;

	ck_assert_int_eq(context_new(world.core, world.consumer, KCF_OP_DIGEST, sha, NULL, &ctx),
			 KCF_SUCCESS);
	sent_init(&s[0], sha, KCF_OP_DIGEST, NULL, 0);
	s[0].r->context = ctx;
	s[0].r->phase = KCF_INIT;
	sent_submit(&s[0]);
	sent_wait(&s[0]);
	sent_free(&s[0]);
	unloaded = 0;
	core_unload(world.core, "openssl", on_unloaded, NULL);
	/* an open context may still go on */
	sent_init(&s[1], sha, KCF_OP_DIGEST, "abc", 3);
	s[1].r->context = ctx;
	s[1].r->phase = KCF_UPDATE;
	sent_submit(&s[1]);
	sent_wait(&s[1]);
	ck_assert_int_eq(s[1].r->status, KCF_SUCCESS);
	sent_free(&s[1]);
	ck_assert_uint_eq(unloaded, 0);
	/* the five seconds are over */
	world_provider("openssl")->drain.fn(&world_provider("openssl")->drain);
	world_until(&unloaded);
	sent_init(&s[2], sha, KCF_OP_DIGEST, "abc", 3);
	s[2].r->context = ctx;
	s[2].r->phase = KCF_UPDATE;
	sent_submit(&s[2]);
	sent_wait(&s[2]);
	ck_assert_int_eq(s[2].r->status, KCF_DEVICE_REMOVED);
	sent_free(&s[2]);
	context_close(ctx);
}
END_TEST

START_TEST(modules_for_clients_are_software_only)
{
	struct core_module m[TABLE_PROVIDERS];

	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	ck_assert_uint_eq(core_modules(world.core, m, TABLE_PROVIDERS), 1);
	ck_assert_str_eq(m[0].name, "openssl");
	ck_assert_int_ge(m[0].fd, 0);
	ck_assert_uint_gt(m[0].size, 0);
}
END_TEST

START_TEST(load_counts_work_and_not_the_number_of_mechanisms)
{
	/* two devices, one busy: rank must not follow how much each could do */
	struct provider *p;

	ck_assert_int_eq(world_load("fault", "dev", NULL), KCF_SUCCESS);
	p = world_provider("dev");
	ck_assert_uint_eq(p->n_using, 0);
	ck_assert_uint_eq(p->n_flying, 0);
	ck_assert_uint_eq(p->queue.depth, 0);
	ck_assert_uint_gt(p->inst.desc->n_rows, 1);
}
END_TEST

START_TEST(more_providers_than_rows_are_refused)
{
	char name[16];
	unsigned n = 1;

	for (;; n++) {
		snprintf(name, sizeof(name), "dev%u", n);
		if (world_load("fault", name, NULL) != KCF_SUCCESS)
			break;
	}
	ck_assert_uint_eq(n, TABLE_PROVIDERS);
	/* more than a mechanism's offers: the rest is left out, not written behind the row */
	ck_assert_uint_eq(mech_by_name(world.core, "CKM_SHA256")->n_offers, TABLE_OFFERS);
	ck_assert_int_eq(sent_do(&s[0], sha, KCF_OP_DIGEST, "abc", 3), KCF_SUCCESS);
	sent_free(&s[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("provider");
	TCase *tc = tcase_create("provider");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, loads_openssl_at_start_and_nothing_else);
	tcase_add_test(tc, loads_on_demand_once_for_many_askers);
	tcase_add_test(tc, an_unknown_name_is_refused_at_once);
	tcase_add_test(tc, finds_by_every_spelling);
	tcase_add_test(tc, a_module_that_does_not_exist_says_so);
	tcase_add_test(tc, unload_drains_first);
	tcase_add_test(tc, what_waits_for_an_unloaded_provider_goes_elsewhere);
	tcase_add_test(tc, software_can_be_unloaded_and_loaded_again_with_another_generation);
	tcase_add_test(tc, a_request_loads_the_module_that_can_serve_it);
	tcase_add_test(tc, what_an_administrator_unloaded_stays_unloaded);
	tcase_add_test(tc, a_request_parked_for_a_module_can_be_canceled);
	tcase_add_test(tc, after_the_drain_its_contexts_end);
	tcase_add_test(tc, modules_for_clients_are_software_only);
	tcase_add_test(tc, load_counts_work_and_not_the_number_of_mechanisms);
	tcase_add_test(tc, more_providers_than_rows_are_refused);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
