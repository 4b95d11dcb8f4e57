/* SPDX-License-Identifier: Apache-2.0 */
/* speed-caller - kcf's in-caller door: synchronous calls with templates, one thread, pinned where
 * direct is. */
#include <stdlib.h>

#include "speed.h"
#include "tool.h"

struct caller {
	struct speed_case c;
	struct speed_call call;
	struct speed_check check;
	struct speed_op op;
	uint64_t n;
};

static void caller_close(void *state)
{
	struct caller *d = state;

	speed_call_close(&d->call);
	speed_check_close(&d->check);
	free(d->op.in);
	free(d->op.out);
	free(d);
}

static void *caller_open(const struct speed_case *c, struct kcf_client *client)
{
	unsigned char *in, *out;
	struct caller *d;

	if (speed_is_sign(c->work))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->c = *c;
	in = aligned_alloc(64, speed_lines(speed_in_len(c->work, c->size)));
	out = aligned_alloc(64, speed_lines(speed_out_len(c->work, c->size)));
	d->op.in = in;
	d->op.out = out;
	if (in && out && speed_call_open(&d->call, c, client, false) &&
	    speed_check_open(&d->check, c)) {
		speed_op_init(&d->op, &d->call, in, out);
		return d;
	}
	caller_close(d);
	return NULL;
}

static bool caller_run(void *state, double seconds, struct speed_latency *latency,
		       struct speed_turn *ret)
{
	struct caller *d = state;
	unsigned batch = speed_per_look(&d->c);
	size_t out_len = speed_out_len(d->c.work, d->c.size);
	double started = speed_now();
	uint64_t first = d->n, sum = 0;

	speed_pin(d->c.cpu_client);
	while (speed_now() - started < seconds) {
		for (unsigned i = 0; i < batch; i++, d->n++) {
			uint64_t t = latency ? speed_now_ns() : 0;
			enum kcf_status status;

			speed_op_prepare(&d->op, &d->call, &d->check.auth, d->n);
			status = speed_op_call(&d->op, &d->call, NULL);
			if (status != KCF_SUCCESS) {
				tool_fail(status, "in the caller's thread");
				return false;
			}
			sum += speed_read(d->op.out, out_len);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
			else if (!speed_check(&d->check, d->n, d->op.in, d->op.out))
				return false;
		}
	}
	speed_turn_end(ret, d->n - first, started, sum);
	return true;
}

const struct speed_door speed_caller = {"caller", caller_open, caller_run, caller_close};
