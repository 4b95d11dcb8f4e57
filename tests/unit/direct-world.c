/* SPDX-License-Identifier: Apache-2.0 */
/* direct-world - see the header. One thread. */
#include "direct-world.h"
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct direct *client_direct(struct kcf_client *client)
{
	return client->direct;
}

bool client_forked(const struct kcf_client *client)
{
	return false;
}

bool client_standalone(const struct kcf_client *client)
{
	return client->standalone;
}

enum kcf_preference client_preference(const struct kcf_client *client,
				      const struct kcf_call_req *req)
{
	return req && req->preference ? req->preference : client->preference;
}

static int seal(const char *name)
{
	struct module_error err = {""};
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", TEST_MODULE_DIR, name);
	fd = module_seal(path, &err);
	ck_assert_msg(fd >= 0, "%s: %s", name, err.text);
	return fd;
}

static struct table_mech *mech_of(struct table_copy *c, const char *name, uint32_t kind)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(name);
	int i = table_find_name(c, name);
	struct table_mech *m;

	if (i >= 0)
		return &c->mechs[i];
	m = &c->mechs[c->n_mechs];
	memset(m, 0, sizeof(*m));
	/* names that are not listed have a number of kcfd's own, not the client's */
	m->number = fixed && !strcmp(fixed->name, name) ? fixed->number : 7000 + c->n_mechs;
	m->param_kind = kind;
	snprintf(m->name, sizeof(m->name), "%s", name);
	c->n_mechs++;
	return m;
}

static void add_module(struct table_copy *c, uint16_t row, const struct kcf_provider_desc *desc)
{
	struct table_provider *p = &c->providers[row];

	snprintf(p->name, sizeof(p->name), "%s", desc->name);
	p->kind = KCF_SOFTWARE;
	p->in_caller = 1;
	p->generation = 1;
	p->version = desc->version;
	if (c->n_providers <= row)
		c->n_providers = row + 1u;
	for (uint32_t i = 0; i < desc->n_rows; i++) {
		const struct kcf_mech_row *r = &desc->rows[i];
		struct table_mech *m = mech_of(c, r->name, r->param_kind);

		m->offers[m->n_offers++] = (struct table_offer){
			row,
			OFFER_ENABLED,
			i,
			r->classes,
			r->flags,
			r->key_min_bits,
			r->key_max_bits,
			r->key_step_bits,
			r->block_len,
			r->max_input,
			r->setup_ns,
			r->ns_per_kib,
		};
	}
}

void world_attach(struct world *w, bool trusted)
{
	uint32_t rows[4];
	int fds[4], page_fd;

	for (unsigned i = 0; i < w->n_modules; i++) {
		rows[i] = i;
		fds[i] = seal(w->modules[i]);
	}
	page_unmap(w->page);
	ck_assert_int_eq(page_new(1, &w->page, &page_fd), 0);
	ck_assert_int_eq(direct_attach(w->d, dup(w->writer.fd), page_fd, w->modules, rows, fds,
				       w->n_modules, trusted),
			 KCF_SUCCESS);
}

void world_open(struct world *w, const char *const *modules)
{
	struct table_copy *c;

	memset(w, 0, sizeof(*w));
	ck_assert_int_eq(table_writer_init(&w->writer, 1), 0);
	c = table_edit(&w->writer);
	for (; modules[w->n_modules]; w->n_modules++) {
		struct module_error err = {""};
		struct module *m;

		w->modules[w->n_modules] = modules[w->n_modules];
		ck_assert_msg(module_open(seal(modules[w->n_modules]), &m, &err) == KCF_SUCCESS,
			      "%s", err.text);
		add_module(c, (uint16_t)w->n_modules, m->desc);
		w->writer.t->live[w->n_modules].state = PROVIDER_READY;
	}
	table_publish(&w->writer);
	w->d = w->client.direct = direct_new(&w->client);
	ck_assert_ptr_nonnull(w->d);
	world_attach(w, true);
}

void world_close(struct world *w)
{
	direct_free(w->d);
	page_unmap(w->page);
	table_writer_deinit(&w->writer);
}

void world_add_hardware(struct world *w, const char *mech, uint32_t threshold)
{
	struct table_copy *c = table_edit(&w->writer);
	struct table_provider *p = &c->providers[WORLD_HARDWARE];
	struct table_mech *m = mech_of(c, mech, KCF_PARAM_NONE);

	snprintf(p->name, sizeof(p->name), "device");
	p->kind = KCF_HARDWARE;
	p->generation = 1;
	c->n_providers = WORLD_HARDWARE + 1;
	m->offers[m->n_offers] = m->offers[0];
	m->offers[m->n_offers].flags = OFFER_ENABLED;
	if (!m->n_offers) {
		m->offers[0].classes = KCF_CLASS_DIGEST;
		m->offers[0].key_max_bits = 0;
	}
	m->offers[m->n_offers++].provider = WORLD_HARDWARE;
	w->writer.t->thresholds[m - c->mechs] = threshold;
	w->writer.t->live[WORLD_HARDWARE] = (struct table_live){PROVIDER_READY, 8};
	table_publish(&w->writer);
}

void world_enable(struct world *w, const char *mech, const char *provider, bool enabled)
{
	struct table_copy *c = table_edit(&w->writer);
	struct table_mech *m = &c->mechs[table_find_name(c, mech)];

	for (uint32_t i = 0; i < m->n_offers; i++)
		if (!strcmp(c->providers[m->offers[i].provider].name, provider))
			m->offers[i].flags = enabled ? OFFER_ENABLED : 0;
	table_publish(&w->writer);
}

struct page_row world_counted(const struct page *page, uint32_t mech, uint32_t provider_row)
{
	struct page_row sum = {.mech = mech, .provider = provider_row + 1};

	for (unsigned i = 0; i < PAGE_CELLS; i++)
		for (unsigned j = 0; j < PAGE_ROWS; j++) {
			const struct page_row *r = &page->cells[i].rows[j];

			if (r->mech != sum.mech || r->provider != sum.provider)
				continue;
			sum.ops += r->ops;
			sum.bytes += r->bytes;
			sum.errors += r->errors;
			sum.samples += r->samples;
		}
	return sum;
}
