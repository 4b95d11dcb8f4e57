/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mech - mechanisms by name and number, who offers each, and the table that clients see.
 *
 * Numbers are fixed for the names in types.h and given from KCF_M_DYNAMIC up to others; a row is
 * never removed nor renumbered while kcfd lives. An offer lives as long as its provider's
 * structure. Loop thread.
 */
#pragma once

#include "core/core.h"
#include "core/measure.h"
#include "spi/cost.h"
#include "spi/queue.h"

#define MECH_FIXED     256u  /* numbers in types.h are below */
#define MECH_THRESHOLD 4096u /* bytes from which hardware is considered, unless told otherwise */

struct provider;
struct stats_row;
struct tmpl;

/* One provider's row for one mechanism. */
struct offer {
	struct provider *provider;
	struct mech *mech;
	uint32_t row;
	const struct kcf_mech_row *desc;
	bool enabled;
	struct stats_row *stat;
	struct cost alone, burst; /* of a job by itself; of one among many in one submit */
};

/* Of a job as one of many, if that makes a difference, or alone. */
static inline const struct cost *offer_cost(const struct offer *o, bool company)
{
	return company ? &o->burst : &o->alone;
}

/* Where a threshold comes from. */
enum threshold_from {
	THRESHOLD_INITIAL = 0,
	THRESHOLD_ONLY_HARDWARE, /* nothing to be faster than */
	THRESHOLD_ESTIMATED,     /* from what the rows say, where nothing can be measured */
	THRESHOLD_MEASURED,
	THRESHOLD_SET, /* by the administrator */
};

struct mech {
	uint32_t number, index; /* index: row of the table */
	char name[KCF_NAME_MAX];
	uint32_t classes; /* of types.h, or of its offers */
	uint32_t param_kind;
	enum table_mode mode;
	uint32_t threshold;
	enum threshold_from threshold_from;
	uint64_t turn;      /* decisions between several candidates */
	int32_t together;   /* jobs of one submit lately, in sixteenths */
	bool company;       /* which is many */
	unsigned n_offers;
	struct offer *offers[TABLE_OFFERS]; /* in order of registration */
	struct list due; /* to be measured */
	enum measure_state measure;
	struct tmpl *keyless;               /* shared by all requests without key, or NULL */
};

struct mech_table {
	struct mech *rows[TABLE_MECHS];
	unsigned n_rows;
	uint32_t next_dynamic;
	enum table_mode mode;              /* of mechanisms to come */
	struct mech *fixed[MECH_FIXED];    /* by number */
	struct mech *dynamic[TABLE_MECHS]; /* by number - KCF_M_DYNAMIC */
};

void mechs_init(struct core *core);
void mechs_deinit(struct core *core);
/* NULL: no such number. A number of types.h always has a row, offered or not. */
struct mech *mech_by_number(struct core *core, uint32_t number);
/* By PKCS#11 or KCF_ name or alias; NULL. */
struct mech *mech_by_name(struct core *core, const char *name);
/* Row for a provider's mechanism, made if needed. NULL: parameter kind disagrees, or the table is
 * full. */
struct mech *mech_get(struct core *core, const struct kcf_mech_row *row);
/* False: too many offers. The caller publishes. */
bool mech_add_offer(struct core *core, struct mech *m, struct offer *offer);
void mech_remove_offer(struct core *core, struct mech *m, struct offer *offer);
/* NULL: of all, also those to come. */
void mech_set_mode(struct core *core, struct mech *m, enum table_mode mode);
/* The administrator's, until mech_auto_threshold(). */
void mech_set_threshold(struct core *core, struct mech *m, uint32_t bytes);
/* What its offers take is known now; all: or else of some only what they say themselves. */
void mech_measured(struct core *core, struct mech *m, bool all);
void mech_auto_threshold(struct core *core, struct mech *m);
const char *mech_threshold_word(const struct mech *m);
/* May its work be tried with data of kcfd's own? */
bool mech_is_measurable(const struct mech *m);
/* Is there an enabled offer by a usable provider? */
bool mech_is_offered(const struct mech *m);
/* Structure and policy changed: clients see it from now on. */
void mechs_publish(struct core *core);
