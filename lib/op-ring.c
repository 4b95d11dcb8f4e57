/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-ring - a single-part call as an entry of the ring.
 *
 * What fits: a template that kcfd has (digests: no key), flat payload in the arena or little enough
 * to be copied there, a short parameter. The entry is made in the request's own record, under the
 * lock, which is taken once. What does not fit, and what finds no place or, synchronous, no credit,
 * goes by socket as if this had never been. This is the path on which work handed over must cost
 * less than doing it: no message is encoded, nothing is cleared or copied that is not needed.
 */
#include "client-core.h"

#include <string.h>

#define BOUNCE_MAX 4096u /* copied under the lock when it completes */

/* ---- what the entry says ---- */

/* The next bytes behind the entry. */
static bool put_extra(struct pending *p, const void *bytes, size_t len)
{
	if (len > (size_t)RING_EXTRA_ROOM - p->extra_len)
		return false;
	if (len)
		memcpy(p->saved_inside + p->extra_len, bytes, len);
	p->extra_len = (uint16_t)(p->extra_len + len);
	return true;
}

static inline bool put_iv(struct ring_entry *e, const uint8_t *iv, size_t len)
{
	if (len > sizeof(e->iv))
		return false;
	if (len == 12) /* almost always */
		memcpy(e->iv, iv, 12);
	else if (len)
		memcpy(e->iv, iv, len);
	e->iv_len = (uint8_t)len;
	return true;
}

static inline bool put_aead(struct pending *p, const struct kcf_param_aead *a)
{
	struct ring_entry *e = &p->entry;

	if (a->flags || a->data_len || a->tag_len > UINT8_MAX || a->aad_len > UINT8_MAX)
		return false;
	e->len = (uint8_t)a->tag_len;
	e->aad_len = (uint8_t)a->aad_len;
	return put_iv(e, a->iv, a->iv_len) && (!a->aad_len || put_extra(p, a->aad, a->aad_len));
}

static bool put_mac(struct ring_entry *e, const struct kcf_param_mac *m)
{
	e->len = (uint8_t)m->mac_len;
	return m->mac_len <= UINT8_MAX && !m->custom_len && put_iv(e, m->iv, m->iv_len);
}

static inline bool put_param(struct pending *p, const struct kcf_mechanism *mech,
			     enum kcf_param_kind kind)
{
	const struct kcf_param_iv *iv = mech->param;

	if (!mech->param)
		return true;
	p->entry.param = (uint8_t)kind;
	switch (kind) {
	case KCF_PARAM_AEAD:
		return put_aead(p, mech->param);
	case KCF_PARAM_IV:
		return put_iv(&p->entry, iv->iv, iv->iv_len);
	case KCF_PARAM_MAC:
		return put_mac(&p->entry, mech->param);
	default:
		return kind == KCF_PARAM_NONE;
	}
}

/* The template of a key, kcfd having it; else NULL. */
static inline struct kcf_template *ready_template(const struct kcf_client *c,
						  const struct kcf_key *key)
{
	struct kcf_template *t = key && key->kind == KCF_KEY_TEMPLATE ? key->tmpl : NULL;

	return t && __atomic_load_n(&t->done_epoch, __ATOMIC_RELAXED) == c->epoch ? t : NULL;
}

/* The MAC's half of a dual operation: the first bytes behind the entry. Where its output is follows
 * in place_mac. */
static bool put_dual(struct pending *p, const struct op_call *call)
{
	const struct kcf_param_mac *m = call->mech2->param;
	struct ring_dual dual = {0};

	if (m && (m->mac_len > UINT8_MAX || m->iv_len || m->custom_len))
		return false;
	dual.slot2 = p->tmpl[1]->slot;
	dual.len2 = m ? (uint8_t)m->mac_len : 0;
	return put_extra(p, &dual, sizeof(dual));
}

