/* SPDX-License-Identifier: Apache-2.0 */
#include "io/wake.h"

#include <stddef.h>

static void on_async(uv_async_t *async)
{
	struct wake *w = async->data;

	wake_drain(w);
}

int wake_init(struct wake *w, uv_loop_t *loop)
{
	int err;

	*w = (struct wake){0};
	err = uv_async_init(loop, &w->async, on_async);
	if (err)
		return err;
	w->async.data = w;
	uv_unref((uv_handle_t *)&w->async);
	return 0;
}

void wake_post(struct wake *w, struct wake_node *node)
{
	struct wake_node *old = __atomic_load_n(&w->head, __ATOMIC_RELAXED);

	/* Release: what the poster wrote is seen by the loop's acquiring exchange in wake_drain. */
	do {
		node->next = old;
	} while (!__atomic_compare_exchange_n(&w->head, &old, node, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	if (!old)
		uv_async_send(&w->async);
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
	uv_close((uv_handle_t *)&w->async, closed);
}
