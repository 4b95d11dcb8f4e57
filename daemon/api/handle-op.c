/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OP: charge, check, build, submit; and the answer when the scheduler gives the request back.
 *
 * Units are taken first and given back with the answer, whatever it is. Before a request is
 * submitted a failure is answered at once; afterwards on_complete alone answers.
 */
#include <string.h>
#include "api/context-table.h"
#include "api/handle.h"
#include "api/op.h"

static void on_step(struct request *r, unsigned i);
static void on_complete(struct request *r);

static const struct request_ops op_ops = {on_step, on_complete};

/* What is refused of a context ends that as what fails does. */
static void end_context(struct conn *c, const struct wire_op *m)
{
	struct context *context;

	if ((m->phase == KCF_UPDATE || m->phase == KCF_FINAL_PHASE) &&
	    context_table_find(c, m->context, (uint16_t)m->op, &context) == KCF_SUCCESS)
		context_table_drop(c, m->context);
}

static void refuse(struct conn *c, uint64_t id, const struct wire_op *m, enum kcf_status status)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};

	msg.op_reply.status = status;
	credit_done(&c->credit, m->units);
	conn_send(c, &msg, id);
	end_context(c, m);
}

/* What the payload must be, or the sender and we do not agree where the next frame begins. */
static uint64_t payload_len(const struct wire_op *m)
{
	uint64_t len = 0;

	if (!m->n_steps)
		return (uint64_t)m->in_len + m->check_len;
	for (uint32_t i = 0; i < m->n_steps; i++)
		len += m->steps[i].in_len;
	return len;
}

static bool steps_in_order(const struct wire_op *m)
{
	uint32_t last = m->n_steps - 1;

	if (m->n_steps < 2 || m->phase != KCF_SINGLE || m->context)
		return false;
	for (uint32_t i = 0; i < m->n_steps; i++) {
		uint32_t want = i == 0      ? KCF_STEP_INIT
				: i == last ? KCF_STEP_FINAL
					    : KCF_STEP_UPDATE;

		if (m->steps[i].kind != want)
			return false;
	}
	return true;
}

static bool is_dual(const struct wire_op *m)
{
	return m->op == KCF_OP_ENCRYPT_MAC || m->op == KCF_OP_MAC_DECRYPT;
}

/* Steps bring their data themselves: what the operation itself names beside them is not read. */
static void forget_own_data(struct wire_op *m)
{
	m->in_len = m->check_len = m->out_room = m->mac_room = 0;
	m->n_in = m->n_out = m->n_mac = 0;
}

static enum kcf_status check(struct conn *c, const struct wire_op *m)
{
	if (m->n_steps && !steps_in_order(m))
		return KCF_ARGUMENTS_BAD;
	if (m->preference == KCF_ONLY_PROVIDER && (!m->provider || !m->provider[0]))
		return KCF_ARGUMENTS_BAD;
	if ((m->flags & OPF_ALWAYS_QUEUE) && (m->flags & OPF_NEVER_QUEUE))
		return KCF_ARGUMENTS_BAD;
	return KCF_SUCCESS;
}

/* Templates of everything that begins an operation; *t and *t2 are references of the caller's. */
static enum kcf_status get_templates(struct conn *c, struct wire_op *m, struct tmpl **t,
				     struct tmpl **t2)
{
	enum kcf_status status;

	if (m->op == KCF_OP_RANDOM && !m->mech)
		m->mech = KCF_M_RANDOM;
	status = handle_get_template(c, m->tmpl, m->mech, &m->key, t);
	if (status == KCF_SUCCESS)
		status = handle_check_param(c, m->mech, &m->param);
	if (status == KCF_SUCCESS && is_dual(m)) {
		status = handle_get_template(c, m->tmpl2, m->mech2, &m->key2, t2);
		if (status == KCF_SUCCESS)
			status = handle_check_param(c, m->mech2, &m->param2);
	}
	return status;
}

static void put_templates(struct tmpl *t, struct tmpl *t2)
{
	if (t)
		tmpl_unref(t);
	if (t2)
		tmpl_unref(t2);
}

/* Bind the request to templates or to its context. */
static enum kcf_status bind_request(struct conn *c, struct wire_op *m, struct request *r)
{
	enum kcf_status status;

	if (m->phase == KCF_UPDATE || m->phase == KCF_FINAL_PHASE)
		return context_table_find(c, m->context, (uint16_t)m->op, &r->context);
	status = get_templates(c, m, &r->tmpl, &r->tmpl2);
	if (status == KCF_SUCCESS && m->phase == KCF_INIT)
		status = context_table_open(c, m->context, r->op, r->tmpl, r->tmpl2, &r->context);
	if (status != KCF_SUCCESS) {
		put_templates(r->tmpl, r->tmpl2);
		r->tmpl = r->tmpl2 = NULL;
	}
	return status;
}

