/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-main - what every Check program ends with: main() that runs one suite and prints TAP.
 *
 * A program whose kernel feature or device is missing calls test_skip_all() before anything else.
 */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Print a plan that says why nothing runs, and end. */
static inline void test_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
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
