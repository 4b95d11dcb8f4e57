/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - modules by name: manifests, loading off the loop, who waits for it, failures remembered.
 *
 * module_dir holds kcf-NAME.so and, for what may be loaded on demand, kcf-NAME.manifest: one
 * mechanism name a line, '#' begins a comment. A module is read, verified, mapped and, if it is
 * software, started on a worker; a device is started on the loop. A module that failed on demand is
 * not tried again for a minute, and one that an administrator unloaded not before he loads it.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/private.h"

#define MANIFEST_MAX 65536

struct manifest {
	struct list link;
	char module[KCF_NAME_MAX];
	char *text; /* lines, zero-separated, the last one empty */
	bool off;   /* unloaded by an administrator */
};

struct failure {
	struct list link;
	char module[KCF_NAME_MAX];
	uint64_t until_ns;
};

struct waiter {
	struct list link;
	core_done done;
	void *arg;
};

struct load {
	struct list link; /* of core: under way */
	struct core *core;
	struct work work;
	char module[KCF_NAME_MAX], name[KCF_NAME_MAX];
	bool on_demand;
	struct host *host;
	const struct module *loaded;
	void *prov;
	enum kcf_status status;
	struct module_error err;
	struct list waiters, parked;
};

/* ---- manifests ---- */

static char *manifest_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = f ? calloc(1, MANIFEST_MAX + 2) : NULL;
	size_t n, out = 0;

	if (!text) {
		if (f)
			fclose(f);
		return NULL;
	}
	n = fread(text, 1, MANIFEST_MAX, f);
	fclose(f);
	text[n] = '\n';
	for (char *line = text, *end; line < text + n + 1; line = end + 1) {
		size_t len;

		end = memchr(line, '\n', (size_t)(text + n + 1 - line));
		len = (size_t)(end - line);
		if (len == 0 || *line == '#')
			continue;
		memmove(text + out, line, len);
		text[out + len] = 0;
		out += len + 1;
	}
	text[out] = 0;
	return text;
}

static bool manifest_has(const struct manifest *m, const char *mech)
{
	for (const char *line = m->text; *line; line += strlen(line) + 1)
		if (!strcmp(line, mech))
			return true;
	return false;
}

/* kcf-NAME.manifest -> NAME; false: another file. */
static bool manifest_name(const char *file, char *ret)
{
	static const char prefix[] = "kcf-", suffix[] = ".manifest";
	size_t len = strlen(file), cut = sizeof(prefix) - 1 + sizeof(suffix) - 1;

	if (len <= cut || len - cut >= KCF_NAME_MAX || strncmp(file, prefix, sizeof(prefix) - 1) ||
	    strcmp(file + len - sizeof(suffix) + 1, suffix))
		return false;
	memcpy(ret, file + sizeof(prefix) - 1, len - cut);
	ret[len - cut] = 0;
	return true;
}

static void manifests_read(struct core *core)
{
	DIR *dir = opendir(core->module_dir);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char name[KCF_NAME_MAX], path[PATH_MAX];
		struct manifest *m;

		if (!manifest_name(e->d_name, name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", core->module_dir, e->d_name);
		m = calloc(1, sizeof(*m));
		if (m)
			m->text = manifest_read(path);
		if (!m || !m->text) {
			free(m);
			continue;
		}
		strcpy(m->module, name);
		list_push(&core->manifests, &m->link);
	}
	if (dir)
		closedir(dir);
}

/* ---- one load ---- */

static struct load *load_new(struct core *core, const char *module, const char *name,
			     const char *const *options, unsigned n_options)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->core = core;
	snprintf(l->module, sizeof(l->module), "%s", module);
	snprintf(l->name, sizeof(l->name), "%s", name);
	list_init(&l->waiters);
	list_init(&l->parked);
	l->host = host_new(core->loop, name, options, n_options);
	if (!l->host) {
		free(l);
		return NULL;
	}
	list_push(&core->loads, &l->link);
	return l;
}

static enum kcf_status load_fail(struct load *l, enum kcf_status status, const char *why)
{
	if (!l->err.text[0])
		snprintf(l->err.text, sizeof(l->err.text), "%s: %s (%s)", l->module, why,
			 kcf_strstatus(status));
	return l->status = status;
}

/* Start and known answers. */
static enum kcf_status load_start(struct load *l)
{
	const struct kcf_provider_ops *ops = l->loaded->desc->ops;
	enum kcf_status status = ops->start(&l->host->base, &l->prov);
	const char *option;

