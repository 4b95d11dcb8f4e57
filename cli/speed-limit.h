/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-limit - what the bare probe's processes share, and its engine: how its server does
 * operations. One implementation is built: speed-limit-mb.c with Intel's multi-buffer library, else
 * speed-limit-evp.c with libcrypto.
 */
#pragma once

#include "speed-work.h"

#define LIMIT_DEPTH 256u
#define LIMIT_LINE  __attribute__((aligned(64)))

/* Submission, a cache line. */
struct limit_entry {
	uint32_t slot; /* comes back with the completion */
	uint32_t key;
	uint64_t number;
	uint64_t in, out; /* offsets into the payload */
	unsigned char iv[SPEED_IV_LEN];
	unsigned char pad[16];
};

struct limit_completion {
	uint32_t slot, failed;
	uint64_t number;
};

/* Never full: a client has at most as many operations under way as there are entries. */
struct limit_ring {
	LIMIT_LINE uint32_t submitted; /* index: release by the client, acquire by the server */
	LIMIT_LINE uint32_t completed; /* the other way round */
	LIMIT_LINE struct limit_entry entries[LIMIT_DEPTH];
	LIMIT_LINE struct limit_completion completions[LIMIT_DEPTH];
	LIMIT_LINE uint64_t n, sum; /* what the client counted */
};

#define LIMIT_CLIENTS 16u

struct limit_shared {
	uint32_t ready, stop;
	struct limit_ring rings[LIMIT_CLIENTS];
};

struct limit_shape {
	enum speed_work_kind work;
	size_t size, stride; /* stride: from one slot's input to its output, and on to the next */
	unsigned depth, n_clients;
	unsigned publish; /* operations between two writes of an index */
	double begin, end;
	struct speed_auth auth;
};

#define LIMIT_NONE   (-1)
#define LIMIT_FAILED (-2)

bool limit_engine_open(enum speed_work_kind work, size_t size, unsigned char *payload);
/* Begin one; in and out begin at payload. The entry stays until the operation is done. Returns the
 * slot of an operation that is done, of those begun the oldest; LIMIT_NONE, LIMIT_FAILED. */
int limit_engine_submit(const struct limit_entry *e);
/* Nothing new came: the slot of one that is done now, or LIMIT_NONE: nothing is under way. */
int limit_engine_flush(void);
