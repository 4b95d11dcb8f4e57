/* SPDX-License-Identifier: Apache-2.0 */
#include "api/idmap.h"
#include "test-main.h"
#include <stdint.h>

static struct idmap map;

static void setup(void)
{
	idmap_init(&map);
}

static void teardown(void)
{
	idmap_deinit(&map);
}

static void *value(uint64_t n)
{
	return (void *)(uintptr_t)(n + 1);
}

START_TEST(finds_what_was_added_and_nothing_else)
{
	ck_assert_ptr_null(idmap_find(&map, 1));
	ck_assert(idmap_add(&map, 1, value(1)));
	ck_assert(idmap_add(&map, UINT64_MAX, value(2)));
	ck_assert_ptr_eq(idmap_find(&map, 1), value(1));
	ck_assert_ptr_eq(idmap_find(&map, UINT64_MAX), value(2));
	ck_assert_ptr_null(idmap_find(&map, 2));
	ck_assert_ptr_null(idmap_find(&map, 0));
}
END_TEST

START_TEST(removes_once)
{
	ck_assert(idmap_add(&map, 5, value(5)));
	ck_assert_ptr_eq(idmap_remove(&map, 5), value(5));
	ck_assert_ptr_null(idmap_remove(&map, 5));
	ck_assert_ptr_null(idmap_remove(&map, 0));
	ck_assert_uint_eq(map.n, 0);
}
END_TEST

/* Against a plain array: adds and removes in a fixed, mixed order. */
START_TEST(agrees_with_an_array_over_many_changes)
{
	enum { N = 1000 };
	static bool there[N];
	uint64_t state = 88172645463325252u;
	uint32_t n = 0;

	for (int i = 0; i < 200000; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint64_t id = state % N;

		if (there[id]) {
			ck_assert_ptr_eq(idmap_remove(&map, id + 1), value(id));
			n--;
		} else {
			ck_assert(idmap_add(&map, id + 1, value(id)));
			n++;
		}
		there[id] = !there[id];
		ck_assert_uint_eq(map.n, n);
	}
	for (uint64_t id = 0; id < N; id++)
		ck_assert_ptr_eq(idmap_find(&map, id + 1), there[id] ? value(id) : NULL);
}
END_TEST

START_TEST(gives_memory_back_when_it_is_empty_again)
{
	for (uint64_t id = 1; id <= 10000; id++)
		ck_assert(idmap_add(&map, id << 32, value(id)));
	for (uint64_t id = 1; id <= 10000; id++)
		ck_assert_ptr_eq(idmap_remove(&map, id << 32), value(id));
	ck_assert_uint_le(map.room, 64);
}
END_TEST

START_TEST(can_be_emptied_without_knowing_the_numbers)
{
	uint64_t id, n = 0;

	for (id = 1; id <= 100; id++)
		ck_assert(idmap_add(&map, id * 7919, value(id)));
	while (idmap_any(&map, &id)) {
		ck_assert_ptr_nonnull(idmap_remove(&map, id));
		n++;
	}
	ck_assert_uint_eq(n, 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("idmap");
	TCase *t = tcase_create("idmap");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, finds_what_was_added_and_nothing_else);
	tcase_add_test(t, removes_once);
	tcase_add_test(t, agrees_with_an_array_over_many_changes);
	tcase_add_test(t, gives_memory_back_when_it_is_empty_again);
	tcase_add_test(t, can_be_emptied_without_knowing_the_numbers);
	suite_add_tcase(s, t);
	return test_main(s);
}
