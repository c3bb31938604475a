/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network
 * Load Balancer", NSDI 2016, section 3.4), weighted.
 *
 * A table is `size` entries of uint16_t, size a prime. Entry i is the position of an endpoint
 * among the first `endpoints` (the balanced ones) of its service. A flow with hash h
 * belongs to entry h scaled to 0..size-1. An endpoint owns entries in proportion to its weight;
 * which ones follows from its id alone, as far as the others leave them free, so that a change of one
 * endpoint moves few entries of the others.
 */
#ifndef PS_POLICIES_MAGLEV_LAYOUT_H
#define PS_POLICIES_MAGLEV_LAYOUT_H

#include "dataplane/api/abi.h"

#define PS_MAGLEV_MIN_SIZE 251u
#define PS_MAGLEV_MAX_SIZE 655373u
#define PS_MAGLEV_MAX_ENDPOINTS 65535u

/* Is every one of size entries below endpoints? For blob validation; runs at memory speed. */
static inline bool
ps_table_validate(const uint16_t *entries, uint32_t size, uint32_t endpoints)
{
	uint16_t top = 0;
	uint32_t i;

	for (i = 0; i < size; i++)
		top = entries[i] > top ? entries[i] : top;
	return size != 0 && top < endpoints;
}

#endif
