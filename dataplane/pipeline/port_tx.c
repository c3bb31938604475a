/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_tx-<port>: sends on a port, from the worker's own queue; a worker without one gives its packets to
 * the worker that shares its queue (tx_share).
 *
 * meta: untouched. ol_flags may ask for L4 and IP checksums (l2_len, l3_len set, L4 checksum field holding the
 * pseudo header's sum): where the device does not fill them in, they are filled in here.
 */
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"
#include "dataplane/pipeline/trace.h"

#define CHECKSUMS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM)

enum { TO_DROP, EDGES };

struct port_tx {
	struct ps_worker *worker;
	uint16_t port_id;
	uint16_t queue;
	uint8_t port; /* index into PORT */
	bool shares;  /* the queue is another worker's */
	bool checksums, chains; /* what the device can do */
};
_Static_assert(sizeof(struct port_tx) <= RTE_NODE_CTX_SZ, "context outgrew its room");

/* Sum over all L4 bytes, chained or not, the pseudo header's sum being in the checksum field. */
static uint16_t
l4_checksum(const struct rte_mbuf *m, uint32_t l4)
{
	uint16_t sum = 0;

	return rte_raw_cksum_mbuf(m, l4, m->pkt_len - l4, &sum) == 0 ? (uint16_t)~sum : 0;
}

static void
fill_checksums(struct rte_mbuf *m)
{
	uint32_t l3 = m->l2_len, l4 = l3 + m->l3_len;
	uint8_t *head = rte_pktmbuf_mtod(m, uint8_t *);
	uint64_t kind = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	if (m->data_len < l4)
		return;
	if (kind == RTE_MBUF_F_TX_TCP_CKSUM && m->data_len >= l4 + sizeof(struct rte_tcp_hdr)) {
		((struct rte_tcp_hdr *)(head + l4))->cksum = l4_checksum(m, l4);
	} else if (kind == RTE_MBUF_F_TX_UDP_CKSUM && m->data_len >= l4 + sizeof(struct rte_udp_hdr)) {
		uint16_t sum = l4_checksum(m, l4);

		/* RFC 768: a sum of zero is sent as all ones */
		((struct rte_udp_hdr *)(head + l4))->dgram_cksum = sum != 0 ? sum : 0xffff;
	}
	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(head + l3);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	m->ol_flags &= ~(CHECKSUMS | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
}

/* Some packet asks for checksums or has several segments. Returns how many may be sent; the others are dropped. */
static uint16_t
prepare(struct rte_graph *graph, struct rte_node *node, const struct port_tx *tx, void **objs, uint16_t n,
	uint64_t *bytes)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];

		if (m->nb_segs > 1 && !tx->chains && rte_pktmbuf_linearize(m) != 0) {
			*bytes -= m->pkt_len;
			ps_meta(m)->exit = PS_EXIT_TX_NO_HEADROOM;
			rte_node_enqueue_x1(graph, node, TO_DROP, m);
			continue;
		}
		if ((m->ol_flags & CHECKSUMS) && !tx->checksums)
			fill_checksums(m);
		objs[kept++] = m;
	}
	return kept;
}

static uint16_t
port_tx(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	const struct port_tx *tx = (const struct port_tx *)node->ctx;
	struct ps_worker *w = tx->worker;
	uint64_t bytes = 0, wants = 0;
	uint32_t segments = 0;
	uint16_t sent, count = n;

	for (uint16_t i = 0; i < n; i++) {
		const struct rte_mbuf *m = objs[i];

		bytes += m->pkt_len;
		wants |= m->ol_flags;
		segments |= m->nb_segs - 1u;
	}
	if (unlikely((wants & CHECKSUMS) || segments != 0))
		count = prepare(graph, node, tx, objs, n, &bytes);
	if (unlikely(w->tracing))
		ps_trace_exits(w, objs, count, ps_exit_info[PS_EXIT_TX].name);
	if (likely(!tx->shares)) {
		if (unlikely((wants & CHECKSUMS) && tx->checksums))
			rte_eth_tx_prepare(tx->port_id, tx->queue, (struct rte_mbuf **)objs, count);
		sent = rte_eth_tx_burst(tx->port_id, tx->queue, (struct rte_mbuf **)objs, count);
		w->counters->exit[PS_EXIT_TX] += sent;
		w->counters->tx_packets += sent;
		w->counters->tx_bytes += bytes;
	} else {
		/* The worker that sends them counts them. */
		sent = (uint16_t)rte_ring_mp_enqueue_burst(ps_dataplane.port[tx->port].share[tx->queue], objs, count,
							   NULL);
	}
	if (unlikely(sent < count)) {
		for (uint16_t i = sent; i < count; i++) {
			struct rte_mbuf *m = objs[i];

			if (!tx->shares)
				w->counters->tx_bytes -= m->pkt_len;
			ps_meta(m)->exit = PS_EXIT_TX_FULL;
		}
		rte_node_enqueue(graph, node, TO_DROP, objs + sent, count - sent);
	}
	return n;
}

static int
port_tx_init(const struct rte_graph *graph, struct rte_node *node)
{
	struct port_tx *tx = (struct port_tx *)node->ctx;
	const struct ps_port_device *device;
	unsigned int port;
	int rc = ps_stage_init(graph, node);

	if (rc != 0)
		return rc;
	if (sscanf(node->name, "port_tx-%u", &port) != 1 || port >= ps_dataplane.ports)
		return -EINVAL;
	device = &ps_dataplane.port[port].device;
	tx->port_id = device->port_id;
	tx->port = (uint8_t)port;
	tx->shares = tx->worker->index >= device->tx_queues;
	tx->queue = tx->worker->index % device->tx_queues;
	tx->checksums = device->tx_checksum;
	tx->chains = device->chains;
	return 0;
}

static struct rte_node_register port_tx_node = {
	.name = "port_tx",
	.process = port_tx,
	.init = port_tx_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop"},
};
PS_STAGE_REGISTER(port_tx_node, 0)
