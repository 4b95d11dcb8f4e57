/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small messages. Those of numbers and strings only are a table of members: where in the structure, where
 * in the protobuf structure, and the largest value or length. Lists have functions.
 */
#include "codec-priv.h"

#include <string.h>

/* NAME: refused if longer than max. TEXT: for people, cut to max when sent. */
enum plain_type { P_END = 0, P_U32, P_U64, P_NAME, P_TEXT };

struct plain {
	uint8_t type;
	uint16_t at, pb;
	uint32_t max; /* numbers: 0 = any */
};

#define MAX_PLAIN 5
#define AT(m) offsetof(struct wire_msg, m)
#define PB(s, m) offsetof(Kcf__Wire__##s, m)

static const struct plain plains[FRAME_TYPE_COUNT][MAX_PLAIN + 1] = {
	[FRAME_HELLO] = {{P_U32, AT(hello.version_min), PB(Hello, version_min)},
			 {P_U32, AT(hello.version_max), PB(Hello, version_max)},
			 {P_U32, AT(hello.features), PB(Hello, features)},
			 {P_NAME, AT(hello.label), PB(Hello, label), WIRE_MAX_LABEL}},
	[FRAME_TEMPLATE_DROP] = {{P_U32, AT(slot), PB(TemplateDrop, slot)}},
	[FRAME_CONTEXT_DROP] = {{P_U32, AT(slot), PB(ContextDrop, context)}},
	[FRAME_CANCEL] = {{P_U64, AT(id), PB(Cancel, id)}},
	[FRAME_STATUS] = {{P_U64, AT(id), PB(StatusQuery, id)}},
	[FRAME_STATUS_REPLY] = {{P_U32, AT(status_reply.status), PB(StatusReply, status),
				 KCF_STATUS_COUNT - 1},
				{P_U32, AT(status_reply.state), PB(StatusReply, state),
				 KCF_REQ_DONE},
				{P_U32, AT(status_reply.position), PB(StatusReply, position)},
				{P_U32, AT(status_reply.steps_done), PB(StatusReply, steps_done)},
				{P_U32, AT(status_reply.provider), PB(StatusReply, provider)}},
	[FRAME_MECH_FIND] = {{P_NAME, AT(name), PB(MechFind, name), KCF_NAME_MAX - 1}},
	[FRAME_MECH_REPLY] = {{P_U32, AT(mech_reply.status), PB(MechReply, status),
			       KCF_STATUS_COUNT - 1},
			      {P_U32, AT(mech_reply.mech), PB(MechReply, mech)}},
	[FRAME_DONE] = {{P_U32, AT(status), PB(Done, status), KCF_STATUS_COUNT - 1}},
	[FRAME_ARENA_NEW] = {{P_U64, AT(arena.size), PB(ArenaNew, size)}},
	[FRAME_ARENA_OFFER] = {{P_U32, AT(arena.segment), PB(ArenaOffer, segment)},
			       {P_U64, AT(arena.size), PB(ArenaOffer, size)}},
	[FRAME_ARENA_FREE] = {{P_U32, AT(slot), PB(ArenaFree, segment)}},
	[FRAME_ARENA_REPLY] = {{P_U32, AT(arena.status), PB(ArenaReply, status),
				KCF_STATUS_COUNT - 1},
			       {P_U32, AT(arena.segment), PB(ArenaReply, segment)},
			       {P_U64, AT(arena.size), PB(ArenaReply, size)}},
	[FRAME_RING_NEW] = {{P_U32, AT(version), PB(RingNew, version)}},
	[FRAME_RING_REPLY] = {{P_U32, AT(status), PB(RingReply, status), KCF_STATUS_COUNT - 1}},
	[FRAME_WANT] = {{P_U32, AT(room.units), PB(Want, units)},
			{P_U32, AT(room.provider), PB(Want, provider)}},
	[FRAME_ROOM] = {{P_U32, AT(room.units), PB(Room, units)},
			{P_U32, AT(room.provider), PB(Room, provider)}},
	[FRAME_EVENT] = {{P_U32, AT(event.type), PB(Event, type)},
			 {P_NAME, AT(event.mechanism), PB(Event, mechanism), KCF_NAME_MAX - 1},
			 {P_NAME, AT(event.provider), PB(Event, provider), KCF_NAME_MAX - 1},
			 {P_U32, AT(event.module), PB(Event, module)}},
	[FRAME_FATAL] = {{P_U32, AT(fatal.status), PB(Fatal, status), KCF_STATUS_COUNT - 1},
			 {P_TEXT, AT(fatal.text), PB(Fatal, text), WIRE_MAX_TEXT}},
	[FRAME_ADMIN_REPLY] = {{P_U32, AT(admin_reply.status), PB(AdminReply, status),
				KCF_STATUS_COUNT - 1},
			       {P_TEXT, AT(admin_reply.error), PB(AdminReply, error),
				WIRE_MAX_TEXT}},
};

/* Room for any protobuf structure of the table. */
union plain_pb {
	ProtobufCMessage base;
	Kcf__Wire__Hello hello;
	Kcf__Wire__StatusReply status_reply;
	Kcf__Wire__Event event;
	Kcf__Wire__Fatal fatal;
	Kcf__Wire__AdminReply admin_reply;
	Kcf__Wire__ArenaReply arena_reply;
};

