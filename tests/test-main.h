/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-main - what every Check program ends with: main() that runs one suite and prints TAP.
 *
 * A program whose kernel feature or device is missing calls test_skip_all() before anything else. With
 * KCF_TEST_ONLY=NAME in the environment only that test of the program runs. What tests put into $KCF_TEST_TMP goes
 * when the program ends, also if they fail, unless KCF_TEST_KEEP is set.
 */
#pragma once

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* What a test that failed could not remove is removed here. The name is short, because sockets are in it; other users
 * may go through it. */
static char test_tmp[] = "/tmp/kcf-XXXXXX";

static inline void test_tmp_make(void)
{
	if (getenv("KCF_TEST_TMP"))
		test_tmp[0] = 0; /* somebody else's */
	else if (!mkdtemp(test_tmp) || chmod(test_tmp, 0711) < 0 || setenv("KCF_TEST_TMP", test_tmp, 1) < 0)
		abort();
}

static inline int test_tmp_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static inline void test_tmp_remove(void)
{
	if (!test_tmp[0] || rmdir(test_tmp) == 0)
		return;
	if (getenv("KCF_TEST_KEEP"))
		printf("# kept: %s\n", test_tmp);
	else
		nftw(test_tmp, test_tmp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* For a file or directory of a test's own; name ends in XXXXXX. */
static inline char *test_tmp_path(const char *name, char *buf, size_t len)
{
	const char *top = getenv("KCF_TEST_TMP");

	if (snprintf(buf, len, "%s/%s", top ? top : "/tmp", name) >= (int)len)
		abort();
	return buf;
}

/* Takes the suite. Returns the exit status: 0 unless something failed. */
static inline int test_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	test_tmp_make();
	if (!getenv("CK_TAP_LOG_FILE_NAME"))
		srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	test_tmp_remove();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
