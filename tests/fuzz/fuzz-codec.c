/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message: the first byte is its type. Promises: the budget holds; what was accepted can be sent, and is
 * accepted again as the same message; after reset no byte of it is left.
 */
#include "fuzz.h"
#include "../unit/wire-random.h"

#include <string.h>

/* What sending may add to a message that left out what we always send (has_bytes of two keys). */
#define SLACK 16

static void check_round_trip(enum frame_type type, const struct wire_msg *msg, size_t len)
{
	static struct codec_arena arena;
	static uint8_t buf[FRAME_MESSAGE_MAX];
	struct wire_msg again;
	size_t n = codec_encode(msg, buf, sizeof(buf));

	if (n == SIZE_MAX) {
		FUZZ_PROMISE(len > FRAME_MESSAGE_MAX - SLACK);
		return;
	}
	FUZZ_PROMISE(codec_decode(&arena, type, buf, n, &again));
	FUZZ_PROMISE(msg_differs(msg, &again) == NULL);
	codec_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct codec_arena arena;
	struct wire_msg msg;
	enum frame_type type;
	size_t i, high;

	if (len == 0)
		return 0;
	type = data[0] % (FRAME_TYPE_COUNT + 1);
	if (codec_decode(&arena, type, data + 1, len - 1, &msg))
		check_round_trip(type, &msg, len);
	FUZZ_PROMISE(arena.high <= CODEC_ARENA_SIZE && arena.n_allocs <= CODEC_MAX_ALLOCS);
	high = arena.high;
	codec_reset(&arena);
	for (i = 0; i < high; i++)
		FUZZ_PROMISE(arena.mem[i] == 0);
	return 0;
}
