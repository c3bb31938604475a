/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builder of what policies/listener/lookup.h reads. Pure, control side.
 */
#ifndef PS_POLICIES_LISTENER_BUILD_H
#define PS_POLICIES_LISTENER_BUILD_H

#include "dataplane/api/snapshot.h"

/* Cells that an index over so many listeners has: a power of two, at least 2, load at most one half. */
uint32_t ps_listener_index_cells(uint32_t listeners);

/*
 * Fills index[cells] (cells from ps_listener_index_cells). Returns 0, or -EEXIST and the position of
 * the later of two listeners with equal address, port and protocol in *duplicate.
 */
int ps_listener_index_build(uint32_t *index, uint32_t cells, const struct ps_listener *listener,
			    uint32_t listeners, uint32_t *duplicate);

/*
 * Sorts ranges and joins those that overlap or touch, in place. Returns how many are left.
 * A range whose first is above its last is dropped.
 */
uint32_t ps_ranges_normalize(struct ps_range *range, uint32_t ranges);

/* The range of a prefix. bits counts in the address's own family (0..32 or 0..128). */
struct ps_range ps_range_of_prefix(const struct ps_addr *addr, uint8_t bits);

#endif
