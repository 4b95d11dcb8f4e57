/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wheel - many deadlines, one timer. Arming and disarming are O(1) and make no system call.
 *
 * Entries hash by time into slots of WHEEL_TICK; a bitmap finds the next slot in use, and the
 * loop's timer is set for that one alone, so a wheel without entries due soon wakes nobody. An
 * entry beyond one turn stays in its slot until its time has come. Never early, at most two ticks
 * late. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/list.h"

#define WHEEL_TICK  4000000u /* nanoseconds */
#define WHEEL_SLOTS 1024u

struct wheel_entry {
	struct list link;
	uint64_t at_ns;                    /* 0: not armed */
	void (*fn)(struct wheel_entry *e); /* disarmed before it runs */
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64]; /* bit per slot */
	uint64_t done_tick;              /* all slots up to here were looked at */
	uint64_t armed_tick;             /* the timer is set for this one; UINT64_MAX: not set */
	uint32_t n;
	uv_timer_t timer;
};

int wheel_init(struct wheel *w, uv_loop_t *loop);
/* e->fn is set. at_ns on uv_hrtime's clock; moves an armed entry. */
void wheel_arm(struct wheel *w, struct wheel_entry *e, uint64_t at_ns);
void wheel_disarm(struct wheel *w, struct wheel_entry *e);
/* Run what is due; the timer calls it too. */
void wheel_run(struct wheel *w, uint64_t now_ns);
void wheel_close(struct wheel *w, uv_close_cb closed);
