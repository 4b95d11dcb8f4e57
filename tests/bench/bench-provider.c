/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-provider - one provider module, alone and in bursts, beside EVP with contexts reused.
 *
 * usage: bench-provider MODULE [MECHANISM]
 *
 * No framework is in between: the module is loaded and submit called. Each line is the median of
 * interleaved rounds; the last columns are millions of operations a second of one burst's jobs.
 */
#include "fake-host.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST    32
#define ROUNDS   41
#define ROUND_NS 400000
#define LEN_MAX  16384
#define BUF_LEN  (LEN_MAX + 64)

struct what {
	const char *name, *mac; /* mac: of a dual operation */
	enum kcf_op op;
	uint32_t class;
	unsigned key_len, iv_len;
	const char *evp, *evp_mac, *evp_sub;
	size_t lens[3];
};

static const struct what whats[] = {
	{"CKM_AES_GCM",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_AEAD,
	 32,
	 12,
	 "AES-256-GCM",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_GCM",
	 NULL,
	 KCF_OP_DECRYPT,
	 KCF_CLASS_AEAD,
	 32,
	 12,
	 "AES-256-GCM",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_CHACHA20_POLY1305",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_AEAD,
	 32,
	 12,
	 "ChaCha20-Poly1305",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CCM",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_AEAD,
	 16,
	 12,
	 "AES-128-CCM",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CBC",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CBC",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CBC",
	 NULL,
	 KCF_OP_DECRYPT,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CBC",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CTR",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CTR",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CFB128",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CFB",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_DES3_CBC",
	 NULL,
	 KCF_OP_ENCRYPT,
	 KCF_CLASS_CIPHER,
	 24,
	 8,
	 "DES-EDE3-CBC",
	 NULL,
	 NULL,
	 {64, 1024, 0}},
	{"CKM_SHA_1",
	 NULL,
	 KCF_OP_DIGEST,
	 KCF_CLASS_DIGEST,
	 0,
	 0,
	 "SHA1",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_SHA256",
	 NULL,
	 KCF_OP_DIGEST,
	 KCF_CLASS_DIGEST,
	 0,
	 0,
	 "SHA2-256",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_SHA512",
	 NULL,
	 KCF_OP_DIGEST,
	 KCF_CLASS_DIGEST,
	 0,
	 0,
	 "SHA2-512",
	 NULL,
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_SHA_1_HMAC",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 20,
	 0,
	 NULL,
	 "HMAC",
	 "SHA1",
	 {64, 1024, 16384}},
	{"CKM_SHA256_HMAC",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 32,
	 0,
	 NULL,
	 "HMAC",
	 "SHA2-256",
	 {64, 1024, 16384}},
	{"CKM_SHA512_HMAC",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 64,
	 0,
	 NULL,
	 "HMAC",
	 "SHA2-512",
	 {64, 1024, 16384}},
	{"CKM_AES_CMAC",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 16,
	 0,
	 NULL,
	 "CMAC",
	 "AES-128-CBC",
	 {64, 1024, 16384}},
	{"CKM_AES_GMAC",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 16,
	 12,
	 NULL,
	 "GMAC",
	 "AES-128-GCM",
	 {64, 1024, 16384}},
	{"CKM_POLY1305",
	 NULL,
	 KCF_OP_MAC,
	 KCF_CLASS_MAC,
	 32,
	 0,
	 NULL,
	 "POLY1305",
	 NULL,
	 {64, 1024, 16384}},
	{"CKM_AES_CBC",
	 "CKM_SHA256_HMAC",
	 KCF_OP_ENCRYPT_MAC,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CBC",
	 "HMAC",
	 "SHA2-256",
	 {64, 1024, 16384}},
	{"CKM_AES_CBC",
	 "CKM_SHA256_HMAC",
	 KCF_OP_MAC_DECRYPT,
	 KCF_CLASS_CIPHER,
	 16,
	 16,
	 "AES-128-CBC",
	 "HMAC",
	 "SHA2-256",
	 {64, 1024, 16384}},
};

static const char *op_name(enum kcf_op op)
{
	return op == KCF_OP_DECRYPT || op == KCF_OP_MAC_DECRYPT   ? "decrypt"
	       : op == KCF_OP_ENCRYPT || op == KCF_OP_ENCRYPT_MAC ? "encrypt"
								  : "";
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench-provider: %s\n", what);
	exit(1);
}

/* ---- EVP ------------------------------------------------------------------------------------- */

struct evp {
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
	EVP_MD_CTX *digest;
	const EVP_MD *md;
};

static uint8_t key[64], iv[16]; /* of no importance */

static bool decrypts(const struct what *w)
{
	return w->op == KCF_OP_DECRYPT || w->op == KCF_OP_MAC_DECRYPT;
}

