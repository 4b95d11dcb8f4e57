/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: SHA-1, SHA-2 (FIPS 180-4), SHA-3 (FIPS 202). alg: a struct nettle_hash.
 *
 * Templates carry nothing: there is no key. Thread: any.
 */
#include "hash.h"
#include "common/iov.h"
#include "class.h"

#include <string.h>

struct digest_context {
	struct object obj;
	union hash_state state;
};

static void update(const struct nettle_hash *hash, void *state, const struct kcf_job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_in; i++)
		hash->update(state, job->in[i].iov_len, job->in[i].iov_base);
}

static void finish(const struct nettle_hash *hash, void *state, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t digest[HASH_SIZE_MAX];

	hash->digest(state, hash->digest_size, digest);
	job->out_len = cursor_write(&out, digest, hash->digest_size);
}

static enum kcf_status single(const struct nettle_hash *hash, struct kcf_job *job)
{
	union hash_state state;

	if (!job_has_room(job, hash->digest_size))
		return KCF_BUFFER_TOO_SMALL;
	hash->init(&state);
	update(hash, &state, job);
	finish(hash, &state, job);
	explicit_bzero(&state, hash->context_size);
	return KCF_SUCCESS;
}

static enum kcf_status init(const struct nettle_hash *hash, struct kcf_job *job)
{
	struct digest_context *ctx = object_new(sizeof(*ctx), NULL);

	if (!ctx)
		return KCF_HOST_MEMORY;
	hash->init(&ctx->state);
	job->ctx = ctx;
	return KCF_SUCCESS;
}

static enum kcf_status digest_run(const void *alg, struct kcf_job *job)
{
	const struct nettle_hash *hash = alg;
	struct digest_context *ctx = job->ctx;

	switch (job->phase) {
	case KCF_SINGLE:
		return single(hash, job);
	case KCF_INIT:
		return init(hash, job);
	case KCF_UPDATE:
		update(hash, &ctx->state, job);
		return KCF_SUCCESS;
	default:
		if (!job_has_room(job, hash->digest_size))
			return KCF_BUFFER_TOO_SMALL;
		finish(hash, &ctx->state, job);
		return KCF_SUCCESS;
	}
}

static enum kcf_status digest_template_new(const void *alg, const struct kcf_key_data *key,
					   void **ret)
{
	struct object *tmpl = object_new(sizeof(*tmpl), NULL);

	if (!tmpl)
		return KCF_HOST_MEMORY;
	*ret = tmpl;
	return KCF_SUCCESS;
}

const struct class_ops digest_class = {digest_template_new, digest_run};
