/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-round-robin - each candidate of a mechanism has its turn, in order of registration.
 *
 * The beginning of a context has no size, so the mode alone does not make it begin on a device
 * where software could do it.
 */
#include "core/sched-mode.h"

void mode_round_robin(struct order *o)
{
	unsigned turn = (unsigned)(o->mech->turn % o->n);

	for (unsigned i = 0; i < o->n; i++) {
		struct candidate *c = &o->c[i];

		c->rank = o->size == SIZE_MAX && c->offer->provider->hardware;
		c->place = (i + o->n - turn) % o->n;
	}
}
