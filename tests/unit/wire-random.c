/* SPDX-License-Identifier: Apache-2.0 */
#include "wire-random.h"

#include <kcf/provider.h>
#include <stdlib.h>
#include <string.h>

void random_init(struct random *r, uint64_t seed)
{
	r->state = seed * 0x9e3779b97f4a7c15u + 1;
	r->used = 0;
}

uint64_t random_u64(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1du;
}

uint64_t random_below(struct random *r, uint64_t n)
{
	uint64_t v = random_u64(r);

	if (v % 8 == 0)
		return n - 1;
	if (v % 8 == 1)
		return 0;
	return (v >> 8) % n;
}

static uint32_t u32(struct random *r)
{
	uint64_t v = random_u64(r);

	return (uint32_t)(v >> (32 + v % 32));
}

static void *take(struct random *r, size_t len)
{
	uint8_t *p = (uint8_t *)r->mem + r->used;

	r->used += (len + 7) & ~(size_t)7;
	if (r->used > sizeof(r->mem))
		abort();
	return p;
}

/* NULL when empty, as a decoder gives it. */
static struct wire_bytes bytes(struct random *r, size_t max)
{
	struct wire_bytes b = {NULL, random_below(r, max + 1)};
	uint8_t *p;
	size_t i;

	if (b.len) {
		p = take(r, b.len);
		for (i = 0; i < b.len; i++)
			p[i] = (uint8_t)random_u64(r);
		b.p = p;
	}
	return b;
}

static const char *text(struct random *r, size_t min, size_t max)
{
	size_t i, len = min + random_below(r, max - min + 1);
	char *p = take(r, len + 1);

	for (i = 0; i < len; i++)
		p[i] = (char)(' ' + random_below(r, 0x7f - ' '));
	p[len] = '\0';
	return p;
}

static const struct wire_range *ranges(struct random *r, uint32_t n)
{
	struct wire_range *p = take(r, n * sizeof(*p));
	uint32_t i;

	for (i = 0; i < n; i++)
		p[i] = (struct wire_range){u32(r), random_u64(r) >> 8, random_u64(r) >> 16};
	return n ? p : NULL;
}

static struct wire_key key(struct random *r, size_t max)
{
	struct wire_key k = {.kind = random_below(r, KCF_KEY_TEMPLATE)};
	unsigned i;

	if (k.kind == KCF_KEY_BYTES) {
		k.format = random_below(r, KCF_KEY_SPKI + 1);
		k.bytes = bytes(r, max);
	} else if (k.kind == KCF_KEY_HANDLE) {
		for (i = 0; i < sizeof(k.handle.id); i++)
			k.handle.id[i] = (uint8_t)random_u64(r);
	} else if (k.kind == KCF_KEY_NAMED) {
		k.name = text(r, 1, KCF_KEY_NAME_MAX);
	}
	return k;
}

/* A byte string into the members p and len of a parameter. */
#define SET_BYTES(param, member, max)                                                              \
	do {                                                                                       \
		struct wire_bytes b_ = bytes(r, max);                                              \
		(param)->member = b_.p;                                                            \
		(param)->member##_len = b_.len;                                                    \
	} while (0)

#define PARAM(s, var)                                                                              \
	struct kcf_param_##s *var = take(r, sizeof(*var));                                         \
	memset(var, 0, sizeof(*var));                                                              \
	ret->data = var

static void random_aead(struct random *r, struct wire_param *ret)
{
	PARAM(aead, p);
	SET_BYTES(p, iv, 64);
	SET_BYTES(p, aad, 600);
	p->tag_len = u32(r);
	p->data_len = random_u64(r);
	p->flags = u32(r);
}

static void random_kbkdf(struct random *r, struct wire_param *ret)
{
	PARAM(kbkdf, p);
	p->mac = u32(r);
	p->flags = u32(r);
	SET_BYTES(p, label, 100);
	SET_BYTES(p, context, 100);
	SET_BYTES(p, seed, 100);
}

