/* SPDX-License-Identifier: Apache-2.0 */
/* fake-host: see fake-host.h. Thread: the one that opened it. */
#include "fake-host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_timer {
	struct fake_timer *next;
	uint64_t due_us;
	void (*fn)(void *arg);
	void *arg;
};

static struct fake_host *fake_of(const struct kcf_host *host)
{
	return (struct fake_host *)host;
}

static void on_log(const struct kcf_host *host, enum kcf_log_level level, const char *fmt, ...)
{
	fake_of(host)->n_logged++;
}

static const char *get_config(const struct kcf_host *host, const char *key)
{
	const char *const *c = fake_of(host)->config;

	for (; c && *c; c += 2) {
		if (!strcmp(c[0], key))
			return c[1];
	}
	return NULL;
}

static void on_complete(const struct kcf_host *host, struct kcf_job *job)
{
	struct fake_host *f = fake_of(host);

	if (f->n_completed < FAKE_COMPLETIONS_MAX)
		f->completed[f->n_completed] = job;
	f->n_completed++;
}

static void on_notify(const struct kcf_host *host, enum kcf_provider_notice notice)
{
	struct fake_host *f = fake_of(host);

	if (f->n_notices < FAKE_NOTICES_MAX)
		f->notices[f->n_notices++] = notice;
}

static struct kcf_host_timer *timer_start(const struct kcf_host *host, uint64_t usec,
					  void (*fn)(void *arg), void *arg)
{
	struct fake_host *f = fake_of(host);
	struct fake_timer *t = calloc(1, sizeof(*t)), **at = &f->timers;

	if (!t)
		return NULL;
	t->due_us = f->now_us + usec;
	t->fn = fn;
	t->arg = arg;
	while (*at && (*at)->due_us <= t->due_us)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	return (struct kcf_host_timer *)t;
}

/* A timer that has run is off the list already; its owner still frees it. */
static void timer_free(const struct kcf_host *host, struct kcf_host_timer *timer)
{
	struct fake_host *f = fake_of(host);
	struct fake_timer *t = (struct fake_timer *)timer, **at = &f->timers;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	free(t);
}

static void run_due(struct fake_host *f, uint64_t until)
{
	struct fake_timer *t;

	while ((t = f->timers) != NULL && t->due_us <= until) {
		f->timers = t->next;
		t->next = NULL;
		f->now_us = t->due_us;
		t->fn(t->arg);
	}
}

void fake_host_advance(struct fake_host *f, uint64_t usec)
{
	uint64_t until = f->now_us + usec;

	run_due(f, until);
	f->now_us = until;
}

bool fake_host_has_timers(const struct fake_host *f)
{
	return f->timers != NULL;
}

enum kcf_status fake_host_open(struct fake_host *f, const char *path, const char *const *config)
{
	memset(f, 0, sizeof(*f));
	f->host.abi = KCF_PROVIDER_ABI;
	f->host.size = sizeof(f->host);
	f->host.log = on_log;
	f->host.config = get_config;
	f->host.complete = on_complete;
	f->host.notify = on_notify;
	f->host.timer_start = timer_start;
	f->host.timer_free = timer_free;
	f->config = config;
	f->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!f->module) {
		fprintf(stderr, "%s\n", dlerror());
		return KCF_MODULE_INVALID;
	}
	f->desc = dlsym(f->module, KCF_PROVIDER_SYMBOL);
	if (!f->desc || f->desc->abi != KCF_PROVIDER_ABI || f->desc->size != sizeof(*f->desc)) {
		fprintf(stderr, "%s: no provider of this version\n", path);
		return KCF_MODULE_INVALID;
	}
	return f->desc->ops->start(&f->host, &f->prov);
}

void fake_host_close(struct fake_host *f)
{
	if (f->desc)
		f->desc->ops->stop(f->prov);
	while (f->timers)
		timer_free(&f->host, (struct kcf_host_timer *)f->timers);
	f->desc = NULL;
}

int fake_row(const struct fake_host *f, const char *name, uint32_t class)
{
	uint32_t i;

	for (i = 0; i < f->desc->n_rows; i++) {
		if (!strcmp(f->desc->rows[i].name, name) && (f->desc->rows[i].classes & class))
			return (int)i;
	}
	return -1;
}

enum kcf_status fake_template_new(struct fake_host *f, uint32_t row, const struct kcf_key_data *key,
				  struct fake_template *ret)
{
	const struct kcf_provider_ops *ops = f->desc->ops;
	struct fake_template t = {.row = row};
	enum kcf_status status = ops->template_new(f->prov, row, key, &t.tmpl);

	if (status != KCF_SUCCESS)
		return status;
	if (f->desc->kind == KCF_SOFTWARE) {
		status = ops->thread_state_new(f->prov, t.tmpl, &t.thread);
		if (status != KCF_SUCCESS) {
			ops->template_free(f->prov, t.tmpl);
			return status;
		}
	}
	*ret = t;
	return KCF_SUCCESS;
}

void fake_template_free(struct fake_host *f, struct fake_template *t)
{
	if (f->desc->kind == KCF_SOFTWARE)
		f->desc->ops->thread_state_free(f->prov, t->thread);
	f->desc->ops->template_free(f->prov, t->tmpl);
}

void fake_job(struct kcf_job *job, const struct fake_template *t, enum kcf_op op,
	      enum kcf_phase phase, const void *param)
{
	memset(job, 0, sizeof(*job));
	job->op = (uint16_t)op;
	job->phase = (uint16_t)phase;
	job->row = t->row;
	job->param = param;
	job->tmpl = t->tmpl;
	job->thread = t->thread;
	job->status = KCF_QUEUED;
}

static size_t iov_sum(const struct iovec *iov, uint32_t n_iov)
{
	size_t sum = 0;
	uint32_t i;

	for (i = 0; i < n_iov; i++)
		sum += iov[i].iov_len;
	return sum;
}

void fake_job_in(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov)
{
	job->in = iov;
	job->n_in = n_iov;
	job->in_len = iov_sum(iov, n_iov);
}

void fake_job_out(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov)
{
	job->out = iov;
	job->n_out = n_iov;
	job->out_room = iov_sum(iov, n_iov);
}

void fake_job_check(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov)
{
	job->check = iov;
	job->n_check = n_iov;
	job->check_len = iov_sum(iov, n_iov);
}

enum kcf_status fake_run(struct fake_host *f, struct kcf_job *job)
{
	unsigned before = f->n_completed;

	if (f->desc->ops->submit(f->prov, &job, 1) != 1)
		return KCF_BUSY;
	if (f->desc->kind == KCF_SOFTWARE)
		return job->status;
	while (f->n_completed == before && f->timers)
		fake_host_advance(f, f->timers->due_us - f->now_us);
	return f->n_completed > before ? job->status : KCF_TIMED_OUT;
}
