/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - what every command of kcf does first and last: options, connection, mechanism, key; and
 * the report of what was processed. One thread.
 */
#pragma once

#include <jansson.h>
#include <kcf/client.h>

#include "args.h"
#include "key-file.h"
#include "mech-name.h"
#include "stream.h"

struct session {
	const char *command;
	struct args args;
	struct kcf_client *client;
	struct mech_choice mech;
	struct key_file key;
	json_t *files; /* with --json */
	bool data_on_stdout;
};

/* Options and connection. False: end with *ret_exit. */
bool session_open(struct session *s, const char *command, int argc, char **argv,
		  const struct args_usage *usage, int *ret_exit);
/* Prints the JSON report; returns the exit code to end with. */
int session_close(struct session *s, int code);
/* First positional word -> s->mech; exit code. */
int session_mech(struct session *s, unsigned classes);
int session_key(struct session *s, enum key_need need);
/* "caller" or "kcfd": where this command's work runs. */
const char *session_place(const struct session *s);
bool session_in_kcfd(const struct session *s);
/* An arena or other stream job with the options filled in. */
struct stream_job session_job(const struct session *s, struct source *source, struct sink *sink,
			      struct progress *progress);
/* Request structure for one synchronous call, or NULL. */
struct kcf_call_req *session_req(const struct session *s, struct kcf_call_req *req);
/* Note what one file took; result is NULL or text under `key`. */
void session_note(struct session *s, const char *file, const struct stream_result *done,
		  double seconds, const char *key, const char *result);
/* --iv, --aad and other hex options: malloc'ed bytes; exit code. text NULL: *ret NULL. */
int session_hex(const char *option, const char *text, unsigned char **ret, size_t *ret_len);
/* Read a whole input (malloc'ed, at most max bytes; wipe it). Exit code. */
int session_read_small(struct source *source, size_t max, unsigned char **ret, size_t *ret_len);
/* The same by name. */
int session_read_file(const char *path, size_t max, unsigned char **ret, size_t *ret_len);
