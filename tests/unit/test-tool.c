/* SPDX-License-Identifier: Apache-2.0 */
/* test-tool - numbers, hex, nearest names and exit codes of the command-line tools. */
#include <string.h>
#include "cli/tool.h"
#include "test-main.h"

START_TEST(reads_numbers_with_suffixes)
{
	unsigned long long n;

	ck_assert(tool_number("0", 10, &n) && n == 0);
	ck_assert(tool_number("64k", 1 << 20, &n) && n == 65536);
	ck_assert(tool_number("2M", 1 << 30, &n) && n == 2u << 20);
	ck_assert(tool_number("1G", 1ull << 40, &n) && n == 1u << 30);
}
END_TEST

START_TEST(refuses_what_is_no_number_or_too_large)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1x",
					  "1KB",
					  "0x10",
					  "k",
					  "99999999999999999999",
					  "18446744073709551615K"};
	unsigned long long n;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!tool_number(bad[i], ~0ull, &n), "%s", bad[i]);
	ck_assert(!tool_number("11", 10, &n));
	ck_assert(!tool_number("2K", 2047, &n));
}
END_TEST

START_TEST(hex_goes_both_ways)
{
	unsigned char buf[4];
	char text[9];

	ck_assert_int_eq(tool_unhex("00fFA5", buf, sizeof(buf)), 3);
	tool_hex(buf, 3, text);
	ck_assert_str_eq(text, "00ffa5");
	ck_assert_int_eq(tool_unhex("", buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(refuses_odd_foreign_or_too_long_hex)
{
	unsigned char buf[2];

	ck_assert_int_eq(tool_unhex("0", buf, sizeof(buf)), -1);
	ck_assert_int_eq(tool_unhex("0g", buf, sizeof(buf)), -1);
	ck_assert_int_eq(tool_unhex("0x", buf, sizeof(buf)), -1);
	ck_assert_int_eq(tool_unhex("001122", buf, sizeof(buf)), -1);
}
END_TEST

START_TEST(nearest_name_is_within_half_of_the_letters)
{
	unsigned best = 255;

	ck_assert(tool_is_nearer("digets", "digest", &best));
	ck_assert(!tool_is_nearer("digets", "mac", &best));
	ck_assert(!tool_is_nearer("digets", "digesting", &best));
	best = 255;
	ck_assert(!tool_is_nearer("xyz", "list", &best));
}
END_TEST

START_TEST(exit_codes_tell_daemon_object_and_access)
{
	ck_assert_int_eq(tool_exit_of(KCF_SUCCESS), TOOL_OK);
	ck_assert_int_eq(tool_exit_of(KCF_NO_DAEMON), TOOL_NO_DAEMON);
	ck_assert_int_eq(tool_exit_of(KCF_NOT_FOUND), TOOL_NOT_FOUND);
	ck_assert_int_eq(tool_exit_of(KCF_KEY_HANDLE_INVALID), TOOL_NOT_FOUND);
	ck_assert_int_eq(tool_exit_of(KCF_PERMISSION_DENIED), TOOL_DENIED);
	ck_assert_int_eq(tool_exit_of(KCF_INVALID_MAC), TOOL_FAILED);
	ck_assert_int_eq(tool_exit_of(KCF_HOST_MEMORY), TOOL_FAILED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tool");
	TCase *tc = tcase_create("tool");

	tcase_add_test(tc, reads_numbers_with_suffixes);
	tcase_add_test(tc, refuses_what_is_no_number_or_too_large);
	tcase_add_test(tc, hex_goes_both_ways);
	tcase_add_test(tc, refuses_odd_foreign_or_too_long_hex);
	tcase_add_test(tc, nearest_name_is_within_half_of_the_letters);
	tcase_add_test(tc, exit_codes_tell_daemon_object_and_access);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
