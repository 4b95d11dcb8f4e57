/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key derivation: HKDF, PBKDF2, KBKDF, scrypt.
 *
 * The first three are built on this module's MACs: their keyed state starts again by a copy, where
 * libcrypto's KDFs allocate for every block, and empty keys, salts and labels are nothing special.
 * scrypt is libcrypto's; its memory is bounded.
 *
 * Thread: any; a job has its own objects.
 */
#include <stdlib.h>
#include <openssl/kdf.h>
#include "openssl-private.h"

#define SCRYPT_MEMORY_MAX (1ull << 30)
#define KBKDF_OUT_MAX     ((1u << 29) - 1) /* its length in bits is a 32-bit number */

static void put_be32(uint8_t *p, uint32_t n)
{
	p[0] = n >> 24;
	p[1] = n >> 16;
	p[2] = n >> 8;
	p[3] = n;
}

/* HMAC over a digest of the caller's choice; NULL if that is not a digest or memory is out. */
static struct openssl_hmac *hmac_open(const struct openssl_tmpl *t, kcf_mech_t hash,
				      const uint8_t *key, size_t key_len, unsigned *ret_len)
{
	const struct openssl_spec *digest;

	if (openssl_digest_find(t->prov, hash, &digest, NULL) != KCF_SUCCESS)
		return NULL;
	*ret_len = digest->len;
	return openssl_hmac_new(t->prov, hash, key, key_len);
}

/* ---- HKDF (RFC 5869) ------------------------------------------------------------------------- */

static bool hkdf_extract(const struct openssl_tmpl *t, const struct kcf_param_hkdf *p, uint8_t *prk)
{
	static const uint8_t none;
	unsigned len;
	struct openssl_hmac *h =
		hmac_open(t, p->hash, p->salt_len ? p->salt : &none, p->salt_len, &len);
	bool ok = h && openssl_hmac_start(h) && openssl_hmac_add(h, t->key, t->key_len) &&
		  openssl_hmac_end(h, prk);

	openssl_hmac_free(h);
	return ok;
}

static bool hkdf_expand(const struct openssl_tmpl *t, const struct kcf_param_hkdf *p,
			const uint8_t *prk, size_t prk_len, struct kcf_job *job)
{
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	uint8_t block[OPENSSL_DIGEST_MAX], counter = 1;
	unsigned len = 0;
	struct openssl_hmac *h = hmac_open(t, p->hash, prk, prk_len, &len);
	bool ok = h != NULL;

	for (size_t done = 0; ok && done < job->out_room; counter++) {
		size_t n = job->out_room - done < len ? job->out_room - done : len;

		ok = openssl_hmac_start(h) && (done == 0 || openssl_hmac_add(h, block, len)) &&
		     (p->info_len == 0 || openssl_hmac_add(h, p->info, p->info_len)) &&
		     openssl_hmac_add(h, &counter, 1) && openssl_hmac_end(h, block);
		if (ok)
			openssl_pos_write(&out, block, n);
		done += n;
	}
	explicit_bzero(block, sizeof(block));
	openssl_hmac_free(h);
	job->out_len = job->out_room;
	return ok;
}

static enum kcf_status hkdf(const struct openssl_tmpl *t, struct kcf_job *job)
{
	const struct kcf_param_hkdf *p = job->param;
	const struct openssl_spec *digest;
	uint8_t prk[OPENSSL_DIGEST_MAX];
	enum kcf_status status;
	uint32_t steps;

	if (!p || (p->flags & ~(KCF_HKDF_EXTRACT | KCF_HKDF_EXPAND)) || (p->salt_len && !p->salt) ||
	    (p->info_len && !p->info) ||
	    openssl_digest_find(t->prov, p->hash, &digest, NULL) != KCF_SUCCESS)
		return KCF_MECHANISM_PARAM_INVALID;
	steps = p->flags ? p->flags : KCF_HKDF_EXTRACT | KCF_HKDF_EXPAND;
	if (steps == KCF_HKDF_EXTRACT && job->out_room < digest->len)
		return openssl_too_small(job, digest->len);
	if (steps != KCF_HKDF_EXTRACT && (job->out_room == 0 || job->out_room > 255u * digest->len))
		return KCF_DATA_LEN_RANGE;
	if ((steps & KCF_HKDF_EXTRACT) && !hkdf_extract(t, p, prk))
		return KCF_FAILED;
	if (steps == KCF_HKDF_EXTRACT)
		status = openssl_job_put(job, prk, digest->len);
	else if (steps == KCF_HKDF_EXPAND)
		status = hkdf_expand(t, p, t->key, t->key_len, job) ? KCF_SUCCESS : KCF_FAILED;
	else
		status = hkdf_expand(t, p, prk, digest->len, job) ? KCF_SUCCESS : KCF_FAILED;
	explicit_bzero(prk, sizeof(prk));
	return status;
}

