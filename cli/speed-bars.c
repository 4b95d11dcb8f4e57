/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-bars - the project's bars: each is one door against libcrypto on the same work (and the
 * bare probe where data crosses cores), against a private kcfd with one worker. Turns of the doors
 * alternate, so that a change of the machine's speed meets all of them; the median of each door's
 * turns counts. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "speed.h"
#include "tool.h"

#define TURNS            9
#define TURN_SECONDS     0.35
#define SPREAD_TURNS     31 /* of signatures: many and short, each key's blinding is renewed in few */
#define SPREAD_SECONDS   0.15
#define IDLE_CONNECTIONS 1000

struct bar {
	const char *name;
	struct speed_case c;
	const struct speed_door *door;
	bool limit; /* data crosses cores: also run the probe */
	bool direct;
	bool spread; /* the worker has its CPU for itself, kcfd's loop is on the client's */
	double min_ratio, min_kcf, max_kcf; /* 0 = none */
};

static const struct bar bars[] = {
	{.name = "caller-aes256gcm-64",
	 .c = {.work = SPEED_AES256GCM, .size = 64, .depth = 1},
	 .door = &speed_caller,
	 .direct = true,
	 .min_ratio = 0.90},
	{.name = "caller-aes256gcm-16k",
	 .c = {.work = SPEED_AES256GCM, .size = 16384, .depth = 1},
	 .door = &speed_caller,
	 .direct = true,
	 .min_ratio = 0.98},
	{.name = "caller-hmacsha256-64",
	 .c = {.work = SPEED_HMACSHA256, .size = 64, .depth = 1},
	 .door = &speed_caller,
	 .direct = true,
	 .min_ratio = 0.90},
	{.name = "arena-aes256gcm-64k",
	 .c = {.work = SPEED_AES256GCM, .size = 65536, .depth = 8},
	 .door = &speed_arena,
	 .limit = true,
	 .direct = true,
	 .min_ratio = 0.90},
	{.name = "inline-aes256gcm-64",
	 .c = {.work = SPEED_AES256GCM, .size = 64, .depth = 96},
	 .door = &speed_inline,
	 .direct = true,
	 .min_kcf = 300000},
	{.name = "handle-rsa2048-sign",
	 .c = {.work = SPEED_RSA2048_SIGN, .size = SPEED_RSA_INPUT, .depth = 16},
	 .door = &speed_handle,
	 .direct = true,
	 .spread = true,
	 .min_ratio = 0.95},
	{.name = "idle-connection-bytes", .max_kcf = 65536},
};

#define MIN_LIMIT_SHARE 0.75

int speed_double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double speed_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), speed_double_compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* ---- doors against each other ---- */

struct turns {
	const struct speed_door *doors[3];
	void *states[3];
	unsigned n;
	double seconds;
	double rates[3][SPREAD_TURNS];
};

static bool run_turns(struct turns *t)
{
	for (unsigned turn = 0; turn < t->n; turn++) {
		for (unsigned i = 0; i < 3; i++) {
			if (!t->doors[i])
				continue;
			t->rates[i][turn] = t->doors[i]->run(t->states[i], t->seconds, NULL);
			if (t->rates[i][turn] < 0)
				return false;
		}
	}
	return true;
}

static bool measure(const struct bar *b, const struct speed_daemon *d, struct kcf_client *client,
		    const struct speed_options *o, double medians[3])
{
	struct turns t = {.doors = {&speed_direct, b->limit ? &speed_limit : NULL, b->door},
			  .n = b->spread ? SPREAD_TURNS : TURNS,
			  .seconds = b->spread ? SPREAD_SECONDS : TURN_SECONDS};
	struct speed_case c = b->c, direct;
	bool ok = true;

	c.cpu_client = o->cpu_client;
	c.cpu_server = o->cpu_server;
	direct = c;
	if (b->spread) /* two virtual CPUs need not be equally fast: both where the worker is */
		direct.cpu_client = c.cpu_server;
	for (unsigned i = 0; ok && i < 3; i++) {
		if (!t.doors[i])
			continue;
		t.states[i] = t.doors[i]->open(i ? &c : &direct, client);
		/* A first short turn pays for what is made once. */
		ok = t.states[i] && t.doors[i]->run(t.states[i], TURN_SECONDS / 7, NULL) >= 0;
	}
	if (b->spread && c.cpu_server >= 0)
		speed_daemon_spread(d, c.cpu_client, c.cpu_server);
	ok = ok && run_turns(&t);
	for (unsigned i = 0; i < 3; i++) {
		if (t.states[i])
			t.doors[i]->close(t.states[i]);
		medians[i] = t.doors[i] ? speed_median(t.rates[i], t.n) : 0;
	}
	return ok;
}

