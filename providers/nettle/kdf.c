/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kdf: HKDF (RFC 5869) and PBKDF2 (RFC 8018) over HMAC with SHA-1 and SHA-2. alg: unused.
 *
 * The template is a copy of the key, since the hash is a parameter. Thread: any.
 */
#include "hash.h"
#include "common/iov.h"
#include "class.h"

#include <nettle/hkdf.h>
#include <nettle/pbkdf2.h>
#include <stdlib.h>
#include <string.h>

struct kdf_template {
	struct object obj;
	size_t len;
	uint8_t key[];
};

/* HMAC in the shape nettle's derivation functions call. */
struct prf {
	const struct nettle_hash *hash;
	struct hmac_key key;
	union hash_state state;
};

const struct nettle_hash *hash_find(kcf_mech_t number)
{
	switch (number) {
	case KCF_M_SHA_1:
		return &nettle_sha1;
	case KCF_M_SHA224:
		return &nettle_sha224;
	case KCF_M_SHA256:
		return &nettle_sha256;
	case KCF_M_SHA384:
		return &nettle_sha384;
	case KCF_M_SHA512:
		return &nettle_sha512;
	case KCF_M_SHA512_224:
		return &nettle_sha512_224;
	case KCF_M_SHA512_256:
		return &nettle_sha512_256;
	default:
		return NULL;
	}
}

static void prf_init(struct prf *prf, const struct nettle_hash *hash, const uint8_t *key,
		     size_t len)
{
	prf->hash = hash;
	hmac_set_key(&prf->key.outer, &prf->key.inner, &prf->state, hash, len, key);
}

static void prf_update(void *arg, size_t len, const uint8_t *data)
{
	struct prf *prf = arg;

	hmac_update(&prf->state, prf->hash, len, data);
}

static void prf_digest(void *arg, size_t len, uint8_t *ret)
{
	struct prf *prf = arg;

	hmac_digest(&prf->key.outer, &prf->key.inner, &prf->state, prf->hash, len, ret);
}

/* A place of out_len bytes in one piece: the output itself, or memory that publish() scatters. */
static uint8_t *result_new(const struct kcf_job *job, size_t len)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t *at;

	return cursor_run(&out, &at) >= len ? at : malloc(len);
}

static void result_publish(struct kcf_job *job, uint8_t *result, size_t len)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t *at;

	if (cursor_run(&out, &at) < len) {
		cursor_write(&out, result, len);
		explicit_bzero(result, len);
		free(result);
	}
	job->out_len = len;
}

/* ---- HKDF ------------------------------------------------------------------------------------ */

static void hkdf(const struct kdf_template *tmpl, const struct kcf_param_hkdf *p,
		 const struct nettle_hash *hash, bool extract, bool expand, size_t len,
		 uint8_t *ret)
{
	uint8_t prk[HASH_SIZE_MAX];
	const uint8_t *key = tmpl->key;
	size_t key_len = tmpl->len;
	struct prf prf;

	if (extract) {
		prf_init(&prf, hash, p->salt, p->salt_len);
		hkdf_extract(&prf, prf_update, prf_digest, hash->digest_size, tmpl->len, tmpl->key,
			     prk);
		key = prk;
		key_len = hash->digest_size;
	}
	if (expand) {
		prf_init(&prf, hash, key, key_len);
		hkdf_expand(&prf, prf_update, prf_digest, hash->digest_size, p->info_len, p->info,
			    len, ret);
	} else {
		memcpy(ret, prk, hash->digest_size);
	}
	explicit_bzero(prk, sizeof(prk));
	explicit_bzero(&prf, sizeof(prf));
}

static enum kcf_status hkdf_run(const void *alg, struct kcf_job *job)
{
	const uint32_t both = KCF_HKDF_EXTRACT | KCF_HKDF_EXPAND;
	const struct kcf_param_hkdf *p = job->param;
	const struct nettle_hash *hash = p ? hash_find(p->hash) : NULL;
	uint32_t parts;
	size_t len;
	uint8_t *result;

	if (!hash || (p->flags & ~both))
		return KCF_MECHANISM_PARAM_INVALID;
	parts = p->flags ? p->flags : both;
	len = parts & KCF_HKDF_EXPAND ? job->out_room : hash->digest_size;
	if (len == 0 || len > 255 * (size_t)hash->digest_size)
		return KCF_DATA_LEN_RANGE;
	if (!job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	result = result_new(job, len);
	if (!result)
		return KCF_HOST_MEMORY;
	hkdf(job->tmpl, p, hash, parts & KCF_HKDF_EXTRACT, parts & KCF_HKDF_EXPAND, len, result);
	result_publish(job, result, len);
	return KCF_SUCCESS;
}

/* ---- PBKDF2 ---------------------------------------------------------------------------------- */

static enum kcf_status pbkdf2_run(const void *alg, struct kcf_job *job)
{
	const struct kcf_param_pbkdf2 *p = job->param;
	const struct kdf_template *tmpl = job->tmpl;
	const struct nettle_hash *hash = p ? hash_find(p->hash) : NULL;
	struct prf prf;
	uint8_t *result;

	if (!hash || p->iterations == 0)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->out_room == 0 || job->out_room / hash->digest_size >= UINT32_MAX)
		return KCF_DATA_LEN_RANGE;
	result = result_new(job, job->out_room);
	if (!result)
		return KCF_HOST_MEMORY;
	prf_init(&prf, hash, tmpl->key, tmpl->len);
	pbkdf2(&prf, prf_update, prf_digest, hash->digest_size, p->iterations, p->salt_len, p->salt,
	       job->out_room, result);
	explicit_bzero(&prf, sizeof(prf));
	result_publish(job, result, job->out_room);
	return KCF_SUCCESS;
}

static enum kcf_status kdf_template_new(const void *alg, const struct kcf_key_data *key, void **ret)
{
	struct kdf_template *tmpl = object_new(sizeof(*tmpl) + key->len, NULL);

	if (!tmpl)
		return KCF_HOST_MEMORY;
	tmpl->len = key->len;
	if (key->len)
		memcpy(tmpl->key, key->bytes, key->len);
	*ret = tmpl;
	return KCF_SUCCESS;
}

const struct class_ops hkdf_class = {kdf_template_new, hkdf_run};
const struct class_ops pbkdf2_class = {kdf_template_new, pbkdf2_run};
