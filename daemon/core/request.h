/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - one operation as kcfd sees it, from decoded to answered. Exactly-once completion lives
 * here.
 *
 * Made and filled by the api layer, handed to the scheduler with sched_submit(), given back exactly
 * once through ops->complete, after which the api layer answers and frees it. One owner at a time:
 *
 *   api -> sched -> queue -> (loop | worker | device) -> sched -> api
 *
 *   NEW -> WAITING -> RUNNING -> DONE       WAITING -> DONE (cancel, deadline)
 *           ^------------'  (failover, next step of a dual operation)
 *
 * Loop thread, except that a running software job's buffers belong to its worker.
 */
#pragma once

#include <kcf/client.h>
#include <kcf/provider.h>
#include <stdbool.h>
#include "base/list.h"

/* request.flags: what of the call request's flags matters here. The protocol's values. */
#define REQUEST_ALWAYS_QUEUE 0x1
#define REQUEST_NEVER_QUEUE  0x2
#define REQUEST_NOTIFY_STEPS 0x4
#define REQUEST_SYNC         0x8 /* the caller blocks; waiting for a device is permitted */

enum request_state { REQUEST_NEW = 0, REQUEST_WAITING, REQUEST_RUNNING, REQUEST_DONE };

struct consumer;
struct context;
struct mech;
struct request;
struct tmpl;

struct request_ops {
	/* Step i of steps is done (only with REQUEST_NOTIFY_STEPS). */
	void (*step)(struct request *r, unsigned i);
	/* Final. r is the api layer's again: it reads the results, answers, request_free(). */
	void (*complete)(struct request *r);
};

/* Bytes of one direction. shared: the client can change them while kcfd reads (arena); the
 * scheduler copies where a mechanism needs that. */
struct request_data {
	struct iovec *iov;
	uint32_t n_iov;
	bool shared;
	size_t len; /* sum */
};

struct request_step {
	enum kcf_step_kind kind;
	struct request_data in, out;
	size_t out_len; /* result */
};

struct request {
	struct list link;      /* of its present owner */
	struct list conn_link; /* api's: list of its connection */
	const struct request_ops *ops;
	void *conn;                /* api's */
	uint64_t conn_id;          /* its number, for people */
	uint64_t id;               /* the client's */
	struct consumer *consumer; /* held by the connection */
	enum request_state state;

	/* what: set by api before sched_submit */
	uint16_t op, phase;        /* enum kcf_op, enum kcf_phase */
	uint32_t flags;            /* REQUEST_ */
	uint8_t label;             /* consumer_label_get() */
	struct tmpl *tmpl, *tmpl2; /* a reference each; tmpl2: the MAC of a dual operation */
	struct context *context;   /* INIT: new one made by context_new; UPDATE, FINAL */
	void *param, *param2;      /* in mem or NULL */
	struct request_data in, check, out, mac; /* mac: room for the MAC of encrypt-mac */
	struct request_step *steps;
	uint32_t n_steps;
	enum kcf_preference preference;
	char provider_filter[KCF_NAME_MAX]; /* KCF_ONLY_PROVIDER */
	uint64_t deadline_ns;               /* uv_hrtime(), 0 = none */
	uint32_t units;                     /* credits held */
	uint8_t *mem; /* private memory for iovecs, params, inline data; wiped by request_free */
	size_t mem_len;

	/* results */
	enum kcf_status status;
	size_t out_len, mac_len; /* out_len with BUFFER_TOO_SMALL: required */
	uint32_t provider_row1;  /* table row + 1 of who did it */
	enum kcf_busy_reason busy_reason;
	uint32_t queue_hops;
	uint32_t steps_done;
	uint8_t iv[12]; /* KCF_IV_GENERATED */
	bool iv_made;

	/* the scheduler's own */
	struct request_sched *sched; /* embedded by sched in the same allocation */
};

/* From a pool; mem_len bytes of private memory at mem (8-aligned). NULL: out of memory. */
struct request *request_new(size_t mem_len);
/* Drops template references, wipes. Only NEW or DONE. */
void request_free(struct request *r);
/* Asserts the edge. */
void request_set_state(struct request *r, enum request_state state);
