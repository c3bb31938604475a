/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_rx-<worker>-<port>-<queue>: packets from one queue. Source.
 *
 * meta: sets all of it (rx_tsc, port; flags RECHECKSUM; the rest 0).
 */
#include <stdio.h>

#include <rte_ethdev.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

enum { TO_CLASSIFY, EDGES };

struct port_rx {
	struct ps_worker *worker;
	uint16_t port_id;
	uint16_t queue;
	uint16_t port;  /* index into PORT */
	uint8_t flags;  /* first meta.flags */
	uint8_t burst;
};
_Static_assert(sizeof(struct port_rx) <= RTE_NODE_CTX_SZ, "context outgrew its room");

static uint16_t
port_rx(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t none)
{
	const struct port_rx *rx = (const struct port_rx *)node->ctx;
	struct ps_worker *w = rx->worker;
	struct ps_meta meta = {.port = rx->port, .flags = rx->flags};
	uint64_t bytes = 0, word[sizeof(meta) / 8];
	uint16_t n = rte_eth_rx_burst(rx->port_id, rx->queue, (struct rte_mbuf **)objs, rx->burst);

	if (n == 0)
		return 0;
	meta.rx_tsc = (uint32_t)rte_rdtsc();
	/* In words: from a struct that has just been written by halves, each wider load would wait for the store. */
	memcpy(word, &meta, sizeof(word));
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];

		/* For classify, which comes when this loop is done. */
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		memcpy(ps_meta(m), word, sizeof(word));
		bytes += m->pkt_len;
	}
	w->moved += n;
	w->counters->rx_packets += n;
	w->counters->rx_bytes += bytes;
	node->idx = n;
	rte_node_next_stream_move(graph, node, TO_CLASSIFY);
	return n;
}

static int
port_rx_init(const struct rte_graph *graph, struct rte_node *node)
{
	struct port_rx *rx = (struct port_rx *)node->ctx;
	unsigned int worker, port, queue;
	int rc = ps_stage_init(graph, node);

	if (rc != 0)
		return rc;
	if (sscanf(node->name, "port_rx-%u-%u-%u", &worker, &port, &queue) != 3 || port >= ps_dataplane.ports)
		return -EINVAL;
	rx->port_id = ps_dataplane.port[port].device.port_id;
	rx->queue = (uint16_t)queue;
	rx->port = (uint16_t)port;
	rx->flags = rx->worker->port_distrusts_checksum[port] ? PS_META_F_RECHECKSUM : 0;
	rx->burst = (uint8_t)rx->worker->burst;
	return 0;
}

static struct rte_node_register port_rx_node = {
	.name = "port_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = port_rx,
	.init = port_rx_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_CLASSIFY] = "classify"},
};
PS_STAGE_REGISTER(port_rx_node, 0)
