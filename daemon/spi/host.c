/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/host.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kcf_host_timer {
	struct list link;
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
};

static void log_stderr(enum kcf_log_level level, const char *provider, const char *text)
{
	fprintf(stderr, "<%d>provider %s: %s\n", level, provider, text);
}

static host_log_fn log_fn = log_stderr;

void host_set_log(host_log_fn fn)
{
	log_fn = fn;
}

static struct host *host_of(const struct kcf_host *base)
{
	return (struct host *)base;
}

static void host_log(const struct kcf_host *base, enum kcf_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fn(level, host_of(base)->name, text);
}

static const char *host_config(const struct kcf_host *base, const char *key)
{
	struct host *h = host_of(base);
	const char *value = NULL;
	size_t len = strlen(key);

	for (unsigned i = 0; i < h->n_options; i++) {
		if (strncmp(h->options[i], key, len) || h->options[i][len] != '=')
			continue;
		h->asked |= UINT64_C(1) << i;
		if (!value)
			value = h->options[i] + len + 1;
	}
	return value;
}

const char *host_unknown_option(const struct host *h)
{
	for (unsigned i = 0; i < h->n_options; i++)
		if (!(h->asked >> i & 1))
			return h->options[i];
	return NULL;
}

static void host_complete(const struct kcf_host *base, struct kcf_job *job)
{
	const struct host *h = host_of(base);

	if (h->ops)
		h->ops->complete(h->owner, job);
}

static void host_notify(const struct kcf_host *base, enum kcf_provider_notice notice)
{
	const struct host *h = host_of(base);

	if (h->ops)
		h->ops->notify(h->owner, notice);
}

static void on_timer(uv_timer_t *uv)
{
	struct kcf_host_timer *t = uv->data;

	t->fn(t->arg);
}

static struct kcf_host_timer *host_timer_start(const struct kcf_host *base, uint64_t usec,
					       void (*fn)(void *arg), void *arg)
{
	struct host *h = host_of(base);
	struct kcf_host_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (uv_timer_init(h->loop, &t->uv)) {
		free(t);
		return NULL;
	}
	t->uv.data = t;
	t->fn = fn;
	t->arg = arg;
	list_push(&h->timers, &t->link);
	uv_update_time(h->loop);
	uv_timer_start(&t->uv, on_timer, (usec + 999) / 1000, 0);
	return t;
}

static void on_timer_closed(uv_handle_t *uv)
{
	free(uv->data);
}

static void host_timer_free(const struct kcf_host *base, struct kcf_host_timer *t)
{
	if (!t)
		return;
	list_remove(&t->link);
	uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

struct host *host_new(uv_loop_t *loop, const char *name, const char *const *options,
		      unsigned n_options)
{
	struct host *h = calloc(1, sizeof(*h));

	assert(n_options <= 64);
	if (!h)
		return NULL;
	h->base = (struct kcf_host){
		.abi = KCF_PROVIDER_ABI,
		.size = sizeof(h->base),
		.log = host_log,
		.config = host_config,
		.complete = host_complete,
		.notify = host_notify,
		.timer_start = host_timer_start,
		.timer_free = host_timer_free,
	};
	h->loop = loop;
	list_init(&h->timers);
	snprintf(h->name, sizeof(h->name), "%s", name);
	h->options = calloc(n_options ? n_options : 1, sizeof(*h->options));
	while (h->options && h->n_options < n_options) {
		h->options[h->n_options] = strdup(options[h->n_options]);
		if (!h->options[h->n_options++])
			break;
	}
	if (!h->options || (n_options && !h->options[n_options - 1])) {
		host_free(h);
		return NULL;
	}
	return h;
}

void host_set_owner(struct host *h, const struct host_ops *ops, void *owner)
{
	h->owner = owner;
	h->ops = ops;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	while (!list_empty(&h->timers))
		host_timer_free(&h->base, list_entry(h->timers.next, struct kcf_host_timer, link));
	for (unsigned i = 0; i < h->n_options; i++)
		free(h->options[i]);
	free(h->options);
	free(h);
}
