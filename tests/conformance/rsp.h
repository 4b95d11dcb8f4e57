/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rsp: reads the line format of NIST's CAVP files and of everything written like them.
 *
 *   # comment
 *   [Name = value, Name = value]  or  [WORD]
 *   Name = value
 *   WORD
 *
 * The reader keeps the last value of every name until the file ends, so that what is given once for
 * many records (a key, a modulus) needs no care. Names are compared without case.
 */
#ifndef CONFORMANCE_RSP_H
#define CONFORMANCE_RSP_H

#include "vector.h"

#define RSP_FIELDS_MAX 48

enum rsp_event { RSP_END, RSP_SECTION, RSP_FIELD, RSP_WORD };

struct rsp {
	char *text, *next; /* the whole file; next line */
	unsigned line;
	const char *name;  /* of the event: field name, section text, or the whole line */
	const char *value; /* of a field, else NULL */
	char section[128]; /* text of the last section */
	unsigned n_fields;
	struct {
		const char *name, *value;
	} fields[RSP_FIELDS_MAX];
};

/* Ends the program if the file cannot be read. */
void rsp_open(struct rsp *r, const char *path);
void rsp_close(struct rsp *r);
enum rsp_event rsp_next(struct rsp *r);
/* Is this event the field of this name? */
bool rsp_is(const struct rsp *r, enum rsp_event event, const char *name);
/* Borrowed; NULL if never given. */
const char *rsp_get(const struct rsp *r, const char *name);
void rsp_unset(struct rsp *r, const char *name);
long rsp_num(const struct rsp *r, const char *name, long fallback);
/* Bytes of a hex field, empty if it was not given; text in double quotes means itself. */
struct bytes rsp_hex(const struct rsp *r, const char *name, struct set *set);

#endif
