/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-private - what the files of libkcf-client share.
 *
 * The way of a call: op*.c builds a struct op_call, op_submit() asks direct.c; what must go to kcfd
 * is remembered in pending.c, encoded by op-send.c and sent by client-io.c; replies come back
 * through client-dispatch.c and op-reply.c, and each request completes exactly once. The inside of
 * struct kcf_client is in client-core.h.
 */
#pragma once

#include "direct.h"
#include "wire/codec.h"

struct direct *client_direct(struct kcf_client *client);
/* True in a child that has not called kcf_client_reopen: nothing may go to kcfd. */
bool client_forked(const struct kcf_client *client);
/* Effective preference of a call (request's, else the handle's). */
enum kcf_preference client_preference(const struct kcf_client *client,
				      const struct kcf_call_req *req);
bool client_standalone(const struct kcf_client *client);

/* One synchronous exchange with kcfd (MECH_FIND, KEY_OP, ...). The reply lives in arena. */
enum kcf_status client_exchange(struct kcf_client *client, const struct wire_msg *msg,
				struct codec_arena *arena, struct wire_msg *ret_reply, int *ret_fd);

/* Run or send one call; the public functions end here. */
enum kcf_status op_submit(const struct op_call *call);
/* The rules of its arguments. */
enum kcf_status op_check_call(const struct op_call *call);
/* A single-part call that is kcfd's work: check it, send it and, if it is synchronous, wait. */
enum kcf_status op_send_single(const struct op_call *call);

/* Is this call synchronous? */
static inline bool op_is_sync(const struct kcf_call_req *req)
{
	return !req || (req->flags & KCF_WAIT);
}

/* The rules for struct kcf_call_req, whatever the operation. */
enum kcf_status op_check_req(const struct kcf_call_req *req);
/* Bytes where bytes are said to be; d may be NULL if optional. */
bool op_data_ok(const struct kcf_data *d);
/* Does the input overlap the output? *ret_same: exactly the same bytes, which is in place. */
bool op_data_overlap(const struct kcf_data *in, const struct kcf_data *out, bool *ret_same);
/* NULL key, kinds and templates of other clients. */
enum kcf_status op_check_key(const struct kcf_client *client, const struct kcf_mechanism *mech,
			     const struct kcf_key *key);

/* What a call has beyond struct op_call when it goes to kcfd. Zeroed: single-part. */
struct op_more {
	uint32_t phase; /* enum kcf_phase */
	struct kcf_context *ctx;
	struct kcf_step *steps;
	size_t n_steps;
	uint64_t deadline; /* not 0: this one, and not the request's anew */
};

/* Send a call to kcfd and, if it is synchronous, wait. */
enum kcf_status op_send(const struct op_call *call, const struct op_more *more);
/* The same for a KEY_OP. ret_key and out may be NULL; they must stay until completion. */
enum kcf_status op_send_key(struct kcf_client *client, const struct wire_key_op_msg *op,
			    struct kcf_key *ret_key, struct kcf_data *out,
			    struct kcf_call_req *req);

/* op-wire.c: keys, parameters and mechanisms as the wire has them; KCF_SUCCESS or why they cannot
 * travel. A template's key is what it was made of. */
enum kcf_status op_wire_key(const struct kcf_key *key, struct wire_key *ret);
void op_template_key(const struct kcf_template *tmpl, struct wire_key *ret);
enum kcf_status op_wire_param(struct kcf_client *client, const struct kcf_mechanism *mech,
			      struct wire_param *ret);
/* kcfd's number of a mechanism; 0 = it has none. Fixed numbers are always known: kcfd may have to
 * load the module first. */
uint32_t op_wire_mech(struct kcf_client *client, kcf_mech_t number);

/* op-context.c: references of queued requests, and the life of a context in kcfd. Client's lock
 * held. */
void context_ref(struct kcf_context *ctx);
void context_unref(struct kcf_context *ctx);
uint32_t context_number(const struct kcf_context *ctx);
/* Is the context on this connection? An init puts it there. */
bool context_enter(struct kcf_context *ctx, bool init, uint64_t epoch);
void context_set_ended(struct kcf_context *ctx);
/* Frees every context that is left. */
void context_free_all(struct kcf_client *client);

/* data helpers */
static inline size_t data_len(const struct kcf_data *d)
{
	if (!d)
		return 0;
	if (!d->iov)
		return d->len;
	size_t n = 0;
	for (unsigned i = 0; i < d->n_iov; i++)
		n += d->iov[i].iov_len;
	return n;
}
