/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox: packets that other threads have for this worker: from other workers (hand-off rings), which
 * enter at classify again because interface indices may have changed with the snapshot since, and from
 * main, which go to ip_output. Source.
 *
 * meta: read as it came.
 */
#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

enum { TO_CLASSIFY, TO_IP_OUTPUT, EDGES };

static uint16_t
take_handed(struct ps_worker *w, void **objs, uint16_t room)
{
	uint16_t taken = 0, i, from = w->inbox_next;

	for (i = 0; i < w->workers && taken < room; i++) {
		struct rte_ring *ring = w->inbox[from];

		if (ring != NULL)
			taken += rte_ring_sc_dequeue_burst(ring, objs + taken, room - taken, NULL);
		from = from + 1u == w->workers ? 0 : from + 1u;
	}
	/* A full burst begins elsewhere next time, so that one busy peer does not starve the others. */
	w->inbox_next = from;
	return taken;
}

static uint16_t
inbox(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t none)
{
	struct ps_worker *w = ps_node_worker(node);
	uint16_t handed = 0, own;

	if (w->workers > 1) {
		handed = take_handed(w, objs, w->burst);
		if (handed != 0) {
			w->counters->handoff_in += handed;
			for (uint16_t i = 0; i < handed; i++)
				rte_prefetch0(rte_pktmbuf_mtod((struct rte_mbuf *)objs[i], void *));
			rte_node_enqueue(graph, node, TO_CLASSIFY, objs, handed);
		}
	}
	own = (uint16_t)rte_ring_sc_dequeue_burst(w->from_main, objs, w->burst - handed, NULL);
	if (own != 0)
		rte_node_enqueue(graph, node, TO_IP_OUTPUT, objs, own);
	w->moved += handed + own;
	return handed + own;
}

static struct rte_node_register inbox_node = {
	.name = "inbox",
	.flags = RTE_NODE_SOURCE_F,
	.process = inbox,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_CLASSIFY] = "classify", [TO_IP_OUTPUT] = "ip_output"},
};
PS_STAGE_REGISTER(inbox_node, 0)
