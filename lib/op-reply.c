/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-reply - what comes back for a request: status, lengths, and the bytes to where the caller
 * wants them.
 *
 * kcfd's lengths are taken for no more than the room that was given. The driver writes the result
 * while the request is SENT; op_finish hands it over, op_release ends it.
 */
#include "client-core.h"

#include <string.h>

/* The reply's payload, taken from the front. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* len bytes of one output, which is where it is, in bounce memory, or next in the payload. */
static size_t deliver(const struct payload *pl, size_t len, struct bytes *payload)
{
	len = smaller(len, pl->at.len);
	if (pl->way == WAY_BOUNCE) {
		iov_scatter(pl->at.v, pl->at.n, pl->bounce, len);
	} else if (pl->way == WAY_INLINE) {
		len = smaller(len, payload->len);
		iov_scatter(pl->at.v, pl->at.n, payload->p, len);
		payload->p += len;
		payload->len -= len;
	}
	return len;
}

/* Steps that were not reported one by one are in the last reply. */
static size_t deliver_steps(struct pending *p, const struct wire_op_reply *r, struct bytes payload)
{
	size_t sum = 0;
	uint32_t i;

	for (i = 0; i < p->n_steps; i++) {
		if (i >= p->n_reported)
			p->steps[i].out.used =
				deliver(&p->step_out[i], i < r->n_step_lens ? r->step_lens[i] : 0,
					&payload);
		sum += p->steps[i].out.used;
	}
	return sum;
}

/* The request failed because its template is not there: then say why that is. */
static enum kcf_status attach_status(struct kcf_client *c, const struct pending *p)
{
	enum kcf_status st = KCF_SUCCESS;
	unsigned i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < 2 && st == KCF_SUCCESS; i++) {
		if (p->tmpl[i])
			st = client_slot_status(c, p->tmpl[i]);
	}
	pthread_mutex_unlock(&c->lock);
	return st == KCF_SUCCESS ? p->status : st;
}

enum kcf_status op_refusal(struct kcf_client *c, const struct pending *p)
{
	const struct payload *all[] = {&p->in, &p->out, &p->mac};
	enum kcf_status st = KCF_SUCCESS;

	for (unsigned i = 0; i < 3 && st == KCF_SUCCESS; i++)
		st = arena_refusal(&c->arena, all[i]->bounce);
	for (uint32_t i = 0; i < 2 * p->n_steps && st == KCF_SUCCESS; i++)
		st = arena_refusal(&c->arena, p->step_in[i].bounce);
	return st;
}

/* The request failed because its memory was refused: there is no room. A context does not outlive
 * that. */
static void take_refusal(struct kcf_client *c, struct pending *p)
{
	enum kcf_status st = op_refusal(c, p);

	if (st == KCF_SUCCESS)
		return;
	p->status = st;
	if (st != KCF_QUOTA_EXCEEDED || p->ctx)
		return;
	p->status = KCF_BUSY;
	p->busy_reason = KCF_BUSY_NO_ROOM;
	p->no_memory = true;
}

void op_result(struct pending *p, const struct wire_op_reply *r, const uint8_t *payload,
	       size_t payload_len)
{
	struct bytes rest = {payload, payload_len};

	p->status = r->status == KCF_QUEUED ? KCF_FAILED : (enum kcf_status)r->status;
	p->required = (size_t)r->required;
	p->provider = r->provider;
	p->busy_reason = r->busy_reason;
	p->queue_hops = r->queue_hops;
	p->mac_len = p->status == KCF_BUFFER_TOO_SMALL ? r->mac_len : 0;
	if (p->status == KCF_BUFFER_TOO_SMALL && r->n_step_lens < p->n_steps)
		p->steps[r->n_step_lens].out.used = p->required; /* the step that failed */
	if (p->status != KCF_SUCCESS)
		return;
	if (p->iv_out && r->iv.len == WIRE_IV_LEN)
		memcpy(p->iv_out, r->iv.p, WIRE_IV_LEN);
	if (p->n_steps) {
		p->out_len = deliver_steps(p, r, rest);
		return;
	}
	if (p->mac.way == WAY_INLINE && r->mac_len <= rest.len)
		rest.len -= r->mac_len;
	p->out_len = deliver(&p->out, r->out_len, &rest);
	if (p->mac.way == WAY_INLINE)
		rest = (struct bytes){payload + payload_len - smaller(r->mac_len, payload_len),
				      smaller(r->mac_len, payload_len)};
	p->mac_len = deliver(&p->mac, r->mac_len, &rest);
}

