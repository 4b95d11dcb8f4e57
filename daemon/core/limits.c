/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"

#include <errno.h>
#include <string.h>

static const struct limits_row rows[] = {
#define LIMITS__X(name, def, min, max, text)                                                       \
	{#name, text, def, min, max, offsetof(struct limits, name)},
	LIMITS_LIST(LIMITS__X)
#undef LIMITS__X
		{0},
};

const struct limits_row *limits_rows(void)
{
	return rows;
}

static uint64_t *limits_field(struct limits *l, const struct limits_row *row)
{
	return (uint64_t *)((char *)l + row->offset);
}

void limits_init(struct limits *l)
{
	for (const struct limits_row *row = rows; row->name; row++)
		*limits_field(l, row) = row->def;
}

/* Letters of either name that have no partner in order in the other: enough to find a typing error.
 */
static size_t distance(const char *a, const char *b)
{
	size_t cost[64], n = strlen(b);

	if (n >= sizeof(cost) / sizeof(cost[0]))
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		cost[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = cost[0];

		cost[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = cost[j];
			if (cost[j] + 1 < best)
				best = cost[j] + 1;
			if (cost[j - 1] + 1 < best)
				best = cost[j - 1] + 1;
			cost[j] = best;
		}
	}
	return cost[n];
}

static const char *nearest(const char *name)
{
	const char *best = NULL;
	size_t least = strlen(name) / 2 + 1; /* farther than this is no hint */

	for (const struct limits_row *row = rows; row->name; row++) {
		size_t d = distance(name, row->name);

		if (d < least) {
			least = d;
			best = row->name;
		}
	}
	return best;
}

int limits_set(struct limits *l, const char *name, uint64_t value, const char **ret_near)
{
	for (const struct limits_row *row = rows; row->name; row++) {
		if (strcmp(row->name, name) != 0)
			continue;
		if (value < row->min || value > row->max)
			return -ERANGE;
		*limits_field(l, row) = value;
		return 0;
	}
	if (ret_near)
		*ret_near = nearest(name);
	return -ENOENT;
}