static inline uint8_t flags_of(uint32_t flags)
{
	uint8_t ret = 0;

	if (flags & KCF_ALWAYS_QUEUE)
		ret |= RING_ALWAYS_QUEUE;
	if (flags & KCF_NEVER_QUEUE)
		ret |= RING_NEVER_QUEUE;
	if (flags & KCF_WAIT)
		ret |= RING_SYNC;
	return ret;
}

static bool put_check(struct pending *p, const struct kcf_data *check)
{
	p->entry.check_len = (uint16_t)check->len;
	return check->len <= UINT16_MAX && put_extra(p, check->base, check->len);
}

/* ---- where the payload is ---- */

/* By arena_ranges: in segments of which parts are lost. */
static bool find_slowly(struct kcf_client *c, const void *base, size_t len, struct arena_spot *ret)
{
	struct iovec v = {(void *)base, len};
	struct wire_range range;
	uint32_t n;

	if (!arena_ranges(&c->arena, &v, 1, &range, &n))
		return false;
	*ret = (struct arena_spot){range.segment, range.offset};
	return true;
}

static inline bool find_spot(struct kcf_client *c, const void *base, size_t len,
			     struct arena_spot *ret)
{
	return (arena_find(&c->arena, base, len, ret) || find_slowly(c, base, len, ret)) &&
	       ret->segment < RING_SEGMENTS && ret->offset <= UINT32_MAX;
}

static __attribute__((noinline)) bool bounce(struct kcf_client *c, struct payload *pl, size_t len,
					     struct arena_spot *ret)
{
	if (len > BOUNCE_MAX)
		return false;
	pl->bounce = arena_alloc(&c->arena, len, false);
	pl->way = WAY_BOUNCE;
	return pl->bounce && find_spot(c, pl->bounce, len, ret);
}

static inline bool place(struct kcf_client *c, struct payload *pl, void *base, size_t len,
			 struct arena_spot *ret)
{
	if (len == 0)
		return true;
	pieces_flat(&pl->at, base, len);
	pl->way = WAY_RANGES;
	return len <= INT32_MAX && (find_spot(c, base, len, ret) || bounce(c, pl, len, ret));
}

static bool place_mac(struct kcf_client *c, struct pending *p, const struct kcf_data *mac)
{
	size_t room = mac->len < UINT8_MAX ? mac->len : UINT8_MAX; /* no MAC is longer */
	struct arena_spot spot = {0};
	struct ring_dual dual;

	if (!place(c, &p->mac, mac->base, room, &spot))
		return false;
	memcpy(&dual, p->saved_inside, sizeof(dual));
	dual.mac_seg = (uint8_t)spot.segment;
	dual.mac_off = (uint32_t)spot.offset;
	dual.mac_room = (uint8_t)room;
	memcpy(p->saved_inside, &dual, sizeof(dual));
	return true;
}

static inline bool place_all(struct kcf_client *c, struct pending *p, const struct op_call *call)
{
	const struct kcf_data *in = call->in, *out = call->out;
	uint64_t max = __atomic_load_n(&c->max_request, __ATOMIC_RELAXED);
	struct ring_entry *e = &p->entry;
	struct arena_spot spot = {0};

	if (in && !place(c, &p->in, in->base, in->len, &spot))
		return false;
	e->in_seg = (uint8_t)spot.segment;
	e->in_off = (uint32_t)spot.offset;
	e->in_len = (uint32_t)p->in.at.len;
	spot = (struct arena_spot){0};
	if (out && !place(c, &p->out, out->base, out->len, &spot))
		return false;
	e->out_seg = (uint8_t)spot.segment;
	e->out_off = (uint32_t)spot.offset;
	e->out_room = (uint32_t)p->out.at.len;
	if (call->op == KCF_OP_ENCRYPT_MAC && !place_mac(c, p, call->mac))
		return false;
	if (p->in.bounce)
		memcpy(p->in.bounce, in->base, in->len);
	return p->in.at.len <= max && p->out.at.len <= max; /* else refused by the other way */
}

