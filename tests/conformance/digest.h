/* SPDX-License-Identifier: Apache-2.0 */
/* digest: hashes what a mechanism without a hash of its own wants hashed, by libcrypto. */
#ifndef CONFORMANCE_DIGEST_H
#define CONFORMANCE_DIGEST_H

#include "vector.h"

struct bytes digest(struct set *set, kcf_mech_t hash, struct bytes msg);

#endif
