/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes from the library context's own CTR-DRBG (SP 800-90A), one per thread, seeded by the
 * operating system and seeded again after a fork.
 *
 * Thread: any.
 */
#include <openssl/rand.h>
#include "openssl-private.h"

static enum kcf_status random_single(struct openssl_tmpl *t, void *state, struct kcf_job *job)
{
	if (job->op != KCF_OP_RANDOM)
		return KCF_MECH_NOT_SUPPORTED;
	for (uint32_t i = 0; i < job->n_out; i++) {
		if (job->out[i].iov_len == 0)
			continue;
		if (RAND_bytes_ex(t->prov->lib, job->out[i].iov_base, job->out[i].iov_len, 0) <=
		    0) {
			openssl_iov_wipe(job->out, job->n_out, job->out_room);
			return KCF_FAILED;
		}
	}
	job->out_len = job->out_room;
	return KCF_SUCCESS;
}

static enum kcf_status random_tmpl_init(struct openssl_tmpl *t, const struct kcf_key_data *key)
{
	return KCF_SUCCESS;
}

static enum kcf_status random_state_new(struct openssl_tmpl *t, void **ret)
{
	*ret = t;
	return KCF_SUCCESS;
}

static void random_state_free(void *state)
{
}

const struct openssl_class openssl_random_class = {
	.tmpl_init = random_tmpl_init,
	.state_new = random_state_new,
	.state_free = random_state_free,
	.single = random_single,
};
