/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of a connection, and making one for a message that brings its key along. */
#include "api/handle.h"
#include "core/consumer.h"

#define SLOT_MAX 65536u

enum kcf_status handle_find_key(struct conn *c, const struct wire_key *key, struct key **ret)
{
	bool named = key->kind == KCF_KEY_NAMED;

	if (!named && key->kind != KCF_KEY_HANDLE)
		return KCF_ARGUMENTS_BAD;
	/* Permission goes by the group of the connection that asks, not of its user's latest one.
	 */
	c->consumer->gid = c->gid;
	return key_find(c->api->core, c->consumer, c, named ? NULL : &key->handle,
			named ? key->name : NULL, ret);
}

static enum kcf_status make_template(struct conn *c, uint32_t mech, const struct wire_key *key,
				     struct tmpl **ret)
{
	struct kcf_key_data bytes = {key->format, key->bytes.p, key->bytes.len};
	struct core *core = c->api->core;
	struct key *k = NULL;
	enum kcf_status status;

	if (key->kind == KCF_KEY_NONE)
		return tmpl_new(core, c->consumer, mech, NULL, NULL, ret);
	if (key->kind == KCF_KEY_BYTES)
		return tmpl_new(core, c->consumer, mech, &bytes, NULL, ret);
	status = handle_find_key(c, key, &k);
	return status == KCF_SUCCESS ? tmpl_new(core, c->consumer, mech, NULL, k, ret) : status;
}

enum kcf_status handle_get_template(struct conn *c, uint32_t slot, uint32_t mech,
				    const struct wire_key *key, struct tmpl **ret)
{
	struct tmpl *t;

	if (!slot)
		return make_template(c, mech, key, ret);
	t = idmap_find(&c->templates, slot);
	if (!t || tmpl_mech(t) != mech)
		return KCF_ARGUMENTS_BAD;
	*ret = tmpl_ref(t);
	return KCF_SUCCESS;
}

enum kcf_status handle_check_param(struct conn *c, uint32_t mech, const struct wire_param *param)
{
	int kind = mech_param_kind(c->api->core, mech);

	if (kind < 0)
		return KCF_MECHANISM_INVALID;
	if ((int)param->kind == kind)
		return KCF_SUCCESS;
	return param->kind == KCF_PARAM_NONE && param_is_optional((enum kcf_param_kind)kind)
		       ? KCF_SUCCESS
		       : KCF_MECHANISM_PARAM_INVALID;
}

void handle_template_attach(struct conn *c, const struct dispatch_frame *f)
{
	const struct wire_template_attach *m = &f->msg->attach;
	struct wire_msg reply = {.type = FRAME_DONE};
	struct tmpl *t;

	if (m->slot == 0 || m->slot > SLOT_MAX) {
		conn_fatal(c, KCF_PROTOCOL_ERROR, "template slot %u", m->slot);
		return;
	}
	if (idmap_find(&c->templates, m->slot)) {
		reply.status = KCF_ALREADY_EXISTS;
	} else {
		reply.status = make_template(c, m->mech, &m->key, &t);
		if (reply.status == KCF_SUCCESS && !idmap_add(&c->templates, m->slot, t)) {
			tmpl_unref(t);
			reply.status = KCF_HOST_MEMORY;
		}
	}
	conn_send(c, &reply, f->h->id);
}

void handle_template_drop(struct conn *c, const struct dispatch_frame *f)
{
	struct tmpl *t = idmap_remove(&c->templates, f->msg->slot);

	if (t)
		tmpl_unref(t);
}
