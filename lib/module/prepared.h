/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prepared - a provider's template (mechanism row + key) and its live state per thread.
 *
 * The one way software jobs run, in the caller's thread and on kcfd's loop and workers. Each thread keeps a state
 * per prepared, found in a thread-local table by serial number (never reused), freed at thread exit. A run marks the state by
 * an exchange (IDLE -> BUSY); dropping the prepared marks states dead, wipes idle ones at once and a busy one
 * when its run returns. After a thread's first use a run takes no lock, makes no allocation and no system call.
 */
#pragma once

#include <pthread.h>
#include "module/module.h"

/* A started provider of a module in this process. */
struct instance {
	const struct kcf_provider_desc *desc;
	void *prov;
	uint32_t generation; /* another after reset; prepared ones of an older one are remade by their owners */
};

struct tstate;

struct prepared {
	uint64_t serial;
	const struct instance *inst;
	uint32_t row;
	uint32_t generation; /* of inst when made */
	void *tmpl;
	uint32_t refs; /* atomic */
	uint32_t dead; /* atomic */
	pthread_mutex_t lock; /* states list; never held while calling a provider */
	struct tstate *states;
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
/* The calling thread's slot of user data for p (a pointer, NULL at first); valid between runs until the
 * thread or p ends. For cached counters. */
void **prepared_thread_data(struct prepared *p);

/* Both steps of a dual operation on this thread. out_len and mac_len are set in the result. */
struct dual_job {
	uint16_t op; /* KCF_OP_ENCRYPT_MAC or KCF_OP_MAC_DECRYPT */
	struct prepared *cipher, *mac;
	const void *cipher_param, *mac_param;
	const struct iovec *in, *out, *check; /* check: ENCRYPT_MAC: the MAC's room; MAC_DECRYPT: the MAC */
	uint32_t n_in, n_out, n_check;
	size_t in_len, out_room, check_len;
	enum kcf_status status;
	size_t out_len, mac_len;
};
/* MAC_DECRYPT verifies first and writes nothing unless the MAC is right. */
void dual_run(struct dual_job *job);
