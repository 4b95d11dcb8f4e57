/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adm-show - list, stats, requests, consumers, trace: ask, then print tables. What a table leaves
 * out is seen with --verbose or --json. One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adm-table.h"
#include "kcfadm.h"
#include "tool.h"

struct section {
	const char *key; /* of the array in the answer */
	const struct adm_column *columns;
	void (*digest)(json_t *row); /* adds fields made of others; may be NULL */
	const char *empty;           /* said when there is nothing */
};

static void show_section(const json_t *answer, const struct section *s, bool verbose)
{
	json_t *rows = json_is_array(answer) ? (json_t *)answer : json_object_get(answer, s->key);
	json_t *row;
	size_t i;

	if (!rows)
		return;
	if (json_is_object(rows)) {
		adm_fields(stdout, rows);
		return;
	}
	if (json_array_size(rows) == 0) {
		puts(s->empty);
		return;
	}
	json_array_foreach(rows, i, row)
	{
		if (s->digest)
			s->digest(row);
	}
	adm_table(stdout, rows, verbose ? NULL : s->columns);
}

static void show(const json_t *answer, const struct section *sections, size_t n, bool verbose)
{
	for (size_t i = 0; i < n; i++) {
		if (i && json_object_get(answer, sections[i].key))
			putchar('\n');
		show_section(answer, &sections[i], verbose);
	}
	if (verbose && json_is_object(answer))
		adm_fields(stdout, answer);
}

static int ask_and_show(const struct adm_options *o, const char *command, const char *const *args,
			unsigned n_args, const struct section *sections, size_t n)
{
	json_t *answer;
	int code = adm_request(o, command, args, n_args, &answer);

	if (code != TOOL_OK || !answer)
		return code;
	show(answer, sections, n, o->verbose);
	json_decref(answer);
	return TOOL_OK;
}

/* ---- list ---- */

static const struct adm_column provider_columns[] = {
	{"name", "PROVIDER"},
	{"module", "MODULE"},
	{"kind", "KIND"},
	{"version", "VERSION"},
	{"state", "STATE"},
	{"mechanisms", "MECHANISMS"},
	{"enabled", "ENABLED"},
	{"description", "DESCRIPTION"},
	{0},
};

static const struct adm_column mechanism_columns[] = {
	{"name", "MECHANISM"},  {"alias", "ALIAS"},
	{"classes", "CLASSES"}, {"key_bits", "KEY BITS"},
	{"place", "PLACE"},     {"threshold", "THRESHOLD"},
	{"mode", "MODE"},       {"offers", "PROVIDERS"},
	{"note", "NOTE"},       {0},
};

static const struct adm_column policy_columns[] = {
	{"name", "LIMIT"},
	{"value", "VALUE"},
	{"default", "DEFAULT"},
	{"min", "MIN"},
	{"max", "MAX"},
	{"text", "MEANING"},
	{0},
};

/* "128-256", over all who offer it. */
static void digest_key_bits(json_t *row, const json_t *offers)
{
	json_int_t low = 0, high = 0;
	char text[48] = "";
	json_t *offer;
	size_t i;

	json_array_foreach(offers, i, offer)
	{
		json_int_t min = json_integer_value(json_object_get(offer, "key_min_bits"));
		json_int_t max = json_integer_value(json_object_get(offer, "key_max_bits"));

		low = i == 0 || min < low ? min : low;
		high = max > high ? max : high;
	}
	if (high)
		snprintf(text, sizeof(text), low == high ? "%lld" : "%lld-%lld", (long long)low,
			 (long long)high);
	json_object_set_new(row, "key_bits", json_string(text));
}

/* "4096 (measured)" */
static void digest_threshold(json_t *row)
{
	json_int_t bytes = json_integer_value(json_object_get(row, "threshold"));
	const char *from = json_string_value(json_object_get(row, "threshold_from"));
	char text[64];

	if (bytes == UINT32_MAX)
		snprintf(text, sizeof(text), "never (%s)", from ? from : "?");
	else
		snprintf(text, sizeof(text), "%lld (%s)", (long long)bytes, from ? from : "?");
	json_object_set_new(row, "threshold", json_string(text));
}

/* "60+570", in nanoseconds and nanoseconds per KiB. base: by itself, a * where it was measured. */
static void cost_text(const json_t *offer, const char *kind, bool base, char *text, size_t room)
{
	const json_t *cost = json_object_get(offer, kind);
	const char *setup = base ? "base_setup_ns" : "setup_ns";
	const char *per_kib = base ? "base_ns_per_kib" : "ns_per_kib";

	snprintf(text, room, "%lld+%lld%s",
		 (long long)json_integer_value(json_object_get(cost, setup)),
		 (long long)json_integer_value(json_object_get(cost, per_kib)),
		 base && json_is_true(json_object_get(cost, "measured")) ? "*" : "");
}