/* Longest beginning of s of at most max bytes that does not end inside a UTF-8 sequence. */
static size_t cut_len(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (len <= max)
		return len;
	for (len = max; len && ((unsigned char)s[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

/* false: a name too long. cut: room for a text that has to be shortened. */
static bool fill_text(const struct plain *p, const char *from, char *cut, char **to)
{
	size_t len;

	if (!from)
		return true;
	*to = (char *)from;
	if (p->type == P_NAME)
		return strnlen(from, p->max + 1) <= p->max;
	len = cut_len(from, p->max);
	if (from[len] != '\0') {
		memcpy(cut, from, len);
		cut[len] = '\0';
		*to = cut;
	}
	return true;
}

size_t codec_encode_plain(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	char cut[WIRE_MAX_TEXT + 1];
	const struct plain *p;
	union plain_pb pb;

	protobuf_c_message_init(codec_row_find(msg->type)->descriptor, &pb);
	for (p = plains[msg->type]; p->type != P_END; p++) {
		const char *from = (const char *)msg + p->at;
		char *to = (char *)&pb + p->pb;

		if (p->type == P_U32)
			*(uint32_t *)to = *(const uint32_t *)from;
		else if (p->type == P_U64)
			*(uint64_t *)to = *(const uint64_t *)from;
		else if (!fill_text(p, *(const char *const *)from, cut, (char **)to))
			return SIZE_MAX;
	}
	return codec_pack(&pb.base, buf, room);
}

static bool read_plain(const struct plain *p, const char *from, char *to)
{
	switch (p->type) {
	case P_U32:
		*(uint32_t *)to = *(const uint32_t *)from;
		return p->max == 0 || *(const uint32_t *)from <= p->max;
	case P_U64:
		*(uint64_t *)to = *(const uint64_t *)from;
		return true;
	case P_NAME:
		*(const char **)to = *(const char *const *)from;
		return codec_name_ok(*(const char *const *)from, p->max);
	default:
		*(const char **)to = *(const char *const *)from;
		return strnlen(*(const char *const *)from, p->max + 1) <= p->max;
	}
}

bool codec_decode_plain(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret)
{
	const struct plain *p;

	*ret = (struct wire_msg){.type = ret->type};
	for (p = plains[ret->type]; p->type != P_END; p++) {
		if (!read_plain(p, (const char *)m + p->pb, (char *)ret + p->at))
			return false;
	}
	return true;
}

/* ---- HELLO_REPLY ---- */

size_t codec_encode_hello_reply(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_hello_reply *r = &msg->hello_reply;
	Kcf__Wire__HelloReply pb = KCF__WIRE__HELLO_REPLY__INIT;
	Kcf__Wire__Module modules[WIRE_MAX_MODULES], *list[WIRE_MAX_MODULES];
	uint32_t i;

	if (r->n_modules > WIRE_MAX_MODULES)
		return SIZE_MAX;
	for (i = 0; i < r->n_modules; i++) {
		kcf__wire__module__init(&modules[i]);
		modules[i].name = (char *)r->modules[i].name;
		modules[i].provider = r->modules[i].provider;
		modules[i].size = r->modules[i].size;
		list[i] = &modules[i];
	}
	pb.version = r->version;
	pb.features = r->features;
	pb.max_request = r->max_request;
	pb.max_inline = r->max_inline;
	pb.lease = r->lease;
	pb.daemon_id = r->daemon_id;
	pb.modules = list;
	pb.n_modules = r->n_modules;
	return codec_pack(&pb.base, buf, room);
}

bool codec_decode_hello_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			      struct wire_msg *ret)
{
	const Kcf__Wire__HelloReply *pb = (const void *)m;
	struct wire_hello_reply *r = &ret->hello_reply;
	uint32_t i;

	if (pb->n_modules > WIRE_MAX_MODULES || pb->max_inline > WIRE_MAX_INLINE)
		return false;
	r->version = pb->version;
	r->features = pb->features;
	r->max_request = pb->max_request;
	r->max_inline = pb->max_inline;
	r->lease = pb->lease;
	r->daemon_id = pb->daemon_id;
	r->n_modules = (uint32_t)pb->n_modules;
	for (i = 0; i < r->n_modules; i++) {
		if (!codec_name_ok(pb->modules[i]->name, KCF_NAME_MAX - 1))
			return false;
		r->modules[i].name = pb->modules[i]->name;
		r->modules[i].provider = pb->modules[i]->provider;
		r->modules[i].size = pb->modules[i]->size;
	}
	return true;
}

/* ---- ADMIN ---- */

size_t codec_encode_admin(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_admin *a = &msg->admin;
	Kcf__Wire__Admin pb = KCF__WIRE__ADMIN__INIT;

	if (a->n_args > WIRE_ADMIN_ARGS)
		return SIZE_MAX;
	pb.command = (char *)a->command;
	pb.args = (char **)a->args;
	pb.n_args = a->n_args;
	return codec_pack(&pb.base, buf, room);
}

bool codec_decode_admin(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret)
{
	const Kcf__Wire__Admin *pb = (const void *)m;
	struct wire_admin *a = &ret->admin;
	uint32_t i;

	if (pb->n_args > WIRE_ADMIN_ARGS || !codec_name_ok(pb->command, KCF_NAME_MAX - 1))
		return false;
	a->command = pb->command;
	a->n_args = (uint32_t)pb->n_args;
	for (i = 0; i < a->n_args; i++) {
		if (strnlen(pb->args[i], WIRE_MAX_ARG + 1) > WIRE_MAX_ARG)
			return false;
		a->args[i] = pb->args[i];
	}
	return true;
}
