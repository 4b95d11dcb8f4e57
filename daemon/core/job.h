/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - a request's stage as a provider sees it, with private copies where they are needed.
 *
 * Input a client could change while it is read twice, output that needs a check before release,
 * everything that a device may touch late: all of it lives in a private copy ("bounce"), published
 * after the job ended well. Runs where the job runs: loop or worker.
 */
#pragma once

#include "core/sched.h"
#include "module/burst.h"

/* Make s->job; KCF_SUCCESS or KCF_HOST_MEMORY. */
enum kcf_status job_make(struct request *r);

#define JOB_BURST BURST_MAX

/* Make and run n jobs on this thread, at most JOB_BURST, each provider's of one mechanism and key
 * size in one submit; then publish. Sets job_ns, and puts those of one submit side by side: the
 * first has their number in company, others 0. */
void job_run_burst(struct request **rs, unsigned n);
/* The job ended: results into the request, output published or wiped. */
void job_publish(struct request *r);
/* A provider's result may be nonsense: then it is an error. */
void job_check_result(struct kcf_job *job);
/* Wipe and free the private copies. */
void job_drop_copies(struct request_sched *s);
/* Can the running job still read or write what the client sees? */
bool job_touches_shared(const struct request *r);
