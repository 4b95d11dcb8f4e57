/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-send - a call becomes a request: message, credits, payload, and for synchronous calls the
 * wait.
 *
 * The message is encoded straight into the send buffer under the client's lock. Ranges and kcfd's
 * numbers are looked up there, because another connection has others. Of what may be sent again the
 * message is kept.
 */
#include "op-send.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_GUESS 2048u /* of a message with short keys, parameters and few ranges */

/* A message in the making; large, on the stack of op_send. */
struct build {
	struct wire_msg msg;
	struct pieces check; /* MAC or signature to compare */
	struct wire_range in[WIRE_MAX_RANGES], out[WIRE_MAX_RANGES], mac[WIRE_MAX_RANGES];
	struct wire_step *steps;        /* n_steps */
	struct wire_range *step_ranges; /* of all steps */
	struct op_unpacked unpacked;    /* of what was on the ring */
};

/* ---- the message ---- */

static enum kcf_status fill_op(const struct op_call *call, const struct op_more *more,
			       struct wire_op *op)
{
	const struct kcf_call_req *req = call->req;
	uint32_t flags = req ? req->flags : KCF_WAIT;
	enum kcf_status st = KCF_SUCCESS;

	op->op = call->op;
	op->phase = more->phase;
	if (flags & KCF_ALWAYS_QUEUE)
		op->flags |= OPF_ALWAYS_QUEUE;
	if (flags & KCF_NEVER_QUEUE)
		op->flags |= OPF_NEVER_QUEUE;
	if (flags & KCF_WAIT)
		op->flags |= OPF_SYNC;
	if ((flags & KCF_NOTIFY_OPDONE) && more->n_steps)
		op->flags |= OPF_NOTIFY_STEPS;
	op->preference = client_preference(call->client, req);
	op->provider = req ? req->provider : NULL;
	if (more->ctx)
		op->context = context_number(more->ctx);
	if (call->mech)
		st = op_wire_param(call->client, call->mech, &op->param);
	if (st == KCF_SUCCESS && call->mech2)
		st = op_wire_param(call->client, call->mech2, &op->param2);
	if (st == KCF_SUCCESS)
		st = op_wire_key(call->key, &op->key);
	if (st == KCF_SUCCESS)
		st = op_wire_key(call->key2, &op->key2);
	return st;
}

/* Where one direction is: inline length, or ranges. False: not reachable on this connection. */
static bool fill_payload(struct kcf_client *c, const struct payload *pl, uint32_t *len,
			 struct wire_range *ranges, uint32_t *n)
{
	struct iovec bounce = {pl->bounce, pl->at.len};

	*n = 0;
	*len = 0;
	if (pl->way == WAY_INLINE) {
		*len = (uint32_t)pl->at.len;
		return true;
	}
	if (pl->way == WAY_BOUNCE)
		return arena_ranges(&c->arena, &bounce, 1, ranges, n);
	return arena_ranges(&c->arena, pl->at.v, pl->at.n, ranges, n);
}

static enum kcf_status fill_steps(struct kcf_client *c, const struct pending *p, struct build *b)
{
	struct wire_range *next = b->step_ranges;
	uint32_t i;

	for (i = 0; i < p->n_steps; i++) {
		struct wire_step *s = &b->steps[i];

		s->kind = p->steps[i].kind;
		s->in = next;
		if (!fill_payload(c, &p->step_in[i], &s->in_len, next, &s->n_in))
			return KCF_NO_DAEMON;
		next += s->n_in;
		s->out = next;
		if (!fill_payload(c, &p->step_out[i], &s->out_room, next, &s->n_out))
			return KCF_NO_DAEMON;
		next += s->n_out;
		if (next > b->step_ranges + WIRE_MAX_STEP_RANGES)
			return KCF_BUFFER_TOO_BIG;
	}
	b->msg.op.steps = b->steps;
	b->msg.op.n_steps = p->n_steps;
	return KCF_SUCCESS;
}

/* What belongs to the present connection. Lock held. */
static enum kcf_status fill_payloads(struct kcf_client *c, const struct pending *p, struct build *b)
{
	struct wire_op *op = &b->msg.op;

