/* SPDX-License-Identifier: Apache-2.0 */
/* test-names - statuses and fixed mechanisms as strings. */
#include <kcf/client.h>
#include <string.h>
#include "test-main.h"

START_TEST(every_status_has_a_name_and_a_text)
{
	for (int i = 0; i < KCF_STATUS_COUNT; i++) {
		ck_assert_str_ne(kcf_status_name((enum kcf_status)i), "?");
		ck_assert_str_ne(kcf_strstatus((enum kcf_status)i), "?");
	}
	ck_assert_str_eq(kcf_status_name(KCF_BUSY), "BUSY");
	ck_assert_str_eq(kcf_status_name(KCF_STATUS_COUNT), "?");
	ck_assert_str_eq(kcf_strstatus((enum kcf_status)-1), "?");
}
END_TEST

START_TEST(finds_mechanisms_by_any_of_their_names)
{
	ck_assert_uint_eq(kcf_mech_by_name("CKM_AES_GCM")->number, KCF_M_AES_GCM);
	ck_assert_uint_eq(kcf_mech_by_name("aes-gcm")->number, KCF_M_AES_GCM);
	ck_assert_uint_eq(kcf_mech_by_name("SHA2-256")->number, KCF_M_SHA256);
	ck_assert_ptr_null(kcf_mech_by_name("AES_GCM"));
	ck_assert_ptr_null(kcf_mech_by_name(""));
	ck_assert_ptr_null(kcf_mech_by_name(NULL));
}
END_TEST

START_TEST(numbers_and_names_are_unique)
{
	const struct kcf_mech_name *a;

	for (kcf_mech_t i = 0; i < KCF_M_DYNAMIC; i++) {
		a = kcf_mech_name(i);
		if (!a)
			continue;
		ck_assert_uint_eq(a->number, i);
		ck_assert_ptr_eq(kcf_mech_by_name(a->name), a);
		ck_assert_uint_lt(strlen(a->name), KCF_NAME_MAX);
	}
	ck_assert_ptr_null(kcf_mech_name(0));
	ck_assert_ptr_null(kcf_mech_name(KCF_M_DYNAMIC));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names");
	TCase *tc = tcase_create("names");

	tcase_add_test(tc, every_status_has_a_name_and_a_text);
	tcase_add_test(tc, finds_mechanisms_by_any_of_their_names);
	tcase_add_test(tc, numbers_and_names_are_unique);
	suite_add_tcase(s, tc);
	return test_main(s);
}
