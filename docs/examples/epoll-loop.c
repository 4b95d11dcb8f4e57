/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll-loop - libkcf-client in an application's own epoll loop: no thread of the library's,
 * callbacks in the loop.
 *
 *   cc epoll-loop.c $(pkg-config --cflags --libs kcf-client)
 *
 * Keeps up to 16 digests under way until 1000 are done. KCF_ALWAYS_QUEUE: each goes to kcfd, so a
 * callback always comes; without it a call may also finish inside (KCF_SUCCESS, no callback).
 * KCF_BUSY is not an error: with KCF_NOTIFY_SPACE an event says when to go on.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <kcf/client.h>

#define TOTAL   1000u
#define AT_ONCE 16u

struct slot {
	struct app *app;
	uint8_t in[512], digest[32];
};

struct app {
	struct kcf_client *client;
	struct slot slots[AT_ONCE];
	struct slot *idle[AT_ONCE];
	unsigned n_idle, n_started, n_done, n_failed;
};

static void on_digest(void *arg, const struct kcf_completion *completion);

/* Start what may be started. */
static void submit(struct app *app)
{
	const struct kcf_mechanism mech = {.number = KCF_M_SHA256};

	while (app->n_idle && app->n_started < TOTAL) {
		struct slot *slot = app->idle[app->n_idle - 1];
		struct kcf_data in = kcf_flat(slot->in, sizeof(slot->in));
		struct kcf_data out = kcf_flat(slot->digest, sizeof(slot->digest));
		struct kcf_call_req req = {
			.flags = KCF_ALWAYS_QUEUE | KCF_NOTIFY_SPACE | KCF_SKIP_REQID,
			.callback = on_digest,
			.arg = slot,
		};
		enum kcf_status status;

		memset(slot->in, (int)app->n_started, sizeof(slot->in));
		status = kcf_digest(app->client, &mech, &in, &out, &req);
		if (status == KCF_BUSY)
			return; /* on_event comes */
		app->n_started++;
		if (status == KCF_QUEUED) {
			app->n_idle--;
			continue;
		}
		app->n_done++; /* finished inside the call: an error */
		app->n_failed++;
	}
}

static void on_digest(void *arg, const struct kcf_completion *completion)
{
	struct slot *slot = arg;
	struct app *app = slot->app;

	app->n_done++;
	if (completion->status != KCF_SUCCESS)
		app->n_failed++;
	app->idle[app->n_idle++] = slot;
	submit(app); /* calls inside a callback are fine; they are sent together */
}

static void on_event(void *arg, const struct kcf_event *event)
{
	if (event->type == KCF_EVENT_ROOM)
		submit(arg);
}

int main(void)
{
	static struct app app;
	struct kcf_client_options options = {
		.size = sizeof(options),
		.flags = KCF_CLIENT_APP_LOOP,
		.on_event = on_event,
		.event_arg = &app,
	};
	struct epoll_event event = {.events = EPOLLIN};
	enum kcf_status status = kcf_client_open(&options, &app.client);
	int loop = epoll_create1(EPOLL_CLOEXEC);

	if (status != KCF_SUCCESS || loop < 0) {
		fprintf(stderr, "epoll-loop: %s\n", kcf_strstatus(status));
		return 1;
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		app.slots[i].app = &app;
		app.idle[app.n_idle++] = &app.slots[i];
	}
	/* This descriptor stays the same while connections to kcfd come and go. */
	epoll_ctl(loop, EPOLL_CTL_ADD, kcf_client_fd(app.client), &event);
	submit(&app);
	while (app.n_done < TOTAL) {
		if (epoll_wait(loop, &event, 1, -1) == 1)
			kcf_client_dispatch(app.client);
	}
	printf("%u done, %u failed\n", app.n_done, app.n_failed);
	kcf_client_close(app.client);
	close(loop);
	return app.n_failed ? 1 : 0;
}
