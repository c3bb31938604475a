/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and ICMPv6 errors about flows (RFC 5508, RFC 792, RFC 4443). An error quotes a packet that the gateway has sent: rewritten, or
 * wrapped. The side that the error is for must see what it sent itself.
 *
 *   about a packet to an endpoint (NAT)     for the client: from the VIP, quoting client -> VIP
 *   about a packet to a client (NAT)        for the endpoint: from the SNAT address (DNAT: as it came), quoting its own packet
 *   about a packet from a DSR endpoint      arrives here because its source was the VIP: tunnelled to the endpoint as it is
 *   about an outer header (DSR)             for the client: from the VIP, quoting what was inside, MTU less the outer header
 *
 * Quoted packets may be cut after eight bytes of their L4 header; checksums in them are corrected where they are there.
 * All checksums are updated incrementally, so neither length nor buffer chains matter.
 */
#ifndef PS_FLOW_ICMP_TRANSLATE_H
#define PS_FLOW_ICMP_TRANSLATE_H

#include "dataplane/flow/flow.h"

/* m: an ICMP error with correct checksum; meta.l3, meta.l4 (ICMP header). Returns an edge of flow.h, never NEW. */
uint32_t ps_icmp_translate(struct ps_worker *w, struct rte_mbuf *m);

#endif
