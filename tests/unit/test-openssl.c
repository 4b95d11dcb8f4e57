/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider's symmetric mechanisms, driven as kcfd drives them. Every row is compared with
 * libcrypto's own EVP interface over many lengths, whole, in 1-byte pieces, in place and in several
 * parts; each has a tampered twin. Published values are the conformance runner's.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include "fake-host.h"
#include "test-main.h"

#define DATA_MAX 1100
#define SPLIT_MAX 2300

static struct fake_host fake;

/* A mechanism and what EVP calls it. */
struct row_case {
	const char *name;
	const char *evp;
	const char *sub; /* MAC: its digest or cipher */
	unsigned key_len, iv_len, block;
	bool padded;
};

static const struct row_case digests[] = {
	{"CKM_SHA_1", "SHA1"},		      {"CKM_SHA224", "SHA2-224"},
	{"CKM_SHA256", "SHA2-256"},	      {"CKM_SHA384", "SHA2-384"},
	{"CKM_SHA512", "SHA2-512"},	      {"CKM_SHA512_224", "SHA2-512/224"},
	{"CKM_SHA512_256", "SHA2-512/256"},   {"CKM_SHA3_224", "SHA3-224"},
	{"CKM_SHA3_256", "SHA3-256"},	      {"CKM_SHA3_384", "SHA3-384"},
	{"CKM_SHA3_512", "SHA3-512"},	      {"CKM_BLAKE2B_512", "BLAKE2B-512"},
	{"KCF_BLAKE2S-256", "BLAKE2S-256"},   {"KCF_SM3", "SM3"},
	{"CKM_MD5", "MD5"},
};

