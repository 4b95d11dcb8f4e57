/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-host: stands in for kcfd to drive one provider module directly.
 *
 * It loads a module with dlopen, lends it the host services and runs jobs: software jobs finish in
 * submit, hardware jobs when complete() is called, which is recorded in order. Timers run on a
 * clock that only fake_host_advance() moves. One thread drives one fake host.
 */
#ifndef KCF_FAKE_HOST_H
#define KCF_FAKE_HOST_H

#include <kcf/provider.h>

#define FAKE_COMPLETIONS_MAX 256
#define FAKE_NOTICES_MAX     64

struct fake_timer;

struct fake_host {
	struct kcf_host host;
	void *module;
	const struct kcf_provider_desc *desc;
	void *prov;
	const char *const *config; /* key, value, ..., NULL; borrowed */
	uint64_t now_us;
	struct fake_timer *timers;
	unsigned n_completed;
	struct kcf_job *completed[FAKE_COMPLETIONS_MAX];
	unsigned n_notices;
	enum kcf_provider_notice notices[FAKE_NOTICES_MAX];
	unsigned n_logged;
};

/* Loads path and starts an instance. Returns its status; KCF_MODULE_INVALID if it is no module,
 * with the reason on stderr. config may be NULL. */
enum kcf_status fake_host_open(struct fake_host *f, const char *path, const char *const *config);
/* Stops the instance; the module stays mapped. */
void fake_host_close(struct fake_host *f);
/* Let time pass; due timers run in order. */
void fake_host_advance(struct fake_host *f, uint64_t usec);
/* Does the clock have anything left to do? */
bool fake_host_has_timers(const struct fake_host *f);

/* Index of a row by mechanism name and class bit, or -1. */
int fake_row(const struct fake_host *f, const char *name, uint32_t class);

/* A template with the thread state that software wants. */
struct fake_template {
	uint32_t row;
	void *tmpl;
	void *thread;
};

enum kcf_status fake_template_new(struct fake_host *f, uint32_t row, const struct kcf_key_data *key,
				  struct fake_template *ret);
void fake_template_free(struct fake_host *f, struct fake_template *t);

/* Fills a job; iovecs are borrowed. */
void fake_job(struct kcf_job *job, const struct fake_template *t, enum kcf_op op,
	      enum kcf_phase phase, const void *param);
void fake_job_in(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov);
void fake_job_out(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov);
void fake_job_check(struct kcf_job *job, const struct iovec *iov, uint32_t n_iov);

/* Submits and, for hardware, lets time pass until the job is complete. KCF_BUSY if it was not
 * taken, KCF_TIMED_OUT if nothing is left that could complete it. */
enum kcf_status fake_run(struct fake_host *f, struct kcf_job *job);

#endif
