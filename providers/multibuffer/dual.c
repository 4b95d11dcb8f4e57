/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dual: encrypt, then MAC over the ciphertext, and the way back, for many jobs at once.
 *
 * One half of all jobs fills the lanes, then the other. The library could chain the two for each
 * message, but then it decrypts before the MAC is known; here all MACs are verified first, and only
 * what is right is decrypted, so that nothing has to be taken back. What would fail in the second
 * half for want of room is refused before the first. Thread: any.
 */
#include "cipher.h"
#include "common/iov.h"
#include "hash.h"
#include "mac.h"

/* The halves of a chunk of jobs of one pair of rows. */
struct duals {
	struct lanes *l;
	const void *cipher, *mac; /* algorithms */
	struct kcf_job *const *jobs;
	unsigned n;
};

bool dual_possible(uint32_t cipher_row, uint32_t mac_row)
{
	return cipher_row < mb_n_rows && mac_row < mb_n_rows &&
	       entry_of(cipher_row)->ops == &cipher_class &&
	       entry_of(mac_row)->ops == &hash_class && (mb_rows[mac_row].classes & KCF_CLASS_MAC);
}

static struct kcf_job *cipher_half(const struct duals *d, unsigned i, uint16_t op)
{
	struct kcf_job *half = &d->l->halves[0][i];

	*half = *d->jobs[i];
	half->op = op;
	return half;
}

static struct kcf_job *mac_half(const struct duals *d, unsigned i, uint16_t op)
{
	const struct kcf_job *job = d->jobs[i];
	struct kcf_job *half = &d->l->halves[1][i];

	*half = (struct kcf_job){
		.op = op,
		.row = job->row2,
		.param = job->param2,
		.tmpl = job->tmpl2,
		.in = job->in,
		.n_in = job->n_in,
		.in_len = job->in_len,
	};
	return half;
}

/* ---- encrypt, then MAC ----------------------------------------------------------------------- */

/* Would both halves succeed? */
static bool is_possible(const struct duals *d, unsigned i)
{
	struct kcf_job *job = d->jobs[i], *mac = mac_half(d, i, KCF_OP_MAC);
	struct kcf_job *cipher = cipher_half(d, i, KCF_OP_ENCRYPT);

	mac->out = job->check;
	mac->n_out = job->n_check;
	mac->out_room = job->check_len;
	job->mac_len = 0;
	job->status = cipher_check(d->cipher, cipher, &mac->in_len);
	job->out_len = cipher->out_len;
	if (job->status == KCF_SUCCESS && mac->in_len > LANE_LEN_MAX)
		job->status = KCF_BUFFER_TOO_BIG;
	if (job->status != KCF_SUCCESS)
		return false;
	job->status = tag_check(mac, hash_tag_len(d->mac));
	if (job->status == KCF_BUFFER_TOO_SMALL) {
		job->out_len = mac->in_len;
		job->mac_len = mac->out_len;
	}
	return job->status == KCF_SUCCESS;
}

static void encrypt_mac(const struct duals *d)
{
	struct lanes *l = d->l;
	unsigned m = 0, k = 0;

	for (unsigned i = 0; i < d->n; i++)
		if (is_possible(d, i))
			l->half[m++] = &l->halves[0][i];
	cipher_run(l, d->cipher, l->half, m);
	for (unsigned i = 0; i < m; i++) {
		struct kcf_job *cipher = l->half[i];
		size_t at = (size_t)(cipher - l->halves[0]);
		struct kcf_job *job = d->jobs[at], *mac = &l->halves[1][at];

		job->status = cipher->status;
		job->out_len = cipher->out_len;
		mac->in = job->out;
		mac->n_in = job->n_out;
		mac->in_len = job->out_len;
		if (job->status == KCF_SUCCESS)
			l->half[k++] = mac;
	}
	hash_run(l, d->mac, l->half, k);
	for (unsigned i = 0; i < k; i++) {
		struct kcf_job *job = d->jobs[l->half[i] - l->halves[1]];
		struct cursor out = cursor_at(job->out, job->n_out);

		job->status = l->half[i]->status;
		job->mac_len = l->half[i]->out_len;
		if (unlikely(job->status != KCF_SUCCESS)) {
			cursor_wipe(&out, job->out_len);
			job->out_len = job->mac_len = 0;
		}
	}
}

/* ---- verify, then decrypt -------------------------------------------------------------------- */

static void mac_decrypt(const struct duals *d)
{
	struct lanes *l = d->l;
	unsigned m = 0;

	for (unsigned i = 0; i < d->n; i++) {
		struct kcf_job *job = d->jobs[i];

		l->half[i] = mac_half(d, i, KCF_OP_MAC_VERIFY);
		l->half[i]->check = job->check;
		l->half[i]->n_check = job->n_check;
		l->half[i]->check_len = job->check_len;
	}
	hash_run(l, d->mac, l->half, d->n);
	for (unsigned i = 0; i < d->n; i++) {
		d->jobs[i]->status = l->halves[1][i].status;
		if (d->jobs[i]->status == KCF_SUCCESS)
			l->half[m++] = cipher_half(d, i, KCF_OP_DECRYPT);
	}
	cipher_run(l, d->cipher, l->half, m);
	for (unsigned i = 0; i < m; i++) {
		struct kcf_job *job = d->jobs[l->half[i] - l->halves[0]];

		job->status = l->half[i]->status;
		job->out_len = l->half[i]->out_len;
	}
}

void dual_run(struct mb *mb, struct kcf_job *const *jobs, unsigned n)
{
	struct duals d = {
		.l = lanes_take(mb),
		.cipher = entry_of(jobs[0]->row)->alg,
		.mac = entry_of(jobs[0]->row2)->alg,
	};

	if (unlikely(!d.l)) {
		jobs_fail(jobs, n, KCF_HOST_MEMORY);
		return;
	}
	for (unsigned i = 0; i < n; i += d.n) {
		d.jobs = jobs + i;
		d.n = n - i < BURST_MAX ? n - i : BURST_MAX;
		if (jobs[0]->op == KCF_OP_ENCRYPT_MAC)
			encrypt_mac(&d);
		else
			mac_decrypt(&d);
	}
	lanes_give(mb, d.l);
}
