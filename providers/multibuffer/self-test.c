/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self-test: known answers of each building block, and lanes that are all in use.
 *
 * The library tested its own primitives when its managers were made; this tests what is between
 * it and a job: FIPS 180-4, RFC 4231, SP 800-38A and SP 800-38D vectors as bursts of 17 equal jobs
 * and one flawed one, which must fail alone. Thread: as start.
 */
#include "mb.h"

#include <string.h>

#define N_JOBS 18 /* more than any lanes, and not a multiple */

struct answer {
	const char *name;
	uint16_t op;
	const char *key, *iv, *in, *out; /* hex */
};

static const struct answer answers[] = {
	{"CKM_SHA256", KCF_OP_DIGEST, NULL, NULL, "616263",
	 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"CKM_SHA512", KCF_OP_DIGEST, NULL, NULL, "616263",
	 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	{"CKM_SHA_1", KCF_OP_DIGEST, NULL, NULL, "616263",
	 "a9993e364706816aba3e25717850c26c9cd0d89d"},
	/* RFC 4231, case 2 */
	{"CKM_SHA256_HMAC", KCF_OP_MAC, "4a656665", NULL,
	 "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"CKM_SHA512_HMAC", KCF_OP_MAC, "4a656665", NULL,
	 "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	 "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	/* SP 800-38A F.2.1, F.5.1 */
	{"CKM_AES_CBC", KCF_OP_ENCRYPT, "2b7e151628aed2a6abf7158809cf4f3c",
	 "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172a",
	 "7649abac8119b246cee98e9b12e9197d"},
	{"CKM_AES_CBC", KCF_OP_DECRYPT, "2b7e151628aed2a6abf7158809cf4f3c",
	 "000102030405060708090a0b0c0d0e0f", "7649abac8119b246cee98e9b12e9197d",
	 "6bc1bee22e409f96e93d7e117393172a"},
	{"CKM_AES_CTR", KCF_OP_ENCRYPT, "2b7e151628aed2a6abf7158809cf4f3c",
	 "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "6bc1bee22e409f96e93d7e117393172a",
	 "874d6191b620e3261bef6864990db6ce"},
	/* the GCM submission to NIST, test cases 2 and 14 */
	{"CKM_AES_GCM", KCF_OP_ENCRYPT, "00000000000000000000000000000000",
	 "000000000000000000000000", "00000000000000000000000000000000",
	 "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
	{"CKM_AES_GCM", KCF_OP_DECRYPT,
	 "0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
	 "00000000000000000000000000000000"},
};

static size_t unhex(const char *text, uint8_t *ret)
{
	size_t len = text ? strlen(text) / 2 : 0;

	for (size_t i = 0; i < 2 * len; i++) {
		char c = text[i];
		uint8_t digit = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);

		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | digit);
	}
	return len;
}

static int find_row(const char *name)
{
	for (uint32_t i = 0; i < mb_n_rows; i++)
		if (strcmp(mb_rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* N_JOBS of one answer at once, of which the last has no room. */
struct trial {
	uint8_t in[64], want[64], out[N_JOBS][64];
	struct iovec in_iov, out_iov[N_JOBS];
	struct kcf_job jobs[N_JOBS], *list[N_JOBS];
};

static bool trial_run(struct mb *mb, struct trial *t, const struct answer *a, const void *param,
		      void *tmpl)
{
	size_t len = unhex(a->out, t->want);
	bool ok;

	t->in_iov.iov_base = t->in;
	t->in_iov.iov_len = unhex(a->in, t->in);
	for (unsigned i = 0; i < N_JOBS; i++) {
		t->out_iov[i] = (struct iovec){t->out[i], i < N_JOBS - 1 ? sizeof(t->out[i]) : 1};
		t->jobs[i] = (struct kcf_job){
			.op = a->op,
			.row = (uint32_t)find_row(a->name),
			.param = param,
			.tmpl = tmpl,
			.thread = tmpl,
			.in = &t->in_iov,
			.n_in = 1,
			.in_len = t->in_iov.iov_len,
			.out = &t->out_iov[i],
			.n_out = 1,
			.out_room = t->out_iov[i].iov_len,
		};
		t->list[i] = &t->jobs[i];
	}
	mb_ops.submit(mb, t->list, N_JOBS);
	ok = t->jobs[N_JOBS - 1].status == KCF_BUFFER_TOO_SMALL;
	for (unsigned i = 0; i < N_JOBS - 1; i++)
		ok = t->jobs[i].status == KCF_SUCCESS && t->jobs[i].out_len == len &&
		     equal_sec(t->out[i], t->want, len) && ok;
	return ok;
}

static bool answer_is_right(struct mb *mb, const struct answer *a)
{
	uint8_t key[32], iv[16];
	struct kcf_key_data data = {KCF_KEY_RAW, key, unhex(a->key, key)};
	struct kcf_param_iv iv_param = {iv, unhex(a->iv, iv)};
	struct kcf_param_aead aead_param = {.iv = iv, .iv_len = iv_param.iv_len};
	struct trial t = {.in_iov = {0}};
	int row = find_row(a->name);
	const void *param = NULL;
	void *tmpl;
	bool ok;

	if (row < 0 || mb_ops.template_new(mb, (uint32_t)row, &data, &tmpl) != KCF_SUCCESS)
		return false;
	if (mb_rows[row].param_kind == KCF_PARAM_AEAD)
		param = &aead_param;
	else if (mb_rows[row].param_kind == KCF_PARAM_IV)
		param = &iv_param;
	ok = trial_run(mb, &t, a, param, tmpl);
	mb_ops.template_free(mb, tmpl);
	return ok;
}

enum kcf_status mb_self_test(struct mb *mb)
{
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (answer_is_right(mb, &answers[i]))
			continue;
		mb->host->log(mb->host, KCF_LOG_ERROR, "known answer of %s is wrong",
			      answers[i].name);
		return KCF_FAILED;
	}
	return KCF_SUCCESS;
}
