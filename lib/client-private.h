/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-private - what the files of libkcf-client share.
 *
 * The way of a call: op*.c builds a struct op_call, op_submit() asks direct.c; what must go to kcfd is remembered in
 * pending.c, encoded and sent by client.c; replies come back through client-dispatch.c to pending.c, which completes
 * each request exactly once.
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
				struct codec_arena *arena, struct wire_msg *ret_reply,
				int *ret_fd);

/* Run or send one call; the public functions end here. */
enum kcf_status op_submit(const struct op_call *call);

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

