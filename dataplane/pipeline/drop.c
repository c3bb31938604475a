/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop: the end of every packet that is not sent. Counts it by name.
 *
 * meta: reads exit.
 */
#include "dataplane/pipeline/stage.h"
#include "dataplane/pipeline/trace.h"

static uint16_t
drop(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_worker *w = ps_node_worker(node);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		uint16_t why = ps_meta(m)->exit;

		w->counters->exit[why < PS_EXIT_COUNT ? why : PS_EXIT_IP_MALFORMED]++;
	}
	if (unlikely(w->tracing))
		ps_trace_exits(w, objs, n, NULL);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, n);
	return n;
}

static struct rte_node_register drop_node = {
	.name = "drop",
	.process = drop,
	.init = ps_stage_init,
};
PS_STAGE_REGISTER(drop_node, 0)
