/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - memory for key bytes: out of swap and core dumps, wiped when freed.
 *
 * Blocks come from slabs mapped from memfd_secret where the kernel has it, else from locked
 * anonymous memory that is left out of dumps. Where the memory lock limit is too small the slab is
 * used unlocked and secret_locked() says so. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, 16-aligned; NULL: out of memory. */
void *secret_alloc(size_t len);
/* Wipes. NULL is ignored. */
void secret_free(void *p);
/* Is every slab so far locked into memory? */
bool secret_locked(void);
