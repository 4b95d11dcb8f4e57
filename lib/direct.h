/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct - the local decision and the work done in the caller's own thread.
 *
 * direct_call() walks the candidates of the published table as the contract says and either
 * runs the operation here, or refuses it (NEVER_QUEUE), or says that it must go to kcfd. For a
 * template the walk is cached as a plan and redone when the table's generation moves. What ran is
 * counted in the thread's cell of the connection page. Any thread; after a thread's first use of a
 * template no lock, allocation or system call.
 */
#pragma once

#include <kcf/client.h>
#include <pthread.h>
#include "module/prepared.h"
#include "table/page.h"
#include "table/table.h"

/* One public call, normalised. Everything is borrowed from the caller. */
struct op_call {
	struct kcf_client *client;
	enum kcf_op op;
	const struct kcf_mechanism *mech, *mech2; /* mech2, key2: the MAC of a dual operation */
	const struct kcf_key *key, *key2;
	const struct kcf_data *in;
	const struct kcf_data *check; /* MAC or signature to compare */
	struct kcf_data *out;
	struct kcf_data *mac;     /* encrypt-mac: where the MAC goes */
	struct kcf_call_req *req; /* NULL = synchronous */
	bool company;             /* one of many that come together */
};

enum direct_verdict {
	DIRECT_DONE, /* status is final (or KCF_BUSY: refused here) */
	DIRECT_SEND, /* must go to kcfd */
};

struct direct; /* the part of a client that this module owns; one per client */

struct direct *direct_new(struct kcf_client *client);
void direct_free(struct direct *d);
/* After HELLO: table and page (fds taken), software modules (fds taken; ignored unless trusted).
 * Replaces what was there; calls under way in other threads are safe. */
enum kcf_status direct_attach(struct direct *d, int table_fd, int page_fd,
			      const char *const *module_names, const uint32_t *module_providers,
			      const int *module_fds, unsigned n_modules, bool trusted);
/* The module (fd taken) of a software provider that kcfd added since. */
void direct_attach_module(struct direct *d, uint32_t provider, int fd, bool trusted);
/* Connection lost: the last table stays the policy, the page is no longer shared. */
void direct_detach(struct direct *d);
/* Without kcfd: load every software module of dir (NULL = compiled-in). */
enum kcf_status direct_standalone(struct direct *d, const char *dir);
/* In the child after fork: counts no longer go to the parent's page; locks are made anew. */
void direct_after_fork(struct direct *d);

enum direct_verdict direct_call(struct direct *d, const struct op_call *call,
				enum kcf_status *ret_status);
/* True: direct_call would only check this call, find nothing wrong, and say DIRECT_SEND.
 * *ret_kind: of its mechanism's parameter. A few compares, for templates used before; false says
 * nothing. */
bool direct_sends(struct direct *d, const struct op_call *call, enum kcf_param_kind *ret_kind);
/* May one more thread of this host look for work without sleeping? A hint of kcfd's. counted: so
 * many of those that do may be this client's own. */
bool direct_may_spin(struct direct *d, unsigned n_cpus, unsigned counted);

/* Each of n calls as direct_call() would, together; req is synchronous. What must go to kcfd has
 * status KCF_QUEUED. Returns how many did not end with KCF_SUCCESS. */
size_t direct_batch(struct direct *d, struct kcf_batch_op *ops, size_t n, struct kcf_call_req *req);

/* The page of the live connection, for credits; NULL when there is none. */
struct page *direct_page(struct direct *d);

/* Mechanisms. Numbers here are the client's (fixed ones as in types.h; others from KCF_M_DYNAMIC
 * up, stable for the client's life, mapped by name). */
enum kcf_status direct_mech_find(struct direct *d, const char *name, kcf_mech_t *ret);
enum kcf_status direct_mech_info(struct direct *d, kcf_mech_t number, struct kcf_mech_info *ret);
enum kcf_status direct_mech_list(struct direct *d, struct kcf_mech_info *ret, size_t *n);
/* The client's number -> kcfd's; 0 if kcfd does not know it now. And the other way. */
uint32_t direct_to_daemon(struct direct *d, kcf_mech_t number);
kcf_mech_t direct_from_daemon(struct direct *d, uint32_t number);
/* Name of a table provider row (row + 1, 0 = ""), valid until direct_free. */
const char *direct_provider_name(struct direct *d, uint32_t row1);
/* Parameter kind of a mechanism; KCF_MECHANISM_INVALID for a number this client never saw. Also
 * checks that param and param_len fit the kind (KCF_MECHANISM_PARAM_INVALID). */
enum kcf_status direct_check_param(struct direct *d, const struct kcf_mechanism *mech,
				   enum kcf_param_kind *ret_kind);
/* May the operation's work be released to software costs' prediction: expected nanoseconds in
 * software. */
uint64_t direct_predict_ns(struct direct *d, kcf_mech_t number, size_t len);

/* ---- templates: key bytes live here, plans and prepared ones per provider ---- */

struct kcf_template {
	/* what a call here looks at: together */
	struct direct *direct;
	struct template_plan *plan; /* atomic: the newest */
	kcf_mech_t mech;
	enum kcf_param_kind param_kind;
	enum kcf_key_kind kind; /* BYTES, HANDLE, NAMED, NONE */
	struct kcf_client *client;
	uint32_t refs; /* atomic: the user's, and one per queued request */
	enum kcf_key_format format;
	uint8_t *bytes; /* wiped on free */
	size_t len;
	struct kcf_key_handle handle;
	char name[KCF_KEY_NAME_MAX + 1];
	/* client.c's: attachment to the present connection */
	uint32_t slot;
	uint64_t attached_epoch; /* connection epoch of the attachment, 0 = none */
	uint64_t done_epoch;     /* atomic: the same, once kcfd has it: the ring may name it */
	uint32_t n_queued;       /* requests by ring under way, which have one reference together */
	/* direct's own */
	struct template_plan *plans; /* all there were; a thread may still look at an older one */
	struct direct_prep *preps;   /* what is prepared, per provider */
};

/* Validates mechanism, key length and class; prepares nothing yet unless it can run here. */
enum kcf_status direct_template_new(struct direct *d, kcf_mech_t mech, const struct kcf_key *key,
				    struct kcf_template **ret);
void template_ref(struct kcf_template *t);
void template_unref(struct kcf_template *t);

/* ---- contexts in the caller's thread ---- */

struct direct_context;

/* Is this context's place here (see kcf_init)? Verdict SEND: it belongs to kcfd. */
enum direct_verdict direct_context_new(struct direct *d, const struct kcf_how *how,
				       const struct kcf_call_req *req, struct direct_context **ret,
				       enum kcf_status *ret_status);
/* A second concurrent call: waits when wait, else KCF_BUSY (WOULD_QUEUE). */
enum kcf_status direct_context_update(struct direct_context *c, const struct kcf_data *in,
				      struct kcf_data *out, bool wait);
enum kcf_status direct_context_final(struct direct_context *c, const struct kcf_data *check,
				     struct kcf_data *out, bool wait);
void direct_context_free(struct direct_context *c);
