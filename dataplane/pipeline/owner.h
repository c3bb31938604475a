/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker a packet's flow belongs to, computed from the packet alone, so that every worker
 * that sees either direction of a flow comes to the same answer:
 *
 *   to a SNAT address and port that nobody listens on   destination port % workers
 *   to one of our other addresses (client to VIP)       hash of the source (the client)
 *   to somebody else (endpoint to client, DNAT)         hash of the destination (the client)
 *   ICMP error                                          as a reply to the packet inside it
 *
 * FullNAT flows choose SNAT ports whose remainder is the worker's own index; so whichever worker
 * a client's packets come to may own the flow, as long as no software spreads them. Ports
 * whose device cannot spread send every packet through this function, as does
 * any stage that misses a flow which another worker may have.
 *
 * Thread: workers, within a burst.
 */
#ifndef PS_PIPELINE_OWNER_H
#define PS_PIPELINE_OWNER_H

#include "dataplane/api/digest.h"
#include "dataplane/pipeline/worker.h"

/* By client address and port alone. port: network order. */
static inline uint16_t
ps_owner_of_client(const struct ps_addr *client, uint16_t port, uint8_t proto, uint16_t workers)
{
	uint64_t a = ps_digest_load(client->b), b = ps_digest_load(client->b + 8);
	uint64_t h = ps_mix64(a ^ PS_DIGEST_K0 ^ ((uint64_t)proto << 16 | port), b ^ PS_DIGEST_K1);

	return (uint16_t)(((h >> 32) * workers) >> 32);
}

/* port_be: of a SNAT address. */
static inline uint16_t
ps_owner_of_snat_port(uint16_t port_be, uint16_t workers)
{
	return (uint16_t)(__builtin_bswap16(port_be) % workers);
}

/* By addresses and ports, as arriving. */
uint16_t ps_owner_of(const struct ps_worker *w, const struct ps_addr *src, uint16_t src_port,
		     const struct ps_addr *dst, uint16_t dst_port, uint8_t proto);

/* Of a classified packet. Fragments and what has no flow belong to the worker that asks. */
uint16_t ps_owner(const struct ps_worker *w, struct rte_mbuf *m);

#endif
