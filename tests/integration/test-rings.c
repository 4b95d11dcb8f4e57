/* SPDX-License-Identifier: Apache-2.0 */
/* test-rings - every operation that goes by ring, spoken by hand to a real kcfd. */
#include <string.h>
#include <unistd.h>
#include "../admin.h"
#include "../harness-ring.h"
#include "test-main.h"

static struct harness_kcfd kcfd;
static struct harness_raw raw;
static struct harness_ring ring;

/* Where an entry's input, output and MAC are. */
#define IN      0u
#define OUT     65536u
#define MAC_OUT 131072u

enum slot { GCM = 1, HMAC, CBC, SIGN, VERIFY };

/* RFC 8032, 7.1, test 3 */
static const uint8_t ed_secret[32] = {0xc5, 0xaa, 0x8d, 0xf4, 0x3f, 0x9f, 0x83, 0x7b,
				      0xed, 0xb7, 0x44, 0x2f, 0x31, 0xdc, 0xb7, 0xb1,
				      0x66, 0xd3, 0x85, 0x35, 0x07, 0x6f, 0x09, 0x4b,
				      0x85, 0xce, 0x3a, 0x2e, 0x0b, 0x44, 0x58, 0xf7};
static const uint8_t ed_public[32] = {0xfc, 0x51, 0xcd, 0x8e, 0x62, 0x18, 0xa1, 0xa3,
				      0x8d, 0xa4, 0x7e, 0xd0, 0x02, 0x30, 0xf0, 0x58,
				      0x08, 0x16, 0xed, 0x13, 0xba, 0x33, 0x03, 0xac,
				      0x5d, 0xeb, 0x91, 0x15, 0x48, 0x90, 0x80, 0x25};
static const uint8_t ed_signature[64] = {
	0x62, 0x91, 0xd6, 0x57, 0xde, 0xec, 0x24, 0x02, 0x48, 0x27, 0xe6, 0x9c, 0x3a,
	0xbe, 0x01, 0xa3, 0x0c, 0xe5, 0x48, 0xa2, 0x84, 0x74, 0x3a, 0x44, 0x5e, 0x36,
	0x80, 0xd7, 0xdb, 0x5a, 0xc3, 0xac, 0x18, 0xff, 0x9b, 0x53, 0x8d, 0x16, 0xf2,
	0x90, 0xae, 0x67, 0xf7, 0x60, 0x98, 0x4d, 0xc6, 0x59, 0x4a, 0x7c, 0x15, 0xe9,
	0x71, 0x6e, 0xd2, 0x8d, 0xc0, 0x27, 0xbe, 0xce, 0xea, 0x1e, 0xc4, 0x0a};

static void attach(enum slot slot, uint32_t mech, const void *key, size_t len)
{
	ck_assert_uint_eq(harness_ring_attach(&ring, slot, mech, key, len), KCF_SUCCESS);
}

static void setup(void)
{
	static const uint8_t key[16] = "0123456789abcdef";

	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_ring_open(&ring, &raw, 1 << 20);
	attach(GCM, KCF_M_AES_GCM, key, 16);
	attach(HMAC, KCF_M_SHA256_HMAC, "Jefe", 4);
	attach(CBC, KCF_M_AES_CBC, key, 16);
	attach(SIGN, KCF_M_EDDSA, ed_secret, 32);
	attach(VERIFY, KCF_M_EDDSA, ed_public, 32);
}

