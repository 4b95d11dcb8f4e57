/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: a software provider for tests whose rows gain from company, and that does both halves of a
 * dual operation in one job (unless loaded with native=no).
 *
 *   KCF_TEST_XOR   cipher: exclusive or with the key's first byte; key 0xee fails after it has
 * written. 8 lanes KCF_TEST_SUM   MAC: 4 bytes, the key's first byte plus all bytes of the input,
 * little-endian. 8 lanes KCF_TEST_SLOW  as KCF_TEST_XOR, 4 lanes, for workers; waits while the gate
 * is closed (setting gate open|closed) Like much hardware it decrypts before it compares. Thread:
 * any; the gate has the instance's lock.
 */
#include <kcf/provider.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BROKEN_KEY 0xee
#define SUM_LEN    4u

enum { ROW_XOR, ROW_SUM, ROW_SLOW, N_ROWS };

static const struct kcf_mech_row rows[N_ROWS] = {
	[ROW_XOR] = {.name = "KCF_TEST_XOR",
		     .classes = KCF_CLASS_CIPHER,
		     .flags = KCF_ROW_SHORT | KCF_ROW_SHARED_OK,
		     .key_min_bits = 8,
		     .key_max_bits = 256,
		     .setup_ns = 1000,
		     .ns_per_kib = 1000,
		     .lanes = 8,
		     .burst_setup_ns = 200,
		     .burst_ns_per_kib = 200},
	[ROW_SUM] = {.name = "KCF_TEST_SUM",
		     .classes = KCF_CLASS_MAC,
		     .flags = KCF_ROW_SHORT | KCF_ROW_SHARED_OK,
		     .key_min_bits = 8,
		     .key_max_bits = 256,
		     .setup_ns = 1000,
		     .ns_per_kib = 1000,
		     .lanes = 8,
		     .burst_setup_ns = 200,
		     .burst_ns_per_kib = 200},
	[ROW_SLOW] = {.name = "KCF_TEST_SLOW",
		      .classes = KCF_CLASS_CIPHER,
		      .key_min_bits = 8,
		      .key_max_bits = 256,
		      .setup_ns = 100000,
		      .ns_per_kib = 1000,
		      .lanes = 4,
		      .burst_setup_ns = 60000,
		      .burst_ns_per_kib = 500},
};

struct lanes {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool closed;
	bool native;
};

struct tmpl {
	uint8_t key;
};

static void wait_for_gate(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->closed)
		pthread_cond_wait(&l->opened, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* ---- jobs ---- */

static uint8_t *byte_of(const struct iovec *iov, size_t at)
{
	while (at >= iov->iov_len)
		at -= iov++->iov_len;
	return (uint8_t *)iov->iov_base + at;
}

static enum kcf_status xor (struct kcf_job * job) {
	uint8_t key = ((struct tmpl *)job->tmpl)->key;

	job->out_len = job->in_len;
	if (job->out_room < job->in_len) return KCF_BUFFER_TOO_SMALL;
	for (size_t i = 0; i < job->in_len; i++) * byte_of(job->out, i) = *byte_of(job->in, i) ^
									  key;
	return key == BROKEN_KEY ? KCF_FAILED : KCF_SUCCESS;
}

static void sum(const struct tmpl *t, const struct iovec *iov, size_t len, uint8_t ret[SUM_LEN])
{
	uint32_t n = t->key;

	for (size_t i = 0; i < len; i++)
		n += *byte_of(iov, i);
	for (unsigned i = 0; i < SUM_LEN; i++)
		ret[i] = (uint8_t)(n >> 8 * i);
}

static bool equals(const struct kcf_job *job, const uint8_t mac[SUM_LEN])
{
	uint8_t differ = job->check_len != SUM_LEN;

	for (unsigned i = 0; i < SUM_LEN && !differ; i++)
		differ |= (uint8_t)(*byte_of(job->check, i) ^ mac[i]);
	return !differ;
}

static enum kcf_status mac(struct kcf_job *job)
{
	uint8_t answer[SUM_LEN];

	sum(job->tmpl, job->in, job->in_len, answer);
	if (job->op == KCF_OP_MAC_VERIFY)
		return equals(job, answer) ? KCF_SUCCESS : KCF_INVALID_MAC;
	job->out_len = SUM_LEN;
	if (job->out_room < SUM_LEN)
		return KCF_BUFFER_TOO_SMALL;
	for (unsigned i = 0; i < SUM_LEN; i++)
		*byte_of(job->out, i) = answer[i];
	return KCF_SUCCESS;
}

static enum kcf_status encrypt_mac(struct kcf_job *job)
{
	enum kcf_status status;
	uint8_t answer[SUM_LEN];

	job->mac_len = SUM_LEN;
	if (job->check_len < SUM_LEN) {
		job->out_len = job->in_len;
		return KCF_BUFFER_TOO_SMALL;
	}
	status = xor(job);
	if (status != KCF_SUCCESS)
		return status;
	sum(job->tmpl2, job->out, job->out_len, answer);
	for (unsigned i = 0; i < SUM_LEN; i++)
		*byte_of(job->check, i) = answer[i];
	return KCF_SUCCESS;
}

static enum kcf_status mac_decrypt(struct kcf_job *job)
{
	enum kcf_status status;
	uint8_t answer[SUM_LEN];

	sum(job->tmpl2, job->in, job->in_len, answer);
	status = xor(job);
	return status == KCF_SUCCESS && !equals(job, answer) ? KCF_INVALID_MAC : status;
}

static enum kcf_status run(struct lanes *l, struct kcf_job *job)
{
	job->out_len = 0;
	if (job->op == KCF_OP_ENCRYPT_MAC)
		return encrypt_mac(job);
	if (job->op == KCF_OP_MAC_DECRYPT)
		return mac_decrypt(job);
	return job->row == ROW_SUM ? mac(job) : xor(job);
}

static unsigned lanes_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	struct lanes *l = prov;

	if (jobs[0]->row == ROW_SLOW)
		wait_for_gate(l);
	for (unsigned i = 0; i < n; i++) /* one submit, one row */
		jobs[i]->status = jobs[i]->row == jobs[0]->row ? run(l, jobs[i]) : KCF_FAILED;
	return n;
}

