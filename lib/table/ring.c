/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequence numbers and positions run through 32 bits; a place holds position + 1 only in the lap it
 * was published in. Going to sleep and ringing are the usual pair: each side writes its word, then
 * a full fence, then it reads the other's, so one of the two sees the other.
 */
#include "table/ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "table/shared.h"

static_assert(sizeof(struct ring_entry) == 64, "an entry is a cache line");
static_assert(sizeof(struct ring_extra) == sizeof(struct ring_entry), "a place is a place");
static_assert(sizeof(struct ring_done) == 16, "four completions in a cache line");
static_assert(offsetof(struct ring, taken) == 64 && offsetof(struct ring, done) == 128,
	      "as described");
static_assert(offsetof(struct ring, seen) == 192 && offsetof(struct ring, kcfd_sleeps) == 256,
	      "as described");
static_assert(offsetof(struct ring, client_sleeps) == 320 && offsetof(struct ring, entries) == 4096,
	      "as described");

#define PLACE(pos) ((pos) % RING_ENTRIES)

/* ---- the client's side ---- */

int ring_map(struct ring_client *rc, int fd)
{
	void *mem;
	int err = shared_map(fd, sizeof(struct ring), &mem);
	struct ring *r = err ? NULL : mem;

	*rc = (struct ring_client){0};
	if (err)
		return err;
	if (r->magic != RING_MAGIC || r->version != RING_VERSION || r->size < sizeof(*r) ||
	    r->n_entries != RING_ENTRIES || r->n_done != RING_COMPLETIONS) {
		munmap(r, sizeof(*r));
		return -EPROTO;
	}
	rc->r = r;
	return 0;
}

void ring_unmap(struct ring_client *rc)
{
	if (rc->r)
		munmap(rc->r, sizeof(*rc->r));
	rc->r = NULL;
}

/* n places in a row for this thread. False: kcfd has not taken so many yet. */
static bool claim(struct ring_client *rc, uint32_t n, uint32_t *ret)
{
	uint32_t at = __atomic_load_n(&rc->claimed, __ATOMIC_RELAXED);

	do {
		/* kcfd's word is on its way to and fro: look there only if the last look does not
		 * do. Acquire: what kcfd copied of a place was copied before we write there again;
		 * with release, for those who rely on this thread's look. */
		uint32_t taken = __atomic_load_n(&rc->taken, __ATOMIC_ACQUIRE);

		if (at + n - taken > RING_ENTRIES) {
			taken = __atomic_load_n(&rc->r->taken, __ATOMIC_ACQUIRE);
			__atomic_store_n(&rc->taken, taken, __ATOMIC_RELEASE);
		}
		if (at + n - taken > RING_ENTRIES)
			return false;
	} while (!__atomic_compare_exchange_n(&rc->claimed, &at, at + n, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	*ret = at;
	return true;
}

static void put_extra(struct ring *r, uint32_t at, const uint8_t *bytes, size_t len)
{
	for (; len > 0; at++) {
		struct ring_extra *x = (struct ring_extra *)&r->entries[PLACE(at)];
		size_t n = len < RING_EXTRA_BYTES ? len : RING_EXTRA_BYTES;

		memcpy(x->bytes, bytes, n);
		__atomic_store_n(&x->seq, at + 1, __ATOMIC_RELAXED);
		bytes += n;
		len -= n;
	}
}

bool ring_put(struct ring_client *rc, const struct ring_entry *e, const void *extra,
	      size_t extra_len)
{
	uint32_t n = (uint32_t)((extra_len + RING_EXTRA_BYTES - 1) / RING_EXTRA_BYTES), at;
	struct ring_entry *to;

	if (n > RING_EXTRA_MAX || !claim(rc, 1 + n, &at))
		return false;
	to = &rc->r->entries[PLACE(at)];
	memcpy((uint8_t *)to + sizeof(to->seq), (const uint8_t *)e + sizeof(e->seq),
	       sizeof(*e) - sizeof(e->seq));
	to->n_extra = (uint8_t)n;
	if (n)
		put_extra(rc->r, at + 1, extra, extra_len);
	/* release: pairs with ring_has_entry */
	__atomic_store_n(&to->seq, at + 1, __ATOMIC_RELEASE);
	return true;
}

bool ring_wants_bell(struct ring_client *rc)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&rc->r->kcfd_sleeps, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&rc->r->kcfd_sleeps, 0, __ATOMIC_RELAXED);
}

