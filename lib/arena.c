/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_CLASSES       6u /* 64, 128 ... 2048 */
#define FIRST_SEGMENT   (1u << 20)
#define LARGEST_SEGMENT (16u << 20)          /* unless a buffer needs more */
#define OWN_NUMBER      (ARENA_SEGMENTS + 1) /* the first that kcfd gives to no segment itself */
#define SEALS           (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

enum page_kind { PAGE_FREE = 0, PAGE_HEAD, PAGE_CONT, PAGE_BLOCKS };

struct arena_page {
	uint8_t kind;
	uint8_t class;       /* BLOCKS */
	bool lost;           /* HEAD: the run */
	bool freed;          /* HEAD: lost, and freed by its owner */
	uint32_t run;        /* HEAD: pages; CONT: distance to the head */
	uint64_t used, gone; /* BLOCKS: a bit per block */
};

void arena_init(struct arena *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
}

/* Read without the lock by arena_ranges: most clients have no segments. */
static void set_n_segments(struct arena *a, unsigned n)
{
	__atomic_store_n(&a->n_segments, n, __ATOMIC_RELAXED);
}

/* ---- for readers without the lock ---- */

#define SET(word, value) __atomic_store_n(word, value, __ATOMIC_RELAXED)

/* After any change. Locked. */
static void map_update(struct arena *a)
{
	struct arena_map *m = &a->map;
	uint32_t n = 0;

	SET(&m->seq, m->seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (unsigned i = 0; i < a->n_segments; i++) {
		const struct segment *s = a->segments[i];

		if (!s->attached || s->n_lost)
			continue;
		SET(&m->places[n].base, (uintptr_t)s->base);
		SET(&m->places[n].size, s->size);
		SET(&m->places[n].number, s->number);
		n++;
	}
	SET(&m->n, n);
	__atomic_store_n(&m->seq, m->seq + 1, __ATOMIC_RELEASE);
}

static void segment_free(struct segment *s, bool mapped)
{
	if (mapped)
		munmap(s->base, s->size);
	close(s->fd);
	free(s->pages);
	free(s);
}

static void drop_all(struct arena *a, bool mapped)
{
	unsigned i;

	for (i = 0; i < a->n_segments; i++)
		segment_free(a->segments[i], mapped);
	set_n_segments(a, 0);
	map_update(a);
}

void arena_deinit(struct arena *a)
{
	drop_all(a, true);
	pthread_mutex_destroy(&a->lock);
}

void arena_forget(struct arena *a)
{
	drop_all(a, false);
	arena_init(a);
}

static bool memfd_ok(int fd, size_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return size && size % ARENA_PAGE == 0 && seals >= 0 && (seals & F_SEAL_SHRINK) &&
	       fstat(fd, &st) == 0 && st.st_size >= 0 && (size_t)st.st_size >= size;
}

static struct segment *segment_new(int fd, size_t size)
{
	struct segment *s;

	if (!memfd_ok(fd, size))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->pages = calloc(size / ARENA_PAGE, sizeof(*s->pages));
	s->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!s->pages || s->base == MAP_FAILED) {
		if (s->base != MAP_FAILED)
			munmap(s->base, size);
		free(s->pages);
		free(s);
		return NULL;
	}
	madvise(s->base, size, MADV_DONTFORK);
	madvise(s->base, size, MADV_DONTDUMP);
	s->fd = fd;
	s->size = size;
	return s;
}

/* Takes s. Locked. */
static enum kcf_status insert(struct arena *a, struct segment *s)
{
	if (a->n_segments == ARENA_SEGMENTS) {
		segment_free(s, true);
		return KCF_HOST_MEMORY;
	}
	a->segments[a->n_segments] = s;
	set_n_segments(a, a->n_segments + 1);
	map_update(a);
	return KCF_SUCCESS;
}

enum kcf_status arena_add(struct arena *a, int fd, size_t size, uint32_t number)
{
	struct segment *s = segment_new(fd, size);
	enum kcf_status st;

	if (!s) {
		close(fd);
		return KCF_HOST_MEMORY;
	}
	s->attached = true;
	s->number = number;
	pthread_mutex_lock(&a->lock);
	st = insert(a, s);
	pthread_mutex_unlock(&a->lock);
	return st;
}

