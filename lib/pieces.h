/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces - an owned copy of an iovec array: where a request's payload is, after the call that gave
 * it returned.
 *
 * Short arrays live inside. No locking; one owner.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>
#include "base/iov.h"

#define PIECES_INSIDE 2u

struct pieces {
	struct iovec *v; /* inside, or on the heap */
	unsigned n;
	size_t len;
	struct iovec inside[PIECES_INSIDE];
};

/* Copy the array of d (NULL = nothing), at most max bytes of it. false: out of memory. p may not
 * move afterwards. */
bool pieces_init(struct pieces *p, const struct kcf_data *d, size_t max);
/* One flat piece. */
static inline void pieces_flat(struct pieces *p, void *base, size_t len)
{
	p->v = p->inside;
	p->inside[0] = (struct iovec){base, len};
	p->n = len ? 1 : 0;
	p->len = len;
}
void pieces_deinit(struct pieces *p);
