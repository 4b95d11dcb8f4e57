/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf-speed-scale - what an operation costs as connections, operations and keys become many.
 *
 * Every measurement is the same loop: a few connections of this process each keep `depth`
 * HMAC-SHA-256 of 64 bytes under way through a private kcfd, every callback submits the next one
 * under the next template. A line says operations a second, and processor time of kcfd and of this
 * process per operation, which says more on a machine that does other things too. What is compared
 * alternates; medians count. One thread, on the client's CPU; kcfd on the other.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

#define SIZE         64u
#define DEPTH        8u /* the floor of a connection's credit: every connection has it */
#define CONNECTIONS  1000u
#define ACTIVE       100u
#define FEW          10u
#define MANY_KEYS    10000u
#define MANY_OPS     1000000u
#define ONE_DEPTH    64u /* of the single connection in the measurements of keys and operations */
#define TURNS        5u
#define TURN_SECONDS 0.4
#define PATIENCE_MS  10000

static const char help[] =
	"Usage: kcf-speed-scale [OPTION]...\n\n"
	"Measure how the cost of an operation depends on the number of connections,\n"
	"operations and keys, with a private kcfd that is started and ended here.\n\n"
	"Options:\n"
	"  --only NAME      connections, operations or keys\n"
	"  --json           one JSON object a line\n"
	"  --kcfd PROGRAM   kcfd to start (else of the build tree, else of PATH)\n"
	"  --modules DIR    its provider modules\n"
	"  --cpus A,B       CPU of this program and CPU of kcfd (0,1)\n"
	"  -h, --help       this text\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n";

static volatile uint64_t consumed; /* so that no compiler leaves reading the output out */

/* ---- the loop ---- */

struct bench;

struct lane {
	struct lane *next; /* that waits for room too */
	struct connection *connection;
	unsigned char in[SIZE], out[SPEED_MAC_LEN];
};

struct connection {
	struct bench *bench;
	struct kcf_client *client;
	struct lane *waiting; /* lanes refused for want of credit */
};

struct bench {
	struct speed_options o;
	struct speed_daemon daemon;
	struct connection connections[CONNECTIONS];
	unsigned n_connections;
	struct kcf_template *templates[MANY_KEYS];
	unsigned n_templates, n_keys; /* made, and used in rotation */
	struct lane *lanes;           /* of this run */
	int epoll;
	uint64_t n, done, last; /* submitted, completed, and when to stop submitting */
	double until;
	unsigned in_flight;
	enum kcf_status failed;
	uint64_t sum;
};

/* What one run cost. */
struct cost {
	double ops_per_second, kcfd_ns, client_ns;
};

static void on_done(void *arg, const struct kcf_completion *completion);

static bool is_over(const struct bench *b)
{
	return b->n >= b->last || b->failed != KCF_SUCCESS;
}

static void lane_submit(struct lane *l)
{
	struct connection *c = l->connection;
	struct bench *b = c->bench;
	struct kcf_call_req req = {.flags = KCF_SKIP_REQID | KCF_ALWAYS_QUEUE | KCF_NOTIFY_SPACE,
				   .callback = on_done,
				   .arg = l};
	/* a template is its connection's: with several of them each has one */
	uint64_t nth = b->n_connections > 1 ? (uint64_t)(c - b->connections) : b->n % b->n_keys;
	struct kcf_key key = kcf_key_tmpl(b->templates[nth]);
	struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_data in = kcf_flat(l->in, sizeof(l->in)), out = kcf_flat(l->out, sizeof(l->out));
	enum kcf_status status;

	speed_fill(l->in, sizeof(l->in), b->n);
	status = kcf_mac(c->client, &mech, &key, &in, &out, &req);
	if (status == KCF_QUEUED) {
		b->n++;
		b->in_flight++;
	} else if (status == KCF_BUSY) {
		l->next = c->waiting;
		c->waiting = l;
	} else {
		b->failed = status == KCF_SUCCESS ? KCF_FAILED : status;
	}
}

/* There may be room again. */
static void submit_waiting(struct connection *c)
{
	struct lane *l = c->waiting, *next;

	c->waiting = NULL;
	for (; l && !is_over(c->bench); l = next) {
		next = l->next;
		lane_submit(l);
	}
}

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct lane *l = arg;
	struct bench *b = l->connection->bench;

	b->in_flight--;
	b->done++;
	if (completion->status != KCF_SUCCESS)
		b->failed = completion->status;
	b->sum += speed_read(l->out, sizeof(l->out));
	if (!is_over(b))
		lane_submit(l);
}

