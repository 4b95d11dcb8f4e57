/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/queue.h"

#include <assert.h>

void queue_init(struct queue *q, uint64_t bound)
{
	*q = (struct queue){.bound = bound};
	list_init(&q->active);
}

void queue_share_init(struct queue_share *s, uint32_t weight)
{
	*s = (struct queue_share){.weight = weight};
	list_init(&s->link);
	list_init(&s->items);
}

static void share_activate(struct queue *q, struct queue_share *s)
{
	if (s->n++ > 0)
		return;
	s->deficit = 0;
	s->in_turn = false;
	list_push(&q->active, &s->link);
	q->n_active++;
}

static void item_add(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	assert(!item->share);
	item->share = s;
	share_activate(q, s);
	q->depth++;
	q->units += item->units;
	q->cost += item->cost;
}

bool queue_push(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	if (!queue_has_room(q, item->units))
		return false;
	item_add(q, s, item);
	list_push(&s->items, &item->link);
	return true;
}

void queue_push_front(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	item_add(q, s, item);
	list_insert(&s->items, &item->link);
	s->deficit += item->cost;
}

void queue_remove(struct queue *q, struct queue_item *item)
{
	struct queue_share *s = item->share;

	assert(s && s->n > 0 && q->depth > 0 && q->units >= item->units);
	list_remove(&item->link);
	item->share = NULL;
	q->depth--;
	q->units -= item->units;
	q->cost -= item->cost;
	if (--s->n == 0) {
		list_remove(&s->link);
		q->n_active--;
	}
}

static struct queue_item *share_first(const struct queue_share *s)
{
	return list_entry(s->items.next, struct queue_item, link);
}

/* A round gave nobody enough: add as many rounds as the nearest share needs, at once. */
static void queue_skip_rounds(struct queue *q)
{
	uint64_t rounds = UINT64_MAX;

	list_for_each(l, &q->active)
	{
		struct queue_share *s = list_entry(l, struct queue_share, link);
		uint64_t per_round = (uint64_t)QUEUE_QUANTUM * s->weight;
		uint64_t cost = share_first(s)->cost;
		uint64_t need = cost > s->deficit ? (cost - s->deficit - 1) / per_round : 0;

		if (need < rounds)
			rounds = need;
	}
	list_for_each(l, &q->active)
	{
		struct queue_share *s = list_entry(l, struct queue_share, link);

		s->deficit += rounds * QUEUE_QUANTUM * s->weight;
	}
}

struct queue_item *queue_pop(struct queue *q,
			     bool (*accept)(const struct queue_item *item, void *arg), void *arg)
{
	uint32_t visited = 0, refused = 0;

	while (!list_empty(&q->active)) {
		struct queue_share *s = list_entry(q->active.next, struct queue_share, link);
		struct queue_item *item = share_first(s);
		bool accepted = !accept || accept(item, arg);

		if (accepted && !s->in_turn) {
			s->in_turn = true;
			s->deficit += (uint64_t)QUEUE_QUANTUM * s->weight;
		}
		if (accepted && s->deficit >= item->cost) {
			s->deficit -= item->cost;
			queue_remove(q, item);
			return item;
		}
		refused += !accepted;
		s->in_turn = false;
		list_remove(&s->link);
		list_push(&q->active, &s->link);
		if (++visited < q->n_active)
			continue;
		if (refused == visited)
			return NULL;
		queue_skip_rounds(q);
		visited = refused = 0;
	}
	return NULL;
}

uint32_t queue_position(const struct queue_item *item)
{
	uint32_t n = 0;

	if (!item->share)
		return 0;
	for (struct list *l = item->link.prev; l != &item->share->items; l = l->prev)
		n++;
	return n;
}
