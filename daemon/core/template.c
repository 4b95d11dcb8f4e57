/* SPDX-License-Identifier: Apache-2.0 */
#include "core/template.h"

#include <assert.h>
#include <stdlib.h>
#include "core/private.h"

/* A key being prepared off the loop. */
struct prepare {
	struct work work;
	struct tmpl *tmpl; /* reference */
	const struct offer *offer;
	uint32_t generation;
	struct prepared *prepared;
	enum kcf_status status;
};

static struct tmpl *tmpl_alloc(struct core *core, struct mech *m)
{
	struct tmpl *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->core = core;
	t->mech = m;
	t->refs = 1;
	list_init(&t->parked);
	list_push(&core->tmpls, &t->link);
	return t;
}

/* Requests without a key need no template of their own. */
static enum kcf_status tmpl_keyless(struct core *core, struct mech *m, struct tmpl **ret)
{
	if (!m->keyless)
		m->keyless = tmpl_alloc(core, m);
	if (!m->keyless)
		return KCF_HOST_MEMORY;
	*ret = tmpl_ref(m->keyless);
	return KCF_SUCCESS;
}

enum kcf_status tmpl_new(struct core *core, struct consumer *c, uint32_t mech,
			 const struct kcf_key_data *bytes, struct key *key, struct tmpl **ret)
{
	struct mech *m = mech_by_number(core, mech);
	enum kcf_status status;
	struct tmpl *t;

	if (!m)
		return KCF_MECHANISM_INVALID;
	if (!bytes && !key)
		return tmpl_keyless(core, m, ret);
	status = consumer_charge(c, CHARGE_TEMPLATE, 1);
	if (status != KCF_SUCCESS)
		return status;
	if (key)
		key_ref(key);
	else
		status = key_new_bytes(bytes, &key);
	t = status == KCF_SUCCESS ? tmpl_alloc(core, m) : NULL;
	if (!t) {
		if (status == KCF_SUCCESS)
			key_unref(key);
		consumer_uncharge(c, CHARGE_TEMPLATE, 1);
		return status == KCF_SUCCESS ? KCF_HOST_MEMORY : status;
	}
	t->consumer = c;
	t->key = key;
	*ret = t;
	return KCF_SUCCESS;
}

struct tmpl *tmpl_ref(struct tmpl *t)
{
	t->refs++;
	return t;
}

static void slot_clear(struct tmpl_slot *slot)
{
	if (slot->state == SLOT_READY)
		prepared_unref(slot->prepared);
	slot->prepared = NULL;
	slot->state = SLOT_EMPTY;
}

void tmpl_unref(struct tmpl *t)
{
	assert(t->refs > 0);
	if (--t->refs > 0)
		return;
	assert(list_empty(&t->parked));
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		slot_clear(&t->slots[i]);
	list_remove(&t->link);
	if (t->key)
		key_unref(t->key);
	if (t->consumer)
		consumer_uncharge(t->consumer, CHARGE_TEMPLATE, 1);
	free(t);
}

uint32_t tmpl_mech(const struct tmpl *t)
{
	return t->mech->number;
}

void tmpl_forget_provider(struct core *core, const struct provider *p)
{
	list_for_each(l, &core->tmpls)
	{
		struct tmpl *t = list_entry(l, struct tmpl, link);

		if (t->slots[p->row].state != SLOT_WORKING)
			slot_clear(&t->slots[p->row]);
	}
	core->plans++;
}

static enum kcf_status prepare_now(const struct tmpl *t, const struct offer *offer,
				   struct prepared **ret)
{
	const struct key *k = t->key;
	struct kcf_key_data data;

	if (!k)
		return prepared_new(&offer->provider->inst, offer->row, NULL, ret);
	data = (struct kcf_key_data){.format = k->format, .bytes = k->bytes, .len = k->len};
	return prepared_new(&offer->provider->inst, offer->row, &data, ret);
}

/* What becomes of a slot: ready, or failed for this generation of the provider. */
static void slot_set(struct tmpl_slot *slot, const struct prepare *pr)
{
	slot->generation = pr->generation;
	slot->status = (uint8_t)pr->status;
	slot->state = pr->status == KCF_SUCCESS ? SLOT_READY : SLOT_FAILED;
	slot->prepared = pr->prepared;
}

static void prepare_run(struct work *w)
{
	struct prepare *pr = container_of(w, struct prepare, work);

	pr->status = prepare_now(pr->tmpl, pr->offer, &pr->prepared);
}

static void prepare_done(struct wake_node *node)
{
	struct prepare *pr = container_of(node, struct prepare, work.node);
	struct tmpl *t = pr->tmpl;
	struct provider *p = pr->offer->provider;
	struct tmpl_slot *slot = &t->slots[p->row];

	worker_done(&t->core->workers);
	p->n_preparing--;
	slot_set(slot, pr);
	if (p->core->providers[p->row] != p) /* unloaded meanwhile */
		slot_clear(slot);
	sched_unpark(t->core, &t->parked);
	provider_check_drained(p);
	tmpl_unref(t);
	free(pr);
}

static enum kcf_status prepare_later(struct tmpl *t, const struct offer *offer)
{
	struct prepare *pr = calloc(1, sizeof(*pr));
	struct work *work;

	if (!pr)
		return KCF_HOST_MEMORY;
	pr->work.run = prepare_run;
	pr->work.node.fn = prepare_done;
	pr->tmpl = tmpl_ref(t);
	pr->offer = offer;
	pr->generation = offer->provider->inst.generation;
	offer->provider->n_preparing++;
	t->slots[offer->provider->row].state = SLOT_WORKING;
	work = &pr->work;
	worker_submit(&t->core->workers, &work, 1);
	return KCF_QUEUED;
}

/* Parsing an asymmetric key may take as long as using it. A device's templates are the loop's. */
static bool is_cheap(const struct tmpl *t, const struct offer *offer)
{
	return !t->key || t->key->format == KCF_KEY_RAW || offer->provider->hardware;
}

enum kcf_status tmpl_prepare(struct tmpl *t, const struct offer *offer, struct prepared **ret)
{
	const struct provider *p = offer->provider;
	struct tmpl_slot *slot = &t->slots[p->row];

	if (slot->state == SLOT_WORKING)
		return KCF_QUEUED;
	if (slot->state != SLOT_EMPTY && slot->generation != p->inst.generation) {
		slot_clear(slot);
		t->core->plans++;
	}
	if (slot->state == SLOT_EMPTY && !is_cheap(t, offer))
		return prepare_later(t, offer);
	if (slot->state == SLOT_EMPTY) {
		struct prepare pr = {.generation = p->inst.generation};

		pr.status = prepare_now(t, offer, &pr.prepared);
		slot_set(slot, &pr);
	}
	if (slot->state == SLOT_FAILED)
		return slot->status;
	*ret = prepared_ref(slot->prepared);
	return KCF_SUCCESS;
}
