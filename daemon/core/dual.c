/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dual.h"

#include <stdlib.h>
#include <string.h>
#include "base/iov.h"
#include "core/job.h"
#include "core/private.h"

/* Private to kcfd until the last step was right. */
struct dual_state {
	const struct request_data *in; /* of the whole operation */
	uint8_t *mem;                  /* copies of the first stage, kept for the second */
	size_t mem_len;
	struct request_data data, mac; /* between the stages */
	struct iovec data_iov, mac_iov;
	uint8_t mac_buf[DUAL_MAC_MAX];
	size_t mac_len;
	size_t out_len; /* released, or required */
};

static struct dual_state *state_of(struct request *r)
{
	return r->sched->dual;
}

/* Of the request, or of the step that ends it. */
static const struct request_data *out_of(const struct request *r)
{
	return r->n_steps ? &r->steps[r->sched->step].out : &r->out;
}

static const struct request_data *check_of(const struct request *r)
{
	return r->n_steps ? &r->steps[r->sched->step].in : &r->check;
}

static size_t mac_room(const struct request *r)
{
	return r->mac.len && r->mac.len < DUAL_MAC_MAX ? r->mac.len : DUAL_MAC_MAX;
}

static bool state_new(struct request *r, const struct request_data *in)
{
	struct dual_state *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	d->in = in;
	d->mac_iov = (struct iovec){d->mac_buf, mac_room(r)};
	d->mac = (struct request_data){.iov = &d->mac_iov, .n_iov = 1, .len = d->mac_iov.iov_len};
	r->sched->dual = d;
	return true;
}

void dual_drop(struct request_sched *s)
{
	struct dual_state *d = s->dual;

	if (!d)
		return;
	if (d->mem) {
		explicit_bzero(d->mem, d->mem_len);
		free(d->mem);
	}
	explicit_bzero(d, sizeof(*d));
	free(d);
	s->dual = NULL;
}

static void stage_first(struct request *r)
{
	struct stage *st = &r->sched->stage;
	struct dual_state *d = state_of(r);
	bool encrypt = r->op == KCF_OP_ENCRYPT_MAC;

	*st = (struct stage){.phase = KCF_SINGLE, .in = d->in};
	if (sched_prefers_software(r, r->tmpl, d->in->len) &&
	    sched_prefers_software(r, r->tmpl2, d->in->len)) {
		st->fused = true;
		st->op = r->op;
		st->tmpl = r->tmpl;
		st->param = r->param;
		st->out = out_of(r);
		st->check = encrypt ? NULL : check_of(r);
	} else if (encrypt) {
		st->op = KCF_OP_ENCRYPT;
		st->tmpl = r->tmpl;
		st->param = r->param;
		st->out = out_of(r);
	} else {
		st->op = KCF_OP_MAC_VERIFY;
		st->tmpl = r->tmpl2;
		st->param = r->param2;
		st->check = check_of(r);
	}
	st->mech = st->tmpl->mech;
}

bool dual_stage(struct request *r, const struct request_data *in)
{
	if (!r->sched->dual && !state_new(r, in))
		return false;
	r->sched->dual_step = 0;
	stage_first(r);
	return true;
}

/* Is there anybody for one half, as far as that can be said without its data? */
static enum kcf_status half_check(struct request *r, struct tmpl *t, uint16_t op)
{
	struct stage *st = &r->sched->stage;

	*st = (struct stage){.op = op, .phase = KCF_SINGLE, .tmpl = t, .mech = t->mech};
	return sched_obstacle(r);
}

enum kcf_status dual_check(struct request *r)
{
	bool encrypt = r->op == KCF_OP_ENCRYPT_MAC;
	enum kcf_status status = half_check(r, r->tmpl, encrypt ? KCF_OP_ENCRYPT : KCF_OP_DECRYPT);

	if (status == KCF_SUCCESS)
		status = half_check(r, r->tmpl2, encrypt ? KCF_OP_MAC : KCF_OP_MAC_VERIFY);
	return status;
}

/* The copies of the first stage are what the second works on. */
static void keep_copies(struct request_sched *s, struct dual_state *d, bool encrypt, size_t out_len)
{
	d->mem = s->bounce;
	d->mem_len = s->bounce_len;
	s->bounce = NULL;
	d->data = *d->in;
	if (encrypt || s->in_bounced) {
		d->data_iov = encrypt ? s->bounce_out : s->bounce_in;
		if (encrypt)
			d->data_iov.iov_len = out_len;
		d->data = (struct request_data){
			.iov = &d->data_iov, .n_iov = 1, .len = d->data_iov.iov_len};
	}
}

bool dual_keeps_copies(const struct request_sched *s)
{
	return s->dual && !s->stage.fused && s->dual_step == 0;
}

