/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private - struct core, for the files of this layer alone. Everything in it belongs to the loop
 * thread.
 */
#pragma once

#include "base/json.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/consumer.h"
#include "core/key.h"
#include "core/measure.h"
#include "core/mech.h"
#include "core/provider.h"
#include "core/sched.h"
#include "core/stats.h"
#include "core/template.h"
#include "core/trace.h"
#include "io/wake.h"

#define CORE_RANDOM 4096u

/* quick.c: of what is taken and has not run. */
struct quick {
	uint8_t *scratch;  /* private copies */
	size_t used, high; /* high: to be wiped */
	uint64_t cost;     /* predicted */
	unsigned n;        /* operations */
};

struct core {
	uv_loop_t *loop;
	struct limits limits;
	char *module_dir;
	struct core_events events;
	struct wake wake;
	struct wheel wheel;
	struct worker_pool workers;
	bool stopping;

	struct table_writer table;
	struct mech_table mechs;
	struct provider *providers[TABLE_PROVIDERS];
	struct list gone; /* providers unloaded: their memory stays, jobs may come back late */
	uint32_t next_generation;
	struct list manifests, loads, failures;

	struct list consumers[CONSUMER_BUCKETS];
	struct list idle_consumers; /* the oldest first */
	unsigned n_idle_consumers;
	struct keys keys;
	struct list tmpls;
	struct stats stats;
	struct trace trace;
	struct measure measure;

	/* the scheduler */
	struct list live;     /* every request from submit to complete */
	struct list fresh;    /* requests of steps, to be begun */
	struct list turn;     /* run on the loop in this turn */
	struct list finished; /* complete is due */
	uint64_t turn_cost;   /* predicted, of what is in turn */
	struct queue software;
	uint64_t units_taken; /* of the software queue, leased to connections */
	uint64_t worker_cost; /* predicted, handed to workers and not back */
	uint64_t now_ns;      /* of this turn, 0 = not read yet */
	uint64_t completed;
	unsigned n_fresh;    /* submitted since the last run */
	uint32_t learn_tick; /* submits to software */
	uint64_t plans;      /* counts changes of what quick plans were made by */
	struct quick quick;
	bool running; /* inside sched_kick: no recursion */
	bool blocked; /* the software queue holds only what workers must do, and they are full */
	uv_check_t check;
	uv_prepare_t prepare;
	uv_idle_t idle; /* active while there is work: the loop does not sleep */
	bool idle_on;
	uv_idle_cb idle_fn;
	unsigned open_handles; /* of libuv, not closed yet */

	uint8_t random[CORE_RANDOM]; /* nonces to be given out, wiped as they are */
	size_t random_left;
};

/* This turn's time: read once. */
static inline uint64_t core_now(struct core *core)
{
	if (!core->now_ns)
		core->now_ns = uv_hrtime();
	return core->now_ns;
}

void core_event(struct core *core, enum kcf_event_type type, const char *mechanism,
		const char *provider);
/* Fill with random bytes from the kernel; false if it has none. */
bool core_random(struct core *core, void *buf, size_t len);
const char *op_word(unsigned op);

/* sched.c, for the other files of the layer */

/* The end of r: results are set; complete() runs when this turn's work is done. */
void sched_finish(struct core *core, struct request *r, enum kcf_status status);
/* Decide (again) where r goes. */
void sched_route(struct core *core, struct request *r);
/* Route everything parked on this list. */
void sched_unpark(struct core *core, struct list *parked);
void sched_park(struct core *core, struct request *r, struct list *parked);
/* Something is due: the loop must not sleep. */
void sched_arm(struct core *core);
/* Deadline and cancel of a waiting request: take it out of wherever it stands. */
void sched_take_out(struct core *core, struct request *r);
void sched_arm_deadline(struct core *core, struct request *r);

/* A context's request goes where its context is; borrows prepared. */
void sched_pinned(struct core *core, struct request *r, const struct offer *offer,
		  struct prepared *prepared);
/* A job, or a part that needed none, is over: failover, next stage or step, or the end. Results are
 * in s->job. */
void sched_part_ended(struct core *core, struct request *r, enum kcf_status status);
/* Cancel or deadline: finish now what can be finished, ask the provider otherwise. False: it goes
 * on. */
bool sched_end_early(struct core *core, struct request *r, enum kcf_status status);

/* sched-order.c */
const char *mode_word(enum table_mode mode);
bool mode_find(const char *word, enum table_mode *ret);
/* Expected, until a job decided about now begins. */
uint64_t sched_software_wait_ns(const struct core *core);
uint64_t sched_device_wait_ns(const struct provider *p);
/* Would software be the first to do len bytes with t? */
bool sched_prefers_software(const struct request *r, const struct tmpl *t, size_t len);
struct quick_op;
/* The software that is first to do op at once; NULL: nobody, or it takes a decision of its own each
 * time (a device might do it, turns are passed on). A dual operation it is to do in one. */
struct offer *sched_software_alone(struct core *core, const struct quick_op *op);
/* May the key of t be used for op (mac: as the MAC of a dual one), single-part and without a
 * generated nonce? */
enum kcf_status sched_key_permits(const struct tmpl *t, uint16_t op, bool mac);
/* The provider's fault: another one may do better. */
bool sched_is_fault(enum kcf_status status);
/* What stands in the way of r's stage with everybody; KCF_SUCCESS: somebody could do it. */
enum kcf_status sched_obstacle(struct request *r);

/* Do preference or context keep r away from p? */
bool sched_is_filtered(const struct request *r, const struct provider *p);

/* sched-run.c */

/* Goes at once: in this turn, to a worker, to the device. Chosen before. */
void sched_start(struct core *core, struct request *r);
/* Goes behind the software queue or the device's. False: no room, finished with KCF_BUSY. */
bool sched_queue(struct core *core, struct request *r);
bool sched_at_once(struct core *core, const struct request *r, const struct offer *offer,
		   uint64_t cost);
/* From chosen to running. False: it was finished instead. */
bool sched_begin(struct core *core, struct request *r, enum request_at at);
/* The job leaves the loop: its memory stays until it is back. */
void sched_fly(struct core *core, struct request *r);
/* Its job ended, status in the job. */
void sched_job_ended(struct core *core, struct request *r, uint64_t service_ns);
/* Does the loop itself run it? */
bool sched_is_short(const struct core *core, const struct offer *offer, uint64_t cost);
/* Run what is due: this turn's jobs, the software queue, devices' queues. */
void sched_run(struct core *core);
bool sched_has_work(const struct core *core);

/* sched-software.c */

/* To a worker. Chosen before. */
void sched_give(struct core *core, struct request *r);
/* What is to run on the loop in this turn. */
void sched_run_due(struct core *core);
/* The software queue: short ones here, up to a bounded time, long ones to workers. Returns how many
 * were taken. */
unsigned sched_run_queue(struct core *core);

/* sched-device.c */

void sched_pump(struct core *core, struct provider *p);
/* A device's job is back (any thread posted it). */
void sched_device_returned(struct provider *p, struct kcf_job *job);
/* Every request waiting for p is decided about again; one that waited. */
void sched_redispatch(struct core *core, struct provider *p, bool keep_contexts);
void sched_reroute(struct core *core, struct request *r);
/* A job is back on the loop: it holds nothing any more. If its request was ended early, that is the
 * end of it. */
void sched_returned(struct core *core, struct request *r);
/* Its queue may have room again. */
void sched_told_room(struct provider *p);
void sched_on_timer(struct wheel_entry *e);
/* References and private copies of the present choice. */
void sched_unchoose(struct request_sched *s);
