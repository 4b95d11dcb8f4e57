/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and numbers at their edges: what does not fit is refused by itself, and harms nothing else.
 */
#include <string.h>
#include <unistd.h>
#include "../bed.h"
#include "../test-main.h"

static struct bed bed;
static struct kcf_client *client;

static void setup(void)
{
	bed_open(&bed, NULL);
	client = bed.client;
}

static void teardown(void)
{
	bed_close(&bed);
}

/* ---- parameters ---- */

START_TEST(a_parameter_too_long_to_travel_harms_no_other_request)
{
	static uint8_t aad[40000];
	struct kcf_key bytes = kcf_key_bytes("0123456789abcdef", 16);
	struct kcf_param_aead param = {
		.iv = (const uint8_t *)"twelve bytes", .iv_len = 12, .aad = aad};
	struct kcf_mechanism gcm = {KCF_M_AES_GCM, sizeof(param), &param};
	struct kcf_key key;
	struct kcf_data in = kcf_flat("text", 4);
	uint8_t buf[64];
	struct kcf_data out = kcf_flat(buf, sizeof(buf));

	ck_assert_int_eq(kcf_key_import(client, &bytes, 0, &key, NULL), KCF_SUCCESS);
	for (param.aad_len = 32700; param.aad_len < 33100; param.aad_len += 7) {
		enum kcf_status status = kcf_encrypt(client, &gcm, &key, &in, &out, NULL);

		ck_assert_msg(status == KCF_SUCCESS || status == KCF_BUFFER_TOO_BIG, "%zu: %s",
			      param.aad_len, kcf_status_name(status));
	}
	ck_assert_uint_eq(collect_n_events(&bed.done, KCF_EVENT_DAEMON_LOST), 0);
}
END_TEST

/* ---- limits ---- */

START_TEST(serves_clients_whatever_max_request_is)
{
	static const char *const texts[] = {"[limits]\nmax_request = 64K\n",
					    "[limits]\nmax_request = 256M\n"};
	static uint8_t big[20 << 20];
	struct kcf_data in = kcf_flat(big, _i ? sizeof(big) : 65536), out;
	struct kcf_mechanism sha = {.number = KCF_M_SHA256};
	struct kcf_call_req req = collect_req(&bed.done, KCF_ALWAYS_QUEUE);
	uint8_t digest[32];

	bed_close(&bed);
	bed_open(&bed, texts[_i]);
	out = kcf_flat(digest, sizeof(digest));
	ck_assert_int_eq(bed_end(&bed, kcf_digest(bed.client, &sha, &in, &out, &req), 1),
			 KCF_SUCCESS);
}
END_TEST

/* An event loop is not held up by what makes much of little. */
START_TEST(a_large_output_is_not_computed_in_an_asynchronous_caller)
{
	static uint8_t room[1 << 20];
	struct kcf_param_digest xof = {.out_len = sizeof(room)};
	struct kcf_mechanism shake = {KCF_M_SHAKE256, sizeof(xof), &xof};
	struct kcf_data in = kcf_flat("", 0), out = kcf_flat(room, sizeof(room));
	struct kcf_call_req req = collect_req(&bed.done, 0);

	ck_assert_int_eq(kcf_random(client, &out, &req), KCF_QUEUED);
	ck_assert_int_eq(bed_end(&bed, KCF_QUEUED, 1), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(client, &shake, &in, &out, &req), KCF_QUEUED);
	ck_assert_int_eq(bed_end(&bed, KCF_QUEUED, 2), KCF_SUCCESS);
	ck_assert_uint_eq(bed.done.len, sizeof(room));
	out.len = 64;
	xof.out_len = 64;
	ck_assert_int_eq(kcf_random(client, &out, &req), KCF_SUCCESS);
	ck_assert_int_eq(kcf_digest(client, &shake, &in, &out, &req), KCF_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("edges");
	TCase *t = tcase_create("edges");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_parameter_too_long_to_travel_harms_no_other_request);
	tcase_add_loop_test(t, serves_clients_whatever_max_request_is, 0, 2);
	tcase_add_test(t, a_large_output_is_not_computed_in_an_asynchronous_caller);
	suite_add_tcase(s, t);
	return test_main(s);
}
