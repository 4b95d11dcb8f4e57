/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-load - provider modules inside the application.
 *
 * A module becomes one started instance per process, whatever the number of clients, and is never
 * stopped: other threads may still hold states of it. One lock covers the list and the starting; it
 * is held over fork. Thread: any.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "direct-private.h"

struct started {
	struct started *next;
	const struct module *module;
	struct instance inst;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct started *list;

static void lock_take(void)
{
	pthread_mutex_lock(&lock);
}

static void lock_release(void)
{
	pthread_mutex_unlock(&lock);
}

/* The handlers that take locks run last registered first: this lock is outside the modules' one. */
static void init(void)
{
	module_guard_fork();
	pthread_atfork(lock_take, lock_release, lock_release);
}

/* ---- what the library lends a provider: it is a guest, so nothing is printed and nothing is
 * configured ---- */

__attribute__((format(printf, 3, 4))) static void
host_log(const struct kcf_host *host, enum kcf_log_level level, const char *fmt, ...)
{
}

static const char *host_config(const struct kcf_host *host, const char *key)
{
	return NULL;
}

static const struct kcf_host host = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(host),
	.log = host_log,
	.config = host_config,
};

/* ---- instances ---- */

static const struct instance *start(const struct module *m)
{
	struct started *s;

	for (s = list; s; s = s->next)
		if (s->module == m)
			return &s->inst;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->module = m;
	s->inst.desc = m->desc;
	s->inst.generation = 1;
	if (m->desc->ops->start(&host, &s->inst.prov) != KCF_SUCCESS) {
		free(s);
		return NULL;
	}
	s->next = list;
	list = s;
	return &s->inst;
}

/* The lock is held. */
static const struct instance *open_module(int fd, struct module_error *err)
{
	struct module *m;

	if (module_open(fd, &m, err) != KCF_SUCCESS)
		return NULL;
	if (m->desc->kind != KCF_SOFTWARE)
		return NULL;
	return start(m);
}

const struct instance *load_instance(int fd, struct module_error *err)
{
	const struct instance *inst;

	pthread_once(&once, init);
	lock_take();
	inst = open_module(fd, err);
	lock_release();
	return inst;
}

/* Is the module the one the table speaks of? Another may have taken the row since the descriptor
 * came. */
static bool is_provider(const struct instance *inst, const struct table_provider *p)
{
	return !strcmp(inst->desc->name, p->name) && inst->desc->version == p->version;
}

const struct instance *load_opened(struct direct *d, uint16_t row)
{
	const struct instance *inst = d->modules[row].inst;

	return inst && is_provider(inst, &d->view.copy->providers[row]) ? inst : NULL;
}

/* A second thread waits here until the first has opened it. */
static void open_row(struct direct *d, struct direct_module *m)
{
	const struct instance *inst;
	int fd;

	pthread_once(&once, init);
	lock_take();
	direct_lock(d);
	fd = m->fd;
	m->fd = -1;
	m->opening = fd >= 0;
	direct_unlock(d);
	if (fd >= 0) {
		inst = open_module(fd, NULL);
		direct_lock(d);
		if (m->fd < 0) { /* else another has come for the row meanwhile */
			m->inst = inst;
			m->failed = !inst;
		}
		m->opening = false;
		direct_new_epoch(d); /* plans name the instance */
		direct_unlock(d);
	}
	lock_release();
}

const struct instance *load_provider(struct direct *d, uint16_t row)
{
	struct direct_module *m = &d->modules[row];
	const struct instance *inst;
	bool again;

	direct_lock(d);
	again = !m->inst;
	inst = load_opened(d, row);
	direct_unlock(d);
	while (again) {
		open_row(d, m);
		direct_lock(d);
		inst = load_opened(d, row);
		again = !m->inst && m->fd >= 0; /* another came meanwhile */
		direct_unlock(d);
	}
	return inst;
}

/* ---- standalone ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_module_name(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 3 && e->d_name[0] != '.' && !strcmp(e->d_name + len - 3, ".so");
}

unsigned load_folder(const char *dir, const struct instance **ret, unsigned room)
{
	struct dirent **names;
	struct module_error err;
	unsigned found = 0;
	int n = scandir(dir, &names, is_module_name, by_name);

	for (int i = 0; i < n; i++) {
		char path[4096];
		const struct instance *inst = NULL;
		int fd = -1;

		if (found < room && (size_t)snprintf(path, sizeof(path), "%s/%s", dir,
						     names[i]->d_name) < sizeof(path))
			fd = module_seal(path, &err);
		if (fd >= 0)
			inst = load_instance(fd, &err);
		if (inst && !(inst->desc->flags & KCF_DESC_TEST_ONLY))
			ret[found++] = inst;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}
