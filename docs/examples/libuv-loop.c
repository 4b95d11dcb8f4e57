/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv-loop - libkcf-client under a uv_poll_t: a timer ticks and signatures (here: MACs) are made
 * beside it, in one thread.
 *
 *   cc libuv-loop.c $(pkg-config --cflags --libs kcf-client libuv)
 */
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include <kcf/client.h>

#define TOTAL 200u

struct app {
	struct kcf_client *client;
	struct kcf_template *tmpl;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned n_started, n_done, n_failed;
	uint8_t mac[TOTAL][32];
};

static const char message[] = "the same message every time";

static void finish(struct app *app)
{
	if (app->n_done < TOTAL)
		return;
	uv_close((uv_handle_t *)&app->poll, NULL);
	uv_close((uv_handle_t *)&app->timer, NULL);
}

static void on_mac(void *arg, const struct kcf_completion *completion)
{
	struct app *app = arg;

	app->n_done++;
	if (completion->status != KCF_SUCCESS)
		app->n_failed++;
	finish(app);
}

/* Every tick some more, as a server would as its clients send. */
static void on_tick(uv_timer_t *timer)
{
	struct app *app = timer->data;
	const struct kcf_mechanism mech = {.number = KCF_M_SHA256_HMAC};
	struct kcf_key key = kcf_key_tmpl(app->tmpl);
	struct kcf_data in = kcf_flat(message, sizeof(message));

	for (int i = 0; i < 10 && app->n_started < TOTAL; i++) {
		struct kcf_data out = kcf_flat(app->mac[app->n_started], 32);
		struct kcf_call_req req = {
			.flags = KCF_ALWAYS_QUEUE, .callback = on_mac, .arg = app};
		enum kcf_status status = kcf_mac(app->client, &mech, &key, &in, &out, &req);

		if (status == KCF_BUSY)
			return; /* the next tick tries again */
		app->n_started++;
		if (status != KCF_QUEUED) {
			app->n_failed++;
			app->n_done++;
		}
	}
	finish(app);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct app *app = poll->data;

	kcf_client_dispatch(app->client);
}

static enum kcf_status open_client(struct app *app)
{
	static const uint8_t key_bytes[32] = "an example, not a key for real  ";
	struct kcf_client_options options = {.size = sizeof(options), .flags = KCF_CLIENT_APP_LOOP};
	struct kcf_key key = kcf_key_bytes(key_bytes, sizeof(key_bytes));
	enum kcf_status status = kcf_client_open(&options, &app->client);

	if (status != KCF_SUCCESS)
		return status;
	return kcf_template_create(app->client, KCF_M_SHA256_HMAC, &key, &app->tmpl);
}

int main(void)
{
	static struct app app;
	enum kcf_status status = open_client(&app);
	uv_loop_t loop;

	if (status != KCF_SUCCESS) {
		fprintf(stderr, "libuv-loop: %s\n", kcf_strstatus(status));
		return 1;
	}
	uv_loop_init(&loop);
	uv_poll_init(&loop, &app.poll, kcf_client_fd(app.client));
	uv_timer_init(&loop, &app.timer);
	app.poll.data = app.timer.data = &app;
	uv_poll_start(&app.poll, UV_READABLE, on_readable);
	uv_timer_start(&app.timer, on_tick, 0, 1);
	uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned i = 1; i < TOTAL; i++) {
		if (memcmp(app.mac[i], app.mac[0], sizeof(app.mac[0])) != 0)
			app.n_failed++;
	}
	printf("%u done, %u failed\n", app.n_done, app.n_failed);
	kcf_template_destroy(app.tmpl);
	kcf_client_close(app.client);
	uv_loop_close(&loop);
	return app.n_failed ? 1 : 0;
}
