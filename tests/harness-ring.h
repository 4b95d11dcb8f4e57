/* SPDX-License-Identifier: Apache-2.0 */
/*
 * harness-ring - a raw connection's ring and one segment of memory, entries by hand.
 *
 * The client's side of table/ring.h with the bell and the credit, nothing else of a client library.
 * Waits are those of the harness: bounded, through the connection's pump where it has one.
 */
#pragma once

#include "harness.h"
#include "table/ring.h"

struct harness_ring {
	struct harness_raw *raw;
	struct ring_client client;
	int bell;
	uint8_t *mem; /* the segment */
	size_t mem_len;
	uint32_t segment;
};

/* Say hello with rings, make one and a segment of mem_len bytes. */
void harness_ring_open(struct harness_ring *hr, struct harness_raw *raw, size_t mem_len);
/* A connection that has said hello: the same. */
void harness_ring_make(struct harness_ring *hr, struct harness_raw *raw, size_t mem_len);
void harness_ring_close(struct harness_ring *hr);
/* Ask for a ring; the status of the answer. */
enum kcf_status harness_ring_ask(struct harness_raw *raw, uint32_t version);
/* Take the credit, put, ring if that is wanted. Fails the test without room. */
void harness_ring_put(struct harness_ring *hr, const struct ring_entry *e, const void *extra,
		      size_t extra_len);
/* Publish without ringing, e.g. to be the first of several. */
void harness_ring_put_silently(struct harness_ring *hr, const struct ring_entry *e,
			       const void *extra, size_t extra_len);
void harness_ring_bell(struct harness_ring *hr);
/* The next completion. */
struct ring_done harness_ring_wait(struct harness_ring *hr);
/* Put a template with a raw key into a slot; status of DONE. */
enum kcf_status harness_ring_attach(struct harness_ring *hr, uint32_t slot, uint32_t mech,
				    const void *key, size_t key_len);
