/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KEY_OP. Import and destroy are answered at once. Generate, derive and export are requests like
 * any other, with private output that becomes a key, or is the answer. Export needs the key
 * generation mechanism of the key's type: where the client does not name it, those there are are
 * tried in turn.
 */
#include <stdlib.h>
#include <string.h>
#include "api/handle.h"
#include "core/key.h"

#define KEY_OPS_MAX  64u /* under way per connection */
#define N_PAIR_MECHS 4u

static const uint32_t pair_mechs[N_PAIR_MECHS] = {
	KCF_M_RSA_PKCS_KEY_PAIR_GEN, KCF_M_EC_KEY_PAIR_GEN, KCF_M_EC_EDWARDS_KEY_PAIR_GEN,
	KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN};

struct key_op {
	struct pending pending; /* first */
	uint32_t kind, usage;
	enum kcf_key_format format; /* of the key that is made */
	uint64_t deadline_ns;
	struct tmpl *tmpls[N_PAIR_MECHS]; /* references; tried in order */
	unsigned n_tmpls, next;
};

/* What a request of ours has in its private memory. */
struct key_request {
	struct key_op *op;
	struct iovec out;
	uint8_t bytes[];
};

static void on_complete(struct request *r);

static const struct request_ops key_ops = {NULL, on_complete};

static struct key_request *key_request_of(const struct request *r)
{
	return (struct key_request *)(void *)r->mem;
}

static void answer(struct conn *c, uint64_t id, enum kcf_status status, const struct key *k,
		   const struct wire_bytes *data)
{
	struct wire_msg msg = {.type = FRAME_KEY_REPLY};

	msg.key_reply.status = status;
	if (status == KCF_SUCCESS && k) {
		key_handle(k, &msg.key_reply.handle);
		msg.key_reply.has_handle = true;
	}
	if (status == KCF_SUCCESS && data)
		msg.key_reply.data = *data;
	conn_send(c, &msg, id);
}

static void key_op_free(struct key_op *op)
{
	for (unsigned i = 0; i < op->n_tmpls; i++)
		tmpl_unref(op->tmpls[i]);
	free(op);
}

/* ---- at once ---- */

static void import(struct conn *c, const struct wire_key_op_msg *m, uint64_t id)
{
	struct kcf_key_data bytes = {m->key.format, m->key.bytes.p, m->key.bytes.len};
	enum kcf_status status = KCF_ARGUMENTS_BAD;
	struct key *k = NULL;

	if (m->key.kind == KCF_KEY_BYTES)
		status = key_import(c->api->core, c->consumer, c, &bytes, m->usage, &k);
	answer(c, id, status, k, NULL);
}

static void destroy(struct conn *c, const struct wire_key_op_msg *m, uint64_t id)
{
	enum kcf_status status = KCF_ARGUMENTS_BAD;
	struct key *k;

	if (m->key.kind == KCF_KEY_HANDLE)
		status = handle_find_key(c, &m->key, &k);
	if (status == KCF_SUCCESS)
		key_destroy(c->api->core, k);
	answer(c, id, status, NULL, NULL);
}

/* ---- by a request ---- */

static uint16_t request_op(uint32_t kind)
{
	return kind == KEYOP_GENERATE ? KCF_OP_KEYGEN
	       : kind == KEYOP_DERIVE ? KCF_OP_DERIVE
				      : KCF_OP_PUBLIC;
}

/* With the next template; param may be NULL. */
static enum kcf_status submit(struct conn *c, struct key_op *op, const struct wire_param *param,
			      uint32_t out_len)
{
	size_t param_len = param && param->kind ? param_copy_len(param->kind, param->data) : 0;
	size_t head = (sizeof(struct key_request) + out_len + 7) & ~(size_t)7;
	struct request *r = request_new(head + param_len);
	struct key_request *kr;

	if (!r)
		return KCF_HOST_MEMORY;
	kr = key_request_of(r);
	kr->op = op;
	kr->out = (struct iovec){kr->bytes, out_len};
	r->ops = &key_ops;
	r->conn = c;
	r->conn_id = c->id;
	r->id = op->pending.id;
	r->consumer = c->consumer;
	r->label = c->label_number;
	r->op = request_op(op->kind);
	r->out = (struct request_data){.iov = &kr->out, .n_iov = 1, .len = out_len};
	r->deadline_ns = op->deadline_ns;
	if (param_len)
		r->param = param_copy(param->kind, param->data, r->mem + head);
	r->tmpl = tmpl_ref(op->tmpls[op->next++]);
	list_push(&c->requests, &r->conn_link);
	sched_submit(c->api->core, r);
	return KCF_SUCCESS;
}

