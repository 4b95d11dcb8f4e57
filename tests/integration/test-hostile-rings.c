/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that changes its ring, its page and its payload while kcfd works on them: it harms only
 * itself, and learns nothing. KCF_HOSTILE_TIMES makes every attack that many times longer.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../harness-ring.h"
#include "test-main.h"

#define MEMORY (4u << 20)
#define OUT_AT (2u << 20)

static struct harness_kcfd kcfd;
static struct harness_raw raw;
static struct harness_ring ring;
static unsigned times = 1;

static const uint8_t key32[32] = {5, 6, 7};

enum slot { GCM = 1, EDDSA, HMAC, CBC };

static void attach_all(struct harness_ring *hr)
{
	static const struct {
		uint32_t slot, mech;
	} all[] = {{GCM, KCF_M_AES_GCM},
		   {EDDSA, KCF_M_EDDSA},
		   {HMAC, KCF_M_SHA256_HMAC},
		   {CBC, KCF_M_AES_CBC}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_uint_eq(harness_ring_attach(hr, all[i].slot, all[i].mech, key32, 32),
				  KCF_SUCCESS);
}

static void open_client(struct harness_raw *r, struct harness_ring *hr)
{
	harness_raw_open(r, &kcfd);
	harness_ring_open(hr, r, MEMORY);
	attach_all(hr);
}

static void setup(void)
{
	const char *more = getenv("KCF_HOSTILE_TIMES");

	times = more ? (unsigned)atoi(more) : 1;
	harness_kcfd_start(&kcfd, NULL);
	open_client(&raw, &ring);
}

static void teardown(void)
{
	harness_ring_close(&ring);
	harness_raw_close(&raw);
	harness_raw_check_service(&kcfd);
	ck_assert_int_eq(harness_kcfd_stop(&kcfd), 0);
}

/* ---- the other thread ---- */

static struct {
	pthread_t thread;
	void (*step)(void);
	uint32_t stop; /* atomic */
} other;

static void *other_run(void *arg)
{
	while (!__atomic_load_n(&other.stop, __ATOMIC_ACQUIRE))
		other.step();
	return NULL;
}

static void other_start(void (*step)(void))
{
	other.step = step;
	other.stop = 0;
	ck_assert_int_eq(pthread_create(&other.thread, NULL, other_run, NULL), 0);
}

static void other_stop(void)
{
	__atomic_store_n(&other.stop, 1, __ATOMIC_RELEASE);
	pthread_join(other.thread, NULL);
}

/* ---- one attack on one operation ---- */

static struct ring_entry entry(uint8_t op, uint32_t slot, uint32_t in_len, uint32_t out_room)
{
	static uint64_t id;

	return (struct ring_entry){.op = op,
				   .id = ++id,
				   .slot = slot,
				   .in_seg = (uint8_t)ring.segment,
				   .out_seg = (uint8_t)ring.segment,
				   .in_len = in_len,
				   .out_off = OUT_AT,
				   .out_room = out_room};
}

static enum kcf_status run(struct ring_entry e, const void *extra, size_t extra_len)
{
	struct ring_done done;

	harness_ring_put(&ring, &e, extra, extra_len);
	done = harness_ring_wait(&ring);
	ck_assert_uint_eq(done.id, e.id);
	return done.status;
}

#define MESSAGE 20000u

static void flip_message(void)
{
	ring.mem[MESSAGE - 1] ^= 1;
}

/* EdDSA reads a message twice: were they two, R would be that of one and S that of the other. Two
 * signatures with the same R give the key away. */
START_TEST(signs_one_message_even_if_there_are_two)
{
	static uint8_t signatures[2][64];
	unsigned seen[2] = {0};

	for (unsigned i = 0; i < 2; i++) {
		ring.mem[MESSAGE - 1] = (uint8_t)i;
		ck_assert_uint_eq(run(entry(KCF_OP_SIGN, EDDSA, MESSAGE, 64), NULL, 0),
				  KCF_SUCCESS);
		memcpy(signatures[i], ring.mem + OUT_AT, 64);
	}
	ck_assert_mem_ne(signatures[0], signatures[1], 32);
	other_start(flip_message);
	for (unsigned i = 0; i < 2000 * times || !seen[0] || !seen[1]; i++) {
		bool second;

		ck_assert_uint_eq(run(entry(KCF_OP_SIGN, EDDSA, MESSAGE, 64), NULL, 0),
				  KCF_SUCCESS);
		second = !memcmp(ring.mem + OUT_AT, signatures[1], 32);
		ck_assert_mem_eq(ring.mem + OUT_AT, signatures[second], 64);
		seen[second]++;
	}
	other_stop();
}
END_TEST

#define TEXT (512u * 1024)
#define FILL 0xa5

static uint64_t seen_text; /* atomic */

static void watch_output(void)
{
	static const uint32_t watched[] = {0, 1, 4095, 65536, TEXT / 2, TEXT - 17, TEXT - 1};

	for (unsigned i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (__atomic_load_n(&ring.mem[OUT_AT + watched[i]], __ATOMIC_RELAXED) != FILL)
			__atomic_fetch_add(&seen_text, 1, __ATOMIC_RELAXED);
}

START_TEST(shows_nothing_of_a_text_whose_tag_is_wrong)
{
	struct ring_entry e = entry(KCF_OP_ENCRYPT, GCM, TEXT, TEXT + 16);

	e.param = KCF_PARAM_AEAD;
	e.iv_len = 12;
	memset(ring.mem, 0x11, TEXT);
	ck_assert_uint_eq(run(e, NULL, 0), KCF_SUCCESS);
	memcpy(ring.mem, ring.mem + OUT_AT, TEXT + 16);
	ring.mem[TEXT + 15] ^= 1;
	memset(ring.mem + OUT_AT, FILL, TEXT + 16);
	other_start(watch_output);
	for (unsigned i = 0; i < 100 * times; i++) {
		struct ring_entry d = entry(KCF_OP_DECRYPT, GCM, TEXT + 16, TEXT);

		d.param = KCF_PARAM_AEAD;
		d.iv_len = 12;
		ck_assert_uint_eq(run(d, NULL, 0), KCF_INVALID_MAC);
	}
	other_stop();
	ck_assert_uint_eq(seen_text, 0);
}
END_TEST

START_TEST(shows_nothing_of_a_text_whose_mac_is_wrong)
{
	uint8_t extra[sizeof(struct ring_dual) + 32] = {HMAC};

	memset(ring.mem + OUT_AT, FILL, TEXT);
	other_start(watch_output);
	for (unsigned i = 0; i < 100 * times; i++) {
		struct ring_entry e = entry(KCF_OP_MAC_DECRYPT, CBC, TEXT, TEXT);

		e.param = KCF_PARAM_IV;
		e.iv_len = 16;
		e.check_len = 32;
		ck_assert_uint_eq(run(e, extra, sizeof(extra)), KCF_INVALID_MAC);
	}
	other_stop();
	ck_assert_uint_eq(seen_text, 0);
}
END_TEST

/* ---- everything at random ---- */

#define OPERATIONS 100000u

/* One that minds its own business beside them. */
static struct {
	pthread_t thread;
	sem_t turn;
	uint32_t stop; /* atomic */
	uint64_t right, wrong;
} good;

#define LIFE 4000u /* entries of a connection at most */

static struct harness_raw bad_raw;
static struct harness_ring bad;

static unsigned roll(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

/* Payload mostly; anything else ends the connection sooner or later. */
static void spoil(void)
{
	static unsigned seed = 815;
	uint8_t *r = (uint8_t *)bad.client.r, *page = (uint8_t *)bad_raw.page;

	for (unsigned i = 0; i < 16; i++)
		bad.mem[roll(&seed, 65536)] ^= 0x10;
	sched_yield();
	switch (roll(&seed, 256)) {
	case 0: /* the numbers */
		r[roll(&seed, 384)] ^= (uint8_t)(1 << roll(&seed, 8));
		break;
	case 1:
	case 2:
	case 3:
		r[offsetof(struct ring, completions) +
		  roll(&seed, sizeof(struct ring) - offsetof(struct ring, completions))] ^= 1;
		break;
	case 4:
		page[roll(&seed, sizeof(*bad_raw.page))] ^= (uint8_t)(1 << roll(&seed, 8));
		break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10: /* entries, some of them between being published and taken */
		r[offsetof(struct ring, entries) + roll(&seed, 64 * RING_ENTRIES)] ^=
			(uint8_t)(1 << roll(&seed, 8));
		break;
	default:
		break;
	}
}

static struct ring_entry random_entry(unsigned *seed, uint64_t id)
{
	static const struct {
		uint8_t op, slot, param, iv_len;
	} kinds[] = {{KCF_OP_ENCRYPT, GCM, KCF_PARAM_AEAD, 12},
		     {KCF_OP_DECRYPT, GCM, KCF_PARAM_AEAD, 12},
		     {KCF_OP_MAC, HMAC, KCF_PARAM_NONE, 0},
		     {KCF_OP_ENCRYPT, CBC, KCF_PARAM_IV, 16},
		     {KCF_OP_DIGEST, KCF_M_SHA256, KCF_PARAM_NONE, 0},
		     {KCF_OP_ENCRYPT_MAC, CBC, KCF_PARAM_IV, 16}};
	unsigned kind = roll(seed, sizeof(kinds) / sizeof(kinds[0]));
	struct ring_entry e = {.op = kinds[kind].op,
			       .flags = kinds[kind].op == KCF_OP_DIGEST ? RING_MECH : 0,
			       .id = id,
			       .slot = kinds[kind].slot,
			       .param = kinds[kind].param,
			       .iv_len = kinds[kind].iv_len,
			       .in_seg = (uint8_t)bad.segment,
			       .out_seg = (uint8_t)bad.segment,
			       .in_off = roll(seed, 60000),
			       .in_len = roll(seed, 256) * 16,
			       .out_off = roll(seed, 60000),
			       .out_room = 5000};

	if (roll(seed, 4) == 0)
		e.flags |= RING_ALWAYS_QUEUE;
	if (kinds[kind].param == KCF_PARAM_AEAD)
		e.aad_len = (uint8_t)roll(seed, 100);
	return e;
}

/* Ring, whatever the words say, and look for the end. Without credit or places there may be some
 * in a moment. */
static bool is_open(bool wait)
{
	struct pollfd p = {.fd = bad_raw.fd, .events = POLLIN};
	char bytes[4096];

	send(bad.bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (poll(&p, 1, wait) <= 0)
		return true;
	return recv(bad_raw.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
}

/* Take what there is; ids and numbers mean nothing here. */
static void reap(void)
{
	struct ring_done done[64];

	for (unsigned i = 0; i < 8 && ring_reap(&bad.client, done, 64) == 64; i++)
		;
}

static bool put_bad(unsigned *seed, uint64_t id)
{
	static const uint8_t extra[RING_EXTRA_ROOM] = {HMAC};
	struct ring_entry e = random_entry(seed, id);
	size_t len = e.aad_len + (e.op == KCF_OP_ENCRYPT_MAC ? sizeof(struct ring_dual) : 0);

	for (unsigned i = 0; !page_credit_take(bad_raw.page, 1) && i < 10; i++) {
		reap();
		if (!is_open(true))
			return false;
	}
	for (unsigned i = 0; !ring_put(&bad.client, &e, extra, len); i++) {
		if (i == 10 || !is_open(true))
			return false;
	}
	return true;
}

/* One bad client from its beginning to its end; how many entries it published. */
static unsigned live(unsigned *seed)
{
	struct wire_msg m = {.type = FRAME_CANCEL};
	unsigned n = 0;

	open_client(&bad_raw, &bad);
	other_start(spoil);
	while (n < LIFE && put_bad(seed, n + 1)) {
		n++;
		if (ring_wants_bell(&bad.client))
			send(bad.bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n % 16)
			continue;
		reap();
		sem_post(&good.turn);
		m.id = n;
		if (!is_open(false) || !harness_raw_send(&bad_raw, &m, 0, NULL, 0))
			break;
	}
	other_stop();
	harness_ring_close(&bad);
	harness_raw_close(&bad_raw);
	return n;
}

static void *good_run(void *arg)
{
	uint8_t want[32];

	ring.mem[0] = 'a';
	run(entry(KCF_OP_MAC, HMAC, 64, 32), NULL, 0);
	memcpy(want, ring.mem + OUT_AT, 32);
	for (;;) {
		sem_wait(&good.turn);
		if (__atomic_load_n(&good.stop, __ATOMIC_ACQUIRE))
			return NULL;
		memset(ring.mem + OUT_AT, 0, 32);
		if (run(entry(KCF_OP_MAC, HMAC, 64, 32), NULL, 0) == KCF_SUCCESS &&
		    !memcmp(ring.mem + OUT_AT, want, 32))
			good.right++;
		else
			good.wrong++;
	}
}

START_TEST(bears_a_ring_that_changes_all_the_time)
{
	unsigned seed = 4711, lives = 0;
	uint64_t n = 0;

	ck_assert_int_eq(sem_init(&good.turn, 0, 0), 0);
	ck_assert_int_eq(pthread_create(&good.thread, NULL, good_run, NULL), 0);
	for (; n < (uint64_t)OPERATIONS * times; lives++)
		n += live(&seed);
	__atomic_store_n(&good.stop, 1, __ATOMIC_RELEASE);
	sem_post(&good.turn);
	pthread_join(good.thread, NULL);
	ck_assert_uint_gt(good.right, 0);
	ck_assert_uint_eq(good.wrong, 0);
	if (getenv("KCF_HOSTILE_TALK"))
		fprintf(stderr, "# %u lives, %llu entries, %llu of the other\n", lives,
			(unsigned long long)n, (unsigned long long)good.right);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostile-rings");
	TCase *t = tcase_create("hostile");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, signs_one_message_even_if_there_are_two);
	tcase_add_test(t, shows_nothing_of_a_text_whose_tag_is_wrong);
	tcase_add_test(t, shows_nothing_of_a_text_whose_mac_is_wrong);
	tcase_add_test(t, bears_a_ring_that_changes_all_the_time);
	suite_add_tcase(s, t);
	return test_main(s);
}
