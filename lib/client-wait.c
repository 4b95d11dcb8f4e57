/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-wait - threads inside synchronous calls.
 *
 * One of them, or the dispatcher, drives: reads the socket for all. A waiter that finds the role
 * taken sleeps on its own condition; who gives the role up wakes the first sleeper, which drives
 * on. Replies for callbacks that a waiter reads are left to the dispatcher. Lock held everywhere.
 */
#include "client-core.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

void client_wake(struct kcf_client *c, struct waiter *w)
{
	uint64_t one = 1;

	w->done = true;
	if (w->sleeping)
		pthread_cond_signal(&w->cond);
	else if (w->memory && c->driver == w && !c->kicked)
		c->kicked = write(c->kickfd, &one, sizeof(one)) == sizeof(one);
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
	if (!c->in_armed && c->fd >= 0 &&
	    (c->pending.n_async || c->notify_units || c->notify_rows || c->n_ring_slots))
		client_watch(c, true, c->out_armed);
	if (c->pending.n_async || c->n_ring_slots)
		client_ring_watch(c);
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

/* What a driver waits for. */
enum { POLL_SOCKET = 0, POLL_KICK, POLL_BELL, POLL_N };

/* False: nothing happened before the time. The lock is given up. */
static bool poll_until(struct pollfd pfd[POLL_N], uint64_t at)
{
	uint64_t now = client_now(), count;
	struct timespec ts = to_timespec(at > now ? at - now : 0);

	/* what has a negative descriptor is skipped */
	if (ppoll(pfd, POLL_N, at ? &ts : NULL, NULL) <= 0)
		return false;
	if (pfd[POLL_KICK].revents)
		(void)!read(pfd[POLL_KICK].fd, &count, sizeof(count)); /* or taken already */
	return true;
}

/* Wait until there is something on the socket or the ring. spin: for the ring, without sleeping at
 * first, and if it comes without a look at the socket. Returns the events of the socket; *ret_ok
 * false: the bell is broken. Driver, without the lock. */
static short wait_input(struct kcf_client *c, struct pollfd pfd[POLL_N], uint64_t at, bool spin,
			bool *ret_ok)
{
	if (spin && client_ring_spin(c))
		return 0;
	if (client_ring_is_up(&c->ring) && !ring_sleep(&c->ring.rc))
		at = 1;
	if (!poll_until(pfd, at))
		return 0;
	if (pfd[POLL_BELL].revents)
		*ret_ok = client_ring_hush(pfd[POLL_BELL].fd);
	return pfd[POLL_SOCKET].revents;
}

void client_drive_once(struct kcf_client *c, uint64_t until)
{
	bool kickable = c->driver && c->driver->memory;
	struct pollfd pfd[POLL_N] = {{.fd = c->fd, .events = POLLIN},
				     {.fd = kickable ? c->kickfd : -1, .events = POLLIN},
				     {.fd = c->ring.bell, .events = POLLIN}};
	uint64_t at = first_of(client_next_timer(c), until);
	uint64_t now = client_now();
	bool spin = c->driver && c->driver->by_ring && now - c->ring.looked_at < RING_LOOK;
	bool ok = true, more;
	short events;

	if (!spin)
		c->ring.looked_at = now;
	if (c->tx.blocked)
		pfd[POLL_SOCKET].events |= POLLOUT;
	pthread_mutex_unlock(&c->lock);
	events = wait_input(c, pfd, at, spin, &ok);
	if (events & ~POLLOUT) {
		do {
			ok = client_read(c, pfd[POLL_SOCKET].fd, &more) && client_frames(c);
		} while (ok && more);
	}
	pthread_mutex_lock(&c->lock);
	c->kicked = false;
	if (!ok || !client_ring_reap(c, NULL, NULL))
		client_disconnect(c, true);
	if (events & POLLOUT)
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
		c->driver = w;
		if (w->by_ring)
			client_ring_awake(c); /* it looks for itself */
		while (!w->done && !(deadline && client_now() >= deadline))
			client_drive_once(c, deadline);
		c->driver = NULL;
		client_undrive(c);
	}
	/* The one woken to drive may be leaving: let the next one. */
	if (!c->driving && c->sleepers)
		pthread_cond_signal(&c->sleepers->cond);
	return w->done;
}

/* ---- room ---- */

static uint32_t row_bit(uint32_t row1)
{
	return row1 && row1 <= TABLE_PROVIDERS ? 1u << (row1 - 1) : 0;
}

static void ask(struct kcf_client *c, uint32_t units, uint32_t row1)
{
	struct wire_msg msg = {.type = FRAME_WANT, .room = {.units = units, .provider = row1}};
	bool asked = row1 ? c->want_rows & row_bit(row1) : units <= c->want_units;

	if (asked || !client_tx_msg(c, &msg, 0, 0))
		return;
	if (row1)
		c->want_rows |= row_bit(row1);
	else
		c->want_units = units;
}

