/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The openssl provider: software on libcrypto's default provider.
 *
 * It is a guest in application processes: it has its own library context, reads no configuration,
 * leaves nothing behind at exit, and leaves libcrypto's error queue as it found it. Jobs go by the
 * template's class; a multi-part context owns a live state of its own and dies with its first error
 * other than a buffer that is too small.
 *
 * Thread: start and stop one at a time per instance; everything else any, concurrently.
 */
#include <stdlib.h>
#include <strings.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include "openssl-private.h"

/* ---- functions of the default provider ------------------------------------------------------- */

bool openssl_digest_fns_init(const OSSL_DISPATCH *impl, struct openssl_digest_fns *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const OSSL_DISPATCH *d = impl; d && d->function_id; d++) {
		switch (d->function_id) {
		case OSSL_FUNC_DIGEST_NEWCTX:
			ret->newctx = OSSL_FUNC_digest_newctx(d);
			break;
		case OSSL_FUNC_DIGEST_FREECTX:
			ret->freectx = OSSL_FUNC_digest_freectx(d);
			break;
		case OSSL_FUNC_DIGEST_INIT:
			ret->init = OSSL_FUNC_digest_init(d);
			break;
		case OSSL_FUNC_DIGEST_UPDATE:
			ret->update = OSSL_FUNC_digest_update(d);
			break;
		case OSSL_FUNC_DIGEST_FINAL:
			ret->final = OSSL_FUNC_digest_final(d);
			break;
		}
	}
	return ret->newctx && ret->freectx && ret->init && ret->update && ret->final;
}

bool openssl_cipher_fns_init(const OSSL_DISPATCH *impl, struct openssl_cipher_fns *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const OSSL_DISPATCH *d = impl; d && d->function_id; d++) {
		switch (d->function_id) {
		case OSSL_FUNC_CIPHER_NEWCTX:
			ret->newctx = OSSL_FUNC_cipher_newctx(d);
			break;
		case OSSL_FUNC_CIPHER_FREECTX:
			ret->freectx = OSSL_FUNC_cipher_freectx(d);
			break;
		case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
			ret->init[0] = OSSL_FUNC_cipher_encrypt_init(d);
			break;
		case OSSL_FUNC_CIPHER_DECRYPT_INIT:
			ret->init[1] = OSSL_FUNC_cipher_decrypt_init(d);
			break;
		case OSSL_FUNC_CIPHER_UPDATE:
			ret->update = OSSL_FUNC_cipher_update(d);
			break;
		case OSSL_FUNC_CIPHER_FINAL:
			ret->final = OSSL_FUNC_cipher_final(d);
			break;
		case OSSL_FUNC_CIPHER_CIPHER:
			ret->cipher = OSSL_FUNC_cipher_cipher(d);
			break;
		case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
			ret->get = OSSL_FUNC_cipher_get_ctx_params(d);
			break;
		case OSSL_FUNC_CIPHER_SET_CTX_PARAMS:
			ret->set = OSSL_FUNC_cipher_set_ctx_params(d);
			break;
		}
	}
	if (!ret->cipher) /* key wrap: one call is one message anyway */
		ret->cipher = ret->update;
	return ret->newctx && ret->freectx && ret->init[0] && ret->init[1] && ret->update &&
	       ret->final && ret->get && ret->set;
}

bool openssl_mac_fns_init(const OSSL_DISPATCH *impl, struct openssl_mac_fns *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const OSSL_DISPATCH *d = impl; d && d->function_id; d++) {
		switch (d->function_id) {
		case OSSL_FUNC_MAC_NEWCTX:
			ret->newctx = OSSL_FUNC_mac_newctx(d);
			break;
		case OSSL_FUNC_MAC_FREECTX:
			ret->freectx = OSSL_FUNC_mac_freectx(d);
			break;
		case OSSL_FUNC_MAC_INIT:
			ret->init = OSSL_FUNC_mac_init(d);
			break;
		case OSSL_FUNC_MAC_UPDATE:
			ret->update = OSSL_FUNC_mac_update(d);
			break;
		case OSSL_FUNC_MAC_FINAL:
			ret->final = OSSL_FUNC_mac_final(d);
			break;
		}
	}
	return ret->newctx && ret->freectx && ret->init && ret->update && ret->final;
}

/* names: "AES-256-GCM:id-aes256-GCM:2.16..." */
static bool has_name(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = names; s; s = strchr(s, ':')) {
		s += *s == ':';
		if (strncasecmp(s, name, len) == 0 && (s[len] == ':' || s[len] == '\0'))
			return true;
	}
	return false;
}

static const OSSL_DISPATCH *find_impl(const OSSL_ALGORITHM *algs, const char *name)
{
	for (; algs && algs->algorithm_names; algs++)
		if (has_name(algs->algorithm_names, name))
			return algs->implementation;
	return NULL;
}

