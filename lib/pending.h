/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending - requests under way: id to request, each completed exactly once.
 *
 *   FREE -> NEW -> SENT -> DONE -> FREE     SENT -> HELD (connection lost) -> SENT | DONE     NEW
 * -> FREE
 *
 * Requests come from chunks that are never given back, so that a request costs no allocation. An id
 * is a running number and a slot: found at once, never used twice. DONE means that the result is in
 * and the callback, or the waiting thread, is still to have it. The client's lock protects the
 * table. A NEW request belongs to the thread that makes it; the result members to whoever drives
 * the connection until DONE, then to who takes it.
 */
#pragma once

#include "pieces.h"
#include "direct.h"
#include "table/ring.h"

enum pending_state { PENDING_FREE = 0, PENDING_NEW, PENDING_SENT, PENDING_HELD, PENDING_DONE };

enum pending_kind {
	PENDING_OP = 1,   /* OP, answered by OP_REPLY */
	PENDING_KEY,      /* KEY_OP, answered by KEY_REPLY */
	PENDING_EXCHANGE, /* a thread waits for the reply message itself */
	PENDING_ATTACH,   /* TEMPLATE_ATTACH, answered by DONE; nobody waits */
	PENDING_OFFER,    /* ARENA_OFFER, answered by ARENA_REPLY; nobody waits */
	PENDING_RING,     /* RING_NEW, answered by RING_REPLY; nobody waits */
};

/* Of the library's own: nobody waits. */
static inline bool pending_kind_is_own(uint8_t kind)
{
	return kind == PENDING_ATTACH || kind == PENDING_OFFER || kind == PENDING_RING;
}

/* How one direction of the payload travels. */
enum pending_way {
	WAY_INLINE = 0,
	WAY_RANGES, /* the caller's own arena buffers */
	WAY_BOUNCE, /* copied into, or out of, arena memory of the library's */
};

struct payload {
	struct pieces at; /* the caller's memory */
	void *bounce;     /* WAY_BOUNCE: as long as the pieces */
	uint8_t way;
};

/* Something a callback is to be told. COMPLETE notices are part of their request, SLOT notices of
 * their slot. */
enum notice_kind { NOTICE_COMPLETE = 1, NOTICE_STEP, NOTICE_EVENT, NOTICE_SLOT };

struct notice {
	struct notice *next;
	uint8_t kind;
	struct pending *pending;      /* COMPLETE, STEP */
	struct kcf_ring_slot *slot;   /* SLOT */
	uint32_t step;                /* STEP */
	size_t len;                   /* STEP */
	enum kcf_status status;       /* STEP */
	enum kcf_event_type event;    /* EVENT */
	uint32_t units;               /* EVENT */
	char mechanism[KCF_NAME_MAX]; /* EVENT; "" = none */
	char provider[KCF_NAME_MAX];  /* EVENT */
};

struct waiter;

#define PENDING_SAVED_INSIDE 480u

struct pending {
	/* hot: cleared when a request is made. All that a request by ring needs */
	struct pending *next, *prev; /* open: in order of submission; free: next alone */
	uint64_t id;
	uint32_t slot; /* of the table, for ever */
	uint8_t state, kind;
	uint8_t op, phase;
	bool sync;             /* a thread waits */
	bool visible;          /* the caller has the id */
	bool cancel;           /* wanted while HELD */
	bool can_resend;       /* may be sent again on another connection */
	bool timed_out;        /* kcfd was silent beyond the deadline */
	bool by_ring;          /* entry holds the message; the templates count it */
	bool cold;             /* the members behind entry are in use */
	uint16_t extra_len;    /* by_ring: bytes behind the entry, in saved_inside */
	bool no_memory;        /* BUSY, because arena memory was refused */
	uint32_t flags;        /* of the request */
	kcf_callback callback; /* NULL: waiter has it */
	void *arg;
	struct waiter *waiter;
	uint64_t deadline;   /* monotonic ns, 0 = none */
	uint64_t held_until; /* HELD: monotonic ns */
	kcf_mech_t mech, mech2;
	uint32_t units;
	uint32_t n_steps;
	struct kcf_template *tmpl[2];
	struct kcf_context *ctx;
	struct payload in, out, mac;

	struct ring_entry entry; /* by_ring: as it was put */

	/* cold: clean while a request is free */
	struct notice done;
	uint8_t *iv_out;
	struct kcf_step *steps;
	struct payload *step_out; /* n_steps */
	struct payload *step_in;  /* n_steps */
	uint32_t n_reported;
	uint32_t attached;       /* ATTACH: slot of the template */
	struct kcf_key *ret_key; /* KEY */

	/* the message, and after it the bytes to compare, as they were sent: to be sent again */
	uint8_t *saved; /* inside or heap; NULL = not kept */
	uint32_t saved_len, saved_check;

	/* the result */
	enum kcf_status status;
	size_t out_len, mac_len, required;
	uint32_t provider; /* row + 1 */
	uint32_t busy_reason, queue_hops;
	uint16_t reply_type; /* EXCHANGE: message as received */
	uint8_t *reply;
	size_t reply_len;
	int reply_fd;

	uint8_t saved_inside[PENDING_SAVED_INSIDE];
};

#define PENDING_CHUNK  32u
#define PENDING_CHUNKS 2048u /* 65536 requests under way */

struct pending_table {
	struct pending *chunks[PENDING_CHUNKS];
	unsigned n_chunks;
	struct pending *free;
	struct pending *first, *last; /* open: SENT and HELD */
	uint64_t next_number;
	unsigned n_open, n_async; /* n_async: those with a callback */
	struct notice *notices, **notices_end;
	struct notice *spare; /* notices to be used again */
};

void pending_init(struct pending_table *t);
/* Wipes and frees all. Nothing may be under way. */
void pending_deinit(struct pending_table *t);
/* A request in state NEW, zeroed; NULL: out of memory. */
struct pending *pending_new(struct pending_table *t, enum pending_kind kind);
/* The same of kind OP for the ring: it is not to use its cold members unless it sets cold. */
struct pending *pending_new_ring(struct pending_table *t);
/* NEW -> SENT: it gets its id. Or DONE -> SENT under another id, for a thread whose request found
 * no room. */
void pending_open(struct pending_table *t, struct pending *p);
/* Its completion goes to a callback. */
void pending_set_callback(struct pending_table *t, struct pending *p, kcf_callback callback,
			  void *arg);
/* The request with this id, if it is SENT, HELD or DONE. */
struct pending *pending_find(const struct pending_table *t, uint64_t id);
/* SENT or HELD -> DONE. With a callback its notice is queued. False if it was DONE before. Cold. */
bool pending_complete(struct pending_table *t, struct pending *p, enum kcf_status status);
/* Back to the pool. References and bounce memory are the owner's to give back before. */
void pending_free(struct pending_table *t, struct pending *p);
/* Keep the len bytes of a message and the bytes to compare. False: out of memory, not kept. */
bool pending_save(struct pending *p, const uint8_t *msg, size_t len, const uint8_t *check,
		  size_t check_len);

/* Notices in the order they came. */
struct notice *notice_new(struct pending_table *t, enum notice_kind kind);
void notice_push(struct pending_table *t, struct notice *n);
struct notice *notice_pop(struct pending_table *t);
/* For STEP and EVENT notices, after use. */
void notice_free(struct pending_table *t, struct notice *n);
