/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-half - a mechanism with its key, as a call or a context gives them: half of a dual
 * operation, all of another.
 *
 * Finds the template that holds the plan, checks key and parameter, asks the plan who may do it,
 * prepares with one of those. Lives on the stack of one call. Any thread.
 */
#include "direct-private.h"

const uint8_t op_shape[KCF_OP_COUNT] = {
	[KCF_OP_DIGEST] = HAS_IN | HAS_OUT,
	[KCF_OP_MAC] = HAS_IN | HAS_KEY | HAS_OUT,
	[KCF_OP_MAC_VERIFY] = HAS_IN | HAS_KEY | HAS_CHECK,
	[KCF_OP_ENCRYPT] = HAS_IN | HAS_KEY | HAS_OUT,
	[KCF_OP_DECRYPT] = HAS_IN | HAS_KEY | HAS_OUT,
	[KCF_OP_SIGN] = HAS_IN | HAS_KEY | HAS_OUT,
	[KCF_OP_VERIFY] = HAS_IN | HAS_KEY | HAS_CHECK,
	[KCF_OP_ENCRYPT_MAC] = HAS_IN | HAS_KEY | HAS_OUT | IS_DUAL,
	[KCF_OP_MAC_DECRYPT] = HAS_IN | HAS_KEY | HAS_OUT | HAS_CHECK | IS_DUAL,
	[KCF_OP_DERIVE] = HAS_KEY | HAS_OUT,
	[KCF_OP_RANDOM] = HAS_OUT,
	[KCF_OP_KEYGEN] = HAS_OUT | IN_KCFD,
	[KCF_OP_PUBLIC] = HAS_KEY | HAS_OUT | IN_KCFD,
};

/* The template that holds the call's plan: the key's own, or the mechanism's hidden one. */
static enum kcf_status find_template(struct direct *d, const struct kcf_mechanism *mech,
				     const struct kcf_key *key, struct kcf_template **ret)
{
	if (key && key->kind == KCF_KEY_TEMPLATE) {
		*ret = key->tmpl;
		return key->tmpl && key->tmpl->direct == d && key->tmpl->mech == mech->number
			       ? KCF_SUCCESS
			       : KCF_ARGUMENTS_BAD;
	}
	*ret = template_hidden(d, mech->number);
	if (*ret)
		return KCF_SUCCESS;
	return kcf_mech_name(mech->number) ? KCF_HOST_MEMORY : KCF_MECHANISM_INVALID;
}

bool half_key_ok(const struct kcf_key *key, uint8_t shape)
{
	if (!(shape & HAS_KEY))
		return !key || key->kind == KCF_KEY_NONE || key->kind == KCF_KEY_TEMPLATE;
	if (!key)
		return false;
	switch (key->kind) {
	case KCF_KEY_BYTES:
		return (key->bytes || !key->len) && (unsigned)key->format <= KCF_KEY_SPKI;
	case KCF_KEY_NAMED:
		return key->name != NULL;
	case KCF_KEY_HANDLE:
	case KCF_KEY_TEMPLATE:
		return true;
	default:
		return false;
	}
}

enum kcf_status half_find(struct direct *d, const struct kcf_mechanism *mech,
			  const struct kcf_key *key, struct half *h)
{
	enum kcf_status status = find_template(d, mech, key, &h->tmpl);

	if (status != KCF_SUCCESS)
		return status;
	h->company = false;
	h->mech = mech;
	h->key = key;
	h->kind = !key ? KCF_KEY_NONE : key->kind == KCF_KEY_TEMPLATE ? h->tmpl->kind : key->kind;
	h->own = plan_get(d, h->tmpl);
	if (!h->own)
		return KCF_HOST_MEMORY;
	h->plan = h->own->plan;
	if (h->plan->refusal != KCF_SUCCESS)
		return h->plan->refusal;
	return half_param_ok(h->plan, mech, h->kind == KCF_KEY_BYTES) ? KCF_SUCCESS
								      : KCF_MECHANISM_PARAM_INVALID;
}

void half_order(struct direct *d, struct half *h, const struct kcf_call_req *req, uint32_t classes,
		size_t len)
{
	bool own = h->key && h->key->kind == KCF_KEY_TEMPLATE;
	struct plan_query q = {
		.classes = classes,
		.len = len,
		.preference = req && req->preference ? req->preference : h->plan->preference,
		.provider = req ? req->provider : NULL,
	};

	/* what needs a walk runs by itself in the end */
	q.company = h->company &= (h->kind == KCF_KEY_NONE || own) && plan_length_decides(h->plan);

	if (h->kind == KCF_KEY_BYTES) {
		q.format = own ? h->tmpl->format : h->key->format;
		q.key = own ? (const void *)h->tmpl->bytes : h->key->bytes;
		q.key_len = own ? h->tmpl->len : h->key->len;
	}
	h->none = KCF_MECH_NOT_SUPPORTED;
	h->n = plan_order(d, h->plan, &q, h->order, &h->none);
	/* kcfd may load a module for a mechanism it does not list yet */
	if (!h->n && h->plan->unlisted && direct_attached(d))
		h->none = KCF_SUCCESS;
}

enum kcf_status half_prepare(struct direct *d, struct half *h, const struct plan_step *s,
			     struct prepared **ret, bool *ret_owned)
{
	*ret_owned = h->key && h->key->kind == KCF_KEY_BYTES;
	if (*ret_owned)
		return template_transient(d, h->mech->number, h->key, s, ret);
	return template_prepare(d, h->tmpl, s, ret);
}
