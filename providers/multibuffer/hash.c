/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash: SHA-1, SHA-2 (FIPS 180-4), HMAC (FIPS 198-1) and CMAC-AES (SP 800-38B) in lanes, and
 * Poly1305 (RFC 8439), which has none, beside them. alg: a struct hash_alg.
 *
 * A template holds the two states of an HMAC key, or the expanded AES key; tags are made in
 * the lanes' own memory, so that a job's room and MAC are touched once. Scattered input is put
 * together in scratch. A message without a byte never enters an HMAC lane: the library (1.3) takes
 * its length for 64 KiB and the lane is wrong ever after; the template knows that MAC. Thread: any.
 */
#include "hash.h"
#include "mac.h"
#include "common/iov.h"

#include <string.h>

enum hash_kind { HASH_PLAIN, HASH_HMAC, HASH_CMAC, HASH_POLY1305 };

struct hash_alg {
	enum hash_kind kind;
	IMB_HASH_ALG id;
	uint8_t len, block;
	uint8_t lanes;           /* of the wide manager with its widest vectors */
	uint8_t narrow_max;      /* so many jobs or fewer are faster in the narrow one */
	size_t one_block, whole; /* where an IMB_MGR has the functions */
};

#define POLY1305_KEY_LEN 32
#define PAGE_LEN         4096

struct hash_template {
	struct object obj;
	const struct hash_alg *alg;
	IMB_HASH_ALG id;
	union {
		struct {
			uint8_t inner[TAG_MAX], outer[TAG_MAX], empty[TAG_MAX];
		} hmac;
		struct {
			uint8_t keys[15 * 16], sub1[16], sub2[16];
		} cmac;
		uint8_t poly1305[POLY1305_KEY_LEN];
	} key __attribute__((aligned(64)));
};

/* ---- lanes ----------------------------------------------------------------------------------- */

/* t is NULL for digests, perhaps. */
static void lane_fill(IMB_JOB *j, const struct hash_alg *alg, const struct hash_template *t,
		      const uint8_t *src, size_t len, uint8_t *tag)
{
	j->src = src;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = len;
	j->auth_tag_output = tag;
	j->auth_tag_output_len_in_bytes = alg->len;
	j->cipher_mode = IMB_CIPHER_NULL;
	j->cipher_direction = IMB_DIR_ENCRYPT;
	j->hash_alg = alg->id;
	j->chain_order = IMB_ORDER_HASH_CIPHER;
	switch (alg->kind) {
	case HASH_HMAC:
		j->u.HMAC._hashed_auth_key_xor_ipad = t->key.hmac.inner;
		j->u.HMAC._hashed_auth_key_xor_opad = t->key.hmac.outer;
		break;
	case HASH_CMAC:
		j->hash_alg = t->id;
		j->u.CMAC._key_expanded = t->key.cmac.keys;
		j->u.CMAC._skey1 = t->key.cmac.sub1;
		j->u.CMAC._skey2 = t->key.cmac.sub2;
		break;
	case HASH_POLY1305:
		j->u.POLY1305._key = t->key.poly1305;
		break;
	default:
		break;
	}
}

/* The library has bursts for HMAC alone; the others go through its queue, which is empty before and
 * after. */
static bool manager_run(IMB_MGR *m, const struct hash_alg *alg, IMB_JOB *jobs, unsigned n)
{
	unsigned done = 0;

	if (n == 0)
		return true;
	if (alg->kind == HASH_HMAC)
		return m->submit_hash_burst_nocheck(m, jobs, n, alg->id) == n;
	for (unsigned i = 0; i < n; i++) {
		*m->get_next_job(m) = jobs[i];
		done += m->submit_job_nocheck(m) != NULL;
	}
	while (m->flush_job(m))
		done++;
	return done == n;
}

/* What fills the wide lanes goes there, and the rest where it is faster. */
static void lanes_run(struct lanes *l, const struct hash_alg *alg, unsigned n)
{
	unsigned rest = n % alg->lanes, wide = n;
	bool ok;

	if (alg->narrow_max >= alg->lanes)
		rest = n;
	if (rest <= alg->narrow_max)
		wide = n - rest;
	ok = manager_run(l->wide, alg, l->jobs, wide);
	ok = manager_run(l->narrow, alg, l->jobs + wide, n - wide) && ok;
	for (unsigned i = 0; i < n; i++) {
		struct kcf_job *job = l->pending[i];

		job->status = ok ? tag_finish(job, l->tags[i], alg->len) : KCF_FAILED;
	}
	explicit_bzero(l->tags, (size_t)n * TAG_MAX);
	explicit_bzero(l->scratch, l->n_scratch);
	l->n_scratch = 0;
}

