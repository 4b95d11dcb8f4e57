/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-limit - the most two cores of this machine can do for a service like kcf, and no more: no
 * protocol, no scheduling, no checks. Two processes share a ring of slots. One writes all input and
 * reads all output on its core; the other encrypts with libcrypto on its own, contexts prepared,
 * with AES-256-GCM under 64 keys in rotation. Both spin. It knows nothing of kcf.
 *
 *   kcf-speed-limit SIZE SECONDS DEPTH CPU-OF-CLIENT CPU-OF-SERVER
 *
 * prints operations a second. A CPU of -1 is not pinned.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "speed-work.h"

#define MAX_DEPTH   256
#define LINE        64
#define YIELD_EVERY 4096
#define PATIENCE_S  20
#define CHECK_EVERY 64 /* operations between looks at the clock */

enum { EMPTY, INPUT, OUTPUT };

struct slot {
	int state; /* the one word both sides wait on: release store, acquire load */
	unsigned char nonce[SPEED_NONCE_LEN];
	char pad[LINE - sizeof(int) - SPEED_NONCE_LEN];
};

struct ring {
	int stop;
	char pad[LINE - sizeof(int)];
	struct slot slots[];
};

struct shape {
	size_t size, out_len, slot_len;
	unsigned depth;
	struct ring *ring;
	unsigned char *data; /* per slot: input, then output, each on its own lines */
};

static size_t round_up(size_t n)
{
	/* A page and a line more, so that slots do not fall on the same cache sets. */
	return (n + 4095) / 4096 * 4096 + LINE;
}

static unsigned char *input(const struct shape *s, unsigned i)
{
	return s->data + i * s->slot_len;
}

static unsigned char *output(const struct shape *s, unsigned i)
{
	return input(s, i) + s->slot_len / 2;
}

static bool shape_make(struct shape *s, size_t size, unsigned depth)
{
	size_t ring_len = sizeof(struct ring) + depth * sizeof(struct slot);

	s->size = size;
	s->depth = depth;
	s->out_len = size + SPEED_TAG_LEN;
	s->slot_len = 2 * round_up(s->out_len);
	s->ring = mmap(NULL, ring_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s->data = mmap(NULL, depth * s->slot_len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return s->ring != MAP_FAILED && s->data != MAP_FAILED;
}

static bool contexts_make(EVP_CIPHER_CTX **contexts)
{
	EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	bool ok = gcm != NULL;

	for (unsigned i = 0; ok && i < SPEED_TEMPLATES; i++) {
		unsigned char key[32];

		speed_key(key, sizeof(key), i);
		contexts[i] = EVP_CIPHER_CTX_new();
		ok = contexts[i] && EVP_EncryptInit_ex2(contexts[i], gcm, key, NULL, NULL);
	}
	EVP_CIPHER_free(gcm);
	return ok;
}

static bool seal(EVP_CIPHER_CTX *ctx, const struct shape *s, unsigned i)
{
	unsigned char *out = output(s, i);
	int n = 0, rest = 0;

	return EVP_EncryptInit_ex2(ctx, NULL, NULL, s->ring->slots[i].nonce, NULL) &&
	       EVP_EncryptUpdate(ctx, out, &n, input(s, i), (int)s->size) &&
	       EVP_EncryptFinal_ex(ctx, out + n, &rest) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SPEED_TAG_LEN, out + s->size);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Spin until the slot is in this state; false: the other side asked to stop. */
static bool await(struct ring *ring, struct slot *slot, int state)
{
	for (unsigned spins = 1; __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != state;
	     spins++) {
		if (__atomic_load_n(&ring->stop, __ATOMIC_RELAXED))
			return false;
		/* Never on a quiet machine; on a busy one the other side may be waiting for this
		 * CPU. */
		if (spins % YIELD_EVERY == 0)
			sched_yield();
		relax();
	}
	return true;
}

/* The other side must not wait for ever. */
static int give_up(const struct shape *s)
{
	__atomic_store_n(&s->ring->stop, 1, __ATOMIC_RELAXED);
	return 1;
}

static int serve(const struct shape *s, int cpu)
{
	EVP_CIPHER_CTX *contexts[SPEED_TEMPLATES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	speed_pin(cpu);
	if (!contexts_make(contexts))
		return give_up(s);
	for (uint64_t n = 0;; n++) {
		unsigned i = (unsigned)(n % s->depth);
		struct slot *slot = &s->ring->slots[i];

		if (!await(s->ring, slot, INPUT))
			return 0;
		if (!seal(contexts[n % SPEED_TEMPLATES], s, i))
			return give_up(s);
		__atomic_store_n(&slot->state, OUTPUT, __ATOMIC_RELEASE);
	}
}

static void put(const struct shape *s, uint64_t n)
{
	unsigned i = (unsigned)(n % s->depth);

	speed_fill(input(s, i), s->size, n);
	speed_nonce(s->ring->slots[i].nonce, n);
	__atomic_store_n(&s->ring->slots[i].state, INPUT, __ATOMIC_RELEASE);
}

/* Operations a second; the ring is kept full. */
static double drive(const struct shape *s, double seconds, uint64_t *sum)
{
	double started, now;
	uint64_t n = 0;

	while (n < s->depth)
		put(s, n++);
	started = now = speed_now();
	for (uint64_t done = 0; now - started < seconds; n++, done++) {
		unsigned i = (unsigned)(n % s->depth);

		if (!await(s->ring, &s->ring->slots[i], OUTPUT))
			return 0;
		*sum += speed_read(output(s, i), s->out_len);
		put(s, n);
		if (done % CHECK_EVERY == 0 || s->size >= 4096)
			now = speed_now();
	}
	return (double)(n - s->depth) / (now - started);
}

int main(int argc, char **argv)
{
	struct shape s;
	double seconds, rate;
	uint64_t sum = 0;
	pid_t child;
	int status = 0;

	if (argc != 6) {
		fprintf(stderr, "usage: %s SIZE SECONDS DEPTH CPU-OF-CLIENT CPU-OF-SERVER\n",
			argv[0]);
		return 2;
	}
	seconds = atof(argv[2]);
	if (atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_DEPTH || atoi(argv[1]) < 8 ||
	    atoi(argv[1]) % 8 || !shape_make(&s, (size_t)atoi(argv[1]), (unsigned)atoi(argv[3])))
		return 2;
	/* Whatever goes wrong, neither side waits for the other for ever. */
	alarm((unsigned)(10 * seconds) + PATIENCE_S);
	child = fork();
	if (child < 0)
		return 1;
	if (child == 0)
		_exit(serve(&s, atoi(argv[5])));
	speed_pin(atoi(argv[4]));
	/* Once to warm up: the contexts are made and every page is there. */
	drive(&s, seconds / 4, &sum);
	for (unsigned i = 0; i < s.depth; i++)
		await(s.ring, &s.ring->slots[i], OUTPUT);
	rate = drive(&s, seconds, &sum);
	__atomic_store_n(&s.ring->stop, 1, __ATOMIC_RELAXED);
	waitpid(child, &status, 0);
	printf("%.1f %llu\n", rate, (unsigned long long)sum % 2);
	return status ? 1 : 0;
}
