/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmac: GMAC over AES (SP 800-38D), by the library's direct functions; in one part or several.
 *
 * A message's state is on the stack or in its context; lanes would gain nothing. Thread: any.
 */
#include "aead.h"
#include "mac.h"

struct gmac_template {
	struct object obj;
	aes_gmac_init_t start;
	aes_gmac_update_t update;
	aes_gmac_finalize_t finish;
	struct gcm_key_data key __attribute__((aligned(64)));
};

struct gmac_context {
	struct object obj;
	const struct gmac_template *tmpl;
	struct kcf_param_mac param; /* its length alone */
	struct gcm_context_data state;
};

static bool gmac_start(const struct gmac_template *t, struct gcm_context_data *state,
		       const struct kcf_job *job)
{
	const struct kcf_param_mac *p = job->param;

	if (!p || !p->iv || p->iv_len == 0 || tag_wanted(p, AEAD_TAG_MAX) == 0)
		return false;
	t->start(&t->key, state, p->iv, p->iv_len);
	return true;
}

static void gmac_update(const struct gmac_template *t, struct gcm_context_data *state,
			const struct kcf_job *job)
{
	size_t left = job->in_len;

	for (uint32_t i = 0; i < job->n_in && left > 0; i++) {
		size_t len = job->in[i].iov_len < left ? job->in[i].iov_len : left;

		if (len > 0)
			t->update(&t->key, state, job->in[i].iov_base, len);
		left -= len;
	}
}

static enum kcf_status gmac_finish(const struct gmac_template *t, struct gcm_context_data *state,
				   struct kcf_job *job)
{
	uint8_t tag[AEAD_TAG_MAX];
	enum kcf_status status;

	t->finish(&t->key, state, tag, sizeof(tag));
	status = tag_finish(job, tag, sizeof(tag));
	wipe_small(tag, sizeof(tag));
	return status;
}

static enum kcf_status single(struct kcf_job *job)
{
	const struct gmac_template *t = job->tmpl;
	struct gcm_context_data state;
	enum kcf_status status = tag_check(job, AEAD_TAG_MAX);

	if (status != KCF_SUCCESS)
		return status;
	if (!gmac_start(t, &state, job))
		return KCF_MECHANISM_PARAM_INVALID;
	gmac_update(t, &state, job);
	status = gmac_finish(t, &state, job);
	wipe_small(&state, sizeof(state));
	return status;
}

static void gmac_run(struct mb *mb, const void *alg, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i]->status = single(jobs[i]);
}

static enum kcf_status init(struct kcf_job *job)
{
	const struct kcf_param_mac *p = job->param;
	struct gmac_context *ctx = object_new(sizeof(*ctx), NULL);

	if (!ctx)
		return KCF_HOST_MEMORY;
	ctx->tmpl = job->tmpl;
	if (!gmac_start(ctx->tmpl, &ctx->state, job)) {
		object_free(ctx);
		return KCF_MECHANISM_PARAM_INVALID;
	}
	ctx->param.mac_len = p->mac_len;
	job->ctx = ctx;
	return KCF_SUCCESS;
}

static enum kcf_status final(struct gmac_context *ctx, struct kcf_job *job)
{
	enum kcf_status status;

	job->param = &ctx->param;
	status = tag_check(job, AEAD_TAG_MAX);
	if (status != KCF_SUCCESS)
		return status;
	gmac_update(ctx->tmpl, &ctx->state, job);
	return gmac_finish(ctx->tmpl, &ctx->state, job);
}

static enum kcf_status gmac_step(struct mb *mb, const void *alg, struct kcf_job *job)
{
	struct gmac_context *ctx = job->ctx;

	switch (job->phase) {
	case KCF_INIT:
		return init(job);
	case KCF_UPDATE:
		gmac_update(ctx->tmpl, &ctx->state, job);
		return KCF_SUCCESS;
	default:
		return final(ctx, job);
	}
}

static enum kcf_status gmac_template_new(struct mb *mb, const void *alg,
					 const struct kcf_key_data *key, void **ret)
{
	const IMB_MGR *m = mb->fns;
	struct gmac_template *t = object_new(sizeof(*t), NULL);

	if (!t)
		return KCF_HOST_MEMORY;
	if (!gcm_key_init(m, key, &t->key)) {
		object_free(t);
		return KCF_KEY_SIZE_RANGE;
	}
	t->start = key->len == 16 ? m->gmac128_init : m->gmac256_init;
	t->update = key->len == 16 ? m->gmac128_update : m->gmac256_update;
	t->finish = key->len == 16 ? m->gmac128_finalize : m->gmac256_finalize;
	if (key->len == 24) {
		t->start = m->gmac192_init;
		t->update = m->gmac192_update;
		t->finish = m->gmac192_finalize;
	}
	*ret = t;
	return KCF_SUCCESS;
}

const struct class_ops gmac_class = {gmac_template_new, gmac_run, gmac_step};