/* ---- PBKDF2 (RFC 8018 5.2) ------------------------------------------------------------------- */

static bool pbkdf2_block(struct openssl_hmac *h, unsigned len, const struct kcf_param_pbkdf2 *p,
			 uint32_t index, uint8_t *block)
{
	uint8_t u[OPENSSL_DIGEST_MAX], be[4];
	bool ok;

	put_be32(be, index);
	ok = openssl_hmac_start(h) &&
	     (p->salt_len == 0 || openssl_hmac_add(h, p->salt, p->salt_len)) &&
	     openssl_hmac_add(h, be, 4) && openssl_hmac_end(h, u);
	memcpy(block, u, len);
	for (uint32_t i = 1; ok && i < p->iterations; i++) {
		ok = openssl_hmac_start(h) && openssl_hmac_add(h, u, len) && openssl_hmac_end(h, u);
		for (unsigned k = 0; k < len; k++)
			block[k] ^= u[k];
	}
	explicit_bzero(u, sizeof(u));
	return ok;
}

static enum kcf_status pbkdf2(const struct openssl_tmpl *t, struct kcf_job *job)
{
	const struct kcf_param_pbkdf2 *p = job->param;
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	uint8_t block[OPENSSL_DIGEST_MAX];
	const struct openssl_spec *digest;
	struct openssl_hmac *h;
	unsigned len = 0;
	bool ok;

	if (!p || p->iterations == 0 || (p->salt_len && !p->salt) ||
	    openssl_digest_find(t->prov, p->hash, &digest, NULL) != KCF_SUCCESS)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room == 0 || job->out_room / digest->len >= UINT32_MAX)
		return KCF_DATA_LEN_RANGE;
	h = hmac_open(t, p->hash, t->key, t->key_len, &len);
	ok = h != NULL;
	for (size_t done = 0; ok && done < job->out_room; done += len) {
		size_t n = job->out_room - done < len ? job->out_room - done : len;

		ok = pbkdf2_block(h, len, p, (uint32_t)(done / len) + 1, block);
		openssl_pos_write(&out, block, n);
	}
	explicit_bzero(block, sizeof(block));
	openssl_hmac_free(h);
	job->out_len = job->out_room;
	return ok ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

/* ---- KBKDF (SP 800-108 4.1, 4.2) ------------------------------------------------------------- */

/* K(i) = PRF(K, [K(i-1) ||] [i]32 || label || 00 || context || [L]32) */
static bool kbkdf_block(struct openssl_mac *m, const struct kcf_param_kbkdf *p, uint32_t index,
			uint32_t out_bits, const uint8_t *previous, size_t previous_len,
			uint8_t *block)
{
	static const uint8_t separator;
	uint8_t be[4], be_len[4];
	size_t len;

	put_be32(be, index);
	put_be32(be_len, out_bits);
	return openssl_mac_start(m, NULL, &len) == KCF_SUCCESS &&
	       openssl_mac_add(m, previous, previous_len) && openssl_mac_add(m, be, 4) &&
	       openssl_mac_add(m, p->label, p->label_len) &&
	       ((p->flags & KCF_KBKDF_NO_SEPARATOR) || openssl_mac_add(m, &separator, 1)) &&
	       openssl_mac_add(m, p->context, p->context_len) &&
	       ((p->flags & KCF_KBKDF_NO_L) || openssl_mac_add(m, be_len, 4)) &&
	       openssl_mac_end(m, block);
}

static enum kcf_status kbkdf_prf(const struct openssl_tmpl *t, const struct kcf_param_kbkdf *p,
				 struct openssl_mac **ret, unsigned *ret_len)
{
	int row = openssl_row_find(p->mac);
	const struct openssl_spec *spec = row < 0 ? NULL : openssl_spec(&openssl_rows[row]);

	if (!spec || (spec->kind != OPENSSL_HMAC && spec->mech != KCF_M_AES_CMAC))
		return KCF_MECHANISM_PARAM_INVALID;
	if (spec->kind == OPENSSL_CMAC && t->key_len != 16 && t->key_len != 24 && t->key_len != 32)
		return KCF_KEY_TYPE_INCONSISTENT;
	*ret_len = spec->len;
	return openssl_mac_new(t->prov, spec, t->key, t->key_len, ret);
}

