/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection sends. Appending never closes it, so that callers need not expect that;
 * flushing may. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "api/conn-private.h"
#include "api/conn-ring.h"

/* What a message from kcfd needs at most: a text of WIRE_MAX_TEXT, 64 step lengths, or names and
 * numbers; only a public key may be longer. */
#define MESSAGE_ROOM   4096u
#define KEY_REPLY_ROOM (WIRE_MAX_KEY + 256u)

static void mark_dirty(struct conn *c)
{
	if (list_empty(&c->dirty))
		list_push(&c->api->dirty, &c->dirty);
}

static void mark_broken(struct conn *c, const char *why)
{
	struct log_about about;

	if (!c->broken) {
		conn_log(c, &about);
		log_client(KCF_LOG_WARNING, &about, "connection closed: %s", why);
	}
	c->broken = true;
	mark_dirty(c);
}

void conn_send_payload(struct conn *c, const struct wire_msg *msg, uint64_t id,
		       const struct iovec *payload, unsigned n)
{
	size_t room = msg->type == FRAME_KEY_REPLY ? KEY_REPLY_ROOM : MESSAGE_ROOM;
	size_t payload_len = 0, len;
	uint8_t *to;

	if (!conn_is_open(c) || c->broken)
		return;
	for (unsigned i = 0; i < n; i++)
		payload_len += payload[i].iov_len;
	if (out_len(&c->out) + payload_len > OUT_MAX) {
		mark_broken(c, "it does not read its answers");
		return;
	}
	to = iobuf_reserve(&c->out.buf, FRAME_HEADER_LEN + room + payload_len);
	if (!to) {
		mark_broken(c, "out of memory");
		return;
	}
	len = codec_encode_frame(msg, id, 0, (uint32_t)payload_len, to, FRAME_HEADER_LEN + room);
	if (len == SIZE_MAX) {
		mark_broken(c, "an answer could not be encoded");
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (payload[i].iov_len)
			memcpy(to + len, payload[i].iov_base, payload[i].iov_len);
		len += payload[i].iov_len;
	}
	iobuf_commit(&c->out.buf, len);
	mark_dirty(c);
}

void conn_send(struct conn *c, const struct wire_msg *msg, uint64_t id)
{
	conn_send_payload(c, msg, id, NULL, 0);
}

bool conn_send_fds(struct conn *c, const int *fds, const bool *owned, unsigned n)
{
	bool ok = out_add_fds(&c->out, fds, owned, n);

	if (!ok)
		mark_broken(c, "out of memory");
	return ok;
}

void conn_flush(struct conn *c)
{
	int r;

	list_remove(&c->dirty);
	if (!conn_is_open(c))
		return;
	r = out_flush(&c->out, c->fd);
	if (c->broken || (r < 0 && r != -EAGAIN)) {
		conn_close(c);
		return;
	}
	/* it was left aside while too much was to be written */
	if (c->ring && conn_has_room_out(c) && ring_has_entry(&c->ring->s))
		conn_ring_wake(c->ring);
	if (c->paused && !c->api->stopping && conn_has_room_out(c))
		conn_parse(c);
	else
		conn_watch(c);
}

void conn_fatal(struct conn *c, enum kcf_status status, const char *fmt, ...)
{
	struct wire_msg msg = {.type = FRAME_FATAL};
	struct log_about about;
	char text[256];
	va_list args;

	if (!conn_is_open(c))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	msg.fatal.status = status;
	msg.fatal.text = text;
	conn_send(c, &msg, 0);
	conn_log(c, &about);
	log_client(KCF_LOG_WARNING, &about, "connection closed: %s", text);
	out_flush(&c->out, c->fd);
	conn_close(c);
}
