/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn-ring - a connection's ring: its entries become requests, its completions are answers.
 *
 *   asleep -> awake    the bell rang
 *   awake -> asleep    nothing came for a while (rings.h), or the client does not read its answers
 *
 * Awake ones are looked at in every round; the others cost nothing. Completions are written at once
 * but shown at the end of the round, together with the credit of what is complete: one bell at
 * most. What a client wrote that cannot be ends its connection, in conn_ring_take or conn_ring_show
 * alone. The ring goes with its connection's socket; libuv's handle, and so this memory, a turn
 * later. Loop thread.
 */
#pragma once

#include <uv.h>
#include "api/conn.h"
#include "table/ring.h"

struct segment;
struct tmpl;

/* What entries named lately. Good until the connection's next frame, which alone can change it. */
#define RING_MEMOS 64u

struct ring_memo {
	uint64_t frame;
	struct tmpl *tmpl;
	uint32_t slot;
	uint8_t param; /* a kind that is right */
};

struct segment_memo {
	uint64_t frame;
	struct segment *segment;
	uint32_t number;
};

struct conn_ring {
	struct list awake;    /* of rings, while it is */
	struct list answered; /* of rings: has something to be shown */
	struct ring_server s;
	struct conn *conn;
	uint32_t units_due;   /* of completed requests, not yet given back */
	uint64_t last_ns;     /* when it last had an entry */
	uint64_t looked_ns;   /* the clock of looking (rings.h) at that time */
	struct tmpl *keyless; /* the one last used: a reference */
	struct api *api;
	uv_poll_t poll;
	int bell;
	struct rings_count count;
	uint64_t frame;                     /* counts the connection's frames, from 1 */
	struct ring_memo memos[RING_MEMOS]; /* by slot */
	struct segment_memo segments[2];    /* of input and output */
};

/* Make one, and the client's ends: the memory and the bell, which are the caller's. */
enum kcf_status conn_ring_open(struct conn *c, int ret_fds[static 2]);
/* Of a connection that closes. */
void conn_ring_close(struct conn *c);
/* Look at it from now on. */
void conn_ring_wake(struct conn_ring *cr);
/* Ask for the bell and look no more. False: there are entries. */
bool conn_ring_sleep(struct conn_ring *cr);
/* Take what is there, at most max places, submit it or keep it for quick_entries_run(). How many
 * entries; the connection may be closed then. */
unsigned conn_ring_take(struct conn_ring *cr, unsigned max);
/* Everything published so far, run or submitted. */
void conn_ring_take_all(struct conn_ring *cr);
/* Write an answer. False: there is no place for it. */
bool conn_ring_answer(struct conn_ring *cr, const struct ring_done *done);
/* Units of a request that is complete: given back when its answer is shown. */
void conn_ring_units(struct conn_ring *cr, uint32_t units);
/* Show what was answered since, and ring. */
void conn_ring_show(struct conn_ring *cr);
