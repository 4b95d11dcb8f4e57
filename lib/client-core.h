/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-core - the inside of struct kcf_client, for client*.c, op-send.c and op-reply.c.
 *
 * One lock for everything but the driver's members. The driver is the one thread that may read the
 * socket, connect, and complete requests; the role is taken and given up under the lock: by a
 * synchronous waiter, by the library thread, by kcf_client_dispatch. Because only it completes
 * requests, each completes once. The dispatcher is the one thread that runs callbacks, without lock
 * and role. Sending is a third role (tx.sending), so that the lock is not held during sendmsg.
 *
 *   OFF -> HELLO -> OFFER -> UP -> DOWN -> HELLO ...      OFF: not connecting; DOWN: waiting to try
 * again
 */
#pragma once

#include <signal.h>
#include "arena.h"
#include "client-private.h"
#include "client-ring.h"
#include "pending.h"

enum client_state { CLIENT_OFF = 0, CLIENT_DOWN, CLIENT_HELLO, CLIENT_OFFER, CLIENT_UP };

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

#define CLIENT_SILENCE     (NSEC_PER_SEC)     /* past a deadline: kcfd is taken as lost */
#define CLIENT_HOLD        (2 * NSEC_PER_SEC) /* in-flight requests wait for kcfd at most */
#define CLIENT_HANDSHAKE   (5 * NSEC_PER_SEC)
#define CLIENT_BACKOFF_MIN (NSEC_PER_MSEC)
#define CLIENT_BACKOFF_MAX (NSEC_PER_SEC)
#define CLIENT_REARM       (50 * NSEC_PER_MSEC) /* reading is left to a waiter this long */
#define CLIENT_TIMEOUT_MS  30000u

/* Corked bytes, and bytes kcfd will work through for them, from which they are sent at once: it is
 * to begin while the callbacks that follow still run. */
#define TX_EARLY      (4u * 1024)
#define TX_EARLY_WORK (64u * 1024)

/* A descriptor that goes out with the byte at this place; ours. */
struct tx_fd {
	size_t at;
	int fd;
};

#define TX_FDS ARENA_OFFERS

/* Bytes on their way out. fill is appended to under the lock; out belongs to the sender. */
struct tx {
	uint8_t *fill, *out;
	size_t fill_len, fill_cap;
	size_t fill_work; /* payload of what is in fill that is in the arena */
	size_t out_pos, out_len, out_cap;
	struct tx_fd fill_fds[TX_FDS], out_fds[TX_FDS];
	unsigned n_fill_fds, n_out_fds;
	bool sending;
	bool blocked; /* the socket is full: the driver goes on when it is writable */
};

#define RX_MIN (64u * 1024)
#define RX_FDS (2 * WIRE_MAX_FDS)

/* Bytes read: the driver's. */
struct rx {
	uint8_t *buf;
	size_t start, end, cap;
	int fds[RX_FDS];
	unsigned n_fds;
};

/* A thread inside a synchronous call. On its stack. */
struct waiter {
	struct waiter *next_sleeper, *next_room;
	pthread_cond_t cond;
	bool done;      /* what it waits for has come */
	bool sleeping;  /* on cond, in the list of sleepers */
	bool in_line;   /* in a list of those who want room, oldest first */
	uint32_t units; /* wants so many; kept until it has tried again */
	uint32_t row1;  /* wants a slot of this device instead; likewise */
	bool memory;    /* wants arena memory: another thread may give it back meanwhile */
	bool by_ring;   /* its request is on the ring: look there before sleeping */
};

/* A template of the client, by slot - 1. */
struct slot {
	struct kcf_template *tmpl; /* NULL = free */
	uint64_t attach_id;        /* request that attached it */
	enum kcf_status status;    /* kcfd's answer */
};

struct kcf_client {
	struct direct *direct;

