/* SPDX-License-Identifier: Apache-2.0 */
/* fake-xor - see the header. Any thread. */
#include "fake-xor.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define BROKEN_KEY 0xee

int fake_templates, fake_states;
void (*fake_during_run)(void);
struct fake_submit fake_log[FAKE_LOG];
int fake_submits;

struct tmpl {
	uint8_t key;
	int n_states;
};

struct state {
	uint8_t key;
	struct tmpl *tmpl;
};

static enum kcf_status start(const struct kcf_host *host, void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static void stop(void *prov)
{
}

static enum kcf_status template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
				    void **ret)
{
	struct tmpl *t = calloc(1, sizeof(*t));

	t->key = key ? key->bytes[0] : 0;
	*ret = t;
	__atomic_fetch_add(&fake_templates, 1, __ATOMIC_RELAXED);
	return KCF_SUCCESS;
}

static void template_free(void *prov, void *tmpl)
{
	/* never before its last state */
	ck_assert_int_eq(__atomic_load_n(&((struct tmpl *)tmpl)->n_states, __ATOMIC_RELAXED), 0);
	free(tmpl);
	__atomic_fetch_sub(&fake_templates, 1, __ATOMIC_RELAXED);
}

static enum kcf_status state_new(void *prov, void *tmpl, void **ret)
{
	struct state *st = calloc(1, sizeof(*st));

	st->tmpl = tmpl;
	st->key = st->tmpl->key;
	__atomic_fetch_add(&st->tmpl->n_states, 1, __ATOMIC_RELAXED);
	*ret = st;
	__atomic_fetch_add(&fake_states, 1, __ATOMIC_RELAXED);
	return KCF_SUCCESS;
}

static void state_free(void *prov, void *thread)
{
	struct state *st = thread;

	__atomic_fetch_sub(&st->tmpl->n_states, 1, __ATOMIC_RELAXED);
	free(st);
	__atomic_fetch_sub(&fake_states, 1, __ATOMIC_RELAXED);
}

static void cipher(struct kcf_job *job)
{
	uint8_t key = ((struct state *)job->thread)->key;

	job->out_len = job->in_len;
	if (job->out_room < job->in_len) {
		job->status = KCF_BUFFER_TOO_SMALL;
		return;
	}
	for (size_t i = 0; i < job->in_len; i++)
		((uint8_t *)job->out[0].iov_base)[i] = ((uint8_t *)job->in[0].iov_base)[i] ^ key;
	job->status = key == BROKEN_KEY ? KCF_FAILED : KCF_SUCCESS;
}

static uint32_t sum_of(const struct iovec *iov, uint32_t n, const void *thread)
{
	uint32_t sum = ((const struct state *)thread)->key;

	for (uint32_t i = 0; i < n; i++)
		for (size_t j = 0; j < iov[i].iov_len; j++)
			sum += ((uint8_t *)iov[i].iov_base)[j];
	return sum;
}

static void mac(struct kcf_job *job)
{
	uint32_t sum = sum_of(job->in, job->n_in, job->thread);

	job->out_len = sizeof(sum);
	if (job->op == KCF_OP_MAC_VERIFY) {
		job->status = memcmp(job->check[0].iov_base, &sum, sizeof(sum)) ? KCF_INVALID_MAC
										: KCF_SUCCESS;
	} else if (job->out_room < sizeof(sum)) {
		job->status = KCF_BUFFER_TOO_SMALL;
	} else {
		memcpy(job->out[0].iov_base, &sum, sizeof(sum));
		job->status = KCF_SUCCESS;
	}
}

static void dual_encrypt(struct kcf_job *job)
{
	uint32_t sum;

	job->out_len = job->in_len;
	job->mac_len = sizeof(sum);
	job->status = KCF_BUFFER_TOO_SMALL;
	if (job->check_len < sizeof(sum))
		return;
	cipher(job);
	if (job->status != KCF_SUCCESS)
		return;
	sum = sum_of(&(struct iovec){job->out[0].iov_base, job->out_len}, 1, job->thread2);
	memcpy(job->check[0].iov_base, &sum, sizeof(sum));
}

