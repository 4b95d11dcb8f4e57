/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core - what the api layer may ask of everything below it.
 *
 * One struct core per daemon, owned by kcfd.c, loop thread only. The api layer makes templates,
 * contexts, keys and requests; it never sees queues, workers or provider structures. Objects a
 * client makes carry a charge on its consumer, taken by the constructor and given back by the
 * destructor.
 */
#pragma once

#include <kcf/client.h>
#include <kcf/provider.h>
#include <sys/types.h>
#include <uv.h>
#include "core/limits.h"
#include "core/request.h"
#include "table/table.h"

struct core;
struct consumer;
struct tmpl;
struct context;
struct key;

struct core_events {
	/* A KCF_EVENT_ for every client; mechanism and provider may be NULL. */
	void (*event)(void *arg, enum kcf_event_type type, const char *mechanism,
		      const char *provider);
	/* Room came back: row1 0 = the software queue (credits), else a slot in that hardware
	 * provider's queue. */
	void (*room)(void *arg, uint32_t provider_row1);
	void *arg;
};

struct core_config {
	uv_loop_t *loop;
	struct limits limits;
	const char *module_dir;
	/* Software modules to load at once, ended by NULL: the first must be, the others where
	 * they are built and the machine is fit for them. NULL: openssl, multibuffer. */
	const char *const *modules;
	const struct core_events *events;
	uint64_t daemon_id;
};

/* KCF_SUCCESS or why not. Finds the manifests in module_dir; loads nothing but
 * config->modules. */
enum kcf_status core_new(const struct core_config *config, struct core **ret);
/* Take no more work, cancel what waits, wait for what runs: every request has completed when this
 * returns. Owners can then let go of what they hold; core_free does this first if it was not done.
 */
void core_stop(struct core *core);
void core_free(struct core *core);
struct limits *core_limits(struct core *core);
/* A limit changed: apply it (pool sizes, queue bounds). */
void core_limits_changed(struct core *core);
/* The published table's descriptor (borrowed) and view for lookups. */
int core_table_fd(struct core *core);
const struct table_copy *core_table(struct core *core);
/* Publish for clients: how many of their threads look without sleeping, and whether none may. */
void core_tell_spinners(struct core *core, uint32_t n, bool crowded);
/* Software modules for clients: memfd (borrowed), name, row; returns how many (at most max). */
struct core_module {
	const char *name;
	uint32_t row;
	int fd;
	size_t size;
};
unsigned core_modules(struct core *core, struct core_module *ret, unsigned max);

/* ---- consumers ---- */

enum charge_kind {
	CHARGE_CONNECTION,
	CHARGE_REQUEST,
	CHARGE_KEY,
	CHARGE_CONTEXT,
	CHARGE_TEMPLATE,
	CHARGE_ARENA,
	CHARGE_KINDS
};

/* The account of a uid, made at need, kept while referenced or charged. */
struct consumer *consumer_get(struct core *core, uid_t uid, gid_t gid);
void consumer_put(struct consumer *c);
/* A number for this label of the consumer's, to be put back: its requests carry it. There are few; the
 * labels beyond share the last. */
uint8_t consumer_label_get(struct consumer *c, const char *label);
void consumer_label_put(struct consumer *c, uint8_t number);
/* KCF_SUCCESS or KCF_QUOTA_EXCEEDED. */
enum kcf_status consumer_charge(struct consumer *c, enum charge_kind kind, uint64_t n);
void consumer_uncharge(struct consumer *c, enum charge_kind kind, uint64_t n);
/* Could so much be charged? */
bool consumer_has_room(const struct consumer *c, enum charge_kind kind, uint64_t n);

/* ---- mechanisms ---- */

/* kcfd's number for a name (PKCS#11, KCF_ or alias). May start loading a module: then KCF_QUEUED
 * and done(arg, status, number) is called later, exactly once; otherwise done is not called. */
enum kcf_status mech_find(struct core *core, const char *name,
			  void (*done)(void *arg, enum kcf_status status, uint32_t number),
			  void *arg, uint32_t *ret_number);
/* Parameter kind; -1 for an unknown number. */
int mech_param_kind(struct core *core, uint32_t number);

/* ---- keys ---- */

/* A session key, owned by the connection (its owner pointer is compared on use). */
enum kcf_status key_import(struct core *core, struct consumer *c, const void *owner,
			   const struct kcf_key_data *bytes, uint32_t usage, struct key **ret);
/* Usable by this owner and uid/gid: session key by handle, or named key by name. Borrowed.
 * KCF_KEY_HANDLE_INVALID, KCF_PERMISSION_DENIED. */
enum kcf_status key_find(struct core *core, struct consumer *c, const void *owner,
			 const struct kcf_key_handle *handle, const char *name, struct key **ret);