static const struct waiter *first_for_units(const struct kcf_client *c)
{
	const struct waiter *w = c->room_line;

	while (w && !w->units)
		w = w->next_room;
	return w;
}

static void ask_units(struct kcf_client *c)
{
	const struct waiter *w = first_for_units(c);

	if (!w)
		ask(c, c->held_units ? c->held_units : c->notify_units, 0);
	else if (!w->done) /* else it has its room, and the next one's turn comes when it has taken
			      that */
		ask(c, w->units, 0);
}

void client_ask_room(struct kcf_client *c)
{
	uint32_t rows = c->notify_rows;

	if (c->state != CLIENT_UP)
		return;
	ask_units(c);
	for (const struct waiter *w = c->room_line; w; w = w->next_room)
		if (w->row1 && !w->done)
			rows |= row_bit(w->row1);
	for (; rows; rows &= rows - 1)
		ask(c, 0, (uint32_t)__builtin_ctz(rows) + 1);
}

void client_notify_room(struct kcf_client *c, uint32_t units, uint32_t row1)
{
	if (row_bit(row1))
		c->notify_rows |= row_bit(row1);
	else if (units > c->notify_units)
		c->notify_units = units;
	client_ask_room(c);
}

bool client_is_first(const struct kcf_client *c, const struct waiter *w)
{
	const struct waiter *first = first_for_units(c);

	return !first || first == w;
}

/* The oldest thread that waits for this; NULL: none. */
static struct waiter *room_is_for(const struct kcf_client *c, uint32_t row1)
{
	struct waiter *w = c->room_line;

	while (w && (w->done || (row1 ? w->row1 != row1 : !w->units)))
		w = w->next_room;
	return w;
}

/* Is the application to be told? Then it is no more. */
static bool take_notify(struct kcf_client *c, uint32_t row1)
{
	bool wanted = row1 ? c->notify_rows & row_bit(row1) : c->notify_units != 0;

	if (row1)
		c->notify_rows &= ~row_bit(row1);
	else
		c->notify_units = 0;
	return wanted;
}

void client_on_room(struct kcf_client *c, const struct wire_room *room)
{
	uint32_t row1 = room->provider;
	struct waiter *w;

	if (row1)
		c->want_rows &= ~row_bit(row1);
	else
		c->want_units = 0;
	if (!row1)
		client_resume(c, false);
	w = room_is_for(c, row1);
	if (w)
		client_wake(c, w);
	else if (take_notify(c, row1))
		client_push_event(c, KCF_EVENT_ROOM, NULL,
				  row1 ? direct_provider_name(c->direct, row1) : NULL,
				  row1 ? 0 : room->units);
	client_ask_room(c);
	client_flush(c);
}

static void join_line(struct waiter **line, struct waiter *w)
{
	while (*line)
		line = &(*line)->next_room;
	w->next_room = NULL;
	w->in_line = true;
	*line = w;
}

static void leave_line(struct waiter **line, struct waiter *w)
{
	while (*line != w)
		line = &(*line)->next_room;
	*line = w->next_room;
	w->in_line = false;
}

bool client_wait_room(struct kcf_client *c, struct waiter *w, uint64_t deadline)
{
	w->done = false;
	if (!w->in_line)
		join_line(&c->room_line, w);
	client_ask_room(c);
	client_flush(c); /* only now: the answer may come before it returns */
	return client_wait(c, w, deadline);
}

void client_leave_line(struct kcf_client *c, struct waiter *w)
{
	if (!w->in_line)
		return;
	leave_line(&c->room_line, w);
	w->units = w->row1 = 0;
	client_ask_room(c);
}

static void wake_line(struct kcf_client *c, struct waiter *w)
{
	for (; w; w = w->next_room)
		client_wake(c, w);
}

bool client_wait_memory(struct kcf_client *c, uint64_t deadline)
{
	struct waiter w;
	bool ret;

	client_waiter_init(&w);
	w.memory = true;
	join_line(&c->memory_line, &w);
	client_flush(c);
	ret = client_wait(c, &w, deadline);
	leave_line(&c->memory_line, &w);
	client_waiter_deinit(&w);
	return ret;
}

void client_wake_memory(struct kcf_client *c)
{
	if (!c->memory_line && c->notify_memory) {
		c->notify_memory = false;
		client_push_event(c, KCF_EVENT_ROOM, NULL, NULL, 0);
	}
	wake_line(c, c->memory_line);
}

void client_drop_wants(struct kcf_client *c)
{
	c->want_units = c->want_rows = 0;
	c->notify_units = c->notify_rows = 0;
	c->held_units = 0;
	c->notify_memory = false;
	for (struct waiter *w = c->room_line; w; w = w->next_room)
		if (w->units || w->row1) /* else a reply is what it waits for */
			client_wake(c, w);
	wake_line(c, c->memory_line);
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
				struct codec_arena *arena, struct wire_msg *ret_reply, int *ret_fd)
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
