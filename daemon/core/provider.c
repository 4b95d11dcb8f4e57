/* SPDX-License-Identifier: Apache-2.0 */
#include "core/provider.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/near.h"
#include "core/context.h"
#include "core/private.h"

#define RESERVE_NS 1000000000ull
#define RETRY_NS                                                                                   \
	1000000000ull /* first retry of a device that did not come back; doubles to a minute */

static const uint8_t edges[] = {
	[PROVIDER_NONE] = 1 << PROVIDER_STARTING,
	[PROVIDER_STARTING] = 1 << PROVIDER_READY | 1 << PROVIDER_GONE,
	[PROVIDER_READY] = 1 << PROVIDER_BUSY | 1 << PROVIDER_FAILED | 1 << PROVIDER_DRAINING,
	[PROVIDER_BUSY] = 1 << PROVIDER_READY | 1 << PROVIDER_FAILED | 1 << PROVIDER_DRAINING,
	[PROVIDER_FAILED] = 1 << PROVIDER_READY | 1 << PROVIDER_DRAINING,
	[PROVIDER_DRAINING] = 1 << PROVIDER_GONE,
	[PROVIDER_GONE] = 0,
};

void provider_set_state(struct provider *p, enum provider_state state)
{
	assert(edges[p->state] & 1 << state);
	/* a device's READY and BUSY concern no plan */
	if (!p->hardware || state > PROVIDER_BUSY || p->state > PROVIDER_BUSY)
		p->core->plans++;
	p->state = state;
}

bool provider_is_usable(const struct provider *p)
{
	return p->state == PROVIDER_READY || p->state == PROVIDER_BUSY;
}

/* READY, or DRAINING, when only contexts that are open still come. */
bool provider_serves(const struct provider *p)
{
	return p->state == PROVIDER_READY || p->state == PROVIDER_DRAINING;
}

struct provider *provider_find(struct core *core, const char *name)
{
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i] && !strcmp(core->providers[i]->name, name))
			return core->providers[i];
	return NULL;
}

struct provider *provider_find_or_say(struct core *core, const char *name, char *err,
				      size_t err_len)
{
	struct provider *p = provider_find(core, name);
	struct near near;

	if (p)
		return p;
	near_init(&near, name);
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			near_look(&near, core->providers[i]->name);
	near_say(&near, "provider", "see kcfadm list", err, err_len);
	return NULL;
}

unsigned provider_free_slots(const struct provider *p)
{
	unsigned used = p->n_flying + p->n_batch;

	return provider_serves(p) && p->slots > used ? p->slots - used : 0;
}

static uint32_t expected_wait_us(const struct provider *p)
{
	uint64_t ns = p->hardware ? sched_device_wait_ns(p) : sched_software_wait_ns(p->core);

	return ns / 1000 < UINT32_MAX ? (uint32_t)(ns / 1000) : UINT32_MAX;
}

void provider_update_live(struct provider *p)
{
	struct table_live *live = &p->core->table.t->live[p->row];
	uint32_t depth = p->hardware ? p->queue.depth : p->core->software.depth;
	uint32_t state = p->state;

	if (p->hardware && state == PROVIDER_READY && provider_free_slots(p) == 0)
		state = PROVIDER_BUSY;
	__atomic_store_n(&live->state, state, __ATOMIC_RELAXED);
	__atomic_store_n(&live->depth, depth, __ATOMIC_RELAXED);
	__atomic_store_n(&live->free_slots, provider_free_slots(p), __ATOMIC_RELAXED);
	__atomic_store_n(&live->in_flight, p->n_flying, __ATOMIC_RELAXED);
	__atomic_store_n(&live->wait_us, expected_wait_us(p), __ATOMIC_RELAXED);
}

/* ---- reserved room ---- */

static void drop_expired(struct provider *p)
{
	uint64_t now = core_now(p->core);

	for (unsigned i = 0; i < p->n_reserved;) {
		if (p->reserved[i].until_ns > now)
			i++;
		else
			p->reserved[i] = p->reserved[--p->n_reserved];
	}
}

/* Index of the connection's reservation, or -1. */
static int reservation_of(const struct provider *p, const void *conn)
{
	for (unsigned i = 0; i < p->n_reserved; i++)
		if (p->reserved[i].conn == conn)
			return (int)i;
	return -1;
}

