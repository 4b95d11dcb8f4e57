/* SPDX-License-Identifier: Apache-2.0 */
#include "pieces.h"

#include <stdlib.h>

bool pieces_init(struct pieces *p, const struct kcf_data *d, size_t max)
{
	unsigned i;

	if (!d || !d->iov) {
		size_t len = d ? d->len : 0;

		pieces_flat(p, d ? d->base : NULL, len < max ? len : max);
		return true;
	}
	p->v = p->inside;
	p->n = 0;
	p->len = 0;
	if (d->n_iov > PIECES_INSIDE) {
		p->v = calloc(d->n_iov, sizeof(*p->v));
		if (!p->v)
			return false;
	}
	for (i = 0; i < d->n_iov && p->len < max; i++) {
		size_t len = d->iov[i].iov_len;

		if (len > max - p->len)
			len = max - p->len;
		if (len == 0)
			continue;
		p->v[p->n++] = (struct iovec){d->iov[i].iov_base, len};
		p->len += len;
	}
	return true;
}

void pieces_deinit(struct pieces *p)
{
	if (p->v != p->inside)
		free(p->v);
	p->v = p->inside;
	p->n = 0;
	p->len = 0;
}
