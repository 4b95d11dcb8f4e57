/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-queue - kcf's doors through kcfd, pipelined: inline (payload in the message), arena
 * (payload in shared memory) and handle (the key too stays in kcfd). The program's own loop runs
 * the callbacks; each callback reads its output, writes the next input and submits again, so that
 * `depth` operations are always under way - or, for latencies by load, operations are submitted
 * when they are due and their latency counts from then, however late that is done. Submitted with
 * KCF_ALWAYS_QUEUE: nothing is computed in this process. One thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "speed.h"
#include "tool.h"

#define MAX_INLINE  16384u
#define MAX_DEPTH   256u
#define PATIENCE_MS 10000

struct queue;

struct lane {
	struct queue *queue;
	struct speed_op op;
	struct kcf_call_req req;
	uint64_t started_ns;
};

struct queue {
	struct speed_case c;
	struct kcf_client *client;
	struct speed_call call;
	struct speed_check check;
	size_t out_len;
	bool arena;
	struct lane lanes[MAX_DEPTH];
	struct lane *idle[MAX_DEPTH];
	unsigned n_idle, in_flight;
	uint64_t n, done, sum;
	bool refill; /* a callback submits again */
	bool failed;
	struct speed_latency *latency;
};

static void lane_submit(struct lane *l);

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct lane *l = arg;
	struct queue *q = l->queue;

	q->in_flight--;
	if (completion->status != KCF_SUCCESS) {
		if (!q->failed)
			tool_fail(completion->status, "through kcfd");
		q->failed = true;
	} else {
		q->sum += speed_read(l->op.out, q->out_len);
		q->done++;
		if (q->latency)
			speed_sample(q->latency, speed_now_ns() - l->started_ns);
		else if (!speed_check(&q->check, l->op.n, l->op.in, l->op.out))
			q->failed = true;
	}
	if (q->refill && !q->failed)
		lane_submit(l);
	else
		q->idle[q->n_idle++] = l;
}

static void lane_submit(struct lane *l)
{
	struct queue *q = l->queue;
	enum kcf_status status;

	if (q->latency && q->latency->rate <= 0)
		l->started_ns = speed_now_ns();
	speed_op_prepare(&l->op, &q->call, &q->check.auth, q->n);
	q->in_flight++;
	status = speed_op_call(&l->op, &q->call, &l->req);
	if (status == KCF_QUEUED) {
		q->n++;
		return;
	}
	q->in_flight--;
	q->idle[q->n_idle++] = l;
	if (status != KCF_BUSY) { /* that is no failure: it is tried again */
		tool_fail(status, "at a call");
		q->failed = true;
	}
}

