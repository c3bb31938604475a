/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way a packet leaves the pipeline has one name, declared here once. The name
 * is the counter, the trace label, the metric's label and the row in the documentation.
 *
 * PS_EXIT(NAME, kind, "description"): kind is one of
 *   forward  the packet went where it should
 *   consume  the gateway itself was the addressee
 *   drop     it was discarded
 *   answer   it was discarded and an answer was sent
 */
#ifndef PS_API_EXITS_H
#define PS_API_EXITS_H

#define PS_EXITS(PS_EXIT) \
	PS_EXIT(TX, forward, "sent on a port") \
	PS_EXIT(PUNT, forward, "given to the kernel through the punt port") \
	PS_EXIT(TO_MAIN, consume, "given to the housekeeping core: ARP, neighbour discovery, probe answers") \
	PS_EXIT(ECHO, answer, "ICMP echo request answered") \
	PS_EXIT(RST_NO_ENDPOINT, answer, "TCP to a service without usable endpoint: RST sent") \
	PS_EXIT(RST_NO_FLOW, answer, "TCP segment of no known flow to a FullNAT service: RST sent") \
	PS_EXIT(UNREACH_NO_ENDPOINT, answer, "UDP to a service without usable endpoint: ICMP port unreachable sent") \
	PS_EXIT(UNREACH_NO_ROUTE, answer, "no route to the destination: ICMP unreachable sent") \
	PS_EXIT(UNREACH_NO_NEIGHBOUR, answer, "next hop does not resolve: ICMP host unreachable sent") \
	PS_EXIT(TOO_BIG, answer, "does not fit the outgoing MTU and may not be fragmented: packet-too-big sent") \
	PS_EXIT(TTL_EXPIRED, answer, "TTL or hop limit ran out: ICMP time exceeded sent") \
	PS_EXIT(NOT_FOR_US_L2, drop, "destination MAC is neither ours nor broadcast nor a group we listen to") \
	PS_EXIT(VLAN_UNKNOWN, drop, "VLAN not configured on the port") \
	PS_EXIT(ETHERTYPE_UNKNOWN, drop, "neither IPv4, IPv6 nor ARP") \
	PS_EXIT(IP_MALFORMED, drop, "IP version, header length or total length is wrong") \
	PS_EXIT(IP_CHECKSUM, drop, "IPv4 header checksum is wrong") \
	PS_EXIT(IP_OPTIONS, drop, "IPv4 source routing, or an IPv6 extension chain that is not followed") \
	PS_EXIT(IP_MARTIAN, drop, "source address is multicast, loopback, unspecified or our own") \
	PS_EXIT(L4_MALFORMED, drop, "TCP or UDP header is truncated or inconsistent") \
	PS_EXIT(ICMP_MALFORMED, drop, "ICMP message is truncated or its checksum is wrong") \
	PS_EXIT(ICMP_NO_FLOW, drop, "ICMP error about a flow that is not known") \
	PS_EXIT(ICMP_RATE_LIMIT, drop, "would have been answered by ICMP or RST, but the rate limit is reached") \
	PS_EXIT(NO_LISTENER, drop, "addressed to us, but no listener has this address, protocol and port") \
	PS_EXIT(NOT_FORWARDED, drop, "neither addressed to us nor part of a flow: Penstock is not a general router") \
	PS_EXIT(SOURCE_DENIED, drop, "source address outside loadBalancerSourceRanges") \
	PS_EXIT(NO_ENDPOINT, drop, "service without usable endpoint, configured to drop") \
	PS_EXIT(NO_FLOW, drop, "reply or later segment of no known flow") \
	PS_EXIT(FLOW_TABLE_FULL, drop, "new flow refused: the flow table is full") \
	PS_EXIT(SNAT_EXHAUSTED, drop, "new flow refused: no free source port towards this endpoint") \
	PS_EXIT(FRAGMENT_TIMEOUT, drop, "fragment whose first fragment never came") \
	PS_EXIT(FRAGMENT_TABLE_FULL, drop, "fragment table is full") \
	PS_EXIT(FRAGMENT_MALFORMED, drop, "overlapping, too small or inconsistent fragment") \
	PS_EXIT(NEIGHBOUR_QUEUE_FULL, drop, "next hop still resolving and its queue is full: oldest packet dropped") \
	PS_EXIT(NEIGHBOUR_TABLE_FULL, drop, "no room for another next hop") \
	PS_EXIT(HANDOFF_FULL, drop, "ring to the owning worker is full") \
	PS_EXIT(MAIN_RING_FULL, drop, "ring to the housekeeping core is full") \
	PS_EXIT(PUNT_FULL, drop, "punt port did not take the packet") \
	PS_EXIT(TX_FULL, drop, "port did not take the packet") \
	PS_EXIT(TX_NO_HEADROOM, drop, "no room in the buffer for the outer header") \
	PS_EXIT(NO_MBUF, drop, "no packet buffer was free for an answer or a copy") \
	PS_EXIT(NO_SNAPSHOT, drop, "no configuration has been applied yet")

enum ps_exit {
#define PS_EXIT_ENUM(name, kind, text) PS_EXIT_##name,
	PS_EXITS(PS_EXIT_ENUM)
#undef PS_EXIT_ENUM
	PS_EXIT_COUNT
};

enum ps_exit_kind { PS_EXIT_KIND_forward, PS_EXIT_KIND_consume, PS_EXIT_KIND_drop, PS_EXIT_KIND_answer };

struct ps_exit_info {
	const char *name; /* "FLOW_TABLE_FULL" */
	enum ps_exit_kind kind;
	const char *text;
};

/* Indexed by enum ps_exit. Header-only so that both processes and the generators have it. */
static const struct ps_exit_info ps_exit_info[PS_EXIT_COUNT] __attribute__((unused)) = {
#define PS_EXIT_ROW(name, kind, text) {#name, PS_EXIT_KIND_##kind, text},
	PS_EXITS(PS_EXIT_ROW)
#undef PS_EXIT_ROW
};

#endif
