/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - how much a request makes a provider compute.
 *
 * The length of the input does not say it all: derivation and random bytes go by their output,
 * password hashing and RSA key generation by numbers in the parameter, which a client may choose as
 * it likes. Loop thread.
 */
#pragma once

#include "core/private.h"

/* Repetitions the parameter asks for: PBKDF2 iterations times 32-byte blocks, scrypt n * r * p, and
 * as much as it takes to find an RSA key. 0 for all else. */
uint64_t work_steps(const struct request *r);
/* Bytes of r's present stage that go through the provider. */
size_t work_bytes(const struct request *r);
/* What the parameter asks for, in time. */
uint64_t work_extra_ns(const struct request *r);
/* Will it run together with others? Then what one of a burst costs counts. */
bool work_in_company(const struct core *core, const struct request *r, const struct mech *m);
/* What r's present stage is expected to take with this offer. */
uint64_t work_cost_ns(const struct core *core, const struct request *r, const struct offer *offer);
