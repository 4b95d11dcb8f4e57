/* SPDX-License-Identifier: Apache-2.0 */
#include "core/stats.h"

#include <stdlib.h>
#include <string.h>
#include "core/private.h"

#define CALLER_MAX 2048u /* rows remembered of one connection, which may make up new ones */

/* What a connection reported last; its counts run on, the difference is what is new. */
struct caller {
	struct list link;
	const void *conn;
	unsigned n;
	struct caller_count *last;
};

void stats_init(struct core *core)
{
	struct stats *s = &core->stats;

	*s = (struct stats){0};
	list_init(&s->rows);
	strcpy(s->other.provider, "other");
	for (unsigned i = 0; i < STATS_CALLER_HASH; i++)
		list_init(&s->callers[i]);
}

static void caller_free(struct caller *c)
{
	list_remove(&c->link);
	free(c->last);
	free(c);
}

void stats_deinit(struct core *core)
{
	struct stats *s = &core->stats;
	struct list *l;

	while ((l = list_pop(&s->rows)))
		free(list_entry(l, struct stats_row, link));
	for (unsigned i = 0; i < STATS_CALLER_HASH; i++)
		while (!list_empty(&s->callers[i]))
			caller_free(list_entry(s->callers[i].next, struct caller, link));
}

struct stats_row *stats_get(struct core *core, uint32_t mech, const char *provider,
			    enum stat_place place)
{
	struct stats *s = &core->stats;
	struct stats_row *row;

	list_for_each(l, &s->rows)
	{
		row = list_entry(l, struct stats_row, link);
		if (row->mech == mech && row->place == place && !strcmp(row->provider, provider))
			return row;
	}
	row = s->n_rows < STATS_MAX ? calloc(1, sizeof(*row)) : NULL;
	if (!row)
		return &s->other;
	row->mech = mech;
	row->place = place;
	strncpy(row->provider, provider, sizeof(row->provider) - 1);
	list_push(&s->rows, &row->link);
	s->n_rows++;
	return row;
}

void stat_histogram_add(uint64_t *buckets, uint64_t ns, uint64_t n)
{
	uint64_t us = ns / 1000;
	unsigned i = us ? 64 - (unsigned)__builtin_clzll(us) : 0; /* [2^(i-1), 2^i) us */

	buckets[i < STATS_BUCKETS ? i : STATS_BUCKETS - 1] += n;
}

void stat_submit(struct stats_row *row, unsigned n, unsigned lanes)
{
	unsigned i = n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;

	row->submits[i < STATS_SUBMITS ? i : STATS_SUBMITS - 1]++;
	row->submitted += n;
	if (lanes < 2)
		return;
	row->lane_slots += (uint64_t)(n + lanes - 1) / lanes * lanes;
	row->lane_jobs += n;
}

/* ---- in-caller work, as told by a client: untrusted ---- */

static void add_saturating(uint64_t *sum, uint64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = UINT64_MAX;
}

/* A count that went backwards is a lie or a new beginning: it counts as nothing. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static struct caller *caller_get(struct stats *s, const void *conn)
{
	struct list *bucket = &s->callers[((uintptr_t)conn >> 6) % STATS_CALLER_HASH];
	struct caller *c;

	list_for_each(l, bucket)
	{
		c = list_entry(l, struct caller, link);
		if (c->conn == conn)
			return c;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->conn = conn;
	list_push(bucket, &c->link);
	return c;
}

static struct caller_count *caller_last(struct caller *c, const struct caller_count *count)
{
	struct caller_count *longer;

	for (unsigned i = 0; i < c->n; i++)
		if (c->last[i].mech == count->mech &&
		    c->last[i].provider_row1 == count->provider_row1)
			return &c->last[i];
	longer = c->n < CALLER_MAX ? reallocarray(c->last, c->n + 1, sizeof(*c->last)) : NULL;
	if (!longer)
		return NULL;
	c->last = longer;
	c->last[c->n] =
		(struct caller_count){.mech = count->mech, .provider_row1 = count->provider_row1};
	return &c->last[c->n++];
}

static struct stats_row *caller_stat(struct core *core, const struct caller_count *count)
{
	const struct provider *p = NULL;

	if (count->provider_row1 && count->provider_row1 <= TABLE_PROVIDERS)
		p = core->providers[count->provider_row1 - 1];
	if (!p || !mech_by_number(core, count->mech)) /* not of our table: one row for all of it */
		return stats_get(core, 0, "other", STAT_CALLER);
	return stats_get(core, count->mech, p->name, STAT_CALLER);
}

