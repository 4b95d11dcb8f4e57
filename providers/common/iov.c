/* SPDX-License-Identifier: Apache-2.0 */
/* iov: see iov.h. No state of its own. Thread: any. */
#include "common/iov.h"

#include <string.h>

#define CHUNK 512 /* a multiple of BLOCK_MAX */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t cursor_run(struct cursor *c, uint8_t **ret)
{
	while (c->n_iov > 0 && c->off == c->iov->iov_len) {
		c->iov++;
		c->n_iov--;
		c->off = 0;
	}
	if (c->n_iov == 0)
		return 0;
	*ret = (uint8_t *)c->iov->iov_base + c->off;
	return c->iov->iov_len - c->off;
}

void cursor_skip(struct cursor *c, size_t len)
{
	c->off += len;
}

void cursor_forward(struct cursor *c, size_t len)
{
	uint8_t *at;
	size_t n;

	while (len > 0 && (n = cursor_run(c, &at)) > 0) {
		n = min_size(n, len);
		cursor_skip(c, n);
		len -= n;
	}
}

size_t cursor_read(struct cursor *c, void *dst, size_t len)
{
	uint8_t *to = dst, *from;
	size_t done = 0, n;

	while (done < len && (n = cursor_run(c, &from)) > 0) {
		n = min_size(n, len - done);
		memcpy(to + done, from, n);
		cursor_skip(c, n);
		done += n;
	}
	return done;
}

size_t cursor_write(struct cursor *c, const void *src, size_t len)
{
	const uint8_t *from = src;
	uint8_t *to;
	size_t done = 0, n;

	while (done < len && (n = cursor_run(c, &to)) > 0) {
		n = min_size(n, len - done);
		memcpy(to, from + done, n);
		cursor_skip(c, n);
		done += n;
	}
	return done;
}

void cursor_wipe(struct cursor *c, size_t len)
{
	uint8_t *at;
	size_t n;

	while (len > 0 && (n = cursor_run(c, &at)) > 0) {
		n = min_size(n, len);
		explicit_bzero(at, n);
		cursor_skip(c, n);
		len -= n;
	}
}

void walk(struct cursor *in, struct cursor *out, size_t len, size_t block, walk_fn *fn, void *arg)
{
	uint8_t seam[BLOCK_MAX], *src = NULL, *dst = NULL;
	size_t n;

	while (len > 0) {
		n = min_size(len, min_size(cursor_run(in, &src), cursor_run(out, &dst)));
		if (n < len)
			n -= n % block;
		if (n > 0) {
			fn(arg, n, dst, src);
			cursor_skip(in, n);
			cursor_skip(out, n);
		} else {
			n = cursor_read(in, seam, min_size(len, block));
			fn(arg, n, seam, seam);
			cursor_write(out, seam, n);
		}
		len -= n;
	}
	explicit_bzero(seam, sizeof(seam));
}

/* Output runs up to a block ahead of the input it came from, so in place the next chunk is read
 * before this one is written. */
static void walk_ahead(struct carry *carry, struct cursor *in, struct cursor *out, size_t whole,
		       walk_fn *fn, void *arg)
{
	uint8_t cur[CHUNK], next[CHUNK];
	size_t n_cur = carry->len, n_next, n, left;

	memcpy(cur, carry->bytes, n_cur);
	n_cur += cursor_read(in, cur + n_cur, CHUNK - n_cur);
	carry->len = 0;
	do {
		n_next = cursor_read(in, next, CHUNK);
		n = min_size(n_cur, whole);
		if (n > 0) {
			fn(arg, n, cur, cur);
			cursor_write(out, cur, n);
			whole -= n;
		}
		left = n_cur - n;
		memcpy(carry->bytes, cur + n, left);
		carry->len = left;
		memcpy(cur, next, n_next);
		n_cur = n_next;
	} while (left == 0 && n_cur > 0);
	explicit_bzero(cur, sizeof(cur));
	explicit_bzero(next, sizeof(next));
}

void walk_carry(struct carry *carry, struct cursor *in, struct cursor *out, size_t len,
		size_t block, walk_fn *fn, void *arg)
{
	size_t total = carry->len + len, whole = total - total % block;

	if (carry->len > 0 && whole > 0) {
		walk_ahead(carry, in, out, whole, fn, arg);
		return;
	}
	walk(in, out, whole, block, fn, arg);
	carry->len += cursor_read(in, carry->bytes + carry->len, len - whole);
}
