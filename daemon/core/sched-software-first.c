/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-software-first - software before devices whatever the size: the cheapest software first,
 * then the least loaded device.
 */
#include "core/sched-mode.h"

void mode_software_first(struct order *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct candidate *c = &o->c[i];
		bool hardware = c->offer->provider->hardware;

		c->rank = hardware;
		c->place = hardware ? candidate_load(c) : candidate_cost_place(c);
	}
}