/* A memfd as kcfd would make it. A limit on file sizes is not to end the program. */
static int make_memfd(size_t size)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || size > limit.rlim_cur)
		return -1;
	fd = memfd_create("kcf-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool is_used(const struct arena *a, uint32_t number)
{
	for (unsigned i = 0; i < a->n_segments; i++)
		if (a->segments[i]->number == number)
			return true;
	return false;
}

static enum kcf_status insert_offered(struct arena *a, struct segment *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n_segments; i++)
		n += a->segments[i]->offered;
	if (n == ARENA_OFFERS) {
		segment_free(s, true);
		return KCF_BUSY;
	}
	s->offered = true;
	s->number = OWN_NUMBER;
	while (is_used(a, s->number))
		s->number++;
	return insert(a, s);
}

enum kcf_status arena_make(struct arena *a, size_t size, uint64_t offer_id, uint32_t *ret_number,
			   int *ret_fd)
{
	int fd = make_memfd(size), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct segment *s = copy < 0 ? NULL : segment_new(fd, size);
	enum kcf_status st;

	if (!s) {
		if (copy >= 0)
			close(copy);
		if (fd >= 0)
			close(fd);
		return KCF_HOST_MEMORY;
	}
	s->offer_id = offer_id;
	pthread_mutex_lock(&a->lock);
	st = insert_offered(a, s);
	if (st == KCF_SUCCESS)
		*ret_number = s->number;
	pthread_mutex_unlock(&a->lock);
	if (st == KCF_SUCCESS)
		*ret_fd = copy;
	else
		close(copy);
	return st;
}

/* ---- allocate ---- */

static size_t class_size(unsigned class)
{
	return (size_t)ARENA_MIN_BLOCK << class;
}

/* N_CLASSES: whole pages. */
static unsigned class_of(size_t len)
{
	unsigned c;

	for (c = 0; c < N_CLASSES && class_size(c) < len; c++)
		;
	return c;
}

static uint64_t all_blocks(unsigned class)
{
	size_t n = ARENA_PAGE / class_size(class);

	return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* First run of n free pages in [from, to); to = none. */
static size_t find_run(const struct segment *s, size_t from, size_t to, size_t n)
{
	size_t i = from, len = 0;

	while (i < to) {
		const struct arena_page *p = &s->pages[i];

		if (p->kind == PAGE_FREE) {
			if (++len == n)
				return i + 1 - n;
			i++;
			continue;
		}
		len = 0;
		i += p->kind == PAGE_HEAD ? p->run : 1;
	}
	return to;
}

static size_t take_run(struct segment *s, size_t n)
{
	size_t n_pages = s->size / ARENA_PAGE, at, i;

	at = find_run(s, s->hint, n_pages, n);
	if (at == n_pages)
		at = find_run(s, 0, n_pages, n);
	if (at == n_pages)
		return SIZE_MAX;
	s->pages[at] = (struct arena_page){.kind = PAGE_HEAD, .run = (uint32_t)n};
	for (i = 1; i < n; i++)
		s->pages[at + i] = (struct arena_page){.kind = PAGE_CONT, .run = (uint32_t)i};
	s->hint = at + n;
	s->n_used += n;
	return at;
}

static uint8_t *take_block_of(struct segment *s, size_t page)
{
	struct arena_page *p = &s->pages[page];
	uint64_t room = all_blocks(p->class) & ~(p->used | p->gone);
	unsigned bit;

	if (!room)
		return NULL;
	bit = (unsigned)__builtin_ctzll(room);
	p->used |= UINT64_C(1) << bit;
	return s->base + page * ARENA_PAGE + bit * class_size(p->class);
}

static uint8_t *take_block(struct segment *s, unsigned class)
{
	size_t i, n_pages = s->size / ARENA_PAGE;

	for (i = 0; i < n_pages; i++) {
		struct arena_page *p = &s->pages[i];

		if (p->kind == PAGE_BLOCKS && p->class == class) {
			uint8_t *b = take_block_of(s, i);

			if (b)
				return b;
		}
	}
	i = take_run(s, 1);
	if (i == SIZE_MAX)
		return NULL;
	s->pages[i] = (struct arena_page){.kind = PAGE_BLOCKS, .class = (uint8_t) class};
	return take_block_of(s, i);
}

void *arena_alloc(struct arena *a, size_t len, bool offered)
{
	size_t n = (len + ARENA_PAGE - 1) / ARENA_PAGE;
	unsigned class = class_of(len), i;
	void *ret = NULL;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < a->n_segments && !ret; i++) {
		struct segment *s = a->segments[i];

		if (!s->attached && !(offered && s->offered))
			continue;
		if (class < N_CLASSES) {
			ret = take_block(s, class);
		} else {
			size_t at = take_run(s, n);

			ret = at == SIZE_MAX ? NULL : s->base + at * ARENA_PAGE;
		}
	}
	pthread_mutex_unlock(&a->lock);
	return ret;
}