static const struct row_case macs[] = {
	{"CKM_SHA_1_HMAC", "HMAC", "SHA1", 20},
	{"CKM_SHA224_HMAC", "HMAC", "SHA2-224", 1},
	{"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 64},
	{"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 65},
	{"CKM_SHA384_HMAC", "HMAC", "SHA2-384", 200},
	{"CKM_SHA512_HMAC", "HMAC", "SHA2-512", 128},
	{"CKM_SHA512_224_HMAC", "HMAC", "SHA2-512/224", 129},
	{"CKM_SHA512_256_HMAC", "HMAC", "SHA2-512/256", 32},
	{"CKM_SHA3_224_HMAC", "HMAC", "SHA3-224", 144},
	{"CKM_SHA3_256_HMAC", "HMAC", "SHA3-256", 137},
	{"CKM_SHA3_384_HMAC", "HMAC", "SHA3-384", 32},
	{"CKM_SHA3_512_HMAC", "HMAC", "SHA3-512", 73},
	{"CKM_MD5_HMAC", "HMAC", "MD5", 16},
	{"CKM_AES_CMAC", "CMAC", "AES-128-CBC", 16},
	{"CKM_AES_CMAC", "CMAC", "AES-192-CBC", 24},
	{"CKM_AES_CMAC", "CMAC", "AES-256-CBC", 32},
	{"CKM_DES3_CMAC", "CMAC", "DES-EDE3-CBC", 24},
	{"CKM_AES_GMAC", "GMAC", "AES-128-GCM", 16, 12},
	{"CKM_AES_GMAC", "GMAC", "AES-256-GCM", 32, 60},
	{"CKM_POLY1305", "POLY1305", NULL, 32},
	{"KCF_KMAC-128", "KMAC-128", NULL, 32},
	{"KCF_KMAC-256", "KMAC-256", NULL, 40},
	{"KCF_SIPHASH", "SIPHASH", NULL, 16},
};

static const struct row_case ciphers[] = {
	{"CKM_AES_ECB", "AES-128-ECB", NULL, 16, 0, 16},
	{"CKM_AES_ECB", "AES-192-ECB", NULL, 24, 0, 16},
	{"CKM_AES_CBC", "AES-128-CBC", NULL, 16, 16, 16},
	{"CKM_AES_CBC", "AES-256-CBC", NULL, 32, 16, 16},
	{"CKM_AES_CBC_PAD", "AES-128-CBC", NULL, 16, 16, 16, true},
	{"CKM_AES_CBC_PAD", "AES-256-CBC", NULL, 32, 16, 16, true},
	{"CKM_AES_CTR", "AES-128-CTR", NULL, 16, 16, 1},
	{"CKM_AES_CTR", "AES-256-CTR", NULL, 32, 16, 1},
	{"CKM_AES_CFB128", "AES-256-CFB", NULL, 32, 16, 1},
	{"CKM_AES_CFB8", "AES-192-CFB8", NULL, 24, 16, 1},
	{"CKM_AES_OFB", "AES-256-OFB", NULL, 32, 16, 1},
	{"CKM_CHACHA20", "ChaCha20", NULL, 32, 16, 1},
	{"CKM_CAMELLIA_ECB", "CAMELLIA-256-ECB", NULL, 32, 0, 16},
	{"CKM_CAMELLIA_CBC", "CAMELLIA-128-CBC", NULL, 16, 16, 16},
	{"CKM_CAMELLIA_CTR", "CAMELLIA-192-CTR", NULL, 24, 16, 1},
	{"CKM_ARIA_ECB", "ARIA-256-ECB", NULL, 32, 0, 16},
	{"CKM_ARIA_CBC", "ARIA-128-CBC", NULL, 16, 16, 16},
	{"KCF_ARIA-CTR", "ARIA-192-CTR", NULL, 24, 16, 1},
	{"KCF_SM4-ECB", "SM4-ECB", NULL, 16, 0, 16},
	{"KCF_SM4-CBC", "SM4-CBC", NULL, 16, 16, 16},
	{"KCF_SM4-CTR", "SM4-CTR", NULL, 16, 16, 1},
	{"CKM_DES3_ECB", "DES-EDE3-ECB", NULL, 24, 0, 8},
	{"CKM_DES3_CBC", "DES-EDE3-CBC", NULL, 24, 8, 8},
};

/* All data in one piece inside the provider; block: granularity, min as iv_len says below. */
static const struct row_case wholes[] = {
	{"CKM_AES_XTS", "AES-128-XTS", NULL, 32, 16, 1},
	{"CKM_AES_XTS", "AES-256-XTS", NULL, 64, 16, 1},
	{"CKM_AES_CTS", "AES-128-CBC-CTS", NULL, 16, 16, 1},
	{"CKM_AES_KEY_WRAP", "AES-256-WRAP", NULL, 32, 0, 8},
	{"CKM_AES_KEY_WRAP_KWP", "AES-192-WRAP-PAD", NULL, 24, 0, 1},
};

static const struct row_case aeads[] = {
	{"CKM_AES_GCM", "AES-128-GCM", NULL, 16, 12},
	{"CKM_AES_GCM", "AES-256-GCM", NULL, 32, 1},
	{"CKM_AES_GCM", "AES-192-GCM", NULL, 24, 128},
	{"CKM_AES_CCM", "AES-128-CCM", NULL, 16, 13},
	{"CKM_AES_CCM", "AES-256-CCM", NULL, 32, 7},
	{"CKM_CHACHA20_POLY1305", "ChaCha20-Poly1305", NULL, 32, 12},
	{"KCF_AES-OCB", "AES-128-OCB", NULL, 16, 12},
	{"KCF_AES-OCB", "AES-256-OCB", NULL, 32, 15},
	{"KCF_ARIA-GCM", "ARIA-256-GCM", NULL, 32, 12},
	{"KCF_ARIA-CCM", "ARIA-128-CCM", NULL, 16, 12},
};

static const size_t lengths[] = {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128,
				 255, 256, 257, 272, 500, 512, 600, 1024, DATA_MAX};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void setup(void)
{
	ck_assert_int_eq(fake_host_open(&fake, TEST_MODULE_DIR "/kcf-openssl.so", NULL),
			 KCF_SUCCESS);
}

static void teardown(void)
{
	fake_host_close(&fake);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

static void fill(uint8_t *bytes, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + seed * 31 + (i >> 8) + 3);
}

static struct fake_template template_of(const char *name, const void *key, size_t len)
{
	struct kcf_key_data data = {KCF_KEY_RAW, key, len};
	struct fake_template t;
	int row = fake_row(&fake, name, ~0u);

	ck_assert_msg(row >= 0, "%s", name);
	ck_assert_int_eq(fake_template_new(&fake, (uint32_t)row, key ? &data : NULL, &t),
			 KCF_SUCCESS);
	return t;
}

static struct fake_template template_case(const struct row_case *c)
{
	uint8_t key[256];

	fill(key, sizeof(key), 1);
	return template_of(c->name, c->key_len ? key : NULL, c->key_len);
}

/* ---- how a job can be run -------------------------------------------------------------------- */

struct call {
	const struct fake_template *t;
	enum kcf_op op;
	const void *param;
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t room;
	const uint8_t *check;
	size_t check_len;
	size_t out_len; /* result */
};

static uint32_t pieces(struct iovec *v, uint8_t *p, size_t len, size_t piece)
{
	uint32_t n = 0;

	for (size_t done = 0; done < len; done += v[n++].iov_len) {
		v[n].iov_base = p + done;
		v[n].iov_len = len - done < piece ? len - done : piece;
		ck_assert_uint_lt(n + 1, SPLIT_MAX);
	}
	return n;
}

/* One single-part job; in and out cut into pieces. */
static enum kcf_status run_cut(struct call *c, size_t in_piece, size_t out_piece)
{
	static struct iovec in[SPLIT_MAX], out[SPLIT_MAX], check[SPLIT_MAX];
	struct kcf_job job;
	enum kcf_status status;

	fake_job(&job, c->t, c->op, KCF_SINGLE, c->param);
	fake_job_in(&job, in, pieces(in, (uint8_t *)c->in, c->in_len, in_piece));
	fake_job_out(&job, out, pieces(out, c->out, c->room, out_piece));
	fake_job_check(&job, check, pieces(check, (uint8_t *)c->check, c->check_len, in_piece));
	status = fake_run(&fake, &job);
	c->out_len = job.out_len;
	return status;
}

static enum kcf_status run(struct call *c)
{
	return run_cut(c, SIZE_MAX / 2, SIZE_MAX / 2);
}

/* As a context, in updates of piece bytes; with a too-small attempt before every step. */
static enum kcf_status run_parts(struct call *c, size_t piece, bool data_in_final)
{
	struct kcf_job job;
	enum kcf_status status;
	size_t done = 0, len = 0;
	void *ctx;

	fake_job(&job, c->t, c->op, KCF_INIT, c->param);
	status = fake_run(&fake, &job);
	if (status != KCF_SUCCESS)
		return status;
	ctx = job.ctx;
	for (bool last = false; !last && status == KCF_SUCCESS;) {
		size_t n = c->in_len - done < piece ? c->in_len - done : piece;
		struct iovec in = {(void *)(c->in + done), n}, out = {c->out + len, 0};
		struct iovec check = {(void *)c->check, c->check_len};

		last = data_in_final ? done + n == c->in_len : n == 0;
		fake_job(&job, c->t, c->op, last ? KCF_FINAL_PHASE : KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in, 1);
		fake_job_out(&job, &out, 1);
		if (last)
			fake_job_check(&job, &check, 1);
		status = fake_run(&fake, &job);
		if (status == KCF_BUFFER_TOO_SMALL) {
			out.iov_len = job.out_len;
			ck_assert_uint_le(len + out.iov_len, c->room + 16);
			fake_job_out(&job, &out, 1);
			status = fake_run(&fake, &job);
		}
		len += job.out_len;
		done += n;
	}
	fake_job(&job, c->t, c->op, KCF_UPDATE, NULL);
	job.ctx = ctx;
	ck_assert_int_eq(fake_run(&fake, &job),
			 KCF_INVALID_CONTEXT); /* the end is the end, good or bad */
	fake.desc->ops->context_free(fake.prov, ctx);
	c->out_len = len;
	return status;
}

static void ck_bytes(const struct row_case *c, const char *how, const uint8_t *got, size_t got_len,
		     const uint8_t *expect, size_t len)
{
	ck_assert_msg(got_len == len && memcmp(got, expect, len) == 0, "%s: %s, %zu bytes", c->name,
		      how, len);
}

/* Every way a call that puts data out can be made; all must give expect. */
static void all_ways(const struct row_case *rc, struct call *c, const uint8_t *expect,
		     size_t expect_len, bool multi)
{
	static uint8_t in[DATA_MAX + 200], out[DATA_MAX + 200];
	static const size_t cuts[][2] = {{1, 1}, {16, 3}, {5, 16}, {1, 64}, {33, 1}, {300, 299}};
	const uint8_t *data = c->in;

	memcpy(in, data, c->in_len);
	c->in = in;
	c->out = out;
	c->room = expect_len;
	ck_assert_int_eq(run(c), KCF_SUCCESS);
	ck_bytes(rc, "whole", out, c->out_len, expect, expect_len);
	for (size_t i = 0; i < N(cuts); i++) {
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run_cut(c, cuts[i][0], cuts[i][1]), KCF_SUCCESS);
		ck_bytes(rc, "cut", out, c->out_len, expect, expect_len);
	}
	if (expect_len > 0) {
		c->room = expect_len - 1;
		ck_assert_int_eq(run(c), KCF_BUFFER_TOO_SMALL);
		ck_assert_uint_eq(c->out_len, expect_len);
	}
	c->room = expect_len;
	for (size_t i = 0; multi && i < N(cuts); i++) {
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run_parts(c, cuts[i][0], i & 1), KCF_SUCCESS);
		ck_bytes(rc, "parts", out, c->out_len, expect, expect_len);
	}
	if (c->op == KCF_OP_ENCRYPT || c->op == KCF_OP_DECRYPT) { /* in place, also cut alike */
		c->out = in;
		for (size_t piece = 1; piece <= DATA_MAX; piece = piece * 3 + 2) {
			memcpy(in, data, c->in_len);
			ck_assert_int_eq(run_cut(c, piece, piece), KCF_SUCCESS);
			ck_bytes(rc, "in place", in, c->out_len, expect, expect_len);
		}
	}
	c->in = data;
}

