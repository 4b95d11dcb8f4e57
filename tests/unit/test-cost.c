/* SPDX-License-Identifier: Apache-2.0 */
/* test-cost - what a job is expected to take, learned from samples made up here. */
#include "spi/cost.h"
#include "test-main.h"

static struct cost c;

static void setup(void)
{
	cost_init(&c, 1000, 2000);
}

static void teardown(void)
{
	cost_deinit(&c);
}

/* n samples of a provider that takes setup ns and per_kib ns more for every KiB. */
static void feed(unsigned n, uint64_t bytes, uint64_t setup, uint64_t per_kib)
{
	for (unsigned i = 0; i < n; i++)
		cost_sample(&c, bytes, setup + bytes * per_kib / 1024);
}

static void ck_about(uint64_t value, uint64_t expected)
{
	ck_assert_msg(value >= expected - expected / 5 && value <= expected + expected / 5,
		      "%llu is not about %llu", (unsigned long long)value,
		      (unsigned long long)expected);
}

START_TEST(begins_with_what_the_row_says)
{
	ck_assert_uint_eq(cost_expect(&c.line, 0), 1000);
	ck_assert_uint_eq(cost_expect(&c.line, 4096), 9000);
	cost_init(&c, 0, 0);
	ck_assert_uint_eq(c.line.setup_ns, COST_SETUP_NS);
	ck_assert_uint_eq(c.line.ns_per_kib, COST_NS_PER_KIB);
}
END_TEST

START_TEST(four_samples_say_nothing_yet)
{
	feed(4, 64, 50000, 0);
	ck_assert_uint_eq(c.line.setup_ns, 1000);
	ck_assert_uint_eq(c.fits, 0);
	feed(1, 64, 50000, 0);
	ck_assert_uint_eq(c.fits, 1);
	ck_assert_uint_gt(c.line.setup_ns, 10000);
}
END_TEST

START_TEST(learns_both_numbers_from_samples_of_several_sizes)
{
	for (unsigned i = 0; i < 30; i++) {
		feed(1, 64, 300, 500);
		feed(1, 1024, 300, 500);
		feed(1, 16384, 300, 500);
	}
	ck_about(c.line.setup_ns, 300);
	ck_about(c.line.ns_per_kib, 500);
	ck_about(cost_expect(&c.line, 65536), 32300);
}
END_TEST

START_TEST(one_size_alone_moves_the_whole_line)
{
	feed(20, 4096, 3000, 6000); /* three times what the row says */
	ck_about(cost_expect(&c.line, 4096), 27000);
	ck_about(cost_expect(&c.line, 0), 3000);
	ck_about(cost_expect(&c.line, 65536), 387000);
}
END_TEST

/* Six of fifteen samples are nonsense: nothing happens. Ten of fifteen: it is what they say. */
static uint64_t with_outliers(unsigned n, uint64_t ns)
{
	cost_deinit(&c);
	setup();
	feed(30, 1024, 1000, 2000);
	for (unsigned i = 0; i < 30; i++)
		cost_sample(&c, 1024, i % 15 < n ? ns : 3000);
	return cost_expect(&c.line, 1024);
}

START_TEST(outliers_move_nothing_while_they_are_fewer_than_half)
{
	ck_about(with_outliers(6, 500000000), 3000);
	ck_about(with_outliers(6, 1), 3000);
	ck_assert_uint_gt(with_outliers(10, 500000000), 100000000);
	ck_assert_uint_lt(with_outliers(10, 1), 300);
}
END_TEST

START_TEST(a_new_level_is_learned_and_the_old_forgotten)
{
	feed(1000, 1024, 1000, 2000);
	feed(6, 1024, 8000, 16000);
	ck_about(cost_expect(&c.line, 1024), 3000); /* not yet: it might be a bad moment */
	feed(9, 1024, 8000, 16000);
	ck_about(cost_expect(&c.line, 1024), 24000);
	feed(15, 1024, 500, 1000);
	ck_about(cost_expect(&c.line, 1024), 1500);
}
END_TEST

