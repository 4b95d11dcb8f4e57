/* SPDX-License-Identifier: Apache-2.0 */
/* stream - see stream.h. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define SYNC_SLOTS   2u
#define MAX_SLOTS    64u
#define BUFFER_ALIGN 64u

struct stream {
	const struct stream_job *job;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct stream_slot slots[MAX_SLOTS];
	unsigned n_slots;
	uint64_t started, finished; /* pieces; slot of piece i is i % n_slots */
	struct stream_result result;
	bool shared; /* buffers are arena memory */
};

struct kcf_call_req *stream_sync_req(const char *provider, struct kcf_call_req *req)
{
	if (!provider)
		return NULL;
	memset(req, 0, sizeof(*req));
	req->flags = KCF_WAIT;
	req->preference = KCF_ONLY_PROVIDER;
	req->provider = provider;
	return req;
}

static void on_done(void *arg, const struct kcf_completion *c)
{
	struct stream_slot *slot = arg;
	struct stream *s = slot->stream;

	pthread_mutex_lock(&s->lock);
	slot->status = c->status;
	slot->out_len = c->len;
	slot->done = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static size_t out_room(const struct stream *s)
{
	return s->job->in_size + s->job->out_extra;
}

static void *buffer_new(struct stream *s, size_t len)
{
	len = (len + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
	return s->shared ? kcf_buf_alloc(s->job->client, len) : aligned_alloc(BUFFER_ALIGN, len);
}

static void buffer_free(struct stream *s, void *buf, size_t len)
{
	if (!buf)
		return;
	explicit_bzero(buf, len);
	if (s->shared)
		kcf_buf_free(s->job->client, buf);
	else
		free(buf);
}

static bool slots_new(struct stream *s)
{
	const struct stream_job *job = s->job;

	s->shared = job->async || job->arena;
	s->n_slots = job->async ? job->depth : SYNC_SLOTS;
	for (unsigned i = 0; i < s->n_slots; i++) {
		struct stream_slot *slot = &s->slots[i];

		slot->stream = s;
		slot->in = buffer_new(s, job->in_size);
		slot->out = job->sink ? buffer_new(s, out_room(s)) : NULL;
		if (!slot->in || (job->sink && !slot->out))
			return false;
	}
	return true;
}

static void slots_free(struct stream *s)
{
	for (unsigned i = 0; i < s->n_slots; i++) {
		buffer_free(s, s->slots[i].in, s->job->in_size);
		buffer_free(s, s->slots[i].out, out_room(s));
	}
}

static void slot_submit(struct stream *s, struct stream_slot *slot)
{
	const struct stream_job *job = s->job;
	struct kcf_data out = kcf_flat(slot->out, slot->out ? out_room(s) : 0);
	struct kcf_call_req req;
	enum kcf_status status;

	slot->done = false;
	if (job->async) {
		memset(&req, 0, sizeof(req));
		req.flags = KCF_ALWAYS_QUEUE | KCF_SKIP_REQID;
		req.callback = on_done;
		req.arg = slot;
		req.preference = job->provider ? KCF_ONLY_PROVIDER : KCF_PREFER_DEFAULT;
		req.provider = job->provider;
		status = job->submit(job->arg, slot, slot->out ? &out : NULL, &req);
		if (status == KCF_QUEUED)
			return;
		/* No room now. A synchronous call waits its turn, behind what is in flight. */
		if (status != KCF_BUSY)
			goto finished;
	}
	status = job->submit(job->arg, slot, slot->out ? &out : NULL,
			     stream_sync_req(job->provider, &req));
finished:
	slot->status = status;
	slot->out_len = out.used;
	slot->done = true;
}

/* Wait for the oldest piece and write it. False when the stream must end. */
static bool finish_oldest(struct stream *s, int *ret_code)
{
	struct stream_slot *slot = &s->slots[s->finished % s->n_slots];

	pthread_mutex_lock(&s->lock);
	while (!slot->done)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	s->finished++;
	if (s->result.status != KCF_SUCCESS || *ret_code != TOOL_OK)
		return false;
	if (slot->status != KCF_SUCCESS) {
		s->result.status = slot->status;
		*ret_code = tool_exit_of(slot->status);
		return false;
	}
	s->result.pieces++;
	s->result.bytes_in += slot->in_len;
	s->result.bytes_out += slot->out_len;
	if (s->job->progress)
		progress_add(s->job->progress, slot->in_len);
	if (s->job->sink && slot->out_len)
		*ret_code = sink_write(s->job->sink, slot->out, slot->out_len);
	return *ret_code == TOOL_OK;
}

/* Read the next piece and start it. False at the end or after an error. */
static bool start_next(struct stream *s, int *ret_code)
{
	const struct stream_job *job = s->job;
	struct stream_slot *slot = &s->slots[s->started % s->n_slots];
	bool first = s->started == 0;
	long n;

	if (job->source->at_end && !first)
		return false;
	n = source_read(job->source, slot->in, job->in_size);
	if (n < 0) {
		*ret_code = TOOL_FAILED;
		return false;
	}
	if (n == 0 && !(first && job->empty_piece))
		return false;
	slot->in_len = (size_t)n;
	slot->out_len = 0;
	slot->index = s->started++;
	slot->last = job->source->at_end;
	slot_submit(s, slot);
	return true;
}

static int run(struct stream *s)
{
	int code = TOOL_OK;
	bool more = true;

	while (more || s->finished < s->started) {
		if (more && s->started - s->finished < s->n_slots) {
			more = start_next(s, &code);
			/* Synchronous pieces are complete: write them while they are in the cache.
			 */
			if (s->job->async || s->started == s->finished)
				continue;
		}
		if (s->finished < s->started && !finish_oldest(s, &code))
			more = false;
	}
	return code;
}

int stream_run(const struct stream_job *job, struct stream_result *ret)
{
	struct stream *s = calloc(1, sizeof(*s));
	int code = TOOL_FAILED;

	memset(ret, 0, sizeof(*ret));
	ret->status = KCF_HOST_MEMORY;
	if (!s)
		return code;
	s->job = job;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (slots_new(s)) {
		code = run(s);
		*ret = s->result;
	}
	slots_free(s);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return code;
}
