/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-connect - connections come and go: connect, HELLO, offers of arena segments, loss, and
 * what becomes of the requests that were under way.
 *
 * What may be done again is held and sent again on the next connection. What only had arena memory
 * in kcfd's hands is held too, so that it completes when that memory is known to be at rest: when
 * another kcfd answers. Driver only.
 */
#include "client-core.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HELLO_ID    1			/* below every request's */
#define MAX_REQUEST (UINT64_C(1) << 40) /* whatever the operator chose; sums with it do not overflow */

static int open_socket(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

/* Some other time between half and one and a half of the backoff, which doubles. */
static void schedule_connect(struct kcf_client *c)
{
	uint64_t now = client_now();

	c->n_failed++;
	if (c->backoff < CLIENT_BACKOFF_MIN)
		c->backoff = CLIENT_BACKOFF_MIN;
	c->next_connect = now + c->backoff / 2 + (now * 0x9e3779b97f4a7c15 >> 20) % c->backoff;
	c->backoff *= 2;
	if (c->backoff > CLIENT_BACKOFF_MAX)
		c->backoff = CLIENT_BACKOFF_MAX;
	c->state = CLIENT_DOWN;
}

void client_connect(struct kcf_client *c)
{
	struct wire_msg hello = {
		.type = FRAME_HELLO,
		.hello = {.version_min = FRAME_VERSION,
			  .version_max = FRAME_VERSION,
			  .features = FEATURE_MODULES | FEATURE_RING,
			  .label = c->label},
	};
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};
	int fd = open_socket(c->socket);

	c->refusal = fd == -EACCES || fd == -EPERM ? KCF_PERMISSION_DENIED : KCF_NO_DAEMON;
	if (fd < 0) {
		schedule_connect(c);
		return;
	}
	c->fd = fd;
	c->epoch++;
	c->state = CLIENT_HELLO;
	c->handshake_until = client_now() + CLIENT_HANDSHAKE;
	c->peer_trusted = client_peer_trusted(fd);
	c->in_armed = true;
	c->out_armed = false;
	ev.data.fd = fd;
	if (c->epfd >= 0)
		epoll_ctl(c->epfd, EPOLL_CTL_ADD, fd, &ev);
	client_tx_msg(c, &hello, HELLO_ID, 0);
	client_flush(c);
}

/* ---- HELLO_REPLY ---- */

/* Takes the descriptors that came with the reply. */
static bool attach(struct kcf_client *c, const struct wire_hello_reply *r)
{
	const char *names[WIRE_MAX_MODULES];
	uint32_t providers[WIRE_MAX_MODULES];
	int fds[2 + WIRE_MAX_MODULES], fd;
	unsigned n = 0, i;
	bool ok = true;

	for (i = 0; i < 2 + r->n_modules; i++) {
		fds[i] = client_take_fd(c);
		if (fds[i] < 0)
			break;
		n++;
	}
	ok = n == 2 + r->n_modules;
	for (i = 0; i < r->n_modules; i++) {
		names[i] = r->modules[i].name;
		providers[i] = r->modules[i].provider;
	}
	if (ok)
		ok = direct_attach(c->direct, fds[0], fds[1], names, providers, fds + 2,
				   r->n_modules, c->peer_trusted) == KCF_SUCCESS;
	else
		for (i = 0; i < n; i++)
			close(fds[i]);
	while ((fd = client_take_fd(c)) >= 0)
		close(fd);
	return ok;
}

/* Does kcfd hold memory of the arena for this request that it may write? */
static bool writes_arena(const struct pending *p)
{
	uint32_t i;

	if (p->out.way != WAY_INLINE || p->mac.way != WAY_INLINE)
		return true;
	for (i = 0; i < p->n_steps; i++) {
		if (p->step_out[i].way != WAY_INLINE)
			return true;
	}
	return false;
}

static void lose_payload(struct kcf_client *c, struct payload *pl)
{
	struct iovec bounce = {pl->bounce, pl->at.len};

	if (pl->way == WAY_RANGES)
		arena_mark_lost(&c->arena, pl->at.v, pl->at.n);
	else if (pl->way == WAY_BOUNCE)
		arena_mark_lost(&c->arena, &bounce, 1);
}

void client_lose_buffers(struct kcf_client *c, struct pending *p)
{
	uint32_t i;

	lose_payload(c, &p->out);
	lose_payload(c, &p->mac);
	for (i = 0; i < p->n_steps; i++)
		lose_payload(c, &p->step_out[i]);
}

static void to_inline(struct kcf_client *c, struct payload *pl)
{
	if (pl->way != WAY_BOUNCE)
		return;
	lose_payload(c, pl);
	client_buf_free(c, pl->bounce);
	pl->bounce = NULL;
	pl->way = WAY_INLINE;
}

/* The output of a request by ring is to go to the library's own memory, which is given up: then it
 * can be sent again like one by socket. */
static bool leave_bounce(struct kcf_client *c, struct pending *p)
{
	if (!p->by_ring || !p->can_resend || p->out.way == WAY_RANGES || p->mac.way == WAY_RANGES)
		return false;
	to_inline(c, &p->out);
	to_inline(c, &p->mac);
	return true;
}