static void resolve_rows(struct openssl_prov *prov)
{
	int no_cache;
	const OSSL_ALGORITHM *digests =
		OSSL_PROVIDER_query_operation(prov->module, OSSL_OP_DIGEST, &no_cache);
	const OSSL_ALGORITHM *ciphers =
		OSSL_PROVIDER_query_operation(prov->module, OSSL_OP_CIPHER, &no_cache);
	const OSSL_ALGORITHM *macs =
		OSSL_PROVIDER_query_operation(prov->module, OSSL_OP_MAC, &no_cache);

	for (uint32_t row = 0; row < openssl_n_rows; row++) {
		const struct openssl_spec *spec = openssl_spec(&openssl_rows[row]);
		const OSSL_ALGORITHM *algs = ciphers;

		if (spec->cls == &openssl_digest_class || spec->kind == OPENSSL_KMAC)
			algs = digests;
		else if (spec->cls == &openssl_mac_class && spec->kind != OPENSSL_GMAC)
			algs = macs;
		else if (spec->cls != &openssl_cipher_class && spec->cls != &openssl_aead_class &&
			 spec->cls != &openssl_mac_class)
			continue;
		for (unsigned i = 0; i < 3; i++)
			if (spec->alg[i])
				prov->impl[row][i] = find_impl(algs, spec->alg[i]);
	}
}

/* ---- instance -------------------------------------------------------------------------------- */

static void openssl_stop(void *arg)
{
	struct openssl_prov *prov = arg;

	if (!prov)
		return;
	if (prov->module)
		OSSL_PROVIDER_unload(prov->module);
	OSSL_LIB_CTX_free(prov->lib);
	free(prov->impl);
	free(prov);
}

static enum kcf_status openssl_start(const struct kcf_host *host, void **ret_prov)
{
	struct openssl_prov *prov;

	/* Not NO_LOAD_CONFIG: that would take the application's own openssl.cnf from it. A library
	 * context of our own never reads it. */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL))
		return KCF_FAILED;
	prov = calloc(1, sizeof(*prov));
	if (!prov)
		return KCF_HOST_MEMORY;
	ERR_set_mark();
	prov->host = host;
	prov->impl = calloc(openssl_n_rows, sizeof(*prov->impl));
	prov->lib = OSSL_LIB_CTX_new();
	prov->module = prov->lib ? OSSL_PROVIDER_load(prov->lib, "default") : NULL;
	if (prov->module && prov->impl) {
		prov->provctx = OSSL_PROVIDER_get0_provider_ctx(prov->module);
		resolve_rows(prov);
		*ret_prov = prov;
		ERR_pop_to_mark();
		return KCF_SUCCESS;
	}
	openssl_stop(prov);
	ERR_pop_to_mark();
	return KCF_FAILED;
}

static enum kcf_status self_test(void *prov)
{
	return openssl_self_test(prov);
}

/* ---- templates and states -------------------------------------------------------------------- */

enum kcf_status openssl_tmpl_raw_key(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	const struct kcf_mech_row *row = t->row;
	size_t bits, step = row->key_step_bits ? row->key_step_bits : 8;

	if (!key || key->format != KCF_KEY_RAW)
		return KCF_KEY_TYPE_INCONSISTENT;
	bits = key->len * 8;
	if (key->len > SIZE_MAX / 8 || bits < row->key_min_bits || bits > row->key_max_bits ||
	    (bits - row->key_min_bits) % step)
		return KCF_KEY_SIZE_RANGE;
	t->key = calloc(1, key->len + 1);
	if (!t->key)
		return KCF_HOST_MEMORY;
	if (key->len > 0)
		memcpy(t->key, key->bytes, key->len);
	t->key_len = key->len;
	t->bits = bits;
	return KCF_SUCCESS;
}

void openssl_tmpl_free(struct openssl_tmpl *t)
{
	if (!t)
		return;
	if (t->key) {
		explicit_bzero(t->key, t->key_len);
		free(t->key);
	}
	EVP_PKEY_free(t->priv);
	EVP_PKEY_free(t->pub);
	free(t);
}

enum kcf_status openssl_tmpl_new(struct openssl_prov *prov, uint32_t row,
				 const struct kcf_key_data *key, struct openssl_tmpl **ret)
{
	struct openssl_tmpl *t;
	enum kcf_status status;

	if (row >= openssl_n_rows)
		return KCF_MECH_NOT_SUPPORTED;
	t = calloc(1, sizeof(*t));
	if (!t)
		return KCF_HOST_MEMORY;
	t->prov = prov;
	t->row = &openssl_rows[row];
	t->spec = openssl_spec(t->row);
	t->cls = t->spec->cls;
	ERR_set_mark();
	status = t->cls->tmpl_init(t, key);
	ERR_pop_to_mark();
	if (status == KCF_SUCCESS)
		*ret = t;
	else
		openssl_tmpl_free(t);
	return status;
}

static enum kcf_status template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
				    void **ret_tmpl)
{
	struct openssl_tmpl *t;
	enum kcf_status status = openssl_tmpl_new(prov, row, key, &t);

	if (status == KCF_SUCCESS)
		*ret_tmpl = t;
	return status;
}