static void submit(struct conn *c, struct request *r, const struct frame_header *h)
{
	r->ops = &op_ops;
	r->deadline_ns = h->deadline_us ? uv_hrtime() + h->deadline_us * 1000 : 0;
	if (h->deadline_us > UINT64_MAX / 2000)
		r->deadline_ns = 0; /* farther away than this machine will run */
	sched_submit(c->api->core, r);
}

void handle_op(struct conn *c, const struct dispatch_frame *f)
{
	struct wire_op m = f->msg->op;
	struct request *r = NULL;
	enum kcf_status status;

	if (payload_len(&m) != f->h->payload_len) {
		conn_fatal(c, KCF_PROTOCOL_ERROR, "request %llu: the payload has another length",
			   (unsigned long long)f->h->id);
		return;
	}
	if (m.units != codec_op_units(&m) || !credit_spend(&c->credit, m.units)) {
		conn_fatal(c, KCF_PROTOCOL_ERROR,
			   "request %llu: %u units are wrong or were not leased",
			   (unsigned long long)f->h->id, m.units);
		return;
	}
	if (m.n_steps)
		forget_own_data(&m);
	status = check(c, &m);
	if (status == KCF_SUCCESS)
		status = op_build(c, &m, f->payload, &r);
	if (status != KCF_SUCCESS) {
		refuse(c, f->h->id, &m, status);
		return;
	}
	status = op_enter(c, r, f->h->id);
	if (status == KCF_SUCCESS) {
		status = bind_request(c, &m, r);
		if (status == KCF_SUCCESS) {
			submit(c, r, f->h);
			return;
		}
		op_leave(r);
	}
	op_free(r);
	refuse(c, f->h->id, &m, status);
}

/* ---- answers ---- */

/* The first len bytes of data as at most 1 piece: inline data always is in one. */
static unsigned put_piece(struct iovec *to, const struct request_data *d, size_t len)
{
	if (d->shared || !d->n_iov || !len)
		return 0;
	*to = (struct iovec){d->iov->iov_base, len < d->len ? len : d->len};
	return 1;
}

static void on_step(struct request *r, unsigned i)
{
	struct conn *c = r->conn;
	struct wire_msg msg = {.type = FRAME_OP_STEP};
	const struct request_step *s = &r->steps[i];
	struct iovec piece;
	unsigned n;

	msg.op_reply.status = KCF_SUCCESS;
	msg.op_reply.step = i;
	msg.op_reply.out_len = s->out_len;
	msg.op_reply.provider = r->provider_row1;
	n = put_piece(&piece, &s->out, s->out_len);
	conn_send_payload(c, &msg, r->id, &piece, n);
}

static void reply_steps(struct conn *c, const struct request *r, struct wire_msg *msg)
{
	bool payload = r->status == KCF_SUCCESS && !(r->flags & OPF_NOTIFY_STEPS);
	uint32_t done = r->status == KCF_SUCCESS ? r->n_steps : r->steps_done;
	struct iovec pieces[KCF_STEPS_MAX];
	uint64_t lens[KCF_STEPS_MAX];
	unsigned n = 0;

	msg->op_reply.out_len = 0;
	for (uint32_t i = 0; i < done; i++) {
		lens[i] = r->steps[i].out_len;
		msg->op_reply.out_len += lens[i];
		if (payload)
			n += put_piece(&pieces[n], &r->steps[i].out, lens[i]);
	}
	msg->op_reply.step_lens = lens;
	msg->op_reply.n_step_lens = done;
	conn_send_payload(c, msg, r->id, pieces, n);
}

void handle_op_reply(struct conn *c, const struct request *r)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};
	struct wire_op_reply *m = &msg.op_reply;
	struct iovec pieces[2];
	unsigned n = 0;

	m->status = r->status;
	m->provider = r->provider_row1;
	m->busy_reason = r->status == KCF_BUSY ? r->busy_reason : KCF_BUSY_NONE;
	m->queue_hops = r->queue_hops;
	if (r->status == KCF_BUFFER_TOO_SMALL) {
		m->required = r->out_len;
		m->mac_len = (uint32_t)r->mac_len;
	}
	if (r->iv_made)
		m->iv = (struct wire_bytes){r->iv, sizeof(r->iv)};
	if (r->n_steps) {
		reply_steps(c, r, &msg);
		return;
	}
	if (r->status == KCF_SUCCESS) {
		m->out_len = r->out_len;
		m->mac_len = (uint32_t)r->mac_len;
		n += put_piece(&pieces[n], &r->out, r->out_len);
		n += put_piece(&pieces[n], &r->mac, r->mac_len);
	}
	conn_send_payload(c, &msg, r->id, pieces, n);
}

static void on_complete(struct request *r)
{
	struct conn *c = r->conn;
	uint32_t units = r->units, context = op_of(r)->context;

	conn_pin(c);
	if (context && conn_is_open(c))
		context_table_check(c, context);
	if (op_leave(r))
		handle_op_reply(c, r);
	op_free(r);
	credit_done(&c->credit, units);
	conn_unpin(c);
}
