/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest-prefix match from an address to an adjacency index, for connected prefixes
 * and routes of one snapshot. Built by main, immutable, read by workers.
 *
 * A lookup answers with the adjacency of the next hop, with the neighbour's own adjacency (or the
 * glean adjacency) for a destination on link, or 0 for "no route". Host adjacencies on link are
 * found through a hash that main fills as neighbours appear, so a FIB does not change with them.
 */
#ifndef PS_NET_FIB_H
#define PS_NET_FIB_H

#include "dataplane/api/abi.h"

struct ps_fib;

/* Any thread, under RCU. dst in network order. Returns an index into the adjacency table; 0: no route. */
uint16_t ps_fib_lookup4(const struct ps_fib *fib, uint32_t dst_be);
uint16_t ps_fib_lookup6(const struct ps_fib *fib, const uint8_t dst[16]);

/* The same for a destination that is on link by definition (IPv6 link-local), on this interface. */
uint16_t ps_fib_link(const struct ps_fib *fib, uint32_t iface, const struct ps_addr *dst);

#endif
