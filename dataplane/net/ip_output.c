/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip_output: packets whose IP header is final: finds the next hop when it is not given, fragments IPv4 where the
 * MTU asks for it and the packet allows it, writes the Ethernet header, sends.
 *
 * meta: reads l3, flags, adjacency (0: by destination; PS_ADJACENCY_FRAME: sent as it is), iface; sets adjacency, l3, exit, hash (MTU, towards answer).
 */
#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "dataplane/net/adjacency.h"
#include "dataplane/net/fib.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/split.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_ANSWER, TO_MAIN, TO_PORT };
#define SPLIT UINT16_MAX /* not an edge: the packet goes out in pieces */

#define L4_CHECKSUM RTE_MBUF_F_TX_L4_MASK

static uint16_t
route(const struct ps_worker *w, const struct ps_meta *meta, const uint8_t *ip)
{
	struct ps_addr dst;
	uint32_t v4;

	if (!(meta->flags & PS_META_F_V6)) {
		memcpy(&v4, ip + 16, 4);
		return ps_fib_lookup4(w->view->fib, v4);
	}
	if (ip[24] == 0xfe && (ip[25] & 0xc0) == 0x80) {
		memcpy(dst.b, ip + 24, 16);
		return ps_fib_link(w->view->fib, meta->iface, &dst);
	}
	return ps_fib_lookup6(w->view->fib, ip + 24);
}

/* What cannot be sent is told to whoever sent it, unless that was us. */
static rte_edge_t
refuse(struct rte_mbuf *m, enum ps_exit why)
{
	return ps_exit_to(m, why, ps_meta(m)->flags & PS_META_F_LOCAL ? TO_DROP : TO_ANSWER);
}

static bool
put_header(struct rte_mbuf *m, struct ps_adjacency *a, uint32_t l3, bool v6)
{
	if ((uint32_t)m->data_off + l3 < a->header_size)
		return false;
	ps_adjacency_write(a, rte_pktmbuf_mtod_offset(m, void *, l3),
			   v6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4));
	m->data_off = (uint16_t)(m->data_off + l3 - a->header_size);
	m->data_len = (uint16_t)(m->data_len - l3 + a->header_size);
	m->pkt_len = m->pkt_len - l3 + a->header_size;
	if (m->ol_flags & (L4_CHECKSUM | RTE_MBUF_F_TX_IP_CKSUM))
		m->l2_len = a->header_size;
	ps_meta(m)->l3 = a->header_size;
	return true;
}

static rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	bool v6 = (meta->flags & PS_META_F_V6) != 0;
	struct ps_adjacency *a;
	const uint8_t *ip;
	uint8_t state;

	if (unlikely(w->view == NULL))
		return ps_exit_to(m, PS_EXIT_NO_SNAPSHOT, TO_DROP);
	if (meta->adjacency == PS_ADJACENCY_FRAME) {
		if (meta->iface >= w->view->ifaces)
			return ps_exit_to(m, PS_EXIT_VLAN_UNKNOWN, TO_DROP);
		return (rte_edge_t)(TO_PORT + w->view->iface[meta->iface].port);
	}
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	a = &w->adjacency[meta->adjacency];
	state = atomic_load_explicit(&a->state, memory_order_acquire); /* partner: show() in neighbour.c */
	if (meta->adjacency == 0 || state == PS_ADJ_FREE || state == PS_ADJ_GLEAN) {
		meta->adjacency = route(w, meta, ip);
		if (meta->adjacency == 0)
			return refuse(m, PS_EXIT_UNREACH_NO_ROUTE);
		a = &w->adjacency[meta->adjacency];
		state = atomic_load_explicit(&a->state, memory_order_acquire);
	}
	if (unlikely(state == PS_ADJ_FAILED))
		return refuse(m, PS_EXIT_UNREACH_NO_NEIGHBOUR);
	if (unlikely(state != PS_ADJ_RESOLVED))
		return ps_exit_to(m, PS_EXIT_UNREACH_NO_NEIGHBOUR, TO_MAIN);
	if (unlikely(m->pkt_len - meta->l3 > a->mtu)) {
		meta->hash = a->mtu;
		if (v6 || (ip[6] & 0x40))
			return refuse(m, PS_EXIT_TOO_BIG);
		return SPLIT;
	}
	if (!put_header(m, a, meta->l3, v6))
		return ps_exit_to(m, PS_EXIT_TX_NO_HEADROOM, TO_DROP);
	return (rte_edge_t)(TO_PORT + a->port);
}

