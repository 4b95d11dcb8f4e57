/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator inside shared segments: alignment, reuse, ranges, lost memory. */
#include "arena.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "test-main.h"

#define MIB (1u << 20)

static struct arena a;

static void setup(void)
{
	arena_init(&a);
}

static void teardown(void)
{
	arena_deinit(&a);
}

static int segment_fd(size_t size, int seals)
{
	int fd = memfd_create("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void add(size_t size, uint32_t number)
{
	ck_assert_int_eq(arena_add(&a, segment_fd(size, F_SEAL_SHRINK | F_SEAL_GROW), size, number),
			 KCF_SUCCESS);
}

static void put_back(void *p)
{
	uint32_t drop;

	ck_assert_int_eq(arena_free(&a, p, &drop), KCF_SUCCESS);
}

START_TEST(has_nothing_without_segments)
{
	ck_assert_ptr_null(arena_alloc(&a, 64, false));
	ck_assert_uint_ge(arena_growth(&a, 64), 64);
}
END_TEST

START_TEST(refuses_a_segment_that_could_shrink)
{
	ck_assert_int_ne(arena_add(&a, segment_fd(MIB, F_SEAL_GROW), MIB, 1), KCF_SUCCESS);
	ck_assert_ptr_null(arena_alloc(&a, 64, false));
}
END_TEST

START_TEST(refuses_a_segment_shorter_than_said)
{
	ck_assert_int_ne(arena_add(&a, segment_fd(4096, F_SEAL_SHRINK | F_SEAL_GROW), 8192, 1),
			 KCF_SUCCESS);
}
END_TEST

START_TEST(aligns_to_pages_and_to_64_bytes)
{
	static const size_t lens[] = {1, 63, 64, 65, 1000, 2048, 2049, 4095, 4096, 4097, 100000};

	add(MIB, 1);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *p = arena_alloc(&a, lens[i], false);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % (lens[i] >= 4096 ? 4096 : 64), 0);
		memset(p, 0xff, lens[i]);
	}
}
END_TEST

static bool is_all(const uint8_t *p, uint8_t value, size_t len)
{
	return p[0] == value && memcmp(p, p + 1, len - 1) == 0;
}

START_TEST(never_overlaps)
{
	static uint8_t *p[512];
	static size_t len[512];
	unsigned seed = 1;

	add(4 * MIB, 1);
	for (int round = 0; round < 4000; round++) {
		seed = seed * 1103515245 + 12345;
		int i = (int)(seed >> 16) % 512;

		if (p[i]) {
			ck_assert(is_all(p[i], (uint8_t)i, len[i]));
			put_back(p[i]);
			p[i] = NULL;
		} else {
			len[i] = 1 + (seed >> 8) % (round % 7 ? 3000 : 40000);
			p[i] = arena_alloc(&a, len[i], false);
			if (p[i])
				memset(p[i], (uint8_t)i, len[i]);
		}
	}
}
END_TEST

START_TEST(reuses_what_is_freed)
{
	void *p;

	add(MIB, 1);
	for (int i = 0; i < 100; i++) {
		p = arena_alloc(&a, MIB, false);
		ck_assert_ptr_nonnull(p);
		ck_assert_ptr_null(arena_alloc(&a, 64, false));
		put_back(p);
	}
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(arena_alloc(&a, 64, false));
}
END_TEST

START_TEST(fills_a_page_with_small_blocks)
{
	uint8_t *first, *p;
	void *run;

	add(MIB, 1);
	first = arena_alloc(&a, 64, false);
	for (int i = 1; i < 64; i++) {
		p = arena_alloc(&a, 64, false);
		ck_assert_uint_lt((size_t)(p - first), 4096);
	}
	run = arena_alloc(&a, MIB - 4096, false);
	ck_assert_ptr_nonnull(run);
	ck_assert_ptr_null(arena_alloc(&a, 64, false));
}
END_TEST

START_TEST(knows_its_buffers)
{
	uint8_t *p, *q;
	uint32_t drop;

	add(MIB, 1);
	p = arena_alloc(&a, 5000, false);
	q = arena_alloc(&a, 100, false);
	ck_assert_int_eq(arena_status(&a, p), KCF_SUCCESS);
	ck_assert_int_eq(arena_status(&a, q), KCF_SUCCESS);
	ck_assert_int_eq(arena_status(&a, p + 1), KCF_NOT_FOUND);
	ck_assert_int_eq(arena_status(&a, p + 4096), KCF_NOT_FOUND);
	ck_assert_int_eq(arena_status(&a, q + 128), KCF_NOT_FOUND);
	ck_assert_int_eq(arena_status(&a, &a), KCF_NOT_FOUND);
	put_back(q);
	ck_assert_int_eq(arena_status(&a, q), KCF_NOT_FOUND);
	ck_assert_int_eq(arena_free(&a, q, &drop), KCF_NOT_FOUND);
}
END_TEST

