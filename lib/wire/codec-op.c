/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OP and OP_REPLY (and OP_STEP, the same message): the request path. Arena ranges are triples of numbers on the
 * wire. A payload direction is inline or ranges, never both; what a request carries inline is bounded as a whole.
 */
#include "codec-priv.h"

#include <kcf/provider.h>
#include <string.h>

#define OPF_ALL (OPF_ALWAYS_QUEUE | OPF_NEVER_QUEUE | OPF_NOTIFY_STEPS | OPF_SYNC)

uint32_t codec_op_units(const struct wire_op *op)
{
	size_t len = (size_t)op->in_len + op->check_len + op->out_room + op->mac_room;
	uint32_t i;

	for (i = 0; i < op->n_steps; i++)
		len += (size_t)op->steps[i].in_len + op->steps[i].out_room;
	return 1 + (uint32_t)((len + WIRE_UNIT_BYTES - 1) / WIRE_UNIT_BYTES);
}

/* ---- encode ---- */

static size_t put_ranges(const struct wire_range *r, uint32_t n, uint64_t *to)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		*to++ = r[i].segment;
		*to++ = r[i].offset;
		*to++ = r[i].len;
	}
	return 3 * (size_t)n;
}

struct op_scratch {
	Kcf__Wire__KeyRef key, key2;
	Kcf__Wire__Param param, param2;
	uint64_t ranges[9 * WIRE_MAX_RANGES];
};

static void fill_op(const struct wire_op *op, Kcf__Wire__Op *pb, struct op_scratch *s)
{
	pb->op = op->op;
	pb->phase = op->phase;
	pb->flags = op->flags;
	pb->mech = op->mech;
	pb->template_ = op->tmpl;
	pb->key = codec_fill_key(&op->key, &s->key);
	pb->param = codec_fill_param(&op->param, &s->param);
	pb->context = op->context;
	pb->in_len = op->in_len;
	pb->check_len = op->check_len;
	pb->out_room = op->out_room;
	pb->preference = op->preference;
	if (op->provider)
		pb->provider = (char *)op->provider;
	pb->mech2 = op->mech2;
	pb->template2 = op->tmpl2;
	pb->key2 = codec_fill_key(&op->key2, &s->key2);
	pb->param2 = codec_fill_param(&op->param2, &s->param2);
	pb->mac_room = op->mac_room;
	pb->units = op->units;
	pb->in_ranges = s->ranges;
	pb->n_in_ranges = put_ranges(op->in, op->n_in, pb->in_ranges);
	pb->out_ranges = pb->in_ranges + pb->n_in_ranges;
	pb->n_out_ranges = put_ranges(op->out, op->n_out, pb->out_ranges);
	pb->mac_ranges = pb->out_ranges + pb->n_out_ranges;
	pb->n_mac_ranges = put_ranges(op->mac, op->n_mac, pb->mac_ranges);
}

/* Apart, because its stack is large and steps are rare. */
static __attribute__((noinline)) size_t encode_steps(const struct wire_op *op, Kcf__Wire__Op *pb,
						     uint8_t *buf, size_t room)
{
	Kcf__Wire__Step steps[KCF_STEPS_MAX], *list[KCF_STEPS_MAX];
	uint64_t ranges[3 * WIRE_MAX_STEP_RANGES], *next = ranges;
	uint32_t i, total = 0;

	if (op->n_steps > KCF_STEPS_MAX)
		return SIZE_MAX;
	for (i = 0; i < op->n_steps; i++) {
		const struct wire_step *s = &op->steps[i];

		if (s->n_in > WIRE_MAX_RANGES || s->n_out > WIRE_MAX_RANGES)
			return SIZE_MAX;
		total += s->n_in + s->n_out;
		if (total > WIRE_MAX_STEP_RANGES)
			return SIZE_MAX;
		kcf__wire__step__init(&steps[i]);
		steps[i].kind = s->kind;
		steps[i].in_len = s->in_len;
		steps[i].out_room = s->out_room;
		steps[i].in_ranges = next;
		steps[i].n_in_ranges = put_ranges(s->in, s->n_in, next);
		next += steps[i].n_in_ranges;
		steps[i].out_ranges = next;
		steps[i].n_out_ranges = put_ranges(s->out, s->n_out, next);
		next += steps[i].n_out_ranges;
		list[i] = &steps[i];
	}
	pb->steps = list;
	pb->n_steps = op->n_steps;
	return codec_pack(&pb->base, buf, room);
}

