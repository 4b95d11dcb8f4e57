/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - one read-write memfd per connection, shared by kcfd and one client.
 *
 * Three parts on pages of their own: what kcfd advises (permissions), the credit word both sides change by
 * compare-and-swap, and cells the client writes: counts of what ran in the caller's threads. kcfd reads cells as
 * untrusted (saturating) and never decides by them. A cell belongs to one thread, plain stores by it alone; the
 * last cell is shared by surplus threads with atomics. A freed cell keeps its counts and the next thread adds to them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "table/table.h"

#define PAGE_MAGIC 0x3150434bu /* "KCP1" */
#define PAGE_VERSION 1
#define PAGE_CELLS 16
#define PAGE_ROWS 96	 /* (mechanism, provider) pairs per cell; the last is "all others" */
#define PAGE_DECISIONS 64
#define PAGE_SAMPLE 256	 /* one call in this many is timed */

struct page_row {
	uint32_t mech;	   /* kcfd's number; 0 with provider 0 = unused */
	uint32_t provider; /* table row + 1 */
	uint64_t ops, bytes, errors;
	uint64_t sampled_ns, samples;
	uint64_t reserved[2];
};

/* The last decisions of a thread, for kcfadm trace. */
struct page_decision {
	uint32_t mech;
	uint16_t provider; /* table row + 1 */
	uint8_t op;	   /* enum kcf_op */
	uint8_t status;
	uint32_t bytes; /* saturating */
	uint32_t seq;	/* running number, to see gaps */
};

/* Calls counted together. */
struct page_sum {
	uint64_t n, bytes, errors;
	enum kcf_status status; /* of the first that failed, or KCF_SUCCESS */
};

struct page_cell {
	uint32_t owner; /* thread id, 0 = free; taken by compare-and-swap */
	uint32_t n_rows;
	uint32_t n_decisions; /* running; the newest is at (n - 1) % PAGE_DECISIONS */
	uint32_t reserved[13];
	struct page_row rows[PAGE_ROWS];
	struct page_decision decisions[PAGE_DECISIONS];
};

struct page {
	/* written by kcfd */
	uint32_t magic, version;
	uint64_t size;
	uint64_t connection;
	uint64_t epoch; /* changes when permissions do */
	uint8_t denied[TABLE_MECHS / 8]; /* bit by table mech index: do not even try */
	uint8_t pad0[4096 - 32 - TABLE_MECHS / 8];
	/* written by both */
	uint64_t credit; /* units the client may take */
	uint8_t pad1[4096 - 8];
	/* written by the client */
	struct page_cell cells[PAGE_CELLS];
};

/* kcfd: make one, mapped; *ret_fd to be passed and closed. 0 or -errno. */
int page_new(uint64_t connection, struct page **ret, int *ret_fd);
/* Client: map what was received (takes fd). 0 or -errno. */
int page_map(int fd, struct page **ret);
void page_unmap(struct page *p);

/* Take n units; false if there are fewer. Any thread, either side. Pairs with page_credit_give. */
bool page_credit_take(struct page *p, uint32_t n);
void page_credit_give(struct page *p, uint32_t n);
/* kcfd: take back at most n; returns how many. */
uint32_t page_credit_reclaim(struct page *p, uint32_t n);

/* The calling thread's cell (owner = gettid), or the shared last one. */
struct page_cell *page_cell_take(struct page *p);
/* Free the cell for another thread; its counts stay. */
void page_cell_drop(struct page_cell *c);
/* Row of (mech, provider) in a cell, made if needed; the last row (mech 0, provider 0, always to be read) when
 * full. For the owner, in the shared cell for any thread. */
struct page_row *page_row(struct page *p, struct page_cell *c, uint32_t mech, uint32_t provider);
/* Count one finished call. */
void page_count(struct page *p, struct page_cell *c, struct page_row *row, unsigned op,
		enum kcf_status status, uint64_t bytes);
/* Count n calls of one kind that ran together: one decision, with their bytes and the status of one that failed. */
void page_count_many(struct page *p, struct page_cell *c, struct page_row *row, unsigned op,
		     const struct page_sum *sum);
/* Add one timed call (one in PAGE_SAMPLE). */
void page_sample(struct page *p, struct page_cell *c, struct page_row *row, uint64_t ns);
