/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include "test-main.h"

static struct json j;

START_TEST(nests_and_separates)
{
	json_init(&j);
	json_object(&j, NULL);
	json_u64(&j, "n", UINT64_MAX);
	json_array(&j, "a");
	json_string(&j, NULL, "x");
	json_bool(&j, NULL, false);
	json_object(&j, NULL);
	json_end_object(&j);
	json_end_array(&j);
	json_double(&j, "d", 0.25);
	json_end_object(&j);
	ck_assert(json_ok(&j));
	ck_assert_str_eq(j.text, "{\"n\":18446744073709551615,\"a\":[\"x\",false,{}],\"d\":0.25}");
	json_deinit(&j);
}
END_TEST

START_TEST(escapes_what_would_break_a_string)
{
	json_init(&j);
	json_string(&j, NULL, "a\"b\\c\n\x7f");
	ck_assert_str_eq(j.text, "\"a\\\"b\\\\c\\u000a\\u007f\"");
	json_deinit(&j);
}
END_TEST

START_TEST(has_no_word_for_infinity)
{
	json_init(&j);
	json_array(&j, NULL);
	json_double(&j, NULL, INFINITY);
	json_end_array(&j);
	ck_assert_str_eq(j.text, "[null]");
	json_deinit(&j);
}
END_TEST

START_TEST(is_not_ok_while_something_is_open)
{
	json_init(&j);
	ck_assert(!json_ok(&j));
	json_object(&j, NULL);
	ck_assert(!json_ok(&j));
	json_end_object(&j);
	ck_assert(json_ok(&j));
	json_deinit(&j);
}
END_TEST

START_TEST(grows_beyond_its_first_room)
{
	json_init(&j);
	json_array(&j, NULL);
	for (unsigned i = 0; i < 10000; i++)
		json_u64(&j, NULL, i % 10);
	json_end_array(&j);
	ck_assert(json_ok(&j));
	ck_assert_uint_eq(j.len, 20001);
	ck_assert_uint_eq(strlen(j.text), 20001);
	json_deinit(&j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_add_test(tc, nests_and_separates);
	tcase_add_test(tc, escapes_what_would_break_a_string);
	tcase_add_test(tc, has_no_word_for_infinity);
	tcase_add_test(tc, is_not_ok_while_something_is_open);
	tcase_add_test(tc, grows_beyond_its_first_room);
	suite_add_tcase(s, tc);
	return test_main(s);
}
