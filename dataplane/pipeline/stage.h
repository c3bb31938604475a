/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batch loop of every stage, once. A stage is one file: an enum of its edges, an inline
 * decision per packet, a process function that calls one of the loops below, and a
 * PS_STAGE registration at the end of the file.
 *
 *   ps_stage_run    one decision per packet, headers prefetched ahead
 *   ps_stage_run_warm  the same for packets that lie in the cache already
 *   ps_stage_run3   three passes over chunks (prepare, probe, decide), so that each
 *                   pass prefetches the memory that the next one reads: two dependent cache
 *                   misses per packet cost one miss per chunk
 *
 * Decisions return the edge. Edges are written to an array first and dispatched in
 * runs: when all packets of a frame take one edge, the frame is moved by
 * swapping two pointers. Tracing looks at the same array, outside the loop.
 */
#ifndef PS_PIPELINE_STAGE_H
#define PS_PIPELINE_STAGE_H

#include "dataplane/pipeline/worker.h"

#define PS_STAGE_AHEAD 4u
#define PS_STAGE_CHUNK 64u /* measured with tests/unit/flow/bench_table: a million flows need that many misses at once */

/* Defined in trace.c: records one step of each traced packet of the frame. */
void ps_trace_frame(struct ps_worker *w, struct rte_node *node, void **objs, uint16_t n);

/*
 * Hands objs to the edges chosen for them. edge[i] < node->nb_edges. The frame is moved whole only when objs
 * is all of it: source nodes set node->idx before.
 */
static __rte_always_inline void
ps_stage_dispatch(struct rte_graph *graph, struct rte_node *node, void **objs,
		  const rte_edge_t *edge, uint16_t n)
{
	uint16_t start = 0, end;

	if (unlikely(ps_node_worker(node)->tracing))
		ps_trace_frame(ps_node_worker(node), node, objs, n);
	while (start < n) {
		for (end = start + 1; end < n && edge[end] == edge[start]; end++)
			;
		if (end - start == n && n == node->idx) {
			rte_node_next_stream_move(graph, node, edge[0]);
			return;
		}
		rte_node_enqueue(graph, node, edge[start], objs + start, end - start);
		start = end;
	}
}

typedef rte_edge_t (*ps_decide_fn)(struct ps_worker *w, struct rte_mbuf *m);

static __rte_always_inline void
ps_stage_part(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, ps_decide_fn decide)
{
	struct ps_worker *w = ps_node_worker(node);
	rte_edge_t edge[RTE_GRAPH_BURST_SIZE];
	uint16_t i;

	for (i = 0; i < PS_STAGE_AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod((struct rte_mbuf *)objs[i], void *));
	for (i = 0; i < n; i++) {
		if (likely(i + 2 * PS_STAGE_AHEAD < n))
			rte_prefetch0(objs[i + 2 * PS_STAGE_AHEAD]);
		if (likely(i + PS_STAGE_AHEAD < n))
			rte_prefetch0(rte_pktmbuf_mtod((struct rte_mbuf *)objs[i + PS_STAGE_AHEAD], void *));
		edge[i] = decide(w, objs[i]);
	}
	ps_stage_dispatch(graph, node, objs, edge, n);
}

/* For stages whose packets lie in the cache already, because the source before them has touched or prefetched each. */
static __rte_always_inline void
ps_stage_part_warm(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, ps_decide_fn decide)
{
	struct ps_worker *w = ps_node_worker(node);
	rte_edge_t edge[RTE_GRAPH_BURST_SIZE];

	for (uint16_t i = 0; i < n; i++)
		edge[i] = decide(w, objs[i]);
	ps_stage_dispatch(graph, node, objs, edge, n);
}

