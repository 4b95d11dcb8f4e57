/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle - the handlers of dispatch's table, one file a family, and the answers they share.
 */
#pragma once

#include "api/conn.h"
#include "api/dispatch.h"

void handle_hello(struct conn *c, const struct dispatch_frame *f);
void handle_op(struct conn *c, const struct dispatch_frame *f);
void handle_ring_new(struct conn *c, const struct dispatch_frame *f);
void handle_template_attach(struct conn *c, const struct dispatch_frame *f);
void handle_template_drop(struct conn *c, const struct dispatch_frame *f);
void handle_context_drop(struct conn *c, const struct dispatch_frame *f);
void handle_key_op(struct conn *c, const struct dispatch_frame *f);
void handle_cancel(struct conn *c, const struct dispatch_frame *f);
void handle_status(struct conn *c, const struct dispatch_frame *f);
void handle_mech_find(struct conn *c, const struct dispatch_frame *f);
void handle_arena_new(struct conn *c, const struct dispatch_frame *f);
void handle_arena_offer(struct conn *c, const struct dispatch_frame *f);
void handle_arena_free(struct conn *c, const struct dispatch_frame *f);
void handle_want(struct conn *c, const struct dispatch_frame *f);
void handle_admin(struct conn *c, const struct dispatch_frame *f);

/* Answer a request that is complete, by OP_REPLY. */
void handle_op_reply(struct conn *c, const struct request *r);
/* The key that a message names by handle or name; KCF_ARGUMENTS_BAD if it names none. Borrowed. */
enum kcf_status handle_find_key(struct conn *c, const struct wire_key *key, struct key **ret);
/* The template that a message means: of a slot, or made now for mechanism and key. *ret: a
 * reference of the caller's. */
enum kcf_status handle_get_template(struct conn *c, uint32_t slot, uint32_t mech,
				    const struct wire_key *key, struct tmpl **ret);
/* Does a parameter of this kind belong to the mechanism? */
enum kcf_status handle_check_param(struct conn *c, uint32_t mech, const struct wire_param *param);