static void on_event(void *arg, const struct kcf_event *event)
{
	if (event->type == KCF_EVENT_ROOM)
		submit_waiting(arg);
}

static bool pump(struct bench *b)
{
	struct epoll_event ready[256];

	while (b->in_flight) {
		int n = epoll_wait(b->epoll, ready, 256, PATIENCE_MS);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			b->failed = KCF_TIMED_OUT;
			return false;
		}
		for (int i = 0; i < n; i++)
			kcf_client_dispatch(ready[i].data.ptr);
		if (b->until > 0 && speed_now() >= b->until)
			b->last = 0;
	}
	return b->failed == KCF_SUCCESS;
}

/* Processor time of all of kcfd's threads. */
static uint64_t kcfd_ns(const struct bench *b)
{
	char path[400];
	struct dirent *entry;
	uint64_t total = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)b->daemon.pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned long long ns;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)b->daemon.pid,
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

static uint64_t client_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first n connections, for so long or so many operations. */
static bool run(struct bench *b, unsigned n, unsigned depth, double seconds, uint64_t ops,
		struct cost *ret)
{
	uint64_t kcfd = kcfd_ns(b), client = client_ns(), first = b->done;
	double started = speed_now(), took, done;
	bool ok;

	b->lanes = calloc((size_t)n * depth, sizeof(*b->lanes));
	if (!b->lanes)
		return false;
	b->until = seconds > 0 ? started + seconds : 0;
	b->last = ops ? b->n + ops : UINT64_MAX;
	b->failed = KCF_SUCCESS;
	for (unsigned i = 0; i < n * depth && !is_over(b); i++) {
		b->lanes[i].connection = &b->connections[i % n];
		lane_submit(&b->lanes[i]);
	}
	ok = pump(b);
	for (unsigned i = 0; i < n; i++)
		b->connections[i].waiting = NULL;
	took = speed_now() - started;
	done = (double)(b->done - first);
	if (!ok) { /* what is under way still points at its lane: not freed */
		tool_fail(b->failed, "through kcfd");
		return false;
	}
	free(b->lanes);
	consumed = b->sum;
	*ret = (struct cost){done / took, (double)(kcfd_ns(b) - kcfd) / done,
			     (double)(client_ns() - client) / done};
	return true;
}

/* ---- connections and templates ---- */

static bool open_connection(struct bench *b, struct connection *c)
{
	struct kcf_client_options options = {.size = sizeof(options),
					     .socket = b->daemon.socket,
					     .label = "kcf-speed-scale",
					     .module_dir = b->o.modules,
					     .flags = KCF_CLIENT_APP_LOOP,
					     .on_event = on_event,
					     .event_arg = c};
	struct epoll_event watch = {.events = EPOLLIN};
	enum kcf_status status = kcf_client_open(&options, &c->client);

	if (status != KCF_SUCCESS) {
		tool_fail(status, "opening connection %u", b->n_connections);
		return false;
	}
	c->bench = b;
	watch.data.ptr = c->client;
	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, kcf_client_fd(c->client), &watch) == 0;
}

static bool open_connections(struct bench *b, unsigned n)
{
	while (b->n_connections < n) {
		if (!open_connection(b, &b->connections[b->n_connections]))
			return false;
		b->n_connections++;
	}
	return true;
}

static void close_connections(struct bench *b, unsigned keep)
{
	while (b->n_connections > keep)
		kcf_client_close(b->connections[--b->n_connections].client);
}

static void destroy_templates(struct bench *b, unsigned keep)
{
	while (b->n_templates > keep)
		kcf_template_destroy(b->templates[--b->n_templates]);
}

/* n in all, for the connections in rotation. */
static bool make_templates(struct bench *b, unsigned n)
{
	while (b->n_templates < n) {
		unsigned char bytes[32];
		struct kcf_key key = kcf_key_bytes(bytes, sizeof(bytes));
		enum kcf_status status;

		speed_key(bytes, sizeof(bytes), b->n_templates);
		status = kcf_template_create(
			b->connections[b->n_templates % b->n_connections].client, KCF_M_SHA256_HMAC,
			&key, &b->templates[b->n_templates]);
		if (status != KCF_SUCCESS) {
			tool_fail(status, "making template %u", b->n_templates);
			return false;
		}
		b->n_templates++;
	}
	b->n_keys = n;
	return true;
}

