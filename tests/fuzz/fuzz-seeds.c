/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-seeds DIR - valid inputs for each target, one folder each, so that none has to be kept as a file. */
#include "fuzz.h"
#include "../unit/wire-random.h"
#include "ring-script.h"
#include "script.h"
#include "table/ring.h"

#include <errno.h>
#include <kcf/provider.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PER_TYPE 6

static uint8_t buf[4 * FRAME_MESSAGE_MAX];

static void make_dir(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		perror(path);
		exit(1);
	}
}

static void save(const char *dir, const char *target, const char *name, int i, size_t len)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	make_dir(path);
	snprintf(path, sizeof(path), "%s/%s/%s-%d", dir, target, name, i);
	f = fopen(path, "wb");
	if (!f || fwrite(buf, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* ---- conversations with kcfd ---- */

#define SLOT 3
#define CONTEXT 5

static uint8_t data[256];
static size_t used;

static void put(const struct wire_msg *msg, uint8_t id, uint8_t flags, uint16_t payload_len)
{
	used = script_put(buf, used, msg, flags, id, data, payload_len);
}

static struct wire_msg op(uint32_t what, uint32_t mech, uint32_t in_len, uint32_t out_room)
{
	struct wire_msg m = {.type = FRAME_OP};

	m.op.op = what;
	m.op.mech = mech;
	m.op.in_len = in_len;
	m.op.out_room = out_room;
	return m;
}

static void put_op(const struct wire_msg *m, uint8_t id, uint8_t flags)
{
	put(m, id, SCRIPT_FIX | flags, (uint16_t)(m->op.in_len + m->op.check_len));
}

static void single_ops(void)
{
	struct kcf_param_aead aead = {.iv = data, .iv_len = 12, .aad = data, .aad_len = 5};
	struct wire_msg m = op(KCF_OP_DIGEST, KCF_M_SHA256, 100, 32);

	put_op(&m, 1, 0);
	m = op(KCF_OP_MAC_VERIFY, KCF_M_SHA256_HMAC, 10, 0);
	m.op.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {data, 20}};
	m.op.check_len = 32;
	put_op(&m, 2, SCRIPT_TURN);
	m = op(KCF_OP_ENCRYPT, KCF_M_AES_GCM, 64, 80);
	m.op.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {data, 32}};
	m.op.param = (struct wire_param){KCF_PARAM_AEAD, &aead};
	put_op(&m, 3, SCRIPT_TURN | SCRIPT_DEADLINE);
	m.op.op = KCF_OP_DECRYPT;
	put_op(&m, 4, SCRIPT_TURN);
}

static void templates(void)
{
	struct wire_msg attach = {.type = FRAME_TEMPLATE_ATTACH}, drop = {.type = FRAME_TEMPLATE_DROP};
	struct wire_msg m = op(KCF_OP_MAC, KCF_M_SHA256_HMAC, 50, 32);

	attach.attach = (struct wire_template_attach){SLOT, KCF_M_SHA256_HMAC};
	attach.attach.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {data, 32}};
	drop.slot = SLOT;
	m.op.tmpl = SLOT;
	put(&attach, 1, 0, 0);
	put_op(&m, 2, 0);
	m.op.flags = OPF_ALWAYS_QUEUE;
	put_op(&m, 3, 0);
	put(&drop, 0, SCRIPT_TURN, 0);
	put_op(&m, 4, SCRIPT_TURN);
}

static void contexts(void)
{
	struct wire_msg m = op(KCF_OP_DIGEST, KCF_M_SHA256, 0, 0), drop = {.type = FRAME_CONTEXT_DROP};

	m.op.context = drop.slot = CONTEXT;
	m.op.phase = KCF_INIT;
	put_op(&m, 1, 0);
	m.op.phase = KCF_UPDATE;
	m.op.in_len = 77;
	put_op(&m, 2, SCRIPT_TURN);
	put_op(&m, 3, 0);
	m.op.phase = KCF_FINAL_PHASE;
	m.op.in_len = 0;
	m.op.out_room = 32;
	put_op(&m, 4, SCRIPT_TURN);
	m.op.phase = KCF_INIT;
	put_op(&m, 5, 0);
	put(&drop, 0, SCRIPT_TURN, 0);
}

