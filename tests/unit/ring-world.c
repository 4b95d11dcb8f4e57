/* SPDX-License-Identifier: Apache-2.0 */
#include "ring-world.h"

#include <string.h>

struct harness_ring ring;
static const uint8_t key[16] = "0123456789abcdef";

void ring_setup(void)
{
	world_setup();
	harness_ring_open(&ring, &raw, 65536);
	ck_assert_uint_eq(harness_ring_attach(&ring, KEY_SLOT, KCF_M_AES_GCM, key, 16),
			  KCF_SUCCESS);
	ck_assert_uint_eq(harness_ring_attach(&ring, MAC_SLOT, KCF_M_SHA256_HMAC, key, 16),
			  KCF_SUCCESS);
}

void ring_teardown(void)
{
	world_teardown();
	harness_ring_close(&ring);
}

struct ring_entry seal(uint64_t id)
{
	struct ring_entry e = {.op = KCF_OP_ENCRYPT,
			       .param = KCF_PARAM_AEAD,
			       .id = id,
			       .slot = KEY_SLOT,
			       .in_seg = (uint8_t)ring.segment,
			       .out_seg = (uint8_t)ring.segment,
			       .iv_len = 12,
			       .in_len = 64,
			       .out_off = 4096,
			       .out_room = 80};

	memcpy(e.iv, "twelve bytes", 12);
	return e;
}

struct ring_done wait_done(uint64_t id)
{
	struct ring_done done = harness_ring_wait(&ring);

	ck_assert_uint_eq(done.id, id);
	return done;
}

void fill_completions(void)
{
	struct ring_entry e = {.id = 1, .op = KCF_OP_SIGN, .slot = 99};

	for (unsigned i = 0; i < RING_COMPLETIONS; i++) {
		harness_ring_put(&ring, &e, NULL, 0);
		if (i % 100 == 0)
			pump_some();
	}
	pump_some();
	ck_assert_uint_eq(ring.client.r->done, RING_COMPLETIONS);
}
