/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules of strangers, built against the public headers alone: loaded because a mechanism of theirs was asked for, added and
 * taken away under load, judged before they are believed; and templates, whose work they count.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bed.h"
#include "test-main.h"

#define MANY 100

static struct bed bed;
static uint8_t data[64] = "some bytes", buf[64];
static struct kcf_data in, out;
static struct kcf_key key;

static void setup(void)
{
	bed_open(&bed, NULL);
	in = kcf_flat(data, sizeof(data));
	out = kcf_flat(buf, sizeof(buf));
	key = kcf_key_bytes("0123456789abcdef", 16);
}

static void teardown(void)
{
	bed_close(&bed);
}

/* kcfd reads manifests when it starts. */
static void restart_with_manifests(void)
{
	modules_manifest(&bed.modules, "held-a", "KCF_TEST_HELD_A\nKCF_TEST_COUNT_A\n");
	modules_manifest(&bed.modules, "held-b", "# the other\nKCF_TEST_HELD_B\nKCF_TEST_COUNT_B\n");
	harness_kcfd_kill(&bed.kcfd);
	harness_kcfd_restart(&bed.kcfd, (const char *[]){"--modules", bed.modules.dir, NULL});
	collect_wait_event(&bed.done, KCF_EVENT_DAEMON_REGAINED);
	collect_reset(&bed.done);
}

START_TEST(of_two_modules_the_one_that_names_the_mechanism_is_loaded)
{
	static const char *const names[] = {"KCF_TEST_HELD_A", "KCF_TEST_HELD_B"};
	struct kcf_mechanism m;

	restart_with_manifests();
	ck_assert(!bed_has_provider(&bed, "held-a"));
	ck_assert(!bed_has_provider(&bed, "held-b"));
	m = bed_mech(&bed, names[_i]);
	ck_assert_int_eq(bed_has_provider(&bed, "held-a"), _i == 0);
	ck_assert_int_eq(bed_has_provider(&bed, "held-b"), _i == 1);
	ck_assert(!bed_has_provider(&bed, "null"));
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(out.used, 8);
}
END_TEST

START_TEST(a_module_that_came_while_kcfd_runs_serves_its_new_names)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct kcf_mechanism m = {0, 0, NULL};
	uint8_t here[8];

	ck_assert_int_eq(kcf_mech_find(bed.client, "KCF_TEST_ROW_R_007", &m.number),
			 KCF_MECH_NOT_SUPPORTED);
	modules_add(&bed.modules, "rich", "rich");
	admin_do(&bed.kcfd, "load", "rich", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_MECH_ADDED);
	m = bed_mech(&bed, "KCF_TEST_ROW_R_007");
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_SUCCESS);
	memcpy(here, buf, 8);
	memset(buf, 0, 8);
	ck_assert_int_eq(bed_end(&bed, kcf_digest(bed.client, &m, &in, &out, &req), 1), KCF_SUCCESS);
	ck_assert_mem_eq(buf, here, 8);
	ck_assert_str_eq(bed.done.provider, "rich");
}
END_TEST

START_TEST(a_mechanism_taken_away_lets_what_runs_finish)
{
	struct kcf_mechanism m;
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);

	admin_do(&bed.kcfd, "set", "workers_max", "1", NULL);
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_HELD_A");
	admin_do(&bed.kcfd, "set", "held-a.gate", "closed", NULL);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, &req), KCF_QUEUED);
	admin_wait_requests(&bed.kcfd, "running", 2);
	admin_wait_requests(&bed.kcfd, "waiting", 2);
	admin_do(&bed.kcfd, "disable", "held-a", NULL);
	collect_wait_event(&bed.done, KCF_EVENT_MECH_REMOVED);
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_MECH_NOT_SUPPORTED);
	ck_assert_uint_eq(collect_n(&bed.done), 0);
	admin_do(&bed.kcfd, "set", "held-a.gate", "open", NULL);
	collect_wait(&bed.done, 4);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], 2);
	ck_assert_uint_eq(bed.done.n_status[KCF_MECH_NOT_SUPPORTED], 2);
	admin_do(&bed.kcfd, "enable", "held-a", NULL);
	ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_SUCCESS);
}
END_TEST

static bool stop;
static unsigned n_done, n_bad;

