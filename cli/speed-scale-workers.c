/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-scale-workers - what kcfd gets done as workers become many, on a machine that need not have
 * a CPU for each: the jobs of the module kcf-nap take time but no CPU. Long ones (a millisecond)
 * show whether the loop keeps all workers busy; short ones, which the loop runs itself, whether
 * workers share its backlog. One thread.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "speed-scale.h"
#include "tool.h"

#define CONNECTIONS 8u

static const unsigned worker_counts[] = {1, 2, 4, 8, 16, 32, 64};

/* Short is what takes ten times as long as usual, because a sleep of microseconds costs a CPU as
 * many. */
static const char limits[] = "workers_min = %u\nworkers_max = %u\nshort_ns = 500000\n";

/* Beside this program's build directory. */
static bool find_module_dir(char *ret, size_t room)
{
	ssize_t n = readlink("/proc/self/exe", ret, room - 32);

	if (n <= 0)
		return false;
	ret[n] = 0;
	strcpy(strrchr(ret, '/'), "/../tests/modules");
	return access(ret, F_OK) == 0;
}

static bool measure(struct scale *s, const char *mech, struct scale_cost *ret)
{
	struct scale_cost warm;
	enum kcf_status status;

	if (!scale_open(s, CONNECTIONS))
		return false;
	status = kcf_mech_find(s->connections[0].client, mech, &s->digest);
	for (unsigned i = 1; i < CONNECTIONS && status == KCF_SUCCESS; i++)
		status = kcf_mech_find(s->connections[i].client, mech, &s->digest);
	if (status != KCF_SUCCESS) {
		tool_fail(status, "looking for %s", mech);
		return false;
	}
	return scale_run(s, CONNECTIONS, SCALE_DEPTH, SCALE_SECONDS / 4, 0, &warm) &&
	       scale_run(s, CONNECTIONS, SCALE_DEPTH, SCALE_SECONDS, 0, ret);
}

static bool measure_all(struct scale *s, const char *mech, const char *modules)
{
	const char *before = speed_daemon_limits;
	char text[sizeof(limits) + 16];
	double one = 0;
	bool ok = true;

	for (unsigned i = 0; ok && i < sizeof(worker_counts) / sizeof(worker_counts[0]); i++) {
		struct scale_cost c = {0};

		snprintf(text, sizeof(text), limits, worker_counts[i], worker_counts[i]);
		speed_daemon_limits = text;
		if (!speed_daemon_start(&s->daemon, s->o.kcfd, modules, s->o.cpu_server))
			return false;
		ok = measure(s, mech, &c);
		if (i == 0)
			one = c.ops_per_second;
		if (ok)
			scale_print(s, mech, worker_counts[i], &c, c.ops_per_second / one);
		scale_close(s, 0);
		speed_daemon_stop(&s->daemon);
	}
	speed_daemon_limits = before;
	s->digest = 0;
	return ok;
}

bool scale_workers(struct scale *s)
{
	const char *modules = s->o.modules;
	char beside[600];
	bool ok;

	if (!modules && !find_module_dir(beside, sizeof(beside))) {
		tool_error("the module kcf-nap is not in the build tree");
		return false;
	}
	if (!modules)
		modules = s->o.modules = beside;
	ok = measure_all(s, "KCF_TEST_NAP", modules) && measure_all(s, "KCF_TEST_DOZE", modules);
	if (modules == beside)
		s->o.modules = NULL;
	return ok;
}
