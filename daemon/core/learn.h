/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn - what jobs took goes back to the costs of their offers.
 *
 * Of the many jobs one submit in LEARN_EVERY is looked at. Only what went well, in one part, and
 * whose length says how much work it was teaches anything. Loop thread.
 */
#pragma once

#include "core/core.h"

#define LEARN_EVERY 16u

struct mech;
struct offer;

/* Is the submit that comes now, or was, to be looked at? */
bool learn_wants(struct core *core);
/* n jobs of m were done by one submit: is this what those that come will find? */
void learn_company(struct mech *m, unsigned n);
/* n jobs of one submit took ns together. */
void learn_submit(struct request *const *rs, unsigned n, uint64_t ns);
/* The same for n jobs of one offer that all went well; bytes: of all. */
void learn_jobs(struct offer *offer, unsigned n, uint64_t bytes, uint64_t ns);
/* A device answered after ns. */
void learn_device(struct request *r, uint64_t ns);
