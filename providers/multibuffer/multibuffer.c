/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multibuffer: a software provider on libipsec-mb, which does many messages at once.
 *
 * submit() takes the burst apart into runs of one row; the row's class does a run. All that an
 * instance has is its pool and constant function pointers; nothing is global. A CPU without AES
 * instructions, and a library that is not the one this was built with, are refused: then others
 * offer these mechanisms. Thread: start and stop one at a time per instance, all else any.
 */
#include "mb.h"

#include <stdlib.h>
#include <string.h>

void jobs_fail(struct kcf_job *const *jobs, unsigned n, enum kcf_status status)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i]->status = status;
}

/* ---- instance -------------------------------------------------------------------------------- */

static const char *const arch_names[IMB_ARCH_NUM] = {
	[IMB_ARCH_NONE] = "none", [IMB_ARCH_NOAESNI] = "no AES", [IMB_ARCH_SSE] = "SSE",
	[IMB_ARCH_AVX] = "AVX",   [IMB_ARCH_AVX2] = "AVX2",      [IMB_ARCH_AVX512] = "AVX-512",
};

/* Layouts of its structures may change from one minor version to the next. */
static bool version_fits(const struct kcf_host *host)
{
	if (imb_get_version() >> 8 == IMB_VERSION_NUM >> 8)
		return true;
	host->log(host, KCF_LOG_WARNING, "libipsec-mb is %s, not the %s it was built with: unused",
		  imb_get_version_str(), IMB_VERSION_STR);
	return false;
}

static void init_auto(IMB_MGR *m)
{
	init_mb_mgr_auto(m, NULL);
}

/* The setting "vectors": how wide the vectors may be; tests use it, and who wants a cooler CPU. */
static enum kcf_status vectors_choose(struct mb *mb)
{
	static const struct {
		const char *name;
		init_mb_mgr_t init;
	} choices[] = {{"auto", init_auto},
		       {"sse", init_mb_mgr_sse},
		       {"avx", init_mb_mgr_avx},
		       {"avx2", init_mb_mgr_avx2},
		       {"avx512", init_mb_mgr_avx512}};
	const char *value = mb->host->config(mb->host, "vectors");

	mb->init = init_auto;
	mb->is_auto = !value || strcmp(value, "auto") == 0;
	for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (value && strcmp(value, choices[i].name))
			continue;
		mb->init = choices[i].init;
		return KCF_SUCCESS;
	}
	mb->host->log(mb->host, KCF_LOG_ERROR, "vectors=%s: it is auto, sse, avx, avx2 or avx512",
		      value);
	return KCF_ARGUMENTS_BAD;
}

static enum kcf_status cpu_check(struct mb *mb)
{
	uint64_t need = IMB_CPUFLAGS_SSE | IMB_FEATURE_SELF_TEST_PASS;
	const struct kcf_host *host = mb->host;
	IMB_MGR *m = mb->fns;

	if ((m->features & IMB_CPUFLAGS_SSE) == IMB_CPUFLAGS_SSE)
		mb->init(m);
	if (m->used_arch >= IMB_ARCH_SSE && m->used_arch < IMB_ARCH_NUM && imb_get_errno(m) == 0 &&
	    (m->features & need) == need) {
		host->log(host, KCF_LOG_INFO, "libipsec-mb %s uses %s", imb_get_version_str(),
			  arch_names[m->used_arch]);
		return KCF_SUCCESS;
	}
	host->log(host, KCF_LOG_WARNING, "libipsec-mb %s cannot use this CPU: unused",
		  imb_get_version_str());
	return KCF_FAILED;
}

static void mb_stop(void *prov)
{
	struct mb *mb = prov;

	if (!mb)
		return;
	pool_deinit(mb);
	if (mb->fns)
		free_mb_mgr(mb->fns);
	free(mb);
}

/* Lanes are made when they are first needed: a program that loads the module may never do. */
static enum kcf_status mb_start(const struct kcf_host *host, void **ret_prov)
{
	struct mb *mb;
	enum kcf_status status;

	if (!version_fits(host))
		return KCF_FAILED;
	mb = aligned_alloc(64, sizeof(*mb));
	if (!mb)
		return KCF_HOST_MEMORY;
	memset(mb, 0, sizeof(*mb));
	mb->host = host;
	status = vectors_choose(mb);
	if (status == KCF_SUCCESS) {
		mb->fns = alloc_mb_mgr(0);
		status = mb->fns ? cpu_check(mb) : KCF_HOST_MEMORY;
	}
	if (status == KCF_SUCCESS)
		*ret_prov = mb;
	else
		mb_stop(mb);
	return status;
}

static enum kcf_status self_test(void *prov)
{
	return mb_self_test(prov);
}

/* ---- templates ------------------------------------------------------------------------------- */

static enum kcf_status template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
				    void **ret)
{
	if (row >= mb_n_rows)
		return KCF_MECHANISM_INVALID;
	return entry_of(row)->ops->template_new(prov, entry_of(row)->alg, key, ret);
}

static void template_free(void *prov, void *tmpl)
{
	object_free(tmpl);
}

static enum kcf_status thread_state_new(void *prov, void *tmpl, void **ret)
{
	*ret = tmpl;
	return KCF_SUCCESS;
}

static void thread_state_free(void *prov, void *thread)
{
}

static void context_free(void *prov, void *ctx)
{
	object_free(ctx);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool is_dual(const struct kcf_job *job)
{
	return job->op == KCF_OP_ENCRYPT_MAC || job->op == KCF_OP_MAC_DECRYPT;
}

static bool same_run(const struct kcf_job *a, const struct kcf_job *b)
{
	if (b->phase != KCF_SINGLE || a->row != b->row)
		return false;
	return is_dual(a) ? a->op == b->op && a->row2 == b->row2 : !is_dual(b);
}

/* How many from the front are done together; a step of a context is done alone. */
static unsigned run_len(struct kcf_job *const *jobs, unsigned n)
{
	unsigned len = 1;

	jobs[0]->out_len = 0;
	if (jobs[0]->phase != KCF_SINGLE)
		return 1;
	for (; len < n && same_run(jobs[0], jobs[len]); len++)
		jobs[len]->out_len = 0;
	return len;
}

static unsigned mb_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	unsigned len;

	for (unsigned i = 0; i < n; i += len) {
		struct kcf_job *job = jobs[i];
		const struct entry *e = entry_of(job->row);

		len = run_len(jobs + i, n - i);
		if (unlikely(job->phase != KCF_SINGLE))
			job->status = e->ops->step ? e->ops->step(prov, e->alg, job)
						   : KCF_MECH_NOT_SUPPORTED;
		else if (is_dual(job))
			dual_run(prov, jobs + i, len);
		else
			e->ops->run(prov, e->alg, jobs + i, len);
	}
	return n;
}

static bool dual(void *prov, uint32_t cipher_row, uint32_t mac_row)
{
	return dual_possible(cipher_row, mac_row);
}

const struct kcf_provider_ops mb_ops = {
	.start = mb_start,
	.stop = mb_stop,
	.self_test = self_test,
	.submit = mb_submit,
	.template_new = template_new,
	.template_free = template_free,
	.thread_state_new = thread_state_new,
	.thread_state_free = thread_state_free,
	.context_free = context_free,
	.dual = dual,
};
