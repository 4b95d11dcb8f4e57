/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life and its reading side; what it sends is in conn-send.c. */
#include "api/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/arena.h"
#include "api/caller.h"
#include "api/conn-private.h"
#include "api/conn-ring.h"
#include "api/context-table.h"
#include "api/dispatch.h"
#include "table/page.h"

/* Room for a read at least, so that a frame at the end of the buffer does not make reads small. */
#define READ_MIN (16u * 1024)

void conn_set_state(struct conn *c, enum conn_state state)
{
	assert((c->state == CONN_NEW && state != CONN_NEW) ||
	       (c->state == CONN_SERVED && state == CONN_CLOSED));
	c->state = state;
}

void conn_log(const struct conn *c, struct log_about *ret)
{
	*ret = (struct log_about){.connection = c->id, .uid = c->uid, .has_uid = true};
}

static void log_conn(const struct conn *c, const char *what)
{
	struct log_about about;

	conn_log(c, &about);
	log_line(KCF_LOG_DEBUG, &about, "%s", what);
}

/* ---- pins ---- */

void conn_pin(struct conn *c)
{
	c->pins++;
}

static void free_unused(struct conn *c)
{
	if (c->pins || !c->poll_closed)
		return;
	c->api->n_closing--;
	c->api->open--;
	free(c);
}

/* The consumer goes with the last pin, not with libuv's handle: when kcfd ends, the core is gone
 * before that is. */
void conn_unpin(struct conn *c)
{
	assert(c->pins > 0);
	if (--c->pins)
		return;
	assert(c->state == CONN_CLOSED && list_empty(&c->requests));
	consumer_put(c->consumer);
	free_unused(c);
}

bool conn_pending_add(struct conn *c, struct pending *p, enum pending_kind kind, uint64_t id)
{
	*p = (struct pending){kind, c, id};
	if (!idmap_add(&c->pending, id, p))
		return false;
	conn_pin(c);
	return true;
}

bool conn_pending_done(struct pending *p)
{
	struct conn *c = p->conn;
	bool open = conn_is_open(c);

	if (open)
		idmap_remove(&c->pending, p->id);
	conn_unpin(c);
	return open;
}

/* ---- what is watched ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

void conn_watch(struct conn *c)
{
	int events = UV_DISCONNECT;

	if (!conn_is_open(c))
		return;
	if (!c->paused && !c->api->stopping)
		events |= UV_READABLE;
	if (out_len(&c->out))
		events |= UV_WRITABLE;
	if (events == c->events)
		return;
	c->events = events;
	uv_poll_start(&c->poll, events, on_poll);
}

/* ---- reading ---- */

static void take_fds(struct conn *c, struct msghdr *m)
{
	bool too_many = m->msg_flags & MSG_CTRUNC;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		unsigned n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		int fd;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (c->n_fds < WIRE_MAX_FDS) {
				c->fds[c->n_fds++] = fd;
			} else {
				close(fd);
				too_many = true;
			}
		}
	}
	if (too_many)
		conn_fatal(c, KCF_PROTOCOL_ERROR, "more than %u descriptors waiting", WIRE_MAX_FDS);
}

int conn_take_fd(struct conn *c)
{
	int fd;

	if (c->n_fds == 0)
		return -1;
	fd = c->fds[0];
	memmove(c->fds, c->fds + 1, --c->n_fds * sizeof(int));
	return fd;
}

/* > 0 bytes read; 0: nothing there; < 0: the end. */
static ssize_t read_some(struct conn *c)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n;

	if (!iobuf_reserve(&c->in, READ_MIN))
		return -1;
	iov = (struct iovec){iobuf_data(&c->in) + c->in.len, iobuf_space(&c->in)};
	n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n > 0)
		iobuf_commit(&c->in, (size_t)n);
	if (m.msg_controllen)
		take_fds(c, &m);
	return n > 0 ? n : -1;
}

static void bad_header(struct conn *c, enum frame_result res)
{
	static const char *const why[] = {
		[FRAME_BAD_MAGIC] = "not a kcf frame",
		[FRAME_BAD_VERSION] = "frame version not known",
		[FRAME_BAD_LENGTH] = "frame longer than permitted",
		[FRAME_BAD_TYPE] = "frame type not known",
	};

	conn_fatal(c, res == FRAME_BAD_VERSION ? KCF_VERSION_MISMATCH : KCF_PROTOCOL_ERROR, "%s",
		   why[res]);
}

/* The next whole frame: its length, or 0 when there is none. */
static size_t next_frame(struct conn *c, struct frame_header *h)
{
	enum frame_result res;
	size_t len;

	if (c->in.len == 0)
		return 0;
	res = frame_get(iobuf_data(&c->in), c->in.len, FRAME_PAYLOAD_MAX, h);
	if (res == FRAME_MORE)
		return 0;
	if (res != FRAME_OK) {
		bad_header(c, res);
		return 0;
	}
	len = frame_len(h);
	if (len <= c->in.len)
		return len;
	if (!iobuf_reserve(&c->in, len - c->in.len))
		conn_fatal(c, KCF_HOST_MEMORY, "out of memory");
	return 0;
}

bool conn_has_room_out(const struct conn *c)
{
	return out_len(&c->out) < OUT_PAUSE && c->out.n_fds < OUT_PAUSE_FDS;
}

