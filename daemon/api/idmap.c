/* SPDX-License-Identifier: Apache-2.0 */
#include "api/idmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_ROOM 16
/* An empty map keeps this much, so that one request after another does not allocate each time. */
#define KEEP_ROOM 64

static uint64_t hash_key;

static uint32_t home(const struct idmap *m, uint64_t id)
{
	uint64_t h = (id ^ hash_key) * 0x9e3779b97f4a7c15u;

	h ^= h >> 32;
	h *= hash_key | 1;
	return (uint32_t)(h >> 32) & (m->room - 1);
}

void idmap_init(struct idmap *m)
{
	memset(m, 0, sizeof(*m));
}

void idmap_deinit(struct idmap *m)
{
	free(m->slots);
	idmap_init(m);
}

static struct idmap_slot *find_slot(const struct idmap *m, uint64_t id)
{
	if (m->n == 0)
		return NULL;
	for (uint32_t i = home(m, id);; i = (i + 1) & (m->room - 1)) {
		if (m->slots[i].id == id)
			return &m->slots[i];
		if (m->slots[i].id == 0)
			return NULL;
	}
}

void *idmap_find_in(const struct idmap *m, uint64_t id)
{
	const struct idmap_slot *s = id ? find_slot(m, id) : NULL;

	return s ? s->value : NULL;
}

static void put(struct idmap *m, uint64_t id, void *value)
{
	uint32_t i = home(m, id);

	while (m->slots[i].id)
		i = (i + 1) & (m->room - 1);
	m->slots[i] = (struct idmap_slot){id, value};
	m->n++;
}

static bool grow(struct idmap *m)
{
	struct idmap old = *m;
	struct idmap_slot *slots;
	uint32_t room = old.room ? 2 * old.room : FIRST_ROOM;

	if (!hash_key && getrandom(&hash_key, sizeof(hash_key), 0) != sizeof(hash_key))
		return false;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		return false;
	*m = (struct idmap){slots, 0, room};
	for (uint32_t i = 0; i < old.room; i++) {
		if (old.slots[i].id)
			put(m, old.slots[i].id, old.slots[i].value);
	}
	free(old.slots);
	return true;
}

bool idmap_add(struct idmap *m, uint64_t id, void *value)
{
	assert(id && value);
	if (4 * (uint64_t)(m->n + 1) > 3 * (uint64_t)m->room && !grow(m))
		return false;
	put(m, id, value);
	return true;
}

/* Close the gap at hole: move up what would no longer be found behind it. */
static void close_gap(struct idmap *m, uint32_t hole)
{
	uint32_t mask = m->room - 1;

	for (uint32_t i = (hole + 1) & mask; m->slots[i].id; i = (i + 1) & mask) {
		uint32_t want = home(m, m->slots[i].id);

		if (((i - want) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){0, NULL};
}

void *idmap_remove(struct idmap *m, uint64_t id)
{
	struct idmap_slot *s = id ? find_slot(m, id) : NULL;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	close_gap(m, (uint32_t)(s - m->slots));
	m->n--;
	if (m->n == 0 && m->room > KEEP_ROOM)
		idmap_deinit(m);
	return value;
}

void *idmap_any(const struct idmap *m, uint64_t *ret_id)
{
	for (uint32_t i = 0; m->n && i < m->room; i++) {
		if (m->slots[i].id) {
			*ret_id = m->slots[i].id;
			return m->slots[i].value;
		}
	}
	return NULL;
}
