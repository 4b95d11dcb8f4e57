/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dual - encrypt+MAC and MAC+decrypt as two jobs on one thread.
 *
 * The MAC is over the ciphertext. Decryption begins only after the MAC was found right, so nothing
 * is written before; an error after the first written byte wipes the output. Thread: any; the
 * caller owns the job.
 */
#include "base/iov.h"
#include "module/prepared.h"

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

void dual_run(struct dual_job *job)
{
	job->out_len = 0;
	job->mac_len = 0;
	if (job->n_out > IOV_COUNT_MAX)
		job->status = KCF_ARGUMENTS_BAD;
	else if (job->op == KCF_OP_ENCRYPT_MAC)
		encrypt_mac(job);
	else if (job->op == KCF_OP_MAC_DECRYPT)
		mac_decrypt(job);
	else
		job->status = KCF_ARGUMENTS_BAD;
}
