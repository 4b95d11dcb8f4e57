/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched-device - gives jobs to devices, in bursts while they have slots, and takes them back.
 *
 * A job's memory is held from submit until the device completed it. What a device refuses waits at
 * the head of its queue. Loop thread, except sched_device_returned().
 */
#include <assert.h>
#include "core/context.h"
#include "core/job.h"
#include "core/learn.h"
#include "core/private.h"
#include "core/request-pool.h"

#define BURST    32u
#define NUDGE_NS 1000000u /* a device that refused with nothing in flight is asked again */

static void device_done(struct wake_node *node)
{
	struct request *r = request_of_work(container_of(node, struct work, node));
	struct request_sched *s = r->sched;
	struct core *core = s->core;
	struct provider *p = s->provider;
	bool ended = r->state == REQUEST_DONE;
	uint64_t service = core_now(core) - s->started_ns;

	list_remove(&s->work.link);
	p->n_flying--;
	p->mean_ns += service / 8 - p->mean_ns / 8;
	if (p->state == PROVIDER_BUSY)
		provider_set_state(p, PROVIDER_READY);
	sched_arm(core);
	if (ended) {
		provider_job_ended(p, s->job.status);
		sched_returned(core, r);
	} else {
		sched_returned(core, r);
		job_publish(r);
		learn_device(r, service);
		sched_job_ended(core, r, service);
	}
	provider_check_drained(p);
}

void sched_device_returned(struct provider *p, struct kcf_job *job)
{
	struct request_sched *s = container_of(job, struct request_sched, job);

	wake_post(&p->core->wake, &s->work.node);
}

/* The device takes nothing now: r waits at the head, or goes elsewhere if it must not wait or the
 * device is gone. */
static void wait_at_head(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	struct provider *p = s->provider;

	s->at = AT_NOWHERE;
	if (!provider_is_usable(p) || (r->flags & REQUEST_NEVER_QUEUE && !context_of(r))) {
		sched_reroute(core, r);
		return;
	}
	s->item.cost = s->cost;
	s->item.label = r->label;
	s->item.units = 1;
	s->since_ns = core_now(core);
	queue_push_front(&p->queue, &r->consumer->shares[p->row + 1], &s->item);
	s->at = AT_HARDWARE_QUEUE;
	r->queue_hops++;
	sched_arm_deadline(core, r);
}

/* The device did not take the job. */
static void give_back(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;
	struct context *c = context_of(r);

	list_remove(&s->work.link);
	s->provider->n_flying--;
	s->flying = false;
	request_unhold(r);
	wheel_disarm(&core->wheel, &s->timer);
	job_drop_copies(s);
	if (c)
		c->flying = NULL;
	request_set_state(r, REQUEST_WAITING);
	s->started_ns = 0;
	wait_at_head(core, r);
}

static bool same_kind(const struct request *a, const struct request *b)
{
	return a->sched->offer == b->sched->offer &&
	       a->sched->prepared->key_len == b->sched->prepared->key_len;
}

/* What a device could do together is side by side; else the order is kept. */
static void put_side_by_side(struct request **rs, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct request *r = rs[i];
		unsigned at = i;

		while (at > 0 && !same_kind(rs[at - 1], r))
			at--;
		if (!at)
			continue;
		for (unsigned k = i; k > at; k--)
			rs[k] = rs[k - 1];
		rs[at] = r;
	}
}

static void count_submit(struct request *const *rs, unsigned n)
{
	for (unsigned i = 0, k; i < n; i = k) {
		const struct offer *offer = rs[i]->sched->offer;

		for (k = i + 1; k < n && same_kind(rs[i], rs[k]);)
			k++;
		stat_submit(offer->stat, k - i, offer->desc->lanes);
	}
}

