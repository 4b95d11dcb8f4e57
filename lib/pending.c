/* SPDX-License-Identifier: Apache-2.0 */
#include "pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOT_BITS 16

static_assert(PENDING_SAVED_INSIDE >= RING_EXTRA_ROOM, "what is behind an entry is kept inside");
static_assert(PENDING_CHUNK * PENDING_CHUNKS == 1u << SLOT_BITS, "an id has a slot's bits");

void pending_init(struct pending_table *t)
{
	memset(t, 0, sizeof(*t));
	t->next_number = 1;
	t->notices_end = &t->notices;
}

static void drop_contents(struct pending *p)
{
	uint32_t i;

	if (p->saved) {
		explicit_bzero(p->saved, p->saved_len + p->saved_check);
		if (p->saved != p->saved_inside)
			free(p->saved);
	}
	if (p->reply) {
		explicit_bzero(p->reply, p->reply_len);
		free(p->reply);
	}
	if (p->reply_fd >= 0)
		close(p->reply_fd);
	pieces_deinit(&p->in.at);
	pieces_deinit(&p->out.at);
	pieces_deinit(&p->mac.at);
	for (i = 0; i < p->n_steps; i++) {
		pieces_deinit(&p->step_in[i].at);
		pieces_deinit(&p->step_out[i].at);
	}
	free(p->step_in); /* step_out is its second half */
}

void pending_deinit(struct pending_table *t)
{
	struct notice *n;
	unsigned i;

	while (t->first) {
		struct pending *p = t->first;

		t->first = p->next;
		drop_contents(p);
	}
	while ((n = notice_pop(t)) != NULL) {
		if (n->kind == NOTICE_COMPLETE)
			drop_contents(n->pending);
		else if (n->kind != NOTICE_SLOT)
			notice_free(t, n);
	}
	while ((n = t->spare) != NULL) {
		t->spare = n->next;
		free(n);
	}
	for (i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	pending_init(t);
}

/* For a request that was never used, or was and is free. */
static void clear_cold(struct pending *p)
{
	const size_t from = offsetof(struct pending, done);

	memset((char *)p + from, 0, offsetof(struct pending, saved_inside) - from);
	p->reply_fd = -1;
}

static bool grow(struct pending_table *t)
{
	struct pending *chunk;
	unsigned i;

	if (t->n_chunks == PENDING_CHUNKS)
		return false;
	chunk = calloc(PENDING_CHUNK, sizeof(*chunk));
	if (!chunk)
		return false;
	for (i = PENDING_CHUNK; i-- > 0;) {
		clear_cold(&chunk[i]);
		chunk[i].slot = t->n_chunks * PENDING_CHUNK + i;
		chunk[i].next = t->free;
		t->free = &chunk[i];
	}
	t->chunks[t->n_chunks++] = chunk;
	return true;
}

static inline void payload_init(struct payload *pl)
{
	pl->at.v = pl->at.inside;
	pl->at.n = 0;
	pl->at.len = 0;
	pl->bounce = NULL;
	pl->way = WAY_INLINE;
}

static struct pending *take(struct pending_table *t)
{
	struct pending *p;
	uint32_t slot;

	if (!t->free && !grow(t))
		return NULL;
	p = t->free;
	t->free = p->next;
	slot = p->slot;
	/* in pieces small enough for the compiler to make stores of them */
	memset(p, 0, 64);
	memset((char *)p + 64, 0, offsetof(struct pending, in) - 64);
	payload_init(&p->in);
	payload_init(&p->out);
	payload_init(&p->mac);
	p->slot = slot;
	p->state = PENDING_NEW;
	return p;
}

struct pending *pending_new(struct pending_table *t, enum pending_kind kind)
{
	struct pending *p = take(t);

	if (!p)
		return NULL;
	p->kind = (uint8_t)kind;
	p->cold = true;
	return p;
}

struct pending *pending_new_ring(struct pending_table *t)
{
	struct pending *p = take(t);

	if (!p)
		return NULL;
	p->kind = PENDING_OP;
	p->by_ring = true;
	return p;
}

void pending_open(struct pending_table *t, struct pending *p)
{
	assert(p->state == PENDING_NEW || (p->state == PENDING_DONE && !p->callback));
	p->id = t->next_number++ << SLOT_BITS | p->slot;
	p->state = PENDING_SENT;
	p->next = NULL;
	p->prev = t->last;
	if (t->last)
		t->last->next = p;
	else
		t->first = p;
	t->last = p;
	t->n_open++;
}

void pending_set_callback(struct pending_table *t, struct pending *p, kcf_callback callback,
			  void *arg)
{
	p->callback = callback;
	p->arg = arg;
	t->n_async++;
}

struct pending *pending_find(const struct pending_table *t, uint64_t id)
{
	uint32_t slot = id & ((1u << SLOT_BITS) - 1);
	struct pending *p;

	if (slot / PENDING_CHUNK >= t->n_chunks)
		return NULL;
	p = &t->chunks[slot / PENDING_CHUNK][slot % PENDING_CHUNK];
	return p->id == id && p->state >= PENDING_SENT ? p : NULL;
}

static void unlink_open(struct pending_table *t, struct pending *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		t->first = p->next;
	if (p->next)
		p->next->prev = p->prev;
	else
		t->last = p->prev;
	p->next = p->prev = NULL;
	t->n_open--;
}

bool pending_complete(struct pending_table *t, struct pending *p, enum kcf_status status)
{
	assert(p->state >= PENDING_SENT);
	if (p->state == PENDING_DONE)
		return false;
	unlink_open(t, p);
	p->state = PENDING_DONE;
	p->cold = true;
	p->status = status;
	if (p->callback) {
		p->done.kind = NOTICE_COMPLETE;
		p->done.pending = p;
		notice_push(t, &p->done);
	}
	return true;
}

void pending_free(struct pending_table *t, struct pending *p)
{
	assert(p->state != PENDING_FREE);
	if (p->state == PENDING_SENT || p->state == PENDING_HELD)
		unlink_open(t, p);
	if (p->callback)
		t->n_async--;
	if (p->cold) {
		drop_contents(p);
		clear_cold(p);
	}
	p->state = PENDING_FREE;
	p->id = 0;
	p->next = t->free;
	t->free = p;
}

bool pending_save(struct pending *p, const uint8_t *msg, size_t len, const uint8_t *check,
		  size_t check_len)
{
	p->saved = p->saved_inside;
	if (len + check_len > sizeof(p->saved_inside)) {
		p->saved = malloc(len + check_len);
		if (!p->saved)
			return false;
	}
	memcpy(p->saved, msg, len);
	if (check_len)
		memcpy(p->saved + len, check, check_len);
	p->saved_len = (uint32_t)len;
	p->saved_check = (uint32_t)check_len;
	return true;
}

struct notice *notice_new(struct pending_table *t, enum notice_kind kind)
{
	struct notice *n = t->spare;

	if (n)
		t->spare = n->next;
	else
		n = malloc(sizeof(*n));
	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->kind = (uint8_t)kind;
	return n;
}

void notice_push(struct pending_table *t, struct notice *n)
{
	n->next = NULL;
	*t->notices_end = n;
	t->notices_end = &n->next;
}

struct notice *notice_pop(struct pending_table *t)
{
	struct notice *n = t->notices;

	if (!n)
		return NULL;
	t->notices = n->next;
	if (!t->notices)
		t->notices_end = &t->notices;
	return n;
}

void notice_free(struct pending_table *t, struct notice *n)
{
	n->next = t->spare;
	t->spare = n;
}
