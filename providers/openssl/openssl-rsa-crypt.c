/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA encryption: OAEP and PKCS#1 v1.5 (RFC 8017 7).
 *
 * Every way a ciphertext of the right length can be wrong is one status, KCF_INVALID_MAC, and
 * libcrypto's padding checks run in constant time. libcrypto 3.0 has no implicit rejection, so
 * PKCS#1 v1.5 decryption tells the caller that padding was wrong: it suits callers who do not pass
 * that on.
 *
 * Thread: any; an EVP_PKEY_CTX per job.
 */
#include <stdlib.h>
#include "openssl-private.h"

static enum kcf_status oaep_params(const struct openssl_tmpl *t, const struct kcf_param_rsa_oaep *p,
				   const struct openssl_spec **ret_hash,
				   const struct openssl_spec **ret_mgf)
{
	kcf_mech_t hash = p && p->hash ? p->hash : KCF_M_SHA_1;
	kcf_mech_t mgf = p && p->mgf_hash ? p->mgf_hash : hash;

	if (p && p->label_len && !p->label)
		return KCF_MECHANISM_PARAM_INVALID;
	if (openssl_digest_find(t->prov, hash, ret_hash, NULL) != KCF_SUCCESS ||
	    openssl_digest_find(t->prov, mgf, ret_mgf, NULL) != KCF_SUCCESS)
		return KCF_MECHANISM_PARAM_INVALID;
	return KCF_SUCCESS;
}

/* A context ready for the direction. *ret_max: the longest message. */
static enum kcf_status rsa_open(struct openssl_tmpl *t, const struct kcf_job *job,
				EVP_PKEY_CTX **ret_ctx, size_t *ret_max)
{
	const struct kcf_param_rsa_oaep *oaep = job->param;
	bool dec = job->op == KCF_OP_DECRYPT;
	EVP_PKEY *key = dec ? t->priv : t->pub;
	const struct openssl_spec *hash, *mgf;
	OSSL_PARAM params[8], *p = params;
	EVP_PKEY_CTX *ctx;
	size_t overhead = 11;

	if (!key)
		return KCF_KEY_TYPE_INCONSISTENT;
	if (t->spec->kind == OPENSSL_RSA_OAEP) {
		enum kcf_status status = oaep_params(t, oaep, &hash, &mgf);

		if (status != KCF_SUCCESS)
			return status;
		overhead = 2u * hash->len + 2;
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, OSSL_PKEY_RSA_PAD_MODE_OAEP);
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, hash->alg[0]);
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST_PROPS, OPENSSL_PROPS);
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, mgf->alg[0]);
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST_PROPS, OPENSSL_PROPS);
		if (oaep && oaep->label_len)
			*p++ = OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL,
								 (void *)oaep->label,
								 oaep->label_len);
	} else {
		*p++ = openssl_text(OSSL_ASYM_CIPHER_PARAM_PAD_MODE,
				    OSSL_PKEY_RSA_PAD_MODE_PKCSV15);
	}
	*p = OSSL_PARAM_construct_end();
	if (t->width < overhead)
		return KCF_KEY_SIZE_RANGE;
	*ret_max = t->width - overhead;
	ctx = EVP_PKEY_CTX_new_from_pkey(t->prov->lib, key, OPENSSL_PROPS);
	if (!ctx)
		return KCF_HOST_MEMORY;
	if ((dec ? EVP_PKEY_decrypt_init_ex(ctx, params) : EVP_PKEY_encrypt_init_ex(ctx, params)) <=
	    0) {
		EVP_PKEY_CTX_free(ctx);
		return KCF_FAILED;
	}
	*ret_ctx = ctx;
	return KCF_SUCCESS;
}

static enum kcf_status rsa_run(struct openssl_tmpl *t, EVP_PKEY_CTX *ctx, struct kcf_job *job)
{
	bool dec = job->op == KCF_OP_DECRYPT;
	struct openssl_flat in, out;
	enum kcf_status status;
	size_t len = t->width;
	int ok;

	status = openssl_flat_in(&in, job->in, job->n_in, job->in_len);
	if (status != KCF_SUCCESS)
		return status;
	status = openssl_flat_new(&out, t->width);
	if (status == KCF_SUCCESS) {
		if (dec)
			ok = EVP_PKEY_decrypt(ctx, out.p, &len, in.p, in.len);
		else
			ok = EVP_PKEY_encrypt(ctx, out.p, &len, in.p, in.len);
		if (ok > 0)
			status = openssl_job_put(job, out.p, len);
		else
			status = dec ? KCF_INVALID_MAC : KCF_FAILED;
		openssl_flat_close(&out);
	}
	openssl_flat_close(&in);
	return status;
}

enum kcf_status openssl_rsa_crypt(struct openssl_tmpl *t, struct kcf_job *job)
{
	EVP_PKEY_CTX *ctx;
	size_t max;
	enum kcf_status status = rsa_open(t, job, &ctx, &max);

	if (status != KCF_SUCCESS)
		return status;
	if (job->op == KCF_OP_ENCRYPT && job->in_len > max)
		status = KCF_DATA_LEN_RANGE;
	else if (job->op == KCF_OP_DECRYPT && job->in_len != t->width)
		status = KCF_ENCRYPTED_DATA_LEN_RANGE;
	else if (job->op == KCF_OP_ENCRYPT && job->out_room < t->width)
		status = openssl_too_small(job, t->width);
	else
		status = rsa_run(t, ctx, job);
	EVP_PKEY_CTX_free(ctx);
	return status;
}

/* ---- the class of rows that only encrypt ----------------------------------------------------- */

static enum kcf_status rsa_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return openssl_key_load(t, key);
}

static enum kcf_status rsa_state_new(struct openssl_tmpl *t, void **ret)
{
	*ret = t;
	return KCF_SUCCESS;
}

static void rsa_state_free(void *state)
{
}

static enum kcf_status rsa_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	if (job->op == KCF_OP_PUBLIC)
		return openssl_key_public(t, job);
	if (job->op != KCF_OP_ENCRYPT && job->op != KCF_OP_DECRYPT)
		return KCF_MECH_NOT_SUPPORTED;
	return openssl_rsa_crypt(t, job);
}

const struct openssl_class openssl_rsa_crypt_class = {
	.tmpl_init = rsa_tmpl_init,
	.state_new = rsa_state_new,
	.state_free = rsa_state_free,
	.single = rsa_single,
};
