/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file - input that tells when its last byte was read, output that appears under its name only when
 * whole, and the progress bar. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- input ---- */

struct source {
	const char *name; /* for messages */
	int fd;
	uint64_t size; /* 0 = unknown */
	uint64_t offset;
	unsigned char peeked;
	bool has_peeked, at_end;
};

/* path "-": standard input. Exit code; prints what is wrong. */
int source_open(struct source *s, const char *path);
/* Read len bytes, fewer only at the end; s->at_end tells at once when these were the last. -1 after
 * printing why. */
long source_read(struct source *s, void *buf, size_t len);
void source_close(struct source *s);

/* ---- output ---- */

struct sink {
	const char *path; /* NULL: standard output */
	char *temp;       /* the name it has until then, while not committed */
	bool unnamed;     /* and not even that one yet */
	int fd;
};

/* path NULL or "-": standard output. A path that exists and is no regular file is written directly.
 */
int sink_open(struct sink *s, const char *path, unsigned mode);
/* Exit code; prints what is wrong. */
int sink_write(struct sink *s, const void *buf, size_t len);
/* Give the file its name. */
int sink_commit(struct sink *s);
/* Drop what is not committed. */
void sink_close(struct sink *s);

/* ---- progress ---- */

struct progress {
	const char *label;
	uint64_t total, done;
	double started, shown;
	bool enabled, visible;
};

/* Draws only on a terminal, and only when the work takes longer than a moment. */
void progress_start(struct progress *p, const char *label, uint64_t total, bool quiet);
void progress_add(struct progress *p, uint64_t bytes);
void progress_end(struct progress *p);
