/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed - what the files of kcf-speed share. A door is a way to have an operation done: libcrypto
 * itself, the bare probe, or one of kcf's. Doors are opened once, run for short turns in rotation,
 * and closed; every door does the same work on the same inputs and the program writes all input and
 * reads all output of every operation.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "speed-work.h"

enum speed_work_kind { SPEED_AES256GCM, SPEED_HMACSHA256, SPEED_RSA2048_SIGN };

#define SPEED_RSA_KEYS  8u  /* distinct; the 64 templates share them, key generation is slow */
#define SPEED_RSA_INPUT 32u /* bytes signed; the digest is part of the operation */
#define SPEED_RSA_OUT   256u
#define SPEED_MAC_LEN   32u
#define SPEED_SAMPLES   32768u

/* What is measured: one mechanism at one size. */
struct speed_case {
	enum speed_work_kind work;
	size_t size;    /* bytes of input */
	unsigned depth; /* operations in flight where a door can */
	int cpu_client, cpu_server;
};

/* Latencies of one turn in nanoseconds; NULL where only the rate is wanted. */
struct speed_latency {
	uint32_t *ns; /* SPEED_SAMPLES */
	size_t n;
};

struct speed_door {
	const char *name;
	/* NULL: this door does not do this case. The state is the door's. Prints what is wrong. */
	void *(*open)(const struct speed_case *c, struct kcf_client *client);
	/* Operations a second over about this time; < 0 after an error. */
	double (*run)(void *state, double seconds, struct speed_latency *latency);
	void (*close)(void *state);
};

extern const struct speed_door speed_direct, speed_limit, speed_caller, speed_inline, speed_arena,
	speed_handle;

static inline size_t speed_out_len(const struct speed_case *c)
{
	return c->work == SPEED_AES256GCM    ? c->size + SPEED_TAG_LEN
	       : c->work == SPEED_HMACSHA256 ? SPEED_MAC_LEN
					     : SPEED_RSA_OUT;
}

static inline void speed_sample(struct speed_latency *l, uint64_t ns)
{
	if (l && l->n < SPEED_SAMPLES)
		l->ns[l->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline uint64_t speed_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Operations between looks at the clock: about a tenth of a millisecond's worth. */
static inline unsigned speed_batch(const struct speed_case *c)
{
	return c->work == SPEED_RSA2048_SIGN ? 1
	       : c->size <= 1024             ? 256
	       : c->size <= 16384            ? 32
					     : 4;
}

/* PKCS#8 DER of RSA key i (made at first use, kept); malloc'ed by the first caller's run. */
bool speed_rsa_key(unsigned i, const unsigned char **ret, size_t *ret_len);
/* What was read, so that no compiler leaves the reading out. */
void speed_consume(uint64_t sum);

/* ---- a private kcfd (speed-daemon.c) ---- */

struct speed_daemon {
	pid_t pid;
	char dir[64], socket[96];
};

/* program NULL: the one of this build tree, else of PATH. cpu < 0: any. Prints what is wrong. */
bool speed_daemon_start(struct speed_daemon *d, const char *program, const char *modules, int cpu);
void speed_daemon_stop(struct speed_daemon *d);
/* Its loop to one CPU, its workers, which are there once they had work, to the other. */
void speed_daemon_spread(const struct speed_daemon *d, int cpu_loop, int cpu_workers);
/* RssAnon + RssShmem in bytes. */
uint64_t speed_daemon_memory(const struct speed_daemon *d);

/* ---- the bars (speed-bars.c) ---- */

struct speed_options {
	const char *kcfd, *modules, *only, *socket;
	bool json, bars, quick;
	int cpu_client, cpu_server;
};

/* Prints one line per bar. Exit code. */
int speed_bars(const struct speed_options *o);
int speed_double_compare(const void *a, const void *b);
double speed_median(double *values, size_t n);