	/* fixed by kcf_client_open */
	char *socket;
	char *module_dir;
	char label[WIRE_MAX_LABEL + 1];
	uint32_t flags;
	uint32_t timeout_ms;
	enum kcf_preference preference;
	kcf_event_callback on_event;
	void *event_arg;
	uint32_t *fork_mark; /* atomic, in a page wiped on fork: whose process this is */
	unsigned n_cpus;     /* of the host */

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t tx_idle;
	enum client_state state;
	uint64_t epoch; /* number of the connection, from 1 */
	int fd;         /* socket, -1 */
	int epfd, evfd, timerfd;
	int kickfd;  /* gets a driver that waits for memory out of poll */
	bool broken; /* the driver must take the connection down */
	bool poked;
	bool in_armed, out_armed; /* in epoll */
	uint64_t timer_at;        /* timerfd is set to, 0 = not */
	struct tx tx;
	struct pending_table pending;
	unsigned n_requests; /* operations sent and not yet released: they may hold arena memory */
	uint64_t next_deadline; /* earliest look at the open requests, 0 = none */
	struct arena arena;
	struct client_ring ring;

	bool driving, kicked;
	struct waiter *driver; /* in client_wait; NULL: the dispatcher, or nobody */
	struct waiter *sleepers;
	bool dispatching;
	pthread_t dispatcher;
	bool thread_running, stop, closed;
	pthread_t thread;

	/* room */
	/* asked of kcfd, not answered yet; rows: a bit per device */
	uint32_t want_units, want_rows;
	uint32_t notify_units, notify_rows; /* the application is to be told */
	uint32_t held_units;                /* held requests want */
	bool notify_memory;                 /* the application, of arena memory */
	struct waiter *room_line;           /* synchronous calls: credits and slots */
	struct waiter *memory_line;         /* arena memory */

	struct kcf_ring_slot **ring_slots; /* max_ring_slots, NULL where there is none */
	uint32_t max_ring_slots, n_ring_slots;

	struct slot *slots;
	unsigned n_slots, next_slot; /* none is free below next_slot */
	struct kcf_context *contexts;
	uint32_t next_context;

	/* the driver's */
	struct rx rx;
	struct codec_arena decode;
	uint64_t daemon_id, last_daemon_id;
	uint64_t max_request;
	uint32_t max_inline;
	uint32_t features; /* what both sides know */
	enum kcf_status refusal; /* why the last attempt to connect failed */
	uint64_t handshake_until, next_connect, backoff, up_since;
	uint64_t rearm_at;
	uint64_t n_failed; /* attempts to connect */
	unsigned n_offers;
	bool was_up, peer_trusted;
};

uint64_t client_now(void);

/* What the page at fork_mark says: the kernel makes it FORKED, the child takes it from there to OWN
 * again. One word, so that no fork, whenever it comes, finds half of an answer. */
enum { MARK_FORKED = 0, MARK_OWN, MARK_FORGETTING, MARK_CHILD };

/* In the process that opened, or reopened: not client_forked. */
static inline bool client_is_own(const struct kcf_client *c)
{
	return __atomic_load_n(c->fork_mark, __ATOMIC_ACQUIRE) == MARK_OWN;
}

/* ---- client.c ---- */

/* First thing of every call: notices a fork. */
void client_enter(struct kcf_client *c);
/* The calling thread runs callbacks now. Lock held. */
bool client_in_callback(const struct kcf_client *c);
/* Have the dispatcher look. Lock held. */
void client_poke(struct kcf_client *c);
enum kcf_status client_start_thread(struct kcf_client *c);

/* ---- client-connect.c: the driver's, lock held (and given up in between) ---- */

/* Begin to connect; the state is HELLO, or DOWN with next_connect set. */
void client_connect(struct kcf_client *c);
/* Close the socket, hold or complete what was under way. again: try to connect later. */
void client_disconnect(struct kcf_client *c, bool again);
/* HELLO_REPLY, and the answer to an offer. false: protocol error. */
bool client_on_hello(struct kcf_client *c, const struct wire_hello_reply *r);
void client_offer_answered(struct kcf_client *c);
/* Arena memory that this request was to fill may still change. */
void client_lose_buffers(struct kcf_client *c, struct pending *p);
/* Send what is held and wait for credit no longer. */
void client_resume(struct kcf_client *c, bool same_daemon);
/* client-trust.c: may modules of this peer be loaded into this process? */
bool client_peer_trusted(int fd);

/* ---- client-io.c ---- */

/* Room for n bytes at the end of what is to be sent; NULL: out of memory. Lock held. */
uint8_t *client_tx_room(struct kcf_client *c, size_t n);
void client_tx_commit(struct kcf_client *c, size_t n);
/* Append a message without payload. Lock held. */
bool client_tx_msg(struct kcf_client *c, const struct wire_msg *msg, uint64_t id,
		   uint64_t deadline_us);
