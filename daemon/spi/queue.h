/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - bounded; deficit round robin by cost, with weights, between consumers; within a consumer the
 * label that has had the least goes first, so that labels divide its share; first in, first out
 * within a label.
 *
 * Each consumer has a share in each queue. A share that holds items is on the queue's list of
 * active shares; at its turn it may spend its deficit, which grows by its weight once a round. Cost
 * is predicted nanoseconds; what the bound counts (units) is the caller's choice per item. Every
 * item in the queue is counted in units and depth until it is popped or removed. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

#define QUEUE_QUANTUM 100000u /* nanoseconds of work a share of weight 1 may do per round */
#define QUEUE_LABELS  8u      /* of a consumer; by number */

struct queue_share {
	struct list link; /* of active shares */
	struct list items[QUEUE_LABELS];
	uint64_t spent[QUEUE_LABELS]; /* cost of what each has had, from a common beginning */
	uint64_t now;                 /* spent of the label that was served last */
	uint64_t deficit;
	uint32_t weight; /* at least 1 */
	uint32_t n;
	bool in_turn;   /* has got this round's deficit */
	uint8_t labels; /* a bit for each with items */
};

struct queue_item {
	struct list link;
	struct queue_share *share; /* NULL: in no queue */
	uint64_t cost;
	uint32_t units;
	uint8_t label;
};

struct queue {
	struct list active;
	uint32_t n_active;
	uint32_t depth; /* items */
	uint64_t units; /* of all items */
	uint64_t cost;  /* of all items */
	uint64_t bound; /* units at most */
};

void queue_init(struct queue *q, uint64_t bound);
void queue_share_init(struct queue_share *s, uint32_t weight);
/* item->cost, units and label are set. False: no room, nothing kept. */
bool queue_push(struct queue *q, struct queue_share *s, struct queue_item *item);
/* Put back what was popped: first of its label, room or not, its cost given back. */
void queue_push_front(struct queue *q, struct queue_share *s, struct queue_item *item);
/* The next item by fairness; NULL if there is none. accept (or NULL) may refuse the first item of a
 * label, which then waits while others go. */
struct queue_item *queue_pop(struct queue *q,
			     bool (*accept)(const struct queue_item *item, void *arg), void *arg);
/* Take an item out, wherever it stands. */
void queue_remove(struct queue *q, struct queue_item *item);
/* Items of the same consumer and label before it. */
uint32_t queue_position(const struct queue_item *item);
static inline bool queue_has_room(const struct queue *q, uint32_t units)
{
	return q->units + units <= q->bound;
}
