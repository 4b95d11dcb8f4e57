/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-main - what every Check program ends with: main() that runs one suite and prints TAP.
 *
 * A program whose kernel feature or device is missing calls test_skip_all() before anything else. With
 * KCF_TEST_ONLY=NAME in the environment only that test of the program runs.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool test_is_wanted(const char *name)
{
	const char *only = getenv("KCF_TEST_ONLY");

	return !only || !strcmp(only, name);
}

#undef tcase_add_test
#define tcase_add_test(tc, tf)                                                                     \
	do {                                                                                       \
		if (test_is_wanted(#tf))                                                           \
			tcase_add_test_raise_signal(tc, tf, 0);                                    \
	} while (0)
#undef tcase_add_loop_test
#define tcase_add_loop_test(tc, tf, from, to)                                                      \
	do {                                                                                       \
		if (test_is_wanted(#tf))                                                           \
			tcase_add_loop_test_raise_signal(tc, tf, 0, from, to);                     \
	} while (0)

/* Print a plan that says why nothing runs, and end. */
static inline void test_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	fflush(stdout);
	_exit(0); /* past the leak check: a suite may have been begun */
}

/* Takes the suite. Returns the exit status: 0 unless something failed. */
static inline int test_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!getenv("CK_TAP_LOG_FILE_NAME"))
		srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