bool provider_has_room(struct provider *p, const void *conn)
{
	unsigned others;

	drop_expired(p);
	others = p->n_reserved - (reservation_of(p, conn) >= 0);
	return queue_has_room(&p->queue, 1 + others);
}

void provider_use_reservation(struct provider *p, const void *conn)
{
	int i = reservation_of(p, conn);

	if (i < 0)
		return;
	p->reserved[i] = p->reserved[--p->n_reserved];
	p->was_full = true; /* whoever waits may be next */
}

bool sched_reserve(struct core *core, const void *conn, uint32_t provider_row1)
{
	struct provider *p = provider_row1 && provider_row1 <= TABLE_PROVIDERS
				     ? core->providers[provider_row1 - 1]
				     : NULL;

	if (!p || !p->hardware || !provider_is_usable(p))
		return true;
	drop_expired(p);
	if (p->n_reserved == PROVIDER_RESERVATIONS || reservation_of(p, conn) >= 0 ||
	    !queue_has_room(&p->queue, p->n_reserved + 1)) {
		p->was_full = true;
		return false;
	}
	p->reserved[p->n_reserved++] = (struct reservation){conn, core_now(core) + RESERVE_NS};
	return true;
}

void sched_unreserve(struct core *core, const void *conn)
{
	for (unsigned i = 0; i < TABLE_PROVIDERS; i++)
		if (core->providers[i])
			provider_use_reservation(core->providers[i], conn);
}

/* ---- health ---- */

static void contexts_end(struct provider *p)
{
	while (!list_empty(&p->contexts)) {
		struct context *c = list_entry(p->contexts.next, struct context, link);

		list_remove(&c->link); /* also if a job still keeps it */
		context_lost(c);
	}
}

static void on_retry(struct wheel_entry *e);

static void retry_later(struct provider *p)
{
	unsigned shift = p->n_retries < 6 ? p->n_retries : 6;

	p->n_retries++;
	p->retry.fn = on_retry;
	wheel_arm(&p->core->wheel, &p->retry, uv_hrtime() + (RETRY_NS << shift));
}

static void readmit(struct provider *p)
{
	struct core *core = p->core;

	p->inst.generation = ++core->next_generation;
	p->n_retries = 0;
	p->errors_in_row = 0;
	p->must_fail = NULL;
	p->returns++;
	p->slots = provider_ask_slots(p);
	provider_set_state(p, PROVIDER_READY);
	mechs_publish(core);
	core_event(core, KCF_EVENT_PROVIDER_RETURNED, NULL, p->name);
	sched_arm(core);
}

/* Jobs a device did not give back although it was reset: their output is private, so their requests
 * can end. */
static void abandon_flying(struct provider *p)
{
	list_for_each_safe(l, tmp, &p->flying)
	{
		struct work *w = list_entry(l, struct work, link);
		struct request *r = container_of(w, struct request_sched, work)->r;

		if (r->state == REQUEST_RUNNING)
			sched_finish(p->core, r, KCF_DEVICE_ERROR);
		wheel_disarm(&p->core->wheel, &r->sched->timer);
	}
}

/* Reset, then known answers. A device's slots are called on the loop, so both hold it for a moment.
 */
static void try_to_return(struct provider *p)
{
	const struct kcf_provider_ops *ops = p->inst.desc->ops;
	enum kcf_status status = ops->reset ? ops->reset(p->inst.prov) : KCF_FAILED;

	wake_drain(&p->core->wake);
	if (!list_empty(&p->flying))
		abandon_flying(p);
	if (status == KCF_SUCCESS && ops->self_test)
		status = ops->self_test(p->inst.prov);
	if (status == KCF_SUCCESS)
		readmit(p);
	else
		retry_later(p);
}

static void on_retry(struct wheel_entry *e)
{
	struct provider *p = container_of(e, struct provider, retry);

	if (p->state == PROVIDER_FAILED)
		try_to_return(p);
}

void provider_fail(struct provider *p, const char *why)
{
	struct core *core = p->core;

	p->must_fail = NULL;
	if (!provider_is_usable(p))
		return;
	provider_set_state(p, PROVIDER_FAILED);
	p->failures++;
	p->host->base.log(&p->host->base, KCF_LOG_WARNING, "out of service: %s; resetting", why);
	core_event(core, KCF_EVENT_PROVIDER_FAILED, NULL, p->name);
	sched_redispatch(core, p, false);
	contexts_end(p);
	try_to_return(p);
	sched_arm(core);
}

