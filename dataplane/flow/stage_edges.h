/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the flow stages share around their loops.
 */
#ifndef PS_FLOW_STAGE_EDGES_H
#define PS_FLOW_STAGE_EDGES_H

#include "dataplane/flow/flow.h"
#include "dataplane/pipeline/stage.h"

/* Packets that a decision made beside its own. */
static inline void
ps_flow_send_extras(struct rte_graph *graph, struct rte_node *node)
{
	struct ps_worker *w = ps_node_worker(node);

	if (likely(w->extras == 0))
		return;
	rte_node_enqueue(graph, node, PS_FLOW_EDGE_IP_OUTPUT, (void **)w->extra, (uint16_t)w->extras);
	w->extras = 0;
}

/* Before the first snapshot. */
static inline uint16_t
ps_flow_no_view(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		ps_meta(objs[i])->exit = PS_EXIT_NO_SNAPSHOT;
	rte_node_enqueue(graph, node, PS_FLOW_EDGE_DROP, objs, n);
	return n;
}

#endif
