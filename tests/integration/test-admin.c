/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's commands on a real core: what they show is what was done, what they change
 * takes effect. */
#include <kcf/provider.h>
#include <string.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;

static void setup(void)
{
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
}

static void teardown(void)
{
	harness_raw_close(&raw);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static enum kcf_status run(char **ret, const char *const words[])
{
	return harness_raw_admin(&raw, words, ret);
}

#define RUN(text, ...) run(text, (const char *const[]){__VA_ARGS__, NULL})

static void expect_in(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in %s", part, text);
}

/* Run a command that must succeed. */
#define DO(...)                                                                                    \
	do {                                                                                       \
		char *do_text;                                                                     \
		enum kcf_status do_status = RUN(&do_text, __VA_ARGS__);                            \
		ck_assert_msg(do_status == KCF_SUCCESS, "%s", do_text);                            \
		free(do_text);                                                                     \
	} while (0)

static struct wire_op_reply digest(uint64_t id, struct harness_frame *f)
{
	struct wire_op op = {
		.op = KCF_OP_DIGEST, .mech = KCF_M_SHA256, .in_len = 3, .out_room = 32};

	ck_assert(harness_raw_send_op(&raw, &op, id, "abc", 3));
	harness_raw_expect(&raw, FRAME_OP_REPLY, f);
	return f->msg.op_reply;
}

START_TEST(lists_providers_mechanisms_and_policy)
{
	char *text;

	ck_assert_uint_eq(RUN(&text, "list"), KCF_SUCCESS);
	expect_in(text, "\"openssl\"");
	ck_assert_ptr_null(strstr(text, "CKM_SHA256"));
	free(text);
	ck_assert_uint_eq(RUN(&text, "list", "mechanisms", "policy"), KCF_SUCCESS);
	expect_in(text, "CKM_SHA256");
	expect_in(text, "software_queue");
	expect_in(text, "frame_ms");
	free(text);
	ck_assert_uint_eq(RUN(&text, "list", "everything"), KCF_ARGUMENTS_BAD);
	expect_in(text, "everything");
	free(text);
}
END_TEST

START_TEST(counts_operations_exactly)
{
	struct harness_frame f;
	char *text;

	for (uint64_t i = 1; i <= 7; i++)
		ck_assert_uint_eq(digest(i, &f).status, KCF_SUCCESS);
	ck_assert_uint_eq(RUN(&text, "stats"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "completed"), 7);
	free(text);
	ck_assert_uint_eq(RUN(&text, "consumers"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "ops"), 7);
	ck_assert_uint_eq(harness_json_u64(text, "bytes"), 21);
	free(text);
}
END_TEST

START_TEST(shows_what_was_decided)
{
	struct harness_frame f;
	char *text;

	digest(41, &f);
	digest(42, &f);
	ck_assert_uint_eq(RUN(&text, "trace", "1"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "request"), 42);
	expect_in(text, "\"considered\"");
	expect_in(text, "\"caller\":[]");
	free(text);
	ck_assert_uint_eq(RUN(&text, "trace"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "request"), 41);
	free(text);
	ck_assert_uint_eq(RUN(&text, "trace", "some"), KCF_ARGUMENTS_BAD);
	free(text);
}
END_TEST

/* As the library does: a cell of the page, plain stores. */
static void work_in_caller(uint32_t row1)
{
	struct page_cell *cell = page_cell_take(raw.page);
	struct page_row *row = page_row(raw.page, cell, KCF_M_SHA256, row1);

	for (int i = 0; i < 5; i++)
		page_count(raw.page, cell, row, KCF_OP_DIGEST, KCF_SUCCESS, 100);
	page_cell_drop(cell);
}

START_TEST(shows_what_ran_in_the_callers_thread)
{
	char *text, *row;

	work_in_caller(1);
	ck_assert_uint_eq(RUN(&text, "stats"), KCF_SUCCESS);
	row = strstr(text, "\"place\":\"caller\"");
	ck_assert_msg(row != NULL, "no caller in %s", text);
	ck_assert_uint_eq(harness_json_u64(row, "ops"), 5);
	ck_assert_uint_eq(harness_json_u64(row, "bytes"), 500);
	free(text);
	ck_assert_uint_eq(RUN(&text, "trace"), KCF_SUCCESS);
	expect_in(text, "\"caller\":[{");
	expect_in(text, "\"status\":\"SUCCESS\"");
	free(text);
	ck_assert_uint_eq(RUN(&text, "stats"), KCF_SUCCESS); /* looking twice counts once */
	ck_assert_uint_eq(harness_json_u64(strstr(text, "\"place\":\"caller\""), "ops"), 5);
	free(text);
}
END_TEST

/* A second connection keeps the user's account. */
START_TEST(keeps_what_ran_in_the_callers_thread_when_the_client_is_gone)
{
	struct harness_raw gone = raw;
	uint64_t open = 0;
	char *text;

	work_in_caller(1);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
	harness_raw_close(&gone);
	for (int i = 0; i < 10000 && open != 1; i++) { /* until it has noticed */
		ck_assert_uint_eq(RUN(&text, "connections"), KCF_SUCCESS);
		open = harness_json_u64(text, "open");
		free(text);
	}
	ck_assert_uint_eq(RUN(&text, "consumers"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(text, "caller_ops"), 5);
	ck_assert_uint_eq(harness_json_u64(text, "caller_bytes"), 500);
	free(text);
	ck_assert_uint_eq(RUN(&text, "stats"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(strstr(text, "\"place\":\"caller\""), "ops"), 5);
	free(text);
}
END_TEST

START_TEST(believes_no_nonsense_in_a_page)
{
	struct page_cell *cell = &raw.page->cells[2];
	char *text;

	memset(cell, 0xff, sizeof(*cell));
	raw.page->cells[0].n_rows = 1;
	raw.page->cells[0].rows[0] =
		(struct page_row){.mech = 77777, .provider = 99, .ops = 3, .bytes = UINT64_MAX};
	ck_assert_uint_eq(RUN(&text, "stats"), KCF_SUCCESS);
	free(text);
	ck_assert_uint_eq(RUN(&text, "trace"), KCF_SUCCESS);
	free(text);
	harness_raw_check_service(&kcfd);
}
END_TEST

START_TEST(disables_and_enables_a_mechanism)
{
	struct harness_frame f;
	uint32_t before, after;

	before = digest(1, &f).provider;
	DO("disable", "openssl", "CKM_SHA256");
	after = digest(2, &f).provider;
	ck_assert(f.msg.op_reply.status != KCF_SUCCESS || after != before);
	DO("enable", "openssl", "CKM_SHA256");
	ck_assert_uint_eq(digest(3, &f).provider, before);
}
END_TEST

START_TEST(tells_clients_what_it_changed)
{
	struct harness_raw other;
	struct harness_frame f;

	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, NULL);
	DO("disable", "openssl", "CKM_SHA256");
	harness_raw_expect(&other, FRAME_EVENT, &f);
	ck_assert_uint_eq(f.msg.event.type, KCF_EVENT_MECH_REMOVED);
	ck_assert_str_eq(f.msg.event.mechanism, "CKM_SHA256");
	ck_assert_str_eq(f.msg.event.provider, "openssl");
	harness_raw_close(&other);
}
END_TEST

START_TEST(loads_and_unloads_a_provider)
{
	char *text;

	DO("load", "fault", "instance=one", "slots=3");
	ck_assert_uint_eq(RUN(&text, "list"), KCF_SUCCESS);
	expect_in(text, "\"one\"");
	free(text);
	DO("set", "one.slots", "5");
	DO("unload", "one");
	ck_assert_uint_eq(RUN(&text, "unload", "one"), KCF_NOT_FOUND);
	free(text);
	ck_assert_uint_ne(RUN(&text, "load", "no-such-module"), KCF_SUCCESS);
	ck_assert_uint_gt(strlen(text), 0);
	free(text);
	ck_assert_uint_eq(RUN(&text, "load", "fault", "nonsense"), KCF_ARGUMENTS_BAD);
	expect_in(text, "nonsense");
	free(text);
}
END_TEST

START_TEST(sets_limits_and_refuses_nonsense)
{
	char *text;

	DO("set", "aead_buffer", "8192");
	ck_assert_uint_eq(RUN(&text, "list", "policy"), KCF_SUCCESS);
	ck_assert_uint_eq(harness_json_u64(strstr(text, "\"aead_buffer\""), "value"), 8192);
	free(text);
	ck_assert_uint_ne(RUN(&text, "set", "aead_buffer", "-1"), KCF_SUCCESS);
	free(text);
	ck_assert_uint_ne(RUN(&text, "set", "aead_bufer", "8192"), KCF_SUCCESS);
	expect_in(text, "aead_buffer"); /* the nearest name */
	free(text);
	DO("set", "threshold", "CKM_SHA256", "100000");
	ck_assert_uint_ne(RUN(&text, "set", "threshold", "CKM_NOTHING", "1"), KCF_SUCCESS);
	free(text);
}
END_TEST

START_TEST(shows_and_cancels_a_request_by_connection_and_id)
{
	struct wire_op op = {.op = KCF_OP_DIGEST,
			     .mech = KCF_M_SHA256,
			     .in_len = 3,
			     .out_room = 32,
			     .preference = KCF_ONLY_PROVIDER,
			     .provider = "fault"};
	struct harness_frame f;
	struct harness_raw other;
	char *text, connection[32];

	DO("load", "fault", "gate=closed", "slots=1");
	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, NULL);
	harness_raw_send_op(&other, &op, 1001, "abc", 3);
	harness_raw_send_op(&other, &op, 1002, "abc", 3);
	do { /* until both have arrived */
		ck_assert_uint_eq(RUN(&text, "requests"), KCF_SUCCESS);
		if (strstr(text, "1001") && strstr(text, "1002"))
			break;
		free(text);
	} while (true);
	snprintf(connection, sizeof(connection), "%llu",
		 (unsigned long long)harness_json_u64(text, "connection"));
	free(text);
	ck_assert_uint_eq(RUN(&text, "cancel", "1002", "99"), KCF_NOT_FOUND);
	free(text);
	DO("cancel", "1002", connection);
	harness_raw_expect(&other, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 1002);
	ck_assert_uint_eq(f.msg.op_reply.status, KCF_CANCELED);
	DO("set", "fault.gate", "open");
	harness_raw_expect(&other, FRAME_OP_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 1001);
	harness_raw_close(&other);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin");
	TCase *t = tcase_create("admin");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, lists_providers_mechanisms_and_policy);
	tcase_add_test(t, counts_operations_exactly);
	tcase_add_test(t, shows_what_was_decided);
	tcase_add_test(t, shows_what_ran_in_the_callers_thread);
	tcase_add_test(t, keeps_what_ran_in_the_callers_thread_when_the_client_is_gone);
	tcase_add_test(t, believes_no_nonsense_in_a_page);
	tcase_add_test(t, disables_and_enables_a_mechanism);
	tcase_add_test(t, tells_clients_what_it_changed);
	tcase_add_test(t, loads_and_unloads_a_provider);
	tcase_add_test(t, sets_limits_and_refuses_nonsense);
	tcase_add_test(t, shows_and_cancels_a_request_by_connection_and_id);
	suite_add_tcase(s, t);
	return test_main(s);
}
