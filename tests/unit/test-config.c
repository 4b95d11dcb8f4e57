/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "test-main.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;
static char err[512];

static void setup(void)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	config_init(&config);
	err[0] = 0;
}

static void teardown(void)
{
	config_deinit(&config);
}

/* Another configuration in the same test. */
static void again(void)
{
	teardown();
	setup();
}

static bool parse(const char *text)
{
	return config_parse(&config, text, "t.conf", "/etc/kcf", err, sizeof(err));
}

#define ACCEPTS(text) ck_assert_msg(parse(text), "%s", err)
#define REFUSES(text, message)                                                                     \
	do {                                                                                       \
		ck_assert(!parse(text));                                                           \
		ck_assert_msg(strstr(err, message), "\"%s\" is not in \"%s\"", message, err);      \
	} while (0)

START_TEST(takes_an_empty_file_as_defaults)
{
	struct limits def;

	limits_init(&def);
	ACCEPTS("");
	ck_assert_mem_eq(&config.limits, &def, sizeof(def));
	ck_assert_uint_eq(config.socket_mode, 0666);
	ck_assert_uint_eq(config.n_keys, 0);
	ACCEPTS("# nothing\n\n; at all\n[limits]\n");
}
END_TEST

START_TEST(reads_limits_with_suffixes)
{
	ACCEPTS("[limits]\nlease = 32\nuser_arena = 3M ; a comment\nmax_request=128K\n");
	ck_assert_uint_eq(config.limits.lease, 32);
	ck_assert_uint_eq(config.limits.user_arena, 3u << 20);
	ck_assert_uint_eq(config.limits.max_request, 128u << 10);
}
END_TEST

START_TEST(says_line_and_nearest_name_of_an_unknown_limit)
{
	REFUSES("[limits]\n\nleas = 32\n",
		"t.conf:3: unknown limit \"leas\"; did you mean \"lease\"?");
}
END_TEST

START_TEST(refuses_numbers_that_are_none)
{
	REFUSES("[limits]\nlease = many\n", "t.conf:2:");
	again();
	REFUSES("[limits]\nlease = 12x\n", "\"12x\" is no number");
	again();
	REFUSES("[limits]\nlease = -1\n", "is no number");
	again();
	REFUSES("[limits]\nlease = 99999999999999999999\n", "is no number");
	again();
	REFUSES("[limits]\nlease = 99999999999999999G\n", "is no number");
}
END_TEST

START_TEST(says_the_range_of_a_limit)
{
	REFUSES("[limits]\nlease = 1\n", "possible are 8 to 65536");
}
END_TEST

START_TEST(refuses_unknown_sections_even_empty_ones)
{
	REFUSES("[limit]\n", "t.conf:1: unknown section \"limit\"; did you mean \"limits\"?");
	again();
	REFUSES("[limits]\nlease = 9\n[socke]\nmode = 0600\n", "t.conf:3: unknown section");
}
END_TEST

START_TEST(refuses_a_name_without_section)
{
	REFUSES("lease = 9\n", "t.conf:1: \"lease\" is in no section");
}
END_TEST

START_TEST(refuses_a_name_given_twice)
{
	REFUSES("[limits]\nlease = 9\nlease = 10\n", "t.conf:3: \"lease\" is given twice");
	again();
	REFUSES("[limits]\nlease = 9\n  10\n", "t.conf:3:"); /* a continued line */
}
END_TEST

START_TEST(refuses_lines_that_are_nothing)
{
	REFUSES("[limits]\nlease\n", "t.conf:2: not understood");
	again();
	REFUSES("[limits\nlease = 9\n", "t.conf:1: not understood");
}
END_TEST

START_TEST(refuses_lines_that_are_too_long)
{
	char text[1024] = "[limits]\nlease = ";

	memset(text + strlen(text), '1', 500);
	REFUSES(text, "t.conf:2: the line has more than");
}
END_TEST

START_TEST(reads_the_modules_to_start_with)
{
	ACCEPTS("");
	ck_assert_ptr_null(config.modules[0]);
	again();
	ACCEPTS("[modules]\nstart = openssl, nettle multibuffer\n");
	ck_assert_str_eq(config.modules[0], "openssl");
	ck_assert_str_eq(config.modules[1], "nettle");
	ck_assert_str_eq(config.modules[2], "multibuffer");
	ck_assert_ptr_null(config.modules[3]);
	again();
	REFUSES("[modules]\nstart = ../openssl\n", "no module name");
	again();
	REFUSES("[modules]\nstart = a b c d e f g h i\n", "at most 8 modules");
	again();
	REFUSES("[modules]\nstart =\n", "needs a module name");
	again();
	REFUSES("[modules]\nstrat = openssl\n", "did you mean \"start\"?");
}
END_TEST

START_TEST(reads_the_sockets_access)
{
	ACCEPTS("[socket]\nmode = 0660\ngroup = root\noverflow-uid = yes\n");
	ck_assert_uint_eq(config.socket_mode, 0660);
	ck_assert_uint_eq(config.socket_group, 0);
	ck_assert(config.overflow_uid);
	again();
	REFUSES("[socket]\nmode = 0888\n", "no file mode");
	again();
	REFUSES("[socket]\ngroup = no-such-group-here\n", "there is no group");
	again();
	REFUSES("[socket]\noverflow-uid = perhaps\n", "neither yes nor no");
	again();
	REFUSES("[socket]\noverflow = yes\n", "did you mean \"overflow-uid\"?");
}
END_TEST

