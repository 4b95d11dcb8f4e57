/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison of messages, member by member: written apart from the codec, so that a member it forgets is seen. */
#include "wire-random.h"

#include <string.h>

static bool same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_key(const struct wire_key *a, const struct wire_key *b)
{
	return a->kind == b->kind && a->format == b->format &&
	       same_bytes(a->bytes.p, a->bytes.len, b->bytes.p, b->bytes.len) &&
	       memcmp(&a->handle, &b->handle, sizeof(a->handle)) == 0 && same_text(a->name, b->name);
}

static bool same_ranges(const struct wire_range *a, uint32_t na, const struct wire_range *b,
			uint32_t nb)
{
	uint32_t i;

	for (i = 0; na == nb && i < na; i++) {
		if (a[i].segment != b[i].segment || a[i].offset != b[i].offset ||
		    a[i].len != b[i].len)
			return false;
	}
	return na == nb;
}

#define P(s) const struct kcf_param_##s *x = a->data, *y = b->data
#define EQ(m) (x->m == y->m)
#define EQB(m) same_bytes(x->m, x->m##_len, y->m, y->m##_len)

static bool same_sign_params(const struct wire_param *a, const struct wire_param *b)
{
	if (a->kind == KCF_PARAM_RSA_PSS) {
		P(rsa_pss);
		return EQ(hash) && EQ(mgf_hash) && EQ(salt_len);
	}
	if (a->kind == KCF_PARAM_RSA_OAEP) {
		P(rsa_oaep);
		return EQ(hash) && EQ(mgf_hash) && EQB(label);
	}
	P(sign);
	return EQ(flags) && EQB(context);
}

static bool same_derive_params(const struct wire_param *a, const struct wire_param *b)
{
	if (a->kind == KCF_PARAM_ECDH) {
		P(ecdh);
		return EQB(peer);
	}
	if (a->kind == KCF_PARAM_HKDF) {
		P(hkdf);
		return EQ(hash) && EQ(flags) && EQB(salt) && EQB(info);
	}
	if (a->kind == KCF_PARAM_PBKDF2) {
		P(pbkdf2);
		return EQ(hash) && EQ(iterations) && EQB(salt);
	}
	if (a->kind == KCF_PARAM_KBKDF) {
		P(kbkdf);
		return EQ(mac) && EQ(flags) && EQB(label) && EQB(context) && EQB(seed);
	}
	P(scrypt);
	return EQ(n) && EQ(r) && EQ(p) && EQB(salt);
}

bool param_equal(const struct wire_param *a, const struct wire_param *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case KCF_PARAM_NONE:
		return !a->data && !b->data;
	case KCF_PARAM_IV: {
		P(iv);
		return EQB(iv);
	}
	case KCF_PARAM_AEAD: {
		P(aead);
		return EQB(iv) && EQB(aad) && EQ(tag_len) && EQ(data_len) && EQ(flags);
	}
	case KCF_PARAM_MAC: {
		P(mac);
		return EQ(mac_len) && EQB(iv) && EQB(custom);
	}
	case KCF_PARAM_DIGEST: {
		P(digest);
		return EQ(out_len);
	}
	case KCF_PARAM_KEYGEN: {
		P(keygen);
		return EQ(bits) && EQ(curve);
	}
	case KCF_PARAM_RSA_PSS:
	case KCF_PARAM_RSA_OAEP:
	case KCF_PARAM_SIGN:
		return same_sign_params(a, b);
	default:
		return same_derive_params(a, b);
	}
}

#define SAME(m)                                                                                    \
	if (a->m != b->m)                                                                          \
		return #m;
#define CHECK(what, name)                                                                          \
	if (!(what))                                                                               \
		return name;

static const char *steps_differ(const struct wire_op *a, const struct wire_op *b)
{
	uint32_t i;

	SAME(n_steps)
	for (i = 0; i < a->n_steps; i++) {
		const struct wire_step *x = &a->steps[i], *y = &b->steps[i];

		CHECK(x->kind == y->kind && x->in_len == y->in_len && x->out_room == y->out_room,
		      "step")
		CHECK(same_ranges(x->in, x->n_in, y->in, y->n_in), "step in")
		CHECK(same_ranges(x->out, x->n_out, y->out, y->n_out), "step out")
	}
	return NULL;
}

static const char *op_differs(const struct wire_op *a, const struct wire_op *b)
{
	SAME(op) SAME(phase) SAME(flags) SAME(mech) SAME(tmpl) SAME(context) SAME(in_len)
	SAME(check_len) SAME(out_room) SAME(mac_room) SAME(preference) SAME(units) SAME(mech2)
	SAME(tmpl2)
	CHECK(same_key(&a->key, &b->key), "key")
	CHECK(same_key(&a->key2, &b->key2), "key2")
	CHECK(param_equal(&a->param, &b->param), "param")
	CHECK(param_equal(&a->param2, &b->param2), "param2")
	CHECK(same_text(a->provider, b->provider), "provider")
	CHECK(same_ranges(a->in, a->n_in, b->in, b->n_in), "in")
	CHECK(same_ranges(a->out, a->n_out, b->out, b->n_out), "out")
	CHECK(same_ranges(a->mac, a->n_mac, b->mac, b->n_mac), "mac")
	return steps_differ(a, b);
}

