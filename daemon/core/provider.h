/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider - instances of modules: states, hardware queues, health, load and unload.
 *
 *   STARTING -> READY <-> BUSY           (device: a free slot or none)
 *   READY, BUSY -> FAILED -> READY       (out of service; reset and known answers passed)
 *   READY, BUSY, FAILED -> DRAINING -> GONE
 *   STARTING -> GONE
 *
 * Only READY and BUSY are usable. Load and reset give a new generation. A structure is kept after
 * GONE, because a job may come back late. Loop thread; modules are read and started on a worker.
 */
#pragma once

#include "core/core.h"
#include "module/prepared.h"
#include "spi/cost.h"
#include "spi/host.h"
#include "spi/queue.h"
#include "spi/wheel.h"
#include "spi/worker.h"

#define PROVIDER_RESERVATIONS 32u
#define PROVIDER_DRAIN_NS     5000000000ull
#define LOAD_FAILURE_NS       60000000000ull

struct mech;
struct offer;

struct reservation {
	const void *conn;
	uint64_t until_ns;
};

struct provider {
	struct list link; /* of core->gone */
	struct core *core;
	unsigned row;            /* of the table */
	char name[KCF_NAME_MAX]; /* instance */
	char module_name[KCF_NAME_MAX];
	const struct module *module;
	struct instance inst;
	struct host *host;
	enum provider_state state;
	bool hardware;
	bool live_dirty;
	struct offer *offers; /* one per module row; mech NULL: not in the table */
	struct list contexts; /* open ones pinned here */
	/* hardware */
	struct queue queue;
	struct list batch;  /* go to the device in this turn */
	struct list flying; /* on the device; links of requests' work */
	unsigned n_batch, n_flying, slots;
	unsigned n_preparing; /* keys, on workers */
	unsigned n_using;     /* requests that have chosen it */
	bool checking;        /* is it drained? to be seen in the next run */
	bool stopped;
	uint64_t mean_ns; /* service time, decaying */
	struct cost behind; /* what each job before it on the device adds */
	unsigned errors_in_row;
	const char *must_fail; /* why it is to leave service in the next run, or NULL */
	bool was_full;         /* its queue, since the last ROOM */
	struct reservation reserved[PROVIDER_RESERVATIONS];
	unsigned n_reserved;
	uint64_t failures, returns;
	/* recovery and unload */
	struct wheel_entry nudge; /* ask a BUSY device again */
	struct wheel_entry retry; /* readmission */
	unsigned n_retries;
	struct work test; /* known answers, on a worker */
	enum kcf_status test_status;
	bool testing;
	struct wheel_entry drain;
	core_done unload_done;
	void *unload_arg;
};

bool provider_is_usable(const struct provider *p);
bool provider_serves(const struct provider *p);
struct provider *provider_find(struct core *core, const char *name);
/* NULL: err says so, and which name is near. */
struct provider *provider_find_or_say(struct core *core, const char *name, char *err,
				      size_t err_len);
void provider_set_state(struct provider *p, enum provider_state state);
/* The device has a slot for n more requests. */
unsigned provider_free_slots(const struct provider *p);
/* Out of service: queue decided about again, reset, readmission after known answers. */
void provider_fail(struct provider *p, const char *why);
/* A job came back; counts against the error budget. May fail the provider. */
void provider_job_ended(struct provider *p, enum kcf_status status);
/* The last context or job may have gone: go on draining. */
void provider_check_drained(struct provider *p);
/* Table hints. */
void provider_update_live(struct provider *p);
/* Has its queue room for a request of this connection, beside what is reserved for others? */
bool provider_has_room(struct provider *p, const void *conn);
/* Use up the connection's reservation, if it has one. */
void provider_use_reservation(struct provider *p, const void *conn);
void provider_drain_step(struct provider *p);
void provider_on_notice(void *owner, enum kcf_provider_notice notice);
void provider_on_nudge(struct wheel_entry *e);
/* The provider a prepared template belongs to. */
static inline struct provider *provider_of(const struct prepared *prepared)
{
	return container_of(prepared->inst, struct provider, inst);
}

/* ---- load.c ---- */

/* Read the manifests; load the default software provider. */
enum kcf_status loads_init(struct core *core, const char *const *modules);
void loads_deinit(struct core *core);
/* Is there a module, not loaded, that offers this name? Then start loading it (or join the load
 * under way): KCF_QUEUED, and parked requests and finders go on when it is there. Else
 * KCF_MECH_NOT_SUPPORTED or why it failed lately. */
struct load;
enum kcf_status load_for_mech(struct core *core, const char *mech_name, struct load **ret);
struct list *load_parked(struct load *load);
/* May this module be loaded because somebody asks for a mechanism? */
void load_on_demand(struct core *core, const char *module, bool permitted);
enum kcf_status load_on_done(struct load *load, core_done done, void *arg);

/* ---- register.c ---- */

/* Takes host; module is started: enter it in registry and table. */
enum kcf_status provider_register(struct core *core, const struct module *module,
				  const char *module_name, const char *name, struct host *host,
				  void *prov);
/* Out of registry and table. True: nothing of it is left anywhere, and it was stopped. */
bool provider_unregister(struct provider *p);
unsigned provider_ask_slots(const struct provider *p);
/* All of them, at the end: nothing runs any more. */
void providers_deinit(struct core *core);
