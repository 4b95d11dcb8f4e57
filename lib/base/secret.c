/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLAB_SIZE (64u * 1024)
#define CLASS_MIN 64u
#define CLASSES   9u /* 64 ... 16384; larger blocks get a mapping of their own */

/* In front of every block. */
struct block {
	struct block *next; /* while free */
	size_t size;        /* whole block with this header */
};

_Static_assert(sizeof(struct block) == 16, "blocks stay 16-aligned");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *free_blocks[CLASSES];
static bool unlocked;

static void *map_secret(size_t len)
{
	void *p = MAP_FAILED;
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)len) == 0)
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
#endif
	return p == MAP_FAILED ? NULL : p;
}

static void *map_pages(size_t len)
{
	void *p = map_secret(len);

	if (p)
		return p;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, len, MADV_DONTDUMP);
	if (mlock(p, len) < 0)
		__atomic_store_n(&unlocked, true, __ATOMIC_RELAXED);
	return p;
}

/* Class of a block of this whole size; CLASSES: too large for a slab. */
static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class < CLASSES && (size_t)CLASS_MIN << class < size)
		class ++;
	return class;
}

/* Cut a new slab into blocks of a class. Lock held. */
static bool slab_add(unsigned class)
{
	size_t size = (size_t)CLASS_MIN << class;
	uint8_t *slab = map_pages(SLAB_SIZE);

	if (!slab)
		return false;
	for (size_t at = 0; at + size <= SLAB_SIZE; at += size) {
		struct block *b = (struct block *)(slab + at);

		b->next = free_blocks[class];
		free_blocks[class] = b;
	}
	return true;
}

static struct block *block_large(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct block *b;

	size = (size + page - 1) / page * page;
	b = map_pages(size);
	if (b)
		b->size = size;
	return b;
}

void *secret_alloc(size_t len)
{
	struct block *b = NULL;
	unsigned class;

	if (len > SIZE_MAX / 2)
		return NULL;
	class = class_of(len + sizeof(*b));
	if (class == CLASSES) {
		b = block_large(len + sizeof(*b));
		return b ? b + 1 : NULL;
	}
	pthread_mutex_lock(&lock);
	if (free_blocks[class] || slab_add(class)) {
		b = free_blocks[class];
		free_blocks[class] = b->next;
		b->size = (size_t)CLASS_MIN << class;
	}
	pthread_mutex_unlock(&lock);
	return b ? b + 1 : NULL;
}

void secret_free(void *p)
{
	struct block *b;
	unsigned class;

	if (!p)
		return;
	b = (struct block *)p - 1;
	explicit_bzero(p, b->size - sizeof(*b));
	class = class_of(b->size);
	if (class == CLASSES) {
		munmap(b, b->size);
		return;
	}
	pthread_mutex_lock(&lock);
	b->next = free_blocks[class];
	free_blocks[class] = b;
	pthread_mutex_unlock(&lock);
}

bool secret_locked(void)
{
	return !__atomic_load_n(&unlocked, __ATOMIC_RELAXED);
}
