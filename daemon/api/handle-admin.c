/* SPDX-License-Identifier: Apache-2.0 */
/* ADMIN: permission, one call after the other as they come, and the answer in one frame. */
#include <stdlib.h>
#include <string.h>
#include "api/admin.h"
#include "api/handle.h"

static void send_answer(struct conn *c, uint64_t id, enum kcf_status status, const char *error,
			const struct json *j)
{
	struct wire_msg msg = {.type = FRAME_ADMIN_REPLY};
	struct iovec payload = {NULL, 0};

	if (j && !j->len && !j->failed)
		j = NULL; /* nothing to say */
	if (status == KCF_SUCCESS && j && !json_ok(j)) {
		status = KCF_HOST_MEMORY;
		error = "out of memory for the answer";
	} else if (status == KCF_SUCCESS && j && j->len > FRAME_ADMIN_PAYLOAD_MAX) {
		status = KCF_BUFFER_TOO_BIG;
		error = "the answer has more than 4 MiB; ask for less";
	} else if (status == KCF_SUCCESS && j) {
		payload = (struct iovec){j->text, j->len};
	}
	msg.admin_reply.status = status;
	msg.admin_reply.error = status == KCF_SUCCESS ? ""
				: error && *error     ? error
						      : kcf_strstatus(status);
	conn_send_payload(c, &msg, id, &payload, payload.iov_len ? 1 : 0);
}

void admin_answer(struct admin_call *call, enum kcf_status status)
{
	struct conn *c = call->conn;
	uint64_t id = call->pending.id;

	conn_pin(c);
	if (conn_pending_done(&call->pending))
		send_answer(c, id, status, call->error, &call->json);
	json_deinit(&call->json);
	free(call);
	conn_unpin(c);
}

void handle_admin(struct conn *c, const struct dispatch_frame *f)
{
	const struct wire_admin *m = &f->msg->admin;
	struct admin_call *call;
	enum kcf_status status;

	if (!admin_is_allowed(c)) {
		send_answer(c, f->h->id, KCF_PERMISSION_DENIED,
			    "commands are for root and for the user kcfd runs as", NULL);
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call || !conn_pending_add(c, &call->pending, PENDING_ADMIN, f->h->id)) {
		free(call);
		send_answer(c, f->h->id, KCF_HOST_MEMORY, NULL, NULL);
		return;
	}
	call->conn = c;
	call->args = m->args;
	call->n_args = m->n_args;
	json_init(&call->json);
	status = admin_run(call, m->command);
	if (status != KCF_QUEUED)
		admin_answer(call, status);
}