static void finish(struct key_op *op, const struct request *r)
{
	struct conn *c = op->pending.conn;
	struct wire_bytes data = {key_request_of(r)->bytes, r->out_len};
	struct kcf_key_data bytes = {op->format, data.p, data.len};
	enum kcf_status status = r->status;
	uint64_t id = op->pending.id;
	struct key *k = NULL;

	conn_pin(c);
	c->n_key_ops--;
	consumer_uncharge(c->consumer, CHARGE_REQUEST, 1);
	if (conn_pending_done(&op->pending)) {
		if (status == KCF_SUCCESS && op->kind != KEYOP_EXPORT)
			status = key_import(c->api->core, c->consumer, c, &bytes, op->usage, &k);
		if (k)
			k->symmetric = op->kind == KEYOP_GENERATE && op->format == KCF_KEY_RAW;
		answer(c, id, status, k, op->kind == KEYOP_EXPORT ? &data : NULL);
	}
	conn_unpin(c);
	key_op_free(op);
}

/* The key is not of the type that was tried, and there is another to try. */
static bool try_next(struct conn *c, struct key_op *op, enum kcf_status status)
{
	if (status != KCF_KEY_TYPE_INCONSISTENT && status != KCF_KEY_SIZE_RANGE &&
	    status != KCF_MECH_NOT_SUPPORTED)
		return false;
	return op->next < op->n_tmpls && conn_is_open(c) &&
	       submit(c, op, NULL, WIRE_MAX_KEY) == KCF_SUCCESS;
}

static void on_complete(struct request *r)
{
	struct key_op *op = key_request_of(r)->op;

	list_remove(&r->conn_link);
	if (!try_next(r->conn, op, r->status))
		finish(op, r);
	request_free(r);
}

static enum kcf_status add_tmpl(struct conn *c, struct key_op *op, uint32_t mech,
				const struct wire_key *key)
{
	enum kcf_status status = handle_get_template(c, 0, mech, key, &op->tmpls[op->n_tmpls]);

	if (status == KCF_SUCCESS)
		op->n_tmpls++;
	return status;
}

/* In which order key types are tried. A raw key of 32 bytes may be Ed25519 or X25519: its usage
 * decides. */
static const uint32_t *pair_order(const struct key *k)
{
	static const uint32_t agreement_first[N_PAIR_MECHS] = {
		KCF_M_EC_MONTGOMERY_KEY_PAIR_GEN, KCF_M_EC_EDWARDS_KEY_PAIR_GEN,
		KCF_M_EC_KEY_PAIR_GEN, KCF_M_RSA_PKCS_KEY_PAIR_GEN};
	bool agrees = k && k->format == KCF_KEY_RAW && k->usage & KCF_KEY_USE(KCF_OP_DERIVE) &&
		      !(k->usage & KCF_KEY_USE(KCF_OP_SIGN));

	return agrees ? agreement_first : pair_mechs;
}

/* A raw key says nothing of its type: what is known to be secret is not shown as the seed of a
 * pair. */
static bool may_be_pair(const struct key *k)
{
	const uint32_t uses = KCF_KEY_USE(KCF_OP_SIGN) | KCF_KEY_USE(KCF_OP_DERIVE);

	if (!k || k->format != KCF_KEY_RAW)
		return true;
	return !k->symmetric && (!k->usage || k->usage & uses);
}

static enum kcf_status prepare_export(struct conn *c, struct key_op *op,
				      const struct wire_key_op_msg *m, const struct key *k)
{
	const uint32_t *order = pair_order(k);
	enum kcf_status status = KCF_SUCCESS;

	if (!may_be_pair(k))
		return KCF_KEY_TYPE_INCONSISTENT;
	if (m->mech)
		return add_tmpl(c, op, m->mech, &m->key);
	for (unsigned i = 0; i < N_PAIR_MECHS; i++)
		status = add_tmpl(c, op, order[i], &m->key);
	/* The last reason counts if there is nothing to try. */
	return op->n_tmpls ? KCF_SUCCESS : status;
}

/* The key whose public half is wanted. *ret NULL: it came as bytes. A public key is its own answer.
 */
