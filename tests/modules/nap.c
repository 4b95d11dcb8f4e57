/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nap: a software provider whose jobs take time but no CPU: they sleep. So a machine of two CPUs
 * shows what kcfd does with workers on CPUs it does not have (kcf-speed-scale --only workers).
 *
 *   KCF_TEST_NAP   digest of 8 bytes, a millisecond each: a worker's
 *   KCF_TEST_DOZE  the same, 400 microseconds and marked short: with a limit short_ns beyond that, the loop's, and
 *                  under backlog workers'
 *
 * Thread: any.
 */
#include <kcf/provider.h>

#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define NAP_NS  1000000u
#define DOZE_NS 400000u

static const struct kcf_mech_row rows[] = {
	{.name = "KCF_TEST_NAP", .classes = KCF_CLASS_DIGEST, .setup_ns = NAP_NS},
	{.name = "KCF_TEST_DOZE",
	 .classes = KCF_CLASS_DIGEST,
	 .flags = KCF_ROW_SHORT,
	 .setup_ns = DOZE_NS},
};

/* Late by as little as the kernel can: by itself it gathers timers within 50 us. */
static void sleep_for(long ns)
{
	static __thread bool exact;
	const struct timespec time = {0, ns};

	if (!exact)
		prctl(PR_SET_TIMERSLACK, 1ul);
	exact = true;
	nanosleep(&time, NULL);
}

static enum kcf_status run(struct kcf_job *job)
{
	static const uint64_t nothing;

	if (job->op != KCF_OP_DIGEST || job->phase != KCF_SINGLE)
		return KCF_MECH_NOT_SUPPORTED;
	job->out_len = sizeof(nothing);
	if (!job->n_out || job->out[0].iov_len < sizeof(nothing))
		return KCF_BUFFER_TOO_SMALL;
	sleep_for(rows[job->row].setup_ns);
	memcpy(job->out[0].iov_base, &nothing, sizeof(nothing));
	return KCF_SUCCESS;
}

static unsigned nap_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jobs[i]->status = run(jobs[i]);
	return n;
}

static enum kcf_status nap_start(const struct kcf_host *host, void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static void nap_stop(void *prov)
{
}

static enum kcf_status nap_template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
					void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static void nap_template_free(void *prov, void *tmpl)
{
}

static enum kcf_status nap_thread_state_new(void *prov, void *tmpl, void **ret)
{
	*ret = NULL;
	return KCF_SUCCESS;
}

static void nap_thread_state_free(void *prov, void *thread)
{
}

static void nap_context_free(void *prov, void *ctx)
{
}

static const struct kcf_provider_ops ops = {
	.start = nap_start,
	.stop = nap_stop,
	.submit = nap_submit,
	.template_new = nap_template_new,
	.template_free = nap_template_free,
	.thread_state_new = nap_thread_state_new,
	.thread_state_free = nap_thread_state_free,
	.context_free = nap_context_free,
};

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "nap",
	.description = "sleeps, for measurements",
	.version = 1 << 16,
	.kind = KCF_SOFTWARE,
	.n_rows = sizeof(rows) / sizeof(rows[0]),
	.rows = rows,
	.ops = &ops,
};
