/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-dual - encrypt+MAC and MAC+decrypt on the calling thread.
 *
 * Each half has its plan and its own best provider; the MAC's is the cipher's instead where that
 * does both in one job. Here only if both halves are. Any thread.
 */
#include "direct-call.h"

void dual_fill(const struct op_call *call, const struct call_io *io, struct dual_job *ret)
{
	const struct data_iov *check = call->op == KCF_OP_ENCRYPT_MAC ? &io->mac : &io->check;

	*ret = (struct dual_job){
		.op = (uint16_t)call->op,
		.cipher_param = call->mech->param,
		.mac_param = call->mech2->param,
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
}

void dual_result(const struct dual_job *job, struct kcf_data *out, struct kcf_data *mac)
{
	bool known = job->status == KCF_SUCCESS || job->status == KCF_BUFFER_TOO_SMALL;

	out->used = known ? job->out_len : 0;
	if (mac)
		mac->used = known ? job->mac_len : 0;
}

bool dual_data(const struct op_call *call, struct call_io *io)
{
	if (!call->mech2 || !half_key_ok(call->key2, HAS_KEY))
		return false;
	if (call->op == KCF_OP_MAC_DECRYPT)
		return data_disjoint(&io->check, &io->out);
	return call->mac && data_get(call->mac, &io->mac) && data_disjoint(&io->mac, &io->out) &&
	       data_disjoint(&io->mac, &io->in);
}

static bool first_is_here(const struct half *h, const struct kcf_call_req *req, size_t len)
{
	return h->n && h->order[0]->here && half_is_here(h) &&
	       !call_is_too_long(req, h->order[0], len);
}

/* What the calls of one half run on. */
struct ready {
	struct prepared *prep;
	bool owned;
};

/* By the i-th in its order. */
static enum kcf_status prepare(struct direct *d, struct half *h, unsigned i,
			       const struct kcf_call_req *req, struct ready *ret)
{
	enum kcf_status status = half_prepare(d, h, h->order[i], &ret->prep, &ret->owned);

	if (status == KCF_SUCCESS && !ret->owned && !i && !(req && req->preference))
		plan_note_fast(d, h, ret->prep);
	return status;
}

static void drop(struct ready *r)
{
	if (r->owned)
		prepared_unref(r->prep);
	r->owned = false;
}

/* The MAC by the cipher's provider, if that does both at once. */
static bool prepare_native(struct direct *d, struct half *mac, const struct plan_step *cipher,
			   const struct ready *with, const struct kcf_call_req *req,
			   struct ready *ret)
{
	const struct kcf_provider_ops *ops = with->prep->inst->desc->ops;

	for (unsigned i = 0; ops->dual && i < mac->n; i++) {
		if (mac->order[i]->provider != cipher->provider ||
		    prepare(d, mac, i, req, ret) != KCF_SUCCESS)
			continue;
		if (dual_is_native(with->prep, ret->prep))
			return true;
		drop(ret);
	}
	return false;
}

/* Counted as work of the cipher's provider. */
static void run(struct direct *d, const struct half *cipher, struct dual_job *job)
{
	struct tstate *ts = prepared_thread(job->cipher, &job->status);
	struct count_at at;

	if (!ts)
		return;
	count_get(d, ts, cipher->plan, cipher->order[0], &at);
	dual_run(job);
	count_call(d, &at, (enum kcf_op)job->op, job->status, job->in_len, 0);
}

static enum kcf_status run_here(struct direct *d, struct half *cipher, struct half *mac,
				const struct op_call *call, const struct call_io *io)
{
	struct ready one = {0}, two = {0};
	struct dual_job job;

	dual_fill(call, io, &job);
	job.status = prepare(d, cipher, 0, call->req, &one);
	if (job.status == KCF_SUCCESS &&
	    !prepare_native(d, mac, cipher->order[0], &one, call->req, &two))
		job.status = prepare(d, mac, 0, call->req, &two);
	if (job.status == KCF_SUCCESS) {
		job.cipher = one.prep;
		job.mac = two.prep;
		run(d, cipher, &job);
		dual_result(&job, call->out, call->mac);
	}
	drop(&one);
	drop(&two);
	return job.status;
}

enum direct_verdict dual_call(struct direct *d, struct half *cipher, const struct op_call *call,
			      struct call_io *io, enum kcf_status *ret_status)
{
	struct half mac;

	*ret_status = KCF_ARGUMENTS_BAD;
	if (!dual_data(call, io))
		return DIRECT_DONE;
	*ret_status = half_find(d, call->mech2, call->key2, &mac);
	if (*ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	cipher->company = mac.company = call->company;
	half_order(d, cipher, call->req, KCF_CLASS_CIPHER, io->in.len);
	half_order(d, &mac, call->req, KCF_CLASS_MAC, io->in.len);
	*ret_status = cipher->n ? mac.none : cipher->none;
	if ((!cipher->n || !mac.n) && *ret_status != KCF_SUCCESS)
		return DIRECT_DONE;
	if ((call->req && (call->req->flags & KCF_ALWAYS_QUEUE)) ||
	    !first_is_here(cipher, call->req, io->in.len) ||
	    !first_is_here(&mac, call->req, io->in.len)) {
		send_note(cipher);
		send_note(&mac);
		return walk_send(d, cipher, ret_status);
	}
	*ret_status = run_here(d, cipher, &mac, call, io);
	/* not here, after all */
	return *ret_status == KCF_DEVICE_REMOVED ? walk_send(d, cipher, ret_status) : DIRECT_DONE;
}
