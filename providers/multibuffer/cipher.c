/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cipher: jobs of AES in ECB, CBC, CTR, CFB and OFB mode (SP 800-38A) and CBC with PKCS#7 padding.
 * alg: a struct cipher_alg.
 *
 * A job in one piece is crypted where it is. Padding, feedback and scattered data go through
 * scratch: collected, crypted in lanes beside others, written out; decrypted padding is judged
 * before anything is written. What is too long for scratch goes alone. Thread: any.
 */
#include "cipher.h"
#include "common/iov.h"

#include <string.h>

/* ---- shared by lanes and streams ------------------------------------------------------------ */

static bool decrypts(const struct kcf_job *job)
{
	return job->op == KCF_OP_DECRYPT;
}

static enum lane_mode lane_mode_of(enum cipher_mode mode, bool dec)
{
	switch (mode) {
	case MODE_ECB:
		return dec ? LANE_ECB_DEC : LANE_ECB_ENC;
	case MODE_CTR:
		return LANE_CTR;
	case MODE_CFB: /* the key stream is that of the blocks before, encrypted */
		return dec ? LANE_ECB_ENC : LANE_CBC_ENC;
	case MODE_OFB:
		return LANE_CBC_ENC;
	default:
		return dec ? LANE_CBC_DEC : LANE_CBC_ENC;
	}
}

static bool feeds_back(enum cipher_mode mode)
{
	return mode == MODE_CFB || mode == MODE_OFB;
}

static size_t blocks_of(size_t len)
{
	return (len + BLOCK - 1) / BLOCK * BLOCK;
}

static const uint8_t *iv_of(const struct kcf_job *job)
{
	return ((const struct kcf_param_iv *)job->param)->iv;
}

int unpad(const uint8_t *block)
{
	unsigned pad = block[BLOCK - 1], bad = 0;

	bad |= (pad - 1) >> 8;     /* 0 */
	bad |= (BLOCK - pad) >> 8; /* beyond the block */
	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned in_pad = ~((i - (BLOCK - pad)) >> 8); /* i >= BLOCK - pad */

		bad |= in_pad & (block[i] ^ pad) & 0xff;
	}
	return bad ? -1 : (int)(BLOCK - pad);
}

/* Writes dst = src ^ what is at *ks, which becomes what was written. */
struct mask {
	uint8_t *ks;
};

static void mask_part(void *arg, size_t len, uint8_t *dst, const uint8_t *src)
{
	struct mask *m = arg;
	uint8_t *ks = m->ks;

	for (size_t i = 0; i < len; i++)
		ks[i] ^= src[i];
	memcpy(dst, ks, len);
	m->ks = ks + len;
}

/* What a lane makes the key stream of, at scratch; a block of CFB's next IV follows when it
 * decrypts. */
static void feedback_load(enum cipher_mode mode, uint8_t *scratch, const uint8_t *iv,
			  struct cursor in, size_t len)
{
	if (mode == MODE_OFB) {
		memset(scratch, 0, blocks_of(len));
		return;
	}
	memset(scratch + blocks_of(len), 0, BLOCK);
	memcpy(scratch, iv, BLOCK);
	cursor_read(&in, scratch + BLOCK, len);
}

static const uint8_t zero_block[BLOCK];

/* ---- long messages -------------------------------------------------------------------------- */

#define FEEDBACK_MAX 65520 /* a lane of CBC */

static bool feedback_alone(struct lanes *l, enum cipher_mode mode, const struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	struct stream s = {l, job->tmpl, lane_mode_of(mode, decrypts(job)), false, {0}};
	struct mask mask;
	uint8_t iv[BLOCK];
	size_t left = job->in_len, n;

	memcpy(iv, iv_of(job), BLOCK);
	for (; left > 0; left -= n) {
		n = left < FEEDBACK_MAX ? left : FEEDBACK_MAX;
		feedback_load(mode, l->scratch, iv, in, n);
		memcpy(s.iv, mode == MODE_OFB ? iv : zero_block, BLOCK);
		stream_crypt(&s, blocks_of(n), l->scratch, l->scratch);
		if (mode == MODE_OFB) /* before the mask makes it ciphertext */
			memcpy(iv, l->scratch + blocks_of(n) - BLOCK, BLOCK);
		mask.ks = l->scratch;
		walk(&in, &out, n, 1, mask_part, &mask);
		if (mode == MODE_CFB && left > n)
			memcpy(iv, l->scratch + (decrypts(job) ? n : n - BLOCK), BLOCK);
	}
	l->n_scratch = FEEDBACK_MAX + BLOCK;
	return !s.failed;
}

/* The last block first, chained to the one before it: its length is known before anything is
 * written. */
static enum kcf_status open_tail(struct stream *s, const struct kcf_job *job, uint8_t *tail,
				 int *ret_n)
{
	struct cursor in = cursor_at(job->in, job->n_in);
	uint8_t iv[BLOCK];

	memcpy(iv, s->iv, BLOCK);
	if (job->in_len > BLOCK) {
		cursor_forward(&in, job->in_len - 2 * BLOCK);
		cursor_read(&in, s->iv, BLOCK);
	}
	cursor_read(&in, tail, BLOCK);
	stream_crypt(s, BLOCK, tail, tail);
	memcpy(s->iv, iv, BLOCK);
	*ret_n = unpad(tail);
	return *ret_n < 0 ? KCF_INVALID_MAC : KCF_SUCCESS;
}