/* The client goes, by a frame that is none, while a worker may be at its context. */
static void goes_while_at_work(void)
{
	static const uint8_t garbage[] = {0, SCRIPT_RAW, 9, 2, 0, 0, 0, 'd', 'd'};
	struct wire_msg m = op(KCF_OP_DIGEST, KCF_M_SHA3_512, 0, 0);

	m.op.context = CONTEXT;
	m.op.phase = KCF_INIT;
	put_op(&m, 1, 0);
	m.op.phase = KCF_UPDATE;
	m.op.in_len = 77;
	put_op(&m, 2, SCRIPT_TURN);
	memcpy(buf + used, garbage, sizeof(garbage));
	used += sizeof(garbage);
}

static void steps(void)
{
	struct wire_step s[3] = {{.kind = KCF_STEP_INIT},
				 {.kind = KCF_STEP_UPDATE, .in_len = 60},
				 {.kind = KCF_STEP_FINAL, .out_room = 32}};
	struct wire_msg m = op(KCF_OP_DIGEST, KCF_M_SHA256, 0, 0);

	m.op.steps = s;
	m.op.n_steps = 3;
	m.op.flags = OPF_NOTIFY_STEPS;
	used = script_put(buf, used, &m, SCRIPT_FIX | SCRIPT_TURN, 1, data, 60);
}

static void arena(void)
{
	struct wire_msg new = {.type = FRAME_ARENA_NEW}, offer = {.type = FRAME_ARENA_OFFER};
	struct wire_msg gone = {.type = FRAME_ARENA_FREE}, m = op(KCF_OP_DIGEST, KCF_M_SHA256, 0, 32);
	struct wire_range r[2] = {{1, 0, 1000}, {1, 2000, 96}};

	new.arena.size = 65536;
	put(&new, 1, SCRIPT_TURN, 0);
	m.op.in = r;
	m.op.n_in = 2;
	put_op(&m, 2, SCRIPT_TURN);
	gone.slot = 1;
	put(&gone, 0, 0, 0);
	put_op(&m, 3, 0);
	offer.arena = (struct wire_arena){0, 7, 4096};
	put(&offer, 4, SCRIPT_FD | SCRIPT_TURN, 0);
}

static void keys(void)
{
	struct wire_msg m = {.type = FRAME_KEY_OP};
	struct kcf_param_keygen gen = {.bits = 256};
	struct wire_msg use = op(KCF_OP_MAC, KCF_M_SHA256_HMAC, 10, 32);

	m.key_op.kind = KEYOP_IMPORT;
	m.key_op.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {data, 32}};
	put(&m, 1, 0, 0);
	m = (struct wire_msg){.type = FRAME_KEY_OP};
	m.key_op.kind = KEYOP_GENERATE;
	m.key_op.mech = KCF_M_AES_KEY_GEN;
	m.key_op.param = (struct wire_param){KCF_PARAM_KEYGEN, &gen};
	put(&m, 2, SCRIPT_TURN, 0);
	m = (struct wire_msg){.type = FRAME_KEY_OP};
	m.key_op.kind = KEYOP_DESTROY;
	m.key_op.key.kind = KCF_KEY_HANDLE;
	put(&m, 3, 0, 0);
	use.op.key.kind = KCF_KEY_HANDLE;
	put_op(&use, 4, SCRIPT_TURN);
	m.key_op.kind = KEYOP_EXPORT;
	m.key_op.key = (struct wire_key){.kind = KCF_KEY_NAMED, .name = "none"};
	put(&m, 5, SCRIPT_TURN, 0);
}

