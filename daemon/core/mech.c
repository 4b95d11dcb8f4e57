/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mech.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/private.h"

void mechs_init(struct core *core)
{
	core->mechs = (struct mech_table){.next_dynamic = KCF_M_DYNAMIC};
}

void mechs_deinit(struct core *core)
{
	struct mech_table *t = &core->mechs;

	for (unsigned i = 0; i < t->n_rows; i++) {
		if (t->rows[i]->keyless)
			tmpl_unref(t->rows[i]->keyless);
		free(t->rows[i]);
	}
	mechs_init(core);
}

/* A new row. number 0 = the next dynamic one. NULL: full or out of memory. */
static struct mech *mech_new(struct core *core, const char *name, uint32_t number, uint32_t classes,
			     uint32_t param_kind)
{
	struct mech_table *t = &core->mechs;
	struct mech *m;

	if (t->n_rows == TABLE_MECHS)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->number = number ? number : t->next_dynamic++;
	m->index = t->n_rows;
	m->classes = classes;
	m->param_kind = param_kind;
	list_init(&m->due);
	m->threshold = MECH_THRESHOLD;
	m->mode = t->mode;
	strncpy(m->name, name, sizeof(m->name) - 1);
	t->rows[t->n_rows++] = m;
	if (number)
		t->fixed[number] = m;
	else
		t->dynamic[m->number - KCF_M_DYNAMIC] = m;
	return m;
}

static struct mech *mech_fixed(struct core *core, const struct kcf_mech_name *fixed)
{
	struct mech *m = core->mechs.fixed[fixed->number];

	return m ? m
		 : mech_new(core, fixed->name, fixed->number, fixed->classes, fixed->param_kind);
}

struct mech *mech_by_number(struct core *core, uint32_t number)
{
	const struct kcf_mech_name *fixed;

	if (number >= KCF_M_DYNAMIC) {
		number -= KCF_M_DYNAMIC;
		return number < TABLE_MECHS ? core->mechs.dynamic[number] : NULL;
	}
	if (number >= MECH_FIXED)
		return NULL;
	if (core->mechs.fixed[number])
		return core->mechs.fixed[number];
	fixed = kcf_mech_name(number);
	return fixed ? mech_fixed(core, fixed) : NULL;
}

struct mech *mech_by_name(struct core *core, const char *name)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(name);

	if (fixed)
		return mech_fixed(core, fixed);
	for (unsigned i = 0; i < core->mechs.n_rows; i++)
		if (!strcmp(core->mechs.rows[i]->name, name))
			return core->mechs.rows[i];
	return NULL;
}

struct mech *mech_get(struct core *core, const struct kcf_mech_row *row)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(row->name);
	struct mech *m = NULL;

	/* an alias of a fixed name is no name to offer */
	if (fixed && !strcmp(fixed->name, row->name))
		m = mech_fixed(core, fixed);
	else if (!fixed)
		m = mech_by_name(core, row->name);
	if (m)
		return m->param_kind == row->param_kind ? m : NULL;
	return fixed ? NULL : mech_new(core, row->name, 0, row->classes, row->param_kind);
}

#define SYMMETRIC (KCF_CLASS_DIGEST | KCF_CLASS_MAC | KCF_CLASS_CIPHER | KCF_CLASS_AEAD)

bool mech_is_measurable(const struct mech *m)
{
	return m->classes & SYMMETRIC && !(m->classes & ~SYMMETRIC);
}

/* The smallest size from which on one of the devices is expected to be done no later than any
 * software. */
static uint32_t expected_threshold(const struct core *core, const struct mech *m)
{
	uint32_t best = UINT32_MAX;

	for (unsigned i = 0; i < m->n_offers; i++) {
		const struct offer *device = m->offers[i];
		uint32_t from = 0;

		for (unsigned k = 0; device->provider->hardware && k < m->n_offers; k++) {
			const struct offer *software = m->offers[k];
			uint32_t at;

			if (software->provider->hardware)
				continue;
			at = cost_crossing(&software->alone.base, &device->alone.line,
					   core->limits.max_request);
			from = at > from ? at : from;
		}
		if (device->provider->hardware && from < best)
			best = from;
	}
	return best;
}

