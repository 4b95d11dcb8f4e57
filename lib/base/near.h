/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near - the name that somebody who mistyped a word probably meant.
 *
 * Names are looked at one after the other; the nearest by edit distance stays, if it is near enough
 * to be worth asking "did you mean". Upper and lower case are the same. Thread: any.
 */
#pragma once

#include <stddef.h>

struct near {
	const char *word;
	const char *best; /* borrowed; NULL = none is near */
	unsigned distance;
};

/* Letters to change, add or leave out; words longer than 63 bytes are far from everything. */
unsigned near_distance(const char *a, const char *b);
void near_init(struct near *n, const char *word);
void near_look(struct near *n, const char *name);
/* "WORD: no such WHAT; did you mean BEST?", or where none is near "WORD: no such WHAT; HINT". */
void near_say(const struct near *n, const char *what, const char *hint, char *ret, size_t room);
