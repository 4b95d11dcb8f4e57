/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame header, byte by byte:
 *
 *   0 magic u32, 4 version u16, 6 header_len u16, 8 type u16, 10 flags u16, 12 msg_len u32,
 *   16 payload_len u32, 20 reserved u32 (sent as 0, ignored), 24 id u64, 32 deadline_us u64
 *
 * A wrong magic or version is reported as soon as its bytes are there, so that a peer that speaks something
 * else is not waited for.
 */
#include "wire/frame.h"

#include <endian.h>
#include <string.h>

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void put16(uint8_t *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

void frame_put(uint8_t *buf, const struct frame_header *h)
{
	put32(buf, FRAME_MAGIC);
	put16(buf + 4, FRAME_VERSION);
	put16(buf + 6, FRAME_HEADER_LEN);
	put16(buf + 8, h->type);
	put16(buf + 10, h->flags);
	put32(buf + 12, h->msg_len);
	put32(buf + 16, h->payload_len);
	put32(buf + 20, 0);
	put64(buf + 24, h->id);
	put64(buf + 32, h->deadline_us);
}

enum frame_result frame_get(const uint8_t *buf, size_t len, uint32_t payload_max,
			    struct frame_header *ret)
{
	struct frame_header h;

	if (len < 4)
		return FRAME_MORE;
	if (get32(buf) != FRAME_MAGIC)
		return FRAME_BAD_MAGIC;
	if (len < 6)
		return FRAME_MORE;
	h.version = get16(buf + 4);
	if (h.version != FRAME_VERSION)
		return FRAME_BAD_VERSION;
	if (len < FRAME_HEADER_LEN)
		return FRAME_MORE;
	h.header_len = get16(buf + 6);
	h.type = get16(buf + 8);
	h.flags = get16(buf + 10);
	h.msg_len = get32(buf + 12);
	h.payload_len = get32(buf + 16);
	h.id = get64(buf + 24);
	h.deadline_us = get64(buf + 32);
	if (h.header_len < FRAME_HEADER_LEN || h.header_len > FRAME_HEADER_MAX ||
	    h.msg_len > FRAME_MESSAGE_MAX || h.payload_len > payload_max)
		return FRAME_BAD_LENGTH;
	if (h.type == 0 || h.type >= FRAME_TYPE_COUNT)
		return FRAME_BAD_TYPE;
	if (len < h.header_len)
		return FRAME_MORE;
	*ret = h;
	return FRAME_OK;
}

static const char *const type_names[FRAME_TYPE_COUNT] = {
	[FRAME_HELLO] = "HELLO",
	[FRAME_HELLO_REPLY] = "HELLO_REPLY",
	[FRAME_OP] = "OP",
	[FRAME_OP_REPLY] = "OP_REPLY",
	[FRAME_OP_STEP] = "OP_STEP",
	[FRAME_TEMPLATE_ATTACH] = "TEMPLATE_ATTACH",
	[FRAME_TEMPLATE_DROP] = "TEMPLATE_DROP",
	[FRAME_CONTEXT_DROP] = "CONTEXT_DROP",
	[FRAME_KEY_OP] = "KEY_OP",
	[FRAME_KEY_REPLY] = "KEY_REPLY",
	[FRAME_CANCEL] = "CANCEL",
	[FRAME_STATUS] = "STATUS",
	[FRAME_STATUS_REPLY] = "STATUS_REPLY",
	[FRAME_MECH_FIND] = "MECH_FIND",
	[FRAME_MECH_REPLY] = "MECH_REPLY",
	[FRAME_DONE] = "DONE",
	[FRAME_ARENA_NEW] = "ARENA_NEW",
	[FRAME_ARENA_OFFER] = "ARENA_OFFER",
	[FRAME_ARENA_FREE] = "ARENA_FREE",
	[FRAME_ARENA_REPLY] = "ARENA_REPLY",
	[FRAME_WANT] = "WANT",
	[FRAME_ROOM] = "ROOM",
	[FRAME_EVENT] = "EVENT",
	[FRAME_FATAL] = "FATAL",
	[FRAME_ADMIN] = "ADMIN",
	[FRAME_ADMIN_REPLY] = "ADMIN_REPLY",
	[FRAME_RING_NEW] = "RING_NEW",
	[FRAME_RING_REPLY] = "RING_REPLY",
};

const char *frame_type_name(unsigned type)
{
	return type < FRAME_TYPE_COUNT && type_names[type] ? type_names[type] : "?";
}
