/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures: RSA PKCS#1 v1.5 and PSS, ECDSA, DSA, EdDSA.
 *
 * Mechanisms that hash do so here and sign the digest, so single and multi-part are one path. A
 * live state keeps one prepared EVP_PKEY_CTX per direction and prepares it again only when the PSS
 * parameters change. EdDSA is single part (it reads its message twice) and of the pure variants
 * only: libcrypto 3.0 has neither contexts nor prehashing.
 *
 * Thread: one per state or context.
 */
#include <stdlib.h>
#include "openssl-sign.h"

#define SIGN_MIN_BITS 2048 /* RSA and DSA */

struct pss {
	kcf_mech_t hash, mgf_hash;
	int salt_len;
};

struct sign_state {
	struct openssl_tmpl *tmpl;
	EVP_PKEY_CTX *ctx[2]; /* [1] verifies */
	EVP_MD_CTX *ed[2];
	struct pss pss[2];
	struct openssl_digest_fns f; /* of the mechanism's digest */
	void *md;
	unsigned hash_len; /* 0: the input is what is signed */
	uint32_t flags;    /* of the operation under way */
};

/* ---- state ----------------------------------------------------------------------------------- */

static void sign_state_free(void *arg)
{
	struct sign_state *s = arg;

	if (!s)
		return;
	for (unsigned i = 0; i < 2; i++) {
		EVP_PKEY_CTX_free(s->ctx[i]);
		EVP_MD_CTX_free(s->ed[i]);
	}
	if (s->md)
		s->f.freectx(s->md);
	free(s);
}

static enum kcf_status sign_state_new(struct openssl_tmpl *t, void **ret)
{
	struct sign_state *s = calloc(1, sizeof(*s));
	const struct openssl_spec *digest;

	if (!s)
		return KCF_HOST_MEMORY;
	s->tmpl = t;
	if (t->spec->hash) {
		if (openssl_digest_find(t->prov, t->spec->hash, &digest, &s->f) != KCF_SUCCESS) {
			free(s);
			return KCF_MECH_NOT_SUPPORTED;
		}
		s->hash_len = digest->len;
		s->md = s->f.newctx(t->prov->provctx);
		if (!s->md) {
			free(s);
			return KCF_HOST_MEMORY;
		}
	}
	*ret = s;
	return KCF_SUCCESS;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* PSS parameters with their defaults in place. */
static enum kcf_status pss_params(const struct sign_state *s, const struct kcf_param_rsa_pss *param,
				  struct pss *ret, const struct openssl_spec **ret_hash,
				  const struct openssl_spec **ret_mgf)
{
	const struct openssl_tmpl *t = s->tmpl;
	kcf_mech_t named = t->spec->hash ? t->spec->hash : KCF_M_SHA256;
	int salt_max;

	ret->hash = param && param->hash ? param->hash : named;
	ret->mgf_hash = param && param->mgf_hash ? param->mgf_hash : ret->hash;
	ret->salt_len = param ? param->salt_len : KCF_SALT_DIGEST;
	if ((t->spec->hash && ret->hash != t->spec->hash) ||
	    openssl_digest_find(t->prov, ret->hash, ret_hash, NULL) != KCF_SUCCESS ||
	    openssl_digest_find(t->prov, ret->mgf_hash, ret_mgf, NULL) != KCF_SUCCESS)
		return KCF_MECHANISM_PARAM_INVALID;
	salt_max = (int)((t->bits - 1 + 7) / 8) - (*ret_hash)->len - 2;
	if (ret->salt_len < KCF_SALT_AUTO || ret->salt_len > salt_max || salt_max < 0 ||
	    (ret->salt_len == KCF_SALT_DIGEST && (*ret_hash)->len > salt_max))
		return KCF_MECHANISM_PARAM_INVALID;
	return KCF_SUCCESS;
}

static bool prepare(struct sign_state *s, bool verify, const OSSL_PARAM *params)
{
	struct openssl_prov *prov = s->tmpl->prov;
	EVP_PKEY *key = verify ? s->tmpl->pub : s->tmpl->priv;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(prov->lib, key, OPENSSL_PROPS);

	if (!ctx)
		return false;
	if ((verify ? EVP_PKEY_verify_init_ex(ctx, params) : EVP_PKEY_sign_init_ex(ctx, params)) <=
	    0) {
		EVP_PKEY_CTX_free(ctx);
		return false;
	}
	EVP_PKEY_CTX_free(s->ctx[verify]);
	s->ctx[verify] = ctx;
	return true;
}

static enum kcf_status prepare_pss(struct sign_state *s, bool verify,
				   const struct kcf_param_rsa_pss *param)
{
	const struct openssl_spec *hash, *mgf;
	struct pss pss;
	enum kcf_status status = pss_params(s, param, &pss, &hash, &mgf);
	const char *word = pss.salt_len == KCF_SALT_DIGEST ? OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST
			   : verify                        ? OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO
							   : OSSL_PKEY_RSA_PSS_SALT_LEN_MAX;
	OSSL_PARAM params[8], *p = params;

	if (status != KCF_SUCCESS)
		return status;
	if (!s->tmpl->spec->hash)
		s->hash_len = hash->len;
	if (s->ctx[verify] && memcmp(&pss, &s->pss[verify], sizeof(pss)) == 0)
		return KCF_SUCCESS;
	*p++ = openssl_text(OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_PKEY_RSA_PAD_MODE_PSS);
	*p++ = openssl_text(OSSL_SIGNATURE_PARAM_DIGEST, hash->alg[0]);
	*p++ = openssl_text(OSSL_SIGNATURE_PARAM_PROPERTIES, OPENSSL_PROPS);
	*p++ = openssl_text(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, mgf->alg[0]);
	*p++ = openssl_text(OSSL_SIGNATURE_PARAM_MGF1_PROPERTIES, OPENSSL_PROPS);
	if (pss.salt_len >= 0)
		*p++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, &pss.salt_len);
	else
		*p++ = openssl_text(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, word);
	*p = OSSL_PARAM_construct_end();
	if (!prepare(s, verify, params)) /* a PSS key may restrict hash and salt */
		return KCF_MECHANISM_PARAM_INVALID;
	s->pss[verify] = pss;
	return KCF_SUCCESS;
}