/* ---- the request ---- */

static inline bool can_resend(const struct kcf_template *t)
{
	return !t || t->kind == KCF_KEY_BYTES || t->kind == KCF_KEY_NAMED ||
	       t->kind == KCF_KEY_NONE;
}

/* Mechanism and key, prepared in kcfd. */
static inline bool put_key(struct kcf_client *c, struct pending *p, const struct op_call *call)
{
	p->mech = call->mech->number;
	if (call->op == KCF_OP_DIGEST && (!call->key || call->key->kind == KCF_KEY_NONE)) {
		p->entry.flags |= RING_MECH;
		p->entry.slot = p->mech;
		return p->mech < KCF_M_DYNAMIC;
	}
	p->tmpl[0] = ready_template(c, call->key);
	if (!p->tmpl[0])
		return false;
	p->entry.slot = p->tmpl[0]->slot;
	if (call->op < KCF_OP_ENCRYPT_MAC)
		return true;
	p->mech2 = call->mech2->number;
	p->tmpl[1] = ready_template(c, call->key2);
	return p->tmpl[1] && put_dual(p, call);
}

/* All there is to know of the call. False: it does not fit, and what is filled in is to be dropped
 * by drop_unfit. */
static inline bool fill(struct kcf_client *c, struct pending *p, const struct op_call *call,
			enum kcf_param_kind kind, uint32_t timeout_ms)
{
	const struct kcf_call_req *req = call->req;

	p->op = (uint8_t)call->op;
	p->flags = req ? req->flags : 0;
	p->sync = op_is_sync(req);
	p->units = 1;
	p->entry = (struct ring_entry){
		.op = (uint8_t)call->op,
		.flags = flags_of(req ? req->flags : KCF_WAIT),
		.deadline_us = timeout_ms * 1000,
		.preference = (uint8_t)(req && req->preference ? req->preference : c->preference),
	};
	if (!put_key(c, p, call) || !put_param(p, call->mech, kind) ||
	    (call->check && !put_check(p, call->check)) || !place_all(c, p, call))
		return false;
	p->can_resend = (!call->in || !call->out || call->in->base != call->out->base) &&
			can_resend(p->tmpl[0]) && can_resend(p->tmpl[1]);
	return true;
}

static __attribute__((noinline)) void drop_unfit(struct kcf_client *c, struct pending *p)
{
	p->tmpl[0] = p->tmpl[1] = NULL; /* not counted yet */
	op_release(c, p);
}

static inline void count_templates(struct pending *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->tmpl[i] && p->tmpl[i]->n_queued++ == 0)
			template_ref(p->tmpl[i]);
	}
}

enum put { PUT_DONE, PUT_NO_CREDIT, PUT_NOT };

/* One request on the ring. Lock held. */
static inline enum put put(struct kcf_client *c, const struct op_call *call,
			   enum kcf_param_kind kind, uint32_t timeout_ms, struct pending **ret)
{
	struct page *page = direct_page(c->direct);
	struct pending *p;

	if (c->state != CLIENT_UP || !c->ring.epoch || !page)
		return PUT_NOT;
	p = pending_new_ring(&c->pending);
	if (!p)
		return PUT_NOT;
	if (!fill(c, p, call, kind, timeout_ms)) {
		drop_unfit(c, p);
		return PUT_NOT;
	}
	if (!client_is_first(c, NULL) || !page_credit_take(page, 1)) {
		drop_unfit(c, p);
		return PUT_NO_CREDIT;
	}
	count_templates(p);
	if (timeout_ms)
		client_set_deadline(c, p, timeout_ms);
	c->n_requests++;
	pending_open(&c->pending, p);
	p->entry.id = p->id;
	if (!ring_put(&c->ring.rc, &p->entry, p->saved_inside, p->extra_len)) {
		op_release(c, p);
		page_credit_give(page, 1);
		return PUT_NOT;
	}
	*ret = p;
	return PUT_DONE;
}

