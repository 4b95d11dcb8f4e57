/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire-random - valid random messages of every type, and their comparison. For unit tests and for the seeds of
 * the fuzz targets. Memory of a message is in the struct random that made it, until the next message.
 */
#pragma once

#include "wire/codec.h"

struct random {
	uint64_t state;
	size_t used;
	uint64_t mem[128 * 1024 / 8];
};

void random_init(struct random *r, uint64_t seed);
uint64_t random_u64(struct random *r);
/* 0 .. n - 1; often the ends. */
uint64_t random_below(struct random *r, uint64_t n);
/* A valid message whose encoding fits a frame. */
void random_msg(struct random *r, enum frame_type type, struct wire_msg *ret);
/* A parameter of this kind with every member set. */
void random_param(struct random *r, enum kcf_param_kind kind, struct wire_param *ret);
/* NULL if equal, else the name of the first member that differs. */
const char *msg_differs(const struct wire_msg *a, const struct wire_msg *b);
bool param_equal(const struct wire_param *a, const struct wire_param *b);
