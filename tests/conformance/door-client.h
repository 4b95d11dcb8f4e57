/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door-client: kcf as applications have it, in the four ways a request can go.
 *
 *   caller  the caller's own thread, synchronous
 *   inline  through kcfd, payload in the message, always queued
 *   arena   through kcfd, payload in memory shared with it, always queued
 *   async   through kcfd by key handle, served at once where that is possible
 *
 * One connection serves all; completions are dispatched on this thread.
 */
#ifndef CONFORMANCE_DOOR_CLIENT_H
#define CONFORMANCE_DOOR_CLIENT_H

#include <kcf/client.h>
#include "run.h"

#define CLIENT_DOORS 4

/* socket: of a running kcfd; or NULL: without one, on the modules of this directory, which leaves
 * the first door only (the others are NULL). Ends the program if that cannot be. */
void door_client_open(const char *socket, const char *module_dir, struct door *ret[CLIENT_DOORS]);
void door_client_close(struct door *doors[CLIENT_DOORS]);
/* The software providers kcfd has now; *n in: room, out: how many. Names live as long as the doors.
 */
void door_client_providers(struct door *door, const char **ret, unsigned *n);

#endif