static void store_threshold(struct core *core, struct mech *m, uint32_t bytes,
			    enum threshold_from from)
{
	m->threshold = bytes;
	m->threshold_from = from;
	__atomic_store_n(&core->table.t->thresholds[m->index], bytes, __ATOMIC_RELAXED);
}

static unsigned n_hardware_of(const struct mech *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_offers; i++)
		n += m->offers[i]->provider->hardware;
	return n;
}

static void cost_publish(struct table *t, const struct mech *m, unsigned i)
{
	for (unsigned k = 0; k < 2; k++) {
		const struct cost_line *l = &offer_cost(m->offers[i], k)->base;

		__atomic_store_n(&t->costs[m->index][i][k],
				 TABLE_COST(l->setup_ns, l->ns_per_kib), __ATOMIC_RELAXED);
	}
}

static void costs_publish(struct core *core, const struct mech *m)
{
	for (unsigned i = 0; i < m->n_offers; i++)
		cost_publish(core->table.t, m, i);
}

void mech_measured(struct core *core, struct mech *m, bool all)
{
	unsigned n_hardware = n_hardware_of(m);

	costs_publish(core, m);
	if (m->threshold_from != THRESHOLD_SET && n_hardware && n_hardware < m->n_offers)
		store_threshold(core, m, expected_threshold(core, m),
				all ? THRESHOLD_MEASURED : THRESHOLD_ESTIMATED);
}

void mech_auto_threshold(struct core *core, struct mech *m)
{
	unsigned n_hardware = n_hardware_of(m);

	measure_again(core, m);
	if (n_hardware && n_hardware == m->n_offers)
		store_threshold(core, m, 0, THRESHOLD_ONLY_HARDWARE);
	else if (!n_hardware || mech_is_measurable(m))
		store_threshold(core, m, MECH_THRESHOLD, THRESHOLD_INITIAL);
	else
		store_threshold(core, m, expected_threshold(core, m), THRESHOLD_ESTIMATED);
}

static void offers_changed(struct core *core, struct mech *m)
{
	measure_again(core, m);
	if (m->threshold_from != THRESHOLD_SET)
		mech_auto_threshold(core, m);
}

const char *mech_threshold_word(const struct mech *m)
{
	static const char *const words[] = {
		[THRESHOLD_INITIAL] = "initial",
		[THRESHOLD_ONLY_HARDWARE] = "only hardware",
		[THRESHOLD_ESTIMATED] = "estimated",
		[THRESHOLD_MEASURED] = "measured",
		[THRESHOLD_SET] = "set",
	};

	return words[m->threshold_from];
}

bool mech_add_offer(struct core *core, struct mech *m, struct offer *offer)
{
	if (m->n_offers == TABLE_OFFERS)
		return false;
	m->offers[m->n_offers++] = offer;
	m->classes |= offer->desc->classes;
	offer->mech = m;
	offers_changed(core, m);
	return true;
}

void mech_remove_offer(struct core *core, struct mech *m, struct offer *offer)
{
	for (unsigned i = 0; i < m->n_offers; i++) {
		if (m->offers[i] != offer)
			continue;
		memmove(&m->offers[i], &m->offers[i + 1],
			(m->n_offers - i - 1) * sizeof(m->offers[0]));
		m->n_offers--;
		break;
	}
	offers_changed(core, m);
}

void mech_set_threshold(struct core *core, struct mech *m, uint32_t bytes)
{
	store_threshold(core, m, bytes, THRESHOLD_SET);
}

void mech_set_mode(struct core *core, struct mech *m, enum table_mode mode)
{
	if (m) {
		m->mode = mode;
	} else {
		core->mechs.mode = mode;
		for (unsigned i = 0; i < core->mechs.n_rows; i++)
			core->mechs.rows[i]->mode = mode;
	}
	mechs_publish(core);
}

