/* SPDX-License-Identifier: Apache-2.0 */
/* test-page - the connection page: credits and cells, over kcfd's and a client's mapping. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "table/page.h"
#include "test-main.h"

static struct page *kcfd, *client;

static void setup(void)
{
	int fd;

	ck_assert_int_eq(page_new(42, &kcfd, &fd), 0);
	ck_assert_int_eq(page_map(fd, &client), 0);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}

static void teardown(void)
{
	page_unmap(kcfd);
	page_unmap(client);
}

START_TEST(both_sides_see_one_credit_word)
{
	ck_assert(!page_credit_take(client, 1));
	page_credit_give(kcfd, 8);
	ck_assert(page_credit_take(client, 5));
	ck_assert(!page_credit_take(client, 4));
	ck_assert_uint_eq(page_credit_reclaim(kcfd, 10), 3);
	ck_assert(!page_credit_take(client, 1));
	ck_assert_uint_eq(page_credit_reclaim(kcfd, 10), 0);
}
END_TEST

static void *take_credits(void *taken)
{
	while (page_credit_take(client, 1))
		++*(unsigned *)taken;
	return NULL;
}

START_TEST(no_credit_is_taken_twice)
{
	unsigned taken[4] = {0};
	pthread_t threads[4];

	page_credit_give(kcfd, 100000);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_credits, &taken[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(taken[0] + taken[1] + taken[2] + taken[3], 100000);
	ck_assert_uint_eq(kcfd->credit, 0);
}
END_TEST

START_TEST(size_cannot_be_changed)
{
	struct page *p;
	int fd;

	ck_assert_int_eq(page_new(1, &p, &fd), 0);
	ck_assert_int_lt(ftruncate(fd, 0), 0);
	ck_assert_int_lt(ftruncate(fd, 1 << 20), 0);
	close(fd);
	page_unmap(p);
}
END_TEST

START_TEST(refuses_a_page_that_could_shrink)
{
	struct page *p;
	int fd = memfd_create("p", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, sizeof(*p)), 0);
	ck_assert_int_eq(page_map(dup(fd), &p), -EPERM);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	ck_assert_int_eq(page_map(fd, &p), -EPROTO);
}
END_TEST

START_TEST(counts_of_a_thread_reach_kcfd)
{
	struct page_cell *c = page_cell_take(client);
	struct page_row *row = page_row(client, c, 96, 1);
	const struct page_cell *seen = &kcfd->cells[c - client->cells];

	page_count(client, c, row, KCF_OP_ENCRYPT, KCF_SUCCESS, 64);
	page_count(client, c, row, KCF_OP_DECRYPT, KCF_INVALID_MAC, 1ull << 33);
	page_sample(client, c, row, 300);
	ck_assert_uint_eq(seen->owner, (uint32_t)gettid());
	ck_assert_uint_eq(seen->n_rows, 1);
	ck_assert_uint_eq(seen->rows[0].mech, 96);
	ck_assert_uint_eq(seen->rows[0].provider, 1);
	ck_assert_uint_eq(seen->rows[0].ops, 2);
	ck_assert_uint_eq(seen->rows[0].bytes, 64 + (1ull << 33));
	ck_assert_uint_eq(seen->rows[0].errors, 1);
	ck_assert_uint_eq(seen->rows[0].sampled_ns, 300);
	ck_assert_uint_eq(seen->rows[0].samples, 1);
	ck_assert_uint_eq(seen->n_decisions, 2);
	ck_assert_uint_eq(seen->decisions[1].op, KCF_OP_DECRYPT);
	ck_assert_uint_eq(seen->decisions[1].status, KCF_INVALID_MAC);
	ck_assert_uint_eq(seen->decisions[1].bytes, UINT32_MAX);
	ck_assert_uint_eq(seen->decisions[1].seq, 1);
}
END_TEST

START_TEST(same_pair_has_one_row)
{
	struct page_cell *c = page_cell_take(client);
	struct page_row *a = page_row(client, c, 96, 1);

	ck_assert_ptr_ne(page_row(client, c, 96, 2), a);
	ck_assert_ptr_ne(page_row(client, c, 97, 1), a);
	ck_assert_ptr_eq(page_row(client, c, 96, 1), a);
}
END_TEST

START_TEST(pairs_beyond_the_rows_share_the_last)
{
	struct page_cell *c = page_cell_take(client);
	struct page_row *last = &c->rows[PAGE_ROWS - 1];

	for (uint32_t i = 1; i < PAGE_ROWS; i++)
		ck_assert_ptr_ne(page_row(client, c, i, 1), last);
	ck_assert_ptr_eq(page_row(client, c, 1000, 1), last);
	ck_assert_ptr_eq(page_row(client, c, 1001, 1), last);
	ck_assert_uint_eq(last->mech, 0);
}
END_TEST

START_TEST(decisions_keep_the_last_ones)
{
	struct page_cell *c = page_cell_take(client);
	struct page_row *row = page_row(client, c, 96, 1);

	for (unsigned i = 0; i < PAGE_DECISIONS + 3; i++)
		page_count(client, c, row, KCF_OP_ENCRYPT, KCF_SUCCESS, i);
	ck_assert_uint_eq(c->decisions[2].seq, PAGE_DECISIONS + 2);
	ck_assert_uint_eq(c->decisions[3].seq, 3);
}
END_TEST

START_TEST(dropped_cell_keeps_counts_for_the_next_thread)
{
	struct page_cell *c = page_cell_take(client);

	page_count(client, c, page_row(client, c, 96, 1), KCF_OP_ENCRYPT, KCF_SUCCESS, 1);
	page_cell_drop(c);
	ck_assert_ptr_eq(page_cell_take(client), c);
	ck_assert_uint_eq(page_row(client, c, 96, 1)->ops, 1);
}
END_TEST

static void *count_shared(void *cell)
{
	struct page_row *row = page_row(client, cell, 96, 1);

	for (int i = 0; i < 20000; i++)
		page_count(client, cell, row, KCF_OP_ENCRYPT, KCF_SUCCESS, 2);
	return NULL;
}

START_TEST(surplus_threads_share_the_last_cell_without_loss)
{
	pthread_t threads[4];
	struct page_cell *last = NULL;
	uint64_t ops = 0, bytes = 0;

	for (unsigned i = 0; i < PAGE_CELLS; i++)
		last = page_cell_take(client);
	ck_assert_ptr_eq(last, &client->cells[PAGE_CELLS - 1]);
	ck_assert_ptr_eq(page_cell_take(client), last);
	page_cell_drop(last);
	ck_assert_ptr_eq(page_cell_take(client), last);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_shared, last), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < PAGE_ROWS; i++) {
		ops += kcfd->cells[PAGE_CELLS - 1].rows[i].ops;
		bytes += kcfd->cells[PAGE_CELLS - 1].rows[i].bytes;
	}
	ck_assert_uint_eq(ops, 80000);
	ck_assert_uint_eq(bytes, 160000);
	ck_assert_uint_eq(last->n_decisions, 80000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("page");
	TCase *tc = tcase_create("page");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, both_sides_see_one_credit_word);
	tcase_add_test(tc, no_credit_is_taken_twice);
	tcase_add_test(tc, size_cannot_be_changed);
	tcase_add_test(tc, refuses_a_page_that_could_shrink);
	tcase_add_test(tc, counts_of_a_thread_reach_kcfd);
	tcase_add_test(tc, same_pair_has_one_row);
	tcase_add_test(tc, pairs_beyond_the_rows_share_the_last);
	tcase_add_test(tc, decisions_keep_the_last_ones);
	tcase_add_test(tc, dropped_cell_keeps_counts_for_the_next_thread);
	tcase_add_test(tc, surplus_threads_share_the_last_cell_without_loss);
	suite_add_tcase(s, tc);
	return test_main(s);
}
