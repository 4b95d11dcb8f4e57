/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf-speed-scale - what an operation costs as connections, operations, keys and workers become
 * many.
 *
 * Every measurement is the same loop: a few connections of this process each keep `depth`
 * operations under way through a private kcfd (HMAC-SHA-256 of 64 bytes), every callback submits
 * the next one under the next template. A line says operations a second, and processor time of kcfd
 * and of this process per operation, which says more on a machine that does other things too. What
 * is compared alternates; medians count. One thread, on the client's CPU; kcfd on the other.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "speed-scale.h"
#include "tool.h"

#define PATIENCE_MS 10000

static const char help[] =
	"Usage: kcf-speed-scale [OPTION]...\n\n"
	"Measure how the cost of an operation depends on the number of connections,\n"
	"operations, keys and workers, with a private kcfd that is started and ended here.\n\n"
	"Options:\n"
	"  --only NAME      connections, operations, keys, workers or idle\n"
	"  --json           one JSON object a line\n"
	"  --kcfd PROGRAM   kcfd to start (else of the build tree, else of PATH)\n"
	"  --modules DIR    its provider modules\n"
	"  --cpus A,B       CPU of this program and CPU of kcfd (0,1)\n"
	"  -h, --help       this text\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n";

static volatile uint64_t consumed; /* so that no compiler leaves reading the output out */

/* ---- the loop ---- */

static void on_done(void *arg, const struct kcf_completion *completion);

static bool is_over(const struct scale *s)
{
	return s->n >= s->last || s->failed != KCF_SUCCESS;
}

static void lane_submit(struct scale_lane *l)
{
	struct scale_connection *c = l->connection;
	struct scale *s = c->scale;
	struct kcf_call_req req = {.flags = KCF_SKIP_REQID | KCF_ALWAYS_QUEUE | KCF_NOTIFY_SPACE,
				   .callback = on_done,
				   .arg = l};
	/* a template is its connection's: with several of them each has one */
	uint64_t nth = s->n_keys <= 1 || s->n_connections > 1 ? (uint64_t)(c - s->connections)
							      : s->n % s->n_keys;
	struct kcf_key key = kcf_key_tmpl(s->templates[nth]);
	struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_data in = kcf_flat(l->in, sizeof(l->in)), out = kcf_flat(l->out, sizeof(l->out));
	enum kcf_status status;

	speed_fill(l->in, sizeof(l->in), s->n);
	if (s->digest)
		mech.number = s->digest;
	status = s->digest ? kcf_digest(c->client, &mech, &in, &out, &req)
			   : kcf_mac(c->client, &mech, &key, &in, &out, &req);
	if (status == KCF_QUEUED) {
		s->n++;
		s->in_flight++;
	} else if (status == KCF_BUSY) {
		l->next = c->waiting;
		c->waiting = l;
	} else {
		s->failed = status == KCF_SUCCESS ? KCF_FAILED : status;
	}
}

/* There may be room again. */
static void submit_waiting(struct scale_connection *c)
{
	struct scale_lane *l = c->waiting, *next;

	c->waiting = NULL;
	for (; l && !is_over(c->scale); l = next) {
		next = l->next;
		lane_submit(l);
	}
}

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct scale_lane *l = arg;
	struct scale *s = l->connection->scale;

	s->in_flight--;
	s->done++;
	if (completion->status != KCF_SUCCESS)
		s->failed = completion->status;
	s->sum += speed_read(l->out, sizeof(l->out));
	if (!is_over(s))
		lane_submit(l);
}

static void on_event(void *arg, const struct kcf_event *event)
{
	if (event->type == KCF_EVENT_ROOM)
		submit_waiting(arg);
}

static bool pump(struct scale *s)
{
	struct epoll_event ready[256];

	while (s->in_flight) {
		int n = epoll_wait(s->epoll, ready, 256, PATIENCE_MS);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			s->failed = KCF_TIMED_OUT;
			return false;
		}
		for (int i = 0; i < n; i++)
			kcf_client_dispatch(ready[i].data.ptr);
		if (s->until > 0 && speed_now() >= s->until)
			s->last = 0;
	}
	return s->failed == KCF_SUCCESS;
}