unsigned ring_reap(struct ring_client *rc, struct ring_done *ret, unsigned max)
{
	uint32_t seen = rc->seen, have = __atomic_load_n(&rc->r->done, __ATOMIC_ACQUIRE) - seen;
	unsigned n = have < max ? have : max;

	if (have > RING_COMPLETIONS)
		return max + 1;
	for (unsigned i = 0; i < n; i++)
		ret[i] = rc->r->completions[(seen + i) % RING_COMPLETIONS];
	/* release: what was copied was copied before kcfd writes there again */
	if (n) {
		__atomic_store_n(&rc->seen, seen + n, __ATOMIC_RELAXED);
		__atomic_store_n(&rc->r->seen, seen + n, __ATOMIC_RELEASE);
	}
	return n;
}

bool ring_sleep(struct ring_client *rc)
{
	__atomic_store_n(&rc->r->client_sleeps, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring_has_done(rc))
		return true;
	ring_awake(rc);
	return false;
}

void ring_awake(struct ring_client *rc)
{
	if (__atomic_load_n(&rc->r->client_sleeps, __ATOMIC_RELAXED))
		__atomic_store_n(&rc->r->client_sleeps, 0, __ATOMIC_RELAXED);
}

/* ---- kcfd's side ---- */

int ring_new(struct ring_server *rs, int *ret_fd)
{
	void *mem;
	int err = shared_new("kcf-ring", sizeof(struct ring), &mem, ret_fd);

	*rs = (struct ring_server){0};
	if (err)
		return err;
	rs->r = mem;
	rs->r->magic = RING_MAGIC;
	rs->r->version = RING_VERSION;
	rs->r->size = sizeof(struct ring);
	rs->r->n_entries = RING_ENTRIES;
	rs->r->n_done = RING_COMPLETIONS;
	rs->r->kcfd_sleeps = 1;
	return 0;
}

void ring_free(struct ring_server *rs)
{
	if (rs->r)
		munmap(rs->r, sizeof(*rs->r));
	rs->r = NULL;
}

bool ring_take(struct ring_server *rs, struct ring_entry *ret, uint8_t *extra)
{
	const struct ring *r = rs->r;

	if (rs->broken || !ring_has_entry(rs))
		return false;
	memcpy(ret, &r->entries[PLACE(rs->taken)], sizeof(*ret));
	__asm__ volatile("" : : "r"(ret) : "memory"); /* what is decided by is the copy */
	if (ret->n_extra > RING_EXTRA_MAX) {
		rs->broken = true;
		return false;
	}
	for (unsigned i = 0; i < ret->n_extra; i++) {
		const struct ring_extra *x =
			(const struct ring_extra *)&r->entries[PLACE(rs->taken + 1 + i)];

		memcpy(extra + (size_t)i * RING_EXTRA_BYTES, x->bytes, RING_EXTRA_BYTES);
	}
	__asm__ volatile("" : : "r"(extra) : "memory");
	rs->taken += 1u + ret->n_extra;
	return true;
}

void ring_taken(struct ring_server *rs)
{
	__atomic_store_n(&rs->r->taken, rs->taken, __ATOMIC_RELEASE);
}

/* The client's line is looked at only when what is known of it may not be enough. Acquire: what the
 * client has read it read before we write there again. */
static bool has_place(struct ring_server *rs)
{
	uint32_t seen;

	if (rs->done - rs->seen < RING_COMPLETIONS)
		return true;
	seen = __atomic_load_n(&rs->r->seen, __ATOMIC_ACQUIRE);
	if (rs->done - seen > RING_COMPLETIONS)
		rs->broken = true;
	else
		rs->seen = seen;
	return rs->done - rs->seen < RING_COMPLETIONS;
}

bool ring_answer(struct ring_server *rs, const struct ring_done *done)
{
	if (!has_place(rs) || rs->broken)
		return false;
	rs->r->completions[rs->done % RING_COMPLETIONS] = *done;
	rs->done++;
	return true;
}

bool ring_flush(struct ring_server *rs)
{
	__atomic_store_n(&rs->r->done, rs->done, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&rs->r->client_sleeps, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&rs->r->client_sleeps, 0, __ATOMIC_RELAXED);
}

bool ring_server_sleep(struct ring_server *rs)
{
	__atomic_store_n(&rs->r->kcfd_sleeps, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (rs->broken || !ring_has_entry(rs))
		return true;
	ring_server_awake(rs);
	return false;
}

void ring_server_awake(struct ring_server *rs)
{
	if (__atomic_load_n(&rs->r->kcfd_sleeps, __ATOMIC_RELAXED))
		__atomic_store_n(&rs->r->kcfd_sleeps, 0, __ATOMIC_RELAXED);
}
