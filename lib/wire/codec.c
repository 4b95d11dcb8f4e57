/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: one table of message types, packing and unpacking. The rows' functions live in codec-op, codec-key
 * and codec-msg. A new message is a row.
 */
#include "codec-priv.h"

size_t codec_pack(const ProtobufCMessage *m, uint8_t *buf, size_t room)
{
	if (protobuf_c_message_get_packed_size(m) > room)
		return SIZE_MAX;
	return protobuf_c_message_pack(m, buf);
}

size_t codec_pack_bounded(const ProtobufCMessage *m, size_t bound, uint8_t *buf, size_t room)
{
	return bound <= room ? protobuf_c_message_pack(m, buf) : codec_pack(m, buf, room);
}

bool codec_name_ok(const char *s, size_t max)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++) {
		if (i == max || (unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	}
	return true;
}

#define ROW(type, message, functions)                                                              \
	[FRAME_##type] = {&kcf__wire__##message##__descriptor, codec_encode_##functions,           \
			  codec_decode_##functions}

static const struct codec_row rows[FRAME_TYPE_COUNT] = {
	ROW(HELLO, hello, plain),
	ROW(HELLO_REPLY, hello_reply, hello_reply),
	ROW(OP, op, op),
	ROW(OP_REPLY, op_reply, op_reply),
	ROW(OP_STEP, op_reply, op_reply),
	ROW(TEMPLATE_ATTACH, template_attach, attach),
	ROW(TEMPLATE_DROP, template_drop, plain),
	ROW(CONTEXT_DROP, context_drop, plain),
	ROW(KEY_OP, key_op, key_op),
	ROW(KEY_REPLY, key_reply, key_reply),
	ROW(CANCEL, cancel, plain),
	ROW(STATUS, status_query, plain),
	ROW(STATUS_REPLY, status_reply, plain),
	ROW(MECH_FIND, mech_find, plain),
	ROW(MECH_REPLY, mech_reply, plain),
	ROW(DONE, done, plain),
	ROW(ARENA_NEW, arena_new, plain),
	ROW(ARENA_OFFER, arena_offer, plain),
	ROW(ARENA_FREE, arena_free, plain),
	ROW(ARENA_REPLY, arena_reply, plain),
	ROW(RING_NEW, ring_new, plain),
	ROW(RING_REPLY, ring_reply, plain),
	ROW(WANT, want, plain),
	ROW(ROOM, room, plain),
	ROW(EVENT, event, plain),
	ROW(FATAL, fatal, plain),
	ROW(ADMIN, admin, admin),
	ROW(ADMIN_REPLY, admin_reply, plain),
};

const struct codec_row *codec_row_find(enum frame_type type)
{
	if ((unsigned)type >= FRAME_TYPE_COUNT || !rows[type].encode)
		return NULL;
	return &rows[type];
}

size_t codec_encode(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct codec_row *row = codec_row_find(msg->type);

	if (!row)
		return SIZE_MAX;
	return row->encode(msg, buf, room < FRAME_MESSAGE_MAX ? room : FRAME_MESSAGE_MAX);
}

size_t codec_encode_frame(const struct wire_msg *msg, uint64_t id, uint64_t deadline_us,
			  uint32_t payload_len, uint8_t *buf, size_t room)
{
	struct frame_header h = {.type = msg->type, .payload_len = payload_len, .id = id,
				 .deadline_us = deadline_us};
	size_t len;

	if (room < FRAME_HEADER_LEN)
		return SIZE_MAX;
	len = codec_encode(msg, buf + FRAME_HEADER_LEN, room - FRAME_HEADER_LEN);
	if (len == SIZE_MAX)
		return SIZE_MAX;
	h.msg_len = (uint32_t)len;
	frame_put(buf, &h);
	return FRAME_HEADER_LEN + len;
}

bool codec_decode(struct codec_arena *arena, enum frame_type type, const uint8_t *buf, size_t len,
		  struct wire_msg *ret)
{
	const struct codec_row *row = codec_row_find(type);
	const ProtobufCMessage *m;

	if (!row || len > FRAME_MESSAGE_MAX)
		return false;
	m = codec_unpack(arena, row->descriptor, buf, len);
	if (!m)
		return false;
	ret->type = type;
	return row->decode(arena, m, ret);
}