/* ---- lines ---- */

static void print_cost(const struct bench *b, const char *name, uint64_t n, const struct cost *c,
		       double ratio)
{
	double kib = (double)speed_daemon_memory(&b->daemon) / 1024;

	if (b->o.json)
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

static struct cost median_cost(const struct cost *costs, unsigned n)
{
	double values[3][TURNS];

	for (unsigned i = 0; i < n; i++) {
		values[0][i] = costs[i].ops_per_second;
		values[1][i] = costs[i].kcfd_ns;
		values[2][i] = costs[i].client_ns;
	}
	return (struct cost){median(values[0], n), median(values[1], n), median(values[2], n)};
}

/* ---- connections: ten alone, and a hundred of a thousand, in alternation ---- */

static bool measure_connections(struct bench *b)
{
	struct cost few[TURNS], many[TURNS], warm, a, c;

	for (unsigned i = 0; i < TURNS; i++) {
		destroy_templates(b, FEW);
		close_connections(b, FEW);
		if (!open_connections(b, FEW) || !make_templates(b, FEW) ||
		    !run(b, FEW, DEPTH, TURN_SECONDS / 4, 0, &warm) ||
		    !run(b, FEW, DEPTH, TURN_SECONDS, 0, &few[i]) ||
		    !open_connections(b, CONNECTIONS) || !make_templates(b, CONNECTIONS) ||
		    !run(b, ACTIVE, DEPTH, TURN_SECONDS / 4, 0, &warm) ||
		    !run(b, ACTIVE, DEPTH, TURN_SECONDS, 0, &many[i]))
			return false;
	}
	a = median_cost(few, TURNS);
	c = median_cost(many, TURNS);
	print_cost(b, "connections-10-of-10", FEW, &a, 1);
	print_cost(b, "connections-100-of-1k", CONNECTIONS, &c,
		   c.ops_per_second / a.ops_per_second);
	return true;
}

/* ---- operations: the same after a million ---- */

static bool measure_operations(struct bench *b)
{
	struct cost first = {0}, c;
	uint64_t done = 0;

	if (!open_connections(b, 1) || !make_templates(b, SPEED_TEMPLATES) ||
	    !run(b, 1, ONE_DEPTH, 0, 1000, &c)) /* pays for what is made once */
		return false;
	for (unsigned i = 0; i < 10; i++) {
		if (!run(b, 1, ONE_DEPTH, 0, MANY_OPS / 10, &c))
			return false;
		done += MANY_OPS / 10;
		if (i == 0)
			first = c;
		print_cost(b, "operations", done, &c, c.ops_per_second / first.ops_per_second);
	}
	return true;
}

/* ---- keys ---- */

/* Three doors under the first n keys of 10,000: libcrypto itself, which shows what the memory
 * costs, the caller's thread and kcfd. */
enum keys_door { KEYS_DIRECT, KEYS_CALLER, KEYS_QUEUE, KEYS_DOORS };

static const char *const keys_names[] = {"keys-direct", "keys-caller", "keys-queue"};
static const unsigned key_counts[] = {1, 10, 100, 1000, MANY_KEYS};

#define KEY_COUNTS (sizeof(key_counts) / sizeof(key_counts[0]))

struct keys {
	struct bench *bench;
	EVP_MAC_CTX *macs[MANY_KEYS];
	struct cost costs[KEYS_DOORS][KEY_COUNTS][TURNS];
};

static bool make_macs(struct keys *k)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA2-256", 0),
			       OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	bool ok = hmac != NULL;

	for (unsigned i = 0; ok && i < MANY_KEYS; i++) {
		unsigned char bytes[32];

		speed_key(bytes, sizeof(bytes), i);
		k->macs[i] = EVP_MAC_CTX_new(hmac);
		ok = k->macs[i] && EVP_MAC_init(k->macs[i], bytes, sizeof(bytes), params);
	}
	EVP_MAC_free(hmac);
	return ok;
}

