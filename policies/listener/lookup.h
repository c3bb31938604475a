/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listener lookup: destination address, port and protocol to an index into LISTENER.
 *
 * LISTENER_INDEX is an open-addressing hash with linear probing: a power of two of
 * uint32_t cells, each an index into LISTENER or PS_NONE for an empty cell, at most half of
 * them used. A probe ends at the first empty cell; it is bounded by the number of cells
 * besides, so that even an index without one cannot hold a worker.
 *
 * Pure. Built by policies/listener/build.h.
 */
#ifndef PS_POLICIES_LISTENER_LOOKUP_H
#define PS_POLICIES_LISTENER_LOOKUP_H

#include <endian.h>

#include "dataplane/api/digest.h"
#include "dataplane/api/snapshot.h"

/* Not seeded by the snapshot: the key set is the operator's, not an attacker's. */
static inline uint64_t
ps_listener_hash(const struct ps_addr *addr, uint16_t port_be, uint8_t proto)
{
	uint64_t key = (uint64_t)port_be | (uint64_t)proto << 16;

	return ps_mix64(ps_digest_load(addr->b) ^ PS_DIGEST_K0 ^ (key << 8),
			ps_digest_load(addr->b + 8) ^ PS_DIGEST_K1 ^ (key << 24));
}

/* mask: cells - 1. Returns an index into listener, PS_NONE when nobody listens there. */
static inline uint32_t
ps_listener_find(const struct ps_listener *listener, const uint32_t *index, uint32_t mask,
		 const struct ps_addr *addr, uint16_t port_be, uint8_t proto)
{
	uint32_t cell = (uint32_t)ps_listener_hash(addr, port_be, proto), left;

	for (left = mask + 1u; left != 0; left--, cell++) {
		uint32_t i = index[cell & mask];

		if (i == PS_NONE)
			return PS_NONE;
		if (listener[i].port == port_be && listener[i].proto == proto &&
		    ps_addr_equal(&listener[i].addr, addr))
			return i;
	}
	return PS_NONE;
}

static inline uint32_t
ps_listener_find4(const struct ps_listener *listener, const uint32_t *index, uint32_t mask,
		  uint32_t addr_be, uint16_t port_be, uint8_t proto)
{
	struct ps_addr addr = ps_addr_from_v4(addr_be);

	return ps_listener_find(listener, index, mask, &addr, port_be, proto);
}

/* Is index usable: a power of two of cells, each PS_NONE or below listeners? For snapshot validation. */
static inline bool
ps_listener_index_valid(const uint32_t *index, uint32_t cells, uint32_t listeners)
{
	uint32_t i;

	if (cells == 0 || (cells & (cells - 1u)) != 0)
		return false;
	for (i = 0; i < cells; i++)
		if (index[i] != PS_NONE && index[i] >= listeners)
			return false;
	return true;
}

/* <0, 0, >0 as a is below, equal to, above b, in network order. */
static inline int
ps_addr_compare(const struct ps_addr *a, const struct ps_addr *b)
{
	uint64_t x = be64toh(ps_digest_load(a->b)), y = be64toh(ps_digest_load(b->b));

	if (x == y) {
		x = be64toh(ps_digest_load(a->b + 8));
		y = be64toh(ps_digest_load(b->b + 8));
	}
	return (x > y) - (x < y);
}

/* Does one of the `ranges` sorted, disjoint ranges at range hold addr? With ranges == 0: no. */
static inline bool
ps_ranges_hold(const struct ps_range *range, uint32_t ranges, const struct ps_addr *addr)
{
	uint32_t low = 0, high = ranges;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ps_addr_compare(addr, &range[middle].first) < 0)
			high = middle;
		else if (ps_addr_compare(addr, &range[middle].last) > 0)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* May a client at src use the listener? range: the snapshot's RANGE section. */
static inline bool
ps_listener_admits(const struct ps_listener *listener, const struct ps_range *range, const struct ps_addr *src)
{
	return listener->ranges == 0 || ps_ranges_hold(range + listener->first_range, listener->ranges, src);
}

#endif
