/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An eventfd of our own and not a uv_async_t: the loop's side of that spins until the sender is
 * out of its call, which on one CPU is until the loop, just woken, gives that CPU back.
 */
#include "io/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct wake *w = poll->data;
	uint64_t count;

	/* Read first: what is posted from now on writes again. */
	if (read(w->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	wake_drain(w);
}

int wake_init(struct wake *w, uv_loop_t *loop)
{
	int err;

	*w = (struct wake){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (w->fd < 0)
		return -errno;
	err = uv_poll_init(loop, &w->poll, w->fd);
	if (err) {
		close(w->fd);
		return err;
	}
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, on_poll);
	uv_unref((uv_handle_t *)&w->poll);
	return 0;
}

static void ring(struct wake *w)
{
	const uint64_t one = 1;
	ssize_t n;

	do { /* EAGAIN: rung more often than a counter holds, so it is readable */
		n = write(w->fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

void wake_post(struct wake *w, struct wake_node *node)
{
	wake_post_chain(w, node, node);
}

void wake_post_chain(struct wake *w, struct wake_node *newest, struct wake_node *oldest)
{
	struct wake_node *old = __atomic_load_n(&w->head, __ATOMIC_RELAXED);

	/* Release: what the poster wrote is seen by the loop's acquiring exchange in wake_drain. */
	do {
		oldest->next = old;
	} while (!__atomic_compare_exchange_n(&w->head, &old, newest, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	if (!old)
		ring(w);
}

bool wake_drain(struct wake *w)
{
	struct wake_node *newest, *oldest = NULL;

	if (!__atomic_load_n(&w->head, __ATOMIC_RELAXED))
		return false;
	newest = __atomic_exchange_n(&w->head, NULL, __ATOMIC_ACQUIRE);
	while (newest) {
		struct wake_node *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest) {
		struct wake_node *next = oldest->next; /* the node may be gone after fn */

		oldest->fn(oldest);
		oldest = next;
	}
	if (w->drained)
		w->drained(w->arg);
	return true;
}

void wake_close(struct wake *w, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&w->poll, closed);
	close(w->fd);
	w->fd = -1;
}
