/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mechanism parameters: the public structures, their wire form (one message that is the union of all kinds) and
 * their deep copy. One table says for each kind which members there are and which wire field carries each;
 * everything else follows from it. A new kind is a row.
 */
#include "codec-priv.h"

#include <string.h>

/* U32_U64: 32 bits here, 64 on the wire. */
enum member_type { M_END = 0, M_BYTES, M_SIZE, M_U32, M_S32, M_U64, M_U32_U64 };

/* A member of a structure and its place in Kcf__Wire__Param. len: M_BYTES only, the member with its length. */
struct member {
	uint8_t type;
	uint8_t at, len;
	uint8_t pb;
};

#define MAX_MEMBERS 6

struct kind {
	uint16_t size;
	bool optional;
	struct member members[MAX_MEMBERS + 1];
};

#define AT(s, m) offsetof(struct kcf_param_##s, m)
#define PB(f) offsetof(Kcf__Wire__Param, f)
#define BYTES(s, m, f) {M_BYTES, AT(s, m), AT(s, m##_len), PB(f)}
#define FIELD(t, s, m, f) {M_##t, AT(s, m), 0, PB(f)}
#define SIZE(s) sizeof(struct kcf_param_##s)

_Static_assert(sizeof(Kcf__Wire__Param) < 256, "offsets are bytes");
_Static_assert(sizeof(struct kcf_param_aead) < 256, "offsets are bytes");

/* iv_out of AEAD is not here: the generated IV comes back in the reply. */
static const struct kind kinds[KCF_PARAM_COUNT] = {
	[KCF_PARAM_NONE] = {0, true, {{M_END}}},
	[KCF_PARAM_IV] = {SIZE(iv), false, {BYTES(iv, iv, iv)}},
	[KCF_PARAM_AEAD] = {SIZE(aead), false,
			    {BYTES(aead, iv, iv), BYTES(aead, aad, aad),
			     FIELD(SIZE, aead, tag_len, len), FIELD(U64, aead, data_len, n),
			     FIELD(U32, aead, flags, flags)}},
	[KCF_PARAM_MAC] = {SIZE(mac), true,
			   {FIELD(SIZE, mac, mac_len, len), BYTES(mac, iv, iv),
			    BYTES(mac, custom, aad)}},
	[KCF_PARAM_DIGEST] = {SIZE(digest), true, {FIELD(SIZE, digest, out_len, len)}},
	[KCF_PARAM_RSA_PSS] = {SIZE(rsa_pss), true,
			       {FIELD(U32, rsa_pss, hash, hash),
				FIELD(U32, rsa_pss, mgf_hash, mgf_hash),
				FIELD(S32, rsa_pss, salt_len, salt_len)}},
	[KCF_PARAM_RSA_OAEP] = {SIZE(rsa_oaep), true,
				{FIELD(U32, rsa_oaep, hash, hash),
				 FIELD(U32, rsa_oaep, mgf_hash, mgf_hash),
				 BYTES(rsa_oaep, label, aad)}},
	[KCF_PARAM_SIGN] = {SIZE(sign), true,
			    {FIELD(U32, sign, flags, flags), BYTES(sign, context, aad)}},
	[KCF_PARAM_ECDH] = {SIZE(ecdh), false, {BYTES(ecdh, peer, aad)}},
	[KCF_PARAM_HKDF] = {SIZE(hkdf), false,
			    {FIELD(U32, hkdf, hash, hash), FIELD(U32, hkdf, flags, flags),
			     BYTES(hkdf, salt, salt), BYTES(hkdf, info, aad)}},
	[KCF_PARAM_PBKDF2] = {SIZE(pbkdf2), false,
			      {FIELD(U32, pbkdf2, hash, hash), FIELD(U32_U64, pbkdf2, iterations, n),
			       BYTES(pbkdf2, salt, salt)}},
	[KCF_PARAM_KBKDF] = {SIZE(kbkdf), false,
			     {FIELD(U32, kbkdf, mac, hash), FIELD(U32, kbkdf, flags, flags),
			      BYTES(kbkdf, label, aad), BYTES(kbkdf, context, salt),
			      BYTES(kbkdf, seed, iv)}},
	[KCF_PARAM_SCRYPT] = {SIZE(scrypt), false,
			      {FIELD(U64, scrypt, n, n), FIELD(U32, scrypt, r, r),
			       FIELD(U32, scrypt, p, p), BYTES(scrypt, salt, salt)}},
	[KCF_PARAM_KEYGEN] = {SIZE(keygen), false,
			      {FIELD(U32, keygen, bits, r), FIELD(U32, keygen, curve, p)}},
};

static const struct kind *kind_find(enum kcf_param_kind kind)
{
	return (unsigned)kind < KCF_PARAM_COUNT ? &kinds[kind] : &kinds[KCF_PARAM_NONE];
}

/* The byte string of a member; p may be NULL when len is 0. */
static struct wire_bytes get_bytes(const void *param, const struct member *m)
{
	struct wire_bytes b;

	memcpy(&b.p, (const char *)param + m->at, sizeof(b.p));
	memcpy(&b.len, (const char *)param + m->len, sizeof(b.len));
	return b;
}

