/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MACs: HMAC, CMAC, GMAC, Poly1305, KMAC, SipHash.
 *
 * struct openssl_mac is one keyed MAC that starts again for every message; it also serves the KDFs.
 * mac_len shorter than the full length truncates, except where the length goes into the MAC itself
 * (KMAC: any length from 4 to 512 bytes; SipHash: 8 or 16). Verification always computes the whole
 * MAC and compares in constant time.
 *
 * Thread: one per object, state or context.
 */
#include <stdlib.h>
#include "openssl-private.h"

struct openssl_mac {
	struct openssl_prov *prov;
	const struct openssl_spec *spec;
	struct openssl_hmac *hmac;
	struct openssl_kmac *kmac;
	struct openssl_mac_fns f;
	struct openssl_cipher_fns gcm;
	void *ctx;     /* of f, or of gcm */
	size_t iv_len; /* GMAC: what ctx is set to */
	size_t len;    /* of the message under way */
	uint8_t *key;  /* for MACs that must be keyed for each message */
	size_t key_len;
};

void openssl_mac_free(struct openssl_mac *m)
{
	if (!m)
		return;
	openssl_hmac_free(m->hmac);
	openssl_kmac_free(m->kmac);
	if (m->ctx && m->spec->kind == OPENSSL_GMAC)
		m->gcm.freectx(m->ctx);
	else if (m->ctx)
		m->f.freectx(m->ctx);
	if (m->key) {
		explicit_bzero(m->key, m->key_len);
		free(m->key);
	}
	free(m);
}

static bool cmac_open(struct openssl_mac *m, const char *cipher)
{
	OSSL_PARAM params[] = {
		openssl_text(OSSL_MAC_PARAM_CIPHER, cipher),
		openssl_text(OSSL_MAC_PARAM_PROPERTIES, OPENSSL_PROPS),
		OSSL_PARAM_construct_end(),
	};
	return m->f.init(m->ctx, m->key, m->key_len, params);
}

static const char *cmac_cipher(const struct openssl_spec *spec, size_t key_len)
{
	static const char *const aes[] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"};

	return spec->mech == KCF_M_DES3_CMAC ? "DES-EDE3-CBC" : aes[key_len / 8 - 2];
}

static bool mac_open(struct openssl_mac *m, const uint8_t *key, size_t key_len)
{
	int row = openssl_row_find(m->spec->mech);
	unsigned alg = m->spec->alg[1] ? key_len / 8 - 2 : 0;

	if (m->spec->kind == OPENSSL_HMAC) {
		m->hmac = openssl_hmac_new(m->prov, m->spec->hash, key, key_len);
		return m->hmac != NULL;
	}
	if (m->spec->kind == OPENSSL_KMAC) {
		m->kmac = openssl_kmac_new(m->prov, m->prov->impl[row][0], m->spec->block, key,
					   key_len);
		return m->kmac != NULL;
	}
	if (m->spec->kind == OPENSSL_GMAC) {
		if (!openssl_cipher_fns_init(m->prov->impl[row][alg], &m->gcm))
			return false;
		m->ctx = m->gcm.newctx(m->prov->provctx);
		return m->ctx && m->gcm.init[0](m->ctx, key, key_len, NULL, 0, NULL);
	}
	m->key = malloc(key_len + 1);
	if (!m->key || !openssl_mac_fns_init(m->prov->impl[row][0], &m->f))
		return false;
	memcpy(m->key, key, key_len);
	m->key_len = key_len;
	m->ctx = m->f.newctx(m->prov->provctx);
	if (!m->ctx)
		return false;
	return m->spec->kind != OPENSSL_CMAC || cmac_open(m, cmac_cipher(m->spec, key_len));
}

enum kcf_status openssl_mac_new(struct openssl_prov *prov, const struct openssl_spec *spec,
				const uint8_t *key, size_t key_len, struct openssl_mac **ret)
{
	struct openssl_mac *m = calloc(1, sizeof(*m));

	if (!m)
		return KCF_HOST_MEMORY;
	m->prov = prov;
	m->spec = spec;
	if (!mac_open(m, key, key_len)) {
		openssl_mac_free(m);
		return KCF_FAILED;
	}
	*ret = m;
	return KCF_SUCCESS;
}

