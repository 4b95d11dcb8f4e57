/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys on the wire, and the messages about them. A key is bytes with a format, a 16-byte handle, or the name of
 * a configured key: exactly one of them; a template's slot travels in a field of its own.
 */
#include "codec-priv.h"

#include <string.h>

#define HANDLE_LEN sizeof(((struct kcf_key_handle *)0)->id)

static ProtobufCBinaryData borrow(const void *p, size_t len)
{
	ProtobufCBinaryData b = {len, (uint8_t *)p};

	return b;
}

Kcf__Wire__KeyRef *codec_fill_key(const struct wire_key *key, Kcf__Wire__KeyRef *pb)
{
	if (key->kind == KCF_KEY_NONE || key->kind == KCF_KEY_TEMPLATE)
		return NULL;
	kcf__wire__key_ref__init(pb);
	if (key->kind == KCF_KEY_BYTES) {
		pb->bytes = borrow(key->bytes.p, key->bytes.len);
		pb->format = key->format;
		pb->has_bytes = true;
	} else if (key->kind == KCF_KEY_HANDLE) {
		pb->handle = borrow(key->handle.id, HANDLE_LEN);
	} else {
		pb->name = (char *)key->name;
	}
	return pb;
}

bool codec_read_key(const Kcf__Wire__KeyRef *pb, struct wire_key *ret)
{
	bool has_bytes, has_handle, has_name;

	memset(ret, 0, sizeof(*ret));
	if (!pb)
		return true;
	has_bytes = pb->has_bytes || pb->bytes.len;
	has_handle = pb->handle.len != 0;
	has_name = pb->name[0] != '\0';
	if (has_bytes + has_handle + has_name != 1)
		return false;
	if (has_bytes) {
		if (pb->bytes.len > WIRE_MAX_KEY || pb->format > KCF_KEY_SPKI)
			return false;
		ret->kind = KCF_KEY_BYTES;
		ret->format = pb->format;
		ret->bytes.p = pb->bytes.data;
		ret->bytes.len = pb->bytes.len;
	} else if (has_handle) {
		if (pb->handle.len != HANDLE_LEN)
			return false;
		ret->kind = KCF_KEY_HANDLE;
		memcpy(ret->handle.id, pb->handle.data, HANDLE_LEN);
	} else {
		if (!codec_name_ok(pb->name, KCF_KEY_NAME_MAX))
			return false;
		ret->kind = KCF_KEY_NAMED;
		ret->name = pb->name;
	}
	return true;
}

size_t codec_encode_attach(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	Kcf__Wire__TemplateAttach pb = KCF__WIRE__TEMPLATE_ATTACH__INIT;
	Kcf__Wire__KeyRef key;

	pb.slot = msg->attach.slot;
	pb.mech = msg->attach.mech;
	pb.key = codec_fill_key(&msg->attach.key, &key);
	return codec_pack(&pb.base, buf, room);
}

bool codec_decode_attach(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret)
{
	const Kcf__Wire__TemplateAttach *pb = (const void *)m;

	ret->attach.slot = pb->slot;
	ret->attach.mech = pb->mech;
	return pb->slot != 0 && pb->slot <= WIRE_MAX_SLOT &&
	       codec_read_key(pb->key, &ret->attach.key);
}

size_t codec_encode_key_op(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_key_op_msg *op = &msg->key_op;
	Kcf__Wire__KeyOp pb = KCF__WIRE__KEY_OP__INIT;
	Kcf__Wire__KeyRef key;
	Kcf__Wire__Param param;

	pb.kind = op->kind;
	pb.key = codec_fill_key(&op->key, &key);
	pb.mech = op->mech;
	pb.param = codec_fill_param(&op->param, &param);
	pb.usage = op->usage;
	pb.len = op->len;
	return codec_pack(&pb.base, buf, room);
}

bool codec_decode_key_op(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret)
{
	const Kcf__Wire__KeyOp *pb = (const void *)m;
	struct wire_key_op_msg *op = &ret->key_op;

	if (pb->kind < KEYOP_IMPORT || pb->kind > KEYOP_DESTROY || pb->len > WIRE_MAX_KEY)
		return false;
	op->kind = pb->kind;
	op->mech = pb->mech;
	op->usage = pb->usage;
	op->len = pb->len;
	return codec_read_key(pb->key, &op->key) && codec_read_param(arena, pb->param, &op->param);
}

size_t codec_encode_key_reply(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_key_reply *r = &msg->key_reply;
	Kcf__Wire__KeyReply pb = KCF__WIRE__KEY_REPLY__INIT;

	pb.status = r->status;
	if (r->has_handle)
		pb.handle = borrow(r->handle.id, HANDLE_LEN);
	pb.data = borrow(r->data.p, r->data.len);
	return codec_pack(&pb.base, buf, room);
}

bool codec_decode_key_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			    struct wire_msg *ret)
{
	const Kcf__Wire__KeyReply *pb = (const void *)m;
	struct wire_key_reply *r = &ret->key_reply;

	if (pb->status >= KCF_STATUS_COUNT || pb->data.len > WIRE_MAX_KEY)
		return false;
	if (pb->handle.len != 0 && pb->handle.len != HANDLE_LEN)
		return false;
	r->status = pb->status;
	r->has_handle = pb->handle.len != 0;
	memset(&r->handle, 0, sizeof(r->handle));
	if (r->has_handle)
		memcpy(r->handle.id, pb->handle.data, HANDLE_LEN);
	r->data.p = pb->data.data;
	r->data.len = pb->data.len;
	return true;
}
