/* SPDX-License-Identifier: Apache-2.0 */
/* config-private - the parser's state, shared by the two files of config. */
#pragma once

#include "config.h"

struct config_parser {
	struct config *config;
	const char *name, *dir; /* of the file */
	const char *next;       /* text not yet read */
	int line;
	char section[96];
	struct config_key *key; /* the section being read is this key's */
	char **seen;            /* "section\nname" */
	unsigned n_seen;
	bool failed;
	char *err;
	size_t err_len;
};

/* Remember the first error with its place. Always false. */
bool config_fail(struct config_parser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool config_unknown(struct config_parser *p, const char *what, const char *name, const char *near);
/* The one of the NULL-terminated names that is most like name, or NULL. */
const char *config_nearest(const char *name, const char *const *names);
bool config_bool(struct config_parser *p, const char *value, bool *ret);
/* Digits, then K, M or G if wanted. */
bool config_number(const char *text, uint64_t *ret);

bool config_key_begin(struct config_parser *p, const char *name);
bool config_key_value(struct config_parser *p, const char *name, const char *value);
/* The section is over: is the key complete? */
bool config_key_end(struct config_parser *p);
