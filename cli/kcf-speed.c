/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf-speed - kcf's doors beside libcrypto and beside the most two cores allow, in one run.
 *
 * Method. Every door does the same operation on the same inputs under 64 keys in rotation, and this
 * program writes all of the input and reads all of the output of every operation, and compares
 * results with libcrypto's. direct: one thread, contexts prepared, on the client's CPU. caller: the
 * same thread and CPU through kcf's synchronous calls with templates. limit: the bare two-process
 * probe (speed-limit.c), client's and server's CPU. inline, arena, handle: pipelined through a
 * private kcfd with one worker on the server's CPU, this program on the client's. Rates come from
 * turns without clock reads per operation, latencies from a turn of their own; with queues a
 * latency is from submission to callback.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "speed-plot.h"
#include "tool.h"

static const char help[] =
	"Usage: kcf-speed [OPTION]...\n"
	"       kcf-speed --bars [--json] [--only NAME]\n\n"
	"Compare kcf with libcrypto called directly and with a bare two-process probe, on this\n"
	"machine, with a private kcfd that is started and ended here.\n\n"
	"What to measure:\n"
	"  --sizes          every door, 64 bytes to 1 MiB (the default)\n"
	"  --depths         1 to 256 operations in flight, 1 KiB each\n"
	"  --clients        1 to 16 processes, 4 operations in flight each, 1 KiB each\n"
	"  --loads          latency by load, 1 KiB\n"
	"  --all            all of these\n"
	"  --work NAME      only this operation; may be repeated (a wrong one lists them)\n"
	"  --bars           the project's bars instead, one line each (two minutes)\n"
	"  --only NAME      only this bar (a wrong one lists them)\n"
	"Options:\n"
	"  --quick          fewer sizes and operations, shorter turns\n"
	"  --seconds S      of a turn (0.1; quick: 0.04); a median of three counts\n"
	"  --json           one JSON object a line\n"
	"  --plot FILE.svg  also a picture; without a choice above: of --sizes and --loads\n"
	"  --machine TEXT   what the picture calls this machine\n"
	"  --kcfd PROGRAM   kcfd to start (else of the build tree, else of PATH)\n"
	"  --modules DIR    its provider modules\n"
	"  --cpus A,B       CPU of the client and CPU of kcfd (0,1; one CPU: not pinned)\n"
	"  -h, --help       this text\n"
	"Exit codes: 0 done, 1 failed, 2 usage, 4 no such bar, operation or file.\n";

#define QUICK_WORKS                                                                                \
	(1u << SPEED_GCM_ENC | 1u << SPEED_CBC_ENC | 1u << SPEED_HMAC | 1u << SPEED_RSA_SIGN)
#define ALL_WORKS     ((1u << SPEED_WORKS) - 1)
#define TURN_SECONDS  0.1
#define QUICK_SECONDS 0.04

struct arguments {
	struct speed_options o;
	struct speed_sweep_options sweep;
	const char *plot, *machine;
};

static bool plot(const struct arguments *a, const struct speed_rows *rows, FILE *f)
{
	char machine[256];

	speed_machine(machine, sizeof(machine));
	if (speed_plot(f, rows, a->machine ? a->machine : machine))
		return true;
	tool_fail_errno("write", a->plot);
	return false;
}

/* picture: NULL, or where it goes. */
static bool run_sweeps(const struct arguments *a, const struct speed_daemon *daemon, FILE *picture)
{
	const struct speed_options *o = &a->o;
	struct speed_case base = {.cpu_client = o->cpu_client,
				  .cpu_server = o->cpu_server,
				  .socket = daemon->socket,
				  .modules = o->modules};
	struct kcf_client *client = speed_connect(daemon->socket, o->modules);
	struct speed_rows rows = {0};
	bool ok;

	if (!client)
		return false;
	ok = speed_sweep(&a->sweep, &base, client, &rows) && (!picture || plot(a, &rows, picture));
	kcf_client_close(client);
	free(rows.rows);
	return ok;
}

