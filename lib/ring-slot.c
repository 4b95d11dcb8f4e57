/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring-slot - requests that signal handlers may submit.
 *
 *   IDLE -> BUSY (submit) -> IDLE      BUSY -> DONE (a notice) -> IDLE      BUSY -> HELD
 * (connection lost) -> DONE
 *
 * IDLE to BUSY is the submitter's exchange; every other edge is taken under the client's lock. A
 * submitter counts itself in before it looks whether there is a ring; who takes the ring down waits
 * until all are out, so that a slot found BUSY then was put on the ring that is gone. Ids of slots
 * have the highest bit, which no other request's ever has.
 */
#include "client-core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_IDLE = 0, SLOT_BUSY, SLOT_HELD, SLOT_DONE };

struct kcf_ring_slot {
	struct kcf_client *client;
	kcf_callback callback;
	void *arg;
	uint32_t index;
	uint32_t state; /* atomic: enum slot_state */
	uint64_t id;    /* atomic: of its latest request */
	uint64_t n;     /* requests so far */
	void *out;      /* atomic, as out_len: of the request under way */
	size_t out_len;
	uint64_t held_until;
	bool orphan; /* freed with a request under way */
	struct ring_call call;
	struct notice done;
};

static uint32_t state_of(const struct kcf_ring_slot *s)
{
	return __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct kcf_ring_slot *s, enum slot_state state)
{
	__atomic_store_n(&s->state, state, __ATOMIC_RELEASE);
}

/* ---- submit: any thread, signal handlers, no lock ---- */

struct message {
	struct ring_entry e;
	uint8_t extra[RING_EXTRA_ROOM]; /* filled as far as it is used */
	size_t extra_len;
};

static bool put_bytes(struct message *m, const void *bytes, size_t len)
{
	if (!len)
		return true;
	if (!bytes || len > RING_EXTRA_ROOM - m->extra_len)
		return false;
	memcpy(m->extra + m->extra_len, bytes, len);
	m->extra_len += len;
	return true;
}

/* The parameter, as the kind of the mechanism says. */
static bool put_param(struct message *m, const struct kcf_ring_op *op, enum kcf_param_kind kind)
{
	bool any = op->iv_len || op->aad_len || op->tag_len;
	bool iv = kind == KCF_PARAM_IV, aead = kind == KCF_PARAM_AEAD, mac = kind == KCF_PARAM_MAC;

	if (op->iv_len > sizeof(m->e.iv) || (op->iv_len && !op->iv) || op->aad_len > UINT8_MAX ||
	    op->tag_len > UINT8_MAX || (op->aad_len && !aead) || (op->tag_len && !aead && !mac) ||
	    (op->iv_len && !iv && !aead && !mac))
		return false;
	if (!any)
		return param_is_optional(kind);
	m->e.param = (uint8_t)kind;
	if (op->iv_len)
		memcpy(m->e.iv, op->iv, op->iv_len);
	m->e.iv_len = (uint8_t)op->iv_len;
	m->e.len = (uint8_t)op->tag_len;
	m->e.aad_len = (uint8_t)op->aad_len;
	return put_bytes(m, op->aad, op->aad_len);
}

/* KCF_BUSY: the arena is changing, perhaps in the thread that was interrupted. */
static enum kcf_status find(const struct kcf_client *c, const void *p, size_t len, uint8_t *segment,
			    uint32_t *offset)
{
	uint32_t seq = arena_seq(&c->arena);
	struct arena_spot spot = {0};

	if (!len)
		return KCF_SUCCESS;
	if (!p || len > INT32_MAX)
		return KCF_ARGUMENTS_BAD;
	if (!arena_find(&c->arena, p, len, &spot))
		return seq & 1 || arena_seq(&c->arena) != seq ? KCF_BUSY : KCF_ARGUMENTS_BAD;
	if (spot.segment >= RING_SEGMENTS || spot.offset > UINT32_MAX)
		return KCF_ARGUMENTS_BAD;
	*segment = (uint8_t)spot.segment;
	*offset = (uint32_t)spot.offset;
	return KCF_SUCCESS;
}

