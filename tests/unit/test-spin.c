/* SPDX-License-Identifier: Apache-2.0 */
/* test-spin - who may look for work without sleeping. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "api/spin.h"
#include "test-main.h"

static char path[64];
static struct spin sp;

static void write_running(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(write(fd, text, strlen(text)), 0);
	close(fd);
}

static void setup(void)
{
	int fd;

	fd = mkstemp(test_tmp_path("load-XXXXXX", path, sizeof(path)));
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	spin_deinit(&sp);
	unlink(path);
}

START_TEST(is_crowded_with_more_threads_than_cpus)
{
	write_running("0.20 0.18 0.12 2/80 11206\n");
	spin_init(&sp, path, 2);
	ck_assert(!spin_is_crowded(&sp, 1));
	write_running("0.20 0.18 0.12 3/80 11206\n");
	ck_assert(spin_is_crowded(&sp, 1 + SPIN_ASK_NS));
	write_running("0.20 0.18 0.12 12/80 11206\n");
	ck_assert(spin_is_crowded(&sp, 1 + 2 * SPIN_ASK_NS));
	write_running("0.20 0.18 0.12 1/80 11206\n");
	ck_assert(!spin_is_crowded(&sp, 1 + 3 * SPIN_ASK_NS));
}
END_TEST

START_TEST(asks_once_a_millisecond)
{
	write_running("0.20 0.18 0.12 1/80 11206\n");
	spin_init(&sp, path, 2);
	ck_assert(!spin_is_crowded(&sp, 1));
	write_running("0.20 0.18 0.12 9/80 11206\n");
	ck_assert(!spin_is_crowded(&sp, SPIN_ASK_NS));
	ck_assert(spin_is_crowded(&sp, 1 + SPIN_ASK_NS));
}
END_TEST

START_TEST(permits_one_less_than_there_are_cpus)
{
	write_running("0.20 0.18 0.12 1/80 11206\n");
	spin_init(&sp, path, 4);
	ck_assert(!spin_is_crowded(&sp, 1));
	ck_assert(spin_permits(&sp, 0) && spin_permits(&sp, 2));
	ck_assert(!spin_permits(&sp, 3));
	write_running("0.20 0.18 0.12 5/80 11206\n");
	ck_assert(spin_is_crowded(&sp, 1 + SPIN_ASK_NS));
	ck_assert(!spin_permits(&sp, 0));
}
END_TEST

START_TEST(permits_nobody_on_one_cpu)
{
	write_running("0.20 0.18 0.12 1/80 11206\n");
	spin_init(&sp, path, 1);
	ck_assert(!spin_permits(&sp, 0));
}
END_TEST

START_TEST(does_without_the_running_count)
{
	spin_init(&sp, "/nowhere/loadavg", 2);
	ck_assert(!spin_is_crowded(&sp, 1));
	sp.interrupted -= 1; /* as if this thread had been interrupted since */
	ck_assert(spin_is_crowded(&sp, 1 + SPIN_ASK_NS));
	spin_deinit(&sp);
	write_running("no numbers here\n");
	spin_init(&sp, path, 2);
	ck_assert(!spin_is_crowded(&sp, 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spin");
	TCase *t = tcase_create("spin");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, is_crowded_with_more_threads_than_cpus);
	tcase_add_test(t, asks_once_a_millisecond);
	tcase_add_test(t, permits_one_less_than_there_are_cpus);
	tcase_add_test(t, permits_nobody_on_one_cpu);
	tcase_add_test(t, does_without_the_running_count);
	suite_add_tcase(s, t);
	return test_main(s);
}