/* The same with a descriptor, which is taken. Lock held. */
bool client_tx_msg_fd(struct kcf_client *c, const struct wire_msg *msg, uint64_t id, int fd);
/* Is it time to send what callbacks submitted? Lock held. */
static inline bool client_tx_is_early(const struct kcf_client *c)
{
	return c->tx.fill_len >= TX_EARLY || c->tx.fill_work >= TX_EARLY_WORK;
}
/* Send what there is; gives up the lock in between. Nothing while the socket is full. */
void client_flush(struct kcf_client *c);
/* Forget what is unsent; waits for a thread that is sending. Lock held. */
void client_tx_reset(struct kcf_client *c);
/* One message with one descriptor at once, on a fresh connection; 0 or -errno. */
int client_send_fd(struct kcf_client *c, const struct wire_msg *msg, uint64_t id, int fd);
/* Driver, without the lock: read once. false: connection gone. *ret_more: there may be more. */
bool client_read(struct kcf_client *c, int fd, bool *ret_more);
/* The next descriptor received, or -1. */
int client_take_fd(struct kcf_client *c);
void client_rx_reset(struct kcf_client *c);
/* Watch for input and output as wanted. Lock held. */
void client_watch(struct kcf_client *c, bool in, bool out);
/* Let the timer fire no later than at. Lock held. */
void client_timer(struct kcf_client *c, uint64_t at);

/* ---- client-dispatch.c ---- */

/* Handle the frames that are read. Driver, without the lock. false: protocol error. */
bool client_frames(struct kcf_client *c);
#define CLIENT_BELL 0x01000000u /* among the events: of the ring's bell, a bit epoll does not use */
/* One round: read, complete, call back, send. events: what epoll says of the socket. */
void client_round(struct kcf_client *c, uint32_t events);
void client_run_notices(struct kcf_client *c);
void *client_thread(void *arg);
void client_push_event(struct kcf_client *c, enum kcf_event_type type, const char *mechanism,
		       const char *provider, uint32_t units);

/* ---- client-timer.c: what time brings. Driver, lock held ---- */

/* Give a request its deadline, and have it looked at; 0 = none. */
void client_set_deadline(struct kcf_client *c, struct pending *p, uint32_t timeout_ms);
void client_set_deadline_at(struct kcf_client *c, struct pending *p, uint64_t deadline);
void client_tick(struct kcf_client *c, uint64_t now);
uint64_t client_next_timer(const struct kcf_client *c);

/* ---- client-wait.c: synchronous calls. Lock held ---- */

/* Wait until w->done or until the deadline (0 = none), reading the socket if nobody does. */
bool client_wait(struct kcf_client *c, struct waiter *w, uint64_t deadline);
/* The driver's part of it: wait for the socket or the time until, read, let time pass. */
void client_drive_once(struct kcf_client *c, uint64_t until);
void client_waiter_init(struct waiter *w);
void client_waiter_deinit(struct waiter *w);
/* Wake the thread that waits. */
void client_wake(struct kcf_client *c, struct waiter *w);
/* Take the driver's role if it is free; give it up, to a sleeper if there is one. */
bool client_drive(struct kcf_client *c);
void client_undrive(struct kcf_client *c);
/* Ask kcfd for what is wanted, unless that has been done: units for the first in line, else for
 * held requests, else for the application; a slot of each device somebody waits for. */
void client_ask_room(struct kcf_client *c);
/* Tell the application by an event when there is room for so many units, or a slot of a device
 * (row1 not 0). */
void client_notify_room(struct kcf_client *c, uint32_t units, uint32_t row1);
void client_on_room(struct kcf_client *c, const struct wire_room *room);
/* May this thread (NULL: an asynchronous call) take credits, or is somebody before it in line? */
bool client_is_first(const struct kcf_client *c, const struct waiter *w);
/* Wait in line for w->units or w->row1; false: the deadline came first. The place is kept until
 * client_leave_line. */
bool client_wait_room(struct kcf_client *c, struct waiter *w, uint64_t deadline);
void client_leave_line(struct kcf_client *c, struct waiter *w);
/* Sleep until somebody may have given arena memory back; false: the deadline came first. */
bool client_wait_memory(struct kcf_client *c, uint64_t deadline);
/* Some was given back: wake who waits, tell the application if it wanted that. */
void client_wake_memory(struct kcf_client *c);
/* The connection is gone: nothing is wanted any more, everybody is to look. */
void client_drop_wants(struct kcf_client *c);

