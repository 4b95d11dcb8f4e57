/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each input is what a client does with its ring, its segment and its socket (ring-script.h), on a new connection
 * with four templates (world.h). Promise, besides those of the world: a completion has a status and a provider that
 * there are, unless the input wrote over it.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fuzz.h"
#include "ring-script.h"
#include "table/page.h"
#include "table/ring.h"
#include "world.h"

#define SEGMENT   (256u * 1024)
#define TEMPLATES 4u

static struct page *page;
static struct ring_client ring;
static int bell;
static uint8_t *memory;
static bool poked;

/* ---- the input ---- */

struct input {
	const uint8_t *p;
	size_t len;
};

static void take(struct input *in, void *to, size_t n)
{
	size_t have = n < in->len ? n : in->len;

	memset(to, 0, n);
	memcpy(to, in->p, have);
	in->p += have;
	in->len -= have;
}

static uint8_t take8(struct input *in)
{
	uint8_t b;

	take(in, &b, 1);
	return b;
}

static uint16_t take16(struct input *in)
{
	uint16_t n;

	take(in, &n, 2);
	return n;
}

/* ---- the connection ---- */

/* Until so many answers have come. */
static void wait_answers(unsigned n)
{
	while (!bad.closed && bad.n_answers < n)
		world_turn();
}

static void attach(uint32_t slot)
{
	static const uint32_t mechs[TEMPLATES] = {KCF_M_AES_GCM, KCF_M_SHA256_HMAC, KCF_M_AES_CBC,
						  KCF_M_EDDSA};
	static const uint8_t key[32] = {7};
	struct wire_msg msg = {.type = FRAME_TEMPLATE_ATTACH};

	msg.attach.slot = slot;
	msg.attach.mech = mechs[(slot - 1) % TEMPLATES];
	msg.attach.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {key, sizeof(key)}};
	peer_send(&bad, &msg, 100 + slot);
}

static void begin(void)
{
	struct wire_msg msg = {.type = FRAME_RING_NEW};
	int fd;

	world_begin(FEATURE_RING);
	wait_answers(1);
	close(peer_take_fd(&bad)); /* the table */
	FUZZ_PROMISE(page_map(peer_take_fd(&bad), &page) == 0);
	while (bad.n_fds) /* modules */
		close(peer_take_fd(&bad));
	msg.version = RING_VERSION;
	peer_send(&bad, &msg, 1);
	msg = (struct wire_msg){.type = FRAME_ARENA_NEW};
	msg.arena.size = SEGMENT;
	peer_send(&bad, &msg, 2);
	for (uint32_t slot = 1; slot <= TEMPLATES; slot++)
		attach(slot);
	wait_answers(3 + TEMPLATES);
	FUZZ_PROMISE(ring_map(&ring, peer_take_fd(&bad)) == 0);
	bell = peer_take_fd(&bad);
	fd = peer_take_fd(&bad);
	memory = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	FUZZ_PROMISE(memory != MAP_FAILED);
	close(fd);
	poked = false;
}

static void end(void)
{
	world_end();
	close(bell);
	ring_unmap(&ring);
	page_unmap(page);
	munmap(memory, SEGMENT);
}

/* ---- records ---- */

/* Inside, but for large ones. */
static uint32_t make_offset(uint32_t offset)
{
	return offset >> 31 ? offset : offset % SEGMENT;
}

static void make_possible(struct ring_entry *e)
{
	bool dual;

	e->id = 1 + e->id % 64;
	e->op = (uint8_t)(1 + e->op % 9);
	e->flags &= RING_ALWAYS_QUEUE | RING_NEVER_QUEUE | RING_SYNC | RING_MECH;
	e->param %= 4;
	e->slot = e->flags & RING_MECH ? e->slot % 64 : 1 + e->slot % (TEMPLATES + 1);
	e->in_seg = e->out_seg = 1;
	e->in_off = make_offset(e->in_off);
	e->in_len %= 4096;
	e->out_off = make_offset(e->out_off);
	e->out_room %= 8192;
	e->iv_len %= 17;
	e->preference %= 5;
	e->check_len %= 200;
	dual = e->op == KCF_OP_ENCRYPT_MAC || e->op == KCF_OP_MAC_DECRYPT;
	e->n_extra = (uint8_t)((dual * sizeof(struct ring_dual) + e->aad_len + e->check_len +
				RING_EXTRA_BYTES - 1) /
			       RING_EXTRA_BYTES);
}