bool mech_is_offered(const struct mech *m)
{
	for (unsigned i = 0; i < m->n_offers; i++)
		if (m->offers[i]->enabled && provider_is_usable(m->offers[i]->provider))
			return true;
	return false;
}

static void offer_publish(const struct offer *o, struct table_offer *ret)
{
	const struct kcf_mech_row *row = o->desc;

	*ret = (struct table_offer){
		.provider = (uint16_t)o->provider->row,
		.flags = o->enabled ? OFFER_ENABLED : 0,
		.row = o->row,
		.classes = row->classes,
		.row_flags = row->flags,
		.key_min_bits = row->key_min_bits,
		.key_max_bits = row->key_max_bits,
		.key_step_bits = row->key_step_bits,
		.block_len = row->block_len,
		.max_input = row->max_input,
		.setup_ns = row->setup_ns,
		.ns_per_kib = row->ns_per_kib,
	};
}

static void mech_publish(struct core *core, const struct mech *m, struct table_mech *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->number = m->number;
	ret->param_kind = m->param_kind;
	ret->mode = m->mode;
	ret->n_offers = m->n_offers;
	memcpy(ret->name, m->name, sizeof(ret->name));
	for (unsigned i = 0; i < m->n_offers; i++)
		offer_publish(m->offers[i], &ret->offers[i]);
	costs_publish(core, m);
}

static void provider_publish(const struct provider *p, struct table_provider *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!p)
		return;
	memcpy(ret->name, p->name, sizeof(ret->name) - 1); /* a longer one was refused at load */
	ret->kind = p->inst.desc->kind;
	ret->in_caller = !p->hardware;
	ret->generation = p->inst.generation;
	ret->version = p->inst.desc->version;
}

void mechs_publish(struct core *core)
{
	struct table_copy *copy = table_edit(&core->table);

	core->plans++;
	copy->n_mechs = core->mechs.n_rows;
	copy->n_providers = 0;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++) {
		provider_publish(core->providers[i], &copy->providers[i]);
		if (core->providers[i])
			copy->n_providers = i + 1;
	}
	for (unsigned i = 0; i < core->mechs.n_rows; i++)
		mech_publish(core, core->mechs.rows[i], &copy->mechs[i]);
	table_publish(&core->table);
}

int mech_param_kind(struct core *core, uint32_t number)
{
	struct mech *m = mech_by_number(core, number);

	return m ? (int)m->param_kind : -1;
}

/* ---- look-up that may load ---- */

struct finder {
	struct core *core;
	char name[KCF_NAME_MAX];
	void (*done)(void *arg, enum kcf_status status, uint32_t number);
	void *arg;
};

static void finder_done(void *arg, enum kcf_status status, const char *err)
{
	struct finder *f = arg;
	struct mech *m = status == KCF_SUCCESS ? mech_by_name(f->core, f->name) : NULL;

	if (m)
		f->done(f->arg, KCF_SUCCESS, m->number);
	else
		f->done(f->arg, KCF_MECH_NOT_SUPPORTED, 0);
	free(f);
}

enum kcf_status mech_find(struct core *core, const char *name,
			  void (*done)(void *arg, enum kcf_status status, uint32_t number),
			  void *arg, uint32_t *ret_number)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(name);
	const char *row_name = fixed ? fixed->name : name;
	struct mech *m = mech_by_name(core, row_name);
	struct load *load;
	struct finder *f;

	if (m && mech_is_offered(m)) {
		*ret_number = m->number;
		return KCF_SUCCESS;
	}
	if (strlen(row_name) >= KCF_NAME_MAX || load_for_mech(core, row_name, &load) != KCF_QUEUED)
		return KCF_MECH_NOT_SUPPORTED;
	f = calloc(1, sizeof(*f));
	if (!f)
		return KCF_HOST_MEMORY;
	*f = (struct finder){.core = core, .done = done, .arg = arg};
	strcpy(f->name, row_name);
	if (load_on_done(load, finder_done, f) != KCF_SUCCESS) {
		free(f);
		return KCF_HOST_MEMORY;
	}
	return KCF_QUEUED;
}