/* ---- memory of idle connections ---- */

static struct kcf_client *connect_to(const char *path, const char *modules)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = path,
					     .label = "kcf-speed",
					     .module_dir = modules,
					     .flags = KCF_CLIENT_APP_LOOP};
	struct kcf_client *client = NULL;
	enum kcf_status status = kcf_client_open(&options, &client);

	if (status != KCF_SUCCESS)
		tool_fail(status, "connecting to the private kcfd");
	return client;
}

static bool measure_idle(const struct speed_daemon *d, const struct speed_options *o, double *ret)
{
	struct kcf_client **clients = calloc(IDLE_CONNECTIONS, sizeof(struct kcf_client *));
	struct rlimit files;
	uint64_t before = speed_daemon_memory(d), after;
	unsigned n = 0;

	/* A client holds several descriptors; the default limit of 1,024 is for other programs. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	while (clients && n < IDLE_CONNECTIONS) {
		clients[n] = connect_to(d->socket, o->modules);
		if (!clients[n])
			break;
		n++;
	}
	after = speed_daemon_memory(d);
	for (unsigned i = 0; i < n; i++)
		kcf_client_close(clients[i]);
	free(clients);
	*ret = after > before ? (double)(after - before) / IDLE_CONNECTIONS : 0;
	return n == IDLE_CONNECTIONS;
}

/* ---- lines ---- */

static bool is_met(const struct bar *b, double kcf, double direct, double limit)
{
	if (b->min_ratio && kcf / direct >= b->min_ratio)
		return true;
	if (b->limit && limit && kcf / limit >= MIN_LIMIT_SHARE)
		return true;
	if (b->min_kcf)
		return kcf >= b->min_kcf;
	return b->max_kcf && kcf <= b->max_kcf;
}

static void number(const char *key, double v, const char *format, bool known)
{
	printf(", \"%s\": ", key);
	if (known)
		printf(format, v);
	else
		printf("null");
}

static void print_bar(const struct bar *b, const struct speed_options *o, double kcf, double direct,
		      double limit)
{
	if (o->json) {
		printf("{\"name\": \"%s\"", b->name);
		number("kcf", kcf, "%.1f", true);
		number("direct", direct, "%.1f", b->direct);
		number("limit", limit, "%.1f", b->limit);
		number("ratio", b->direct ? kcf / direct : 0, "%.4f", b->direct);
		printf("}\n");
	} else {
		printf("%-24s kcf %12.1f", b->name, kcf);
		if (b->direct)
			printf("  direct %12.1f  ratio %6.3f", direct, kcf / direct);
		if (b->limit)
			printf("  limit %12.1f  share %6.3f", limit, kcf / limit);
		printf("  %s\n", is_met(b, kcf, direct, limit) ? "met" : "NOT MET");
	}
	fflush(stdout);
}

static bool run_bar(const struct bar *b, const struct speed_options *o)
{
	struct speed_daemon daemon;
	struct kcf_client *client;
	double medians[3] = {0}, idle = 0;
	bool ok;

	if (!speed_daemon_start(&daemon, o->kcfd, o->modules, o->cpu_server))
		return false;
	client = connect_to(daemon.socket, o->modules);
	ok = client != NULL;
	if (ok && !b->door)
		ok = measure_idle(&daemon, o, &idle);
	else if (ok)
		ok = measure(b, &daemon, client, o, medians);
	if (client)
		kcf_client_close(client);
	speed_daemon_stop(&daemon);
	if (ok)
		print_bar(b, o, b->door ? medians[2] : idle, medians[0], medians[1]);
	else
		tool_error("bar %s could not be measured", b->name);
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

int speed_bars(const struct speed_options *o)
{
	const char *near = NULL;
	unsigned best = 255;
	bool found = false, ok = true;

	for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
		if (o->only && strcmp(o->only, bars[i].name)) {
			if (tool_is_nearer(o->only, bars[i].name, &best))
				near = bars[i].name;
			continue;
		}
		if (!found)
			warn_if_busy();
		found = true;
		if (!run_bar(&bars[i], o))
			ok = false;
	}
	if (found)
		return ok ? TOOL_OK : TOOL_FAILED;
	tool_error("no bar '%s'", o->only);
	tool_hint(near ? "did you mean '%s'?" : "see: kcf-speed --help", near);
	return TOOL_NOT_FOUND;
}
