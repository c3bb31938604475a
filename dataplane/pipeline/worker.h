/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker: a lcore that polls its own queues and runs its own graph. All of this is the
 * worker's alone unless a comment says otherwise.
 */
#ifndef PS_PIPELINE_WORKER_H
#define PS_PIPELINE_WORKER_H

#include <rte_graph.h>
#include <rte_graph_worker.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/api/counters.h"
#include "dataplane/api/state.h"
#include "dataplane/pipeline/view.h"

struct ps_flow_table;  /* dataplane/flow/table.h */
struct ps_snat;        /* dataplane/flow/snat.h */
struct ps_port_device; /* drivers/port/port.h */
struct ps_affinity;    /* dataplane/flow/affinity.h */
struct ps_frag_table;  /* dataplane/net/frag.h */
struct ps_adjacency;   /* dataplane/net/adjacency.h */
struct ps_trace;       /* dataplane/pipeline/trace.h */

#define PS_MAX_EXTRA 64u

struct ps_worker {
	/* Set at the top of each loop. */
	const struct ps_view *view;    /* NULL until the first snapshot is live */
	uint64_t now_tsc;
	uint32_t now_ms;               /* CLOCK_MONOTONIC in ms, wraps; same clock as flow records */
	uint32_t moved;                /* packets received from any source in this loop */

	struct ps_worker_counters *counters;
	struct ps_service_counters *service;   /* [service_slots], this worker's row */
	struct ps_endpoint_counters *endpoint; /* [endpoint_slots], this worker's row */
	struct ps_state_verdict *verdict;      /* shared state table */
	struct ps_adjacency *adjacency;        /* table of all workers; main: writes */

	struct ps_flow_table *flow4;
	struct ps_flow_table *flow6;
	struct ps_snat *snat;
	struct ps_flow_table *const *peer_flow4; /* [workers]: the others' tables, for ps_flow_table_peek only */
	struct ps_flow_table *const *peer_flow6;
	/* Where a packet will arrive, so that replies come back to us: ps_port_rx_queue; queue q is worker q % workers' */
	int (*rx_queue)(const struct ps_port_device *port, bool v6, const void *src, const void *dst,
			uint16_t src_port, uint16_t dst_port, uint8_t proto);
	const struct ps_port_device *rss_port[PS_MAX_PORTS]; /* NULL: one worker, or the device does not spread */
	struct ps_affinity *affinity;          /* shared by all workers, lock-free */
	struct ps_frag_table *frag;
	struct ps_trace *trace;
	uint8_t tracing;                       /* main: writes; nonzero: stages look at meta.trace */

	uint16_t index;
	uint16_t workers;
	uint16_t ports;
	uint32_t service_slots, endpoint_slots;
	struct rte_mempool *pool;              /* for answers and copies */
	struct rte_ring *to_main;              /* mbufs for housekeeping; MP, all workers */
	struct rte_ring *from_main;            /* mbufs to send; meta.adjacency is set */
	struct rte_ring *handoff[PS_MAX_WORKERS]; /* to worker i; SP (this), SC (i); NULL for self */
	struct rte_ring *inbox[PS_MAX_WORKERS];   /* from worker i; NULL for self */
	uint64_t icmp_tokens;                  /* answers that may still be sent in this ms, see net/icmp.h */
	uint32_t icmp_tokens_ms;
	uint32_t random;                       /* xorshift state */
	struct rte_mbuf *extra[PS_MAX_EXTRA];  /* packets made beside the one decided about (RST to the other side): */
	uint32_t extras;                       /* the running flow stage sends them to ip_output */
	struct rte_graph *graph;
	uint8_t port_distrusts_checksum[PS_MAX_PORTS]; /* rx port: L4 checksum must be recomputed on forwarding */
	uint8_t port_tx_checksum[PS_MAX_PORTS];
	uint16_t punt_port[PS_MAX_PORTS];      /* ethdev of the port's punt TAP, UINT16_MAX: none */
	uint64_t port_mac[PS_MAX_PORTS];       /* first 6 bytes of the u64 in memory order; upper 2 bytes 0 */
	uint8_t port_spread[PS_MAX_PORTS];     /* rx port: its queues do not bring a flow to its owner, see owner.h */
	uint16_t burst;                        /* packets that one source may bring per loop; all together at most 256 */
	uint16_t sources;                      /* source nodes of the graph */
	uint16_t lcore;
	uint16_t inbox_next;                   /* ring to be asked first */
	bool polls_hard;                       /* idle policy: never sleeps */
};

/*
 * Per-packet metadata, in the mbuf's dynamic area at a fixed offset (registered at start with
 * rte_mbuf_dynfield_register_offset, refused when taken). Set by rx (iface, rx_tsc, trace = 0, the rest 0)
 * and classify (l3, l4, proto).
 */
struct ps_meta {
	uint32_t rx_tsc;       /* low half */
	uint32_t trace;        /* 0: not traced; else see pipeline/trace.h */
	uint16_t iface;        /* arrived on; index into IFACE */
	uint16_t adjacency;    /* where to send; stages before ip_output set it */
	uint8_t l3;            /* offset of the IP header from the start of data */
	uint8_t l4;            /* offset of the L4 header from the IP header; 0: not found (later fragment) */
	uint8_t proto;         /* final L4 protocol, after IPv6 extension headers */
	uint8_t flags;         /* PS_META_ */
	uint32_t service;      /* index into SERVICE, valid in this burst only */
	uint32_t endpoint;     /* index into ENDPOINT, valid in this burst only */
	uint16_t exit;         /* enum ps_exit: why, for the drop and answer stages */
	uint16_t port;         /* rx port */
	union {
		uint32_t hash;  /* flow hash, where a stage has computed it */
		uint32_t owner; /* on the edge to handoff: index of the worker that gets the packet */
	};
};
_Static_assert(sizeof(struct ps_meta) == 32, "ps_meta must fit the dynamic area");

#define PS_META_OFFSET 96
#define PS_META_F_V6 0x01u
#define PS_META_F_FRAGMENT 0x02u      /* any fragment */
#define PS_META_F_HANDED 0x04u        /* came through a hand-off ring: do not hand over again */
#define PS_META_F_RECHECKSUM 0x08u    /* L4 checksum may be partial: recompute in full when rewriting */
#define PS_META_F_LOCAL 0x10u         /* made by the gateway itself */
#define PS_META_F_TO_CLIENT 0x20u
#define PS_META_F_DRAIN_COPY 0x40u
#define PS_META_F_GATHERED 0x80u      /* fragment that has been where its datagram meets; its flow may be elsewhere still */

static inline struct ps_meta *
ps_meta(struct rte_mbuf *m)
{
	return (struct ps_meta *)((uint8_t *)m + PS_META_OFFSET);
}

/* The worker that runs a node: stored in node->ctx by every stage's init. */
static inline struct ps_worker *
ps_node_worker(const struct rte_node *node)
{
	struct ps_worker *w;

	__builtin_memcpy(&w, node->ctx, sizeof(w));
	return w;
}

static inline void
ps_count_exit(struct ps_worker *w, enum ps_exit why, uint32_t packets)
{
	w->counters->exit[why] += packets;
}

#endif
