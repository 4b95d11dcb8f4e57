/* SPDX-License-Identifier: Apache-2.0 */
#include "api/dispatch.h"

#include <string.h>
#include "api/conn-ring.h"
#include "api/handle.h"

#define D_BEFORE_HELLO 0x1 /* the one that comes first, and only then */
#define D_ANSWERED     0x2 /* needs an id that is not in use */
#define D_PAYLOAD      0x4 /* may have one */
#define D_FD           0x8 /* takes a descriptor */

struct dispatch_row {
	void (*handle)(struct conn *c, const struct dispatch_frame *f);
	unsigned flags;
};

static const struct dispatch_row rows[FRAME_TYPE_COUNT] = {
	[FRAME_HELLO] = {handle_hello, D_BEFORE_HELLO | D_ANSWERED},
	[FRAME_OP] = {handle_op, D_ANSWERED | D_PAYLOAD},
	[FRAME_TEMPLATE_ATTACH] = {handle_template_attach, D_ANSWERED},
	[FRAME_TEMPLATE_DROP] = {handle_template_drop, 0},
	[FRAME_CONTEXT_DROP] = {handle_context_drop, 0},
	[FRAME_KEY_OP] = {handle_key_op, D_ANSWERED},
	[FRAME_CANCEL] = {handle_cancel, 0},
	[FRAME_STATUS] = {handle_status, D_ANSWERED},
	[FRAME_MECH_FIND] = {handle_mech_find, D_ANSWERED},
	[FRAME_ARENA_NEW] = {handle_arena_new, D_ANSWERED},
	[FRAME_ARENA_OFFER] = {handle_arena_offer, D_ANSWERED | D_FD},
	[FRAME_ARENA_FREE] = {handle_arena_free, 0},
	[FRAME_WANT] = {handle_want, 0},
	[FRAME_ADMIN] = {handle_admin, D_ANSWERED},
	[FRAME_RING_NEW] = {handle_ring_new, D_ANSWERED},
};

/* NULL, or why the frame may not come now. */
static const char *objection(const struct conn *c, const struct dispatch_row *row,
			     const struct frame_header *h)
{
	if (!row->handle)
		return "a frame type that clients do not send";
	if (c->state == CONN_NEW && !(row->flags & D_BEFORE_HELLO))
		return "a frame before hello";
	if (c->state == CONN_SERVED && (row->flags & D_BEFORE_HELLO))
		return "a second hello";
	if (h->payload_len && !(row->flags & D_PAYLOAD))
		return "a payload where there is none";
	if ((row->flags & D_FD) && c->n_fds == 0)
		return "a frame without its descriptor";
	if (!(row->flags & D_ANSWERED))
		return NULL;
	if (h->id == 0)
		return "an id of 0 where an answer is due";
	if (idmap_find(&c->pending, h->id))
		return "an id that is still in use";
	return NULL;
}

void dispatch_frame(struct conn *c, const struct frame_header *h, uint8_t *body)
{
	struct codec_arena *arena = &c->api->arena;
	const struct dispatch_row *row = &rows[h->type];
	const char *why;
	struct wire_msg msg;
	struct dispatch_frame f = {h, &msg, body + h->msg_len};

	/* what was published before the frame was sent comes before it */
	if (c->ring)
		conn_ring_take_all(c->ring);
	if (!conn_is_open(c))
		return;
	if (c->ring) /* what entries named may change now */
		c->ring->frame++;
	why = objection(c, row, h);
	if (why) {
		conn_fatal(c, KCF_PROTOCOL_ERROR, "%s: %s", frame_type_name(h->type), why);
		return;
	}
	if (!codec_decode(arena, h->type, body, h->msg_len, &msg))
		conn_fatal(c, KCF_PROTOCOL_ERROR, "%s: malformed message",
			   frame_type_name(h->type));
	else
		row->handle(c, &f);
	codec_reset(arena);
	if (conn_is_open(c)) /* else its buffer is gone, and was wiped */
		explicit_bzero(body, h->msg_len);
}