static void queries(void)
{
	struct wire_msg find = {.type = FRAME_MECH_FIND, .name = "CKM_SHA256"};
	struct wire_msg status = {.type = FRAME_STATUS, .id = 2}, cancel = {.type = FRAME_CANCEL, .id = 2};
	struct wire_msg want = {.type = FRAME_WANT}, admin = {.type = FRAME_ADMIN};
	struct wire_msg m = op(KCF_OP_RANDOM, KCF_M_RANDOM, 0, 64);

	put(&find, 1, 0, 0);
	m.op.flags = OPF_ALWAYS_QUEUE;
	put_op(&m, 2, 0);
	put(&status, 3, 0, 0);
	put(&cancel, 0, SCRIPT_TURN, 0);
	want.room.units = 9;
	put(&want, 0, SCRIPT_TURN, 0);
	admin.admin.command = "stats";
	put(&admin, 4, SCRIPT_TURN, 0);
}

/* What kcfd says: to the requests of fuzz-reply, in their order. */
static void replies(void)
{
	static const uint32_t out[] = {32, 64, 80, 200, 32};
	struct wire_msg m = {.type = FRAME_OP_REPLY}, step = {.type = FRAME_OP_STEP};
	struct wire_msg done = {.type = FRAME_DONE}, key = {.type = FRAME_KEY_REPLY};
	struct wire_msg event = {.type = FRAME_EVENT}, room = {.type = FRAME_ROOM};
	struct wire_msg memory = {.type = FRAME_ARENA_REPLY}, mech = {.type = FRAME_MECH_REPLY};
	struct wire_msg status = {.type = FRAME_STATUS_REPLY};
	uint64_t lens[3] = {0, 0, 32};
	uint8_t id = 1;

	for (; id <= 4; id++) {
		m.op_reply = (struct wire_op_reply){.out_len = out[id - 1], .provider = 1};
		if (id == 3)
			m.op_reply.iv = (struct wire_bytes){data, WIRE_IV_LEN};
		if (id == 4)
			m.op_reply.mac_len = 32;
		put(&m, id, SCRIPT_TURN, (uint16_t)(out[id - 1] + m.op_reply.mac_len));
	}
	for (uint32_t i = 0; i < 3; i++) {
		step.op_reply = (struct wire_op_reply){.step = i, .out_len = lens[i]};
		put(&step, id, 0, (uint16_t)lens[i]);
	}
	m.op_reply = (struct wire_op_reply){.out_len = 32, .step_lens = lens, .n_step_lens = 3};
	put(&m, id++, SCRIPT_TURN, 0);
	put(&done, id++, 0, 0);
	m.op_reply = (struct wire_op_reply){.out_len = 32};
	put(&m, id++, 0, 32);
	m.op_reply = (struct wire_op_reply){.status = KCF_BUSY, .busy_reason = KCF_BUSY_NO_ROOM};
	put(&m, id++, 0, 0);
	key.key_reply.has_handle = true;
	put(&key, id++, 0, 0);
	key.key_reply = (struct wire_key_reply){.data = {data, 91}};
	put(&key, id++, SCRIPT_TURN, 0);
	memory.arena = (struct wire_arena){.segment = 65, .size = 1 << 20};
	put(&memory, id++, 0, 0); /* what was offered */
	m.op_reply = (struct wire_op_reply){.out_len = 32};
	put(&m, id++, SCRIPT_TURN, 32);
	mech.mech_reply.mech = KCF_M_SHA256;
	put(&mech, id++, 0, 0); /* and what threads wait for */
	status.status_reply.state = 1;
	put(&status, id++, 0, 0);
	memory.arena = (struct wire_arena){.segment = 1, .size = 1 << 20};
	put(&memory, id++, SCRIPT_FD, 0);
	event.event = (struct wire_event){KCF_EVENT_MECH_ADDED, "CKM_SHA256", "openssl"};
	put(&event, 0, 0, 0);
	room.room.units = 2;
	put(&room, 0, SCRIPT_TURN, 0);
}

