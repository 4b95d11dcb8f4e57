/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - what all operations have in common: the rules for arguments, and the way of a call.
 *
 * A call runs in the caller's thread if direct.c says so, else it goes to kcfd. Any thread.
 */
#include "client-core.h"

#include <string.h>

#define FLAGS_ALL                                                                                  \
	(KCF_ALWAYS_QUEUE | KCF_NEVER_QUEUE | KCF_WAIT | KCF_NOTIFY_OPDONE | KCF_SKIP_REQID |      \
	 KCF_NOTIFY_SPACE)

enum kcf_status op_check_req(const struct kcf_call_req *req)
{
	if (!req)
		return KCF_SUCCESS;
	if (req->flags & KCF_WAIT) {
		if (req->flags != KCF_WAIT || req->callback)
			return KCF_ARGUMENTS_BAD;
	} else if (!req->callback || (req->flags & ~(uint32_t)FLAGS_ALL) ||
		   (req->flags & (KCF_ALWAYS_QUEUE | KCF_NEVER_QUEUE)) ==
			   (KCF_ALWAYS_QUEUE | KCF_NEVER_QUEUE)) {
		return KCF_ARGUMENTS_BAD;
	}
	if ((unsigned)req->preference > KCF_ONLY_PROVIDER)
		return KCF_ARGUMENTS_BAD;
	if (req->preference == KCF_ONLY_PROVIDER && (!req->provider || !req->provider[0]))
		return KCF_ARGUMENTS_BAD;
	return KCF_SUCCESS;
}

static bool iov_ok(const struct kcf_data *d)
{
	size_t sum = 0;
	unsigned i;

	if (d->n_iov > IOV_COUNT_MAX)
		return false;
	for (i = 0; i < d->n_iov; i++) {
		if ((!d->iov[i].iov_base && d->iov[i].iov_len) ||
		    d->iov[i].iov_len > SIZE_MAX / 2 - sum)
			return false;
		sum += d->iov[i].iov_len;
	}
	return true;
}

bool op_data_ok(const struct kcf_data *d)
{
	if (!d)
		return true;
	if (d->iov)
		return iov_ok(d);
	return d->base || !d->len;
}

static bool pieces_overlap(const struct iovec *a, unsigned n_a, const struct iovec *b, unsigned n_b)
{
	unsigned i, k;

	for (i = 0; i < n_a; i++) {
		uintptr_t at = (uintptr_t)a[i].iov_base;

		for (k = 0; k < n_b; k++) {
			uintptr_t other = (uintptr_t)b[k].iov_base;

			if (at < other + b[k].iov_len && other < at + a[i].iov_len)
				return true;
		}
	}
	return false;
}

bool op_data_overlap(const struct kcf_data *in, const struct kcf_data *out, bool *ret_same)
{
	struct iovec flat_in, flat_out;
	const struct iovec *a, *b;
	unsigned n_a = 1, n_b = 1;

	*ret_same = false;
	if (!in || !out)
		return false;
	flat_in = (struct iovec){in->base, in->len};
	flat_out = (struct iovec){out->base, out->len};
	a = in->iov ? in->iov : &flat_in;
	b = out->iov ? out->iov : &flat_out;
	if (in->iov)
		n_a = in->n_iov;
	if (out->iov)
		n_b = out->n_iov;
	if (!pieces_overlap(a, n_a, b, n_b))
		return false;
	/* In place: both begin at the same byte. Beyond that only pieces of the same cut can be
	 * followed. */
	*ret_same = a[0].iov_base == b[0].iov_base;
	return true;
}

/* Flat and apart, or flat and in place, is by far the most frequent. */
static bool overlap_ok(const struct kcf_data *in, const struct kcf_data *out)
{
	bool same;

	if (!in || !out)
		return true;
	if (!in->iov && !out->iov) {
		uintptr_t a = (uintptr_t)in->base, b = (uintptr_t)out->base;

		return a == b || a >= b + out->len || b >= a + in->len;
	}
	return !op_data_overlap(in, out, &same) || same;
}

