/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial - jobs of kcfd's own on known data, to see what software takes by itself.
 *
 * One trial is one length with one template: repeated on a worker, in a warm cache, alone and,
 * where a provider gains from it, many in one submit. The loop makes and frees it; in between it is
 * the worker's.
 */
#pragma once

#include "core/core.h"
#include "module/prepared.h"
#include "spi/worker.h"

#define TRIAL_ROUNDS   8u     /* samples of each kind */
#define TRIAL_LEN_MAX  16384u /* bytes of a job */
#define TRIAL_VARIANTS 3u     /* forms of the parameter, where one is refused */

/* A parameter and where it points to. */
struct trial_param {
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param;
	uint8_t iv[16];
};

struct trial {
	struct work work;
	void (*done)(struct trial *t); /* on the loop; the trial is the owner's again */
	void *arg;
	/* what: set by the owner */
	struct prepared *prepared; /* a reference, the owner's */
	uint32_t classes, param_kind;
	unsigned variant, lanes; /* lanes 0: no gain from company */
	size_t len;
	/* result */
	enum kcf_status status;
	unsigned n_alone, n_company;
	uint64_t alone_ns[TRIAL_ROUNDS], company_ns[TRIAL_ROUNDS]; /* of one job */
	struct trial_room *room;
};

/* What a class does with a symmetric mechanism. */
uint16_t trial_op(uint32_t classes);
/* The parameter's variant-th form; NULL where it has none, or needs none. */
void *trial_param(struct trial_param *p, uint32_t kind, unsigned variant);
/* NULL: out of memory. */
struct trial *trial_new(void);
void trial_free(struct trial *t);
/* done comes later. */
void trial_start(struct trial *t, struct worker_pool *workers);
