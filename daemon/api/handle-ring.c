/* SPDX-License-Identifier: Apache-2.0 */
/* RING_NEW. */
#include "api/conn-ring.h"
#include "api/handle.h"

static enum kcf_status open_ring(struct conn *c, uint32_t version, int fds[static 2])
{
	if (c->ring)
		return KCF_ALREADY_EXISTS;
	if (version != RING_VERSION)
		return KCF_VERSION_MISMATCH;
	return conn_ring_open(c, fds);
}

void handle_ring_new(struct conn *c, const struct dispatch_frame *f)
{
	struct wire_msg msg = {.type = FRAME_RING_REPLY};
	static const bool owned[2] = {true, true};
	int fds[2];

	if (!(c->features & FEATURE_RING)) {
		conn_fatal(c, KCF_PROTOCOL_ERROR, "a ring was not agreed upon");
		return;
	}
	msg.status = open_ring(c, f->msg->version, fds);
	if (msg.status == KCF_SUCCESS && !conn_send_fds(c, fds, owned, 2))
		return;
	conn_send(c, &msg, f->h->id);
}
