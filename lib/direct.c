/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct - the local decision: here, refused, or to kcfd.
 *
 * A call with a template whose plan leaves nothing to decide (software alone, or nothing else in
 * the way) goes straight to its thread's state. All others walk the candidates: the first that
 * serves at once ends the walk. The table is a hint, so what is sent may still be decided otherwise
 * by kcfd. Any thread.
 */
#include "direct-call.h"

/* ---- the walk ---- */

enum direct_verdict walk_send(struct direct *d, const struct half *h, enum kcf_status *ret_status)
{
	if (!direct_attached(d))
		*ret_status = KCF_NO_DAEMON;
	else if (plan_is_denied(d, h->plan))
		*ret_status = KCF_PERMISSION_DENIED;
	else
		return DIRECT_SEND;
	return DIRECT_DONE;
}

static enum direct_verdict refuse(struct kcf_call_req *req, enum kcf_status *ret_status)
{
	req->busy_reason = KCF_BUSY_WOULD_QUEUE;
	*ret_status = KCF_BUSY;
	return DIRECT_DONE;
}

static enum kcf_status try_step(struct direct *d, struct half *h, unsigned i,
				const struct op_call *call, const struct call_io *io)
{
	const struct plan_step *s = h->order[i];
	struct prepared *prep = NULL;
	bool owned;
	enum kcf_status status = half_prepare(d, h, s, &prep, &owned);

	if (status == KCF_SUCCESS && !owned && !i && !(call->req && call->req->preference))
		plan_note_fast(d, h, prep);
	if (status == KCF_SUCCESS)
		status = run_single(d, h->own, s, prep, call, io);
	if (owned)
		prepared_unref(prep);
	return status;
}

/* Can anything in the list run on this thread? */
static bool any_here(const struct half *h, const struct kcf_call_req *req, size_t len)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->order[i]->here && !call_is_too_long(req, h->order[i], len))
			return true;
	return false;
}

/* Is kcfd to be asked for the step, or is it better left alone? */
static bool may_ask(struct direct *d, const struct half *h, const struct op_call *call, size_t len)
{
	return direct_attached(d) && (!plan_is_denied(d, h->plan) || !any_here(h, call->req, len));
}

static enum direct_verdict walk(struct direct *d, struct half *h, const struct op_call *call,
				const struct call_io *io, enum kcf_status *ret_status)
{
	enum kcf_status tried = KCF_SUCCESS;
	size_t len = call_work_len(call, io);
	bool waits = false;

	for (unsigned i = 0; i < h->n; i++) {
		const struct plan_step *s = h->order[i];

		if (s->here && !call_is_too_long(call->req, s, len)) {
			*ret_status = try_step(d, h, i, call, io);
			if (!status_is_provider_fault(*ret_status))
				return DIRECT_DONE;
			/* not (or not any more) in this process: as if it had never been */
			if (*ret_status != KCF_DEVICE_REMOVED) {
				tried = *ret_status;
				continue;
			}
		}
		if (!may_ask(d, h, call, len))
			continue;
		if (!s->hardware || plan_is_free(d, s))
			return walk_send(d, h, ret_status);
		waits = true;
	}
	if (waits && call->req && (call->req->flags & KCF_NEVER_QUEUE))
		return refuse(call->req, ret_status);
	if (waits || tried == KCF_SUCCESS)
		return walk_send(d, h, ret_status);
	*ret_status = tried;
	return DIRECT_DONE;
}

/* ---- calls ---- */

/* The long way: everything but a template that is ready and alone. */
static __attribute__((noinline)) enum direct_verdict decide(struct direct *d,
							    const struct op_call *call,
							    uint8_t shape, struct call_io *io,
							    enum kcf_status *ret_status)
{
	struct half h;

	*ret_status = half_find(d, call->mech, call->key, &h);
	if (*ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	if (shape & IS_DUAL)
		return dual_call(d, &h, call, io, ret_status);
	h.company = call->company;
	half_order(d, &h, call->req, op_classes[call->op], io->in.len);
	if (!h.n && h.none != KCF_SUCCESS) {
		*ret_status = h.none;
		return DIRECT_DONE;
	}
	if ((shape & IN_KCFD) || !half_is_here(&h) ||
	    (call->req && (call->req->flags & KCF_ALWAYS_QUEUE))) {
		send_note(&h);
		return walk_send(d, &h, ret_status);
	}
	return walk(d, &h, call, io, ret_status);
}

enum direct_verdict direct_call(struct direct *d, const struct op_call *call,
				enum kcf_status *ret_status)
{
	const struct plan_fast *fast;
	const struct direct_plan *p;
	struct template_plan *own;
	struct kcf_template *t;
	struct call_io io;
	uint8_t shape;

	*ret_status = KCF_ARGUMENTS_BAD;
	if ((unsigned)call->op >= KCF_OP_COUNT || !(shape = op_shape[call->op]) || !call->mech ||
	    !half_key_ok(call->key, shape) || !call_data(call, shape, &io))
		return DIRECT_DONE;
	t = call_template(d, call);
	own = t ? __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE) : NULL;
	fast = own ? plan_fast(own, io.in.len, call->company) : NULL;
	p = fast ? own->plan : NULL;
	if (!p || !plan_is_current(d, p) || (shape & IS_DUAL) ||
	    !call_is_plain(&p->steps[fast->step], call, &io))
		return decide(d, call, shape, &io, ret_status);
	if (!half_param_ok(p, call->mech, true)) {
		*ret_status = KCF_MECHANISM_PARAM_INVALID;
		return DIRECT_DONE;
	}
	*ret_status = run_single(d, own, &p->steps[fast->step], fast->prep, call, &io);
	if (!status_is_provider_fault(*ret_status))
		return DIRECT_DONE;
	return decide(d, call, shape, &io, ret_status);
}
