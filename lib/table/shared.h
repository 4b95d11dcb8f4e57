/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared - a piece of memory of fixed size that kcfd makes and one client maps as well.
 *
 * The memfd keeps its size for ever (sealed), so neither side can make the other fault. Any thread.
 */
#pragma once

#include <stddef.h>

/* Make size zeroed bytes, mapped; *ret_fd to be passed and closed. 0 or -errno. */
int shared_new(const char *name, size_t size, void **ret, int *ret_fd);
/* Map size bytes of what was received (takes fd). 0 or -errno: too small, or not sealed against
 * shrinking. */
int shared_map(int fd, size_t size, void **ret);
