/* SPDX-License-Identifier: Apache-2.0 */
/* cost - what a job is expected to take, from the constants of its mechanism row. Any thread. */
#pragma once

#include <kcf/provider.h>

#define COST_SETUP_NS   1000u /* for rows that say nothing */
#define COST_NS_PER_KIB 1000u

static inline uint64_t cost_ns(const struct kcf_mech_row *row, size_t len)
{
	uint64_t setup = row->setup_ns ? row->setup_ns : COST_SETUP_NS;
	uint64_t per_kib = row->ns_per_kib ? row->ns_per_kib : COST_NS_PER_KIB;

	return setup + len * per_kib / 1024;
}
