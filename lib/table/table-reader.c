/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table-reader - a client's view of the table: a read-only mapping and a private snapshot.
 *
 * Another table (kcfd was restarted) is mapped over the old one at the same address, so that
 * threads reading hints through the mapping never lose it. What is copied is checked: offers whose
 * indices are out of range are cut. Thread: the caller serialises open, refresh and close.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "table/table.h"

#define SNAPSHOT_TRIES 3

/* Only a table that cannot shrink under the mapping: a truncated memfd is a SIGBUS for its readers.
 */
static int table_check_fd(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size < sizeof(struct table) ? -EMSGSIZE : 0;
}

static int table_map(struct table_view *v, int fd, const struct table **ret)
{
	const struct table *t = mmap(NULL, sizeof(*t), PROT_READ, MAP_SHARED, fd, 0);

	if (t == MAP_FAILED)
		return -errno;
	if (t->magic != TABLE_MAGIC || t->version != TABLE_VERSION || t->size < sizeof(*t)) {
		munmap((void *)t, sizeof(*t));
		return -EPROTO;
	}
	if (v->t) {
		if (mremap((void *)t, sizeof(*t), sizeof(*t), MREMAP_MAYMOVE | MREMAP_FIXED,
			   (void *)v->t) == MAP_FAILED) {
			int err = -errno;

			munmap((void *)t, sizeof(*t));
			return err;
		}
		t = v->t;
	}
	*ret = t;
	return 0;
}

static void offers_check(struct table_mech *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_offers && i < TABLE_OFFERS; i++)
		if (m->offers[i].provider < TABLE_PROVIDERS)
			m->offers[n++] = m->offers[i];
	m->n_offers = n;
	m->name[sizeof(m->name) - 1] = 0;
}

static void copy_check(struct table_copy *c)
{
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		c->providers[i].name[sizeof(c->providers[i].name) - 1] = 0;
	for (uint32_t i = 0; i < c->n_mechs; i++)
		offers_check(&c->mechs[i]);
}

/* One try; false if the writer may have been at work on what was copied. */
static bool snapshot_try(const struct table *t, struct table_copy *to, uint64_t *ret_generation)
{
	uint64_t generation = __atomic_load_n(&t->generation, __ATOMIC_ACQUIRE);
	const struct table_copy *from = &t->copies[generation & 1];
	uint32_t n = __atomic_load_n(&from->n_mechs, __ATOMIC_RELAXED);
	uint32_t n_providers = __atomic_load_n(&from->n_providers, __ATOMIC_RELAXED);

	to->n_mechs = n < TABLE_MECHS ? n : TABLE_MECHS;
	to->n_providers = n_providers < TABLE_PROVIDERS ? n_providers : TABLE_PROVIDERS;
	memcpy(to->providers, from->providers, sizeof(to->providers));
	memcpy(to->mechs, from->mechs, to->n_mechs * sizeof(to->mechs[0]));
	/* Pairs with the release fence in table_edit(). */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&t->generation, __ATOMIC_RELAXED) != generation)
		return false;
	copy_check(to);
	*ret_generation = generation;
	return true;
}

/* Takes the snapshot in force into v; false = v is as it was. */
static bool view_snapshot(struct table_view *v, const struct table *t)
{
	struct table_copy *to = calloc(1, sizeof(*to));
	uint64_t generation;

	if (!to)
		return false;
	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		if (!snapshot_try(t, to, &generation))
			continue;
		free(v->copy);
		v->copy = to;
		v->generation = generation;
		v->epoch++;
		return true;
	}
	free(to);
	return false;
}

int table_view_open(struct table_view *v, int fd)
{
	const struct table *t = NULL;
	int err = table_check_fd(fd);

	if (!err)
		err = table_map(v, fd, &t);
	close(fd);
	if (err)
		return err;
	if (!v->copy) {
		v->copy = calloc(1, sizeof(*v->copy));
		if (!v->copy) {
			munmap((void *)t, sizeof(*t));
			return -ENOMEM;
		}
	}
	/* Hints are read through it without the caller's lock. */
	__atomic_store_n(&v->t, t, __ATOMIC_RELEASE);
	/* A writer faster than three copies leaves what was there; the generation makes the next
	 * look try again. */
	if (!view_snapshot(v, t))
		v->generation = __atomic_load_n(&t->generation, __ATOMIC_RELAXED) - 1;
	return 0;
}

int table_view_private(struct table_view *v)
{
	v->copy = calloc(1, sizeof(*v->copy));
	if (!v->copy)
		return -ENOMEM;
	v->t = NULL;
	v->generation = 0;
	v->epoch++;
	return 0;
}

void table_view_close(struct table_view *v)
{
	if (v->t)
		munmap((void *)v->t, sizeof(*v->t));
	free(v->copy);
	v->t = NULL;
	v->copy = NULL;
}

bool table_view_refresh(struct table_view *v)
{
	return !v->t || table_view_current(v) || view_snapshot(v, v->t);
}
