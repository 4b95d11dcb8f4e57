/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door-direct: see door-direct.h. Runs finish in start, hardware ones on the fake host's clock. The
 * templates of the last few keys are kept, since vectors of one key pair come in a row.
 */
#include "door-direct.h"
#include "fake-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 4

struct kept {
	bool used;
	struct fake_template tmpl;
	enum kcf_key_format format;
	struct bytes key; /* owned */
};

struct direct {
	struct door door;
	struct fake_host fake;
	struct kept kept[KEPT]; /* the oldest goes first */
	unsigned next_kept;
	struct fake_template *tmpl; /* of the run */
	bool *seen;                 /* by row */
};

static bool offers(struct door *door, const char *provider, const struct vector *v,
		   enum variant variant)
{
	struct direct *d = (struct direct *)door;
	int row = fake_row(&d->fake, v->mech, op_classes(v->op));
	const struct kcf_mech_row *r;
	bool parts = variant == PARTS_ODD || variant == PARTS_ONE;

	if (row < 0)
		return false;
	r = &d->fake.desc->rows[row];
	if (v->has_key != (r->key_max_bits > 0))
		return false;
	if (v->has_key && v->key_format != KCF_KEY_RAW &&
	    !(r->flags & KCF_ROW_FORMAT(v->key_format)))
		return false;
	/* raw keys outside the row never reach a provider */
	if (v->has_key && v->key_format == KCF_KEY_RAW &&
	    !(r->flags & KCF_ROW_FORMAT(KCF_KEY_RAW)) &&
	    (v->key.len * 8 < r->key_min_bits || v->key.len * 8 > r->key_max_bits))
		return false;
	return !parts || r->flags & KCF_ROW_MULTI_PART;
}

static void kept_deinit(struct direct *d, struct kept *k)
{
	if (k->used)
		fake_template_free(&d->fake, &k->tmpl);
	free(k->key.at);
	memset(k, 0, sizeof(*k));
}

static bool same_key(const struct kept *k, uint32_t row, const struct vector *v)
{
	return k->used && k->tmpl.row == row && k->format == v->key_format &&
	       k->key.len == v->key.len &&
	       (v->key.len == 0 || memcmp(k->key.at, v->key.at, v->key.len) == 0);
}

static enum kcf_status keep(struct direct *d, uint32_t row, const struct vector *v)
{
	struct kcf_key_data key = {v->key_format, v->key.at, v->key.len};
	struct kept *k = &d->kept[d->next_kept++ % KEPT];
	enum kcf_status status;

	kept_deinit(d, k);
	status = fake_template_new(&d->fake, row, v->has_key ? &key : NULL, &k->tmpl);
	if (status != KCF_SUCCESS)
		return status;
	k->used = true;
	k->format = v->key_format;
	k->key.len = v->key.len;
	k->key.at = malloc(v->key.len + 1);
	if (!k->key.at)
		die("out of memory");
	if (v->key.len)
		memcpy(k->key.at, v->key.at, v->key.len);
	d->tmpl = &k->tmpl;
	return KCF_SUCCESS;
}

static enum kcf_status use_template(struct direct *d, const struct vector *v)
{
	uint32_t row = (uint32_t)fake_row(&d->fake, v->mech, op_classes(v->op));
	unsigned i;

	d->seen[row] = true;
	for (i = 0; i < KEPT; i++) {
		if (same_key(&d->kept[i], row, v)) {
			d->tmpl = &d->kept[i].tmpl;
			return KCF_SUCCESS;
		}
	}
	return keep(d, row, v);
}

static const void *param_of(const struct vector *v)
{
	return v->kind == KCF_PARAM_NONE ? NULL : &v->param;
}

static void single(struct direct *d, struct run *run)
{
	struct iovec check = {run->v->check.at, run->v->check.len};
	struct kcf_job job;

	fake_job(&job, d->tmpl, run->v->op, KCF_SINGLE, param_of(run->v));
	fake_job_in(&job, run->in, run->n_in);
	fake_job_out(&job, run->out, run->n_out);
	fake_job_check(&job, &check, 1);
	run->status = fake_run(&d->fake, &job);
	run->out_len = job.out_len;
}

