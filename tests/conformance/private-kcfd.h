/* SPDX-License-Identifier: Apache-2.0 */
/*
 * private-kcfd: a kcfd of the runner's own, with every software provider loaded.
 *
 * (The harness of the other tests reports to Check, which there is none of here.) It lives in a
 * directory of its own below /tmp and ends with the program, whatever way that ends.
 */
#ifndef CONFORMANCE_PRIVATE_KCFD_H
#define CONFORMANCE_PRIVATE_KCFD_H

/* Returns its socket's path. Ends the program if it does not come up. Once. */
const char *private_kcfd_start(void);

#endif
