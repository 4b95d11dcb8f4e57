/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - counters per provider, mechanism and place.
 *
 * A row is made at a provider's registration or at a client's first report and stays. Rows are
 * bounded; what does not fit is counted in one row "other". Histograms have a bucket per power of
 * two from 1 us. Loop thread.
 */
#pragma once

#include "core/core.h"

#define STATS_BUCKETS     24u
#define STATS_MAX         4096u
#define STATS_CALLER_HASH 256u

enum stat_place { STAT_KCFD = 0, STAT_HARDWARE, STAT_CALLER, STAT_PLACES };

struct stats_row {
	struct list link;
	uint32_t mech;
	char provider[KCF_NAME_MAX];
	enum stat_place place;
	uint64_t ops, bytes, errors, busy;
	uint64_t wait_ns, service_ns, samples; /* caller: samples of service time */
	uint64_t wait[STATS_BUCKETS], service[STATS_BUCKETS];
};

struct stats {
	struct list rows;
	unsigned n_rows;
	struct stats_row other;
	struct list callers[STATS_CALLER_HASH]; /* last report of each connection */
	uint64_t probes, failovers, canceled, timed_out, refused, loop_turns;
};

void stats_init(struct core *core);
void stats_deinit(struct core *core);
struct stats_row *stats_get(struct core *core, uint32_t mech, const char *provider,
			    enum stat_place place);
void stat_histogram_add(uint64_t *buckets, uint64_t ns, uint64_t n);
