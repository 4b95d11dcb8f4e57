/* SPDX-License-Identifier: Apache-2.0 */
/* The table of requests under way: ids, states, exactly one completion. */
#include "pending.h"

#include <string.h>
#include "test-main.h"

static struct pending_table t;

static void setup(void)
{
	pending_init(&t);
}

static void teardown(void)
{
	pending_deinit(&t);
}

static void callback(void *arg, const struct kcf_completion *completion)
{
}

static struct pending *open_one(void)
{
	struct pending *p = pending_new(&t, PENDING_OP);

	ck_assert_ptr_nonnull(p);
	pending_open(&t, p);
	return p;
}

START_TEST(finds_a_request_by_its_id)
{
	struct pending *a = open_one(), *b = open_one();

	ck_assert_uint_ne(a->id, 0);
	ck_assert_uint_ne(a->id, b->id);
	ck_assert_ptr_eq(pending_find(&t, a->id), a);
	ck_assert_ptr_eq(pending_find(&t, b->id), b);
	ck_assert_ptr_null(pending_find(&t, 0));
	ck_assert_ptr_null(pending_find(&t, UINT64_MAX));
}
END_TEST

START_TEST(does_not_find_a_request_that_is_not_sent)
{
	struct pending *p = pending_new(&t, PENDING_OP);

	ck_assert_uint_eq(p->id, 0);
	ck_assert_ptr_null(pending_find(&t, p->id));
	pending_free(&t, p);
}
END_TEST

START_TEST(never_gives_an_id_twice)
{
	struct pending *p = open_one();
	uint64_t old = p->id;

	for (int i = 0; i < 1000; i++) {
		uint64_t id = p->id;

		pending_complete(&t, p, KCF_SUCCESS);
		pending_free(&t, p);
		p = open_one();
		ck_assert_uint_ne(p->id, id);
		ck_assert_uint_ne(p->id, old);
		ck_assert_ptr_null(pending_find(&t, id));
	}
}
END_TEST

START_TEST(completes_once)
{
	struct pending *p = open_one();

	pending_set_callback(&t, p, callback, NULL);
	ck_assert(pending_complete(&t, p, KCF_FAILED));
	ck_assert(!pending_complete(&t, p, KCF_SUCCESS));
	ck_assert_int_eq(p->status, KCF_FAILED);
	ck_assert_ptr_eq(notice_pop(&t), &p->done);
	ck_assert_ptr_null(notice_pop(&t));
	pending_free(&t, p);
}
END_TEST

START_TEST(queues_no_notice_without_callback)
{
	struct pending *p = open_one();

	ck_assert(pending_complete(&t, p, KCF_SUCCESS));
	ck_assert_ptr_null(notice_pop(&t));
	pending_free(&t, p);
}
END_TEST

START_TEST(keeps_the_order_of_submission_and_of_notices)
{
	struct pending *p[3];

	for (int i = 0; i < 3; i++) {
		p[i] = open_one();
		pending_set_callback(&t, p[i], callback, NULL);
	}
	ck_assert_ptr_eq(t.first, p[0]);
	ck_assert_ptr_eq(t.first->next, p[1]);
	ck_assert_ptr_eq(t.last, p[2]);
	pending_complete(&t, p[1], KCF_SUCCESS);
	pending_complete(&t, p[0], KCF_SUCCESS);
	ck_assert_ptr_eq(t.first, p[2]);
	ck_assert_ptr_eq(notice_pop(&t)->pending, p[1]);
	ck_assert_ptr_eq(notice_pop(&t)->pending, p[0]);
	pending_free(&t, p[0]);
	pending_free(&t, p[1]);
}
END_TEST

START_TEST(opens_a_refused_request_again_under_another_id)
{
	struct pending *p = open_one();
	uint64_t id = p->id;

	pending_complete(&t, p, KCF_BUSY);
	pending_open(&t, p);
	ck_assert_uint_ne(p->id, id);
	ck_assert_ptr_null(pending_find(&t, id));
	ck_assert_ptr_eq(pending_find(&t, p->id), p);
}
END_TEST

START_TEST(holds_many_requests_and_counts_them)
{
	static struct pending *p[10000];

	for (int i = 0; i < 10000; i++) {
		p[i] = open_one();
		pending_set_callback(&t, p[i], callback, NULL);
	}
	ck_assert_uint_eq(t.n_open, 10000);
	ck_assert_uint_eq(t.n_async, 10000);
	for (int i = 0; i < 10000; i++)
		ck_assert_ptr_eq(pending_find(&t, p[i]->id), p[i]);
	for (int i = 9999; i >= 0; i--)
		pending_free(&t, p[i]);
	ck_assert_uint_eq(t.n_open, 0);
	ck_assert_uint_eq(t.n_async, 0);
	ck_assert_ptr_null(t.first);
}
END_TEST

START_TEST(keeps_messages_of_any_length)
{
	static uint8_t msg[1000], check[500];
	struct pending *p = open_one();

	memset(msg, 1, sizeof(msg));
	memset(check, 2, sizeof(check));
	ck_assert(pending_save(p, msg, 10, check, 5));
	ck_assert_ptr_eq(p->saved, p->saved_inside);
	ck_assert_uint_eq(p->saved[10], 2);
	pending_free(&t, p);
	p = open_one();
	ck_assert(pending_save(p, msg, sizeof(msg), check, sizeof(check)));
	ck_assert_ptr_ne(p->saved, p->saved_inside);
	ck_assert_mem_eq(p->saved, msg, sizeof(msg));
	ck_assert_mem_eq(p->saved + sizeof(msg), check, sizeof(check));
}
END_TEST

START_TEST(wipes_a_kept_message)
{
	struct pending *p = open_one();
	uint8_t zero[16] = {0};

	ck_assert(pending_save(p, (const uint8_t *)"0123456789abcdef", 16, NULL, 0));
	pending_free(&t, p);
	ck_assert_mem_eq(p->saved_inside, zero, 16);
}
END_TEST

START_TEST(copies_iovecs_up_to_a_limit)
{
	uint8_t a[4], b[4], c[4];
	struct iovec iov[3] = {{a, 4}, {b, 4}, {c, 4}};
	struct kcf_data d = kcf_iov(iov, 3);
	struct pieces p;

	ck_assert(pieces_init(&p, &d, 6));
	memset(iov, 0, sizeof(iov)); /* the caller's array may go */
	ck_assert_uint_eq(p.n, 2);
	ck_assert_uint_eq(p.len, 6);
	ck_assert_ptr_eq(p.v[1].iov_base, b);
	ck_assert_uint_eq(p.v[1].iov_len, 2);
	pieces_deinit(&p);
	ck_assert_uint_eq(p.len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pending");
	TCase *tc = tcase_create("pending");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, finds_a_request_by_its_id);
	tcase_add_test(tc, does_not_find_a_request_that_is_not_sent);
	tcase_add_test(tc, never_gives_an_id_twice);
	tcase_add_test(tc, completes_once);
	tcase_add_test(tc, queues_no_notice_without_callback);
	tcase_add_test(tc, keeps_the_order_of_submission_and_of_notices);
	tcase_add_test(tc, opens_a_refused_request_again_under_another_id);
	tcase_add_test(tc, holds_many_requests_and_counts_them);
	tcase_add_test(tc, keeps_messages_of_any_length);
	tcase_add_test(tc, wipes_a_kept_message);
	tcase_add_test(tc, copies_iovecs_up_to_a_limit);
	suite_add_tcase(s, tc);
	return test_main(s);
}
