/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-ring - a single-part call as an entry of the ring.
 *
 * What fits: a template that kcfd has (digests: no key), flat payload in the arena or little enough
 * to be copied there, a short parameter. Everything that can be is made before the lock is taken,
 * which it is once. What does not fit, and what finds no place or, synchronous, no credit, goes by
 * socket as if this had never been. This is the path on which work handed over must cost less than
 * doing it: no message is encoded, nothing is cleared or copied that is not needed.
 */
#include "client-core.h"

#include <string.h>

#define BOUNCE_MAX 4096u /* copied under the lock when it completes */

/* One buffer of the call. */
struct part {
	void *base;
	size_t len;
	void *bounce;
	uint8_t way;
	uint8_t segment;
	uint32_t offset;
};

struct ring_op {
	struct ring_entry e;
	struct part in, out, mac;
	struct kcf_template *tmpl[2];
	uint64_t epoch; /* of the segments' numbers */
	uint32_t timeout_ms;
	bool in_place;
	size_t extra_len;
	uint8_t extra[RING_EXTRA_ROOM]; /* filled as far as it is used */
};

/* ---- what the entry says ---- */

static bool put_extra(struct ring_op *o, const void *bytes, size_t len)
{
	if (len > RING_EXTRA_ROOM - o->extra_len)
		return false;
	if (len)
		memcpy(o->extra + o->extra_len, bytes, len);
	o->extra_len += len;
	return true;
}

static bool put_iv(struct ring_op *o, const uint8_t *iv, size_t len)
{
	if (len > sizeof(o->e.iv))
		return false;
	if (len)
		memcpy(o->e.iv, iv, len);
	o->e.iv_len = (uint8_t)len;
	return true;
}

static bool put_aead(struct ring_op *o, const struct kcf_param_aead *a)
{
	if (a->flags || a->data_len || a->tag_len > UINT8_MAX || a->aad_len > UINT8_MAX ||
	    !put_iv(o, a->iv, a->iv_len))
		return false;
	o->e.len = (uint8_t)a->tag_len;
	o->e.aad_len = (uint8_t)a->aad_len;
	return put_extra(o, a->aad, a->aad_len);
}

static bool put_mac(struct ring_op *o, const struct kcf_param_mac *m)
{
	o->e.len = (uint8_t)m->mac_len;
	return m->mac_len <= UINT8_MAX && !m->custom_len && put_iv(o, m->iv, m->iv_len);
}

static bool put_param(struct ring_op *o, const struct kcf_mechanism *mech, enum kcf_param_kind kind)
{
	const struct kcf_param_iv *iv = mech->param;

	if (!mech->param)
		return true;
	o->e.param = (uint8_t)kind;
	switch (kind) {
	case KCF_PARAM_NONE:
		return true;
	case KCF_PARAM_IV:
		return put_iv(o, iv->iv, iv->iv_len);
	case KCF_PARAM_AEAD:
		return put_aead(o, mech->param);
	case KCF_PARAM_MAC:
		return put_mac(o, mech->param);
	default:
		return false;
	}
}

/* The template of a key, kcfd having it; else NULL. */
static struct kcf_template *ready_template(const struct ring_op *o, const struct kcf_key *key)
{
	struct kcf_template *t = key && key->kind == KCF_KEY_TEMPLATE ? key->tmpl : NULL;

	return t && __atomic_load_n(&t->done_epoch, __ATOMIC_ACQUIRE) == o->epoch ? t : NULL;
}

static bool put_key(struct ring_op *o, const struct op_call *call)
{
	if (call->op == KCF_OP_DIGEST && (!call->key || call->key->kind == KCF_KEY_NONE)) {
		o->e.flags |= RING_MECH;
		o->e.slot = call->mech->number;
		return call->mech->number < KCF_M_DYNAMIC;
	}
	o->tmpl[0] = ready_template(o, call->key);
	if (!o->tmpl[0])
		return false;
	o->e.slot = o->tmpl[0]->slot;
	return true;
}

/* The MAC's half of a dual operation: the first bytes behind the entry. Where its output is follows
 * in place_mac. */
static bool put_dual(struct ring_op *o, const struct op_call *call)
{
	const struct kcf_param_mac *m = call->mech2->param;
	struct ring_dual dual = {0};

	if (m && (m->mac_len > UINT8_MAX || m->iv_len || m->custom_len))
		return false;
	o->tmpl[1] = ready_template(o, call->key2);
	if (!o->tmpl[1])
		return false;
	dual.slot2 = o->tmpl[1]->slot;
	dual.len2 = m ? (uint8_t)m->mac_len : 0;
	return put_extra(o, &dual, sizeof(dual));
}