static enum kcf_status find_export(struct conn *c, const struct wire_key *key,
				   const struct key **ret, struct wire_bytes *ret_public)
{
	struct key *k = NULL;
	enum kcf_status status;

	*ret = NULL;
	*ret_public = (struct wire_bytes){NULL, 0};
	if (key->kind == KCF_KEY_BYTES) {
		if (key->format == KCF_KEY_SPKI)
			*ret_public = key->bytes;
		return KCF_SUCCESS;
	}
	status = handle_find_key(c, key, &k);
	if (status == KCF_SUCCESS && k->format == KCF_KEY_SPKI)
		*ret_public = (struct wire_bytes){k->bytes, k->len};
	*ret = k;
	return status;
}

/* Symmetric keys are made as raw bytes, pairs as PKCS#8. */
static enum kcf_key_format made_format(const struct wire_key_op_msg *m)
{
	const struct kcf_param_keygen *p = m->param.data;

	if (m->kind == KEYOP_GENERATE &&
	    (m->mech == KCF_M_RSA_PKCS_KEY_PAIR_GEN || (p && p->curve)))
		return KCF_KEY_PKCS8;
	return KCF_KEY_RAW;
}

static enum kcf_status prepare(struct conn *c, struct key_op *op, const struct wire_key_op_msg *m,
			       const struct key *k)
{
	static const struct wire_key none = {.kind = KCF_KEY_NONE};
	enum kcf_status status;

	op->kind = m->kind;
	op->usage = m->usage;
	op->format = made_format(m);
	if (m->kind == KEYOP_EXPORT)
		return prepare_export(c, op, m, k);
	if (m->kind == KEYOP_DERIVE && m->len == 0)
		return KCF_KEY_SIZE_RANGE;
	if (m->kind == KEYOP_DERIVE && m->key.kind != KCF_KEY_HANDLE &&
	    m->key.kind != KCF_KEY_NAMED)
		return KCF_ARGUMENTS_BAD;
	status = add_tmpl(c, op, m->mech, m->kind == KEYOP_DERIVE ? &m->key : &none);
	return status == KCF_SUCCESS ? handle_check_param(c, m->mech, &m->param) : status;
}

static enum kcf_status begin(struct conn *c, const struct wire_key_op_msg *m,
			     const struct frame_header *h, const struct key *k)
{
	struct key_op *op;
	enum kcf_status status;

	if (c->n_key_ops >= KEY_OPS_MAX)
		return KCF_BUSY;
	op = calloc(1, sizeof(*op));
	if (!op)
		return KCF_HOST_MEMORY;
	if (h->deadline_us && h->deadline_us < UINT64_MAX / 2000)
		op->deadline_ns = uv_hrtime() + h->deadline_us * 1000;
	status = prepare(c, op, m, k);
	if (status != KCF_SUCCESS)
		goto no_key_op;
	status = consumer_charge(c->consumer, CHARGE_REQUEST, 1);
	if (status != KCF_SUCCESS)
		goto no_key_op;
	status = KCF_HOST_MEMORY;
	if (!conn_pending_add(c, &op->pending, PENDING_KEY, h->id))
		goto no_pending;
	status = submit(c, op, &m->param, m->kind == KEYOP_DERIVE ? m->len : WIRE_MAX_KEY);
	if (status == KCF_SUCCESS) {
		c->n_key_ops++;
		return KCF_SUCCESS;
	}
	conn_pending_done(&op->pending);
no_pending:
	consumer_uncharge(c->consumer, CHARGE_REQUEST, 1);
no_key_op:
	key_op_free(op);
	return status;
}

/* Answers at once, or begins a request that will. */
static void compute(struct conn *c, const struct wire_key_op_msg *m, const struct frame_header *h)
{
	struct wire_bytes public = {NULL, 0};
	enum kcf_status status = KCF_SUCCESS;
	const struct key *k = NULL;

	if (m->kind == KEYOP_EXPORT)
		status = find_export(c, &m->key, &k, &public);
	if (status == KCF_SUCCESS && !public.p)
		status = begin(c, m, h, k);
	if (status != KCF_SUCCESS || public.p)
		answer(c, h->id, status, NULL, &public);
}

void handle_key_op(struct conn *c, const struct dispatch_frame *f)
{
	const struct wire_key_op_msg *m = &f->msg->key_op;

	if (m->kind == KEYOP_IMPORT)
		import(c, m, f->h->id);
	else if (m->kind == KEYOP_DESTROY)
		destroy(c, m, f->h->id);
	else
		compute(c, m, f->h);
}
