/* SPDX-License-Identifier: Apache-2.0 */
/* made-up - see the header. One thread. */
#include "made-up.h"
#include <stdlib.h>
#include <string.h>

unsigned made_up_seed = 1;

unsigned any(unsigned n)
{
	return (unsigned)rand_r(&made_up_seed) % n;
}

/* A number near one that matters. */
static size_t edge(void)
{
	static const uint16_t edges[] = {0, 0, 1, 8, 16, 16, 32, 32, 48, 64, 128, 256, 1024};
	size_t n = edges[any(sizeof(edges) / sizeof(edges[0]))];

	return any(3) ? n : n + any(3) - (n ? 1 : 0);
}

static const uint8_t junk[64] = "some bytes that serve as nonce, salt, label, whatever else";

static void make_param(struct call *c, uint32_t kind)
{
	size_t size = 0;

	memset(&c->param, 0, sizeof(c->param));
	switch (kind) {
	case KCF_PARAM_IV:
		c->param.iv = (struct kcf_param_iv){junk, any(4) ? 16 : any(20)};
		size = sizeof(c->param.iv);
		break;
	case KCF_PARAM_AEAD:
		c->param.aead = (struct kcf_param_aead){.iv = junk,
							.iv_len = any(4) ? 12 : any(20),
							.aad = junk,
							.aad_len = any(40),
							.tag_len = any(2) ? 0 : any(18)};
		size = sizeof(c->param.aead);
		break;
	case KCF_PARAM_MAC:
		c->param.mac = (struct kcf_param_mac){.mac_len = any(2) ? 0 : edge(),
						      .iv = junk,
						      .iv_len = any(3)   ? 12
								: any(3) ? 0
									 : 13};
		size = sizeof(c->param.mac);
		break;
	case KCF_PARAM_DIGEST:
		c->param.digest.out_len = edge();
		size = sizeof(c->param.digest);
		break;
	case KCF_PARAM_HKDF:
		c->param.hkdf =
			(struct kcf_param_hkdf){.hash = any(4) ? KCF_M_SHA256 : KCF_M_AES_CBC,
						.flags = any(5),
						.salt = junk,
						.salt_len = any(20),
						.info = junk,
						.info_len = any(20)};
		size = sizeof(c->param.hkdf);
		break;
	case KCF_PARAM_KBKDF:
		c->param.kbkdf =
			(struct kcf_param_kbkdf){.mac = any(2) ? KCF_M_SHA256_HMAC : KCF_M_AES_CMAC,
						 .flags = any(9),
						 .label = junk,
						 .label_len = any(20)};
		size = sizeof(c->param.kbkdf);
		break;
	case KCF_PARAM_PBKDF2:
		c->param.pbkdf2 = (struct kcf_param_pbkdf2){.hash = KCF_M_SHA256,
							    .iterations = any(4),
							    .salt = junk,
							    .salt_len = any(20)};
		size = sizeof(c->param.pbkdf2);
		break;
	case KCF_PARAM_SIGN:
		c->param.sign = (struct kcf_param_sign){.flags = any(2) ? 0 : any(5),
							.context = junk,
							.context_len = any(3) ? 0 : any(9)};
		size = sizeof(c->param.sign);
		break;
	case KCF_PARAM_ECDH:
		c->param.ecdh = (struct kcf_param_ecdh){junk, any(3) ? 32 : any(64)};
		size = sizeof(c->param.ecdh);
		break;
	default:
		break;
	}
	c->mech.param = size && any(10) ? &c->param : NULL;
	c->mech.param_len = c->mech.param ? (uint32_t)size : 0;
	if (!any(40))
		c->mech.param_len += any(3) - 1u;
}

static const enum kcf_op ops[] = {KCF_OP_DIGEST,      KCF_OP_MAC,         KCF_OP_MAC_VERIFY,
				  KCF_OP_ENCRYPT,     KCF_OP_DECRYPT,     KCF_OP_ENCRYPT,
				  KCF_OP_DECRYPT,     KCF_OP_SIGN,        KCF_OP_VERIFY,
				  KCF_OP_ENCRYPT_MAC, KCF_OP_MAC_DECRYPT, KCF_OP_DERIVE};

uint32_t class_of(enum kcf_op op)
{
	static const uint32_t classes[KCF_OP_COUNT] = {
#define KCF__X(name, value, text, bits) [value] = bits,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	};

	return op == KCF_OP_ENCRYPT_MAC || op == KCF_OP_MAC_DECRYPT ? KCF_CLASS_CIPHER
								    : classes[op];
}

/* Some mechanism of the operation's class, now and then one of another; none whose output is
 * random, none that takes long. */
static const struct kcf_mech_name *some_mech(enum kcf_op op)
{
	const struct kcf_mech_name *m;
	bool wrong = !any(30);

	for (;;) {
		m = kcf_mech_name(1 + any(185));
		if (!m || m->number == KCF_M_SCRYPT ||
		    (m->number >= KCF_M_RSA_PKCS && m->number < KCF_M_EDDSA) ||
		    m->number == KCF_M_DSA || m->number == KCF_M_DSA_SHA1 ||
		    m->number == KCF_M_DSA_SHA256 || m->number == KCF_M_DH_PKCS_DERIVE)
			continue;
		if (wrong || m->classes & class_of(op))
			return m;
	}
}

static size_t key_len(void)
{
	static const uint8_t lens[] = {16, 16, 24, 32, 32, 32, 64, 0, 8, 57};

	return any(12) ? lens[any(sizeof(lens))] : any(600);
}

void make_up(struct call *c)
{
	memset(c, 0, sizeof(*c));
	c->op = ops[any(sizeof(ops) / sizeof(ops[0]))];
	c->name = some_mech(c->op);
	c->mech.number = c->name->number;
	make_param(c, c->name->param_kind);
	for (size_t i = 0; i < sizeof(c->key_bytes); i++)
		c->key_bytes[i] = (uint8_t)(i * 29 + 3);
	for (size_t i = 0; i < sizeof(c->in); i++)
		c->in[i] = (uint8_t)(i * 31 + 7);
	c->key = kcf_key_bytes(c->key_bytes, key_len());
	if (!any(30))
		c->key.format = any(3);
	c->key2 = kcf_key_bytes(c->key_bytes + 100, 32);
	c->mech2.number = any(20) ? KCF_M_SHA256_HMAC : KCF_M_AES_GCM;
	c->in_len = edge();
	c->room = any(2) ? ROOM : edge();
	c->check_len = any(2) ? 32 : any(65);
	c->mac_room = any(2) ? 32 : any(65);
	c->has_in = any(40);
}

size_t make_right(struct kcf_client *client, struct call *c, uint8_t *check)
{
	struct kcf_data in = kcf_flat(c->in, c->in_len), out = kcf_flat(c->in, ROOM - 256);
	struct kcf_data mac = kcf_flat(check, 64);
	struct kcf_dual dual = {&c->mech, &c->key, &c->mech2, &c->key2};

	switch (c->op) {
	case KCF_OP_MAC_VERIFY:
		return kcf_mac(client, &c->mech, &c->key, &in, &mac, NULL) ? 0 : mac.used;
	case KCF_OP_DECRYPT:
		if (kcf_encrypt(client, &c->mech, &c->key, &in, &out, NULL) == KCF_SUCCESS)
			c->in_len = out.used;
		return 0;
	case KCF_OP_MAC_DECRYPT:
		if (kcf_encrypt_mac(client, &dual, &in, &out, &mac, NULL) != KCF_SUCCESS)
			return 0;
		c->in_len = out.used;
		return mac.used;
	default:
		return 0;
	}
}