static enum kcf_status prepare_plain(struct sign_state *s, bool verify)
{
	const struct openssl_spec *spec = s->tmpl->spec, *digest;
	OSSL_PARAM params[4], *p = params;

	if (s->ctx[verify])
		return KCF_SUCCESS;
	if (spec->kind == OPENSSL_RSA_PKCS1)
		*p++ = openssl_text(OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_PKEY_RSA_PAD_MODE_PKCSV15);
	if (spec->hash) {
		openssl_digest_find(s->tmpl->prov, spec->hash, &digest, NULL);
		*p++ = openssl_text(OSSL_SIGNATURE_PARAM_DIGEST, digest->alg[0]);
		*p++ = openssl_text(OSSL_SIGNATURE_PARAM_PROPERTIES, OPENSSL_PROPS);
	}
	*p = OSSL_PARAM_construct_end();
	return prepare(s, verify, params) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status prepare_ed(struct sign_state *s, bool verify,
				  const struct kcf_param_sign *param)
{
	struct openssl_tmpl *t = s->tmpl;
	EVP_PKEY *pub;
	EVP_MD_CTX *md;
	int ok = 0;

	if (param && (param->flags || param->context_len))
		return KCF_MECHANISM_PARAM_INVALID;
	if (s->ed[verify])
		return KCF_SUCCESS;
	md = EVP_MD_CTX_new();
	if (!md)
		return KCF_HOST_MEMORY;
	if (verify) {
		pub = openssl_key_verifying(t);
		if (pub)
			ok = EVP_DigestVerifyInit_ex(md, NULL, NULL, t->prov->lib, OPENSSL_PROPS,
						     pub, NULL);
		EVP_PKEY_free(pub);
	} else {
		ok = EVP_DigestSignInit_ex(md, NULL, NULL, t->prov->lib, OPENSSL_PROPS, t->priv,
					   NULL);
	}
	if (ok <= 0) {
		EVP_MD_CTX_free(md);
		return KCF_FAILED;
	}
	s->ed[verify] = md;
	return KCF_SUCCESS;
}

static bool is_dsa(const struct openssl_tmpl *t)
{
	return t->spec->kind == OPENSSL_ECDSA || t->spec->kind == OPENSSL_DSA;
}

static bool has_modulus(const struct openssl_tmpl *t)
{
	return t->spec->kind != OPENSSL_ECDSA && t->spec->kind != OPENSSL_EDDSA;
}

static enum kcf_status sign_start(struct sign_state *s, const struct kcf_job *job)
{
	const struct openssl_tmpl *t = s->tmpl;
	const struct kcf_param_sign *param = job->param;
	bool verify = job->op == KCF_OP_VERIFY;

