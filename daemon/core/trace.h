/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace - a ring of the last scheduling decisions: who was considered, why not, who was chosen, how
 * it ended.
 *
 * A decision is a number that counts up; its entry is filled when the job ends, unless the ring has
 * gone round. Loop thread.
 */
#pragma once

#include "core/core.h"
#include "spi/cost.h"

struct request_sched;

enum trace_why {
	WHY_CHOSEN = 0,
	WHY_NOT_REACHED, /* an earlier one was taken */
	WHY_DISABLED,
	WHY_STATE, /* starting, failed, draining */
	WHY_CLASS, /* not for this operation */
	WHY_PARTS, /* no contexts */
	WHY_KEY_SIZE,
	WHY_KEY_FORMAT,
	WHY_INPUT,  /* beyond its input limit */
	WHY_FILTER, /* preference */
	WHY_TRIED,
	WHY_BUSY,     /* not at once */
	WHY_FULL,     /* no room in its queue */
	WHY_TEMPLATE, /* could not prepare the key */
	WHY_COUNT
};

/* One who was looked at, in order of registration. */
struct trace_considered {
	uint8_t row1, why;
	uint8_t place; /* in the order the mode gave, from 1; 0: was no candidate */
	uint8_t rank;
	uint32_t by;               /* what it was placed by among equal ranks: lower is first */
	uint32_t wait_ns, cost_ns; /* expected: until it would begin, and from then on */
	struct cost_line line;     /* what cost_ns is made of */
};

struct trace_entry {
	uint64_t number, id, bytes;
	uint64_t queue_ns, service_ns;
	uint32_t requests; /* decided alike, side by side */
	uint32_t mech;
	uid_t uid;
	uint16_t op, phase;
	uint8_t n_considered;
	uint8_t place;  /* enum stat_place */
	uint8_t chosen; /* provider row + 1 */
	uint8_t queue_hops;
	uint8_t status; /* KCF_QUEUED: not ended yet */
	uint8_t mode;   /* enum table_mode */
	bool probe;     /* a loser was put first */
	bool pinned;    /* the context had decided */
	uint32_t threshold;
	struct trace_considered considered[TABLE_OFFERS];
	char provider[KCF_NAME_MAX];
};

struct trace {
	struct trace_entry *ring;
	uint64_t room, next; /* next: number of the next decision */
};

bool trace_init(struct trace *t, uint64_t room);
void trace_deinit(struct trace *t);
/* New entry, numbered; never NULL. */
struct trace_entry *trace_new(struct trace *t);
/* The entry if it is still there. */
struct trace_entry *trace_find(struct trace *t, uint64_t number);
