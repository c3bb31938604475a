/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_new: packets that flow_ip4 and flow_ip6 found no flow for, or whose flow ended with them. Looks once more, because an
 * earlier packet of the same burst may have made the flow, and otherwise makes one (create.c).
 *
 * Uses meta.l3, l4, proto, flags, port; sets exit, adjacency, hash on the edges that say so in flow.h.
 */
#include <string.h>

#include "dataplane/flow/stage_edges.h"
#include "dataplane/pipeline/stage.h"

static __rte_always_inline rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	const struct ps_meta *meta = ps_meta(m);
	uint32_t ports;

	memcpy(&ports, rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3 + meta->l4), sizeof(ports));
	return (rte_edge_t)ps_flow_forward(w, m, ports, true);
}

static uint16_t
flow_new_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	n = ps_stage_run(graph, node, objs, n, decide);
	ps_flow_send_extras(graph, node);
	return n;
}

static struct rte_node_register flow_new_node = {
	.name = "flow_new",
	.process = flow_new_process,
	.init = ps_stage_init,
	.nb_edges = PS_FLOW_EDGE_PORT,
	.next_nodes = PS_FLOW_EDGE_NAMES_BUT("drop"),
};
PS_STAGE_REGISTER(flow_new_node, PS_STAGE_SENDS)