/* One job of a context; output goes behind what is there. */
static enum kcf_status part(struct direct *d, struct run *run, enum kcf_phase phase, void **ctx,
			    size_t at, size_t len)
{
	struct iovec in = {(uint8_t *)run->in[0].iov_base + at, len};
	struct iovec out = {(uint8_t *)run->out[0].iov_base + run->out_len,
			    run->out[0].iov_len - run->out_len};
	struct iovec check = {run->v->check.at, run->v->check.len};
	enum kcf_status status;
	struct kcf_job job;

	fake_job(&job, d->tmpl, run->v->op, phase, phase == KCF_INIT ? param_of(run->v) : NULL);
	job.ctx = *ctx;
	if (phase == KCF_UPDATE)
		fake_job_in(&job, &in, 1);
	if (phase != KCF_INIT && run->room > 0)
		fake_job_out(&job, &out, 1);
	if (phase == KCF_FINAL_PHASE)
		fake_job_check(&job, &check, 1);
	status = fake_run(&d->fake, &job);
	*ctx = job.ctx;
	run->out_len += status == KCF_SUCCESS ? job.out_len : 0;
	return status;
}

static void parts(struct direct *d, struct run *run)
{
	static const size_t odd[] = {13, 1, 31, 7, 129, 5};
	size_t at = 0, len, total = run->v->in.len, i = 0;
	void *ctx = NULL;

	run->status = part(d, run, KCF_INIT, &ctx, 0, 0);
	while (at < total && run->status == KCF_SUCCESS) {
		len = run->variant == PARTS_ONE ? 1 : odd[i++ % 6];
		len = len < total - at ? len : total - at;
		run->status = part(d, run, KCF_UPDATE, &ctx, at, len);
		at += len;
	}
	if (run->status == KCF_SUCCESS)
		run->status = part(d, run, KCF_FINAL_PHASE, &ctx, 0, 0);
	if (ctx)
		d->fake.desc->ops->context_free(d->fake.prov, ctx);
}

static void start(struct door *door, const char *provider, struct run *run)
{
	struct direct *d = (struct direct *)door;

	run->status = use_template(d, run->v);
	if (run->status == KCF_SUCCESS) {
		if (run->variant == PARTS_ODD || run->variant == PARTS_ONE)
			parts(d, run);
		else
			single(d, run);
	}
	run_over(run);
}

struct door *door_direct_open(const char *path, const char **ret_provider)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	d->door.name = "direct";
	d->door.n_slots = 1;
	d->door.offers = offers;
	d->door.start = start;
	if (fake_host_open(&d->fake, path, NULL) != KCF_SUCCESS)
		die("%s: cannot be started", path);
	d->seen = calloc(d->fake.desc->n_rows, sizeof(bool));
	if (!d->seen)
		die("out of memory");
	if (d->fake.desc->ops->self_test &&
	    d->fake.desc->ops->self_test(d->fake.prov) != KCF_SUCCESS)
		die("%s: its own known answers fail", path);
	*ret_provider = d->fake.desc->name;
	return &d->door;
}

void door_direct_close(struct door *door)
{
	struct direct *d = (struct direct *)door;
	unsigned i;

	for (i = 0; i < KEPT; i++)
		kept_deinit(d, &d->kept[i]);
	fake_host_close(&d->fake);
	free(d->seen);
	free(d);
}

unsigned door_direct_missing(struct door *door)
{
	struct direct *d = (struct direct *)door;
	unsigned i, n = 0;

	for (i = 0; i < d->fake.desc->n_rows; i++) {
		/* what is random by nature has no vectors */
		if (d->seen[i] ||
		    d->fake.desc->rows[i].classes & (KCF_CLASS_RANDOM | KCF_CLASS_KEYGEN))
			continue;
		printf("no vector: %s\n", d->fake.desc->rows[i].name);
		n++;
	}
	return n;
}
