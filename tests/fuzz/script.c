/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"
#include "fuzz.h"

#include <string.h>

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* An OP that would be refused for its units or payload length alone is made right. */
static bool fixed_op(const uint8_t *message, size_t len, struct script_frame *f, uint8_t id,
		     uint64_t deadline_us)
{
	static struct codec_arena arena;
	struct wire_msg msg;
	size_t n, payload;
	uint32_t i;

	if (!codec_decode(&arena, FRAME_OP, message, len, &msg)) {
		codec_reset(&arena);
		return false;
	}
	msg.op.units = codec_op_units(&msg.op);
	payload = msg.op.n_steps ? 0 : msg.op.in_len + msg.op.check_len;
	for (i = 0; i < msg.op.n_steps; i++)
		payload += msg.op.steps[i].in_len;
	n = codec_encode_frame(&msg, id, deadline_us, (uint32_t)payload, f->bytes,
			       FRAME_HEADER_LEN + FRAME_MESSAGE_MAX);
	codec_reset(&arena);
	if (n == SIZE_MAX)
		return false;
	memset(f->bytes + n, id, payload);
	f->len = n + payload;
	return true;
}

bool script_next(struct script *s, struct script_frame *ret)
{
	struct frame_header h = {0};
	const uint8_t *message = s->p + SCRIPT_RECORD_LEN;
	uint8_t id;

	if (s->len < SCRIPT_RECORD_LEN)
		return false;
	h.type = s->p[0] % (FRAME_TYPE_COUNT + 1);
	ret->flags = s->p[1];
	h.id = id = s->p[2];
	h.deadline_us = ret->flags & SCRIPT_DEADLINE ? 1000 : 0;
	h.msg_len = get16(s->p + 3);
	h.payload_len = get16(s->p + 5);
	s->p += SCRIPT_RECORD_LEN;
	s->len -= SCRIPT_RECORD_LEN;
	if (h.msg_len > s->len)
		h.msg_len = (uint32_t)s->len;
	s->p += h.msg_len;
	s->len -= h.msg_len;
	if (h.payload_len > s->len)
		h.payload_len = (uint32_t)s->len;
	s->p += h.payload_len;
	s->len -= h.payload_len;
	if (ret->flags & SCRIPT_RAW) {
		memcpy(ret->bytes, message, h.msg_len);
		ret->len = h.msg_len;
		return true;
	}
	if (h.type == FRAME_OP && (ret->flags & SCRIPT_FIX) &&
	    fixed_op(message, h.msg_len, ret, id, h.deadline_us))
		return true;
	frame_put(ret->bytes, &h);
	memcpy(ret->bytes + FRAME_HEADER_LEN, message, h.msg_len + h.payload_len);
	ret->len = FRAME_HEADER_LEN + h.msg_len + h.payload_len;
	return true;
}

size_t script_put(uint8_t *buf, size_t len, const struct wire_msg *msg, uint8_t flags, uint8_t id,
		  const void *payload, uint16_t payload_len)
{
	uint8_t *p = buf + len;
	size_t n = codec_encode(msg, p + SCRIPT_RECORD_LEN, UINT16_MAX);

	FUZZ_PROMISE(n <= UINT16_MAX);
	p[0] = (uint8_t)msg->type;
	p[1] = flags;
	p[2] = id;
	p[3] = (uint8_t)n;
	p[4] = (uint8_t)(n >> 8);
	p[5] = (uint8_t)payload_len;
	p[6] = (uint8_t)(payload_len >> 8);
	if (payload_len)
		memcpy(p + SCRIPT_RECORD_LEN + n, payload, payload_len);
	return len + SCRIPT_RECORD_LEN + n + payload_len;
}
