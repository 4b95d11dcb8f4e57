/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-place - how each part of a request's payload is to travel.
 *
 * In arena buffers of the caller's: by ranges. Else inline while it is little. Else through arena
 * memory of the library's own: copied in before the request is sent, copied out when it completes.
 * The thread that makes the request, without the client's lock. A new segment costs a synchronous
 * call one exchange with kcfd; an asynchronous one waits for nothing.
 */
#include "op-send.h"

#include <stdlib.h>
#include <unistd.h>

#define SMALL 4096u /* stays inline even beside a large other part */
#define GROWTH                                                                                     \
	2112u /* output may be this much longer than input: an RSA modulus of 16384 bits, a tag */
#define SHORT_OUT 8192u /* no digest, MAC or signature is longer, unless the parameter says so */

static enum kcf_status new_segment(struct kcf_client *c, size_t size)
{
	struct wire_msg msg = {.type = FRAME_ARENA_NEW, .arena.size = size}, reply;
	struct codec_arena arena;
	enum kcf_status st;
	int fd = -1;

	codec_init(&arena);
	st = client_exchange(c, &msg, &arena, &reply, &fd);
	if (st == KCF_SUCCESS && reply.type != FRAME_ARENA_REPLY)
		st = KCF_PROTOCOL_ERROR;
	if (st == KCF_SUCCESS)
		st = (enum kcf_status)reply.arena.status;
	if (st == KCF_SUCCESS)
		st = arena_add(&c->arena, fd, (size_t)reply.arena.size, reply.arena.segment);
	else if (fd >= 0)
		close(fd);
	codec_deinit(&arena);
	return st;
}

/* A segment with room to spare, or else one that is just large enough. */
static enum kcf_status grow(struct kcf_client *c, size_t len)
{
	size_t size = arena_growth(&c->arena, len);
	enum kcf_status st;

	if (!size)
		return KCF_QUOTA_EXCEEDED;
	len = (len + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1);
	st = new_segment(c, size < len ? len : size);
	if (st == KCF_QUOTA_EXCEEDED && size > len)
		st = new_segment(c, len);
	return st;
}

/* Other requests will give memory back, under the lock: so look once more there before sleeping.
 * False: they will not, or too late. */
static bool wait_memory(struct kcf_client *c, struct pending *p, size_t len, void **ret)
{
	bool again = true;

	pthread_mutex_lock(&c->lock);
	*ret = arena_alloc(&c->arena, len, false);
	if (!*ret)
		again = c->state == CLIENT_UP && c->n_requests &&
			client_wait_memory(c, p->deadline);
	pthread_mutex_unlock(&c->lock);
	return again;
}

/* With a segment that kcfd makes. */
static enum kcf_status alloc_sync(struct kcf_client *c, struct pending *p, size_t len, void **ret)
{
	enum kcf_status st;

	do {
		*ret = arena_alloc(&c->arena, len, false);
		if (*ret)
			return KCF_SUCCESS;
		st = grow(c, len);
		*ret = arena_alloc(&c->arena, len, false);
		if (*ret)
			return KCF_SUCCESS;
	} while (st == KCF_QUOTA_EXCEEDED && p && wait_memory(c, p, len, ret) && !*ret);
	if (*ret)
		return KCF_SUCCESS;
	return st == KCF_SUCCESS ? KCF_HOST_MEMORY : st;
}

/* Lock held, state UP. */
static enum kcf_status offer_segment(struct kcf_client *c, size_t size)
{
	struct wire_msg msg = {.type = FRAME_ARENA_OFFER, .arena.size = size};
	struct pending *p = pending_new(&c->pending, PENDING_OFFER);
	enum kcf_status st;
	int fd;

	if (!p)
		return KCF_HOST_MEMORY;
	pending_open(&c->pending, p);
	st = arena_make(&c->arena, size, p->id, &msg.arena.segment, &fd);
	if (st == KCF_SUCCESS && !client_tx_msg_fd(c, &msg, p->id, fd)) {
		arena_attach(&c->arena, p->id, KCF_HOST_MEMORY, 0);
		st = KCF_HOST_MEMORY;
	}
	if (st != KCF_SUCCESS)
		pending_free(&c->pending, p);
	return st;
}

/* Once refused, ask for no more than is needed, and for nothing while others will give memory back.
 * Lock held. */
static enum kcf_status offer(struct kcf_client *c, size_t len)
{
	bool refused = arena_is_refused(&c->arena);
	size_t size = arena_growth(&c->arena, len);

	if (c->state != CLIENT_UP)
		return KCF_NO_DAEMON;
	if (!size || (refused && c->n_requests))
		return KCF_BUSY;
	if (refused || size < len)
		size = len;
	return offer_segment(c, (size + ARENA_PAGE - 1) & ~(size_t)(ARENA_PAGE - 1));
}

/* With a segment that is offered to kcfd. */
static enum kcf_status alloc_async(struct kcf_client *c, struct pending *p, size_t len, void **ret)
{
	enum kcf_status st = KCF_SUCCESS;

	pthread_mutex_lock(&c->lock);
	*ret = arena_alloc(&c->arena, len, true);
	if (!*ret)
		st = offer(c, len);
	if (!*ret && st == KCF_SUCCESS)
		*ret = arena_alloc(&c->arena, len, true);
	pthread_mutex_unlock(&c->lock);
	if (st == KCF_BUSY)
		p->busy_reason = KCF_BUSY_NO_ROOM;
	return *ret || st != KCF_SUCCESS ? st : KCF_HOST_MEMORY;
}