	if (job->op != KCF_OP_SIGN && job->op != KCF_OP_VERIFY)
		return KCF_MECH_NOT_SUPPORTED;
	if (verify ? !t->pub && !t->key : !t->priv)
		return KCF_KEY_TYPE_INCONSISTENT;
	/* 1024 bits are for old signatures (SP 800-131A), and only to verify them */
	if (!verify && has_modulus(t) && t->bits < SIGN_MIN_BITS)
		return KCF_KEY_SIZE_RANGE;
	s->flags = 0;
	if (is_dsa(t) && param) {
		if ((param->flags & ~KCF_SIG_DER) || param->context_len)
			return KCF_MECHANISM_PARAM_INVALID;
		s->flags = param->flags;
	}
	if (s->md && !s->f.init(s->md, NULL))
		return KCF_FAILED;
	if (t->spec->kind == OPENSSL_RSA_PSS)
		return prepare_pss(s, verify, job->param);
	if (t->spec->kind == OPENSSL_EDDSA)
		return prepare_ed(s, verify, job->param);
	return prepare_plain(s, verify);
}

/* ---- signing and verifying what was hashed or given ------------------------------------------ */

static size_t sig_len(const struct sign_state *s)
{
	const struct openssl_tmpl *t = s->tmpl;

	if (is_dsa(t))
		return s->flags & KCF_SIG_DER ? openssl_sig_der_max(t->width) : 2 * t->width;
	if (t->spec->kind == OPENSSL_EDDSA)
		return t->width == 32 ? 64 : 114;
	return t->width;
}

static bool raw_sign(struct sign_state *s, const uint8_t *tbs, size_t tbs_len, uint8_t *sig,
		     size_t *len)
{
	if (s->tmpl->spec->kind == OPENSSL_EDDSA)
		return EVP_DigestSign(s->ed[0], sig, len, tbs, tbs_len) > 0;
	return EVP_PKEY_sign(s->ctx[0], sig, len, tbs, tbs_len) > 0;
}

static enum kcf_status do_sign(struct sign_state *s, const uint8_t *tbs, size_t tbs_len,
			       struct kcf_job *job)
{
	const struct openssl_tmpl *t = s->tmpl;
	uint8_t der[OPENSSL_SIG_DER_MAX], rs[OPENSSL_SIG_RS_MAX];
	struct openssl_flat sig;
	size_t len;
	enum kcf_status status;

