/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the configuration file: limits, the socket, named keys.
 *
 *   [limits]            any name of core/limits.h = number, or with K, M, G
 *   [modules]           start = NAME ...
 *   [socket]            mode = 0666   group = NAME   overflow-uid = yes | no
 *   [key NAME]          file, uids, gids (one of the two), usage, pkcs1-decrypt, iv-generated
 *
 * An empty or missing section means defaults; an unknown section or name, a value out of range and
 * a name given twice are errors that say file, line and the nearest name. A key's file is absolute,
 * or relative to $CREDENTIALS_DIRECTORY if that is set, else to the configuration file's directory.
 * Read once at start; nothing is kept open.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include "core/core.h"

#define CONFIG_MAX_KEYS 256
#define CONFIG_MAX_IDS  64
#define CONFIG_MAX_LEN  (1024 * 1024)
#define CONFIG_MODULES  8

struct config_key {
	char name[KCF_KEY_NAME_MAX + 1];
	char file[1024];
	uid_t uids[CONFIG_MAX_IDS];
	gid_t gids[CONFIG_MAX_IDS];
	unsigned n_uids, n_gids;
	uint32_t usage;
	bool pkcs1_decrypt, iv_generated;
	int line; /* of its section */
};

struct config {
	struct limits limits;
	char module[CONFIG_MODULES][KCF_NAME_MAX];
	const char *modules[CONFIG_MODULES + 1]; /* to load at start; the first NULL: the standard ones */
	mode_t socket_mode;
	gid_t socket_group; /* (gid_t)-1: the process's */
	bool overflow_uid;
	struct config_key *keys; /* owned */
	unsigned n_keys;
};

/* Defaults. */
void config_init(struct config *c);
void config_deinit(struct config *c);
/* Read a file into c. false: *err says what is wrong, where, and what to do. Refuses a file that
 * others than root and this process's user could have written. */
bool config_read(struct config *c, const char *path, char *err, size_t err_len);
/* The same from text; name stands for the file in messages, dir for its directory. */
bool config_parse(struct config *c, const char *text, const char *name, const char *dir, char *err,
		  size_t err_len);
/* Do the limits fit together? err as above. */
bool config_check_limits(const struct limits *l, char *err, size_t err_len);
/* In the form the core takes; borrows from k. */
struct named_key config_named_key(const struct config_key *k);
