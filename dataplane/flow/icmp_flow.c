/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp_flow: ICMP errors that are not about the gateway itself, from icmp_input and answer. See icmp_translate.h.
 *
 * Uses meta.l3, l4, flags; sets exit, adjacency, owner on the edges that say so in flow.h.
 */
#include "dataplane/flow/icmp_translate.h"
#include "dataplane/flow/stage_edges.h"
#include "dataplane/pipeline/stage.h"

static __rte_always_inline rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	return (rte_edge_t)ps_icmp_translate(w, m);
}

static uint16_t
icmp_flow_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return ps_stage_run(graph, node, objs, n, decide);
}

static struct rte_node_register icmp_flow_node = {
	.name = "icmp_flow",
	.process = icmp_flow_process,
	.init = ps_stage_init,
	.nb_edges = PS_FLOW_EDGE_PORT,
	.next_nodes = PS_FLOW_EDGE_NAMES,
};
PS_STAGE_REGISTER(icmp_flow_node, PS_STAGE_SENDS)