static int run_tables(struct arguments *a)
{
	struct speed_daemon daemon;
	FILE *picture = NULL;
	bool ok;

	if (!a->sweep.sweeps)
		a->sweep.sweeps = 1u << SPEED_SIZES | (a->plot ? 1u << SPEED_LOADS : 0);
	if (!a->sweep.works)
		a->sweep.works = a->sweep.quick ? QUICK_WORKS : ALL_WORKS;
	if (a->sweep.seconds <= 0)
		a->sweep.seconds = a->sweep.quick ? QUICK_SECONDS : TURN_SECONDS;
	a->sweep.json = a->o.json;
	/* Before minutes of work for nothing. */
	if (a->plot && !(picture = fopen(a->plot, "we")))
		return tool_fail_errno("write", a->plot);
	ok = speed_daemon_start(&daemon, a->o.kcfd, a->o.modules, a->o.cpu_server);
	if (ok) {
		ok = run_sweeps(a, &daemon, picture);
		speed_daemon_stop(&daemon);
	}
	if (picture && fclose(picture) != 0) {
		tool_fail_errno("write", a->plot);
		ok = false;
	}
	return ok ? TOOL_OK : TOOL_FAILED;
}

static int add_work(const char *name, unsigned *works)
{
	for (unsigned i = 0; i < SPEED_WORKS; i++) {
		if (!strcmp(name, speed_work_name((enum speed_work_kind)i))) {
			*works |= 1u << i;
			return TOOL_OK;
		}
	}
	tool_error("no operation '%s'; there are:", name);
	for (unsigned i = 0; i < SPEED_WORKS; i++)
		tool_hint("  %s", speed_work_name((enum speed_work_kind)i));
	return TOOL_NOT_FOUND;
}

static bool parse_cpus(const char *text, struct speed_options *o)
{
	char end;

	return sscanf(text, "%d,%d%c", &o->cpu_client, &o->cpu_server, &end) == 2;
}

static int parse_seconds(const char *text, double *ret)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || !(seconds >= 0.001 && seconds <= 60)) {
		tool_error("'%s' is not a number of seconds from 0.001 to 60", text);
		return TOOL_USAGE;
	}
	*ret = seconds;
	return TOOL_OK;
}

/* One option; TOOL_OK, or an exit code, or -1: nothing more to do. */
static int take(int c, const char *value, struct arguments *a)
{
	switch (c) {
	case 's':
	case 'd':
	case 'n':
	case 'l':
		a->sweep.sweeps |= 1u << (c == 's'   ? SPEED_SIZES
					  : c == 'd' ? SPEED_DEPTHS
					  : c == 'n' ? SPEED_CLIENTS
						     : SPEED_LOADS);
		return TOOL_OK;
	case 'a':
		a->sweep.sweeps = (1u << SPEED_SWEEPS) - 1;
		return TOOL_OK;
	case 'w':
		return add_work(value, &a->sweep.works);
	case 'b':
		a->o.bars = true;
		return TOOL_OK;
	case 'o':
		a->o.only = value;
		return TOOL_OK;
	case 't':
		return parse_seconds(value, &a->sweep.seconds);
	case 'q':
		a->sweep.quick = true;
		return TOOL_OK;
	case 'p':
		a->plot = value;
		return TOOL_OK;
	case 'x':
		a->machine = value;
		return TOOL_OK;
	case 'j':
		a->o.json = true;
		return TOOL_OK;
	case 'k':
		a->o.kcfd = value;
		return TOOL_OK;
	case 'm':
		a->o.modules = value;
		return TOOL_OK;
	case 'h':
		fputs(help, stdout);
		return -1;
	default:
		if (c == 'c' && parse_cpus(value, &a->o))
			return TOOL_OK;
		tool_hint("see: kcf-speed --help");
		return TOOL_USAGE;
	}
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option longs[] = {
		{"sizes", 0, NULL, 's'},   {"depths", 0, NULL, 'd'},  {"clients", 0, NULL, 'n'},
		{"loads", 0, NULL, 'l'},   {"all", 0, NULL, 'a'},     {"work", 1, NULL, 'w'},
		{"bars", 0, NULL, 'b'},    {"only", 1, NULL, 'o'},    {"quick", 0, NULL, 'q'},
		{"json", 0, NULL, 'j'},    {"kcfd", 1, NULL, 'k'},    {"modules", 1, NULL, 'm'},
		{"cpus", 1, NULL, 'c'},    {"seconds", 1, NULL, 't'}, {"plot", 1, NULL, 'p'},
		{"machine", 1, NULL, 'x'}, {"help", 0, NULL, 'h'},    {0},
	};
	int c, code = TOOL_OK;

	while (code == TOOL_OK && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		code = take(c, optarg, a);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments a = {.o = {.cpu_client = 0, .cpu_server = 1}};
	int code;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		a.o.cpu_client = a.o.cpu_server = -1;
	code = parse(argc, argv, &a);
	if (code != TOOL_OK)
		return code < 0 ? TOOL_OK : code;
	return a.o.bars || a.o.only ? speed_bars(&a.o) : run_tables(&a);
}