/* Per number 2 bytes of tag and 10 of varint at most; per byte string 2 and 5. */
#define NUMBERS_BOUND(n) (12 * (size_t)(n))
#define STRINGS_BOUND(n) (7 * (size_t)(n))

static size_t key_bound(const Kcf__Wire__KeyRef *key)
{
	if (!key)
		return 0;
	return NUMBERS_BOUND(2) + STRINGS_BOUND(4) + key->bytes.len + key->handle.len +
	       strlen(key->name);
}

static size_t param_bound(const Kcf__Wire__Param *param)
{
	if (!param)
		return 0;
	return NUMBERS_BOUND(9) + STRINGS_BOUND(4) + param->iv.len + param->aad.len +
	       param->salt.len;
}

/* No shorter than the packed message without steps. */
static size_t op_bound(const Kcf__Wire__Op *pb)
{
	return NUMBERS_BOUND(14) + STRINGS_BOUND(4) + strlen(pb->provider) + key_bound(pb->key) +
	       key_bound(pb->key2) + param_bound(pb->param) + param_bound(pb->param2) +
	       NUMBERS_BOUND(pb->n_in_ranges + pb->n_out_ranges + pb->n_mac_ranges);
}

size_t codec_encode_op(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_op *op = &msg->op;
	Kcf__Wire__Op pb = KCF__WIRE__OP__INIT;
	struct op_scratch s;

	if (op->n_in > WIRE_MAX_RANGES || op->n_out > WIRE_MAX_RANGES ||
	    op->n_mac > WIRE_MAX_RANGES)
		return SIZE_MAX;
	fill_op(op, &pb, &s);
	if (op->n_steps)
		return encode_steps(op, &pb, buf, room);
	return codec_pack_bounded(&pb.base, op_bound(&pb), buf, room);
}

/* ---- decode ---- */

static bool get_ranges(struct codec_arena *arena, const uint64_t *from, size_t n,
		       const struct wire_range **ret, uint32_t *ret_n)
{
	struct wire_range *r;
	size_t i;

	*ret = NULL;
	*ret_n = 0;
	if (n == 0)
		return true;
	if (n % 3 != 0 || n / 3 > WIRE_MAX_RANGES)
		return false;
	r = codec_alloc(arena, n / 3 * sizeof(*r));
	if (!r)
		return false;
	for (i = 0; i < n / 3; i++) {
		if (from[3 * i] > UINT32_MAX)
			return false;
		r[i].segment = (uint32_t)from[3 * i];
		r[i].offset = from[3 * i + 1];
		r[i].len = from[3 * i + 2];
	}
	*ret = r;
	*ret_n = (uint32_t)(n / 3);
	return true;
}

/* What the whole request has, its steps together. */
struct inline_sum {
	uint64_t in, out;
	uint32_t ranges;
};

static bool get_step(struct codec_arena *arena, const Kcf__Wire__Step *pb, struct inline_sum *sum,
		     struct wire_step *ret)
{
	if (pb->kind < KCF_STEP_INIT || pb->kind > KCF_STEP_FINAL)
		return false;
	if ((pb->in_len && pb->n_in_ranges) || (pb->out_room && pb->n_out_ranges))
		return false;
	ret->kind = pb->kind;
	ret->in_len = pb->in_len;
	ret->out_room = pb->out_room;
	sum->in += pb->in_len;
	sum->out += pb->out_room;
	if (!get_ranges(arena, pb->in_ranges, pb->n_in_ranges, &ret->in, &ret->n_in) ||
	    !get_ranges(arena, pb->out_ranges, pb->n_out_ranges, &ret->out, &ret->n_out))
		return false;
	sum->ranges += ret->n_in + ret->n_out;
	return true;
}

static bool get_steps(struct codec_arena *arena, const Kcf__Wire__Op *pb, struct inline_sum *sum,
		      struct wire_op *op)
{
	struct wire_step *steps;
	size_t i;

	op->steps = NULL;
	op->n_steps = 0;
	if (pb->n_steps == 0)
		return true;
	if (pb->n_steps > KCF_STEPS_MAX)
		return false;
	steps = codec_alloc(arena, pb->n_steps * sizeof(*steps));
	if (!steps)
		return false;
	for (i = 0; i < pb->n_steps; i++) {
		if (!get_step(arena, pb->steps[i], sum, &steps[i]))
			return false;
	}
	op->steps = steps;
	op->n_steps = (uint32_t)pb->n_steps;
	return true;
}

