/* SPDX-License-Identifier: Apache-2.0 */
/* ring-world - an api-world whose client has a ring and two templates. */
#pragma once

#include "../harness-ring.h"
#include "api-world.h"

#define KEY_SLOT 7u /* AES-GCM */
#define MAC_SLOT 8u /* HMAC */

extern struct harness_ring ring;

/* Check fixtures. */
void ring_setup(void);
void ring_teardown(void);
/* 64 bytes at 0 to 80 at 4096, with an IV of 12. */
struct ring_entry seal(uint64_t id);
/* The next completion is this entry's. */
struct ring_done wait_done(uint64_t id);
/* As many answers as there are places; nobody reads them. */
void fill_completions(void);
