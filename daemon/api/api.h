/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - what all connections share: the loop's hooks, the connections, credit, the decoder's
 * memory.
 *
 * One per daemon, owned by kcfd.c; loop thread only. A turn of the loop is: sockets are read and
 * requests submitted; the check hook, and before it whoever read enough for a turn, lets the
 * scheduler run what is due, in several rounds while there are rings to be looked at, and writes the
 * answers; the prepare hook writes what timers and workers added since. So answers of one turn leave
 * in one write per connection.
 */
#pragma once

#include <uv.h>
#include "api/credit.h"
#include "api/entry-quick.h"
#include "api/iobuf.h"
#include "api/listener.h"
#include "api/rings.h"
#include "base/list.h"
#include "core/core.h"
#include "wire/codec.h"

struct conn;

/* libuv handles of its own. */
#define API_HOOKS 5u

struct api {
	uv_loop_t *loop;
	struct core *core;
	struct core_events events; /* for core_new */
	struct listener listener;
	struct credit credit;
	struct rings rings;
	struct quick_entries quick; /* of rings, to run together */
	struct codec_arena arena; /* one message at a time */
	struct iobuf_pool bufs;
	struct list conns;
	struct list dirty; /* have something to write */
	struct list timed; /* must finish a frame or hello by a time; in that order */
	unsigned n_conns, n_closing, n_segments; /* closing: closed, but requests still run */
	uint64_t last_conn;                      /* number given out */
	uint64_t daemon_id;
	uid_t own_uid;
	bool overflow_uid; /* serve it */
	bool stopping;
	unsigned open; /* connections and hooks whose memory is not yet free */
	uv_check_t check;
	uv_prepare_t prepare;
	uv_timer_t timer;        /* timed */
	uv_timer_t credit_timer; /* runs while somebody waits for room */
};

/* Sets up everything but core and listener. Before core_new, so that the hooks run after the core's
 * own. */
int api_init(struct api *a, uv_loop_t *loop, uint64_t daemon_id);
/* After core_new. */
void api_set_core(struct api *a, struct core *core);
/* No new connections, nothing more is read; what is under way goes on. */
void api_stop(struct api *a);
/* Has every request been answered and every answer been written? */
bool api_is_quiet(const struct api *a);
/* Close every connection: cancels what it had. */
void api_close_conns(struct api *a);
/* Close the hooks; memory is free once the loop has run dry. */
void api_deinit(struct api *a);

/* Start watching a connection's deadline (now + the frame limit); and stop. */
void api_time_conn(struct api *a, struct conn *c);
/* After a socket was read: runs and answers what has come, if it is enough for a turn. Closes
 * connections. */
void api_pace(struct api *a);
/* Somebody waits for room: look again soon. */
void api_credit_waits(struct api *a);
