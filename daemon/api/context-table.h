/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context-table - the open contexts of a connection, by the number its client chose. A number is
 * free once its context has ended and that was answered. Loop thread.
 */
#pragma once

#include <kcf/types.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct context;
struct tmpl;

/* Open one. KCF_ALREADY_EXISTS for a number in use. */
enum kcf_status context_table_open(struct conn *c, uint32_t number, uint16_t op, struct tmpl *t,
				   struct tmpl *t2, struct context **ret);
/* The context of an update or final; KCF_INVALID_CONTEXT if there is none, or one of another op. */
enum kcf_status context_table_find(struct conn *c, uint32_t number, uint16_t op,
				   struct context **ret);
/* A request on it is done: forget it if it has ended. */
void context_table_check(struct conn *c, uint32_t number);
/* End it; an unknown number is ignored. */
void context_table_drop(struct conn *c, uint32_t number);
/* End all; the connection closes. */
void context_table_clear(struct conn *c);
