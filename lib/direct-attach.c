/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-attach - a client's part for in-caller work: made, joined to a kcfd, left alone, carried
 * over a fork.
 *
 * Table and page keep their addresses whatever kcfd they come from, so that calls under way in
 * other threads may go on reading and counting; what changed they learn by the epochs. In a child
 * the epochs read 0, which no plan has: the first call there makes the locks anew and takes a page
 * of its own. Thread: any; kcfd's answers come one at a time.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "direct-private.h"
#include "kcf-config.h"

/* ---- locks and epochs ---- */

void direct_lock(struct direct *d)
{
	direct_wake(d);
	pthread_mutex_lock(&d->lock);
}

void direct_unlock(struct direct *d)
{
	pthread_mutex_unlock(&d->lock);
}

static uint64_t epoch_next(void)
{
	static uint64_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

void direct_new_epoch(struct direct *d)
{
	__atomic_store_n(&d->mark->epoch, epoch_next(), __ATOMIC_RELEASE);
}

static void new_page_epoch(struct direct *d)
{
	__atomic_store_n(&d->mark->page_epoch, epoch_next(), __ATOMIC_RELEASE);
}

/* ---- the page ---- */

/* A page nobody else sees, at the place of the old one if there is one. */
static bool page_private(struct direct *d)
{
	void *p = mmap(d->page, sizeof(*d->page), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (d->page ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		return false;
	d->page = p;
	return true;
}

static bool page_shared(struct direct *d, int fd)
{
	struct page *p;

	if (page_map(fd, &p) < 0)
		return false;
	if (mremap(p, sizeof(*p), sizeof(*p), MREMAP_MAYMOVE | MREMAP_FIXED, d->page) != MAP_FAILED)
		return true;
	page_unmap(p);
	return false;
}

static bool page_replace(struct direct *d, int fd)
{
	bool ok;

	count_lock();
	ok = fd < 0 ? page_private(d) : page_shared(d, fd);
	if (ok)
		new_page_epoch(d);
	count_unlock();
	return ok;
}

struct page *direct_page(struct direct *d)
{
	return direct_attached(d) ? d->page : NULL;
}

/* ---- making and ending ---- */

static struct direct_mark *mark_new(void)
{
	struct direct_mark *mark = mmap(NULL, sizeof(*mark), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mark == MAP_FAILED)
		return NULL;
	if (madvise(mark, sizeof(*mark), MADV_WIPEONFORK) < 0) {
		munmap(mark, sizeof(*mark));
		return NULL;
	}
	mark->awake = 2;
	return mark;
}

struct direct *direct_new(struct kcf_client *client)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->client = client;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		d->modules[i].fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	d->mark = mark_new();
	if (!d->mark || table_view_private(&d->view) < 0 || !page_private(d)) {
		direct_free(d);
		return NULL;
	}
	direct_new_epoch(d);
	new_page_epoch(d);
	return d;
}

static void modules_close(struct direct *d)
{
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++) {
		if (d->modules[i].fd >= 0)
			close(d->modules[i].fd);
		d->modules[i] = (struct direct_module){.fd = -1};
	}
}

void direct_free(struct direct *d)
{
	struct direct_name *next;

	if (!d)
		return;
	for (unsigned i = 0; i < DIRECT_HIDDEN; i++)
		template_unref(d->hidden[i]);
	for (uint32_t i = 0; i < d->n_dyn; i++)
		template_unref(d->hidden_dyn[i]);
	plans_free(d);
	count_lock();
	count_forget(d);
	count_unlock();
	modules_close(d);
	for (struct direct_name *n = d->names; n; n = next) {
		next = n->next;
		free(n);
	}
	free(d->hidden_dyn);
	free(d->dyn_names);
	table_view_close(&d->view);
	page_unmap(d->page);
	if (d->mark)
		munmap(d->mark, sizeof(*d->mark));
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* ---- kcfd ---- */

/* Locked. What another kcfd passed for a row does not hold for this one's. */
static void modules_take(struct direct *d, const uint32_t *providers, const int *fds, unsigned n,
			 bool trusted)
{
	modules_close(d);
	for (unsigned i = 0; i < n; i++) {
		if (trusted && providers[i] < TABLE_PROVIDERS && d->modules[providers[i]].fd < 0)
			d->modules[providers[i]].fd = fds[i];
		else
			close(fds[i]);
	}
}

/* Before the lock is taken: a fork holds the counters' lock and must not wait for one that waits
 * for them. */
static bool page_attach(struct direct *d, int fd)
{
	direct_wake(d);
	return page_replace(d, fd);
}

enum kcf_status direct_attach(struct direct *d, int table_fd, int page_fd,
			      const char *const *module_names, const uint32_t *module_providers,
			      const int *module_fds, unsigned n_modules, bool trusted)
{
	bool ok = page_attach(d, page_fd);

	direct_lock(d);
	if (ok)
		ok = table_view_open(&d->view, table_fd) == 0;
	else
		close(table_fd);
	modules_take(d, module_providers, module_fds, ok ? n_modules : 0, trusted);
	for (unsigned i = 0; !ok && i < n_modules; i++)
		close(module_fds[i]);
	__atomic_store_n(&d->attached, ok, __ATOMIC_RELEASE);
	direct_new_epoch(d);
	direct_unlock(d);
	return ok ? KCF_SUCCESS : KCF_PROTOCOL_ERROR;
}

void direct_attach_module(struct direct *d, uint32_t provider, int fd, bool trusted)
{
	if (!trusted || provider >= TABLE_PROVIDERS) {
		close(fd);
		return;
	}
	direct_lock(d);
	if (d->modules[provider].fd >= 0)
		close(d->modules[provider].fd);
	d->modules[provider] = (struct direct_module){.fd = fd};
	direct_new_epoch(d);
	direct_unlock(d);
}

void direct_detach(struct direct *d)
{
	direct_lock(d);
	__atomic_store_n(&d->attached, false, __ATOMIC_RELEASE);
	direct_new_epoch(d);
	direct_unlock(d);
}

/* ---- no kcfd ---- */

static void offer_add(struct table_copy *c, uint16_t provider, uint32_t row,
		      const struct kcf_mech_row *r)
{
	int i = table_find_name(c, r->name);
	const struct kcf_mech_name *fixed = kcf_mech_by_name(r->name);
	struct table_mech *m;
	struct table_offer *o;

	if (i < 0) {
		if (c->n_mechs == TABLE_MECHS)
			return;
		i = (int)c->n_mechs++;
		m = &c->mechs[i];
		snprintf(m->name, sizeof(m->name), "%s", r->name);
		m->number = fixed ? fixed->number : KCF_M_DYNAMIC + (uint32_t)i;
		m->param_kind = r->param_kind;
	}
	m = &c->mechs[i];
	if (m->n_offers == TABLE_OFFERS || m->param_kind != r->param_kind)
		return;
	o = &m->offers[m->n_offers++];
	*o = (struct table_offer){
		.provider = provider,
		.flags = OFFER_ENABLED,
		.row = row,
		.classes = r->classes,
		.row_flags = r->flags,
		.key_min_bits = r->key_min_bits,
		.key_max_bits = r->key_max_bits,
		.key_step_bits = r->key_step_bits,
		.block_len = r->block_len,
		.max_input = r->max_input,
		.setup_ns = r->setup_ns,
		.ns_per_kib = r->ns_per_kib,
	};
}

/* Nobody has ordered the providers: the cheaper one for 1 KiB comes first. */
static int by_cost(const void *a, const void *b)
{
	const struct table_offer *x = a, *y = b;
	uint64_t p = (uint64_t)x->setup_ns + x->ns_per_kib;
	uint64_t q = (uint64_t)y->setup_ns + y->ns_per_kib;

	return p == q ? (int)x->provider - (int)y->provider : p < q ? -1 : 1;
}

static void table_fill(struct direct *d, const struct instance *const *inst, unsigned n)
{
	struct table_copy *c = d->view.copy;

	for (unsigned i = 0; i < n; i++) {
		const struct kcf_provider_desc *desc = inst[i]->desc;
		struct table_provider *p = &c->providers[i];

		snprintf(p->name, sizeof(p->name), "%s", desc->name);
		p->kind = desc->kind;
		p->in_caller = 1;
		p->generation = 1;
		p->version = desc->version;
		d->modules[i].inst = inst[i];
		for (uint32_t j = 0; j < desc->n_rows; j++)
			offer_add(c, (uint16_t)i, j, &desc->rows[j]);
	}
	c->n_providers = n;
	for (uint32_t i = 0; i < c->n_mechs; i++)
		qsort(c->mechs[i].offers, c->mechs[i].n_offers, sizeof(c->mechs[i].offers[0]),
		      by_cost);
}

enum kcf_status direct_standalone(struct direct *d, const char *dir)
{
	const struct instance *inst[TABLE_PROVIDERS];
	unsigned n = load_folder(dir ? dir : KCF_MODULE_DIR, inst, TABLE_PROVIDERS);

	direct_lock(d);
	/* a kcfd that is gone left its table: that stays the policy */
	if (!d->view.t && !d->view.copy->n_providers)
		table_fill(d, inst, n);
	direct_new_epoch(d);
	direct_unlock(d);
	return n ? KCF_SUCCESS : KCF_NOT_FOUND;
}

/* ---- fork ---- */

/* Nobody else runs here yet, or they wait for this; locks are not the parent's any more. */
static void carry_over(struct direct *d)
{
	pthread_mutex_init(&d->lock, NULL);
	__atomic_store_n(&d->attached, false, __ATOMIC_RELEASE);
	/* without a page of its own the page's epoch stays 0 and nothing is counted: the page is
	 * the parent's */
	(void)page_replace(d, -1);
	direct_new_epoch(d);
}

void direct_wake(struct direct *d)
{
	uint32_t none = 0;

	if (__builtin_expect(__atomic_load_n(&d->mark->awake, __ATOMIC_ACQUIRE) == 2, 1))
		return;
	if (__atomic_compare_exchange_n(&d->mark->awake, &none, 1, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		carry_over(d);
		__atomic_store_n(&d->mark->awake, 2, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&d->mark->awake, __ATOMIC_ACQUIRE) != 2)
		sched_yield();
}

void direct_after_fork(struct direct *d)
{
	direct_wake(d);
}
