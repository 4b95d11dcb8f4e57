/* SPDX-License-Identifier: Apache-2.0 */
/*
 * company - is what came to wait for others, with which it would fill a provider's lanes?
 *
 * Each wait is bounded. Where nobody came waiting is tried ever more rarely, down to one time in
 * 256, and where somebody did every time again. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define COMPANY_RARELY 8u /* one time in 2^8 */

struct company {
	uint64_t since_ns; /* 0: nothing waits */
	unsigned n;        /* when it began to */
	unsigned n_alone;  /* waits in a row in which nobody came; at most COMPANY_RARELY */
	unsigned n_skipped;
};

/* n are there, not as many as could be. False: they are to run, for most_ns have passed since the
 * first call, or because it has not been worth it. */
bool company_wait(struct company *c, unsigned n, uint64_t now, uint64_t most_ns);
/* n run, whether they waited or not. */
void company_end(struct company *c, unsigned n);