static enum kcf_status open_padded(struct stream *s, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	size_t whole = job->in_len - BLOCK;
	uint8_t tail[BLOCK];
	enum kcf_status status;
	int n;

	status = open_tail(s, job, tail, &n);
	if (status == KCF_SUCCESS && !job_has_room(job, whole + (size_t)n))
		status = KCF_BUFFER_TOO_SMALL;
	if (status == KCF_SUCCESS) {
		walk(&in, &out, whole, BLOCK, stream_crypt, s);
		job->out_len = whole + cursor_write(&out, tail, (size_t)n);
	}
	explicit_bzero(tail, sizeof(tail));
	return status;
}

static void seal_padded(struct stream *s, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	size_t whole = job->in_len / BLOCK * BLOCK, rest = job->in_len - whole;
	uint8_t last[BLOCK];

	walk(&in, &out, whole, BLOCK, stream_crypt, s);
	cursor_read(&in, last, rest);
	memset(last + rest, (int)(BLOCK - rest), BLOCK - rest);
	stream_crypt(s, BLOCK, last, last);
	job->out_len = whole + cursor_write(&out, last, BLOCK);
}

static void run_alone(struct lanes *l, enum cipher_mode mode, struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	struct stream s = {l, job->tmpl, lane_mode_of(mode, decrypts(job)), false, {0}};
	enum kcf_status status = KCF_SUCCESS;

	if (mode != MODE_ECB)
		memcpy(s.iv, iv_of(job), BLOCK);
	if (feeds_back(mode)) {
		s.failed = !feedback_alone(l, mode, job);
		job->out_len = job->in_len;
	} else if (mode == MODE_CBC_PAD && decrypts(job)) {
		status = open_padded(&s, job);
	} else if (mode == MODE_CBC_PAD) {
		seal_padded(&s, job);
	} else {
		walk(&in, &out, job->in_len, BLOCK, stream_crypt, &s);
		job->out_len = job->in_len;
	}
	job->status = s.failed ? KCF_FAILED : status;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* A burst being filled: all of one mode, direction and key length. */
struct fill {
	struct lanes *l;
	enum cipher_mode mode;
	enum lane_mode lane_mode;
	bool dec;
	size_t key_len;
	unsigned n;
	uint8_t *scratch[BURST_MAX]; /* of a job whose result is there; else NULL */
};

/* From scratch to where it belongs. */
static enum kcf_status take_out(const struct fill *f, struct kcf_job *job, uint8_t *scratch)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	struct mask mask = {scratch};
	size_t len = job->in_len;
	int n;

	if (feeds_back(f->mode)) {
		walk(&in, &out, len, 1, mask_part, &mask);
		job->out_len = len;
		return KCF_SUCCESS;
	}
	if (f->mode == MODE_CBC_PAD && !f->dec)
		len = len / BLOCK * BLOCK + BLOCK;
	if (f->mode == MODE_CBC_PAD && f->dec) {
		n = unpad(scratch + len - BLOCK);
		if (n < 0)
			return KCF_INVALID_MAC;
		len = len - BLOCK + (size_t)n;
		if (!job_has_room(job, len))
			return KCF_BUFFER_TOO_SMALL;
	}
	job->out_len = cursor_write(&out, scratch, len);
	return KCF_SUCCESS;
}

static void fill_run(struct fill *f)
{
	struct lanes *l = f->l;
	bool ok = f->n == 0 || lanes_crypt(l, f->lane_mode, f->key_len, f->n);

	for (unsigned i = 0; i < f->n; i++) {
		struct kcf_job *job = l->pending[i];

		if (!ok)
			job->status = KCF_FAILED;
		else if (f->scratch[i])
			job->status = take_out(f, job, f->scratch[i]);
		else
			job->out_len = job->in_len;
	}
	explicit_bzero(l->scratch, l->n_scratch);
	l->n_scratch = 0;
	f->n = 0;
}

/* The scratch a job needs: 0 if it can be done where it is. Otherwise *ret_src and *ret_dst are
 * set. */
static size_t scratch_needed(const struct fill *f, const struct kcf_job *job, uint8_t **ret_src,
			     uint8_t **ret_dst)
{
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	size_t len = job->in_len;

	if (feeds_back(f->mode))
		return blocks_of(len) + BLOCK;
	if (f->mode == MODE_CBC_PAD)
		return f->dec ? len : len / BLOCK * BLOCK + BLOCK;
	if (cursor_run(&in, ret_src) >= len && cursor_run(&out, ret_dst) >= len)
		return 0;
	return blocks_of(len);
}