static bool kbkdf_ok(const struct kcf_param_kbkdf *p)
{
	const uint32_t known = KCF_KBKDF_FEEDBACK | KCF_KBKDF_NO_L | KCF_KBKDF_NO_SEPARATOR;

	return p && !(p->flags & ~known) && (p->label || !p->label_len) &&
	       (p->context || !p->context_len) && (p->seed || !p->seed_len) &&
	       ((p->flags & KCF_KBKDF_FEEDBACK) || !p->seed_len);
}

static enum kcf_status kbkdf(const struct openssl_tmpl *t, struct kcf_job *job)
{
	const struct kcf_param_kbkdf *p = job->param;
	struct openssl_pos out = openssl_pos(job->out, job->n_out);
	uint8_t block[OPENSSL_DIGEST_MAX];
	const uint8_t *previous;
	size_t previous_len;
	struct openssl_mac *m;
	enum kcf_status status;
	unsigned len = 0;
	bool ok = true;

	if (!kbkdf_ok(p))
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room == 0 || job->out_room > KBKDF_OUT_MAX)
		return KCF_DATA_LEN_RANGE;
	status = kbkdf_prf(t, p, &m, &len);
	if (status != KCF_SUCCESS)
		return status;
	previous = p->seed;
	previous_len = p->seed_len;
	for (size_t done = 0; ok && done < job->out_room; done += len) {
		size_t n = job->out_room - done < len ? job->out_room - done : len;

		ok = kbkdf_block(m, p, (uint32_t)(done / len) + 1, (uint32_t)job->out_room * 8,
				 previous, previous_len, block);
		openssl_pos_write(&out, block, n);
		previous = block;
		previous_len = p->flags & KCF_KBKDF_FEEDBACK ? len : 0;
	}
	explicit_bzero(block, sizeof(block));
	openssl_mac_free(m);
	job->out_len = job->out_room;
	return ok ? KCF_SUCCESS : KCF_FAILED;
}

/* ---- scrypt (RFC 7914) ----------------------------------------------------------------------- */

static bool scrypt_ok(const struct kcf_param_scrypt *p)
{
	if (!p || (p->salt_len && !p->salt) || p->n < 2 || (p->n & (p->n - 1)) || p->r == 0 ||
	    p->p == 0)
		return false;
	/* 128 * r * (n + p) bytes; each factor is bounded first, so that nothing overflows */
	if (p->n > SCRYPT_MEMORY_MAX || p->r > SCRYPT_MEMORY_MAX / 128 ||
	    p->p > SCRYPT_MEMORY_MAX || (uint64_t)p->r * p->p >= 1u << 30)
		return false;
	return (p->n + p->p + 2) <= SCRYPT_MEMORY_MAX / 128 / p->r;
}

static enum kcf_status scrypt(const struct openssl_tmpl *t, struct kcf_job *job)
{
	const struct kcf_param_scrypt *p = job->param;
	static const uint8_t none;
	struct openssl_flat out;
	enum kcf_status status;
	bool ok;

	if (!scrypt_ok(p))
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room == 0 || job->out_room > SCRYPT_MEMORY_MAX)
		return KCF_DATA_LEN_RANGE;
	status = openssl_flat_new(&out, job->out_room);
	if (status != KCF_SUCCESS)
		return status;
	ok = EVP_PBE_scrypt_ex((const char *)t->key, t->key_len, p->salt_len ? p->salt : &none,
			       p->salt_len, p->n, p->r, p->p, SCRYPT_MEMORY_MAX + (1 << 20), out.p,
			       out.len, t->prov->lib, OPENSSL_PROPS) > 0;
	status = ok ? openssl_job_put(job, out.p, out.len) : KCF_HOST_MEMORY;
	openssl_flat_close(&out);
	return status;
}

/* ---- the class ------------------------------------------------------------------------------- */

static enum kcf_status kdf_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	if (job->op != KCF_OP_DERIVE)
		return KCF_MECH_NOT_SUPPORTED;
	switch (t->spec->kind) {
	case OPENSSL_HKDF:
		return hkdf(t, job);
	case OPENSSL_PBKDF2:
		return pbkdf2(t, job);
	case OPENSSL_KBKDF:
		return kbkdf(t, job);
	default:
		return scrypt(t, job);
	}
}

static enum kcf_status kdf_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return openssl_tmpl_raw_key(t, key);
}

static enum kcf_status kdf_state_new(struct openssl_tmpl *t, void **ret)
{
	*ret = t;
	return KCF_SUCCESS;
}

static void kdf_state_free(void *state)
{
}

const struct openssl_class openssl_kdf_class = {
	.tmpl_init = kdf_tmpl_init,
	.state_new = kdf_state_new,
	.state_free = kdf_state_free,
	.single = kdf_single,
};
