/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-work - the part of every measured operation that is the program's own, the same for
 * libcrypto, the probe and kcf: write all of the input, read all of the output, a new nonce each
 * time, pinning, time.
 */
#pragma once

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define SPEED_TEMPLATES 64u /* keys in rotation */
#define SPEED_NONCE_LEN 12u
#define SPEED_TAG_LEN   16u

static inline double speed_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* len: a multiple of 8. */
static inline void speed_fill(unsigned char *buf, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = seed + i;

		memcpy(buf + i, &word, 8);
	}
}

static inline uint64_t speed_read(const unsigned char *buf, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, buf + i, 8);
		sum += word;
	}
	return sum;
}

static inline void speed_nonce(unsigned char *nonce, uint64_t n)
{
	memset(nonce, 0, SPEED_NONCE_LEN);
	memcpy(nonce, &n, sizeof(n));
}

static inline void speed_key(unsigned char *key, size_t len, unsigned i)
{
	for (size_t j = 0; j < len; j++)
		key[j] = (unsigned char)(i * 31 + j * 7 + 1);
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
