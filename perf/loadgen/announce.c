/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that nobody asked for: gratuitous ARP and neighbour advertisements, and our own questions. */
#include <rte_arp.h>

#include "perf/loadgen/engine.h"

#define ANNOUNCE_AT_MOST 1024u

static uint8_t *
start_frame(struct ps_engine *e, const struct ps_txport *p, const uint8_t dst[6], uint16_t type, uint32_t size,
	    struct rte_mbuf **m)
{
	uint32_t l3 = p->vlan != 0 ? 18 : 14;
	uint8_t *frame;

	*m = rte_pktmbuf_alloc(e->pool);
	if (*m == NULL)
		return NULL;
	frame = (uint8_t *)rte_pktmbuf_append(*m, (uint16_t)RTE_MAX(l3 + size, 60u));
	memset(frame, 0, RTE_MAX(l3 + size, 60u));
	memcpy(frame, dst, 6);
	memcpy(frame + 6, p->mac, 6);
	if (p->vlan != 0) {
		frame[12] = 0x81;
		frame[14] = (uint8_t)(p->vlan >> 8);
		frame[15] = (uint8_t)p->vlan;
	}
	frame[l3 - 2] = (uint8_t)(type >> 8);
	frame[l3 - 1] = (uint8_t)type;
	return frame + l3;
}

static void
send_arp(struct ps_engine *e, struct ps_txport *p, uint32_t sender, uint32_t target)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rte_arp_hdr arp = {
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
	};
	struct rte_mbuf *m;
	uint8_t *body = start_frame(e, p, all, RTE_ETHER_TYPE_ARP, sizeof(arp), &m);

	if (body == NULL)
		return;
	memcpy(arp.arp_data.arp_sha.addr_bytes, p->mac, 6);
	arp.arp_data.arp_sip = sender;
	arp.arp_data.arp_tip = target;
	memcpy(body, &arp, sizeof(arp));
	ps_txq_add(p, m);
}

/* type 135 (solicitation, to the solicited-node group) or 136 (unsolicited advertisement, to all nodes). */
static void
send_nd(struct ps_engine *e, struct ps_txport *p, uint8_t type, const struct ps_addr *src, const struct ps_addr *target)
{
	uint8_t group[16] = {0xff, 0x02, [15] = 1}, mac[6] = {0x33, 0x33}, *ip;
	struct rte_mbuf *m;
	uint16_t sum;

	if (type == 135) {
		group[11] = 1;
		group[12] = 0xff;
		memcpy(group + 13, target->b + 13, 3);
	}
	memcpy(mac + 2, group + 12, 4);
	ip = start_frame(e, p, mac, RTE_ETHER_TYPE_IPV6, 72, &m);
	if (ip == NULL)
		return;
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 8, src->b, 16);
	memcpy(ip + 24, group, 16);
	ip[40] = type;
	ip[44] = type == 136 ? 0x20 : 0; /* override */
	memcpy(ip + 48, target->b, 16);
	ip[64] = type == 136 ? 2 : 1;
	ip[65] = 1;
	memcpy(ip + 66, p->mac, 6);
	sum = (uint16_t)~ps_sum_fold(ps_sum(ip + 40, 32, ps_sum_pseudo(ip + 8, ip + 24, 16, IPPROTO_ICMPV6, 32)));
	memcpy(ip + 42, &sum, 2);
	ps_txq_add(p, m);
}

static void
announce_range(struct ps_engine *e, struct ps_txport *p, const struct ps_addr_range *range)
{
	struct ps_addr addr;
	uint32_t i;

	for (i = 0; i < range->count && i < ANNOUNCE_AT_MOST; i++) {
		addr = ps_addr_range_at(range, i);
		if (ps_addr_is_v4(&addr))
			send_arp(e, p, ps_addr_v4(&addr), ps_addr_v4(&addr));
		else
			send_nd(e, p, 136, &addr, &addr);
	}
}

void
ps_announce(struct ps_engine *e)
{
	uint32_t i;

	announce_range(e, e->client_port, &e->space.client);
	announce_range(e, e->backend_port, &e->c->backend);
	for (i = 0; i < e->c->answers; i++) {
		announce_range(e, e->client_port, &e->c->answer[i]);
		if (e->backend_port != e->client_port)
			announce_range(e, e->backend_port, &e->c->answer[i]);
	}
}

void
ps_ask_gateway(struct ps_engine *e)
{
	struct ps_addr gateway = ps_engine_next_hop(e), own;

	/* a router in front of the clients asks, when there is one: clients behind it are not on the gateway's link */
	own = ps_addr_range_at(e->c->answers != 0 ? &e->c->answer[0] : &e->space.client, 0);
	if (ps_addr_is_v4(&gateway))
		send_arp(e, e->client_port, ps_addr_v4(&own), ps_addr_v4(&gateway));
	else
		send_nd(e, e->client_port, 135, &own, &gateway);
}
