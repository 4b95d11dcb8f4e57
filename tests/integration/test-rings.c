/* SPDX-License-Identifier: Apache-2.0 */
/* test-rings - every operation of a ring, spoken by hand to a real kcfd. */
#include <string.h>
#include <unistd.h>
#include "../harness-ring.h"
#include "test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;
static struct harness_ring ring;

#define IN  0u
#define OUT 65536u

static void setup(void)
{
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_ring_open(&ring, &raw, 1 << 20);
}

static void teardown(void)
{
	harness_ring_close(&ring);
	harness_raw_close(&raw);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

static struct ring_entry entry(uint8_t op, uint32_t slot, uint32_t in_len, uint32_t out_room)
{
	static uint64_t id;

	return (struct ring_entry){.op = op,
				   .id = ++id,
				   .slot = slot,
				   .in_seg = (uint8_t)ring.segment,
				   .out_seg = (uint8_t)ring.segment,
				   .in_off = IN,
				   .in_len = in_len,
				   .out_off = OUT,
				   .out_room = out_room};
}

static struct ring_done run(const struct ring_entry *e, const void *extra, size_t extra_len)
{
	struct ring_done done;

	harness_ring_put(&ring, e, extra, extra_len);
	done = harness_ring_wait(&ring);
	ck_assert_uint_eq(done.id, e->id);
	return done;
}

START_TEST(digests)
{
	/* FIPS 180-4: SHA-256("abc") */
	static const uint8_t want[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct ring_entry e = entry(KCF_OP_DIGEST, KCF_M_SHA256, 3, 32);
	struct ring_done done;

	e.flags = RING_MECH;
	memcpy(ring.mem + IN, "abc", 3);
	done = run(&e, NULL, 0);
	ck_assert(done.status == KCF_SUCCESS && done.len == 32 && done.provider > 0);
	ck_assert_mem_eq(ring.mem + OUT, want, 32);
	ring.mem[IN]++;
	e.id++;
	ck_assert_uint_eq(run(&e, NULL, 0).status, KCF_SUCCESS);
	ck_assert_mem_ne(ring.mem + OUT, want, 32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rings");
	TCase *t = tcase_create("operations");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, digests);
	suite_add_tcase(s, t);
	return test_main(s);
}
