/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - the client's half of the memory shared with kcfd: segments, and the allocator inside
 * them.
 *
 * A segment is a memfd made by kcfd, or made here and offered to it: what is sent behind the offer may
 * use it before kcfd has answered, and fails if the answer is a refusal. Pages from 4 KiB up are runs of a page map, smaller pieces are
 * blocks of one page by size class; all bookkeeping is private memory, so that nothing written into
 * a segment can mislead the allocator. What may still be written after a lost connection is marked
 * lost and never handed out again. Any thread; one lock, the innermost one.
 */
#pragma once

#include <pthread.h>
#include "pending.h"
#include "wire/codec.h"

#define ARENA_SEGMENTS  64u
#define ARENA_PAGE      4096u
#define ARENA_MIN_BLOCK 64u
#define ARENA_OFFERS    4u /* not answered yet, at a time */

struct arena_page;

struct segment {
	uint8_t *base;
	size_t size;
	int fd;
	bool attached; /* number is kcfd's, on the present connection */
	bool offered;  /* number is ours, and kcfd has not answered the offer */
	enum kcf_status refusal; /* what it answered, if not SUCCESS */
	uint32_t number;
	uint64_t offer_id; /* request id of an offer under way, 0 = none */
	size_t n_used;     /* pages not free, lost ones among them */
	size_t n_lost;     /* pages with something lost */
	size_t hint;       /* page from which to look */
	struct arena_page *pages;
};

/* What arena_find needs of a segment. */
struct arena_place {
	uintptr_t base;
	size_t size;
	uint32_t number;
};

/* Attached segments in which nothing is lost, for readers without the lock: seq is odd while they
 * change, and all members are atomic. */
struct arena_map {
	uint32_t seq, n;
	struct arena_place places[ARENA_SEGMENTS];
};

struct arena {
	pthread_mutex_t lock;
	struct segment *segments[ARENA_SEGMENTS];
	unsigned n_segments;
	struct arena_map map;
	bool refused; /* the last offer, and nothing was given back since */
};

/* Where something is. */
struct arena_spot {
	uint32_t segment;
	uint64_t offset;
};

/* Where one piece is, without the lock; async-signal-safe. False: not known this way. */
static inline bool arena_find(const struct arena *a, const void *p, size_t len,
			      struct arena_spot *ret)
{
	const struct arena_map *m = &a->map;
	uint32_t seq = __atomic_load_n(&m->seq, __ATOMIC_ACQUIRE);
	uint32_t n = __atomic_load_n(&m->n, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < n; i++) {
		const struct arena_place *s = &m->places[i];
		uintptr_t at = (uintptr_t)p - __atomic_load_n(&s->base, __ATOMIC_RELAXED);
		size_t size = __atomic_load_n(&s->size, __ATOMIC_RELAXED);

		if (at >= size || len > size - at)
			continue;
		ret->segment = __atomic_load_n(&s->number, __ATOMIC_RELAXED);
		ret->offset = at;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		return !(seq & 1) && __atomic_load_n(&m->seq, __ATOMIC_RELAXED) == seq;
	}
	return false;
}

/* Odd while segments change, another number after. */
static inline uint32_t arena_seq(const struct arena *a)
{
	return __atomic_load_n(&a->map.seq, __ATOMIC_ACQUIRE);
}

void arena_init(struct arena *a);
void arena_deinit(struct arena *a);
/* In a child after fork: the mappings are not there. Takes no inherited lock. */
void arena_forget(struct arena *a);

/* Map a segment of kcfd's (takes fd). The memfd must be sealed against shrinking and as large as
 * said. */
enum kcf_status arena_add(struct arena *a, int fd, size_t size, uint32_t number);
/* Make a segment, to be offered by request offer_id, with a number kcfd itself gives to none.
 * *ret_fd is the caller's. KCF_BUSY: enough offers wait for an answer. */
enum kcf_status arena_make(struct arena *a, size_t size, uint64_t offer_id, uint32_t *ret_number,
			   int *ret_fd);
/* NULL: no attached segment has room, nor, if those will do, one that is offered. */
void *arena_alloc(struct arena *a, size_t len, bool offered);
/* Was an offer refused, and has no memory been given back since? */
bool arena_is_refused(struct arena *a);
/* Why kcfd does not have the segment p is in; KCF_SUCCESS: it has, or never was asked. */
enum kcf_status arena_refusal(struct arena *a, const void *p);
/* How large a new segment had better be to hold len; 0 = no more segments. */
size_t arena_growth(struct arena *a, size_t len);
/* KCF_NOT_FOUND for what is no buffer, or is in a segment kcfd refused. *ret_drop: number of a segment
 * that was given back and is to be freed in kcfd; 0 = none. */
enum kcf_status arena_free(struct arena *a, void *p, uint32_t *ret_drop);
/* KCF_SUCCESS, KCF_BUFFER_LOST, KCF_NOT_FOUND. */
enum kcf_status arena_status(struct arena *a, const void *p);
/* Are all pieces in attached segments and not lost? Then the ranges, adjacent ones joined. */
bool arena_ranges(struct arena *a, const struct iovec *v, unsigned n, struct wire_range *ret,
		  uint32_t *ret_n);
/* Whatever lies under these pieces may still change. */
void arena_mark_lost(struct arena *a, const struct iovec *v, unsigned n);

/* Connection gone: no segment is attached. */
void arena_detach(struct arena *a);
/* An offer was answered. False: with another number than frames already sent say. */
bool arena_attach(struct arena *a, uint64_t offer_id, enum kcf_status status, uint32_t number);
