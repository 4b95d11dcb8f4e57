/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of frames as a connection reads it: header, limits, length, message. Promises: a header that was
 * accepted keeps every limit; the same bytes give the same answer however many of them are there already.
 */
#include "fuzz.h"
#include "wire/codec.h"

#include <string.h>

/* What fewer bytes say must agree with what all of them say. */
static void check_prefixes(const uint8_t *data, size_t len, enum frame_result whole)
{
	struct frame_header h;
	size_t n;

	for (n = 0; n < len && n < FRAME_HEADER_MAX; n++) {
		enum frame_result r = frame_get(data, n, FRAME_PAYLOAD_MAX, &h);

		FUZZ_PROMISE(r == FRAME_MORE || r == whole);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct codec_arena arena;
	struct frame_header h;
	struct wire_msg msg;

	check_prefixes(data, len, frame_get(data, len, FRAME_PAYLOAD_MAX, &h));
	while (frame_get(data, len, FRAME_PAYLOAD_MAX, &h) == FRAME_OK) {
		FUZZ_PROMISE(h.header_len >= FRAME_HEADER_LEN && h.header_len <= FRAME_HEADER_MAX);
		FUZZ_PROMISE(h.msg_len <= FRAME_MESSAGE_MAX && h.payload_len <= FRAME_PAYLOAD_MAX);
		FUZZ_PROMISE(h.type > 0 && h.type < FRAME_TYPE_COUNT);
		if (frame_len(&h) > len)
			break;
		codec_decode(&arena, h.type, data + h.header_len, h.msg_len, &msg);
		codec_reset(&arena);
		data += frame_len(&h);
		len -= frame_len(&h);
	}
	return 0;
}