START_TEST(names_ranges)
{
	struct wire_range r[WIRE_MAX_RANGES];
	uint8_t *p, *q, other[10];
	struct iovec v[3];
	uint32_t n;

	add(MIB, 7);
	add(MIB, 9);
	p = arena_alloc(&a, MIB, false);
	q = arena_alloc(&a, 8192, false);
	v[0] = (struct iovec){p + 10, 100};
	v[1] = (struct iovec){p + 110, 50}; /* adjacent: one range */
	v[2] = (struct iovec){q, 8192};
	ck_assert(arena_ranges(&a, v, 3, r, &n));
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(r[0].segment, 7);
	ck_assert_uint_eq(r[0].offset, 10);
	ck_assert_uint_eq(r[0].len, 150);
	ck_assert_uint_eq(r[1].segment, 9);
	ck_assert_uint_eq(r[1].len, 8192);
	v[1] = (struct iovec){other, sizeof(other)};
	ck_assert(!arena_ranges(&a, v, 3, r, &n));
	v[1] = (struct iovec){p + MIB - 5, 6};
	ck_assert(!arena_ranges(&a, v, 2, r, &n));
}
END_TEST

START_TEST(refuses_more_pieces_than_a_message_holds)
{
	struct wire_range r[WIRE_MAX_RANGES];
	struct iovec v[WIRE_MAX_RANGES + 1];
	uint8_t *p;
	uint32_t n;

	add(MIB, 7);
	p = arena_alloc(&a, MIB, false);
	for (unsigned i = 0; i <= WIRE_MAX_RANGES; i++)
		v[i] = (struct iovec){p + 100 * i, 10};
	ck_assert(arena_ranges(&a, v, WIRE_MAX_RANGES, r, &n));
	ck_assert(!arena_ranges(&a, v, WIRE_MAX_RANGES + 1, r, &n));
}
END_TEST

START_TEST(never_reuses_lost_memory)
{
	struct iovec run, block;
	uint8_t *p, *q, *again;
	struct wire_range r[WIRE_MAX_RANGES];
	uint32_t n;

	add(MIB, 1);
	p = arena_alloc(&a, MIB / 2, false);
	q = arena_alloc(&a, 100, false);
	run = (struct iovec){p + 5, 10};
	block = (struct iovec){q, 100};
	arena_mark_lost(&a, &run, 1);
	arena_mark_lost(&a, &block, 1);
	ck_assert_int_eq(arena_status(&a, p), KCF_BUFFER_LOST);
	ck_assert_int_eq(arena_status(&a, q), KCF_BUFFER_LOST);
	ck_assert(!arena_ranges(&a, &block, 1, r, &n));
	put_back(p);
	put_back(q);
	ck_assert_ptr_null(arena_alloc(&a, MIB / 2, false));
	for (int i = 0; i < 100; i++) {
		again = arena_alloc(&a, 100, false);
		ck_assert_ptr_ne(again, q);
		ck_assert(again < p || again >= p + MIB / 2);
	}
}
END_TEST

START_TEST(uses_attached_segments_only)
{
	struct wire_range r[WIRE_MAX_RANGES];
	struct iovec v;
	void *p;
	uint32_t n;

	add(MIB, 1);
	p = arena_alloc(&a, 100, false);
	v = (struct iovec){p, 100};
	arena_detach(&a);
	ck_assert_ptr_null(arena_alloc(&a, 100, false));
	ck_assert(!arena_ranges(&a, &v, 1, r, &n));
	ck_assert_int_eq(arena_status(&a, p), KCF_SUCCESS);
	a.segments[0]->offer_id = 5;
	ck_assert(arena_attach(&a, 5, KCF_SUCCESS, 42));
	ck_assert(arena_ranges(&a, &v, 1, r, &n));
	ck_assert_uint_eq(r[0].segment, 42);
}
END_TEST

START_TEST(gives_back_a_second_empty_segment)
{
	void *p, *q;
	uint32_t drop;

	add(MIB, 3);
	add(MIB, 4);
	p = arena_alloc(&a, MIB, false);
	q = arena_alloc(&a, MIB, false);
	ck_assert_int_eq(arena_free(&a, p, &drop), KCF_SUCCESS);
	ck_assert_uint_eq(drop, 0);
	ck_assert_int_eq(arena_free(&a, q, &drop), KCF_SUCCESS);
	ck_assert_uint_eq(drop, 4);
	ck_assert_uint_eq(a.n_segments, 1);
	ck_assert_ptr_nonnull(arena_alloc(&a, MIB, false));
}
END_TEST

