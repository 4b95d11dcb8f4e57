/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known answers: one mechanism of each symmetric class, a signature and a key agreement, run as
 * jobs. Values from FIPS 180-4, RFC 4231, SP 800-38A, the GCM specification, RFC 8032 and RFC 7748.
 *
 * Thread: any; well under a millisecond.
 */
#include <stdlib.h>
#include "openssl-private.h"

struct known {
	kcf_mech_t mech;
	uint16_t op;
	const char *key, *iv, *in, *out; /* hex; iv: or the peer's public key */
};

static const struct known answers[] = {
	{KCF_M_SHA256, KCF_OP_DIGEST, NULL, NULL, "616263",
	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{KCF_M_SHA256_HMAC, KCF_OP_MAC, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", NULL,
	 "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{KCF_M_AES_CBC, KCF_OP_ENCRYPT, "2b7e151628aed2a6abf7158809cf4f3c",
	 "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172a",
	 "7649abac8119b246cee98e9b12e9197d"},
	{KCF_M_AES_CTR, KCF_OP_ENCRYPT, "2b7e151628aed2a6abf7158809cf4f3c",
	 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "6bc1bee22e409f96e93d7e117393172a",
	 "874d6191b620e3261bef6864990db6ce"},
	{KCF_M_AES_GCM, KCF_OP_ENCRYPT, "00000000000000000000000000000000",
	 "000000000000000000000000", "00000000000000000000000000000000",
	 "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
	{KCF_M_AES_GCM, KCF_OP_DECRYPT, "00000000000000000000000000000000",
	 "000000000000000000000000",
	 "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
	 "00000000000000000000000000000000"},
	{KCF_M_ECDH1_DERIVE, KCF_OP_DERIVE,
	 "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", "",
	 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{KCF_M_EDDSA, KCF_OP_SIGN,
	 "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", NULL, "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
	 "c"
	 "f9b46bd25bf5f0595bbe24655141438e7a100b"},
};

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex && hex[0] && hex[1]; hex += 2) {
		char pair[3] = {hex[0], hex[1], 0};

		out[n++] = strtoul(pair, NULL, 16);
	}
	return n;
}

static bool run_known(struct openssl_prov *prov, const struct known *k)
{
	uint8_t key[64], iv[32], in[64], out[80], expect[80];
	size_t key_len = unhex(k->key, key), iv_len = unhex(k->iv, iv), in_len = unhex(k->in, in);
	size_t expect_len = unhex(k->out, expect);
	struct kcf_key_data data = {KCF_KEY_RAW, key, key_len};
	struct kcf_param_iv iv_param = {iv, iv_len};
	struct kcf_param_aead aead = {.iv = iv, .iv_len = iv_len};
	struct kcf_param_ecdh ecdh = {iv, iv_len};
	struct iovec v_in = {in, in_len}, v_out = {out, sizeof(out)};
	int row = openssl_row_find(k->mech);
	struct openssl_tmpl *t;
	struct kcf_job job = {
		.op = k->op,
		.row = row,
		.in = &v_in,
		.out = &v_out,
		.n_in = 1,
		.n_out = 1,
		.in_len = in_len,
		.out_room = sizeof(out),
	};

	if (row < 0 || openssl_tmpl_new(prov, row, k->key ? &data : NULL, &t) != KCF_SUCCESS)
		return false;
	job.tmpl = t;
	if (openssl_rows[row].param_kind == KCF_PARAM_IV)
		job.param = &iv_param;
	if (openssl_rows[row].param_kind == KCF_PARAM_AEAD)
		job.param = &aead;
	if (openssl_rows[row].param_kind == KCF_PARAM_ECDH)
		job.param = &ecdh;
	openssl_job_run(prov, &job);
	openssl_tmpl_free(t);
	return job.status == KCF_SUCCESS && job.out_len == expect_len &&
	       memcmp(out, expect, expect_len) == 0;
}

enum kcf_status openssl_self_test(struct openssl_prov *prov)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!run_known(prov, &answers[i]))
			return KCF_FAILED;
	return KCF_SUCCESS;
}
