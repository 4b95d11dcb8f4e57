/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-dispatch - frames from kcfd, and the callbacks that follow.
 *
 * A frame is handled by the row of its type, by the driver. Callbacks run later, by the dispatcher:
 * the library's thread, or the thread in kcf_client_dispatch. What callbacks submit is sent
 * together when the round ends.
 */
#include "client-core.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* One frame. */
struct input {
	const struct frame_header *h;
	struct wire_msg *msg;
	const uint8_t *raw; /* the message as received */
	const uint8_t *payload;
};

/* The request a reply is for: under way and of this kind. */
static struct pending *find(struct kcf_client *c, uint64_t id, enum pending_kind kind)
{
	struct pending *p;

	pthread_mutex_lock(&c->lock);
	p = pending_find(&c->pending, id);
	if (p && (p->state != PENDING_SENT || p->kind != kind))
		p = NULL;
	pthread_mutex_unlock(&c->lock);
	return p;
}

static void finish(struct kcf_client *c, struct pending *p, enum kcf_status status)
{
	pthread_mutex_lock(&c->lock);
	op_finish(c, p, status);
	pthread_mutex_unlock(&c->lock);
}

/* There was no place for it on the ring. */
static bool on_slot_reply(struct kcf_client *c, const struct input *in)
{
	const struct wire_op_reply *r = &in->msg->op_reply;
	uint64_t len = r->status == KCF_BUFFER_TOO_SMALL ? r->required : r->out_len;
	struct ring_done d = {
		.id = in->h->id,
		.len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX,
		.status = (uint8_t)r->status,
		.provider = (uint8_t)r->provider,
		.queue_hops = (uint8_t)r->queue_hops,
		.more = (uint8_t)r->busy_reason,
	};
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = ring_slot_done(c, &d, NULL, NULL);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

static bool on_op_reply(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_OP);

	if (in->h->id >= RING_SLOT_ID)
		return on_slot_reply(c, in);
	if (!p)
		return false;
	op_reply(c, p, &in->msg->op_reply, in->payload, in->h->payload_len);
	finish(c, p, p->status);
	return true;
}

static bool on_op_step(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_OP);

	return p && op_step_reply(c, p, &in->msg->op_reply, in->payload, in->h->payload_len);
}

/* A thread waits for this very message: it gets a copy, and the descriptor if there is one. */
static bool on_exchange(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_EXCHANGE);
	enum kcf_status st = KCF_SUCCESS;

	if (!p)
		return false;
	p->reply_type = in->h->type;
	p->reply = malloc(in->h->msg_len + 1);
	if (!p->reply)
		st = KCF_HOST_MEMORY;
	else
		memcpy(p->reply, in->raw, in->h->msg_len);
	p->reply_len = in->h->msg_len;
	finish(c, p, st);
	return true;
}

static bool on_key_reply(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_KEY);

	if (!p)
		return on_exchange(c, in);
	op_key_reply(c, p, &in->msg->key_reply);
	finish(c, p, p->status);
	return true;
}

