/* SPDX-License-Identifier: Apache-2.0 */
#include "near.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 63u
#define FAR      255u

unsigned near_distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t n = strlen(b);

	if (n > WORD_MAX || strlen(a) > WORD_MAX)
		return FAR;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);
			unsigned change = diagonal + !same;
			unsigned best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = best < change ? best : change;
		}
	}
	return row[n];
}

void near_init(struct near *n, const char *word)
{
	/* more than every second letter wrong is another word */
	*n = (struct near){.word = word, .distance = (unsigned)(strlen(word) / 2 + 1)};
}

void near_look(struct near *n, const char *name)
{
	unsigned d = near_distance(n->word, name);

	if (d >= n->distance)
		return;
	n->distance = d;
	n->best = name;
}

void near_say(const struct near *n, const char *what, const char *hint, char *ret, size_t room)
{
	if (n->best)
		snprintf(ret, room, "%s: no such %s; did you mean %s?", n->word, what, n->best);
	else
		snprintf(ret, room, "%s: no such %s; %s", n->word, what, hint);
}