START_TEST(reads_keys_with_their_policy)
{
	const struct config_key *k;

	ACCEPTS("[key web]\nfile = web.pem\nuids = 0, 1000\ngids = root\nusage = sign, decrypt\n"
		"pkcs1-decrypt = yes\n[key disk]\nfile = /k/disk\niv-generated = on\nuids = "
		"root\n");
	ck_assert_uint_eq(config.n_keys, 2);
	k = &config.keys[0];
	ck_assert_str_eq(k->name, "web");
	ck_assert_str_eq(k->file, "/etc/kcf/web.pem");
	ck_assert_uint_eq(k->n_uids, 2);
	ck_assert_uint_eq(k->uids[1], 1000);
	ck_assert_uint_eq(k->n_gids, 1);
	ck_assert_uint_eq(k->usage, KCF_KEY_USE(KCF_OP_SIGN) | KCF_KEY_USE(KCF_OP_DECRYPT));
	ck_assert(k->pkcs1_decrypt && !k->iv_generated);
	ck_assert_str_eq(config.keys[1].file, "/k/disk");
	ck_assert(config.keys[1].iv_generated);
}
END_TEST

START_TEST(finds_key_files_among_the_credentials)
{
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/kcfd", 1);
	ACCEPTS("[key web]\nfile = web.pem\nuids = 0\n");
	ck_assert_str_eq(config.keys[0].file, "/run/credentials/kcfd/web.pem");
}
END_TEST

START_TEST(refuses_keys_that_are_wrong)
{
	REFUSES("[key web]\nuids = 0\n[limits]\n", "t.conf:1: key \"web\" has no file");
	again();
	REFUSES("[key web]\nuids = 0\n", "has no file");
	again();
	REFUSES("[key web]\nfile = a\n", "nobody may use key \"web\"");
	again();
	REFUSES("[key a]\nfile = x\nuids = 0\n[key a]\nfile = y\n", "t.conf:4: there are two keys");
	again();
	REFUSES("[key]\nfile = x\n", "[key NAME]");
	again();
	REFUSES("[key a]\nfile = x\nusage = sing\n", "did you mean \"sign\"?");
	again();
	REFUSES("[key a]\nfile = x\nuids = nobody-of-this-name\n", "there is no user");
	again();
	REFUSES("[key a]\nfiel = x\n", "did you mean \"file\"?");
}
END_TEST

START_TEST(checks_that_limits_fit_together)
{
	struct limits l;

	limits_init(&l);
	ck_assert(config_check_limits(&l, err, sizeof(err)));
	l.connections = l.software_queue / 16 + 1;
	ck_assert(!config_check_limits(&l, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "software_queue"));
}
END_TEST

static const char *write_file(const char *text, mode_t mode)
{
	static char path[64];
	FILE *out;

	out = fopen(test_tmp_path("kcfd.conf", path, sizeof(path)), "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

START_TEST(reads_a_file_that_only_its_owner_can_write)
{
	const char *path = write_file("[limits]\nlease = 77\n", 0644);

	ck_assert_msg(config_read(&config, path, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(config.limits.lease, 77);
	unlink(path);
}
END_TEST

START_TEST(refuses_a_file_that_others_can_write)
{
	const char *path = write_file("[limits]\nlease = 77\n", 0664);

	ck_assert(!config_read(&config, path, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "others could have written it"));
	unlink(path);
}
END_TEST

START_TEST(says_which_file_is_missing)
{
	ck_assert(!config_read(&config, "/nowhere/kcfd.conf", err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "/nowhere/kcfd.conf: No such file"));
	ck_assert(!config_read(&config, "/dev/null", err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "not a regular file"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, takes_an_empty_file_as_defaults);
	tcase_add_test(t, reads_limits_with_suffixes);
	tcase_add_test(t, says_line_and_nearest_name_of_an_unknown_limit);
	tcase_add_test(t, refuses_numbers_that_are_none);
	tcase_add_test(t, says_the_range_of_a_limit);
	tcase_add_test(t, refuses_unknown_sections_even_empty_ones);
	tcase_add_test(t, refuses_a_name_without_section);
	tcase_add_test(t, refuses_a_name_given_twice);
	tcase_add_test(t, refuses_lines_that_are_nothing);
	tcase_add_test(t, refuses_lines_that_are_too_long);
	tcase_add_test(t, reads_the_modules_to_start_with);
	tcase_add_test(t, reads_the_sockets_access);
	tcase_add_test(t, reads_keys_with_their_policy);
	tcase_add_test(t, finds_key_files_among_the_credentials);
	tcase_add_test(t, refuses_keys_that_are_wrong);
	tcase_add_test(t, checks_that_limits_fit_together);
	tcase_add_test(t, reads_a_file_that_only_its_owner_can_write);
	tcase_add_test(t, refuses_a_file_that_others_can_write);
	tcase_add_test(t, says_which_file_is_missing);
	suite_add_tcase(s, t);
	return test_main(s);
}
