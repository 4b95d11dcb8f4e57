/* SPDX-License-Identifier: Apache-2.0 */
/* What the bars ask for, and what their results are compared with; no time is measured. */
#include "../../cli/speed-bar.h"
#include "test-main.h"

START_TEST(every_bar_is_found_by_its_name_once)
{
	unsigned n = 0;

	for (const struct speed_bar *b = speed_bar_table; b->name; b++, n++)
		ck_assert_ptr_eq(speed_bar_find(b->name), b);
	ck_assert_uint_ge(n, 34);
	ck_assert_ptr_null(speed_bar_find("async-aes256gcm"));
	ck_assert_ptr_null(speed_bar_find(""));
}
END_TEST

/* The name with "-dec" put where its encryption has "-enc", or before its size. */
static const struct speed_bar *twin_of(const struct speed_bar *b)
{
	const char *enc = strstr(b->name, "-enc-"), *size = strrchr(b->name, '-');
	char name[64];

	if (enc)
		snprintf(name, sizeof(name), "%.*s-dec-%s", (int)(enc - b->name), b->name, enc + 5);
	else
		snprintf(name, sizeof(name), "%.*s-dec%s", (int)(size - b->name), b->name, size);
	return speed_bar_find(name);
}

START_TEST(every_encryption_has_its_decryption_at_four_fifths)
{
	unsigned n = 0;

	for (const struct speed_bar *b = speed_bar_table; b->name; b++) {
		const struct speed_bar *twin;
		enum speed_work_kind w = b->c.work;

		if (!b->vectors ||
		    (w != SPEED_GCM_ENC && w != SPEED_CBC_ENC && w != SPEED_DUAL_ENC))
			continue;
		twin = twin_of(b);
		ck_assert_msg(twin != NULL, "%s has no twin", b->name);
		ck_assert_int_eq(twin->c.work, w + 1);
		ck_assert_uint_eq(twin->c.size, b->c.size);
		ck_assert_uint_eq(twin->c.depth, b->c.depth);
		ck_assert_ptr_eq(twin->door, b->door);
		ck_assert_double_eq_tol(twin->at, 0.8 * b->at, 1e-9);
		n++;
	}
	ck_assert_uint_ge(n, 9);
}
END_TEST

START_TEST(without_vectors_no_more_is_asked_than_libcrypto_gives)
{
	const struct speed_bar *gcm = speed_bar_find("async-aes256gcm-64");
	const struct speed_bar *dec = speed_bar_find("async-aes256gcm-dec-64");
	const struct speed_bar *old = speed_bar_find("caller-aes256gcm-16k");

	ck_assert_double_eq(speed_bar_at(gcm, true), 1.5);
	ck_assert_double_eq(speed_bar_at(gcm, false), 1.0);
	ck_assert_double_eq(speed_bar_at(dec, false), 0.8);
	ck_assert_double_eq(speed_bar_at(old, true), 0.98);
	ck_assert_double_eq(speed_bar_at(old, false), 0.98);
	for (const struct speed_bar *b = speed_bar_table; b->name; b++)
		ck_assert_double_le(speed_bar_at(b, false), b->at);
}
END_TEST

static bool met(const char *name, double kcf, double direct, double limit)
{
	const struct speed_result r = {kcf, direct, limit};

	return speed_bar_is_met(speed_bar_find(name), true, &r);
}

START_TEST(bar_is_met_by_its_ratio)
{
	ck_assert(met("caller-aes256gcm-64", 90, 100, 0));
	ck_assert(!met("caller-aes256gcm-64", 89, 100, 0));
	ck_assert(!met("caller-aes256gcm-64", 90, 0, 0));
}
END_TEST

START_TEST(share_of_the_limit_counts_only_where_data_crosses_cores)
{
	ck_assert(met("async-aes256gcm-64", 75, 100, 100));
	ck_assert(!met("async-aes256gcm-64", 74, 100, 100));
	ck_assert(met("async-aes256gcm-64", 150, 100, 1000));
	ck_assert(!met("caller-mb-aes256gcm-64", 75, 100, 100));
}
END_TEST

START_TEST(round_trip_is_to_take_at_most_a_quarter_of_the_time)
{
	ck_assert(met("roundtrip-hmac-64", 25, 100, 0));
	ck_assert(!met("roundtrip-hmac-64", 26, 100, 0));
}
END_TEST

START_TEST(figures_of_their_own_are_compared_with_nothing)
{
	ck_assert(met("inline-aes256gcm-64", 300000, 5000000, 0));
	ck_assert(!met("inline-aes256gcm-64", 299999, 1, 0));
	ck_assert(met("idle-connection-bytes", 65536, 0, 0));
	ck_assert(!met("idle-connection-bytes", 65537, 0, 0));
}
END_TEST