/* In-place updates, where what a context carries shifts output against input. */
static void in_place_parts(const struct row_case *rc, struct call *c, const uint8_t *expect,
			   size_t expect_len)
{
	uint8_t buf[DATA_MAX], all[DATA_MAX + 64];
	size_t cut[] = {5, 300, 16, 1, 700}, done = 0, len = 0;
	struct kcf_job job;
	void *ctx;

	fake_job(&job, c->t, c->op, KCF_INIT, c->param);
	ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
	ctx = job.ctx;
	for (size_t i = 0; i <= N(cut); i++) {
		size_t n = i < N(cut) && cut[i] < c->in_len - done ? cut[i] : c->in_len - done;
		struct iovec in = {buf, n}, out = {buf, sizeof(buf)};

		memcpy(buf, c->in + done, n);
		fake_job(&job, c->t, c->op, i < N(cut) ? KCF_UPDATE : KCF_FINAL_PHASE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in, 1);
		fake_job_out(&job, &out, 1);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		memcpy(all + len, buf, job.out_len);
		len += job.out_len;
		done += n;
	}
	fake.desc->ops->context_free(fake.prov, ctx);
	ck_bytes(rc, "in place, in parts", all, len, expect, expect_len);
}

/* ---- digests --------------------------------------------------------------------------------- */

START_TEST(digests_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &digests[_i];
	struct fake_template t = template_of(rc->name, NULL, 0);
	EVP_MD *md = EVP_MD_fetch(NULL, rc->evp, NULL);
	uint8_t data[DATA_MAX], expect[64];
	unsigned len;

	fill(data, sizeof(data), 2);
	for (size_t i = 0; i < N(lengths); i++) {
		struct call c = {.t = &t, .op = KCF_OP_DIGEST, .in = data, .in_len = lengths[i]};

		ck_assert_int_eq(EVP_Digest(data, lengths[i], expect, &len, md, NULL), 1);
		all_ways(rc, &c, expect, len, true);
	}
	EVP_MD_free(md);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(makes_xof_output_of_the_length_asked_for)
{
	static const struct row_case xofs[] = {{"KCF_SHAKE128", "SHAKE-128"},
					       {"KCF_SHAKE256", "SHAKE-256"}};
	static const size_t room[] = {1, 32, 64, 137, 2000, 32};

	for (size_t x = 0; x < N(xofs); x++) {
		struct fake_template t = template_of(xofs[x].name, NULL, 0);
		EVP_MD *md = EVP_MD_fetch(NULL, xofs[x].evp, NULL);
		uint8_t data[DATA_MAX], expect[2000], out[2000];
		struct call c = {.t = &t, .op = KCF_OP_DIGEST, .in = data, .in_len = 333, .out = out};

		fill(data, sizeof(data), 3);
		for (size_t i = 0; i < N(room); i++) {
			struct kcf_param_digest param = {room[i]};
			EVP_MD_CTX *md_ctx = EVP_MD_CTX_new();

			EVP_DigestInit_ex2(md_ctx, md, NULL);
			EVP_DigestUpdate(md_ctx, data, 333);
			EVP_DigestFinalXOF(md_ctx, expect, room[i]);
			EVP_MD_CTX_free(md_ctx);
			c.param = &param;
			c.room = room[i];
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_bytes(&xofs[x], "whole", out, c.out_len, expect, room[i]);
			ck_assert_int_eq(run_cut(&c, 7, 3), KCF_SUCCESS);
			ck_bytes(&xofs[x], "cut", out, c.out_len, expect, room[i]);
			ck_assert_int_eq(run_parts(&c, 100, false), KCF_SUCCESS);
			ck_bytes(&xofs[x], "parts", out, c.out_len, expect, room[i]);
		}
		c.param = NULL;
		c.room = sizeof(out);
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		ck_assert_uint_eq(c.out_len, x == 0 ? 32 : 64);
		EVP_MD_free(md);
		fake_template_free(&fake, &t);
	}
}
END_TEST

/* ---- MACs ------------------------------------------------------------------------------------ */

static size_t evp_mac(const struct row_case *rc, const uint8_t *iv, const uint8_t *data, size_t len,
		      size_t size, uint8_t *out)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, rc->evp, NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[4], *p = params;
	uint8_t key[256];
	size_t out_len = 0;

	fill(key, sizeof(key), 1);
	if (rc->sub)
		*p++ = OSSL_PARAM_construct_utf8_string(!strcmp(rc->evp, "HMAC") ? "digest" : "cipher",
							(char *)rc->sub, 0);
	if (rc->iv_len)
		*p++ = OSSL_PARAM_construct_octet_string("iv", (void *)iv, rc->iv_len);
	if (size)
		*p++ = OSSL_PARAM_construct_size_t("size", &size);
	*p = OSSL_PARAM_construct_end();
	ck_assert_int_eq(EVP_MAC_init(ctx, key, rc->key_len, params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, data, len), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &out_len, 600), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return out_len;
}

