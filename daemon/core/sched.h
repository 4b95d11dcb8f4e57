/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched - the scheduler's part of a request, and what its files share.
 *
 * sched.c admits, cancels and finishes; sched-walk.c chooses (with sched-<mode>.c for the order);
 * sched-run.c runs jobs on the loop, on workers and on devices and takes them back; steps.c and
 * dual.c say what a request's next job is. A request that is running can be finished before its job
 * comes back (deadline, cancel) when the job can write nothing of the client's: then its memory
 * stays until the job has returned, whatever request_free() says. Loop thread, except job_run().
 */
#pragma once

#include "core/core.h"
#include "module/prepared.h"
#include "spi/queue.h"
#include "spi/wheel.h"
#include "spi/worker.h"

struct mech;
struct offer;
struct provider;

/* Where a request is. */
enum request_at {
	AT_NOWHERE = 0, /* being decided about, or done */
	AT_FRESH,       /* of steps, not begun */
	AT_PARKED,      /* waits for a module, a prepared key */
	AT_CONTEXT,     /* behind others of its context */
	AT_TURN,        /* runs on the loop in this turn */
	AT_SOFTWARE_QUEUE,
	AT_HARDWARE_QUEUE, /* of ->provider */
	AT_BATCH,          /* goes to ->provider in this turn */
	AT_LOOP,
	AT_WORKER,
	AT_DEVICE,
};

/* One job's worth of a request: what the scheduler chooses a provider for. */
struct stage {
	uint16_t op, phase;
	struct tmpl *tmpl;
	struct mech *mech;
	void *param;
	const struct request_data *in, *out, *check; /* NULL: none; check also: room for the MAC */
	bool fused; /* both steps of a dual operation, on one thread */
	void *ctx;  /* of the provider */
};

struct request_sched {
	struct request *r;
	struct core *core;
	struct list live; /* of core: every request there is */
	struct queue_item
		item; /* link: of the queue, the turn, a parking lot, a context or a batch */
	struct wheel_entry timer;
	struct work work; /* its node also brings jobs back from devices */
	enum request_at at;
	struct stage stage;
	struct kcf_job job;
	struct prepared *prepared, *prepared_mac; /* references while chosen */
	struct provider *provider;
	const struct offer *offer;
	uint32_t tried;        /* bit per provider row */
	enum kcf_status fault; /* what the last one tried said */
	uint8_t held;    /* why the memory stays: a job is flying, a context needs the parameters */
	bool flying;     /* its job belongs to a worker or device */
	bool freed;      /* request_free came while held */
	bool finished;   /* on core's list, complete not yet called */
	bool outside;    /* never became part of its context */
	bool load_tried; /* parked once for a module */
	bool own;        /* of kcfd itself: neither counted nor traced */
	uint8_t dual_step;      /* 0, 1 */
	uint32_t step;          /* of steps */
	struct context *hidden; /* of steps */
	uint64_t cost;          /* predicted nanoseconds */
	uint64_t arrived_ns, since_ns, started_ns;
	uint64_t queue_ns, service_ns;
	uint64_t job_ns;             /* of its job, set with it: its part of what its burst took */
	uint16_t company;            /* likewise: of the first of a submit, how many it was of */
	struct request_sched *peer;  /* of one work: the next request */
	struct request_sched *first; /* of the work, once it has run; in the one that stands for it */
	unsigned ahead;              /* jobs the device had already */
	uint64_t trace;              /* number of its last decision */
	struct request_data data_in; /* buffered context: what the final works on */
	struct iovec data_iov;
	/* private copies of what a client could change or a device could write late */
	uint8_t *bounce;
	size_t bounce_len;
	struct iovec bounce_in, bounce_out, bounce_check;
	bool in_bounced, out_bounced;
	struct dual_state *dual;
};

static inline struct request_sched *sched_of_item(struct queue_item *item)
{
	return container_of(item, struct request_sched, item);
}

static inline struct request *request_of_work(struct work *w)
{
	return container_of(w, struct request_sched, work)->r;
}

static inline struct request_sched *sched_of_link(struct list *l)
{
	return container_of(l, struct request_sched, item.link);
}
