/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - submissions and completions of one connection in shared memory: the fast path.
 *
 * A read-write memfd made by kcfd. Client threads claim places in the submission ring (by a counter
 * that is their process's own), write them, and publish each by its sequence number; kcfd takes
 * them in order, copying each before it looks at it. kcfd alone writes completions. Each side says
 * before it sleeps that it wants the bell (a socket pair) to be rung. kcfd believes nothing here:
 * its positions are private, and what it reads it has copied. proto/PROTOCOL.md describes every
 * byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC       0x3152434bu /* "KCR1" */
#define RING_VERSION     1u
#define RING_ENTRIES     512u /* powers of two */
#define RING_COMPLETIONS 1024u

/* One request. Values of op, flags and param are those of OP. */
struct ring_entry {
	uint32_t seq; /* position + 1, written last */
	uint8_t op, flags, param;
	uint8_t n_extra; /* places behind this one that belong to it */
	uint64_t id;
	uint32_t slot; /* template, or with RING_MECH a mechanism without key */
	uint8_t in_seg, out_seg;
	uint8_t iv_len, len; /* len: of the tag or MAC, 0 = full */
	uint32_t in_off, in_len;
	uint32_t out_off, out_room;
	uint32_t deadline_us; /* 0 = none */
	uint8_t preference;
	uint8_t aad_len;    /* in the places behind */
	uint16_t check_len; /* behind the aad */
	uint8_t iv[16];
};

#define RING_ALWAYS_QUEUE 0x01u
#define RING_NEVER_QUEUE  0x02u
#define RING_SYNC         0x08u
#define RING_MECH         0x10u

/* A place behind an entry. Of dual operations the first bytes are a struct ring_dual; then aad,
 * then check. */
#define RING_EXTRA_BYTES 60u
#define RING_EXTRA_MAX   8u
#define RING_EXTRA_ROOM  (RING_EXTRA_BYTES * RING_EXTRA_MAX)

struct ring_extra {
	uint32_t seq;
	uint8_t bytes[RING_EXTRA_BYTES];
};

struct ring_dual {
	uint32_t slot2;   /* template of the MAC */
	uint32_t mac_off; /* encrypt-mac: where the MAC goes */
	uint8_t mac_seg, mac_room;
	uint8_t len2; /* of the MAC, 0 = full */
	uint8_t reserved;
};

struct ring_done {
	uint64_t id;
	uint32_t len; /* written, or required with BUFFER_TOO_SMALL */
	uint8_t status;
	uint8_t provider; /* row + 1 */
	uint8_t queue_hops;
	uint8_t more; /* BUSY: the reason; encrypt-mac: length of the MAC */
};

/* Every word that one side writes and the other reads is on a cache line of its own. */
struct ring {
	uint32_t magic, version;
	uint64_t size;
	uint32_t n_entries, n_done;
	uint8_t pad0[40];
	/* written by kcfd */
	uint32_t taken; /* entries, running */
	uint8_t pad1[60];
	uint32_t done; /* completions, running */
	uint8_t pad2[60];
	/* written by the client */
	uint32_t seen;  /* completions, running */
	uint32_t spins; /* a thread looks for completions without sleeping */
	uint8_t pad3[56];
	/* set by who goes to sleep, taken back by who rings */
	uint32_t kcfd_sleeps;
	uint8_t pad4[60];
	uint32_t client_sleeps;
	uint8_t pad5[4096 - 5 * 64 - 4];
	struct ring_entry entries[RING_ENTRIES];
	struct ring_done completions[RING_COMPLETIONS];
};

/* ---- the client's side ---- */

struct ring_client {
	struct ring *r;
	uint32_t claimed; /* atomic: places given out to threads */
	uint32_t taken;   /* atomic: as it was last seen in the ring */
	uint32_t seen;    /* atomic: of the one thread that reads completions */
};

/* Map what was received (takes fd). 0 or -errno: too small, not sealed against shrinking, another
 * version. */
int ring_map(struct ring_client *rc, int fd);
void ring_unmap(struct ring_client *rc);
/* Claim, write and publish e (its seq and n_extra are filled in) and the extra bytes behind it, at
 * most RING_EXTRA_ROOM. False: no place. Any thread; never blocks; async-signal-safe. */
bool ring_put(struct ring_client *rc, const struct ring_entry *e, const void *extra,
	      size_t extra_len);
/* After publishing: is kcfd to be woken? One caller hears yes. Async-signal-safe. */
bool ring_wants_bell(struct ring_client *rc);
/* Completions, at most max; how many. More than max: kcfd claims more than there can be. One thread
 * at a time. */
unsigned ring_reap(struct ring_client *rc, struct ring_done *ret, unsigned max);
/* Are there completions? Any thread. */
static inline bool ring_has_done(const struct ring_client *rc)
{
	return __atomic_load_n(&rc->r->done, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&rc->seen, __ATOMIC_RELAXED);
}
/* Ask for the bell. False: there are completions already, and nothing was asked. */
bool ring_sleep(struct ring_client *rc);
void ring_awake(struct ring_client *rc);

/* ---- kcfd's side. Loop thread ---- */

struct ring_server {
	struct ring *r;
	uint32_t taken, done;
	uint32_t seen; /* completions the client has read at least */
	bool broken;   /* it wrote what cannot be */
};

/* Make one, mapped; *ret_fd to be passed and closed. 0 or -errno. */
int ring_new(struct ring_server *rs, int *ret_fd);
void ring_free(struct ring_server *rs);
static inline bool ring_has_entry(const struct ring_server *rs)
{
	const struct ring_entry *e = &rs->r->entries[rs->taken % RING_ENTRIES];

	return __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE) == rs->taken + 1;
}
/* The next entry, copied, and the n_extra x RING_EXTRA_BYTES behind it to extra (RING_EXTRA_ROOM).
 * False: none, or broken. */
bool ring_take(struct ring_server *rs, struct ring_entry *ret, uint8_t *extra);
/* Let the client use the places taken so far again. */
void ring_taken(struct ring_server *rs);
/* Write a completion, not seen before ring_flush. False: no place, or broken. */
bool ring_answer(struct ring_server *rs, const struct ring_done *done);
/* Show what was answered. True: the client is to be woken. */
bool ring_flush(struct ring_server *rs);
/* Does a thread of the client look for a completion, and there is none? */
static inline bool ring_client_waits(const struct ring_server *rs)
{
	return __atomic_load_n(&rs->r->spins, __ATOMIC_RELAXED) == 1 &&
	       __atomic_load_n(&rs->r->seen, __ATOMIC_RELAXED) == rs->done;
}
/* Ask for the bell. False: there are entries already, and nothing was asked. */
bool ring_server_sleep(struct ring_server *rs);
void ring_server_awake(struct ring_server *rs);
