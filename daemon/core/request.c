/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/request-pool.h"
#include "core/sched.h"
#include "core/template.h"

/* Request, scheduler's part and private memory are one allocation, kept by size for the next
 * request. */
struct record {
	struct request r;
	struct request_sched s;
	struct list free_link;
	unsigned class;
	_Alignas(16) uint8_t mem[];
};

#define CLASSES    4u
#define CLASS_NONE CLASSES

static const struct {
	size_t mem_len;
	unsigned keep;
} classes[CLASSES] = {{512, 1024}, {2560, 512}, {10240, 128}, {40960, 64}};

static struct {
	struct list free;
	unsigned n;
} pool[CLASSES];

static struct record *record_of(struct request *r)
{
	return container_of(r, struct record, r);
}

static unsigned class_of(size_t mem_len)
{
	unsigned class = 0;

	while (class < CLASSES && classes[class].mem_len < mem_len)
		class ++;
	return class;
}

static struct record *record_get(unsigned class, size_t mem_len)
{
	struct record *rec;

	if (class == CLASS_NONE)
		return malloc(sizeof(*rec) + mem_len);
	if (pool[class].n > 0) {
		struct list *l = list_pop(&pool[class].free);

		pool[class].n--;
		return list_entry(l, struct record, free_link);
	}
	return malloc(sizeof(*rec) + classes[class].mem_len);
}

static void record_put(struct record *rec)
{
	unsigned class = rec->class;

	if (class == CLASS_NONE || pool[class].n >= classes[class].keep) {
		free(rec);
		return;
	}
	if (!pool[class].free.next)
		list_init(&pool[class].free);
	list_insert(&pool[class].free, &rec->free_link); /* the warmest first */
	pool[class].n++;
}

struct request *request_new(size_t mem_len)
{
	unsigned class = class_of(mem_len);
	struct record *rec;

	if (mem_len > SIZE_MAX / 2)
		return NULL;
	rec = record_get(class, mem_len);
	if (!rec)
		return NULL;
	memset(&rec->r, 0, sizeof(rec->r));
	memset(&rec->s, 0, sizeof(rec->s));
	rec->class = class;
	list_init(&rec->r.link);
	list_init(&rec->r.conn_link);
	list_init(&rec->s.live);
	list_init(&rec->s.item.link);
	rec->r.sched = &rec->s;
	rec->s.r = &rec->r;
	rec->r.mem = rec->mem;
	rec->r.mem_len = mem_len;
	return &rec->r;
}

static void record_release(struct record *rec)
{
	assert(!rec->s.flying && !rec->s.bounce && !rec->s.prepared);
	explicit_bzero(rec->mem, rec->r.mem_len);
	record_put(rec);
}

void request_free(struct request *r)
{
	struct record *rec = record_of(r);

	assert(r->state == REQUEST_NEW || r->state == REQUEST_DONE);
	if (r->tmpl)
		tmpl_unref(r->tmpl);
	if (r->tmpl2)
		tmpl_unref(r->tmpl2);
	r->tmpl = r->tmpl2 = NULL;
	if (rec->s.held) /* request_unhold follows */
		rec->s.freed = true;
	else
		record_release(rec);
}

void request_hold(struct request *r)
{
	record_of(r)->s.held++;
}

void request_unhold(struct request *r)
{
	struct record *rec = record_of(r);

	assert(rec->s.held > 0);
	if (--rec->s.held == 0 && rec->s.freed)
		record_release(rec);
}

void request_pool_trim(void)
{
	for (unsigned class = 0; class < CLASSES; class ++) {
		struct list *l;

		while (pool[class].n > 0 && (l = list_pop(&pool[class].free))) {
			free(list_entry(l, struct record, free_link));
			pool[class].n--;
		}
	}
}

/* Edges: see request.h. A request may also be finished before it ever waited. */
static const uint8_t edges[] = {
	[REQUEST_NEW] = 1 << REQUEST_WAITING,
	[REQUEST_WAITING] = 1 << REQUEST_RUNNING | 1 << REQUEST_DONE,
	[REQUEST_RUNNING] = 1 << REQUEST_WAITING | 1 << REQUEST_DONE,
	[REQUEST_DONE] = 0,
};

void request_set_state(struct request *r, enum request_state state)
{
	assert(edges[r->state] & 1 << state);
	r->state = state;
}
