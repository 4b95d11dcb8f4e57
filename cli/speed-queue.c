/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-queue - kcf's doors through kcfd, pipelined: inline (payload in the message), arena
 * (payload in shared memory) and handle (the key too stays in kcfd). The program's own loop runs
 * the callbacks; each callback reads its output, writes the next input and submits again, so that
 * `depth` operations are always under way. Inline and arena are submitted with KCF_ALWAYS_QUEUE:
 * nothing is computed in this process. One thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "speed.h"
#include "tool.h"

#define MAX_INLINE  16384u
#define MAX_DEPTH   256u
#define PATIENCE_MS 10000

struct queue;

struct lane {
	struct queue *queue;
	unsigned char *in, *out;
	uint64_t n, started_ns;
};

struct queue {
	struct speed_case c;
	struct kcf_client *client;
	bool arena, handles;
	struct kcf_template *templates[SPEED_TEMPLATES];
	struct kcf_key keys[SPEED_TEMPLATES]; /* handles, with handles */
	struct lane lanes[MAX_DEPTH];
	uint64_t n, done, sum;
	unsigned in_flight;
	bool stopping;
	enum kcf_status failed;
	struct speed_latency *latency;
};

static kcf_mech_t mechanism(const struct speed_case *c)
{
	return c->work == SPEED_AES256GCM    ? KCF_M_AES_GCM
	       : c->work == SPEED_HMACSHA256 ? KCF_M_SHA256_HMAC
					     : KCF_M_SHA256_RSA_PKCS;
}

static void lane_submit(struct lane *l);

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct lane *l = arg;
	struct queue *q = l->queue;

	q->in_flight--;
	if (completion->status != KCF_SUCCESS) {
		q->failed = completion->status;
		return;
	}
	q->sum += speed_read(l->out, speed_out_len(&q->c));
	q->done++;
	if (q->latency)
		speed_sample(q->latency, speed_now_ns() - l->started_ns);
	if (!q->stopping && q->failed == KCF_SUCCESS)
		lane_submit(l);
}

static enum kcf_status call(struct lane *l, struct kcf_call_req *req)
{
	struct queue *q = l->queue;
	struct kcf_key key = kcf_key_tmpl(q->templates[l->n % SPEED_TEMPLATES]);
	struct kcf_data in = kcf_flat(l->in, q->c.size);
	struct kcf_data out = kcf_flat(l->out, speed_out_len(&q->c));
	unsigned char nonce[SPEED_NONCE_LEN];
	struct kcf_param_aead aead = {.iv = nonce, .iv_len = sizeof(nonce)};
	struct kcf_mechanism mech = {.number = mechanism(&q->c)};

	if (q->c.work == SPEED_HMACSHA256)
		return kcf_mac(q->client, &mech, &key, &in, &out, req);
	if (q->c.work == SPEED_RSA2048_SIGN)
		return kcf_sign(q->client, &mech, &key, &in, &out, req);
	speed_nonce(nonce, l->n);
	mech.param = &aead;
	mech.param_len = sizeof(aead);
	return kcf_encrypt(q->client, &mech, &key, &in, &out, req);
}

static void lane_submit(struct lane *l)
{
	struct queue *q = l->queue;
	struct kcf_call_req req = {.flags = KCF_SKIP_REQID, .callback = on_done, .arg = l};
	enum kcf_status status;

	if (!q->handles)
		req.flags |= KCF_ALWAYS_QUEUE;
	l->n = q->n++;
	if (q->latency)
		l->started_ns = speed_now_ns();
	speed_fill(l->in, q->c.size, l->n);
	status = call(l, &req);
	if (status == KCF_QUEUED)
		q->in_flight++;
	else
		q->failed = status == KCF_SUCCESS ? KCF_FAILED : status;
}

/* Run callbacks until none is under way, or the time is over and they stop. */
static bool pump(struct queue *q, double until)
{
	struct pollfd p = {.fd = kcf_client_fd(q->client), .events = POLLIN};

	while (q->in_flight) {
		int n = poll(&p, 1, PATIENCE_MS);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			q->failed = KCF_TIMED_OUT;
			return false;
		}
		kcf_client_dispatch(q->client);
		if (speed_now() >= until)
			q->stopping = true;
	}
	return q->failed == KCF_SUCCESS;
}