/* "openssl 60+570* 50+300*, nettle ..." */
static void digest_costs(json_t *row, const json_t *offers, bool base)
{
	char text[512] = "", alone[32], burst[32];
	size_t i, len = 0;
	json_t *offer;

	json_array_foreach(offers, i, offer)
	{
		const char *name = json_string_value(json_object_get(offer, "name"));

		cost_text(offer, "alone", base, alone, sizeof(alone));
		cost_text(offer, "burst", base, burst, sizeof(burst));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s %s", i ? ", " : "",
					name ? name : "?", alone, burst);
		if (len >= sizeof(text))
			break;
	}
	json_object_set_new(row, base ? "costs" : "learned", json_string(text));
}

/* "openssl, nettle (disabled)"; legacy is what every provider says it is. */
static void digest_mechanism(json_t *row)
{
	json_t *offers = json_object_get(row, "providers"), *offer;
	bool legacy = true;
	char text[512] = "";
	size_t i, len = 0;

	digest_key_bits(row, offers);
	digest_threshold(row);
	digest_costs(row, offers, true);
	digest_costs(row, offers, false);
	json_array_foreach(offers, i, offer)
	{
		const char *name = json_string_value(json_object_get(offer, "name"));
		bool off = json_is_false(json_object_get(offer, "enabled"));

		legacy = legacy && json_is_true(json_object_get(offer, "legacy"));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s", i ? ", " : "",
					name ? name : "?", off ? " (disabled)" : "");
		if (len >= sizeof(text))
			break;
	}
	json_object_set_new(row, "offers", json_string(text));
	json_object_set_new(row, "note", json_string(legacy ? "legacy" : ""));
}

int adm_list(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "list [-m] [-p] [-v]",
		.text = "Providers; with -m mechanisms, with -p limits and policy. A mechanism "
			"is noted as\n"
			"legacy where new uses are advised against. With -m and -v each "
			"provider's costs:\n"
			"nanoseconds of a job plus those per KiB, alone and in a burst; by itself "
			"(* where\n"
			"measured), and as learned from work.\n",
		.list_options = true,
		.max_words = 0,
	};
	static const struct section sections[] = {
		{"providers", provider_columns, NULL, "no providers"},
		{"mechanisms", mechanism_columns, digest_mechanism, "no mechanisms"},
		{"limits", policy_columns, NULL, "no limits"},
		{"keys", NULL, NULL, "no named keys"},
	};
	struct adm_options o;
	const char *args[2];
	unsigned n = 0;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	if (o.mechanisms)
		args[n++] = "mechanisms";
	if (o.policy)
		args[n++] = "policy";
	return ask_and_show(&o, "list", args, n, sections, sizeof(sections) / sizeof(sections[0]));
}

/* ---- stats ---- */

static const struct adm_column stats_columns[] = {
	{"mechanism", "MECHANISM"}, {"provider", "PROVIDER"},
	{"place", "PLACE"},         {"ops", "OPERATIONS"},
	{"bytes", "BYTES"},         {"errors", "ERRORS"},
	{"mean_us", "MEAN US"},     {"per_submit", "PER SUBMIT"},
	{"lanes", "LANES"},         {0},
};

static const struct adm_column stats_provider_columns[] = {
	{"name", "PROVIDER"},     {"in_flight", "IN FLIGHT"}, {"depth", "QUEUED"},
	{"failures", "FAILURES"}, {"returns", "RETURNS"},     {0},
};

static double number_of(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

/* How many jobs a submit has, and how much of a provider's lanes they take. */
static void digest_submits(json_t *row)
{
	double submits = number_of(row, "submits"), slots = number_of(row, "lane_slots");
	char text[16];

	if (submits > 0)
		json_object_set_new(row, "per_submit",
				    json_real(number_of(row, "submitted") / submits));
	if (slots > 0) {
		snprintf(text, sizeof(text), "%.0f %%", 100 * number_of(row, "lane_jobs") / slots);
		json_object_set_new(row, "lanes", json_string(text));
	}
}

/* Service time; in the caller's thread it is sampled. */
static void digest_stat(json_t *row)
{
	json_t *samples = json_object_get(row, "samples");
	double n = json_number_value(samples ? samples : json_object_get(row, "ops"));
	double ns = json_number_value(json_object_get(row, "service_ns"));

	json_object_set_new(row, "mean_us", n > 0 ? json_real(ns / n / 1000) : json_null());
	digest_submits(row);
}

int adm_stats(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "stats [-v]",
		.text = "Operations, bytes, errors and mean service time since kcfd started, by "
			"mechanism,\n"
			"provider and place: \"caller\" ran in the clients' own threads (as they "
			"report it),\n"
			"\"kcfd\" on kcfd's cores, \"hardware\" on a device. Of those two: jobs "
			"the provider was\n"
			"given together, and how much of its lanes they took where it has "
			"any.\n"
			"Then what came and went by rings, how often who slept was rung for, and "
			"how long kcfd\n"
			"looked for more without sleeping.\n",
		.max_words = 0,
	};
	static const struct section sections[] = {
		{"rows", stats_columns, digest_stat, "nothing was done yet"},
		{"providers", stats_provider_columns, NULL, "no providers"},
		{"rings", NULL, NULL, "no rings"},
	};
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	return ask_and_show(&o, "stats", NULL, 0, sections, sizeof(sections) / sizeof(sections[0]));
}

