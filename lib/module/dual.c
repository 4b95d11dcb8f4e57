/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dual - encrypt+MAC and MAC+decrypt on one thread: as one job where one provider does both in one,
 * else as two.
 *
 * The MAC is over the ciphertext. Of two jobs decryption begins only after the MAC was found right,
 * so nothing is written before. An error after the first written byte wipes the output. Thread:
 * any; the caller owns the job.
 */
#include "base/iov.h"
#include "module/burst.h"

#define MAC_LEN_MAX 64u

static void cipher_job(const struct dual_job *job, uint16_t op, struct kcf_job *ret)
{
	*ret = (struct kcf_job){
		.op = op,
		.param = job->cipher_param,
		.in = job->in,
		.n_in = job->n_in,
		.in_len = job->in_len,
		.out = job->out,
		.n_out = job->n_out,
		.out_room = job->out_room,
	};
}

static bool is_in_place(const struct dual_job *job)
{
	return job->n_in && job->n_out && job->in[0].iov_base == job->out[0].iov_base;
}

/* Encryption in place cannot be repeated, so the MAC's room is judged before it: over no bytes,
 * into no room. */
static enum kcf_status mac_room_check(struct dual_job *job)
{
	struct kcf_job probe = {.op = KCF_OP_MAC, .param = job->mac_param};

	if (job->check_len >= MAC_LEN_MAX || !is_in_place(job))
		return KCF_SUCCESS;
	prepared_run(job->mac, &probe);
	if (probe.status != KCF_BUFFER_TOO_SMALL)
		return probe.status == KCF_SUCCESS ? KCF_FAILED : probe.status;
	job->mac_len = probe.out_len;
	return probe.out_len > job->check_len ? KCF_BUFFER_TOO_SMALL : KCF_SUCCESS;
}

static enum kcf_status mac_over(struct dual_job *job, const struct iovec *iov, uint32_t n_iov)
{
	struct kcf_job mac = {
		.op = KCF_OP_MAC,
		.param = job->mac_param,
		.in = iov,
		.n_in = n_iov,
		.in_len = job->out_len,
		.out = job->check,
		.n_out = job->n_check,
		.out_room = job->check_len,
	};

	prepared_run(job->mac, &mac);
	job->mac_len = mac.out_len;
	return mac.status;
}

/* The MAC over the first out_len bytes of the output. */
static enum kcf_status mac_output(struct dual_job *job)
{
	struct iovec pieces[IOV_COUNT_MAX];
	uint32_t n = iov_slice(job->out, job->n_out, 0, job->out_len, pieces);

	return mac_over(job, pieces, n);
}

static void encrypt_mac(struct dual_job *job)
{
	struct kcf_job cipher;
	struct iovec flat;

	job->status = mac_room_check(job);
	if (job->status != KCF_SUCCESS)
		return;
	cipher_job(job, KCF_OP_ENCRYPT, &cipher);
	prepared_run(job->cipher, &cipher);
	job->status = cipher.status;
	job->out_len = cipher.out_len;
	if (job->status != KCF_SUCCESS)
		return;
	if (job->n_out == 1) {
		flat = (struct iovec){job->out[0].iov_base, job->out_len};
		job->status = mac_over(job, &flat, 1);
	} else {
		job->status = mac_output(job);
	}
	if (job->status != KCF_SUCCESS && job->status != KCF_BUFFER_TOO_SMALL) {
		iov_wipe(job->out, job->n_out, job->out_len);
		job->out_len = 0;
	}
}

static void mac_decrypt(struct dual_job *job)
{
	struct kcf_job cipher;
	struct kcf_job mac = {
		.op = KCF_OP_MAC_VERIFY,
		.param = job->mac_param,
		.in = job->in,
		.n_in = job->n_in,
		.in_len = job->in_len,
		.check = job->check,
		.n_check = job->n_check,
		.check_len = job->check_len,
	};

	prepared_run(job->mac, &mac);
	job->status = mac.status;
	if (job->status != KCF_SUCCESS)
		return;
	cipher_job(job, KCF_OP_DECRYPT, &cipher);
	prepared_run(job->cipher, &cipher);
	job->status = cipher.status;
	job->out_len = cipher.out_len;
	if (job_failed_late(cipher.status)) {
		iov_wipe(job->out, job->n_out, job->in_len);
		job->out_len = 0;
	}
}

/* ---- one job ---- */

bool dual_is_native(const struct prepared *cipher, const struct prepared *mac)
{
	const struct instance *inst = cipher->inst;

	return mac->inst == inst && inst->desc->ops->dual &&
	       inst->desc->ops->dual(inst->prov, cipher->row, mac->row);
}

void dual_to_job(const struct dual_job *dual, struct kcf_job *ret)
{
	cipher_job(dual, dual->op, ret);
	ret->param2 = dual->mac_param;
	ret->check = dual->check;
	ret->n_check = dual->n_check;
	ret->check_len = dual->check_len;
}

void dual_from_job(struct dual_job *dual, const struct kcf_job *job)
{
	bool known = job->status == KCF_SUCCESS || job->status == KCF_BUFFER_TOO_SMALL;

	dual->status = job->status;
	dual->out_len = known ? job->out_len : 0;
	dual->mac_len = known && dual->op == KCF_OP_ENCRYPT_MAC ? job->mac_len : 0;
	if (job_failed_late(job->status))
		iov_wipe(dual->out, dual->n_out, dual->out_room);
}

static void run_native(struct dual_job *dual)
{
	struct tstate *cipher = prepared_thread(dual->cipher, &dual->status), *mac = NULL;
	struct kcf_job job;
	struct burst burst;

	if (cipher)
		mac = prepared_thread(dual->mac, &dual->status);
	if (!mac)
		return;
	dual_to_job(dual, &job);
	burst_begin(&burst);
	if (burst_add(&burst, cipher, mac, &job))
		burst_submit(&burst, 0);
	burst_end(&burst);
	dual_from_job(dual, &job);
}

void dual_run(struct dual_job *job)
{
	job->out_len = 0;
	job->mac_len = 0;
	if (job->n_out > IOV_COUNT_MAX ||
	    (job->op != KCF_OP_ENCRYPT_MAC && job->op != KCF_OP_MAC_DECRYPT))
		job->status = KCF_ARGUMENTS_BAD;
	else if (dual_is_native(job->cipher, job->mac))
		run_native(job);
	else if (job->op == KCF_OP_ENCRYPT_MAC)
		encrypt_mac(job);
	else
		mac_decrypt(job);
}
