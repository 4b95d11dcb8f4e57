/* SPDX-License-Identifier: Apache-2.0 */
/* Each input is a conversation (script.h) on a new connection of an ordinary user, after a right hello (world.h). */
#include "fuzz.h"
#include "script.h"
#include "world.h"

static bool is_costly_param(const struct wire_param *p)
{
	return p->kind == KCF_PARAM_PBKDF2 || p->kind == KCF_PARAM_SCRYPT ||
	       p->kind == KCF_PARAM_KEYGEN;
}

/* Work that takes seconds by what it asks for is no find. */
static bool is_costly(const struct script_frame *f)
{
	static struct codec_arena arena;
	struct frame_header h;
	struct wire_msg msg;
	bool costly = false;

	if (frame_get(f->bytes, f->len, FRAME_PAYLOAD_MAX, &h) != FRAME_OK || frame_len(&h) > f->len)
		return false;
	if (codec_decode(&arena, h.type, f->bytes + h.header_len, h.msg_len, &msg)) {
		if (h.type == FRAME_OP)
			costly = is_costly_param(&msg.op.param) || is_costly_param(&msg.op.param2);
		else if (h.type == FRAME_KEY_OP)
			costly = is_costly_param(&msg.key_op.param);
	}
	codec_reset(&arena);
	return costly;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	world_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct script_frame f;
	struct script s = {data, len};

	world_begin(0);
	while (!bad.closed && script_next(&s, &f)) {
		if (is_costly(&f))
			continue;
		peer_write(&bad, f.bytes, f.len, f.flags & SCRIPT_FD);
		if (f.flags & SCRIPT_TURN)
			world_turn();
	}
	world_end();
	return 0;
}