static void set_bytes(void *param, const struct member *m, struct wire_bytes b)
{
	memcpy((char *)param + m->at, &b.p, sizeof(b.p));
	memcpy((char *)param + m->len, &b.len, sizeof(b.len));
}

/* ---- wire ---- */

static void fill_member(const void *param, const struct member *m, Kcf__Wire__Param *pb)
{
	const void *from = (const char *)param + m->at;
	void *to = (char *)pb + m->pb;
	ProtobufCBinaryData data;
	struct wire_bytes b;
	uint32_t len;
	uint64_t wide;

	switch (m->type) {
	case M_BYTES:
		b = get_bytes(param, m);
		data.len = b.len;
		data.data = (uint8_t *)b.p;
		memcpy(to, &data, sizeof(data));
		break;
	case M_SIZE:
		/* No length beyond 32 bits is possible for any mechanism: let the receiver refuse it. */
		len = *(const size_t *)from > UINT32_MAX ? UINT32_MAX : *(const size_t *)from;
		memcpy(to, &len, sizeof(len));
		break;
	case M_U64:
		memcpy(to, from, sizeof(uint64_t));
		break;
	case M_U32_U64:
		wide = *(const uint32_t *)from;
		memcpy(to, &wide, sizeof(wide));
		break;
	default:
		memcpy(to, from, sizeof(uint32_t));
	}
}

Kcf__Wire__Param *codec_fill_param(const struct wire_param *param, Kcf__Wire__Param *pb)
{
	const struct member *m;

	if (param->kind == KCF_PARAM_NONE || !param->data)
		return NULL;
	kcf__wire__param__init(pb);
	pb->kind = param->kind;
	for (m = kind_find(param->kind)->members; m->type != M_END; m++)
		fill_member(param->data, m, pb);
	return pb;
}

static bool read_member(const Kcf__Wire__Param *pb, const struct member *m, void *param)
{
	const void *from = (const char *)pb + m->pb;
	void *to = (char *)param + m->at;
	ProtobufCBinaryData data;
	uint64_t wide;
	uint32_t v32;

	switch (m->type) {
	case M_BYTES:
		memcpy(&data, from, sizeof(data));
		set_bytes(param, m, (struct wire_bytes){data.data, data.len});
		break;
	case M_SIZE:
		memcpy(&v32, from, sizeof(v32));
		*(size_t *)to = v32;
		break;
	case M_U64:
		memcpy(to, from, sizeof(uint64_t));
		break;
	case M_U32_U64:
		memcpy(&wide, from, sizeof(wide));
		if (wide > UINT32_MAX)
			return false;
		*(uint32_t *)to = (uint32_t)wide;
		break;
	default:
		memcpy(to, from, sizeof(uint32_t));
	}
	return true;
}

bool codec_read_param(struct codec_arena *arena, const Kcf__Wire__Param *pb, struct wire_param *ret)
{
	const struct member *m;
	void *data;

	ret->kind = KCF_PARAM_NONE;
	ret->data = NULL;
	if (!pb)
		return true;
	if (pb->kind == KCF_PARAM_NONE || pb->kind >= KCF_PARAM_COUNT)
		return false;
	/* Each is at most FRAME_MESSAGE_MAX: the sum cannot wrap. */
	if (pb->iv.len + pb->aad.len + pb->salt.len > WIRE_MAX_PARAM)
		return false;
	data = codec_alloc(arena, kinds[pb->kind].size);
	if (!data)
		return false;
	memset(data, 0, kinds[pb->kind].size);
	for (m = kinds[pb->kind].members; m->type != M_END; m++) {
		if (!read_member(pb, m, data))
			return false;
	}
	ret->kind = pb->kind;
	ret->data = data;
	return true;
}

/* ---- away from the wire ---- */

size_t param_size(enum kcf_param_kind kind)
{
	return kind_find(kind)->size;
}

bool param_is_optional(enum kcf_param_kind kind)
{
	return (unsigned)kind < KCF_PARAM_COUNT && kinds[kind].optional;
}

size_t param_copy_len(enum kcf_param_kind kind, const void *param)
{
	const struct kind *k = kind_find(kind);
	const struct member *m;
	size_t len = k->size;

	if (!param)
		return 0;
	for (m = k->members; m->type != M_END; m++) {
		if (m->type == M_BYTES &&
		    __builtin_add_overflow(len, get_bytes(param, m).len, &len))
			return SIZE_MAX;
	}
	return len;
}

void *param_copy(enum kcf_param_kind kind, const void *param, void *mem)
{
	const struct kind *k = kind_find(kind);
	uint8_t *next = (uint8_t *)mem + k->size;
	const struct member *m;

	if (!param || k->size == 0)
		return NULL;
	memcpy(mem, param, k->size);
	for (m = k->members; m->type != M_END; m++) {
		struct wire_bytes b;

		if (m->type != M_BYTES)
			continue;
		b = get_bytes(param, m);
		if (b.len)
			memcpy(next, b.p, b.len);
		set_bytes(mem, m, (struct wire_bytes){b.p ? next : NULL, b.len});
		next += b.len;
	}
	return mem;
}
