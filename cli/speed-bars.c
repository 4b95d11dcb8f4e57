/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-bars - measures the bars: each is one door against libcrypto on the same work (and the bare
 * probe where data crosses cores), against a private kcfd with one worker. Turns of the doors
 * alternate, so that a change of the machine's speed meets all of them; the median of each door's
 * turns counts. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "speed-bar.h"
#include "tool.h"

#define TURNS            21 /* many and short: CPUs of a virtual machine change their speed */
#define TURN_SECONDS     0.04
#define CLIENTS_TURNS    9 /* of several processes: they begin one after the other */
#define CLIENTS_SECONDS  0.25
#define SIGN_TURNS       31 /* each key's blinding is renewed in few */
#define SIGN_SECONDS     0.15
#define WARM_SECONDS     0.05
#define IDLE_CONNECTIONS 1000

enum { DIRECT, LIMIT, KCF, DOORS };

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double speed_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* ---- doors against each other ---- */

struct turns {
	const struct speed_door *doors[DOORS];
	void *states[DOORS];
	unsigned n;
	double seconds;
	double rates[DOORS][SIGN_TURNS];
};

static bool run_turns(struct turns *t)
{
	struct speed_turn done;

	for (unsigned turn = 0; turn < t->n; turn++) {
		for (unsigned i = 0; i < DOORS; i++) {
			if (!t->doors[i])
				continue;
			if (!t->doors[i]->run(t->states[i], t->seconds, NULL, &done))
				return false;
			t->rates[i][turn] = speed_rate(&done);
		}
	}
	return true;
}

static bool measure(const struct speed_bar *b, const struct speed_daemon *d,
		    struct kcf_client *client, const struct speed_options *o,
		    struct speed_result *ret)
{
	bool sign = speed_is_sign(b->c.work), ok = true;
	struct turns t = {.doors = {b->direct, b->crosses ? &speed_limit : NULL, b->door},
			  .n = sign           ? SIGN_TURNS
			       : b->c.clients ? CLIENTS_TURNS
					      : TURNS,
			  .seconds = sign           ? SIGN_SECONDS
				     : b->c.clients ? CLIENTS_SECONDS
						    : TURN_SECONDS};
	double medians[DOORS] = {0};
	struct speed_case c = b->c, direct;
	struct speed_turn warm;

	c.cpu_client = o->cpu_client;
	c.cpu_server = o->cpu_server;
	c.socket = d->socket;
	c.modules = o->modules;
	direct = c;
	if (b->spread) /* two virtual CPUs need not be equally fast: both where the worker is */
		direct.cpu_client = c.cpu_server;
	for (unsigned i = 0; ok && i < DOORS; i++) {
		if (!t.doors[i])
			continue;
		t.states[i] = t.doors[i]->open(i == DIRECT ? &direct : &c, client);
		/* A first short turn pays for what is made once. */
		ok = t.states[i] && t.doors[i]->run(t.states[i], WARM_SECONDS, NULL, &warm);
	}
	if (b->spread && c.cpu_server >= 0)
		speed_daemon_spread(d, c.cpu_client, c.cpu_server);
	ok = ok && run_turns(&t);
	for (unsigned i = 0; i < DOORS; i++) {
		if (t.states[i])
			t.doors[i]->close(t.states[i]);
		medians[i] = t.doors[i] ? speed_median(t.rates[i], t.n) : 0;
		if (b->times && medians[i] > 0)
			medians[i] = 1e9 / medians[i];
	}
	*ret = (struct speed_result){medians[KCF], medians[DIRECT], medians[LIMIT]};
	return ok;
}

/* ---- memory of idle connections ---- */

static bool measure_idle(const struct speed_daemon *d, const struct speed_options *o,
			 struct speed_result *ret)
{
	struct kcf_client **clients = calloc(IDLE_CONNECTIONS, sizeof(struct kcf_client *));
	uint64_t before = speed_daemon_memory(d), after;
	struct rlimit files;
	unsigned n = 0;

