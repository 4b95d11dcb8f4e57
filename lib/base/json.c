/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MIN_ROOM 1024

void json_init(struct json *j)
{
	*j = (struct json){0};
}

void json_deinit(struct json *j)
{
	free(j->text);
	json_init(j);
}

bool json_ok(const struct json *j)
{
	return !j->failed && j->depth == 0 && j->text;
}

/* Room for n bytes more and the terminating zero. */
static bool json_reserve(struct json *j, size_t n)
{
	size_t want = j->len + n + 1;
	size_t room = j->room ? j->room : JSON_MIN_ROOM;
	char *text;

	if (j->failed)
		return false;
	if (want <= j->room)
		return true;
	while (room < want)
		room *= 2;
	text = realloc(j->text, room);
	if (!text) {
		j->failed = true;
		return false;
	}
	j->text = text;
	j->room = room;
	return true;
}

static void json_append(struct json *j, const char *text, size_t len)
{
	if (!json_reserve(j, len))
		return;
	memcpy(j->text + j->len, text, len);
	j->len += len;
	j->text[j->len] = 0;
}

static void json_escaped(struct json *j, const char *s)
{
	char hex[8];

	json_append(j, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			hex[0] = '\\';
			hex[1] = (char)c;
			json_append(j, hex, 2);
		} else if (c < 0x20 || c == 0x7f) {
			json_append(j, hex, (size_t)snprintf(hex, sizeof(hex), "\\u%04x", c));
		} else {
			json_append(j, s, 1);
		}
	}
	json_append(j, "\"", 1);
}

static void json_key(struct json *j, const char *key)
{
	if (j->comma)
		json_append(j, ",", 1);
	j->comma = true;
	if (key) {
		assert(j->depth > 0);
		json_escaped(j, key);
		json_append(j, ":", 1);
	}
}

static void json_open(struct json *j, const char *key, const char *brace)
{
	json_key(j, key);
	json_append(j, brace, 1);
	j->comma = false;
	j->depth++;
}

static void json_close(struct json *j, const char *brace)
{
	assert(j->depth > 0);
	j->depth--;
	json_append(j, brace, 1);
	j->comma = true;
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, "{");
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, "[");
}

void json_end_object(struct json *j)
{
	json_close(j, "}");
}

void json_end_array(struct json *j)
{
	json_close(j, "]");
}

void json_string(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_escaped(j, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	json_key(j, key);
	json_append(j, text,
		    (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value));
}

void json_double(struct json *j, const char *key, double value)
{
	char text[40];

	json_key(j, key);
	if (!isfinite(value)) /* JSON has no word for it */
		json_append(j, "null", 4);
	else
		json_append(j, text, (size_t)snprintf(text, sizeof(text), "%.9g", value));
}

void json_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_append(j, value ? "true" : "false", value ? 4 : 5);
}