enum kcf_status place_alloc(struct kcf_client *c, struct pending *p, size_t len, void **ret)
{
	if (p && !p->sync)
		return alloc_async(c, p, len, ret);
	return alloc_sync(c, p, len, ret);
}

/* One part. *inline_left: what may still travel inline in this direction. */
static enum kcf_status place(struct kcf_client *c, struct pending *p, struct payload *pl,
			     size_t *inline_left, bool prefer_arena)
{
	struct wire_range ranges[WIRE_MAX_RANGES];
	enum kcf_status st = KCF_SUCCESS;
	uint32_t n;
	bool fits = pl->at.len <= *inline_left;

	if (pl->at.len == 0)
		return KCF_SUCCESS;
	/* A tag or padding may be added to the longest input. */
	if (pl->at.len > __atomic_load_n(&c->max_request, __ATOMIC_RELAXED) + WIRE_MAX_INLINE)
		return KCF_BUFFER_TOO_BIG;
	if (arena_ranges(&c->arena, pl->at.v, pl->at.n, ranges, &n)) {
		pl->way = WAY_RANGES;
		return KCF_SUCCESS;
	}
	if (!fits || (prefer_arena && pl->at.len > SMALL))
		st = place_alloc(c, p, pl->at.len, &pl->bounce);
	if (pl->bounce) {
		pl->way = WAY_BOUNCE;
		return KCF_SUCCESS;
	}
	if (!fits)
		return st;
	*inline_left -= pl->at.len;
	return KCF_SUCCESS;
}

/* kcfd's limits; written by the driver at each HELLO. */
static size_t max_inline(const struct kcf_client *c)
{
	return __atomic_load_n(&c->max_inline, __ATOMIC_RELAXED);
}

static enum kcf_status place_in(struct kcf_client *c, struct pending *p, struct payload *pl,
				size_t *inline_left, bool prefer_arena)
{
	enum kcf_status st;

	if (pl->at.len > __atomic_load_n(&c->max_request, __ATOMIC_RELAXED))
		return KCF_BUFFER_TOO_BIG;
	st = place(c, p, pl, inline_left, prefer_arena);
	if (st == KCF_SUCCESS && pl->way == WAY_BOUNCE)
		iov_gather(pl->at.v, pl->at.n, pl->bounce);
	return st;
}

/* How much of the caller's room the operation can use. */
static size_t room_needed(const struct op_call *call, size_t in_len, bool single)
{
	const struct kcf_param_digest *digest = call->mech ? call->mech->param : NULL;

	switch (call->op) {
	case KCF_OP_DIGEST:
		if (digest && call->mech->param_len == sizeof(*digest) && digest->out_len)
			return digest->out_len;
		return SHORT_OUT;
	case KCF_OP_MAC:
	case KCF_OP_SIGN:
		return SHORT_OUT;
	case KCF_OP_ENCRYPT:
	case KCF_OP_DECRYPT:
	case KCF_OP_ENCRYPT_MAC:
	case KCF_OP_MAC_DECRYPT:
		return single ? in_len + GROWTH : SIZE_MAX;
	default:
		return SIZE_MAX;
	}
}

enum kcf_status place_call(const struct op_call *call, const struct op_more *more,
			   struct pending *p)
{
	struct kcf_client *c = call->client;
	size_t in_left = max_inline(c), out_left = in_left, max;
	enum kcf_status st;
	bool prefer;

	if (!pieces_init(&p->in.at, call->in, SIZE_MAX))
		return KCF_HOST_MEMORY;
	max = room_needed(call, p->in.at.len, more->phase == KCF_SINGLE);
	if (!pieces_init(&p->out.at, call->out, max) ||
	    !pieces_init(&p->mac.at, call->mac, SHORT_OUT))
		return KCF_HOST_MEMORY;
	/* Credits count both directions. */
	prefer = p->in.at.len + p->out.at.len > in_left;
	st = place_in(c, p, &p->in, &in_left, prefer);
	if (st == KCF_SUCCESS)
		st = place(c, p, &p->out, &out_left, prefer);
	if (st == KCF_SUCCESS)
		st = place(c, p, &p->mac, &out_left, false);
	return st;
}

enum kcf_status place_steps(const struct op_call *call, const struct op_more *more,
			    struct pending *p)
{
	struct kcf_client *c = call->client;
	size_t in_left = max_inline(c), out_left = in_left, i;
	enum kcf_status st = KCF_SUCCESS;

	p->step_in = calloc(2 * more->n_steps, sizeof(*p->step_in));
	if (!p->step_in)
		return KCF_HOST_MEMORY;
	p->step_out = p->step_in + more->n_steps;
	p->n_steps = (uint32_t)more->n_steps;
	p->steps = more->steps;
	for (i = 0; i < more->n_steps; i++) {
		const struct kcf_step *s = &more->steps[i];
		bool has_out = s->kind != KCF_STEP_INIT;

		if (!pieces_init(&p->step_in[i].at, has_out ? &s->in : NULL, SIZE_MAX) ||
		    !pieces_init(&p->step_out[i].at, has_out ? &s->out : NULL, SIZE_MAX))
			return KCF_HOST_MEMORY;
	}
	for (i = 0; i < more->n_steps && st == KCF_SUCCESS; i++) {
		st = place_in(c, p, &p->step_in[i], &in_left, false);
		if (st == KCF_SUCCESS)
			st = place(c, p, &p->step_out[i], &out_left, false);
	}
	return st;
}
