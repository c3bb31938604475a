/* SPDX-License-Identifier: Apache-2.0 */
/*
 * punt_rx-<worker>-<port>: frames that the kernel sends through a punt TAP leave on the port as they
 * are. Source.
 *
 * meta: sets all of it (rx_tsc, port; flags LOCAL; the rest 0).
 */
#include <stdio.h>

#include <rte_ethdev.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_PORT };

struct punt_rx {
	struct ps_worker *worker;
	uint16_t port_id;
	uint16_t port; /* index into PORT */
	uint16_t burst;
};
_Static_assert(sizeof(struct punt_rx) <= RTE_NODE_CTX_SZ, "context outgrew its room");

static uint16_t
punt_rx(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t none)
{
	const struct punt_rx *rx = (const struct punt_rx *)node->ctx;
	struct ps_worker *w = rx->worker;
	struct ps_meta meta = {.port = rx->port, .flags = PS_META_F_LOCAL};
	uint16_t n = rte_eth_rx_burst(rx->port_id, 0, (struct rte_mbuf **)objs, rx->burst);

	if (n == 0)
		return 0;
	meta.rx_tsc = (uint32_t)rte_rdtsc();
	for (uint16_t i = 0; i < n; i++)
		*ps_meta((struct rte_mbuf *)objs[i]) = meta;
	w->moved += n;
	node->idx = n;
	rte_node_next_stream_move(graph, node, (rte_edge_t)(TO_PORT + rx->port));
	return n;
}

static int
punt_rx_init(const struct rte_graph *graph, struct rte_node *node)
{
	struct punt_rx *rx = (struct punt_rx *)node->ctx;
	unsigned int worker, port;
	int rc = ps_stage_init(graph, node);

	if (rc != 0)
		return rc;
	if (sscanf(node->name, "punt_rx-%u-%u", &worker, &port) != 2 || port >= ps_dataplane.ports)
		return -EINVAL;
	rx->port_id = ps_dataplane.port[port].device.punt_id;
	rx->port = (uint16_t)port;
	rx->burst = rx->worker->burst;
	return 0;
}

static struct rte_node_register punt_rx_node = {
	.name = "punt_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = punt_rx,
	.init = punt_rx_init,
	.nb_edges = TO_PORT,
	.next_nodes = {[TO_DROP] = "drop"},
};
PS_STAGE_REGISTER(punt_rx_node, PS_STAGE_SENDS)
