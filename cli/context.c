/* SPDX-License-Identifier: Apache-2.0 */
/* context - see context.h. */
#include "context.h"

#include <pthread.h>
#include <string.h>

#include "tool.h"

struct begin_wait {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	enum kcf_status status;
};

static void on_begun(void *arg, const struct kcf_completion *c)
{
	struct begin_wait *w = arg;

	pthread_mutex_lock(&w->lock);
	w->done = true;
	w->status = c->status;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* A context's place is fixed here: ALWAYS_QUEUE puts it into kcfd. */
static enum kcf_status begin_async(struct session *s, const struct kcf_how *how,
				   struct kcf_context **ret)
{
	struct begin_wait wait = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
	struct kcf_call_req req = {
		.flags = KCF_ALWAYS_QUEUE,
		.callback = on_begun,
		.arg = &wait,
		.preference = s->args.provider ? KCF_ONLY_PROVIDER : KCF_PREFER_DEFAULT,
		.provider = s->args.provider,
	};
	enum kcf_status status = kcf_init(s->client, how, ret, &req);

	if (status != KCF_QUEUED)
		return status;
	pthread_mutex_lock(&wait.lock);
	while (!wait.done)
		pthread_cond_wait(&wait.changed, &wait.lock);
	pthread_mutex_unlock(&wait.lock);
	if (wait.status != KCF_SUCCESS) {
		kcf_context_free(*ret);
		*ret = NULL;
	}
	return wait.status;
}

enum kcf_status context_begin(struct session *s, const struct kcf_how *how,
			      struct kcf_context **ret)
{
	struct kcf_call_req req;

	*ret = NULL;
	if (s->args.async)
		return begin_async(s, how, ret);
	return kcf_init(s->client, how, ret, session_req(s, &req));
}

enum kcf_status context_update(void *arg, const struct stream_slot *slot, struct kcf_data *out,
			       struct kcf_call_req *req)
{
	struct kcf_data in = kcf_flat(slot->in, slot->in_len);

	/* Provider and place are the context's since init; what remains of the request is how to
	 * wait. */
	if (req) {
		req->preference = KCF_PREFER_DEFAULT;
		req->provider = NULL;
	}
	return kcf_update(arg, &in, out, req);
}

static int feed(struct session *s, struct kcf_context *context, struct source *source,
		struct stream_result *ret)
{
	struct progress progress;
	struct stream_job job = session_job(s, source, NULL, &progress);
	int code;

	job.submit = context_update;
	job.arg = context;
	progress_start(&progress, source->name, source->size, s->args.quiet);
	code = stream_run(&job, ret);
	progress_end(&progress);
	return code;
}

static bool is_answer(enum kcf_status status)
{
	return status == KCF_INVALID_MAC || status == KCF_SIGNATURE_INVALID;
}

int context_run(struct session *s, const char *path, const struct kcf_how *how,
		const struct kcf_data *check, struct context_output *ret)
{
	struct kcf_context *context;
	struct kcf_data out = kcf_flat(ret->bytes, sizeof(ret->bytes));
	struct source source;
	double started = tool_now();
	int code = source_open(&source, path);

	ret->status = KCF_FAILED;
	if (code != TOOL_OK)
		return code;
	memset(&ret->done, 0, sizeof(ret->done));
	ret->status = context_begin(s, how, &context);
	if (ret->status == KCF_SUCCESS) {
		code = feed(s, context, &source, &ret->done);
		ret->status = ret->done.status;
		if (code == TOOL_OK)
			ret->status = kcf_final(context, check, check ? NULL : &out, NULL);
		kcf_context_free(context);
	}
	source_close(&source);
	ret->len = out.used;
	ret->seconds = tool_now() - started;
	if (ret->status != KCF_SUCCESS)
		code = is_answer(ret->status) ? TOOL_FAILED
					      : tool_fail(ret->status, "%s: %s", s->command, path);
	return code;
}