START_TEST(macs_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &macs[_i];
	struct fake_template t = template_case(rc);
	uint8_t data[DATA_MAX], expect[600], iv[128], bad[600];

	fill(data, sizeof(data), 4);
	fill(iv, sizeof(iv), 5);
	for (size_t i = 0; i < N(lengths); i++) {
		struct kcf_param_mac param = {.iv = iv, .iv_len = rc->iv_len};
		struct call c = {.t = &t, .op = KCF_OP_MAC, .in = data, .in_len = lengths[i]};
		size_t len = evp_mac(rc, iv, data, lengths[i], 0, expect);

		c.param = rc->iv_len ? &param : NULL;
		all_ways(rc, &c, expect, len, true);
		c.op = KCF_OP_MAC_VERIFY;
		c.room = 0;
		for (size_t n = 1; n <= len; n++) {
			c.check = expect;
			c.check_len = n;
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			memcpy(bad, expect, len);
			bad[n - 1] ^= 1;
			c.check = bad;
			ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		}
		ck_assert_int_eq(run_parts(&c, 50, i & 1), KCF_INVALID_MAC);
		c.check = expect;
		ck_assert_int_eq(run_parts(&c, 50, i & 1), KCF_SUCCESS);
		ck_assert_int_eq(run_cut(&c, 1, 1), KCF_SUCCESS);
		c.check_len = 0;
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		c.check_len = len + 1;
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(truncates_a_mac_and_wants_the_length_asked_for)
{
	const struct row_case rc = {"CKM_SHA256_HMAC", "HMAC", "SHA2-256", 32};
	struct fake_template t = template_case(&rc);
	struct kcf_param_mac param = {.mac_len = 12};
	uint8_t data[50], full[64], out[64];
	struct call c = {.t = &t, .op = KCF_OP_MAC, .param = &param, .in = data, .in_len = 50,
			 .out = out, .room = 64};

	fill(data, sizeof(data), 6);
	evp_mac(&rc, NULL, data, 50, 0, full);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_bytes(&rc, "truncated", out, c.out_len, full, 12);
	c.op = KCF_OP_MAC_VERIFY;
	c.check = full;
	c.check_len = 12;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	c.check_len = 11;
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	c.check_len = 32;
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	param.mac_len = 33;
	ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(binds_the_length_into_kmac_and_siphash)
{
	static const struct row_case rows[] = {{"KCF_KMAC-128", "KMAC-128", NULL, 32},
					       {"KCF_KMAC-256", "KMAC-256", NULL, 32},
					       {"KCF_SIPHASH", "SIPHASH", NULL, 16}};
	uint8_t data[50], expect[600], out[600];

	fill(data, sizeof(data), 6);
	for (size_t i = 0; i < N(rows); i++) {
		struct fake_template t = template_case(&rows[i]);
		struct kcf_param_mac param = {.mac_len = i == 2 ? 8 : 100};
		struct call c = {.t = &t, .op = KCF_OP_MAC, .param = &param, .in = data,
				 .in_len = 50, .out = out, .room = 600};

		for (int again = 0; again < 2; again++) {
			evp_mac(&rows[i], NULL, data, 50, param.mac_len, expect);
			ck_assert_int_eq(run(&c), KCF_SUCCESS);
			ck_bytes(&rows[i], "length", out, c.out_len, expect, param.mac_len);
			param.mac_len = i == 2 ? 16 : 20;
		}
		param.mac_len = i == 2 ? 12 : 513;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(customises_kmac)
{
	/* NIST SP 800-185 sample 2: KMAC128 with customisation */
	static const uint8_t expect[] = {0x3b, 0x1f, 0xba, 0x96, 0x3c, 0xd8, 0xb0, 0xb5, 0x9e, 0x8c, 0x1a,
					 0x6d, 0x71, 0x88, 0x8b, 0x71, 0x43, 0x65, 0x1a, 0xf8, 0xba, 0x0a,
					 0x70, 0x70, 0xc0, 0x97, 0x9e, 0x28, 0x11, 0x32, 0x4a, 0xa5};
	static const uint8_t data[] = {0, 1, 2, 3};
	const struct row_case rc = {"KCF_KMAC-128"};
	struct kcf_param_mac param = {.custom = (const uint8_t *)"My Tagged Application",
				      .custom_len = 21};
	uint8_t key[32], out[32];
	struct fake_template t;
	struct call c = {.t = &t, .op = KCF_OP_MAC, .param = &param, .in = data, .in_len = 4,
			 .out = out, .room = 32};

	for (unsigned i = 0; i < 32; i++)
		key[i] = 0x40 + i;
	t = template_of(rc.name, key, 32);
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_bytes(&rc, "custom", out, c.out_len, expect, 32);
	c.param = NULL;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_int_ne(memcmp(out, expect, 32), 0); /* the custom string is not remembered */
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(macs_with_an_empty_key)
{
	/* HMAC-SHA-256 of nothing under nothing */
	static const uint8_t expect[] = {0xb6, 0x13, 0x67, 0x9a, 0x08, 0x14, 0xd9, 0xec, 0x77, 0x2f, 0x95,
					 0xd7, 0x78, 0xc3, 0x5f, 0xc5, 0xff, 0x16, 0x97, 0xc4, 0x93, 0x71,
					 0x56, 0x53, 0xc6, 0xc7, 0x12, 0x14, 0x42, 0x92, 0xc5, 0xad};
	struct fake_template t = template_of("CKM_SHA256_HMAC", "", 0);
	uint8_t out[32];
	struct call c = {.t = &t, .op = KCF_OP_MAC, .in = NULL, .in_len = 0, .out = out, .room = 32};

	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	ck_assert_mem_eq(out, expect, 32);
	fake_template_free(&fake, &t);
}
END_TEST

/* ---- ciphers --------------------------------------------------------------------------------- */

static size_t evp_cipher(const struct row_case *rc, const uint8_t *iv, const uint8_t *data, size_t len,
			 uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, rc->evp, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[256];
	int n = 0, m = 0;

	fill(key, sizeof(key), 1);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, cipher, key, rc->iv_len ? iv : NULL, NULL), 1);
	EVP_CIPHER_CTX_set_padding(ctx, rc->padded);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, data, (int)len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, out + n, &m), 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return n + m;
}

static void both_directions(const struct row_case *rc, const struct fake_template *t, size_t len,
			    bool multi)
{
	uint8_t data[DATA_MAX], iv[16], expect[DATA_MAX + 64];
	struct kcf_param_iv param = {iv, rc->iv_len};
	struct call c = {.t = t, .op = KCF_OP_ENCRYPT, .in = data, .in_len = len};
	size_t expect_len;

	fill(data, sizeof(data), 7);
	fill(iv, sizeof(iv), 8);
	expect_len = evp_cipher(rc, iv, data, len, expect);
	c.param = rc->iv_len ? &param : NULL;
	all_ways(rc, &c, expect, expect_len, multi);
	if (multi)
		in_place_parts(rc, &c, expect, expect_len);
	c.op = KCF_OP_DECRYPT;
	c.in = expect;
	c.in_len = expect_len;
	all_ways(rc, &c, data, len, multi);
	if (multi)
		in_place_parts(rc, &c, data, len);
}

START_TEST(ciphers_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &ciphers[_i];
	struct fake_template t = template_case(rc);

	for (size_t i = 0; i < N(lengths); i++)
		if (rc->padded || lengths[i] % rc->block == 0)
			both_directions(rc, &t, lengths[i], true);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(ciphers_whole_messages_in_every_way_as_evp_does)
{
	const struct row_case *rc = &wholes[_i];
	struct fake_template t = template_case(rc);
	size_t min = strstr(rc->name, "KWP") ? 1 : 16;

	for (size_t i = 0; i < N(lengths); i++)
		if (lengths[i] >= min && lengths[i] % rc->block == 0)
			both_directions(rc, &t, lengths[i], false);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_lengths_no_block_cipher_has)
{
	uint8_t data[64] = {0}, out[80], iv[16] = {0};
	struct kcf_param_iv param = {iv, 0};

	for (size_t i = 0; i < N(ciphers); i++) {
		const struct row_case *rc = &ciphers[i];
		struct fake_template t = template_case(rc);
		struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .in = data, .in_len = 17, .out = out,
				 .room = sizeof(out)};

		param.iv_len = rc->iv_len;
		c.param = rc->iv_len ? &param : NULL;
		if (rc->block > 1 && !rc->padded) {
			ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
			ck_assert_int_eq(run_parts(&c, 5, false), KCF_DATA_LEN_RANGE);
		}
		c.op = KCF_OP_DECRYPT;
		if (rc->block > 1) {
			ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
			ck_assert_int_eq(run_parts(&c, 5, true), KCF_ENCRYPTED_DATA_LEN_RANGE);
		}
		if (rc->padded) {
			c.in_len = 0;
			ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
		}
		if (rc->iv_len) {
			c.in_len = 16;
			param.iv_len--;
			ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
			c.param = NULL;
			ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		}
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(refuses_lengths_no_whole_message_has)
{
	static const struct {
		const char *name;
		size_t enc, dec;
	} rows[] = {{"CKM_AES_XTS", 15, 15}, {"CKM_AES_CTS", 15, 15}, {"CKM_AES_KEY_WRAP", 8, 16},
		    {"CKM_AES_KEY_WRAP", 17, 25}, {"CKM_AES_KEY_WRAP_KWP", 0, 8},
		    {"CKM_AES_KEY_WRAP_KWP", 0, 17}};
	uint8_t data[64] = {0}, out[80], iv[16] = {0}, key[32];
	struct kcf_param_iv param = {iv, 16};

	fill(key, sizeof(key), 9);
	for (size_t i = 0; i < N(rows); i++) {
		struct fake_template t = template_of(rows[i].name, key, 32);
		struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .param = &param, .in = data,
				 .in_len = rows[i].enc, .out = out, .room = sizeof(out)};

		ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE);
		c.op = KCF_OP_DECRYPT;
		c.in_len = rows[i].dec;
		ck_assert_int_eq(run(&c), KCF_ENCRYPTED_DATA_LEN_RANGE);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(gives_bad_padding_one_status_and_writes_nothing)
{
	uint8_t key[16] = {1}, iv[16] = {2}, plain[32], crypt[32], out[32], zero[32] = {0};
	struct fake_template raw = template_of("CKM_AES_CBC", key, 16);
	struct fake_template padded = template_of("CKM_AES_CBC_PAD", key, 16);
	struct kcf_param_iv param = {iv, 16};

	for (unsigned pad = 0; pad < 256; pad++) {
		struct call c = {.t = &raw, .op = KCF_OP_ENCRYPT, .param = &param, .in = plain,
				 .in_len = 32, .out = crypt, .room = 32};
		bool good = pad >= 1 && pad <= 16;

		memset(plain, (int)pad, sizeof(plain));
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &padded, .op = KCF_OP_DECRYPT, .param = &param, .in = crypt,
				  .in_len = 32, .out = out, .room = 32};
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run(&c), good ? KCF_SUCCESS : KCF_INVALID_MAC);
		ck_assert_uint_eq(c.out_len, good ? 32 - pad : 0);
		if (!good)
			ck_assert_mem_eq(out, zero, 32);
		ck_assert_int_eq(run_parts(&c, 32, false), good ? KCF_SUCCESS : KCF_INVALID_MAC);
		if (pad < 2 || pad > 16)
			continue;
		plain[31 - pad / 2] ^= 1; /* one padding byte is wrong */
		c = (struct call){.t = &raw, .op = KCF_OP_ENCRYPT, .param = &param, .in = plain,
				  .in_len = 32, .out = crypt, .room = 32};
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &padded, .op = KCF_OP_DECRYPT, .param = &param, .in = crypt,
				  .in_len = 32, .out = out, .room = 32};
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	}
	fake_template_free(&fake, &raw);
	fake_template_free(&fake, &padded);
}
END_TEST

START_TEST(refuses_a_wrapped_key_that_was_changed)
{
	static const char *const names[] = {"CKM_AES_KEY_WRAP", "CKM_AES_KEY_WRAP_KWP"};
	uint8_t kek[32], key[24], wrapped[40], out[40];

	fill(kek, sizeof(kek), 10);
	fill(key, sizeof(key), 11);
	for (size_t i = 0; i < N(names); i++) {
		struct fake_template t = template_of(names[i], kek, 32);
		struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .in = key, .in_len = 24,
				 .out = wrapped, .room = 40};

		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		c = (struct call){.t = &t, .op = KCF_OP_DECRYPT, .in = wrapped,
				  .in_len = c.out_len, .out = out, .room = 40};
		for (size_t bit = 0; bit < c.in_len * 8; bit += 5) {
			memset(out, 0xaa, sizeof(out));
			wrapped[bit / 8] ^= 1 << bit % 8;
			ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
			for (size_t k = 0; k < sizeof(out); k++)
				ck_assert_uint_eq(out[k], 0xaa);
			wrapped[bit / 8] ^= 1 << bit % 8;
		}
		ck_assert_int_eq(run(&c), KCF_SUCCESS);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(refuses_keys_of_wrong_length_or_weak)
{
	uint8_t key[1 + 8192] = {0};
	struct fake_template t;

	for (uint32_t row = 0; row < fake.desc->n_rows; row++) {
		const struct kcf_mech_row *r = &fake.desc->rows[row];
		struct kcf_key_data data = {KCF_KEY_RAW, key, r->key_max_bits / 8 + 1};

		if (r->key_max_bits == 0 || r->flags & KCF_ROW_FORMAT(KCF_KEY_PKCS8))
			continue;
		ck_assert_int_eq(fake_template_new(&fake, row, &data, &t), KCF_KEY_SIZE_RANGE);
		data.len = r->key_min_bits / 8 - 1;
		if (r->key_min_bits > 0)
			ck_assert_int_eq(fake_template_new(&fake, row, &data, &t),
					 KCF_KEY_SIZE_RANGE);
		data.len = r->key_max_bits / 8;
		data.format = KCF_KEY_PKCS8;
		ck_assert_int_eq(fake_template_new(&fake, row, &data, &t),
				 KCF_KEY_TYPE_INCONSISTENT);
	}
	struct kcf_key_data equal_halves = {KCF_KEY_RAW, key, 64};
	ck_assert_int_eq(fake_template_new(&fake, fake_row(&fake, "CKM_AES_XTS", ~0u),
					   &equal_halves, &t),
			 KCF_KEY_TYPE_INCONSISTENT);
	equal_halves.len = 48;
	ck_assert_int_eq(fake_template_new(&fake, fake_row(&fake, "CKM_AES_XTS", ~0u),
					   &equal_halves, &t),
			 KCF_KEY_SIZE_RANGE);
}
END_TEST

/* ---- AEAD ------------------------------------------------------------------------------------ */

static void evp_aead(const struct row_case *rc, const struct kcf_param_aead *p, const uint8_t *data,
		     size_t len, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, rc->evp, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ccm = strstr(rc->evp, "CCM"), ocb = strstr(rc->evp, "OCB");
	uint8_t key[256], none[1];
	int n = 0, m = 0;

	fill(key, sizeof(key), 1);
	EVP_EncryptInit_ex2(ctx, cipher, NULL, NULL, NULL);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)p->iv_len, NULL);
	if (ccm || ocb)
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)p->tag_len, NULL);
	ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, NULL, key, p->iv, NULL), 1);
	if (ccm)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, NULL, (int)len), 1);
	if (p->aad_len)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, p->aad, (int)p->aad_len), 1);
	n = 0;
	if (len || ccm)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &n, len ? data : none, (int)len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, out + n, &m), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)p->tag_len, out + len),
			 1);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

