/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-order - what each candidate is expected to take, the preference, and the table of modes.
 */
#include <string.h>
#include "core/sched-mode.h"
#include "core/work.h"

#define PREFERENCE 8u /* a rank of its own above those of a mode */

static const struct {
	const char *word;
	void (*rank)(struct order *o);
} modes[] = {
	[MODE_HARDWARE_FIRST] = {"hardware-first", mode_hardware_first},
	[MODE_ADAPTIVE] = {"adaptive", mode_adaptive},
	[MODE_SOFTWARE_FIRST] = {"software-first", mode_software_first},
	[MODE_ROUND_ROBIN] = {"round-robin", mode_round_robin},
};

const char *mode_word(enum table_mode mode)
{
	return modes[mode].word;
}

bool mode_find(const char *word, enum table_mode *ret)
{
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].word, word) != 0)
			continue;
		*ret = (enum table_mode)i;
		return true;
	}
	return false;
}

/* ---- expectations ---- */

uint64_t sched_software_wait_ns(const struct core *core)
{
	uint64_t queued = core->software.cost + core->worker_cost;

	/* what is due in this turn the loop does itself */
	return core->turn_cost + (queued ? queued / core->workers.max : 0);
}

uint64_t sched_device_wait_ns(const struct provider *p)
{
	uint64_t on_it = p->n_flying + p->n_batch;
	uint64_t waiting =
		p->queue.depth ? p->queue.depth * p->mean_ns / (p->slots ? p->slots : 1) : 0;

	return waiting + on_it * p->behind.line.setup_ns;
}

void order_begin(struct order *o, struct core *core, const struct request *r, struct mech *mech,
		 size_t size)
{
	o->core = core;
	o->r = r;
	o->mech = mech;
	o->size = size;
	o->bytes = size == SIZE_MAX ? MODE_STREAM : size;
	o->extra_ns = 0;
	o->software_wait_ns = sched_software_wait_ns(core);
	o->company = work_in_company(core, r, mech);
	o->probe = false;
	o->n = 0;
}

void order_add(struct order *o, unsigned index)
{
	struct offer *offer = o->mech->offers[index];
	struct provider *p = offer->provider;
	struct candidate *c = &o->c[o->n++];

	c->offer = offer;
	c->index = (uint8_t)index;
	c->rank = 0;
	c->place = 0;
	c->cost = offer_cost(offer, o->company && !p->hardware);
	c->wait_ns = p->hardware ? sched_device_wait_ns(p) : o->software_wait_ns;
	c->cost_ns = cost_expect(&c->cost->line, o->bytes) + o->extra_ns;
	c->base_ns = cost_expect(&c->cost->base, o->bytes) + o->extra_ns;
}

void order_add_more(struct order *o, uint64_t ns)
{
	o->c[o->n - 1].cost_ns += ns;
	o->c[o->n - 1].base_ns += ns;
}

uint64_t candidate_load(const struct candidate *c)
{
	const struct provider *p = c->offer->provider;

	return p->n_flying + p->n_batch + p->queue.depth;
}

uint64_t candidate_cost_place(const struct candidate *c)
{
	return c->index ? c->base_ns + c->base_ns / 8 : c->base_ns;
}

/* ---- order ---- */

static bool is_second_choice(const struct order *o, const struct candidate *c)
{
	bool hardware = c->offer->provider->hardware;

	switch (o->r->preference) {
	case KCF_PREFER_HARDWARE:
	case KCF_ONLY_HARDWARE:
		return !hardware;
	case KCF_PREFER_SOFTWARE:
		return hardware;
	default:
		return false;
	}
}

static int by_rank(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

/* Stable: equals stay in order of registration. */
static void sort(struct order *o)
{
	for (unsigned i = 1; i < o->n; i++) {
		struct candidate c = o->c[i];
		unsigned at = i;

		for (; at > 0 && by_rank(&c, &o->c[at - 1]) < 0; at--)
			o->c[at] = o->c[at - 1];
		o->c[at] = c;
	}
}

void order_end(struct order *o)
{
	if (o->n < 2)
		return;
	modes[o->mech->mode].rank(o);
	for (unsigned i = 0; i < o->n; i++)
		if (is_second_choice(o, &o->c[i]))
			o->c[i].rank += PREFERENCE;
	sort(o);
}

/* A loser's costs are learned only if it is used now and then. Nobody waits for that who blocks, or
 * whose time might be up. */
static bool may_probe(const struct order *o, const struct candidate *loser)
{
	const struct request *r = o->r;

	if (r->flags & REQUEST_SYNC || r->preference || o->size == SIZE_MAX)
		return false;
	return !r->deadline_ns ||
	       core_now(o->core) + loser->wait_ns + loser->cost_ns < r->deadline_ns;
}

static void probe(struct order *o)
{
	unsigned at = 1 + (unsigned)(o->core->stats.probes % (o->n - 1));
	struct candidate loser = o->c[at];

	if (!may_probe(o, &loser))
		return;
	memmove(&o->c[1], &o->c[0], at * sizeof(o->c[0]));
	o->c[0] = loser;
	o->probe = true;
	o->core->stats.probes++;
}

void order_decide(struct order *o)
{
	if (o->n < 2)
		return;
	o->mech->turn++;
	if (o->mech->mode == MODE_ADAPTIVE && o->mech->turn % MODE_PROBE == 0)
		probe(o);
}