static inline bool put_async(struct kcf_client *c, const struct op_call *call,
			     enum kcf_param_kind kind, uint32_t timeout_ms, enum kcf_status *ret)
{
	struct kcf_call_req *req = call->req;
	struct pending *p;

	switch (put(c, call, kind, timeout_ms, &p)) {
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

bool op_take(const struct op_call *call, struct pending *p, enum kcf_status *ret)
{
	struct kcf_client *c = call->client;
	bool done = p->status != KCF_BUSY || p->busy_reason != KCF_BUSY_NO_ROOM;

	*ret = p->status;
	if (*ret == KCF_BUSY)
		*ret = KCF_FAILED; /* the provider's own word, and nobody else can do it */
	if (done)
		take_result(call, p);
	op_release(c, p);
	return done;
}

/* Without credit, or when all devices are full, the way by socket knows how to wait in line. */
static bool put_wait(struct kcf_client *c, const struct op_call *call, enum kcf_param_kind kind,
		     uint32_t timeout_ms, uint64_t *deadline, enum kcf_status *ret)
{
	struct waiter w;
	struct pending *p;

	if (put(c, call, kind, timeout_ms, &p) != PUT_DONE)
		return false;
	client_waiter_init(&w);
	w.by_ring = true;
	p->waiter = &w;
	client_ring_kick(c);
	client_wait(c, &w, 0);
	client_waiter_deinit(&w);
	*deadline = p->deadline;
	return op_take(call, p, ret);
}

static inline bool is_flat(const struct kcf_data *d)
{
	return !d || !d->iov;
}

/* What needs no look at the client's state. */
static inline bool may_fit(const struct op_call *call, uint32_t timeout_ms)
{
	const struct kcf_call_req *req = call->req;

	return (unsigned)call->op - 1 < KCF_OP_MAC_DECRYPT && is_flat(call->in) &&
	       is_flat(call->out) && is_flat(call->check) && is_flat(call->mac) &&
	       timeout_ms <= UINT32_MAX / 1000 && !(req && req->preference == KCF_ONLY_PROVIDER);
}

static uint32_t timeout_of(const struct op_call *call)
{
	uint32_t timeout_ms = call->req ? call->req->timeout_ms : 0;

	return timeout_ms ? timeout_ms : call->client->timeout_ms;
}

bool op_ring(const struct op_call *call, bool checked, enum kcf_param_kind kind, uint64_t *deadline,
	     enum kcf_status *ret)
{
	struct kcf_client *c = call->client;
	bool sync = op_is_sync(call->req), done;
	uint32_t timeout_ms = sync ? timeout_of(call) : call->req->timeout_ms;

	*deadline = 0;
	if (!client_ring_is_up(&c->ring) || !may_fit(call, timeout_ms) || !client_is_own(c))
		return false;
	if (!checked && direct_check_param(c->direct, call->mech, &kind) != KCF_SUCCESS)
		return false;
	pthread_mutex_lock(&c->lock);
	done = sync ? put_wait(c, call, kind, timeout_ms, deadline, ret)
		    : put_async(c, call, kind, timeout_ms, ret);
	pthread_mutex_unlock(&c->lock);
	return done;
}

struct pending *op_ring_put(const struct op_call *call, struct waiter *w)
{
	struct kcf_client *c = call->client;
	uint32_t timeout_ms = timeout_of(call);
	enum kcf_param_kind kind;
	struct pending *p = NULL;

	if (!client_ring_is_up(&c->ring) || !may_fit(call, timeout_ms) || !client_is_own(c) ||
	    direct_check_param(c->direct, call->mech, &kind) != KCF_SUCCESS)
		return NULL;
	pthread_mutex_lock(&c->lock);
	if (put(c, call, kind, timeout_ms, &p) == PUT_DONE)
		p->waiter = w;
	pthread_mutex_unlock(&c->lock);
	return p;
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
