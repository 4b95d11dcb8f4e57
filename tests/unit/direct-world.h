/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct-world - what direct.c sees around it, for tests: a client without a connection, and a
 * kcfd's table made from modules of the build tree, with a page and a hardware provider that is
 * only told of.
 */
#pragma once

#include "direct-private.h"

struct kcf_client {
	struct direct *direct;
	bool standalone;
	enum kcf_preference preference;
};

struct world {
	struct table_writer writer;
	struct page *page; /* kcfd's mapping */
	struct kcf_client client;
	struct direct *d;
	unsigned n_modules;
	const char *modules[4];
};

#define WORLD_HARDWARE 8 /* table row of the hardware provider */

/* The table of a kcfd that loaded these modules (file names in the build tree, NULL at the end),
 * and a client of it. */
void world_open(struct world *w, const char *const *modules);
void world_close(struct world *w);
/* Another descriptor for the same kcfd: attach (again). */
void world_attach(struct world *w, bool trusted);
/* Offer a mechanism on hardware too. */
void world_add_hardware(struct world *w, const char *mech, uint32_t threshold);
/* Edit an offer of (mechanism, provider) and publish. */
void world_enable(struct world *w, const char *mech, const char *provider, bool enabled);
/* Sums of all cells for (mechanism, provider). */
struct page_row world_counted(const struct page *page, uint32_t mech, uint32_t provider_row);
