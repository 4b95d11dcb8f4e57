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

struct batch {
	struct speed_case c;
	struct speed_call call;
	struct speed_check check;
	struct speed_op elements[BATCH];
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

/* All that is the same each time. */
static bool element_init(struct batch *d, unsigned i)
{
	unsigned char *in = aligned_alloc(64, speed_lines(speed_in_len(d->c.work, d->c.size)));
	unsigned char *out = aligned_alloc(64, speed_lines(speed_out_len(d->c.work, d->c.size)));
	struct speed_op *e = &d->elements[i];

	speed_op_init(e, &d->call, in, out);
	d->ops[i] =
		(struct kcf_batch_op){.how = e->how, .in = e->from, .out = e->to, .mac = e->mac};
	return in && out;
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
	for (unsigned i = 0; ok && i < BATCH; i++)
		ok = element_init(d, i);
	if (ok)
		return d;
	batch_close(d);
	return NULL;
}

static bool run_batch(struct batch *d, uint64_t *sum, bool check)
{
	size_t out_len = speed_out_len(d->c.work, d->c.size);
	enum kcf_status status;

	for (unsigned i = 0; i < BATCH; i++) {
		speed_op_prepare(&d->elements[i], &d->call, &d->check.auth, d->n + i);
		d->ops[i].how.key = d->elements[i].how.key;
	}
	status = kcf_submit_batch(d->call.client, d->ops, BATCH, NULL);
	if (status != KCF_SUCCESS) {
		tool_fail(status, "in a batch");
		return false;
	}
	for (unsigned i = 0; i < BATCH; i++) {
		struct speed_op *e = &d->elements[i];

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
