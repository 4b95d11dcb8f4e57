/* SPDX-License-Identifier: Apache-2.0 */
/* direct-data - buffers of several pieces; the flat ones are in the header. */
#include "direct-data.h"

bool data_get_pieces(const struct kcf_data *d, struct data_iov *ret)
{
	size_t len = 0;

	if (d->n_iov > IOV_COUNT_MAX)
		return false;
	for (unsigned i = 0; i < d->n_iov; i++) {
		if (!d->iov[i].iov_base && d->iov[i].iov_len)
			return false;
		if (__builtin_add_overflow(len, d->iov[i].iov_len, &len))
			return false;
	}
	ret->iov = d->iov;
	ret->n = d->n_iov;
	ret->len = len;
	return true;
}

static bool pieces_overlap(const struct iovec *a, const struct iovec *b)
{
	uintptr_t p = (uintptr_t)a->iov_base, q = (uintptr_t)b->iov_base;

	return a->iov_len && b->iov_len && p < q + b->iov_len && q < p + a->iov_len;
}

/* Two pieces that overlap must hold the same bytes of the message at the same place. */
bool data_pieces_may_share(const struct data_iov *in, const struct data_iov *out)
{
	size_t in_at = 0;

	for (uint32_t i = 0; i < in->n; i++) {
		size_t out_at = 0;

		for (uint32_t j = 0; j < out->n; j++) {
			if (pieces_overlap(&in->iov[i], &out->iov[j]) &&
			    (uintptr_t)in->iov[i].iov_base - in_at !=
				    (uintptr_t)out->iov[j].iov_base - out_at)
				return false;
			out_at += out->iov[j].iov_len;
		}
		in_at += in->iov[i].iov_len;
	}
	return true;
}

bool data_disjoint(const struct data_iov *a, const struct data_iov *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t j = 0; j < b->n; j++)
			if (pieces_overlap(&a->iov[i], &b->iov[j]))
				return false;
	return true;
}
