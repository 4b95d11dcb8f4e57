/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mac: HMAC (FIPS 198-1) over any hash of this provider, and CMAC-AES (SP 800-38B).
 * alg: the struct nettle_hash of an HMAC, NULL for CMAC.
 *
 * The template holds the key schedule and is only read; each message's state is on the stack or in
 * its context. Comparison is constant-time. Thread: any.
 */
#include "mac.h"
#include "common/iov.h"

#include <nettle/memops.h>
#include <string.h>

struct mac_context {
	struct object obj;
	const struct mac_template *tmpl;
	size_t mac_len;
	bool exact; /* mac_len was asked for: no other is compared */
	union mac_state state;
};

static void start(const struct mac_template *tmpl, union mac_state *state)
{
	if (tmpl->hash)
		memcpy(&state->hmac, &tmpl->key.hmac.inner, tmpl->hash->context_size);
	else
		cmac128_init(&state->cmac);
}

static void update(const struct mac_template *tmpl, union mac_state *state,
		   const struct kcf_job *job)
{
	const struct aes *aes = &tmpl->key.cmac.aes;
	uint32_t i;

	for (i = 0; i < job->n_in; i++) {
		if (tmpl->hash)
			hmac_update(&state->hmac, tmpl->hash, job->in[i].iov_len,
				    job->in[i].iov_base);
		else
			cmac128_update(&state->cmac, &aes->enc, aes->encrypt, job->in[i].iov_len,
				       job->in[i].iov_base);
	}
}

static void digest(const struct mac_template *tmpl, union mac_state *state, size_t len,
		   uint8_t *ret)
{
	const struct aes *aes = &tmpl->key.cmac.aes;

	if (tmpl->hash)
		hmac_digest(&tmpl->key.hmac.outer, &tmpl->key.hmac.inner, &state->hmac, tmpl->hash,
			    len, ret);
	else
		cmac128_digest(&state->cmac, &tmpl->key.cmac.sub, &aes->enc, aes->encrypt,
			       (unsigned)len, ret);
}

/* The MAC length the job asks for; 0 if it cannot be had. */
static size_t wanted_len(const struct mac_template *tmpl, const struct kcf_job *job)
{
	const struct kcf_param_mac *p = job->param;

	if (!p || p->mac_len == 0)
		return tmpl->mac_len;
	return p->mac_len <= tmpl->mac_len ? p->mac_len : 0;
}

static enum kcf_status write_mac(const struct mac_template *tmpl, union mac_state *state,
				 size_t len, struct kcf_job *job)
{
	struct cursor out = cursor_at(job->out, job->n_out);
	uint8_t mac[HASH_SIZE_MAX];

	digest(tmpl, state, len, mac);
	job->out_len = cursor_write(&out, mac, len);
	explicit_bzero(mac, sizeof(mac));
	return KCF_SUCCESS;
}

static bool is_exact(const struct kcf_job *job)
{
	const struct kcf_param_mac *p = job->param;

	return p && p->mac_len != 0;
}

/* Unless a length was asked for, any from 1 up is compared. */
static enum kcf_status verify_mac(const struct mac_template *tmpl, union mac_state *state,
				  size_t len, bool exact, const struct kcf_job *job)
{
	struct cursor check = cursor_at(job->check, job->n_check);
	uint8_t mac[HASH_SIZE_MAX], given[HASH_SIZE_MAX];
	int same;

	if (job->check_len == 0 || job->check_len > len || (exact && job->check_len != len))
		return KCF_INVALID_MAC;
	digest(tmpl, state, job->check_len, mac);
	cursor_read(&check, given, job->check_len);
	same = memeql_sec(mac, given, job->check_len);
	explicit_bzero(mac, sizeof(mac));
	return same ? KCF_SUCCESS : KCF_INVALID_MAC;
}

static enum kcf_status single(const struct mac_template *tmpl, struct kcf_job *job)
{
	size_t len = wanted_len(tmpl, job);
	union mac_state state;
	enum kcf_status status;

	if (len == 0)
		return KCF_MECHANISM_PARAM_INVALID;
	if (job->op == KCF_OP_MAC && !job_has_room(job, len))
		return KCF_BUFFER_TOO_SMALL;
	start(tmpl, &state);
	update(tmpl, &state, job);
	if (job->op == KCF_OP_MAC)
		status = write_mac(tmpl, &state, len, job);
	else
		status = verify_mac(tmpl, &state, len, is_exact(job), job);
	explicit_bzero(&state, sizeof(state));
	return status;
}

static enum kcf_status init(const struct mac_template *tmpl, struct kcf_job *job)
{
	size_t len = wanted_len(tmpl, job);
	struct mac_context *ctx;

	if (len == 0)
		return KCF_MECHANISM_PARAM_INVALID;
	ctx = object_new(sizeof(*ctx), NULL);
	if (!ctx)
		return KCF_HOST_MEMORY;
	ctx->tmpl = tmpl;
	ctx->mac_len = len;
	ctx->exact = is_exact(job);
	start(tmpl, &ctx->state);
	job->ctx = ctx;
	return KCF_SUCCESS;
}

static enum kcf_status final(struct mac_context *ctx, struct kcf_job *job)
{
	if (job->op == KCF_OP_MAC_VERIFY)
		return verify_mac(ctx->tmpl, &ctx->state, ctx->mac_len, ctx->exact, job);
	if (!job_has_room(job, ctx->mac_len))
		return KCF_BUFFER_TOO_SMALL;
	return write_mac(ctx->tmpl, &ctx->state, ctx->mac_len, job);
}

static enum kcf_status mac_run(const void *alg, struct kcf_job *job)
{
	struct mac_context *ctx = job->ctx;

	switch (job->phase) {
	case KCF_SINGLE:
		return single(job->tmpl, job);
	case KCF_INIT:
		return init(job->tmpl, job);
	case KCF_UPDATE:
		update(ctx->tmpl, &ctx->state, job);
		return KCF_SUCCESS;
	default:
		return final(ctx, job);
	}
}

static enum kcf_status mac_template_new(const void *alg, const struct kcf_key_data *key, void **ret)
{
	struct mac_template *tmpl = object_new(sizeof(*tmpl), NULL);
	struct cmac_key *cmac;
	union hash_state scratch;
	enum kcf_status status = KCF_SUCCESS;

	if (!tmpl)
		return KCF_HOST_MEMORY;
	tmpl->hash = alg;
	if (tmpl->hash) {
		tmpl->mac_len = tmpl->hash->digest_size;
		hmac_set_key(&tmpl->key.hmac.outer, &tmpl->key.hmac.inner, &scratch, tmpl->hash,
			     key->len, key->bytes);
		explicit_bzero(&scratch, sizeof(scratch));
	} else {
		cmac = &tmpl->key.cmac;
		tmpl->mac_len = CMAC128_DIGEST_SIZE;
		status = aes_init(&cmac->aes, key->bytes, key->len);
		if (status == KCF_SUCCESS)
			cmac128_set_key(&cmac->sub, &cmac->aes.enc, cmac->aes.encrypt);
	}
	if (status != KCF_SUCCESS)
		object_free(tmpl);
	else
		*ret = tmpl;
	return status;
}

const struct class_ops mac_class = {mac_template_new, mac_run};
