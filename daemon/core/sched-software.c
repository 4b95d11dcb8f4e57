/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-software - runs of software jobs on the loop and on workers, in bursts.
 *
 * Short jobs run on the loop itself, up to a bounded time a turn; long ones go to workers, at most
 * two works per worker or two milliseconds' worth, so that what is not started stays in the fair
 * queue. Fairness is the order of taking; what was taken together is put side by side by provider,
 * mechanism and key size (job_run_burst). One work may be many requests: long ones of a row with
 * lanes, and under backlog short ones. No system call on the path of short jobs. Loop thread,
 * except work_run().
 */
#include <assert.h>
#include "core/context.h"
#include "core/job.h"
#include "core/learn.h"
#include "core/private.h"

#define TURN_NS  500000u  /* predicted work the loop does itself in one turn */
#define AHEAD_NS 2000000u /* predicted work handed to each worker, beyond two works */
#define BACKLOG  32u     /* requests left in the queue after a turn: workers help with short ones */
#define HELP_NS  200000u /* predicted work of one such hand-over */

/* ---- what came of a burst ---- */

/* Requests as job_run_burst() leaves them: those of one submit side by side. */
static void note_submits(struct core *core, struct request *const *rs, unsigned n)
{
	unsigned company;

	for (unsigned i = 0; i < n; i += company) {
		struct request_sched *s = rs[i]->sched;
		uint64_t ns = 0;

		company = s->company ? s->company : 1;
		if (s->company) {
			stat_submit(s->offer->stat, s->company, s->offer->desc->lanes);
			learn_company(s->stage.mech, s->company);
		}
		if (!s->company || !learn_wants(core))
			continue;
		for (unsigned k = 0; k < company; k++)
			ns += rs[i + k]->sched->job_ns;
		learn_submit(rs + i, company, ns);
	}
}

/* ---- on the loop ---- */

struct here {
	struct request *rs[JOB_BURST];
	unsigned n;
};

static void here_run(struct core *core, struct here *h)
{
	if (!h->n)
		return;
	job_run_burst(h->rs, h->n);
	core->now_ns = uv_hrtime();
	note_submits(core, h->rs, h->n);
	for (unsigned i = 0; i < h->n; i++)
		sched_job_ended(core, h->rs[i], h->rs[i]->sched->job_ns);
	h->n = 0;
}

static void here_add(struct core *core, struct here *h, struct request *r)
{
	if (sched_begin(core, r, AT_LOOP))
		h->rs[h->n++] = r;
}

void sched_run_due(struct core *core)
{
	struct here here = {.n = 0};
	struct list *l;

	do {
		while (here.n < JOB_BURST && (l = list_pop(&core->turn))) {
			struct request_sched *s = sched_of_link(l);

			core->turn_cost -= s->cost;
			here_add(core, &here, s->r);
		}
		here_run(core, &here);
	} while (!list_empty(&core->turn)); /* what was left, further steps and stages */
}

/* ---- on workers ---- */

/* The requests of a work: its own and that one's peers. */
static unsigned requests_of(struct request_sched *first, struct request **rs)
{
	unsigned n = 0;

	for (; first; first = first->peer)
		rs[n++] = first->r;
	return n;
}

static void work_run(struct work *w)
{
	struct request_sched *lead = container_of(w, struct request_sched, work);
	struct request *rs[JOB_BURST];
	unsigned n = requests_of(lead, rs);

	job_run_burst(rs, n);
	w->cost_ns = 0;
	lead->first = rs[0]->sched;
	for (unsigned i = 0; i < n; i++) {
		w->cost_ns += rs[i]->sched->job_ns;
		rs[i]->sched->peer = i + 1 < n ? rs[i + 1]->sched : NULL;
	}
}

/* A request may have been ended while its job ran: then only its memory is still here. */
static void returned(struct core *core, struct request *r)
{
	bool ended = r->state == REQUEST_DONE;

	sched_returned(core, r);
	if (!ended)
		sched_job_ended(core, r, r->sched->job_ns);
}

static void work_done(struct wake_node *node)
{
	struct request_sched *lead = container_of(node, struct request_sched, work.node);
	struct core *core = lead->core;
	struct request *rs[JOB_BURST];
	unsigned n = requests_of(lead->first, rs);

	worker_done(&core->workers);
	for (unsigned i = 0; i < n; i++)
		core->worker_cost -= rs[i]->sched->cost;
	sched_arm(core);
	note_submits(core, rs, n);
	for (unsigned i = 0; i < n; i++)
		returned(core, rs[i]);
}

/* One work of n requests; NULL: none of them began. */
static struct work *make_work(struct core *core, struct request *const *rs, unsigned n)
{
	struct request_sched *lead = NULL, *last = NULL;

	for (unsigned i = 0; i < n; i++) {
		struct request_sched *s = rs[i]->sched;

		if (!sched_begin(core, rs[i], AT_WORKER))
			continue;
		s->peer = NULL;
		sched_fly(core, rs[i]);
		core->worker_cost += s->cost;
		if (last)
			last->peer = s;
		else
			lead = s;
		last = s;
	}
	if (!lead)
		return NULL;
	lead->work.run = work_run;
	lead->work.node.fn = work_done;
	lead->work.cost_ns = 0;
	for (struct request_sched *s = lead; s; s = s->peer)
		lead->work.cost_ns += s->cost;
	return &lead->work;
}

