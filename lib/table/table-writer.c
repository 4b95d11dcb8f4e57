/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table-writer - kcfd's side of the table: one writable mapping, a descriptor that can give no
 * other.
 *
 * The memfd is mapped first and sealed then: F_SEAL_FUTURE_WRITE leaves this mapping writable and
 * makes every later one read-only, so the descriptor can be handed to anybody. Thread: kcfd's loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "table/table.h"

#define TABLE_SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int table_writer_init(struct table_writer *w, uint64_t daemon_id)
{
	struct table *t;
	int err;
	int fd = memfd_create("kcf-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(*t)) < 0) {
		err = -errno;
		goto fail;
	}
	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS, TABLE_SEALS) < 0) {
		err = -errno;
		munmap(t, sizeof(*t));
		goto fail;
	}
	t->magic = TABLE_MAGIC;
	t->version = TABLE_VERSION;
	t->size = sizeof(*t);
	t->daemon_id = daemon_id;
	w->t = t;
	w->fd = fd;
	return 0;
fail:
	close(fd);
	return err;
}

void table_writer_deinit(struct table_writer *w)
{
	if (!w->t)
		return;
	munmap(w->t, sizeof(*w->t));
	close(w->fd);
	w->t = NULL;
	w->fd = -1;
}

struct table_copy *table_edit(struct table_writer *w)
{
	uint64_t generation = w->t->generation;
	struct table_copy *next = &w->t->copies[(generation + 1) & 1];
	const struct table_copy *now = &w->t->copies[generation & 1];

	/* A reader that still copies `next` and sees one of the stores below must also see the
	 * generation that put it out of force. Pairs with the acquire fence in snapshot_try(). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	next->n_mechs = now->n_mechs;
	next->n_providers = now->n_providers;
	memcpy(next->providers, now->providers, sizeof(next->providers));
	memcpy(next->mechs, now->mechs, now->n_mechs * sizeof(next->mechs[0]));
	return next;
}

void table_publish(struct table_writer *w)
{
	/* Pairs with the acquire load in snapshot_try(). */
	__atomic_store_n(&w->t->generation, w->t->generation + 1, __ATOMIC_RELEASE);
}
