/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-key - keys that live in kcfd: import, generate, derive, export, destroy. Always kcfd's work;
 * never sent twice. Any thread.
 */
#include "client-core.h"

#include <string.h>

/* Lock held, state UP. */
static enum kcf_status transmit(struct kcf_client *c, struct pending *p,
				const struct wire_key_op_msg *op)
{
	struct wire_msg msg = {.type = FRAME_KEY_OP, .key_op = *op};
	uint64_t now = client_now(), us = 0;

	if (p->deadline)
		us = now < p->deadline ? (p->deadline - now) / 1000 + 1 : 1;
	pending_open(&c->pending, p);
	return client_tx_msg(c, &msg, p->id, us) ? KCF_SUCCESS : KCF_BUFFER_TOO_BIG;
}

static enum kcf_status send_wait(struct kcf_client *c, struct pending *p,
				 const struct wire_key_op_msg *op)
{
	struct waiter w;
	enum kcf_status st;

	client_waiter_init(&w);
	p->waiter = &w;
	st = transmit(c, p, op);
	if (st == KCF_SUCCESS) {
		client_flush(c);
		client_wait(c, &w, 0);
		st = p->status;
	}
	client_waiter_deinit(&w);
	return st == KCF_BUSY ? KCF_QUOTA_EXCEEDED : st;
}

static enum kcf_status send_async(struct kcf_client *c, struct pending *p,
				  const struct wire_key_op_msg *op, struct kcf_call_req *req)
{
	enum kcf_status st;

	pending_set_callback(&c->pending, p, req->callback, req->arg);
	p->visible = !(req->flags & KCF_SKIP_REQID);
	st = transmit(c, p, op);
	if (st != KCF_SUCCESS)
		return st;
	req->id = p->visible ? p->id : 0;
	if (!c->in_armed)
		client_watch(c, true, c->out_armed);
	if (!client_in_callback(c))
		client_flush(c);
	return KCF_QUEUED;
}

enum kcf_status op_send_key(struct kcf_client *client, const struct wire_key_op_msg *op,
			    struct kcf_key *ret_key, struct kcf_data *out, struct kcf_call_req *req)
{
	uint32_t timeout = req ? req->timeout_ms : 0;
	bool sync = op_is_sync(req);
	enum kcf_status st = KCF_NO_DAEMON;
	struct pending *p = NULL;

	if (client_forked(client))
		return KCF_NO_DAEMON;
	pthread_mutex_lock(&client->lock);
	if (client->state == CLIENT_UP) {
		p = pending_new(&client->pending, PENDING_KEY);
		st = KCF_HOST_MEMORY;
	}
	if (p && pieces_init(&p->out.at, out, SIZE_MAX)) {
		p->ret_key = ret_key;
		client_set_deadline(client, p, sync && !timeout ? client->timeout_ms : timeout);
		st = sync ? send_wait(client, p, op) : send_async(client, p, op, req);
		if (sync && out)
			out->used = st == KCF_SUCCESS            ? p->out_len
				    : st == KCF_BUFFER_TOO_SMALL ? p->required
								 : 0;
	}
	if (p && st != KCF_QUEUED)
		op_release(client, p);
	pthread_mutex_unlock(&client->lock);
	return st;
}

static enum kcf_status check(struct kcf_client *client, const struct kcf_call_req *req)
{
	if (!client)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	return op_check_req(req);
}

enum kcf_status kcf_key_import(struct kcf_client *client, const struct kcf_key *bytes,
			       uint32_t usage, struct kcf_key *ret, struct kcf_call_req *req)
{
	struct wire_key_op_msg op = {.kind = KEYOP_IMPORT, .usage = usage};
	enum kcf_status st = check(client, req);

	if (st == KCF_SUCCESS)
		st = op_check_key(client, NULL, bytes);
	if (st != KCF_SUCCESS)
		return st;
	if (!ret || !bytes || bytes->kind != KCF_KEY_BYTES)
		return KCF_ARGUMENTS_BAD;
	st = op_wire_key(bytes, &op.key);
	return st == KCF_SUCCESS ? op_send_key(client, &op, ret, NULL, req) : st;
}

/* Mechanism and parameter of a generation or derivation. */
static enum kcf_status fill_mech(struct kcf_client *client, const struct kcf_mechanism *mech,
				 struct wire_key_op_msg *op)
{
	enum kcf_status st = op_wire_param(client, mech, &op->param);

	op->mech = op_wire_mech(client, mech->number);
	if (st == KCF_SUCCESS && !op->mech)
		st = KCF_MECH_NOT_SUPPORTED;
	return st;
}

enum kcf_status kcf_key_generate(struct kcf_client *client, const struct kcf_mechanism *mech,
				 uint32_t usage, struct kcf_key *ret, struct kcf_call_req *req)
{
	struct wire_key_op_msg op = {.kind = KEYOP_GENERATE, .usage = usage};
	enum kcf_status st = check(client, req);

	if (st != KCF_SUCCESS)
		return st;
	if (!mech || !ret)
		return KCF_ARGUMENTS_BAD;
	st = fill_mech(client, mech, &op);
	return st == KCF_SUCCESS ? op_send_key(client, &op, ret, NULL, req) : st;
}

enum kcf_status kcf_key_derive(struct kcf_client *client, const struct kcf_mechanism *mech,
			       const struct kcf_key *base, size_t len, uint32_t usage,
			       struct kcf_key *ret, struct kcf_call_req *req)
{
	struct wire_key_op_msg op = {.kind = KEYOP_DERIVE, .usage = usage, .len = (uint32_t)len};
	enum kcf_status st = check(client, req);

	if (st == KCF_SUCCESS)
		st = op_check_key(client, NULL, base);
	if (st != KCF_SUCCESS)
		return st;
	if (!mech || !base || !ret)
		return KCF_ARGUMENTS_BAD;
	if (len > WIRE_MAX_KEY)
		return KCF_KEY_SIZE_RANGE;
	st = fill_mech(client, mech, &op);
	if (st == KCF_SUCCESS)
		st = op_wire_key(base, &op.key);
	return st == KCF_SUCCESS ? op_send_key(client, &op, ret, NULL, req) : st;
}

enum kcf_status kcf_key_export_public(struct kcf_client *client, const struct kcf_key *key,
				      struct kcf_data *out, struct kcf_call_req *req)
{
	struct wire_key_op_msg op = {.kind = KEYOP_EXPORT};
	enum kcf_status st = check(client, req);

	if (st == KCF_SUCCESS)
		st = op_check_key(client, NULL, key);
	if (st != KCF_SUCCESS)
		return st;
	if (!key || !out || !op_data_ok(out))
		return KCF_ARGUMENTS_BAD;
	st = op_wire_key(key, &op.key);
	return st == KCF_SUCCESS ? op_send_key(client, &op, NULL, out, req) : st;
}

enum kcf_status kcf_key_destroy(struct kcf_client *client, const struct kcf_key *key,
				struct kcf_call_req *req)
{
	struct wire_key_op_msg op = {.kind = KEYOP_DESTROY};
	enum kcf_status st = check(client, req);

	if (st != KCF_SUCCESS)
		return st;
	if (!key || key->kind != KCF_KEY_HANDLE)
		return KCF_ARGUMENTS_BAD;
	st = op_wire_key(key, &op.key);
	return st == KCF_SUCCESS ? op_send_key(client, &op, NULL, NULL, req) : st;
}
