/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin - may a thread look for work without sleeping?
 *
 * At most CPUs - 1 threads on the host may, and none while more threads want to run than there are
 * CPUs: that is asked of the kernel (the running count of /proc/loadavg; where that cannot be read,
 * whether this thread was interrupted for another one), once a millisecond at most. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SPIN_ASK_NS 1000000u

struct spin {
	int fd;           /* of /proc/loadavg, or -1 */
	unsigned cpus;    /* this process may use */
	unsigned running; /* CPUs there are: the running count's measure */
	uint64_t asked_ns;
	long interrupted; /* how often, last time */
	bool crowded;
};

/* path: "/proc/loadavg". cpus 0: as many as this process may use. */
void spin_init(struct spin *sp, const char *path, unsigned cpus);
void spin_deinit(struct spin *sp);
/* Are there more threads than CPUs? Asks when the last answer is old. */
bool spin_is_crowded(struct spin *sp, uint64_t now_ns);
/* May one more look, besides n that do? */
static inline bool spin_permits(const struct spin *sp, unsigned n)
{
	return !sp->crowded && n + 1 < sp->cpus;
}