	op->check_len = (uint32_t)b->check.len;
	op->in = b->in;
	op->out = b->out;
	op->mac = b->mac;
	if (!fill_payload(c, &p->in, &op->in_len, b->in, &op->n_in) ||
	    !fill_payload(c, &p->out, &op->out_room, b->out, &op->n_out) ||
	    !fill_payload(c, &p->mac, &op->mac_room, b->mac, &op->n_mac))
		return KCF_NO_DAEMON; /* its segments are not on this connection */
	return p->n_steps ? fill_steps(c, p, b) : KCF_SUCCESS;
}

static bool fill_mechs(struct kcf_client *c, const struct pending *p, struct wire_op *op)
{
	op->mech = p->mech ? op_wire_mech(c, p->mech) : 0;
	op->mech2 = p->mech2 ? op_wire_mech(c, p->mech2) : 0;
	return (op->mech || !p->mech) && (op->mech2 || !p->mech2);
}

/* Name the attached template; 0 if it cannot be attached: then its key travels. */
static uint32_t fill_slot(struct kcf_client *c, struct kcf_template *tmpl, struct wire_key *key)
{
	uint32_t slot;

	if (!tmpl)
		return 0;
	slot = client_slot_attach(c, tmpl);
	if (slot)
		key->kind = KCF_KEY_NONE;
	else
		op_template_key(tmpl, key);
	return slot;
}

static uint64_t deadline_us(const struct pending *p)
{
	uint64_t now;

	if (!p->deadline)
		return 0;
	now = client_now();
	return now < p->deadline ? (p->deadline - now) / 1000 + 1 : 1;
}

static size_t inline_len(const struct pending *p, const struct build *b)
{
	size_t len = b->check.len;
	uint32_t i;

	if (p->in.way == WAY_INLINE)
		len += p->in.at.len;
	for (i = 0; i < p->n_steps; i++) {
		if (p->step_in[i].way == WAY_INLINE)
			len += p->step_in[i].at.len;
	}
	return len;
}

static void put_payload(const struct pending *p, const struct build *b, uint8_t *at)
{
	uint32_t i;

	if (p->in.way == WAY_INLINE) {
		iov_gather(p->in.at.v, p->in.at.n, at);
		at += p->in.at.len;
	}
	iov_gather(b->check.v, b->check.n, at);
	at += b->check.len;
	for (i = 0; i < p->n_steps; i++) {
		if (p->step_in[i].way != WAY_INLINE)
			continue;
		iov_gather(p->step_in[i].at.v, p->step_in[i].at.n, at);
		at += p->step_in[i].at.len;
	}
}

/* Payload that kcfd finds in the arena. */
static size_t arena_len(const struct pending *p)
{
	size_t len = 0;
	uint32_t i;

	if (p->in.way != WAY_INLINE)
		len += p->in.at.len;
	for (i = 0; i < p->n_steps; i++) {
		if (p->step_in[i].way != WAY_INLINE)
			len += p->step_in[i].at.len;
	}
	return len;
}

/* Header, message, payload to the end of the send buffer. */
static enum kcf_status append(struct kcf_client *c, struct pending *p, const struct build *b)
{
	size_t payload = inline_len(p, b), room = ROOM_GUESS, len = SIZE_MAX;
	uint8_t *at = NULL;

	while (len == SIZE_MAX) {
		at = client_tx_room(c, room + payload);
		if (!at)
			return KCF_HOST_MEMORY;
		len = codec_encode_frame(&b->msg, p->id, deadline_us(p), (uint32_t)payload, at,
					 room);
		if (len == SIZE_MAX && room > FRAME_MESSAGE_MAX)
			return KCF_BUFFER_TOO_BIG;
		room = FRAME_HEADER_LEN + FRAME_MESSAGE_MAX + 1;
	}
	at = client_tx_room(c, len + payload);
	put_payload(p, b, at + len);
	client_tx_commit(c, len + payload);
	c->tx.fill_work += arena_len(p);
	if (p->can_resend && !p->saved)
		p->can_resend = pending_save(p, at + FRAME_HEADER_LEN, len - FRAME_HEADER_LEN,
					     at + len + payload - b->check.len, b->check.len);
	return KCF_SUCCESS;
}