static double queue_run(void *state, double seconds, struct speed_latency *latency)
{
	struct queue *q = state;
	double started;
	uint64_t first = q->done;

	speed_pin(q->c.cpu_client);
	q->latency = latency;
	q->stopping = false;
	q->failed = KCF_SUCCESS;
	started = speed_now();
	for (unsigned i = 0; i < q->c.depth && q->failed == KCF_SUCCESS; i++)
		lane_submit(&q->lanes[i]);
	if (!pump(q, started + seconds)) {
		tool_fail(q->failed, "through kcfd");
		return -1;
	}
	speed_consume(q->sum);
	return (double)(q->done - first) / (speed_now() - started);
}

static void queue_close(void *state)
{
	struct queue *q = state;

	if (q->in_flight) /* after a failure: callbacks may still come while the client closes */
		return;
	for (unsigned i = 0; i < SPEED_TEMPLATES; i++) {
		kcf_template_destroy(q->templates[i]);
		if (q->keys[i].kind == KCF_KEY_HANDLE)
			kcf_key_destroy(q->client, &q->keys[i], NULL);
	}
	for (unsigned i = 0; i < q->c.depth; i++) {
		if (q->arena) {
			kcf_buf_free(q->client, q->lanes[i].in);
			kcf_buf_free(q->client, q->lanes[i].out);
		} else {
			free(q->lanes[i].in);
			free(q->lanes[i].out);
		}
	}
	free(q);
}

static enum kcf_status make_key(struct queue *q, unsigned i)
{
	unsigned char bytes[32];
	struct kcf_key key = kcf_key_bytes(bytes, sizeof(bytes));
	const unsigned char *der;
	size_t len;
	enum kcf_status status;

	speed_key(bytes, sizeof(bytes), i);
	if (q->c.work == SPEED_RSA2048_SIGN) {
		if (!speed_rsa_key(i, &der, &len))
			return KCF_FAILED;
		key = kcf_key_bytes(der, len);
		key.format = KCF_KEY_PKCS8;
	}
	if (q->handles) {
		status = kcf_key_import(q->client, &key, 0, &q->keys[i], NULL);
		if (status != KCF_SUCCESS)
			return status;
		key = q->keys[i];
	}
	return kcf_template_create(q->client, mechanism(&q->c), &key, &q->templates[i]);
}

static bool make_lanes(struct queue *q)
{
	size_t in_len = (q->c.size + 63) / 64 * 64;
	size_t out_len = (speed_out_len(&q->c) + 63) / 64 * 64;

	for (unsigned i = 0; i < q->c.depth; i++) {
		struct lane *l = &q->lanes[i];

		l->queue = q;
		l->in = q->arena ? kcf_buf_alloc(q->client, in_len) : aligned_alloc(64, in_len);
		l->out = q->arena ? kcf_buf_alloc(q->client, out_len) : aligned_alloc(64, out_len);
		if (!l->in || !l->out)
			return false;
	}
	return true;
}

static void *queue_open(const struct speed_case *c, struct kcf_client *client, bool arena,
			bool handles)
{
	struct queue *q = calloc(1, sizeof(*q));
	enum kcf_status status = KCF_SUCCESS;

	if (!q)
		return NULL;
	q->c = *c;
	if (q->c.depth > MAX_DEPTH)
		q->c.depth = MAX_DEPTH;
	q->client = client;
	q->arena = arena;
	q->handles = handles;
	for (unsigned i = 0; status == KCF_SUCCESS && i < SPEED_TEMPLATES; i++)
		status = make_key(q, i);
	if (status == KCF_SUCCESS && !make_lanes(q))
		status = KCF_HOST_MEMORY;
	if (status == KCF_SUCCESS)
		return q;
	tool_fail(status, "keys and buffers through kcfd");
	queue_close(q);
	return NULL;
}

static void *inline_open(const struct speed_case *c, struct kcf_client *client)
{
	if (c->work == SPEED_RSA2048_SIGN || c->size > MAX_INLINE)
		return NULL;
	return queue_open(c, client, false, false);
}

static void *arena_open(const struct speed_case *c, struct kcf_client *client)
{
	return c->work == SPEED_RSA2048_SIGN ? NULL : queue_open(c, client, true, false);
}

static void *handle_open(const struct speed_case *c, struct kcf_client *client)
{
	return queue_open(c, client, c->work != SPEED_RSA2048_SIGN, true);
}

const struct speed_door speed_inline = {"inline", inline_open, queue_run, queue_close};
const struct speed_door speed_arena = {"arena", arena_open, queue_run, queue_close};
const struct speed_door speed_handle = {"handle", handle_open, queue_run, queue_close};