static bool put_how(struct ring_op *o, const struct op_call *call)
{
	const struct kcf_call_req *req = call->req;
	uint32_t flags = req ? req->flags : KCF_WAIT;
	enum kcf_preference preference = client_preference(call->client, req);

	o->timeout_ms = req ? req->timeout_ms : 0;
	if ((flags & KCF_WAIT) && !o->timeout_ms)
		o->timeout_ms = call->client->timeout_ms;
	if (preference == KCF_ONLY_PROVIDER || o->timeout_ms > UINT32_MAX / 1000)
		return false;
	o->e.op = (uint8_t)call->op;
	if (flags & KCF_ALWAYS_QUEUE)
		o->e.flags |= RING_ALWAYS_QUEUE;
	if (flags & KCF_NEVER_QUEUE)
		o->e.flags |= RING_NEVER_QUEUE;
	if (flags & KCF_WAIT)
		o->e.flags |= RING_SYNC;
	o->e.preference = (uint8_t)preference;
	o->e.deadline_us = o->timeout_ms * 1000;
	return true;
}

static bool put_check(struct ring_op *o, const struct kcf_data *check)
{
	if (!check)
		return true;
	o->e.check_len = (uint16_t)check->len;
	return check->len <= UINT16_MAX && put_extra(o, check->base, check->len);
}

/* ---- where the payload is ---- */

static bool find_part(struct kcf_client *c, struct part *p)
{
	struct iovec v = {p->base, p->len};
	struct wire_range range;
	uint64_t offset;
	uint32_t number, n;

	if (!arena_find(&c->arena, p->base, p->len, &number, &offset)) {
		if (!arena_ranges(&c->arena, &v, 1, &range, &n))
			return false;
		number = range.segment;
		offset = range.offset;
	}
	if (number >= RING_SEGMENTS || offset > UINT32_MAX)
		return false;
	p->segment = (uint8_t)number;
	p->offset = (uint32_t)offset;
	return true;
}

static bool bounce_part(struct kcf_client *c, struct part *p)
{
	struct part copy = {.len = p->len};

	if (p->len > BOUNCE_MAX)
		return false;
	p->bounce = arena_alloc(&c->arena, p->len);
	copy.base = p->bounce;
	if (!p->bounce || !find_part(c, &copy))
		return false;
	p->segment = copy.segment;
	p->offset = copy.offset;
	p->way = WAY_BOUNCE;
	return true;
}

static bool place_part(struct kcf_client *c, const struct kcf_data *d, size_t max, struct part *p)
{
	*p = (struct part){0};
	if (!d || !d->len)
		return true;
	p->base = d->base;
	p->len = d->len;
	p->way = WAY_RANGES;
	if (d->len <= max && find_part(c, p))
		return true;
	return d->len <= max && bounce_part(c, p);
}

static bool place_mac(struct ring_op *o, const struct op_call *call)
{
	struct kcf_data mac = *call->mac;
	struct ring_dual dual;

	if (mac.len > UINT8_MAX) /* no MAC is longer */
		mac.len = UINT8_MAX;
	if (!place_part(call->client, &mac, UINT8_MAX, &o->mac))
		return false;
	memcpy(&dual, o->extra, sizeof(dual));
	dual.mac_seg = o->mac.segment;
	dual.mac_off = o->mac.offset;
	dual.mac_room = (uint8_t)o->mac.len;
	memcpy(o->extra, &dual, sizeof(dual));
	return true;
}

static bool place(struct ring_op *o, const struct op_call *call)
{
	struct kcf_client *c = call->client;
	uint64_t limit = __atomic_load_n(&c->max_request, __ATOMIC_RELAXED);
	size_t max = limit < INT32_MAX ? (size_t)limit : INT32_MAX;

	if (!place_part(c, call->in, max, &o->in) || !place_part(c, call->out, max, &o->out) ||
	    (call->op == KCF_OP_ENCRYPT_MAC && !place_mac(o, call)))
		return false;
	if (o->in.bounce)
		memcpy(o->in.bounce, o->in.base, o->in.len);
	o->in_place = o->in.len && o->out.len && o->in.base == o->out.base;
	o->e.in_seg = o->in.segment;
	o->e.in_off = o->in.offset;
	o->e.in_len = (uint32_t)o->in.len;
	o->e.out_seg = o->out.segment;
	o->e.out_off = o->out.offset;
	o->e.out_room = (uint32_t)o->out.len;
	return true;
}

static void unplace(struct kcf_client *c, struct ring_op *o)
{
	if (!o->in.bounce && !o->out.bounce && !o->mac.bounce)
		return;
	pthread_mutex_lock(&c->lock);
	if (o->in.bounce)
		client_buf_free(c, o->in.bounce);
	if (o->out.bounce)
		client_buf_free(c, o->out.bounce);
	if (o->mac.bounce)
		client_buf_free(c, o->mac.bounce);
	client_wake_memory(c);
	pthread_mutex_unlock(&c->lock);
}

