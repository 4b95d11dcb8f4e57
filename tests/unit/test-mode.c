/* SPDX-License-Identifier: Apache-2.0 */
/* test-mode - who is asked first in each mode, by costs that are made up here, and what is learned.
 */
#include "unit/core-world.h"

static uint8_t big[8192];
static struct tmpl *sha;
static struct sent s[40];

static void setup(void)
{
	world_setup();
	world_set("device_timeout_ms", "60000");
	memset(big, 7, sizeof(big));
	sha = world_tmpl(KCF_M_SHA256, NULL, 0);
	ck_assert_int_eq(world_load("nettle", NULL, NULL), KCF_SUCCESS);
}

static void teardown(void)
{
	tmpl_unref(sha);
	world_teardown();
}

static void device(const char *name, const char *gate)
{
	char option[32];

	snprintf(option, sizeof(option), "gate=%s", gate);
	ck_assert_int_eq(world_load("fault", name, option, NULL), KCF_SUCCESS);
}

static struct offer *offer_of(const char *provider)
{
	struct mech *m = mech_by_number(world.core, KCF_M_SHA256);

	for (unsigned i = 0; i < m->n_offers; i++)
		if (!strcmp(m->offers[i]->provider->name, provider))
			return m->offers[i];
	ck_abort_msg("%s does not offer it", provider);
}

/* By itself, and as if learned; what was is forgotten. */
static void costs(struct cost *c, uint32_t setup_ns, uint32_t ns_per_kib)
{
	cost_deinit(c);
	c->line = c->base = (struct cost_line){setup_ns, ns_per_kib};
	c->fits = 1;
}

/* Alone and in bursts. */
static void costs_of(const char *provider, uint32_t setup_ns, uint32_t ns_per_kib)
{
	costs(&offer_of(provider)->alone, setup_ns, ns_per_kib);
	costs(&offer_of(provider)->burst, setup_ns, ns_per_kib);
}

static const char *who(const struct sent *one)
{
	return world.core->providers[one->r->provider_row1 - 1]->name;
}

static void begin(struct sent *one, size_t len, uint32_t flags, enum kcf_preference preference)
{
	sent_init(one, sha, KCF_OP_DIGEST, big, len);
	one->r->flags = flags;
	one->r->preference = preference;
	sent_submit(one);
}

static void end(struct sent *one, const char *provider)
{
	sent_wait(one);
	ck_assert_int_eq(one->r->status, KCF_SUCCESS);
	ck_assert_str_eq(who(one), provider);
	sent_free(one);
}

static void done_by(const char *provider, size_t len, uint32_t flags)
{
	begin(&s[0], len, flags, 0);
	end(&s[0], provider);
}

START_TEST(software_is_asked_by_cost_for_the_size)
{
	costs_of("openssl", 100, 1000);
	costs_of("nettle", 1000, 300);
	done_by("openssl", 64, 0);
	done_by("nettle", 8192, 0);
	costs_of("nettle", 100, 950); /* not an eighth less */
	done_by("openssl", 8192, 0);
	costs_of("nettle", 80, 800);
	done_by("nettle", 64, 0);
}
END_TEST

START_TEST(costs_in_bursts_count_in_company)
{
	costs_of("openssl", 1000, 1000);
	costs_of("nettle", 2000, 2000);
	costs(&offer_of("nettle")->burst, 200, 200);
	done_by("openssl", 1000, 0);
	done_by("nettle", 1000, REQUEST_ALWAYS_QUEUE);
	begin(&s[0], 1000, 0, 0); /* while it waits for its turn the next is in company */
	begin(&s[1], 1000, 0, 0);
	end(&s[0], "openssl");
	end(&s[1], "nettle");
}
END_TEST