/* Waiting threads have credits in the order they came; held requests were there before. */
static bool has_turn(const struct kcf_client *c, const struct pending *p)
{
	return p->state == PENDING_HELD || client_is_first(c, p->waiter);
}

/* The payload is not on this connection. Kcfd's answer to an offer may have been here before us. */
static enum kcf_status not_there(struct kcf_client *c, struct pending *p)
{
	enum kcf_status st = p->state == PENDING_NEW ? op_refusal(c, p) : KCF_SUCCESS;

	if (st != KCF_QUOTA_EXCEEDED)
		return st == KCF_SUCCESS ? KCF_NO_DAEMON : st;
	p->busy_reason = KCF_BUSY_NO_ROOM;
	return KCF_BUSY;
}

/* Lock held, state UP. */
static enum kcf_status transmit(struct kcf_client *c, struct pending *p, struct build *b)
{
	struct page *page = direct_page(c->direct);
	enum kcf_status st = fill_payloads(c, p, b);

	client_ring_ask(c);
	if (st != KCF_SUCCESS)
		return st == KCF_NO_DAEMON ? not_there(c, p) : st;
	if (!fill_mechs(c, p, &b->msg.op))
		return KCF_MECH_NOT_SUPPORTED;
	if (p->ctx && !context_enter(p->ctx, p->phase == KCF_INIT, c->epoch))
		return KCF_INVALID_CONTEXT;
	p->units = b->msg.op.units = codec_op_units(&b->msg.op);
	p->provider = 0;
	if (!page || !has_turn(c, p) || !page_credit_take(page, p->units)) {
		p->busy_reason = KCF_BUSY_NO_ROOM;
		return KCF_BUSY;
	}
	b->msg.op.tmpl = fill_slot(c, p->tmpl[0], &b->msg.op.key);
	b->msg.op.tmpl2 = fill_slot(c, p->tmpl[1], &b->msg.op.key2);
	if (p->state == PENDING_NEW)
		c->n_requests++;
	if (p->state == PENDING_HELD)
		p->state = PENDING_SENT;
	else
		pending_open(&c->pending, p);
	st = append(c, p, b);
	if (st != KCF_SUCCESS)
		page_credit_give(page, p->units);
	return st;
}

/* ---- again ---- */

static bool rebuild(struct pending *p, struct codec_arena *arena, struct build *b)
{
	if (p->by_ring && !p->saved) {
		op_unpack(p, &b->unpacked);
		b->msg = (struct wire_msg){.type = FRAME_OP, .op = b->unpacked.op};
		pieces_flat(&b->check, (void *)b->unpacked.check, b->unpacked.check_len);
		return true;
	}
	if (!codec_decode(arena, FRAME_OP, p->saved, p->saved_len, &b->msg))
		return false;
	pieces_flat(&b->check, p->saved + p->saved_len, p->saved_check);
	return true;
}

enum kcf_status op_resend(struct kcf_client *c, struct pending *p)
{
	struct build *b = calloc(1, sizeof(*b));
	struct codec_arena arena;
	enum kcf_status st = KCF_HOST_MEMORY;

	p->cold = true;
	codec_init(&arena);
	if (b && rebuild(p, &arena, b))
		st = transmit(c, p, b);
	codec_deinit(&arena);
	free(b);
	return st;
}

/* ---- calls ---- */

static bool key_can_resend(const struct kcf_key *key)
{
	enum kcf_key_kind kind = key ? key->kind : KCF_KEY_NONE;

	if (kind == KCF_KEY_TEMPLATE)
		kind = key->tmpl->kind;
	return kind == KCF_KEY_NONE || kind == KCF_KEY_BYTES || kind == KCF_KEY_NAMED;
}

static void keep_template(struct pending *p, unsigned i, const struct kcf_key *key)
{
	if (!key || key->kind != KCF_KEY_TEMPLATE)
		return;
	p->tmpl[i] = key->tmpl;
	template_ref(key->tmpl);
}

