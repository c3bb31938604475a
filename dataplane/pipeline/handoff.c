/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handoff: packets whose flow belongs to another worker.
 *
 * meta: reads owner; sets flags HANDED, after which only a stage that has seen the flow at another worker hands the
 * packet over again.
 */
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, EDGES };

static uint16_t
handoff(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_worker *w = ps_node_worker(node);
	uint16_t start, end, given;

	for (uint16_t i = 0; i < n; i++) {
		struct ps_meta *meta = ps_meta((struct rte_mbuf *)objs[i]);

		meta->exit = PS_EXIT_HANDOFF_FULL;
		if (unlikely(meta->owner >= w->workers || meta->owner == w->index)) {
			meta->exit = PS_EXIT_NO_FLOW;
			meta->owner = w->index;
		}
		meta->flags |= PS_META_F_HANDED;
	}
	for (start = 0; start < n; start = end) {
		uint32_t owner = ps_meta((struct rte_mbuf *)objs[start])->owner;

		for (end = start + 1; end < n && ps_meta((struct rte_mbuf *)objs[end])->owner == owner; end++)
			;
		given = 0;
		if (likely(w->handoff[owner] != NULL))
			given = (uint16_t)rte_ring_sp_enqueue_burst(w->handoff[owner], objs + start, end - start,
								    NULL);
		w->counters->handoff_out += given;
		if (unlikely(given < end - start))
			rte_node_enqueue(graph, node, TO_DROP, objs + start + given, end - start - given);
	}
	return n;
}

static struct rte_node_register handoff_node = {
	.name = "handoff",
	.process = handoff,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop"},
};
PS_STAGE_REGISTER(handoff_node, 0)