static bool is_device_fault(enum kcf_status status)
{
	return status == KCF_DEVICE_ERROR || status == KCF_DEVICE_REMOVED;
}

void provider_job_ended(struct provider *p, enum kcf_status status)
{
	if (!is_device_fault(status)) {
		p->errors_in_row = 0;
		return;
	}
	if (++p->errors_in_row >= p->core->limits.device_errors && provider_is_usable(p)) {
		p->must_fail = "too many errors in a row";
		sched_arm(p->core);
	}
}

/* What a device says about itself, at any moment on the loop: acted on in the next run. */
void provider_on_notice(void *owner, enum kcf_provider_notice notice)
{
	struct provider *p = owner;

	switch (notice) {
	case KCF_NOTICE_BUSY:
		if (p->state == PROVIDER_READY)
			provider_set_state(p, PROVIDER_BUSY);
		break;
	case KCF_NOTICE_READY:
		if (p->state == PROVIDER_BUSY)
			provider_set_state(p, PROVIDER_READY);
		else if (p->state == PROVIDER_FAILED && p->retry.fn)
			wheel_arm(&p->core->wheel, &p->retry, uv_hrtime());
		break;
	case KCF_NOTICE_FAILED:
		if (provider_is_usable(p))
			p->must_fail = "it says so";
		break;
	}
	sched_arm(p->core);
}

void provider_on_nudge(struct wheel_entry *e)
{
	struct provider *p = container_of(e, struct provider, nudge);

	if (p->state == PROVIDER_BUSY && p->n_flying == 0)
		provider_set_state(p, PROVIDER_READY);
	sched_arm(p->core);
}

/* ---- unload ---- */

static void gone(struct provider *p)
{
	struct core *core = p->core;
	core_done done = p->unload_done;

	wheel_disarm(&core->wheel, &p->drain);
	wheel_disarm(&core->wheel, &p->retry);
	wheel_disarm(&core->wheel, &p->nudge);
	provider_set_state(p, PROVIDER_GONE);
	p->stopped = provider_unregister(p);
	core_event(core, KCF_EVENT_PROVIDER_REMOVED, NULL, p->name);
	p->unload_done = NULL;
	if (done)
		done(p->unload_arg, KCF_SUCCESS, NULL);
}

static bool is_drained(const struct provider *p)
{
	return !p->n_using && !p->n_flying && !p->n_preparing && list_empty(&p->contexts);
}

void provider_check_drained(struct provider *p)
{
	if (p->state == PROVIDER_DRAINING && !p->checking) {
		p->checking = true;
		sched_arm(p->core); /* not from inside whoever holds something of it: in the next
				       run */
	}
}

void provider_drain_step(struct provider *p)
{
	p->checking = false;
	if (p->state == PROVIDER_DRAINING && is_drained(p))
		gone(p);
}

static void on_drain_over(struct wheel_entry *e)
{
	struct provider *p = container_of(e, struct provider, drain);

	sched_redispatch(p->core, p, false);
	contexts_end(p);
	if (p->n_flying && p->inst.desc->ops->reset)
		p->inst.desc->ops->reset(p->inst.prov);
	wake_drain(&p->core->wake);
	if (!list_empty(&p->flying)) { /* never comes back: the instance stays, unseen */
		abandon_flying(p);
		gone(p);
		return;
	}
	provider_check_drained(p);
}

void core_unload(struct core *core, const char *instance, core_done done, void *arg)
{
	char err[256];
	struct provider *p = provider_find_or_say(core, instance, err, sizeof(err));

	if (!p) {
		done(arg, KCF_NOT_FOUND, err);
		return;
	}
	if (p->state == PROVIDER_DRAINING) {
		done(arg, KCF_BUSY, "it is being unloaded already");
		return;
	}
	load_on_demand(core, p->module_name, false);
	provider_set_state(p, PROVIDER_DRAINING);
	p->unload_done = done;
	p->unload_arg = arg;
	p->must_fail = NULL;
	for (uint32_t i = 0; i < p->inst.desc->n_rows; i++)
		if (p->offers[i].mech)
			core_event(core, KCF_EVENT_MECH_REMOVED, p->offers[i].mech->name, p->name);
	sched_redispatch(core, p, true);
	p->drain.fn = on_drain_over;
	wheel_arm(&core->wheel, &p->drain, uv_hrtime() + PROVIDER_DRAIN_NS);
	provider_check_drained(p);
}
