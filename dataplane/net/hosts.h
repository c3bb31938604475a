/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From (link, address) to the neighbour's adjacency: an open-addressing hash of adjacency indices that
 * main changes while workers read. A link is a port and a VLAN, which stay what they are from
 * snapshot to snapshot, while interface indices may not.
 *
 * A slot holds 0 (never used: a search ends here), PS_HOSTS_GONE, or an index. Main fills an adjacency's
 * key before it stores the index (release), and never changes the key of an index
 * that a reader may still hold: given-back indices rest until the next route generation.
 */
#ifndef PS_NET_HOSTS_H
#define PS_NET_HOSTS_H

#include <stdlib.h>

#include "dataplane/api/digest.h"
#include "dataplane/net/adjacency.h"

#define PS_HOSTS_GONE UINT16_MAX

struct ps_hosts {
	const struct ps_adjacency *adjacency;
	uint32_t mask;
	uint32_t used; /* slots that are not 0; main */
	_Atomic uint16_t slot[];
};

static inline uint32_t
ps_hosts_hash(uint16_t port, uint16_t vlan, const struct ps_addr *addr)
{
	uint64_t a = ps_digest_load(addr->b), b = ps_digest_load(addr->b + 8);

	a = ps_mix64(a ^ PS_DIGEST_K0, b ^ PS_DIGEST_K1 ^ ((uint64_t)port << 16 | vlan));
	return (uint32_t)(a ^ (a >> 32));
}

/* Any thread. 0: not there. */
static inline uint16_t
ps_hosts_find(const struct ps_hosts *hosts, uint16_t port, uint16_t vlan, const struct ps_addr *addr)
{
	uint32_t i = ps_hosts_hash(port, vlan, addr) & hosts->mask, step;

	for (step = 0; step <= hosts->mask; step++, i = (i + 1) & hosts->mask) {
		/* acquire: pairs with the release in ps_hosts_add, so that the entry's key is visible */
		uint16_t index = atomic_load_explicit(&hosts->slot[i], memory_order_acquire);
		const struct ps_adjacency *a = &hosts->adjacency[index];

		if (index == 0)
			return 0;
		if (index != PS_HOSTS_GONE && a->port == port && a->vlan == vlan &&
		    ps_addr_equal(&a->next_hop, addr))
			return index;
	}
	return 0;
}

/* Main. neighbours: most entries at once. NULL: out of memory. */
struct ps_hosts *ps_hosts_new(const struct ps_adjacency *adjacency, uint32_t neighbours);
void ps_hosts_free(struct ps_hosts *hosts);

/* Main. The adjacency's key fields are filled in; not yet in the hash. 0 or -ENOSPC. */
int ps_hosts_add(struct ps_hosts *hosts, uint16_t index);
void ps_hosts_remove(struct ps_hosts *hosts, uint16_t index);

#endif
