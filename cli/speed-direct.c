/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-direct - the doors that are not kcf's: libcrypto in this thread, and the bare probe, a
 * program of its own. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "speed.h"
#include "tool.h"

struct direct {
	struct speed_case c;
	struct speed_evp evp;
	struct speed_auth auth;
	uint64_t n;
	unsigned char *in, *out;
};

static void direct_close(void *state)
{
	struct direct *d = state;

	speed_evp_close(&d->evp);
	free(d->in);
	free(d->out);
	free(d);
}

static void *direct_open(const struct speed_case *c, struct kcf_client *client)
{
	struct direct *d = calloc(1, sizeof(*d));
	bool ok;

	if (!d)
		return NULL;
	d->c = *c;
	d->in = aligned_alloc(64, speed_lines(speed_in_len(c->work, c->size)));
	d->out = aligned_alloc(64,
			       speed_lines(speed_out_len(c->work, c->size) + SPEED_STITCHED_MORE));
	ok = speed_evp_open(&d->evp, c->work, c->size) && d->in && d->out &&
	     speed_evp_auth(c->work, c->size, &d->auth);
	if (ok && c->work == SPEED_DUAL_ENC)
		speed_evp_stitch(&d->evp);
	if (ok)
		return d;
	tool_error("libcrypto could not prepare %s", speed_work_name(c->work));
	direct_close(d);
	return NULL;
}

/* When operation i is due; the time at which it may begin. */
static uint64_t await_due(const struct speed_latency *l, uint64_t started, uint64_t i)
{
	uint64_t due = started + (uint64_t)((double)i * 1e9 / l->rate);

	while (speed_now_ns() < due)
		speed_relax();
	return due;
}

static bool direct_run(void *state, double seconds, struct speed_latency *latency,
		       struct speed_turn *ret)
{
	struct direct *d = state;
	unsigned batch = speed_per_look(&d->c);
	size_t out_len = speed_out_len(d->c.work, d->c.size);
	uint64_t first = d->n, sum = 0, started_ns = speed_now_ns(), t = 0;
	double started = speed_now();

	speed_pin(d->c.cpu_client);
	while (speed_now() - started < seconds) {
		for (unsigned i = 0; i < batch; i++, d->n++) {
			if (latency)
				t = latency->rate > 0 ? await_due(latency, started_ns, d->n - first)
						      : speed_now_ns();
			speed_input(d->c.work, d->c.size, &d->auth, d->n, d->in);
			if (!d->evp.operate(&d->evp, d->n, d->in, d->out))
				return false;
			sum += speed_read(d->out, out_len);
			if (latency)
				speed_sample(latency, speed_now_ns() - t);
		}
	}
	speed_turn_end(ret, d->n - first, started, sum);
	return true;
}

const struct speed_door speed_direct = {"direct", direct_open, direct_run, direct_close};

/* ---- the bare probe ---- */

#define PROBE "kcf-speed-limit"

struct limit {
	struct speed_case c;
	uint64_t sum; /* of the first results, by libcrypto */
};

/* What the probe is to say of its first results. */
static bool expect(struct limit *d)
{
	size_t out_len = speed_out_len(d->c.work, d->c.size);
	unsigned char *in = malloc(speed_in_len(d->c.work, d->c.size));
	struct speed_check check;
	bool ok = in && speed_check_open(&check, &d->c);

	if (!ok) {
		free(in);
		return false;
	}
	for (uint64_t n = 0; ok && n < SPEED_TEMPLATES; n++) {
		speed_input(d->c.work, d->c.size, &check.auth, n, in);
		ok = check.evp.operate(&check.evp, n, in, check.out);
		d->sum += speed_read(check.out, out_len);
	}
	speed_check_close(&check);
	free(in);
	return ok;
}

static void *limit_open(const struct speed_case *c, struct kcf_client *client)
{
	struct limit *d;

	if (speed_is_sign(c->work))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->c = *c;
	if (!d->c.clients)
		d->c.clients = 1;
	if (expect(d))
		return d;
	free(d);
	return NULL;
}

static bool limit_run(void *state, double seconds, struct speed_latency *latency,
		      struct speed_turn *ret)
{
	const struct limit *d = state;
	char self[512], command[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned long long done = 0, sum = 0;
	bool ok;
	FILE *f;

	if (latency || n <= 0)
		return false;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(command, sizeof(command), "exec '%s/" PROBE "' %d %zu %.3f %u %u %d %d", self,
		 (int)d->c.work, d->c.size, seconds, d->c.depth, d->c.clients, d->c.cpu_client,
		 d->c.cpu_server);
	f = popen(command, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%llu %lf %llu", &done, &ret->seconds, &sum) == 3;
	ok = pclose(f) == 0 && ok;
	ret->n = done;
	if (ok && sum == d->sum)
		return true;
	tool_error(ok ? "the probe's results are wrong" : "the probe failed");
	return false;
}

static void limit_close(void *state)
{
	free(state);
}

const struct speed_door speed_limit = {"limit", limit_open, limit_run, limit_close};
