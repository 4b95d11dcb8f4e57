/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-plan - the table's word on one mechanism, as its templates keep it.
 *
 * Making a plan costs a lock and happens again only when the table, the connection or this side's
 * modules changed; a plan equal to an earlier one is that one again, so their number stays small.
 * Any thread.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "direct-private.h"

#define CONTENT_AT  offsetof(struct direct_plan, refusal)
#define CONTENT_LEN (sizeof(struct direct_plan) - CONTENT_AT)

static const uint64_t generation_none; /* for a view without a table */

/* ---- making ---- */

/* What one of many costs is only in the row itself. */
static void fill_burst(struct plan_step *s)
{
	const struct kcf_provider_desc *desc = s->inst ? s->inst->desc : NULL;
	const struct kcf_mech_row *row = desc && s->row < desc->n_rows ? &desc->rows[s->row] : NULL;
	bool gains = row && (row->burst_setup_ns || row->burst_ns_per_kib);

	s->burst_setup_ns = gains ? row->burst_setup_ns : s->setup_ns;
	s->burst_ns_per_kib = gains ? row->burst_ns_per_kib : s->ns_per_kib;
}

static void fill_step(struct direct *d, const struct table_offer *o, struct plan_step *s)
{
	const struct table_provider *p = &d->view.copy->providers[o->provider];
	const struct direct_module *m = &d->modules[o->provider];

	s->provider = o->provider;
	s->hardware = p->kind == KCF_HARDWARE;
	if (p->kind == KCF_SOFTWARE && p->in_caller) {
		s->inst = load_opened(d, o->provider);
		/* who comes while another thread opens it waits for that, and stays here too */
		s->here = s->inst || ((m->opening || m->fd >= 0) && !m->failed);
	}
	s->row = o->row;
	s->classes = o->classes;
	s->row_flags = o->row_flags;
	s->generation = p->generation;
	s->setup_ns = o->setup_ns;
	s->ns_per_kib = o->ns_per_kib;
	fill_burst(s);
	s->max_input = o->max_input ? o->max_input : UINT64_MAX;
	s->key_min_bits = o->key_min_bits;
	s->key_max_bits = o->key_max_bits;
	s->key_step_bits = o->key_step_bits;
}

static void fill_mech(struct direct *d, const struct table_mech *m, struct direct_plan *p)
{
	p->number = m->number;
	p->mode = m->mode;
	p->kind = (enum kcf_param_kind)m->param_kind;
	p->unlisted = !m->n_offers;
	for (uint32_t i = 0; i < m->n_offers; i++) {
		const struct table_offer *o = &m->offers[i];

		if (!(o->flags & OFFER_ENABLED) || !d->view.copy->providers[o->provider].kind)
			continue;
		fill_step(d, o, &p->steps[p->n_steps]);
		p->steps[p->n_steps].offer = (uint16_t)i;
		p->any_hardware |= p->steps[p->n_steps++].hardware;
	}
}

/* Locked. */
static void plan_fill(struct direct *d, kcf_mech_t number, struct direct_plan *p)
{
	const struct kcf_mech_name *fixed;

	memset(p, 0, sizeof(*p));
	table_view_refresh(&d->view);
	p->epoch = d->mark->epoch;
	p->generation_at = d->view.t ? &d->view.t->generation : &generation_none;
	p->generation = d->view.t ? d->view.generation : 0;
	p->preference = client_preference(d->client, NULL);
	p->index = mech_index(d, number);
	p->unlisted = true;
	if (!direct_attached(d) && !client_standalone(d->client))
		p->refusal = KCF_NO_DAEMON;
	if (p->index >= 0) {
		fill_mech(d, &d->view.copy->mechs[p->index], p);
	} else {
		fixed = kcf_mech_name(number);
		if (fixed)
			p->kind = (enum kcf_param_kind)fixed->param_kind;
		else if (!mech_name_of(d, number))
			p->refusal = KCF_MECHANISM_INVALID;
	}
}

/* The plan of this content. Locked. */
static struct direct_plan *plan_shared(struct direct *d, const struct direct_plan *p)
{
	struct direct_plan *old;

	for (old = d->plans; old; old = old->next) {
		if (memcmp((const char *)old + CONTENT_AT, (const char *)p + CONTENT_AT,
			   CONTENT_LEN))
			continue;
		__atomic_store_n(&old->generation_at, p->generation_at, __ATOMIC_RELAXED);
		__atomic_store_n(&old->generation, p->generation, __ATOMIC_RELAXED);
		__atomic_store_n(&old->epoch, p->epoch, __ATOMIC_RELEASE);
		return old;
	}
	old = malloc(sizeof(*old));
	if (!old)
		return NULL;
	memcpy(old, p, sizeof(*old)); /* padding too: it is compared */
	old->next = d->plans;
	d->plans = old;
	return old;
}

/* A template's use of it. Locked. */
static struct template_plan *plan_of(struct kcf_template *t, struct direct_plan *p)
{
	struct template_plan *own;

	for (own = t->plans; own; own = own->next)
		if (own->plan == p)
			return own;
	/* on a cache line, and alone there */
	own = aligned_alloc(64, (sizeof(*own) + 63) & ~(size_t)63);
	if (!own)
		return NULL;
	memset(own, 0, sizeof(*own));
	own->plan = p;
	own->next = t->plans;
	t->plans = own;
	return own;
}

struct template_plan *plan_get(struct direct *d, struct kcf_template *t)
{
	struct template_plan *own = __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE);
	struct direct_plan fresh, *p;

	if (own && plan_is_current(d, own->plan))
		return own;
	direct_lock(d);
	plan_fill(d, t->mech, &fresh);
	p = plan_shared(d, &fresh);
	own = p ? plan_of(t, p) : NULL;
	if (own)
		__atomic_store_n(&t->plan, own, __ATOMIC_RELEASE);
	direct_unlock(d);
	return own;
}

void plans_free(struct direct *d)
{
	struct direct_plan *p;

	while ((p = d->plans)) {
		d->plans = p->next;
		free(p);
	}
}