START_TEST(what_is_offered_is_not_for_everybody)
{
	uint32_t number[2], n, drop;
	struct wire_range range;
	struct iovec v;
	int fd[2];

	ck_assert_int_eq(arena_make(&a, MIB, 5, &number[0], &fd[0]), KCF_SUCCESS);
	ck_assert_int_eq(arena_make(&a, MIB, 6, &number[1], &fd[1]), KCF_SUCCESS);
	ck_assert_uint_gt(number[0], ARENA_SEGMENTS);
	ck_assert_uint_gt(number[1], ARENA_SEGMENTS);
	ck_assert_uint_ne(number[0], number[1]);
	ck_assert_ptr_null(arena_alloc(&a, 100, false));
	v = (struct iovec){arena_alloc(&a, 100, true), 100};
	ck_assert_ptr_nonnull(v.iov_base);
	ck_assert(arena_ranges(&a, &v, 1, &range, &n));
	ck_assert_uint_eq(range.segment, number[0]);
	ck_assert(!arena_attach(&a, 6, KCF_SUCCESS, number[1] + 1));
	ck_assert(arena_attach(&a, 5, KCF_SUCCESS, number[0]));
	ck_assert(arena_ranges(&a, &v, 1, &range, &n));
	ck_assert_ptr_nonnull(arena_alloc(&a, 100, false));
	ck_assert_int_eq(arena_free(&a, v.iov_base, &drop), KCF_SUCCESS);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(what_is_refused_goes_with_its_last_buffer)
{
	uint32_t number, n, drop;
	struct wire_range range;
	struct iovec v;
	int fd;

	ck_assert_int_eq(arena_make(&a, MIB, 5, &number, &fd), KCF_SUCCESS);
	close(fd);
	v = (struct iovec){arena_alloc(&a, 100, true), 100};
	ck_assert(arena_attach(&a, 5, KCF_QUOTA_EXCEEDED, 0));
	ck_assert(arena_is_refused(&a));
	ck_assert_int_eq(arena_refusal(&a, v.iov_base), KCF_QUOTA_EXCEEDED);
	ck_assert(!arena_ranges(&a, &v, 1, &range, &n));
	ck_assert_ptr_null(arena_alloc(&a, 100, true));
	ck_assert_int_eq(arena_free(&a, v.iov_base, &drop), KCF_NOT_FOUND);
	ck_assert_uint_eq(drop, 0);
	ck_assert_uint_eq(a.n_segments, 0);
	ck_assert(arena_is_refused(&a)); /* nothing came back by that */
	ck_assert_int_eq(arena_make(&a, MIB, 6, &number, &fd), KCF_SUCCESS);
	close(fd);
	ck_assert(arena_attach(&a, 6, KCF_QUOTA_EXCEEDED, 0)); /* in use by nobody: gone at once */
	ck_assert_uint_eq(a.n_segments, 0);
}
END_TEST

START_TEST(not_too_many_are_offered_at_a_time)
{
	uint32_t number;
	int fd;

	for (unsigned i = 1; i <= ARENA_OFFERS; i++) {
		ck_assert_int_eq(arena_make(&a, 4096, i, &number, &fd), KCF_SUCCESS);
		close(fd);
	}
	ck_assert_int_eq(arena_make(&a, 4096, 99, &number, &fd), KCF_BUSY);
	ck_assert(arena_attach(&a, 1, KCF_SUCCESS, ARENA_SEGMENTS + 1));
	ck_assert_int_eq(arena_make(&a, 4096, 99, &number, &fd), KCF_SUCCESS);
	close(fd);
}
END_TEST

START_TEST(a_limit_on_file_sizes_makes_no_segment)
{
	struct rlimit limit = {4096, RLIM_INFINITY};
	uint32_t number;
	int fd;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(arena_make(&a, 8192, 1, &number, &fd), KCF_HOST_MEMORY);
	ck_assert_int_eq(arena_make(&a, 4096, 1, &number, &fd), KCF_SUCCESS);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("arena");
	TCase *tc = tcase_create("arena");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, has_nothing_without_segments);
	tcase_add_test(tc, refuses_a_segment_that_could_shrink);
	tcase_add_test(tc, refuses_a_segment_shorter_than_said);
	tcase_add_test(tc, aligns_to_pages_and_to_64_bytes);
	tcase_add_test(tc, never_overlaps);
	tcase_add_test(tc, reuses_what_is_freed);
	tcase_add_test(tc, fills_a_page_with_small_blocks);
	tcase_add_test(tc, knows_its_buffers);
	tcase_add_test(tc, names_ranges);
	tcase_add_test(tc, refuses_more_pieces_than_a_message_holds);
	tcase_add_test(tc, never_reuses_lost_memory);
	tcase_add_test(tc, uses_attached_segments_only);
	tcase_add_test(tc, gives_back_a_second_empty_segment);
	tcase_add_test(tc, what_is_offered_is_not_for_everybody);
	tcase_add_test(tc, what_is_refused_goes_with_its_last_buffer);
	tcase_add_test(tc, not_too_many_are_offered_at_a_time);
	tcase_add_test(tc, a_limit_on_file_sizes_makes_no_segment);
	suite_add_tcase(s, tc);
	return test_main(s);
}
