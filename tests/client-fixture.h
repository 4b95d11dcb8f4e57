/* SPDX-License-Identifier: Apache-2.0 */
/* client-fixture - a client of the library, a scripted kcfd, and callbacks that are counted. */
#pragma once

#include <kcf/client.h>
#include <pthread.h>
#include "fake-direct.h"
#include "fake-kcfd.h"

extern struct fake_kcfd fake;
extern uint8_t data_in[64], data_out[64];
extern const struct kcf_mechanism sha256;

/* What callbacks said. */
struct result {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
	struct kcf_completion last;
	char provider[KCF_NAME_MAX];
	pthread_t thread;
	struct kcf_client *client;
	enum kcf_status statuses[64]; /* of the first ones */
};

#define RESULT_INIT                                                                                \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER             \
	}

void fixture_setup(void);
void fixture_teardown(void);
struct kcf_client *open_client(uint32_t flags);
/* The callback; arg is a struct result. */
void on_done(void *arg, const struct kcf_completion *done);
/* Wait until n callbacks have run. */
void wait_result(struct result *r, unsigned n);
/* What the last callback was told; more of them may come meanwhile. */
struct kcf_completion last_of(struct result *r);
/* One digest of data_in to data_out. */
enum kcf_status digest(struct kcf_client *c, struct kcf_call_req *req);
void expect_mixed(const uint8_t *out, const uint8_t *in, size_t len);

/* Events of clients opened with open_client. */
extern struct event_log {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n[KCF_EVENT_DAEMON_REGAINED + 1];
	struct kcf_event last;
} events;
void wait_event(enum kcf_event_type type, unsigned n);