/* ---- requests, consumers, trace ---- */

static const struct adm_column request_columns[] = {
	{"connection", "CONNECTION"},
	{"id", "ID"},
	{"request", "ID"},
	{"uid", "UID"},
	{"state", "STATE"},
	{"operation", "OPERATION"},
	{"op", "OPERATION"},
	{"mechanism", "MECHANISM"},
	{"bytes", "BYTES"},
	{"provider", "PROVIDER"},
	{"position", "POSITION"},
	{"age_us", "AGE US"},
	{"queue_hops", "HOPS"},
	{0},
};

int adm_requests(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "requests",
		.text = "Requests that wait or run now.\n",
		.max_words = 0,
	};
	static const struct section sections[] = {
		{"requests", request_columns, NULL, "no requests"},
	};
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	return ask_and_show(&o, "requests", NULL, 0, sections, 1);
}

static const struct adm_column consumer_columns[] = {
	{"uid", "UID"},
	{"weight", "WEIGHT"},
	{"connections", "CONNECTIONS"},
	{"requests", "REQUESTS"},
	{"queued", "QUEUED"},
	{"keys", "KEYS"},
	{"contexts", "CONTEXTS"},
	{"templates", "TEMPLATES"},
	{"arena_bytes", "ARENA"},
	{"ops", "OPERATIONS"},
	{"bytes", "BYTES"},
	{"caller_ops", "IN CALLER"},
	{"caller_bytes", "BYTES IN CALLER"},
	{0},
};

int adm_consumers(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "consumers [-v]",
		.text = "Users, what they hold now and what they have done. Of users who left, "
			"the last\n"
			"256 are remembered.\n",
		.max_words = 0,
	};
	static const struct section sections[] = {
		{"consumers", consumer_columns, NULL, "no consumers"},
	};
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	return ask_and_show(&o, "consumers", NULL, 0, sections, 1);
}

int adm_connections(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "connections",
		.text = "Connections and what each holds now.\n",
		.max_words = 0,
	};
	static const struct section sections[] = {
		{"connections", NULL, NULL, "no connections"},
	};
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	return ask_and_show(&o, "connections", NULL, 0, sections, 1);
}

static const struct adm_column trace_columns[] = {
	{"decision", "DECISION"},
	{"uid", "UID"},
	{"operation", "OPERATION"},
	{"mechanism", "MECHANISM"},
	{"bytes", "BYTES"},
	{"mode", "MODE"},
	{"walk", "CONSIDERED"},
	{"chosen", "CHOSEN"},
	{"place", "PLACE"},
	{"queue_ns", "QUEUE NS"},
	{"service_ns", "SERVICE NS"},
	{"status", "STATUS"},
	{0},
};

static const struct adm_column caller_columns[] = {
	{"connection", "CONNECTION"}, {"uid", "UID"},       {"operation", "OPERATION"},
	{"mechanism", "MECHANISM"},   {"bytes", "BYTES"},   {"chosen", "CHOSEN"},
	{"place", "PLACE"},           {"status", "STATUS"}, {0},
};

/* " 1.2+20.3": microseconds it would have waited, and then taken; nothing for no candidate. */
static void expected_text(const json_t *one, char *text, size_t room)
{
	text[0] = 0;
	if (json_object_get(one, "place"))
		snprintf(text, room, " %.1f+%.1f",
			 json_number_value(json_object_get(one, "wait_ns")) / 1000,
			 json_number_value(json_object_get(one, "cost_ns")) / 1000);
}

/* "virtio: would wait 31.0+20.3, openssl: chosen 0.0+41.2" */
static void digest_decision(json_t *row)
{
	json_t *considered = json_object_get(row, "considered"), *one;
	char text[512] = "", expected[64];
	size_t i, len = 0;

	json_array_foreach(considered, i, one)
	{
		const char *provider = json_string_value(json_object_get(one, "provider"));
		const char *why = json_string_value(json_object_get(one, "why"));

		expected_text(one, expected, sizeof(expected));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s: %s%s", i ? ", " : "",
					provider ? provider : "?", why ? why : "?", expected);
		if (len >= sizeof(text))
			break;
	}
	json_object_set_new(row, "walk", json_string(text));
}

int adm_trace(int argc, char **argv)
{
	static const struct adm_usage usage = {
		.synopsis = "trace [N]",
		.text = "The last N (all remembered) scheduling decisions: who was considered and "
			"why not,\n"
			"who was chosen, how long it waited and took. With each candidate: the "
			"microseconds\n"
			"it was expected to wait, and then to take. Decisions taken in the "
			"clients' own\n"
			"threads have the place \"caller\".\n",
		.max_words = 1,
	};
	static const struct section sections[] = {
		{"trace", trace_columns, digest_decision, "no decisions yet"},
		{"caller", caller_columns, NULL, "nothing ran in the callers' threads lately"},
	};
	struct adm_options o;
	int code;

	if (!adm_parse(&o, argc, argv, &usage, &code))
		return code;
	return ask_and_show(&o, "trace", (const char *const *)o.words, (unsigned)o.n_words,
			    sections, sizeof(sections) / sizeof(sections[0]));
}
