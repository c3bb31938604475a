/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 2544 throughput (section 26.1): the highest rate at which a trial loses no more than the
 * tolerated ratio. Binary search between a rate known to pass and one known to fail; the highest rate is
 * tried first, because a device that carries it needs no search.
 *
 *   ps_search_start(&s, ...);
 *   while (ps_search_next(&s, &pps))
 *           ps_search_feed(&s, <run a trial at pps>);
 *   s.best is the answer, 0 when even the lowest rate failed
 *
 * Pure: knows no clock and no packets.
 */
#ifndef PS_LOADGEN_SEARCH_H
#define PS_LOADGEN_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define PS_SEARCH_MAX_TRIALS 40u
#define PS_SEARCH_FULL_RATE 0.995 /* a trial that sent less than this share of its rate did not offer it */

struct ps_trial {
	double pps;      /* offered */
	uint64_t sent;
	uint64_t lost;
	double achieved; /* sent per second / pps */
	bool passed;
};

struct ps_search {
	double low, high;      /* passes below, fails above */
	double resolution;     /* stop when high - low is less than this share of high */
	double tolerance;      /* ratio of lost to sent */
	double best;
	double current;
	uint32_t trials;
	bool high_tried, done;
	struct ps_trial trial[PS_SEARCH_MAX_TRIALS];
};

/* lowest: rate below which the search gives up, > 0. */
void ps_search_start(struct ps_search *s, double lowest, double highest, double resolution, double tolerance);
/* The next rate to try; false when the search has ended. */
bool ps_search_next(struct ps_search *s, double *pps);
/* The outcome of the trial at the rate last given. */
void ps_search_feed(struct ps_search *s, uint64_t sent, uint64_t lost, double seconds);

#endif
