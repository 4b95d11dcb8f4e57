/* SPDX-License-Identifier: Apache-2.0 */
#include "api/op.h"

#include <assert.h>
#include <string.h>

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

/* Takes pieces off the request's memory, in the order op_len() counted them. */
struct carver {
	uint8_t *next, *end;
};

static void *carve(struct carver *v, size_t len)
{
	void *p = v->next;

	assert(ALIGN8(len) <= (size_t)(v->end - v->next));
	v->next += ALIGN8(len);
	return p;
}

/* Ranges, or one iovec for what is inline. */
static size_t iov_len(uint32_t n_ranges, uint32_t inline_len)
{
	return sizeof(struct iovec) * (n_ranges ? n_ranges : inline_len != 0);
}

static uint32_t count_ranges(const struct wire_op *m)
{
	uint32_t n = m->n_in + m->n_out + m->n_mac;

	for (uint32_t i = 0; i < m->n_steps; i++)
		n += m->steps[i].n_in + m->steps[i].n_out;
	return n;
}

static uint32_t max_segments(const struct wire_op *m)
{
	uint32_t n = count_ranges(m);

	return n < ARENA_SEGMENTS ? n : ARENA_SEGMENTS;
}

static size_t param_len(const struct wire_param *p)
{
	return p->kind == KCF_PARAM_NONE ? 0 : ALIGN8(param_copy_len(p->kind, p->data));
}

static size_t op_len(const struct wire_op *m)
{
	size_t len = ALIGN8(sizeof(struct op)) + sizeof(struct segment *) * max_segments(m) +
		     param_len(&m->param) + param_len(&m->param2);

	if (!m->n_steps)
		return len + iov_len(m->n_in, m->in_len) + iov_len(0, m->check_len) +
		       iov_len(m->n_out, m->out_room) + iov_len(m->n_mac, m->mac_room) +
		       ALIGN8(m->in_len) + ALIGN8(m->check_len) + ALIGN8(m->out_room) +
		       ALIGN8(m->mac_room);
	len += ALIGN8(m->n_steps * sizeof(struct request_step));
	for (uint32_t i = 0; i < m->n_steps; i++) {
		const struct wire_step *s = &m->steps[i];

		len += iov_len(s->n_in, s->in_len) + iov_len(s->n_out, s->out_room) +
		       ALIGN8(s->in_len) + ALIGN8(s->out_room);
	}
	return len;
}

/* One direction that is inline: len bytes from `from` (NULL: room to be filled). */
static void set_inline(struct carver *v, struct request_data *d, uint32_t len, const uint8_t *from)
{
	if (!len)
		return;
	d->iov = carve(v, sizeof(struct iovec));
	d->n_iov = 1;
	d->len = len;
	d->iov->iov_len = len;
	d->iov->iov_base = carve(v, len);
	if (from)
		memcpy(d->iov->iov_base, from, len);
}

static enum kcf_status set_ranges(struct carver *v, struct conn *c, struct request *r,
				  struct request_data *d, const struct wire_range *ranges,
				  uint32_t n)
{
	d->iov = carve(v, n * sizeof(struct iovec));
	d->n_iov = n;
	d->shared = true;
	return arena_ranges(c, ranges, n, &op_of(r)->use, d->iov, &d->len);
}

static enum kcf_status set_single(struct carver *v, struct conn *c, const struct wire_op *m,
				  const uint8_t *payload, struct request *r)
{
	enum kcf_status status = KCF_SUCCESS;

	if (m->n_in)
		status = set_ranges(v, c, r, &r->in, m->in, m->n_in);
	else
		set_inline(v, &r->in, m->in_len, payload);
	set_inline(v, &r->check, m->check_len, payload + m->in_len);
	if (status == KCF_SUCCESS && m->n_out)
		status = set_ranges(v, c, r, &r->out, m->out, m->n_out);
	else
		set_inline(v, &r->out, m->out_room, NULL);
	if (status == KCF_SUCCESS && m->n_mac)
		status = set_ranges(v, c, r, &r->mac, m->mac, m->n_mac);
	else
		set_inline(v, &r->mac, m->mac_room, NULL);
	return status;
}

