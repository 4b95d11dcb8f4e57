/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf-conformance: published vectors through every door of kcf.
 *
 * Files are read, run and forgotten one after another. Exit status 0: every answer was right; 1:
 * some were not; 2: it could not be run.
 */
#include "door-client.h"
#include "door-direct.h"
#include "private-kcfd.h"
#include "source.h"
#include "wycheproof.h"

#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_VECTORS "/usr/lib/python3/dist-packages/cryptography_vectors"
#define DOORS_MAX       32
#define PROVIDERS_MAX   16

struct way {
	struct door *door;
	const char *provider;
};

static struct way ways[DOORS_MAX];
static unsigned n_ways;
static struct door *client_doors[CLIENT_DOORS];
static struct options options = {.sample = 1, .variant_every = 16};

static void usage(FILE *f)
{
	fputs("usage: kcf-conformance [options]\n"
	      "Runs published vectors through every door of kcf, for every provider, on a kcfd of "
	      "its\n"
	      "own.\n"
	      "  --socket PATH             use this kcfd\n"
	      "  --standalone DIR          without kcfd, on the modules of this directory\n"
	      "  --provider-direct MODULE  drive this module alone, without kcfd; may be repeated\n"
	      "  --wycheproof DIR          these JSON files instead, a line each\n"
	      "  --vectors DIR             NIST vectors [" DEFAULT_VECTORS "]\n"
	      "  --own DIR                 the repository's own vector files\n"
	      "  --only MECHANISM          this mechanism only\n"
	      "  --sample N                every N-th vector only\n"
	      "  --variants N              other forms of every N-th vector [16]\n"
	      "  --verbose                 name what is skipped, and why\n",
	      f);
}

static void add_way(struct door *door, const char *provider)
{
	if (n_ways == DOORS_MAX)
		die("too many doors");
	ways[n_ways++] = (struct way){door, provider};
}

/* ---- doors ---------------------------------------------------------------------- */

/* Every door for every provider there is. */
static void add_client_ways(const char *socket, const char *module_dir)
{
	const char *providers[PROVIDERS_MAX];
	unsigned n = PROVIDERS_MAX, i, k;

	door_client_open(socket, module_dir, client_doors);
	door_client_providers(client_doors[0], providers, &n);
	for (i = 0; i < CLIENT_DOORS; i++) {
		for (k = 0; k < n && client_doors[i]; k++)
			add_way(client_doors[i], providers[k]);
	}
}

/* ---- files ----------------------------------------------------------------------------------- */

static void run_file(const char *path, const char *shown, const struct source *source)
{
	struct set set;
	struct rsp r;
	unsigned i;

	set_init(&set, shown);
	rsp_open(&r, path);
	source->parse(&set, &r, source);
	if (set.n == 0)
		die("%s: no vector in it", path);
	for (i = 0; i < n_ways; i++)
		run_set(&set, ways[i].door, ways[i].provider, &options);
	rsp_close(&r);
	set_deinit(&set);
}

static void run_source(const char *dir, const struct source *source)
{
	char pattern[1024];
	glob_t found;
	size_t i;

	if (options.only && source->mech && strcmp(options.only, source->mech) != 0)
		return;
	snprintf(pattern, sizeof(pattern), "%s/%s", dir, source->pattern);
	if (glob(pattern, 0, NULL, &found) != 0)
		die("%s: no such file", pattern);
	for (i = 0; i < found.gl_pathc; i++)
		run_file(found.gl_pathv[i], found.gl_pathv[i] + strlen(dir) + 1, source);
	globfree(&found);
}

/* A line a file; returns how many tests failed. */
static unsigned run_wycheproof_file(const char *path, const char *shown)
{
	unsigned i, counts[WRONG + 1] = {0};
	struct set set;

	set_init(&set, shown);
	wycheproof_read(&set, path);
	set.worst = calloc(set.n_ids + 1, 1);
	if (!set.worst)
		die("out of memory");
	for (i = 0; i < n_ways; i++)
		run_set(&set, ways[i].door, ways[i].provider, &options);
	for (i = 0; i < set.n_ids; i++)
		counts[set.worst[i]]++;
	printf("%s %u %u %u\n", shown, counts[RIGHT], counts[WRONG],
	       counts[SKIPPED] + counts[NOT_RUN] + set.n_skipped);
	free(set.worst);
	set_deinit(&set);
	return counts[WRONG];
}

static unsigned run_wycheproof(const char *dir)
{
	char pattern[1024];
	unsigned failed = 0;
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*.json", dir);
	if (glob(pattern, 0, NULL, &found) != 0)
		die("%s: no such file", pattern);
	printf("file passed failed skipped\n");
	for (i = 0; i < found.gl_pathc; i++)
		failed +=
			run_wycheproof_file(found.gl_pathv[i], found.gl_pathv[i] + strlen(dir) + 1);
	globfree(&found);
	return failed;
}

/* ---- command line ---------------------------------------------------------------------------- */

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n == 0 || n > 1000000)
		die("%s: not a number from 1 on", text);
	return (unsigned)n;
}

struct arguments {
	const char *vectors, *own, *wycheproof, *socket, *standalone;
};

static bool take_option(struct arguments *a, int opt)
{
	const char *provider;
	struct door *door;

	switch (opt) {
	case 'd':
		door = door_direct_open(optarg, &provider);
		add_way(door, provider);
		return true;
	case 'S':
		a->socket = optarg;
		return true;
	case 'a':
		a->standalone = optarg;
		return true;
	case 'w':
		a->wycheproof = optarg;
		return true;
	case 'v':
		a->vectors = optarg;
		return true;
	case 'o':
		a->own = optarg;
		return true;
	case 'm':
		options.only = optarg;
		return true;
	case 's':
		options.sample = number(optarg);
		return true;
	case 'n':
		options.variant_every = number(optarg);
		return true;
	case 'V':
		options.verbose = true;
		return true;
	default:
		return false;
	}
}

/* true: all were right, and no mechanism went without a vector. */
static bool run_published(const struct arguments *a)
{
	static const struct source own = {"*.txt", NULL, parse_own, 0};
	unsigned failed, triples, missing = 0, i;
	const struct source *source;

	for (source = sources; source->pattern; source++)
		run_source(a->vectors, source);
	run_source(a->own, &own);
	triples = tallies_print(&failed);
	for (i = 0; i < n_ways && !client_doors[0] && !options.only; i++)
		missing += door_direct_missing(ways[i].door);
	printf("%u distinct (published vector, provider, door) triples passed, %u failed\n",
	       triples, failed);
	return failed == 0 && missing == 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 'S'},
		{"standalone", required_argument, NULL, 'a'},
		{"provider-direct", required_argument, NULL, 'd'},
		{"wycheproof", required_argument, NULL, 'w'},
		{"vectors", required_argument, NULL, 'v'},
		{"own", required_argument, NULL, 'o'},
		{"only", required_argument, NULL, 'm'},
		{"sample", required_argument, NULL, 's'},
		{"variants", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {DEFAULT_VECTORS, OWN_VECTORS, NULL, NULL, NULL};
	int opt;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return 0;
		}
		if (!take_option(&a, opt)) {
			usage(stderr);
			return 2;
		}
	}
	if (n_ways == 0) {
		if (!a.standalone && !a.socket)
			a.socket = private_kcfd_start();
		add_client_ways(a.socket, a.standalone);
	}
	if (a.wycheproof)
		return run_wycheproof(a.wycheproof) ? 1 : 0;
	return run_published(&a) ? 0 : 1;
}
