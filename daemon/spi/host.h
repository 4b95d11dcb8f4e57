/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host - the services kcfd lends a provider instance: log, settings, completion, notices, timers.
 *
 * One per instance; it outlives the instance, because a device may speak late. What a provider says
 * is handed to its owner (the core layer). complete may be called on any thread; the rest as
 * provider.h says.
 */
#pragma once

#include <kcf/provider.h>
#include <uv.h>
#include "base/list.h"

struct host_ops {
	/* Thread: any. */
	void (*complete)(void *owner, struct kcf_job *job);
	/* Thread: loop. */
	void (*notify)(void *owner, enum kcf_provider_notice notice);
};

struct host {
	struct kcf_host base; /* first: what the provider sees */
	const struct host_ops *ops;
	void *owner;
	uv_loop_t *loop;
	char name[48];
	char **options; /* "key=value" */
	unsigned n_options;
	uint64_t asked; /* bits of options: the provider knows them */
	struct list timers;
};

/* Copies name and options, at most 64. NULL: out of memory. */
struct host *host_new(uv_loop_t *loop, const char *name, const char *const *options,
		      unsigned n_options);
/* An option the provider did not ask for while it started; NULL: it knows them all. */
const char *host_unknown_option(const struct host *h);
/* From now on completions and notices have somewhere to go. */
void host_set_owner(struct host *h, const struct host_ops *ops, void *owner);
/* Stops its timers. Thread: loop. */
void host_free(struct host *h);

/* Where log lines of providers go; standard error at first. */
typedef void (*host_log_fn)(enum kcf_log_level level, const char *provider, const char *text);
void host_set_log(host_log_fn fn);