/* Puts the input into scratch; returns what a lane is to crypt there. */
static size_t load(const struct fill *f, const struct kcf_job *job, uint8_t *scratch)
{
	struct cursor in = cursor_at(job->in, job->n_in);
	size_t len = job->in_len, whole = len / BLOCK * BLOCK;

	if (feeds_back(f->mode)) {
		feedback_load(f->mode, scratch, iv_of(job), in, len);
		return blocks_of(len);
	}
	cursor_read(&in, scratch, len);
	if (f->mode != MODE_CBC_PAD || f->dec)
		return len;
	memset(scratch + len, (int)(BLOCK - (len - whole)), BLOCK - (len - whole));
	return whole + BLOCK;
}

static const uint8_t *lane_iv(const struct fill *f, const struct kcf_job *job)
{
	if (f->mode == MODE_ECB)
		return NULL;
	return f->mode == MODE_CFB ? zero_block : iv_of(job);
}

static void fill_add(struct fill *f, struct kcf_job *job)
{
	const struct cipher_template *t = job->tmpl;
	const uint8_t *iv = lane_iv(f, job);
	uint8_t *src = NULL, *dst = NULL;
	size_t len = job->in_len, need = scratch_needed(f, job, &src, &dst);
	struct lanes *l = f->l;

	if (f->n == BURST_MAX || t->key_len != f->key_len || need > SCRATCH_LEN - l->n_scratch)
		fill_run(f);
	f->key_len = t->key_len;
	if (unlikely(need > SCRATCH_LEN || len > lane_max(f->lane_mode, iv) - BLOCK)) {
		fill_run(f);
		run_alone(l, f->mode, job);
		return;
	}
	f->scratch[f->n] = NULL;
	if (need > 0) {
		src = dst = f->scratch[f->n] = l->scratch + l->n_scratch;
		len = load(f, job, src);
		l->n_scratch += need;
	}
	lane_set(&l->jobs[f->n], f->lane_mode, t, iv, len, dst, src);
	l->pending[f->n++] = job;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static enum kcf_status bad_length(bool dec)
{
	return dec ? KCF_ENCRYPTED_DATA_LEN_RANGE : KCF_DATA_LEN_RANGE;
}

static size_t out_len(enum cipher_mode mode, size_t in_len)
{
	return mode == MODE_CBC_PAD ? in_len / BLOCK * BLOCK + BLOCK : in_len;
}

static enum kcf_status check(enum cipher_mode mode, struct kcf_job *job)
{
	const struct kcf_param_iv *p = job->param;
	bool dec = decrypts(job), pads = mode == MODE_CBC_PAD;

	if (mode != MODE_ECB && unlikely(!p || !p->iv || p->iv_len != BLOCK))
		return KCF_MECHANISM_PARAM_INVALID;
	if ((mode == MODE_ECB || mode == MODE_CBC) && unlikely(job->in_len % BLOCK))
		return bad_length(dec);
	if (pads && dec)
		return job->in_len == 0 || job->in_len % BLOCK ? bad_length(dec) : KCF_SUCCESS;
	return likely(job_has_room(job, out_len(mode, job->in_len))) ? KCF_SUCCESS
								     : KCF_BUFFER_TOO_SMALL;
}

enum kcf_status cipher_check(const void *alg, struct kcf_job *job, size_t *ret_len)
{
	enum cipher_mode mode = ((const struct cipher_alg *)alg)->mode;

	*ret_len = out_len(mode, job->in_len);
	return check(mode, job);
}

/* Is there anything to crypt? If not, the status is set. */
static bool job_begin(enum cipher_mode mode, struct kcf_job *job)
{
	job->status = check(mode, job);
	return job->status == KCF_SUCCESS && (job->in_len > 0 || mode == MODE_CBC_PAD);
}

void cipher_run(struct lanes *l, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	enum cipher_mode mode = ((const struct cipher_alg *)alg)->mode;
	struct fill f;

	f.l = l;
	f.mode = mode;
	for (unsigned dec = 0; dec < 2; dec++) {
		f.n = 0;
		f.key_len = 0;
		f.dec = dec;
		f.lane_mode = lane_mode_of(mode, dec);
		for (unsigned i = 0; i < n; i++)
			if (decrypts(jobs[i]) == f.dec && job_begin(mode, jobs[i]))
				fill_add(&f, jobs[i]);
		fill_run(&f);
	}
}

static void cipher_class_run(struct mb *mb, const void *alg, struct kcf_job *const *jobs,
			     unsigned n)
{
	struct lanes *l = lanes_take(mb);

	if (unlikely(!l)) {
		jobs_fail(jobs, n, KCF_HOST_MEMORY);
		return;
	}
	cipher_run(l, alg, jobs, n);
	lanes_give(mb, l);
}

const struct class_ops cipher_class = {cipher_template_new, cipher_class_run, cipher_step};
const struct cipher_alg cipher_ecb = {MODE_ECB}, cipher_cbc = {MODE_CBC};
const struct cipher_alg cipher_cbc_pad = {MODE_CBC_PAD}, cipher_ctr = {MODE_CTR};
const struct cipher_alg cipher_cfb = {MODE_CFB}, cipher_ofb = {MODE_OFB};