size_t arena_growth(struct arena *a, size_t len)
{
	size_t size = FIRST_SEGMENT;
	unsigned i;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < a->n_segments; i++) {
		if (a->segments[i]->size >= size)
			size = a->segments[i]->size * 2;
	}
	if (a->n_segments == ARENA_SEGMENTS)
		size = 0;
	pthread_mutex_unlock(&a->lock);
	if (size > LARGEST_SEGMENT)
		size = LARGEST_SEGMENT;
	return size && size < len ? len : size;
}

/* ---- find, free ---- */

static struct segment *find_segment(const struct arena *a, const void *p, size_t len)
{
	uintptr_t at = (uintptr_t)p;
	unsigned i;

	for (i = 0; i < a->n_segments; i++) {
		struct segment *s = a->segments[i];
		uintptr_t base = (uintptr_t)s->base;

		if (at >= base && at - base < s->size && len <= s->size - (at - base))
			return s;
	}
	return NULL;
}

/* The page that knows about the byte at p: the head of its run, or the page of its block. */
static struct arena_page *page_of(const struct segment *s, const void *p)
{
	size_t i = (size_t)((const uint8_t *)p - s->base) / ARENA_PAGE;

	if (s->pages[i].kind == PAGE_CONT)
		i -= s->pages[i].run;
	return &s->pages[i];
}

static uint64_t block_bit(const struct segment *s, const struct arena_page *page, const void *p)
{
	size_t in_page = (size_t)((const uint8_t *)p - s->base) % ARENA_PAGE;

	return UINT64_C(1) << in_page / class_size(page->class);
}

static bool is_lost(const struct segment *s, const void *p)
{
	const struct arena_page *page = page_of(s, p);

	if (page->kind == PAGE_BLOCKS)
		return page->gone & block_bit(s, page, p);
	return page->kind == PAGE_HEAD && page->lost;
}

/* Is p what arena_alloc returned? */
static bool is_start(const struct segment *s, const void *p)
{
	size_t at = (size_t)((const uint8_t *)p - s->base);
	const struct arena_page *page = &s->pages[at / ARENA_PAGE];

	if (page->kind == PAGE_HEAD)
		return at % ARENA_PAGE == 0 && !page->freed;
	return page->kind == PAGE_BLOCKS && at % ARENA_PAGE % class_size(page->class) == 0 &&
	       (page->used & block_bit(s, page, p));
}

static void release(struct segment *s, const void *p)
{
	struct arena_page *page = page_of(s, p);
	uint32_t run = page->run, i;

	if (page->kind == PAGE_BLOCKS) {
		page->used &= ~block_bit(s, page, p);
		if (page->used | page->gone)
			return;
		run = 1;
	} else if (page->lost) {
		page->freed = true;
		return;
	}
	for (i = 0; i < run; i++)
		page[i] = (struct arena_page){.kind = PAGE_FREE};
	s->n_used -= run;
	if ((size_t)(page - s->pages) < s->hint)
		s->hint = (size_t)(page - s->pages);
}

/* Locked. */
static void take_out(struct arena *a, const struct segment *s)
{
	unsigned i = 0;

	while (a->segments[i] != s)
		i++;
	a->segments[i] = a->segments[a->n_segments - 1];
	set_n_segments(a, a->n_segments - 1);
	map_update(a);
}

/* One segment without buffers is kept; a second one goes back. */
static bool is_surplus(const struct arena *a, const struct segment *emptied)
{
	unsigned i, n = 0;

	for (i = 0; i < a->n_segments; i++)
		n += a->segments[i] != emptied && a->segments[i]->n_used == 0 &&
		     a->segments[i]->attached;
	return emptied->refusal || (n > 0 && emptied->attached);
}

enum kcf_status arena_free(struct arena *a, void *p, uint32_t *ret_drop)
{
	struct segment *s, *drop = NULL;
	enum kcf_status st = KCF_NOT_FOUND;

	*ret_drop = 0;
	pthread_mutex_lock(&a->lock);
	s = find_segment(a, p, 1);
	if (s && is_start(s, p)) {
		release(s, p);
		if (!s->refusal) {
			st = KCF_SUCCESS;
			a->refused = false;
		}
		if (s->n_used == 0 && is_surplus(a, s)) {
			take_out(a, s);
			drop = s;
		}
	}
	pthread_mutex_unlock(&a->lock);
	if (drop) {
		*ret_drop = drop->refusal ? 0 : drop->number;
		segment_free(drop, true);
	}
	return st;
}

