/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - one client's connection: its socket, its frames in and out, and everything it made kcfd
 * hold.
 *
 *   NEW -> SERVED -> CLOSED     NEW: before HELLO
 *     `----------------^        CLOSED: socket gone, waiting for requests that still run
 *
 * Memory of a closed connection lives until nothing refers to it: pins are counted for being open,
 * each request and each answer that is made later; and libuv has closed its handle. A connection
 * with more than OUT_PAUSE bytes to be written is not read; one with more than OUT_MAX is closed. A
 * frame must be complete within the frame limit. Loop thread.
 */
#pragma once

#include <uv.h>
#include "api/api.h"
#include "api/credit.h"
#include "api/idmap.h"
#include "api/iobuf.h"
#include "api/out.h"
#include "log.h"

#define OUT_PAUSE (256u * 1024)
#define OUT_MAX   (8u * 1024 * 1024)
/* Descriptors waiting to be sent from which a connection is not read. */
#define OUT_PAUSE_FDS 64u

enum conn_state { CONN_NEW = 0, CONN_SERVED, CONN_CLOSED };

struct conn {
	struct list link, dirty, timed;
	struct api *api;
	uv_poll_t poll;
	int fd, events; /* events: what poll watches */
	enum conn_state state;
	bool paused; /* not read: too much to be written */
	bool broken; /* to be closed at the next flush */
	bool poll_closed;
	unsigned pins;
	uint64_t id;
	uid_t uid;
	gid_t gid;
	struct consumer *consumer;
	char label[WIRE_MAX_LABEL + 1];
	uint8_t label_number; /* of the consumer's, from HELLO on */
	uint32_t features; /* both sides know */
	uint64_t deadline_ms; /* while timed */

	struct iobuf in;
	int fds[WIRE_MAX_FDS]; /* received, not yet taken by a frame */
	unsigned n_fds;
	struct out out;

	struct page *page;
	int page_fd;
	struct credit_account credit;
	struct idmap pending;   /* id -> struct pending: what is to be answered */
	struct idmap templates; /* slot -> struct tmpl */
	struct idmap contexts;  /* number -> struct context_entry */
	struct idmap segments;  /* number -> struct segment */
	struct conn_ring *ring;      /* NULL: it has none */
	struct list requests;        /* struct request, by conn_link */
	unsigned n_key_ops, n_finds; /* answered later */
};

/* First member of whatever is answered later; at most one per id. */
enum pending_kind { PENDING_OP = 1, PENDING_KEY, PENDING_FIND, PENDING_ADMIN };

struct pending {
	enum pending_kind kind;
	struct conn *conn; /* pinned */
	uint64_t id;
};

/* Takes fd and, on success, the charge of a connection and the reference to the consumer. NULL: out
 * of memory (fd closed). */
struct conn *conn_new(struct api *a, int fd, uid_t uid, gid_t gid, struct consumer *consumer);
void conn_set_state(struct conn *c, enum conn_state state);
/* Close the socket, cancel and drop everything. Harmless twice. */
void conn_close(struct conn *c);
/* A protocol violation: say it, then close. */
void conn_fatal(struct conn *c, enum kcf_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void conn_pin(struct conn *c);
void conn_unpin(struct conn *c);
/* Remember that id will be answered later (pins). false: out of memory. */
bool conn_pending_add(struct conn *c, struct pending *p, enum pending_kind kind, uint64_t id);
/* It is answered (unpins). Returns false if the connection is closed: then nobody wants the answer.
 */
bool conn_pending_done(struct pending *p);

static inline bool conn_is_open(const struct conn *c)
{
	return c->state != CONN_CLOSED;
}

/* Read no more; write what there is. */
void conn_drain(struct conn *c);
/* Take the first waiting descriptor; -1 if there is none. */
int conn_take_fd(struct conn *c);
void conn_log(const struct conn *c, struct log_about *ret);

/* ---- answers: appended, written at the end of the turn; ignored once closed ---- */

void conn_send(struct conn *c, const struct wire_msg *msg, uint64_t id);
/* With payload in up to n pieces. */
void conn_send_payload(struct conn *c, const struct wire_msg *msg, uint64_t id,
		       const struct iovec *payload, unsigned n);
/* Descriptors for the frame sent next; those owned are taken. false: out of memory, the connection
 * is closed. */
bool conn_send_fds(struct conn *c, const int *fds, const bool *owned, unsigned n);
/* Write now what goes. */
void conn_flush(struct conn *c);
