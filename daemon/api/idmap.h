/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap - numbers that a client chose -> our objects: requests, templates, contexts, segments of
 * one connection.
 *
 * Open addressing, so that memory follows the number of entries whatever numbers a client picks;
 * the hash is keyed per process, so that it cannot pick colliding ones. 0 is no number. Empty maps
 * own no memory. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
	uint64_t id;
	void *value;
};

struct idmap {
	struct idmap_slot *slots;
	uint32_t n, room;
};

/* Zeroed memory is an empty map too. */
void idmap_init(struct idmap *m);
/* Forgets the entries; what they point to is the caller's. */
void idmap_deinit(struct idmap *m);
void *idmap_find_in(const struct idmap *m, uint64_t id);
/* Borrowed, or NULL. */
static inline void *idmap_find(const struct idmap *m, uint64_t id)
{
	return m->n ? idmap_find_in(m, id) : NULL;
}
/* id must not be there. false: out of memory. */
bool idmap_add(struct idmap *m, uint64_t id, void *value);
/* Returns what was there, or NULL. */
void *idmap_remove(struct idmap *m, uint64_t id);
/* Any entry, or NULL: for emptying a map. */
void *idmap_any(const struct idmap *m, uint64_t *ret_id);
