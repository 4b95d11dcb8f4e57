/* SPDX-License-Identifier: Apache-2.0 */
/* speed-sweep - one thing varied, the rest held: what was measured, as rows. */
#pragma once

#include "speed.h"

enum speed_sweep { SPEED_SIZES, SPEED_DEPTHS, SPEED_CLIENTS, SPEED_LOADS, SPEED_SWEEPS };

struct speed_row {
	enum speed_sweep sweep;
	enum speed_work_kind work;
	size_t size;
	unsigned depth, clients;
	const char *door;
	double offered;        /* operations a second, of a load; else 0 */
	double rate;           /* done a second */
	double p50, p99, p999; /* microseconds; 0 = not measured */
};

struct speed_rows {
	struct speed_row *rows;
	size_t n, room;
};

struct speed_sweep_options {
	unsigned sweeps; /* bits 1 << enum speed_sweep */
	unsigned works;  /* bits 1 << enum speed_work_kind */
	bool json, quick;
	double seconds; /* a turn */
};

/* Bytes a second are counted by input. */
static inline double speed_row_gb(const struct speed_row *r)
{
	return r->rate * (double)r->size / 1e9;
}

/* Measures and prints as it goes; keeps the rows. False after an error, which is said. */
bool speed_sweep(const struct speed_sweep_options *o, const struct speed_case *base,
		 struct kcf_client *client, struct speed_rows *ret);