bool dual_next(struct request *r)
{
	struct request_sched *s = r->sched;
	struct dual_state *d = state_of(r);
	bool encrypt = r->op == KCF_OP_ENCRYPT_MAC;

	if (s->stage.fused || s->dual_step > 0)
		return false;
	keep_copies(s, d, encrypt, s->job.out_len);
	s->dual_step = 1;
	s->tried = 0;
	s->stage = (struct stage){
		.op = encrypt ? KCF_OP_MAC : KCF_OP_DECRYPT,
		.phase = KCF_SINGLE,
		.tmpl = encrypt ? r->tmpl2 : r->tmpl,
		.param = encrypt ? r->param2 : r->param,
		.in = &d->data,
		.out = encrypt ? &d->mac : out_of(r),
	};
	s->stage.mech = s->stage.tmpl->mech;
	return true;
}

/* At the final of a context, or in steps, the MAC comes behind the rest of the data. Elsewhere no
 * room for it is too little. */
static bool mac_follows(const struct request *r)
{
	return !r->mac.len && (r->context || r->n_steps);
}

/* Both results go out together. data: the ciphertext. */
static enum kcf_status release_encrypted(struct request *r, const uint8_t *data, size_t len)
{
	struct dual_state *d = state_of(r);
	const struct request_data *out = out_of(r);
	struct iovec rest[1];

	d->out_len = mac_follows(r) ? len + d->mac_len : len;
	if (d->out_len > out->len || (!mac_follows(r) && d->mac_len > r->mac.len))
		return KCF_BUFFER_TOO_SMALL;
	iov_scatter(out->iov, out->n_iov, data, len);
	if (!mac_follows(r)) {
		iov_scatter(r->mac.iov, r->mac.n_iov, d->mac_buf, d->mac_len);
		return KCF_SUCCESS;
	}
	for (size_t i = 0; i < d->mac_len; i++)
		if (iov_slice(out->iov, out->n_iov, len + i, 1, rest))
			*(uint8_t *)rest[0].iov_base = d->mac_buf[i];
	return KCF_SUCCESS;
}

static struct dual_job fused_job(struct request *r)
{
	struct request_sched *s = r->sched;
	struct dual_state *d = state_of(r);
	const struct kcf_job *job = &s->job;
	bool encrypt = r->op == KCF_OP_ENCRYPT_MAC;

	return (struct dual_job){
		.op = r->op,
		.cipher = s->prepared,
		.mac = s->prepared_mac,
		.cipher_param = r->param,
		.mac_param = r->param2,
		.in = job->in,
		.n_in = job->n_in,
		.in_len = job->in_len,
		.out = job->out,
		.n_out = job->n_out,
		.out_room = job->out_room,
		.check = encrypt ? &d->mac_iov : job->check,
		.n_check = encrypt ? 1 : job->n_check,
		.check_len = encrypt ? d->mac_iov.iov_len : job->check_len,
	};
}

static void fused_result(struct request *r, const struct dual_job *dual)
{
	struct dual_state *d = state_of(r);

	r->sched->job.status = dual->status;
	r->sched->job.out_len = d->out_len = dual->out_len;
	d->mac_len = dual->mac_len;
}

void dual_run_fused(struct request *r)
{
	struct dual_job dual = fused_job(r);

	dual_run(&dual);
	fused_result(r, &dual);
}

void dual_make_job(struct request *r)
{
	struct dual_job dual = fused_job(r);

	dual_to_job(&dual, &r->sched->job);
}

void dual_take_job(struct request *r)
{
	struct dual_job dual = fused_job(r);

	dual_from_job(&dual, &r->sched->job);
	fused_result(r, &dual);
}

void dual_publish(struct request *r)
{
	struct request_sched *s = r->sched;
	struct kcf_job *job = &s->job;

	if (job->status != KCF_SUCCESS)
		return;
	if (r->op == KCF_OP_ENCRYPT_MAC)
		job->status = release_encrypted(r, s->bounce_out.iov_base, job->out_len);
	else
		iov_scatter(s->stage.out->iov, s->stage.out->n_iov, s->bounce_out.iov_base,
			    job->out_len);
}

enum kcf_status dual_finish(struct request *r, enum kcf_status status, size_t *out_len)
{
	struct request_sched *s = r->sched;
	struct dual_state *d = state_of(r);

	if (r->op != KCF_OP_ENCRYPT_MAC || (!s->stage.fused && s->dual_step == 0))
		return status;
	if (!s->stage.fused && status == KCF_SUCCESS) {
		d->mac_len = s->job.out_len;
		status = release_encrypted(r, d->data_iov.iov_base, d->data_iov.iov_len);
	}
	*out_len = d->out_len;
	r->mac_len = mac_follows(r) ? 0 : d->mac_len;
	return status;
}
