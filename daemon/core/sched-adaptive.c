/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-adaptive - whoever is expected to be done first: what is ahead, and then the job itself.
 *
 * The beginning of a context has no size, so the mode alone does not make it begin on a device
 * where software could do it.
 */
#include "core/sched-mode.h"

void mode_adaptive(struct order *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct candidate *c = &o->c[i];

		c->rank = o->size == SIZE_MAX && c->offer->provider->hardware;
		c->place = c->wait_ns + c->cost_ns;
	}
}