static void *work_main(void *arg)
{
	static const struct kcf_mechanism sha = {KCF_M_SHA256, 0, NULL};
	struct kcf_call_req wait = {.flags = KCF_WAIT, .preference = KCF_ONLY_HARDWARE};
	const bool *on_device = arg;
	uint8_t want[32], got[32];
	struct kcf_data w = kcf_flat(want, 32), g = kcf_flat(got, 32);

	if (kcf_digest(bed.client, &sha, &in, &w, NULL) != KCF_SUCCESS)
		__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		memset(got, 0, 32);
		if (kcf_digest(bed.client, &sha, &in, &g, *on_device ? &wait : NULL) != KCF_SUCCESS ||
		    memcmp(got, want, 32))
			__atomic_fetch_add(&n_bad, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&n_done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(names_come_and_go_while_others_work)
{
	static const bool places[] = {false, true, true};
	struct kcf_mechanism m;
	pthread_t threads[3];

	admin_do(&bed.kcfd, "load", "fault", NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work_main, (void *)&places[i]);
	for (unsigned round = 0; round < 10; round++) {
		collect_reset(&bed.done);
		admin_do(&bed.kcfd, "load", "held-a", NULL);
		collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_ADDED);
		m = bed_mech(&bed, "KCF_TEST_HELD_A");
		ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL), KCF_SUCCESS);
		admin_do(&bed.kcfd, "unload", "held-a", NULL);
		collect_wait_event(&bed.done, KCF_EVENT_PROVIDER_REMOVED);
		ck_assert_int_eq(kcf_digest(bed.client, &m, &in, &out, NULL),
				 KCF_MECH_NOT_SUPPORTED);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(n_bad, 0);
	ck_assert_uint_gt(n_done, 0);
}
END_TEST

START_TEST(a_mechanism_tells_its_name_operations_key_sizes_and_providers)
{
	struct kcf_mech_info info;

	ck_assert_int_eq(kcf_mech_info(bed.client, KCF_M_AES_CBC, &info), KCF_SUCCESS);
	ck_assert_str_eq(info.name, "CKM_AES_CBC");
	ck_assert_uint_eq(info.classes, KCF_CLASS_CIPHER);
	ck_assert_uint_eq(info.param_kind, KCF_PARAM_IV);
	ck_assert_uint_eq(info.key_min_bits, 128);
	ck_assert_uint_eq(info.key_max_bits, 256);
	ck_assert_uint_eq(info.n_providers, 1);
	ck_assert_str_eq(info.providers[0], "openssl");
	ck_assert_int_eq(info.place, KCF_PLACE_CALLER);
	admin_do(&bed.kcfd, "load", "fault", NULL);
	ck_assert_int_eq(kcf_mech_info(bed.client, KCF_M_AES_CBC, &info), KCF_SUCCESS);
	ck_assert_uint_eq(info.n_providers, 2);
	ck_assert_str_eq(info.providers[1], "fault");
}
END_TEST

static bool list_has(const char *name)
{
	static struct kcf_mech_info info[256];
	size_t n = 256;

	ck_assert_int_eq(kcf_mech_list(bed.client, info, &n), KCF_SUCCESS);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(info[i].name, name))
			return true;
	return false;
}

START_TEST(the_list_is_what_is_offered_less_what_is_disabled)
{
	ck_assert(list_has("CKM_SHA256"));
	ck_assert(!list_has("KCF_TEST_HELD_A"));
	admin_do(&bed.kcfd, "load", "held-a", NULL);
	ck_assert(list_has("KCF_TEST_HELD_A"));
	ck_assert(list_has("KCF_TEST_COUNT_A"));
	admin_do(&bed.kcfd, "disable", "held-a", "KCF_TEST_HELD_A", NULL);
	ck_assert(!list_has("KCF_TEST_HELD_A"));
	ck_assert(list_has("KCF_TEST_COUNT_A"));
	admin_do(&bed.kcfd, "unload", "held-a", NULL);
	ck_assert(!list_has("KCF_TEST_COUNT_A"));
	ck_assert(list_has("CKM_SHA256"));
}
END_TEST

/* ---- judged first ---- */

static void spoil(const char *path, unsigned how)
{
	switch (how) {
	case 0: /* cut off */
		ck_assert_int_eq(truncate(path, 1000), 0);
		break;
	case 1: /* others could write it */
		ck_assert_int_eq(chmod(path, 0722), 0);
		break;
	default: /* a link */
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(symlink(TEST_MODULE_DIR "/kcf-null.so", path), 0);
		break;
	}
}

START_TEST(a_refused_module_never_enters_the_list)
{
	char path[96], *why, *log;
	enum kcf_status st;

	snprintf(path, sizeof(path), "%s/kcf-null.so", bed.modules.dir);
	spoil(path, (unsigned)_i);
	st = admin_try(&bed.kcfd, &why, "load", "null", NULL);
	ck_assert_msg(st == KCF_MODULE_INVALID || st == KCF_NOT_FOUND, "%s",
		      kcf_status_name(st));
	ck_assert_str_ne(why, "");
	free(why);
	ck_assert(!bed_has_provider(&bed, "null"));
	ck_assert(!list_has("KCF_NULL_DIGEST"));
	ck_assert_uint_eq(collect_n_events(&bed.done, KCF_EVENT_PROVIDER_ADDED), 0);
	log = harness_kcfd_log(&bed.kcfd);
	ck_assert_ptr_nonnull(strstr(log, "null"));
	free(log);
	harness_raw_check_service(&bed.kcfd);
}
END_TEST

/* ---- templates ---- */

struct counts {
	uint32_t n_templates, n_states;
	uint64_t sum;
};

static struct counts count(const struct kcf_mechanism *m, const struct kcf_key *k, bool in_kcfd)
{
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	struct counts c = {0, 0, 0};
	struct kcf_data o = kcf_flat(&c, sizeof(c));

