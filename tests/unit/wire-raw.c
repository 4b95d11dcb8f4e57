/* SPDX-License-Identifier: Apache-2.0 */
#include "wire-raw.h"

#include <string.h>

struct codec_arena arena;
struct wire_msg got;
struct raw raw, sub;

void put_varint(struct raw *r, uint64_t v)
{
	for (; v > 127; v >>= 7)
		r->b[r->len++] = (uint8_t)(v | 128);
	r->b[r->len++] = (uint8_t)v;
}

void put_num(struct raw *r, unsigned field, uint64_t v)
{
	put_varint(r, field << 3);
	put_varint(r, v);
}

void put_bytes(struct raw *r, unsigned field, const void *p, size_t len)
{
	put_varint(r, field << 3 | 2);
	put_varint(r, len);
	if (len)
		memcpy(r->b + r->len, p, len);
	r->len += len;
}

void put_fill(struct raw *r, unsigned field, char c, size_t len)
{
	put_varint(r, field << 3 | 2);
	put_varint(r, len);
	memset(r->b + r->len, c, len);
	r->len += len;
}

void put_ranges(struct raw *r, unsigned field, unsigned n, bool odd)
{
	uint8_t packed[4096];

	memset(packed, 1, sizeof(packed));
	put_bytes(r, field, packed, 3 * n + odd);
}

bool decode(enum frame_type type)
{
	bool ok;

	codec_reset(&arena);
	ok = codec_decode(&arena, type, raw.b, raw.len, &got);
	raw.len = sub.len = 0;
	return ok;
}

void begin_op(void)
{
	raw.len = sub.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
}

bool op_with_num(unsigned field, uint64_t v)
{
	begin_op();
	put_num(&raw, field, v);
	return decode(FRAME_OP);
}

bool op_with_key(void)
{
	size_t len = sub.len;

	raw.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
	put_bytes(&raw, 6, sub.b, len);
	return decode(FRAME_OP);
}

bool op_with_param(void)
{
	raw.len = 0;
	put_num(&raw, 1, KCF_OP_DIGEST);
	put_bytes(&raw, 7, sub.b, sub.len);
	return decode(FRAME_OP);
}
