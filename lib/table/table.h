/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - what kcfd publishes to every client: mechanisms, offers, providers, policy, live hints.
 *
 * One memfd, written by kcfd's loop alone, mapped read-only by clients. Structure and policy are two copies and a
 * generation word: the copy in force is copies[generation & 1]. Thresholds, live lines and costs are single words, written
 * in place: hints, read relaxed. A reader makes a private snapshot; after three failed tries it keeps its last good one.
 * The writer never rewrites the copy in force. Integers are little-endian, the machine's own (x86-64, arm64).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <kcf/types.h>

#define TABLE_MAGIC 0x3154434bu /* "KCT1" */
#define TABLE_VERSION 1
#define TABLE_MECHS 256
#define TABLE_PROVIDERS 16
#define TABLE_OFFERS 8

#define OFFER_ENABLED 0x1 /* by the administrator; usable if the provider is too */

/* One provider's offer of one mechanism. */
struct table_offer {
	uint16_t provider; /* index into providers */
	uint16_t flags;	   /* OFFER_ */
	uint32_t row;	   /* index into the module's rows */
	uint32_t classes;
	uint32_t row_flags; /* KCF_ROW_ */
	uint32_t key_min_bits, key_max_bits, key_step_bits;
	uint32_t block_len;
	uint64_t max_input;
	uint32_t setup_ns, ns_per_kib;
};

enum table_mode { MODE_HARDWARE_FIRST = 0, MODE_ADAPTIVE, MODE_SOFTWARE_FIRST, MODE_ROUND_ROBIN };

struct table_mech {
	uint32_t number;
	uint32_t param_kind;
	uint32_t mode;
	uint32_t n_offers;
	char name[48];
	struct table_offer offers[TABLE_OFFERS]; /* registration order */
};

/* The order carries meaning: usable is READY or BUSY. */
enum provider_state {
	PROVIDER_NONE = 0,
	PROVIDER_STARTING,
	PROVIDER_READY,
	PROVIDER_BUSY,
	PROVIDER_FAILED,
	PROVIDER_DRAINING,
	PROVIDER_GONE,
};

struct table_provider {
	char name[32];
	uint32_t kind;	     /* enum kcf_provider_kind; 0 = empty row */
	uint32_t in_caller;  /* its module may run inside applications */
	uint32_t generation; /* another after load and reset */
	uint32_t version;
};

struct table_copy {
	uint32_t n_mechs, n_providers;
	struct table_provider providers[TABLE_PROVIDERS];
	struct table_mech mechs[TABLE_MECHS]; /* n_mechs, by registration; never reordered */
};

/* A cache line per provider: relaxed loads, hints. */
struct table_live {
	uint32_t state; /* enum provider_state */
	uint32_t free_slots;
	uint32_t depth;	    /* waiting in its queue; software: in the software queue */
	uint32_t wait_us;   /* expected */
	uint32_t in_flight;
	uint32_t reserved[11];
};

struct table {
	uint32_t magic, version;
	uint64_t size;
	uint64_t daemon_id;
	uint64_t generation; /* acquire to read, release to write; parity = copy in force */
	uint32_t software_room; /* free units in the software queue, a hint */
	uint32_t closed;	/* kcfd ended in good order */
	uint32_t spinners;	/* threads of clients that look without sleeping */
	uint32_t crowded;	/* more is to be run than there are CPUs: nobody spins */
	uint32_t reserved[20];
	uint32_t thresholds[TABLE_MECHS]; /* by mech index; bytes */
	struct table_live live[TABLE_PROVIDERS];
	struct table_copy copies[2];
	/* By mech index and place among its offers: what a job takes by itself, measured; alone,
	 * and one of many. TABLE_COST(). 0: as the row says. */
	uint64_t costs[TABLE_MECHS][TABLE_OFFERS][2];
};

#define TABLE_COST(setup_ns, ns_per_kib) ((uint64_t)(ns_per_kib) << 32 | (uint32_t)(setup_ns))

/* ---- writer: kcfd's loop ---- */

struct table_writer {
	struct table *t;
	int fd;		/* sealed FUTURE_WRITE | SHRINK | GROW | SEAL; to be passed to clients */
};

/* 0 or -errno. */
int table_writer_init(struct table_writer *w, uint64_t daemon_id);
void table_writer_deinit(struct table_writer *w);
/* The copy not in force, filled with the one in force: change it, then publish. */
struct table_copy *table_edit(struct table_writer *w);
void table_publish(struct table_writer *w);

/* ---- reader: clients ---- */

struct table_view {
	const struct table *t; /* mapping, or NULL */
	uint64_t generation;   /* of the snapshot */
	struct table_copy *copy; /* private snapshot; only the used rows are valid */
	uint64_t epoch;	       /* another after each snapshot; what plans compare with */
};

/* Takes fd (closes it). 0 or -errno: too small, wrong magic or version, not sealed against shrinking. */
int table_view_open(struct table_view *v, int fd);
/* Without kcfd: an own, private table to be filled by the caller through copy. */
int table_view_private(struct table_view *v);
void table_view_close(struct table_view *v);
/* Is the snapshot still the published one? One relaxed load. */
static inline bool table_view_current(const struct table_view *v)
{
	return !v->t || __atomic_load_n(&v->t->generation, __ATOMIC_RELAXED) == v->generation;
}
/* Take a new snapshot if there is one; false = kept the old after three tries. Caller serialises. */
bool table_view_refresh(struct table_view *v);
/* Index of a mechanism by kcfd's number or by name; -1. */
int table_find(const struct table_copy *c, uint32_t number);
int table_find_name(const struct table_copy *c, const char *name);