static enum kcf_status set_steps(struct carver *v, struct conn *c, const struct wire_op *m,
				 const uint8_t *payload, struct request *r)
{
	r->steps = carve(v, m->n_steps * sizeof(*r->steps));
	memset(r->steps, 0, m->n_steps * sizeof(*r->steps));
	r->n_steps = m->n_steps;
	for (uint32_t i = 0; i < m->n_steps; i++) {
		const struct wire_step *from = &m->steps[i];
		struct request_step *to = &r->steps[i];
		enum kcf_status status = KCF_SUCCESS;

		to->kind = from->kind;
		if (from->n_in)
			status = set_ranges(v, c, r, &to->in, from->in, from->n_in);
		else
			set_inline(v, &to->in, from->in_len, payload);
		payload += from->in_len;
		if (status == KCF_SUCCESS && from->n_out)
			status = set_ranges(v, c, r, &to->out, from->out, from->n_out);
		else
			set_inline(v, &to->out, from->out_room, NULL);
		if (status != KCF_SUCCESS)
			return status;
	}
	return KCF_SUCCESS;
}

static void *set_param(struct carver *v, const struct wire_param *p)
{
	if (p->kind == KCF_PARAM_NONE)
		return NULL;
	return param_copy(p->kind, p->data, carve(v, param_len(p)));
}

static enum kcf_status check_sizes(const struct request *r, uint64_t max)
{
	uint64_t in = r->in.len, out = (uint64_t)r->out.len + r->mac.len;

	for (uint32_t i = 0; i < r->n_steps; i++) {
		in += r->steps[i].in.len;
		out += r->steps[i].out.len;
		if (r->steps[i].in.len > max || r->steps[i].out.len > max)
			return KCF_BUFFER_TOO_BIG;
	}
	/* A tag or padding may be added to an input of the greatest size. */
	return in > max || out > max + WIRE_MAX_INLINE ? KCF_BUFFER_TOO_BIG : KCF_SUCCESS;
}

enum kcf_status op_build(struct conn *c, const struct wire_op *m, const uint8_t *payload,
			 struct request **ret)
{
	size_t len = op_len(m);
	struct request *r = request_new(len);
	enum kcf_status status;
	struct carver v;
	struct op *op;

	if (!r)
		return KCF_HOST_MEMORY;
	v = (struct carver){r->mem, r->mem + len};
	op = carve(&v, sizeof(*op));
	memset(op, 0, sizeof(*op));
	op->request = r;
	op->use.segments = carve(&v, sizeof(struct segment *) * max_segments(m));
	op->context = m->context;
	op->out_inline = !m->n_out;
	op->mac_inline = !m->n_mac;
	r->op = (uint16_t)m->op;
	r->phase = (uint16_t)m->phase;
	r->flags = m->flags;
	r->preference = m->preference;
	r->units = m->units;
	r->conn = c;
	r->conn_id = c->id;
	r->consumer = c->consumer;
	r->label = c->label_number;
	if (m->preference == KCF_ONLY_PROVIDER)
		strncpy(r->provider_filter, m->provider, sizeof(r->provider_filter) - 1);
	r->param = set_param(&v, &m->param);
	r->param2 = set_param(&v, &m->param2);
	status = m->n_steps ? set_steps(&v, c, m, payload, r) : set_single(&v, c, m, payload, r);
	if (status == KCF_SUCCESS)
		status = check_sizes(r, core_limits(c->api->core)->max_request);
	if (status != KCF_SUCCESS) {
		op_free(r);
		return status;
	}
	*ret = r;
	return KCF_SUCCESS;
}

enum kcf_status op_enter(struct conn *c, struct request *r, uint64_t id)
{
	enum kcf_status status = consumer_charge(c->consumer, CHARGE_REQUEST, 1);

	if (status != KCF_SUCCESS)
		return status;
	if (!conn_pending_add(c, &op_of(r)->pending, PENDING_OP, id)) {
		consumer_uncharge(c->consumer, CHARGE_REQUEST, 1);
		return KCF_HOST_MEMORY;
	}
	r->id = id;
	list_push(&c->requests, &r->conn_link);
	return KCF_SUCCESS;
}

bool op_leave(struct request *r)
{
	struct conn *c = r->conn;

	list_remove(&r->conn_link);
	consumer_uncharge(c->consumer, CHARGE_REQUEST, 1);
	return conn_pending_done(&op_of(r)->pending);
}

void op_free(struct request *r)
{
	arena_release(&op_of(r)->use);
	request_free(r);
}