static bool aead_streams(const struct row_case *rc)
{
	return !strstr(rc->evp, "CCM");
}

/* Nothing before final, and nothing of a message whose tag is wrong. */
static void aead_twin(struct call *c, size_t len)
{
	static uint8_t twin[DATA_MAX + 16], out[DATA_MAX + 16];
	static const uint8_t zero[DATA_MAX + 16];
	struct call bad = *c;

	bad.in = twin;
	bad.out = out;
	bad.room = len;
	for (size_t at = 0; at < c->in_len; at += 1 + c->in_len / 7) {
		memcpy(twin, c->in, c->in_len);
		twin[at] ^= 0x10;
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(run(&bad), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
		ck_assert_int_eq(run_cut(&bad, 3, 7), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
		ck_assert_int_eq(run_parts(&bad, 100, at & 1), KCF_INVALID_MAC);
		ck_assert_mem_eq(out, zero, len);
	}
	bad.in_len = 3;
	ck_assert_int_eq(run(&bad), KCF_ENCRYPTED_DATA_LEN_RANGE);
	ck_assert_int_eq(run_parts(&bad, 2, false), KCF_ENCRYPTED_DATA_LEN_RANGE);
}

START_TEST(aeads_every_length_in_every_way_as_evp_does)
{
	const struct row_case *rc = &aeads[_i];
	static const size_t tags[] = {16, 8, 12, 16};
	struct fake_template t = template_case(rc);
	uint8_t data[DATA_MAX], aad[300], iv[128], expect[DATA_MAX + 16];

	fill(data, sizeof(data), 12);
	fill(aad, sizeof(aad), 13);
	fill(iv, sizeof(iv), 14);
	for (size_t i = 0; i < N(lengths); i++) {
		size_t tag_len = strstr(rc->evp, "Poly1305") ? 16 : tags[i % N(tags)];
		struct kcf_param_aead p = {.iv = iv, .iv_len = rc->iv_len, .aad = aad,
					   .aad_len = i * 13 % 300, .tag_len = tag_len};
		struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .param = &p, .in = data,
				 .in_len = lengths[i]};

		iv[0] += i;
		evp_aead(rc, &p, data, lengths[i], expect);
		all_ways(rc, &c, expect, lengths[i] + tag_len, true);
		if (aead_streams(rc))
			in_place_parts(rc, &c, expect, lengths[i] + tag_len);
		c = (struct call){.t = &t, .op = KCF_OP_DECRYPT, .param = &p, .in = expect,
				  .in_len = lengths[i] + tag_len};
		all_ways(rc, &c, data, lengths[i], true);
		aead_twin(&c, lengths[i]);
		p.aad_len++;
		c.out = data;
		c.room = sizeof(data);
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC); /* and it wipes data */
		fill(data, sizeof(data), 12);
	}
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(yields_nothing_of_an_aead_decryption_before_final)
{
	for (size_t i = 0; i < N(aeads); i++) {
		struct fake_template t = template_case(&aeads[i]);
		uint8_t iv[128] = {0}, buf[64] = {0}, out[64];
		struct kcf_param_aead p = {.iv = iv, .iv_len = aeads[i].iv_len};
		struct iovec in_v = {buf, 64}, out_v = {out, 64};
		struct kcf_job job;
		void *ctx;

		fake_job(&job, &t, KCF_OP_DECRYPT, KCF_INIT, &p);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		ctx = job.ctx;
		fake_job(&job, &t, KCF_OP_DECRYPT, KCF_UPDATE, NULL);
		job.ctx = ctx;
		fake_job_in(&job, &in_v, 1);
		fake_job_out(&job, &out_v, 1);
		ck_assert_int_eq(fake_run(&fake, &job), KCF_SUCCESS);
		ck_assert_uint_eq(job.out_len, 0);
		fake.desc->ops->context_free(fake.prov, ctx);
		fake_template_free(&fake, &t);
	}
}
END_TEST

START_TEST(bounds_what_an_aead_context_holds_back)
{
	static uint8_t big[(1 << 20) + 64], out[(1 << 20) + 64];
	uint8_t key[16] = {1}, iv[12] = {2};
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct fake_template t = template_of("CKM_AES_GCM", key, 16);
	struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .param = &p, .in = big, .in_len = 1 << 20,
			 .out = out, .room = sizeof(out)};

	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, (1 << 20) + 16);
	memcpy(big, out, sizeof(big));
	c.op = KCF_OP_DECRYPT;
	c.in_len = (1 << 20) + 16;
	ck_assert_int_eq(run_parts(&c, 100000, true), KCF_SUCCESS);
	ck_assert_uint_eq(c.out_len, 1 << 20);
	c.in_len++;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	fake_template_free(&fake, &t);

	t = template_of("CKM_AES_CCM", key, 16);
	c.op = KCF_OP_ENCRYPT;
	c.in_len = (1 << 20) + 1;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	p.data_len = (1 << 20) + 1;
	ck_assert_int_eq(run_parts(&c, 100000, false), KCF_BUFFER_TOO_BIG);
	p.data_len = 100;
	c.in_len = 100;
	ck_assert_int_eq(run_parts(&c, 7, false), KCF_SUCCESS);
	c.in_len = 99;
	ck_assert_int_eq(run_parts(&c, 7, false), KCF_DATA_LEN_RANGE);
	fake_template_free(&fake, &t);
}
END_TEST

