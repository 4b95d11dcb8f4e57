/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: the lanes of an instance.
 *
 * A slot is a pointer that is only exchanged: who gets a pointer owns the lanes. A thread begins at
 * a slot of its own, so that it finds what it gave back, still in its cache; without any it makes
 * new ones, so there come to be as many as threads were ever at work at once. No lock, and nobody
 * waits: a signal handler may interrupt a thread that has lanes. Thread: any.
 */
#include "mb.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	if (l->narrow && l->narrow != l->wide)
		free_mb_mgr(l->narrow);
	if (l->wide)
		free_mb_mgr(l->wide);
	explicit_bzero(l, offsetof(struct lanes, scratch));
	free(l);
}

/* Few hashes are faster in the two lanes of the SHA extensions, which the library uses with short
 * vectors alone, than in a vector mostly empty. */
static bool narrow_new(const struct mb *mb, struct lanes *l)
{
	l->narrow = l->wide;
	if (!mb->is_auto || !(l->wide->features & IMB_FEATURE_SHANI))
		return true;
	l->narrow = alloc_mb_mgr(0);
	if (!l->narrow)
		return false;
	init_mb_mgr_sse(l->narrow);
	return imb_get_errno(l->narrow) == 0;
}

static struct lanes *lanes_new(const struct mb *mb)
{
	struct lanes *l = aligned_alloc(64, sizeof(*l));

	if (!l)
		return NULL;
	memset(l, 0, offsetof(struct lanes, scratch)); /* which is large, and written first */
	l->wide = alloc_mb_mgr(0);
	if (l->wide) {
		mb->init(l->wide);
		if (imb_get_errno(l->wide) == 0 && narrow_new(mb, l))
			return l;
	}
	lanes_free(l);
	return NULL;
}

static unsigned first_slot(void)
{
	return (unsigned)((uintptr_t)pthread_self() * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

struct lanes *lanes_take(struct mb *mb)
{
	unsigned first = first_slot();

	for (unsigned i = 0; i < POOL_SLOTS; i++) {
		struct lanes **slot = &mb->pool[(first + i) % POOL_SLOTS].lanes;
		struct lanes *l;

		if (!__atomic_load_n(slot, __ATOMIC_RELAXED))
			continue;
		/* pairs with the exchange in lanes_give() */
		l = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQUIRE);
		if (l)
			return l;
	}
	return lanes_new(mb);
}

void lanes_give(struct mb *mb, struct lanes *l)
{
	unsigned first = first_slot();

	explicit_bzero(l->scratch, l->n_scratch);
	l->n_scratch = 0;
	for (unsigned i = 0; i < POOL_SLOTS; i++) {
		struct lanes *none = NULL;

		if (__atomic_compare_exchange_n(&mb->pool[(first + i) % POOL_SLOTS].lanes, &none, l,
						false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return;
	}
	lanes_free(l);
}

void pool_deinit(struct mb *mb)
{
	for (unsigned i = 0; i < POOL_SLOTS; i++)
		lanes_free(mb->pool[i].lanes);
}