	if (status != KCF_SUCCESS)
		return load_fail(l, status, "did not start; see kcfd's log");
	option = host_unknown_option(l->host);
	if (option) {
		ops->stop(l->prov);
		snprintf(l->err.text, sizeof(l->err.text), "%s has no setting \"%.*s\"", l->module,
			 (int)strcspn(option, "="), option);
		return l->status = KCF_ARGUMENTS_BAD;
	}
	status = ops->self_test ? ops->self_test(l->prov) : KCF_SUCCESS;
	if (status == KCF_SUCCESS)
		return KCF_SUCCESS;
	ops->stop(l->prov);
	return load_fail(l, status, "gave a wrong answer to a known question");
}

static enum kcf_status load_open(struct load *l)
{
	char path[PATH_MAX];
	struct module *module;
	enum kcf_status status;
	int fd;

	if (strchr(l->module, '/') || !l->module[0])
		return load_fail(l, KCF_ARGUMENTS_BAD, "a module's name is not a path");
	snprintf(path, sizeof(path), "%s/kcf-%s.so", l->core->module_dir, l->module);
	fd = module_seal(path, &l->err);
	if (fd < 0)
		return load_fail(l, KCF_NOT_FOUND, "cannot be read");
	if (module_verify(fd, &l->err) < 0) {
		close(fd);
		return load_fail(l, KCF_MODULE_INVALID, "refused");
	}
	status = module_open(fd, &module, &l->err);
	if (status != KCF_SUCCESS)
		return load_fail(l, status, "cannot be mapped");
	if (l->on_demand && module->desc->flags & KCF_DESC_TEST_ONLY)
		return load_fail(l, KCF_MODULE_INVALID, "is for tests and not loaded on demand");
	l->loaded = module;
	return l->status = KCF_SUCCESS;
}

static void load_run(struct work *w)
{
	struct load *l = container_of(w, struct load, work);

	if (load_open(l) == KCF_SUCCESS && l->loaded->desc->kind == KCF_SOFTWARE)
		load_start(l);
}

static void remember_failure(struct core *core, const char *module)
{
	struct failure *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	snprintf(f->module, sizeof(f->module), "%s", module);
	f->until_ns = uv_hrtime() + LOAD_FAILURE_NS;
	list_push(&core->failures, &f->link);
}

/* On the loop: a device starts here, then the registry. */
static void load_finish(struct load *l)
{
	struct core *core = l->core;

	if (l->status == KCF_SUCCESS && l->loaded->desc->kind == KCF_HARDWARE)
		load_start(l);
	if (l->status == KCF_SUCCESS && provider_find(core, l->name)) {
		l->loaded->desc->ops->stop(l->prov);
		load_fail(l, KCF_ALREADY_EXISTS, "a provider of this name is loaded");
	}
	if (l->status == KCF_SUCCESS) {
		enum kcf_status status =
			provider_register(core, l->loaded, l->module, l->name, l->host, l->prov);

		if (status == KCF_SUCCESS) {
			l->host = NULL;
			return;
		}
		l->loaded->desc->ops->stop(l->prov);
		load_fail(l, status, "no place in the table");
	}
	if (l->on_demand)
		remember_failure(core, l->module);
}

static void load_end(struct load *l)
{
	struct list *w;

	list_remove(&l->link);
	while ((w = list_pop(&l->waiters))) {
		struct waiter *waiter = list_entry(w, struct waiter, link);

		waiter->done(waiter->arg, l->status, l->status == KCF_SUCCESS ? NULL : l->err.text);
		free(waiter);
	}
	sched_unpark(l->core, &l->parked);
	host_free(l->host);
	free(l);
}

static void load_done(struct wake_node *node)
{
	struct load *l = container_of(node, struct load, work.node);

	worker_done(&l->core->workers);
	load_finish(l);
	sched_arm(l->core);
	load_end(l);
}

static void load_submit(struct load *l)
{
	struct work *work = &l->work;

	l->work.run = load_run;
	l->work.node.fn = load_done;
	worker_submit(&l->core->workers, &work, 1);
}

enum kcf_status load_on_done(struct load *load, core_done done, void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return KCF_HOST_MEMORY;
	*w = (struct waiter){.done = done, .arg = arg};
	list_push(&load->waiters, &w->link);
	return KCF_SUCCESS;
}

