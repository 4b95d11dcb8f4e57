/* SPDX-License-Identifier: Apache-2.0 */
/* speed-bar - the project's bars: what each measures, and what is enough. */
#pragma once

#include "speed.h"

enum speed_rule {
	SPEED_RATIO_MIN, /* kcf / direct, or where data crosses cores kcf / limit */
	SPEED_RATIO_MAX, /* of times */
	SPEED_KCF_MIN,
	SPEED_KCF_MAX,
};

#define SPEED_LIMIT_SHARE 0.75 /* of the limit is enough */
#define SPEED_TWIN        0.8  /* a decryption's bar, of its encryption's */

struct speed_bar {
	const char *name;
	struct speed_case c;
	const struct speed_door *door;   /* NULL: memory of idle connections */
	const struct speed_door *direct; /* NULL: compared with nothing */
	bool crosses; /* the data crosses cores: the probe is run too, and its share counts */
	bool spread;  /* the worker has its CPU for itself, kcfd's loop is on the client's */
	bool vectors; /* a bar for CPUs whose vectors multi-buffer code fills */
	bool times;   /* nanoseconds an operation instead of operations a second */
	enum speed_rule rule;
	double at;
};

struct speed_result {
	double kcf, direct, limit; /* 0 = none */
};

/* The table; ends with a NULL name. */
extern const struct speed_bar speed_bar_table[];

const struct speed_bar *speed_bar_find(const char *name);
/* Has this CPU AVX-512 with vector AES and carry-less multiplication? */
bool speed_has_vectors(void);
/* What is asked of this bar on a machine with or without those. */
double speed_bar_at(const struct speed_bar *b, bool vectors);
bool speed_bar_is_met(const struct speed_bar *b, bool vectors, const struct speed_result *r);