/* ---- op-reply.c: the driver's ---- */

/* Take a reply apart: result and payload to where they belong. */
void op_result(struct pending *p, const struct wire_op_reply *r, const uint8_t *payload,
	       size_t payload_len);
/* The same, with a look at why its template is not there. Without the lock. */
void op_reply(struct kcf_client *c, struct pending *p, const struct wire_op_reply *r,
	      const uint8_t *payload, size_t payload_len);
void op_key_reply(struct kcf_client *c, struct pending *p, const struct wire_key_reply *r);
/* A step's notification. False: not of this request. */
bool op_step_reply(struct kcf_client *c, struct pending *p, const struct wire_op_reply *r,
		   const uint8_t *payload, size_t payload_len);
/* Why kcfd refused arena memory of the request that was offered to it; KCF_SUCCESS: it did not. */
enum kcf_status op_refusal(struct kcf_client *c, const struct pending *p);
/* Result is in: wake the waiter or queue the callback. Lock held. */
void op_finish(struct kcf_client *c, struct pending *p, enum kcf_status status);
/* Arena memory back, and a surplus segment to kcfd. False: it was of no use. Lock held. */
bool client_buf_free(struct kcf_client *c, void *p);
/* Release what the request held and give it back to the pool. Lock held. */
void op_release(struct kcf_client *c, struct pending *p);

/* ---- op-context.c ---- */

/* What is to be done and by which keys, checked, into call; with the rules of its request. */
enum kcf_status op_fill_how(const struct kcf_how *how, struct op_call *call);
/* Nothing queued, nothing refused yet. req may be NULL. */
void op_reset_req(struct kcf_call_req *req);

/* ---- op-send.c ---- */

/* Run a single-part call through the ring, if it is one for it; else false, and nothing was done.
 * checked: direct_sends has said so, with this kind of parameter. *deadline: of a synchronous call
 * that has begun to wait and is to go on by socket, 0 = none yet. */
bool op_ring(const struct op_call *call, bool checked, enum kcf_param_kind kind,
	     uint64_t *deadline, enum kcf_status *ret);
/* The same in two steps, for synchronous calls that are checked, without waiting: on the ring, with
 * w as its waiter; the bell is not rung yet. NULL: not one for the ring, or not now. */
struct pending *op_ring_put(const struct op_call *call, struct waiter *w);
/* By socket; not flushed yet. NULL: *ret says why; KCF_BUSY: no room now. */
struct pending *op_send_put(const struct op_call *call, struct waiter *w, enum kcf_status *ret);
/* The result of one that is DONE, whichever way it went; gives it back. False: there was no room on
 * any device, it is to be sent alone. Lock held. */
bool op_take(const struct op_call *call, struct pending *p, enum kcf_status *ret);
/* What a request by ring would have been as OP. Ranges and what belongs to a connection are left
 * out. */
struct op_unpacked {
	struct wire_op op;
	union {
		struct kcf_param_iv iv;
		struct kcf_param_aead aead;
		struct kcf_param_mac mac;
	} param, param2;
	const uint8_t *check;
	size_t check_len;
};
void op_unpack(const struct pending *p, struct op_unpacked *ret);

/* Send a held request again. BUSY: no credit yet; other: it cannot. Driver, lock held. */
enum kcf_status op_resend(struct kcf_client *c, struct pending *p);

/* ---- client-slot.c: templates and their attachment. Lock held ---- */

enum kcf_status client_slot_new(struct kcf_client *c, struct kcf_template *tmpl);
void client_slot_free(struct kcf_client *c, struct kcf_template *tmpl);
/* The slot to name in a request, attaching it first if needed; 0: send the key itself. */
uint32_t client_slot_attach(struct kcf_client *c, struct kcf_template *tmpl);
/* p: the request that attached it. */
void client_slot_answered(struct kcf_client *c, const struct pending *p, enum kcf_status status);
/* kcfd's answer to the attachment of this template on this connection. */
enum kcf_status client_slot_status(struct kcf_client *c, const struct kcf_template *tmpl);