static const char *op_reply_differs(const struct wire_op_reply *a, const struct wire_op_reply *b)
{
	SAME(status) SAME(provider) SAME(busy_reason) SAME(queue_hops) SAME(step) SAME(mac_len)
	SAME(out_len) SAME(required)
	CHECK(same_bytes(a->iv.p, a->iv.len, b->iv.p, b->iv.len), "iv")
	CHECK(same_bytes(a->step_lens, 8 * (size_t)a->n_step_lens, b->step_lens,
			 8 * (size_t)b->n_step_lens),
	      "step_lens")
	return NULL;
}

static const char *key_op_differs(const struct wire_key_op_msg *a, const struct wire_key_op_msg *b)
{
	SAME(kind) SAME(mech) SAME(usage) SAME(len)
	CHECK(same_key(&a->key, &b->key), "key")
	CHECK(param_equal(&a->param, &b->param), "param")
	return NULL;
}

static const char *hello_reply_differs(const struct wire_hello_reply *a,
				       const struct wire_hello_reply *b)
{
	uint32_t i;

	SAME(version) SAME(features) SAME(max_inline) SAME(lease) SAME(max_request)
	SAME(daemon_id) SAME(n_modules)
	for (i = 0; i < a->n_modules; i++) {
		CHECK(same_text(a->modules[i].name, b->modules[i].name), "module name")
		SAME(modules[i].provider)
		SAME(modules[i].size)
	}
	return NULL;
}

static const char *admin_differs(const struct wire_admin *a, const struct wire_admin *b)
{
	uint32_t i;

	SAME(n_args)
	CHECK(same_text(a->command, b->command), "command")
	for (i = 0; i < a->n_args; i++)
		CHECK(same_text(a->args[i], b->args[i]), "arg")
	return NULL;
}

static const char *numbers_differ(const struct wire_msg *a, const struct wire_msg *b)
{
	switch (a->type) {
	case FRAME_TEMPLATE_DROP:
	case FRAME_CONTEXT_DROP:
	case FRAME_ARENA_FREE:
		SAME(slot)
		break;
	case FRAME_CANCEL:
	case FRAME_STATUS:
		SAME(id)
		break;
	case FRAME_STATUS_REPLY:
		SAME(status_reply.status) SAME(status_reply.state) SAME(status_reply.position)
		SAME(status_reply.steps_done) SAME(status_reply.provider)
		break;
	case FRAME_MECH_REPLY:
		SAME(mech_reply.status) SAME(mech_reply.mech)
		break;
	case FRAME_DONE:
	case FRAME_RING_REPLY:
		SAME(status)
		break;
	case FRAME_RING_NEW:
		SAME(version)
		break;
	case FRAME_WANT:
	case FRAME_ROOM:
		SAME(room.units) SAME(room.provider)
		break;
	default:
		SAME(arena.status) SAME(arena.segment) SAME(arena.size)
	}
	return NULL;
}

const char *msg_differs(const struct wire_msg *a, const struct wire_msg *b)
{
	SAME(type)
	switch (a->type) {
	case FRAME_OP:
		return op_differs(&a->op, &b->op);
	case FRAME_OP_REPLY:
	case FRAME_OP_STEP:
		return op_reply_differs(&a->op_reply, &b->op_reply);
	case FRAME_TEMPLATE_ATTACH:
		SAME(attach.slot) SAME(attach.mech)
		CHECK(same_key(&a->attach.key, &b->attach.key), "key")
		return NULL;
	case FRAME_KEY_OP:
		return key_op_differs(&a->key_op, &b->key_op);
	case FRAME_KEY_REPLY:
		SAME(key_reply.status) SAME(key_reply.has_handle)
		CHECK(memcmp(&a->key_reply.handle, &b->key_reply.handle, 16) == 0, "handle")
		CHECK(same_bytes(a->key_reply.data.p, a->key_reply.data.len, b->key_reply.data.p,
				 b->key_reply.data.len),
		      "data")
		return NULL;
	case FRAME_HELLO:
		SAME(hello.version_min) SAME(hello.version_max) SAME(hello.features)
		CHECK(same_text(a->hello.label, b->hello.label), "label")
		return NULL;
	case FRAME_HELLO_REPLY:
		return hello_reply_differs(&a->hello_reply, &b->hello_reply);
	case FRAME_MECH_FIND:
		CHECK(same_text(a->name, b->name), "name")
		return NULL;
	case FRAME_EVENT:
		SAME(event.type)
		CHECK(same_text(a->event.mechanism, b->event.mechanism), "mechanism")
		CHECK(same_text(a->event.provider, b->event.provider), "provider")
		SAME(event.module)
		return NULL;
	case FRAME_FATAL:
		SAME(fatal.status)
		CHECK(same_text(a->fatal.text, b->fatal.text), "text")
		return NULL;
	case FRAME_ADMIN:
		return admin_differs(&a->admin, &b->admin);
	case FRAME_ADMIN_REPLY:
		SAME(admin_reply.status)
		CHECK(same_text(a->admin_reply.error, b->admin_reply.error), "error")
		return NULL;
	default:
		return numbers_differ(a, b);
	}
}
