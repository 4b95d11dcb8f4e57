/* SPDX-License-Identifier: Apache-2.0 */
#include "api/iobuf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void iobuf_pool_deinit(struct iobuf_pool *pool)
{
	while (pool->n)
		free(pool->free[--pool->n]);
}

void iobuf_init(struct iobuf *b, struct iobuf_pool *pool)
{
	*b = (struct iobuf){.pool = pool};
}

static void give_back(struct iobuf_pool *pool, uint8_t *mem, size_t room, size_t high)
{
	if (high)
		explicit_bzero(mem, high);
	if (room == IOBUF_SIZE && pool->n < IOBUF_POOL)
		pool->free[pool->n++] = mem;
	else
		free(mem);
}

void iobuf_reset(struct iobuf *b)
{
	if (b->mem)
		give_back(b->pool, b->mem, b->room, b->high);
	iobuf_init(b, b->pool);
}

static uint8_t *take(struct iobuf_pool *pool, size_t room)
{
	if (room == IOBUF_SIZE && pool->n)
		return pool->free[--pool->n];
	return malloc(room);
}

/* Bytes to the front; mem may be a new one. */
static void move_to(struct iobuf *b, uint8_t *mem, size_t room)
{
	uint8_t *old = b->mem;

	if (b->len)
		memmove(mem, b->mem + b->start, b->len);
	if (mem != old) {
		if (old)
			give_back(b->pool, old, b->room, b->high);
		b->mem = mem;
		b->room = room;
		b->high = b->len;
	}
	b->start = 0;
}

uint8_t *iobuf_reserve(struct iobuf *b, size_t n)
{
	size_t room = b->room ? b->room : IOBUF_SIZE;
	uint8_t *mem;

	if (b->mem && n <= iobuf_space(b))
		return b->mem + b->start + b->len;
	while (room < b->len + n)
		room *= 2;
	if (room == b->room) {
		move_to(b, b->mem, room);
	} else {
		mem = take(b->pool, room);
		if (!mem)
			return NULL;
		move_to(b, mem, room);
	}
	return b->mem + b->len;
}

void iobuf_commit(struct iobuf *b, size_t n)
{
	assert(n <= iobuf_space(b));
	b->len += n;
	if (b->start + b->len > b->high)
		b->high = b->start + b->len;
}

void iobuf_consume(struct iobuf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->start = b->len ? b->start + n : 0;
}
