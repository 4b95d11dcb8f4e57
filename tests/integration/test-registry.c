/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers that come and go while clients work: on-demand loading, unload, disable, events, generations, and mechanism names nobody
 * has seen before.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t data[64] = "some bytes", buf[64];
static struct kcf_data in, out;
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};
static struct kcf_key key;

static void setup(void)
{
	struct kcf_client_options options = {.size = sizeof(options), .on_event = collect_event_cb,
					     .event_arg = &done};

	collect_init(&done);
	harness_kcfd_start_config(&kcfd, "[modules]\nstart = openssl\n", NULL);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	in = kcf_flat(data, sizeof(data));
	out = kcf_flat(buf, sizeof(buf));
	key = kcf_key_bytes("0123456789abcdef", 16);
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

static bool is_listed(const char *provider)
{
	json_t *j = admin_json(&kcfd, "list", NULL), *row;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(j, "providers"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		found |= name && !strcmp(name, provider);
	}
	json_decref(j);
	return found;
}

START_TEST(loads_the_module_whose_manifest_names_the_mechanism)
{
	kcf_mech_t number;

	ck_assert(!is_listed("null"));
	ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &number), KCF_SUCCESS);
	ck_assert(is_listed("null"));
	ck_assert(!is_listed("fault"));
	collect_wait_event(&done, KCF_EVENT_MECH_ADDED);
}
END_TEST

START_TEST(a_name_never_seen_before_works_without_restart)
{
	struct kcf_mechanism m = {0, 0, NULL};
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	uint8_t here[64];
	struct kcf_mech_info info;

	ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &m.number), KCF_SUCCESS);
	ck_assert_uint_ge(m.number, KCF_M_DYNAMIC);
	ck_assert_int_eq(kcf_mech_info(client, m.number, &info), KCF_SUCCESS);
	ck_assert_str_eq(info.name, "KCF_NULL_DIGEST");
	ck_assert_str_eq(info.providers[0], "null");
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, NULL), KCF_SUCCESS);
	memcpy(here, buf, out.used);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_mem_eq(buf, here, done.len);
}
END_TEST

START_TEST(nobody_offers_an_invented_name)
{
	kcf_mech_t number;

	ck_assert_int_eq(kcf_mech_find(client, "CKM_NO_SUCH_THING", &number),
			 KCF_MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(numbers_survive_unload_and_load)
{
	kcf_mech_t before, after;
	struct kcf_mechanism m = {0, 0, NULL};

	ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &before), KCF_SUCCESS);
	admin_do(&kcfd, "unload", "null", NULL);
	ck_assert(!is_listed("null"));
	collect_wait_event(&done, KCF_EVENT_MECH_REMOVED);
	m.number = before;
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, NULL), KCF_MECH_NOT_SUPPORTED);
	admin_do(&kcfd, "load", "null", NULL);
	ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &after), KCF_SUCCESS);
	ck_assert_uint_eq(before, after);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, NULL), KCF_SUCCESS);
}
END_TEST

START_TEST(what_an_administrator_unloaded_is_not_loaded_on_demand)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_mechanism m = {0, 0, NULL};
	kcf_mech_t found;

	ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &m.number), KCF_SUCCESS);
	admin_do(&kcfd, "unload", "null", NULL);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(kcf_mech_find(client, "KCF_NULL_DIGEST", &found),
				 KCF_MECH_NOT_SUPPORTED);
		ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_QUEUED);
		collect_wait(&done, i);
		ck_assert_int_eq(done.status, KCF_MECH_NOT_SUPPORTED);
	}
	ck_assert(!is_listed("null"));
	admin_do(&kcfd, "load", "null", NULL);
	ck_assert_int_eq(kcf_digest(client, &m, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 4);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
}
END_TEST

START_TEST(disabling_reaches_running_clients_without_reconnecting)
{
	struct kcf_template *tmpl;
	struct kcf_key k;

	ck_assert_int_eq(kcf_template_create(client, KCF_M_SHA256_HMAC, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_SUCCESS);
	admin_do(&kcfd, "disable", "openssl", "CKM_SHA256_HMAC", NULL);
	admin_try(&kcfd, NULL, "disable", "nettle", "CKM_SHA256_HMAC", NULL);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_MECH_NOT_SUPPORTED);
	admin_do(&kcfd, "enable", "openssl", "CKM_SHA256_HMAC", NULL);
	ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_SUCCESS);
	kcf_template_destroy(tmpl);
}
END_TEST

