/* SPDX-License-Identifier: Apache-2.0 */
#include "api/entry.h"

#include <string.h>
#include "api/api.h"
#include "api/conn-ring.h"
#include "api/entry-quick.h"
#include "api/handle.h"
#include "api/op.h"

#define ENTRY_FLAGS (RING_ALWAYS_QUEUE | RING_NEVER_QUEUE | RING_SYNC | RING_MECH)

_Static_assert(RING_ALWAYS_QUEUE == REQUEST_ALWAYS_QUEUE &&
		       RING_NEVER_QUEUE == REQUEST_NEVER_QUEUE && RING_SYNC == REQUEST_SYNC,
	       "flags of an entry are those of a request");

/* A request's private memory. */
struct entry_memory {
	struct op op;
	struct segment *segments[3];
	struct iovec in, out, mac, check;
	union entry_param param;
	struct kcf_param_mac param2;
	uint8_t iv[sizeof(((struct ring_entry *)0)->iv)];
	uint8_t bytes[]; /* aad, then check */
};

static bool is_dual(const struct ring_entry *e)
{
	return e->op == KCF_OP_ENCRYPT_MAC || e->op == KCF_OP_MAC_DECRYPT;
}

/* ---- what is wrong ---- */

static unsigned extra_len(const struct ring_entry *e)
{
	return (is_dual(e) ? sizeof(struct ring_dual) : 0) + e->aad_len + e->check_len;
}

const char *entry_objection(const struct ring_entry *e)
{
	if (e->id == 0)
		return "an id of 0";
	if (e->op == 0 || e->op > KCF_OP_MAC_DECRYPT)
		return "an operation that does not go by ring";
	if (e->flags & ~ENTRY_FLAGS)
		return "flags that are not known";
	if (e->param > KCF_PARAM_MAC)
		return "a parameter that does not go by ring";
	if (e->iv_len > sizeof(e->iv))
		return "an IV longer than its place";
	if (e->preference > KCF_ONLY_SOFTWARE)
		return "a preference that is not known";
	if (e->n_extra != (extra_len(e) + RING_EXTRA_BYTES - 1) / RING_EXTRA_BYTES)
		return "another number of places than it needs";
	return NULL;
}

/* ---- what it means ---- */

static struct segment *find_segment(struct conn *c, uint32_t number, struct segment_memo *memo)
{
	if (memo->frame == c->ring->frame && memo->number == number)
		return memo->segment;
	*memo = (struct segment_memo){c->ring->frame, idmap_find(&c->segments, number), number};
	return memo->segment;
}

static enum kcf_status find_piece(struct conn *c, uint32_t number, uint32_t offset, uint32_t len,
				  struct segment_memo *memo, struct entry_piece *ret)
{
	struct segment *s;

	*ret = (struct entry_piece){0};
	if (!len)
		return KCF_SUCCESS;
	s = find_segment(c, number, memo);
	if (!s || offset > s->size || len > s->size - offset)
		return KCF_ARGUMENTS_BAD;
	ret->segment = s;
	ret->iov = (struct iovec){s->base + offset, len};
	return KCF_SUCCESS;
}

static enum kcf_status check_param(struct conn *c, const struct tmpl *t, uint8_t kind)
{
	const struct wire_param param = {.kind = kind};

	return handle_check_param(c, tmpl_mech(t), &param);
}

/* The connection keeps the one last used: most use one only. */
static enum kcf_status find_keyless(struct conn *c, uint32_t mech, uint8_t param, struct tmpl **ret)
{
	struct conn_ring *cr = c->ring;
	struct tmpl *t;
	enum kcf_status status;

	if (!cr->keyless || tmpl_mech(cr->keyless) != mech) {
		status = tmpl_new(c->api->core, c->consumer, mech, NULL, NULL, &t);
		if (status != KCF_SUCCESS)
			return status;
		if (cr->keyless)
			tmpl_unref(cr->keyless);
		cr->keyless = t;
	}
	*ret = cr->keyless;
	return check_param(c, cr->keyless, param);
}

static enum kcf_status decode_dual(struct conn *c, const uint8_t *extra, struct entry *en)
{
	const struct ring_entry *e = en->e;
	enum kcf_status status;
	struct ring_dual d;

	memcpy(&d, extra, sizeof(d));
	en->tmpl2 = idmap_find(&c->templates, d.slot2);
	if (!en->tmpl2)
		return KCF_ARGUMENTS_BAD;
	en->mac_len2 = d.len2;
	status = check_param(c, en->tmpl2, d.len2 ? KCF_PARAM_MAC : KCF_PARAM_NONE);
	if (status == KCF_SUCCESS && e->op == KCF_OP_ENCRYPT_MAC)
		status = find_piece(c, d.mac_seg, d.mac_off, d.mac_room, &c->ring->segments[1],
				    &en->mac);
	return status;
}

