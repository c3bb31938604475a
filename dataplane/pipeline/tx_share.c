/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tx_share-<worker>-<port>: packets of workers that have no transmit queue on the port, sent by
 * the worker that has. Source.
 *
 * meta: untouched.
 */
#include <stdio.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_PORT };

struct tx_share {
	struct ps_worker *worker;
	uint16_t port;
	uint16_t burst;
};
_Static_assert(sizeof(struct tx_share) <= RTE_NODE_CTX_SZ, "context outgrew its room");

static uint16_t
tx_share(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t none)
{
	const struct tx_share *s = (const struct tx_share *)node->ctx;
	struct rte_ring *ring = ps_dataplane.port[s->port].share[s->worker->index];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(ring, objs, s->burst, NULL);

	if (n == 0)
		return 0;
	s->worker->moved += n;
	node->idx = n;
	rte_node_next_stream_move(graph, node, (rte_edge_t)(TO_PORT + s->port));
	return n;
}

static int
tx_share_init(const struct rte_graph *graph, struct rte_node *node)
{
	struct tx_share *s = (struct tx_share *)node->ctx;
	unsigned int worker, port;
	int rc = ps_stage_init(graph, node);

	if (rc != 0)
		return rc;
	if (sscanf(node->name, "tx_share-%u-%u", &worker, &port) != 2 || port >= ps_dataplane.ports)
		return -EINVAL;
	s->port = (uint16_t)port;
	s->burst = s->worker->burst;
	return 0;
}

static struct rte_node_register tx_share_node = {
	.name = "tx_share",
	.flags = RTE_NODE_SOURCE_F,
	.process = tx_share,
	.init = tx_share_init,
	.nb_edges = TO_PORT,
	.next_nodes = {[TO_DROP] = "drop"},
};
PS_STAGE_REGISTER(tx_share_node, PS_STAGE_SENDS)
