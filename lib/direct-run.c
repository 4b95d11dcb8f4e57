/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-run - one operation on the calling thread, once its provider is known.
 *
 * The job is built on the stack, run on the thread's own state, counted. What a failed decryption
 * may have written is wiped before the status returns. Nothing is looked at after the run but
 * locals: the template may be gone by then. Any thread.
 */
#include "direct-call.h"

const uint32_t op_classes[KCF_OP_COUNT] = {
#define KCF__X(name, value, text, classes) [value] = classes,
	KCF_OP_LIST(KCF__X)
#undef KCF__X
};

void run_wipe_failed(const struct kcf_job *job)
{
	size_t len = job->in_len < job->out_room ? job->in_len : job->out_room;

	if (job->op == KCF_OP_DECRYPT && job_failed_late(job->status))
		iov_wipe(job->out, job->n_out, len);
}

enum kcf_status run_single(struct direct *d, struct template_plan *tp, const struct plan_step *s,
			   struct prepared *prep, const struct op_call *call,
			   const struct call_io *io)
{
	enum kcf_status status;
	struct tstate *ts = prepared_thread(prep, &status);
	struct count_at at;
	struct kcf_job job;
	uint64_t start = 0, ns = 0;

	if (!ts)
		return status;
	count_get(d, ts, tp->plan, s, &at);
	call_job(call, io, &job);
	if (__builtin_expect(count_is_sample(&at, 1), 0)) {
		plan_look_again(d, tp);
		start = count_now_ns();
	}
	tstate_run(ts, &job);
	if (__builtin_expect(start != 0, 0))
		ns = count_now_ns() - start;
	count_call(d, &at, call->op, job.status, io->in.len, ns);
	if (__builtin_expect(job.status != KCF_SUCCESS, 0))
		run_wipe_failed(&job);
	if (call->out)
		call->out->used = job.status == KCF_SUCCESS || job.status == KCF_BUFFER_TOO_SMALL
					  ? job.out_len
					  : 0;
	return job.status;
}