static enum kcf_status check_sizes(struct conn *c, const struct entry *en)
{
	uint64_t max = core_limits(c->api->core)->max_request;
	uint64_t out = en->out.iov.iov_len + en->mac.iov.iov_len;

	/* A tag or padding may be added to an input of the greatest size. */
	return en->in.iov.iov_len > max || out > max + WIRE_MAX_INLINE ? KCF_BUFFER_TOO_BIG
								       : KCF_SUCCESS;
}

/* The template, or the keyless mechanism, for a parameter of this kind. */
static enum kcf_status find_template(struct conn *c, const struct ring_entry *e, struct tmpl **ret)
{
	struct ring_memo *memo = &c->ring->memos[e->slot % RING_MEMOS];
	enum kcf_status status;

	if (e->flags & RING_MECH)
		return find_keyless(c, e->slot, e->param, ret);
	if (memo->frame == c->ring->frame && memo->slot == e->slot && memo->param == e->param) {
		*ret = memo->tmpl;
		return KCF_SUCCESS;
	}
	*ret = idmap_find(&c->templates, e->slot);
	if (!*ret)
		return KCF_ARGUMENTS_BAD;
	status = check_param(c, *ret, e->param);
	if (status == KCF_SUCCESS)
		*memo = (struct ring_memo){c->ring->frame, *ret, e->slot, e->param};
	return status;
}

enum kcf_status entry_decode(struct conn *c, const struct ring_entry *e, const uint8_t *extra,
			     struct entry *ret)
{
	enum kcf_status status;

	ret->e = e;
	ret->tmpl2 = NULL;
	ret->mac = (struct entry_piece){0};
	ret->mac_len2 = 0;
	if ((e->flags & RING_ALWAYS_QUEUE) && (e->flags & RING_NEVER_QUEUE))
		return KCF_ARGUMENTS_BAD;
	status = find_template(c, e, &ret->tmpl);
	if (status == KCF_SUCCESS && is_dual(e)) {
		status = decode_dual(c, extra, ret);
		extra += sizeof(struct ring_dual);
	}
	ret->aad = extra;
	ret->check = extra + e->aad_len;
	if (status == KCF_SUCCESS)
		status = find_piece(c, e->in_seg, e->in_off, e->in_len, &c->ring->segments[0],
				    &ret->in);
	if (status == KCF_SUCCESS)
		status = find_piece(c, e->out_seg, e->out_off, e->out_room, &c->ring->segments[1],
				    &ret->out);
	return status == KCF_SUCCESS ? check_sizes(c, ret) : status;
}

/* ---- as a request ---- */

static void set_piece(struct request *r, const struct entry_piece *p, struct iovec *iov,
		      struct request_data *d)
{
	if (!p->segment)
		return;
	*iov = p->iov;
	*d = (struct request_data){iov, 1, true, iov->iov_len};
	arena_hold(&op_of(r)->use, p->segment);
}

void *entry_param(const struct ring_entry *e, const uint8_t *iv, const uint8_t *aad,
		  union entry_param *mem)
{
	switch (e->param) {
	case KCF_PARAM_IV:
		mem->iv = (struct kcf_param_iv){iv, e->iv_len};
		return mem;
	case KCF_PARAM_AEAD:
		mem->aead = (struct kcf_param_aead){.iv = iv,
						    .iv_len = e->iv_len,
						    .aad = aad,
						    .aad_len = e->aad_len,
						    .tag_len = e->len};
		return mem;
	case KCF_PARAM_MAC:
		mem->mac = (struct kcf_param_mac){.mac_len = e->len, .iv = iv, .iv_len = e->iv_len};
		return mem;
	default:
		return NULL;
	}
}

static void set_bytes(struct entry_memory *m, const struct entry *en, struct request *r)
{
	const struct ring_entry *e = en->e;

	memcpy(m->iv, e->iv, sizeof(m->iv));
	memcpy(m->bytes, en->aad, e->aad_len);
	if (!e->check_len)
		return;
	m->check = (struct iovec){m->bytes + e->aad_len, e->check_len};
	memcpy(m->check.iov_base, en->check, e->check_len);
	r->check = (struct request_data){&m->check, 1, false, e->check_len};
}

static struct request *build(struct conn *c, const struct entry *en)
{
	const struct ring_entry *e = en->e;
	struct request *r = request_new(sizeof(struct entry_memory) + e->aad_len + e->check_len);
	struct entry_memory *m;

	if (!r)
		return NULL;
	m = (struct entry_memory *)(void *)r->mem;
	memset(m, 0, sizeof(*m));
	m->op.request = r;
	m->op.use.segments = m->segments;
	r->op = e->op;
	r->flags = e->flags & ~RING_MECH;
	r->preference = e->preference;
	r->units = 1;
	r->conn = c;
	r->conn_id = c->id;
	r->consumer = c->consumer;
	r->label = c->label_number;
	r->tmpl = tmpl_ref(en->tmpl);
	r->tmpl2 = en->tmpl2 ? tmpl_ref(en->tmpl2) : NULL;
	set_bytes(m, en, r);
	r->param = entry_param(e, m->iv, m->bytes, &m->param);
	if (en->mac_len2) {
		m->param2 = (struct kcf_param_mac){.mac_len = en->mac_len2};
		r->param2 = &m->param2;
	}
	set_piece(r, &en->in, &m->in, &r->in);
	set_piece(r, &en->out, &m->out, &r->out);
	set_piece(r, &en->mac, &m->mac, &r->mac);
	return r;
}

