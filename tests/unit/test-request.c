/* SPDX-License-Identifier: Apache-2.0 */
/* A request's record and its states. */
#include "core/request.h"

#include <signal.h>
#include <string.h>
#include "core/request-pool.h"
#include "test-main.h"

START_TEST(a_record_is_wiped_before_it_is_used_again)
{
	struct request *r = request_new(300);
	uint8_t *mem = r->mem;

	ck_assert_uint_eq((uintptr_t)mem % 8, 0);
	memset(mem, 0xa5, 300);
	request_free(r);
	r = request_new(300);
	ck_assert_ptr_eq(r->mem, mem); /* the warmest first */
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(r->mem[i], 0);
	request_free(r);
	r = request_new(100000);
	ck_assert_ptr_nonnull(r);
	request_free(r);
	ck_assert_ptr_null(request_new(SIZE_MAX - 10));
}
END_TEST

START_TEST(a_held_record_stays_after_it_was_freed)
{
	struct request *r = request_new(64), *other;

	request_hold(r);
	request_set_state(r, REQUEST_WAITING);
	request_set_state(r, REQUEST_RUNNING);
	request_set_state(r, REQUEST_DONE);
	request_free(r);
	r->mem[0] = 1;
	other = request_new(64);
	ck_assert_ptr_ne(other, r);
	request_unhold(r);
	request_free(other);
}
END_TEST

START_TEST(a_finished_request_does_not_run_again)
{
	struct request *r = request_new(64);

	request_set_state(r, REQUEST_WAITING);
	request_set_state(r, REQUEST_DONE);
	request_set_state(r, REQUEST_RUNNING); /* asserts */
}
END_TEST

START_TEST(a_waiting_request_is_not_freed)
{
	struct request *r = request_new(64);

	request_set_state(r, REQUEST_WAITING);
	request_free(r); /* asserts */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tc = tcase_create("request");

	tcase_add_test(tc, a_record_is_wiped_before_it_is_used_again);
	tcase_add_test(tc, a_held_record_stays_after_it_was_freed);
	tcase_add_test_raise_signal(tc, a_finished_request_does_not_run_again, SIGABRT);
	tcase_add_test_raise_signal(tc, a_waiting_request_is_not_freed, SIGABRT);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
