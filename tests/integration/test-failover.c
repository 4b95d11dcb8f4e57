/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preferences, thresholds, and what happens when a device fails: requests go on under the same handle, nothing is lost or done
 * twice.
 */
#include <string.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

#define MANY 40

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t buf[MANY][32], data[8192], expected[32];
static struct kcf_data in;
static struct kcf_key key;
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};

static void setup(void)
{
	struct kcf_client_options options = {.size = sizeof(options), .on_event = collect_event_cb,
					     .event_arg = &done};
	struct kcf_data out = kcf_flat(expected, 32);

	collect_init(&done);
	harness_kcfd_start_config(&kcfd, "[modules]\nstart = openssl\n", NULL);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	in = kcf_flat(data, sizeof(data));
	key = kcf_key_bytes("0123456789abcdef", 16);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	admin_do(&kcfd, "load", "fault", "instance=fault0", NULL);
	admin_do(&kcfd, "load", "fault", "instance=fault1", NULL);
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

/* One HMAC with this preference, its result checked; returns the provider that did it. */
static const char *one(enum kcf_preference preference, const char *provider, size_t len,
		       enum kcf_status want)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	struct kcf_data d = kcf_flat(data, len), out = kcf_flat(buf[0], 32);
	enum kcf_status st;

	collect_reset(&done);
	memset(buf[0], 0, 32);
	req.preference = preference;
	req.provider = provider;
	st = kcf_mac(client, &hmac, &key, &d, &out, &req);
	if (st == KCF_QUEUED) {
		collect_wait(&done, 1);
		st = done.status;
	}
	ck_assert_msg(st == want, "%s, wanted %s", kcf_status_name(st), kcf_status_name(want));
	if (st == KCF_SUCCESS && len == sizeof(data))
		ck_assert_mem_eq(buf[0], expected, 32);
	return done.provider;
}

START_TEST(hardware_is_first_from_the_threshold_up)
{
	ck_assert_ptr_nonnull(strstr(one(KCF_PREFER_DEFAULT, NULL, 4096, KCF_SUCCESS), "fault"));
	ck_assert_str_eq(one(KCF_PREFER_DEFAULT, NULL, 4095, KCF_SUCCESS), "openssl");
	admin_do(&kcfd, "set", "threshold", "CKM_SHA256_HMAC", "100", NULL);
	ck_assert_ptr_nonnull(strstr(one(KCF_PREFER_DEFAULT, NULL, 100, KCF_SUCCESS), "fault"));
	ck_assert_str_eq(one(KCF_PREFER_DEFAULT, NULL, 99, KCF_SUCCESS), "openssl");
}
END_TEST

START_TEST(preferences_order_and_filters_exclude)
{
	ck_assert_str_eq(one(KCF_PREFER_SOFTWARE, NULL, sizeof(data), KCF_SUCCESS), "openssl");
	ck_assert_ptr_nonnull(strstr(one(KCF_PREFER_HARDWARE, NULL, 16, KCF_SUCCESS), "fault"));
	ck_assert_str_eq(one(KCF_ONLY_SOFTWARE, NULL, sizeof(data), KCF_SUCCESS), "openssl");
	ck_assert_ptr_nonnull(strstr(one(KCF_ONLY_HARDWARE, NULL, 16, KCF_SUCCESS), "fault"));
	ck_assert_str_eq(one(KCF_ONLY_PROVIDER, "fault1", 16, KCF_SUCCESS), "fault1");
	one(KCF_ONLY_PROVIDER, "nobody", 16, KCF_MECH_NOT_SUPPORTED);
}
END_TEST

START_TEST(a_filter_permits_no_failover_outside_it)
{
	admin_do(&kcfd, "set", "fault1.fail", "device-error", NULL);
	one(KCF_ONLY_PROVIDER, "fault1", 16, KCF_DEVICE_ERROR);
	ck_assert_str_eq(one(KCF_ONLY_HARDWARE, NULL, 16, KCF_SUCCESS), "fault0");
}
END_TEST

START_TEST(every_provider_fault_moves_the_request_on_under_its_handle)
{
	static const char *const faults[] = {"device-error", "device-removed", "device-memory",
					     "busy", "buffer-too-big", "key-size-range"};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[0], 32);

		admin_do(&kcfd, "set", "device_errors", "1000", NULL);
		admin_do(&kcfd, "set", "fault0.fail", faults[i], NULL);
		admin_do(&kcfd, "set", "fault1.fail", faults[i], NULL);
		collect_reset(&done);
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
		collect_wait(&done, 1);
		ck_assert_msg(done.status == KCF_SUCCESS, "%s: %s", faults[i],
			      kcf_status_name(done.status));
		ck_assert_uint_eq(done.id, req.id);
		ck_assert_str_eq(done.provider, "openssl");
		ck_assert_mem_eq(buf[0], expected, 32);
		ck_assert_uint_eq(collect_n(&done), 1);
	}
}
END_TEST

START_TEST(an_operations_own_error_does_not_move)
{
	admin_do(&kcfd, "set", "fault0.fail", "failed", NULL);
	admin_do(&kcfd, "set", "fault1.fail", "failed", NULL);
	one(KCF_PREFER_HARDWARE, NULL, sizeof(data), KCF_FAILED);
}
END_TEST