static void submit_burst(struct core *core, struct provider *p, struct request **rs, unsigned n)
{
	struct kcf_job *jobs[BURST];
	unsigned taken;

	put_side_by_side(rs, n);
	for (unsigned i = 0; i < n; i++) {
		struct request_sched *s = rs[i]->sched;

		jobs[i] = &s->job;
		s->work.node.fn = device_done;
		s->ahead = p->n_flying;
		list_push(&p->flying, &s->work.link);
		p->n_flying++;
		sched_fly(core, rs[i]);
	}
	taken = p->inst.desc->ops->submit(p->inst.prov, jobs, n);
	count_submit(rs, taken < n ? taken : n);
	if (taken >= n)
		return;
	if (p->state == PROVIDER_READY)
		provider_set_state(p, PROVIDER_BUSY);
	for (unsigned i = n; i-- > taken;)
		give_back(core, rs[i]);
	if (!p->n_flying) /* nothing will come back to tell that there is room */
		wheel_arm(&core->wheel, &p->nudge, core_now(core) + NUDGE_NS);
}

/* Make jobs and hand them over; what cannot be made ends here. */
static void give_to_device(struct core *core, struct provider *p, struct list *batch)
{
	struct request *rs[BURST];
	unsigned n = 0;
	struct list *l;

	while (n < BURST && (l = list_pop(batch))) {
		struct request *r = sched_of_link(l)->r;
		enum kcf_status status;

		if (!sched_begin(core, r, AT_DEVICE))
			continue;
		status = job_make(r);
		if (status == KCF_SUCCESS)
			rs[n++] = r;
		else
			sched_part_ended(core, r, r->sched->job.status = status);
	}
	if (n)
		submit_burst(core, p, rs, n);
}

/* From its queue to the batch, as many as there are slots. */
static void fill_batch(struct core *core, struct provider *p)
{
	while (provider_free_slots(p) > 0) {
		struct queue_item *item = queue_pop(&p->queue, NULL, NULL);
		struct request_sched *s;

		if (!item)
			return;
		s = sched_of_item(item);
		s->queue_ns += core_now(core) - s->since_ns;
		s->at = AT_BATCH;
		list_push(&p->batch, &s->item.link);
		p->n_batch++;
	}
}

void sched_told_room(struct provider *p)
{
	if (!p->was_full || !queue_has_room(&p->queue, 1 + p->n_reserved))
		return;
	p->was_full = false;
	p->core->events.room(p->core->events.arg, p->row + 1);
}

void sched_pump(struct core *core, struct provider *p)
{
	struct list batch;

	fill_batch(core, p);
	list_init(&batch);
	list_splice(&batch, &p->batch);
	p->n_batch = 0;
	while (!list_empty(&batch)) {
		if (provider_serves(p)) {
			give_to_device(core, p, &batch);
		} else { /* it became BUSY, or failed, since they were put here */
			wait_at_head(core, sched_of_link(list_pop(&batch))->r);
		}
	}
	sched_told_room(p);
}

void sched_redispatch(struct core *core, struct provider *p, bool keep_contexts)
{
	struct list all, kept, *l;
	struct queue_item *item;

	list_init(&all);
	list_splice(&all, &p->batch);
	p->n_batch = 0;
	while ((item = queue_pop(&p->queue, NULL, NULL)))
		list_push(&all, &item->link);
	list_init(&kept);
	while ((l = list_pop(&all))) {
		struct request_sched *s = sched_of_link(l);

		s->at = AT_NOWHERE;
		if (keep_contexts && context_of(s->r) && s->stage.phase != KCF_INIT)
			list_push(&kept, l);
		else
			sched_reroute(core, s->r);
	}
	while (!list_empty(&kept)) { /* the last one first; what was in the batch is more than the
					bound may permit */
		struct request_sched *s = sched_of_link(kept.prev);

		list_remove(kept.prev);
		queue_push_front(&p->queue, &s->r->consumer->shares[p->row + 1], &s->item);
		s->at = AT_HARDWARE_QUEUE;
	}
	sched_told_room(p);
}

void sched_reroute(struct core *core, struct request *r)
{
	struct request_sched *s = r->sched;

	if (s->since_ns)
		s->queue_ns += core_now(core) - s->since_ns;
	s->since_ns = 0;
	s->at = AT_NOWHERE;
	sched_unchoose(s);
	if (context_of(r) && s->stage.phase != KCF_INIT)
		sched_finish(core, r, KCF_DEVICE_REMOVED);
	else
		sched_route(core, r);
}
