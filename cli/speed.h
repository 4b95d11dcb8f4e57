/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed - what the files of kcf-speed share. A door is a way to have an operation done: libcrypto
 * itself, the bare probe, or one of kcf's. Doors are opened once, run for short turns in rotation,
 * and closed; every door does the same work on the same inputs, the program writes all input and
 * reads all output of every operation, and what a door makes is compared with what libcrypto makes.
 */
#pragma once

#include <kcf/client.h>

#include "speed-evp.h"

/* What is measured: one work at one size. */
struct speed_case {
	enum speed_work_kind work;
	size_t size;      /* bytes of input */
	unsigned depth;   /* operations in flight where a door can */
	unsigned clients; /* processes where a door can; 0 = one, and in this process */
	int cpu_client, cpu_server;
	const char *socket, *modules; /* the private kcfd's, for further clients */
};

#define SPEED_SAMPLES 65536u

/* Latencies of one turn in nanoseconds: a random part of them, if there are many. */
struct speed_latency {
	uint32_t *ns; /* SPEED_SAMPLES */
	size_t n;
	uint64_t seen, random;
	double rate; /* operations offered a second, whether or not others are done; 0 = as many as
			fit, each begun when one is done */
};

/* What was done in a turn. */
struct speed_turn {
	uint64_t n;
	double seconds;
};

struct speed_door {
	const char *name;
	/* NULL: this door does not do this case. The state is the door's. Prints what is wrong. */
	void *(*open)(const struct speed_case *c, struct kcf_client *client);
	/* Operations for about this time. False after an error. latency may be NULL. */
	bool (*run)(void *state, double seconds, struct speed_latency *latency,
		    struct speed_turn *ret);
	void (*close)(void *state);
};

extern const struct speed_door speed_direct, speed_limit, speed_caller, speed_inline, speed_arena,
	speed_handle, speed_batch, speed_clients, speed_round_trip, speed_socket_trip;

static inline void speed_sample(struct speed_latency *l, uint64_t ns)
{
	uint64_t place;

	if (!l)
		return;
	l->random = l->random * 6364136223846793005u + 1442695040888963407u;
	place = l->n < SPEED_SAMPLES ? l->n++ : (l->random >> 32) % l->seen;
	l->seen++;
	if (place < SPEED_SAMPLES)
		l->ns[place] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline double speed_rate(const struct speed_turn *t)
{
	return t->seconds > 0 ? (double)t->n / t->seconds : 0;
}

static inline uint64_t speed_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Operations between looks at the clock: about a tenth of a millisecond's worth. */
static inline unsigned speed_per_look(const struct speed_case *c)
{
	return speed_is_sign(c->work) ? 1 : c->size <= 1024 ? 256 : c->size <= 16384 ? 32 : 4;
}

/* Memory for one operation's input or output, aligned and in whole lines. */
static inline size_t speed_lines(size_t len)
{
	return (len + 63) / 64 * 64;
}

/* "aes256gcm-enc", ... */
const char *speed_work_name(enum speed_work_kind work);
/* At the end of a turn: n operations since started. sum: what was read, so that no compiler leaves
 * the reading out. */
void speed_turn_end(struct speed_turn *ret, uint64_t n, double started, uint64_t sum);

/* ---- are results right? (speed-check.c) ---- */

/* Compares the first results of a door with libcrypto's, then one in about a thousand. */
struct speed_check {
	struct speed_evp evp;
	struct speed_auth auth; /* for all inputs of the door */
	unsigned char *out;
	uint64_t next;
};

bool speed_check_open(struct speed_check *k, const struct speed_case *c);
void speed_check_close(struct speed_check *k);
/* False, and said, if this is not the result of operation n on in. */
bool speed_check_result(struct speed_check *k, uint64_t n, const unsigned char *in,
			const unsigned char *out);

static inline bool speed_check(struct speed_check *k, uint64_t n, const unsigned char *in,
			       const unsigned char *out)
{
	return n < k->next || speed_check_result(k, n, in, out);
}

/* ---- kcf's functions, by work (speed-call.c) ---- */

struct speed_call {
	enum speed_work_kind work;
	size_t size;
	struct kcf_client *client;
	struct kcf_template *templates[SPEED_TEMPLATES], *mac_templates[SPEED_TEMPLATES];
	struct kcf_key keys[SPEED_TEMPLATES], mac_keys[SPEED_TEMPLATES]; /* of those */
	struct kcf_key handles[SPEED_TEMPLATES];                         /* in kcfd, with handles */
};

/* handles: the keys are in kcfd. Prints what is wrong; close in any case. */
bool speed_call_open(struct speed_call *call, const struct speed_case *c, struct kcf_client *client,
		     bool handles);
void speed_call_close(struct speed_call *call);

/* An operation, its buffers and all that it points to; not to be moved. */
struct speed_op {
	uint64_t n;
	unsigned char *in, *out;
	struct kcf_how how;
	struct kcf_data from, to, mac;
	struct kcf_mechanism mech, mac_mech;
	struct kcf_dual dual;
	struct kcf_param_aead aead;
	struct kcf_param_iv cbc;
	unsigned char iv[SPEED_IV_LEN];
};

void speed_op_init(struct speed_op *op, const struct speed_call *call, unsigned char *in,
		   unsigned char *out);
/* Make it operation n, and write its input. */
void speed_op_prepare(struct speed_op *op, const struct speed_call *call,
		      const struct speed_auth *auth, uint64_t n);
enum kcf_status speed_op_call(struct speed_op *op, const struct speed_call *call,
			      struct kcf_call_req *req);

/* ---- a private kcfd (speed-daemon.c) ---- */

struct speed_daemon {
	pid_t pid;
	char dir[64], socket[96];
};

/* program NULL: the one of this build tree, else of PATH. cpu < 0: any. Prints what is wrong. */
bool speed_daemon_start(struct speed_daemon *d, const char *program, const char *modules, int cpu);
/* Further lines of the next one's [limits]: one worker, so that rates are per worker. */
extern const char *speed_daemon_limits;
void speed_daemon_stop(struct speed_daemon *d);
/* Its loop to one CPU, its workers, which are there once they had work, to the other. */
void speed_daemon_spread(const struct speed_daemon *d, int cpu_loop, int cpu_workers);
/* RssAnon + RssShmem in bytes. */
uint64_t speed_daemon_memory(const struct speed_daemon *d);
/* A client of it, without a thread of its own; NULL, and said. */
struct kcf_client *speed_connect(const char *socket, const char *modules);

/* ---- the bars (speed-bars.c, the table in speed-bar.h) ---- */

struct speed_options {
	const char *kcfd, *modules, *only;
	bool json, bars;
	int cpu_client, cpu_server;
};

/* Prints one line per bar. Exit code. */
int speed_bars(const struct speed_options *o);
double speed_median(double *values, size_t n);
