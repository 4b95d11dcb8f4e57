/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iobuf - bytes between a socket and the frames: a queue in one piece of memory that is borrowed
 * from a small pool while there is something in it. So an idle connection owns no buffer. What is
 * read out is wiped when the memory is given back, since keys and plaintext pass through. Loop
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOBUF_SIZE (64u * 1024)
#define IOBUF_POOL 8

struct iobuf_pool {
	uint8_t *free[IOBUF_POOL];
	unsigned n;
};

struct iobuf {
	struct iobuf_pool *pool;
	uint8_t *mem;
	size_t room;
	size_t start, len; /* the bytes queued: mem + start, len */
	size_t high;       /* bytes of mem ever written, to be wiped */
};

void iobuf_pool_deinit(struct iobuf_pool *pool);
void iobuf_init(struct iobuf *b, struct iobuf_pool *pool);
/* Wipe and give the memory back; empty afterwards. */
void iobuf_reset(struct iobuf *b);
/* Memory for n more bytes behind those queued, or NULL: out of memory. The bytes may move. */
uint8_t *iobuf_reserve(struct iobuf *b, size_t n);
/* n of the reserved bytes are there now. */
void iobuf_commit(struct iobuf *b, size_t n);
/* n bytes at the front are done with. Keeps the memory. */
void iobuf_consume(struct iobuf *b, size_t n);

static inline uint8_t *iobuf_data(const struct iobuf *b)
{
	return b->mem + b->start;
}

/* Room behind the queued bytes. */
static inline size_t iobuf_space(const struct iobuf *b)
{
	return b->room - b->start - b->len;
}