/* CMAC loads its last block whole (1.3), beyond the end of the message. In the same page that is
 * harmless; the next one may not be there. */
static bool ends_too_close(const struct hash_alg *alg, const uint8_t *at, size_t len)
{
	size_t rest = len % 16;

	return alg->kind == HASH_CMAC && rest > 0 &&
	       ((uintptr_t)(at + len - 1) & (PAGE_LEN - 1)) + (16 - rest) >= PAGE_LEN;
}

/* The job's input in one piece; NULL if scratch is too full for it. */
static const uint8_t *input_of(struct lanes *l, const struct hash_alg *alg,
			       const struct kcf_job *job)
{
	struct cursor in = cursor_at(job->in, job->n_in);
	uint8_t *at = l->scratch; /* of an empty message */

	if (cursor_run(&in, &at) >= job->in_len && !ends_too_close(alg, at, job->in_len))
		return at;
	if (job->in_len > SCRATCH_LEN - l->n_scratch)
		return NULL;
	at = l->scratch + l->n_scratch;
	l->n_scratch += cursor_read(&in, at, job->in_len);
	return at;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* Is there anything for a lane to do? If not, the status is set. */
static bool job_begin(const struct hash_alg *alg, struct kcf_job *job)
{
	const struct hash_template *t = job->tmpl;

	job->status = tag_check(job, alg->len);
	if (job->status != KCF_SUCCESS)
		return false;
	if (unlikely(job->in_len > LANE_LEN_MAX)) {
		job->status = KCF_BUFFER_TOO_BIG;
		return false;
	}
	if (likely(job->in_len > 0 || alg->kind != HASH_HMAC))
		return true;
	job->status = tag_finish(job, t->key.hmac.empty, alg->len);
	return false;
}

void hash_run(struct lanes *l, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	unsigned pending = 0;

	for (unsigned i = 0; i < n; i++) {
		struct kcf_job *job = jobs[i];
		const uint8_t *src;

		if (!job_begin(alg, job))
			continue;
		src = pending < BURST_MAX ? input_of(l, alg, job) : NULL;
		if (!src) {
			lanes_run(l, alg, pending);
			pending = 0;
			src = input_of(l, alg, job);
		}
		lane_fill(&l->jobs[pending], alg, job->tmpl, src, job->in_len, l->tags[pending]);
		l->pending[pending++] = job;
	}
	lanes_run(l, alg, pending);
}

static void hash_class_run(struct mb *mb, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	struct lanes *l = lanes_take(mb);

	if (unlikely(!l)) {
		jobs_fail(jobs, n, KCF_HOST_MEMORY);
		return;
	}
	hash_run(l, alg, jobs, n);
	lanes_give(mb, l);
}

/* ---- templates ------------------------------------------------------------------------------- */

/* The library's functions for one hash. */
static hash_one_block_t one_block_of(const IMB_MGR *m, const struct hash_alg *alg)
{
	hash_one_block_t fn;

	memcpy(&fn, (const uint8_t *)m + alg->one_block, sizeof(fn));
	return fn;
}

static hash_fn_t whole_of(const IMB_MGR *m, const struct hash_alg *alg)
{
	hash_fn_t fn;

	memcpy(&fn, (const uint8_t *)m + alg->whole, sizeof(fn));
	return fn;
}

#define HASH_BLOCK_MAX 128

static void hmac_init(const IMB_MGR *m, struct hash_template *t, const struct kcf_key_data *key)
{
	const struct hash_alg *alg = t->alg;
	hash_fn_t whole = whole_of(m, alg);
	uint8_t pad[HASH_BLOCK_MAX + TAG_MAX], k[HASH_BLOCK_MAX] = {0};

	if (key->len > alg->block)
		whole(key->bytes, key->len, k);
	else if (key->len > 0)
		memcpy(k, key->bytes, key->len);
	for (unsigned i = 0; i < alg->block; i++)
		pad[i] = k[i] ^ 0x36;
	one_block_of(m, alg)(pad, t->key.hmac.inner);
	whole(pad, alg->block, t->key.hmac.empty);
	for (unsigned i = 0; i < alg->block; i++)
		pad[i] = k[i] ^ 0x5c;
	one_block_of(m, alg)(pad, t->key.hmac.outer);
	memcpy(pad + alg->block, t->key.hmac.empty, alg->len);
	whole(pad, alg->block + alg->len, t->key.hmac.empty);
	explicit_bzero(pad, sizeof(pad));
	explicit_bzero(k, sizeof(k));
}

static enum kcf_status cmac_init(const IMB_MGR *m, struct hash_template *t,
				 const struct kcf_key_data *key)
{
	uint8_t unused[15 * 16] __attribute__((aligned(16)));

	if (key->len == 16) {
		m->keyexp_128(key->bytes, t->key.cmac.keys, unused);
		m->cmac_subkey_gen_128(t->key.cmac.keys, t->key.cmac.sub1, t->key.cmac.sub2);
	} else if (key->len == 32) {
		m->keyexp_256(key->bytes, t->key.cmac.keys, unused);
		m->cmac_subkey_gen_256(t->key.cmac.keys, t->key.cmac.sub1, t->key.cmac.sub2);
		t->id = IMB_AUTH_AES_CMAC_256;
	} else {
		return KCF_KEY_SIZE_RANGE;
	}
	explicit_bzero(unused, sizeof(unused));
	return KCF_SUCCESS;
}

static enum kcf_status poly1305_init(struct hash_template *t, const struct kcf_key_data *key)
{
	if (key->len != POLY1305_KEY_LEN)
		return KCF_KEY_SIZE_RANGE;
	memcpy(t->key.poly1305, key->bytes, POLY1305_KEY_LEN);
	return KCF_SUCCESS;
}

static enum kcf_status hash_template_new(struct mb *mb, const void *alg,
					 const struct kcf_key_data *key, void **ret)
{
	struct hash_template *t = object_new(sizeof(*t), NULL);
	enum kcf_status status = KCF_SUCCESS;

	if (!t)
		return KCF_HOST_MEMORY;
	t->alg = alg;
	t->id = t->alg->id;
	if (t->alg->kind == HASH_HMAC)
		hmac_init(mb->fns, t, key);
	else if (t->alg->kind == HASH_CMAC)
		status = cmac_init(mb->fns, t, key);
	else if (t->alg->kind == HASH_POLY1305)
		status = poly1305_init(t, key);
	if (status != KCF_SUCCESS)
		object_free(t);
	else
		*ret = t;
	return status;
}

size_t hash_tag_len(const void *alg)
{
	return ((const struct hash_alg *)alg)->len;
}

const struct class_ops hash_class = {hash_template_new, hash_class_run, NULL};

/* ---- algorithms ------------------------------------------------------------------------------ */

/* narrow_max was measured: where the time of a full wide pass is that of so many narrow ones. */
#define SHA(bits, lanes, narrow)                                                                   \
	const struct hash_alg hash_sha##bits = {HASH_PLAIN,                                        \
						IMB_AUTH_SHA_##bits,                               \
						IMB_SHA##bits##_DIGEST_SIZE_IN_BYTES,              \
						0,                                                 \
						lanes,                                             \
						narrow,                                            \
						0,                                                 \
						0};                                                \
	const struct hash_alg hmac_sha##bits = {HASH_HMAC,                                         \
						IMB_AUTH_HMAC_SHA_##bits,                          \
						IMB_SHA##bits##_DIGEST_SIZE_IN_BYTES,              \
						(bits) > 256 ? 128 : 64,                           \
						lanes,                                             \
						narrow,                                            \
						offsetof(IMB_MGR, sha##bits##_one_block),          \
						offsetof(IMB_MGR, sha##bits)}

SHA(1, 16, 11);
SHA(224, 16, 16);
SHA(256, 16, 16);
SHA(384, 8, 0);
SHA(512, 8, 0);
const struct hash_alg cmac_aes = {HASH_CMAC, IMB_AUTH_AES_CMAC, 16, 16, 16, 8, 0, 0};
const struct hash_alg poly1305 = {HASH_POLY1305, IMB_AUTH_POLY1305, 16, 16, 1, 0, 0, 0};
