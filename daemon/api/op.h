/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - an OP message as a request: what the api layer keeps in the request's private memory.
 *
 * The memory holds, in this order and each 8-aligned: struct op, iovecs, steps, segments,
 * parameters, inline input, inline output. Everything the request refers to is there or in an arena
 * segment that it references; nothing points into the message. Loop thread, but for payload while a
 * worker runs it.
 */
#pragma once

#include "api/arena.h"
#include "api/conn.h"

struct op {
	struct pending pending; /* first */
	struct request *request;
	struct arena_use use;
	uint32_t context; /* its number, or 0 */
	bool mac_inline, out_inline;
};

/* The request's part of ours. */
static inline struct op *op_of(const struct request *r)
{
	return (struct op *)(void *)r->mem;
}

/* Everything of m but templates and context. KCF_SUCCESS: *ret is owned and its segments are
 * referenced. */
enum kcf_status op_build(struct conn *c, const struct wire_op *m, const uint8_t *payload,
			 struct request **ret);
/* Charge it, remember what is to be answered under this id, list it. */
enum kcf_status op_enter(struct conn *c, struct request *r, uint64_t id);
/* Undo that. False: the connection is closed, nobody wants the answer; and only the caller's pin
 * may be left of it. */
bool op_leave(struct request *r);
/* Release segments and free. */
void op_free(struct request *r);