/* ---- the module ---- */

static enum kcf_status lanes_set(void *prov, const char *key, const char *value)
{
	struct lanes *l = prov;

	if (strcmp(key, "gate") != 0)
		return KCF_NOT_FOUND;
	if (strcmp(value, "open") != 0 && strcmp(value, "closed") != 0)
		return KCF_ARGUMENTS_BAD;
	pthread_mutex_lock(&l->lock);
	l->closed = strcmp(value, "closed") == 0;
	pthread_cond_broadcast(&l->opened);
	pthread_mutex_unlock(&l->lock);
	return KCF_SUCCESS;
}

static enum kcf_status lanes_start(const struct kcf_host *host, void **ret_prov)
{
	struct lanes *l = calloc(1, sizeof(*l));
	const char *native = host->config(host, "native");

	if (!l)
		return KCF_HOST_MEMORY;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->opened, NULL);
	l->native = !native || strcmp(native, "no") != 0;
	*ret_prov = l;
	return KCF_SUCCESS;
}

static void lanes_stop(void *prov)
{
	struct lanes *l = prov;

	pthread_cond_destroy(&l->opened);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static enum kcf_status template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
				    void **ret_tmpl)
{
	struct tmpl *t = calloc(1, sizeof(*t));

	if (!t)
		return KCF_HOST_MEMORY;
	t->key = key->bytes[0];
	*ret_tmpl = t;
	return KCF_SUCCESS;
}

static void template_free(void *prov, void *tmpl)
{
	free(tmpl);
}

static enum kcf_status state_new(void *prov, void *tmpl, void **ret_thread)
{
	*ret_thread = malloc(1); /* what it is made of does not matter, that it is freed does */
	return *ret_thread ? KCF_SUCCESS : KCF_HOST_MEMORY;
}

static void state_free(void *prov, void *thread)
{
	free(thread);
}

static bool lanes_dual(void *prov, uint32_t cipher_row, uint32_t mac_row)
{
	const struct lanes *l = prov;

	return l->native && cipher_row == ROW_XOR && mac_row == ROW_SUM;
}

static const struct kcf_provider_ops ops = {
	.start = lanes_start,
	.stop = lanes_stop,
	.submit = lanes_submit,
	.set = lanes_set,
	.template_new = template_new,
	.template_free = template_free,
	.thread_state_new = state_new,
	.thread_state_free = state_free,
	.dual = lanes_dual,
};

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(kcf_provider),
	.name = "lanes",
	.description = "for tests: several jobs at once, both halves of a dual operation",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.flags = KCF_DESC_TEST_ONLY,
	.n_rows = N_ROWS,
	.rows = rows,
	.ops = &ops,
};
