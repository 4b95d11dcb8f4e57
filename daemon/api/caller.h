/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller - what a client's own threads did, as it says in its connection page.
 *
 * The cells are the client's memory and untrusted: they are copied with pread, which also leaves
 * holes of the memfd holes, added with saturation, and never decided by. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct json;

/* Hand the counts to the core; closed: for the last time. */
void caller_fold(struct conn *c, bool closed);
/* Append the last decisions as objects of the open array; at most max. Returns how many. */
unsigned caller_trace(struct conn *c, struct json *j, unsigned max);