static enum kcf_status put_payload(const struct kcf_client *c, struct message *m,
				   const struct kcf_ring_op *op)
{
	uintptr_t in = (uintptr_t)op->in, out = (uintptr_t)op->out;
	enum kcf_status st;

	if (in != out && in < out + op->out_len && out < in + op->in_len)
		return KCF_ARGUMENTS_BAD;
	st = find(c, op->in, op->in_len, &m->e.in_seg, &m->e.in_off);
	if (st == KCF_SUCCESS)
		st = find(c, op->out, op->out_len, &m->e.out_seg, &m->e.out_off);
	m->e.in_len = (uint32_t)op->in_len;
	m->e.out_room = (uint32_t)op->out_len;
	return st;
}

static enum kcf_status fill(const struct kcf_client *c, struct message *m,
			    const struct kcf_ring_op *op, uint64_t epoch)
{
	bool compares = op->op == KCF_OP_MAC_VERIFY || op->op == KCF_OP_VERIFY;
	const struct kcf_template *t = op->tmpl;

	if ((unsigned)op->op - 1 >= KCF_OP_VERIFY || !t || t->client != c ||
	    __atomic_load_n(&t->done_epoch, __ATOMIC_ACQUIRE) != epoch ||
	    compares != (op->check_len != 0) || compares == (op->out_len != 0))
		return KCF_ARGUMENTS_BAD;
	m->extra_len = 0;
	m->e = (struct ring_entry){
		.op = (uint8_t)op->op,
		.flags = RING_ALWAYS_QUEUE,
		.slot = t->slot,
		.preference = (uint8_t)c->preference,
		.check_len = (uint16_t)op->check_len,
	};
	if (!put_param(m, op, t->param_kind) || !put_bytes(m, op->check, op->check_len))
		return KCF_ARGUMENTS_BAD;
	return put_payload(c, m, op);
}

static enum kcf_status publish(struct kcf_client *c, struct message *m)
{
	struct page *page = direct_page(c->direct);

	if (!page || !page_credit_take(page, 1))
		return KCF_BUSY;
	if (!ring_put(&c->ring.rc, &m->e, m->extra, m->extra_len)) {
		page_credit_give(page, 1);
		return KCF_BUSY;
	}
	client_ring_bell(&c->ring);
	return KCF_QUEUED;
}

/* The slot is this thread's until it is published; then it may be gone at once. */
static enum kcf_status submit(struct kcf_ring_slot *s, const struct kcf_ring_op *op, uint64_t epoch)
{
	struct kcf_client *c = s->client;
	uint32_t idle = SLOT_IDLE;
	struct message m;
	enum kcf_status st;