static uint8_t *wanted_iv(const struct op_call *call, const struct wire_op *op)
{
	const struct kcf_param_aead *aead = op->param.data;

	if (op->param.kind != KCF_PARAM_AEAD || !(aead->flags & KCF_IV_GENERATED))
		return NULL;
	return aead->iv_out;
}

/* All that needs no lock. */
static enum kcf_status prepare(const struct op_call *call, const struct op_more *more,
			       struct pending *p, struct build *b)
{
	bool same = false, overlap = op_data_overlap(call->in, call->out, &same) || same;
	enum kcf_status st = fill_op(call, more, &b->msg.op);

	if (st != KCF_SUCCESS)
		return st;
	p->op = (uint8_t)call->op;
	p->phase = (uint8_t)more->phase;
	p->flags = call->req ? call->req->flags : 0;
	p->mech = call->mech ? call->mech->number : 0;
	p->mech2 = call->mech2 ? call->mech2->number : 0;
	p->iv_out = wanted_iv(call, &b->msg.op);
	p->can_resend = more->phase == KCF_SINGLE && !more->n_steps && !overlap &&
			key_can_resend(call->key) && key_can_resend(call->key2);
	keep_template(p, 0, call->key);
	keep_template(p, 1, call->key2);
	if (more->ctx) {
		p->ctx = more->ctx;
		context_ref(p->ctx);
	}
	if (!pieces_init(&b->check, call->check, SIZE_MAX))
		return KCF_HOST_MEMORY;
	if (b->check.len > WIRE_MAX_INLINE)
		return call->op == KCF_OP_VERIFY ? KCF_SIGNATURE_INVALID : KCF_INVALID_MAC;
	return more->n_steps ? place_steps(call, more, p) : place_call(call, more, p);
}

/* Send and wait for the answer; KCF_BUSY: w says what for. */
static enum kcf_status try_once(struct kcf_client *c, struct pending *p, struct build *b,
				struct waiter *w)
{
	enum kcf_status st = KCF_NO_DAEMON;

	if (c->state == CLIENT_UP)
		st = transmit(c, p, b);
	w->units = w->row1 = 0;
	if (st == KCF_SUCCESS) {
		w->done = false;
		client_ask_room(c); /* for the next in line */
		client_flush(c);
		client_wait(c, w, 0);
		st = p->status;
	}
	if (st != KCF_BUSY)
		return st;
	if (p->busy_reason != KCF_BUSY_NO_ROOM)
		return KCF_FAILED; /* the provider's own word, and nobody else can do it */
	w->row1 = p->provider <= TABLE_PROVIDERS ? p->provider : 0;
	w->units = w->row1 ? 0 : p->units;
	return st;
}

static enum kcf_status send_wait(struct kcf_client *c, struct pending *p, struct build *b)
{
	struct waiter w;
	enum kcf_status st;

	client_waiter_init(&w);
	p->waiter = &w;
	while ((st = try_once(c, p, b, &w)) == KCF_BUSY) {
		if (client_wait_room(c, &w, p->deadline))
			continue;
		st = KCF_TIMED_OUT;
		break;
	}
	client_leave_line(c, &w);
	client_waiter_deinit(&w);
	return st;
}

static enum kcf_status send_async(struct kcf_client *c, struct pending *p, struct build *b,
				  struct kcf_call_req *req)
{
	enum kcf_status st = c->state == CLIENT_UP ? KCF_SUCCESS : KCF_NO_DAEMON;

	pending_set_callback(&c->pending, p, req->callback, req->arg);
	p->visible = !(req->flags & KCF_SKIP_REQID);
	if (st == KCF_SUCCESS)
		st = transmit(c, p, b);
	if (st != KCF_SUCCESS)
		return st;
	req->id = p->visible ? p->id : 0;
	if (!c->in_armed)
		client_watch(c, true, c->out_armed);
	if (!client_in_callback(c) || client_tx_is_early(c))
		client_flush(c);
	return KCF_QUEUED;
}

static void refused(struct kcf_client *c, const struct pending *p, struct kcf_call_req *req)
{
	req->busy_reason = p->busy_reason;
	if (!(req->flags & KCF_NOTIFY_SPACE))
		return;
	if (p->units)
		client_notify_room(c, p->units, 0);
	else /* it did not come to credits */
		c->notify_memory = true;
	client_flush(c);
}