static enum kcf_status gmac_start(struct openssl_mac *m, const struct kcf_param_mac *param)
{
	size_t iv_len = param ? param->iv_len : 0;

	if (iv_len < 1 || iv_len > 128 || !param->iv)
		return KCF_MECHANISM_PARAM_INVALID;
	if (iv_len != m->iv_len) {
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, &iv_len),
			OSSL_PARAM_construct_end(),
		};
		if (!m->gcm.set(m->ctx, params))
			return KCF_FAILED;
		m->iv_len = iv_len;
	}
	return m->gcm.init[0](m->ctx, NULL, 0, param->iv, iv_len, NULL) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status kmac_start(struct openssl_mac *m, const struct kcf_param_mac *param)
{
	const uint8_t *custom = param ? param->custom : NULL;
	size_t custom_len = param ? param->custom_len : 0;

	if (m->len < 4 || m->len > OPENSSL_MAC_MAX || (custom_len && !custom))
		return KCF_MECHANISM_PARAM_INVALID;
	return openssl_kmac_start(m->kmac, custom, custom_len, m->len) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status siphash_start(struct openssl_mac *m)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &m->len),
		OSSL_PARAM_construct_end(),
	};

	if (m->len != 8 && m->len != 16)
		return KCF_MECHANISM_PARAM_INVALID;
	return m->f.init(m->ctx, m->key, m->key_len, params) ? KCF_SUCCESS : KCF_FAILED;
}

enum kcf_status openssl_mac_start(struct openssl_mac *m, const struct kcf_param_mac *param,
				  size_t *ret_len)
{
	size_t full = m->spec->len;
	bool ok;

	m->len = param && param->mac_len ? param->mac_len : full;
	if (m->spec->kind == OPENSSL_KMAC) {
		*ret_len = m->len;
		return kmac_start(m, param);
	}
	if (unlikely(m->len > full))
		return KCF_MECHANISM_PARAM_INVALID;
	*ret_len = m->len;
	switch (m->spec->kind) {
	case OPENSSL_HMAC:
		ok = openssl_hmac_start(m->hmac);
		break;
	case OPENSSL_GMAC:
		return gmac_start(m, param);
	case OPENSSL_SIPHASH:
		return siphash_start(m);
	case OPENSSL_CMAC:
		ok = m->f.init(m->ctx, NULL, 0, NULL);
		break;
	default:
		ok = m->f.init(m->ctx, m->key, m->key_len, NULL);
		break;
	}
	return ok ? KCF_SUCCESS : KCF_FAILED;
}

bool openssl_mac_add(struct openssl_mac *m, const void *p, size_t len)
{
	size_t done;

	if (unlikely(len == 0))
		return true;
	if (likely(m->hmac != NULL))
		return openssl_hmac_add(m->hmac, p, len);
	if (m->spec->kind == OPENSSL_GMAC)
		return m->gcm.cipher(m->ctx, NULL, &done, len, p, len);
	if (m->kmac)
		return openssl_kmac_add(m->kmac, p, len);
	return m->f.update(m->ctx, p, len);
}

/* The whole MAC, of which the first m->len bytes count. */
static bool mac_end_full(struct openssl_mac *m, uint8_t *out)
{
	size_t done;

	if (likely(m->hmac != NULL))
		return openssl_hmac_end(m->hmac, out);
	if (m->kmac)
		return openssl_kmac_end(m->kmac, out);
	if (m->spec->kind == OPENSSL_GMAC) {
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out, 16),
			OSSL_PARAM_construct_end(),
		};
		return m->gcm.cipher(m->ctx, NULL, &done, 0, NULL, 0) && m->gcm.get(m->ctx, params);
	}
	return m->f.final(m->ctx, out, &done, OPENSSL_MAC_MAX);
}

bool openssl_mac_end(struct openssl_mac *m, uint8_t *out)
{
	uint8_t full[OPENSSL_MAC_MAX];
	bool ok;

	if (likely(m->len == m->spec->len && m->hmac))
		return openssl_hmac_end(m->hmac, out);
	ok = mac_end_full(m, full);
	if (ok)
		memcpy(out, full, m->len);
	explicit_bzero(full, sizeof(full));
	return ok;
}

/* ---- the class ------------------------------------------------------------------------------- */