START_TEST(load_spreads_over_two_devices)
{
	uint64_t n[2];

	admin_do(&kcfd, "set", "fault0.gate", "closed", NULL);
	admin_do(&kcfd, "set", "fault1.gate", "closed", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, 0);
		struct kcf_data out = kcf_flat(buf[i], 32);

		req.preference = KCF_ONLY_HARDWARE;
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	admin_wait_requests(&kcfd, "running", MANY);
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
	admin_do(&kcfd, "set", "fault1.gate", "open", NULL);
	collect_wait(&done, MANY);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], MANY);
	n[0] = admin_stat(&kcfd, "ops", "hardware", "CKM_SHA256_HMAC", "fault0");
	n[1] = admin_stat(&kcfd, "ops", "hardware", "CKM_SHA256_HMAC", "fault1");
	ck_assert_uint_eq(n[0] + n[1], MANY);
	ck_assert_uint_ge(n[0], MANY / 2 - 1);
	ck_assert_uint_ge(n[1], MANY / 2 - 1);
}
END_TEST

START_TEST(a_device_that_loses_requests_is_reset_and_they_end_elsewhere)
{
	admin_do(&kcfd, "set", "device_timeout_ms", "50", NULL);
	admin_do(&kcfd, "set", "fault0.lose", "3", NULL);
	admin_do(&kcfd, "set", "fault1.lose", "3", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[i], 32);

		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	collect_wait(&done, MANY);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_mem_eq(buf[i], expected, 32);
	collect_wait_event(&done, KCF_EVENT_PROVIDER_FAILED);
	collect_wait_event(&done, KCF_EVENT_PROVIDER_RETURNED);
	ck_assert_ptr_nonnull(strstr(one(KCF_ONLY_HARDWARE, NULL, 16, KCF_SUCCESS), "fault"));
	ck_assert_uint_eq(collect_n(&done), 1);
}
END_TEST

START_TEST(a_device_that_dies_gives_back_its_queue)
{
	admin_do(&kcfd, "unload", "fault1", NULL);
	admin_do(&kcfd, "set", "fault0.slots", "2", NULL);
	admin_do(&kcfd, "set", "fault0.gate", "closed", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data out = kcf_flat(buf[i], 32);

		req.preference = KCF_PREFER_HARDWARE;
		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	}
	admin_wait_requests(&kcfd, "waiting", 1);
	admin_do(&kcfd, "set", "fault0.die", "1", NULL);
	collect_wait(&done, MANY);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], MANY);
	ck_assert_str_eq(done.provider, "openssl");
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_mem_eq(buf[i], expected, 32);
}
END_TEST

START_TEST(a_device_that_fails_its_known_answer_stays_out)
{
	admin_do(&kcfd, "unload", "fault1", NULL);
	admin_do(&kcfd, "set", "fault0.self-test", "fail", NULL);
	admin_do(&kcfd, "set", "fault0.die", "1", NULL);
	collect_wait_event(&done, KCF_EVENT_PROVIDER_FAILED);
	one(KCF_ONLY_HARDWARE, NULL, 16, KCF_MECH_NOT_SUPPORTED);
	ck_assert_uint_eq(collect_n_events(&done, KCF_EVENT_PROVIDER_RETURNED), 0);
	ck_assert_str_eq(one(KCF_PREFER_HARDWARE, NULL, sizeof(data), KCF_SUCCESS), "openssl");
}
END_TEST

START_TEST(in_place_work_is_repeated_from_the_original_bytes)
{
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
	uint8_t *b = kcf_buf_alloc(client, 8192), iv[16] = {0}, plain[64] = "plain", sw[64];
	struct kcf_param_iv param = {iv, 16};
	struct kcf_mechanism ctr = {KCF_M_AES_CTR, sizeof(param), &param};
	struct kcf_data d = kcf_flat(b, 64), p = kcf_flat(plain, 64), o = kcf_flat(sw, 64);

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(kcf_encrypt(client, &ctr, &key, &p, &o, NULL), KCF_SUCCESS);
	memcpy(b, plain, 64);
	admin_do(&kcfd, "set", "fault0.fail", "device-error", NULL);
	admin_do(&kcfd, "set", "fault1.fail", "device-error", NULL);
	req.preference = KCF_PREFER_HARDWARE;
	ck_assert_int_eq(kcf_encrypt(client, &ctr, &key, &d, &d, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	ck_assert_int_eq(done.status, KCF_SUCCESS);
	ck_assert_mem_eq(b, sw, 64);
	kcf_buf_free(client, b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failover");
	TCase *t = tcase_create("failover");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, hardware_is_first_from_the_threshold_up);
	tcase_add_test(t, preferences_order_and_filters_exclude);
	tcase_add_test(t, a_filter_permits_no_failover_outside_it);
	tcase_add_test(t, every_provider_fault_moves_the_request_on_under_its_handle);
	tcase_add_test(t, an_operations_own_error_does_not_move);
	tcase_add_test(t, load_spreads_over_two_devices);
	tcase_add_test(t, a_device_that_loses_requests_is_reset_and_they_end_elsewhere);
	tcase_add_test(t, a_device_that_dies_gives_back_its_queue);
	tcase_add_test(t, a_device_that_fails_its_known_answer_stays_out);
	tcase_add_test(t, in_place_work_is_repeated_from_the_original_bytes);
	suite_add_tcase(s, t);
	return test_main(s);
}
