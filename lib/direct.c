/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct - the local decision: here, refused, or to kcfd.
 *
 * A call with a template whose plan leaves nothing to decide (software alone, or nothing else in
 * the way) goes straight to its thread's state. All others walk the candidates: the first that
 * serves at once ends the walk. The table is a hint, so what is sent may still be decided otherwise
 * by kcfd. Any thread.
 */
#include "direct-private.h"

static inline bool is_sync(const struct kcf_call_req *req)
{
	return !req || (req->flags & KCF_WAIT);
}

/* ---- what is given ---- */

static inline bool data_check(const struct op_call *call, uint8_t shape, struct call_io *io)
{
	if (!data_get(call->in, &io->in) || !data_get(call->out, &io->out) ||
	    !data_get(call->check, &io->check))
		return false;
	if ((shape & HAS_OUT) && (!call->out || !data_may_share(&io->in, &io->out)))
		return false;
	/* a MAC or signature of no bytes would be right for everything */
	return !(shape & HAS_CHECK) || io->check.len;
}

/* ---- the walk ---- */

static enum direct_verdict send(struct direct *d, const struct half *h, enum kcf_status *ret_status)
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

/* Bytes that go through the provider: of most operations the input. */
static inline size_t work_len(const struct op_call *call, const struct call_io *io)
{
	const struct kcf_param_digest *xof = call->mech->param;

	if (__builtin_expect(call->op == KCF_OP_DERIVE || call->op == KCF_OP_RANDOM, 0))
		return io->out.len;
	if (call->op != KCF_OP_DIGEST || !xof || call->mech->param_len != sizeof(*xof))
		return io->in.len;
	return io->in.len + (xof->out_len < io->out.len ? xof->out_len : io->out.len);
}

/* Must this call's computing stay off the caller's thread? */
static bool is_too_long(const struct kcf_call_req *req, const struct plan_step *s, size_t len)
{
	return !is_sync(req) && plan_cost_ns(s, len) >= DIRECT_ASYNC_MAX_NS;
}

static enum kcf_status try_step(struct direct *d, struct half *h, unsigned i,
				const struct op_call *call, const struct call_io *io)
{
	const struct plan_step *s = h->order[i];
	struct prepared *prep = NULL;
	bool owned;
	enum kcf_status status = half_prepare(d, h, s, &prep, &owned);

	if (status == KCF_SUCCESS && !owned && !i && !(call->req && call->req->preference))
		plan_note_fast(d, h->plan, h->order, h->n, prep);
	if (status == KCF_SUCCESS)
		status = run_single(d, h->plan, s, prep, call, io);
	if (owned)
		prepared_unref(prep);
	return status;
}

/* Can anything in the list run on this thread? */
static bool any_here(const struct half *h, const struct kcf_call_req *req, size_t len)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->order[i]->here && !is_too_long(req, h->order[i], len))
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
	size_t len = work_len(call, io);
	bool waits = false;

	for (unsigned i = 0; i < h->n; i++) {
		const struct plan_step *s = h->order[i];

		if (s->here && !is_too_long(call->req, s, len)) {
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
			return send(d, h, ret_status);
		waits = true;
	}
	if (waits && call->req && (call->req->flags & KCF_NEVER_QUEUE))
		return refuse(call->req, ret_status);
	if (waits || tried == KCF_SUCCESS)
		return send(d, h, ret_status);
	*ret_status = tried;
	return DIRECT_DONE;
}

/* ---- dual ---- */

static const struct plan_step *first_here(const struct half *h, const struct kcf_call_req *req,
					  size_t len)
{
	if (h->n && h->order[0]->here && half_is_here(h) && !is_too_long(req, h->order[0], len))
		return h->order[0];
	return NULL;
}

static void dual_count(struct direct *d, const struct half *h, const struct plan_step *s,
		       struct prepared *prep, const struct op_call *call,
		       const struct dual_job *job)
{
	enum kcf_status status;
	struct tstate *ts = prepared_thread(prep, &status);
	struct count_at at;

	if (!ts)
		return;
	count_find(d, ts, h->plan->number, s->provider, &at);
	count_call(d, &at, call->op, job->status, job->in_len, 0);
}

static void dual_result(const struct op_call *call, const struct dual_job *job)
{
	bool known = job->status == KCF_SUCCESS || job->status == KCF_BUFFER_TOO_SMALL;

	call->out->used = known ? job->out_len : 0;
	if (call->mac)
		call->mac->used = known ? job->mac_len : 0;
}

static enum kcf_status dual_here(struct direct *d, struct half *cipher, struct half *mac,
				 const struct op_call *call, const struct call_io *io)
{
	const struct data_iov *check = call->op == KCF_OP_ENCRYPT_MAC ? &io->mac : &io->check;
	struct dual_job job = {
		.op = (uint16_t)call->op,
		.cipher_param = cipher->mech->param,
		.mac_param = mac->mech->param,
		.in = io->in.iov,
		.out = io->out.iov,
		.check = check->iov,
		.n_in = io->in.n,
		.n_out = io->out.n,
		.n_check = check->n,
		.in_len = io->in.len,
		.out_room = io->out.len,
		.check_len = check->len,
	};
	bool own_cipher = false, own_mac = false;

	job.status = half_prepare(d, cipher, cipher->order[0], &job.cipher, &own_cipher);
	if (job.status == KCF_SUCCESS)
		job.status = half_prepare(d, mac, mac->order[0], &job.mac, &own_mac);
	if (job.status == KCF_SUCCESS) {
		dual_run(&job);
		dual_count(d, cipher, cipher->order[0], job.cipher, call, &job);
		dual_result(call, &job);
	}
	if (own_cipher)
		prepared_unref(job.cipher);
	if (own_mac)
		prepared_unref(job.mac);
	return job.status;
}

