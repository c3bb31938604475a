/* SPDX-License-Identifier: Apache-2.0 */
/*
 * to_main: packets for the housekeeping core.
 *
 * meta: reads adjacency: not 0 means that the packet waits for that next hop and will come back, so it has
 * not left yet.
 */
#include "dataplane/pipeline/stage.h"
#include "dataplane/pipeline/trace.h"

enum { TO_DROP, EDGES };

static uint16_t
to_main(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_worker *w = ps_node_worker(node);
	uint32_t for_main = 0;
	uint16_t given;

	/* Once in the ring a packet is main's: everything is read before. */
	for (uint16_t i = 0; i < n; i++)
		for_main += ps_meta((struct rte_mbuf *)objs[i])->adjacency == 0;
	if (unlikely(w->tracing))
		ps_trace_exits(w, objs, n, ps_exit_info[PS_EXIT_TO_MAIN].name);
	given = (uint16_t)rte_ring_mp_enqueue_burst(w->to_main, objs, n, NULL);
	for (uint16_t i = given; i < n; i++) {
		struct ps_meta *meta = ps_meta((struct rte_mbuf *)objs[i]);

		for_main -= meta->adjacency == 0;
		meta->exit = PS_EXIT_MAIN_RING_FULL;
	}
	ps_count_exit(w, PS_EXIT_TO_MAIN, for_main);
	if (unlikely(given < n))
		rte_node_enqueue(graph, node, TO_DROP, objs + given, n - given);
	return n;
}

static struct rte_node_register to_main_node = {
	.name = "to_main",
	.process = to_main,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop"},
};
PS_STAGE_REGISTER(to_main_node, 0)
