/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-batch - kcf_submit_batch in the caller's thread: 32 operations at once, each with its own
 * key, buffers and IV, pinned where direct is. All inputs of a batch are written before it, all
 * outputs read after it. A latency is that of a whole batch. One thread.
 */
#include <stdlib.h>

#include "speed.h"
#include "tool.h"

#define BATCH    32u
#define MAX_SIZE 65536u

/* What an element of the array points to. */
struct element {
	unsigned char iv[SPEED_IV_LEN];
	struct kcf_param_aead aead;
	struct kcf_param_iv cbc;
	struct kcf_mechanism mech, mac_mech;
	struct kcf_dual dual;
	unsigned char *in, *out;
};

struct batch {
	struct speed_case c;
	struct speed_call call;
	struct speed_check check;
	struct element elements[BATCH];
	struct kcf_batch_op ops[BATCH];
	uint64_t n;
};

static void batch_close(void *state)
{
	struct batch *d = state;

	speed_call_close(&d->call);
	speed_check_close(&d->check);
	for (unsigned i = 0; i < BATCH; i++) {
		free(d->elements[i].in);
		free(d->elements[i].out);
	}
	free(d);
}

static enum kcf_op operation(enum speed_work_kind work)
{
	switch (work) {
	case SPEED_HMAC:
		return KCF_OP_MAC;
	case SPEED_GCM_ENC:
	case SPEED_CBC_ENC:
		return KCF_OP_ENCRYPT;
	case SPEED_DUAL_ENC:
		return KCF_OP_ENCRYPT_MAC;
	case SPEED_DUAL_DEC:
		return KCF_OP_MAC_DECRYPT;
	default:
		return KCF_OP_DECRYPT;
	}
}

/* All that is the same each time. */
static void describe(struct batch *d, unsigned i)
{
	enum speed_work_kind work = d->c.work;
	bool dual = work == SPEED_DUAL_ENC || work == SPEED_DUAL_DEC;
	struct element *e = &d->elements[i];
	struct kcf_batch_op *op = &d->ops[i];

	e->aead = (struct kcf_param_aead){.iv = e->iv, .iv_len = SPEED_NONCE_LEN};
	e->cbc = (struct kcf_param_iv){e->iv, SPEED_IV_LEN};
	e->mech.number = speed_call_mechanism(work);
	if (work == SPEED_GCM_ENC || work == SPEED_GCM_DEC) {
		e->mech.param = &e->aead;
		e->mech.param_len = sizeof(e->aead);
	} else if (work != SPEED_HMAC) {
		e->mech.param = &e->cbc;
		e->mech.param_len = sizeof(e->cbc);
	}
	e->mac_mech.number = KCF_M_SHA256_HMAC;
	op->how.op = operation(work);
	op->how.mech = dual ? NULL : &e->mech;
	op->how.dual = dual ? &e->dual : NULL;
	op->in = kcf_flat(e->in, dual ? d->c.size : speed_in_len(work, d->c.size));
	op->out = kcf_flat(e->out, dual ? d->c.size : speed_out_len(work, d->c.size));
	if (dual)
		op->mac = kcf_flat((work == SPEED_DUAL_ENC ? e->out : e->in) + d->c.size,
				   SPEED_MAC_LEN);
}

static void *batch_open(const struct speed_case *c, struct kcf_client *client)
{
	struct batch *d;
	bool ok;

	if (speed_is_sign(c->work) || c->size > MAX_SIZE)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->c = *c;
	ok = speed_call_open(&d->call, c, client, false) && speed_check_open(&d->check, c);
	for (unsigned i = 0; ok && i < BATCH; i++) {
		struct element *e = &d->elements[i];

		e->in = aligned_alloc(64, speed_lines(speed_in_len(c->work, c->size)));
		e->out = aligned_alloc(64, speed_lines(speed_out_len(c->work, c->size)));
		ok = e->in && e->out;
		describe(d, i);
	}
	if (ok)
		return d;
	batch_close(d);
	return NULL;
}

static void prepare(struct batch *d, unsigned i, uint64_t n)
{
	struct element *e = &d->elements[i];
	const struct kcf_key *key = &d->call.keys[n % SPEED_TEMPLATES];

	speed_iv(e->iv, speed_seed(d->c.work, n));
	speed_input(d->c.work, d->c.size, &d->check.auth, n, e->in);
	if (d->ops[i].how.dual)
		e->dual = (struct kcf_dual){&e->mech, key, &e->mac_mech,
					    &d->call.mac_keys[n % SPEED_TEMPLATES]};
	else
		d->ops[i].how.key = key;
}

static bool run_batch(struct batch *d, uint64_t *sum, bool check)
{
	size_t out_len = speed_out_len(d->c.work, d->c.size);
	enum kcf_status status;

	for (unsigned i = 0; i < BATCH; i++)
		prepare(d, i, d->n + i);
	status = kcf_submit_batch(d->call.client, d->ops, BATCH, NULL);
	if (status != KCF_SUCCESS) {
		tool_fail(status, "in a batch");
		return false;
	}
	for (unsigned i = 0; i < BATCH; i++) {
		struct element *e = &d->elements[i];

		*sum += speed_read(e->out, out_len);
		if (check && !speed_check(&d->check, d->n + i, e->in, e->out))
			return false;
	}
	d->n += BATCH;
	return true;
}

static bool batch_run(void *state, double seconds, struct speed_latency *latency,
		      struct speed_turn *ret)
{
	struct batch *d = state;
	double started = speed_now();
	uint64_t first = d->n, sum = 0;

	speed_pin(d->c.cpu_client);
	while (speed_now() - started < seconds) {
		for (unsigned i = 0; i < speed_per_look(&d->c); i += BATCH) {
			uint64_t t = latency ? speed_now_ns() : 0;

			if (!run_batch(d, &sum, latency == NULL))
				return false;
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
		}
	}
	speed_turn_end(ret, d->n - first, started, sum);
	return true;
}

const struct speed_door speed_batch = {"batch", batch_open, batch_run, batch_close};