	/* A client holds several descriptors; the default limit of 1,024 is for other programs. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	while (clients && n < IDLE_CONNECTIONS) {
		clients[n] = speed_connect(d->socket, o->modules);
		if (!clients[n])
			break;
		n++;
	}
	after = speed_daemon_memory(d);
	for (unsigned i = 0; i < n; i++)
		kcf_client_close(clients[i]);
	free(clients);
	ret->kcf = after > before ? (double)(after - before) / IDLE_CONNECTIONS : 0;
	return n == IDLE_CONNECTIONS;
}

/* ---- lines ---- */

static void number(const char *key, double v, const char *format, bool known)
{
	printf(", \"%s\": ", key);
	if (known)
		printf(format, v);
	else
		printf("null");
}

static void print_json(const struct speed_bar *b, bool vectors, const struct speed_result *r)
{
	printf("{\"name\": \"%s\"", b->name);
	number("kcf", r->kcf, "%.1f", true);
	number("direct", r->direct, "%.1f", b->direct != NULL);
	number("limit", r->limit, "%.1f", b->crosses);
	number("ratio", b->direct ? r->kcf / r->direct : 0, "%.4f", b->direct != NULL);
	number("bar", speed_bar_at(b, vectors), "%.6g", true);
	printf(", \"met\": %s}\n", speed_bar_is_met(b, vectors, r) ? "true" : "false");
}

static void print_text(const struct speed_bar *b, bool vectors, const struct speed_result *r)
{
	printf("%-33s kcf %10.0f", b->name, r->kcf);
	if (b->direct)
		printf("  direct %10.0f  ratio %6.3f", r->direct, r->kcf / r->direct);
	if (b->crosses)
		printf("  limit %10.0f  share %5.3f", r->limit, r->kcf / r->limit);
	printf("  bar %.6g %s\n", speed_bar_at(b, vectors),
	       speed_bar_is_met(b, vectors, r) ? "met" : "NOT MET");
}

static bool run_bar(const struct speed_bar *b, const struct speed_options *o, bool vectors)
{
	struct speed_result result = {0};
	struct speed_daemon daemon;
	struct kcf_client *client;
	bool ok;

	if (!speed_daemon_start(&daemon, o->kcfd, o->modules, o->cpu_server))
		return false;
	client = speed_connect(daemon.socket, o->modules);
	ok = client && (b->door ? measure(b, &daemon, client, o, &result)
				: measure_idle(&daemon, o, &result));
	if (client)
		kcf_client_close(client);
	speed_daemon_stop(&daemon);
	if (!ok)
		tool_error("bar %s could not be measured", b->name);
	else if (o->json)
		print_json(b, vectors, &result);
	else
		print_text(b, vectors, &result);
	fflush(stdout);
	return ok;
}

/* CPUs shared with other programs compare nothing. */
static void warn_if_busy(void)
{
	double load;

	if (getloadavg(&load, 1) == 1 && load >= 1)
		tool_error("load average %.1f: others take part of these CPUs, figures say little",
			   load);
}

static int unknown(const char *name)
{
	const char *near = NULL;
	unsigned best = 255;

	for (const struct speed_bar *b = speed_bar_table; b->name; b++) {
		if (tool_is_nearer(name, b->name, &best))
			near = b->name;
	}
	tool_error("no bar '%s'", name);
	if (near)
		tool_hint("did you mean '%s'?", near);
	tool_hint("the bars are:");
	for (const struct speed_bar *b = speed_bar_table; b->name; b++)
		tool_hint("  %s", b->name);
	return TOOL_NOT_FOUND;
}

int speed_bars(const struct speed_options *o)
{
	bool vectors = speed_has_vectors(), ok = true;

	if (o->only && !speed_bar_find(o->only))
		return unknown(o->only);
	warn_if_busy();
	if (!vectors)
		tool_error("this CPU has no AVX-512 with vector AES: bars above 1.0 are 1.0 here");
	for (const struct speed_bar *b = speed_bar_table; b->name; b++) {
		if (!o->only || !strcmp(o->only, b->name))
			ok = run_bar(b, o, vectors) && ok;
	}
	return ok ? TOOL_OK : TOOL_FAILED;
}