static void save_conversations(const char *dir)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} all[] = {{"single", single_ops}, {"templates", templates}, {"contexts", contexts},
		   {"goes", goes_while_at_work}, {"steps", steps},	   {"arena", arena},	     {"keys", keys},
		   {"queries", queries}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		used = 0;
		all[i].make();
		save(dir, "fuzz-dispatch", all[i].name, 0, used);
	}
	used = 0;
	replies();
	save(dir, "fuzz-reply", "replies", 0, used);
}

/* ---- rings ---- */

static void put_bytes(const void *bytes, size_t len)
{
	memcpy(buf + used, bytes, len);
	used += len;
}

static void put_entry(const struct ring_entry *e, unsigned n_extra)
{
	static const uint8_t extra[RING_SCRIPT_BYTES] = {2};

	buf[used++] = RING_SCRIPT_FIX;
	put_bytes((const uint8_t *)e + sizeof(e->seq), RING_SCRIPT_BYTES);
	while (n_extra--)
		put_bytes(extra, sizeof(extra));
}

/* Numbers are those that make_possible() of fuzz-ring leaves as they are, or counts from 1. */
static void save_rings(const char *dir)
{
	static const uint8_t ends[] = {RING_SCRIPT_FRAME, 0, 3, RING_SCRIPT_TURN, RING_SCRIPT_POKE, 0, 16, 1,
				       RING_SCRIPT_MEMORY, 1, 0, 77, RING_SCRIPT_FRAME, 1, 1, RING_SCRIPT_TURN,
				       RING_SCRIPT_TURN};

	used = 0;
	for (uint8_t op = 0; op < 9; op++) {
		struct ring_entry e = {.op = op, .id = op, .in_len = 64, .out_off = 4096, .out_room = 100,
				       .slot = op == 2 || op == 1 ? 1 : op > 6 ? 2 : op > 4 ? 3 : 0};
		bool dual = op > 6, checks = op == 2 || op == 6 || op == 8;

		e.param = e.slot == 0 ? 2 : e.slot == 2 ? 1 : 0;
		e.iv_len = e.param == 2 ? 12 : e.param == 1 ? 16 : 0;
		e.flags = op == 0 ? RING_MECH : op % 3 ? 0 : RING_ALWAYS_QUEUE;
		if (op == 0)
			e.slot = KCF_M_SHA256;
		e.check_len = checks ? 32 : 0;
		e.aad_len = e.slot == 0 ? 20 : 0;
		put_entry(&e, dual || checks || e.aad_len);
		if (op % 2)
			buf[used++] = RING_SCRIPT_TURN;
	}
	put_bytes(ends, sizeof(ends));
	save(dir, "fuzz-ring", "operations", 0, used);
}

/* ---- all ---- */

static void save_messages(const char *dir)
{
	static struct random rnd;
	struct wire_msg msg;

	random_init(&rnd, 7);
	for (unsigned type = 1; type < FRAME_TYPE_COUNT; type++) {
		for (int i = 0; i < PER_TYPE; i++) {
			size_t len;

			random_msg(&rnd, type, &msg);
			buf[0] = (uint8_t)type;
			len = codec_encode(&msg, buf + 1, FRAME_MESSAGE_MAX);
			save(dir, "fuzz-codec", frame_type_name(type), i, 1 + len);
			len = codec_encode_frame(&msg, random_u64(&rnd), 0, 3, buf, sizeof(buf));
			memcpy(buf + len, "abc", 3);
			save(dir, "fuzz-frame", frame_type_name(type), i, len + 3);
			save(dir, "fuzz-reply", frame_type_name(type), i,
			     script_put(buf, 0, &msg, 0, (uint8_t)(1 + i), NULL, 0));
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: fuzz-seeds DIR\n");
		return 2;
	}
	make_dir(argv[1]);
	memset(data, 'd', sizeof(data));
	save_messages(argv[1]);
	save_conversations(argv[1]);
	save_rings(argv[1]);
	return 0;
}
