/* SPDX-License-Identifier: Apache-2.0 */
/* test-company - bounded waiting for others, and when it is not worth it. */
#include "api/company.h"
#include "test-main.h"

#define MOST 20000u

static struct company c;

START_TEST(waits_as_long_as_it_may)
{
	ck_assert(company_wait(&c, 3, 1000, MOST));
	ck_assert(company_wait(&c, 3, 1000 + MOST - 1, MOST));
	ck_assert(!company_wait(&c, 3, 1000 + MOST, MOST));
	company_end(&c, 3);
	ck_assert_uint_eq(c.since_ns, 0);
}
END_TEST

START_TEST(company_does_not_make_it_longer)
{
	ck_assert(company_wait(&c, 3, 1000, MOST));
	ck_assert(company_wait(&c, 5, 1000 + MOST / 2, MOST));
	ck_assert(!company_wait(&c, 7, 1000 + MOST, MOST));
}
END_TEST

START_TEST(never_waits_if_it_must_not)
{
	ck_assert(!company_wait(&c, 3, 1000, 0));
	company_end(&c, 3);
	ck_assert_uint_eq(c.n_alone, 0);
}
END_TEST

/* Of n bursts to which nobody comes, how many wait? */
static unsigned waits_alone(unsigned n)
{
	unsigned waits = 0;

	for (unsigned i = 0; i < n; i++) {
		waits += company_wait(&c, 3, 1000, MOST);
		company_end(&c, 3);
	}
	return waits;
}

START_TEST(waits_ever_more_rarely_where_nobody_comes)
{
	ck_assert_uint_eq(waits_alone(1 + 2 + 4 + 8 + 16 + 32 + 64 + 128), 8);
	ck_assert_uint_eq(waits_alone(256 * 10), 10);
}
END_TEST

START_TEST(waits_every_time_where_somebody_comes)
{
	waits_alone(1000);
	while (!company_wait(&c, 3, 1000, MOST))
		company_end(&c, 3);
	company_end(&c, 4);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert(company_wait(&c, 3, 1000, MOST));
		company_end(&c, 8);
	}
}
END_TEST

START_TEST(what_did_not_wait_says_nothing)
{
	waits_alone(1);
	ck_assert_uint_eq(c.n_alone, 1);
	company_end(&c, 64); /* full at once */
	ck_assert_uint_eq(c.n_alone, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("company");
	TCase *tc = tcase_create("company");

	tcase_add_test(tc, waits_as_long_as_it_may);
	tcase_add_test(tc, company_does_not_make_it_longer);
	tcase_add_test(tc, never_waits_if_it_must_not);
	tcase_add_test(tc, waits_ever_more_rarely_where_nobody_comes);
	tcase_add_test(tc, waits_every_time_where_somebody_comes);
	tcase_add_test(tc, what_did_not_wait_says_nothing);
	suite_add_tcase(s, tc);
	return test_main(s);
}
