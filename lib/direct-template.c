/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-template - templates on this side: the key's bytes, and what providers made of them.
 *
 * What is prepared is kept per provider, row and generation until the template ends, because a
 * thread may be on its way to it without a reference. Every mechanism in use has a hidden template
 * without a key: keyless work runs on it, and calls with raw key bytes find their plan there. Any
 * thread; the last reference frees.
 */
#include <stdlib.h>
#include <string.h>
#include "direct-private.h"

/* ---- ends ---- */

void template_ref(struct kcf_template *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

static void template_free(struct kcf_template *t)
{
	struct template_plan *plan;
	struct direct_prep *prep;

	while ((prep = t->preps)) {
		t->preps = prep->next;
		prepared_unref(prep->prepared);
		free(prep);
	}
	while ((plan = t->plans)) {
		t->plans = plan->next;
		free(plan);
	}
	if (t->bytes) {
		explicit_bzero(t->bytes, t->len);
		free(t->bytes);
	}
	explicit_bzero(t, sizeof(*t));
	free(t);
}

void template_unref(struct kcf_template *t)
{
	if (t && !__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		template_free(t);
}

/* ---- preparing ---- */

/* The key as a provider takes it; NULL for none. */
static const struct kcf_key_data *key_data(enum kcf_key_kind kind, enum kcf_key_format format,
					   const void *bytes, size_t len, struct kcf_key_data *room)
{
	if (kind != KCF_KEY_BYTES)
		return NULL;
	*room = (struct kcf_key_data){format, bytes, len};
	return room;
}

/* Does the module's row carry the name the table gave it? kcfd's rows are those of the same bytes.
 */
static bool row_is(struct direct *d, const struct instance *inst, const struct plan_step *s,
		   kcf_mech_t number)
{
	const char *name;
	bool same;

	if (s->row >= inst->desc->n_rows)
		return false;
	direct_lock(d);
	name = mech_name_of(d, number);
	same = name && !strcmp(inst->desc->rows[s->row].name, name);
	direct_unlock(d);
	return same;
}

/* The instance the step speaks of; NULL: not in this process. */
static const struct instance *instance_of(struct direct *d, kcf_mech_t mech,
					  const struct plan_step *s)
{
	const struct instance *inst = s->inst ? s->inst : load_provider(d, s->provider);

	return inst && row_is(d, inst, s, mech) ? inst : NULL;
}

static struct direct_prep *prep_find(struct kcf_template *t, const struct instance *inst,
				     const struct plan_step *s)
{
	for (struct direct_prep *p = __atomic_load_n(&t->preps, __ATOMIC_ACQUIRE); p; p = p->next)
		if (p->inst == inst && p->provider == s->provider && p->row == s->row &&
		    p->generation == s->generation)
			return p;
	return NULL;
}

static struct direct_prep *prep_new(struct kcf_template *t, const struct instance *inst,
				    const struct plan_step *s)
{
	struct direct_prep *p = calloc(1, sizeof(*p));
	struct kcf_key_data room;

	if (!p)
		return NULL;
	p->inst = inst;
	p->provider = s->provider;
	p->row = s->row;
	p->generation = s->generation;
	p->status = prepared_new(
		inst, s->row, key_data(t->kind, t->format, t->bytes, t->len, &room), &p->prepared);
	return p;
}

/* What a key is refused for stays so; anything else may pass. */
static bool is_for_good(enum kcf_status status)
{
	return status == KCF_SUCCESS || status == KCF_KEY_SIZE_RANGE ||
	       status == KCF_KEY_TYPE_INCONSISTENT;
}

enum kcf_status template_prepare(struct direct *d, struct kcf_template *t,
				 const struct plan_step *s, struct prepared **ret)
{
	const struct instance *inst = instance_of(d, t->mech, s);
	struct direct_prep *p, *other;
	enum kcf_status status;

	if (!inst)
		return KCF_DEVICE_REMOVED;
	other = prep_find(t, inst, s);
	if (!other) {
		p = prep_new(t, inst, s);
		if (!p)
			return KCF_HOST_MEMORY;
		status = p->status;
		direct_lock(d);
		other = prep_find(t, inst, s);
		if (!other && is_for_good(status)) {
			p->next = t->preps;
			__atomic_store_n(&t->preps, p, __ATOMIC_RELEASE);
			other = p;
		}
		direct_unlock(d);
		if (other != p) {
			prepared_unref(p->prepared);
			free(p);
		}
		if (!other)
			return status;
	}
	*ret = other->prepared;
	return other->status;
}

enum kcf_status template_transient(struct direct *d, kcf_mech_t mech, const struct kcf_key *key,
				   const struct plan_step *s, struct prepared **ret)
{
	const struct instance *inst = instance_of(d, mech, s);
	struct kcf_key_data room;

	if (!inst)
		return KCF_DEVICE_REMOVED;
	return prepared_new(inst, s->row,
			    key_data(key->kind, key->format, key->bytes, key->len, &room), ret);
}

/* ---- beginnings ---- */

static struct kcf_template *template_alloc(struct direct *d, kcf_mech_t mech)
{
	struct kcf_template *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->client = d->client;
	t->direct = d;
	t->refs = 1;
	t->mech = mech;
	return t;
}

/* Publishes at *at the first template made for it. Locked. */
static struct kcf_template *hidden_make(struct direct *d, kcf_mech_t number,
					struct kcf_template **at)
{
	struct kcf_template *t = *at;

	if (t)
		return t;
	t = template_alloc(d, number);
	if (t)
		__atomic_store_n(at, t, __ATOMIC_RELEASE);
	return t;
}

struct kcf_template *template_hidden(struct direct *d, kcf_mech_t number)
{
	struct kcf_template *t = NULL;

	if (number < DIRECT_HIDDEN) {
		t = __atomic_load_n(&d->hidden[number], __ATOMIC_ACQUIRE);
		if (t)
			return t;
	}
	direct_lock(d);
	if (number < DIRECT_HIDDEN)
		t = hidden_make(d, number, &d->hidden[number]);
	else if (number >= KCF_M_DYNAMIC && number - KCF_M_DYNAMIC < d->n_dyn)
		t = hidden_make(d, number, &d->hidden_dyn[number - KCF_M_DYNAMIC]);
	direct_unlock(d);
	return t;
}

/* Copies what identifies the key. */
static enum kcf_status copy_key(struct kcf_template *t, const struct kcf_key *key)
{
	t->kind = key->kind;
	t->format = key->format;
	switch (key->kind) {
	case KCF_KEY_NONE:
		return KCF_SUCCESS;
	case KCF_KEY_BYTES:
		if ((!key->bytes && key->len) || key->len > WIRE_MAX_KEY)
			return key->bytes ? KCF_KEY_SIZE_RANGE : KCF_ARGUMENTS_BAD;
		t->bytes = malloc(key->len ? key->len : 1);
		if (!t->bytes)
			return KCF_HOST_MEMORY;
		if (key->len)
			memcpy(t->bytes, key->bytes, key->len);
		t->len = key->len;
		return KCF_SUCCESS;
	case KCF_KEY_HANDLE:
		t->handle = key->handle;
		return KCF_SUCCESS;
	case KCF_KEY_NAMED:
		if (!key->name || strnlen(key->name, sizeof(t->name)) == sizeof(t->name))
			return KCF_ARGUMENTS_BAD;
		memcpy(t->name, key->name, strlen(key->name));
		return KCF_SUCCESS;
	default:
		return KCF_ARGUMENTS_BAD;
	}
}

/* Prepare with the first provider that can run here, so that a bad key is refused now. */
static enum kcf_status try_key(struct direct *d, struct kcf_template *t,
			       const struct direct_plan *p)
{
	const struct plan_step *order[TABLE_OFFERS];
	struct plan_query q = {
		.classes = UINT32_MAX, .format = t->format, .key = t->bytes, .key_len = t->len};
	enum kcf_status status = KCF_SUCCESS;
	struct prepared *prep;
	unsigned n = plan_order(d, p, &q, order, &status);

	for (unsigned i = 0; i < n; i++) {
		if (!order[i]->here)
			return KCF_SUCCESS;
		status = template_prepare(d, t, order[i], &prep);
		if (status == KCF_DEVICE_REMOVED && direct_attached(d))
			return KCF_SUCCESS; /* not here, after all */
		if (!status_is_provider_fault(status))
			return status;
	}
	/* kcfd may know more: it loads modules on demand, and has those that do not run here */
	if ((status == KCF_MECH_NOT_SUPPORTED || status == KCF_DEVICE_REMOVED) &&
	    direct_attached(d))
		return KCF_SUCCESS;
	return status;
}

enum kcf_status direct_template_new(struct direct *d, kcf_mech_t mech, const struct kcf_key *key,
				    struct kcf_template **ret)
{
	struct kcf_template *t;
	const struct template_plan *own;
	enum kcf_status status;

	if (!key || key->kind == KCF_KEY_TEMPLATE)
		return KCF_ARGUMENTS_BAD;
	t = template_alloc(d, mech);
	if (!t)
		return KCF_HOST_MEMORY;
	status = copy_key(t, key);
	if (status == KCF_SUCCESS) {
		own = plan_get(d, t);
		status = own ? own->plan->refusal : KCF_HOST_MEMORY;
		t->param_kind = own ? own->plan->kind : KCF_PARAM_NONE;
		if (status == KCF_SUCCESS && (t->kind == KCF_KEY_BYTES || t->kind == KCF_KEY_NONE))
			status = try_key(d, t, own->plan);
	}
	if (status != KCF_SUCCESS) {
		template_unref(t);
		return status;
	}
	*ret = t;
	return KCF_SUCCESS;
}
