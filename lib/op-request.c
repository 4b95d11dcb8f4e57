/* SPDX-License-Identifier: Apache-2.0 */
/* op-request - what an application may ask about, and do to, its requests under way. Any thread. */
#include "client-core.h"

#include <string.h>

static struct pending *find(struct kcf_client *c, kcf_req_id id)
{
	struct pending *p = pending_find(&c->pending, id);

	return p && p->visible ? p : NULL;
}

/* True: answered here. */
static bool known_here(struct kcf_client *c, kcf_req_id id, struct kcf_req_info *ret,
		       enum kcf_status *ret_status)
{
	struct pending *p;
	bool here = true;

	*ret_status = KCF_SUCCESS;
	pthread_mutex_lock(&c->lock);
	p = find(c, id);
	if (!p)
		*ret_status = KCF_NOT_FOUND;
	else if (p->state == PENDING_DONE)
		ret->state = KCF_REQ_DONE;
	else if (p->state == PENDING_HELD || p->kind != PENDING_OP)
		ret->state = KCF_REQ_WAITING;
	else
		here = false;
	pthread_mutex_unlock(&c->lock);
	return here;
}

static enum kcf_status ask(struct kcf_client *c, kcf_req_id id, struct kcf_req_info *ret)
{
	struct wire_msg msg = {.type = FRAME_STATUS, .id = id}, reply;
	struct codec_arena arena;
	enum kcf_status st;

	codec_init(&arena);
	st = client_exchange(c, &msg, &arena, &reply, NULL);
	if (st == KCF_SUCCESS && reply.type != FRAME_STATUS_REPLY)
		st = KCF_PROTOCOL_ERROR;
	if (st == KCF_SUCCESS)
		st = (enum kcf_status)reply.status_reply.status;
	if (st == KCF_SUCCESS) {
		ret->state = (enum kcf_req_state)reply.status_reply.state;
		ret->position = reply.status_reply.position;
		ret->steps_done = reply.status_reply.steps_done;
		strncpy(ret->provider, direct_provider_name(c->direct, reply.status_reply.provider),
			sizeof(ret->provider) - 1);
	}
	codec_deinit(&arena);
	return st;
}

enum kcf_status kcf_request_status(struct kcf_client *client, kcf_req_id id,
				   struct kcf_req_info *ret)
{
	struct kcf_req_info info = {0};
	enum kcf_status st;

	if (!client || !ret)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	if (!known_here(client, id, &info, &st)) {
		st = ask(client, id, &info);
		/* Its answer came before ours: then it is done here, or its callback has run. */
		if (st == KCF_NOT_FOUND)
			known_here(client, id, &info, &st);
	}
	if (st == KCF_SUCCESS)
		*ret = info;
	return st;
}

enum kcf_status kcf_cancel(struct kcf_client *client, kcf_req_id id)
{
	struct wire_msg msg = {.type = FRAME_CANCEL, .id = id};
	enum kcf_status st = KCF_SUCCESS;
	struct pending *p;

	if (!client)
		return KCF_ARGUMENTS_BAD;
	client_enter(client);
	pthread_mutex_lock(&client->lock);
	p = find(client, id);
	if (!p) {
		st = KCF_NOT_FOUND;
	} else if (p->state == PENDING_HELD) {
		p->cancel = true;
		client->next_deadline = 1; /* the driver is to look now */
		client_timer(client, 1);
	} else if (p->state == PENDING_SENT) {
		client_tx_msg(client, &msg, 0, 0);
		if (!client_in_callback(client))
			client_flush(client);
	}
	pthread_mutex_unlock(&client->lock);
	return st;
}
