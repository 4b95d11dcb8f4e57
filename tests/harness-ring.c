/* SPDX-License-Identifier: Apache-2.0 */
#include "harness-ring.h"

#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 100000

enum kcf_status harness_ring_ask(struct harness_raw *raw, uint32_t version)
{
	struct wire_msg msg = {.type = FRAME_RING_NEW};
	struct harness_frame f;

	msg.version = version;
	ck_assert(harness_raw_send(raw, &msg, 0x416e, NULL, 0));
	harness_raw_expect(raw, FRAME_RING_REPLY, &f);
	ck_assert_uint_eq(f.h.id, 0x416e);
	return f.msg.status;
}

static void make_segment(struct harness_ring *hr, size_t len)
{
	struct wire_msg msg = {.type = FRAME_ARENA_NEW};
	struct harness_frame f;
	int fd;

	msg.arena.size = len;
	ck_assert(harness_raw_send(hr->raw, &msg, 0x4e6, NULL, 0));
	harness_raw_expect(hr->raw, FRAME_ARENA_REPLY, &f);
	ck_assert_uint_eq(f.msg.arena.status, KCF_SUCCESS);
	fd = harness_raw_take_fd(hr->raw);
	hr->mem = mmap(NULL, f.msg.arena.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert(hr->mem != MAP_FAILED);
	close(fd);
	hr->mem_len = f.msg.arena.size;
	hr->segment = f.msg.arena.segment;
}

void harness_ring_make(struct harness_ring *hr, struct harness_raw *raw, size_t mem_len)
{
	*hr = (struct harness_ring){.raw = raw, .bell = -1};
	ck_assert_uint_eq(harness_ring_ask(raw, RING_VERSION), KCF_SUCCESS);
	ck_assert_int_eq(ring_map(&hr->client, harness_raw_take_fd(raw)), 0);
	hr->bell = harness_raw_take_fd(raw);
	ck_assert_int_ge(hr->bell, 0);
	make_segment(hr, mem_len);
}

void harness_ring_open(struct harness_ring *hr, struct harness_raw *raw, size_t mem_len)
{
	struct wire_hello_reply reply;

	raw->features = FEATURE_RING;
	harness_raw_hello(raw, &reply);
	ck_assert_uint_eq(reply.features, FEATURE_RING);
	harness_ring_make(hr, raw, mem_len);
}

void harness_ring_close(struct harness_ring *hr)
{
	ring_unmap(&hr->client);
	if (hr->bell >= 0)
		close(hr->bell);
	if (hr->mem)
		munmap(hr->mem, hr->mem_len);
	*hr = (struct harness_ring){.bell = -1};
}

void harness_ring_put_silently(struct harness_ring *hr, const struct ring_entry *e,
			       const void *extra, size_t extra_len)
{
	ck_assert_msg(page_credit_take(hr->raw->page, 1), "no credit for an entry");
	ck_assert_msg(ring_put(&hr->client, e, extra, extra_len), "no place for an entry");
}

void harness_ring_bell(struct harness_ring *hr)
{
	if (ring_wants_bell(&hr->client))
		ck_assert_int_eq(send(hr->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
}

void harness_ring_put(struct harness_ring *hr, const struct ring_entry *e, const void *extra,
		      size_t extra_len)
{
	harness_ring_put_silently(hr, e, extra, extra_len);
	harness_ring_bell(hr);
}

/* Until kcfd rings; in one process: until something is there. */
static void sleep_for_bell(struct harness_ring *hr)
{
	struct pollfd p = {.fd = hr->bell, .events = POLLIN};
	struct harness_raw *raw = hr->raw;
	char bytes[64];

	for (int i = 0; raw->pump && i < TURNS && poll(&p, 1, 0) == 0; i++)
		raw->pump(raw->pump_arg);
	ck_assert_msg(poll(&p, 1, raw->pump ? 0 : HARNESS_PATIENCE_MS) == 1, "kcfd does not ring");
	ck_assert_int_gt(recv(hr->bell, bytes, sizeof(bytes), MSG_DONTWAIT), 0);
	ring_awake(&hr->client);
}

struct ring_done harness_ring_wait(struct harness_ring *hr)
{
	struct ring_done done;

	while (ring_reap(&hr->client, &done, 1) == 0) {
		if (ring_sleep(&hr->client))
			sleep_for_bell(hr);
	}
	return done;
}

enum kcf_status harness_ring_attach(struct harness_ring *hr, uint32_t slot, uint32_t mech,
				    const void *key, size_t key_len)
{
	struct wire_msg m = {.type = FRAME_TEMPLATE_ATTACH};
	struct harness_frame f;

	m.attach.slot = slot;
	m.attach.mech = mech;
	m.attach.key = (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {key, key_len}};
	ck_assert(harness_raw_send(hr->raw, &m, 0xa77ac, NULL, 0));
	harness_raw_expect(hr->raw, FRAME_DONE, &f);
	return f.msg.status;
}