void key_handle(const struct key *k, struct kcf_key_handle *ret);
/* Of a session key: forget it; requests and templates that use it keep it until they end. */
void key_destroy(struct core *core, struct key *k);
/* All session keys of an owner. */
void key_destroy_owner(struct core *core, const void *owner);
/* A key of the configuration; reads and wipes the file's bytes. path: PKCS#8/SPKI DER or PEM, or
 * raw. */
struct named_key {
	const char *name, *file;
	const uid_t *uids;
	const gid_t *gids;
	unsigned n_uids, n_gids;
	uint32_t usage; /* KCF_KEY_USE bits, 0 = all but PKCS#1 v1.5 decryption */
	bool pkcs1_decrypt, iv_generated;
};
enum kcf_status key_add_named(struct core *core, const struct named_key *spec, char *err,
			      size_t err_len);

/* ---- templates ---- */

/* Mechanism + key. Exactly one of bytes, key; both NULL for keyless. Prepared per provider at first
 * use. */
enum kcf_status tmpl_new(struct core *core, struct consumer *c, uint32_t mech,
			 const struct kcf_key_data *bytes, struct key *key, struct tmpl **ret);
struct tmpl *tmpl_ref(struct tmpl *t);
void tmpl_unref(struct tmpl *t);
uint32_t tmpl_mech(const struct tmpl *t);

/* ---- contexts ---- */

/* Before the INIT request. It ends at final, at an error that says so, at context_close. */
enum kcf_status context_new(struct core *core, struct consumer *c, uint16_t op, struct tmpl *t,
			    struct tmpl *t2, struct context **ret);
/* Cancels what is queued on it; freed when the last request is done. */
void context_close(struct context *c);
bool context_is_open(const struct context *c);

/* ---- scheduling ---- */

/* Takes r. Every outcome, at once or later, comes through r->ops->complete; never from inside this
 * call. */
void sched_submit(struct core *core, struct request *r);
/* Ask: a waiting one completes (KCF_CANCELED) before this returns; a running one completes once,
 * later. */
void sched_cancel(struct core *core, struct request *r);
/* For status queries: requests before r in its consumer's order. */
uint32_t sched_position(struct core *core, const struct request *r);
/* Once per loop turn after all sockets were read: runs what is due. Also scheduled by itself. */
void sched_kick(struct core *core);
/* Has enough been submitted since the last kick to be run before more sockets are read? */
bool sched_is_full(const struct core *core);
/* Has a turn anything to do just now? */
bool sched_is_due(const struct core *core);
/* Reserve a slot in the hardware queue of row1 for one second for requests of this connection
 * (their ->conn); one at a time. False: none is free yet. True also where there is nothing to wait
 * for, because no device in service has that row: asking again tells why. */
bool sched_reserve(struct core *core, const void *conn, uint32_t provider_row1);
/* The connection is gone: others may have what was reserved for it. */
void sched_unreserve(struct core *core, const void *conn);
/* Units of the software queue not leased to anybody; the api layer's credit accounts draw on it. */
uint32_t sched_units_free(struct core *core);
bool sched_units_take(struct core *core, uint32_t n);
void sched_units_give(struct core *core, uint32_t n);

/* ---- administration: every answer is JSON appended to a growing buffer ---- */

struct json; /* base/json.h */

void core_list(struct core *core, struct json *j, bool mechanisms, bool policy);
/* Members of an object that is open. */
void core_stats(struct core *core, struct json *j);
void core_requests(struct core *core, struct json *j);
void core_consumers(struct core *core, struct json *j);
/* A member "trace" of an object that is open. */
void core_trace(struct core *core, struct json *j, unsigned max);
/* In-caller work as a client reported it: merged by (mech, provider, uid) into stats with
 * place="caller". totals are running values of one connection; core keeps the difference. closed:
 * fold into the consumer and forget. */
struct caller_count {
	uint32_t mech, provider_row1;
	uint64_t ops, bytes, errors, sampled_ns, samples;
};
void core_caller_counts(struct core *core, const void *conn, struct consumer *c,
			const struct caller_count *counts, unsigned n, bool closed);

/* name = limit, "threshold MECH", "mode MECH|all", "weight UID", or "PROVIDER.key". err: what, why,
 * what to do. */
enum kcf_status core_set(struct core *core, const char *name, const char *value, char *err,
			 size_t err_len);
/* mechanism NULL: all that the provider offers. */
enum kcf_status core_enable(struct core *core, const char *provider, const char *mechanism,
			    bool enable, char *err, size_t err_len);
/* name: module; instance: NULL = name; options "key=value". Completes through done, possibly at
 * once. */
typedef void (*core_done)(void *arg, enum kcf_status status, const char *err);
void core_load(struct core *core, const char *name, const char *instance,
	       const char *const *options, unsigned n_options, core_done done, void *arg);
/* Drains (5 s), then ends its contexts with KCF_DEVICE_REMOVED. */
void core_unload(struct core *core, const char *instance, core_done done, void *arg);
