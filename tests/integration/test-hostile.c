/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that changes the memory it shares with kcfd while kcfd works on it: it learns nothing,
 * and nobody else notices. KCF_HOSTILE_TIMES makes every attack that many times longer.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../harness.h"
#include "../test-main.h"

#define SEGMENT (4u << 20)

static struct harness_kcfd kcfd;
static struct harness_raw raw;
static uint32_t segment;
static uint8_t *arena;
static unsigned times = 1;

static void setup(void)
{
	struct wire_msg m = {.type = FRAME_ARENA_NEW};
	const char *more = getenv("KCF_HOSTILE_TIMES");
	struct harness_frame f;
	int fd;

	times = more ? (unsigned)atoi(more) : 1;
	harness_kcfd_start(&kcfd, NULL);
	harness_raw_open(&raw, &kcfd);
	harness_raw_hello(&raw, NULL);
	m.arena.size = SEGMENT;
	harness_raw_send(&raw, &m, 1, NULL, 0);
	harness_raw_expect(&raw, FRAME_ARENA_REPLY, &f);
	ck_assert_uint_eq(f.msg.arena.status, KCF_SUCCESS);
	segment = f.msg.arena.segment;
	fd = harness_raw_take_fd(&raw);
	arena = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(arena, MAP_FAILED);
	close(fd);
}