struct list *load_parked(struct load *load)
{
	return &load->parked;
}

/* ---- on demand ---- */

static bool failed_lately(struct core *core, const char *module)
{
	uint64_t now = uv_hrtime();

	list_for_each_safe(l, tmp, &core->failures)
	{
		struct failure *f = list_entry(l, struct failure, link);

		if (f->until_ns <= now) {
			list_remove(&f->link);
			free(f);
		} else if (!strcmp(f->module, module)) {
			return true;
		}
	}
	return false;
}

static struct load *load_find(struct core *core, const char *name)
{
	list_for_each(l, &core->loads)
	{
		struct load *load = list_entry(l, struct load, link);

		if (!strcmp(load->name, name))
			return load;
	}
	return NULL;
}

enum kcf_status load_for_mech(struct core *core, const char *mech_name, struct load **ret)
{
	list_for_each(l, &core->manifests)
	{
		const struct manifest *m = list_entry(l, struct manifest, link);
		struct load *load;

		if (m->off || core->stopping || !manifest_has(m, mech_name) ||
		    provider_find(core, m->module) || failed_lately(core, m->module))
			continue;
		load = load_find(core, m->module);
		if (!load) {
			load = load_new(core, m->module, m->module, NULL, 0);
			if (!load)
				return KCF_HOST_MEMORY;
			load->on_demand = true;
			load_submit(load);
		}
		*ret = load;
		return KCF_QUEUED;
	}
	return KCF_MECH_NOT_SUPPORTED;
}

void load_on_demand(struct core *core, const char *module, bool permitted)
{
	list_for_each(l, &core->manifests)
	{
		struct manifest *m = list_entry(l, struct manifest, link);

		if (!strcmp(m->module, module))
			m->off = !permitted;
	}
}

void core_load(struct core *core, const char *name, const char *instance,
	       const char *const *options, unsigned n_options, core_done done, void *arg)
{
	struct load *l;

	if (!instance)
		instance = name;
	if (provider_find(core, instance) || load_find(core, instance)) {
		done(arg, KCF_ALREADY_EXISTS, "a provider of this name is loaded or being loaded");
		return;
	}
	if (strlen(name) >= KCF_NAME_MAX || strlen(instance) >= 32) {
		done(arg, KCF_ARGUMENTS_BAD, "the name is too long");
		return;
	}
	l = load_new(core, name, instance, options, n_options);
	if (!l || load_on_done(l, done, arg) != KCF_SUCCESS) {
		if (l)
			load_end(l);
		done(arg, KCF_HOST_MEMORY, "out of memory");
		return;
	}
	load_on_demand(core, name, true);
	load_submit(l);
}

/* ---- beginning and end ---- */

static const struct manifest *manifest_find(struct core *core, const char *module)
{
	list_for_each(l, &core->manifests)
	{
		const struct manifest *m = list_entry(l, struct manifest, link);

		if (!strcmp(m->module, module))
			return m;
	}
	return NULL;
}

static enum kcf_status load_standard(struct core *core, const char *module)
{
	struct load *l = load_new(core, module, module, NULL, 0);
	enum kcf_status status;

	if (!l)
		return KCF_HOST_MEMORY;
	if (load_open(l) == KCF_SUCCESS && l->loaded->desc->kind == KCF_SOFTWARE)
		load_start(l);
	load_finish(l);
	status = l->status;
	if (status != KCF_SUCCESS)
		l->host->base.log(&l->host->base, KCF_LOG_ERROR, "not loaded: %s", l->err.text);
	load_end(l);
	return status;
}

enum kcf_status loads_init(struct core *core, const char *const *modules)
{
	static const char *const standard[] = {"openssl", "multibuffer", NULL};
	enum kcf_status status;

	list_init(&core->manifests);
	list_init(&core->loads);
	list_init(&core->failures);
	manifests_read(core);
	if (!modules)
		modules = standard;
	status = load_standard(core, modules[0]);
	for (unsigned i = 1; status == KCF_SUCCESS && modules[i]; i++)
		if (modules != standard || manifest_find(core, modules[i]))
			load_standard(core, modules[i]);
	return status;
}

void loads_deinit(struct core *core)
{
	struct list *l;

	while ((l = list_pop(&core->manifests))) {
		struct manifest *m = list_entry(l, struct manifest, link);

		free(m->text);
		free(m);
	}
	while ((l = list_pop(&core->failures)))
		free(list_entry(l, struct failure, link));
}
