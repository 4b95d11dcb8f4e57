/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-mech - mechanisms by name and number, as this client sees them.
 *
 * Names of <kcf/types.h> have their number there. Any other name a table brings gets the client's
 * own, from KCF_M_DYNAMIC up, and keeps it for the client's life, whatever number the kcfd of the
 * day gives it. Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "direct-private.h"

#define DYN_MAX 65536u

/* ---- numbers; locked ---- */

const char *mech_name_of(struct direct *d, kcf_mech_t number)
{
	const struct kcf_mech_name *fixed;

	if (number >= KCF_M_DYNAMIC)
		return number - KCF_M_DYNAMIC < d->n_dyn ? d->dyn_names[number - KCF_M_DYNAMIC]
							 : NULL;
	fixed = kcf_mech_name(number);
	return fixed ? fixed->name : NULL;
}

/* Fixed names by their own spelling only: aliases are for people. */
static kcf_mech_t fixed_number(const char *name)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(name);

	return fixed && !strcmp(fixed->name, name) ? fixed->number : 0;
}

static bool dyn_grow(struct direct *d)
{
	struct kcf_template **hidden;
	char(*names)[KCF_NAME_MAX];
	uint32_t room = d->n_dyn + 16;

	if (d->n_dyn % 16)
		return true;
	names = realloc(d->dyn_names, room * sizeof(*names));
	if (!names)
		return false;
	d->dyn_names = names;
	hidden = realloc(d->hidden_dyn, room * sizeof(*hidden));
	if (!hidden)
		return false;
	d->hidden_dyn = hidden;
	return true;
}

kcf_mech_t mech_number_for(struct direct *d, const char *name)
{
	kcf_mech_t number = fixed_number(name);

	if (number)
		return number;
	for (uint32_t i = 0; i < d->n_dyn; i++)
		if (!strcmp(d->dyn_names[i], name))
			return KCF_M_DYNAMIC + i;
	if (d->n_dyn == DYN_MAX || !dyn_grow(d))
		return 0;
	snprintf(d->dyn_names[d->n_dyn], KCF_NAME_MAX, "%s", name);
	d->hidden_dyn[d->n_dyn] = NULL;
	return KCF_M_DYNAMIC + d->n_dyn++;
}

int mech_index(struct direct *d, kcf_mech_t number)
{
	const char *name;

	if (number < KCF_M_DYNAMIC)
		return table_find(d->view.copy, number);
	name = mech_name_of(d, number);
	return name ? table_find_name(d->view.copy, name) : -1;
}

uint32_t direct_to_daemon(struct direct *d, kcf_mech_t number)
{
	uint32_t ret = number;
	int i;

	/* fixed numbers are the same everywhere, and kcfd may load what it does not list yet */
	if (number < KCF_M_DYNAMIC)
		return kcf_mech_name(number) ? number : 0;
	direct_lock(d);
	table_view_refresh(&d->view);
	i = mech_index(d, number);
	ret = i < 0 ? 0 : d->view.copy->mechs[i].number;
	direct_unlock(d);
	return ret;
}

kcf_mech_t direct_from_daemon(struct direct *d, uint32_t number)
{
	kcf_mech_t ret = number;
	int i;

	if (number < KCF_M_DYNAMIC)
		return kcf_mech_name(number) ? number : 0;
	direct_lock(d);
	table_view_refresh(&d->view);
	i = table_find(d->view.copy, number);
	ret = i < 0 ? 0 : mech_number_for(d, d->view.copy->mechs[i].name);
	direct_unlock(d);
	return ret;
}

/* ---- names of providers ---- */

/* A string that stays. Locked. */
static const char *intern(struct direct *d, const char *text)
{
	struct direct_name *n;
	size_t len = strlen(text) + 1;

	for (n = d->names; n; n = n->next)
		if (!strcmp(n->text, text))
			return n->text;
	n = malloc(sizeof(*n) + len);
	if (!n)
		return "";
	memcpy(n->text, text, len);
	n->next = d->names;
	d->names = n;
	return n->text;
}

const char *direct_provider_name(struct direct *d, uint32_t row1)
{
	const char *name;

	if (!row1 || row1 > TABLE_PROVIDERS)
		return "";
	direct_lock(d);
	table_view_refresh(&d->view);
	name = intern(d, d->view.copy->providers[row1 - 1].name);
	direct_unlock(d);
	return name;
}

/* ---- look-up and listing ---- */

static bool step_is_usable(const struct direct *d, const struct table_offer *o)
{
	return (o->flags & OFFER_ENABLED) && d->view.copy->providers[o->provider].kind;
}

static enum kcf_place place_of(const struct direct *d, const struct table_offer *o)
{
	const struct table_provider *p = &d->view.copy->providers[o->provider];
	const struct direct_module *m = &d->modules[o->provider];

	if (p->kind == KCF_HARDWARE)
		return KCF_PLACE_HARDWARE;
	return p->in_caller && !m->failed && (m->inst || m->opening || m->fd >= 0)
		       ? KCF_PLACE_CALLER
		       : KCF_PLACE_KCFD;
}