/* The device can only fill in checksums of whole datagrams. */
static void
finish_checksum(struct rte_mbuf *m, uint32_t l3)
{
	uint64_t kind = m->ol_flags & L4_CHECKSUM;
	uint32_t l4 = l3 + m->l3_len, field = kind == RTE_MBUF_F_TX_TCP_CKSUM ? 16 : 6;
	uint16_t sum = 0;

	if (kind != 0 && m->data_len >= l4 + field + 2 && rte_raw_cksum_mbuf(m, l4, m->pkt_len - l4, &sum) == 0) {
		sum = (uint16_t)~sum;
		if (kind == RTE_MBUF_F_TX_UDP_CKSUM && sum == 0)
			sum = 0xffff;
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, l4 + field), &sum, 2);
	}
	m->ol_flags &= ~(L4_CHECKSUM | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4);
}

static void
give_up(struct rte_graph *graph, struct rte_node *node, struct rte_mbuf *m, enum ps_exit why)
{
	ps_meta(m)->exit = (uint16_t)why;
	rte_node_enqueue_x1(graph, node, TO_DROP, m);
}

/* Pieces are copies in one segment each, which any port can send. */
static void
send_split(struct rte_graph *graph, struct rte_node *node, struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	struct ps_adjacency *a = &w->adjacency[meta->adjacency];
	uint32_t l3 = meta->l3, i, header, offset, size;
	struct rte_mbuf *piece[PS_SPLIT_MAX];
	struct ps_split split;

	if (ps_split_plan(&split, rte_pktmbuf_mtod_offset(m, const uint8_t *, l3), a->mtu) != 0) {
		give_up(graph, node, m, PS_EXIT_TOO_BIG);
		return;
	}
	if (rte_pktmbuf_alloc_bulk(w->pool, piece, split.pieces) != 0) {
		give_up(graph, node, m, PS_EXIT_NO_MBUF);
		return;
	}
	finish_checksum(m, l3);
	for (i = 0; i < split.pieces; i++) {
		uint8_t *out = rte_pktmbuf_mtod(piece[i], uint8_t *);
		const void *data;

		*ps_meta(piece[i]) = *meta;
		header = ps_split_header(&split, i, out, &offset, &size);
		if (header + size > rte_pktmbuf_tailroom(piece[i])) {
			give_up(graph, node, piece[i], PS_EXIT_TX_NO_HEADROOM);
			continue;
		}
		data = rte_pktmbuf_read(m, l3 + split.header_size + offset, size, out + header);
		if (data != NULL && data != out + header)
			memcpy(out + header, data, size);
		piece[i]->data_len = (uint16_t)(header + size);
		piece[i]->pkt_len = header + size;
		ps_meta(piece[i])->trace = 0;
		if (!put_header(piece[i], a, 0, false))
			give_up(graph, node, piece[i], PS_EXIT_TX_NO_HEADROOM);
		else
			rte_node_enqueue_x1(graph, node, (rte_edge_t)(TO_PORT + a->port), piece[i]);
	}
	rte_pktmbuf_free(m);
}

static uint16_t
ip_output(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_worker *w = ps_node_worker(node);
	rte_edge_t edge[RTE_GRAPH_BURST_SIZE];
	uint16_t done, part, i, kept;

	for (done = 0; done < n; done += part) {
		void **m = objs + done;

		part = RTE_MIN((uint16_t)(n - done), (uint16_t)RTE_GRAPH_BURST_SIZE);
		for (i = 0, kept = 0; i < part; i++) {
			edge[kept] = decide(w, m[i]);
			if (likely(edge[kept] != SPLIT))
				m[kept++] = m[i];
			else
				send_split(graph, node, w, m[i]);
		}
		ps_stage_dispatch(graph, node, m, edge, kept);
	}
	return n;
}

static struct rte_node_register ip_output_node = {
	.name = "ip_output",
	.process = ip_output,
	.init = ps_stage_init,
	.nb_edges = TO_PORT,
	.next_nodes = {[TO_DROP] = "drop", [TO_ANSWER] = "answer", [TO_MAIN] = "to_main"},
};
PS_STAGE_REGISTER(ip_output_node, PS_STAGE_SENDS)
