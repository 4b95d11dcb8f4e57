/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf-speed - kcf's doors beside libcrypto and beside the most two cores allow, in one run.
 *
 * Method. Every door does the same operation on the same inputs under 64 keys in rotation, and this
 * program writes all of the input and reads all of the output of every operation. direct: one
 * thread, contexts prepared, on the client's CPU. caller: the same thread and CPU through
 * kcf_encrypt or kcf_mac with templates. limit: the bare two-process probe (speed-limit.c),
 * client's and server's CPU. inline, arena, handle: pipelined through a private kcfd with one
 * worker on the server's CPU, this program on the client's. Rates come from turns without clock
 * reads per operation, latencies from a turn of their own; with queues a latency is from submission
 * to callback.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

#define TURNS 3

static const char help[] =
	"Usage: kcf-speed [OPTION]...\n"
	"       kcf-speed --bars [--json] [--only NAME]\n\n"
	"Compare kcf with libcrypto called directly and with a bare two-process probe, on this\n"
	"machine, with a private kcfd that is started and ended here.\n\n"
	"Options:\n"
	"  --bars           the project's bars, one line each (about a minute)\n"
	"  --only NAME      only this bar: caller-aes256gcm-64, caller-aes256gcm-16k,\n"
	"                   caller-hmacsha256-64, arena-aes256gcm-64k, inline-aes256gcm-64,\n"
	"                   handle-rsa2048-sign, idle-connection-bytes\n"
	"  --quick          fewer sizes, shorter turns\n"
	"  --json           one JSON object a line\n"
	"  --kcfd PROGRAM   kcfd to start (else of the build tree, else of PATH)\n"
	"  --modules DIR    its provider modules\n"
	"  --cpus A,B       CPU of the client and CPU of kcfd (0,1; one CPU: not pinned)\n"
	"  -h, --help       this text\n"
	"Exit codes: 0 done, 1 failed, 2 usage, 4 no such bar.\n";

static const size_t sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
static const size_t quick_sizes[] = {64, 4096, 65536, 1048576};

static const struct speed_door *const doors[] = {&speed_direct, &speed_limit, &speed_caller,
						 &speed_inline, &speed_arena, &speed_handle};