START_TEST(adaptive_asks_whoever_is_done_first)
{
	device("slow", "open");
	device("fast", "open");
	costs_of("openssl", 1000, 10000);
	costs_of("nettle", 1100, 11000);
	costs_of("slow", 50000, 5000);
	costs_of("fast", 20000, 2000);
	world_set("mode CKM_SHA256", "adaptive");
	done_by("openssl", 1024, 0);
	done_by("fast", 8192, 0);
	costs_of("fast", 200000, 2000);
	done_by("openssl", 8192, 0); /* 81 us; slow takes 90 */
	costs_of("slow", 30000, 5000);
	done_by("slow", 8192, 0);
	/* the threshold is hardware-first's */
	world_set("threshold CKM_SHA256", "never");
	done_by("slow", 8192, 0);
	world_set("mode CKM_SHA256", "hardware-first");
	done_by("openssl", 8192, 0);
}
END_TEST

START_TEST(adaptive_counts_what_is_ahead_on_a_device)
{
	device("dev", "closed");
	costs_of("openssl", 55000, 1000);
	costs_of("nettle", 65000, 1000);
	costs_of("dev", 20000, 1000);
	costs(&world_provider("dev")->behind, 10000, 1);
	world_set("mode all", "adaptive");
	for (unsigned i = 0; i < 4; i++) { /* 20, 30, 40, 50 us; and then it is 60 */
		begin(&s[i], 64, 0, 0);
		world_turn();
	}
	begin(&s[5], 64, 0, 0);
	end(&s[5], "openssl");
	ck_assert_uint_eq(world_provider("dev")->n_flying, 4);
	costs(&world_provider("dev")->behind, 100, 1); /* it works on many at once */
	begin(&s[4], 64, 0, 0);
	world_turn();
	ck_assert_uint_eq(world_provider("dev")->n_flying, 5);
	world_set("dev.gate", "open");
	for (unsigned i = 0; i < 5; i++)
		end(&s[i], "dev");
}
END_TEST

START_TEST(software_first_leaves_devices_alone_whatever_the_size)
{
	device("dev", "open");
	costs_of("openssl", 500000, 1000);
	costs_of("nettle", 600000, 1000);
	costs_of("dev", 1, 1);
	done_by("dev", 8192, 0);
	world_set("mode CKM_SHA256", "software-first");
	done_by("openssl", 8192, 0);
	done_by("openssl", 8192, REQUEST_ALWAYS_QUEUE);
	costs_of("nettle", 100000, 1000);
	done_by("nettle", 8192, 0);
}
END_TEST

START_TEST(round_robin_gives_each_its_turn)
{
	static const char *const names[] = {"openssl", "nettle", "dev"};
	unsigned n[3] = {0};

	device("dev", "open");
	world_set("mode CKM_SHA256", "round-robin");
	for (unsigned i = 0; i < 12; i++) {
		begin(&s[i], 64, 0, 0);
		sent_wait(&s[i]);
		for (unsigned k = 0; k < 3; k++)
			n[k] += !strcmp(who(&s[i]), names[k]);
		sent_free(&s[i]);
	}
	for (unsigned k = 0; k < 3; k++)
		ck_assert_uint_eq(n[k], 4);
}
END_TEST

START_TEST(preference_comes_before_every_mode)
{
	static const char *const modes[] = {"hardware-first", "adaptive", "software-first",
					    "round-robin"};

	device("dev", "open");
	for (unsigned i = 0; i < 4; i++) {
		world_set("mode all", modes[i]);
		for (unsigned k = 0; k < 5; k++) {
			begin(&s[0], 64, 0, KCF_PREFER_HARDWARE);
			end(&s[0], "dev");
			begin(&s[0], 8192, 0, KCF_PREFER_SOFTWARE);
			sent_wait(&s[0]);
			ck_assert_str_ne(who(&s[0]), "dev");
			sent_free(&s[0]);
			begin(&s[0], 64, 0, KCF_ONLY_HARDWARE);
			end(&s[0], "dev");
		}
	}
}
END_TEST

