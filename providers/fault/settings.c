/* SPDX-License-Identifier: Apache-2.0 */
/* settings: see settings.h. Plain data of one instance. Thread: loop. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key;
	size_t offset;
	int64_t min;
} numbers[] = {
	{"slots", offsetof(struct settings, slots), 1},
	{"latency-us", offsetof(struct settings, latency_us), 0},
	{"fail-count", offsetof(struct settings, fail_count), -1},
	{"lose", offsetof(struct settings, lose), 0},
	{"wrong", offsetof(struct settings, wrong), 0},
	{"wrong-length", offsetof(struct settings, wrong_length), 0},
	{"max-input", offsetof(struct settings, max_input), 0},
};

static const struct {
	const char *key, *off, *on;
	size_t offset;
} switches[] = {
	{"gate", "open", "closed", offsetof(struct settings, gate_closed)},
	{"self-test", "pass", "fail", offsetof(struct settings, self_test_fails)},
};

static const struct {
	const char *name;
	enum kcf_status status;
} failures[] = {
	{"device-error", KCF_DEVICE_ERROR},
	{"device-memory", KCF_DEVICE_MEMORY},
	{"device-removed", KCF_DEVICE_REMOVED},
	{"failed", KCF_FAILED},
	{"busy", KCF_BUSY},
	{"buffer-too-big", KCF_BUFFER_TOO_BIG},
	{"key-size-range", KCF_KEY_SIZE_RANGE},
	{"host-memory", KCF_HOST_MEMORY},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->slots = 64;
	s->fail_count = -1;
}

bool settings_number(const char *text, int64_t *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		return false;
	*ret = n;
	return true;
}

static bool failure_find(const char *name, size_t len, enum kcf_status *ret)
{
	size_t i;

	for (i = 0; i < COUNT(failures); i++) {
		if (strlen(failures[i].name) == len && !memcmp(failures[i].name, name, len)) {
			*ret = failures[i].status;
			return true;
		}
	}
	return false;
}

static enum kcf_status set_fail(struct settings *s, const char *value)
{
	enum kcf_status list[FAIL_MAX];
	unsigned n = 0;
	size_t len;

	if (strcmp(value, "none") != 0) {
		for (;; value += len + 1) {
			len = strcspn(value, ",");
			if (n == FAIL_MAX || !failure_find(value, len, &list[n++]))
				return KCF_ARGUMENTS_BAD;
			if (value[len] == '\0')
				break;
		}
	}
	memcpy(s->fail, list, n * sizeof(list[0]));
	s->n_fail = n;
	s->next_fail = 0;
	return KCF_SUCCESS;
}

enum kcf_status settings_set(struct settings *s, const char *key, const char *value)
{
	int64_t number;
	size_t i;

	for (i = 0; i < COUNT(numbers); i++) {
		if (strcmp(numbers[i].key, key) != 0)
			continue;
		if (!settings_number(value, &number) || number < numbers[i].min)
			return KCF_ARGUMENTS_BAD;
		*(int64_t *)((char *)s + numbers[i].offset) = number;
		return KCF_SUCCESS;
	}
	for (i = 0; i < COUNT(switches); i++) {
		if (strcmp(switches[i].key, key) != 0)
			continue;
		if (strcmp(value, switches[i].on) != 0 && strcmp(value, switches[i].off) != 0)
			return KCF_ARGUMENTS_BAD;
		*(bool *)((char *)s + switches[i].offset) = !strcmp(value, switches[i].on);
		return KCF_SUCCESS;
	}
	return strcmp(key, "fail") == 0 ? set_fail(s, value) : KCF_NOT_FOUND;
}

static enum kcf_status load(struct settings *s, const struct kcf_host *host, const char *key)
{
	const char *value = host->config(host, key);
	enum kcf_status status = value ? settings_set(s, key, value) : KCF_SUCCESS;

	if (status != KCF_SUCCESS)
		host->log(host, KCF_LOG_ERROR, "%s: cannot be \"%s\"", key, value);
	return status;
}

enum kcf_status settings_load(struct settings *s, const struct kcf_host *host)
{
	enum kcf_status status = load(s, host, "fail");
	size_t i;

	for (i = 0; i < COUNT(numbers) && status == KCF_SUCCESS; i++)
		status = load(s, host, numbers[i].key);
	for (i = 0; i < COUNT(switches) && status == KCF_SUCCESS; i++)
		status = load(s, host, switches[i].key);
	return status;
}

static bool count_down(int64_t *n)
{
	if (*n == 0)
		return false;
	if (*n > 0)
		(*n)--;
	return true;
}

enum plan settings_plan(struct settings *s, enum kcf_status *ret_status)
{
	if (s->n_fail > 0 && count_down(&s->fail_count)) {
		*ret_status = s->fail[s->next_fail++ % s->n_fail];
		return PLAN_FAIL;
	}
	if (count_down(&s->lose))
		return PLAN_LOSE;
	if (count_down(&s->wrong_length))
		return PLAN_WRONG_LENGTH;
	return count_down(&s->wrong) ? PLAN_WRONG : PLAN_ANSWER;
}
