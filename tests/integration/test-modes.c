/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modes and thresholds on a real kcfd: what an administrator changes reaches running clients, what
 * is under way stays whole, and kcfd finds out by itself where a device is worth while.
 */
#include <string.h>
#include "admin.h"
#include "collect.h"
#include "test-main.h"

#define MANY 60

static struct harness_kcfd kcfd;
static struct kcf_client *client;
static struct collect done;
static uint8_t macs[MANY][32], data[8192], expected[32];
static struct kcf_key key;
static const struct kcf_mechanism hmac = {KCF_M_SHA256_HMAC, 0, NULL};

static void begin(const char *measure)
{
	struct kcf_client_options options = {.size = sizeof(options)};
	const char *const args[] = {"--set", measure, NULL};
	struct kcf_data in = kcf_flat(data, sizeof(data)), out = kcf_flat(expected, 32);

	collect_init(&done);
	harness_kcfd_start_config(&kcfd, "[modules]\nstart = openssl\n", args);
	options.socket = kcfd.socket;
	ck_assert_int_eq(kcf_client_open(&options, &client), KCF_SUCCESS);
	key = kcf_key_bytes("0123456789abcdef", 16);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
}

static void setup(void)
{
	begin("measure=0");
}

static void teardown(void)
{
	kcf_client_close(client);
	harness_kcfd_stop(&kcfd);
	collect_deinit(&done);
}

static uint64_t ops(const char *place, const char *provider)
{
	return admin_stat(&kcfd, "ops", place, "CKM_SHA256_HMAC", provider);
}

static void sync_mac(void)
{
	struct kcf_data in = kcf_flat(data, sizeof(data)), out = kcf_flat(macs[0], 32);

	memset(macs[0], 0, 32);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, NULL), KCF_SUCCESS);
	ck_assert_mem_eq(macs[0], expected, 32);
}

START_TEST(a_mode_reaches_running_clients_at_once)
{
	uint64_t caller, device;

	admin_do(&kcfd, "load", "fault", "instance=dev", NULL);
	sync_mac();
	ck_assert_uint_eq(ops("hardware", "dev"), 1);
	admin_do(&kcfd, "set", "mode CKM_SHA256_HMAC", "software-first", NULL);
	caller = ops("caller", "openssl");
	for (unsigned i = 0; i < 5; i++)
		sync_mac();
	ck_assert_uint_eq(ops("caller", "openssl"), caller + 5);
	ck_assert_uint_eq(ops("hardware", "dev"), 1);
	admin_do(&kcfd, "set", "mode all", "hardware-first", NULL);
	sync_mac();
	ck_assert_uint_eq(ops("hardware", "dev"), 2);
	/* 8 KiB: 5 us by the row of the software, 21 by the device's, and the way */
	admin_do(&kcfd, "set", "mode all", "adaptive", NULL);
	sync_mac();
	ck_assert_uint_eq(ops("hardware", "dev"), 2);
	device = ops("hardware", "dev");
	admin_do(&kcfd, "set", "mode all", "round-robin", NULL);
	for (unsigned i = 0; i < 8; i++)
		sync_mac();
	ck_assert_uint_gt(ops("caller", "openssl"), caller + 5);
	ck_assert_uint_ge(ops("hardware", "dev") + ops("kcfd", "openssl"), device);
}
END_TEST

START_TEST(what_is_under_way_stays_whole_while_modes_change)
{
	static const char *const modes[] = {"adaptive", "software-first", "round-robin",
					    "hardware-first"};

	admin_do(&kcfd, "load", "fault", "instance=dev", "latency-us=200", "slots=4", NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);
		struct kcf_data in = kcf_flat(data, sizeof(data)), out = kcf_flat(macs[i], 32);

		ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
		if (i % 5 == 4)
			admin_do(&kcfd, "set", "mode all", modes[i / 5 % 4], NULL);
	}
	collect_wait(&done, MANY);
	ck_assert_uint_eq(done.n_status[KCF_SUCCESS], MANY);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_mem_eq(macs[i], expected, 32);
	ck_assert_uint_eq(ops("hardware", "dev") + ops("kcfd", "openssl"), MANY);
	ck_assert_uint_gt(ops("hardware", "dev"), 0);
	ck_assert_uint_gt(ops("kcfd", "openssl"), 0);
}
END_TEST

static json_t *mech_row(void)
{
	json_t *list = admin_json(&kcfd, "list", "mechanisms", NULL), *row;
	size_t i;

	json_array_foreach(json_object_get(list, "mechanisms"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));

		if (strcmp(name, "CKM_SHA256_HMAC") != 0)
			continue;
		json_incref(row);
		json_decref(list);
		return row;
	}
	ck_abort_msg("it is not listed");
}

START_TEST(a_slow_device_is_found_out_and_left_alone)
{
	bool measured = false;
	uint64_t device;

	teardown();
	begin("measure=1");
	admin_do(&kcfd, "set", "max_request", "65536", NULL);
	admin_do(&kcfd, "load", "fault", "instance=dev", "latency-us=5000", NULL);
	sync_mac(); /* the first use that kcfd sees; and the device does it */
	while (!measured) {
		json_t *row = mech_row();
		const char *from = json_string_value(json_object_get(row, "threshold_from"));

		measured = !strcmp(from, "measured");
		if (measured)
			ck_assert_int_eq(json_integer_value(json_object_get(row, "threshold")),
					 UINT32_MAX);
		json_decref(row);
	}
	device = ops("hardware", "dev");
	for (unsigned i = 0; i < 5; i++)
		sync_mac();
	ck_assert_uint_eq(ops("hardware", "dev"), device);
	ck_assert_uint_eq(device, 1); /* kcfd's own are not counted */
}
END_TEST

START_TEST(the_trace_shows_what_a_decision_was_made_of)
{
	json_t *trace, *row, *one;
	struct kcf_data in = kcf_flat(data, sizeof(data)), out = kcf_flat(macs[0], 32);
	struct kcf_call_req req = collect_req(&done, KCF_ALWAYS_QUEUE);

	admin_do(&kcfd, "load", "fault", "instance=dev", NULL);
	admin_do(&kcfd, "set", "mode all", "adaptive", NULL);
	ck_assert_int_eq(kcf_mac(client, &hmac, &key, &in, &out, &req), KCF_QUEUED);
	collect_wait(&done, 1);
	trace = admin_json(&kcfd, "trace", "1", NULL);
	row = json_array_get(json_object_get(trace, "trace"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(row, "mode")), "adaptive");
	ck_assert(json_is_false(json_object_get(row, "probe")));
	ck_assert_int_eq(json_array_size(json_object_get(row, "considered")), 2);
	for (size_t i = 0; i < 2; i++) {
		one = json_array_get(json_object_get(row, "considered"), i);
		ck_assert_int_ge(json_integer_value(json_object_get(one, "place")), 1);
		ck_assert_int_gt(json_integer_value(json_object_get(one, "cost_ns")), 0);
		ck_assert_int_ge(json_integer_value(json_object_get(one, "wait_ns")), 0);
		ck_assert_int_gt(json_integer_value(json_object_get(one, "setup_ns")), 0);
		ck_assert(json_is_integer(json_object_get(one, "by")));
	}
	json_decref(trace);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("modes");
	TCase *tc = tcase_create("modes");

	memset(data, 'd', sizeof(data));
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_mode_reaches_running_clients_at_once);
	tcase_add_test(tc, what_is_under_way_stays_whole_while_modes_change);
	tcase_add_test(tc, a_slow_device_is_found_out_and_left_alone);
	tcase_add_test(tc, the_trace_shows_what_a_decision_was_made_of);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
