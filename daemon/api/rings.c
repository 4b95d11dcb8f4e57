/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rings.h"

#include <string.h>
#include "api/api.h"
#include "api/conn-private.h"
#include "api/conn-ring.h"

/* Who spins is counted anew this often while there is work, and while there is none: clients write
 * what is looked at with every step they take. */
#define COUNT_NS      10000u
#define COUNT_IDLE_NS 2000u
/* A client between two steps may look like one that waits: that long it does not count. */
#define DOUBT_NS 5000u

static void on_idle(uv_idle_t *idle)
{
}

void rings_init(struct api *a)
{
	struct rings *rs = &a->rings;

	memset(rs, 0, sizeof(*rs));
	list_init(&rs->awake);
	list_init(&rs->answered);
	uv_idle_init(a->loop, &rs->idle);
	rs->idle.data = a;
	spin_init(&rs->spin, "/proc/loadavg", 0);
}

void rings_deinit(struct api *a, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&a->rings.idle, closed);
	spin_deinit(&a->rings.spin);
}

void rings_add(struct rings *rs, struct conn_ring *cr)
{
	list_push(&rs->awake, &cr->awake);
	cr->last_ns = uv_hrtime();
	cr->looked_ns = rs->looked_ns;
	if (!rs->idle_on)
		uv_idle_start(&rs->idle, on_idle);
	rs->idle_on = true;
}

void rings_count_add(struct rings_count *sum, const struct rings_count *count)
{
	sum->entries += count->entries;
	sum->completions += count->completions;
	sum->by_socket += count->by_socket;
	sum->bells_heard += count->bells_heard;
	sum->bells_rung += count->bells_rung;
}

void rings_show(struct rings *rs)
{
	struct list *l;

	while ((l = list_pop(&rs->answered)))
		conn_ring_show(list_entry(l, struct conn_ring, answered));
}

void rings_stop(struct rings *rs)
{
	while (list_pop(&rs->awake))
		;
	uv_idle_stop(&rs->idle);
	rs->idle_on = false;
}

/* ---- a round ---- */

static bool is_tired(const struct rings *rs, const struct conn_ring *cr, uint64_t now)
{
	if (rs->patience_ns == UINT64_MAX) /* there is work, so looking costs no time */
		return now - cr->last_ns >= AWAKE_NS;
	return rs->looked_ns - cr->looked_ns >= rs->patience_ns;
}

static unsigned visit(struct rings *rs, struct conn_ring *cr, uint64_t now)
{
	if (!ring_has_entry(&cr->s)) {
		if (is_tired(rs, cr, now) && conn_ring_sleep(cr))
			rs->sleeps++;
		return 0;
	}
	if (!conn_has_room_out(cr->conn)) { /* conn_flush wakes it */
		list_remove(&cr->awake);
		return 0;
	}
	cr->last_ns = now;
	cr->looked_ns = rs->looked_ns;
	return conn_ring_take(cr, VISIT);
}

/* Take from one after the other; those that are not reached are the first in the next round. What is
 * enough for a turn is run and answered before more is taken. */
static unsigned visit_all(struct api *a, uint64_t now)
{
	struct rings *rs = &a->rings;
	struct list batch, *l;
	unsigned n = 0, n_rings = 0;

	list_init(&batch);
	list_splice(&batch, &rs->awake);
	while (n < ROUND_ENTRIES && (l = list_pop(&batch))) {
		list_push(&rs->awake, l);
		n_rings++;
		n += visit(rs, list_entry(l, struct conn_ring, awake), now);
		if (!sched_is_full(a->core))
			continue;
		quick_entries_run(a);
		sched_kick(a->core);
		rings_show(rs);
	}
	if (sched_is_due(a->core) || !quick_entries_wait(a, n_rings, now))
		quick_entries_run(a);
	list_splice(&batch, &rs->awake);
	list_splice(&rs->awake, &batch);
	return n;
}

/* Was there something to do? */
static bool run_round(struct api *a, uint64_t now)
{
	struct rings *rs = &a->rings;
	unsigned n = visit_all(a, now);

	rs->rounds++;
	if (sched_is_due(a->core))
		sched_kick(a->core);
	else if (!n && !a->quick.n)
		return false;
	rings_show(rs);
	return true;
}

/* ---- looking ---- */

/* Threads of clients that spin. */
static unsigned count_spinners(const struct rings *rs)
{
	unsigned n = 0;

	list_for_each(l, &rs->awake)
	{
		n += ring_client_waits(&list_entry(l, struct conn_ring, awake)->s);
	}
	return n;
}

/* How long anybody may look; 0: nobody. */
static uint64_t spin_ns(const struct api *a)
{
	const struct spin *sp = &a->rings.spin;

	return sp->crowded || sp->cpus < 2 ? 0 : core_limits(a->core)->spin_us * 1000;
}

static void tell(struct api *a, unsigned n_spinners)
{
	a->rings.n_spinners = n_spinners;
	core_tell_spinners(a->core, n_spinners, spin_ns(a) == 0);
}

/* How long kcfd may look; `spent`: what the last round took. */
static uint64_t patience(struct rings *rs, uint64_t limit, uint64_t spent)
{
	if (spin_permits(&rs->spin, rs->n_spinners)) {
		rs->doubted_ns = 0;
		return limit;
	}
	rs->doubted_ns += spent;
	return rs->doubted_ns < DOUBT_NS ? limit : 0;
}

/* The end of a round: how long may be looked? */
static void settle(struct api *a, bool worked, uint64_t from, uint64_t now)
{
	struct rings *rs = &a->rings;

	if (now - rs->counted_ns >= (worked ? COUNT_NS : COUNT_IDLE_NS)) {
		rs->counted_ns = now;
		spin_is_crowded(&rs->spin, now);
		tell(a, count_spinners(rs));
	}
	if (worked) {
		rs->patience_ns = UINT64_MAX;
		rs->doubted_ns = 0;
		return;
	}
	rs->looked_ns += now - from;
	rs->patience_ns = patience(rs, spin_ns(a), now - from);
}

void rings_turn(struct api *a)
{
	struct rings *rs = &a->rings;
	uint64_t begun = uv_hrtime(), from = begun, now;

	do {
		bool worked = run_round(a, from);

		now = uv_hrtime();
		settle(a, worked, from, now);
		from = now;
	} while (!list_empty(&rs->awake) && list_empty(&a->dirty) && now - begun < ROUNDS_NS);
	if (a->quick.n) { /* it waited for company */
		quick_entries_run(a);
		rings_show(rs);
	}
	if (!list_empty(&rs->awake) || !rs->idle_on)
		return;
	tell(a, 0);
	quick_rest(a->core);
	uv_idle_stop(&rs->idle);
	rs->idle_on = false;
}
