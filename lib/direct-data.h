/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-data - the caller's buffers as iovecs, and what may overlap what.
 *
 * Nothing is allocated: flat data becomes one iovec inside struct data_iov, others are used where
 * they are. Pure functions, any thread.
 */
#pragma once

#include <kcf/client.h>
#include "base/iov.h"

/* Borrowed from the caller; do not copy a filled one, iov may point inside. */
struct data_iov {
	const struct iovec *iov;
	uint32_t n;
	size_t len;
	struct iovec flat;
};

/* Everything one call reads and writes. */
struct call_io {
	struct data_iov in, out, check, mac;
};

/* data_get() of several pieces. */
bool data_get_pieces(const struct kcf_data *d, struct data_iov *ret);
/* data_may_share() of several pieces. */
bool data_pieces_may_share(const struct data_iov *in, const struct data_iov *out);
/* Do they share no byte? */
bool data_disjoint(const struct data_iov *a, const struct data_iov *b);

/* false: NULL where bytes are, too many pieces, lengths that overflow. No data is data of length 0.
 */
static inline bool data_get(const struct kcf_data *d, struct data_iov *ret)
{
	if (d && d->iov)
		return data_get_pieces(d, ret);
	ret->flat.iov_base = d ? d->base : NULL;
	ret->flat.iov_len = d ? d->len : 0;
	ret->iov = &ret->flat;
	ret->n = 1;
	ret->len = ret->flat.iov_len;
	return ret->flat.iov_base || !ret->len;
}

/* Output over its own input, byte for byte from the start, or elsewhere: the two shapes that work.
 */
static inline bool data_may_share(const struct data_iov *in, const struct data_iov *out)
{
	uintptr_t a = (uintptr_t)in->iov[0].iov_base, b = (uintptr_t)out->iov[0].iov_base;

	if (in->n != 1 || out->n != 1)
		return data_pieces_may_share(in, out);
	return a == b || a + in->len <= b || b + out->len <= a;
}
