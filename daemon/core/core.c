/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core - the whole below the api layer: made, stopped, asked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "core/private.h"
#include "core/quick.h"
#include "core/request-pool.h"

#define MAX_MODULES TABLE_PROVIDERS

static void on_check(uv_check_t *check)
{
	sched_kick(check->data);
}

/* The loop may sleep now: what time it is must be asked anew afterwards. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct core *core = prepare->data;

	core->now_ns = 0;
}

static void on_idle(uv_idle_t *idle)
{
}

static void on_drained(void *arg)
{
	sched_arm(arg);
}

static void no_event(void *arg, enum kcf_event_type type, const char *mechanism,
		     const char *provider)
{
}

static void no_room(void *arg, uint32_t provider_row1)
{
}

static const struct core_events no_events = {.event = no_event, .room = no_room};

void core_event(struct core *core, enum kcf_event_type type, const char *mechanism,
		const char *provider)
{
	core->events.event(core->events.arg, type, mechanism, provider);
}

bool core_random(struct core *core, void *buf, size_t len)
{
	if (core->random_left < len) {
		ssize_t n = getrandom(core->random, sizeof(core->random), 0);

		if (n != (ssize_t)sizeof(core->random))
			return false;
		core->random_left = sizeof(core->random);
	}
	core->random_left -= len;
	memcpy(buf, core->random + core->random_left, len);
	explicit_bzero(core->random + core->random_left, len);
	return true;
}

const char *op_word(unsigned op)
{
	static const char *const words[KCF_OP_COUNT] = {
#define KCF__X(name, value, text, classes) [value] = text,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	};

	return op < KCF_OP_COUNT && words[op] ? words[op] : "?";
}

/* ---- beginning ---- */

static void init_lists(struct core *core)
{
	list_init(&core->gone);
	list_init(&core->tmpls);
	list_init(&core->live);
	list_init(&core->fresh);
	list_init(&core->turn);
	list_init(&core->finished);
	list_init(&core->manifests);
	list_init(&core->loads);
	list_init(&core->failures);
	consumers_init(core);
	keys_init(core);
	stats_init(core);
	mechs_init(core);
}

static int init_handles(struct core *core)
{
	const struct limits *l = &core->limits;
	int err = wake_init(&core->wake, core->loop);

	if (!err)
		err = wheel_init(&core->wheel, core->loop);
	if (!err)
		err = worker_pool_init(&core->workers, &core->wake, (unsigned)l->workers_min,
				       (unsigned)l->workers_max, (unsigned)l->worker_idle_ms);
	if (err)
		return err;
	core->wake.drained = on_drained;
	core->wake.arg = core;
	uv_check_init(core->loop, &core->check);
	uv_prepare_init(core->loop, &core->prepare);
	uv_idle_init(core->loop, &core->idle);
	core->check.data = core->prepare.data = core;
	core->idle_fn = on_idle;
	uv_check_start(&core->check, on_check);
	uv_prepare_start(&core->prepare, on_prepare);
	/* they follow the loop, they do not keep it going */
	uv_unref((uv_handle_t *)&core->check);
	uv_unref((uv_handle_t *)&core->prepare);
	return 0;
}

enum kcf_status core_new(const struct core_config *config, struct core **ret)
{
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return KCF_HOST_MEMORY;
	core->loop = config->loop;
	core->limits = config->limits;
	core->events = config->events ? *config->events : no_events;
	core->module_dir = strdup(config->module_dir);
	init_lists(core);
	measure_init(core);
	queue_init(&core->software, core->limits.software_queue);
	if (!core->module_dir || !trace_init(&core->trace, core->limits.trace) ||
	    table_writer_init(&core->table, config->daemon_id) < 0 || init_handles(core) < 0) {
		/* the process ends with this; handles that were made die with the loop */
		return KCF_HOST_MEMORY;
	}
	loads_init(core, config->modules);
	*ret = core;
	return KCF_SUCCESS;
}

