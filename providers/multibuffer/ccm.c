/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ccm: AES-CCM (SP 800-38C), in lanes or alone.
 *
 * The library's lanes take keys of 128 and 256 bits, 46 bytes of associated data and 64 KiB. What
 * is beyond is composed here of CBC and CTR, one message at a time. Decryption has written when the
 * tag is known: what does not match is wiped. Thread: any.
 */
#include "aead.h"
#include "cipher.h"
#include "common/iov.h"

#include <string.h>

#define LANE_AAD_MAX  46
#define CCM_LANES     16
#define CCM_NARROW    8
#define AAD_SHORT_MAX 0xfeff /* SP 800-38C A.2.2: longer ones have a longer length */

/* A job taken apart. */
struct ccm {
	struct kcf_job *job;
	const struct cipher_template *tmpl;
	const struct kcf_param_aead *p;
	bool encrypt;
	size_t len, tag_len; /* of the data without the tag */
};

struct ccm_fill {
	struct lanes *l;
	unsigned n;
	struct ccm ccms[BURST_MAX];
	uint8_t *scratch[BURST_MAX]; /* of a job whose result is there; else NULL */
};

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool params_ok(const struct kcf_param_aead *p, size_t tag_len)
{
	return p && p->iv && (p->aad || p->aad_len == 0) && p->iv_len >= 7 && p->iv_len <= 13 &&
	       tag_len >= 4 && tag_len <= AEAD_TAG_MAX && tag_len % 2 == 0 &&
	       p->aad_len <= UINT32_MAX;
}

/* Is there a length field for it? */
static bool len_fits(const struct ccm *c)
{
	size_t bytes = 15 - c->p->iv_len;

	return c->len <= INT32_MAX && (bytes >= sizeof(c->len) || c->len >> (8 * bytes) == 0);
}

static enum kcf_status ccm_begin(struct kcf_job *job, struct ccm *c)
{
	const struct kcf_param_aead *p = job->param;

	c->job = job;
	c->p = p;
	c->tmpl = job->tmpl;
	c->encrypt = job->op == KCF_OP_ENCRYPT;
	c->tag_len = p && p->tag_len ? p->tag_len : AEAD_TAG_MAX;
	if (!params_ok(p, c->tag_len))
		return KCF_MECHANISM_PARAM_INVALID;
	if (!c->encrypt && job->in_len < c->tag_len)
		return KCF_ENCRYPTED_DATA_LEN_RANGE;
	c->len = c->encrypt ? job->in_len : job->in_len - c->tag_len;
	if (!len_fits(c))
		return c->encrypt ? KCF_DATA_LEN_RANGE : KCF_ENCRYPTED_DATA_LEN_RANGE;
	return job_has_room(job, c->encrypt ? c->len + c->tag_len : c->len) ? KCF_SUCCESS
									    : KCF_BUFFER_TOO_SMALL;
}

/* The data is done; the tag is written or compared. scratch has the data if it is not in place. */
static enum kcf_status ccm_finish(const struct ccm *c, const uint8_t *tag, const uint8_t *scratch)
{
	struct kcf_job *job = c->job;
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	uint8_t given[AEAD_TAG_MAX];

	if (!c->encrypt) {
		cursor_forward(&in, c->len);
		cursor_read(&in, given, c->tag_len);
		if (!equal_sec(tag, given, c->tag_len)) {
			if (!scratch)
				cursor_wipe(&out, c->len);
			return KCF_INVALID_MAC;
		}
	}
	if (scratch)
		cursor_write(&out, scratch, c->len);
	else
		cursor_forward(&out, c->len);
	if (c->encrypt)
		cursor_write(&out, tag, c->tag_len);
	job->out_len = c->len + (c->encrypt ? c->tag_len : 0);
	return KCF_SUCCESS;
}

/* ---- alone ----------------------------------------------------------------------------------- */

/* CBC-MAC: whole blocks of scratch are crypted, of which only the last counts; it is the stream's
 * IV. */
#define ABSORB_MAX 4096

struct absorb {
	struct stream s;
	size_t n;
};

