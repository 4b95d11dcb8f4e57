/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"
#include "test-main.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int fds[2];
static char text[65536];

static void setup(void)
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_set_fd(fds[1]);
	log_set_level(KCF_LOG_INFO);
}

static void teardown(void)
{
	log_set_fd(STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
}

static const char *written(void)
{
	ssize_t n = read(fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

START_TEST(writes_a_line_with_priority_and_fields)
{
	struct log_about about = {.connection = 7,
				  .request = 9,
				  .provider = "null",
				  .mechanism = "CKM_X",
				  .uid = 5,
				  .has_uid = true};

	log_line(KCF_LOG_WARNING, &about, "it is %s", "so");
	ck_assert_str_eq(written(), "<4>it is so uid=5 connection=7 request=9 provider=null "
				    "mechanism=CKM_X\n");
	log_error("bare");
	ck_assert_str_eq(written(), "<3>bare\n");
}
END_TEST

START_TEST(names_the_user_with_number_zero)
{
	log_line(KCF_LOG_INFO, &(struct log_about){.uid = 0, .has_uid = true}, "x");
	ck_assert_str_eq(written(), "<6>x uid=0\n");
}
END_TEST

START_TEST(leaves_out_what_is_above_the_level)
{
	log_debug("quiet");
	ck_assert_str_eq(written(), "");
	log_set_level(KCF_LOG_DEBUG);
	log_debug("loud");
	ck_assert_str_eq(written(), "<7>loud\n");
}
END_TEST

START_TEST(lets_no_text_break_the_line)
{
	log_error("a\nb\x1b[31mc\x7f");
	ck_assert_str_eq(written(), "<3>a?b?[31mc?\n");
}
END_TEST

START_TEST(cuts_long_lines)
{
	char big[4096];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	log_error("%s", big);
	ck_assert_uint_lt(strlen(written()), LOG_LINE_MAX + 1);
	ck_assert_uint_gt(strlen(text), LOG_LINE_MAX - 8);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

START_TEST(lets_a_burst_pass_and_then_one_line_a_second)
{
	struct log_rate rate = {0};
	uint64_t now = 1000000;
	unsigned passed = 0;

	for (int i = 0; i < 100; i++)
		passed += log_rate_take(&rate, now);
	ck_assert_uint_eq(passed, LOG_BURST);
	ck_assert_uint_eq(rate.left_out, 100 - LOG_BURST);
	ck_assert(!log_rate_take(&rate, now + 500));
	ck_assert(log_rate_take(&rate, now + 1000 / LOG_PER_SECOND));
	ck_assert(!log_rate_take(&rate, now + 1000 / LOG_PER_SECOND));
	passed = 0;
	for (int i = 0; i < 100; i++)
		passed += log_rate_take(&rate, now + 3600000);
	ck_assert_uint_eq(passed, LOG_BURST);
}
END_TEST

START_TEST(limits_one_user_without_limiting_another)
{
	struct log_about noisy = {.uid = 1, .has_uid = true}, other = {.uid = 2, .has_uid = true};
	unsigned lines = 0;

	for (int i = 0; i < 1000; i++)
		log_client(KCF_LOG_WARNING, &noisy, "noise");
	for (const char *p = written(); (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_ge(lines, LOG_BURST);
	ck_assert_uint_lt(lines, 1000);
	log_client(KCF_LOG_WARNING, &other, "heard");
	ck_assert_str_eq(written(), "<4>heard uid=2\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, writes_a_line_with_priority_and_fields);
	tcase_add_test(t, names_the_user_with_number_zero);
	tcase_add_test(t, leaves_out_what_is_above_the_level);
	tcase_add_test(t, lets_no_text_break_the_line);
	tcase_add_test(t, cuts_long_lines);
	tcase_add_test(t, lets_a_burst_pass_and_then_one_line_a_second);
	tcase_add_test(t, limits_one_user_without_limiting_another);
	suite_add_tcase(s, t);
	return test_main(s);
}