START_TEST(mode_of_one_mechanism_is_its_own_and_new_ones_have_the_mode_of_all)
{
	struct mech *aes = mech_by_number(world.core, KCF_M_AES_GCM);

	world_set("mode SHA2-256", "round-robin");
	ck_assert_int_eq(sha->mech->mode, MODE_ROUND_ROBIN);
	ck_assert_int_eq(aes->mode, MODE_HARDWARE_FIRST);
	world_set("mode all", "adaptive");
	ck_assert_int_eq(sha->mech->mode, MODE_ADAPTIVE);
	device("dev", "open");
	ck_assert_int_eq(mech_by_name(world.core, "KCF_FAULT_ONLY")->mode, MODE_ADAPTIVE);
	ck_assert_uint_eq(core_table(world.core)->mechs[aes->index].mode, MODE_ADAPTIVE);
}
END_TEST

START_TEST(what_is_under_way_stays_where_it_is_when_the_mode_changes)
{
	device("dev", "closed");
	for (unsigned i = 0; i < 8; i++)
		begin(&s[i], 8192, REQUEST_ALWAYS_QUEUE, 0);
	world_turn();
	for (unsigned i = 8; i < 16; i++)
		begin(&s[i], 8192, REQUEST_ALWAYS_QUEUE, 0); /* not yet on the device */
	world_set("mode all", "software-first");
	for (unsigned i = 16; i < 24; i++)
		begin(&s[i], 8192, REQUEST_ALWAYS_QUEUE, 0);
	for (unsigned i = 16; i < 24; i++)
		end(&s[i], "openssl");
	world_set("dev.gate", "open");
	for (unsigned i = 0; i < 16; i++) {
		end(&s[i], "dev");
		ck_assert_uint_eq(s[i].completed, 1);
	}
}
END_TEST

static void a_loser(void)
{
	device("dev", "open");
	costs_of("openssl", 100, 100);
	costs_of("nettle", 200, 200);
	costs_of("dev", 40000, 1000);
	world_set("mode all", "adaptive");
}

/* How many of n decisions went to another than openssl. */
static unsigned probed(unsigned n, uint32_t flags, uint64_t deadline_in_ns)
{
	unsigned others = 0;

	for (unsigned i = 0; i < n; i++) {
		sent_init(&s[0], sha, KCF_OP_DIGEST, big, 64);
		s[0].r->flags = flags;
		s[0].r->deadline_ns = deadline_in_ns ? uv_hrtime() + deadline_in_ns : 0;
		sent_submit(&s[0]);
		sent_wait(&s[0]);
		others += strcmp(who(&s[0]), "openssl") != 0;
		sent_free(&s[0]);
		costs_of("openssl", 100, 100); /* whatever it really took */
	}
	return others;
}

START_TEST(one_decision_in_256_asks_a_loser_and_is_counted)
{
	struct json j;

	a_loser();
	ck_assert_uint_eq(probed(512, 0, 0), 2);
	ck_assert_uint_eq(world.core->stats.probes, 2);
	ck_assert_uint_eq(offer_of("dev")->stat->ops, 1); /* they take turns */
	ck_assert_uint_eq(offer_of("nettle")->stat->ops, 1);
	json_init(&j);
	json_object(&j, NULL);
	core_trace(world.core, &j, 600);
	json_end_object(&j);
	ck_assert_ptr_nonnull(strstr(j.text, "\"probe\":true"));
	json_deinit(&j);
	world_set("mode all", "software-first");
	ck_assert_uint_eq(probed(256, 0, 0), 0);
	ck_assert_uint_eq(world.core->stats.probes, 2);
}
END_TEST

START_TEST(nobody_who_blocks_or_is_pressed_for_time_waits_for_a_loser)
{
	a_loser();
	ck_assert_uint_eq(probed(512, REQUEST_SYNC, 0), 0);
	costs_of("dev", 900000000, 1);
	costs_of("nettle", 900000000, 1);
	ck_assert_uint_eq(probed(512, 0, 500000000), 0);
	ck_assert_uint_eq(world.core->stats.probes, 0);
}
END_TEST

