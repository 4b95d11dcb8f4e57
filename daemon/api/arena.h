/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - segments of memory shared with a client, and ranges inside them.
 *
 * A segment is a memfd sealed against shrinking and growing, mapped whole, charged whole to the
 * consumer. kcfd keeps no allocation state: a range is checked against the segment and becomes an
 * iovec. A segment is unmapped when its number is free and the last request that uses it is done.
 * Loop thread; the bytes belong to the client.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <kcf/types.h>

#define ARENA_SEGMENTS      64u   /* per connection */
#define ARENA_USER_SEGMENTS 4096u /* per user: mappings are a resource of the process */
#define ARENA_ALL_SEGMENTS  32768u

struct conn;
struct wire_range;

struct segment {
	struct conn *conn; /* pinned */
	uint8_t *base;
	uint64_t size;
	uint32_t refs; /* its number, and each request that uses it */
};

/* A new segment of at least size bytes under the smallest number not in use. *ret_fd is the
 * caller's. */
enum kcf_status arena_new(struct conn *c, uint64_t size, uint32_t *ret_number, uint64_t *ret_size,
			  int *ret_fd);
/* Takes fd. number: the one wanted, kept if it is free. */
enum kcf_status arena_offer(struct conn *c, int fd, uint64_t size, uint32_t number,
			    uint32_t *ret_number);
/* Free the number. Unknown ones are ignored. */
void arena_free(struct conn *c, uint32_t number);
/* Of a connection that closes: free all numbers. */
void arena_close(struct conn *c);

/* The segments one request uses, each referenced once. */
struct arena_use {
	struct segment *
		*segments; /* room for ARENA_SEGMENTS or the number of ranges, what is less */
	uint32_t n;
};

/* Fill iov[0..n) from ranges; *ret_len: their sum. KCF_ARGUMENTS_BAD for one outside. What was
 * referenced before a failure stays in use and is released with it. */
enum kcf_status arena_ranges(struct conn *c, const struct wire_range *ranges, uint32_t n,
			     struct arena_use *use, struct iovec *iov, size_t *ret_len);
/* One more segment, if it is not among them. */
void arena_hold(struct arena_use *use, struct segment *s);
void arena_release(struct arena_use *use);

/* Charge shared memory of this size to the connection's user; and give that back. */
enum kcf_status arena_charge(struct conn *c, uint64_t size);
void arena_uncharge(struct conn *c, uint64_t size);
