/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>
#include "api/conn.h"

/* ---- the turn ---- */

static void flush_all(struct api *a)
{
	struct list *l;

	rings_show(&a->rings);
	while ((l = list_pop(&a->dirty)))
		conn_flush(list_entry(l, struct conn, dirty));
}

static void run(struct api *a)
{
	a->credit.now_ms = uv_now(a->loop);
	if (a->core)
		sched_kick(a->core);
	flush_all(a);
}

static void on_check(uv_check_t *check)
{
	struct api *a = check->data;

	if (a->core && a->rings.idle_on)
		rings_turn(a);
	run(a);
}

void api_pace(struct api *a)
{
	if (sched_is_full(a->core))
		run(a);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct api *a = prepare->data;

	a->credit.now_ms = uv_now(a->loop);
	flush_all(a);
}

/* ---- time ---- */

static uint64_t frame_ms(const struct api *a)
{
	return core_limits(a->core)->frame_ms;
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct api *a)
{
	struct conn *first;
	uint64_t now = uv_now(a->loop);

	if (list_empty(&a->timed)) {
		uv_timer_stop(&a->timer);
		return;
	}
	first = list_entry(a->timed.next, struct conn, timed);
	uv_timer_start(&a->timer, on_timer, first->deadline_ms > now ? first->deadline_ms - now : 0,
		       0);
}

static void on_timer(uv_timer_t *timer)
{
	struct api *a = timer->data;

	while (!list_empty(&a->timed)) {
		struct conn *c = list_entry(a->timed.next, struct conn, timed);

		if (c->deadline_ms > uv_now(a->loop))
			break;
		conn_fatal(c, KCF_TIMED_OUT,
			   c->state == CONN_NEW ? "no hello in time"
						: "a frame is not completed in time");
	}
	arm_timer(a);
}

void api_time_conn(struct api *a, struct conn *c)
{
	c->deadline_ms = uv_now(a->loop) + frame_ms(a);
	list_push(&a->timed, &c->timed);
	/* Later ones are behind it, and one that ends early only makes the timer look once for
	 * nothing. */
	if (!uv_is_active((uv_handle_t *)&a->timer))
		arm_timer(a);
}

static void on_credit_timer(uv_timer_t *timer)
{
	struct api *a = timer->data;

	a->credit.now_ms = uv_now(a->loop);
	if (!credit_serve(&a->credit))
		uv_timer_stop(timer);
}

void api_credit_waits(struct api *a)
{
	if (!uv_is_active((uv_handle_t *)&a->credit_timer))
		uv_timer_start(&a->credit_timer, on_credit_timer, CREDIT_TICK_MS, CREDIT_TICK_MS);
}

/* ---- from the core ---- */

/* The module of a provider that clients may load; false: none. */
static bool find_module(struct api *a, const char *provider, struct core_module *ret)
{
	struct core_module all[TABLE_PROVIDERS];
	unsigned n = core_modules(a->core, all, TABLE_PROVIDERS);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(all[i].name, provider))
			continue;
		*ret = all[i];
		return true;
	}
	return false;
}

static void on_core_event(void *arg, enum kcf_event_type type, const char *mechanism,
			  const char *provider)
{
	struct api *a = arg;
	struct wire_msg msg = {.type = FRAME_EVENT};
	struct core_module module;
	bool has_module =
		a->core && type == KCF_EVENT_PROVIDER_ADDED && find_module(a, provider, &module);

	msg.event.type = type;
	msg.event.mechanism = mechanism ? mechanism : "";
	msg.event.provider = provider ? provider : "";
	list_for_each(l, &a->conns)
	{
		struct conn *c = list_entry(l, struct conn, link);

		if (c->state != CONN_SERVED)
			continue;
		msg.event.module = 0;
		if (has_module && (c->features & FEATURE_MODULES) &&
		    conn_send_fds(c, &module.fd, &(bool){false}, 1))
			msg.event.module = module.row + 1;
		conn_send(c, &msg, 0);
	}
}

static void on_core_room(void *arg, uint32_t provider_row1)
{
	struct api *a = arg;

	if (!list_empty(&a->credit.wants))
		credit_serve(&a->credit);
}

static void on_credit_room(struct credit_account *account, uint32_t units, uint32_t provider_row1)
{
	struct conn *c = container_of(account, struct conn, credit);
	struct wire_msg msg = {.type = FRAME_ROOM};

	msg.room.units = units;
	msg.room.provider = provider_row1;
	conn_send(c, &msg, 0);
}

/* ---- life ---- */

int api_init(struct api *a, uv_loop_t *loop, uint64_t daemon_id)
{
	memset(a, 0, sizeof(*a));
	if (!quick_entries_init(&a->quick))
		return UV_ENOMEM;
	a->loop = loop;
	a->daemon_id = daemon_id;
	a->own_uid = geteuid();
	a->events = (struct core_events){on_core_event, on_core_room, a};
	list_init(&a->conns);
	list_init(&a->dirty);
	list_init(&a->timed);
	listener_init(&a->listener, a);
	credit_init(&a->credit, on_credit_room);
	codec_init(&a->arena);
	uv_check_init(loop, &a->check);
	uv_prepare_init(loop, &a->prepare);
	uv_timer_init(loop, &a->timer);
	uv_timer_init(loop, &a->credit_timer);
	a->check.data = a->prepare.data = a->timer.data = a->credit_timer.data = a;
	rings_init(a);
	a->open = API_HOOKS;
	uv_check_start(&a->check, on_check);
	return uv_prepare_start(&a->prepare, on_prepare);
}

void api_set_core(struct api *a, struct core *core)
{
	a->core = core;
	credit_set_core(&a->credit, core);
}

void api_stop(struct api *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	listener_close(&a->listener);
	rings_stop(&a->rings);
	list_for_each(l, &a->conns) conn_drain(list_entry(l, struct conn, link));
}

bool api_is_quiet(const struct api *a)
{
	list_for_each(l, &a->conns)
	{
		const struct conn *c = list_entry(l, struct conn, link);

		if (c->pending.n || out_len(&c->out))
			return false;
	}
	return true;
}

void api_close_conns(struct api *a)
{
	while (!list_empty(&a->conns))
		conn_close(list_entry(a->conns.next, struct conn, link));
}

static void on_hook_closed(uv_handle_t *handle)
{
	struct api *a = handle->data;

	a->open--;
}

void api_deinit(struct api *a)
{
	listener_close(&a->listener);
	uv_close((uv_handle_t *)&a->check, on_hook_closed);
	uv_close((uv_handle_t *)&a->prepare, on_hook_closed);
	uv_close((uv_handle_t *)&a->timer, on_hook_closed);
	uv_close((uv_handle_t *)&a->credit_timer, on_hook_closed);
	rings_deinit(a, on_hook_closed);
	quick_entries_deinit(&a->quick);
	codec_deinit(&a->arena);
	iobuf_pool_deinit(&a->bufs);
}
