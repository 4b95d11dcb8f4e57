/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: pretends to be a device, for tests only.
 *
 * It offers a few mechanisms as hardware, holds jobs as long as it is told, and answers them
 * correctly - by another provider's code, at the moment they are due - or badly, as it is told
 * (settings.h). It may be started several times, each with its own settings. One mechanism,
 * KCF_FAULT_ONLY, nobody else offers: it gives what SHA-256 gives. Thread: loop.
 */
#include "fault.h"

#include <stdlib.h>
#include <string.h>

#define MP              KCF_ROW_MULTI_PART
#define KEY_FILES       (KCF_ROW_FORMAT(KCF_KEY_PKCS8) | KCF_ROW_FORMAT(KCF_KEY_SPKI))
#define SIGNS           (KCF_CLASS_SIGN | KCF_CLASS_VERIFY)
#define SECRET_BITS_MAX (1u << 20)

static const struct kcf_mech_row rows[] = {
	{"CKM_SHA256", KCF_CLASS_DIGEST, KCF_PARAM_NONE, MP, 0, 0, 0, 1, 0, 20000, 100, 0},
	{"CKM_SHA256_HMAC", KCF_CLASS_MAC, KCF_PARAM_MAC, MP, 8, SECRET_BITS_MAX, 8, 1, 0, 20000,
	 100, 0},
	{"CKM_AES_CBC", KCF_CLASS_CIPHER, KCF_PARAM_IV, MP, 128, 256, 64, 16, 0, 20000, 100, 0},
	{"CKM_AES_CTR", KCF_CLASS_CIPHER, KCF_PARAM_IV, MP, 128, 256, 64, 1, 0, 20000, 100, 0},
	{"CKM_AES_GCM", KCF_CLASS_AEAD, KCF_PARAM_AEAD, MP, 128, 256, 64, 1, 0, 20000, 100, 0},
	{"CKM_SHA256_RSA_PKCS", SIGNS, KCF_PARAM_NONE, KEY_FILES, 1024, 4096, 1, 1, 0, 400000, 100,
	 0},
	{"CKM_ECDSA_SHA256", SIGNS, KCF_PARAM_SIGN, KEY_FILES, 256, 521, 1, 1, 0, 50000, 100, 0},
	{"KCF_FAULT_ONLY", KCF_CLASS_DIGEST, KCF_PARAM_NONE, MP, 0, 0, 0, 1, 0, 20000, 100, 0},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

void fault_compute(struct fault *f, struct kcf_job *job)
{
	const struct fault_template *tmpl = job->tmpl;
	struct kcf_job inner = *job, *jobs[] = {&inner};

	inner.row = tmpl->inner_row;
	inner.tmpl = tmpl->tmpl;
	inner.thread = tmpl->thread;
	fault_inner.ops->submit(f->inner, jobs, 1);
	job->status = inner.status;
	job->out_len = inner.out_len;
	job->ctx = inner.ctx;
}

/* ---- templates ------------------------------------------------------------------------------- */

static bool inner_row_find(const char *name, uint32_t *ret)
{
	uint32_t i;

	if (!strcmp(name, "KCF_FAULT_ONLY"))
		name = "CKM_SHA256";
	for (i = 0; i < fault_inner.n_rows; i++) {
		if (!strcmp(fault_inner.rows[i].name, name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static enum kcf_status fault_template_new(void *prov, uint32_t row, const struct kcf_key_data *key,
					  void **ret)
{
	const struct kcf_provider_ops *ops = fault_inner.ops;
	struct fault *f = prov;
	struct fault_template *tmpl;
	enum kcf_status status;
	uint32_t inner_row;

	if (row >= N_ROWS || !inner_row_find(rows[row].name, &inner_row))
		return KCF_MECH_NOT_SUPPORTED;
	tmpl = calloc(1, sizeof(*tmpl));
	if (!tmpl)
		return KCF_HOST_MEMORY;
	tmpl->inner_row = inner_row;
	status = ops->template_new(f->inner, inner_row, key, &tmpl->tmpl);
	if (status == KCF_SUCCESS) {
		status = ops->thread_state_new(f->inner, tmpl->tmpl, &tmpl->thread);
		if (status != KCF_SUCCESS)
			ops->template_free(f->inner, tmpl->tmpl);
	}
	if (status != KCF_SUCCESS)
		free(tmpl);
	else
		*ret = tmpl;
	return status;
}

static void fault_template_free(void *prov, void *arg)
{
	struct fault_template *tmpl = arg;
	struct fault *f = prov;

	fault_inner.ops->thread_state_free(f->inner, tmpl->thread);
	fault_inner.ops->template_free(f->inner, tmpl->tmpl);
	free(tmpl);
}

/* Asked of software only. */
static enum kcf_status fault_thread_state_new(void *prov, void *tmpl, void **ret)
{
	return KCF_MECH_NOT_SUPPORTED;
}

static void fault_thread_state_free(void *prov, void *thread)
{
}

static void fault_context_free(void *prov, void *ctx)
{
	struct fault *f = prov;

	fault_inner.ops->context_free(f->inner, ctx);
}

/* ---- the device ------------------------------------------------------------------------------ */

static unsigned fault_submit(void *prov, struct kcf_job *const *jobs, unsigned n)
{
	unsigned i = 0;

	while (i < n && held_take(prov, jobs[i]))
		i++;
	return i;
}

static void fault_cancel(void *prov, struct kcf_job *job)
{
	held_cancel(prov, job);
}

static enum kcf_status fault_reset(void *prov)
{
	held_reset(prov);
	return KCF_SUCCESS;
}

static unsigned fault_slots(void *prov)
{
	struct fault *f = prov;

	return (unsigned)f->settings.slots;
}

static enum kcf_status fault_self_test(void *prov)
{
	struct fault *f = prov;

	if (f->settings.self_test_fails)
		return KCF_FAILED;
	return fault_inner.ops->self_test ? fault_inner.ops->self_test(f->inner) : KCF_SUCCESS;
}

static enum kcf_status fault_set(void *prov, const char *key, const char *value)
{
	struct fault *f = prov;
	enum kcf_status status;
	int64_t n;

	if (!strcmp(key, "die") || !strcmp(key, "return")) {
		f->dead = !strcmp(key, "die");
		f->host->notify(f->host, f->dead ? KCF_NOTICE_FAILED : KCF_NOTICE_READY);
		return KCF_SUCCESS;
	}
	if (!strcmp(key, "release")) {
		if (!settings_number(value, &n) || n < 0)
			return KCF_ARGUMENTS_BAD;
		held_release(f, n);
		return KCF_SUCCESS;
	}
	status = settings_set(&f->settings, key, value);
	if (status == KCF_SUCCESS && !strcmp(key, "gate") && !f->settings.gate_closed)
		held_open_gate(f);
	return status;
}

/* ---- the module ------------------------------------------------------------------------------ */

static enum kcf_status fault_start(const struct kcf_host *host, void **ret)
{
	struct fault *f = calloc(1, sizeof(*f));
	enum kcf_status status;

	if (!f)
		return KCF_HOST_MEMORY;
	f->host = host;
	settings_init(&f->settings);
	status = settings_load(&f->settings, host);
	if (status == KCF_SUCCESS)
		status = fault_inner.ops->start(host, &f->inner);
	if (status != KCF_SUCCESS)
		free(f);
	else
		*ret = f;
	return status;
}

static void fault_stop(void *prov)
{
	struct fault *f = prov;

	fault_inner.ops->stop(f->inner);
	free(f);
}

static const struct kcf_provider_ops ops = {
	.start = fault_start,
	.stop = fault_stop,
	.self_test = fault_self_test,
	.submit = fault_submit,
	.template_new = fault_template_new,
	.template_free = fault_template_free,
	.thread_state_new = fault_thread_state_new,
	.thread_state_free = fault_thread_state_free,
	.context_free = fault_context_free,
	.cancel = fault_cancel,
	.reset = fault_reset,
	.slots = fault_slots,
	.set = fault_set,
};

KCF_PROVIDER_EXPORT = {
	.abi = KCF_PROVIDER_ABI,
	.size = sizeof(struct kcf_provider_desc),
	.name = "fault",
	.description = "a pretended device, for tests",
	.version = 1 << 16,
	.kind = KCF_HARDWARE,
	.flags = KCF_DESC_TEST_ONLY,
	.n_rows = N_ROWS,
	.rows = rows,
	.ops = &ops,
};