static void random_asymmetric(struct random *r, struct wire_param *ret)
{
	if (ret->kind == KCF_PARAM_RSA_PSS) {
		PARAM(rsa_pss, p);
		p->hash = u32(r);
		p->mgf_hash = u32(r);
		p->salt_len = (int32_t)u32(r);
	} else if (ret->kind == KCF_PARAM_RSA_OAEP) {
		PARAM(rsa_oaep, p);
		p->hash = u32(r);
		p->mgf_hash = u32(r);
		SET_BYTES(p, label, 100);
	} else if (ret->kind == KCF_PARAM_SIGN) {
		PARAM(sign, p);
		p->flags = u32(r);
		SET_BYTES(p, context, 255);
	} else {
		PARAM(keygen, p);
		p->bits = u32(r);
		p->curve = u32(r);
	}
}

static void random_derive(struct random *r, struct wire_param *ret)
{
	if (ret->kind == KCF_PARAM_ECDH) {
		PARAM(ecdh, p);
		SET_BYTES(p, peer, 300);
	} else if (ret->kind == KCF_PARAM_HKDF) {
		PARAM(hkdf, p);
		p->hash = u32(r);
		p->flags = u32(r);
		SET_BYTES(p, salt, 100);
		SET_BYTES(p, info, 100);
	} else if (ret->kind == KCF_PARAM_PBKDF2) {
		PARAM(pbkdf2, p);
		p->hash = u32(r);
		p->iterations = u32(r);
		SET_BYTES(p, salt, 100);
	} else {
		PARAM(scrypt, p);
		p->n = random_u64(r);
		p->r = u32(r);
		p->p = u32(r);
		SET_BYTES(p, salt, 100);
	}
}

static void random_simple(struct random *r, struct wire_param *ret)
{
	if (ret->kind == KCF_PARAM_IV) {
		PARAM(iv, p);
		SET_BYTES(p, iv, 32);
	} else if (ret->kind == KCF_PARAM_MAC) {
		PARAM(mac, p);
		p->mac_len = u32(r);
		SET_BYTES(p, iv, 64);
		SET_BYTES(p, custom, 100);
	} else {
		PARAM(digest, p);
		p->out_len = u32(r);
	}
}

void random_param(struct random *r, enum kcf_param_kind kind, struct wire_param *ret)
{
	static void (*const make[KCF_PARAM_COUNT])(struct random *, struct wire_param *) = {
		[KCF_PARAM_IV] = random_simple,
		[KCF_PARAM_AEAD] = random_aead,
		[KCF_PARAM_MAC] = random_simple,
		[KCF_PARAM_DIGEST] = random_simple,
		[KCF_PARAM_RSA_PSS] = random_asymmetric,
		[KCF_PARAM_RSA_OAEP] = random_asymmetric,
		[KCF_PARAM_SIGN] = random_asymmetric,
		[KCF_PARAM_ECDH] = random_derive,
		[KCF_PARAM_HKDF] = random_derive,
		[KCF_PARAM_PBKDF2] = random_derive,
		[KCF_PARAM_KBKDF] = random_kbkdf,
		[KCF_PARAM_SCRYPT] = random_derive,
		[KCF_PARAM_KEYGEN] = random_asymmetric,
	};

	ret->kind = kind;
	ret->data = NULL;
	if (kind != KCF_PARAM_NONE)
		make[kind](r, ret);
}

static struct wire_param param(struct random *r)
{
	struct wire_param p;

	random_param(r, random_below(r, KCF_PARAM_COUNT), &p);
	return p;
}

/* Split what is left of the inline room between the pieces of a request. */
static uint32_t share(struct random *r, uint32_t *left)
{
	uint32_t n = (uint32_t)random_below(r, *left + 1);

	*left -= n;
	return n;
}

static void random_steps(struct random *r, struct wire_op *op)
{
	uint32_t in = WIRE_MAX_INLINE, out = WIRE_MAX_INLINE, left = WIRE_MAX_STEP_RANGES;
	uint32_t i, n = (uint32_t)random_below(r, KCF_STEPS_MAX + 1);
	struct wire_step *s = take(r, n * sizeof(*s));

	for (i = 0; i < n; i++) {
		memset(&s[i], 0, sizeof(s[i]));
		s[i].kind = 1 + random_below(r, KCF_STEP_FINAL);
		if (random_u64(r) & 1) {
			s[i].in_len = share(r, &in);
			s[i].out_room = share(r, &out);
			continue;
		}
		s[i].n_in = random_below(r, left / 2 < 10 ? left / 2 + 1 : 10);
		s[i].n_out = random_below(r, left / 2 < 10 ? left / 2 + 1 : 10);
		left -= s[i].n_in + s[i].n_out;
		s[i].in = ranges(r, s[i].n_in);
		s[i].out = ranges(r, s[i].n_out);
	}
	op->steps = n ? s : NULL;
	op->n_steps = n;
}

