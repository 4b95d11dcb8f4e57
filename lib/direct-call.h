/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-call - a call looked at without deciding: its data, its length, and whether its template's
 * plan already says everything.
 *
 * Inline, because single calls and batches pay for every instruction here. Any thread.
 */
#pragma once

#include "direct-private.h"

static inline bool call_is_sync(const struct kcf_call_req *req)
{
	return !req || (req->flags & KCF_WAIT);
}

/* Bytes where they are said to be, overlaps that work. */
static inline bool call_data(const struct op_call *call, uint8_t shape, struct call_io *io)
{
	if (!data_get(call->in, &io->in) || !data_get(call->out, &io->out) ||
	    !data_get(call->check, &io->check))
		return false;
	if ((shape & HAS_OUT) && (!call->out || !data_may_share(&io->in, &io->out)))
		return false;
	/* a MAC or signature of no bytes would be right for everything */
	return !(shape & HAS_CHECK) || io->check.len;
}

/* Bytes that go through the provider: of most operations the input. */
static inline size_t call_work_len(const struct op_call *call, const struct call_io *io)
{
	const struct kcf_param_digest *xof = call->mech->param;

	if (__builtin_expect(call->op == KCF_OP_DERIVE || call->op == KCF_OP_RANDOM, 0))
		return io->out.len;
	if (call->op != KCF_OP_DIGEST || !xof || call->mech->param_len != sizeof(*xof))
		return io->in.len;
	return io->in.len + (xof->out_len < io->out.len ? xof->out_len : io->out.len);
}

/* Must this call's computing stay off the caller's thread? */
static inline bool call_is_too_long(const struct kcf_call_req *req, const struct plan_step *s,
				    size_t len)
{
	return !call_is_sync(req) && plan_cost_ns(s, len) >= DIRECT_ASYNC_MAX_NS;
}

/* May this call take that step of its plan without a walk? */
static inline bool call_is_plain(const struct plan_step *s, const struct op_call *call,
				 const struct call_io *io)
{
	const struct kcf_call_req *req = call->req;

	if (!(s->classes & op_classes[call->op]) || io->in.len > s->max_input)
		return false;
	if (!req)
		return true;
	return !req->preference && !(req->flags & KCF_ALWAYS_QUEUE) &&
	       !call_is_too_long(req, s, call_work_len(call, io));
}

/* The template whose plan may already say everything; NULL: the long way. */
static inline struct kcf_template *call_template(struct direct *d, const struct op_call *call)
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

/* The parameter of a call whose key is here; the most frequent kinds without a call. */
static inline bool call_param_ok(enum kcf_param_kind kind, const struct kcf_mechanism *mech)
{
	const struct kcf_param_aead *aead = mech->param;
	const struct kcf_param_iv *iv = mech->param;

	if (kind == KCF_PARAM_AEAD && aead && mech->param_len == sizeof(*aead))
		return !aead->flags && param_aead_ok(aead);
	if (kind == KCF_PARAM_IV && iv && mech->param_len == sizeof(*iv))
		return param_bytes_ok(iv->iv, iv->iv_len);
	return direct_param_ok(kind, mech->param, mech->param_len);
}

/* The provider's job; thread, template and row are filled in when it runs. */
static inline void call_job(const struct op_call *call, const struct call_io *io,
			    struct kcf_job *ret)
{
	ret->op = (uint16_t)call->op;
	ret->phase = KCF_SINGLE;
	ret->param = call->mech->param;
	ret->ctx = NULL;
	ret->in = io->in.iov;
	ret->n_in = io->in.n;
	ret->in_len = io->in.len;
	ret->out = io->out.iov;
	ret->n_out = io->out.n;
	ret->out_room = io->out.len;
	ret->check = io->check.iov;
	ret->n_check = io->check.n;
	ret->check_len = io->check.len;
	ret->status = KCF_FAILED;
	ret->out_len = 0;
}

/* One operation of a batch as a call of its own. False: something is missing. */
static inline bool call_of_batch(struct kcf_client *client, struct kcf_batch_op *op,
				 struct kcf_call_req *req, struct op_call *ret)
{
	const struct kcf_dual *dual = op->how.dual;
	uint8_t shape = (unsigned)op->how.op < KCF_OP_COUNT ? op_shape[op->how.op] : 0;

	ret->client = client;
	ret->op = op->how.op;
	ret->mech = op->how.mech;
	ret->key = op->how.key;
	ret->mech2 = NULL;
	ret->key2 = NULL;
	ret->in = shape & HAS_IN ? &op->in : NULL;
	ret->out = shape & HAS_OUT ? &op->out : NULL;
	ret->check = shape & HAS_CHECK ? &op->mac : NULL;
	ret->mac = NULL;
	ret->req = req;
	if (__builtin_expect(shape & IS_DUAL, 0)) {
		if (!dual)
			return false;
		ret->mech = dual->cipher;
		ret->key = dual->cipher_key;
		ret->mech2 = dual->mac;
		ret->key2 = dual->mac_key;
		ret->mac = op->how.op == KCF_OP_ENCRYPT_MAC ? &op->mac : NULL;
	}
	return ret->mech && shape && !(shape & IN_KCFD);
}

/* ---- direct-send.c ---- */

/* The call of this half goes to kcfd: the next one with its template need not walk. */
void send_note(const struct half *h);

/* ---- direct-run.c ---- */

/* Wipe what a decryption that failed may have written. */
void run_wipe_failed(const struct kcf_job *job);

/* ---- direct.c ---- */

/* To kcfd, if it is there and may be asked. */
enum direct_verdict walk_send(struct direct *d, const struct half *h, enum kcf_status *ret_status);

/* ---- direct-dual.c ---- */

/* Has it a second mechanism, and a place for the MAC that nothing else overlaps? */
bool dual_data(const struct op_call *call, struct call_io *io);
/* All but the two prepared ones. */
void dual_fill(const struct op_call *call, const struct call_io *io, struct dual_job *ret);
/* mac: the MAC's room, or NULL. */
void dual_result(const struct dual_job *job, struct kcf_data *out, struct kcf_data *mac);
enum direct_verdict dual_call(struct direct *d, struct half *cipher, const struct op_call *call,
			      struct call_io *io, enum kcf_status *ret_status);
