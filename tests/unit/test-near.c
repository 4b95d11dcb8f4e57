/* SPDX-License-Identifier: Apache-2.0 */
/* What a mistyped word was meant to be. */
#include <string.h>
#include "base/near.h"
#include "test-main.h"

static const char *nearest(const char *word)
{
	static const char *const names[] = {"digest", "decrypt", "encrypt", "list", "load"};
	struct near n;

	near_init(&n, word);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		near_look(&n, names[i]);
	return n.best;
}

START_TEST(counts_letters_to_change)
{
	ck_assert_uint_eq(near_distance("list", "list"), 0);
	ck_assert_uint_eq(near_distance("list", "LIST"), 0);
	ck_assert_uint_eq(near_distance("sha256", "SHA265"), 2);
	ck_assert_uint_eq(near_distance("", "list"), 4);
	ck_assert_uint_eq(near_distance("list", ""), 4);
}
END_TEST

START_TEST(finds_the_nearest_name)
{
	ck_assert_str_eq(nearest("digets"), "digest");
	ck_assert_str_eq(nearest("encript"), "encrypt");
	ck_assert_str_eq(nearest("lod"), "load");
}
END_TEST

START_TEST(has_no_hint_for_another_word)
{
	ck_assert_ptr_null(nearest("xyz"));
	ck_assert_ptr_null(nearest(""));
	ck_assert_ptr_null(nearest("l"));
}
END_TEST

START_TEST(long_words_are_far_from_everything)
{
	char word[200];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	ck_assert_uint_eq(near_distance(word, "list"), 255);
	ck_assert_uint_eq(near_distance("list", word), 255);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("near");
	TCase *tc = tcase_create("words");

	tcase_add_test(tc, counts_letters_to_change);
	tcase_add_test(tc, finds_the_nearest_name);
	tcase_add_test(tc, has_no_hint_for_another_word);
	tcase_add_test(tc, long_words_are_far_from_everything);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
