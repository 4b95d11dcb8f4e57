/* SPDX-License-Identifier: Apache-2.0 */
#include "bed.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bed_open(struct bed *b, const char *config)
{
	static const char *const names[] = {"nettle", "fault", "null", "held-a", "held-b"};

	memset(b, 0, sizeof(*b));
	collect_init(&b->done);
	modules_init(&b->modules);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		modules_add(&b->modules, names[i], names[i]);
	if (access(TEST_MODULE_DIR "/kcf-multibuffer.so", R_OK) == 0)
		modules_add(&b->modules, "multibuffer", "multibuffer");
	modules_start(&b->modules, &b->kcfd, config);
	b->options = (struct kcf_client_options){.size = sizeof(b->options),
						 .socket = b->kcfd.socket,
						 .on_event = collect_event_cb,
						 .event_arg = &b->done};
	ck_assert_int_eq(kcf_client_open(&b->options, &b->client), KCF_SUCCESS);
}

void bed_close(struct bed *b)
{
	if (b->client)
		ck_assert_int_eq(kcf_client_close(b->client), KCF_SUCCESS);
	harness_kcfd_stop(&b->kcfd);
	modules_deinit(&b->modules);
	collect_deinit(&b->done);
}

struct kcf_mechanism bed_mech(struct bed *b, const char *name)
{
	struct kcf_mechanism m = {0, 0, NULL};

	ck_assert_int_eq(kcf_mech_find(b->client, name, &m.number), KCF_SUCCESS);
	return m;
}

uint64_t bed_stat(struct bed *b, const char *key)
{
	json_t *j = admin_json(&b->kcfd, "stats", NULL), *value = json_object_get(j, key);
	uint64_t n;

	ck_assert_msg(json_is_integer(value), "stats: no %s", key);
	n = (uint64_t)json_integer_value(value);
	json_decref(j);
	return n;
}

void bed_wait_stat(struct bed *b, const char *key, uint64_t value)
{
	struct timespec pause = {0, 2000000};
	uint64_t n = 0;

	for (int i = 0; i < HARNESS_PATIENCE_MS / 2; i++) {
		n = bed_stat(b, key);
		if (n == value)
			return;
		nanosleep(&pause, NULL);
	}
	ck_abort_msg("waited for %s to be %llu, it is %llu", key, (unsigned long long)value,
		     (unsigned long long)n);
}

const char *bed_text(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* The row of `list`, with *ret_all to let go of. */
static json_t *find_provider(struct bed *b, const char *provider, json_t **ret_all)
{
	json_t *row, *found = NULL;
	size_t i;

	*ret_all = admin_json(&b->kcfd, "list", NULL);
	json_array_foreach(json_object_get(*ret_all, "providers"), i, row)
	{
		if (!strcmp(bed_text(row, "name"), provider))
			found = row;
	}
	return found;
}

uint64_t bed_provider(struct bed *b, const char *provider, const char *key)
{
	json_t *all, *row = find_provider(b, provider, &all), *value = json_object_get(row, key);
	uint64_t n;

	ck_assert_msg(json_is_integer(value), "%s has no %s", provider, key);
	n = (uint64_t)json_integer_value(value);
	json_decref(all);
	return n;
}

bool bed_has_provider(struct bed *b, const char *provider)
{
	json_t *all;
	bool found = find_provider(b, provider, &all) != NULL;

	json_decref(all);
	return found;
}

enum kcf_status bed_end(struct bed *b, enum kcf_status status, unsigned n)
{
	if (status != KCF_QUEUED)
		return status;
	collect_wait(&b->done, n);
	return b->done.status;
}

json_t *bed_trace(struct bed *b, unsigned n)
{
	char count[16];
	json_t *j, *rows;

	snprintf(count, sizeof(count), "%u", n);
	j = admin_json(&b->kcfd, "trace", count, NULL);
	rows = json_incref(json_object_get(j, "trace"));
	json_decref(j);
	return rows;
}