	if (is_dsa(t)) {
		len = sizeof(der);
		if (!raw_sign(s, tbs, tbs_len, der, &len))
			return KCF_FAILED;
		if (s->flags & KCF_SIG_DER)
			return openssl_job_put(job, der, len);
		if (!openssl_sig_from_der(der, len, t->width, rs))
			return KCF_FAILED;
		return openssl_job_put(job, rs, 2 * t->width);
	}
	status = openssl_flat_new(&sig, sig_len(s));
	if (status != KCF_SUCCESS)
		return status;
	len = sig.len;
	status = raw_sign(s, tbs, tbs_len, sig.p, &len) ? openssl_job_put(job, sig.p, len)
							: KCF_FAILED;
	openssl_flat_close(&sig);
	return status;
}

static enum kcf_status do_verify(struct sign_state *s, const uint8_t *tbs, size_t tbs_len,
				 const struct kcf_job *job)
{
	const struct openssl_tmpl *t = s->tmpl;
	uint8_t der[OPENSSL_SIG_DER_MAX];
	const uint8_t *sig;
	struct openssl_flat given;
	size_t len = job->check_len;
	enum kcf_status status;
	int ok = 0;

	if (len == 0 || len > sig_len(s) || (!(s->flags & KCF_SIG_DER) && len != sig_len(s)))
		return KCF_SIGNATURE_INVALID;
	status = openssl_flat_in(&given, job->check, job->n_check, len);
	if (status != KCF_SUCCESS)
		return status;
	sig = given.p;
	if (is_dsa(t) && !(s->flags & KCF_SIG_DER)) {
		len = openssl_sig_to_der(given.p, t->width, der);
		sig = der;
	}
	if (t->spec->kind == OPENSSL_EDDSA)
		ok = EVP_DigestVerify(s->ed[1], sig, len, tbs, tbs_len);
	else
		ok = EVP_PKEY_verify(s->ctx[1], sig, len, tbs, tbs_len);
	openssl_flat_close(&given);
	return ok == 1 ? KCF_SUCCESS : KCF_SIGNATURE_INVALID;
}

/* Can an input of this length be signed as it is? */
static bool tbs_len_ok(const struct sign_state *s, size_t len)
{
	switch (s->tmpl->spec->kind) {
	case OPENSSL_RSA_PKCS1: /* RFC 8017 9.2 */
		return len >= 1 && len + 11 <= s->tmpl->width;
	case OPENSSL_RSA_PSS:
		return len == s->hash_len;
	case OPENSSL_EDDSA:
		return true;
	default:
		return len >= 1 && len <= OPENSSL_DIGEST_MAX;
	}
}

static enum kcf_status do_either(struct sign_state *s, const uint8_t *tbs, size_t len,
				 struct kcf_job *job)
{
	return job->op == KCF_OP_SIGN ? do_sign(s, tbs, len, job) : do_verify(s, tbs, len, job);
}

static enum kcf_status end_hashed(struct sign_state *s, struct kcf_job *job)
{
	uint8_t digest[OPENSSL_DIGEST_MAX];
	size_t done;

	if (!openssl_digest_iov(&s->f, s->md, job->in, job->n_in) ||
	    !s->f.final(s->md, digest, &done, s->hash_len))
		return KCF_FAILED;
	return do_either(s, digest, s->hash_len, job);
}

static enum kcf_status end_given(struct sign_state *s, struct kcf_job *job)
{
	struct openssl_flat tbs;
	enum kcf_status status;

	if (!tbs_len_ok(s, job->in_len))
		return KCF_DATA_LEN_RANGE;
	status = openssl_flat_in(&tbs, job->in, job->n_in, job->in_len);
	if (status != KCF_SUCCESS)
		return status;
	status = do_either(s, tbs.p, tbs.len, job);
	openssl_flat_close(&tbs);
	return status;
}

static enum kcf_status sign_end(struct sign_state *s, struct kcf_job *job)
{
	if (job->op == KCF_OP_SIGN && job->out_room < sig_len(s))
		return openssl_too_small(job, sig_len(s));
	return s->md ? end_hashed(s, job) : end_given(s, job);
}

/* ---- the class ------------------------------------------------------------------------------- */

static enum kcf_status sign_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return openssl_key_load(t, key);
}

static enum kcf_status sign_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	enum kcf_status status;

	if (job->op == KCF_OP_PUBLIC)
		return openssl_key_public(t, job);
	if (job->op == KCF_OP_ENCRYPT || job->op == KCF_OP_DECRYPT)
		return openssl_rsa_crypt(t, job);
	status = sign_start(state, job);
	return status == KCF_SUCCESS ? sign_end(state, job) : status;
}

static enum kcf_status sign_init(struct openssl_ctx *c, struct kcf_job *job)
{
	return sign_start(c->state, job);
}

static enum kcf_status sign_update(struct openssl_ctx *c, struct kcf_job *job)
{
	struct sign_state *s = c->state;

	return openssl_digest_iov(&s->f, s->md, job->in, job->n_in) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status sign_final(struct openssl_ctx *c, struct kcf_job *job)
{
	return sign_end(c->state, job);
}

const struct openssl_class openssl_sign_class = {
	.tmpl_init = sign_tmpl_init,
	.state_new = sign_state_new,
	.state_free = sign_state_free,
	.single = sign_single,
	.init = sign_init,
	.update = sign_update,
	.final = sign_final,
};
