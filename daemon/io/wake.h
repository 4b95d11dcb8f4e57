/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wake - the mailbox through which other threads talk to the loop.
 *
 * Any thread posts a node; the loop runs its function, in the order of posting. A node is its
 * poster's until posted and the loop's afterwards, and is in one mailbox once at most. Posting is
 * one exchange, plus one wake-up when the mailbox was empty; nothing is allocated.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct wake_node {
	struct wake_node *next;
	void (*fn)(struct wake_node *node); /* on the loop; may post or free the node */
};

struct wake {
	struct wake_node *head; /* atomic: newest first */
	int fd;                 /* eventfd */
	uv_poll_t poll;
	void (*drained)(void *arg); /* after each run, or NULL */
	void *arg;
};

/* 0 or negative errno. The handle does not keep the loop alive. Thread: loop. */
int wake_init(struct wake *w, uv_loop_t *loop);
/* Thread: any. */
void wake_post(struct wake *w, struct wake_node *node);
/* Several with one wake-up: newest, linked by next to those before it, down to oldest. Thread: any.
 */
void wake_post_chain(struct wake *w, struct wake_node *newest, struct wake_node *oldest);
/* Run what was posted; true if there was something. Thread: loop. */
bool wake_drain(struct wake *w);
/* Was something posted? Thread: loop. */
static inline bool wake_is_due(const struct wake *w)
{
	return __atomic_load_n(&w->head, __ATOMIC_RELAXED);
}
/* Nobody posts any more. closed runs when the storage may be reused. Thread: loop. */
void wake_close(struct wake *w, uv_close_cb closed);
