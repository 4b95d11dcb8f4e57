/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-ring - the ring of a connection: asked for at its first request, dropped with it.
 *
 * Its memory has one address for the client's life: when a connection ends, private memory takes
 * its place, so that who still looks at it or puts something there does no harm. Requests by ring
 * are put under the client's lock (op-ring.c), or without it by kcf_ring_submit, which counts
 * itself in and out. Completions are the driver's, as the socket is.
 */
#pragma once

#include <kcf/client.h>
#include "table/ring.h"

struct pending;

#define RING_SPIN     20000u  /* ns: so long a thread looks before it sleeps */
#define RING_COUNTED  100000u /* ns: so long after spinning it may still be counted */
#define RING_LOOK     100000u /* ns: so long completions may keep it from the sockets */
#define RING_BATCH    64u     /* completions taken at once */
#define RING_SEGMENTS 256u    /* numbers below go into an entry */

#define RING_SLOT_BITS 16 /* of an id: the slot's index */
#define RING_SLOT_ID   (UINT64_C(1) << 63)

struct client_ring {
	struct ring_client rc;   /* rc.r: NULL before the first */
	uint64_t epoch;          /* atomic: the connection it belongs to; 0 = there is none */
	uint32_t inside;         /* atomic: threads in kcf_ring_submit */
	enum kcf_status refusal; /* what kcfd said when asked, if it was not SUCCESS */
	int bell;
	bool asked;         /* on this connection */
	bool bell_due;      /* callbacks have put something: look at the end of the round */
	bool lively;        /* the application's loop need not ask the kernel yet */
	bool quiet;         /* a waiter took back the dispatcher's wish for the bell */
	uint64_t spun_at;   /* atomic: when somebody spun last */
	uint64_t looked_at; /* when the sockets were */
	uint64_t done_at;   /* when there were completions */
};

/* A callback that is due. */
struct ring_call {
	kcf_callback callback;
	void *arg;
	uint32_t provider; /* row + 1 */
	struct kcf_completion done;
};

/* ---- client-ring.c ---- */

/* Ask kcfd for a ring, once per connection. Lock held, state UP. */
void client_ring_ask(struct kcf_client *c);
/* RING_REPLY with success came: take its descriptors. Driver, without the lock.
 * KCF_PROTOCOL_ERROR: they are missing; KCF_HOST_MEMORY: all goes by socket. */
enum kcf_status client_ring_attach(struct kcf_client *c);
/* Connection gone. Lock held. */
void client_ring_drop(struct kcf_client *c);
/* In a child after fork: the memory is not there. */
void client_ring_forget(struct kcf_client *c);
void client_ring_deinit(struct kcf_client *c);
/* Wake kcfd if it sleeps. Async-signal-safe. */
void client_ring_bell(struct client_ring *r);
/* Something was put: wake kcfd if it sleeps, in callbacks later. Lock held. */
void client_ring_kick(struct kcf_client *c);
/* Something for a callback is under way, or may be: have the bell wake the dispatcher if it sleeps
 * without. Lock held; nobody drives. */
void client_ring_watch(struct kcf_client *c);
/* The end of the callbacks' round. Lock held. */
void client_ring_flush(struct kcf_client *c);

/* ---- client-reap.c ---- */

static inline bool client_ring_is_up(const struct client_ring *r)
{
	return __atomic_load_n(&r->epoch, __ATOMIC_ACQUIRE) != 0;
}
/* Are there completions? Any thread, without the lock. */
static inline bool client_ring_has_done(const struct client_ring *r)
{
	return client_ring_is_up(r) && ring_has_done(&r->rc);
}
/* Complete what there is, at most RING_BATCH. With calls, for the dispatcher: requests with a
 * callback are given back and what is to be called is put there, *ret_n of it; else they are left
 * to notices. Driver, lock held. False: protocol error. */
bool client_ring_reap(struct kcf_client *c, struct ring_call *calls, unsigned *ret_n);
/* Run them. Dispatcher, lock held and given up. */
void client_ring_run(struct kcf_client *c, const struct ring_call *calls, unsigned n);
/* May this client's thread look without sleeping? */
bool client_ring_may_spin(struct kcf_client *c);
/* Look for completions for a while without sleeping, if that is wise. Without the lock. True: there
 * are some. */
bool client_ring_spin(struct kcf_client *c);
/* Before the dispatcher sleeps: ask for the bell. False: there are completions. Lock held, nobody
 * drives. */
bool client_ring_sleep(struct kcf_client *c);
/* Take that back, for a driver that looks by itself. */
void client_ring_awake(struct kcf_client *c);
/* Take the bytes off the bell. False: its other end is closed. Driver. */
bool client_ring_hush(int bell);

/* ---- ring-slot.c: lock held ---- */

/* A completion for a slot, to calls or, if that is NULL, to notices. False: not of a slot that is
 * under way. */
bool ring_slot_done(struct kcf_client *c, const struct ring_done *d, struct ring_call *calls,
		    unsigned *n_calls);
/* What is to be called for a slot whose notice has come; it is free from here on. False: nothing. */
bool ring_slot_call(struct kcf_client *c, struct kcf_ring_slot *s, struct ring_call *ret);
/* Connection gone, and will there be another one? Who has output in the arena is held. */
void ring_slots_hold(struct kcf_client *c, bool again);
/* Complete those held until then at the latest; lose: their output may still change. Returns when
 * the next one's time comes, 0 = there is none. */
uint64_t ring_slots_end(struct kcf_client *c, uint64_t before, enum kcf_status status, bool lose);
/* All that are under way. */
void ring_slots_cancel(struct kcf_client *c);
/* In a child after fork. */
void ring_slots_forget(struct kcf_client *c);
void ring_slots_free(struct kcf_client *c);
