/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: vectors through doors.
 *
 * A door is a way to reach a provider. The runner gives it one run at a time - a vector in some
 * variant, with buffers of the door's kind - and is told when the run is over, in the call or later
 * from door->wait. A run whose output is random goes through the door a second time to be undone.
 * Everything happens on one thread.
 */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "vector.h"

#define PIECES_MAX 48

enum variant {
	PLAIN,
	TAMPERED,  /* one bit flipped: must be refused or differ */
	SCATTERED, /* input and output in uneven pieces */
	IN_PLACE,
	PARTS_ODD, /* multi-part, updates of odd sizes */
	PARTS_ONE, /* multi-part, updates of one byte */
	N_VARIANTS
};

struct runner;

/* What a door sees of a run: v tells operation, mechanism, key, parameter and check. */
struct run {
	const struct vector *v;
	enum variant variant;
	struct iovec in[PIECES_MAX], out[PIECES_MAX];
	unsigned n_in, n_out;
	/* set by the door before run_over() */
	enum kcf_status status;
	size_t out_len;

	/* the runner's own */
	struct runner *runner;
	struct set *set;
	const struct vector *published;
	struct vector changed;
	uint8_t *in_buf, *out_buf, scratch[64];
	size_t in_room, out_room, room;
	enum { RUN_FREE, RUN_BUSY, RUN_TO_UNDO } state;
	bool undoing;
	void *priv; /* the door's, for as long as the run is busy */
};

struct door {
	const char *name;
	unsigned n_slots; /* runs in flight */
	/* Does this provider offer the vector's operation, and in this variant? */
	bool (*offers)(struct door *door, const char *provider, const struct vector *v,
		       enum variant variant);
	/* Begin; run_over() comes in the call or in wait. */
	void (*start)(struct door *door, const char *provider, struct run *run);
	/* Until at least one run is over. NULL: start always finishes. */
	void (*wait)(struct door *door);
	/* Payload memory. NULL: malloc, free. */
	void *(*buf_alloc)(struct door *door, size_t len);
	void (*buf_free)(struct door *door, void *buf);
};

void run_over(struct run *run);

/* Changes one bit of what matters in run->changed, a copy of the vector, or in its input buffer;
 * false if there is nothing to change. */
bool run_tamper(struct run *run);

/* Of one mechanism, provider and door. */
struct tally {
	struct tally *next;
	const char *mech, *provider, *door;
	unsigned passed, failed, skipped; /* published vectors */
	unsigned twins, variants;         /* runs besides, all right */
};

static inline bool has_output(const struct vector *v)
{
	return v->op != KCF_OP_MAC_VERIFY && v->op != KCF_OP_VERIFY;
}

struct options {
	unsigned sample;        /* every n-th published vector only; 1 = all */
	unsigned variant_every; /* variants on every n-th of those */
	const char *only;       /* one mechanism, or NULL */
	bool verbose;
};

/* Runs the set through the door for this provider, adding to the tallies. */
void run_set(struct set *set, struct door *door, const char *provider,
	     const struct options *options);

/* Found or made. */
struct tally *tally_of(const char *mech, const char *provider, const char *door);
/* Prints a line per mechanism; returns the distinct (vector, provider, door) triples that passed,
 * and in *ret_failed how many vectors failed. */
unsigned tallies_print(unsigned *ret_failed);

#endif