static bool on_done(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_ATTACH);

	if (!p)
		return on_exchange(c, in);
	pthread_mutex_lock(&c->lock);
	client_slot_answered(c, p, (enum kcf_status)in->msg->status);
	pending_free(&c->pending, p);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static bool on_ring_reply(struct kcf_client *c, const struct input *in)
{
	struct pending *p = find(c, in->h->id, PENDING_RING);
	enum kcf_status st = (enum kcf_status)in->msg->status;

	if (!p)
		return false;
	if (st == KCF_SUCCESS)
		st = client_ring_attach(c);
	if (st == KCF_PROTOCOL_ERROR)
		return false;
	pthread_mutex_lock(&c->lock);
	c->ring.refusal = st;
	pending_free(&c->pending, p);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static bool on_arena_reply(struct kcf_client *c, const struct input *in)
{
	const struct wire_arena *r = &in->msg->arena;
	struct pending *p = find(c, in->h->id, PENDING_OFFER);
	bool right;

	if (!p) {
		p = find(c, in->h->id, PENDING_EXCHANGE);
		if (p && r->status == KCF_SUCCESS)
			p->reply_fd = client_take_fd(c);
		return on_exchange(c, in);
	}
	pthread_mutex_lock(&c->lock);
	right = arena_attach(&c->arena, p->id, (enum kcf_status)r->status, r->segment);
	pending_free(&c->pending, p);
	client_offer_answered(c);
	if (r->status == KCF_SUCCESS)
		client_wake_memory(c);
	pthread_mutex_unlock(&c->lock);
	return right;
}

static bool on_room(struct kcf_client *c, const struct input *in)
{
	pthread_mutex_lock(&c->lock);
	client_on_room(c, &in->msg->room);
	pthread_mutex_unlock(&c->lock);
	return true;
}

/* Attached before the application hears of it, so that its next call may use it. */
static bool take_module(struct kcf_client *c, uint32_t row1)
{
	int fd = client_take_fd(c);

	if (fd < 0)
		return false;
	direct_attach_module(c->direct, row1 - 1, fd, c->peer_trusted);
	return true;
}

static bool on_event(struct kcf_client *c, const struct input *in)
{
	const struct wire_event *e = &in->msg->event;

	if (e->module && !take_module(c, e->module))
		return false;
	if (e->type < KCF_EVENT_MECH_ADDED || e->type > KCF_EVENT_PROVIDER_RETURNED)
		return true; /* of a newer kcfd */
	pthread_mutex_lock(&c->lock);
	client_push_event(c, (enum kcf_event_type)e->type, e->mechanism, e->provider, 0);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static bool on_fatal(struct kcf_client *c, const struct input *in)
{
	c->refusal = (enum kcf_status)in->msg->fatal.status;
	return false;
}

static bool on_hello_reply(struct kcf_client *c, const struct input *in)
{
	return client_on_hello(c, &in->msg->hello_reply);
}

#define IN(state) (1u << (state))
#define LATER     (IN(CLIENT_OFFER) | IN(CLIENT_UP))

static const struct {
	bool (*fn)(struct kcf_client *c, const struct input *in);
	uint32_t states; /* where it is permitted */
} handlers[FRAME_TYPE_COUNT] = {
	[FRAME_HELLO_REPLY] = {on_hello_reply, IN(CLIENT_HELLO)},
	[FRAME_FATAL] = {on_fatal, IN(CLIENT_HELLO) | LATER},
	[FRAME_OP_REPLY] = {on_op_reply, LATER},
	[FRAME_OP_STEP] = {on_op_step, LATER},
	[FRAME_KEY_REPLY] = {on_key_reply, LATER},
	[FRAME_STATUS_REPLY] = {on_exchange, LATER},
	[FRAME_MECH_REPLY] = {on_exchange, LATER},
	[FRAME_DONE] = {on_done, LATER},
	[FRAME_ARENA_REPLY] = {on_arena_reply, LATER},
	[FRAME_RING_REPLY] = {on_ring_reply, LATER},
	[FRAME_ROOM] = {on_room, LATER},
	[FRAME_EVENT] = {on_event, LATER},
};

static bool handle(struct kcf_client *c, const struct frame_header *h, const uint8_t *frame)
{
	struct wire_msg msg;
	struct input in = {h, &msg, frame + h->header_len, frame + h->header_len + h->msg_len};
	bool ok;

	if (!handlers[h->type].fn || !(handlers[h->type].states & IN(c->state)))
		return false;
	ok = codec_decode(&c->decode, h->type, in.raw, h->msg_len, &msg) &&
	     handlers[h->type].fn(c, &in);
	codec_reset(&c->decode);
	return ok;
}

bool client_frames(struct kcf_client *c)
{
	struct rx *rx = &c->rx;
	size_t first = rx->start;

	while (rx->start < rx->end) {
		struct frame_header h;
		size_t have = rx->end - rx->start;
		enum frame_result r = frame_get(rx->buf + rx->start, have, FRAME_PAYLOAD_MAX, &h);

		if (r == FRAME_MORE || (r == FRAME_OK && frame_len(&h) > have))
			break;
		if (r != FRAME_OK || !handle(c, &h, rx->buf + rx->start))
			return false;
		rx->start += frame_len(&h);
	}
	explicit_bzero(rx->buf + first, rx->start - first);
	if (rx->start == rx->end) { /* no frame took them: of a newer kcfd */
		int fd;

		while ((fd = client_take_fd(c)) >= 0)
			close(fd);
	}
	return true;
}

/* ---- callbacks ---- */

void client_push_event(struct kcf_client *c, enum kcf_event_type type, const char *mechanism,
		       const char *provider, uint32_t units)
{
	struct notice *n = c->on_event ? notice_new(&c->pending, NOTICE_EVENT) : NULL;

	if (!n)
		return;
	n->event = type;
	n->units = units;
	if (mechanism)
		strncpy(n->mechanism, mechanism, sizeof(n->mechanism) - 1);
	if (provider)
		strncpy(n->provider, provider, sizeof(n->provider) - 1);
	notice_push(&c->pending, n);
	client_poke(c);
}

static void call_event(struct kcf_client *c, struct notice *n)
{
	struct kcf_event e = {.type = n->event,
			      .units = n->units,
			      .mechanism = n->mechanism[0] ? n->mechanism : NULL,
			      .provider = n->provider[0] ? n->provider : NULL};

	if (c->on_event) { /* not while closing */
		pthread_mutex_unlock(&c->lock);
		c->on_event(c->event_arg, &e);
		pthread_mutex_lock(&c->lock);
	}
	notice_free(&c->pending, n);
}

static void call_step(struct kcf_client *c, struct notice *n)
{
	struct pending *p = n->pending;
	struct kcf_completion done = {
		.status = n->status, .step = n->step, .len = n->len, .id = p->visible ? p->id : 0};
	kcf_callback callback = p->callback;
	uint32_t provider = p->provider;
	void *arg = p->arg;

	pthread_mutex_unlock(&c->lock);
	done.provider = direct_provider_name(c->direct, provider);
	callback(arg, &done);
	pthread_mutex_lock(&c->lock);
	notice_free(&c->pending, n);
}

/* The request is given back before its callback runs: what that submits may use the same memory. */
static void call_complete(struct kcf_client *c, struct pending *p)
{
	struct kcf_completion done = {.status = p->status,
				      .step = KCF_FINAL,
				      .len = p->out_len,
				      .required = p->required,
				      .id = p->visible ? p->id : 0,
				      .busy_reason = p->busy_reason,
				      .queue_hops = p->queue_hops};
	kcf_callback callback = p->callback;
	uint32_t provider = p->provider;
	void *arg = p->arg;

	op_release(c, p);
	pthread_mutex_unlock(&c->lock);
	done.provider = direct_provider_name(c->direct, provider);
	callback(arg, &done);
	pthread_mutex_lock(&c->lock);
}

static void call_slot(struct kcf_client *c, struct notice *n)
{
	struct ring_call call;

	if (ring_slot_call(c, n->slot, &call))
		client_ring_run(c, &call, 1);
}

void client_run_notices(struct kcf_client *c)
{
	struct notice *n;

	while ((n = notice_pop(&c->pending)) != NULL) {
		if (n->kind == NOTICE_EVENT)
			call_event(c, n);
		else if (n->kind == NOTICE_SLOT)
			call_slot(c, n);
		else if (n->kind == NOTICE_STEP)
			call_step(c, n);
		else
			call_complete(c, n->pending);
		if (client_tx_is_early(c))
			client_flush(c);
	}
}

/* ---- rounds ---- */

/* What lies in the ring: requests with a callback go to calls. Driver, lock held. */
static void ring_round(struct kcf_client *c, uint32_t events, struct ring_call *calls,
		       unsigned *ret_n)
{
	bool ok = true;

	if (events & CLIENT_BELL && client_ring_is_up(&c->ring))
		ok = client_ring_hush(c->ring.bell);
	if (!ok || !client_ring_reap(c, calls, ret_n))
		client_disconnect(c, true);
}

/* Driver, lock held. */
static void read_round(struct kcf_client *c)
{
	bool ok, more;
	int fd = c->fd;

	if (fd < 0)
		return;
	pthread_mutex_unlock(&c->lock);
	do {
		ok = client_read(c, fd, &more) && client_frames(c);
	} while (ok && more);
	pthread_mutex_lock(&c->lock);
	if (!ok)
		client_disconnect(c, true);
}

/* Somebody in a synchronous call reads: do not wake up for what is his. */
static void leave_reading(struct kcf_client *c)
{
	if (!c->in_armed)
		return;
	client_watch(c, false, c->out_armed);
	c->rearm_at = client_now() + CLIENT_REARM;
	client_timer(c, c->rearm_at);
}

void client_round(struct kcf_client *c, uint32_t events)
{
	struct ring_call calls[RING_BATCH];
	unsigned n_calls = 0;

	if (c->dispatching)
		return;
	c->dispatching = true;
	c->dispatcher = pthread_self();
	if (events & EPOLLOUT)
		c->tx.blocked = false;
	if (client_drive(c)) {
		if (events & ~(uint32_t)(EPOLLOUT | CLIENT_BELL))
			read_round(c);
		ring_round(c, events, calls, &n_calls);
		client_tick(c, client_now());
		client_undrive(c);
	} else if (events & (EPOLLIN | CLIENT_BELL)) {
		leave_reading(c);
	}
	do { /* sending gives up the lock: what is completed meanwhile pokes nobody who dispatches */
		client_ring_run(c, calls, n_calls);
		n_calls = 0;
		client_run_notices(c);
		client_ring_flush(c);
		client_flush(c);
	} while (c->pending.notices);
	c->dispatching = false;
}

/* Take note of what epoll says. Lock held. Returns the events of the socket. */
static uint32_t take_events(struct kcf_client *c, const struct epoll_event *ev, int n)
{
	uint32_t events = 0;
	uint64_t count;
	int i;

	for (i = 0; i < n; i++) {
		if (ev[i].data.fd == c->evfd || ev[i].data.fd == c->timerfd) {
			if (read(ev[i].data.fd, &count, sizeof(count)) < 0)
				continue;
			if (ev[i].data.fd == c->evfd)
				c->poked = false;
			else
				c->timer_at = 0;
		} else if (ev[i].data.fd == c->fd) {
			events |= ev[i].events;
		} else {
			events |= CLIENT_BELL;
		}
	}
	return events;
}

static void epoll_round(struct kcf_client *c, int timeout)
{
	struct epoll_event ev[4];
	int n = epoll_wait(c->epfd, ev, 4, timeout);
	uint32_t events;

	pthread_mutex_lock(&c->lock);
	events = take_events(c, ev, n < 0 ? 0 : n);
	c->ring.looked_at = client_now();
	client_round(c, events);
	client_timer(c, client_next_timer(c));
	pthread_mutex_unlock(&c->lock);
}

/* May the sockets wait, because the ring has something, or had just now? Lock held. */
static bool is_ring_turn(struct kcf_client *c)
{
	struct client_ring *r = &c->ring;
	uint64_t now;

	if (c->driving || !client_ring_is_up(r))
		return false;
	now = client_now();
	if (now - r->looked_at >= RING_LOOK)
		return false;
	return ring_has_done(&r->rc) || (r->lively && now - r->done_at < RING_SPIN);
}

/* A round without a system call. False: it is time for one with. */
static bool quick_round(struct kcf_client *c)
{
	bool mine;

	if (!client_ring_is_up(&c->ring))
		return false;
	pthread_mutex_lock(&c->lock);
	mine = is_ring_turn(c);
	if (mine)
		client_round(c, 0);
	pthread_mutex_unlock(&c->lock);
	return mine;
}

/* How long the library's thread may sleep. Who drives meanwhile wakes it when there is something to
 * be called, and when he leaves. */
static int nap(struct kcf_client *c)
{
	bool mine, asleep;

	pthread_mutex_lock(&c->lock);
	mine = !c->driving && c->pending.n_async;
	pthread_mutex_unlock(&c->lock);
	if (mine && client_ring_spin(c))
		return 0;
	pthread_mutex_lock(&c->lock);
	asleep = c->driving || client_ring_sleep(c);
	pthread_mutex_unlock(&c->lock);
	return asleep ? -1 : 0;
}

void *client_thread(void *arg)
{
	struct kcf_client *c = arg;
	bool stop = false;

	while (!stop) {
		if (!quick_round(c))
			epoll_round(c, nap(c));
		pthread_mutex_lock(&c->lock);
		stop = c->stop;
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

/* The application may sleep on the descriptor now. While there is much to do the descriptor is left
 * readable instead of asking for the bell: that spares both sides system calls. */
static void rest(struct kcf_client *c)
{
	struct client_ring *r = &c->ring;

	pthread_mutex_lock(&c->lock);
	if (!client_ring_is_up(r) || c->driving) {
		r->lively = false;
	} else {
		r->lively = client_now() - r->done_at < RING_SPIN && client_ring_may_spin(c);
		if (r->lively)
			__atomic_store_n(&r->spun_at, client_now(), __ATOMIC_RELAXED);
		__atomic_store_n(&r->rc.r->spins, r->lively, __ATOMIC_RELAXED);
		if (r->lively || !client_ring_sleep(c))
			client_poke(c);
	}
	pthread_mutex_unlock(&c->lock);
}

enum kcf_status kcf_client_dispatch(struct kcf_client *client)
{
	if (!client || !(client->flags & KCF_CLIENT_APP_LOOP))
		return KCF_ARGUMENTS_BAD;
	if (client_forked(client))
		return KCF_NO_DAEMON;
	if (!quick_round(client))
		epoll_round(client, 0);
	if (client_ring_is_up(&client->ring))
		rest(client);
	return KCF_SUCCESS;
}