void client_resume(struct kcf_client *c, bool same_daemon)
{
	struct pending *p, *next;

	c->held_units = 0;
	for (p = c->pending.first; p; p = next) {
		enum kcf_status st = KCF_NO_DAEMON;

		next = p->next;
		if (p->state != PENDING_HELD)
			continue;
		if (same_daemon && writes_arena(p) && !leave_bounce(c, p))
			client_lose_buffers(c, p);
		else if (p->cancel)
			st = KCF_CANCELED;
		else if (p->can_resend)
			st = op_resend(c, p);
		if (st == KCF_BUSY && p->units > c->held_units)
			c->held_units = p->units;
		if (st != KCF_BUSY && st != KCF_SUCCESS)
			op_finish(c, p, st);
	}
}

static void go_up(struct kcf_client *c)
{
	bool same = c->last_daemon_id == c->daemon_id;

	c->state = CLIENT_UP;
	c->up_since = client_now();
	c->last_daemon_id = c->daemon_id;
	if (c->was_up)
		client_push_event(c, KCF_EVENT_DAEMON_REGAINED, NULL, NULL, 0);
	c->was_up = true;
	if (c->n_ring_slots)
		client_ring_ask(c);
	client_resume(c, same);
	ring_slots_end(c, UINT64_MAX, KCF_NO_DAEMON, same);
	client_ask_room(c);
	client_flush(c);
}

/* A fresh connection has room for these few bytes; a segment that does not get through stays
 * detached. */
static void offer_segments(struct kcf_client *c)
{
	unsigned i;

	for (i = 0; i < c->arena.n_segments; i++) {
		struct segment *s = c->arena.segments[i];
		struct wire_msg msg = {.type = FRAME_ARENA_OFFER,
				       .arena = {.segment = s->number, .size = s->size}};
		struct pending *p = pending_new(&c->pending, PENDING_OFFER);

		if (!p)
			return;
		pending_open(&c->pending, p);
		s->offer_id = p->id;
		if (client_send_fd(c, &msg, p->id, s->fd) < 0) {
			s->offer_id = 0;
			pending_free(&c->pending, p);
			continue;
		}
		c->n_offers++;
	}
}

bool client_on_hello(struct kcf_client *c, const struct wire_hello_reply *r)
{
	bool ok;

	if (r->max_request > MAX_REQUEST || r->max_inline > WIRE_MAX_INLINE)
		return false;
	if (r->version != FRAME_VERSION) {
		c->refusal = KCF_VERSION_MISMATCH;
		return false;
	}
	ok = attach(c, r);
	pthread_mutex_lock(&c->lock);
	c->daemon_id = r->daemon_id;
	c->features = r->features;
	__atomic_store_n(&c->max_request, r->max_request, __ATOMIC_RELAXED);
	__atomic_store_n(&c->max_inline, r->max_inline, __ATOMIC_RELAXED);
	if (ok) {
		c->n_offers = 0;
		c->state = CLIENT_OFFER;
		offer_segments(c);
		if (c->n_offers == 0)
			go_up(c);
	}
	pthread_mutex_unlock(&c->lock);
	return ok;
}

void client_offer_answered(struct kcf_client *c)
{
	if (c->n_offers && --c->n_offers == 0 && c->state == CLIENT_OFFER)
		go_up(c);
}

/* ---- loss ---- */

static void lose_request(struct kcf_client *c, struct pending *p, bool again)
{
	if (pending_kind_is_own(p->kind)) {
		pending_free(&c->pending, p);
	} else if (p->timed_out) {
		client_lose_buffers(c, p);
		op_finish(c, p, KCF_TIMED_OUT);
	} else if (p->state == PENDING_HELD) {
		return;
	} else if (again && p->kind == PENDING_OP && (p->can_resend || writes_arena(p))) {
		uint64_t until = client_now() + CLIENT_HOLD;

		if (p->deadline && p->deadline < until)
			until = p->deadline;
		p->state = PENDING_HELD;
		p->held_until = until;
		if (!c->next_deadline || until < c->next_deadline)
			c->next_deadline = until;
	} else {
		client_lose_buffers(c, p);
		op_finish(c, p, KCF_NO_DAEMON);
	}
}

static void close_socket(struct kcf_client *c)
{
	client_ring_drop(c); /* nobody puts anything any more */
	client_tx_reset(c);  /* nor sends */
	if (c->epfd >= 0)
		epoll_ctl(c->epfd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	c->broken = c->in_armed = c->out_armed = false;
	c->rearm_at = 0;
	pthread_mutex_unlock(&c->lock);
	client_rx_reset(c);
	direct_detach(c->direct);
	pthread_mutex_lock(&c->lock);
	arena_detach(&c->arena);
}

void client_disconnect(struct kcf_client *c, bool again)
{
	bool was_up = c->state == CLIENT_UP;
	struct pending *p, *next;

	c->state = CLIENT_DOWN; /* from here on nothing new is sent */
	if (c->fd >= 0)
		close_socket(c);
	for (p = c->pending.first; p; p = next) {
		next = p->next;
		lose_request(c, p, again);
	}
	ring_slots_hold(c, again);
	client_drop_wants(c);
	if (was_up)
		client_push_event(c, KCF_EVENT_DAEMON_LOST, NULL, NULL, 0);
	if (was_up && client_now() - c->up_since >= CLIENT_BACKOFF_MAX)
		c->backoff = CLIENT_BACKOFF_MIN;
	if (again)
		schedule_connect(c);
	else
		c->state = CLIENT_OFF;
}