static enum kcf_status check_template(const struct kcf_client *client,
				      const struct kcf_mechanism *mech,
				      const struct kcf_template *tmpl)
{
	if (!tmpl || tmpl->client != client)
		return KCF_ARGUMENTS_BAD;
	return mech && mech->number != tmpl->mech ? KCF_ARGUMENTS_BAD : KCF_SUCCESS;
}

enum kcf_status op_check_key(const struct kcf_client *client, const struct kcf_mechanism *mech,
			     const struct kcf_key *key)
{
	if (!key)
		return KCF_SUCCESS;
	switch (key->kind) {
	case KCF_KEY_NONE:
	case KCF_KEY_HANDLE:
		return KCF_SUCCESS;
	case KCF_KEY_BYTES:
		if ((unsigned)key->format > KCF_KEY_SPKI || (!key->bytes && key->len))
			return KCF_ARGUMENTS_BAD;
		return KCF_SUCCESS;
	case KCF_KEY_NAMED:
		if (!key->name || !key->name[0])
			return KCF_ARGUMENTS_BAD;
		return strnlen(key->name, KCF_KEY_NAME_MAX + 1) <= KCF_KEY_NAME_MAX
			       ? KCF_SUCCESS
			       : KCF_KEY_HANDLE_INVALID;
	case KCF_KEY_TEMPLATE:
		return check_template(client, mech, key->tmpl);
	}
	return KCF_ARGUMENTS_BAD;
}

enum kcf_status op_check_call(const struct op_call *call)
{
	enum kcf_status st;

	if (!op_data_ok(call->in) || !op_data_ok(call->out) || !op_data_ok(call->check) ||
	    !op_data_ok(call->mac) || !overlap_ok(call->in, call->out))
		return KCF_ARGUMENTS_BAD;
	st = op_check_key(call->client, call->mech, call->key);
	if (st == KCF_SUCCESS && call->key2)
		st = op_check_key(call->client, call->mech2, call->key2);
	return st;
}

enum kcf_status op_send_single(const struct op_call *call)
{
	struct op_more single = {.phase = KCF_SINGLE};
	enum kcf_status st = op_check_call(call);

	if (st != KCF_SUCCESS || op_ring(call, false, KCF_PARAM_NONE, &single.deadline, &st))
		return st;
	return op_send(call, &single);
}

/* Is it worth asking whether there is anything to decide? */
static inline bool may_send(const struct op_call *call)
{
	const struct kcf_key *key = call->key;

	return client_ring_is_up(&call->client->ring) && key && key->kind == KCF_KEY_TEMPLATE &&
	       key->tmpl &&
	       ((call->req && (call->req->flags & KCF_ALWAYS_QUEUE)) ||
		key->tmpl->kind == KCF_KEY_HANDLE || key->tmpl->kind == KCF_KEY_NAMED);
}

/* Nothing to decide or to check: the way on which every instruction counts. */
static enum kcf_status send_at_once(const struct op_call *call, enum kcf_param_kind kind)
{
	struct op_more single = {.phase = KCF_SINGLE};
	enum kcf_status st;

	return op_ring(call, true, kind, &single.deadline, &st) ? st : op_send(call, &single);
}

enum kcf_status op_submit(const struct op_call *call)
{
	enum kcf_param_kind kind;
	enum kcf_status st;

	if (!call->client || !call->mech)
		return KCF_ARGUMENTS_BAD;
	if (!client_is_own(call->client))
		client_enter(call->client);
	if (call->req) {
		op_reset_req(call->req);
		st = op_check_req(call->req);
		if (st != KCF_SUCCESS)
			return st;
	}
	if (may_send(call) && direct_sends(call->client->direct, call, &kind))
		return send_at_once(call, kind);
	/* direct.c checks for itself what it runs: its way is the one that has to be short */
	if (direct_call(call->client->direct, call, &st) == DIRECT_DONE)
		return st;
	return op_send_single(call);
}
