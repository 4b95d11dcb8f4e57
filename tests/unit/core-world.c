/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/core-world.h"

#include <stdarg.h>
#include <string.h>

struct world world;
struct limits world_limits;

static void on_event(void *arg, enum kcf_event_type type, const char *mechanism,
		     const char *provider)
{
	world.events[type]++;
}

static void on_room(void *arg, uint32_t provider_row1)
{
	world.rooms++;
	world.room_row1 = provider_row1;
}

static void on_alive(uv_timer_t *t)
{
	ck_abort_msg("nothing happened for a minute");
}

void world_setup(void)
{
	static const struct core_events events = {.event = on_event, .room = on_room};
	static const char *const openssl[] = {"openssl", NULL};
	struct core_config config = {.loop = &world.loop,
				     .module_dir = TEST_MODULE_DIR,
				     .modules = openssl,
				     .events = &events};

	memset(&world, 0, sizeof(world));
	if (!world_limits.connections) {
		limits_init(&world_limits);
		world_limits.measure = 0; /* jobs nobody sent would be in the way */
	}
	config.limits = world_limits;
	ck_assert_int_eq(uv_loop_init(&world.loop), 0);
	uv_timer_init(&world.loop, &world.alive);
	uv_timer_start(&world.alive, on_alive, 60000, 0);
	ck_assert_int_eq(core_new(&config, &world.core), KCF_SUCCESS);
	world.consumer = consumer_get(world.core, 1000, 1000);
}

void world_teardown(void)
{
	consumer_put(world.consumer);
	core_free(world.core);
	uv_close((uv_handle_t *)&world.alive, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&world.loop), 0);
}

void world_turn(void)
{
	uv_run(&world.loop, UV_RUN_NOWAIT);
}

void world_until(const unsigned *what)
{
	while (!*what)
		uv_run(&world.loop, UV_RUN_ONCE);
}

struct tmpl *world_tmpl(uint32_t mech, const void *key, size_t key_len)
{
	struct kcf_key_data data = {.bytes = key, .len = key_len};
	struct tmpl *t;

	ck_assert_int_eq(tmpl_new(world.core, world.consumer, mech, key ? &data : NULL, NULL, &t),
			 KCF_SUCCESS);
	return t;
}

struct tmpl *world_tmpl_named(const char *mech)
{
	struct mech *m = mech_by_name(world.core, mech);

	ck_assert_ptr_nonnull(m);
	return world_tmpl(m->number, NULL, 0);
}

static void on_step(struct request *r, unsigned i)
{
	struct sent *s = r->conn;

	s->steps[s->n_steps++] = i;
}

static void on_complete(struct request *r)
{
	struct sent *s = r->conn;

	s->completed++;
	s->order = ++world.n_completed;
}

static const struct request_ops ops = {.step = on_step, .complete = on_complete};

void sent_init(struct sent *s, struct tmpl *t, uint16_t op, const void *in, size_t in_len)
{
	static uint64_t id;
	struct request *r;

	memset(s, 0, sizeof(*s));
	s->r = r = request_new(256);
	ck_assert_ptr_nonnull(r);
	r->ops = &ops;
	r->conn = s;
	r->id = ++id;
	r->consumer = world.consumer;
	r->op = op;
	r->tmpl = t ? tmpl_ref(t) : NULL;
	r->units = 1;
	s->iov[0] = (struct iovec){(void *)in, in_len};
	s->iov[1] = (struct iovec){s->out, sizeof(s->out)};
	r->in = (struct request_data){.iov = &s->iov[0], .n_iov = 1, .len = in_len};
	r->out = (struct request_data){.iov = &s->iov[1], .n_iov = 1, .len = sizeof(s->out)};
}

void sent_submit(struct sent *s)
{
	sched_submit(world.core, s->r);
	ck_assert_uint_eq(s->completed, 0);
}

void sent_wait(struct sent *s)
{
	world_until(&s->completed);
	ck_assert_uint_eq(s->completed, 1);
}

void sent_free(struct sent *s)
{
	request_free(s->r);
	s->r = NULL;
}

enum kcf_status sent_do(struct sent *s, struct tmpl *t, uint16_t op, const void *in, size_t in_len)
{
	enum kcf_status status;

	sent_init(s, t, op, in, in_len);
	sent_submit(s);
	sent_wait(s);
	status = s->r->status;
	return status;
}

struct answer {
	unsigned done;
	enum kcf_status status;
};

static void on_done(void *arg, enum kcf_status status, const char *err)
{
	struct answer *a = arg;

	a->done++;
	a->status = status;
	if (err)
		printf("# %s\n", err);
}

enum kcf_status world_load(const char *name, const char *instance, ...)
{
	const char *options[16];
	struct answer a = {0};
	unsigned n = 0;
	va_list ap;

	va_start(ap, instance);
	while ((options[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	core_load(world.core, name, instance, options, n, on_done, &a);
	world_until(&a.done);
	ck_assert_uint_eq(a.done, 1);
	return a.status;
}

enum kcf_status world_unload(const char *instance)
{
	struct answer a = {0};

	core_unload(world.core, instance, on_done, &a);
	world_until(&a.done);
	ck_assert_uint_eq(a.done, 1);
	return a.status;
}

void world_set(const char *name, const char *value)
{
	char err[256] = "";

	ck_assert_msg(core_set(world.core, name, value, err, sizeof(err)) == KCF_SUCCESS, "%s",
		      err);
}

struct provider *world_provider(const char *name)
{
	struct provider *p = provider_find(world.core, name);

	ck_assert_ptr_nonnull(p);
	return p;
}
