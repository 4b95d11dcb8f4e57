/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost - what one job is expected to take: a fixed part and a part per byte, learned.
 *
 * Two lines. The base is what it takes by itself on this machine: the row's constants, or what was
 * measured once; kinds of software are compared by it, because it does not depend on who was used
 * lately. The other is learned from work. Samples (bytes, nanoseconds) go to a few classes of size;
 * a class keeps its last COST_WINDOW, as multiples of what the row predicts, and stands for their
 * median: fewer than half of them may be nonsense, and what is old is forgotten. Every COST_REFIT
 * samples the line is fitted anew, lately used classes counting more; where there are none the
 * row's own shape leads. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define COST_SETUP_NS   1000u /* for rows that say nothing */
#define COST_NS_PER_KIB 1000u
#define COST_CLASSES    6u
#define COST_WINDOW     15u
#define COST_REFIT      5u
#define COST_MAX_NS     1000000000u /* of either number */
#define COST_MAX_BYTES  (1ull << 30)

struct cost_line {
	uint32_t setup_ns, ns_per_kib;
};

struct cost_memory;

struct cost {
	struct cost_line line; /* learned; as the base until there are samples */
	struct cost_line base;
	struct cost_line row;       /* what the module says */
	struct cost_memory *memory; /* NULL: no sample yet */
	uint32_t fits;              /* how often the line was fitted */
	bool measured;              /* the base was */
};

/* 0, 0: a row that says nothing. */
void cost_init(struct cost *c, uint32_t setup_ns, uint32_t ns_per_kib);
void cost_deinit(struct cost *c);
/* One job of so many bytes took so long. True: the line was fitted anew. */
bool cost_sample(struct cost *c, uint64_t bytes, uint64_t ns);
/* The base is known now. */
void cost_set_base(struct cost *c, struct cost_line base);
/* Samples taken. */
uint64_t cost_samples(const struct cost *c);

static inline uint64_t cost_expect(const struct cost_line *l, uint64_t bytes)
{
	if (bytes > COST_MAX_BYTES)
		bytes = COST_MAX_BYTES;
	return l->setup_ns + bytes * l->ns_per_kib / 1024;
}

/* The smallest size from which on b takes no longer than a, up to max bytes; UINT32_MAX: there is
 * none. */
uint32_t cost_crossing(const struct cost_line *a, const struct cost_line *b, uint64_t max);
