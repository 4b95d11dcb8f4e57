/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"

#include <errno.h>
#include "test-main.h"

START_TEST(starts_with_every_default_inside_its_bounds)
{
	struct limits l;
	unsigned n = 0;

	limits_init(&l);
	for (const struct limits_row *row = limits_rows(); row->name; row++, n++) {
		uint64_t value = *(uint64_t *)((char *)&l + row->offset);

		ck_assert_uint_eq(value, row->def);
		ck_assert_uint_ge(value, row->min);
		ck_assert_uint_le(value, row->max);
	}
	ck_assert_uint_eq(n * sizeof(uint64_t), sizeof(l));
}
END_TEST

START_TEST(sets_by_name_within_the_bounds)
{
	struct limits l;

	limits_init(&l);
	ck_assert_int_eq(limits_set(&l, "hardware_queue", 17, NULL), 0);
	ck_assert_uint_eq(l.hardware_queue, 17);
	ck_assert_int_eq(limits_set(&l, "hardware_queue", 0, NULL), -ERANGE);
	ck_assert_int_eq(limits_set(&l, "hardware_queue", 65537, NULL), -ERANGE);
	ck_assert_uint_eq(l.hardware_queue, 17);
}
END_TEST

START_TEST(names_the_nearest_of_an_unknown_name)
{
	struct limits l;
	const char *near = NULL;

	limits_init(&l);
	ck_assert_int_eq(limits_set(&l, "hardware_queues", 17, &near), -ENOENT);
	ck_assert_str_eq(near, "hardware_queue");
	ck_assert_int_eq(limits_set(&l, "zzzzzz", 17, &near), -ENOENT);
	ck_assert_ptr_null(near);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("limits");
	TCase *tc = tcase_create("limits");

	tcase_add_test(tc, starts_with_every_default_inside_its_bounds);
	tcase_add_test(tc, sets_by_name_within_the_bounds);
	tcase_add_test(tc, names_the_nearest_of_an_unknown_name);
	suite_add_tcase(s, tc);
	return test_main(s);
}
