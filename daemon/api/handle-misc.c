/* SPDX-License-Identifier: Apache-2.0 */
/* CANCEL, STATUS, MECH_FIND, WANT. */
#include <stdlib.h>
#include "api/handle.h"
#include "api/op.h"

#define FINDS_MAX 64u /* look-ups that wait for a module, per connection */

static struct request *find_request(struct conn *c, uint64_t id)
{
	struct pending *p = idmap_find(&c->pending, id);

	return p && p->kind == PENDING_OP ? container_of(p, struct op, pending)->request : NULL;
}

void handle_cancel(struct conn *c, const struct dispatch_frame *f)
{
	struct request *r = find_request(c, f->msg->id);

	if (r)
		sched_cancel(c->api->core, r);
}

void handle_status(struct conn *c, const struct dispatch_frame *f)
{
	struct wire_msg msg = {.type = FRAME_STATUS_REPLY};
	struct wire_status_reply *reply = &msg.status_reply;
	const struct request *r = find_request(c, f->msg->id);

	reply->status = r ? KCF_SUCCESS : KCF_NOT_FOUND;
	if (r) {
		reply->state = r->state == REQUEST_RUNNING ? KCF_REQ_RUNNING
			       : r->state == REQUEST_DONE  ? KCF_REQ_DONE
							   : KCF_REQ_WAITING;
		if (reply->state == KCF_REQ_WAITING)
			reply->position = sched_position(c->api->core, r);
		reply->steps_done = r->steps_done;
		reply->provider = r->provider_row1;
	}
	conn_send(c, &msg, f->h->id);
}

struct find {
	struct pending pending; /* first */
};

static void answer_find(struct conn *c, uint64_t id, enum kcf_status status, uint32_t number)
{
	struct wire_msg msg = {.type = FRAME_MECH_REPLY};

	msg.mech_reply.status = status;
	msg.mech_reply.mech = status == KCF_SUCCESS ? number : 0;
	conn_send(c, &msg, id);
}

static void on_found(void *arg, enum kcf_status status, uint32_t number)
{
	struct find *find = arg;
	struct conn *c = find->pending.conn;
	uint64_t id = find->pending.id;

	conn_pin(c);
	c->n_finds--;
	if (conn_pending_done(&find->pending))
		answer_find(c, id, status, number);
	free(find);
	conn_unpin(c);
}

void handle_mech_find(struct conn *c, const struct dispatch_frame *f)
{
	struct find *find;
	enum kcf_status status;
	uint32_t number = 0;

	if (c->n_finds >= FINDS_MAX) {
		answer_find(c, f->h->id, KCF_BUSY, 0);
		return;
	}
	find = calloc(1, sizeof(*find));
	if (!find || !conn_pending_add(c, &find->pending, PENDING_FIND, f->h->id)) {
		free(find);
		answer_find(c, f->h->id, KCF_HOST_MEMORY, 0);
		return;
	}
	status = mech_find(c->api->core, f->msg->name, on_found, find, &number);
	if (status == KCF_QUEUED) {
		c->n_finds++;
		return;
	}
	conn_pending_done(&find->pending);
	free(find);
	answer_find(c, f->h->id, status, number);
}

void handle_want(struct conn *c, const struct dispatch_frame *f)
{
	credit_want(&c->credit, f->msg->room.units, f->msg->room.provider);
	if (c->credit.wants)
		api_credit_waits(c->api);
}