START_TEST(refuses_aead_parameters_out_of_range)
{
	static const struct {
		const char *name;
		size_t key_len, iv_len, tag_len;
	} bad[] = {
		{"CKM_AES_GCM", 16, 0, 16},	      {"CKM_AES_GCM", 16, 129, 16},
		{"CKM_AES_GCM", 16, 12, 17},	      {"CKM_AES_GCM", 16, 12, 5},
		{"CKM_AES_GCM", 16, 12, 11},	      {"CKM_AES_CCM", 16, 6, 16},
		{"CKM_AES_CCM", 16, 14, 16},	      {"CKM_AES_CCM", 16, 12, 5},
		{"CKM_AES_CCM", 16, 12, 2},	      {"CKM_CHACHA20_POLY1305", 32, 11, 16},
		{"CKM_CHACHA20_POLY1305", 32, 12, 8}, {"KCF_AES-OCB", 16, 16, 16},
		{"KCF_AES-OCB", 16, 0, 16},	      {"KCF_AES-OCB", 16, 12, 7},
	};
	uint8_t key[32] = {1}, iv[130] = {0}, data[16] = {0}, out[64];

	for (size_t i = 0; i < N(bad); i++) {
		struct fake_template t = template_of(bad[i].name, key, bad[i].key_len);
		struct kcf_param_aead p = {.iv = iv, .iv_len = bad[i].iv_len,
					   .tag_len = bad[i].tag_len};
		struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .param = &p, .in = data,
				 .in_len = 16, .out = out, .room = 64};

		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		ck_assert_int_eq(run_parts(&c, 16, false), KCF_MECHANISM_PARAM_INVALID);
		c.param = NULL;
		ck_assert_int_eq(run(&c), KCF_MECHANISM_PARAM_INVALID);
		fake_template_free(&fake, &t);
	}
	static uint8_t long_data[65536 + 16], long_out[65536 + 32];
	struct fake_template t = template_of("CKM_AES_CCM", key, 16);
	struct kcf_param_aead p = {.iv = iv, .iv_len = 13, .tag_len = 16};
	struct call c = {.t = &t, .op = KCF_OP_ENCRYPT, .param = &p, .in = long_data,
			 .in_len = 65536, .out = long_out, .room = sizeof(long_out)};

	ck_assert_int_eq(run(&c), KCF_DATA_LEN_RANGE); /* a 13-byte nonce leaves two for the length */
	c.in_len = 65535;
	ck_assert_int_eq(run(&c), KCF_SUCCESS);
	fake_template_free(&fake, &t);
}
END_TEST