static void teardown(void)
{
	harness_ring_close(&ring);
	harness_raw_close(&raw);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

/* ---- entries ---- */

static uint64_t last_id;

static struct ring_entry entry(uint8_t op, uint32_t slot, uint32_t in_len, uint32_t out_room)
{
	return (struct ring_entry){.op = op,
				   .id = ++last_id,
				   .slot = slot,
				   .in_seg = (uint8_t)ring.segment,
				   .out_seg = (uint8_t)ring.segment,
				   .in_off = IN,
				   .in_len = in_len,
				   .out_off = OUT,
				   .out_room = out_room};
}

static struct ring_entry sha256(uint32_t in_len)
{
	struct ring_entry e = entry(KCF_OP_DIGEST, KCF_M_SHA256, in_len, 32);

	e.flags = RING_MECH;
	return e;
}

static void set_iv(struct ring_entry *e, uint8_t kind, uint8_t len)
{
	e->param = kind;
	e->iv_len = len;
	memset(e->iv, 0x42, len);
}

static struct ring_entry gcm(uint8_t op, uint32_t in_len, uint32_t out_room)
{
	struct ring_entry e = entry(op, GCM, in_len, out_room);

	set_iv(&e, KCF_PARAM_AEAD, 12);
	return e;
}

static struct ring_done wait_for(uint64_t id)
{
	struct ring_done done = harness_ring_wait(&ring);

	ck_assert_uint_eq(done.id, id);
	return done;
}

static struct ring_done run_extra(const struct ring_entry *e, const void *extra, size_t extra_len)
{
	harness_ring_put(&ring, e, extra, extra_len);
	return wait_for(e->id);
}

static enum kcf_status run(struct ring_entry e)
{
	return run_extra(&e, NULL, 0).status;
}

static enum kcf_status run_check(struct ring_entry e, const void *check, size_t len)
{
	e.check_len = (uint16_t)len;
	return run_extra(&e, check, len).status;
}

/* ---- operations ---- */

START_TEST(digests)
{
	/* FIPS 180-4: SHA-256("abc") */
	static const uint8_t want[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct ring_entry e = sha256(3);
	struct ring_done done;

	memcpy(ring.mem + IN, "abc", 3);
	done = run_extra(&e, NULL, 0);
	ck_assert(done.status == KCF_SUCCESS && done.len == 32 && done.provider > 0);
	ck_assert_mem_eq(ring.mem + OUT, want, 32);
	ring.mem[IN]++;
	ck_assert_uint_eq(run(sha256(3)), KCF_SUCCESS);
	ck_assert_mem_ne(ring.mem + OUT, want, 32);
}
END_TEST

START_TEST(makes_and_checks_macs)
{
	/* RFC 4231, test case 2 */
	static const uint8_t want[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
					 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
					 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
					 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	static const char text[] = "what do ya want for nothing?";
	struct ring_entry e = entry(KCF_OP_MAC, HMAC, 28, 32);
	struct ring_done done;
	uint8_t bad[32];

	memcpy(ring.mem + IN, text, 28);
	done = run_extra(&e, NULL, 0);
	ck_assert(done.status == KCF_SUCCESS && done.len == 32);
	ck_assert_mem_eq(ring.mem + OUT, want, 32);
	memset(ring.mem + OUT, 0, 32);
	e = entry(KCF_OP_MAC, HMAC, 28, 32);
	e.param = KCF_PARAM_MAC;
	e.len = 20;
	done = run_extra(&e, NULL, 0);
	ck_assert(done.status == KCF_SUCCESS && done.len == 20);
	ck_assert_mem_eq(ring.mem + OUT, want, 20);
	ck_assert_uint_eq(ring.mem[OUT + 20], 0);

	e = entry(KCF_OP_MAC_VERIFY, HMAC, 28, 0);
	ck_assert_uint_eq(run_check(e, want, 32), KCF_SUCCESS);
	memcpy(bad, want, 32);
	bad[31] ^= 1;
	e.id = ++last_id;
	ck_assert_uint_eq(run_check(e, bad, 32), KCF_INVALID_MAC);
}
END_TEST

START_TEST(encrypts_and_decrypts)
{
	static const uint8_t aad[70] =
		"bytes that are authenticated, and are more than a place holds";
	struct ring_entry e = gcm(KCF_OP_ENCRYPT, 1000, 1016);
	uint8_t text[1000];

	memset(text, 'x', sizeof(text));
	memcpy(ring.mem + IN, text, sizeof(text));
	e.aad_len = sizeof(aad);
	ck_assert_uint_eq(run_extra(&e, aad, sizeof(aad)).len, 1016);
	memcpy(ring.mem + IN, ring.mem + OUT, 1016);
	for (unsigned tampered = 0; tampered < 3; tampered++) {
		uint8_t other[sizeof(aad)];
		struct ring_done done;

		memset(ring.mem + OUT, 0x5c, 1000);
		memcpy(other, aad, sizeof(aad));
		other[69] ^= tampered == 1;
		ring.mem[IN + 1015] ^= tampered == 2;
		e = gcm(KCF_OP_DECRYPT, 1016, 1000);
		e.aad_len = sizeof(aad);
		done = run_extra(&e, other, sizeof(aad));
		ck_assert_uint_eq(done.status, tampered ? KCF_INVALID_MAC : KCF_SUCCESS);
		ck_assert_uint_eq(done.len, tampered ? 0 : 1000);
		if (tampered) /* nothing was released */
			memset(text, 0x5c, sizeof(text));
		ck_assert_mem_eq(ring.mem + OUT, text, 1000);
	}
}
END_TEST

START_TEST(works_in_place)
{
	struct ring_entry e = gcm(KCF_OP_ENCRYPT, 100, 116);

	memset(ring.mem + OUT, 'y', 100);
	e.in_off = OUT;
	ck_assert_uint_eq(run(e), KCF_SUCCESS);
	ck_assert_uint_ne(ring.mem[OUT], 'y');
	e = gcm(KCF_OP_DECRYPT, 116, 100);
	e.in_off = OUT;
	ck_assert_uint_eq(run(e), KCF_SUCCESS);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(ring.mem[OUT + i], 'y');
}
END_TEST

START_TEST(signs_and_verifies)
{
	static const uint8_t message[2] = {0xaf, 0x82};
	uint8_t bad[64];

	memcpy(ring.mem + IN, message, 2);
	ck_assert_uint_eq(run(entry(KCF_OP_SIGN, SIGN, 2, 64)), KCF_SUCCESS);
	ck_assert_mem_eq(ring.mem + OUT, ed_signature, 64);
	ck_assert_uint_eq(run_check(entry(KCF_OP_VERIFY, VERIFY, 2, 0), ed_signature, 64),
			  KCF_SUCCESS);
	memcpy(bad, ed_signature, 64);
	bad[40] ^= 1;
	ck_assert_uint_eq(run_check(entry(KCF_OP_VERIFY, VERIFY, 2, 0), bad, 64),
			  KCF_SIGNATURE_INVALID);
}
END_TEST

/* Encryption and MAC together are what they are one after the other. */
START_TEST(does_both_halves_of_dual_operations)
{
	struct ring_entry e = entry(KCF_OP_ENCRYPT, CBC, 256, 256);
	struct ring_dual d = {.slot2 = HMAC,
			      .mac_off = MAC_OUT,
			      .mac_seg = (uint8_t)ring.segment,
			      .mac_room = 32};
	uint8_t cipher[256], mac[32], both[sizeof(d) + 32];
	struct ring_done done;

	for (unsigned i = 0; i < 256; i++)
		ring.mem[IN + i] = (uint8_t)i;
	set_iv(&e, KCF_PARAM_IV, 16);
	ck_assert_uint_eq(run(e), KCF_SUCCESS);
	memcpy(cipher, ring.mem + OUT, 256);
	e = entry(KCF_OP_MAC, HMAC, 256, 32);
	e.in_off = OUT;
	e.out_off = MAC_OUT;
	ck_assert_uint_eq(run(e), KCF_SUCCESS);
	memcpy(mac, ring.mem + MAC_OUT, 32);
	memset(ring.mem + OUT, 0, 256);
	memset(ring.mem + MAC_OUT, 0, 32);

	e = entry(KCF_OP_ENCRYPT_MAC, CBC, 256, 256);
	set_iv(&e, KCF_PARAM_IV, 16);
	done = run_extra(&e, &d, sizeof(d));
	ck_assert(done.status == KCF_SUCCESS && done.len == 256 && done.more == 32);
	ck_assert_mem_eq(ring.mem + OUT, cipher, 256);
	ck_assert_mem_eq(ring.mem + MAC_OUT, mac, 32);

	memcpy(ring.mem + IN, cipher, 256);
	for (unsigned tampered = 0; tampered < 2; tampered++) {
		memset(ring.mem + OUT, 0x5c, 256);
		memcpy(both, &d, sizeof(d));
		memcpy(both + sizeof(d), mac, 32);
		both[sizeof(d)] ^= tampered;
		e = entry(KCF_OP_MAC_DECRYPT, CBC, 256, 256);
		set_iv(&e, KCF_PARAM_IV, 16);
		e.check_len = 32;
		done = run_extra(&e, both, sizeof(both));
		ck_assert_uint_eq(done.status, tampered ? KCF_INVALID_MAC : KCF_SUCCESS);
		for (unsigned i = 0; i < 256; i++)
			ck_assert_uint_eq(ring.mem[OUT + i], tampered ? 0x5c : i);
	}
}
END_TEST

START_TEST(tells_the_room_that_is_needed)
{
	struct ring_entry e = gcm(KCF_OP_ENCRYPT, 100, 115);
	struct ring_done done = run_extra(&e, NULL, 0);

	ck_assert(done.status == KCF_BUFFER_TOO_SMALL && done.len == 116);
	e = gcm(KCF_OP_ENCRYPT, 100, 116);
	ck_assert_uint_eq(run_extra(&e, NULL, 0).len, 116);
}
END_TEST

START_TEST(says_what_a_request_cannot_have)
{
	struct ring_entry e = gcm(KCF_OP_ENCRYPT, 100, 116);

	e.op = KCF_OP_SIGN;
	ck_assert_uint_eq(run(e), KCF_MECH_NOT_SUPPORTED);
	e = gcm(KCF_OP_ENCRYPT, 100, 116);
	e.slot = 77;
	ck_assert_uint_eq(run(e), KCF_ARGUMENTS_BAD);
	e = gcm(KCF_OP_ENCRYPT, 100, 116);
	e.len = 3; /* no tag has it */
	ck_assert_uint_eq(run(e), KCF_MECHANISM_PARAM_INVALID);
	e = entry(KCF_OP_ENCRYPT, CBC, 17, 64);
	set_iv(&e, KCF_PARAM_IV, 16);
	ck_assert_uint_eq(run(e), KCF_DATA_LEN_RANGE);
	e = entry(KCF_OP_DIGEST, KCF_M_SHA256_HMAC, 4, 32);
	e.flags = RING_MECH; /* but it needs a key */
	ck_assert_uint_ne(run(e), KCF_SUCCESS);
	ck_assert_uint_eq(run(sha256(3)), KCF_SUCCESS);
}
END_TEST

/* ---- many ---- */

/* Several laps of both rings; each answer is that of its own request. */
START_TEST(answers_thousands_each_with_its_own)
{
	static uint8_t want[128][32];
	unsigned sent = 0, got = 0, n = 20000;

	for (unsigned i = 0; i < 128; i++) {
		ring.mem[IN + i] = (uint8_t)i;
		ck_assert_uint_eq(run(sha256(i)), KCF_SUCCESS);
		memcpy(want[i], ring.mem + OUT, 32);
	}
	last_id = 1000000;
	while (got < n) {
		struct ring_done done;

		for (; sent < n && sent - got < 200; sent++) {
			struct ring_entry e = sha256(sent % 128);

			e.out_off = OUT + sent % 256 * 32;
			memset(ring.mem + e.out_off, 0, 32);
			harness_ring_put(&ring, &e, NULL, 0);
		}
		done = harness_ring_wait(&ring);
		ck_assert_uint_eq(done.id, 1000001 + got);
		ck_assert_uint_eq(done.status, KCF_SUCCESS);
		ck_assert_mem_eq(ring.mem + OUT + got % 256 * 32, want[got % 128], 32);
		got++;
	}
	ck_assert_uint_eq(raw.page->credit, 256);
}
END_TEST

/* Two connections have nothing in common, not even ids. */
START_TEST(keeps_connections_apart)
{
	struct harness_ring first = ring;
	struct harness_raw first_raw = raw;
	struct ring_entry e;
	struct ring_done done;

	first.raw = &first_raw;
	harness_raw_open(&raw, &kcfd);
	harness_ring_open(&ring, &raw, 1 << 20);
	memcpy(first.mem + IN, "abc", 3);
	memcpy(ring.mem + IN, "abd", 3);
	e = sha256(3);
	harness_ring_put(&first, &e, NULL, 0);
	harness_ring_put(&ring, &e, NULL, 0);
	done = harness_ring_wait(&first);
	ck_assert(done.id == e.id && done.status == KCF_SUCCESS);
	ck_assert_uint_eq(wait_for(e.id).status, KCF_SUCCESS);
	ck_assert_mem_ne(ring.mem + OUT, first.mem + OUT, 32);
	ck_assert_uint_eq(run(gcm(KCF_OP_ENCRYPT, 1, 17)), KCF_ARGUMENTS_BAD); /* no template */
	e.op = KCF_OP_DERIVE;
	harness_ring_put(&first, &e, NULL, 0);
	harness_raw_expect_closed(&first_raw, NULL);
	ck_assert_uint_eq(run(sha256(3)), KCF_SUCCESS);
	harness_ring_close(&first);
	harness_raw_close(&first_raw);
}
END_TEST

START_TEST(counts_what_goes_by_rings)
{
	char *text;

	memcpy(ring.mem + IN, "abc", 3);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(run(sha256(3)), KCF_SUCCESS);
	harness_raw_admin(&raw, (const char *const[]){"stats", NULL}, &text);
	ck_assert_ptr_nonnull(strstr(text, "\"rings\":{\"rings\":1,\"ring_entries\":5,"
					   "\"ring_completions\":5,\"ring_by_socket\":0"));
	free(text);
	harness_raw_admin(&raw, (const char *const[]){"connections", NULL}, &text);
	ck_assert_uint_eq(harness_json_u64(text, "ring_entries"), 5);
	free(text);
}
END_TEST

/* ---- waiting ---- */

/* A device with one place, taken by a request that does not end before the gate opens. */
static void occupy_device(void)
{
	struct ring_entry e = sha256(3);

	admin_do(&kcfd, "load", "fault", "instance=fault0", "slots=1", "gate=closed", NULL);
	e.preference = KCF_ONLY_HARDWARE;
	harness_ring_put(&ring, &e, NULL, 0);
	admin_wait_requests(&kcfd, "running", 1);
}

static void open_gate(void)
{
	admin_do(&kcfd, "set", "fault0.gate", "open", NULL);
}

static struct ring_entry to_device(uint8_t flags)
{
	struct ring_entry e = sha256(3);

	e.flags |= flags;
	e.preference = KCF_ONLY_HARDWARE;
	return e;
}

START_TEST(never_queues_what_may_not_wait)
{
	struct ring_entry e;
	struct ring_done done;

	occupy_device();
	e = to_device(RING_NEVER_QUEUE);
	done = run_extra(&e, NULL, 0);
	ck_assert(done.status == KCF_BUSY && done.more == KCF_BUSY_WOULD_QUEUE);
	open_gate();
	ck_assert_uint_eq(wait_for(last_id - 1).status, KCF_SUCCESS);
	e = to_device(RING_NEVER_QUEUE);
	ck_assert_uint_eq(run_extra(&e, NULL, 0).status, KCF_SUCCESS);
}
END_TEST

START_TEST(ends_what_waits_at_its_deadline)
{
	struct ring_entry e;

	occupy_device();
	e = to_device(RING_ALWAYS_QUEUE);
	e.deadline_us = 20000;
	ck_assert_uint_eq(run_extra(&e, NULL, 0).status, KCF_TIMED_OUT);
	e = to_device(RING_ALWAYS_QUEUE);
	e.deadline_us = UINT32_MAX;
	harness_ring_put(&ring, &e, NULL, 0);
	open_gate();
	ck_assert_uint_eq(wait_for(last_id - 2).status, KCF_SUCCESS);
	ck_assert_uint_eq(wait_for(last_id).status, KCF_SUCCESS);
}
END_TEST

START_TEST(cancels_and_tells_by_frames)
{
	struct wire_msg m = {.type = FRAME_STATUS};
	struct harness_frame f;
	struct ring_entry e;

	occupy_device();
	e = to_device(RING_ALWAYS_QUEUE);
	harness_ring_put(&ring, &e, NULL, 0);
	m.id = e.id;
	ck_assert(harness_raw_send(&raw, &m, 900000, NULL, 0));
	harness_raw_expect(&raw, FRAME_STATUS_REPLY, &f);
	ck_assert_uint_eq(f.msg.status_reply.status, KCF_SUCCESS);
	ck_assert_uint_eq(f.msg.status_reply.state, KCF_REQ_WAITING);
	m.type = FRAME_CANCEL;
	ck_assert(harness_raw_send(&raw, &m, 0, NULL, 0));
	ck_assert_uint_eq(wait_for(e.id).status, KCF_CANCELED);
	open_gate();
	ck_assert_uint_eq(wait_for(e.id - 1).status, KCF_SUCCESS);
}
END_TEST

START_TEST(gives_everything_back_when_the_client_goes)
{
	struct harness_raw other;
	struct ring_entry e;
	char *text;

	occupy_device();
	for (unsigned i = 0; i < 100; i++) {
		e = to_device(RING_ALWAYS_QUEUE);
		harness_ring_put(&ring, &e, NULL, 0);
	}
	admin_wait_requests(&kcfd, "waiting", 100);
	harness_ring_close(&ring);
	harness_raw_close(&raw);
	open_gate();
	harness_raw_open(&other, &kcfd);
	harness_raw_hello(&other, NULL);
	for (bool gone = false; !gone;) {
		harness_raw_admin(&other, (const char *const[]){"connections", NULL}, &text);
		gone = harness_json_u64(text, "open") == 1 &&
		       harness_json_u64(text, "closing") == 0;
		ck_assert(!gone || harness_json_u64(text, "all_segments") == 0);
		free(text);
	}
	harness_raw_admin(&other, (const char *const[]){"consumers", NULL}, &text);
	ck_assert_uint_eq(harness_json_u64(text, "arena_bytes"), 0);
	ck_assert_uint_eq(harness_json_u64(text, "requests"), 0);
	ck_assert_uint_eq(harness_json_u64(text, "templates"), 0);
	free(text);
	harness_raw_close(&other);
}
END_TEST

START_TEST(ends_with_entries_under_way)
{
	occupy_device();
	for (unsigned i = 0; i < 10; i++) {
		struct ring_entry e = to_device(RING_ALWAYS_QUEUE);

		harness_ring_put(&ring, &e, NULL, 0);
	}
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rings");
	TCase *t = tcase_create("operations");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, digests);
	tcase_add_test(t, makes_and_checks_macs);
	tcase_add_test(t, encrypts_and_decrypts);
	tcase_add_test(t, works_in_place);
	tcase_add_test(t, signs_and_verifies);
	tcase_add_test(t, does_both_halves_of_dual_operations);
	tcase_add_test(t, tells_the_room_that_is_needed);
	tcase_add_test(t, says_what_a_request_cannot_have);
	tcase_add_test(t, answers_thousands_each_with_its_own);
	tcase_add_test(t, keeps_connections_apart);
	tcase_add_test(t, counts_what_goes_by_rings);
	suite_add_tcase(s, t);
	t = tcase_create("waiting");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, never_queues_what_may_not_wait);
	tcase_add_test(t, ends_what_waits_at_its_deadline);
	tcase_add_test(t, cancels_and_tells_by_frames);
	tcase_add_test(t, gives_everything_back_when_the_client_goes);
	tcase_add_test(t, ends_with_entries_under_way);
	suite_add_tcase(s, t);
	return test_main(s);
}
