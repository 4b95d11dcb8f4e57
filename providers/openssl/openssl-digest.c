/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and extendable-output functions.
 *
 * A live state is one digest context that every job starts again; the output length of an XOF is
 * set at each start, because the context remembers the last one.
 *
 * Thread: one per state or context.
 */
#include <stdlib.h>
#include "openssl-private.h"

struct digest_state {
	struct openssl_tmpl *tmpl;
	void *md;
	size_t out_len; /* of the operation under way */
};

enum kcf_status openssl_digest_find(struct openssl_prov *prov, kcf_mech_t mech,
				    const struct openssl_spec **ret_spec,
				    struct openssl_digest_fns *ret_fns)
{
	int row = openssl_row_find(mech);

	if (row < 0 || openssl_spec(&openssl_rows[row])->cls != &openssl_digest_class ||
	    openssl_rows[row].param_kind != KCF_PARAM_NONE)
		return KCF_MECHANISM_PARAM_INVALID;
	if (ret_fns && !openssl_digest_fns_init(prov->impl[row][0], ret_fns))
		return KCF_MECHANISM_PARAM_INVALID;
	*ret_spec = openssl_spec(&openssl_rows[row]);
	return KCF_SUCCESS;
}

bool openssl_digest_iov(const struct openssl_digest_fns *f, void *md, const struct iovec *v,
			uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].iov_len > 0 && !f->update(md, v[i].iov_base, v[i].iov_len))
			return false;
	return true;
}

static enum kcf_status digest_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	if (!openssl_digest_fns_init(t->prov->impl[t->row - openssl_rows][0], &t->fns.digest))
		return KCF_MECH_NOT_SUPPORTED;
	return KCF_SUCCESS;
}

static void digest_state_free(void *arg)
{
	struct digest_state *s = arg;

	if (!s)
		return;
	if (s->md)
		s->tmpl->fns.digest.freectx(s->md);
	free(s);
}

static enum kcf_status digest_state_new(struct openssl_tmpl *t, void **ret)
{
	struct digest_state *s = calloc(1, sizeof(*s));

	if (!s)
		return KCF_HOST_MEMORY;
	s->tmpl = t;
	s->md = t->fns.digest.newctx(t->prov->provctx);
	if (!s->md) {
		free(s);
		return KCF_HOST_MEMORY;
	}
	*ret = s;
	return KCF_SUCCESS;
}

static enum kcf_status digest_start(struct digest_state *s, const struct kcf_job *job)
{
	const struct openssl_tmpl *t = s->tmpl;
	const struct kcf_param_digest *param = job->param;

	s->out_len = t->spec->len;
	if (t->row->param_kind == KCF_PARAM_NONE)
		return t->fns.digest.init(s->md, NULL) ? KCF_SUCCESS : KCF_FAILED;

	if (param && param->out_len > 0)
		s->out_len = param->out_len;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_DIGEST_PARAM_XOFLEN, &s->out_len),
		OSSL_PARAM_construct_end(),
	};
	return t->fns.digest.init(s->md, params) ? KCF_SUCCESS : KCF_FAILED;
}

static enum kcf_status digest_end(struct digest_state *s, struct kcf_job *job)
{
	const struct openssl_digest_fns *f = &s->tmpl->fns.digest;
	size_t len = s->out_len, done;
	struct openssl_flat flat;
	enum kcf_status status;

	if (likely(job->n_out > 0 && job->out[0].iov_len >= len)) {
		job->out_len = len;
		return f->final(s->md, job->out[0].iov_base, &done, len) ? KCF_SUCCESS : KCF_FAILED;
	}
	status = openssl_flat_new(&flat, len);
	if (status != KCF_SUCCESS)
		return status;
	status = f->final(s->md, flat.p, &done, len) ? openssl_job_put(job, flat.p, len)
						     : KCF_FAILED;
	openssl_flat_close(&flat);
	return status;
}

static enum kcf_status digest_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	struct digest_state *s = state;
	enum kcf_status status;

	if (unlikely(job->op != KCF_OP_DIGEST))
		return KCF_MECH_NOT_SUPPORTED;
	status = digest_start(s, job);
	if (unlikely(status != KCF_SUCCESS))
		return status;
	if (unlikely(job->out_room < s->out_len))
		return openssl_too_small(job, s->out_len);
	if (unlikely(!openssl_digest_iov(&t->fns.digest, s->md, job->in, job->n_in)))
		return KCF_FAILED;
	return digest_end(s, job);
}

static enum kcf_status digest_init(struct openssl_ctx *c, struct kcf_job *job)
{
	if (job->op != KCF_OP_DIGEST)
		return KCF_MECH_NOT_SUPPORTED;
	return digest_start(c->state, job);
}

static enum kcf_status digest_update(struct openssl_ctx *c, struct kcf_job *job)
{
	struct digest_state *s = c->state;

	return openssl_digest_iov(&c->tmpl->fns.digest, s->md, job->in, job->n_in) ? KCF_SUCCESS
										   : KCF_FAILED;
}

static enum kcf_status digest_final(struct openssl_ctx *c, struct kcf_job *job)
{
	struct digest_state *s = c->state;
	enum kcf_status status;

	if (job->out_room < s->out_len)
		return openssl_too_small(job, s->out_len);
	status = digest_update(c, job);
	return status == KCF_SUCCESS ? digest_end(s, job) : status;
}

const struct openssl_class openssl_digest_class = {
	.quiet = true,
	.tmpl_init = digest_tmpl_init,
	.state_new = digest_state_new,
	.state_free = digest_state_free,
	.single = digest_single,
	.init = digest_init,
	.update = digest_update,
	.final = digest_final,
};
