/* SPDX-License-Identifier: Apache-2.0 */
/* door-direct: a provider module driven by a fake host, without library and daemon. */
#ifndef CONFORMANCE_DOOR_DIRECT_H
#define CONFORMANCE_DOOR_DIRECT_H

#include "run.h"

/* Loads the module; ends the program if it is none. *ret_provider: its name. */
struct door *door_direct_open(const char *path, const char **ret_provider);
void door_direct_close(struct door *door);
/* Prints the mechanisms nothing was run for; returns how many. */
unsigned door_direct_missing(struct door *door);

#endif