static void take_result(const struct op_call *call, const struct pending *p, enum kcf_status st)
{
	if (call->out)
		call->out->used = st == KCF_SUCCESS            ? p->out_len
				  : st == KCF_BUFFER_TOO_SMALL ? p->required
							       : 0;
	if (call->mac)
		call->mac->used = st == KCF_SUCCESS || st == KCF_BUFFER_TOO_SMALL ? p->mac_len : 0;
}

static enum kcf_status step_memory(const struct op_more *more, struct build *b)
{
	if (!more->n_steps)
		return KCF_SUCCESS;
	b->steps = calloc(more->n_steps, sizeof(*b->steps));
	b->step_ranges =
		calloc(WIRE_MAX_STEP_RANGES + 2 * WIRE_MAX_RANGES, sizeof(*b->step_ranges));
	return b->steps && b->step_ranges ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

static enum kcf_status start(const struct op_call *call, const struct op_more *more,
			     struct pending **ret)
{
	struct kcf_client *c = call->client;
	uint32_t timeout = call->req ? call->req->timeout_ms : 0;
	enum kcf_status st = KCF_SUCCESS;

	if (client_forked(c))
		return KCF_NO_DAEMON;
	pthread_mutex_lock(&c->lock);
	*ret = c->state == CLIENT_UP ? pending_new(&c->pending, PENDING_OP) : NULL;
	if (!*ret) {
		st = c->state == CLIENT_UP ? KCF_HOST_MEMORY : KCF_NO_DAEMON;
	} else {
		(*ret)->sync = op_is_sync(call->req);
		if ((*ret)->sync && !timeout)
			timeout = c->timeout_ms;
		if (more->deadline)
			client_set_deadline_at(c, *ret, more->deadline);
		else
			client_set_deadline(c, *ret, timeout);
	}
	pthread_mutex_unlock(&c->lock);
	return st;
}

static void build_init(struct build *b)
{
	memset(&b->msg, 0, sizeof(b->msg));
	b->msg.type = FRAME_OP;
	b->steps = NULL;
	b->step_ranges = NULL;
	pieces_flat(&b->check, NULL, 0);
}

enum kcf_status op_send(const struct op_call *call, const struct op_more *more)
{
	struct kcf_client *c = call->client;
	struct build b; /* its arrays are filled as far as they are used */
	struct pending *p;
	enum kcf_status st = start(call, more, &p);

	if (st != KCF_SUCCESS)
		return st;
	build_init(&b);
	st = step_memory(more, &b);
	if (st == KCF_SUCCESS)
		st = prepare(call, more, p, &b);
	pthread_mutex_lock(&c->lock);
	if (st == KCF_SUCCESS)
		st = p->sync ? send_wait(c, p, &b) : send_async(c, p, &b, call->req);
	if (p->sync)
		take_result(call, p, st);
	else if (st == KCF_BUSY)
		refused(c, p, call->req);
	if (st != KCF_QUEUED)
		op_release(c, p);
	pthread_mutex_unlock(&c->lock);
	pieces_deinit(&b.check);
	free(b.steps);
	free(b.step_ranges);
	return st;
}

struct pending *op_send_put(const struct op_call *call, struct waiter *w, enum kcf_status *ret)
{
	const struct op_more single = {.phase = KCF_SINGLE};
	struct kcf_client *c = call->client;
	struct pending *p;
	struct build b;

	*ret = start(call, &single, &p);
	if (*ret != KCF_SUCCESS)
		return NULL;
	build_init(&b);
	p->sync = false; /* not to wait for memory that others of the same thread hold */
	*ret = prepare(call, &single, p, &b);
	pthread_mutex_lock(&c->lock);
	p->sync = true;
	p->waiter = w;
	if (*ret == KCF_SUCCESS)
		*ret = c->state == CLIENT_UP ? transmit(c, p, &b) : KCF_NO_DAEMON;
	if (*ret != KCF_SUCCESS) {
		op_release(c, p);
		p = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	pieces_deinit(&b.check);
	return p;
}
