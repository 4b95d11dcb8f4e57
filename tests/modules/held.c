/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held: a software provider for tests that takes as long as it is told and counts what it is asked for.
 *
 * Built several times with another HELD_NAME and HELD_LETTER, it is several modules with names nobody else offers:
 *   KCF_TEST_HELD_x   digest: 8 bytes, the sum of the input; waits while the gate is closed (setting gate open|closed)
 *   KCF_TEST_COUNT_x  MAC: keys prepared so far, states made so far (two little-endian words), sum of key and input
 * HELD is so long that a worker is given two at a time, COUNT short enough for the loop. With HELD_ROWS it offers as
 * many more names.
 * Thread: any; gate and counters have the instance's lock.
 */
#include <kcf/provider.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HELD_ROWS
#define HELD_ROWS 0
#endif

enum { ROW_HELD, ROW_COUNT, N_ROWS };

#define DIGEST(n, flag, ns)                                                                        \
	{                                                                                          \
		.name = n, .classes = KCF_CLASS_DIGEST, .flags = flag, .setup_ns = ns              \
	}

static struct kcf_mech_row rows[N_ROWS + HELD_ROWS] = {
	[ROW_HELD] = DIGEST("KCF_TEST_HELD_" HELD_LETTER, KCF_ROW_MULTI_PART, 2000000),
	[ROW_COUNT] = {.name = "KCF_TEST_COUNT_" HELD_LETTER,
		       .classes = KCF_CLASS_MAC,
		       .param_kind = KCF_PARAM_MAC,
		       .flags = KCF_ROW_SHORT,
		       .key_min_bits = 8,
		       .key_max_bits = 1024,
		       .setup_ns = 100},
};

struct held {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool closed;
	uint32_t n_templates, n_states;
};

struct tmpl {
	uint64_t key_sum;
};

static uint64_t sum(uint64_t from, const struct kcf_job *job)
{
	for (uint32_t i = 0; i < job->n_in; i++)
		for (size_t k = 0; k < job->in[i].iov_len; k++)
			from = from * 31 + ((const uint8_t *)job->in[i].iov_base)[k];
	return from;
}

static enum kcf_status put(struct kcf_job *job, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	size_t at = 0;

	job->out_len = len;
	if (job->out_room < len)
		return KCF_BUFFER_TOO_SMALL;
	for (uint32_t i = 0; i < job->n_out && at < len; i++) {
		size_t n = job->out[i].iov_len < len - at ? job->out[i].iov_len : len - at;

		memcpy(job->out[i].iov_base, from + at, n);
		at += n;
	}
	return KCF_SUCCESS;
}

static void wait_for_gate(struct held *h)
{
	pthread_mutex_lock(&h->lock);
	while (h->closed)
		pthread_cond_wait(&h->opened, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

static enum kcf_status count(struct held *h, struct kcf_job *job)
{
	const struct tmpl *t = job->tmpl;
	struct {
		uint32_t n_templates, n_states;
		uint64_t sum;
	} answer;

	if (job->op != KCF_OP_MAC)
		return KCF_MECH_NOT_SUPPORTED;
	pthread_mutex_lock(&h->lock);
	answer.n_templates = h->n_templates;
	answer.n_states = h->n_states;
	pthread_mutex_unlock(&h->lock);
	answer.sum = sum(t->key_sum, job);
	return put(job, &answer, sizeof(answer));
}

static enum kcf_status run(struct held *h, struct kcf_job *job)
{
	uint64_t *state = job->ctx, single = 0;

	job->out_len = 0;
	if (job->row == ROW_COUNT)
		return count(h, job);
	if (job->phase == KCF_INIT) {
		job->ctx = calloc(1, sizeof(*state));
		return job->ctx ? KCF_SUCCESS : KCF_HOST_MEMORY;
	}
	wait_for_gate(h);
	if (job->phase == KCF_SINGLE)
		state = &single;
	*state = sum(*state, job);
	return job->phase == KCF_UPDATE ? KCF_SUCCESS : put(job, state, sizeof(*state));
}

static unsigned held_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i]->status = run(prov, jobs[i]);
	return n;
}

static enum kcf_status held_template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
					 void **ret)
{
	struct tmpl *t = calloc(1, sizeof(*t));
	struct held *h = prov;

	if (!t)
		return KCF_HOST_MEMORY;
	for (size_t i = 0; key && i < key->len; i++)
		t->key_sum = t->key_sum * 31 + key->bytes[i];
	pthread_mutex_lock(&h->lock);
	h->n_templates += key != NULL;
	pthread_mutex_unlock(&h->lock);
	*ret = t;
	return KCF_SUCCESS;
}

static void held_template_free(void *prov, void *tmpl)
{
	free(tmpl);
}

static enum kcf_status held_thread_state_new(void *prov, void *tmpl, void **ret)
{
	struct held *h = prov;

	pthread_mutex_lock(&h->lock);
	h->n_states++;
	pthread_mutex_unlock(&h->lock);
	*ret = tmpl;
	return KCF_SUCCESS;
}

static void held_thread_state_free(void *prov, void *thread)
{
}

static void held_context_free(void *prov, void *ctx)
{
	free(ctx);
}

static enum kcf_status held_set(void *prov, const char *key, const char *value)
{
	struct held *h = prov;

	if (strcmp(key, "gate") != 0)
		return KCF_NOT_FOUND;
	pthread_mutex_lock(&h->lock);
	h->closed = !strcmp(value, "closed");
	pthread_cond_broadcast(&h->opened);
	pthread_mutex_unlock(&h->lock);
	return KCF_SUCCESS;
}

#if HELD_ROWS
/* The further names: KCF_TEST_ROW_x_000 and so on. */
static void name_rows(void)
{
	static const struct kcf_mech_row row = DIGEST(NULL, KCF_ROW_MULTI_PART, 400000);
	static char names[HELD_ROWS][32];

	for (unsigned i = 0; i < HELD_ROWS; i++) {
		snprintf(names[i], sizeof(names[i]), "KCF_TEST_ROW_" HELD_LETTER "_%03u", i);
		rows[N_ROWS + i] = row;
		rows[N_ROWS + i].name = names[i];
	}
}
#else
static void name_rows(void)
{
}
#endif

static enum kcf_status held_start(const struct kcf_host *host, void **ret)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return KCF_HOST_MEMORY;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->opened, NULL);
	*ret = h;
	return KCF_SUCCESS;
}

static void held_stop(void *prov)
{
	struct held *h = prov;

	pthread_cond_destroy(&h->opened);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static const struct kcf_provider_ops ops = {
	.start = held_start,
	.stop = held_stop,
	.submit = held_submit,
	.template_new = held_template_new,
	.template_free = held_template_free,
	.thread_state_new = held_thread_state_new,
	.thread_state_free = held_thread_state_free,
	.context_free = held_context_free,
	.set = held_set,
};

__attribute__((constructor)) static void held_init(void)
{
	name_rows();
}

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = HELD_NAME,
	.description = "waits and counts, for tests",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = N_ROWS + HELD_ROWS,
	.rows = rows,
	.ops = &ops,
};