START_TEST(an_open_context_outlives_disabling)
{
	struct kcf_how how = {KCF_OP_MAC, &hmac, &key, NULL};
	struct kcf_call_req init = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_context *ctx;
	uint8_t want[32];
	struct kcf_data w = kcf_flat(want, 32);

	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_init(client, &how, &ctx, &init), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	admin_do(&kcfd, "disable", "openssl", "CKM_SHA256_HMAC", NULL);
	ck_assert_int_eq(kcf_update(ctx, &in, NULL, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_final(ctx, NULL, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(buf, want, 32);
	kcf_context_free(ctx);
}
END_TEST

START_TEST(unload_and_load_make_another_generation_and_templates_go_on)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_template *tmpl;
	uint8_t want[32];
	struct kcf_data w = kcf_flat(want, 32);
	struct kcf_key k;

	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_template_create(client, KCF_M_SHA256_HMAC, &key, &tmpl), KCF_SUCCESS);
	k = kcf_key_tmpl(tmpl);
	for (unsigned round = 1; round <= 3; round++) {
		memset(buf, 0, sizeof(buf));
		ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, &req), KCF_QUEUED);
		collect_wait(&done, round);
		ck_assert_int_eq(done.status, KCF_SUCCESS);
		ck_assert_mem_eq(buf, want, 32);
		ck_assert_int_eq(kcf_mac(client, &hmac, &k, &in, &out, NULL), KCF_SUCCESS);
		ck_assert_mem_eq(buf, want, 32);
		admin_do(&kcfd, "unload", "openssl", NULL);
		admin_do(&kcfd, "load", "openssl", NULL);
	}
	kcf_template_destroy(tmpl);
}
END_TEST

START_TEST(two_software_providers_share_one_mechanism)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	uint8_t want[32];
	struct kcf_data w = kcf_flat(want, 32);

	if (admin_try(&kcfd, NULL, "load", "nettle", NULL) == KCF_NOT_FOUND)
		return;
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
	req.preference = KCF_ONLY_PROVIDER;
	req.provider = "nettle";
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_str_eq(done.provider, "nettle");
	ck_assert_mem_eq(buf, want, 32);
	admin_do(&kcfd, "disable", "openssl", "CKM_SHA256_HMAC", NULL);
	req.preference = KCF_PREFER_DEFAULT;
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 2);
	ck_assert_str_eq(done.provider, "nettle");
	ck_assert_mem_eq(buf, want, 32);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(buf, want, 32);
}
END_TEST

START_TEST(a_module_loaded_after_hello_runs_in_the_callers_thread_too)
{
	struct kcf_call_req req = {.flags = KCF_WAIT, .preference = KCF_ONLY_PROVIDER,
				   .provider = "nettle"};
	uint8_t want[32];
	struct kcf_data w = kcf_flat(want, 32);

	if (admin_try(&kcfd, NULL, "load", "nettle", NULL) == KCF_NOT_FOUND)
		return;
	collect_wait_event(&done, KCF_EVENT_PROVIDER_ADDED);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &w, NULL), KCF_SUCCESS);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_SUCCESS);
	ck_assert_mem_eq(buf, want, 32);
	ck_assert_uint_eq(admin_stat(&kcfd, "ops", "caller", "CKM_SHA256_HMAC", "nettle"), 1);
	ck_assert_uint_eq(admin_stat(&kcfd, "ops", "kcfd", "CKM_SHA256_HMAC", "nettle"), 0);
	/* gone and back: in another generation, and again here */
	admin_do(&kcfd, "unload", "nettle", NULL);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_MECH_NOT_SUPPORTED);
	collect_reset(&done);
	admin_do(&kcfd, "load", "nettle", NULL);
	collect_wait_event(&done, KCF_EVENT_PROVIDER_ADDED);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&kcfd, "ops", "kcfd", "CKM_SHA256_HMAC", "nettle"), 0);
}
END_TEST

static uint32_t event_module(struct harness_raw *r)
{
	struct harness_frame f;

	do
		harness_raw_expect(r, FRAME_EVENT, &f);
	while (f.msg.event.type != KCF_EVENT_PROVIDER_ADDED);
	return f.msg.event.module;
}