bool arena_is_refused(struct arena *a)
{
	bool ret;

	pthread_mutex_lock(&a->lock);
	ret = a->refused;
	pthread_mutex_unlock(&a->lock);
	return ret;
}

enum kcf_status arena_refusal(struct arena *a, const void *p)
{
	enum kcf_status st = KCF_SUCCESS;
	const struct segment *s;

	pthread_mutex_lock(&a->lock);
	s = find_segment(a, p, 1);
	if (s)
		st = s->refusal;
	pthread_mutex_unlock(&a->lock);
	return st;
}

enum kcf_status arena_status(struct arena *a, const void *p)
{
	enum kcf_status st = KCF_NOT_FOUND;
	struct segment *s;

	pthread_mutex_lock(&a->lock);
	s = find_segment(a, p, 1);
	if (s && is_start(s, p))
		st = is_lost(s, p) ? KCF_BUFFER_LOST : KCF_SUCCESS;
	pthread_mutex_unlock(&a->lock);
	return st;
}

bool arena_ranges(struct arena *a, const struct iovec *v, unsigned n, struct wire_range *ret,
		  uint32_t *ret_n)
{
	uint32_t n_ranges = 0;
	bool ok = n > 0;
	unsigned i;

	if (!__atomic_load_n(&a->n_segments, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&a->lock);
	for (i = 0; i < n && ok; i++) {
		struct segment *s = find_segment(a, v[i].iov_base, v[i].iov_len);
		struct wire_range *last = n_ranges ? &ret[n_ranges - 1] : NULL;
		uint64_t at;

		if (!s || !(s->attached || s->offered) ||
		    (s->n_lost && is_lost(s, v[i].iov_base))) {
			ok = false;
			break;
		}
		at = (uint64_t)((uint8_t *)v[i].iov_base - s->base);
		if (last && last->segment == s->number && last->offset + last->len == at)
			last->len += v[i].iov_len;
		else if (n_ranges == WIRE_MAX_RANGES)
			ok = false;
		else
			ret[n_ranges++] = (struct wire_range){s->number, at, v[i].iov_len};
	}
	pthread_mutex_unlock(&a->lock);
	*ret_n = ok ? n_ranges : 0;
	return ok;
}

void arena_mark_lost(struct arena *a, const struct iovec *v, unsigned n)
{
	unsigned i;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < n; i++) {
		struct segment *s = find_segment(a, v[i].iov_base, v[i].iov_len);
		struct arena_page *page = s ? page_of(s, v[i].iov_base) : NULL;

		if (!page)
			continue;
		s->n_lost++;
		if (page->kind == PAGE_BLOCKS)
			page->gone |= block_bit(s, page, v[i].iov_base);
		else if (page->kind == PAGE_HEAD)
			page->lost = true;
	}
	map_update(a);
	pthread_mutex_unlock(&a->lock);
}

/* ---- connections ---- */

void arena_detach(struct arena *a)
{
	unsigned i;

	pthread_mutex_lock(&a->lock);
	for (i = 0; i < a->n_segments; i++) {
		a->segments[i]->attached = a->segments[i]->offered = false;
		a->segments[i]->offer_id = 0;
		a->segments[i]->refusal = KCF_SUCCESS;
	}
	map_update(a);
	pthread_mutex_unlock(&a->lock);
}

static struct segment *find_offered(const struct arena *a, uint64_t offer_id)
{
	for (unsigned i = 0; i < a->n_segments; i++)
		if (a->segments[i]->offer_id == offer_id)
			return a->segments[i];
	return NULL;
}

bool arena_attach(struct arena *a, uint64_t offer_id, enum kcf_status status, uint32_t number)
{
	struct segment *s, *drop = NULL;
	bool right = true;

	pthread_mutex_lock(&a->lock);
	s = find_offered(a, offer_id);
	if (s) {
		right = !s->offered || status != KCF_SUCCESS || s->number == number;
		s->offer_id = 0;
		s->offered = false;
		s->attached = status == KCF_SUCCESS;
		s->refusal = status;
		s->number = number;
		a->refused = status != KCF_SUCCESS;
		if (a->refused && s->n_used == 0) {
			take_out(a, s);
			drop = s;
		}
	}
	map_update(a);
	pthread_mutex_unlock(&a->lock);
	if (drop)
		segment_free(drop, true);
	return right;
}
