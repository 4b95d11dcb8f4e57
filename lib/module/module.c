/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module - the list of loaded modules, and how one gets into it.
 *
 * The list only grows: no module is unmapped, no entry freed, so a found module needs no reference.
 * One lock covers list and loading; it is held over fork so that a child never inherits it taken.
 * Thread: any.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "module/module.h"
#include "module/module-error.h"

#define ROWS_MAX    1024u
#define CLASSES_ALL ((KCF_CLASS_KEYGEN << 1) - 1)

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t list_once = PTHREAD_ONCE_INIT;
static struct module *list;
static unsigned n_loads;

static void list_acquire(void)
{
	pthread_mutex_lock(&list_lock);
}

static void list_release(void)
{
	pthread_mutex_unlock(&list_lock);
}

static void list_init(void)
{
	pthread_atfork(list_acquire, list_release, list_release);
}

void module_guard_fork(void)
{
	pthread_once(&list_once, list_init);
}

/* ---- descriptor ---- */

static bool name_ok(const char *name)
{
	size_t len = name ? strnlen(name, 32) : 0;

	return len && len < 32 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		       len;
}

static bool row_ok(const struct kcf_mech_row *row)
{
	size_t len = row->name ? strnlen(row->name, 48) : 0;

	return len && len < 48 && row->classes && !(row->classes & ~(uint32_t)CLASSES_ALL) &&
	       row->param_kind < KCF_PARAM_COUNT && row->key_min_bits <= row->key_max_bits;
}

static bool ops_ok(const struct kcf_provider_desc *desc)
{
	const struct kcf_provider_ops *ops = desc->ops;

	if (!ops || !ops->start || !ops->stop || !ops->submit || !ops->template_new ||
	    !ops->template_free)
		return false;
	if (desc->kind == KCF_SOFTWARE && (!ops->thread_state_new || !ops->thread_state_free))
		return false;
	for (uint32_t i = 0; i < desc->n_rows; i++)
		if ((desc->rows[i].flags & KCF_ROW_MULTI_PART) && !ops->context_free)
			return false;
	return true;
}

static bool rows_ok(const struct kcf_provider_desc *desc, struct module_error *err)
{
	for (uint32_t i = 0; i < desc->n_rows; i++) {
		if (!row_ok(&desc->rows[i])) {
			module_fail(err, 0, "provider %s: row %u is not well formed", desc->name,
				    i);
			return false;
		}
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(desc->rows[i].name, desc->rows[j].name)) {
				module_fail(err, 0, "provider %s: two rows for %s", desc->name,
					    desc->rows[i].name);
				return false;
			}
	}
	return true;
}

bool module_desc_ok(const struct kcf_provider_desc *desc, struct module_error *err)
{
	const char *why = NULL;

	if (desc->abi != KCF_PROVIDER_ABI || desc->size < sizeof(*desc))
		why = "built for another version of kcf/provider.h";
	else if (!name_ok(desc->name))
		why = "its provider name is missing, too long or has odd characters";
	else if (desc->kind != KCF_SOFTWARE && desc->kind != KCF_HARDWARE)
		why = "unknown kind of provider";
	else if (!desc->rows || !desc->n_rows || desc->n_rows > ROWS_MAX)
		why = "no mechanism rows, or too many";
	if (why) {
		module_fail(err, 0, "%s", why);
		return false;
	}
	if (!rows_ok(desc, err))
		return false;
	if (!ops_ok(desc)) {
		module_fail(err, 0, "provider %s: an operation its kind needs is missing",
			    desc->name);
		return false;
	}
	return true;
}

/* ---- loading ---- */

/*
 * glibc knows loaded objects by the name they were opened with. A descriptor's number may have been
 * used before, if the application closed descriptors that were not its own; so the number of "./"
 * makes every name new.
 */
static int load_path(int fd, char *path, size_t room, struct module_error *err)
{
	unsigned n = ++n_loads;
	size_t len = (size_t)snprintf(path, room, "/proc/self/fd/");

	if (len + 2 * (size_t)n + 12 > room)
		return module_fail(err, -ENFILE, "too many modules were loaded by this process");
	while (n--)
		len += (size_t)snprintf(path + len, room - len, "./");
	snprintf(path + len, room - len, "%d", fd);
	return 0;
}

static void *load_handle(int fd, struct module_error *err)
{
	int flags = RTLD_NOW | RTLD_LOCAL;
	char path[4096];
	void *handle;

#ifndef KCF_SANITIZED
	/* The module's own libcrypto must win over one the program exports. Sanitizers refuse it.
	 */
	flags |= RTLD_DEEPBIND;
#endif
	if (load_path(fd, path, sizeof(path), err) < 0)
		return NULL;
	handle = dlopen(path, flags);
	if (!handle)
		module_fail(err, 0, "cannot map the module: %s", dlerror());
	return handle;
}

static const struct kcf_provider_desc *load_desc(int fd, struct module_error *err)
{
	const struct kcf_provider_desc *desc;
	void *handle = load_handle(fd, err);

	if (!handle)
		return NULL;
	desc = dlsym(handle, KCF_PROVIDER_SYMBOL);
	if (!desc) {
		module_fail(err, 0, "the module has no symbol " KCF_PROVIDER_SYMBOL);
		return NULL;
	}
	return module_desc_ok(desc, err) ? desc : NULL;
}

static struct module *find_image(const void *image, size_t size)
{
	for (struct module *m = list; m; m = m->next)
		if (m->size == size && !memcmp(m->image, image, size))
			return m;
	return NULL;
}

/* list_lock is held. The module of these bytes, found or loaded; does not take fd when found. */
static enum kcf_status load(int fd, const void *image, size_t size, struct module **ret,
			    struct module_error *err)
{
	struct module *m = find_image(image, size);
	const struct kcf_provider_desc *desc;

	if (m) {
		*ret = m;
		return KCF_SUCCESS;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return KCF_HOST_MEMORY;
	desc = load_desc(fd, err);
	if (!desc) {
		free(m);
		return KCF_MODULE_INVALID;
	}
	m->desc = desc;
	m->fd = fd;
	m->size = size;
	m->image = image;
	m->next = list;
	list = m;
	*ret = m;
	return KCF_SUCCESS;
}

enum kcf_status module_open(int fd, struct module **ret, struct module_error *err)
{
	struct module *m = NULL;
	enum kcf_status status;
	struct stat st;
	void *image;

	if (module_verify(fd, err) < 0 || fstat(fd, &st) < 0) {
		close(fd);
		return KCF_MODULE_INVALID;
	}
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED) {
		close(fd);
		return KCF_HOST_MEMORY;
	}
	module_guard_fork();
	list_acquire();
	status = load(fd, image, (size_t)st.st_size, &m, err);
	list_release();
	if (status != KCF_SUCCESS || m->image != image) {
		munmap(image, (size_t)st.st_size);
		close(fd);
	}
	if (status == KCF_SUCCESS)
		*ret = m;
	return status;
}

int module_row(const struct module *m, const char *name)
{
	for (uint32_t i = 0; i < m->desc->n_rows; i++)
		if (!strcmp(m->desc->rows[i].name, name))
			return (int)i;
	return -1;
}