/* Processor time of all of kcfd's threads. */
uint64_t scale_kcfd_ns(const struct scale *s)
{
	char path[400];
	struct dirent *entry;
	uint64_t total = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->daemon.pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned long long ns;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)s->daemon.pid,
			 entry->d_name);
		f = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;
		if (f && fscanf(f, "%llu", &ns) == 1)
			total += ns;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return total;
}

uint64_t scale_client_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first n connections, for so long or so many operations. */
bool scale_run(struct scale *s, unsigned n, unsigned depth, double seconds, uint64_t ops,
	       struct scale_cost *ret)
{
	uint64_t kcfd = scale_kcfd_ns(s), client = scale_client_ns(), first = s->done;
	double started = speed_now(), took, done;
	bool ok;

	s->lanes = calloc((size_t)n * depth, sizeof(*s->lanes));
	if (!s->lanes)
		return false;
	s->until = seconds > 0 ? started + seconds : 0;
	s->last = ops ? s->n + ops : UINT64_MAX;
	s->failed = KCF_SUCCESS;
	for (unsigned i = 0; i < n * depth && !is_over(s); i++) {
		s->lanes[i].connection = &s->connections[i % n];
		lane_submit(&s->lanes[i]);
	}
	ok = pump(s);
	for (unsigned i = 0; i < n; i++)
		s->connections[i].waiting = NULL;
	took = speed_now() - started;
	done = (double)(s->done - first);
	if (!ok) { /* what is under way still points at its lane: not freed */
		tool_fail(s->failed, "through kcfd");
		return false;
	}
	free(s->lanes);
	consumed = s->sum;
	*ret = (struct scale_cost){done / took, (double)(scale_kcfd_ns(s) - kcfd) / done,
				   (double)(scale_client_ns() - client) / done};
	return true;
}

/* ---- connections and templates ---- */

static bool open_connection(struct scale *s, struct scale_connection *c)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = s->daemon.socket,
					     .label = "kcf-speed-scale",
					     .module_dir = s->o.modules,
					     .flags = KCF_CLIENT_APP_LOOP,
					     .on_event = on_event,
					     .event_arg = c};
	struct epoll_event watch = {.events = EPOLLIN};
	enum kcf_status status = kcf_client_open(&options, &c->client);

	if (status != KCF_SUCCESS) {
		tool_fail(status, "opening connection %u", s->n_connections);
		return false;
	}
	c->scale = s;
	watch.data.ptr = c->client;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, kcf_client_fd(c->client), &watch) == 0;
}

bool scale_open(struct scale *s, unsigned n)
{
	while (s->n_connections < n) {
		if (!open_connection(s, &s->connections[s->n_connections]))
			return false;
		s->n_connections++;
	}
	return true;
}

void scale_close(struct scale *s, unsigned keep)
{
	while (s->n_connections > keep)
		kcf_client_close(s->connections[--s->n_connections].client);
}

void scale_destroy_templates(struct scale *s, unsigned keep)
{
	while (s->n_templates > keep)
		kcf_template_destroy(s->templates[--s->n_templates]);
}

/* n in all, for the connections in rotation. */
bool scale_make_templates(struct scale *s, unsigned n)
{
	while (s->n_templates < n) {
		unsigned char bytes[32];
		struct kcf_key key = kcf_key_bytes(bytes, sizeof(bytes));
		enum kcf_status status;

		speed_key(bytes, sizeof(bytes), s->n_templates);
		status = kcf_template_create(
			s->connections[s->n_templates % s->n_connections].client, KCF_M_SHA256_HMAC,
			&key, &s->templates[s->n_templates]);
		if (status != KCF_SUCCESS) {
			tool_fail(status, "making template %u", s->n_templates);
			return false;
		}
		s->n_templates++;
	}
	s->n_keys = n;
	return true;
}

