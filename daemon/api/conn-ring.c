/* SPDX-License-Identifier: Apache-2.0 */
#include "api/conn-ring.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "api/arena.h"
#include "api/entry.h"

/* ---- the bell ---- */

static void on_bell(uv_poll_t *poll, int status, int events)
{
	struct conn_ring *cr = poll->data;
	char bytes[256];
	ssize_t n = recv(cr->bell, bytes, sizeof(bytes), MSG_DONTWAIT);

	/* The client has closed its end. It cannot ring any more, but that is its own affair. */
	if (status < 0 || n == 0) {
		uv_poll_stop(poll);
		return;
	}
	if (n < 0)
		return;
	cr->count.bells_heard++;
	conn_ring_wake(cr);
}

/* A bell that is full has been rung. */
static void ring_bell(struct conn_ring *cr)
{
	if (send(cr->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		cr->count.bells_rung++;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
	struct conn_ring *cr = handle->data;

	cr->api->open--;
	free(cr);
}

static enum kcf_status watch_bell(struct conn_ring *cr, struct api *a, int fd)
{
	if (uv_poll_init(a->loop, &cr->poll, fd) != 0)
		return KCF_HOST_MEMORY;
	cr->bell = fd;
	cr->poll.data = cr;
	uv_poll_start(&cr->poll, UV_READABLE, on_bell);
	return KCF_SUCCESS;
}

/* The memory is charged. */
static enum kcf_status make(struct conn *c, int ret_fds[static 2])
{
	struct conn_ring *cr = calloc(1, sizeof(*cr));
	int bell[2], fd;

	if (!cr || ring_new(&cr->s, &fd) < 0) {
		free(cr);
		return KCF_HOST_MEMORY;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, bell) < 0)
		goto fail;
	if (watch_bell(cr, c->api, bell[0]) != KCF_SUCCESS) {
		close(bell[0]);
		close(bell[1]);
		goto fail;
	}
	list_init(&cr->awake);
	list_init(&cr->answered);
	cr->conn = c;
	cr->frame = 1;
	cr->api = c->api;
	cr->api->open++;
	c->ring = cr;
	ret_fds[0] = fd;
	ret_fds[1] = bell[1];
	return KCF_SUCCESS;
fail:
	close(fd);
	ring_free(&cr->s);
	free(cr);
	return KCF_HOST_MEMORY;
}

enum kcf_status conn_ring_open(struct conn *c, int ret_fds[static 2])
{
	enum kcf_status status = arena_charge(c, sizeof(struct ring));

	if (status != KCF_SUCCESS)
		return status;
	status = make(c, ret_fds);
	if (status != KCF_SUCCESS)
		arena_uncharge(c, sizeof(struct ring));
	return status;
}

static void give_units(struct conn_ring *cr)
{
	uint32_t units = cr->units_due;

	cr->units_due = 0;
	if (units)
		credit_done(&cr->conn->credit, units);
}

void conn_ring_close(struct conn *c)
{
	struct conn_ring *cr = c->ring;

	if (!cr)
		return;
	c->ring = NULL;
	give_units(cr);
	list_remove(&cr->awake);
	list_remove(&cr->answered);
	if (cr->keyless)
		tmpl_unref(cr->keyless);
	ring_free(&cr->s);
	arena_uncharge(c, sizeof(struct ring));
	rings_count_add(&cr->api->rings.closed, &cr->count);
	uv_poll_stop(&cr->poll);
	uv_close((uv_handle_t *)&cr->poll, on_closed);
	close(cr->bell);
}

/* ---- awake and asleep ---- */

void conn_ring_wake(struct conn_ring *cr)
{
	if (!list_empty(&cr->awake) || cr->api->stopping)
		return;
	ring_server_awake(&cr->s);
	rings_add(&cr->api->rings, cr);
}

bool conn_ring_sleep(struct conn_ring *cr)
{
	if (!ring_server_sleep(&cr->s))
		return false;
	list_remove(&cr->awake);
	return true;
}

/* ---- entries ---- */

unsigned conn_ring_take(struct conn_ring *cr, unsigned max)
{
	struct conn *c = cr->conn;
	struct quick_entries *quick = &c->api->quick;
	uint32_t begin = cr->s.taken;
	struct quick_entry *q;
	unsigned n = 0;

	conn_pin(c);
	while (cr->s.taken - begin < max) {
		if (quick_is_full(c->api->core))
			quick_entries_run(c->api);
		q = quick_entries_place(quick);
		if (!ring_take(&cr->s, &q->e, q->extra))
			break;
		n++;
		entry_take(c, q);
		if (!conn_is_open(c)) /* and the ring is gone */
			break;
	}
	if (conn_is_open(c)) {
		cr->count.entries += n;
		if (n)
			ring_taken(&cr->s);
		if (cr->s.broken)
			conn_fatal(c, KCF_PROTOCOL_ERROR,
				   "the ring: more places than there can be");
	}
	conn_unpin(c);
	return n;
}

void conn_ring_take_all(struct conn_ring *cr)
{
	struct api *a = cr->api;

	if (!ring_has_entry(&cr->s))
		return;
	conn_ring_take(cr, RING_ENTRIES);
	quick_entries_run(a);
}

/* ---- answers ---- */

static void mark_answered(struct conn_ring *cr)
{
	if (list_empty(&cr->answered))
		list_push(&cr->api->rings.answered, &cr->answered);
}

bool conn_ring_answer(struct conn_ring *cr, const struct ring_done *done)
{
	mark_answered(cr);
	if (!ring_answer(&cr->s, done)) {
		cr->count.by_socket++;
		return false;
	}
	cr->count.completions++;
	return true;
}

void conn_ring_units(struct conn_ring *cr, uint32_t units)
{
	cr->units_due += units;
	mark_answered(cr);
}

void conn_ring_show(struct conn_ring *cr)
{
	give_units(cr);
	if (cr->s.broken)
		conn_fatal(cr->conn, KCF_PROTOCOL_ERROR, "the ring: numbers that cannot be");
	else if (ring_flush(&cr->s))
		ring_bell(cr);
}
