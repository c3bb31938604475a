/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to start a program again that died: at once, unless it is in a crash loop. A loop is PS_BACKOFF_DEATHS
 * lives in a row that each ended within PS_BACKOFF_SHORT_MS of their start; then the wait doubles up to
 * PS_BACKOFF_MAX_MS, until a life lasts longer. Pure: the caller brings the time.
 */
#ifndef PS_CLI_BACKOFF_H
#define PS_CLI_BACKOFF_H

#include <stdint.h>

#define PS_BACKOFF_DEATHS 5u
#define PS_BACKOFF_SHORT_MS 10000u
#define PS_BACKOFF_FIRST_MS 100u
#define PS_BACKOFF_MAX_MS 5000u

struct ps_backoff {
	uint32_t short_lives; /* in a row */
};

/* A life from started_ms to died_ms has ended; returns how many milliseconds to wait before the next. */
static inline uint32_t
ps_backoff_died(struct ps_backoff *b, uint64_t started_ms, uint64_t died_ms)
{
	uint32_t over;

	if (died_ms - started_ms >= PS_BACKOFF_SHORT_MS) {
		b->short_lives = 0;
		return 0;
	}
	b->short_lives++;
	if (b->short_lives < PS_BACKOFF_DEATHS)
		return 0;
	over = b->short_lives - PS_BACKOFF_DEATHS;
	return over >= 6                                         ? PS_BACKOFF_MAX_MS
	       : PS_BACKOFF_FIRST_MS << over > PS_BACKOFF_MAX_MS ? PS_BACKOFF_MAX_MS
								 : PS_BACKOFF_FIRST_MS << over;
}

#endif
