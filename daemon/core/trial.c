/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trial.h"

#include <stdlib.h>

#define WARM_UP     2u
#define AT_LEAST    4096u /* bytes between two looks at the clock */
#define COMPANY     16u   /* jobs at once, or as many as there are lanes */
#define COMPANY_MAX 32u
#define COMPANY_LEN 4096u /* the longest of them */
#define MORE        64u   /* output beyond the input: padding and tag, or a digest */

struct trial_room {
	struct trial_param param;
	struct iovec in, out[COMPANY_MAX];
	struct kcf_job jobs[COMPANY_MAX];
	uint8_t from[TRIAL_LEN_MAX];
	uint8_t to[COMPANY_MAX * (COMPANY_LEN + MORE)]; /* or one of the greatest length */
};

uint16_t trial_op(uint32_t classes)
{
	return classes & KCF_CLASS_DIGEST ? KCF_OP_DIGEST
	       : classes & KCF_CLASS_MAC  ? KCF_OP_MAC
					  : KCF_OP_ENCRYPT;
}

void *trial_param(struct trial_param *p, uint32_t kind, unsigned variant)
{
	static const uint8_t iv_lens[TRIAL_VARIANTS] = {16, 8, 12};

	switch (kind) {
	case KCF_PARAM_IV:
		p->param.iv = (struct kcf_param_iv){p->iv, iv_lens[variant]};
		return &p->param;
	case KCF_PARAM_AEAD:
		p->param.aead = (struct kcf_param_aead){.iv = p->iv, .iv_len = 12};
		return &p->param;
	case KCF_PARAM_MAC: /* GMAC has an IV */
		p->param.mac = (struct kcf_param_mac){.iv = p->iv, .iv_len = 12};
		return variant ? &p->param : NULL;
	default:
		return NULL;
	}
}

struct trial *trial_new(void)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (t)
		t->room = calloc(1, sizeof(*t->room));
	if (t && t->room)
		return t;
	free(t);
	return NULL;
}

void trial_free(struct trial *t)
{
	if (!t)
		return;
	free(t->room);
	free(t);
}

/* ---- on the worker ---- */

static void make_job(struct trial *t, unsigned i, size_t room)
{
	struct trial_room *x = t->room;
	struct kcf_job *job = &x->jobs[i];

	x->in = (struct iovec){x->from, t->len};
	x->out[i] = (struct iovec){x->to + i * room, room};
	*job = (struct kcf_job){
		.op = trial_op(t->classes),
		.phase = KCF_SINGLE,
		.param = trial_param(&x->param, t->param_kind, t->variant),
		.in = &x->in,
		.out = &x->out[i],
		.n_in = 1,
		.n_out = 1,
		.in_len = t->len,
		.out_room = room,
	};
}

static void run_alone(struct trial *t)
{
	struct kcf_job *job = &t->room->jobs[0];
	unsigned n = t->len < AT_LEAST ? AT_LEAST / (unsigned)t->len : 1;

	make_job(t, 0, TRIAL_LEN_MAX + MORE);
	for (unsigned i = 0; i < WARM_UP && t->status == KCF_SUCCESS; i++) {
		prepared_run(t->prepared, job);
		t->status = job->status;
	}
	while (t->status == KCF_SUCCESS && t->n_alone < TRIAL_ROUNDS) {
		uint64_t begun = uv_hrtime();

		for (unsigned i = 0; i < n; i++)
			prepared_run(t->prepared, job);
		t->alone_ns[t->n_alone++] = (uv_hrtime() - begun) / n;
		t->status = job->status;
	}
}

static void run_company(struct trial *t)
{
	unsigned n = t->lanes > COMPANY ? t->lanes : COMPANY;
	struct kcf_job *jobs[COMPANY_MAX];

	n = n < COMPANY_MAX ? n : COMPANY_MAX;
	for (unsigned i = 0; i < n; i++) {
		make_job(t, i, COMPANY_LEN + MORE);
		jobs[i] = &t->room->jobs[i];
	}
	prepared_run_burst(t->prepared, jobs, n);
	t->status = jobs[0]->status;
	while (t->status == KCF_SUCCESS && t->n_company < TRIAL_ROUNDS) {
		uint64_t begun = uv_hrtime();

		prepared_run_burst(t->prepared, jobs, n);
		t->company_ns[t->n_company++] = (uv_hrtime() - begun) / n;
		t->status = jobs[0]->status;
	}
}

static void trial_run(struct work *w)
{
	struct trial *t = container_of(w, struct trial, work);

	t->status = KCF_SUCCESS;
	t->n_alone = t->n_company = 0;
	run_alone(t);
	if (t->status == KCF_SUCCESS && t->lanes && t->len <= COMPANY_LEN)
		run_company(t);
}

/* ---- on the loop ---- */

static void trial_done(struct wake_node *node)
{
	struct trial *t = container_of(node, struct trial, work.node);

	t->done(t);
}

void trial_start(struct trial *t, struct worker_pool *workers)
{
	struct work *work = &t->work;

	t->work.run = trial_run;
	t->work.node.fn = trial_done;
	t->work.cost_ns = 0;
	worker_submit(workers, &work, 1);
}