	if (!__atomic_compare_exchange_n(&s->state, &idle, SLOT_BUSY, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return KCF_BUSY;
	st = fill(c, &m, op, epoch);
	if (st == KCF_SUCCESS) {
		m.e.id = RING_SLOT_ID | ++s->n << RING_SLOT_BITS | s->index;
		__atomic_store_n(&s->out, op->out, __ATOMIC_RELAXED);
		__atomic_store_n(&s->out_len, op->out_len, __ATOMIC_RELAXED);
		/* release: what the caller did before is done for the callback, too */
		__atomic_store_n(&s->id, m.e.id, __ATOMIC_RELEASE);
		st = publish(c, &m);
	}
	if (st != KCF_QUEUED)
		set_state(s, SLOT_IDLE);
	return st;
}

enum kcf_status kcf_ring_submit(struct kcf_ring_slot *slot, const struct kcf_ring_op *op)
{
	enum kcf_status st = KCF_NO_DAEMON;
	int saved = errno;
	struct kcf_client *c;
	uint64_t epoch;

	if (!slot || !op)
		return KCF_ARGUMENTS_BAD;
	c = slot->client;
	if (!client_is_own(c))
		return KCF_NO_DAEMON;
	/* pairs with client_ring_drop: either it sees this, or this sees no ring */
	__atomic_add_fetch(&c->ring.inside, 1, __ATOMIC_SEQ_CST);
	epoch = __atomic_load_n(&c->ring.epoch, __ATOMIC_SEQ_CST);
	if (epoch)
		st = submit(slot, op, epoch);
	__atomic_sub_fetch(&c->ring.inside, 1, __ATOMIC_RELEASE);
	errno = saved;
	return st;
}

/* ---- completion; lock held ---- */

static void drop(struct kcf_client *c, struct kcf_ring_slot *s)
{
	c->ring_slots[s->index] = NULL;
	c->n_ring_slots--;
	free(s);
}

/* For the dispatcher to call, now or when it comes to the notice. False: nobody wants to know. */
static bool result(struct kcf_client *c, struct kcf_ring_slot *s, const struct ring_done *d,
		   struct ring_call *ret)
{
	size_t room = __atomic_load_n(&s->out_len, __ATOMIC_RELAXED);
	enum kcf_status st = d->status == KCF_QUEUED ? KCF_FAILED : (enum kcf_status)d->status;

	if (s->orphan) {
		drop(c, s);
		return false;
	}
	*ret = (struct ring_call){.callback = s->callback, .arg = s->arg, .provider = d->provider};
	ret->done.status = st;
	ret->done.step = KCF_FINAL;
	ret->done.queue_hops = d->queue_hops;
	if (st == KCF_SUCCESS)
		ret->done.len = d->len < room ? d->len : room;
	else if (st == KCF_BUFFER_TOO_SMALL)
		ret->done.required = d->len;
	else if (st == KCF_BUSY)
		ret->done.busy_reason = d->more;
	return true;
}

static void finish(struct kcf_client *c, struct kcf_ring_slot *s, const struct ring_done *d)
{
	if (!result(c, s, d, &s->call))
		return;
	set_state(s, SLOT_DONE);
	s->done.kind = NOTICE_SLOT;
	s->done.slot = s;
	notice_push(&c->pending, &s->done);
	client_poke(c);
}

bool ring_slot_done(struct kcf_client *c, const struct ring_done *d, struct ring_call *calls,
		    unsigned *n_calls)
{
	uint32_t index = d->id & ((1u << RING_SLOT_BITS) - 1);
	struct kcf_ring_slot *s = index < c->max_ring_slots ? c->ring_slots[index] : NULL;

	if (!s || state_of(s) != SLOT_BUSY || __atomic_load_n(&s->id, __ATOMIC_ACQUIRE) != d->id ||
	    d->status >= KCF_STATUS_COUNT)
		return false;
	if (!calls) {
		finish(c, s, d);
	} else if (result(c, s, d, &calls[*n_calls])) {
		++*n_calls;
		set_state(s, SLOT_IDLE);
	}
	return true;
}

bool ring_slot_call(struct kcf_client *c, struct kcf_ring_slot *s, struct ring_call *ret)
{
	if (s->orphan) {
		drop(c, s);
		return false;
	}
	*ret = s->call;
	set_state(s, SLOT_IDLE);
	return true;
}

/* ---- connections come and go; lock held, nobody submits ---- */

static void fail(struct kcf_client *c, struct kcf_ring_slot *s, enum kcf_status status, bool lose)
{
	const struct ring_done d = {.status = (uint8_t)status};
	struct iovec out = {s->out, s->out_len};

	if (lose && out.iov_len)
		arena_mark_lost(&c->arena, &out, 1);
	finish(c, s, &d);
}

void ring_slots_hold(struct kcf_client *c, bool again)
{
	for (uint32_t i = 0; i < c->max_ring_slots; i++) {
		struct kcf_ring_slot *s = c->ring_slots[i];

		if (!s || state_of(s) != SLOT_BUSY)
			continue;
		if (!again || !s->out_len) {
			fail(c, s, KCF_NO_DAEMON, true);
			continue;
		}
		set_state(s, SLOT_HELD);
		s->held_until = client_now() + CLIENT_HOLD;
		if (!c->next_deadline || s->held_until < c->next_deadline)
			c->next_deadline = s->held_until;
	}
}

uint64_t ring_slots_end(struct kcf_client *c, uint64_t before, enum kcf_status status, bool lose)
{
	uint64_t next = 0;

	for (uint32_t i = 0; i < c->max_ring_slots; i++) {
		struct kcf_ring_slot *s = c->ring_slots[i];

		if (!s || state_of(s) != SLOT_HELD)
			continue;
		if (s->held_until <= before)
			fail(c, s, status, lose);
		else if (!next || s->held_until < next)
			next = s->held_until;
	}
	return next;
}

void ring_slots_cancel(struct kcf_client *c)
{
	for (uint32_t i = 0; i < c->max_ring_slots; i++) {
		struct kcf_ring_slot *s = c->ring_slots[i];

		if (s && (state_of(s) == SLOT_BUSY || state_of(s) == SLOT_HELD))
			fail(c, s, KCF_CANCELED, false);
	}
}

void ring_slots_forget(struct kcf_client *c)
{
	for (uint32_t i = 0; i < c->max_ring_slots; i++) {
		if (c->ring_slots[i])
			set_state(c->ring_slots[i], SLOT_IDLE);
	}
}

void ring_slots_free(struct kcf_client *c)
{
	for (uint32_t i = 0; i < c->max_ring_slots; i++)
		free(c->ring_slots[i]);
	free(c->ring_slots);
}

/* ---- new, free ---- */

/* Lock held. */
static bool grow(struct kcf_client *c)
{
	uint32_t n = c->max_ring_slots ? c->max_ring_slots * 2 : 4;
	struct kcf_ring_slot **slots;

	if (n > 1u << RING_SLOT_BITS)
		return false;
	slots = realloc(c->ring_slots, n * sizeof(struct kcf_ring_slot *));
	if (!slots)
		return false;
	memset(slots + c->max_ring_slots, 0,
	       (n - c->max_ring_slots) * sizeof(struct kcf_ring_slot *));
	c->ring_slots = slots;
	c->max_ring_slots = n;
	return true;
}

static enum kcf_status add(struct kcf_client *c, struct kcf_ring_slot *s)
{
	uint32_t i;

	for (i = 0; i < c->max_ring_slots && c->ring_slots[i]; i++)
		;
	if (i == c->max_ring_slots && !grow(c))
		return KCF_HOST_MEMORY;
	s->index = i;
	c->ring_slots[i] = s;
	c->n_ring_slots++;
	client_ring_watch(c);
	return KCF_SUCCESS;
}

/* Lock held, and given up. */
static enum kcf_status want_ring(struct kcf_client *c)
{
	enum kcf_status st = KCF_NO_DAEMON;
	struct waiter w;

	if (c->state == CLIENT_UP && !(c->features & FEATURE_RING))
		return KCF_VERSION_MISMATCH;
	client_waiter_init(&w);
	if (c->state == CLIENT_UP) {
		client_ring_ask(c);
		client_flush(c);
	}
	while (c->state == CLIENT_UP && c->ring.asked && !c->ring.epoch &&
	       c->ring.refusal == KCF_SUCCESS)
		client_wait(c, &w, client_now() + NSEC_PER_MSEC);
	if (c->ring.epoch)
		st = KCF_SUCCESS;
	else if (c->state == CLIENT_UP)
		st = c->ring.asked ? c->ring.refusal : KCF_HOST_MEMORY;
	client_waiter_deinit(&w);
	return st;
}

enum kcf_status kcf_ring_slot_new(struct kcf_client *client, kcf_callback callback, void *arg,
				  struct kcf_ring_slot **ret)
{
	struct kcf_ring_slot *s;
	enum kcf_status st;

	if (!client || !callback || !ret)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	if (client_forked(client))
		return KCF_NO_DAEMON;
	s = calloc(1, sizeof(*s));
	if (!s)
		return KCF_HOST_MEMORY;
	s->client = client;
	s->callback = callback;
	s->arg = arg;
	pthread_mutex_lock(&client->lock);
	st = want_ring(client);
	if (st == KCF_SUCCESS)
		st = add(client, s);
	pthread_mutex_unlock(&client->lock);
	if (st == KCF_SUCCESS)
		*ret = s;
	else
		free(s);
	return st;
}

void kcf_ring_slot_free(struct kcf_ring_slot *slot)
{
	struct kcf_client *c;

	if (!slot)
		return;
	c = slot->client;
	client_enter(c);
	pthread_mutex_lock(&c->lock);
	if (state_of(slot) == SLOT_IDLE)
		drop(c, slot);
	else
		slot->orphan = true;
	pthread_mutex_unlock(&c->lock);
}
