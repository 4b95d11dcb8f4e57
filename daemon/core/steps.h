/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps - init, updates and final of one operation as one request, on a hidden context.
 *
 * Pinned to the provider of the init; begun anew elsewhere only before a step was reported and
 * while no step has overwritten its own input. Loop thread.
 */
#pragma once

#include "core/sched.h"

/* What the present call on a context works on. */
struct part {
	uint16_t phase;
	const struct request_data *in, *out, *check;
};

struct part part_of(const struct request *r);
/* Are kinds, count and operation in order? */
enum kcf_status steps_check(const struct request *r);
/* The present step ended well, out_len bytes; true: there is another, s->step is set. */
bool steps_next(struct request *r, size_t out_len);
/* May all of it be repeated elsewhere? */
bool steps_may_restart(const struct request *r);
void steps_restart(struct request *r);