START_TEST(beginning_of_a_context_needs_more_than_a_mode_to_go_to_a_device)
{
	static const char *const modes[] = {"hardware-first", "adaptive", "software-first",
					    "round-robin"};
	struct context *ctx;

	device("dev", "open");
	costs_of("dev", 1, 1);
	world_set("threshold CKM_SHA256", "0");
	for (unsigned i = 0; i < 8; i++) {
		world_set("mode all", modes[i % 4]);
		ck_assert_int_eq(
			context_new(world.core, world.consumer, KCF_OP_DIGEST, sha, NULL, &ctx),
			KCF_SUCCESS);
		sent_init(&s[0], sha, KCF_OP_DIGEST, big, 0);
		s[0].r->phase = KCF_INIT;
		s[0].r->context = ctx;
		s[0].r->preference = i < 4 ? 0 : KCF_PREFER_HARDWARE;
		sent_submit(&s[0]);
		sent_wait(&s[0]);
		ck_assert_int_eq(s[0].r->status, KCF_SUCCESS);
		ck_assert_int_eq(!strcmp(who(&s[0]), "dev"), i >= 4);
		sent_free(&s[0]);
		context_close(ctx);
	}
}
END_TEST

START_TEST(trace_shows_what_each_was_judged_by)
{
	struct json j;

	device("dev", "open");
	costs_of("openssl", 2000, 4000);
	costs_of("nettle", 90000, 90000);
	costs_of("dev", 70000, 1000);
	world_set("mode all", "adaptive");
	done_by("openssl", 1024, 0);
	json_init(&j);
	json_object(&j, NULL);
	core_trace(world.core, &j, 1);
	json_end_object(&j);
	ck_assert_ptr_nonnull(strstr(j.text, "\"mode\":\"adaptive\""));
	ck_assert_msg(
		strstr(j.text,
		       "{\"provider\":\"openssl\",\"why\":\"chosen\",\"place\":1,"
		       "\"rank\":0,\"by\":6000,\"wait_ns\":0,\"cost_ns\":6000,\"setup_ns\":2000,"
		       "\"ns_per_kib\":4000}") != NULL,
		"%s", j.text);
	ck_assert_ptr_nonnull(strstr(j.text,
				     "{\"provider\":\"dev\",\"why\":\"not reached\",\"place\":2,"
				     "\"rank\":0,\"by\":71000,\"wait_ns\":0,\"cost_ns\":71000,"));
	json_deinit(&j);
}
END_TEST

START_TEST(work_teaches_what_it_takes)
{
	struct offer *o = offer_of("openssl");
	struct mech *m = sha->mech;

	costs_of("nettle", COST_MAX_NS, COST_MAX_NS);
	for (unsigned i = 0; i < 16 * 10; i++)
		done_by("openssl", 512, 0);
	ck_assert_uint_eq(cost_samples(&o->alone), 10);
	ck_assert_uint_eq(o->alone.fits, 2);
	ck_assert_uint_eq(cost_samples(&o->burst), 0);
	/* clients compare software by itself */
	ck_assert(world.core->table.t->costs[m->index][0][0] ==
		  TABLE_COST(o->alone.row.setup_ns, o->alone.row.ns_per_kib));
	/* many at once, and those that fail */
	for (unsigned k = 0; k < 32; k++) {
		for (unsigned i = 0; i < 20; i++)
			begin(&s[i], 512, 0, KCF_ONLY_SOFTWARE);
		for (unsigned i = 0; i < 20; i++)
			end(&s[i], "openssl");
	}
	ck_assert_uint_eq(cost_samples(&o->alone), 10);
	ck_assert_uint_eq(cost_samples(&o->burst), 2);
	for (unsigned i = 0; i < 64; i++) {
		sent_init(&s[0], sha, KCF_OP_DIGEST, big, 512);
		s[0].iov[1].iov_len = s[0].r->out.len = 5;
		sent_submit(&s[0]);
		sent_wait(&s[0]);
		ck_assert_int_eq(s[0].r->status, KCF_BUFFER_TOO_SMALL);
		sent_free(&s[0]);
	}
	ck_assert_uint_eq(cost_samples(&o->alone), 10);
}
END_TEST

