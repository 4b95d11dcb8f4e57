/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iov: reading and writing scattered bytes in order.
 *
 * A cursor walks an iovec array. walk() feeds a cipher that wants whole blocks from scattered input
 * to scattered output, directly where both sides are in one piece and through a small buffer on the
 * stack where a block crosses a seam. walk_carry() does the same for a multi-part operation, which
 * keeps the bytes of an unfinished block from call to call. Both allow output over input.
 */
#ifndef PROVIDERS_IOV_H
#define PROVIDERS_IOV_H

#include <stdint.h>
#include <sys/uio.h>

struct cursor {
	const struct iovec *iov;
	uint32_t n_iov;
	size_t off; /* in iov[0] */
};

static inline struct cursor cursor_at(const struct iovec *iov, uint32_t n_iov)
{
	struct cursor c = {iov, n_iov, 0};
	return c;
}

/* Bytes in one piece at the cursor; 0 at the end. */
size_t cursor_run(struct cursor *c, uint8_t **ret);
/* Move on within the run. */
void cursor_skip(struct cursor *c, size_t len);
/* Move on over runs. */
void cursor_forward(struct cursor *c, size_t len);
/* Copy up to len bytes and move on; returns how many there were. */
size_t cursor_read(struct cursor *c, void *dst, size_t len);
size_t cursor_write(struct cursor *c, const void *src, size_t len);
/* Overwrite the next len bytes. */
void cursor_wipe(struct cursor *c, size_t len);

#define BLOCK_MAX 64

/* Transforms len bytes; dst and src are equal or disjoint; only the last call has a partial block.
 */
typedef void walk_fn(void *arg, size_t len, uint8_t *dst, const uint8_t *src);

/* Bytes of an unfinished block. */
struct carry {
	size_t len;
	uint8_t bytes[BLOCK_MAX];
};

/* len bytes, a partial block at the end included. block divides BLOCK_MAX. */
void walk(struct cursor *in, struct cursor *out, size_t len, size_t block, walk_fn *fn, void *arg);
/* As many whole blocks as the carry and in, which has len bytes left, give; the rest is carried. */
void walk_carry(struct carry *carry, struct cursor *in, struct cursor *out, size_t len,
		size_t block, walk_fn *fn, void *arg);

#endif
