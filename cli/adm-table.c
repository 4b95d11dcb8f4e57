/* SPDX-License-Identifier: Apache-2.0 */
/* adm-table - see adm-table.h. */
#include "adm-table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 32

struct layout {
	const char *keys[MAX_COLUMNS];
	const char *titles[MAX_COLUMNS];
	int widths[MAX_COLUMNS];
	bool numeric[MAX_COLUMNS];
	size_t n;
};

static char *joined(const json_t *array)
{
	char *text = NULL;
	size_t len = 0, i;
	json_t *value;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	json_array_foreach(array, i, value)
	{
		char *one = adm_text(value);

		fprintf(f, "%s%s", i ? ", " : "", one ? one : "");
		free(one);
	}
	fclose(f);
	return text;
}

char *adm_text(const json_t *value)
{
	char *text = NULL;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return strdup(json_string_value(value));
	case JSON_INTEGER:
		return asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0
			       ? NULL
			       : text;
	case JSON_REAL:
		return asprintf(&text, "%.2f", json_real_value(value)) < 0 ? NULL : text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_ARRAY:
		return joined(value);
	case JSON_OBJECT:
		return json_dumps(value, JSON_COMPACT);
	default:
		return strdup("");
	}
}

static bool any_row_has(const json_t *rows, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (json_object_get(row, key))
			return true;
	}
	return false;
}

static bool is_nested(const json_t *value)
{
	return json_is_object(value) || json_is_object(json_array_get(value, 0));
}

static void layout_columns(struct layout *l, const json_t *rows, const struct adm_column *columns)
{
	json_t *first = json_array_get(rows, 0), *value;
	const char *key;

	l->n = 0;
	if (!columns) {
		json_object_foreach(first, key, value)
		{
			if (l->n == MAX_COLUMNS)
				break;
			if (is_nested(value)) /* a table of its own; what matters was made text */
				continue;
			l->keys[l->n] = key;
			l->titles[l->n++] = key;
		}
		return;
	}
	for (; columns->key && l->n < MAX_COLUMNS; columns++) {
		if (!any_row_has(rows, columns->key))
			continue;
		l->keys[l->n] = columns->key;
		l->titles[l->n++] = columns->title;
	}
}

static void layout_widths(struct layout *l, const json_t *rows)
{
	json_t *row;
	size_t i;

	for (size_t c = 0; c < l->n; c++) {
		l->widths[c] = (int)strlen(l->titles[c]);
		l->numeric[c] = true;
	}
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < l->n; c++) {
			json_t *value = json_object_get(row, l->keys[c]);
			char *text = adm_text(value);
			int width = text ? (int)strlen(text) : 0;

			if (width > l->widths[c])
				l->widths[c] = width;
			if (value && !json_is_number(value))
				l->numeric[c] = false;
			free(text);
		}
	}
}

static void print_cell(FILE *out, const struct layout *l, size_t c, const char *text)
{
	bool last = c + 1 == l->n;

	if (l->numeric[c])
		fprintf(out, "%*s", l->widths[c], text);
	else if (last)
		fputs(text, out);
	else
		fprintf(out, "%-*s", l->widths[c], text);
	fputs(last ? "\n" : "  ", out);
}

void adm_table(FILE *out, const json_t *rows, const struct adm_column *columns)
{
	struct layout l;
	json_t *row;
	size_t i;

	if (json_array_size(rows) == 0)
		return;
	layout_columns(&l, rows, columns);
	layout_widths(&l, rows);
	for (size_t c = 0; c < l.n; c++)
		print_cell(out, &l, c, l.titles[c]);
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < l.n; c++) {
			char *text = adm_text(json_object_get(row, l.keys[c]));

			print_cell(out, &l, c, text ? text : "");
			free(text);
		}
	}
}

void adm_fields(FILE *out, const json_t *object)
{
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_array(value) && !json_is_object(value) && (int)strlen(key) > width)
			width = (int)strlen(key);
	}
	json_object_foreach((json_t *)object, key, value)
	{
		char *text;

		if (json_is_array(value) || json_is_object(value))
			continue;
		text = adm_text(value);
		fprintf(out, "%-*s  %s\n", width, key, text ? text : "");
		free(text);
	}
}