static void template_free(void *prov, void *tmpl)
{
	openssl_tmpl_free(tmpl);
}

/* A thread state starts with its template, so that it can be freed by class. */
struct thread_state {
	struct openssl_tmpl *tmpl;
	void *state;
};

static enum kcf_status state_open(struct openssl_tmpl *t, void **ret)
{
	enum kcf_status status;

	ERR_set_mark();
	status = t->cls->state_new(t, ret);
	ERR_pop_to_mark();
	return status;
}

static enum kcf_status thread_state_new(void *prov, void *tmpl, void **ret_thread)
{
	struct thread_state *s = calloc(1, sizeof(*s));
	enum kcf_status status;

	if (!s)
		return KCF_HOST_MEMORY;
	s->tmpl = tmpl;
	status = state_open(tmpl, &s->state);
	if (status == KCF_SUCCESS)
		*ret_thread = s;
	else
		free(s);
	return status;
}

static void thread_state_free(void *prov, void *thread)
{
	struct thread_state *s = thread;

	if (!s)
		return;
	s->tmpl->cls->state_free(s->state);
	free(s);
}

/* ---- contexts -------------------------------------------------------------------------------- */

static void context_free(void *prov, void *ctx)
{
	struct openssl_ctx *c = ctx;

	if (!c)
		return;
	if (c->data)
		c->tmpl->cls->data_free(c);
	c->tmpl->cls->state_free(c->state);
	free(c);
}

static enum kcf_status context_open(struct openssl_tmpl *t, struct kcf_job *job)
{
	struct openssl_ctx *c;
	enum kcf_status status;

	if (!t->cls->init || !(t->row->flags & KCF_ROW_MULTI_PART))
		return KCF_MECH_NOT_SUPPORTED;
	c = calloc(1, sizeof(*c));
	if (!c)
		return KCF_HOST_MEMORY;
	c->tmpl = t;
	c->op = job->op;
	status = state_open(t, &c->state);
	if (status != KCF_SUCCESS) {
		free(c);
		return status;
	}
	status = t->cls->init(c, job);
	if (status == KCF_SUCCESS)
		job->ctx = c;
	else
		context_free(t->prov, c);
	return status;
}

static enum kcf_status context_run(struct kcf_job *job)
{
	struct openssl_ctx *c = job->ctx;
	enum kcf_status status;

	if (!c || c->dead || c->op != job->op)
		return KCF_INVALID_CONTEXT;
	if (job->phase == KCF_UPDATE)
		status = c->tmpl->cls->update(c, job);
	else
		status = c->tmpl->cls->final(c, job);
	if (status != KCF_BUFFER_TOO_SMALL)
		c->dead = status != KCF_SUCCESS || job->phase == KCF_FINAL_PHASE;
	return status;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* A job without a template (keyless) or without a live state gets one for its own time. */
static enum kcf_status run_bare(struct openssl_prov *prov, struct kcf_job *job)
{
	struct openssl_tmpl *t = job->tmpl, *own = NULL;
	enum kcf_status status = KCF_SUCCESS;
	void *state;

	if (!t) {
		status = openssl_tmpl_new(prov, job->row, NULL, &own);
		t = own;
	}
	if (status == KCF_SUCCESS)
		status = state_open(t, &state);
	if (status == KCF_SUCCESS) {
		status = t->cls->single(t, state, job);
		t->cls->state_free(state);
	}
	openssl_tmpl_free(own);
	return status;
}

static enum kcf_status run_marked(struct openssl_prov *prov, struct kcf_job *job)
{
	struct thread_state *s = job->thread;
	enum kcf_status status;

	ERR_set_mark();
	if (job->phase == KCF_UPDATE || job->phase == KCF_FINAL_PHASE)
		status = context_run(job);
	else if (job->phase == KCF_INIT)
		status = job->tmpl ? context_open(job->tmpl, job) : KCF_MECH_NOT_SUPPORTED;
	else if (s)
		status = s->tmpl->cls->single(s->tmpl, s->state, job);
	else
		status = run_bare(prov, job);
	ERR_pop_to_mark();
	return status;
}

void openssl_job_run(struct openssl_prov *prov, struct kcf_job *job)
{
	struct thread_state *s = job->thread;

	job->out_len = 0;
	if (likely(job->phase == KCF_SINGLE && s && s->tmpl->cls->quiet))
		job->status = s->tmpl->cls->single(s->tmpl, s->state, job);
	else
		job->status = run_marked(prov, job);
	if (unlikely(job->status != KCF_SUCCESS && job->status != KCF_BUFFER_TOO_SMALL))
		job->out_len = 0;
}

static unsigned openssl_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		openssl_job_run(prov, jobs[i]);
	return n;
}

const struct kcf_provider_ops openssl_ops = {
	.start = openssl_start,
	.stop = openssl_stop,
	.self_test = self_test,
	.submit = openssl_submit,
	.template_new = template_new,
	.template_free = template_free,
	.thread_state_new = thread_state_new,
	.thread_state_free = thread_state_free,
	.context_free = context_free,
};
