/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"

#include <errno.h>
#include <string.h>
#include "base/near.h"

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

static const char *nearest(const char *name)
{
	struct near near;

	near_init(&near, name);
	for (const struct limits_row *row = rows; row->name; row++)
		near_look(&near, row->name);
	return near.best;
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