static void absorb_flush(struct absorb *a)
{
	uint8_t *buf = a->s.l->scratch;
	size_t whole = (a->n + BLOCK - 1) / BLOCK * BLOCK;

	memset(buf + a->n, 0, whole - a->n);
	if (whole > 0)
		stream_crypt(&a->s, whole, buf, buf);
	a->n = 0;
}

static void absorb(struct absorb *a, struct cursor from, size_t len)
{
	size_t n;

	for (; len > 0; len -= n) {
		n = ABSORB_MAX - a->n < len ? ABSORB_MAX - a->n : len;
		n = cursor_read(&from, a->s.l->scratch + a->n, n);
		a->n += n;
		if (a->n == ABSORB_MAX)
			absorb_flush(a);
	}
}

static void absorb_bytes(struct absorb *a, const uint8_t *bytes, size_t len)
{
	struct iovec iov = {(void *)bytes, len};

	absorb(a, cursor_at(&iov, 1), len);
}

/* SP 800-38C A.2.1 and A.2.2. */
static void absorb_head(struct absorb *a, const struct ccm *c)
{
	size_t q = 15 - c->p->iv_len, aad_len = c->p->aad_len;
	uint8_t b0[BLOCK], enc[6] = {0xff, 0xfe};
	uint64_t len = c->len;

	b0[0] = (uint8_t)((aad_len > 0) << 6 | (c->tag_len - 2) / 2 << 3 | (q - 1));
	memcpy(b0 + 1, c->p->iv, c->p->iv_len);
	for (size_t i = 0; i < q; i++, len >>= 8)
		b0[BLOCK - 1 - i] = (uint8_t)len;
	absorb_bytes(a, b0, BLOCK);
	if (aad_len == 0)
		return;
	if (aad_len <= AAD_SHORT_MAX) {
		enc[0] = (uint8_t)(aad_len >> 8);
		enc[1] = (uint8_t)aad_len;
		absorb_bytes(a, enc, 2);
	} else {
		for (unsigned i = 0; i < 4; i++)
			enc[5 - i] = (uint8_t)(aad_len >> (8 * i));
		absorb_bytes(a, enc, 6);
	}
	absorb_bytes(a, c->p->aad, aad_len);
	absorb_flush(a);
}

/* The MAC over what is at data, and its mask, into tag. */
static void make_tag(struct lanes *l, const struct ccm *c, struct cursor data,
		     const uint8_t *first_key_stream, uint8_t *tag, bool *failed)
{
	struct absorb a = {{l, c->tmpl, LANE_CBC_ENC, false, {0}}, 0};

	absorb_head(&a, c);
	absorb(&a, data, c->len);
	absorb_flush(&a);
	for (unsigned i = 0; i < BLOCK; i++)
		tag[i] = a.s.iv[i] ^ first_key_stream[i];
	*failed = *failed || a.s.failed;
	explicit_bzero(l->scratch, ABSORB_MAX);
}

static enum kcf_status ccm_alone(struct lanes *l, const struct ccm *c)
{
	struct cursor in = cursor_at(c->job->in, c->job->n_in);
	struct cursor out = cursor_at(c->job->out, c->job->n_out);
	struct stream s = {l, c->tmpl, LANE_CTR, false, {0}};
	uint8_t mask[BLOCK] = {0}, tag[BLOCK];
	enum kcf_status status;

	s.iv[0] = (uint8_t)(14 - c->p->iv_len);
	memcpy(s.iv + 1, c->p->iv, c->p->iv_len);
	stream_crypt(&s, BLOCK, mask, mask);
	if (c->encrypt)
		make_tag(l, c, in, mask, tag, &s.failed);
	walk(&in, &out, c->len, BLOCK, stream_crypt, &s);
	out = cursor_at(c->job->out, c->job->n_out);
	if (!c->encrypt)
		make_tag(l, c, out, mask, tag, &s.failed);
	status = s.failed ? KCF_FAILED : ccm_finish(c, tag, NULL);
	if (s.failed)
		cursor_wipe(&out, c->len);
	explicit_bzero(mask, sizeof(mask));
	explicit_bzero(tag, sizeof(tag));
	return status;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static bool queue_run(IMB_MGR *m, const IMB_JOB *jobs, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		*m->get_next_job(m) = jobs[i];
		done += m->submit_job_nocheck(m) != NULL;
	}
	while (n > 0 && m->flush_job(m))
		done++;
	return done == n;
}