void op_reply(struct kcf_client *c, struct pending *p, const struct wire_op_reply *r,
	      const uint8_t *payload, size_t payload_len)
{
	p->cold = true;
	op_result(p, r, payload, payload_len);
	if (p->status == KCF_ARGUMENTS_BAD && (p->tmpl[0] || p->tmpl[1]))
		p->status = attach_status(c, p);
	if (p->status == KCF_ARGUMENTS_BAD)
		take_refusal(c, p);
}

bool op_step_reply(struct kcf_client *c, struct pending *p, const struct wire_op_reply *r,
		   const uint8_t *payload, size_t payload_len)
{
	struct bytes rest = {payload, payload_len};
	struct notice *n;

	if (!p->n_steps || r->step >= p->n_steps || r->step != p->n_reported)
		return false;
	p->steps[r->step].out.used = deliver(&p->step_out[r->step], r->out_len, &rest);
	p->n_reported++;
	p->provider = r->provider;
	if (!p->callback || !(p->flags & KCF_NOTIFY_OPDONE))
		return true;
	pthread_mutex_lock(&c->lock);
	n = notice_new(&c->pending, NOTICE_STEP);
	if (n) {
		n->pending = p;
		n->step = r->step;
		n->status = (enum kcf_status)r->status;
		n->len = p->steps[r->step].out.used;
		notice_push(&c->pending, n);
		client_poke(c);
	}
	pthread_mutex_unlock(&c->lock);
	return true;
}

void op_key_reply(struct kcf_client *c, struct pending *p, const struct wire_key_reply *r)
{
	p->status = r->status == KCF_QUEUED ? KCF_FAILED : (enum kcf_status)r->status;
	if (p->status != KCF_SUCCESS)
		return;
	if (p->ret_key) {
		*p->ret_key = (struct kcf_key){.kind = KCF_KEY_HANDLE, .handle = r->handle};
		if (!r->has_handle)
			p->status = KCF_PROTOCOL_ERROR;
	}
	if (r->data.len > p->out.at.len) {
		p->status = KCF_BUFFER_TOO_SMALL;
		p->required = r->data.len;
	} else {
		iov_scatter(p->out.at.v, p->out.at.n, r->data.p, r->data.len);
		p->out_len = r->data.len;
	}
}

/* ---- end ---- */

static bool ends_context(const struct pending *p, enum kcf_status status)
{
	if (status == KCF_BUFFER_TOO_SMALL || status == KCF_BUSY)
		return p->phase == KCF_INIT;
	return status != KCF_SUCCESS || p->phase == KCF_FINAL_PHASE;
}

void op_finish(struct kcf_client *c, struct pending *p, enum kcf_status status)
{
	if (!pending_complete(&c->pending, p, status))
		return;
	if (p->ctx && ends_context(p, status))
		context_set_ended(p->ctx);
	if (p->waiter) {
		client_wake(c, p->waiter);
		return;
	}
	if (status == KCF_BUSY && p->busy_reason == KCF_BUSY_NO_ROOM &&
	    (p->flags & KCF_NOTIFY_SPACE)) {
		if (p->no_memory)
			c->notify_memory = true;
		else
			client_notify_room(c, p->units, p->provider);
	}
	client_poke(c);
}

bool client_buf_free(struct kcf_client *c, void *p)
{
	struct wire_msg msg = {.type = FRAME_ARENA_FREE};
	bool freed = arena_free(&c->arena, p, &msg.slot) == KCF_SUCCESS;

	if (msg.slot && c->state == CLIENT_UP)
		client_tx_msg(c, &msg, 0, 0);
	return freed;
}

static bool free_bounce(struct kcf_client *c, struct payload *pl)
{
	bool freed = pl->bounce && client_buf_free(c, pl->bounce);

	pl->bounce = NULL;
	return freed;
}

void op_release(struct kcf_client *c, struct pending *p)
{
	bool freed = free_bounce(c, &p->in);
	uint32_t i;

	freed |= free_bounce(c, &p->out);
	freed |= free_bounce(c, &p->mac);
	for (i = 0; i < p->n_steps; i++) {
		freed |= free_bounce(c, &p->step_in[i]);
		freed |= free_bounce(c, &p->step_out[i]);
	}
	for (i = 0; i < 2; i++) {
		if (p->tmpl[i] && (!p->by_ring || --p->tmpl[i]->n_queued == 0))
			template_unref(p->tmpl[i]);
	}
	if (p->ctx)
		context_unref(p->ctx);
	if (p->kind == PENDING_OP && p->state != PENDING_NEW)
		c->n_requests--;
	pending_free(&c->pending, p);
	if (freed || !c->n_requests) /* some came back, or none will */
		client_wake_memory(c);
}
