/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out - what is to be sent on one connection: bytes, and descriptors that go with certain bytes.
 *
 * Frames are appended and written out once a loop turn. Descriptors leave in the write that begins
 * with their frame's first byte, as the protocol says. Loop thread.
 */
#pragma once

#include "api/iobuf.h"
#include "base/list.h"
#include "wire/frame.h"

struct out {
	struct iobuf buf;
	uint64_t sent;   /* bytes since the beginning */
	struct list fds; /* struct out_fds, in order */
	unsigned n_fds;
};

/* Descriptors to go with the byte at position `at`. Closed after sending where owned. */
struct out_fds {
	struct list link;
	uint64_t at;
	unsigned n;
	int fds[WIRE_MAX_FDS];
	bool owned[WIRE_MAX_FDS];
};

void out_init(struct out *o, struct iobuf_pool *pool);
/* Drops what is not sent. */
void out_deinit(struct out *o);
/* The next frame carries these n descriptors. Takes those that are owned, also when it fails
 * (false). */
bool out_add_fds(struct out *o, const int *fds, const bool *owned, unsigned n);
/* Write what goes. 0: all is gone; -EAGAIN: some is left; else -errno: the connection is dead. */
int out_flush(struct out *o, int fd);

static inline size_t out_len(const struct out *o)
{
	return o->buf.len;
}
