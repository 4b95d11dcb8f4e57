/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer - the account of a uid: what it holds, its share of every queue, its totals.
 *
 * Made at need, kept while a connection refers to it or something is charged to it. Then it is idle: its
 * totals stay to be looked at until CONSUMERS_IDLE others went idle after it. Loop thread.
 */
#pragma once

#include "core/core.h"
#include "spi/queue.h"

#define CONSUMER_BUCKETS 64u
#define CONSUMERS_IDLE   256u

struct consumer {
	struct list link; /* of its bucket */
	struct list idle; /* of the core's idle ones, while it is one */
	struct core *core;
	uid_t uid;
	gid_t gid; /* of the latest connection */
	uint32_t refs;
	uint32_t weight;
	uint64_t charged[CHARGE_KINDS];
	struct {
		uint64_t hash;
		uint32_t refs; /* connections */
	} labels[QUEUE_LABELS];
	struct queue_share
		shares[1 + TABLE_PROVIDERS]; /* 0: software queue; else provider row + 1 */
	uint64_t ops, bytes, errors, busy;
	uint64_t queue_ns, service_ns;
	uint64_t caller_ops, caller_bytes, caller_errors;
};

void consumers_init(struct core *core);
void consumers_deinit(struct core *core);
/* The account if there is one. */
struct consumer *consumer_find(struct core *core, uid_t uid);
void consumer_set_weight(struct consumer *c, uint32_t weight);
