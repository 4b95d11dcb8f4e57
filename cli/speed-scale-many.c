/* SPDX-License-Identifier: Apache-2.0 */
/* speed-scale-many - many connections, many operations, and many connections that do nothing. One
 * thread, but for the library's own of idle connections. */
#include <stdlib.h>
#include <time.h>

#include "speed-scale.h"
#include "tool.h"

#define DEPTH        8u /* the floor of a connection's credit: every connection has it */
#define ACTIVE       100u
#define FEW          10u
#define MANY_OPS     1000000u
#define IDLE         100u
#define IDLE_SECONDS 30

/* ---- connections: ten alone, and a hundred of a thousand, in alternation ---- */

bool scale_connections(struct scale *s)
{
	struct scale_cost few[SCALE_TURNS], many[SCALE_TURNS], warm, a, c;

	for (unsigned i = 0; i < SCALE_TURNS; i++) {
		scale_destroy_templates(s, FEW);
		scale_close(s, FEW);
		if (!scale_open(s, FEW) || !scale_make_templates(s, FEW) ||
		    !scale_run(s, FEW, DEPTH, SCALE_SECONDS / 4, 0, &warm) ||
		    !scale_run(s, FEW, DEPTH, SCALE_SECONDS, 0, &few[i]) ||
		    !scale_open(s, SCALE_MOST) || !scale_make_templates(s, SCALE_MOST) ||
		    !scale_run(s, ACTIVE, DEPTH, SCALE_SECONDS / 4, 0, &warm) ||
		    !scale_run(s, ACTIVE, DEPTH, SCALE_SECONDS, 0, &many[i]))
			return false;
	}
	a = scale_median(few, SCALE_TURNS);
	c = scale_median(many, SCALE_TURNS);
	scale_print(s, "connections-10-of-10", FEW, &a, 1);
	scale_print(s, "connections-100-of-1k", SCALE_MOST, &c,
		    c.ops_per_second / a.ops_per_second);
	return true;
}

/* ---- operations: the same after a million ---- */

bool scale_operations(struct scale *s)
{
	struct scale_cost first = {0}, c;
	uint64_t done = 0;

	if (!scale_open(s, 1) || !scale_make_templates(s, SPEED_TEMPLATES) ||
	    !scale_run(s, 1, SCALE_DEPTH, 0, 1000, &c)) /* pays for what is made once */
		return false;
	for (unsigned i = 0; i < 10; i++) {
		if (!scale_run(s, 1, SCALE_DEPTH, 0, MANY_OPS / 10, &c))
			return false;
		done += MANY_OPS / 10;
		if (i == 0)
			first = c;
		scale_print(s, "operations", done, &c, c.ops_per_second / first.ops_per_second);
	}
	return true;
}

/* ---- idle: a hundred connections that have worked, and kcfd ---- */

static void on_idle_done(void *arg, const struct kcf_completion *completion)
{
	unsigned *done = arg;

	__atomic_fetch_add(done, 1, __ATOMIC_RELEASE);
}

/* Callbacks come on the library's own threads here. Each connection is made to work first, so that
 * what it makes at first use is there. */
static bool use_once(struct kcf_client *client, struct scale_lane *l, unsigned *done)
{
	static const unsigned char key_bytes[32];
	struct kcf_call_req req = {
		.flags = KCF_ALWAYS_QUEUE, .callback = on_idle_done, .arg = done};
	struct kcf_key key = kcf_key_bytes(key_bytes, sizeof(key_bytes));
	struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_data in = kcf_flat(l->in, sizeof(l->in)), out = kcf_flat(l->out, sizeof(l->out));

	return kcf_mac(client, &mech, &key, &in, &out, &req) == KCF_QUEUED;
}

bool scale_idle(struct scale *s)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = s->daemon.socket,
					     .label = "kcf-speed-scale",
					     .module_dir = s->o.modules};
	const struct timespec settle = {1, 0}, idle = {IDLE_SECONDS, 0};
	unsigned done = 0;
	uint64_t kcfd, client;

	s->lanes = calloc(IDLE, sizeof(*s->lanes));
	for (unsigned i = 0; s->lanes && i < IDLE; i++) {
		enum kcf_status status = kcf_client_open(&options, &s->connections[i].client);

		if (status != KCF_SUCCESS) {
			tool_fail(status, "opening connection %u", i);
			return false;
		}
		s->n_connections++;
		if (!use_once(s->connections[i].client, &s->lanes[i], &done))
			return false;
	}
	if (!s->lanes)
		return false;
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < IDLE)
		sched_yield();
	nanosleep(&settle, NULL);
	free(s->lanes);
	kcfd = scale_kcfd_ns(s);
	client = scale_client_ns();
	nanosleep(&idle, NULL);
	scale_print(s, "idle-ns-per-second", IDLE,
		    &(struct scale_cost){0, (double)(scale_kcfd_ns(s) - kcfd) / IDLE_SECONDS,
					 (double)(scale_client_ns() - client) / IDLE_SECONDS},
		    (double)(scale_kcfd_ns(s) - kcfd + scale_client_ns() - client) /
			    (IDLE_SECONDS * 1e9));
	return true;
}