START_TEST(many_jobs_of_one_submit_make_those_that_come_company)
{
	const struct mech *m = sha->mech;

	costs_of("openssl", 1000, 1000);
	costs_of("nettle", 2000, 2000);
	costs(&offer_of("nettle")->burst, 200, 200);
	for (unsigned k = 0; k < 5; k++) {
		for (unsigned i = 0; i < 16; i++)
			begin(&s[i], 64, 0, 0);
		for (unsigned i = 0; i < 16; i++) {
			sent_wait(&s[i]);
			sent_free(&s[i]);
		}
	}
	ck_assert(m->company);
	costs_of("openssl", 1000, 1000); /* whatever it really took */
	costs(&offer_of("nettle")->burst, 200, 200);
	done_by("nettle", 64, 0);
	for (unsigned i = 0; i < 20; i++) {
		begin(&s[0], 64, 0, 0);
		sent_wait(&s[0]);
		sent_free(&s[0]);
	}
	ck_assert(!m->company);
	costs_of("openssl", 1000, 1000);
	costs(&offer_of("nettle")->alone, 2000, 2000);
	done_by("openssl", 64, 0);
}
END_TEST

START_TEST(software_is_compared_by_itself_not_by_who_was_used_lately)
{
	costs_of("openssl", 500, 500);
	costs_of("nettle", 600, 600);
	offer_of("openssl")->alone.line = (struct cost_line){9000, 9000}; /* it was cold */
	done_by("openssl", 512, 0);
	world_set("mode all", "adaptive"); /* there, what it will take now counts */
	done_by("nettle", 512, 0);
}
END_TEST

START_TEST(device_teaches_alone_and_what_each_job_ahead_adds)
{
	struct provider *dev;

	device("dev", "open");
	dev = world_provider("dev");
	for (unsigned i = 0; i < 5; i++) {
		begin(&s[0], 8192, 0, 0);
		end(&s[0], "dev");
	}
	ck_assert_uint_eq(cost_samples(&offer_of("dev")->alone), 5);
	ck_assert_uint_eq(cost_samples(&dev->behind), 0);
	costs_of("dev", 1, 1); /* so that no time under company can pass for a lonely one */
	world_set("dev.gate", "closed");
	for (unsigned i = 0; i < 6; i++)
		begin(&s[i], 8192, 0, 0);
	world_turn();
	world_set("dev.gate", "open");
	for (unsigned i = 0; i < 6; i++)
		end(&s[i], "dev");
	ck_assert_uint_eq(cost_samples(&dev->behind), 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mode");
	TCase *tc = tcase_create("mode");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, software_is_asked_by_cost_for_the_size);
	tcase_add_test(tc, costs_in_bursts_count_in_company);
	tcase_add_test(tc, adaptive_asks_whoever_is_done_first);
	tcase_add_test(tc, adaptive_counts_what_is_ahead_on_a_device);
	tcase_add_test(tc, software_first_leaves_devices_alone_whatever_the_size);
	tcase_add_test(tc, round_robin_gives_each_its_turn);
	tcase_add_test(tc, preference_comes_before_every_mode);
	tcase_add_test(tc, mode_of_one_mechanism_is_its_own_and_new_ones_have_the_mode_of_all);
	tcase_add_test(tc, what_is_under_way_stays_where_it_is_when_the_mode_changes);
	tcase_add_test(tc, one_decision_in_256_asks_a_loser_and_is_counted);
	tcase_add_test(tc, nobody_who_blocks_or_is_pressed_for_time_waits_for_a_loser);
	tcase_add_test(tc, beginning_of_a_context_needs_more_than_a_mode_to_go_to_a_device);
	tcase_add_test(tc, trace_shows_what_each_was_judged_by);
	tcase_add_test(tc, work_teaches_what_it_takes);
	tcase_add_test(tc, many_jobs_of_one_submit_make_those_that_come_company);
	tcase_add_test(tc, software_is_compared_by_itself_not_by_who_was_used_lately);
	tcase_add_test(tc, device_teaches_alone_and_what_each_job_ahead_adds);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