/* ---- end ---- */

static void end_waiting(struct core *core)
{
	struct list all, *l;

	list_init(&all);
	list_splice(&all, &core->live);
	while ((l = list_pop(&all))) {
		struct request *r = list_entry(l, struct request_sched, live)->r;

		list_push(&core->live, l);
		sched_end_early(core, r, KCF_CANCELED);
	}
}

/* Devices give back what they have. */
static void stop_devices(struct core *core)
{
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++) {
		struct provider *p = core->providers[i];

		if (p && p->hardware && p->n_flying && p->inst.desc->ops->reset)
			p->inst.desc->ops->reset(p->inst.prov);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct core *core = handle->loop->data;

	core->open_handles--;
}

static void close_handles(struct core *core)
{
	void *saved = core->loop->data;

	core->loop->data = core;
	core->open_handles = 5;
	wake_close(&core->wake, on_closed);
	wheel_close(&core->wheel, on_closed);
	uv_close((uv_handle_t *)&core->check, on_closed);
	uv_close((uv_handle_t *)&core->prepare, on_closed);
	uv_close((uv_handle_t *)&core->idle, on_closed);
	while (core->open_handles > 0)
		uv_run(core->loop, UV_RUN_NOWAIT);
	core->loop->data = saved;
}

void core_stop(struct core *core)
{
	if (core->stopping)
		return;
	core->stopping = true;
	end_waiting(core);
	stop_devices(core);
	worker_pool_deinit(&core->workers);
	while (wake_drain(&core->wake) || sched_has_work(core))
		sched_kick(core);
}

void core_free(struct core *core)
{
	if (!core)
		return;
	core_stop(core);
	__atomic_store_n(&core->table.t->closed, 1, __ATOMIC_RELEASE);
	measure_deinit(core);
	providers_deinit(core); /* their offers leave the mechanisms */
	mechs_deinit(core);
	loads_deinit(core);
	keys_deinit(core);
	consumers_deinit(core);
	stats_deinit(core);
	trace_deinit(&core->trace);
	close_handles(core);
	table_writer_deinit(&core->table);
	request_pool_trim();
	quick_deinit(core);
	explicit_bzero(core->random, sizeof(core->random));
	free(core->module_dir);
	free(core);
}

/* ---- questions ---- */

struct limits *core_limits(struct core *core)
{
	return &core->limits;
}

void core_limits_changed(struct core *core)
{
	const struct limits *l = &core->limits;

	core->plans++;
	core->software.bound = l->software_queue;
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			core->providers[i]->queue.bound = l->hardware_queue;
	worker_pool_set(&core->workers, (unsigned)l->workers_min, (unsigned)l->workers_max,
			(unsigned)l->worker_idle_ms);
	if (core->trace.room != l->trace) {
		struct trace t;

		if (trace_init(&t, l->trace)) {
			t.next = core->trace.next;
			trace_deinit(&core->trace);
			core->trace = t;
		}
	}
}

int core_table_fd(struct core *core)
{
	return core->table.fd;
}

const struct table_copy *core_table(struct core *core)
{
	return &core->table.t->copies[core->table.t->generation & 1];
}

static void tell(uint32_t *word, uint32_t value)
{
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != value)
		__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

void core_tell_spinners(struct core *core, uint32_t n, bool crowded)
{
	tell(&core->table.t->spinners, n);
	tell(&core->table.t->crowded, crowded);
}

unsigned core_modules(struct core *core, struct core_module *ret, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TABLE_PROVIDERS && n < max; i++) {
		const struct provider *p = core->providers[i];

		/* an instance of another name may be set up in another way: it is kcfd's alone */
		if (!p || p->hardware || !provider_is_usable(p) ||
		    strcmp(p->name, p->inst.desc->name))
			continue;
		ret[n++] = (struct core_module){.name = p->name,
						.row = p->row,
						.fd = p->module->fd,
						.size = p->module->size};
	}
	return n;
}
