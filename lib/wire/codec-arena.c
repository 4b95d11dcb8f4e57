/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one decoded message: a bump allocator with a budget of bytes and of allocations, handed to
 * protobuf-c as its allocator. What protobuf-c frees stays where it is until reset wipes it all, so a message
 * can neither make us allocate more than the budget nor leave key bytes behind. The pages are kept out of core dumps.
 */
#include "codec-priv.h"

#include <string.h>
#include <sys/mman.h>

void codec_init(struct codec_arena *arena)
{
	memset(arena, 0, sizeof(*arena));
}

void codec_reset(struct codec_arena *arena)
{
	if (arena->high)
		explicit_bzero(arena->mem, arena->high);
	arena->used = arena->high = 0;
	arena->n_allocs = 0;
}

void codec_deinit(struct codec_arena *arena)
{
	codec_reset(arena);
	if (arena->mem)
		munmap(arena->mem, CODEC_ARENA_SIZE);
	arena->mem = NULL;
}

static bool arena_map(struct codec_arena *arena)
{
	void *mem = mmap(NULL, CODEC_ARENA_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return false;
	madvise(mem, CODEC_ARENA_SIZE, MADV_DONTDUMP);
	arena->mem = mem;
	return true;
}

void *codec_alloc(struct codec_arena *arena, size_t len)
{
	void *p;

	if (!arena->mem && !arena_map(arena))
		return NULL;
	if (len > CODEC_ARENA_SIZE || arena->n_allocs >= CODEC_MAX_ALLOCS)
		return NULL;
	len = (len + 7) & ~(size_t)7;
	if (len > CODEC_ARENA_SIZE - arena->used)
		return NULL;
	p = arena->mem + arena->used;
	arena->used += len;
	arena->high = arena->used;
	arena->n_allocs++;
	return p;
}

static void *pb_alloc(void *arena, size_t len)
{
	return codec_alloc(arena, len);
}

static void pb_free(void *arena, void *p)
{
}

ProtobufCMessage *codec_unpack(struct codec_arena *arena, const ProtobufCMessageDescriptor *d,
			       const uint8_t *buf, size_t len)
{
	ProtobufCAllocator allocator = {pb_alloc, pb_free, arena};

	return protobuf_c_message_unpack(d, &allocator, len, buf);
}
