/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - appends JSON text to a growing buffer. Commas and escaping are its business; nesting is
 * the caller's, checked by asserts. One owner, any thread. An allocation failure is remembered and
 * told by json_ok.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
	char *text; /* zero-terminated; owned */
	size_t len, room;
	bool comma, failed;
	unsigned depth;
};

void json_init(struct json *j);
void json_deinit(struct json *j);
bool json_ok(const struct json *j);

/* key NULL: array element or the top value. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_string(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_double(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
