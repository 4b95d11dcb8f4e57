/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-slot - the client's templates, by slot, and their attachment to kcfd.
 *
 * A template has its slot from creation to destruction; it is attached at its first use on a
 * connection, in front of the request that uses it. If kcfd refuses the attachment, later requests
 * carry the key themselves. Lock held.
 */
#include "client-core.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct kcf_client *c)
{
	unsigned n = c->n_slots ? c->n_slots * 2 : 16;
	struct slot *slots = realloc(c->slots, n * sizeof(*slots));

	if (!slots)
		return false;
	memset(slots + c->n_slots, 0, (n - c->n_slots) * sizeof(*slots));
	c->slots = slots;
	c->n_slots = n;
	return true;
}

enum kcf_status client_slot_new(struct kcf_client *c, struct kcf_template *tmpl)
{
	unsigned i;

	for (i = c->next_slot; i < c->n_slots && c->slots[i].tmpl; i++)
		;
	if (i == c->n_slots && !grow(c))
		return KCF_HOST_MEMORY;
	c->slots[i] = (struct slot){.tmpl = tmpl};
	tmpl->slot = i + 1;
	tmpl->attached_epoch = 0;
	c->next_slot = i + 1;
	return KCF_SUCCESS;
}

void client_slot_free(struct kcf_client *c, struct kcf_template *tmpl)
{
	struct wire_msg msg = {.type = FRAME_TEMPLATE_DROP, .slot = tmpl->slot};

	if (c->state == CLIENT_UP && tmpl->attached_epoch == c->epoch)
		client_tx_msg(c, &msg, 0, 0);
	__atomic_store_n(&tmpl->done_epoch, 0, __ATOMIC_RELAXED);
	c->slots[tmpl->slot - 1] = (struct slot){0};
	if (tmpl->slot - 1 < c->next_slot)
		c->next_slot = tmpl->slot - 1;
	tmpl->attached_epoch = 0;
}

uint32_t client_slot_attach(struct kcf_client *c, struct kcf_template *tmpl)
{
	struct slot *slot = &c->slots[tmpl->slot - 1];
	struct wire_msg msg = {.type = FRAME_TEMPLATE_ATTACH};
	struct pending *p;

	if (slot->tmpl != tmpl || tmpl->slot > WIRE_MAX_SLOT)
		return 0; /* destroyed, and this request the last to use it; or too many */
	if (tmpl->attached_epoch == c->epoch)
		return slot->status == KCF_SUCCESS ? tmpl->slot : 0;
	msg.attach.slot = tmpl->slot;
	msg.attach.mech = op_wire_mech(c, tmpl->mech);
	p = pending_new(&c->pending, PENDING_ATTACH);
	if (!p)
		return 0;
	p->attached = tmpl->slot;
	pending_open(&c->pending, p);
	op_template_key(tmpl, &msg.attach.key);
	if (!client_tx_msg(c, &msg, p->id, 0)) {
		pending_free(&c->pending, p);
		return 0;
	}
	slot->attach_id = p->id;
	slot->status = KCF_SUCCESS; /* until kcfd says otherwise */
	tmpl->attached_epoch = c->epoch;
	return tmpl->slot;
}

void client_slot_answered(struct kcf_client *c, const struct pending *p, enum kcf_status status)
{
	struct slot *slot = &c->slots[p->attached - 1];

	if (!slot->tmpl || slot->attach_id != p->id)
		return; /* destroyed meanwhile */
	slot->status = status;
	if (status == KCF_SUCCESS)
		__atomic_store_n(&slot->tmpl->done_epoch, c->epoch, __ATOMIC_RELEASE);
}

enum kcf_status client_slot_status(struct kcf_client *c, const struct kcf_template *tmpl)
{
	const struct slot *slot = &c->slots[tmpl->slot - 1];

	return slot->tmpl == tmpl ? slot->status : KCF_SUCCESS;
}
