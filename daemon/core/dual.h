/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dual - encrypt+MAC and MAC+decrypt as one request.
 *
 * Both steps on one thread when both would run in software (fused); else two stages, each with a
 * provider of its own. Everything between input and the last check is private: no MAC is made over
 * bytes the client could still change, and nothing decrypted appears before its MAC was right. Loop
 * thread, except the two that run with the job.
 */
#pragma once

#include "core/sched.h"

#define DUAL_MAC_MAX 512u /* room for the MAC when it follows the data of a final */

static inline bool op_is_dual(uint16_t op)
{
	return op == KCF_OP_ENCRYPT_MAC || op == KCF_OP_MAC_DECRYPT;
}

/* At the beginning of a context: could the halves be done, with these keys? */
enum kcf_status dual_check(struct request *r);
/* Set the first stage. in: what the operation works on; stays as long as the request. False: out of
 * memory. */
bool dual_stage(struct request *r, const struct request_data *in);
/* A stage ended well; true: another is set. */
bool dual_next(struct request *r);
/* The last stage ended: release the results; *out_len becomes that of the whole operation. */
enum kcf_status dual_finish(struct request *r, enum kcf_status status, size_t *out_len);
/* The present stage's copies are needed by the next. */
bool dual_keeps_copies(const struct request_sched *s);
/* Wipe and free what is private. */
void dual_drop(struct request_sched *s);

/* With the job, on its thread: both steps as two jobs; as one, to be run in between; release of the
 * results. */
void dual_run_fused(struct request *r);
void dual_make_job(struct request *r);
void dual_take_job(struct request *r);
void dual_publish(struct request *r);
