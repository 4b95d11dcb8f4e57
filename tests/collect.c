/* SPDX-License-Identifier: Apache-2.0 */
#include "collect.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "harness.h"

void collect_init(struct collect *c)
{
	pthread_condattr_t attr;

	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void collect_deinit(struct collect *c)
{
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
}

void collect_reset(struct collect *c)
{
	pthread_mutex_lock(&c->lock);
	c->n_final = c->n_steps = c->n_events = 0;
	c->status = KCF_SUCCESS;
	c->len = c->required = 0;
	c->id = 0;
	c->busy_reason = KCF_BUSY_NONE;
	c->queue_hops = 0;
	memset(c->n_status, 0, sizeof(c->n_status));
	pthread_mutex_unlock(&c->lock);
}

void collect_cb(void *arg, const struct kcf_completion *done)
{
	struct collect *c = arg;

	pthread_mutex_lock(&c->lock);
	c->thread = pthread_self();
	if (done->step != KCF_FINAL) {
		c->n_steps++;
	} else {
		c->order[c->n_final % COLLECT_KEEP] = done->id;
		c->n_final++;
		c->status = done->status;
		c->n_status[done->status]++;
		c->len = done->len;
		c->required = done->required;
		c->id = done->id;
		c->busy_reason = done->busy_reason;
		c->queue_hops = done->queue_hops;
		snprintf(c->provider, sizeof(c->provider), "%s", done->provider);
	}
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void collect_event_cb(void *arg, const struct kcf_event *event)
{
	struct collect *c = arg;

	pthread_mutex_lock(&c->lock);
	c->events[c->n_events++ % COLLECT_KEEP] = event->type;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static unsigned count_events(const struct collect *c, enum kcf_event_type type)
{
	unsigned n = 0, kept = c->n_events < COLLECT_KEEP ? c->n_events : COLLECT_KEEP;

	for (unsigned i = 0; i < kept; i++)
		n += c->events[i] == type;
	return n;
}

typedef bool (*condition)(const struct collect *c, unsigned n);

static bool enough_finals(const struct collect *c, unsigned n)
{
	return c->n_final >= n;
}

static bool enough_steps(const struct collect *c, unsigned n)
{
	return c->n_steps >= n;
}

static bool has_event(const struct collect *c, unsigned type)
{
	return count_events(c, type) > 0;
}

static void wait_for(struct collect *c, condition is_met, unsigned n, const char *what)
{
	struct timespec until;
	bool met;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HARNESS_PATIENCE_MS / 1000;
	pthread_mutex_lock(&c->lock);
	while (!is_met(c, n)) {
		if (pthread_cond_timedwait(&c->changed, &c->lock, &until) != 0)
			break;
	}
	met = is_met(c, n);
	pthread_mutex_unlock(&c->lock);
	ck_assert_msg(met, "waited for %s %u: %u finals, %u steps, %u events came", what, n,
		      c->n_final, c->n_steps, c->n_events);
}

void collect_wait(struct collect *c, unsigned n)
{
	wait_for(c, enough_finals, n, "finals");
}

void collect_wait_steps(struct collect *c, unsigned n)
{
	wait_for(c, enough_steps, n, "steps");
}

void collect_wait_event(struct collect *c, enum kcf_event_type type)
{
	wait_for(c, has_event, type, "event");
}

unsigned collect_n(struct collect *c)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->n_final;
	pthread_mutex_unlock(&c->lock);
	return n;
}

unsigned collect_n_events(struct collect *c, enum kcf_event_type type)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = count_events(c, type);
	pthread_mutex_unlock(&c->lock);
	return n;
}

struct kcf_call_req collect_req(struct collect *c, uint32_t flags)
{
	struct kcf_call_req req = {.flags = flags, .callback = collect_cb, .arg = c};

	return req;
}
