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

/* Jobs of one submit: 1, 2, up to 4, 8, 16, 32, 64. */
#define STATS_SUBMITS 7u

struct stats_row {
	struct list link;
	uint32_t mech;
	char provider[KCF_NAME_MAX];
	enum stat_place place;
	uint64_t ops, bytes, errors, busy;
	uint64_t wait_ns, service_ns, samples; /* caller: samples of service time */
	uint64_t wait[STATS_BUCKETS], service[STATS_BUCKETS];
	uint64_t submits[STATS_SUBMITS];
	uint64_t submitted;  /* jobs in them */
	uint64_t lane_slots; /* of rows with lanes: places for jobs, in whole rounds of all lanes */
	uint64_t lane_jobs;  /* and how many were taken */
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
/* n jobs went to the provider together. lanes: of its row. */
void stat_submit(struct stats_row *row, unsigned n, unsigned lanes);
void stat_histogram_add(uint64_t *buckets, uint64_t ns, uint64_t n);
