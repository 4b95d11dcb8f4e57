/* SPDX-License-Identifier: Apache-2.0 */
/* wire-raw - messages written by hand, byte by byte, and what the codec makes of them. */
#pragma once

#include "wire/codec.h"

struct raw {
	uint8_t b[FRAME_MESSAGE_MAX + 4096];
	size_t len;
};

extern struct raw raw, sub;
extern struct codec_arena arena;
extern struct wire_msg got;

void put_varint(struct raw *r, uint64_t v);
void put_num(struct raw *r, unsigned field, uint64_t v);
void put_bytes(struct raw *r, unsigned field, const void *p, size_t len);
void put_fill(struct raw *r, unsigned field, char c, size_t len);
/* n ranges, or with odd one number more. */
void put_ranges(struct raw *r, unsigned field, unsigned n, bool odd);
/* raw, which is empty afterwards; got is in arena. */
bool decode(enum frame_type type);
/* The least valid OP, to which a test adds. */
void begin_op(void);
bool op_with_num(unsigned field, uint64_t v);
/* sub was filled before; begin_op would clear it. */
bool op_with_key(void);
bool op_with_param(void);
