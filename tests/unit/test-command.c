/* SPDX-License-Identifier: Apache-2.0 */
/* Administration: commands, answers, who may. */
#include <string.h>
#include "api-world.h"

/* ---- administration ---- */

static enum kcf_status admin(const char *command, const char *const *args, unsigned n,
			     struct harness_frame *f)
{
	struct wire_msg m = {.type = FRAME_ADMIN};

	m.admin.command = command;
	for (unsigned i = 0; i < n; i++)
		m.admin.args[i] = args[i];
	m.admin.n_args = n;
	send_msg(&m, 12);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, f);
	return f->msg.admin_reply.status;
}

START_TEST(answers_commands_with_json)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("list", (const char *const[]){"mechanisms"}, 1, &f), KCF_SUCCESS);
	ck_assert_uint_gt(f.h.payload_len, 0);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "list mechanisms", 15));
	ck_assert_uint_eq(admin("trace", NULL, 0, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "caller", 6));
	ck_assert_uint_eq(admin("connections", NULL, 0, &f), KCF_SUCCESS);
	ck_assert_ptr_nonnull(memmem(f.payload, f.h.payload_len, "\"raw\"", 5));
}
END_TEST

START_TEST(says_what_is_wrong_with_a_command)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("lst", NULL, 0, &f), KCF_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(f.msg.admin_reply.error, "lst"));
	ck_assert_uint_eq(admin("unload", NULL, 0, &f), KCF_ARGUMENTS_BAD);
	ck_assert_ptr_nonnull(strstr(f.msg.admin_reply.error, "unload INSTANCE"));
	ck_assert_uint_eq(admin("unload", (const char *const[]){"x"}, 1, &f), KCF_NOT_FOUND);
	ck_assert_str_eq(f.msg.admin_reply.error, "there is no such provider");
}
END_TEST

START_TEST(refuses_limits_that_do_not_fit_together)
{
	struct harness_frame f;

	ck_assert_uint_eq(admin("set", (const char *const[]){"connections", "16"}, 2, &f),
			  KCF_SUCCESS);
	ck_assert_uint_eq(fake.limits.connections, 16);
	ck_assert_uint_eq(admin("set", (const char *const[]){"connections", "60000"}, 2, &f),
			  KCF_ARGUMENTS_BAD);
	ck_assert_uint_eq(fake.limits.connections, 16);
}
END_TEST

START_TEST(cancels_a_request_for_the_administrator)
{
	struct wire_op op = digest_op();
	struct harness_frame f;

	harness_raw_send_op(&raw, &op, 31, "abc", 3);
	wait_request();
	ck_assert_uint_eq(admin("cancel", (const char *const[]){"32"}, 1, &f), KCF_NOT_FOUND);
	struct wire_msg m = {.type = FRAME_ADMIN};
	m.admin.command = "cancel";
	m.admin.args[0] = "31";
	m.admin.n_args = 1;
	send_msg(&m, 13);
	ck_assert_uint_eq(expect_op(31, &f).status, KCF_CANCELED);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, &f);
	ck_assert_uint_eq(f.msg.admin_reply.status, KCF_SUCCESS);
}
END_TEST

START_TEST(refuses_commands_of_other_users)
{
	struct harness_frame f;

	harness_raw_close(&raw);
	connect_raw(&raw, geteuid() + 12345);
	harness_raw_hello(&raw, NULL);
	ck_assert_uint_eq(admin("stats", NULL, 0, &f), KCF_PERMISSION_DENIED);
	ck_assert_uint_eq(f.h.payload_len, 0);
}
END_TEST

START_TEST(answers_load_when_the_module_is_there)
{
	struct wire_msg m = {.type = FRAME_ADMIN};
	struct harness_frame f;

	m.admin.command = "load";
	m.admin.args[0] = "null";
	m.admin.n_args = 1;
	send_msg(&m, 20);
	for (int i = 0; i < 100 && !fake.load_done; i++)
		pump(NULL);
	ck_assert_uint_eq(admin("stats", NULL, 0, &f), KCF_SUCCESS); /* others are not held up */
	fake.load_done(fake.load_arg, KCF_SUCCESS, NULL);
	harness_raw_expect(&raw, FRAME_ADMIN_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 20);
	ck_assert_uint_eq(f.msg.admin_reply.status, KCF_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("command");
	TCase *t = tcase_create("served");

	tcase_add_checked_fixture(t, world_setup_served, world_teardown);
	tcase_add_test(t, answers_commands_with_json);
	tcase_add_test(t, says_what_is_wrong_with_a_command);
	tcase_add_test(t, refuses_limits_that_do_not_fit_together);
	tcase_add_test(t, cancels_a_request_for_the_administrator);
	tcase_add_test(t, refuses_commands_of_other_users);
	tcase_add_test(t, answers_load_when_the_module_is_there);
	suite_add_tcase(s, t);
	return test_main(s);
}
