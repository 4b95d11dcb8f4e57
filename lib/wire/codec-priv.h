/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the codec's own files share. Nobody else includes this or the generated header.
 *
 * A message type is one row: its protobuf descriptor, encode (protobuf structures on the stack that
 * borrow from the message, packed straight into the buffer) and decode (protobuf structures, already in the arena,
 * to plain ones). decode checks every range.
 */
#pragma once

#include "wire/codec.h"

#include "kcf.pb-c.h"

struct codec_row {
	const ProtobufCMessageDescriptor *descriptor;
	size_t (*encode)(const struct wire_msg *msg, uint8_t *buf, size_t room);
	bool (*decode)(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret);
};

/* NULL for an unknown type. */
const struct codec_row *codec_row_find(enum frame_type type);

/* ---- codec-arena.c ---- */

/* Memory from the arena, or NULL when the budget is spent. */
void *codec_alloc(struct codec_arena *arena, size_t len);
ProtobufCMessage *codec_unpack(struct codec_arena *arena, const ProtobufCMessageDescriptor *d,
			       const uint8_t *buf, size_t len);

/* ---- codec.c ---- */

/* Pack if it fits into room; else SIZE_MAX. */
size_t codec_pack(const ProtobufCMessage *m, uint8_t *buf, size_t room);
/* The same for a message that cannot be longer than bound: measuring it costs as much as packing. */
size_t codec_pack_bounded(const ProtobufCMessage *m, size_t bound, uint8_t *buf, size_t room);
/* At most max bytes and no control characters: names end up in logs and on terminals. */
bool codec_name_ok(const char *s, size_t max);

/* ---- codec-key.c, codec-param.c ---- */

/* NULL for a key that is not on the wire (none, template). pb is initialised here. */
Kcf__Wire__KeyRef *codec_fill_key(const struct wire_key *key, Kcf__Wire__KeyRef *pb);
bool codec_read_key(const Kcf__Wire__KeyRef *pb, struct wire_key *ret);
Kcf__Wire__Param *codec_fill_param(const struct wire_param *param, Kcf__Wire__Param *pb);
bool codec_read_param(struct codec_arena *arena, const Kcf__Wire__Param *pb,
		      struct wire_param *ret);

size_t codec_encode_attach(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_attach(struct codec_arena *arena, const ProtobufCMessage *m,
			 struct wire_msg *ret);
size_t codec_encode_key_op(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_key_op(struct codec_arena *arena, const ProtobufCMessage *m,
			 struct wire_msg *ret);
size_t codec_encode_key_reply(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_key_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			    struct wire_msg *ret);

/* ---- codec-op.c ---- */

size_t codec_encode_op(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_op(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret);
size_t codec_encode_op_reply(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_op_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			   struct wire_msg *ret);

/* ---- codec-msg.c ---- */

/* Messages of numbers and strings only, by table. */
size_t codec_encode_plain(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_plain(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret);
size_t codec_encode_hello_reply(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_hello_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			      struct wire_msg *ret);
size_t codec_encode_admin(const struct wire_msg *msg, uint8_t *buf, size_t room);
bool codec_decode_admin(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret);
