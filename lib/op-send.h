/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op-send - border between op-place.c (where payload is) and op-send.c (the message).
 */
#pragma once

#include "client-core.h"

/* Arena memory, with a new segment if need be. Beyond the quota a synchronous request waits until
 * others give memory back, an asynchronous one is KCF_BUSY; without request (p NULL)
 * KCF_QUOTA_EXCEEDED. */
enum kcf_status place_alloc(struct kcf_client *c, struct pending *p, size_t len, void **ret);
/* Fill in, out and mac of a NEW request. What is placed is released by op_release, whatever comes
 * back. */
enum kcf_status place_call(const struct op_call *call, const struct op_more *more,
			   struct pending *p);
/* The same for the steps. */
enum kcf_status place_steps(const struct op_call *call, const struct op_more *more,
			    struct pending *p);
