/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rewriting and sending one packet of a flow, family and kind as compile-time constants. Works on mbufs, without EAL.
 */
#ifndef PS_FLOW_REWRITE_H
#define PS_FLOW_REWRITE_H

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ether.h>

#include "dataplane/flow/encap.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/forward.h"
#include "dataplane/net/adjacency.h"

static __rte_always_inline uint32_t
ps_exit_drop(struct ps_meta *meta, enum ps_exit why)
{
	meta->exit = (uint16_t)why;
	return PS_FLOW_EDGE_DROP;
}

/* The Ethernet header, and the start of data moved to it. Returns the edge. */
static __rte_always_inline uint32_t
ps_flow_transmit(struct rte_mbuf *m, struct ps_meta *meta, uint8_t *l3, struct ps_adjacency *a, const bool v6)
{
	uint8_t size = ps_adjacency_write(a, l3, v6 ? RTE_BE16(0x86dd) : RTE_BE16(0x0800));
	int32_t grown = (int32_t)((uint8_t *)rte_pktmbuf_mtod(m, uint8_t *) - (l3 - size));

	if (unlikely(grown != 0)) {
		m->data_off = (uint16_t)(m->data_off - grown);
		m->data_len = (uint16_t)(m->data_len + grown);
		m->pkt_len = (uint32_t)((int32_t)m->pkt_len + grown);
	}
	meta->l3 = size;
	return PS_FLOW_EDGE_PORT + a->port;
}

static __rte_always_inline void
ps_flow_rewrite4(struct ps_flow4 *f, uint32_t direction, uint8_t *l3, uint8_t *l4, uint8_t proto,
		 const bool has_l4)
{
	const struct ps_flow_key4 *k = &f->key[direction ^ 1u];
	uint16_t flip = (uint16_t)-direction, checksum;
	uint64_t addrs;
	uint32_t ports;
	uint8_t *field = l4 + (proto == IPPROTO_UDP ? 6 : 16);

	memcpy(&addrs, k, sizeof(addrs));
	memcpy(&ports, &k->src_port, sizeof(ports));
	addrs = addrs << 32 | addrs >> 32;
	ports = ports << 16 | ports >> 16;
	memcpy(l3 + 12, &addrs, sizeof(addrs));
	/* The TTL is the low byte of its word in memory order on little endian, the high one on big endian. */
	ps_field_update(l3 + 10, (uint32_t)(f->head.delta_l3 ^ flip) + (uint16_t)~RTE_BE16(0x0100));
	l3[8]--;
	if (!has_l4)
		return;
	memcpy(l4, &ports, sizeof(ports));
	memcpy(&checksum, field, 2);
	if (proto == IPPROTO_UDP) {
		if (checksum == 0)
			return;
		checksum = ps_checksum_update(checksum, (uint16_t)(f->head.delta_l4 ^ flip));
		checksum = checksum != 0 ? checksum : 0xffff;
	} else {
		checksum = ps_checksum_update(checksum, (uint16_t)(f->head.delta_l4 ^ flip));
	}
	memcpy(field, &checksum, 2);
}

static __rte_always_inline void
ps_flow_rewrite6(struct ps_flow6 *f, uint32_t direction, uint8_t *l3, uint8_t *l4, uint8_t proto,
		 const bool has_l4)
{
	const struct ps_flow_key6 *k = &f->key[direction ^ 1u];
	uint16_t flip = (uint16_t)-direction, checksum;
	uint32_t ports;
	uint8_t *field = l4 + (proto == IPPROTO_UDP ? 6 : 16);

	memcpy(&ports, &k->src_port, sizeof(ports));
	ports = ports << 16 | ports >> 16;
	memcpy(l3 + 8, k->dst, 16);
	memcpy(l3 + 24, k->src, 16);
	l3[7]--;
	if (!has_l4)
		return;
	memcpy(l4, &ports, sizeof(ports));
	memcpy(&checksum, field, 2);
	checksum = ps_checksum_update(checksum, (uint16_t)(f->head.delta_l4 ^ flip));
	if (proto == IPPROTO_UDP && checksum == 0)
		checksum = 0xffff;
	memcpy(field, &checksum, 2);
}

/* Counts a packet that goes on: flow, service, endpoint. */
static __rte_always_inline void
ps_flow_count(struct ps_worker *w, struct ps_flow *f, uint32_t direction, uint32_t size)
{
	/* Directions come at random: addresses are computed, not chosen by a branch. */
	uint64_t *service = &w->service[f->service_slot].packets_in + 2u * direction;
	uint64_t *endpoint = &w->endpoint[f->endpoint_slot].packets_in + direction;

	service[0]++;
	service[1] += size;
	endpoint[0]++;
	f->packets[direction]++;
}

/* TTL or hop limit of a packet that is forwarded without rewrite. */
static __rte_always_inline void
ps_flow_decrement(uint8_t *l3, const bool v6)
{
	if (v6) {
		l3[7]--;
		return;
	}
	ps_field_update(l3 + 10, (uint16_t)~RTE_BE16(0x0100));
	l3[8]--;
}

/* Cuts what stands behind the IP packet (Ethernet padding): an outer header's length is exact. */
static __rte_always_inline void
ps_flow_trim(struct rte_mbuf *m, uint32_t end)
{
	if (unlikely(m->pkt_len > end) && m->next == NULL) {
		m->data_len = (uint16_t)end;
		m->pkt_len = end;
	}
}

/* DSR: outer header, if any, before the untouched packet. Returns the new l3, NULL: no room. */
static __rte_always_inline uint8_t *
ps_flow_wrap(struct rte_mbuf *m, struct ps_meta *meta, struct ps_flow *f, uint8_t *l3, uint32_t size, uint16_t id,
	     const bool v6, bool sound)
{
	uint32_t overhead = ps_encap_overhead[v6][f->mode];

	ps_flow_decrement(l3, v6);
	if (overhead == 0)
		return l3;
	if (unlikely((uint32_t)m->data_off + meta->l3 < overhead + 18u))
		return NULL;
	ps_flow_trim(m, meta->l3 + size);
	return v6 ? ps_encap6((struct ps_flow6 *)f, l3, size, meta->proto, sound)
		  : ps_encap4((struct ps_flow4 *)f, l3, size, id);
}

/* Moves the start of data to an Ethernet header's room before l3, for a stage that writes the header itself. */
static inline void
ps_flow_expose(struct rte_mbuf *m, struct ps_meta *meta, uint8_t *l3)
{
	int32_t grown = (int32_t)(rte_pktmbuf_mtod(m, uint8_t *) - (l3 - RTE_ETHER_HDR_LEN));

	m->data_off = (uint16_t)(m->data_off - grown);
	m->data_len = (uint16_t)(m->data_len + grown);
	m->pkt_len = (uint32_t)((int32_t)m->pkt_len + grown);
	meta->l3 = RTE_ETHER_HDR_LEN;
}

#endif