/* ---- the module ------------------------------------------------------------------------------ */

START_TEST(offers_every_mechanism_of_the_list)
{
#define KCF__X(ident, number, name, alias, classes_, kind)                                         \
	{                                                                                          \
		int row = fake_row(&fake, name, ~0u);                                              \
                                                                                                   \
		ck_assert_msg(row >= 0, "%s", name);                                               \
		ck_assert_uint_eq(fake.desc->rows[row].classes, (classes_));                       \
		ck_assert_uint_eq(fake.desc->rows[row].param_kind, KCF_PARAM_##kind);              \
		ck_assert_uint_gt(fake.desc->rows[row].setup_ns, 0);                               \
	}
	KCF_MECH_LIST(KCF__X)
#undef KCF__X
}
END_TEST

START_TEST(passes_its_known_answers)
{
	ck_assert_int_eq(fake.desc->ops->self_test(fake.prov), KCF_SUCCESS);
}
END_TEST

START_TEST(leaves_the_error_queue_as_it_was)
{
	uint8_t key[32] = {1}, iv[16] = {2}, data[64] = {3}, out[64];
	struct kcf_param_aead p = {.iv = iv, .iv_len = 12};
	struct fake_template t;

	ERR_raise(ERR_LIB_USER, 42);
	unsigned long mine = ERR_peek_error();
	for (size_t i = 0; i < N(aeads); i++) {
		struct call c = {.t = &t, .op = KCF_OP_DECRYPT, .param = &p, .in = data,
				 .in_len = 64, .out = out, .room = 64};

		p.iv_len = aeads[i].iv_len == 128 ? 12 : aeads[i].iv_len;
		t = template_case(&aeads[i]);
		ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
		ck_assert_uint_eq(ERR_peek_last_error(), mine);
		fake_template_free(&fake, &t);
	}
	t = template_of("CKM_AES_KEY_WRAP", key, 32);
	struct call c = {.t = &t, .op = KCF_OP_DECRYPT, .in = data, .in_len = 64, .out = out, .room = 64};
	ck_assert_int_eq(run(&c), KCF_INVALID_MAC);
	ck_assert_uint_eq(ERR_get_error(), mine);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	fake_template_free(&fake, &t);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("openssl");
	TCase *tc = tcase_create("symmetric");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, offers_every_mechanism_of_the_list);
	tcase_add_test(tc, passes_its_known_answers);
	tcase_add_test(tc, leaves_the_error_queue_as_it_was);
	tcase_add_loop_test(tc, digests_every_length_in_every_way_as_evp_does, 0, N(digests));
	tcase_add_test(tc, makes_xof_output_of_the_length_asked_for);
	tcase_add_loop_test(tc, macs_every_length_in_every_way_as_evp_does, 0, N(macs));
	tcase_add_test(tc, truncates_a_mac_and_wants_the_length_asked_for);
	tcase_add_test(tc, binds_the_length_into_kmac_and_siphash);
	tcase_add_test(tc, customises_kmac);
	tcase_add_test(tc, macs_with_an_empty_key);
	tcase_add_loop_test(tc, ciphers_every_length_in_every_way_as_evp_does, 0, N(ciphers));
	tcase_add_loop_test(tc, ciphers_whole_messages_in_every_way_as_evp_does, 0, N(wholes));
	tcase_add_test(tc, refuses_lengths_no_block_cipher_has);
	tcase_add_test(tc, refuses_lengths_no_whole_message_has);
	tcase_add_test(tc, gives_bad_padding_one_status_and_writes_nothing);
	tcase_add_test(tc, refuses_a_wrapped_key_that_was_changed);
	tcase_add_test(tc, refuses_keys_of_wrong_length_or_weak);
	tcase_add_loop_test(tc, aeads_every_length_in_every_way_as_evp_does, 0, N(aeads));
	tcase_add_test(tc, yields_nothing_of_an_aead_decryption_before_final);
	tcase_add_test(tc, bounds_what_an_aead_context_holds_back);
	tcase_add_test(tc, refuses_aead_parameters_out_of_range);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
