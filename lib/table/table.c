/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - look-up in a copy of the table, shared by the writer and the readers.
 *
 * Pure functions over a copy that does not change meanwhile. Any thread.
 */
#include <string.h>
#include "table/table.h"

int table_find(const struct table_copy *c, uint32_t number)
{
	for (uint32_t i = 0; i < c->n_mechs; i++)
		if (c->mechs[i].number == number)
			return (int)i;
	return -1;
}

int table_find_name(const struct table_copy *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_mechs; i++)
		if (!strcmp(c->mechs[i].name, name))
			return (int)i;
	return -1;
}