struct mac_state {
	struct openssl_mac *mac;
	size_t len;
	bool len_given;
};

static enum kcf_status mac_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return openssl_tmpl_raw_key(t, key);
}

static void mac_state_free(void *arg)
{
	struct mac_state *s = arg;

	if (!s)
		return;
	openssl_mac_free(s->mac);
	free(s);
}

static enum kcf_status mac_state_new(struct openssl_tmpl *t, void **ret)
{
	struct mac_state *s = calloc(1, sizeof(*s));
	enum kcf_status status;

	if (!s)
		return KCF_HOST_MEMORY;
	status = openssl_mac_new(t->prov, t->spec, t->key, t->key_len, &s->mac);
	if (status == KCF_SUCCESS)
		*ret = s;
	else
		free(s);
	return status;
}

static bool mac_add_iov(struct openssl_mac *m, const struct kcf_job *job)
{
	for (uint32_t i = 0; i < job->n_in; i++)
		if (unlikely(!openssl_mac_add(m, job->in[i].iov_base, job->in[i].iov_len)))
			return false;
	return true;
}

static enum kcf_status mac_start(struct mac_state *s, const struct kcf_job *job)
{
	const struct kcf_param_mac *param = job->param;

	s->len_given = param && param->mac_len > 0;
	return openssl_mac_start(s->mac, param, &s->len);
}

static enum kcf_status mac_check(const struct mac_state *s, const struct kcf_job *job,
				 const uint8_t *mac)
{
	struct openssl_pos pos = openssl_pos(job->check, job->n_check);
	uint8_t given[OPENSSL_MAC_MAX];
	size_t len = job->check_len;

	if (len < 1 || len > s->len || (s->len_given && len != s->len))
		return KCF_INVALID_MAC;
	openssl_pos_read(&pos, given, len);
	return CRYPTO_memcmp(given, mac, len) == 0 ? KCF_SUCCESS : KCF_INVALID_MAC;
}

static enum kcf_status mac_end(struct mac_state *s, struct kcf_job *job)
{
	uint8_t mac[OPENSSL_MAC_MAX];
	enum kcf_status status;

	if (likely(job->op == KCF_OP_MAC && job->out[0].iov_len >= s->len)) {
		job->out_len = s->len;
		return openssl_mac_end(s->mac, job->out[0].iov_base) ? KCF_SUCCESS : KCF_FAILED;
	}
	if (!openssl_mac_end(s->mac, mac))
		return KCF_FAILED;
	status = job->op == KCF_OP_MAC ? openssl_job_put(job, mac, s->len) : mac_check(s, job, mac);
	explicit_bzero(mac, s->len);
	return status;
}

static enum kcf_status mac_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	struct mac_state *s = state;
	enum kcf_status status;

	if (unlikely(job->op != KCF_OP_MAC && job->op != KCF_OP_MAC_VERIFY))
		return KCF_MECH_NOT_SUPPORTED;
	status = mac_start(s, job);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(job->op == KCF_OP_MAC && job->out_room < s->len))
		return openssl_too_small(job, s->len);
	if (unlikely(!mac_add_iov(s->mac, job)))
		return KCF_FAILED;
	return mac_end(s, job);
}

static enum kcf_status mac_init(struct openssl_ctx *c, struct kcf_job *job)
{
	if (job->op != KCF_OP_MAC && job->op != KCF_OP_MAC_VERIFY)
		return KCF_MECH_NOT_SUPPORTED;
	return mac_start(c->state, job);
}

static enum kcf_status mac_update(struct openssl_ctx *c, struct kcf_job *job)
{
	struct mac_state *s = c->state;

	return mac_add_iov(s->mac, job) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status mac_final(struct openssl_ctx *c, struct kcf_job *job)
{
	struct mac_state *s = c->state;

	if (job->op == KCF_OP_MAC && job->out_room < s->len)
		return openssl_too_small(job, s->len);
	return mac_add_iov(s->mac, job) ? mac_end(s, job) : KCF_FAILED;
}

const struct openssl_class openssl_mac_class = {
	.quiet = true,
	.tmpl_init = mac_tmpl_init,
	.state_new = mac_state_new,
	.state_free = mac_state_free,
	.single = mac_single,
	.init = mac_init,
	.update = mac_update,
	.final = mac_final,
};
