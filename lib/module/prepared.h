/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prepared - a provider's template (mechanism row + key) and its live state per thread.
 *
 * The one way software jobs run, in the caller's thread and on kcfd's loop and workers. Each thread
 * keeps a state per prepared, found in a thread-local table by serial number (never reused), freed
 * at thread exit. A run marks the state by an exchange (IDLE -> BUSY); dropping the prepared marks
 * states dead, wipes idle ones at once and a busy one when its run returns. After a thread's first
 * use a run takes no lock, makes no allocation and no system call.
 */
#pragma once

#include "module/module.h"

/* A started provider of a module in this process. */
struct instance {
	const struct kcf_provider_desc *desc;
	void *prov;
	uint32_t generation; /* another after reset; prepared ones of an older one are remade by
				their owners */
};

/* One thread's live state of a prepared. Its owner alone runs on it. */
struct tstate;

struct prepared {
	uint64_t serial;
	const struct instance *inst;
	uint32_t row;
	uint32_t key_len;    /* bytes of the key it was made of */
	uint32_t generation; /* of inst when made */
	void *tmpl;
	uint32_t refs; /* atomic: users */
	uint32_t live; /* atomic: provider states, and one for the users: at 0 tmpl is freed */
	uint32_t pins; /* atomic: tstates, and one for the users: at 0 this structure is freed */
	struct tstate *states; /* those not dead; locked, never while calling a provider */
};

/* Checks raw key length against the row. Returns owned (one reference). */
enum kcf_status prepared_new(const struct instance *inst, uint32_t row,
			     const struct kcf_key_data *key, struct prepared **ret);
struct prepared *prepared_ref(struct prepared *p);
/* Drop a reference; with the last the template dies as described above. NULL is ignored. */
void prepared_unref(struct prepared *p);

/* Run one job (row, tmpl and thread are filled in here) on this thread. Status is in the job. */
void prepared_run(struct prepared *p, struct kcf_job *job);
/* The same for n jobs of one prepared: one submit. */
void prepared_run_burst(struct prepared *p, struct kcf_job *const *jobs, unsigned n);

/* The same in two steps, for callers that look at the thread's data as well. prepared_thread()
 * finds or makes the calling thread's state; NULL if it cannot be made (*ret_status says why). It
 * is valid until the thread or p ends. */
struct tstate *prepared_thread(struct prepared *p, enum kcf_status *ret_status);
void tstate_run(struct tstate *ts, struct kcf_job *job);
/* It will be run soon: have the processor fetch it. */
static inline void tstate_touch(const struct tstate *ts)
{
	__builtin_prefetch(ts, 1);
	__builtin_prefetch((const char *)ts + 64, 1);
}

/* The owner's own, zeroed at first: cached counters. */
#define TSTATE_DATA 3
void **tstate_data(struct tstate *ts);

/* Did a job fail after it may have written output? The other statuses refuse it before it begins.
 */
static inline bool job_failed_late(enum kcf_status status)
{
	return status == KCF_INVALID_MAC || status == KCF_FAILED || status == KCF_HOST_MEMORY ||
	       status == KCF_CANCELED || status == KCF_DEVICE_ERROR || status == KCF_DEVICE_REMOVED;
}

/* Both steps of a dual operation on this thread. out_len and mac_len are set in the result. */
struct dual_job {
	uint16_t op; /* KCF_OP_ENCRYPT_MAC or KCF_OP_MAC_DECRYPT */
	struct prepared *cipher, *mac;
	const void *cipher_param, *mac_param;
	const struct iovec *in, *out,
		*check; /* check: ENCRYPT_MAC: the MAC's room; MAC_DECRYPT: the MAC */
	uint32_t n_in, n_out, n_check;
	size_t in_len, out_room, check_len;
	enum kcf_status status;
	size_t out_len, mac_len;
};
/* Is one provider, and does it do both in one job? Else two jobs make it. */
bool dual_is_native(const struct prepared *cipher, const struct prepared *mac);
/* The one job of a native dual operation, for bursts, and what came of it. */
void dual_to_job(const struct dual_job *dual, struct kcf_job *ret);
void dual_from_job(struct dual_job *dual, const struct kcf_job *job);
/* Either way, on this thread. Of a MAC_DECRYPT whose MAC is wrong nothing decrypted is left. */
void dual_run(struct dual_job *job);
