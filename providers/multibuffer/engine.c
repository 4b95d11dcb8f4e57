/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: AES modes as the library has them. See cipher.h.
 *
 * Two of its limits are met here: a lane counts bytes in 16 bits, which only CBC encryption uses
 * lanes for; and its counter of CTR is the last 32 bits of the block, where SP 800-38A and every
 * other provider count in all 128. Thread: the owner of the lanes.
 */
#include "cipher.h"

#include <string.h>

#define CBC_LANES      16
#define CBC_NARROW_MAX 8 /* so many fit the narrow manager's lanes, which are faster */
#define CBC_LEN_MAX    (LANE_LEN_MAX / BLOCK * BLOCK)

static bool key_expand(const IMB_MGR *m, struct cipher_template *t, const struct kcf_key_data *key)
{
	switch (key->len) {
	case 16:
		m->keyexp_128(key->bytes, t->enc, t->dec);
		return true;
	case 24:
		m->keyexp_192(key->bytes, t->enc, t->dec);
		return true;
	case 32:
		m->keyexp_256(key->bytes, t->enc, t->dec);
		return true;
	default:
		return false;
	}
}

enum kcf_status cipher_template_new(struct mb *mb, const void *alg, const struct kcf_key_data *key,
				    void **ret)
{
	struct cipher_template *t = object_new(sizeof(*t), NULL);

	if (!t)
		return KCF_HOST_MEMORY;
	if (!key_expand(mb->fns, t, key)) {
		object_free(t);
		return KCF_KEY_SIZE_RANGE;
	}
	t->key_len = key->len;
	*ret = t;
	return KCF_SUCCESS;
}

static uint32_t counter_low(const uint8_t *iv)
{
	return (uint32_t)iv[12] << 24 | (uint32_t)iv[13] << 16 | (uint32_t)iv[14] << 8 | iv[15];
}

size_t lane_max(enum lane_mode mode, const uint8_t *iv)
{
	switch (mode) {
	case LANE_CBC_ENC:
		return CBC_LEN_MAX;
	case LANE_CTR:
		return (size_t)((UINT64_C(1) << 32) - counter_low(iv)) * BLOCK;
	default:
		return SIZE_MAX / BLOCK * BLOCK;
	}
}

void lane_set(IMB_JOB *j, enum lane_mode mode, const struct cipher_template *t, const uint8_t *iv,
	      size_t len, uint8_t *dst, const uint8_t *src)
{
	bool is_ecb = mode == LANE_ECB_ENC || mode == LANE_ECB_DEC;
	bool decrypts = mode == LANE_ECB_DEC || mode == LANE_CBC_DEC;

	j->enc_keys = t->enc;
	j->dec_keys = mode == LANE_CTR ? t->enc : t->dec;
	j->key_len_in_bytes = t->key_len;
	j->src = src;
	j->dst = dst;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = len;
	j->iv = iv;
	j->iv_len_in_bytes = is_ecb ? 0 : BLOCK;
	j->cipher_direction = decrypts ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT;
	j->cipher_mode =
		is_ecb ? IMB_CIPHER_ECB : (mode == LANE_CTR ? IMB_CIPHER_CNTR : IMB_CIPHER_CBC);
	j->hash_alg = IMB_AUTH_NULL;
	j->chain_order = decrypts ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
}

static bool burst(IMB_MGR *m, IMB_JOB *jobs, unsigned n, size_t key_len)
{
	return n == 0 ||
	       m->submit_cipher_burst_nocheck(m, jobs, n, jobs->cipher_mode, jobs->cipher_direction,
					      (IMB_KEY_SIZE_BYTES)key_len) == n;
}

/* ECB has no bursts: each job is done when it is submitted. */
static bool one_by_one(IMB_MGR *m, const IMB_JOB *jobs, unsigned n)
{
	bool ok = true;

	for (unsigned i = 0; i < n; i++) {
		*m->get_next_job(m) = jobs[i];
		ok = m->submit_job_nocheck(m) && ok;
	}
	return ok;
}

bool lanes_crypt(struct lanes *l, enum lane_mode mode, size_t key_len, unsigned n)
{
	unsigned rest = n % CBC_LANES, wide = n;
	bool ok;

	if (mode == LANE_ECB_ENC || mode == LANE_ECB_DEC)
		return one_by_one(l->wide, l->jobs, n);
	if (mode == LANE_CBC_ENC && rest <= CBC_NARROW_MAX)
		wide = n - rest;
	ok = burst(l->wide, l->jobs, wide, key_len);
	return burst(l->narrow, l->jobs + wide, n - wide, key_len) && ok;
}

/* A 128-bit big-endian counter moves on. */
static void counter_add(uint8_t *iv, uint64_t blocks)
{
	for (int i = BLOCK - 1; i >= 0 && blocks; i--) {
		blocks += iv[i];
		iv[i] = (uint8_t)blocks;
		blocks >>= 8;
	}
}

static void stream_piece(struct stream *s, size_t len, uint8_t *dst, const uint8_t *src)
{
	uint8_t next[BLOCK] = {0};

	if (s->mode == LANE_CBC_DEC)
		memcpy(next, src + len - BLOCK, BLOCK); /* dst may be src */
	lane_set(&s->l->jobs[0], s->mode, s->tmpl, s->iv, len, dst, src);
	s->failed = !lanes_crypt(s->l, s->mode, s->tmpl->key_len, 1) || s->failed;
	if (s->mode == LANE_CBC_DEC)
		memcpy(s->iv, next, BLOCK);
	else if (s->mode == LANE_CBC_ENC)
		memcpy(s->iv, dst + len - BLOCK, BLOCK);
	else if (s->mode == LANE_CTR)
		counter_add(s->iv, (len + BLOCK - 1) / BLOCK);
}

void stream_crypt(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct stream *s = arg;
	size_t n;

	for (; len > 0; len -= n, dst += n, src += n) {
		n = lane_max(s->mode, s->iv);
		if (n > len)
			n = len;
		stream_piece(s, n, dst, src);
	}
}