START_TEST(median_is_the_middle_whatever_the_order)
{
	double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2};

	ck_assert_double_eq(speed_median(odd, 3), 5);
	ck_assert_double_eq(speed_median(even, 4), 2.5);
}
END_TEST

START_TEST(samples_beyond_the_room_take_random_places)
{
	struct speed_latency l = {.ns = calloc(SPEED_SAMPLES, sizeof(uint32_t))};
	unsigned late = 0;

	for (uint32_t i = 0; i < 4 * SPEED_SAMPLES; i++)
		speed_sample(&l, i);
	ck_assert_uint_eq(l.n, SPEED_SAMPLES);
	ck_assert_uint_eq(l.seen, 4 * SPEED_SAMPLES);
	for (size_t i = 0; i < l.n; i++)
		late += l.ns[i] >= 2 * SPEED_SAMPLES;
	/* Half of all came in the second half of the time. */
	ck_assert_uint_gt(late, SPEED_SAMPLES * 2 / 5);
	ck_assert_uint_lt(late, SPEED_SAMPLES * 3 / 5);
	free(l.ns);
}
END_TEST

/* ---- results ---- */

START_TEST(right_results_pass_and_wrong_ones_do_not)
{
	struct speed_case c = {.work = (enum speed_work_kind)_i, .size = 64};
	size_t out_len = speed_out_len(c.work, c.size);
	unsigned char in[128], out[512];
	struct speed_check check;
	struct speed_evp evp;

	ck_assert(speed_check_open(&check, &c));
	ck_assert(speed_evp_open(&evp, c.work, c.size));
	for (uint64_t n = 0; n < 3; n++) {
		speed_input(c.work, c.size, &check.auth, n, in);
		ck_assert(evp.operate(&evp, n, in, out));
		if (c.work == SPEED_ECDSA_SIGN) /* its DER there is only read */
			break;
		ck_assert(speed_check(&check, n, in, out));
		check.next = n;
		out[out_len - 1] ^= 1;
		ck_assert(!speed_check(&check, n, in, out));
	}
	speed_evp_close(&evp);
	speed_check_close(&check);
}
END_TEST

START_TEST(first_results_and_then_some_are_compared)
{
	struct speed_case c = {.work = SPEED_HMAC, .size = 64};
	unsigned char in[128], out[SPEED_MAC_LEN] = {0};
	struct speed_check check;
	unsigned compared = 0;

	ck_assert(speed_check_open(&check, &c));
	for (uint64_t n = 0; n < 10000; n++) {
		speed_input(c.work, c.size, &check.auth, n, in);
		compared += !speed_check(&check, n, in, out);
	}
	ck_assert_uint_ge(compared, SPEED_TEMPLATES + 9);
	ck_assert_uint_le(compared, SPEED_TEMPLATES + 11);
	speed_check_close(&check);
}
END_TEST

START_TEST(forged_input_is_refused_by_libcrypto)
{
	static const enum speed_work_kind works[] = {SPEED_GCM_DEC, SPEED_DUAL_DEC};

	for (unsigned i = 0; i < 2; i++) {
		unsigned char in[128], out[128];
		struct speed_auth auth;
		struct speed_evp evp;

		ck_assert(speed_evp_auth(works[i], 64, &auth));
		ck_assert(speed_evp_open(&evp, works[i], 64));
		speed_input(works[i], 64, &auth, 5, in);
		ck_assert(evp.operate(&evp, 5, in, out));
		in[64] ^= 1;
		ck_assert(!evp.operate(&evp, 5, in, out));
		speed_evp_close(&evp);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("speed-bar");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, every_bar_is_found_by_its_name_once);
	tcase_add_test(tc, every_encryption_has_its_decryption_at_four_fifths);
	tcase_add_test(tc, without_vectors_no_more_is_asked_than_libcrypto_gives);
	tcase_add_test(tc, bar_is_met_by_its_ratio);
	tcase_add_test(tc, share_of_the_limit_counts_only_where_data_crosses_cores);
	tcase_add_test(tc, round_trip_is_to_take_at_most_a_quarter_of_the_time);
	tcase_add_test(tc, figures_of_their_own_are_compared_with_nothing);
	tcase_add_test(tc, median_is_the_middle_whatever_the_order);
	tcase_add_test(tc, samples_beyond_the_room_take_random_places);
	tcase_add_loop_test(tc, right_results_pass_and_wrong_ones_do_not, 0, SPEED_WORKS);
	tcase_add_test(tc, first_results_and_then_some_are_compared);
	tcase_add_test(tc, forged_input_is_refused_by_libcrypto);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
