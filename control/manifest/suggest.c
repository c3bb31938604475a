/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "control/manifest/schema.h"

#define PS_LONGEST 48u

/* Insertions, deletions, substitutions and swaps of neighbours; case does not count. */
static unsigned
edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned row[3][PS_LONGEST + 1], *before = row[0], *last = row[1], *now = row[2], *spare;
	size_t i, j;

	for (j = 0; j <= b_size; j++)
		last[j] = (unsigned)j;
	for (i = 1; i <= a_size; i++) {
		int x = tolower((unsigned char)a[i - 1]);

		now[0] = (unsigned)i;
		for (j = 1; j <= b_size; j++) {
			int y = tolower((unsigned char)b[j - 1]);
			unsigned best = last[j - 1] + (x != y);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
			    y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_size];
}

void
ps_suggest(struct ps_suggestion *suggestion, const char *s, const char *candidate)
{
	size_t size = strlen(s), candidate_size = strlen(candidate);
	unsigned distance, bound = (unsigned)(candidate_size < 4 ? 1 : 1 + candidate_size / 4);

	if (size == 0 || size > PS_LONGEST || candidate_size > PS_LONGEST)
		return;
	distance = edit_distance(s, size, candidate, candidate_size);
	if (distance > bound || distance >= candidate_size)
		return;
	if (suggestion->word == NULL || distance < suggestion->distance) {
		suggestion->word = candidate;
		suggestion->distance = distance;
	}
}
