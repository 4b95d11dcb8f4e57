/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect - counts callbacks and events, and waits for them with patience.
 *
 * A struct collect is the argument of its callback. Waiting that takes longer than HARNESS_PATIENCE_MS fails the test.
 */
#pragma once

#include <kcf/client.h>
#include <pthread.h>

#define COLLECT_KEEP 256

struct collect {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_final, n_steps, n_events;
	/* of the last final */
	enum kcf_status status;
	size_t len, required;
	kcf_req_id id;
	char provider[KCF_NAME_MAX];
	enum kcf_busy_reason busy_reason;
	unsigned queue_hops;
	pthread_t thread;
	unsigned n_status[KCF_STATUS_COUNT];
	kcf_req_id order[COLLECT_KEEP]; /* ids in order of completion */
	enum kcf_event_type events[COLLECT_KEEP];
};

void collect_init(struct collect *c);
void collect_deinit(struct collect *c);
/* Forget what was counted. */
void collect_reset(struct collect *c);
void collect_cb(void *collect, const struct kcf_completion *completion);
void collect_event_cb(void *collect, const struct kcf_event *event);
/* Until at least n finals were counted. */
void collect_wait(struct collect *c, unsigned n);
/* Until at least n steps were counted. */
void collect_wait_steps(struct collect *c, unsigned n);
/* Until an event of this type was counted since the last reset. */
void collect_wait_event(struct collect *c, enum kcf_event_type type);
unsigned collect_n(struct collect *c);
unsigned collect_n_events(struct collect *c, enum kcf_event_type type);

/* A request with this callback. */
struct kcf_call_req collect_req(struct collect *c, uint32_t flags);
