/* SPDX-License-Identifier: Apache-2.0 */
/* kcfadm - its commands, one file per group; argv[0] is the command's name; they return an exit
 * code. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct adm_options {
	bool json, verbose, mechanisms, policy;
	const char *socket;
	char **words;
	int n_words;
};

struct adm_usage {
	const char *synopsis;
	const char *text;
	bool list_options;        /* -m -p */
	int min_words, max_words; /* max -1: any number */
};

/* False: end with *ret_exit. */
bool adm_parse(struct adm_options *o, int argc, char **argv, const struct adm_usage *usage,
	       int *ret_exit);
/* Connect, ask, disconnect. With --json the answer is printed and *ret stays NULL; else *ret is
 * owned by the caller. Exit code. */
int adm_request(const struct adm_options *o, const char *command, const char *const *args,
		unsigned n_args, json_t **ret);

int adm_list(int argc, char **argv);
int adm_stats(int argc, char **argv);
int adm_requests(int argc, char **argv);
int adm_consumers(int argc, char **argv);
int adm_connections(int argc, char **argv);
int adm_trace(int argc, char **argv);
int adm_enable(int argc, char **argv);
int adm_disable(int argc, char **argv);
int adm_load(int argc, char **argv);
int adm_unload(int argc, char **argv);
int adm_set(int argc, char **argv);
int adm_cancel(int argc, char **argv);
