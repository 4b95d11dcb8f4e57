/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/wheel.h"

#include <assert.h>

static void on_timer(uv_timer_t *timer)
{
	struct wheel *w = timer->data;

	w->armed_tick = UINT64_MAX;
	wheel_run(w, uv_hrtime());
}

int wheel_init(struct wheel *w, uv_loop_t *loop)
{
	int err;

	*w = (struct wheel){.armed_tick = UINT64_MAX};
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
	w->done_tick = uv_hrtime() / WHEEL_TICK;
	err = uv_timer_init(loop, &w->timer);
	if (err)
		return err;
	w->timer.data = w;
	return 0;
}

/* An entry is looked at when its whole tick has passed. */
static uint64_t tick_of(uint64_t at_ns)
{
	return at_ns / WHEEL_TICK + 1;
}

static void wheel_set_timer(struct wheel *w, uint64_t tick, uint64_t now_ns)
{
	uint64_t at = tick * WHEEL_TICK;
	uint64_t ms = at > now_ns ? (at - now_ns) / 1000000 + 1 : 0;

	w->armed_tick = tick;
	/* libuv counts from the loop's cached time, which may be old by a long callback */
	uv_update_time(w->timer.loop);
	uv_timer_start(&w->timer, on_timer, ms, 0);
}

/* The first tick after done_tick whose slot is in use. n > 0. */
static uint64_t next_used(const struct wheel *w)
{
	for (uint64_t ahead = 1; ahead <= WHEEL_SLOTS;) {
		uint64_t tick = w->done_tick + ahead;
		unsigned slot = tick % WHEEL_SLOTS;
		uint64_t bits = w->used[slot / 64] >> (slot % 64);

		if (bits)
			return tick + (unsigned)__builtin_ctzll(bits);
		ahead += 64 - slot % 64;
	}
	return w->done_tick + WHEEL_SLOTS;
}

void wheel_arm(struct wheel *w, struct wheel_entry *e, uint64_t at_ns)
{
	uint64_t tick = tick_of(at_ns);
	unsigned slot;

	wheel_disarm(w, e);
	if (!w->n) /* nothing was looked at while nothing was armed */
		w->done_tick = uv_hrtime() / WHEEL_TICK;
	if (tick <= w->done_tick)
		tick = w->done_tick + 1;
	slot = tick % WHEEL_SLOTS;
	e->at_ns = at_ns ? at_ns : 1;
	list_push(&w->slots[slot], &e->link);
	w->used[slot / 64] |= 1ull << (slot % 64);
	w->n++;
	if (tick - w->done_tick > WHEEL_SLOTS) /* seen first when its slot comes round */
		tick = w->done_tick + 1 + (tick - w->done_tick - 1) % WHEEL_SLOTS;
	if (tick < w->armed_tick)
		wheel_set_timer(w, tick, uv_hrtime());
}

void wheel_disarm(struct wheel *w, struct wheel_entry *e)
{
	if (!e->at_ns)
		return;
	assert(w->n > 0);
	list_remove(&e->link); /* the slot's bit is cleared when the slot is looked at */
	e->at_ns = 0;
	w->n--;
}

static void run_slot(struct wheel *w, unsigned slot, uint64_t now_ns)
{
	struct list due, *l;

	list_init(&due);
	list_splice(&due, &w->slots[slot]);
	w->used[slot / 64] &= ~(1ull << (slot % 64));
	while ((l = list_pop(&due))) {
		struct wheel_entry *e = list_entry(l, struct wheel_entry, link);

		if (e->at_ns > now_ns) { /* of a later turn */
			list_push(&w->slots[slot], &e->link);
			w->used[slot / 64] |= 1ull << (slot % 64);
			continue;
		}
		e->at_ns = 0;
		w->n--;
		e->fn(e);
	}
}

void wheel_run(struct wheel *w, uint64_t now_ns)
{
	uint64_t now_tick = now_ns / WHEEL_TICK;

	while (w->n > 0) {
		uint64_t tick = next_used(w);

		if (tick > now_tick)
			break;
		w->done_tick = tick;
		run_slot(w, tick % WHEEL_SLOTS, now_ns);
	}
	if (w->done_tick < now_tick)
		w->done_tick = now_tick;
	if (w->n > 0) {
		uint64_t tick = next_used(w);

		if (tick < w->armed_tick)
			wheel_set_timer(w, tick, now_ns);
	}
}

void wheel_close(struct wheel *w, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&w->timer, closed);
}
