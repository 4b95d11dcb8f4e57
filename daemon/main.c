/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcfd's command line.
 *
 * Exit status: 0 ended as told; 1 could not start or serve; 2 wrong arguments; 3 wrong
 * configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kcf-config.h"
#include "kcfd.h"
#include "log.h"

#define EXIT_USAGE  2
#define EXIT_CONFIG 3
#define MAX_SETS    32u

enum { OPT_CHECK = 256, OPT_READY, OPT_VERSION, OPT_FOREGROUND };

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"config", required_argument, NULL, 'c'},
	{"modules", required_argument, NULL, 'm'},
	{"set", required_argument, NULL, 'S'},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"check-config", no_argument, NULL, OPT_CHECK},
	{"ready-fd", required_argument, NULL, OPT_READY},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"usage: kcfd [options]\n"
	"  -s, --socket PATH    listen there (" KCF_SOCKET_PATH ")\n"
	"  -c, --config FILE    read this configuration; without it defaults count\n"
	"  -m, --modules DIR    provider modules (" KCF_MODULE_DIR ")\n"
	"  -S, --set NAME=N     a limit, before that of the configuration; as often as needed\n"
	"      --foreground     stay in the foreground; kcfd always does\n"
	"      --check-config   read the configuration, say what is wrong with it, end\n"
	"      --ready-fd N     write a byte to descriptor N when clients can connect\n"
	"  -v, --verbose        log debug messages too\n"
	"      --version        print the version, end\n"
	"  -h, --help           print this, end\n";

struct arguments {
	struct kcfd_options options;
	const char *config_path;
	const char *sets[MAX_SETS]; /* NAME=N */
	unsigned n_sets;
	bool check;
};

static bool parse_fd(const char *text, int *ret)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < 0 || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0) {
		fprintf(stderr, "kcfd: --ready-fd %s: not an open descriptor\n", text);
		return false;
	}
	fcntl((int)n, F_SETFD, FD_CLOEXEC);
	*ret = (int)n;
	return true;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *a)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "s:c:m:S:vh", long_options, NULL)) != -1) {
		switch (opt) {
		case 's':
			a->options.socket = optarg;
			break;
		case 'c':
			a->config_path = optarg;
			break;
		case 'm':
			a->options.module_dir = optarg;
			break;
		case 'S':
			if (a->n_sets == MAX_SETS) {
				fputs("kcfd: too many --set\n", stderr);
				return EXIT_USAGE;
			}
			a->sets[a->n_sets++] = optarg;
			break;
		case 'v':
			log_set_level(KCF_LOG_DEBUG);
			break;
		case OPT_FOREGROUND:
			break;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_READY:
			if (!parse_fd(optarg, &a->options.ready_fd))
				return EXIT_USAGE;
			break;
		case OPT_VERSION:
			puts("kcfd " KCF_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs("kcfd --help lists the options\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "kcfd: \"%s\" is not an option; kcfd --help lists them\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static bool read_config(const struct arguments *a, struct config *config)
{
	const char *path = a->config_path;
	char err[1024] = "";

	if (path && !config_read(config, path, err, sizeof(err))) {
		log_error("%s", err);
		return false;
	}
	for (unsigned i = 0; i < a->n_sets; i++) {
		char text[256];

		snprintf(text, sizeof(text), "[limits]\n%s\n", a->sets[i]);
		if (!config_parse(config, text, "--set", ".", err, sizeof(err))) {
			log_error("%s", err);
			return false;
		}
	}
	if (!config_check_limits(&config->limits, err, sizeof(err))) {
		log_error("%s: %s", path ? path : "limits", err);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct arguments a = {.options = {.socket = KCF_SOCKET_PATH,
					  .module_dir = KCF_MODULE_DIR,
					  .ready_fd = -1}};
	struct config config;
	int status = parse(argc, argv, &a);

	if (status >= 0)
		return status;
	config_init(&config);
	if (!read_config(&a, &config))
		status = EXIT_CONFIG;
	else if (a.check)
		status = EXIT_SUCCESS;
	else {
		a.options.config = &config;
		status = kcfd_run(&a.options);
	}
	config_deinit(&config);
	return status;
}