/* ---- answers ---- */

static uint8_t at_most_255(size_t n)
{
	return (uint8_t)(n < 255 ? n : 255);
}

/* What there is no place for. */
static void answer_by_socket(struct conn *c, const struct ring_done *done)
{
	struct wire_msg msg = {.type = FRAME_OP_REPLY};
	struct wire_op_reply *m = &msg.op_reply;

	m->status = done->status;
	m->provider = done->provider;
	m->queue_hops = done->queue_hops;
	if (done->status == KCF_BUSY)
		m->busy_reason = done->more;
	else
		m->mac_len = done->more;
	if (done->status == KCF_BUFFER_TOO_SMALL)
		m->required = done->len;
	else
		m->out_len = done->len;
	conn_send(c, &msg, done->id);
}

void entry_answer(struct conn *c, const struct entry_result *result)
{
	struct ring_done done = {.id = result->id,
				 .status = (uint8_t)result->status,
				 .provider = (uint8_t)result->provider_row1,
				 .queue_hops = at_most_255(result->queue_hops)};

	if (result->status == KCF_SUCCESS || result->status == KCF_BUFFER_TOO_SMALL) {
		done.len = (uint32_t)(result->len < UINT32_MAX ? result->len : UINT32_MAX);
		done.more = at_most_255(result->mac_len);
	} else if (result->status == KCF_BUSY) {
		done.more = (uint8_t)result->busy_reason;
	}
	if (!conn_ring_answer(c->ring, &done))
		answer_by_socket(c, &done);
}

static void refuse(struct conn *c, uint64_t id, enum kcf_status status)
{
	entry_answer(c, &(struct entry_result){.id = id, .status = status});
	conn_ring_units(c->ring, 1);
}

static void reply(struct conn *c, const struct request *r)
{
	const struct entry_result result = {.id = r->id,
					    .status = r->status,
					    .len = r->out_len,
					    .mac_len = r->mac_len,
					    .provider_row1 = r->provider_row1,
					    .queue_hops = r->queue_hops,
					    .busy_reason = r->busy_reason};

	entry_answer(c, &result);
}

static void on_complete(struct request *r)
{
	struct conn *c = r->conn;
	bool open;

	conn_pin(c);
	open = op_leave(r);
	if (open)
		reply(c, r);
	op_free(r);
	if (open)
		conn_ring_units(c->ring, 1);
	else
		credit_done(&c->credit, 1);
	conn_unpin(c);
}

/* Entries are of one part: nobody is told of steps. */
static const struct request_ops entry_ops = {NULL, on_complete};

/* ---- submitting ---- */

static enum kcf_status submit(struct conn *c, const struct entry *en)
{
	struct request *r = build(c, en);
	enum kcf_status status = r ? op_enter(c, r, en->e->id) : KCF_HOST_MEMORY;

	if (status == KCF_SUCCESS) {
		r->ops = &entry_ops;
		r->deadline_ns =
			en->e->deadline_us ? uv_hrtime() + en->e->deadline_us * UINT64_C(1000) : 0;
		sched_submit(c->api->core, r);
	} else if (r) {
		op_free(r);
	}
	return status;
}

void entry_submit(struct conn *c, const struct ring_entry *e, const uint8_t *extra)
{
	struct entry en;
	enum kcf_status status = entry_decode(c, e, extra, &en);

	if (status == KCF_SUCCESS)
		status = submit(c, &en);
	if (status != KCF_SUCCESS)
		refuse(c, e->id, status);
}

void entry_take(struct conn *c, struct quick_entry *q)
{
	const struct ring_entry *e = &q->e;
	const char *why = entry_objection(e);
	enum kcf_status status;
	struct entry en;

	if (!why && idmap_find(&c->pending, e->id))
		why = "an id that is still in use";
	if (!why && !credit_spend(&c->credit, 1))
		why = "a unit that was not leased";
	if (why) {
		conn_fatal(c, KCF_PROTOCOL_ERROR, "entry %llu of the ring: %s",
			   (unsigned long long)e->id, why);
		return;
	}
	status = entry_decode(c, e, q->extra, &en);
	if (status == KCF_SUCCESS && quick_entries_keep(c, &en))
		return;
	quick_entries_run(c->api);
	if (status == KCF_SUCCESS)
		status = submit(c, &en);
	if (status != KCF_SUCCESS)
		refuse(c, e->id, status);
}
