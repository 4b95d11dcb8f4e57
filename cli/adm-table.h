/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adm-table - JSON as text for people: an array of objects becomes a table, its columns chosen and
 * named by the command; an object becomes "name: value" lines. Numbers are right-aligned. One
 * thread.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

struct adm_column {
	const char *key;
	const char *title;
};

/* Columns end with a NULL key; a column no row has is left out. columns NULL: all keys, as they
 * come. */
void adm_table(FILE *out, const json_t *rows, const struct adm_column *columns);
/* Scalars of an object, one a line. */
void adm_fields(FILE *out, const json_t *object);
/* A value as text: arrays joined by ", ", true and false as yes and no. malloc'ed. */
char *adm_text(const json_t *value);
