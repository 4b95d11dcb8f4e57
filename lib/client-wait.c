/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-wait - threads inside synchronous calls.
 *
 * One of them, or the dispatcher, drives: reads the socket for all. A waiter that finds the role taken sleeps on its
 * own condition; who gives the role up wakes the first sleeper, which drives on. Replies for callbacks that
 * a waiter reads are left to the dispatcher. Lock held everywhere.
 */
#include "client-core.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

void client_waiter_init(struct waiter *w)
{
	pthread_condattr_t attr;

	*w = (struct waiter){0};
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cond, &attr);
	pthread_condattr_destroy(&attr);
}

void client_waiter_deinit(struct waiter *w)
{
	pthread_cond_destroy(&w->cond);
}

void client_wake(struct waiter *w)
{
	w->done = true;
	if (w->sleeping)
		pthread_cond_signal(&w->cond);
}

/* ---- the role ---- */

bool client_drive(struct kcf_client *c)
{
	if (c->driving)
		return false;
	c->driving = true;
	return true;
}

void client_undrive(struct kcf_client *c)
{
	c->driving = false;
	if (c->sleepers) {
		pthread_cond_signal(&c->sleepers->cond);
		return;
	}
	if (!c->in_armed && c->fd >= 0 && (c->pending.n_async || c->notify_wanted))
		client_watch(c, true, c->out_armed);
	client_timer(c, client_next_timer(c));
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
}

static uint64_t first_of(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

/* The lock is given up. */
static int poll_until(struct pollfd *pfd, uint64_t at)
{
	uint64_t now = client_now();
	struct timespec ts = to_timespec(at > now ? at - now : 0);

	return ppoll(pfd, pfd->fd >= 0, at ? &ts : NULL, NULL);
}

void client_drive_once(struct kcf_client *c, uint64_t until)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	uint64_t at = first_of(client_next_timer(c), until);
	bool ok = true, more;

	if (c->tx.blocked)
		pfd.events |= POLLOUT;
	pthread_mutex_unlock(&c->lock);
	if (poll_until(&pfd, at) <= 0)
		pfd.revents = 0;
	if (pfd.revents & ~POLLOUT) {
		do {
			ok = client_read(c, pfd.fd, &more) && client_frames(c);
		} while (ok && more);
	}
	pthread_mutex_lock(&c->lock);
	if (!ok)
		client_disconnect(c, true);
	if (pfd.revents & POLLOUT)
		c->tx.blocked = false;
	client_flush(c);
	client_tick(c, client_now());
}

/* ---- wait ---- */

static void sleep_until(struct kcf_client *c, struct waiter *w, uint64_t deadline)
{
	struct waiter **at = &c->sleepers;
	struct timespec ts = to_timespec(deadline);

	w->next_sleeper = NULL;
	while (*at)
		at = &(*at)->next_sleeper;
	*at = w;
	w->sleeping = true;
	if (deadline)
		pthread_cond_timedwait(&w->cond, &c->lock, &ts);
	else
		pthread_cond_wait(&w->cond, &c->lock);
	w->sleeping = false;
	for (at = &c->sleepers; *at != w; at = &(*at)->next_sleeper)
		;
	*at = w->next_sleeper;
}

bool client_wait(struct kcf_client *c, struct waiter *w, uint64_t deadline)
{
	while (!w->done) {
		if (deadline && client_now() >= deadline)
			break;
		if (!client_drive(c)) {
			sleep_until(c, w, deadline);
			continue;
		}
		client_drive_once(c, deadline);
		while (!w->done && !(deadline && client_now() >= deadline))
			client_drive_once(c, deadline);
		client_undrive(c);
	}
	/* The one woken to drive may be leaving: let the next one. */
	if (!c->driving && c->sleepers)
		pthread_cond_signal(&c->sleepers->cond);
	return w->done;
}

/* ---- room ---- */

void client_want(struct kcf_client *c, uint32_t units, uint32_t provider)
{
	struct wire_msg msg = {.type = FRAME_WANT,
			       .room = {.units = units, .provider = provider}};

	if (c->want_sent || c->state != CLIENT_UP)
		return;
	c->want_sent = client_tx_msg(c, &msg, 0, 0);
	c->want_units = units;
	c->want_provider = provider;
}

void client_wake_room_waiters(struct kcf_client *c)
{
	struct waiter *w;

	for (w = c->room_waiters; w; w = w->next_room)
		client_wake(w);
}

void client_on_room(struct kcf_client *c, const struct wire_room *room)
{
	c->want_sent = false;
	client_resume(c, false);
	if (c->room_waiters) {
		client_wake_room_waiters(c);
		if (c->notify_wanted)
			client_want(c, c->want_units, c->want_provider);
	} else if (c->notify_wanted) {
		const char *name = direct_provider_name(c->direct, room->provider);

		c->notify_wanted = false;
		client_push_event(c, KCF_EVENT_ROOM, NULL, room->provider ? name : NULL,
				  room->provider ? 0 : room->units);
	}
	client_flush(c);
}

bool client_wait_room(struct kcf_client *c, uint64_t deadline)
{
	struct waiter w, **at;
	bool ret;

	client_waiter_init(&w);
	w.next_room = c->room_waiters;
	c->room_waiters = &w;
	client_flush(c); /* only now: the answer may come before it returns */
	ret = client_wait(c, &w, deadline);
	for (at = &c->room_waiters; *at != &w; at = &(*at)->next_room)
		;
	*at = w.next_room;
	client_waiter_deinit(&w);
	return ret;
}

/* ---- exchanges ---- */

static enum kcf_status take_reply(struct pending *p, struct codec_arena *arena,
				  struct wire_msg *ret_reply, int *ret_fd)
{
	if (p->status != KCF_SUCCESS)
		return p->status;
	if (!codec_decode(arena, p->reply_type, p->reply, p->reply_len, ret_reply))
		return KCF_PROTOCOL_ERROR;
	if (ret_fd) {
		*ret_fd = p->reply_fd;
		p->reply_fd = -1;
	}
	return KCF_SUCCESS;
}

enum kcf_status client_exchange(struct kcf_client *client, const struct wire_msg *msg,
				struct codec_arena *arena, struct wire_msg *ret_reply,
				int *ret_fd)
{
	enum kcf_status st = KCF_NO_DAEMON;
	struct pending *p = NULL;
	struct waiter w;

	if (client_forked(client))
		return KCF_NO_DAEMON;
	client_waiter_init(&w);
	pthread_mutex_lock(&client->lock);
	if (client->state == CLIENT_UP) {
		p = pending_new(&client->pending, PENDING_EXCHANGE);
		st = KCF_HOST_MEMORY;
	}
	if (p) {
		p->waiter = &w;
		client_set_deadline(client, p, client->timeout_ms);
		pending_open(&client->pending, p);
		if (client_tx_msg(client, msg, p->id, 0)) {
			client_flush(client);
			client_wait(client, &w, 0);
			st = take_reply(p, arena, ret_reply, ret_fd);
		}
		pending_free(&client->pending, p);
	}
	pthread_mutex_unlock(&client->lock);
	client_waiter_deinit(&w);
	return st;
}
