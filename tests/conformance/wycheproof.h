/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wycheproof: reads files of the Wycheproof project's JSON schema, version 1 (version 0's key names
 * are understood as well).
 *
 * A test becomes one published vector: "valid" must work every way there is (encrypt and decrypt,
 * compute and verify), "invalid" must be refused, "acceptable" may go either way. Groups of
 * mechanisms that kcf does not have, and keys in JWK or PEM, are skipped.
 */
#ifndef CONFORMANCE_WYCHEPROOF_H
#define CONFORMANCE_WYCHEPROOF_H

#include <jansson.h>
#include "vector.h"

/* One group while it is read. */
struct group {
	struct set *set;
	json_t *root, *json;
	const char *algorithm, *type;
	const char *mech; /* found by the handler's begin */
	struct bytes key; /* where the group has it */
	enum kcf_key_format key_format;
	kcf_mech_t hash;
	bool hash_first; /* the mechanism wants the digest of the message */
	const struct curve *curve;
};

/* How the groups of one type are read. */
struct group_type {
	const char *name;
	/* Sets what all tests share. false: skip the group. */
	bool (*begin)(struct group *g);
	/* Makes the operations of one test. false: skip it. */
	bool (*test)(struct group *g, json_t *test, enum verdict verdict);
};

/* Ends with a NULL name. wycheproof-sym.c, wycheproof-pub.c. */
extern const struct group_type group_types_sym[], group_types_pub[];

/* A field in hex, empty if absent. */
struct bytes json_hex(struct set *set, json_t *object, const char *name);
const char *json_text(json_t *object, const char *name); /* "" if absent */
size_t json_number(json_t *object, const char *name, size_t fallback);
/* A new published vector for the test. */
struct vector *group_add(struct group *g, json_t *test, enum kcf_op op, enum verdict verdict);

/* Reads the file into the set; tests that cannot be run are counted in set->n_skipped. Ends the
 * program if it is no such file. */
void wycheproof_read(struct set *set, const char *path);

#endif
