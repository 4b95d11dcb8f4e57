/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-send - calls that are kcfd's in any case: key by handle, or ALWAYS_QUEUE.
 *
 * The walk found once that a template's call has to go there and that software can do it; while its
 * plan is current, the next ones are only checked. Any thread.
 */
#include "direct-call.h"

void send_note(const struct half *h)
{
	if (!h->key || h->key->kind != KCF_KEY_TEMPLATE ||
	    __atomic_load_n(&h->own->sent_step, __ATOMIC_RELAXED))
		return;
	for (unsigned i = 0; i < h->n; i++) {
		if (h->order[i]->hardware)
			continue;
		__atomic_store_n(&h->own->sent_step, h->order[i], __ATOMIC_RELEASE);
		return;
	}
}

static bool is_kcfds(const struct kcf_template *t, const struct kcf_call_req *req)
{
	return (req && (req->flags & KCF_ALWAYS_QUEUE)) || t->kind == KCF_KEY_HANDLE ||
	       t->kind == KCF_KEY_NAMED;
}

/* The frequent shapes at a glance. */
static inline bool param_ok(const struct direct_plan *p, const struct kcf_mechanism *mech,
			    bool key_here)
{
	const struct kcf_param_aead *aead = mech->param;
	const struct kcf_param_iv *iv = mech->param;

	if (p->kind == KCF_PARAM_AEAD && mech->param_len == sizeof(*aead) && aead)
		return aead->iv && (aead->aad || !aead->aad_len) && !aead->flags;
	if (p->kind == KCF_PARAM_IV && mech->param_len == sizeof(*iv) && iv)
		return iv->iv;
	return half_param_ok(p, mech, key_here);
}

/* Nothing to decide about this half, and as before somebody who may do it? Its plan, or NULL. */
static inline const struct direct_plan *
sent_plan(struct direct *d, const struct kcf_mechanism *mech, const struct kcf_key *key,
	  const struct kcf_call_req *req, uint32_t classes, size_t len)
{
	const struct kcf_template *t = key && key->kind == KCF_KEY_TEMPLATE ? key->tmpl : NULL;
	const struct template_plan *own;
	const struct direct_plan *p;
	const struct plan_step *s;

	if (!t || t->direct != d || t->mech != mech->number || !is_kcfds(t, req))
		return NULL;
	own = __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE);
	p = own ? own->plan : NULL;
	if (!p || !plan_is_current(d, p) || p->preference)
		return NULL;
	s = __atomic_load_n(&own->sent_step, __ATOMIC_ACQUIRE);
	if (!s || !(s->classes & classes) || len > s->max_input ||
	    !(s->here || plan_is_usable(d, s)) || plan_is_denied(d, p) ||
	    !param_ok(p, mech, t->kind == KCF_KEY_BYTES))
		return NULL;
	return p;
}

static inline bool is_flat(const struct kcf_data *d)
{
	return !d || (!d->iov && (d->base || !d->len));
}

static inline bool are_apart(const struct kcf_data *a, const struct kcf_data *b)
{
	uintptr_t at = (uintptr_t)a->base, other = (uintptr_t)b->base;

	return at + a->len <= other || other + b->len <= at;
}

/* The data of what is almost every call: flat, in place or apart. */
static inline bool data_ok(const struct op_call *call, uint8_t shape)
{
	const struct kcf_data *in = call->in, *out = call->out;

	if (!is_flat(in) || !is_flat(out) || !is_flat(call->check))
		return false;
	if ((shape & HAS_OUT) && (!out || (in && in->base != out->base && !are_apart(in, out))))
		return false;
	return !(shape & HAS_CHECK) || (call->check && call->check->len);
}

static bool dual_ok(const struct op_call *call)
{
	const struct kcf_data *mac = call->mac;

	if (!call->mech2)
		return false;
	if (call->op == KCF_OP_MAC_DECRYPT)
		return are_apart(call->check, call->out);
	return mac && is_flat(mac) && are_apart(mac, call->out) && are_apart(mac, call->in);
}

bool direct_sends(struct direct *d, const struct op_call *call, enum kcf_param_kind *ret_kind)
{
	const struct kcf_call_req *req = call->req;
	uint32_t classes = op_classes[call->op];
	uint8_t shape = op_shape[call->op];
	size_t len = call->in ? call->in->len : 0;
	const struct direct_plan *p;

	if ((req && req->preference) || !direct_attached(d) || (shape & IN_KCFD) ||
	    !data_ok(call, shape))
		return false;
	if (shape & IS_DUAL) {
		classes = KCF_CLASS_CIPHER;
		if (!dual_ok(call) ||
		    !sent_plan(d, call->mech2, call->key2, req, KCF_CLASS_MAC, len))
			return false;
	}
	p = sent_plan(d, call->mech, call->key, req, classes, len);
	if (p)
		*ret_kind = p->kind;
	return p != NULL;
}
