/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include <check.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum kcf_status ask(const struct harness_kcfd *h, const char *command, va_list args,
			   char **ret_error, json_t **ret_json)
{
	struct wire_msg msg = {.type = FRAME_ADMIN, .admin = {.command = command}};
	struct wire_hello_reply hello;
	struct harness_frame f;
	struct harness_raw r;
	json_error_t error;
	enum kcf_status st;

	while ((msg.admin.args[msg.admin.n_args] = va_arg(args, const char *)))
		msg.admin.n_args++;
	harness_raw_open(&r, h);
	harness_raw_hello(&r, &hello);
	ck_assert(harness_raw_send(&r, &msg, 1, NULL, 0));
	harness_raw_expect(&r, FRAME_ADMIN_REPLY, &f);
	st = f.msg.admin_reply.status;
	if (ret_error)
		*ret_error = strdup(f.msg.admin_reply.error);
	if (ret_json) {
		ck_assert_msg(st == KCF_SUCCESS, "%s: %s", command, f.msg.admin_reply.error);
		*ret_json = json_loadb((const char *)f.payload, f.h.payload_len, 0, &error);
		ck_assert_msg(*ret_json != NULL, "%s: no JSON: %s", command, error.text);
	}
	harness_raw_close(&r);
	return st;
}

void admin_do(const struct harness_kcfd *h, const char *command, ...)
{
	enum kcf_status st;
	char *error;
	va_list args;

	va_start(args, command);
	st = ask(h, command, args, &error, NULL);
	va_end(args);
	ck_assert_msg(st == KCF_SUCCESS, "%s: status %d: %s", command, st, error);
	free(error);
}

enum kcf_status admin_try(const struct harness_kcfd *h, char **ret_error, const char *command, ...)
{
	enum kcf_status st;
	va_list args;

	va_start(args, command);
	st = ask(h, command, args, ret_error, NULL);
	va_end(args);
	return st;
}

json_t *admin_json(const struct harness_kcfd *h, const char *command, ...)
{
	json_t *j = NULL;
	va_list args;

	va_start(args, command);
	ask(h, command, args, NULL, &j);
	va_end(args);
	return j;
}

static unsigned count_requests(const struct harness_kcfd *h, const char *state)
{
	json_t *j = admin_json(h, "requests", NULL), *rows, *row;
	unsigned n = 0;
	size_t i;

	rows = json_is_array(j) ? j : json_object_get(j, "requests");
	json_array_foreach(rows, i, row)
	{
		const char *s = json_string_value(json_object_get(row, "state"));
		n += s && !strcmp(s, state);
	}
	json_decref(j);
	return n;
}

void admin_wait_requests(const struct harness_kcfd *h, const char *state, unsigned n)
{
	struct timespec pause = {0, 2000000};
	unsigned have = 0;

	for (int i = 0; i < HARNESS_PATIENCE_MS / 2; i++) {
		have = count_requests(h, state);
		if (have >= n)
			return;
		nanosleep(&pause, NULL);
	}
	ck_abort_msg("waited for %u %s requests, saw %u", n, state, have);
}

static bool matches(const json_t *row, const char *key, const char *want)
{
	const char *have = json_string_value(json_object_get(row, key));

	return !want || (have && !strcmp(have, want));
}

uint64_t admin_stat(const struct harness_kcfd *h, const char *counter, const char *place,
		    const char *mechanism, const char *provider)
{
	json_t *j = admin_json(h, "stats", NULL), *row;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach(json_object_get(j, "rows"), i, row)
	{
		if (matches(row, "place", place) && matches(row, "mechanism", mechanism) &&
		    matches(row, "provider", provider))
			sum += json_integer_value(json_object_get(row, counter));
	}
	json_decref(j);
	return sum;
}
