/* SPDX-License-Identifier: Apache-2.0 */
/*
 * punt: packets to our addresses that nothing here wanted. On a port with a punt interface the kernel gets
 * them; the housekeeping core writes them there, because that is a system call.
 *
 * meta: reads port, exit (what the packet is dropped as when there is no punt interface); sets adjacency.
 */
#include "dataplane/net/adjacency.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_MAIN, EDGES };

static rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);

	if (w->punt_port[meta->port] == UINT16_MAX)
		return TO_DROP;
	ps_count_exit(w, PS_EXIT_PUNT, 1);
	meta->adjacency = PS_ADJACENCY_FRAME;
	return TO_MAIN;
}

static uint16_t
punt(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return ps_stage_run(graph, node, objs, n, decide);
}

static struct rte_node_register punt_node = {
	.name = "punt",
	.process = punt,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop", [TO_MAIN] = "to_main"},
};
PS_STAGE_REGISTER(punt_node, 0)
