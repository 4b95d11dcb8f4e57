/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool - what the command-line tools share: exit codes, messages on stderr, the nearest name for a
 * typo.
 *
 * An error message says what happened, why, and what to do next. Data goes to stdout, talk to
 * stderr. One thread.
 */
#pragma once

#include <kcf/client.h>
#include <stdbool.h>
#include <stddef.h>

enum tool_exit {
	TOOL_OK = 0,
	TOOL_FAILED = 1,
	TOOL_USAGE = 2,
	TOOL_NO_DAEMON = 3,
	TOOL_NOT_FOUND = 4,
	TOOL_DENIED = 5,
};

struct tool_command {
	const char *name;
	const char *text;                  /* one line */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* "kcf: text" on stderr. */
void tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "     text", a second line that says what to do. */
void tool_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Exit code of a status. */
int tool_exit_of(enum kcf_status status);
/* Say that doing `what` ended with status, and what to do; returns the exit code. */
int tool_fail(enum kcf_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "name: strerror" for a file; returns TOOL_FAILED. */
int tool_fail_errno(const char *verb, const char *path);

/* Is candidate near enough to word to be what was meant, and nearer than *best? Updates *best. */
bool tool_is_nearer(const char *word, const char *candidate, unsigned *best);

/* Find argv[1] in the table (ends with a NULL name) and run it; prints help and hints. */
int tool_main(int argc, char **argv, const struct tool_command *commands, const char *intro,
	      const char *outro);

/* Unsigned number with an optional suffix K, M, G (powers of 1024). False: not one, or beyond max.
 */
bool tool_number(const char *text, unsigned long long max, unsigned long long *ret);
/* Hex text to bytes, at most room. Returns the length or -1. */
long tool_unhex(const char *text, unsigned char *buf, size_t room);
/* Lower-case hex of len bytes to text (2 * len + 1). */
void tool_hex(const unsigned char *bytes, size_t len, char *text);
/* Monotonic seconds. */
double tool_now(void);