static void dual_decrypt(struct kcf_job *job)
{
	uint32_t sum = sum_of(job->in, job->n_in, job->thread2);

	cipher(job);
	if (job->status == KCF_SUCCESS && memcmp(job->check[0].iov_base, &sum, sizeof(sum)))
		job->status = KCF_INVALID_MAC;
}

static void run(struct kcf_job *job)
{
	switch (job->op) {
	case KCF_OP_ENCRYPT_MAC:
		dual_encrypt(job);
		break;
	case KCF_OP_MAC_DECRYPT:
		dual_decrypt(job);
		break;
	default:
		if (job->row == 0)
			cipher(job);
		else
			mac(job);
	}
}

static bool is_dual(const struct kcf_job *job)
{
	return job->op == KCF_OP_ENCRYPT_MAC || job->op == KCF_OP_MAC_DECRYPT;
}

static void remember(struct kcf_job *const *jobs, unsigned n)
{
	struct fake_submit s = {.n = n,
				.row = jobs[0]->row,
				.row2 = is_dual(jobs[0]) ? jobs[0]->row2 : 0,
				.alike = true};
	int at = __atomic_fetch_add(&fake_submits, 1, __ATOMIC_RELAXED);

	for (unsigned i = 1; i < n; i++)
		s.alike &= jobs[i]->row == s.row && (!is_dual(jobs[i]) || jobs[i]->row2 == s.row2);
	if (at < FAKE_LOG)
		fake_log[at] = s;
}

static unsigned submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	void (*hook)(void) = __atomic_exchange_n(&fake_during_run, NULL, __ATOMIC_RELAXED);

	remember(jobs, n);
	if (hook)
		hook();
	for (unsigned i = 0; i < n; i++)
		run(jobs[i]);
	return n;
}

static bool dual(void *prov, uint32_t cipher_row, uint32_t mac_row)
{
	return cipher_row == 0 && mac_row == 1;
}

static const struct kcf_mech_row rows[] = {
	{.name = "KCF_XOR",
	 .classes = KCF_CLASS_CIPHER,
	 .key_min_bits = 8,
	 .key_max_bits = 32,
	 .key_step_bits = 16},
	{.name = "KCF_SUM", .classes = KCF_CLASS_MAC, .key_max_bits = 4096},
	{.name = "KCF_HASH", .classes = KCF_CLASS_DIGEST},
	{.name = "KCF_RSA",
	 .classes = KCF_CLASS_SIGN,
	 .key_min_bits = 2048,
	 .key_max_bits = 4096,
	 .flags = KCF_ROW_FORMAT(KCF_KEY_PKCS8)},
};

#define OPS                                                                                        \
	.start = start, .stop = stop, .submit = submit, .template_new = template_new,              \
	.template_free = template_free, .thread_state_new = state_new,                             \
	.thread_state_free = state_free

static const struct kcf_provider_ops ops = {OPS}, native_ops = {OPS, .dual = dual};

static const struct kcf_provider_desc desc = {
	KCF_PROVIDER_ABI, sizeof(desc), "fake", "", 1, KCF_SOFTWARE, 0, 4, rows, &ops,
};
static const struct kcf_provider_desc native_desc = {
	KCF_PROVIDER_ABI, sizeof(desc), "native", "", 1, KCF_SOFTWARE, 0, 4, rows, &native_ops,
};

const struct instance fake_inst = {.desc = &desc, .generation = 1};
const struct instance fake_native = {.desc = &native_desc, .generation = 1};

struct prepared *fake_make_of(const struct instance *inst, uint32_t row, uint8_t key)
{
	struct kcf_key_data k = {KCF_KEY_RAW, &key, 1};
	struct prepared *p = NULL;

	ck_assert_int_eq(prepared_new(inst, row, &k, &p), KCF_SUCCESS);
	return p;
}

struct prepared *fake_make(uint32_t row, uint8_t key)
{
	return fake_make_of(&fake_inst, row, key);
}