void sched_give(struct core *core, struct request *r)
{
	struct work *work = make_work(core, &r, 1);

	if (work)
		worker_submit(&core->workers, &work, 1);
}

static bool fill_the_same_lanes(const struct request_sched *a, const struct request_sched *b)
{
	return a->offer == b->offer && a->prepared->key_len == b->prepared->key_len &&
	       a->stage.fused == b->stage.fused;
}

/* Long ones: each a work of its own, but those that fill the lanes of one row together. */
static void give_long(struct core *core, struct request **rs, unsigned n)
{
	struct work *works[WORKER_BURST];
	unsigned n_works = 0;

	while (n) {
		struct request *lead = rs[0], *group[JOB_BURST];
		unsigned lanes = lead->sched->offer->desc->lanes, n_group = 0, left = 0;

		for (unsigned i = 0; i < n; i++) {
			bool takes = !i || (n_group < lanes && n_group < JOB_BURST &&
					    fill_the_same_lanes(lead->sched, rs[i]->sched));

			if (takes)
				group[n_group++] = rs[i];
			else
				rs[left++] = rs[i];
		}
		n = left;
		works[n_works] = make_work(core, group, n_group);
		n_works += works[n_works] != NULL;
	}
	if (n_works)
		worker_submit(&core->workers, works, n_works);
}

/* ---- the software queue ---- */

struct taking {
	struct core *core;
	unsigned workers; /* works that may still be handed over, however long */
	uint64_t ahead;   /* beyond them: predicted ns that may be */
	bool help;        /* short ones alone, for workers */
};

static bool may_take(const struct queue_item *item, void *arg)
{
	const struct taking *t = arg;
	const struct request_sched *s = container_of(item, struct request_sched, item);

	if (sched_is_short(t->core, s->offer, s->cost))
		return true;
	return !t->help && (t->workers > 0 || t->ahead > 0);
}

/* The next of the queue; NULL: none that may be taken. A request whose provider may no longer be
 * used goes elsewhere. */
static struct request *take(struct taking *t)
{
	struct core *core = t->core;

	for (;;) {
		struct queue_item *item = queue_pop(&core->software, may_take, t);
		struct request_sched *s;

		if (!item)
			return NULL;
		s = sched_of_item(item);
		s->at = AT_NOWHERE;
		s->queue_ns += core_now(core) - s->since_ns;
		if (context_of(s->r) || (s->offer->enabled && provider_is_usable(s->provider)))
			return s->r;
		sched_unchoose(s);
		sched_route(core, s->r);
	}
}

/* What may be handed to workers now. */
static struct taking take_long(struct core *core)
{
	uint64_t n = core->workers.max, ahead = n * AHEAD_NS;
	unsigned out = core->workers.outstanding;

	return (struct taking){
		.core = core,
		.workers = out < 2 * n ? (unsigned)(2 * n) - out : 0,
		.ahead = core->worker_cost < ahead ? ahead - core->worker_cost : 0,
	};
}

static void taken_long(struct taking *t, uint64_t cost)
{
	if (t->workers)
		t->workers--;
	t->ahead -= cost < t->ahead ? cost : t->ahead;
}

/* One burst for the loop, and what goes to workers meanwhile. Returns how many it took. */
static unsigned take_burst(struct taking *t, uint64_t *cost)
{
	struct core *core = t->core;
	struct here here = {.n = 0};
	struct request *long_ones[WORKER_BURST], *r;
	unsigned n_long = 0, n = 0;

	while (*cost < TURN_NS && here.n < JOB_BURST && n_long < WORKER_BURST && (r = take(t))) {
		n++;
		if (sched_is_short(core, r->sched->offer, r->sched->cost)) {
			*cost += r->sched->cost;
			here_add(core, &here, r);
		} else {
			taken_long(t, r->sched->cost);
			long_ones[n_long++] = r;
		}
	}
	give_long(core, long_ones, n_long); /* before the loop's own work: they begin meanwhile */
	here_run(core, &here);
	return n;
}

/* Would a worker have nothing to do before the loop's next turn is over? */
static bool has_need(const struct core *core)
{
	return worker_is_free(&core->workers) ||
	       core->worker_cost < core->workers.max * (uint64_t)AHEAD_NS;
}

/* Whole bursts of short ones: enough for every worker until the loop comes again. */
static unsigned help_with_backlog(struct core *core)
{
	struct taking t = {.core = core, .help = true};
	struct work *works[WORKER_BURST];
	struct request *rs[JOB_BURST];
	unsigned taken = 0, n_works = 0;

	while (core->software.depth >= BACKLOG && has_need(core)) {
		uint64_t cost = 0;
		unsigned n = 0;

		while (n < JOB_BURST && cost < HELP_NS && (rs[n] = take(&t)))
			cost += rs[n++]->sched->cost;
		if (!n)
			break;
		taken += n;
		works[n_works] = make_work(core, rs, n);
		n_works += works[n_works] != NULL;
		if (n_works == WORKER_BURST) {
			worker_submit(&core->workers, works, n_works);
			n_works = 0;
		}
	}
	if (n_works)
		worker_submit(&core->workers, works, n_works);
	return taken;
}

unsigned sched_run_queue(struct core *core)
{
	struct taking t = take_long(core);
	unsigned n = 0, taken;
	uint64_t cost = 0;

	do {
		taken = take_burst(&t, &cost);
		n += taken;
	} while (taken && cost < TURN_NS);
	return n + help_with_backlog(core);
}