/* A frame that has begun must end in time, and so must hello. */
static void watch_time(struct conn *c)
{
	bool waits = c->state == CONN_NEW || (c->in.len && !c->paused);

	if (!waits && !list_empty(&c->timed))
		list_remove(&c->timed);
	else if (waits && list_empty(&c->timed))
		api_time_conn(c->api, c);
}

void conn_parse(struct conn *c)
{
	struct frame_header h;
	size_t len;
	bool any = false;

	conn_pin(c);
	while (conn_is_open(c) && !c->broken && conn_has_room_out(c) &&
	       (len = next_frame(c, &h)) > 0) {
		dispatch_frame(c, &h, iobuf_data(&c->in) + h.header_len);
		if (!conn_is_open(c))
			break;
		iobuf_consume(&c->in, len);
		any = true;
	}
	if (conn_is_open(c)) {
		c->paused = !conn_has_room_out(c);
		if (c->in.len == 0) {
			iobuf_reset(&c->in);
			if (c->n_fds)
				conn_fatal(c, KCF_PROTOCOL_ERROR,
					   "descriptors that no frame takes");
		}
		/* Each frame has a time of its own. */
		if (any && c->state == CONN_SERVED)
			list_remove(&c->timed);
		watch_time(c);
		conn_watch(c);
	}
	conn_unpin(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;
	struct api *a = c->api;

	if (status < 0) {
		conn_close(c);
		return;
	}
	conn_pin(c);
	if (events & UV_WRITABLE)
		conn_flush(c);
	if (conn_is_open(c) && (events & UV_READABLE) && !c->paused) {
		ssize_t n = read_some(c);

		if (n < 0)
			conn_close(c);
		else if (n > 0 && conn_is_open(c))
			conn_parse(c);
	} else if (conn_is_open(c) && (events & UV_DISCONNECT)) {
		conn_close(c);
	}
	conn_unpin(c); /* may have been the last */
	api_pace(a);
}

/* ---- life ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	c->poll_closed = true;
	free_unused(c);
}

struct conn *conn_new(struct api *a, int fd, uid_t uid, gid_t gid, struct consumer *consumer)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || uv_poll_init(a->loop, &c->poll, fd) != 0) {
		free(c);
		close(fd);
		return NULL;
	}
	c->api = a;
	c->fd = fd;
	c->page_fd = -1;
	c->uid = uid;
	c->gid = gid;
	c->consumer = consumer;
	c->id = ++a->last_conn;
	c->poll.data = c;
	c->pins = 1; /* until it closes */
	list_init(&c->dirty);
	list_init(&c->timed);
	list_init(&c->requests);
	iobuf_init(&c->in, &a->bufs);
	out_init(&c->out, &a->bufs);
	list_push(&a->conns, &c->link);
	a->n_conns++;
	a->open++;
	watch_time(c);
	conn_watch(c);
	log_conn(c, "connected");
	return c;
}

/* Contexts first, so that what waits on them is answered in order; then all other requests. */
static void cancel_all(struct conn *c)
{
	struct list canceled;
	struct list *l;

	context_table_clear(c);
	list_init(&canceled);
	/* Canceling one may complete others: each is taken off the list before. */
	while ((l = list_pop(&c->requests))) {
		struct request *r = list_entry(l, struct request, conn_link);

		list_push(&canceled, l);
		sched_cancel(c->api->core, r);
	}
	list_splice(&c->requests, &canceled);
}

static void drop_templates(struct conn *c)
{
	uint64_t slot;
	struct tmpl *t;

	while ((t = idmap_any(&c->templates, &slot))) {
		idmap_remove(&c->templates, slot);
		tmpl_unref(t);
	}
	idmap_deinit(&c->templates);
}

static void drop_page(struct conn *c)
{
	if (!c->page)
		return;
	caller_fold(c, true);
	credit_close(&c->credit);
	page_unmap(c->page);
	close(c->page_fd);
	c->page = NULL;
	c->page_fd = -1;
}

static void close_socket(struct conn *c)
{
	uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	close(c->fd);
	c->fd = -1;
	while (c->n_fds)
		close(conn_take_fd(c));
	out_deinit(&c->out);
	iobuf_reset(&c->in);
	list_remove(&c->dirty);
	list_remove(&c->timed);
}

void conn_close(struct conn *c)
{
	struct api *a = c->api;
	bool served = c->state == CONN_SERVED;

	if (!conn_is_open(c))
		return;
	quick_entries_run(a); /* what is kept refers to its connection */
	conn_set_state(c, CONN_CLOSED);
	log_conn(c, "disconnected");
	list_remove(&c->link);
	a->n_conns--;
	a->n_closing++;
	close_socket(c);
	cancel_all(c);
	conn_ring_close(c);
	idmap_deinit(&c->pending);
	drop_templates(c);
	key_destroy_owner(a->core, c);
	arena_close(c);
	drop_page(c);
	if (served)
		consumer_label_put(c->consumer, c->label_number);
	consumer_uncharge(c->consumer, CHARGE_CONNECTION, 1);
	conn_unpin(c);
}

void conn_drain(struct conn *c)
{
	list_remove(&c->timed);
	conn_watch(c);
}
