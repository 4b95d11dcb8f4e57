/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-limit - the most two cores of this machine can do for a service like kcf, and no more: no
 * protocol, no scheduling, no checks. Processes share rings and payload; clients write all input
 * and read all output on their core, a server does the work on its own, with multi-buffer code if
 * that was there at build time, under 64 keys in rotation. All spin. It knows nothing of kcf.
 *
 *   kcf-speed-limit WORK SIZE SECONDS DEPTH CLIENTS CPU-OF-CLIENTS CPU-OF-SERVER
 *
 * prints operations, seconds, and the sum of the words of one client's first 64 results. WORK: a
 * number of enum speed_work_kind. A CPU of -1 is not pinned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "speed-evp.h"
#include "speed-limit.h"

#define PUBLISH 8u    /* small operations between two writes of an index */
#define LARGE   2048u /* bytes from which each operation is published at once */
#define LINE    64u
#define LOOKS   32u  /* turns of a client between two looks at the clock */
#define WARM_UP 0.25 /* of the time measured */

static struct limit_shape shape;
static struct limit_shared *shared;
static unsigned char *payload;
static volatile uint64_t used; /* no compiler leaves the reading out */

static void start(int cpu)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	speed_pin(cpu);
}

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

/* Several clients share a CPU and give way; one gives way for a busy machine's sake only. */
static void idle(void)
{
	static unsigned spins;

	if (shape.n_clients > 1 || ++spins % 4096 == 0)
		sched_yield();
	speed_relax();
}

/* ---- server ---- */

static struct server_ring {
	uint32_t head, tail, published;
} served[LIMIT_CLIENTS];

static void publish(unsigned client)
{
	struct server_ring *s = &served[client];

	/* Not again: the client looks at that line. */
	if (s->published != s->tail)
		__atomic_store_n(&shared->rings[client].completed, s->tail, __ATOMIC_RELEASE);
	s->published = s->tail;
}

/* Slots name their client: lanes are filled across clients. */
static void complete(int slot)
{
	unsigned client = slot < 0 ? 0 : (unsigned)slot / LIMIT_DEPTH;
	uint32_t *tail = &served[client].tail;

	if (slot == LIMIT_NONE)
		return;
	shared->rings[client].completions[*tail % LIMIT_DEPTH] = (struct limit_completion){
		.slot = (uint32_t)slot % LIMIT_DEPTH, .failed = slot < 0, .number = *tail};
	if (++*tail % shape.publish == 0)
		publish(client);
}

/* Everything that is there. */
static bool serve_rings(void)
{
	bool any = false;

	for (unsigned i = 0; i < shape.n_clients; i++) {
		struct limit_ring *r = &shared->rings[i];
		uint32_t tail = __atomic_load_n(&r->submitted, __ATOMIC_ACQUIRE);

		for (uint32_t *head = &served[i].head; *head != tail; ++*head, any = true)
			complete(limit_engine_submit(&r->entries[*head % LIMIT_DEPTH]));
	}
	return any;
}

static int serve(int cpu)
{
	start(cpu);
	if (!limit_engine_open(shape.work, shape.size, payload)) {
		__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
		return 1;
	}
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	while (!stopped()) {
		bool any = serve_rings();

		for (unsigned n = 0; !any && n < PUBLISH; n++)
			complete(limit_engine_flush());
		for (unsigned i = 0; i < shape.n_clients; i++)
			publish(i);
		if (!any)
			idle();
	}
	return 0;
}

/* ---- client ---- */

static void put(struct limit_ring *r, unsigned client, uint32_t slot, uint64_t n)
{
	struct limit_entry *e = &r->entries[n % LIMIT_DEPTH];

	e->slot = client * LIMIT_DEPTH + slot;
	e->key = (uint32_t)(n % SPEED_TEMPLATES);
	e->number = n;
	e->in = ((uint64_t)client * shape.depth + slot) * 2 * shape.stride;
	e->out = e->in + shape.stride;
	speed_iv(e->iv, speed_seed(shape.work, n));
	speed_input(shape.work, shape.size, &shape.auth, n, payload + e->in);
	if ((n + 1) % shape.publish == 0)
		__atomic_store_n(&r->submitted, (uint32_t)n + 1, __ATOMIC_RELEASE);
}