	collect_reset(&bed.done);
	ck_assert_int_eq(bed_end(&bed,
				 kcf_mac(bed.client, m, k, &in, &o, in_kcfd ? &req : NULL), 1),
			 KCF_SUCCESS);
	return c;
}

START_TEST(a_templates_key_is_prepared_once)
{
	bool in_kcfd = _i;
	struct kcf_template *tmpl;
	struct kcf_mechanism m;
	struct kcf_key k;
	struct counts first, c;

	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_COUNT_A");
	ck_assert_int_eq(kcf_template_create(bed.client, m.number, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	first = count(&m, &k, in_kcfd);
	for (unsigned i = 0; i < MANY; i++) {
		c = count(&m, &k, in_kcfd);
		ck_assert_uint_eq(c.n_templates, first.n_templates);
		ck_assert_uint_eq(c.sum, first.sum);
	}
	/* a key given with each request is prepared for each, with the same result */
	for (unsigned i = 1; i <= MANY; i++) {
		c = count(&m, &key, in_kcfd);
		ck_assert_uint_eq(c.n_templates, first.n_templates + i);
		ck_assert_uint_eq(c.sum, first.sum);
	}
	kcf_template_destroy(tmpl);
}
END_TEST

START_TEST(a_template_of_what_cannot_run_here_works_through_kcfd)
{
	struct kcf_template *tmpl;
	struct kcf_mechanism m;
	struct counts c;
	struct kcf_key k;

	/* under a name that is not the module's own a client does not take it for the same */
	admin_do(&bed.kcfd, "load", "held-a", "instance=other", NULL);
	m = bed_mech(&bed, "KCF_TEST_COUNT_A");
	ck_assert_int_eq(kcf_template_create(bed.client, m.number, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	c = count(&m, &k, false);
	ck_assert_uint_eq(count(&m, &k, true).sum, c.sum);
	ck_assert_uint_ge(admin_stat(&bed.kcfd, "ops", "kcfd", "KCF_TEST_COUNT_A", "other"), 2);
	kcf_template_destroy(tmpl);
}
END_TEST

START_TEST(a_template_keeps_one_state_per_thread)
{
	struct kcf_template *tmpl;
	struct kcf_mechanism m;
	struct kcf_key k;
	struct counts first;

	admin_do(&bed.kcfd, "load", "held-a", NULL);
	m = bed_mech(&bed, "KCF_TEST_COUNT_A");
	ck_assert_int_eq(kcf_template_create(bed.client, m.number, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	first = count(&m, &k, false);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_uint_eq(count(&m, &k, false).n_states, first.n_states);
	kcf_template_destroy(tmpl);
}
END_TEST

START_TEST(a_template_dropped_while_requests_use_it_serves_them)
{
	static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
	uint8_t want[32], got[MANY][32];
	struct kcf_data w = kcf_flat(want, 32);
	struct kcf_template *tmpl;
	struct kcf_key k;

	admin_do(&bed.kcfd, "load", "fault", "gate=closed", NULL);
	ck_assert_int_eq(kcf_mac(bed.client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(bed.client, hmac.number, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
		struct kcf_data o = kcf_flat(got[i], 32);

		req.preference = KCF_ONLY_HARDWARE;
		ck_assert_int_eq(kcf_mac(bed.client, &hmac, &k, &in, &o, &req), KCF_QUEUED);
	}
	kcf_template_destroy(tmpl);
	admin_wait_requests(&bed.kcfd, "running", 1);
	admin_do(&bed.kcfd, "set", "fault.gate", "open", NULL);
	collect_wait(&bed.done, MANY);
	ck_assert_uint_eq(bed.done.n_status[KCF_SUCCESS], MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_mem_eq(got[i], want, 32);
	/* nobody holds it any more: what prepared it can go */
	admin_do(&bed.kcfd, "unload", "fault", NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("modules");
	TCase *t = tcase_create("modules");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, of_two_modules_the_one_that_names_the_mechanism_is_loaded, 0, 2);
	tcase_add_test(t, a_module_that_came_while_kcfd_runs_serves_its_new_names);
	tcase_add_test(t, a_mechanism_taken_away_lets_what_runs_finish);
	tcase_add_test(t, names_come_and_go_while_others_work);
	tcase_add_test(t, a_mechanism_tells_its_name_operations_key_sizes_and_providers);
	tcase_add_test(t, the_list_is_what_is_offered_less_what_is_disabled);
	tcase_add_loop_test(t, a_refused_module_never_enters_the_list, 0, 3);
	tcase_add_loop_test(t, a_templates_key_is_prepared_once, 0, 2);
	tcase_add_test(t, a_template_of_what_cannot_run_here_works_through_kcfd);
	tcase_add_test(t, a_template_keeps_one_state_per_thread);
	tcase_add_test(t, a_template_dropped_while_requests_use_it_serves_them);
	suite_add_tcase(s, t);
	return test_main(s);
}
