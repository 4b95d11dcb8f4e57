/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-send - border between op-place.c (where payload is) and op-send.c (the message).
 */
#pragma once

#include "client-core.h"

/* Arena memory, with a new segment if need be. For an asynchronous request the library makes that itself
 * and offers it, so that nobody waits for kcfd; KCF_BUSY while such an offer was refused and others
 * have memory to give back. A synchronous one, and one without request (p NULL), asks kcfd; beyond
 * the quota it waits until others give memory back, or if nobody has any, or without request, is
 * KCF_QUOTA_EXCEEDED. */
enum kcf_status place_alloc(struct kcf_client *c, struct pending *p, size_t len, void **ret);
/* Fill in, out and mac of a NEW request. What is placed is released by op_release, whatever comes
 * back. */
enum kcf_status place_call(const struct op_call *call, const struct op_more *more,
			   struct pending *p);
/* The same for the steps. */
enum kcf_status place_steps(const struct op_call *call, const struct op_more *more,
			    struct pending *p);