static void fill_run(struct ccm_fill *f)
{
	struct lanes *l = f->l;
	unsigned rest = f->n % CCM_LANES, wide = rest <= CCM_NARROW ? f->n - rest : f->n;
	bool ok;

	ok = queue_run(l->wide, l->jobs, wide);
	ok = queue_run(l->narrow, l->jobs + wide, f->n - wide) && ok;
	for (unsigned i = 0; i < f->n; i++)
		f->ccms[i].job->status =
			ok ? ccm_finish(&f->ccms[i], l->tags[i], f->scratch[i]) : KCF_FAILED;
	explicit_bzero(l->tags, (size_t)f->n * TAG_MAX);
	explicit_bzero(l->scratch, l->n_scratch);
	l->n_scratch = 0;
	f->n = 0;
}

static void lane_ccm(IMB_JOB *j, const struct ccm *c, uint8_t *dst, const uint8_t *src,
		     uint8_t *tag)
{
	j->enc_keys = j->dec_keys = c->tmpl->enc;
	j->key_len_in_bytes = c->tmpl->key_len;
	j->src = src;
	j->dst = dst;
	j->cipher_start_src_offset_in_bytes = j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = j->msg_len_to_hash_in_bytes = c->len;
	j->iv = c->p->iv;
	j->iv_len_in_bytes = c->p->iv_len;
	j->cipher_mode = IMB_CIPHER_CCM;
	j->hash_alg = IMB_AUTH_AES_CCM;
	j->cipher_direction = c->encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	j->chain_order = c->encrypt ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	j->u.CCM.aad = c->p->aad;
	j->u.CCM.aad_len_in_bytes = c->p->aad_len;
	j->auth_tag_output = tag;
	j->auth_tag_output_len_in_bytes = c->tag_len;
}

static bool fits_lane(const struct ccm *c)
{
	return c->tmpl->key_len != 24 && c->p->aad_len <= LANE_AAD_MAX &&
	       c->len <= LANE_LEN_MAX - BLOCK;
}

static void fill_add(struct ccm_fill *f, const struct ccm *c)
{
	struct lanes *l = f->l;
	struct kcf_job *job = c->job;
	struct cursor in = cursor_at(job->in, job->n_in), out = cursor_at(job->out, job->n_out);
	uint8_t *src = l->scratch, *dst = l->scratch; /* of an empty message */
	bool flat = cursor_run(&in, &src) >= c->len && cursor_run(&out, &dst) >= c->len;

	if (f->n == BURST_MAX || (!flat && c->len > SCRATCH_LEN - l->n_scratch))
		fill_run(f);
	f->scratch[f->n] = NULL;
	if (!flat) {
		src = dst = f->scratch[f->n] = l->scratch + l->n_scratch;
		l->n_scratch += cursor_read(&in, src, c->len);
	}
	lane_ccm(&l->jobs[f->n], c, dst, src, l->tags[f->n]);
	f->ccms[f->n++] = *c;
}

static void ccm_run(struct mb *mb, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	struct ccm_fill f = {.l = lanes_take(mb), .n = 0};
	struct ccm c;

	if (unlikely(!f.l)) {
		jobs_fail(jobs, n, KCF_HOST_MEMORY);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		jobs[i]->status = ccm_begin(jobs[i], &c);
		if (jobs[i]->status != KCF_SUCCESS)
			continue;
		if (fits_lane(&c)) {
			fill_add(&f, &c);
			continue;
		}
		fill_run(&f);
		jobs[i]->status = ccm_alone(f.l, &c);
	}
	fill_run(&f);
	lanes_give(mb, f.l);
}

const struct class_ops ccm_class = {cipher_template_new, ccm_run, NULL};