static void evp_open(struct evp *e, const struct what *w)
{
	OSSL_PARAM params[2] = {OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};

	memset(e, 0, sizeof(*e));
	if (w->class == KCF_CLASS_DIGEST) {
		e->digest = EVP_MD_CTX_new();
		e->md = EVP_MD_fetch(NULL, w->evp, NULL);
		return;
	}
	if (w->evp) {
		e->cipher = EVP_CIPHER_CTX_new();
		EVP_CipherInit_ex2(e->cipher, EVP_CIPHER_fetch(NULL, w->evp, NULL), NULL, NULL,
				   !decrypts(w), NULL);
		if (strstr(w->evp, "CCM"))
			EVP_CIPHER_CTX_ctrl(e->cipher, EVP_CTRL_AEAD_SET_TAG, 16, NULL);
		EVP_CipherInit_ex2(e->cipher, NULL, key, iv, !decrypts(w), NULL);
		EVP_CIPHER_CTX_set_padding(e->cipher, 0);
	}
	if (!w->evp_mac)
		return;
	e->mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, w->evp_mac, NULL));
	if (w->evp_sub)
		params[0] = OSSL_PARAM_construct_utf8_string(
			strcmp(w->evp_mac, "HMAC") ? "cipher" : "digest", (char *)w->evp_sub, 0);
	EVP_MAC_init(e->mac, key, w->mac ? 32 : w->key_len, params);
}

static void evp_mac(struct evp *e, const struct what *w, const uint8_t *in, size_t len)
{
	OSSL_PARAM nonce[] = {OSSL_PARAM_construct_octet_string("iv", (void *)iv, 12),
			      OSSL_PARAM_construct_end()};
	uint8_t tag[64];
	size_t n;
	bool gmac = strcmp(w->evp_mac, "GMAC") == 0, poly = strcmp(w->evp_mac, "POLY1305") == 0;

	EVP_MAC_init(e->mac, poly ? key : NULL, poly ? 32 : 0, gmac ? nonce : NULL);
	EVP_MAC_update(e->mac, in, len);
	EVP_MAC_final(e->mac, tag, &n, sizeof(tag));
}

static void evp_run(struct evp *e, const struct what *w, const uint8_t *in, uint8_t *out,
		    size_t len)
{
	uint8_t tag[64] = {0};
	int n;

	if (e->digest) {
		EVP_DigestInit_ex2(e->digest, e->md, NULL);
		EVP_DigestUpdate(e->digest, in, len);
		EVP_DigestFinal_ex(e->digest, tag, NULL);
		return;
	}
	if (w->op == KCF_OP_MAC_DECRYPT)
		evp_mac(e, w, in, len);
	if (e->cipher) {
		EVP_CipherInit_ex2(e->cipher, NULL, NULL, iv, -1, NULL);
		if (w->op == KCF_OP_DECRYPT && w->class == KCF_CLASS_AEAD)
			EVP_CIPHER_CTX_ctrl(e->cipher, EVP_CTRL_AEAD_SET_TAG, 16, tag);
		EVP_CipherUpdate(e->cipher, out, &n, in, (int)len);
		if (w->class == KCF_CLASS_AEAD)
			EVP_CipherFinal_ex(e->cipher, out, &n);
		if (w->op == KCF_OP_ENCRYPT && w->class == KCF_CLASS_AEAD)
			EVP_CIPHER_CTX_ctrl(e->cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag);
	}
	if (e->mac && w->op != KCF_OP_MAC_DECRYPT)
		evp_mac(e, w, w->mac ? out : in, len);
}

/* ---- the module ------------------------------------------------------------------------------ */

struct bench {
	struct fake_host host;
	const struct what *what;
	struct fake_template tmpl, mac;
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	uint8_t *in[BURST], *out[BURST], check[BURST][64];
	struct iovec in_iov[BURST], out_iov[BURST], check_iov[BURST];
	struct kcf_job jobs[BURST], *list[BURST];
	struct evp evp;
};

static struct fake_template template_of(struct bench *b, const char *name, uint32_t class,
					size_t key_len)
{
	struct kcf_key_data data = {KCF_KEY_RAW, key, key_len};
	int row = fake_row(&b->host, name, class);
	struct fake_template t;

	if (row < 0 ||
	    fake_template_new(&b->host, (uint32_t)row, key_len ? &data : NULL, &t) != KCF_SUCCESS)
		die(name);
	return t;
}

static void bench_job(struct bench *b, unsigned i, enum kcf_op op, size_t len, size_t room)
{
	struct kcf_job *job = &b->jobs[i];

	fake_job(job, &b->tmpl, op, KCF_SINGLE, &b->param);
	b->in_iov[i] = (struct iovec){b->in[i], len};
	b->out_iov[i] = (struct iovec){b->out[i], room};
	fake_job_in(job, &b->in_iov[i], 1);
	fake_job_out(job, &b->out_iov[i], 1);
	if (!b->what->mac)
		return;
	job->row2 = b->mac.row;
	job->tmpl2 = b->mac.tmpl;
	job->thread2 = b->mac.thread;
	b->check_iov[i] = (struct iovec){b->check[i], op == KCF_OP_MAC_DECRYPT ? 32 : 64};
	fake_job_check(job, &b->check_iov[i], 1);
}