/* ---- lines ---- */

void scale_print(const struct scale *s, const char *name, uint64_t n, const struct scale_cost *c,
		 double ratio)
{
	double kib = (double)speed_daemon_memory(&s->daemon) / 1024;

	if (s->o.json)
		printf("{\"name\": \"%s\", \"n\": %llu, \"ops_per_second\": %.0f, "
		       "\"kcfd_ns\": %.0f, \"client_ns\": %.0f, \"ratio\": %.4f, "
		       "\"kcfd_kib\": %.0f}\n",
		       name, (unsigned long long)n, c->ops_per_second, c->kcfd_ns, c->client_ns,
		       ratio, kib);
	else
		printf("%-22s %8llu %10.0f ops/s %7.0f ns kcfd %7.0f ns client  %6.3f %9.0f KiB\n",
		       name, (unsigned long long)n, c->ops_per_second, c->kcfd_ns, c->client_ns,
		       ratio, kib);
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

struct scale_cost scale_median(const struct scale_cost *costs, unsigned n)
{
	double values[3][SCALE_TURNS];

	for (unsigned i = 0; i < n; i++) {
		values[0][i] = costs[i].ops_per_second;
		values[1][i] = costs[i].kcfd_ns;
		values[2][i] = costs[i].client_ns;
	}
	return (struct scale_cost){median(values[0], n), median(values[1], n),
				   median(values[2], n)};
}

/* ---- the program ---- */

static const struct {
	const char *name;
	bool (*measure)(struct scale *s);
	bool own_daemon;
} measurements[] = {
	{"connections", scale_connections, false},
	{"operations", scale_operations, false},
	{"keys", scale_keys, false},
	{"workers", scale_workers, true},
	{"idle", scale_idle, false},
};

static bool measure(struct scale *s, size_t which)
{
	bool own = measurements[which].own_daemon, ok = false;

	if (!own && !speed_daemon_start(&s->daemon, s->o.kcfd, s->o.modules, s->o.cpu_server))
		return false;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll >= 0)
		ok = measurements[which].measure(s);
	scale_destroy_templates(s, 0);
	scale_close(s, 0);
	close(s->epoll);
	if (!own)
		speed_daemon_stop(&s->daemon);
	return ok;
}

static int parse(int argc, char **argv, struct speed_options *o)
{
	static const struct option longs[] = {
		{"only", 1, NULL, 'o'},
		{"json", 0, NULL, 'j'},
		{"kcfd", 1, NULL, 'k'},
		{"modules", 1, NULL, 'm'},
		{"cpus", 1, NULL, 'c'},
		{"help", 0, NULL, 'h'},
		{0},
	};
	char end;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'o')
			o->only = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'k')
			o->kcfd = optarg;
		else if (c == 'm')
			o->modules = optarg;
		else if (c == 'h') {
			fputs(help, stdout);
			return -1;
		} else if (c != 'c' ||
			   sscanf(optarg, "%d,%d%c", &o->cpu_client, &o->cpu_server, &end) != 2) {
			tool_hint("see: kcf-speed-scale --help");
			return TOOL_USAGE;
		}
	}
	return TOOL_OK;
}

/* A connection holds several descriptors. */
static void raise_limit(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	struct scale *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return TOOL_FAILED;
	s->o = (struct speed_options){.cpu_client = 0, .cpu_server = 1};
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		s->o.cpu_client = s->o.cpu_server = -1;
	code = parse(argc, argv, &s->o);
	if (code != TOOL_OK)
		return code < 0 ? TOOL_OK : code;
	raise_limit();
	speed_pin(s->o.cpu_client);
	for (size_t i = 0; i < sizeof(measurements) / sizeof(measurements[0]); i++) {
		if (s->o.only && strcmp(s->o.only, measurements[i].name))
			continue;
		if (!measure(s, i))
			code = TOOL_FAILED;
	}
	free(s);
	return code;
}
