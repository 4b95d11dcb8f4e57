/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template - mechanism + key, prepared per provider at first use, remade when the provider's
 * generation changes.
 *
 * Cheap keys are prepared on the loop; the others on a worker, with the asking requests parked
 * here. Refcounted: the api layer's slot and each request hold one. Loop thread.
 */
#pragma once

#include "core/core.h"
#include "core/sched.h"

enum tmpl_slot_state { SLOT_EMPTY = 0, SLOT_WORKING, SLOT_READY, SLOT_FAILED };

struct tmpl_slot {
	struct prepared *prepared;
	uint32_t generation; /* of the provider, for READY and FAILED */
	uint8_t state;       /* enum tmpl_slot_state */
	uint8_t status;      /* FAILED: why */
};

/* quick.c: what runs op for inputs of a class of sizes, while core->plans is the same. Borrows from
 * the slot. */
struct quick_plan {
	uint64_t plans;
	struct offer *offer; /* NULL: not quick */
	struct prepared *prepared;
	uint32_t uses;
	uint16_t op;
	bool company; /* by what one of many costs */
};

#define QUICK_CLASSES 3u

struct tmpl {
	struct list link; /* of core: all */
	struct core *core;
	struct consumer *consumer; /* charged; NULL: shared by all (no key) */
	struct mech *mech;
	struct key *key; /* reference, or NULL */
	uint32_t refs;
	struct list parked; /* requests, until a worker has prepared the key */
	struct tmpl_slot slots[TABLE_PROVIDERS];
	struct quick_plan plan[2][QUICK_CLASSES]; /* by op's lowest bit */
};

/* KCF_SUCCESS: *ret is a new reference. KCF_QUEUED: a worker prepares it; requests parked at
 * t->parked are routed again when it is done. Else why this provider cannot use the key. */
enum kcf_status tmpl_prepare(struct tmpl *t, const struct offer *offer, struct prepared **ret);
/* The provider goes away: drop what was prepared with it. */
void tmpl_forget_provider(struct core *core, const struct provider *p);
