/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An adjacency is a resolved next hop: the Ethernet header to write and the port to
 * use. Flows keep its index. The table is one array for the life of the process, index 0
 * meaning "none"; entries are made by main when a route or neighbour first needs them, and
 * are never moved. Main is the only writer; workers read without locks.
 *
 * A next hop's MAC can change while workers send: the destination MAC and the first two bytes of the source
 * MAC are the header's first 8 bytes, and main replaces them by one 8-byte store.
 *
 * Per prefix that is on link there is a "glean" adjacency: it stands for all neighbours of
 * the prefix that have no adjacency yet. Packets for it go to main, which resolves.
 */
#ifndef PS_NET_ADJACENCY_H
#define PS_NET_ADJACENCY_H

#include <stdatomic.h>
#include <string.h>

#include "dataplane/api/abi.h"

enum ps_adjacency_state {
	PS_ADJ_FREE,
	PS_ADJ_GLEAN,      /* next hop is the packet's own destination; main resolves it */
	PS_ADJ_INCOMPLETE, /* asked, not answered: packets go to main, which holds a few */
	PS_ADJ_RESOLVED,
	PS_ADJ_FAILED,     /* not answering: unreachable until it answers */
};

struct ps_adjacency {
	/* dst MAC, src MAC, [802.1Q tag,] ethertype IPv4. The ethertype of IPv6 is patched by the writer. */
	_Atomic uint64_t header0;
	uint8_t header8[16];
	_Atomic uint8_t state;   /* enum ps_adjacency_state */
	uint8_t header_size;     /* bytes: 14, or 18 with a tag */
	uint16_t port;
	uint16_t iface;
	uint16_t mtu;            /* bytes of L3 packet */
	struct ps_addr next_hop; /* GLEAN: zero */
	uint16_t vlan;           /* VID, host order; 0: untagged */
	_Atomic uint8_t used;    /* worker: sets; main: clears, to know which neighbours to refresh */
	uint8_t pad0[5];
	uint32_t pad[2];
} __attribute__((aligned(64)));
PS_SIZE_IS(struct ps_adjacency, 64);

/* Indices 1..PS_MAX_ADJACENCIES - 1 are used. A FREE entry is not reused before the route generation advanced. */
#define PS_MAX_ADJACENCIES 65000u

/* meta.adjacency of a complete frame that main sends: it leaves on the port of meta.iface as it is. */
#define PS_ADJACENCY_FRAME UINT16_MAX

/*
 * Writes the header before l3 (which has at least header_size bytes of headroom before it) and
 * returns its size. ethertype in network order.
 */
static inline uint8_t
ps_adjacency_write(struct ps_adjacency *a, void *l3, uint16_t ethertype_be)
{
	uint8_t size = a->header_size;
	uint8_t *h = (uint8_t *)l3 - size;
	uint64_t first = atomic_load_explicit(&a->header0, memory_order_relaxed);

	/* Written once per refresh period only, so that the line stays shared between workers. */
	if (__builtin_expect(!atomic_load_explicit(&a->used, memory_order_relaxed), 0))
		atomic_store_explicit(&a->used, 1, memory_order_relaxed);
	memcpy(h, &first, 8);
	if (__builtin_expect(size == 14, 1))
		memcpy(h + 8, a->header8, 4);
	else
		memcpy(h + 8, a->header8, 8);
	memcpy((uint8_t *)l3 - 2, &ethertype_be, 2);
	return size;
}

#endif
