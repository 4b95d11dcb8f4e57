/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-hardware-first - the order of candidates in the default mode.
 *
 * A device from the mechanism's threshold up, the least loaded first; then software, the cheapest
 * first; then a device below the threshold. The beginning of a context has no size, so the mode
 * alone does not make it begin on a device where software could do it.
 */
#include "core/sched-mode.h"

void mode_hardware_first(struct order *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct candidate *c = &o->c[i];

		if (c->offer->provider->hardware) {
			c->rank = o->size != SIZE_MAX && o->size >= o->mech->threshold ? 0 : 2;
			c->place = candidate_load(c);
		} else {
			c->rank = 1;
			c->place = candidate_cost_place(c);
		}
	}
}
