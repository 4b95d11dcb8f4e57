/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arena.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "api/conn.h"

#define PAGE_BYTES    4096u
#define SEGMENT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- the quota ---- */

enum kcf_status arena_charge(struct conn *c, uint64_t size)
{
	enum kcf_status status;

	if (size == 0)
		return KCF_ARGUMENTS_BAD;
	if (size > core_limits(c->api->core)->segment_max)
		return KCF_QUOTA_EXCEEDED;
	if (c->segments.n >= ARENA_SEGMENTS || c->credit.share->n_segments >= ARENA_USER_SEGMENTS ||
	    c->api->n_segments >= ARENA_ALL_SEGMENTS)
		return KCF_QUOTA_EXCEEDED;
	status = consumer_charge(c->consumer, CHARGE_ARENA, size);
	if (status != KCF_SUCCESS)
		return status;
	c->api->n_segments++;
	c->credit.share->n_segments++;
	return KCF_SUCCESS;
}

/* The share is still there: a segment outlives its connection only with a request that holds
 * credits. */
void arena_uncharge(struct conn *c, uint64_t size)
{
	consumer_uncharge(c->consumer, CHARGE_ARENA, size);
	c->api->n_segments--;
	c->credit.share->n_segments--;
}

/* ---- segments ---- */

static void segment_unref(struct segment *s)
{
	if (--s->refs)
		return;
	munmap(s->base, s->size);
	arena_uncharge(s->conn, s->size);
	conn_unpin(s->conn);
	free(s);
}

/* The smallest: entries of a ring name segments by 8 bits. */
static uint32_t free_number(const struct conn *c)
{
	uint32_t number = 1;

	while (idmap_find(&c->segments, number))
		number++;
	return number;
}

/* Map fd and give it a number; what is charged is given back if that fails. */
static enum kcf_status segment_add(struct conn *c, int fd, uint64_t size, uint32_t number)
{
	struct segment *s = calloc(1, sizeof(*s));
	void *base = MAP_FAILED;

	if (s)
		base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED || !idmap_add(&c->segments, number, s)) {
		if (base != MAP_FAILED)
			munmap(base, size);
		free(s);
		arena_uncharge(c, size);
		return KCF_HOST_MEMORY;
	}
	*s = (struct segment){.conn = c, .base = base, .size = size, .refs = 1};
	conn_pin(c);
	return KCF_SUCCESS;
}

static int make_memfd(uint64_t size)
{
	int fd = memfd_create("kcf-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SEGMENT_SEALS) == 0)
		return fd;
	close(fd);
	return -1;
}

enum kcf_status arena_new(struct conn *c, uint64_t size, uint32_t *ret_number, uint64_t *ret_size,
			  int *ret_fd)
{
	uint32_t number = free_number(c);
	enum kcf_status status;
	int fd;

	if (size > core_limits(c->api->core)->segment_max)
		return KCF_QUOTA_EXCEEDED;
	size = (size + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	status = arena_charge(c, size);
	if (status != KCF_SUCCESS)
		return status;
	fd = make_memfd(size);
	if (fd < 0) {
		arena_uncharge(c, size);
		return KCF_HOST_MEMORY;
	}
	status = segment_add(c, fd, size, number);
	if (status != KCF_SUCCESS) {
		close(fd);
		return status;
	}
	*ret_number = number;
	*ret_size = size;
	*ret_fd = fd;
	return KCF_SUCCESS;
}

/* Only memory that nobody can take away under us: anything else could fault when it is read. */
static bool is_sealed_memory(int fd, uint64_t size)
{
	struct statfs fs;
	struct stat st;
	int seals;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (uint64_t)st.st_size != size || size % PAGE_BYTES)
		return false;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SEGMENT_SEALS) == SEGMENT_SEALS;
}

enum kcf_status arena_offer(struct conn *c, int fd, uint64_t size, uint32_t number,
			    uint32_t *ret_number)
{
	enum kcf_status status = KCF_ARGUMENTS_BAD;

	if (number == 0 || idmap_find(&c->segments, number))
		number = free_number(c);
	if (is_sealed_memory(fd, size))
		status = arena_charge(c, size);
	if (status == KCF_SUCCESS)
		status = segment_add(c, fd, size, number);
	close(fd);
	if (status == KCF_SUCCESS)
		*ret_number = number;
	return status;
}

void arena_free(struct conn *c, uint32_t number)
{
	struct segment *s = idmap_remove(&c->segments, number);

	if (s)
		segment_unref(s);
}

void arena_close(struct conn *c)
{
	uint64_t number;

	while (idmap_any(&c->segments, &number))
		arena_free(c, (uint32_t)number);
	idmap_deinit(&c->segments);
}

/* ---- ranges ---- */

void arena_hold(struct arena_use *use, struct segment *s)
{
	for (uint32_t i = 0; i < use->n; i++) {
		if (use->segments[i] == s)
			return;
	}
	s->refs++;
	use->segments[use->n++] = s;
}

enum kcf_status arena_ranges(struct conn *c, const struct wire_range *ranges, uint32_t n,
			     struct arena_use *use, struct iovec *iov, size_t *ret_len)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct wire_range *r = &ranges[i];
		struct segment *s = idmap_find(&c->segments, r->segment);

		if (!s || r->offset > s->size || r->len > s->size - r->offset)
			return KCF_ARGUMENTS_BAD;
		if (__builtin_add_overflow(sum, r->len, &sum))
			return KCF_BUFFER_TOO_BIG;
		arena_hold(use, s);
		iov[i] = (struct iovec){s->base + r->offset, r->len};
	}
	*ret_len = sum;
	return KCF_SUCCESS;
}

void arena_release(struct arena_use *use)
{
	while (use->n)
		segment_unref(use->segments[--use->n]);
}
