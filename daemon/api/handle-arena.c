/* SPDX-License-Identifier: Apache-2.0 */
/* ARENA_NEW, ARENA_OFFER, ARENA_FREE. */
#include "api/arena.h"
#include "api/handle.h"

void handle_arena_new(struct conn *c, const struct dispatch_frame *f)
{
	struct wire_msg msg = {.type = FRAME_ARENA_REPLY};
	static const bool owned[1] = {true};
	int fd;

	msg.arena.status =
		arena_new(c, f->msg->arena.size, &msg.arena.segment, &msg.arena.size, &fd);
	if (msg.arena.status == KCF_SUCCESS && !conn_send_fds(c, &fd, owned, 1))
		return;
	conn_send(c, &msg, f->h->id);
}

void handle_arena_offer(struct conn *c, const struct dispatch_frame *f)
{
	struct wire_msg msg = {.type = FRAME_ARENA_REPLY};

	msg.arena.size = f->msg->arena.size;
	msg.arena.status = arena_offer(c, conn_take_fd(c), f->msg->arena.size,
				       f->msg->arena.segment, &msg.arena.segment);
	conn_send(c, &msg, f->h->id);
}

void handle_arena_free(struct conn *c, const struct dispatch_frame *f)
{
	arena_free(c, f->msg->slot);
}