static void teardown(void)
{
	munmap(arena, SEGMENT);
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

/* ---- requests ---- */

static struct wire_key bytes_key(const void *bytes, size_t len)
{
	return (struct wire_key){.kind = KCF_KEY_BYTES, .bytes = {bytes, len}};
}

static enum kcf_status run(struct wire_op *op, const void *payload, size_t len,
			   struct harness_frame *f)
{
	ck_assert(harness_raw_send_op(&raw, op, 7, payload, (uint32_t)len));
	harness_raw_expect(&raw, FRAME_OP_REPLY, f);
	return f->msg.op_reply.status;
}

/* In and out in the arena. */
static enum kcf_status run_shared(struct wire_op *op, size_t in, size_t in_len, size_t out,
				  size_t out_len, struct harness_frame *f)
{
	struct wire_range from = {segment, in, in_len}, to = {segment, out, out_len};

	op->in = &from;
	op->n_in = in_len != 0;
	op->out = &to;
	op->n_out = out_len != 0;
	return run(op, NULL, 0, f);
}

/* ---- a message that changes while it is signed ---- */

#define MESSAGE 20000u

static void flip_message(void)
{
	arena[MESSAGE - 1] ^= 1;
}

/* EdDSA reads a message twice: were they two, R would be that of one and S that of the other, which
 * gives the key away. */
START_TEST(signs_one_message_even_if_there_are_two)
{
	static const uint8_t secret[32] = {1, 2, 3};
	static uint8_t messages[2][MESSAGE], signatures[2][64];
	struct wire_op sign = {.op = KCF_OP_SIGN,
			       .mech = KCF_M_EDDSA,
			       .key = bytes_key(secret, 32),
			       .out_room = 64};
	struct harness_frame f;
	unsigned seen[2] = {0};

	for (unsigned i = 0; i < 2; i++) {
		arena[MESSAGE - 1] = (uint8_t)i;
		memcpy(messages[i], arena, MESSAGE);
		ck_assert_uint_eq(run_shared(&sign, 0, MESSAGE, 0, 0, &f), KCF_SUCCESS);
		memcpy(signatures[i], f.payload, 64);
	}
	ck_assert_mem_ne(signatures[0], signatures[1], 32);
	other_start(flip_message);
	for (unsigned i = 0; i < 1000 * times; i++) {
		bool second;

		ck_assert_uint_eq(run_shared(&sign, 0, MESSAGE, 0, 0, &f), KCF_SUCCESS);
		second = !memcmp(f.payload, signatures[1], 32);
		ck_assert_mem_eq(f.payload, signatures[second], 64);
		seen[second]++;
	}
	other_stop();
	ck_assert_uint_gt(seen[0], 0);
	ck_assert_uint_gt(seen[1], 0);
}
END_TEST

/* ---- plain text before its tag is verified ---- */

#define TEXT   (512u * 1024)
#define OUT_AT (2u << 20)
#define FILL   0xa5

static const uint32_t watched[] = {0, 1, 4095, 4096, 65536, TEXT / 2, TEXT - 17, TEXT - 1};
static uint64_t seen_text; /* atomic */

static void watch_output(void)
{
	for (unsigned i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		if (__atomic_load_n(&arena[OUT_AT + watched[i]], __ATOMIC_RELAXED) != FILL)
			__atomic_fetch_add(&seen_text, 1, __ATOMIC_RELAXED);
}

static const struct kcf_param_aead aead = {.iv = (const uint8_t *)"twelve bytes", .iv_len = 12};
static const struct kcf_param_iv ctr = {(const uint8_t *)"sixteen bytes iv", 16};
static const uint8_t key32[32] = {5, 6, 7};

static const uint32_t tagged[] = {KCF_M_AES_GCM,         KCF_M_AES_CCM,  KCF_M_CHACHA20_POLY1305,
				  KCF_M_AES_OCB,         KCF_M_ARIA_GCM, KCF_M_AES_KEY_WRAP,
				  KCF_M_AES_KEY_WRAP_KWP};

static bool is_wrap(uint32_t mech)
{
	return mech == KCF_M_AES_KEY_WRAP || mech == KCF_M_AES_KEY_WRAP_KWP;
}

START_TEST(shows_nothing_of_a_text_whose_tag_is_wrong)
{
	uint32_t mech = tagged[_i];
	size_t text = is_wrap(mech) ? 4096 : TEXT;
	unsigned n = (mech == KCF_M_ARIA_GCM || is_wrap(mech) ? 20 : 200) * times;
	struct wire_op op = {.op = KCF_OP_ENCRYPT, .mech = mech, .key = bytes_key(key32, 32)};
	struct harness_frame f;
	size_t len;

	if (!is_wrap(mech))
		op.param = (struct wire_param){KCF_PARAM_AEAD, &aead};
	memset(arena, 0x11, text);
	ck_assert_uint_eq(run_shared(&op, 0, text, OUT_AT, text + 16, &f), KCF_SUCCESS);
	len = (size_t)f.msg.op_reply.out_len;
	memcpy(arena, arena + OUT_AT, len);
	arena[len - 1] ^= 1;
	memset(arena + OUT_AT, FILL, TEXT + 16);
	op.op = KCF_OP_DECRYPT;
	other_start(watch_output);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(run_shared(&op, 0, len, OUT_AT, text + 16, &f), KCF_INVALID_MAC);
	other_stop();
	ck_assert_uint_eq(seen_text, 0);
}
END_TEST

START_TEST(shows_nothing_of_a_text_whose_mac_is_wrong)
{
	static const uint8_t mac[32] = {1};
	struct wire_op op = {.op = KCF_OP_MAC_DECRYPT,
			     .mech = KCF_M_AES_CTR,
			     .key = bytes_key(key32, 32),
			     .param = {KCF_PARAM_IV, &ctr},
			     .mech2 = KCF_M_SHA256_HMAC,
			     .key2 = bytes_key(key32, 32),
			     .check_len = 32};
	struct wire_range from = {segment, 0, TEXT}, to = {segment, OUT_AT, TEXT};
	struct harness_frame f;

	memset(arena + OUT_AT, FILL, TEXT);
	op.in = &from;
	op.out = &to;
	op.n_in = op.n_out = 1;
	other_start(watch_output);
	for (unsigned i = 0; i < 200 * times; i++)
		ck_assert_uint_eq(run(&op, mac, 32, &f), KCF_INVALID_MAC);
	other_stop();
	ck_assert_uint_eq(seen_text, 0);
}
END_TEST

/* A ciphertext that is right when its MAC is made and another when it is decrypted. */
static void flip_ciphertext(void)
{
	arena[TEXT / 2] ^= 0x80;
}

START_TEST(decrypts_what_it_verified)
{
	static uint8_t text[TEXT];
	struct wire_op op = {.op = KCF_OP_ENCRYPT_MAC,
			     .mech = KCF_M_AES_CTR,
			     .key = bytes_key(key32, 32),
			     .param = {KCF_PARAM_IV, &ctr},
			     .mech2 = KCF_M_SHA256_HMAC,
			     .key2 = bytes_key(key32, 32),
			     .mac_room = 32};
	struct wire_range from = {segment, OUT_AT, TEXT}, to = {segment, 0, TEXT};
	struct harness_frame f;
	uint8_t mac[32];
	unsigned right = 0;

	memset(arena + OUT_AT, 0x33, TEXT);
	memcpy(text, arena + OUT_AT, TEXT);
	op.in = &from;
	op.out = &to;
	op.n_in = op.n_out = 1;
	ck_assert_uint_eq(run(&op, NULL, 0, &f), KCF_SUCCESS);
	memcpy(mac, f.payload, 32);
	op.op = KCF_OP_MAC_DECRYPT;
	op.in = &to;
	op.out = &from;
	op.mac_room = 0;
	op.check_len = 32;
	other_start(flip_ciphertext);
	for (unsigned i = 0; i < 200 * times; i++) {
		enum kcf_status status = run(&op, mac, 32, &f);

		ck_assert(status == KCF_SUCCESS || status == KCF_INVALID_MAC);
		if (status != KCF_SUCCESS)
			continue;
		right++;
		ck_assert(!memcmp(arena + OUT_AT, text, TEXT));
	}
	other_stop();
	ck_assert_uint_gt(right, 0);
}
END_TEST

/* ---- everything at random ---- */

static unsigned seed;

static void spoil_memory(void)
{
	uint8_t *page = (uint8_t *)raw.page;

	for (unsigned i = 0; i < 64; i++) {
		size_t at = (size_t)rand_r(&seed) % sizeof(*raw.page);

		/* the credit word by itself, below: here this client means to go on */
		if (at < 4096 || at >= 8192)
			page[at] = (uint8_t)rand_r(&seed);
		arena[(size_t)rand_r(&seed) % 65536] = (uint8_t)rand_r(&seed);
	}
}

START_TEST(works_on_while_all_shared_memory_changes)
{
	static const uint32_t mechs[] = {KCF_M_AES_GCM,     KCF_M_AES_CTR,          KCF_M_AES_CBC,
					 KCF_M_AES_CBC_PAD, KCF_M_AES_CCM,          KCF_M_AES_XTS,
					 KCF_M_AES_CTS,     KCF_M_CHACHA20_POLY1305};
	static const char *const stats[] = {"stats", NULL};
	struct harness_raw admin;
	struct harness_frame f;
	unsigned mine = 4711;
	char *text;

	harness_raw_open(&admin, &kcfd);
	harness_raw_hello(&admin, NULL);
	seed = 815;
	other_start(spoil_memory);
	for (unsigned i = 0; i < 4000 * times; i++) {
		uint32_t mech = mechs[(unsigned)rand_r(&mine) % (sizeof(mechs) / sizeof(mechs[0]))];
		bool tags = mech == KCF_M_AES_GCM || mech == KCF_M_AES_CCM ||
			    mech == KCF_M_CHACHA20_POLY1305;
		size_t len = (size_t)(rand_r(&mine) % 2000) * 16,
		       in = (size_t)rand_r(&mine) % 20000;
		struct wire_op op = {.op = rand_r(&mine) % 2 ? KCF_OP_ENCRYPT : KCF_OP_DECRYPT,
				     .mech = mech,
				     .key = bytes_key(key32, 32),
				     .param = {tags ? KCF_PARAM_AEAD : KCF_PARAM_IV,
					       tags ? (const void *)&aead : (const void *)&ctr},
				     .flags = rand_r(&mine) % 2 ? OPF_ALWAYS_QUEUE : 0};

		/* partly over itself, too */
		run_shared(&op, in, len, (size_t)rand_r(&mine) % 20000, len + 32, &f);
		if (i % 500 == 0) {
			ck_assert_uint_eq(harness_raw_admin(&admin, stats, &text), KCF_SUCCESS);
			free(text);
		}
	}
	other_stop();
	harness_raw_close(&admin);
}
END_TEST

/* More credit than was leased buys nothing but the end. */
START_TEST(closes_a_client_that_writes_itself_credit)
{
	struct wire_op op = {.op = KCF_OP_DERIVE,
			     .mech = KCF_M_PKCS5_PBKD2,
			     .key = bytes_key(key32, 32),
			     .out_room = 32};
	struct kcf_param_pbkdf2 param = {.hash = KCF_M_SHA256, .iterations = 100000};
	enum kcf_status status = KCF_SUCCESS;
	uint64_t id = 100;

	op.param = (struct wire_param){KCF_PARAM_PBKDF2, &param};
	__atomic_store_n(&raw.page->credit, UINT64_MAX - 5, __ATOMIC_RELAXED);
	while (harness_raw_send_op(&raw, &op, id, NULL, 0) && id < 10000)
		id++;
	harness_raw_expect_closed(&raw, &status);
	ck_assert_uint_eq(status, KCF_PROTOCOL_ERROR);
	ck_assert_uint_lt(id, 10000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostile");
	TCase *t = tcase_create("hostile");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, signs_one_message_even_if_there_are_two);
	tcase_add_loop_test(t, shows_nothing_of_a_text_whose_tag_is_wrong, 0,
			    sizeof(tagged) / sizeof(tagged[0]));
	tcase_add_test(t, shows_nothing_of_a_text_whose_mac_is_wrong);
	tcase_add_test(t, decrypts_what_it_verified);
	tcase_add_test(t, works_on_while_all_shared_memory_changes);
	tcase_add_test(t, closes_a_client_that_writes_itself_credit);
	suite_add_tcase(s, t);
	return test_main(s);
}
