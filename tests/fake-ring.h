/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-ring - the ring of a scripted kcfd: FAKE_SET(f, features, FEATURE_RING) before the client
 * connects. Entries are answered like OPs, or kept while hold is set and answered by the test. All
 * but the functions for tests: fake-kcfd.c's thread, its lock held.
 */
#pragma once

#include "fake-kcfd.h"

void fake_ring_new(struct fake_kcfd *f, uint64_t id);
/* Take and answer what was put. False: and nothing more is there, the bell is asked for. */
bool fake_ring_serve(struct fake_kcfd *f);
void fake_ring_drop(struct fake_kcfd *f);
/* The kept entry with this id, if there is one, is answered CANCELED. */
void fake_ring_cancel(struct fake_kcfd *f, uint64_t id);
/* Forget what is kept, answered or not. */
void fake_ring_release(struct fake_kcfd *f, bool do_answer);

/* ---- for tests ---- */

/* Wait until n entries were put in all. */
void fake_wait_entries(struct fake_kcfd *f, unsigned n);
unsigned fake_entries(struct fake_kcfd *f);
/* The i-th kept entry. */
struct fake_entry fake_entry(struct fake_kcfd *f, unsigned i);
/* Answer the i-th kept entry as if it had not been kept; by OP_REPLY if by_socket. It stays in its
 * place. */
void fake_answer(struct fake_kcfd *f, unsigned i, bool by_socket);
/* Any completion. */
void fake_complete(struct fake_kcfd *f, const struct ring_done *done);
/* Write any number of completions. */
void fake_set_done(struct fake_kcfd *f, uint32_t done);