static void random_op(struct random *r, struct wire_op *op)
{
	op->op = 1 + (uint32_t)random_below(r, KCF_OP_COUNT - 1);
	op->phase = (uint32_t)random_below(r, KCF_FINAL_PHASE + 1);
	op->flags = (uint32_t)random_below(r, 16);
	op->mech = u32(r);
	op->tmpl = u32(r);
	op->context = u32(r);
	op->mech2 = u32(r);
	op->tmpl2 = u32(r);
	op->units = u32(r);
	op->preference = (uint32_t)random_below(r, KCF_ONLY_PROVIDER + 1);
	op->provider = text(r, 0, KCF_NAME_MAX - 1);
	op->key = key(r, 300);
	op->key2 = key(r, 300);
	op->param = param(r);
	op->param2 = param(r);
	op->check_len = (uint32_t)random_below(r, WIRE_MAX_INLINE + 1);
	if (random_u64(r) % 4 == 0) {
		random_steps(r, op);
	} else if (random_u64(r) & 1) {
		op->in_len = (uint32_t)random_below(r, WIRE_MAX_INLINE + 1);
		op->out_room = (uint32_t)random_below(r, WIRE_MAX_INLINE + 1);
		op->mac_room = (uint32_t)random_below(r, WIRE_MAX_INLINE + 1);
	} else {
		op->n_in = (uint32_t)random_below(r, WIRE_MAX_RANGES + 1);
		op->n_out = (uint32_t)random_below(r, WIRE_MAX_RANGES + 1);
		op->n_mac = (uint32_t)random_below(r, WIRE_MAX_RANGES + 1);
		op->in = ranges(r, op->n_in);
		op->out = ranges(r, op->n_out);
		op->mac = ranges(r, op->n_mac);
	}
}

static void random_op_reply(struct random *r, struct wire_op_reply *p)
{
	uint64_t *lens;
	uint32_t i;

	p->status = (uint32_t)random_below(r, KCF_STATUS_COUNT);
	p->provider = u32(r);
	p->busy_reason = (uint32_t)random_below(r, KCF_BUSY_NO_ROOM + 1);
	p->queue_hops = u32(r);
	p->step = (uint32_t)random_below(r, KCF_STEPS_MAX);
	p->mac_len = u32(r);
	p->out_len = random_u64(r);
	p->required = random_u64(r);
	if (random_u64(r) & 1) {
		p->iv.p = memset(take(r, WIRE_IV_LEN), (int)random_u64(r), WIRE_IV_LEN);
		p->iv.len = WIRE_IV_LEN;
	}
	p->n_step_lens = (uint32_t)random_below(r, KCF_STEPS_MAX + 1);
	lens = take(r, p->n_step_lens * sizeof(*lens));
	for (i = 0; i < p->n_step_lens; i++)
		lens[i] = random_u64(r);
	p->step_lens = p->n_step_lens ? lens : NULL;
}

static void random_key_msgs(struct random *r, struct wire_msg *m)
{
	if (m->type == FRAME_TEMPLATE_ATTACH) {
		m->attach.slot = 1 + (uint32_t)random_below(r, WIRE_MAX_SLOT);
		m->attach.mech = u32(r);
		m->attach.key = key(r, WIRE_MAX_KEY);
	} else if (m->type == FRAME_KEY_OP) {
		m->key_op.kind = 1 + (uint32_t)random_below(r, KEYOP_DESTROY);
		m->key_op.mech = u32(r);
		m->key_op.usage = u32(r);
		m->key_op.len = (uint32_t)random_below(r, WIRE_MAX_KEY + 1);
		m->key_op.key = key(r, WIRE_MAX_KEY);
		m->key_op.param = param(r);
	} else {
		m->key_reply.status = (uint32_t)random_below(r, KCF_STATUS_COUNT);
		m->key_reply.has_handle = random_u64(r) & 1;
		if (m->key_reply.has_handle)
			memset(&m->key_reply.handle, (int)random_u64(r), 16);
		m->key_reply.data = bytes(r, WIRE_MAX_KEY);
	}
}

