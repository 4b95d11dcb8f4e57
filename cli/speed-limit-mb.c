/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-limit-mb - the probe's engine with Intel's multi-buffer library: AES-GCM by its direct
 * calls, all else as jobs that wait in lanes until these are full or nothing new comes. What is
 * longer than lanes count goes to libcrypto.
 */
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "speed-evp.h"
#include "speed-limit.h"

#define AES128_ROUND_KEYS (11 * 16)
#define SHA256_STATE      32
#define SHA256_BLOCK      64
#define LANE_MAX          65534 /* bytes; lanes count in 16 bits */

struct key {
	struct gcm_key_data gcm;
	__attribute__((aligned(16))) unsigned char enc[AES128_ROUND_KEYS], dec[AES128_ROUND_KEYS];
	unsigned char inner[SHA256_STATE], outer[SHA256_STATE];
};

static struct key keys[SPEED_TEMPLATES];
static unsigned char macs[LIMIT_DEPTH][SPEED_MAC_LEN]; /* computed while decrypting */
static uint64_t begun;
static IMB_MGR *mb;
static struct speed_evp evp;
static enum speed_work_kind kind;
static size_t len;
static unsigned char *base;

static bool is_gcm(void)
{
	return kind == SPEED_GCM_ENC || kind == SPEED_GCM_DEC;
}

/* Decryption alone fills no lanes: it is not counted. */
static bool is_long(void)
{
	return len > LANE_MAX && kind != SPEED_CBC_DEC && !is_gcm();
}

static void prepare_mac(struct key *k, unsigned i)
{
	unsigned char bytes[SPEED_MAC_LEN], block[SHA256_BLOCK];

	speed_key(bytes, sizeof(bytes), i);
	memset(block, 0x36, sizeof(block));
	for (unsigned j = 0; j < sizeof(bytes); j++)
		block[j] ^= bytes[j];
	IMB_SHA256_ONE_BLOCK(mb, block, k->inner);
	memset(block, 0x5c, sizeof(block));
	for (unsigned j = 0; j < sizeof(bytes); j++)
		block[j] ^= bytes[j];
	IMB_SHA256_ONE_BLOCK(mb, block, k->outer);
}

bool limit_engine_open(enum speed_work_kind work, size_t size, unsigned char *payload)
{
	kind = work;
	len = size;
	base = payload;
	if (is_long())
		return speed_evp_open(&evp, work, size);
	mb = alloc_mb_mgr(0);
	if (!mb)
		return false;
	init_mb_mgr_auto(mb, NULL);
	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		unsigned char bytes[32];

		speed_key(bytes, sizeof(bytes), i);
		IMB_AES256_GCM_PRE(mb, bytes, &keys[i].gcm);
		IMB_AES_KEYEXP_128(mb, bytes, keys[i].enc, keys[i].dec);
		prepare_mac(&keys[i], kind == SPEED_HMAC ? i : SPEED_MAC_KEYS + i);
	}
	return imb_get_errno(mb) == 0;
}

/* ---- AES-256-GCM ---- */

static int gcm(const struct limit_entry *e)
{
	const struct gcm_key_data *key = &keys[e->key % SPEED_TEMPLATES].gcm;
	unsigned char *in = base + e->in, *out = base + e->out, tag[SPEED_TAG_LEN];
	struct gcm_context_data ctx;

	if (kind == SPEED_GCM_ENC) {
		IMB_AES256_GCM_ENC(mb, key, &ctx, out, in, len, e->iv, NULL, 0, out + len,
				   SPEED_TAG_LEN);
		return (int)e->slot;
	}
	IMB_AES256_GCM_DEC(mb, key, &ctx, out, in, len, e->iv, NULL, 0, tag, sizeof(tag));
	return CRYPTO_memcmp(tag, in + len, sizeof(tag)) ? LIMIT_FAILED : (int)e->slot;
}

/* ---- jobs ---- */

static bool is_dual(void)
{
	return kind == SPEED_DUAL_ENC || kind == SPEED_DUAL_DEC;
}

static void describe_cipher(IMB_JOB *job, const struct limit_entry *e)
{
	const struct key *key = &keys[e->key % SPEED_TEMPLATES];
	bool encrypt = kind == SPEED_CBC_ENC || kind == SPEED_DUAL_ENC;

	job->cipher_mode = IMB_CIPHER_CBC;
	job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = key->enc;
	job->dec_keys = key->dec;
	job->key_len_in_bytes = IMB_KEY_128_BYTES;
	job->iv = e->iv;
	job->iv_len_in_bytes = SPEED_IV_LEN;
	job->dst = base + e->out;
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = len;
}

static void describe_hash(IMB_JOB *job, const struct limit_entry *e)
{
	const struct key *key = &keys[e->key % SPEED_TEMPLATES];

	job->hash_alg = IMB_AUTH_HMAC_SHA_256;
	job->u.HMAC._hashed_auth_key_xor_ipad = key->inner;
	job->u.HMAC._hashed_auth_key_xor_opad = key->outer;
	/* Counted from src: what was encrypted is where dst is. */
	job->hash_start_src_offset_in_bytes = kind == SPEED_DUAL_ENC ? e->out - e->in : 0;
	job->msg_len_to_hash_in_bytes = len;
	job->auth_tag_output = kind == SPEED_DUAL_ENC ? base + e->out + len
			       : kind == SPEED_HMAC   ? base + e->out
						      : macs[begun % LIMIT_DEPTH];
	job->auth_tag_output_len_in_bytes = SPEED_MAC_LEN;
}

static int finish(const IMB_JOB *job)
{
	if (!job)
		return LIMIT_NONE;
	if (job->status != IMB_STATUS_COMPLETED)
		return LIMIT_FAILED;
	if (kind == SPEED_DUAL_DEC &&
	    CRYPTO_memcmp(job->auth_tag_output, job->src + len, SPEED_MAC_LEN))
		return LIMIT_FAILED;
	return (int)(uintptr_t)job->user_data;
}

int limit_engine_submit(const struct limit_entry *e)
{
	IMB_JOB *job;

	if (is_gcm())
		return gcm(e);
	if (is_long())
		return evp.operate(&evp, e->number, base + e->in, base + e->out) ? (int)e->slot
										 : LIMIT_FAILED;
	job = IMB_GET_NEXT_JOB(mb);
	job->src = base + e->in;
	job->user_data = (void *)(uintptr_t)e->slot;
	job->cipher_mode = IMB_CIPHER_NULL;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->hash_alg = IMB_AUTH_NULL;
	if (kind != SPEED_HMAC)
		describe_cipher(job, e);
	if (kind == SPEED_HMAC || is_dual())
		describe_hash(job, e);
	begun++;
	return finish(IMB_SUBMIT_JOB_NOCHECK(mb));
}

int limit_engine_flush(void)
{
	if (is_gcm() || is_long())
		return LIMIT_NONE;
	return finish(IMB_FLUSH_JOB(mb));
}
