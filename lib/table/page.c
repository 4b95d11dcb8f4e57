/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - the connection page: making, mapping, credits, and the client's cells.
 *
 * Counters of an owned cell are changed by plain loads and stores, those of the last cell by atomic
 * additions; both are relaxed, kcfd sums what it finds. Thread: any.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "table/page.h"
#include "table/shared.h"

#define PAGE_SHARED_CELL (PAGE_CELLS - 1)
#define PAGE_OTHERS      (PAGE_ROWS - 1)
#define OWNER_SHARED     UINT32_MAX

static_assert(offsetof(struct page, credit) == 4096, "kcfd's part is one page");
static_assert(offsetof(struct page, cells) == 8192, "the credit word has a page of its own");
static_assert(sizeof(struct page_cell) % 64 == 0, "cells share no cache line");

int page_new(uint64_t connection, struct page **ret, int *ret_fd)
{
	void *mem;
	int err = shared_new("kcf-page", sizeof(struct page), &mem, ret_fd);

	if (err)
		return err;
	*ret = mem;
	(*ret)->magic = PAGE_MAGIC;
	(*ret)->version = PAGE_VERSION;
	(*ret)->size = sizeof(struct page);
	(*ret)->connection = connection;
	return 0;
}

int page_map(int fd, struct page **ret)
{
	void *mem;
	int err = shared_map(fd, sizeof(struct page), &mem);
	struct page *p = err ? NULL : mem;

	if (err)
		return err;
	if (p->magic != PAGE_MAGIC || p->version != PAGE_VERSION || p->size < sizeof(*p)) {
		munmap(p, sizeof(*p));
		return -EPROTO;
	}
	*ret = p;
	return 0;
}

void page_unmap(struct page *p)
{
	if (p)
		munmap(p, sizeof(*p));
}

/* ---- credits ---- */

bool page_credit_take(struct page *p, uint32_t n)
{
	uint64_t have = __atomic_load_n(&p->credit, __ATOMIC_RELAXED);

	do {
		if (have < n)
			return false;
	} while (!__atomic_compare_exchange_n(&p->credit, &have, have - n, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

void page_credit_give(struct page *p, uint32_t n)
{
	__atomic_fetch_add(&p->credit, n, __ATOMIC_RELEASE);
}

uint32_t page_credit_reclaim(struct page *p, uint32_t n)
{
	uint64_t have = __atomic_load_n(&p->credit, __ATOMIC_RELAXED);
	uint32_t take;

	do {
		take = have < n ? (uint32_t)have : n;
	} while (!__atomic_compare_exchange_n(&p->credit, &have, have - take, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return take;
}

/* ---- cells ---- */

struct page_cell *page_cell_take(struct page *p)
{
	uint32_t tid = (uint32_t)gettid();
	struct page_cell *last = &p->cells[PAGE_SHARED_CELL];

	for (unsigned i = 0; i < PAGE_SHARED_CELL; i++) {
		uint32_t none = 0;

		/* Acquire: the counts of the thread that dropped it. Pairs with page_cell_drop().
		 */
		if (__atomic_compare_exchange_n(&p->cells[i].owner, &none, tid, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return &p->cells[i];
	}
	__atomic_store_n(&last->owner, OWNER_SHARED, __ATOMIC_RELAXED);
	return last;
}

void page_cell_drop(struct page_cell *c)
{
	if (__atomic_load_n(&c->owner, __ATOMIC_RELAXED) != OWNER_SHARED)
		__atomic_store_n(&c->owner, 0, __ATOMIC_RELEASE);
}

static bool cell_is_shared(const struct page *p, const struct page_cell *c)
{
	return c == &p->cells[PAGE_SHARED_CELL];
}

/* A new row's index, or PAGE_OTHERS. */
static uint32_t row_claim(struct page_cell *c)
{
	uint32_t n = __atomic_load_n(&c->n_rows, __ATOMIC_RELAXED);

	do {
		if (n >= PAGE_OTHERS)
			return PAGE_OTHERS;
	} while (!__atomic_compare_exchange_n(&c->n_rows, &n, n + 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return n;
}

struct page_row *page_row(struct page *p, struct page_cell *c, uint32_t mech, uint32_t provider)
{
	uint32_t n = __atomic_load_n(&c->n_rows, __ATOMIC_RELAXED);
	struct page_row *row;

	for (uint32_t i = 0; i < n && i < PAGE_OTHERS; i++) {
		row = &c->rows[i];
		if (__atomic_load_n(&row->mech, __ATOMIC_RELAXED) == mech &&
		    __atomic_load_n(&row->provider, __ATOMIC_RELAXED) == provider)
			return row;
	}
	n = row_claim(c);
	row = &c->rows[n];
	if (n == PAGE_OTHERS)
		return row;
	/* In the shared cell two threads may make the same pair twice; kcfd adds rows up, so
	 * nothing is lost. */
	__atomic_store_n(&row->provider, provider, __ATOMIC_RELAXED);
	__atomic_store_n(&row->mech, mech, __ATOMIC_RELAXED);
	return row;
}

static inline void count_add(uint64_t *word, uint64_t n, bool shared)
{
	if (shared)
		__atomic_fetch_add(word, n, __ATOMIC_RELAXED);
	else
		__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + n,
				 __ATOMIC_RELAXED);
}

/* Another process reads, in the shared cell other threads write: whole words, in any order. */
static inline void store32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void count_sum(struct page *p, struct page_cell *c, struct page_row *row, unsigned op,
			     const struct page_sum *sum)
{
	bool shared = cell_is_shared(p, c);
	struct page_decision *d;
	uint32_t seq;

	count_add(&row->ops, sum->n, shared);
	count_add(&row->bytes, sum->bytes, shared);
	if (sum->errors)
		count_add(&row->errors, sum->errors, shared);
	if (shared) {
		seq = __atomic_fetch_add(&c->n_decisions, 1, __ATOMIC_RELAXED);
	} else {
		seq = __atomic_load_n(&c->n_decisions, __ATOMIC_RELAXED);
		__atomic_store_n(&c->n_decisions, seq + 1, __ATOMIC_RELAXED);
	}
	d = &c->decisions[seq % PAGE_DECISIONS];
	store32(&d->mech, __atomic_load_n(&row->mech, __ATOMIC_RELAXED));
	__atomic_store_n(&d->provider, (uint16_t)__atomic_load_n(&row->provider, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&d->op, (uint8_t)op, __ATOMIC_RELAXED);
	__atomic_store_n(&d->status, (uint8_t)sum->status, __ATOMIC_RELAXED);
	store32(&d->bytes, sum->bytes < UINT32_MAX ? (uint32_t)sum->bytes : UINT32_MAX);
	store32(&d->seq, seq);
}

void page_count(struct page *p, struct page_cell *c, struct page_row *row, unsigned op,
		enum kcf_status status, uint64_t bytes)
{
	const struct page_sum one = {1, bytes, status != KCF_SUCCESS, status};

	count_sum(p, c, row, op, &one);
}

void page_count_many(struct page *p, struct page_cell *c, struct page_row *row, unsigned op,
		     const struct page_sum *sum)
{
	count_sum(p, c, row, op, sum);
}

void page_sample(struct page *p, struct page_cell *c, struct page_row *row, uint64_t ns)
{
	bool shared = cell_is_shared(p, c);

	count_add(&row->sampled_ns, ns, shared);
	count_add(&row->samples, 1, shared);
}
