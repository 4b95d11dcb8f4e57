/* SPDX-License-Identifier: Apache-2.0 */
/* rsp: see rsp.h. */
#include "rsp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void rsp_open(struct rsp *r, const char *path)
{
	FILE *f = fopen(path, "re");
	long len;

	memset(r, 0, sizeof(*r));
	if (!f || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0)
		die("%s: %s", path, strerror(errno));
	rewind(f);
	r->text = malloc((size_t)len + 1);
	if (!r->text || fread(r->text, 1, (size_t)len, f) != (size_t)len)
		die("%s: cannot be read", path);
	r->text[len] = '\0';
	r->next = r->text;
	fclose(f);
}

void rsp_close(struct rsp *r)
{
	free(r->text);
	r->text = NULL;
}

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

static void set_field(struct rsp *r, const char *name, const char *value)
{
	unsigned i;

	for (i = 0; i < r->n_fields && strcasecmp(r->fields[i].name, name) != 0; i++)
		;
	if (i == RSP_FIELDS_MAX)
		die("line %u: more than %u names", r->line, RSP_FIELDS_MAX);
	r->fields[i].name = name;
	r->fields[i].value = value;
	if (i == r->n_fields)
		r->n_fields++;
}

/* "A = 1, B = 2" to fields. */
static void read_section(struct rsp *r, char *text)
{
	char *part, *state, *equals;

	snprintf(r->section, sizeof(r->section), "%s", text);
	for (part = strtok_r(text, ",", &state); part; part = strtok_r(NULL, ",", &state)) {
		equals = strchr(part, '=');
		if (!equals)
			continue;
		*equals = '\0';
		set_field(r, trim(part), trim(equals + 1));
	}
}

enum rsp_event rsp_next(struct rsp *r)
{
	char *line, *equals;
	size_t len;

	while (*r->next) {
		line = r->next;
		len = strcspn(line, "\n");
		r->next += len + (line[len] == '\n');
		line[len] = '\0';
		r->line++;
		line = trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		r->name = line;
		r->value = NULL;
		len = strlen(line);
		if (*line == '[' && line[len - 1] == ']') {
			line[len - 1] = '\0';
			read_section(r, line + 1);
			r->name = r->section;
			return RSP_SECTION;
		}
		equals = strchr(line, '=');
		if (!equals)
			return RSP_WORD;
		*equals = '\0';
		r->name = trim(line);
		r->value = trim(equals + 1);
		set_field(r, r->name, r->value);
		return RSP_FIELD;
	}
	return RSP_END;
}

bool rsp_is(const struct rsp *r, enum rsp_event event, const char *name)
{
	return event == RSP_FIELD && strcasecmp(r->name, name) == 0;
}

const char *rsp_get(const struct rsp *r, const char *name)
{
	unsigned i;

	for (i = 0; i < r->n_fields; i++) {
		if (!strcasecmp(r->fields[i].name, name))
			return r->fields[i].value;
	}
	return NULL;
}

void rsp_unset(struct rsp *r, const char *name)
{
	unsigned i;

	for (i = 0; i < r->n_fields; i++) {
		if (!strcasecmp(r->fields[i].name, name))
			r->fields[i].value = NULL;
	}
}

long rsp_num(const struct rsp *r, const char *name, long fallback)
{
	const char *value = rsp_get(r, name);

	return value ? strtol(value, NULL, 10) : fallback;
}

struct bytes rsp_hex(const struct rsp *r, const char *name, struct set *set)
{
	const char *value = rsp_get(r, name);

	if (!value)
		return set_copy(set, NULL, 0);
	if (*value == '"')
		return set_copy(set, value + 1, strcspn(value + 1, "\""));
	return set_hex(set, value);
}
