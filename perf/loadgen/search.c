/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "perf/loadgen/search.h"

void
ps_search_start(struct ps_search *s, double lowest, double highest, double resolution, double tolerance)
{
	memset(s, 0, sizeof(*s));
	s->low = lowest;
	s->high = highest > lowest ? highest : lowest;
	s->resolution = resolution;
	s->tolerance = tolerance;
}

bool
ps_search_next(struct ps_search *s, double *pps)
{
	if (s->done || s->trials == PS_SEARCH_MAX_TRIALS)
		return false;
	if (!s->high_tried)
		s->current = s->high;
	else if (s->high - s->low > s->resolution * s->high)
		s->current = (s->low + s->high) / 2;
	else if (s->best == 0 && s->current != s->low)
		s->current = s->low; /* everything above failed: does the lowest rate pass at all? */
	else
		return false;
	*pps = s->current;
	return true;
}

void
ps_search_feed(struct ps_search *s, uint64_t sent, uint64_t lost, double seconds)
{
	struct ps_trial *t = &s->trial[s->trials++];

	t->pps = s->current;
	t->sent = sent;
	t->lost = lost;
	t->achieved = seconds > 0 ? (double)sent / seconds / s->current : 0;
	t->passed = sent != 0 && (double)lost <= s->tolerance * (double)sent && t->achieved >= PS_SEARCH_FULL_RATE;
	if (t->passed) {
		if (t->pps > s->best)
			s->best = t->pps;
		s->low = t->pps;
		if (!s->high_tried)
			s->done = true;
	} else if (s->high_tried && t->pps <= s->low) {
		s->done = true;
	} else {
		s->high = t->pps;
	}
	s->high_tried = true;
}