static bool op_in_range(const Kcf__Wire__Op *pb)
{
	if (pb->op == 0 || pb->op >= KCF_OP_COUNT || pb->phase > KCF_FINAL_PHASE)
		return false;
	if ((pb->flags & ~OPF_ALL) || pb->preference > KCF_ONLY_PROVIDER)
		return false;
	if (!codec_name_ok(pb->provider, KCF_NAME_MAX - 1))
		return false;
	if (pb->check_len > WIRE_MAX_INLINE || pb->mac_room > WIRE_MAX_INLINE)
		return false;
	if ((pb->in_len && pb->n_in_ranges) || (pb->out_room && pb->n_out_ranges) ||
	    (pb->mac_room && pb->n_mac_ranges))
		return false;
	return true;
}

bool codec_decode_op(struct codec_arena *arena, const ProtobufCMessage *m, struct wire_msg *ret)
{
	const Kcf__Wire__Op *pb = (const void *)m;
	struct inline_sum sum = {pb->in_len, pb->out_room, 0};
	struct wire_op *op = &ret->op;

	if (!op_in_range(pb))
		return false;
	op->op = pb->op;
	op->phase = pb->phase;
	op->flags = pb->flags;
	op->mech = pb->mech;
	op->tmpl = pb->template_;
	op->context = pb->context;
	op->in_len = pb->in_len;
	op->check_len = pb->check_len;
	op->out_room = pb->out_room;
	op->mac_room = pb->mac_room;
	op->preference = pb->preference;
	op->units = pb->units;
	op->provider = pb->provider;
	op->mech2 = pb->mech2;
	op->tmpl2 = pb->template2;
	return codec_read_key(pb->key, &op->key) && codec_read_key(pb->key2, &op->key2) &&
	       codec_read_param(arena, pb->param, &op->param) &&
	       codec_read_param(arena, pb->param2, &op->param2) &&
	       get_ranges(arena, pb->in_ranges, pb->n_in_ranges, &op->in, &op->n_in) &&
	       get_ranges(arena, pb->out_ranges, pb->n_out_ranges, &op->out, &op->n_out) &&
	       get_ranges(arena, pb->mac_ranges, pb->n_mac_ranges, &op->mac, &op->n_mac) &&
	       get_steps(arena, pb, &sum, op) && sum.in <= WIRE_MAX_INLINE &&
	       sum.out <= WIRE_MAX_INLINE && sum.ranges <= WIRE_MAX_STEP_RANGES;
}

/* ---- replies ---- */

size_t codec_encode_op_reply(const struct wire_msg *msg, uint8_t *buf, size_t room)
{
	const struct wire_op_reply *r = &msg->op_reply;
	Kcf__Wire__OpReply pb = KCF__WIRE__OP_REPLY__INIT;

	pb.status = r->status;
	pb.out_len = r->out_len;
	pb.required = r->required;
	pb.provider = r->provider;
	pb.busy_reason = r->busy_reason;
	pb.queue_hops = r->queue_hops;
	pb.iv.len = r->iv.len;
	pb.iv.data = (uint8_t *)r->iv.p;
	pb.step = r->step;
	pb.mac_len = r->mac_len;
	pb.step_lens = (uint64_t *)r->step_lens;
	pb.n_step_lens = r->n_step_lens;
	return codec_pack_bounded(&pb.base,
				  NUMBERS_BOUND(8 + pb.n_step_lens) + STRINGS_BOUND(2) + pb.iv.len,
				  buf, room);
}

bool codec_decode_op_reply(struct codec_arena *arena, const ProtobufCMessage *m,
			   struct wire_msg *ret)
{
	const Kcf__Wire__OpReply *pb = (const void *)m;
	struct wire_op_reply *r = &ret->op_reply;

	if (pb->status >= KCF_STATUS_COUNT || pb->busy_reason > KCF_BUSY_NO_ROOM)
		return false;
	if ((pb->iv.len != 0 && pb->iv.len != WIRE_IV_LEN) || pb->n_step_lens > KCF_STEPS_MAX ||
	    pb->step >= KCF_STEPS_MAX)
		return false;
	r->status = pb->status;
	r->out_len = pb->out_len;
	r->required = pb->required;
	r->provider = pb->provider;
	r->busy_reason = pb->busy_reason;
	r->queue_hops = pb->queue_hops;
	r->iv.p = pb->iv.data;
	r->iv.len = pb->iv.len;
	r->step = pb->step;
	r->mac_len = pb->mac_len;
	r->step_lens = pb->step_lens;
	r->n_step_lens = (uint32_t)pb->n_step_lens;
	return true;
}