/* Where a call of any size would go now: hardware counts only where it takes every size. */
static void place_add(const struct direct *d, const struct table_mech *m,
		      const struct table_offer *o, struct kcf_mech_info *info)
{
	enum kcf_place place = place_of(d, o);

	if (place == KCF_PLACE_HARDWARE && info->threshold && info->place != KCF_PLACE_NONE)
		return;
	if (info->place == KCF_PLACE_NONE ||
	    (place == KCF_PLACE_HARDWARE && m->mode == MODE_HARDWARE_FIRST) ||
	    (info->place == KCF_PLACE_HARDWARE &&
	     (info->threshold || m->mode == MODE_SOFTWARE_FIRST)))
		info->place = place;
}

/* Locked. */
static void info_fill(struct direct *d, uint32_t index, kcf_mech_t number,
		      struct kcf_mech_info *info)
{
	const struct table_mech *m = &d->view.copy->mechs[index];

	memset(info, 0, sizeof(*info));
	info->number = number;
	memcpy(info->name, m->name, sizeof(info->name));
	info->param_kind = m->param_kind;
	info->key_min_bits = UINT32_MAX;
	info->threshold =
		d->view.t ? __atomic_load_n(&d->view.t->thresholds[index], __ATOMIC_RELAXED) : 0;
	for (uint32_t i = 0; i < m->n_offers; i++) {
		const struct table_offer *o = &m->offers[i];

		if (!step_is_usable(d, o))
			continue;
		info->classes |= o->classes;
		if (o->key_min_bits < info->key_min_bits)
			info->key_min_bits = o->key_min_bits;
		if (o->key_max_bits > info->key_max_bits)
			info->key_max_bits = o->key_max_bits;
		snprintf(info->providers[info->n_providers++], KCF_NAME_MAX, "%s",
			 d->view.copy->providers[o->provider].name);
		place_add(d, m, o, info);
	}
	if (!info->n_providers)
		info->key_min_bits = 0;
	if (!direct_attached(d) && info->place != KCF_PLACE_CALLER)
		info->place = KCF_PLACE_NONE;
}

static bool is_offered(const struct direct *d, const struct table_mech *m)
{
	for (uint32_t i = 0; i < m->n_offers; i++)
		if (step_is_usable(d, &m->offers[i]))
			return true;
	return false;
}

enum kcf_status direct_mech_find(struct direct *d, const char *name, kcf_mech_t *ret)
{
	const struct kcf_mech_name *fixed = kcf_mech_by_name(name);
	kcf_mech_t number = 0;
	int i;

	direct_lock(d);
	table_view_refresh(&d->view);
	i = fixed ? table_find(d->view.copy, fixed->number) : table_find_name(d->view.copy, name);
	if (i >= 0 && is_offered(d, &d->view.copy->mechs[i]))
		number = fixed ? fixed->number : mech_number_for(d, name);
	direct_unlock(d);
	if (!number)
		return KCF_MECH_NOT_SUPPORTED;
	*ret = number;
	return KCF_SUCCESS;
}

enum kcf_status direct_mech_info(struct direct *d, kcf_mech_t number, struct kcf_mech_info *ret)
{
	enum kcf_status status = KCF_SUCCESS;
	int i;

	direct_lock(d);
	table_view_refresh(&d->view);
	i = mech_index(d, number);
	if (i >= 0)
		info_fill(d, (uint32_t)i, number, ret);
	else
		status = mech_name_of(d, number) ? KCF_MECH_NOT_SUPPORTED : KCF_MECHANISM_INVALID;
	direct_unlock(d);
	return status;
}

enum kcf_status direct_mech_list(struct direct *d, struct kcf_mech_info *ret, size_t *n)
{
	size_t room = *n, found = 0;

	direct_lock(d);
	table_view_refresh(&d->view);
	for (uint32_t i = 0; i < d->view.copy->n_mechs; i++) {
		kcf_mech_t number;

		if (!is_offered(d, &d->view.copy->mechs[i]))
			continue;
		number = mech_number_for(d, d->view.copy->mechs[i].name);
		if (found < room)
			info_fill(d, i, number, &ret[found]);
		found++;
	}
	direct_unlock(d);
	*n = found;
	return found > room ? KCF_BUFFER_TOO_SMALL : KCF_SUCCESS;
}

enum kcf_status direct_check_param(struct direct *d, const struct kcf_mechanism *mech,
				   enum kcf_param_kind *ret_kind)
{
	struct kcf_template *t;
	const struct template_plan *own;
	const struct direct_plan *p;

	if (!mech)
		return KCF_ARGUMENTS_BAD;
	t = template_hidden(d, mech->number);
	if (!t)
		return mech->number < KCF_M_DYNAMIC && kcf_mech_name(mech->number)
			       ? KCF_HOST_MEMORY
			       : KCF_MECHANISM_INVALID;
	own = plan_get(d, t);
	if (!own)
		return KCF_HOST_MEMORY;
	p = own->plan;
	if (p->refusal == KCF_MECHANISM_INVALID)
		return p->refusal;
	if (!direct_param_ok(p->kind, mech->param, mech->param_len))
		return KCF_MECHANISM_PARAM_INVALID;
	*ret_kind = p->kind;
	return KCF_SUCCESS;
}

uint64_t direct_predict_ns(struct direct *d, kcf_mech_t number, size_t len)
{
	struct kcf_template *t = template_hidden(d, number);
	const struct template_plan *own = t ? plan_get(d, t) : NULL;
	const struct direct_plan *p = own ? own->plan : NULL;

	for (uint32_t i = 0; p && i < p->n_steps; i++)
		if (!p->steps[i].hardware)
			return plan_cost_ns(&p->steps[i], len);
	return 0;
}