START_TEST(only_clients_that_say_so_are_sent_modules_later)
{
	struct wire_msg hello = {.type = FRAME_HELLO,
				 .hello = {.version_min = 1, .version_max = 1, .label = "",
					   .features = FEATURE_MODULES | 0x80}};
	struct harness_raw old, new;
	struct harness_frame f;
	struct stat st;
	int fd;

	harness_raw_open(&old, &kcfd);
	harness_raw_hello(&old, NULL);
	harness_raw_open(&new, &kcfd);
	harness_raw_send(&new, &hello, 1, NULL, 0);
	harness_raw_expect(&new, FRAME_HELLO_REPLY, &f);
	ck_assert_uint_eq(f.msg.hello_reply.features, FEATURE_MODULES);
	while ((fd = harness_raw_take_fd(&old)) >= 0 || (fd = harness_raw_take_fd(&new)) >= 0)
		close(fd);
	admin_do(&kcfd, "load", "fault", "instance=fault0", NULL); /* a device: nobody's */
	ck_assert_uint_eq(event_module(&old), 0);
	ck_assert_uint_eq(event_module(&new), 0);
	admin_do(&kcfd, "load", "null", NULL);
	ck_assert_uint_eq(event_module(&old), 0);
	ck_assert_int_eq(harness_raw_take_fd(&old), -1);
	ck_assert_uint_ne(event_module(&new), 0);
	fd = harness_raw_take_fd(&new);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	ck_assert_int_gt(st.st_size, 0);
	ck_assert_int_eq(harness_raw_take_fd(&new), -1);
	close(fd);
	harness_raw_close(&old);
	harness_raw_close(&new);
}
END_TEST

START_TEST(what_runs_in_the_callers_thread_is_visible)
{
	struct kcf_data d = kcf_flat(data, 48);
	uint64_t ops = admin_stat(&kcfd, "ops", "caller", "CKM_SHA256_HMAC", NULL);
	uint64_t bytes = admin_stat(&kcfd, "bytes", "caller", "CKM_SHA256_HMAC", NULL);

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &d, &out, NULL), KCF_SUCCESS);
	ck_assert_uint_eq(admin_stat(&kcfd, "ops", "caller", "CKM_SHA256_HMAC", NULL), ops + 10);
	ck_assert_uint_eq(admin_stat(&kcfd, "bytes", "caller", "CKM_SHA256_HMAC", NULL), bytes + 480);
	kcf_client_close(client);
	client = NULL;
	while (admin_stat(&kcfd, "ops", "caller", "CKM_SHA256_HMAC", NULL) != ops + 10)
		;
}
END_TEST

START_TEST(the_list_is_the_union_of_what_providers_offer)
{
	struct kcf_mech_info info[256];
	size_t n = 256;

	ck_assert_int_eq(kcf_mech_list(client, info, &n), KCF_SUCCESS);
	ck_assert_uint_gt(n, 80);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_gt(info[i].n_providers, 0);
		ck_assert_str_ne(info[i].name, "");
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(info[i].number, info[k].number);
	}
	n = 3;
	ck_assert_int_eq(kcf_mech_list(client, info, &n), KCF_BUFFER_TOO_SMALL);
	ck_assert_uint_gt(n, 80);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("registry");
	TCase *t = tcase_create("registry");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, loads_the_module_whose_manifest_names_the_mechanism);
	tcase_add_test(t, a_name_never_seen_before_works_without_restart);
	tcase_add_test(t, nobody_offers_an_invented_name);
	tcase_add_test(t, numbers_survive_unload_and_load);
	tcase_add_test(t, what_an_administrator_unloaded_is_not_loaded_on_demand);
	tcase_add_test(t, disabling_reaches_running_clients_without_reconnecting);
	tcase_add_test(t, an_open_context_outlives_disabling);
	tcase_add_test(t, unload_and_load_make_another_generation_and_templates_go_on);
	tcase_add_test(t, two_software_providers_share_one_mechanism);
	tcase_add_test(t, a_module_loaded_after_hello_runs_in_the_callers_thread_too);
	tcase_add_test(t, only_clients_that_say_so_are_sent_modules_later);
	tcase_add_test(t, what_runs_in_the_callers_thread_is_visible);
	tcase_add_test(t, the_list_is_the_union_of_what_providers_offer);
	suite_add_tcase(s, t);
	return test_main(s);
}
