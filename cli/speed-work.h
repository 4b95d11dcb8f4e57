/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-work - the part of every measured operation that is the program's own, the same for
 * libcrypto, the probe and kcf: what is done, under which key, on which input; write all of the
 * input, read all of the output; pinning, time. Operation number n of a work is the same bytes
 * everywhere, so results can be compared. Nothing of kcf's.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define SPEED_TEMPLATES 64u /* keys in rotation */
#define SPEED_NONCE_LEN 12u
#define SPEED_IV_LEN    16u /* the longest */
#define SPEED_TAG_LEN   16u
#define SPEED_MAC_LEN   32u
#define SPEED_RSA_OUT   256u
#define SPEED_ECDSA_OUT 64u
#define SPEED_MAC_KEYS  SPEED_TEMPLATES /* speed_key: the second keys of dual work begin here */

enum speed_work_kind {
	SPEED_GCM_ENC, /* AES-256-GCM */
	SPEED_GCM_DEC,
	SPEED_CBC_ENC, /* AES-128-CBC, no padding */
	SPEED_CBC_DEC,
	SPEED_HMAC,     /* HMAC-SHA-256, key of 32 bytes */
	SPEED_DUAL_ENC, /* AES-128-CBC, then HMAC-SHA-256 over the ciphertext */
	SPEED_DUAL_DEC,
	SPEED_RSA_SIGN,   /* RSA-2048, PKCS#1 v1.5 with SHA-256 */
	SPEED_ECDSA_SIGN, /* ECDSA on P-256 with SHA-256 */
	SPEED_WORKS
};

static inline bool speed_is_sign(enum speed_work_kind w)
{
	return w == SPEED_RSA_SIGN || w == SPEED_ECDSA_SIGN;
}

/* Bytes at the end of the input that authenticate it; size does not count them. */
static inline size_t speed_auth_len(enum speed_work_kind w)
{
	return w == SPEED_GCM_DEC ? SPEED_TAG_LEN : w == SPEED_DUAL_DEC ? SPEED_MAC_LEN : 0;
}

static inline size_t speed_in_len(enum speed_work_kind w, size_t size)
{
	return size + speed_auth_len(w);
}

static inline size_t speed_out_len(enum speed_work_kind w, size_t size)
{
	switch (w) {
	case SPEED_GCM_ENC:
		return size + SPEED_TAG_LEN;
	case SPEED_DUAL_ENC:
		return size + SPEED_MAC_LEN;
	case SPEED_HMAC:
		return SPEED_MAC_LEN;
	case SPEED_RSA_SIGN:
		return SPEED_RSA_OUT;
	case SPEED_ECDSA_SIGN:
		return SPEED_ECDSA_OUT;
	default:
		return size;
	}
}

static inline size_t speed_key_len(enum speed_work_kind w)
{
	return w == SPEED_GCM_ENC || w == SPEED_GCM_DEC || w == SPEED_HMAC ? 32 : 16;
}

static inline size_t speed_iv_len(enum speed_work_kind w)
{
	return w == SPEED_GCM_ENC || w == SPEED_GCM_DEC ? SPEED_NONCE_LEN
	       : w == SPEED_HMAC || speed_is_sign(w)    ? 0
							: SPEED_IV_LEN;
}

/* What input and IV of operation n are made from. Authentic input is known for one message a key.
 */
static inline uint64_t speed_seed(enum speed_work_kind w, uint64_t n)
{
	return speed_auth_len(w) ? n % SPEED_TEMPLATES : n;
}

static inline void speed_iv(unsigned char iv[SPEED_IV_LEN], uint64_t seed)
{
	memset(iv, 0, SPEED_IV_LEN);
	memcpy(iv, &seed, sizeof(seed));
}

#define SPEED_SHORT 128u /* bytes for which calling a function is not worth it */

/* speed-work.c */
void speed_fill_long(unsigned char *buf, size_t len, uint64_t seed);
uint64_t speed_read_long(const unsigned char *buf, size_t len);

static inline void speed_fill_words(unsigned char *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = seed + i;

		memcpy(buf + i, &word, 8);
	}
}

static inline uint64_t speed_read_words(const unsigned char *buf, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, buf + i, 8);
		sum += word;
	}
	return sum;
}

/* len: a multiple of 8. */
static inline void speed_fill(unsigned char *buf, size_t len, uint64_t seed)
{
	if (len > SPEED_SHORT)
		speed_fill_long(buf, len, seed);
	else
		speed_fill_words(buf, len, seed);
}

static inline uint64_t speed_read(const unsigned char *buf, size_t len)
{
	return len > SPEED_SHORT ? speed_read_long(buf, len) : speed_read_words(buf, len);
}

static inline void speed_key(unsigned char *key, size_t len, unsigned i)
{
	for (size_t j = 0; j < len; j++)
		key[j] = (unsigned char)(i * 31 + j * 7 + 1);
}

/* What authenticates input i, for work that has such. */
struct speed_auth {
	unsigned char bytes[SPEED_TEMPLATES][SPEED_MAC_LEN];
};

/* All of the input of operation n. */
static inline void speed_input(enum speed_work_kind w, size_t size, const struct speed_auth *auth,
			       uint64_t n, unsigned char *buf)
{
	speed_fill(buf, size, speed_seed(w, n));
	if (speed_auth_len(w))
		memcpy(buf + size, auth->bytes[n % SPEED_TEMPLATES], speed_auth_len(w));
}

static inline double speed_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Thread 0: this one. cpu < 0: leave it to the kernel. */
static inline void speed_pin_thread(pid_t thread, int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	sched_setaffinity(thread, sizeof(set), &set);
}

static inline void speed_pin(int cpu)
{
	speed_pin_thread(0, cpu);
}

static inline void speed_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}