static bool dual_data_ok(const struct op_call *call, struct call_io *io)
{
	if (call->op == KCF_OP_MAC_DECRYPT)
		return data_disjoint(&io->check, &io->out);
	return call->mac && data_get(call->mac, &io->mac) && data_disjoint(&io->mac, &io->out) &&
	       data_disjoint(&io->mac, &io->in);
}

static enum direct_verdict dual_call(struct direct *d, struct half *cipher,
				     const struct op_call *call, struct call_io *io,
				     enum kcf_status *ret_status)
{
	struct half mac;

	*ret_status = KCF_ARGUMENTS_BAD;
	if (!call->mech2 || !half_key_ok(call->key2, HAS_KEY) || !dual_data_ok(call, io))
		return DIRECT_DONE;
	*ret_status = half_find(d, call->mech2, call->key2, &mac);
	if (*ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	half_order(d, cipher, call->req, KCF_CLASS_CIPHER, io->in.len);
	half_order(d, &mac, call->req, KCF_CLASS_MAC, io->in.len);
	*ret_status = cipher->n ? mac.none : cipher->none;
	if ((!cipher->n || !mac.n) && *ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	if ((call->req && (call->req->flags & KCF_ALWAYS_QUEUE)) ||
	    !first_here(cipher, call->req, io->in.len) || !first_here(&mac, call->req, io->in.len))
		return send(d, cipher, ret_status);
	*ret_status = dual_here(d, cipher, &mac, call, io);
	/* not here, after all */
	return *ret_status == KCF_DEVICE_REMOVED ? send(d, cipher, ret_status) : DIRECT_DONE;
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
	half_order(d, &h, call->req, op_classes[call->op], io->in.len);
	if (!h.n && h.none != KCF_SUCCESS) {
		*ret_status = h.none;
		return DIRECT_DONE;
	}
	if ((shape & IN_KCFD) || !half_is_here(&h) ||
	    (call->req && (call->req->flags & KCF_ALWAYS_QUEUE)))
		return send(d, &h, ret_status);
	return walk(d, &h, call, io, ret_status);
}

/* May this call take that step of its plan without a walk? */
static inline bool is_plain(const struct plan_step *s, const struct op_call *call,
			    const struct call_io *io)
{
	const struct kcf_call_req *req = call->req;

	if (!(s->classes & op_classes[call->op]) || io->in.len > s->max_input)
		return false;
	if (!req)
		return true;
	return !req->preference && !(req->flags & KCF_ALWAYS_QUEUE) &&
	       !is_too_long(req, s, work_len(call, io));
}

/* The template whose plan may already say everything; NULL: the long way. */
static inline struct kcf_template *ready_template(struct direct *d, const struct op_call *call)
{
	const struct kcf_key *key = call->key;
	kcf_mech_t number = call->mech->number;

	if (key && key->kind == KCF_KEY_TEMPLATE)
		return key->tmpl && key->tmpl->direct == d && key->tmpl->mech == number ? key->tmpl
											: NULL;
	if ((key && key->kind != KCF_KEY_NONE) || number >= DIRECT_HIDDEN)
		return NULL;
	return __atomic_load_n(&d->hidden[number], __ATOMIC_ACQUIRE);
}

enum direct_verdict direct_call(struct direct *d, const struct op_call *call,
				enum kcf_status *ret_status)
{
	const struct plan_fast *fast;
	struct direct_plan *p;
	struct kcf_template *t;
	struct call_io io;
	uint8_t shape;

	*ret_status = KCF_ARGUMENTS_BAD;
	if ((unsigned)call->op >= KCF_OP_COUNT || !(shape = op_shape[call->op]) || !call->mech ||
	    !half_key_ok(call->key, shape) || !data_check(call, shape, &io))
		return DIRECT_DONE;
	t = ready_template(d, call);
	p = t ? __atomic_load_n(&t->plan, __ATOMIC_ACQUIRE) : NULL;
	fast = p ? plan_fast(p, io.in.len) : NULL;
	if (!fast || !plan_is_current(d, p) || !is_plain(&p->steps[fast->step], call, &io))
		return decide(d, call, shape, &io, ret_status);
	if (!half_param_ok(p, call->mech, true)) {
		*ret_status = KCF_MECHANISM_PARAM_INVALID;
		return DIRECT_DONE;
	}
	*ret_status = run_single(d, p, &p->steps[fast->step], fast->prep, call, &io);
	if (!status_is_provider_fault(*ret_status))
		return DIRECT_DONE;
	return decide(d, call, shape, &io, ret_status);
}