/* A frame larger than RTE_GRAPH_BURST_SIZE is rare: packets that a stage held back join a full burst. */
static __rte_always_inline uint16_t
ps_stage_run(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n,
	     ps_decide_fn decide)
{
	uint16_t done, part;

	for (done = 0; done < n; done += part) {
		part = RTE_MIN((uint16_t)(n - done), (uint16_t)RTE_GRAPH_BURST_SIZE);
		ps_stage_part(graph, node, objs + done, part, decide);
	}
	return n;
}

static __rte_always_inline uint16_t
ps_stage_run_warm(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, ps_decide_fn decide)
{
	uint16_t done, part;

	for (done = 0; done < n; done += part) {
		part = RTE_MIN((uint16_t)(n - done), (uint16_t)RTE_GRAPH_BURST_SIZE);
		ps_stage_part_warm(graph, node, objs + done, part, decide);
	}
	return n;
}

/*
 * scratch: per-packet memory of the stage, item_size bytes each, at least PS_STAGE_CHUNK items.
 */
typedef void (*ps_prepare_fn)(struct ps_worker *w, struct rte_mbuf *m, void *item);
typedef rte_edge_t (*ps_decide3_fn)(struct ps_worker *w, struct rte_mbuf *m, void *item);

static __rte_always_inline uint16_t
ps_stage_run3(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n,
	      void *scratch, size_t item_size,
	      ps_prepare_fn prepare, ps_prepare_fn probe, ps_decide3_fn decide)
{
	struct ps_worker *w = ps_node_worker(node);
	rte_edge_t edge[RTE_GRAPH_BURST_SIZE];
	uint16_t base, i, chunk, held = 0;

	for (base = 0; base < n; base += chunk) {
		void **m = objs + base;
		uint8_t *item = scratch;

		chunk = RTE_MIN((uint16_t)PS_STAGE_CHUNK, (uint16_t)(n - base));
		for (i = 0; i < chunk; i++)
			prepare(w, m[i], item + i * item_size);
		for (i = 0; i < chunk; i++)
			probe(w, m[i], item + i * item_size);
		for (i = 0; i < chunk; i++)
			edge[held + i] = decide(w, m[i], item + i * item_size);
		held += chunk;
		if (unlikely(held + PS_STAGE_CHUNK > RTE_GRAPH_BURST_SIZE && base + chunk < n)) {
			ps_stage_dispatch(graph, node, m + chunk - held, edge, held);
			held = 0;
		}
	}
	ps_stage_dispatch(graph, node, objs + n - held, edge, held);
	return n;
}
_Static_assert(RTE_GRAPH_BURST_SIZE % PS_STAGE_CHUNK == 0, "a burst is whole chunks");

/* Sets why on the packet and returns the edge, so that a stage can write `return ps_exit_to(m, PS_EXIT_X, EDGE)`. */
static __rte_always_inline rte_edge_t
ps_exit_to(struct rte_mbuf *m, enum ps_exit why, rte_edge_t edge)
{
	ps_meta(m)->exit = (uint16_t)why;
	return edge;
}

/* node->init of every stage: stores the worker in ctx. The graph's name ends in "-<worker index>". */
int ps_stage_init(const struct rte_graph *graph, struct rte_node *node);

/*
 * Registration of the node and of the stage. The stage's fixed edges are its rte_node_register.next_nodes, in the order of its
 * enum. A stage with PS_STAGE_SENDS gets one more edge per port after them, in port order:
 * STAGE_EDGES + port leads to "port_tx-<port>", so that the fast path chooses its
 * port without another stage.
 */
#define PS_STAGE_SENDS 0x1u

struct ps_stage {
	struct rte_node_register *node;
	uint32_t flags;
	struct ps_stage *next;
};

void ps_stage_register(struct ps_stage *stage); /* constructor time; main.c builds graphs from the list */

#define PS_STAGE_REGISTER(register_, flags_)                                        \
	static struct ps_stage register_##_stage = {&(register_), (flags_), NULL};  \
	__attribute__((constructor)) static void register_##_add(void)              \
	{                                                                           \
		ps_stage_register(&register_##_stage);                              \
	}

#endif