/* Read what is complete, put as many. False after a failure. */
static bool turn(struct limit_ring *r, unsigned client, uint32_t *head, uint64_t *n)
{
	uint32_t tail = __atomic_load_n(&r->completed, __ATOMIC_ACQUIRE);
	size_t out_len = speed_out_len(shape.work, shape.size);

	for (; *head != tail; ++*head, ++*n) {
		const struct limit_completion *c = &r->completions[*head % LIMIT_DEPTH];
		uint64_t i = (uint64_t)client * shape.depth + c->slot;
		uint64_t sum = speed_read(payload + (2 * i + 1) * shape.stride, out_len);

		if (c->failed)
			return false;
		if (c->number < SPEED_TEMPLATES)
			r->sum += sum;
		else
			used += sum;
		put(r, client, c->slot, *n);
	}
	__atomic_store_n(&r->submitted, (uint32_t)*n, __ATOMIC_RELEASE);
	return true;
}

static int drive(unsigned client, int cpu)
{
	struct limit_ring *r = &shared->rings[client];
	uint64_t n = 0, first = 0;
	uint32_t head = 0;
	double now;

	start(cpu);
	for (; n < shape.depth; n++)
		put(r, client, (uint32_t)n, n);
	do {
		now = speed_now();
		if (!first && now >= shape.begin)
			first = n;
		for (unsigned i = 0; i < LOOKS; i++) {
			uint64_t before = n;

			if (!turn(r, client, &head, &n))
				return 1;
			if (n == before)
				idle();
		}
		/* On a busy machine the first results may be late. */
	} while ((now < shape.end || n < shape.depth + SPEED_TEMPLATES) && !stopped());
	r->n = first ? n - first : 0;
	return stopped();
}

/* ---- both ---- */

static bool parse(char **argv)
{
	size_t len;

	shape.work = (enum speed_work_kind)atoi(argv[1]);
	shape.size = (size_t)atol(argv[2]);
	shape.depth = (unsigned)atoi(argv[4]);
	shape.n_clients = (unsigned)atoi(argv[5]);
	if (shape.work >= SPEED_RSA_SIGN || shape.size < 16 || shape.size % 16 ||
	    shape.depth - 1 >= LIMIT_DEPTH || shape.n_clients - 1 >= LIMIT_CLIENTS)
		return false;
	shape.publish = shape.size >= LARGE ? 1 : PUBLISH;
	/* Odd lines, so that slots do not fall on the same cache sets. */
	shape.stride = ((shape.size + SPEED_MAC_LEN + LINE - 1) / LINE | 1) * LINE;
	len = sizeof(*shared) + (size_t)shape.depth * shape.n_clients * 2 * shape.stride;
	shared = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	payload = (unsigned char *)(shared + 1);
	return shared != MAP_FAILED && speed_evp_auth(shape.work, shape.size, &shape.auth);
}

static bool await_children(unsigned n)
{
	int status = 0, all = 0;

	for (; n && wait(&status) > 0; n--)
		all |= status;
	return all == 0;
}

int main(int argc, char **argv)
{
	double seconds = argc == 8 ? atof(argv[3]) : 0;
	uint64_t n = 0;
	bool ok;

	if (seconds <= 0 || !parse(argv)) {
		fputs("usage: WORK SIZE SECONDS DEPTH CLIENTS CPU CPU\n", stderr);
		return 2;
	}
	/* Whatever goes wrong, nobody waits for ever. */
	alarm((unsigned)(10 * seconds) + 20);
	if (fork() == 0)
		_exit(serve(atoi(argv[7])));
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) && !stopped())
		idle();
	shape.begin = speed_now() + WARM_UP * seconds;
	shape.end = shape.begin + seconds;
	for (unsigned i = 0; i < shape.n_clients; i++)
		if (fork() == 0)
			_exit(drive(i, atoi(argv[6])));
	ok = !stopped() && await_children(shape.n_clients);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	ok = await_children(1) && ok;
	for (unsigned i = 0; i < shape.n_clients; i++)
		n += shared->rings[i].n;
	printf("%llu %f %llu\n", (unsigned long long)n, seconds,
	       (unsigned long long)shared->rings[0].sum);
	return ok ? 0 : 1;
}