static const char *work_name(enum speed_work_kind work)
{
	return work == SPEED_AES256GCM    ? "aes-256-gcm"
	       : work == SPEED_HMACSHA256 ? "hmac-sha256"
					  : "rsa2048-sha256-sign";
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The share-th part of the samples, in microseconds; 0 without samples. */
static double quantile(const struct speed_latency *l, double share)
{
	return l->n ? l->ns[(size_t)((double)(l->n - 1) * share)] / 1000.0 : 0;
}

static void print_row(const struct speed_case *c, const struct speed_door *door, double rate,
		      const struct speed_latency *l, bool json)
{
	double gb = rate * (double)c->size / 1e9;

	if (json) {
		printf("{\"work\": \"%s\", \"size\": %zu, \"door\": \"%s\", \"ops_per_second\": "
		       "%.1f, "
		       "\"gb_per_second\": %.4f, ",
		       work_name(c->work), c->size, door->name, rate, gb);
		if (l->n)
			printf("\"p50_us\": %.2f, \"p99_us\": %.2f}\n", quantile(l, .5),
			       quantile(l, .99));
		else
			printf("\"p50_us\": null, \"p99_us\": null}\n");
	} else {
		printf("%-20s %8zu  %-7s %12.0f %8.3f", work_name(c->work), c->size, door->name,
		       rate, gb);
		if (l->n)
			printf(" %10.1f %10.1f", quantile(l, .5), quantile(l, .99));
		putchar('\n');
	}
	fflush(stdout);
}

/* All doors on one case, their turns in alternation. */
static bool run_case(const struct speed_case *c, struct kcf_client *client, double seconds,
		     bool json)
{
	enum { N = sizeof(doors) / sizeof(doors[0]) };
	double rates[N][TURNS] = {{0}};
	void *states[N] = {NULL};
	struct speed_latency latency = {malloc(SPEED_SAMPLES * sizeof(uint32_t)), 0};
	bool ok = latency.ns != NULL;

	for (unsigned i = 0; ok && i < N; i++) {
		states[i] = doors[i]->open(c, client);
		ok = !states[i] || doors[i]->run(states[i], seconds / 5, NULL) >= 0;
	}
	for (unsigned turn = 0; ok && turn < TURNS; turn++) {
		for (unsigned i = 0; ok && i < N; i++) {
			if (states[i])
				rates[i][turn] = doors[i]->run(states[i], seconds, NULL);
			ok = rates[i][turn] >= 0;
		}
	}
	for (unsigned i = 0; i < N; i++) {
		if (!states[i])
			continue;
		latency.n = 0;
		if (ok && doors[i] != &speed_limit)
			ok = doors[i]->run(states[i], seconds / 2, &latency) >= 0;
		qsort(latency.ns, latency.n, sizeof(*latency.ns), by_value);
		if (ok)
			print_row(c, doors[i], speed_median(rates[i], TURNS), &latency, json);
		doors[i]->close(states[i]);
	}
	free(latency.ns);
	return ok;
}

static unsigned depth_of(size_t size)
{
	return size <= 1024 ? 96 : size <= 16384 ? 32 : 8;
}

static bool run_all(const struct speed_options *o, struct kcf_client *client)
{
	const size_t *list = o->quick ? quick_sizes : sizes;
	size_t n = o->quick ? sizeof(quick_sizes) / sizeof(quick_sizes[0])
			    : sizeof(sizes) / sizeof(sizes[0]);
	double seconds = o->quick ? 0.08 : 0.25;
	struct speed_case c = {.cpu_client = o->cpu_client, .cpu_server = o->cpu_server};

	if (!o->json)
		printf("%-20s %8s  %-7s %12s %8s %10s %10s\n", "work", "bytes", "door", "ops/s",
		       "GB/s", "p50 us", "p99 us");
	for (c.work = SPEED_AES256GCM; c.work <= SPEED_HMACSHA256; c.work++) {
		for (size_t i = 0; i < n; i++) {
			c.size = list[i];
			c.depth = depth_of(c.size);
			if (!run_case(&c, client, seconds, o->json))
				return false;
		}
	}
	c.work = SPEED_RSA2048_SIGN;
	c.size = SPEED_RSA_INPUT;
	c.depth = 16;
	return run_case(&c, client, seconds, o->json);
}

static int run_table(const struct speed_options *o)
{
	struct kcf_client_options options = {
		.size = sizeof(options), .label = "kcf-speed", .flags = KCF_CLIENT_APP_LOOP};
	struct kcf_client *client;
	struct speed_daemon daemon;
	enum kcf_status status;
	bool ok = false;

	if (!speed_daemon_start(&daemon, o->kcfd, o->modules, o->cpu_server))
		return TOOL_FAILED;
	options.socket = daemon.socket;
	options.module_dir = o->modules;
	status = kcf_client_open(&options, &client);
	if (status == KCF_SUCCESS) {
		ok = run_all(o, client);
		kcf_client_close(client);
	} else {
		tool_fail(status, "connecting to the private kcfd");
	}
	speed_daemon_stop(&daemon);
	return ok ? TOOL_OK : TOOL_FAILED;
}

static bool parse_cpus(const char *text, struct speed_options *o)
{
	char end;

	return sscanf(text, "%d,%d%c", &o->cpu_client, &o->cpu_server, &end) == 2;
}

static int parse(int argc, char **argv, struct speed_options *o)
{
	static const struct option longs[] = {
		{"bars", 0, NULL, 'b'}, {"only", 1, NULL, 'o'}, {"quick", 0, NULL, 'q'},
		{"json", 0, NULL, 'j'}, {"kcfd", 1, NULL, 'k'}, {"modules", 1, NULL, 'm'},
		{"cpus", 1, NULL, 'c'}, {"help", 0, NULL, 'h'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'b')
			o->bars = true;
		else if (c == 'o')
			o->only = optarg;
		else if (c == 'q')
			o->quick = true;
		else if (c == 'j')
			o->json = true;
		else if (c == 'k')
			o->kcfd = optarg;
		else if (c == 'm')
			o->modules = optarg;
		else if (c == 'h') {
			fputs(help, stdout);
			return -1;
		} else if (c != 'c' || !parse_cpus(optarg, o)) {
			tool_hint("see: kcf-speed --help");
			return TOOL_USAGE;
		}
	}
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	struct speed_options o = {.cpu_client = 0, .cpu_server = 1};
	int code;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		o.cpu_client = o.cpu_server = -1;
	code = parse(argc, argv, &o);
	if (code != TOOL_OK)
		return code < 0 ? TOOL_OK : code;
	return o.bars || o.only ? speed_bars(&o) : run_table(&o);
}
