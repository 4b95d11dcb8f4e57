/* SPDX-License-Identifier: Apache-2.0 */
#include "kcfd.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>
#include "api/api.h"
#include "kcf-config.h"
#include "log.h"

#define DRAIN_MS      2000
#define DRAIN_TICK_MS 20

struct kcfd {
	uv_loop_t loop;
	uv_signal_t sigterm, sigint;
	uv_timer_t drain;
	unsigned drain_ticks;
	struct api api;
	struct core *core;
};

/* ---- the process ---- */

/* Two descriptors a connection: take what the hard limit gives. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		log_warning("the limit of file descriptors stays as it is: %s", strerror(errno));
}

static void harden_process(void)
{
	struct rlimit none = {0, 0};

	/* Keys must not get into core files, nor be read by a debugger of the same user. */
	setrlimit(RLIMIT_CORE, &none);
#ifndef KCF_SANITIZED /* the leak check traces its own process */
	prctl(PR_SET_DUMPABLE, 0);
#endif
	signal(SIGPIPE, SIG_IGN);
}

/* ---- stopping ---- */

static void drained(struct kcfd *k)
{
	uv_timer_stop(&k->drain);
	uv_stop(&k->loop);
}

static void on_drain(uv_timer_t *timer)
{
	struct kcfd *k = timer->data;

	if (api_is_quiet(&k->api) || ++k->drain_ticks >= DRAIN_MS / DRAIN_TICK_MS)
		drained(k);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct kcfd *k = handle->data;

	if (k->api.stopping) {
		drained(k);
		return;
	}
	log_info("signal %d: stopping; requests under way have %d ms", signum, DRAIN_MS);
	api_stop(&k->api);
	uv_timer_start(&k->drain, on_drain, 0, DRAIN_TICK_MS);
}

/* ---- starting ---- */

static int start_loop(struct kcfd *k, uint64_t daemon_id)
{
	int r = uv_loop_init(&k->loop);

	if (r < 0)
		return r;
	uv_signal_init(&k->loop, &k->sigterm);
	uv_signal_init(&k->loop, &k->sigint);
	uv_timer_init(&k->loop, &k->drain);
	k->sigterm.data = k->sigint.data = k->drain.data = k;
	uv_signal_start(&k->sigterm, on_signal, SIGTERM);
	uv_signal_start(&k->sigint, on_signal, SIGINT);
	return api_init(&k->api, &k->loop, daemon_id);
}

static bool start_core(struct kcfd *k, const struct kcfd_options *options, uint64_t daemon_id)
{
	struct core_config config = {
		.loop = &k->loop,
		.limits = options->config->limits,
		.module_dir = options->module_dir,
		.modules = options->config->modules[0] ? options->config->modules : NULL,
		.events = &k->api.events,
		.daemon_id = daemon_id};
	enum kcf_status status = core_new(&config, &k->core);

	if (status != KCF_SUCCESS) {
		log_error("cannot start: %s (modules are looked for in %s)", kcf_strstatus(status),
			  options->module_dir);
		return false;
	}
	api_set_core(&k->api, k->core);
	return true;
}

static bool load_keys(struct kcfd *k, const struct config *config)
{
	char err[512] = "";

	for (unsigned i = 0; i < config->n_keys; i++) {
		struct named_key spec = config_named_key(&config->keys[i]);
		enum kcf_status status = key_add_named(k->core, &spec, err, sizeof(err));

		if (status != KCF_SUCCESS) {
			log_error("key \"%s\" (line %d): %s", spec.name, config->keys[i].line,
				  err[0] ? err : kcf_strstatus(status));
			return false;
		}
	}
	return true;
}

static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		log_warning("nobody reads the ready descriptor");
	close(fd);
}

static void close_own_handles(struct kcfd *k)
{
	uv_close((uv_handle_t *)&k->sigterm, NULL);
	uv_close((uv_handle_t *)&k->sigint, NULL);
	uv_close((uv_handle_t *)&k->drain, NULL);
}

static void stop_all(struct kcfd *k)
{
	api_stop(&k->api);
	api_close_conns(&k->api);
	k->api.core = NULL; /* no more turns */
	if (k->core)
		core_free(k->core);
	k->core = NULL;
	api_deinit(&k->api);
	close_own_handles(k);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	assert(k->api.open == 0);
	uv_loop_close(&k->loop);
}

static bool serve(struct kcfd *k, const struct kcfd_options *options)
{
	struct listener_config listener = {options->socket, options->config->socket_mode,
					   options->config->socket_group};

	k->api.overflow_uid = options->config->overflow_uid;
	if (!load_keys(k, options->config) || listener_open(&k->api.listener, &listener) != 0)
		return false;
	log_info("kcfd " KCF_VERSION " serves %s", options->socket);
	tell_ready(options->ready_fd);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	return true;
}

int kcfd_run(const struct kcfd_options *options)
{
	uint64_t daemon_id;
	struct kcfd *k = calloc(1, sizeof(*k));
	bool ok = false;

	if (!k || getrandom(&daemon_id, sizeof(daemon_id), 0) != sizeof(daemon_id)) {
		log_error("cannot start: no memory or no random numbers");
		free(k);
		return EXIT_FAILURE;
	}
	harden_process();
	raise_descriptors();
	if (start_loop(k, daemon_id) < 0) {
		log_error("cannot start: no event loop");
		free(k);
		return EXIT_FAILURE;
	}
	if (start_core(k, options, daemon_id))
		ok = serve(k, options);
	stop_all(k);
	free(k);
	log_info("kcfd ended");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