/* ---- the request ---- */

static inline bool is_flat(const struct kcf_data *d)
{
	return !d || !d->iov;
}

/* All that needs no lock. */
static bool prepare(struct ring_op *o, const struct op_call *call, enum kcf_param_kind kind)
{
	memset(o, 0, offsetof(struct ring_op, extra));
	o->epoch = __atomic_load_n(&call->client->ring.epoch, __ATOMIC_ACQUIRE);
	if (!o->epoch || (unsigned)call->op - 1 >= KCF_OP_MAC_DECRYPT || !is_flat(call->in) ||
	    !is_flat(call->out) || !is_flat(call->check) || !is_flat(call->mac))
		return false;
	if (!put_how(o, call) || !put_key(o, call) ||
	    (call->op >= KCF_OP_ENCRYPT_MAC && !put_dual(o, call)) ||
	    !put_param(o, call->mech, kind) || !put_check(o, call->check))
		return false;
	return place(o, call);
}

static void keep_part(struct payload *pl, const struct part *p)
{
	pieces_flat(&pl->at, p->base, p->len);
	pl->bounce = p->bounce;
	pl->way = p->way;
}

static bool can_resend(const struct kcf_template *t)
{
	return !t || t->kind == KCF_KEY_BYTES || t->kind == KCF_KEY_NAMED ||
	       t->kind == KCF_KEY_NONE;
}

/* What completion, cancellation and another connection need to know. Takes the bounce memory. */
static void keep(struct kcf_client *c, struct pending *p, struct ring_op *o,
		 const struct op_call *call)
{
	p->op = (uint8_t)call->op;
	p->flags = call->req ? call->req->flags : 0;
	p->sync = op_is_sync(call->req);
	p->mech = call->mech->number;
	p->mech2 = call->mech2 ? call->mech2->number : 0;
	p->units = 1;
	p->can_resend = !o->in_place && can_resend(o->tmpl[0]) && can_resend(o->tmpl[1]);
	for (int i = 0; i < 2; i++) {
		if (!o->tmpl[i])
			continue;
		p->tmpl[i] = o->tmpl[i];
		if (p->tmpl[i]->n_queued++ == 0)
			template_ref(p->tmpl[i]);
	}
	keep_part(&p->in, &o->in);
	keep_part(&p->out, &o->out);
	if (o->mac.len)
		keep_part(&p->mac, &o->mac);
	if (o->extra_len)
		memcpy(p->saved_inside, o->extra, o->extra_len);
	p->extra_len = (uint16_t)o->extra_len;
	if (o->timeout_ms)
		client_set_deadline(c, p, o->timeout_ms);
	c->n_requests++;
	pending_open(&c->pending, p);
	p->entry = o->e;
	p->entry.id = p->id;
}

enum put { PUT_DONE, PUT_NO_CREDIT, PUT_NOT };

/* One request on the ring. Lock held. */
static enum put put(struct kcf_client *c, struct ring_op *o, const struct op_call *call,
		    struct pending **ret)
{
	struct page *page = direct_page(c->direct);
	struct pending *p;

	if (c->state != CLIENT_UP || c->ring.epoch != o->epoch || !page)
		return PUT_NOT;
	if (!client_is_first(c, NULL) || !page_credit_take(page, 1))
		return PUT_NO_CREDIT;
	p = pending_new_ring(&c->pending);
	if (p) {
		keep(c, p, o, call);
		if (ring_put(&c->ring.rc, &p->entry, o->extra, o->extra_len)) {
			*ret = p;
			return PUT_DONE;
		}
		op_release(c, p);
		o->in.bounce = o->out.bounce = o->mac.bounce = NULL;
	}
	page_credit_give(page, 1);
	return PUT_NOT;
}

static bool put_async(struct kcf_client *c, struct ring_op *o, const struct op_call *call,
		      enum kcf_status *ret)
{
	struct kcf_call_req *req = call->req;
	struct pending *p;

	switch (put(c, o, call, &p)) {
	case PUT_DONE:
		pending_set_callback(&c->pending, p, req->callback, req->arg);
		p->visible = !(req->flags & KCF_SKIP_REQID);
		req->id = p->visible ? p->id : 0;
		if (!c->in_armed)
			client_watch(c, true, c->out_armed);
		client_ring_watch(c);
		client_ring_kick(c);
		*ret = KCF_QUEUED;
		return true;
	case PUT_NO_CREDIT:
		req->busy_reason = KCF_BUSY_NO_ROOM;
		if (req->flags & KCF_NOTIFY_SPACE) {
			client_notify_room(c, 1, 0);
			client_flush(c);
		}
		*ret = KCF_BUSY;
		return true;
	default:
		return false;
	}
}

