/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core-world - a core on a loop of its own with the built modules, and requests in two lines.
 *
 * What the api layer does with a request is done here: made, submitted, remembered when complete,
 * freed by the test.
 */
#pragma once

#include "core/private.h"
#include "test-main.h"

/* A submitted request and what became of it. */
struct sent {
	struct request *r;
	unsigned completed; /* how often */
	unsigned order;     /* the how-manieth to complete, from 1 */
	unsigned n_steps;
	unsigned steps[KCF_STEPS_MAX];
	uint8_t out[4096];
	struct iovec iov[4];
	struct request_step step[KCF_STEPS_MAX];
	struct iovec step_iov[2 * KCF_STEPS_MAX];
};

struct world {
	uv_loop_t loop;
	uv_timer_t alive;
	struct core *core;
	struct consumer *consumer;
	unsigned n_completed;
	unsigned events[KCF_EVENT_DAEMON_REGAINED + 1];
	unsigned rooms;
	uint32_t room_row1;
};

extern struct world world;

/* Check fixtures. Limits may be changed through world_limits before. */
extern struct limits world_limits;
void world_setup(void);
void world_teardown(void);

struct tmpl *world_tmpl(uint32_t mech, const void *key, size_t key_len);
struct tmpl *world_tmpl_named(const char *mech);
/* New request on t (takes a reference of its own): in, room for out, nothing submitted. */
void sent_init(struct sent *s, struct tmpl *t, uint16_t op, const void *in, size_t in_len);
void sent_submit(struct sent *s);
/* Run the loop until it is complete. */
void sent_wait(struct sent *s);
void sent_free(struct sent *s);
/* All of it; the status. */
enum kcf_status sent_do(struct sent *s, struct tmpl *t, uint16_t op, const void *in, size_t in_len);
/* Run the loop until *what is not 0. */
void world_until(const unsigned *what);
void world_turn(void);
/* Load and wait. options: "key=value", NULL at the end. */
enum kcf_status world_load(const char *name, const char *instance, ...) __attribute__((sentinel));
enum kcf_status world_unload(const char *instance);
void world_set(const char *name, const char *value);
struct provider *world_provider(const char *name);
