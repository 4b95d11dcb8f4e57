/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-sweep - every door by size; those through kcfd by depth; processes by their number; latency
 * by load. Doors of a case take turns and medians count; latencies come from a turn of their own.
 * Under load operations are offered at a fixed pace, whether or not others are done, and a latency
 * counts from when the operation was due: what waits behind a slow one is slow too. One thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "speed-sweep.h"
#include "tool.h"

#define TURNS        3
#define MAX_DOORS    8
#define SWEEP_SIZE   1024u /* held while depth, clients or load vary */
#define SWEEP_DEPTH  4u    /* of each of several clients */
#define LOAD_SECONDS 3     /* times a turn: tails need many operations */

static const size_t sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
static const size_t quick_sizes[] = {64, 4096, 65536, 1048576};
static const unsigned depths[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
static const unsigned client_counts[] = {1, 2, 4, 8, 16};
static const double loads[] = {0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95};

static const char *const sweep_names[SPEED_SWEEPS] = {"size", "depth", "clients", "load"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct sweep {
	const struct speed_sweep_options *o;
	struct kcf_client *client;
	struct speed_rows *rows;
	struct speed_latency latency;
};

/* ---- rows ---- */

static void print_us(const char *key, double us, bool last)
{
	if (us > 0)
		printf("\"%s\": %.2f%s", key, us, last ? "}\n" : ", ");
	else
		printf("\"%s\": null%s", key, last ? "}\n" : ", ");
}

static void print_json(const struct speed_row *r)
{
	printf("{\"sweep\": \"%s\", \"work\": \"%s\", \"size\": %zu, \"depth\": %u, \"clients\": "
	       "%u, \"door\": \"%s\", ",
	       sweep_names[r->sweep], speed_work_name(r->work), r->size, r->depth, r->clients,
	       r->door);
	if (r->offered > 0)
		printf("\"offered_per_second\": %.1f, ", r->offered);
	printf("\"ops_per_second\": %.1f, \"gb_per_second\": %.4f, ", r->rate, speed_row_gb(r));
	print_us("p50_us", r->p50, false);
	print_us("p99_us", r->p99, false);
	print_us("p999_us", r->p999, true);
}

static void print_text(const struct speed_row *r)
{
	printf("%-25s %8zu %5u %3u  %-8s ", speed_work_name(r->work), r->size, r->depth, r->clients,
	       r->door);
	if (r->sweep == SPEED_LOADS)
		printf("%12.0f ", r->offered);
	printf("%12.0f %8.3f", r->rate, speed_row_gb(r));
	if (r->p50 > 0)
		printf(" %9.1f %9.1f %9.1f", r->p50, r->p99, r->p999);
	putchar('\n');
}

static void print_head(enum speed_sweep sweep)
{
	printf("\nby %s\n%-25s %8s %5s %3s  %-8s ", sweep_names[sweep], "work", "bytes", "depth",
	       "cl.", "door");
	if (sweep == SPEED_LOADS)
		printf("%12s ", "offered/s");
	printf("%12s %8s %9s %9s %9s\n", "ops/s", "GB/s", "p50 us", "p99 us", "p99.9 us");
}

static bool add_row(struct sweep *s, const struct speed_row *r)
{
	if (s->rows->n == s->rows->room) {
		size_t room = s->rows->room ? 2 * s->rows->room : 64;
		struct speed_row *rows = realloc(s->rows->rows, room * sizeof(*rows));

		if (!rows)
			return false;
		s->rows->rows = rows;
		s->rows->room = room;
	}
	s->rows->rows[s->rows->n++] = *r;
	if (s->o->json)
		print_json(r);
	else
		print_text(r);
	fflush(stdout);
	return true;
}

/* ---- latencies ---- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile(const struct speed_latency *l, double share)
{
	return l->n ? l->ns[(size_t)((double)(l->n - 1) * share)] / 1000.0 : 0;
}

/* A turn at the row's pace (0: full) for its latencies. */
static bool run_latency(struct sweep *s, const struct speed_door *door, void *state, double seconds,
			struct speed_row *r)
{
	struct speed_turn turn;

	s->latency.n = 0;
	s->latency.seen = 0;
	s->latency.rate = r->offered;
	if (!door->run(state, seconds, &s->latency, &turn))
		return false;
	r->rate = speed_rate(&turn);
	qsort(s->latency.ns, s->latency.n, sizeof(*s->latency.ns), by_value);
	r->p50 = quantile(&s->latency, .5);
	r->p99 = quantile(&s->latency, .99);
	r->p999 = quantile(&s->latency, .999);
	return true;
}

static bool has_latency(const struct speed_door *door)
{
	return door != &speed_limit && door != &speed_clients;
}

/* ---- one case, several doors ---- */

static struct speed_row row_of(enum speed_sweep sweep, const struct speed_case *c,
			       const struct speed_door *door)
{
	return (struct speed_row){.sweep = sweep,
				  .work = c->work,
				  .size = c->size,
				  .depth = c->depth,
				  .clients = c->clients ? c->clients : 1,
				  .door = door->name};
}

/* doors ends with NULL. */
static bool run_case(struct sweep *s, enum speed_sweep sweep, const struct speed_case *c,
		     const struct speed_door *const *doors)
{
	double rates[MAX_DOORS][TURNS] = {{0}};
	void *states[MAX_DOORS] = {NULL};
	struct speed_turn done;
	bool ok = true;

	for (unsigned i = 0; ok && doors[i]; i++) {
		states[i] = doors[i]->open(c, s->client);
		ok = !states[i] || doors[i]->run(states[i], s->o->seconds / 4, NULL, &done);
	}
	for (unsigned turn = 0; ok && turn < TURNS; turn++) {
		for (unsigned i = 0; ok && doors[i]; i++) {
			if (!states[i])
				continue;
			ok = doors[i]->run(states[i], s->o->seconds, NULL, &done);
			rates[i][turn] = speed_rate(&done);
		}
	}
	for (unsigned i = 0; doors[i]; i++) {
		struct speed_row r = row_of(sweep, c, doors[i]);

		if (!states[i])
			continue;
		if (ok && has_latency(doors[i]))
			ok = run_latency(s, doors[i], states[i], s->o->seconds, &r);
		r.rate = speed_median(rates[i], TURNS);
		ok = ok && add_row(s, &r);
		doors[i]->close(states[i]);
	}
	return ok;
}

/* ---- the sweeps ---- */

static unsigned depth_of(const struct speed_case *c)
{
	return speed_is_sign(c->work) ? 16 : c->size <= 16384 ? 256 : 8;
}

static bool sweep_sizes(struct sweep *s, struct speed_case c)
{
	static const struct speed_door *const doors[] = {
		&speed_direct, &speed_limit, &speed_caller, &speed_batch,
		&speed_inline, &speed_arena, &speed_handle, NULL};
	const size_t *list = s->o->quick ? quick_sizes : sizes;
	size_t n = s->o->quick ? COUNT(quick_sizes) : COUNT(sizes);
	static const size_t digest = 32;

	if (speed_is_sign(c.work)) {
		list = &digest;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		c.size = list[i];
		c.depth = depth_of(&c);
		if (!run_case(s, SPEED_SIZES, &c, doors))
			return false;
	}
	return true;
}

static bool sweep_depths(struct sweep *s, struct speed_case c)
{
	static const struct speed_door *const doors[] = {&speed_limit, &speed_inline, &speed_arena,
							 &speed_handle, NULL};

	for (size_t i = 0; i < COUNT(depths); i++) {
		c.depth = depths[i];
		if (!run_case(s, SPEED_DEPTHS, &c, doors))
			return false;
	}
	return true;
}

static bool sweep_clients(struct sweep *s, struct speed_case c)
{
	static const struct speed_door *const doors[] = {&speed_limit, &speed_clients, NULL};

	c.depth = SWEEP_DEPTH;
	for (size_t i = 0; i < COUNT(client_counts); i++) {
		c.clients = client_counts[i];
		if (!run_case(s, SPEED_CLIENTS, &c, doors))
			return false;
	}
	return true;
}

static bool run_loads(struct sweep *s, const struct speed_case *c, const struct speed_door *door)
{
	void *state = door->open(c, s->client);
	double full[TURNS] = {0}, most;
	struct speed_turn done;
	bool ok = true;

	if (!state)
		return true;
	for (unsigned i = 0; ok && i < TURNS; i++) {
		ok = door->run(state, s->o->seconds, NULL, &done);
		full[i] = speed_rate(&done);
	}
	most = speed_median(full, TURNS);
	for (size_t i = 0; ok && i < COUNT(loads); i++) {
		struct speed_row r = row_of(SPEED_LOADS, c, door);

		r.offered = most * loads[i];
		ok = run_latency(s, door, state, LOAD_SECONDS * s->o->seconds, &r) &&
		     add_row(s, &r);
	}
	door->close(state);
	return ok;
}

static bool sweep_loads(struct sweep *s, struct speed_case c)
{
	c.depth = depth_of(&c);
	return run_loads(s, &c, &speed_direct) && run_loads(s, &c, &speed_arena) &&
	       run_loads(s, &c, &speed_handle);
}

static bool (*const sweeps[SPEED_SWEEPS])(struct sweep *s, struct speed_case c) = {
	sweep_sizes, sweep_depths, sweep_clients, sweep_loads};

bool speed_sweep(const struct speed_sweep_options *o, const struct speed_case *base,
		 struct kcf_client *client, struct speed_rows *ret)
{
	struct sweep s = {o, client, ret, {malloc(SPEED_SAMPLES * sizeof(uint32_t))}};
	bool ok = s.latency.ns != NULL;

	for (unsigned i = 0; ok && i < SPEED_SWEEPS; i++) {
		if (!(o->sweeps & 1u << i))
			continue;
		if (!o->json)
			print_head((enum speed_sweep)i);
		for (unsigned w = 0; ok && w < SPEED_WORKS; w++) {
			struct speed_case c = *base;

			c.work = (enum speed_work_kind)w;
			c.size = SWEEP_SIZE;
			/* Signatures have one size, and are not batched. */
			if (o->works & 1u << w && (i == SPEED_SIZES || !speed_is_sign(c.work)))
				ok = sweeps[i](&s, c);
		}
	}
	free(s.latency.ns);
	return ok;
}