static bool operate(struct keys *k, enum keys_door door, uint64_t n, unsigned n_keys)
{
	struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_key key = kcf_key_tmpl(k->bench->templates[n % n_keys]);
	unsigned char in[SIZE], out[SPEED_MAC_LEN];
	struct kcf_data data = kcf_flat(in, sizeof(in)), mac = kcf_flat(out, sizeof(out));
	size_t len;
	bool ok;

	speed_fill(in, sizeof(in), n);
	if (door == KEYS_CALLER)
		ok = kcf_mac(k->bench->connections[0].client, &mech, &key, &data, &mac, NULL) ==
		     KCF_SUCCESS;
	else
		ok = EVP_MAC_init(k->macs[n % n_keys], NULL, 0, NULL) &&
		     EVP_MAC_update(k->macs[n % n_keys], in, sizeof(in)) &&
		     EVP_MAC_final(k->macs[n % n_keys], out, &len, sizeof(out));
	k->bench->sum += speed_read(out, sizeof(out));
	return ok;
}

/* In this thread: every key once, not counted, then for the time of a turn. */
static bool run_here(struct keys *k, enum keys_door door, unsigned n_keys, struct cost *ret)
{
	double started, now;
	uint64_t n = 0, cpu;

	for (uint64_t i = 0; i < n_keys; i++)
		if (!operate(k, door, i, n_keys))
			return false;
	cpu = client_ns();
	started = now = speed_now();
	while (now < started + TURN_SECONDS / 4) {
		for (unsigned i = 0; i < 256; i++)
			if (!operate(k, door, n++, n_keys))
				return false;
		now = speed_now();
	}
	*ret = (struct cost){(double)n / (now - started), 0,
			     (double)(client_ns() - cpu) / (double)n};
	return true;
}

static bool run_keys(struct keys *k, enum keys_door door, unsigned count, unsigned turn)
{
	struct bench *b = k->bench;
	struct cost *ret = &k->costs[door][count][turn];

	b->n_keys = key_counts[count];
	if (door != KEYS_QUEUE)
		return run_here(k, door, b->n_keys, ret);
	return run(b, 1, ONE_DEPTH, 0, b->n_keys, ret) && /* attaches them */
	       run(b, 1, ONE_DEPTH, TURN_SECONDS, 0, ret);
}

static void print_keys(const struct keys *k)
{
	for (unsigned door = 0; door < KEYS_DOORS; door++) {
		struct cost one = {0};

		for (unsigned i = 0; i < KEY_COUNTS; i++) {
			struct cost c = median_cost(k->costs[door][i], TURNS);

			if (i == 0)
				one = c;
			print_cost(k->bench, keys_names[door], key_counts[i], &c,
				   c.ops_per_second / one.ops_per_second);
		}
	}
}

static bool measure_keys(struct bench *b)
{
	struct keys *k = calloc(1, sizeof(*k));
	bool ok = k && open_connections(b, 1) && make_templates(b, MANY_KEYS) && make_macs(k);

	if (k)
		k->bench = b;
	for (unsigned turn = 0; turn < TURNS; turn++)
		for (unsigned count = 0; count < KEY_COUNTS; count++)
			for (unsigned door = 0; door < KEYS_DOORS; door++)
				ok = ok && run_keys(k, door, count, turn);
	if (ok)
		print_keys(k);
	for (unsigned i = 0; k && i < MANY_KEYS; i++)
		EVP_MAC_CTX_free(k->macs[i]);
	free(k);
	return ok;
}

/* ---- the program ---- */

static const struct {
	const char *name;
	bool (*measure)(struct bench *b);
} measurements[] = {
	{"connections", measure_connections},
	{"operations", measure_operations},
	{"keys", measure_keys},
};

static bool measure(struct bench *b, bool (*fn)(struct bench *b))
{
	bool ok = false;

	if (!speed_daemon_start(&b->daemon, b->o.kcfd, b->o.modules, b->o.cpu_server))
		return false;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll >= 0)
		ok = fn(b);
	destroy_templates(b, 0);
	close_connections(b, 0);
	close(b->epoll);
	speed_daemon_stop(&b->daemon);
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
	struct bench *b = calloc(1, sizeof(*b));
	int code;

	if (!b)
		return TOOL_FAILED;
	b->o = (struct speed_options){.cpu_client = 0, .cpu_server = 1};
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		b->o.cpu_client = b->o.cpu_server = -1;
	code = parse(argc, argv, &b->o);
	if (code != TOOL_OK)
		return code < 0 ? TOOL_OK : code;
	raise_limit();
	speed_pin(b->o.cpu_client);
	for (size_t i = 0; i < sizeof(measurements) / sizeof(measurements[0]); i++) {
		if (b->o.only && strcmp(b->o.only, measurements[i].name))
			continue;
		if (!measure(b, measurements[i].measure))
			code = TOOL_FAILED;
	}
	free(b);
	return code;
}