static void put(struct input *in, bool fix)
{
	uint8_t extra[RING_EXTRA_ROOM] = {0};
	struct ring_entry e;
	uint8_t n_extra;
	uint32_t at;

	take(in, (uint8_t *)&e + sizeof(e.seq), RING_SCRIPT_BYTES);
	if (fix)
		make_possible(&e);
	n_extra = e.n_extra;
	for (unsigned i = 0; i < n_extra && i < RING_EXTRA_MAX; i++)
		take(in, extra + i * RING_EXTRA_BYTES, RING_EXTRA_BYTES);
	page_credit_take(page, 1); /* or not: then it is beyond the account */
	at = ring.claimed;
	if (!ring_put(&ring, &e, extra,
		      n_extra < RING_EXTRA_MAX ? n_extra * RING_EXTRA_BYTES : RING_EXTRA_ROOM))
		return;
	/* what ring_put makes of it is not always what the input wants */
	ring.r->entries[at % RING_ENTRIES].n_extra = n_extra;
}

static void send_frame(struct input *in)
{
	static const enum frame_type types[] = {FRAME_CANCEL, FRAME_TEMPLATE_DROP, FRAME_ARENA_FREE,
						FRAME_STATUS, FRAME_TEMPLATE_ATTACH,
						FRAME_RING_NEW};
	struct wire_msg msg = {.type = types[take8(in) % (sizeof(types) / sizeof(types[0]))]};
	uint8_t number = take8(in);

	if (msg.type == FRAME_TEMPLATE_ATTACH)
		attach(1 + number % TEMPLATES);
	else if (msg.type == FRAME_RING_NEW)
		msg.version = number;
	else if (msg.type == FRAME_CANCEL || msg.type == FRAME_STATUS)
		msg.id = number;
	else
		msg.slot = number;
	if (msg.type != FRAME_TEMPLATE_ATTACH)
		peer_send(&bad, &msg, 200);
}

static void ring_bell(void)
{
	send(bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void read_completions(void)
{
	struct ring_done done[64];
	unsigned n;

	world_turn();
	n = ring_reap(&ring, done, 64);
	for (unsigned i = 0; i < n && !poked; i++)
		FUZZ_PROMISE(done[i].status < KCF_STATUS_COUNT && done[i].provider <= TABLE_PROVIDERS &&
			     done[i].status != KCF_QUEUED);
}

static void poke(uint8_t *at, size_t size, struct input *in)
{
	size_t where = take16(in) * (size / 65536 + 1) % size;

	at[where] = take8(in);
}

static void run_record(struct input *in)
{
	switch (take8(in) % RING_SCRIPT_KINDS) {
	case RING_SCRIPT_ENTRY:
		put(in, false);
		break;
	case RING_SCRIPT_FIX:
		put(in, true);
		break;
	case RING_SCRIPT_POKE:
		poked = true;
		poke((uint8_t *)ring.r, sizeof(*ring.r), in);
		break;
	case RING_SCRIPT_MEMORY:
		poke(memory, SEGMENT, in);
		break;
	case RING_SCRIPT_FRAME:
		send_frame(in);
		break;
	case RING_SCRIPT_TURN:
		if (ring_wants_bell(&ring))
			ring_bell();
		read_completions();
		break;
	default:
		ring_bell();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	world_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};

	begin();
	while (in.len && !bad.closed)
		run_record(&in);
	ring_bell();
	read_completions();
	end();
	return 0;
}