static void take_result(const struct op_call *call, const struct pending *p)
{
	enum kcf_status st = p->status;

	if (call->out)
		call->out->used = st == KCF_SUCCESS            ? p->out_len
				  : st == KCF_BUFFER_TOO_SMALL ? p->required
							       : 0;
	if (call->mac)
		call->mac->used = st == KCF_SUCCESS || st == KCF_BUFFER_TOO_SMALL ? p->mac_len : 0;
}

/* Without credit, or when all devices are full, the way by socket knows how to wait in line. */
static bool put_wait(struct kcf_client *c, struct ring_op *o, const struct op_call *call,
		     uint64_t *deadline, enum kcf_status *ret)
{
	struct waiter w;
	struct pending *p;
	bool done;

	if (put(c, o, call, &p) != PUT_DONE)
		return false;
	client_waiter_init(&w);
	w.by_ring = true;
	p->waiter = &w;
	client_ring_kick(c);
	client_wait(c, &w, 0);
	*deadline = p->deadline;
	*ret = p->status;
	done = p->status != KCF_BUSY || p->busy_reason != KCF_BUSY_NO_ROOM;
	if (*ret == KCF_BUSY)
		*ret = KCF_FAILED; /* the provider's own word, and nobody else can do it */
	if (done)
		take_result(call, p);
	op_release(c, p);
	o->in.bounce = o->out.bounce = o->mac.bounce = NULL;
	client_waiter_deinit(&w);
	return done;
}

bool op_ring(const struct op_call *call, bool checked, enum kcf_param_kind kind, uint64_t *deadline,
	     enum kcf_status *ret)
{
	struct kcf_client *c = call->client;
	struct ring_op o;
	bool done;

	*deadline = 0;
	if (!client_ring_is_up(&c->ring) || client_forked(c))
		return false;
	if (!checked && direct_check_param(c->direct, call->mech, &kind) != KCF_SUCCESS)
		return false;
	if (!prepare(&o, call, kind)) {
		unplace(c, &o);
		return false;
	}
	pthread_mutex_lock(&c->lock);
	done = op_is_sync(call->req) ? put_wait(c, &o, call, deadline, ret)
				     : put_async(c, &o, call, ret);
	pthread_mutex_unlock(&c->lock);
	if (!done || *ret == KCF_BUSY)
		unplace(c, &o);
	return done;
}

/* ---- on another connection ---- */

static void unpack_param(const struct ring_entry *e, const uint8_t *aad, struct op_unpacked *u)
{
	struct wire_param *p = &u->op.param;

	p->kind = e->param;
	p->data = &u->param;
	if (e->param == KCF_PARAM_IV)
		u->param.iv = (struct kcf_param_iv){e->iv, e->iv_len};
	else if (e->param == KCF_PARAM_AEAD)
		u->param.aead = (struct kcf_param_aead){.iv = e->iv,
							.iv_len = e->iv_len,
							.aad = aad,
							.aad_len = e->aad_len,
							.tag_len = e->len};
	else if (e->param == KCF_PARAM_MAC)
		u->param.mac =
			(struct kcf_param_mac){.mac_len = e->len, .iv = e->iv, .iv_len = e->iv_len};
}

static void unpack_dual(const struct ring_dual *dual, struct op_unpacked *u)
{
	if (!dual->len2)
		return;
	u->param2.mac = (struct kcf_param_mac){.mac_len = dual->len2};
	u->op.param2 = (struct wire_param){.kind = KCF_PARAM_MAC, .data = &u->param2};
}

void op_unpack(const struct pending *p, struct op_unpacked *ret)
{
	const uint8_t *at = p->saved_inside;
	const struct ring_entry *e = &p->entry;
	struct ring_dual dual;

	memset(ret, 0, sizeof(*ret));
	ret->op.op = e->op;
	ret->op.preference = e->preference;
	if (e->flags & RING_ALWAYS_QUEUE)
		ret->op.flags |= OPF_ALWAYS_QUEUE;
	if (e->flags & RING_NEVER_QUEUE)
		ret->op.flags |= OPF_NEVER_QUEUE;
	if (e->flags & RING_SYNC)
		ret->op.flags |= OPF_SYNC;
	if (e->op == KCF_OP_ENCRYPT_MAC || e->op == KCF_OP_MAC_DECRYPT) {
		memcpy(&dual, at, sizeof(dual));
		at += sizeof(dual);
		unpack_dual(&dual, ret);
	}
	unpack_param(e, at, ret);
	ret->check = at + e->aad_len;
	ret->check_len = e->check_len;
}
