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
	for (unsigned i = 0; i < QUEUE_LABELS; i++)
		list_init(&s->items[i]);
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

/* A label that had nothing to be done has no claim from that time. */
static void label_activate(struct queue_share *s, unsigned label)
{
	assert(label < QUEUE_LABELS);
	if (list_empty(&s->items[label]) && s->spent[label] < s->now)
		s->spent[label] = s->now;
	s->labels |= (uint8_t)(1u << label);
}

static void item_add(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	assert(!item->share);
	item->share = s;
	share_activate(q, s);
	label_activate(s, item->label);
	q->depth++;
	q->units += item->units;
	q->cost += item->cost;
}

bool queue_push(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	if (!queue_has_room(q, item->units))
		return false;
	item_add(q, s, item);
	list_push(&s->items[item->label], &item->link);
	return true;
}

void queue_push_front(struct queue *q, struct queue_share *s, struct queue_item *item)
{
	uint64_t *spent = &s->spent[item->label];

	item_add(q, s, item);
	list_insert(&s->items[item->label], &item->link);
	s->deficit += item->cost;
	*spent -= item->cost < *spent ? item->cost : *spent;
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
	if (list_empty(&s->items[item->label]))
		s->labels &= (uint8_t)~(1u << item->label);
	if (--s->n == 0) {
		list_remove(&s->link);
		q->n_active--;
	}
}

/* First of the label that has had the least, among these. */
static struct queue_item *first_of(const struct queue_share *s, unsigned labels)
{
	unsigned least = (unsigned)__builtin_ctz(labels);

	for (labels &= labels - 1; labels; labels &= labels - 1) {
		unsigned i = (unsigned)__builtin_ctz(labels);

		if (s->spent[i] < s->spent[least])
			least = i;
	}
	return list_entry(s->items[least].next, struct queue_item, link);
}

static struct queue_item *share_first(const struct queue_share *s)
{
	return first_of(s, s->labels);
}

/* The first that is accepted, NULL: none. */
static struct queue_item *share_next(const struct queue_share *s,
				     bool (*accept)(const struct queue_item *item, void *arg),
				     void *arg)
{
	unsigned labels = s->labels;

	while (labels) {
		struct queue_item *item = first_of(s, labels);

		if (!accept || accept(item, arg))
			return item;
		labels &= ~(1u << item->label);
	}
	return NULL;
}

/* Those that had less were refused: no claim comes of that. */
static void label_served(struct queue_share *s, const struct queue_item *item)
{
	s->now = s->spent[item->label];
	for (unsigned labels = s->labels; labels; labels &= labels - 1) {
		uint64_t *spent = &s->spent[__builtin_ctz(labels)];

		if (*spent < s->now)
			*spent = s->now;
	}
	s->spent[item->label] += item->cost;
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
		struct queue_item *item = share_next(s, accept, arg);
		bool accepted = item != NULL;

		if (accepted && !s->in_turn) {
			s->in_turn = true;
			s->deficit += (uint64_t)QUEUE_QUANTUM * s->weight;
		}
		if (accepted && s->deficit >= item->cost) {
			s->deficit -= item->cost;
			label_served(s, item);
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
	for (struct list *l = item->link.prev; l != &item->share->items[item->label]; l = l->prev)
		n++;
	return n;
}