START_TEST(sizes_not_seen_lately_count_less)
{
	uint64_t at_once;

	feed(15, 900, 1000, 2000);
	feed(15, 1100, 10000, 20000);
	at_once = cost_expect(&c.line, 1000);
	feed(2000, 1100, 10000, 20000);
	ck_assert_uint_gt(cost_expect(&c.line, 1000), 2 * at_once);
}
END_TEST

START_TEST(nonsense_stays_within_bounds)
{
	feed(20, UINT64_MAX, 0, 0);
	for (unsigned i = 0; i < 20; i++)
		cost_sample(&c, 0, UINT64_MAX);
	ck_assert_uint_le(c.line.setup_ns, COST_MAX_NS);
	ck_assert_uint_le(c.line.ns_per_kib, COST_MAX_NS);
	ck_assert_uint_ge(cost_expect(&c.line, UINT64_MAX), cost_expect(&c.line, 0));
	cost_deinit(&c);
	setup();
	feed(40, 64, 0, 0);
	ck_assert_uint_ge(c.line.setup_ns, 1);
	ck_assert_uint_ge(c.line.ns_per_kib, 1);
}
END_TEST

START_TEST(larger_that_took_less_makes_no_negative_numbers)
{
	for (unsigned i = 0; i < 30; i++) {
		cost_sample(&c, 64, 90000);
		cost_sample(&c, 16384, 1000);
	}
	ck_assert_uint_ge(c.line.setup_ns, 1);
	ck_assert_uint_le(c.line.setup_ns, 90000);
	ck_assert_uint_le(c.line.ns_per_kib, 2000);
}
END_TEST

START_TEST(base_stays_whatever_work_teaches)
{
	feed(20, 1024, 3000, 6000);
	ck_assert_uint_eq(cost_expect(&c.base, 1024), 3000);
	cost_set_base(&c, (struct cost_line){500, 700});
	ck_assert_uint_eq(cost_expect(&c.base, 1024), 1200);
	ck_about(cost_expect(&c.line, 1024), 9000);
	cost_deinit(&c);
	setup();
	cost_set_base(&c, (struct cost_line){500, 700}); /* the best guess until there is work */
	ck_assert_uint_eq(cost_expect(&c.line, 1024), 1200);
}
END_TEST

START_TEST(crossing_is_the_smallest_size_from_which_the_other_is_no_later)
{
	const struct cost_line software = {500, 1000}, device = {20500, 500}, slow = {20500, 1000};
	const struct cost_line quick = {500, 900}, better_when_small = {100, 1100};
	uint64_t max = 16 << 20;
	uint32_t at = cost_crossing(&software, &device, max);

	ck_assert_uint_eq(at, 40960);
	ck_assert_uint_le(cost_expect(&device, at), cost_expect(&software, at));
	ck_assert_uint_gt(cost_expect(&device, at - 1024), cost_expect(&software, at - 1024));
	ck_assert_uint_eq(cost_crossing(&software, &slow, max), UINT32_MAX);
	ck_assert_uint_eq(cost_crossing(&software, &quick, max), 0);
	ck_assert_uint_eq(cost_crossing(&software, &software, max), 0);
	/* where it is overtaken again the answer is never */
	ck_assert_uint_eq(cost_crossing(&software, &better_when_small, max), UINT32_MAX);
	/* beyond what one request can be */
	ck_assert_uint_eq(cost_crossing(&software, &device, 40000), UINT32_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cost");
	TCase *tc = tcase_create("cost");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, begins_with_what_the_row_says);
	tcase_add_test(tc, four_samples_say_nothing_yet);
	tcase_add_test(tc, learns_both_numbers_from_samples_of_several_sizes);
	tcase_add_test(tc, one_size_alone_moves_the_whole_line);
	tcase_add_test(tc, outliers_move_nothing_while_they_are_fewer_than_half);
	tcase_add_test(tc, a_new_level_is_learned_and_the_old_forgotten);
	tcase_add_test(tc, sizes_not_seen_lately_count_less);
	tcase_add_test(tc, nonsense_stays_within_bounds);
	tcase_add_test(tc, larger_that_took_less_makes_no_negative_numbers);
	tcase_add_test(tc, base_stays_whatever_work_teaches);
	tcase_add_test(tc, crossing_is_the_smallest_size_from_which_the_other_is_no_later);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