static void submit(struct bench *b, unsigned n)
{
	b->host.desc->ops->submit(b->host.prov, b->list, n);
	for (unsigned i = 0; i < n; i++)
		if (b->jobs[i].status != KCF_SUCCESS)
			die("a job failed");
}

/* Decryption gets what encryption made. */
static void prepare(struct bench *b, size_t len)
{
	const struct what *w = b->what;
	bool aead = w->class == KCF_CLASS_AEAD;

	for (unsigned i = 0; i < BURST; i++) {
		b->list[i] = &b->jobs[i];
		memset(b->in[i], (int)i, len);
		bench_job(b, i,
			  w->op == KCF_OP_DECRYPT       ? KCF_OP_ENCRYPT
			  : w->op == KCF_OP_MAC_DECRYPT ? KCF_OP_ENCRYPT_MAC
							: w->op,
			  len, BUF_LEN);
	}
	submit(b, BURST);
	for (unsigned i = 0; i < BURST && decrypts(w); i++) {
		memcpy(b->in[i], b->out[i], BUF_LEN);
		bench_job(b, i, w->op, len + (aead ? 16 : 0), BUF_LEN);
	}
}

/* ---- measuring ------------------------------------------------------------------------------- */

enum who { EVP, ALONE, TOGETHER, WHO_COUNT };

/* ns per operation, of one round. */
static double round_ns(struct bench *b, enum who who, size_t len)
{
	double start = now_ns(), ns;
	unsigned ops = 0;

	do {
		for (unsigned i = 0; i < BURST && who == EVP; i++)
			evp_run(&b->evp, b->what, b->in[i], b->out[i], len);
		for (unsigned i = 0; i < BURST && who == ALONE; i++)
			b->host.desc->ops->submit(b->host.prov, &b->list[i], 1);
		if (who == TOGETHER)
			b->host.desc->ops->submit(b->host.prov, b->list, BURST);
		ops += BURST;
		ns = now_ns() - start;
	} while (ns < ROUND_NS);
	return ns / ops;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct bench *b, size_t len)
{
	double ns[WHO_COUNT][ROUNDS];

	prepare(b, len);
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned who = 0; who < WHO_COUNT; who++)
			ns[who][r] = round_ns(b, who, len);
	for (unsigned who = 0; who < WHO_COUNT; who++)
		qsort(ns[who], ROUNDS, sizeof(double), by_value);
	printf("%-22s %-16s %-8s %6zu %9.0f %9.0f %9.0f %6.2f %6.2f %7.2f\n", b->what->name,
	       b->what->mac ? b->what->mac : "", op_name(b->what->op), len, ns[EVP][ROUNDS / 2],
	       ns[ALONE][ROUNDS / 2], ns[TOGETHER][ROUNDS / 2],
	       ns[EVP][ROUNDS / 2] / ns[ALONE][ROUNDS / 2],
	       ns[EVP][ROUNDS / 2] / ns[TOGETHER][ROUNDS / 2], 1e3 / ns[TOGETHER][ROUNDS / 2]);
	fflush(stdout);
}

static void bench_what(struct bench *b, const struct what *w)
{
	if (fake_row(&b->host, w->name, w->class) < 0 ||
	    (w->mac && (!b->host.desc->ops->dual || fake_row(&b->host, w->mac, KCF_CLASS_MAC) < 0)))
		return;
	b->what = w;
	b->tmpl = template_of(b, w->name, w->class, w->key_len);
	memset(&b->param, 0, sizeof(b->param));
	if (w->class == KCF_CLASS_AEAD)
		b->param.aead = (struct kcf_param_aead){.iv = iv, .iv_len = w->iv_len};
	else if (w->class == KCF_CLASS_CIPHER)
		b->param.iv = (struct kcf_param_iv){iv, w->iv_len};
	else if (w->iv_len)
		b->param.mac = (struct kcf_param_mac){.iv = iv, .iv_len = w->iv_len};
	if (w->mac)
		b->mac = template_of(b, w->mac, KCF_CLASS_MAC, 32);
	evp_open(&b->evp, w);
	for (unsigned i = 0; i < 3 && w->lens[i]; i++)
		measure(b, w->lens[i]);
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc < 2 || fake_host_open(&b.host, argv[1], NULL) != KCF_SUCCESS)
		die("usage: bench-provider MODULE [MECHANISM]");
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	for (unsigned i = 0; i < BURST; i++) {
		b.in[i] = aligned_alloc(64, BUF_LEN);
		b.out[i] = aligned_alloc(64, BUF_LEN);
		if (!b.in[i] || !b.out[i])
			die("out of memory");
	}
	printf("%-22s %-16s %-8s %6s %9s %9s %9s %6s %6s %7s\n", "mechanism", "", "", "bytes",
	       "EVP ns", "alone ns", "burst ns", "alone", "burst", "Mop/s");
	for (unsigned i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (argc < 3 || strcmp(argv[2], whats[i].name) == 0)
			bench_what(&b, &whats[i]);
	return 0;
}
