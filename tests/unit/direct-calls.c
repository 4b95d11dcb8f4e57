/* SPDX-License-Identifier: Apache-2.0 */
#include "direct-calls.h"

static const char *const modules[] = {"kcf-openssl.so", "kcf-nettle.so", NULL};
struct world w;

void calls_setup(void)
{
	world_open(&w, modules);
}

void calls_teardown(void)
{
	world_close(&w);
}

const struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
const uint8_t abc_digest[32] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};
uint8_t key_bytes[32] = "0123456789abcdef0123456789abcde";
uint8_t iv[12] = "nonce-nonce";

struct result call_of(struct op_call *call)
{
	struct result r;

	call->client = &w.client;
	r.verdict = direct_call(w.d, call, &r.status);
	return r;
}

struct result digest(const void *in, size_t len, uint8_t out[32], struct kcf_call_req *req)
{
	struct kcf_data i = kcf_flat(in, len), o = kcf_flat(out, 32);
	struct op_call call = {
		.op = KCF_OP_DIGEST, .mech = &sha256, .in = &i, .out = &o, .req = req};

	return call_of(&call);
}

struct result gcm(enum kcf_op op, const struct kcf_key *key, struct kcf_data *in,
		  struct kcf_data *out, struct kcf_call_req *req)
{
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct kcf_mechanism m = {KCF_M_AES_GCM, sizeof(p), &p};
	struct op_call call = {.op = op, .mech = &m, .key = key, .in = in, .out = out, .req = req};

	return call_of(&call);
}

struct kcf_template *template(kcf_mech_t mech, const void *bytes, size_t len)
{
	struct kcf_key key = kcf_key_bytes(bytes, len);
	struct kcf_template *t = NULL;

	ck_assert_int_eq(direct_template_new(w.d, mech, &key, &t), KCF_SUCCESS);
	return t;
}
