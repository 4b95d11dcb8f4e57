/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - runs a file of any size through kcf piece by piece, keeping several pieces in flight.
 *
 * A piece is read into a slot, handed to kcf by the owner's submit function, and written when it is
 * the oldest one and complete: output is in order whatever the order of completion. Synchronous:
 * two slots of plain memory, every call finishes inside. Asynchronous: `depth` slots of arena
 * memory, each call with KCF_ALWAYS_QUEUE, callbacks on the library's thread mark the slot done.
 * Only that flag is shared, under the lock.
 */
#pragma once

#include <kcf/client.h>
#include <pthread.h>
#include <stdbool.h>

#include "args.h"
#include "file.h"

struct stream;

struct stream_slot {
	struct stream *stream;
	unsigned char *in, *out; /* out NULL without output */
	size_t in_len, out_len;
	uint64_t index; /* of the piece */
	bool last;
	bool done;
	enum kcf_status status;
};

struct stream_job {
	struct kcf_client *client;
	struct source *source;
	struct sink *sink; /* NULL: no output */
	struct progress *progress;
	const char *provider; /* or NULL */
	size_t in_size;       /* bytes of a piece */
	size_t out_extra;     /* room beyond in_size for its output */
	unsigned depth;
	bool async;
	bool arena; /* buffers shared with kcfd also when synchronous: the work goes there */
	/* Start one piece: one kcf call with this request. req NULL: synchronous; then out->used is
	 * the output's length. */
	enum kcf_status (*submit)(void *arg, const struct stream_slot *slot, struct kcf_data *out,
				  struct kcf_call_req *req);
	void *arg;
	/* Also start a piece of no bytes when the input is empty. */
	bool empty_piece;
};

struct stream_result {
	enum kcf_status status; /* of the first piece that failed */
	uint64_t pieces, bytes_in, bytes_out;
};

/* Exit code; prints what is wrong with files, and leaves kcf's own failures to the caller (status).
 */
int stream_run(const struct stream_job *job, struct stream_result *ret);
/* A request structure for the options: NULL when a plain synchronous call will do, else req filled.
 */
struct kcf_call_req *stream_sync_req(const char *provider, struct kcf_call_req *req);
