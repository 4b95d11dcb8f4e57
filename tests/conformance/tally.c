/* SPDX-License-Identifier: Apache-2.0 */
/* tally: what was run and how it went, by mechanism, provider and door. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tally *tallies;

struct tally *tally_of(const char *mech, const char *provider, const char *door)
{
	struct tally *t;

	for (t = tallies; t; t = t->next) {
		if (!strcmp(t->mech, mech) && !strcmp(t->provider, provider) &&
		    !strcmp(t->door, door))
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		die("out of memory");
	t->mech = strdup(mech);
	t->provider = strdup(provider);
	t->door = door;
	t->next = tallies;
	tallies = t;
	return t;
}

static int by_name(const void *a, const void *b)
{
	const struct tally *x = *(const struct tally *const *)a;
	const struct tally *y = *(const struct tally *const *)b;
	int order = strcmp(x->mech, y->mech);

	if (order == 0)
		order = strcmp(x->provider, y->provider);
	return order ? order : strcmp(x->door, y->door);
}

unsigned tallies_print(unsigned *ret_failed)
{
	struct tally *t, **list;
	unsigned n = 0, i, triples = 0, failed = 0;

	for (t = tallies; t; t = t->next)
		n++;
	list = calloc(n + 1, sizeof(list[0]));
	if (!list)
		die("out of memory");
	for (n = 0, t = tallies; t; t = t->next)
		list[n++] = t;
	qsort(list, n, sizeof(list[0]), by_name);
	printf("%-28s %-8s %-8s %8s %6s %7s %8s %8s\n", "mechanism", "provider", "door", "passed",
	       "failed", "skipped", "tampered", "variants");
	for (i = 0; i < n; i++) {
		t = list[i];
		printf("%-28s %-8s %-8s %8u %6u %7u %8u %8u\n", t->mech, t->provider, t->door,
		       t->passed, t->failed, t->skipped, t->twins, t->variants);
		triples += t->passed;
		failed += t->failed;
	}
	free(list);
	*ret_failed = failed;
	return triples;
}