static void caller_merge(struct core *core, struct caller *caller, struct consumer *c,
			 const struct caller_count *count)
{
	struct caller_count *last = caller_last(caller, count);
	struct stats_row *row;

	if (!last)
		return;
	row = caller_stat(core, count);
	if (mech_by_number(core, count->mech))
		measure_first_use(core, mech_by_number(core, count->mech));
	add_saturating(&row->ops, grown(count->ops, last->ops));
	add_saturating(&row->bytes, grown(count->bytes, last->bytes));
	add_saturating(&row->errors, grown(count->errors, last->errors));
	add_saturating(&row->service_ns, grown(count->sampled_ns, last->sampled_ns));
	add_saturating(&row->samples, grown(count->samples, last->samples));
	add_saturating(&c->caller_ops, grown(count->ops, last->ops));
	add_saturating(&c->caller_bytes, grown(count->bytes, last->bytes));
	add_saturating(&c->caller_errors, grown(count->errors, last->errors));
	*last = *count;
}

void core_caller_counts(struct core *core, const void *conn, struct consumer *c,
			const struct caller_count *counts, unsigned n, bool closed)
{
	struct caller *caller = caller_get(&core->stats, conn);

	if (!caller)
		return;
	for (unsigned i = 0; i < n; i++)
		caller_merge(core, caller, c, &counts[i]);
	if (closed)
		caller_free(caller);
}

/* ---- JSON ---- */

static void histogram_json(struct json *j, const char *key, const uint64_t *buckets, unsigned n)
{
	json_array(j, key);
	for (unsigned i = 0; i < n; i++)
		json_u64(j, NULL, buckets[i]);
	json_end_array(j);
}

static void submits_json(const struct stats_row *row, struct json *j)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < STATS_SUBMITS; i++)
		n += row->submits[i];
	json_u64(j, "submits", n);
	json_u64(j, "submitted", row->submitted);
	histogram_json(j, "submit_jobs_log2", row->submits, STATS_SUBMITS);
	if (!row->lane_slots)
		return;
	json_u64(j, "lane_slots", row->lane_slots);
	json_u64(j, "lane_jobs", row->lane_jobs);
}

static void stat_json(struct core *core, const struct stats_row *row, struct json *j)
{
	static const char *const places[STAT_PLACES] = {"kcfd", "hardware", "caller"};
	struct mech *m = mech_by_number(core, row->mech);

	if (!row->ops && !row->errors && !row->busy)
		return;
	json_object(j, NULL);
	json_string(j, "provider", row->provider);
	json_string(j, "mechanism", m ? m->name : "other");
	json_string(j, "place", places[row->place]);
	json_u64(j, "ops", row->ops);
	json_u64(j, "bytes", row->bytes);
	json_u64(j, "errors", row->errors);
	json_u64(j, "service_ns", row->service_ns);
	if (row->place == STAT_CALLER) {
		json_u64(j, "samples", row->samples);
	} else {
		json_u64(j, "wait_ns", row->wait_ns);
		histogram_json(j, "wait_us_log2", row->wait, STATS_BUCKETS);
		histogram_json(j, "service_us_log2", row->service, STATS_BUCKETS);
		submits_json(row, j);
	}
	json_end_object(j);
}

static void provider_json(const struct provider *p, struct json *j)
{
	json_object(j, NULL);
	json_string(j, "name", p->name);
	json_u64(j, "in_flight", p->n_flying);
	json_u64(j, "depth", p->hardware ? p->queue.depth : p->core->software.depth);
	json_u64(j, "failures", p->failures);
	json_u64(j, "returns", p->returns);
	json_end_object(j);
}

void core_stats(struct core *core, struct json *j)
{
	struct stats *s = &core->stats;

	json_array(j, "rows");
	list_for_each(l, &s->rows) stat_json(core, list_entry(l, struct stats_row, link), j);
	stat_json(core, &s->other, j);
	json_end_array(j);
	json_array(j, "providers");
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			provider_json(core->providers[i], j);
	json_end_array(j);
	json_u64(j, "completed", core->completed);
	json_u64(j, "failovers", s->failovers);
	json_u64(j, "probes", s->probes);
	json_u64(j, "canceled", s->canceled);
	json_u64(j, "timed_out", s->timed_out);
	json_u64(j, "refused", s->refused);
	json_u64(j, "software_depth", core->software.depth);
	json_u64(j, "software_units", core->software.units);
	json_u64(j, "units_leased", core->units_taken);
	json_u64(j, "workers", worker_threads(&core->workers));
	json_bool(j, "secrets_locked", secret_locked());
}