/* Callbacks, if there are any; else wait for one, at most this long. False if none came. */
static bool turn(struct queue *q, int wait_ms)
{
	struct pollfd p = {.fd = kcf_client_fd(q->client), .events = POLLIN};
	uint64_t done = q->done;
	int n;

	kcf_client_dispatch(q->client);
	if (q->done != done || !q->in_flight || !wait_ms)
		return true;
	n = poll(&p, 1, wait_ms);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void submit_idle(struct queue *q)
{
	while (q->n_idle && !q->failed) {
		struct lane *l = q->idle[--q->n_idle];

		lane_submit(l);
		if (q->n_idle && q->idle[q->n_idle - 1] == l)
			return; /* refused, and so would be the others */
	}
}

/* As many as go, for this long. */
static void run_full(struct queue *q, double until)
{
	q->refill = true;
	while (!q->failed && speed_now() < until) {
		if (q->n_idle)
			submit_idle(q);
		if (!q->in_flight) /* all refused: somebody else has the room */
			poll(NULL, 0, 1);
		else if (!turn(q, PATIENCE_MS))
			break;
	}
	q->refill = false;
}

/* As many as are offered, each when it is due; what finds no lane is late. */
static void run_paced(struct queue *q, double until)
{
	uint64_t started = speed_now_ns(), end = started + (uint64_t)((until - speed_now()) * 1e9);
	double gap = 1e9 / q->latency->rate;
	uint64_t i = 0;

	for (uint64_t now = started; !q->failed && now < end; now = speed_now_ns()) {
		while (q->n_idle && !q->failed) {
			struct lane *l = q->idle[q->n_idle - 1];
			uint64_t due = started + (uint64_t)((double)i * gap);

			if (due > now)
				break;
			l->started_ns = due;
			q->n_idle--;
			lane_submit(l);
			if (q->n_idle && q->idle[q->n_idle - 1] == l)
				break; /* refused */
			i++;
		}
		turn(q, 0);
	}
}

static bool queue_run(void *state, double seconds, struct speed_latency *latency,
		      struct speed_turn *ret)
{
	struct queue *q = state;
	uint64_t first = q->done;
	double started;

	speed_pin(q->c.cpu_client);
	q->latency = latency;
	started = speed_now();
	if (latency && latency->rate > 0)
		run_paced(q, started + seconds);
	else
		run_full(q, started + seconds);
	while (q->in_flight && turn(q, PATIENCE_MS))
		;
	if (q->in_flight) {
		tool_error("kcfd is silent");
		q->failed = true;
	}
	speed_turn_end(ret, q->done - first, started, q->sum);
	return !q->failed;
}

static void queue_close(void *state)
{
	struct queue *q = state;

	if (q->in_flight) /* kcfd was silent: callbacks may still come while the client closes */
		return;
	speed_call_close(&q->call);
	speed_check_close(&q->check);
	for (unsigned i = 0; i < q->c.depth; i++) {
		if (q->arena) {
			kcf_buf_free(q->client, q->lanes[i].op.in);
			kcf_buf_free(q->client, q->lanes[i].op.out);
		} else {
			free(q->lanes[i].op.in);
			free(q->lanes[i].op.out);
		}
	}
	free(q);
}

static bool make_lanes(struct queue *q)
{
	size_t in_len = speed_lines(speed_in_len(q->c.work, q->c.size));
	size_t out_len = speed_lines(q->out_len);

	for (unsigned i = 0; i < q->c.depth; i++) {
		struct lane *l = &q->lanes[i];
		unsigned char *in, *out;

		in = q->arena ? kcf_buf_alloc(q->client, in_len) : aligned_alloc(64, in_len);
		out = q->arena ? kcf_buf_alloc(q->client, out_len) : aligned_alloc(64, out_len);
		l->queue = q;
		l->req = (struct kcf_call_req){
			.flags = KCF_SKIP_REQID | KCF_ALWAYS_QUEUE, .callback = on_done, .arg = l};
		speed_op_init(&l->op, &q->call, in, out);
		if (!in || !out) {
			tool_error("no memory for %u operations of %zu bytes", q->c.depth,
				   q->c.size);
			return false;
		}
		q->idle[q->n_idle++] = l;
	}
	return true;
}

static void *queue_open(const struct speed_case *c, struct kcf_client *client, bool arena,
			bool handles)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->c = *c;
	if (q->c.depth > MAX_DEPTH)
		q->c.depth = MAX_DEPTH;
	q->out_len = speed_out_len(c->work, c->size);
	q->client = client;
	q->arena = arena;
	if (speed_call_open(&q->call, c, client, handles) && speed_check_open(&q->check, c) &&
	    make_lanes(q))
		return q;
	queue_close(q);
	return NULL;
}

static void *inline_open(const struct speed_case *c, struct kcf_client *client)
{
	return speed_is_sign(c->work) || c->size > MAX_INLINE ? NULL
							      : queue_open(c, client, false, false);
}

static void *arena_open(const struct speed_case *c, struct kcf_client *client)
{
	return speed_is_sign(c->work) ? NULL : queue_open(c, client, true, false);
}

static void *handle_open(const struct speed_case *c, struct kcf_client *client)
{
	bool dual = c->work == SPEED_DUAL_ENC || c->work == SPEED_DUAL_DEC;

	return dual ? NULL : queue_open(c, client, !speed_is_sign(c->work), true);
}

const struct speed_door speed_inline = {"inline", inline_open, queue_run, queue_close};
const struct speed_door speed_arena = {"arena", arena_open, queue_run, queue_close};
const struct speed_door speed_handle = {"handle", handle_open, queue_run, queue_close};