static void random_lists(struct random *r, struct wire_msg *m)
{
	uint32_t i;

	if (m->type == FRAME_ADMIN) {
		m->admin.command = text(r, 1, KCF_NAME_MAX - 1);
		m->admin.n_args = (uint32_t)random_below(r, WIRE_ADMIN_ARGS + 1);
		for (i = 0; i < m->admin.n_args; i++)
			m->admin.args[i] = text(r, 0, 200);
		return;
	}
	m->hello_reply = (struct wire_hello_reply){u32(r), u32(r),
						   (uint32_t)random_below(r, WIRE_MAX_INLINE + 1),
						   u32(r), random_u64(r), random_u64(r)};
	m->hello_reply.n_modules = (uint32_t)random_below(r, WIRE_MAX_MODULES + 1);
	for (i = 0; i < m->hello_reply.n_modules; i++)
		m->hello_reply.modules[i] = (struct wire_module){text(r, 1, KCF_NAME_MAX - 1),
								 u32(r), random_u64(r)};
}

static void random_text_msgs(struct random *r, struct wire_msg *m)
{
	switch (m->type) {
	case FRAME_HELLO:
		m->hello = (struct wire_hello){u32(r), u32(r), u32(r), text(r, 0, WIRE_MAX_LABEL)};
		break;
	case FRAME_MECH_FIND:
		m->name = text(r, 0, KCF_NAME_MAX - 1);
		break;
	case FRAME_EVENT:
		m->event = (struct wire_event){u32(r), text(r, 0, KCF_NAME_MAX - 1),
					       text(r, 0, KCF_NAME_MAX - 1), u32(r)};
		break;
	case FRAME_FATAL:
		m->fatal = (struct wire_fatal){(uint32_t)random_below(r, KCF_STATUS_COUNT),
					       text(r, 0, WIRE_MAX_TEXT)};
		break;
	default:
		m->admin_reply = (struct wire_admin_reply){
			(uint32_t)random_below(r, KCF_STATUS_COUNT), text(r, 0, WIRE_MAX_TEXT)};
	}
}

static void random_number_msgs(struct random *r, struct wire_msg *m)
{
	uint32_t status = (uint32_t)random_below(r, KCF_STATUS_COUNT);

	switch (m->type) {
	case FRAME_CANCEL:
	case FRAME_STATUS:
		m->id = random_u64(r);
		break;
	case FRAME_STATUS_REPLY:
		m->status_reply = (struct wire_status_reply){
			status, (uint32_t)random_below(r, KCF_REQ_DONE + 1), u32(r), u32(r), u32(r)};
		break;
	case FRAME_MECH_REPLY:
		m->mech_reply = (struct wire_mech_reply){status, u32(r)};
		break;
	case FRAME_DONE:
	case FRAME_RING_REPLY:
		m->status = status;
		break;
	case FRAME_RING_NEW:
		m->version = u32(r);
		break;
	case FRAME_ARENA_NEW:
		m->arena.size = random_u64(r);
		break;
	case FRAME_ARENA_OFFER:
		m->arena = (struct wire_arena){0, u32(r), random_u64(r)};
		break;
	case FRAME_ARENA_REPLY:
		m->arena = (struct wire_arena){status, u32(r), random_u64(r)};
		break;
	case FRAME_WANT:
	case FRAME_ROOM:
		m->room = (struct wire_room){u32(r), u32(r)};
		break;
	default:
		m->slot = u32(r);
	}
}

void random_msg(struct random *r, enum frame_type type, struct wire_msg *ret)
{
	r->used = 0;
	memset(ret, 0, sizeof(*ret));
	ret->type = type;
	switch (type) {
	case FRAME_OP:
		random_op(r, &ret->op);
		break;
	case FRAME_OP_REPLY:
	case FRAME_OP_STEP:
		random_op_reply(r, &ret->op_reply);
		break;
	case FRAME_TEMPLATE_ATTACH:
	case FRAME_KEY_OP:
	case FRAME_KEY_REPLY:
		random_key_msgs(r, ret);
		break;
	case FRAME_HELLO_REPLY:
	case FRAME_ADMIN:
		random_lists(r, ret);
		break;
	case FRAME_HELLO:
	case FRAME_MECH_FIND:
	case FRAME_EVENT:
	case FRAME_FATAL:
	case FRAME_ADMIN_REPLY:
		random_text_msgs(r, ret);
		break;
	default:
		random_number_msgs(r, ret);
	}
}
