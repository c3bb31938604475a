/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_ip4: IPv4 TCP and UDP packets that are no fragments. A known flow: rewritten and sent; everything else: flow_new.
 *
 * Uses meta.l3, l4, proto, flags, port; sets exit, adjacency, hash on the edges that say so in flow.h.
 */
#include "dataplane/flow/flow_fast.h"
#include "dataplane/flow/stage_edges.h"
#include "dataplane/pipeline/stage.h"

static __rte_always_inline void
prepare(struct ps_worker *w, struct rte_mbuf *m, void *item)
{
	ps_flow_prepare(w, m, item, false);
}

static __rte_always_inline void
probe(struct ps_worker *w, struct rte_mbuf *m, void *item)
{
	ps_flow_probe(w, item, false);
}

static __rte_always_inline rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m, void *item)
{
	return ps_flow_decide(w, m, item, false);
}

static uint16_t
flow_ip4_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_flow_item item[PS_STAGE_CHUNK];

	if (unlikely(ps_node_worker(node)->view == NULL))
		return ps_flow_no_view(graph, node, objs, n);
	n = ps_stage_run3(graph, node, objs, n, item, sizeof(item[0]), prepare, probe, decide);
	ps_flow_send_extras(graph, node);
	return n;
}

static struct rte_node_register flow_ip4_node = {
	.name = "flow_ip4",
	.process = flow_ip4_process,
	.init = ps_stage_init,
	.nb_edges = PS_FLOW_EDGE_PORT,
	.next_nodes = PS_FLOW_EDGE_NAMES,
};
PS_STAGE_REGISTER(flow_ip4_node, PS_STAGE_SENDS)
