/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process and the other stages need of the flow folder.
 *
 * Process (main):   ps_flows_open -> ps_flows_attach(each worker) -> ... -> ps_flows_close
 *                   ps_flows_view before a snapshot goes live, ps_flows_view_live after the grace period
 * Worker loop:      ps_flow_tick once per loop
 * fragment stage:   ps_flow_forward
 */
#ifndef PS_FLOW_FLOW_H
#define PS_FLOW_FLOW_H

#include <rte_mbuf.h>

#include "dataplane/pipeline/worker.h"

/*
 * Edges of flow_ip4, flow_ip6, flow_new and icmp_flow, and what ps_flow_forward answers. All have the same order; from
 * PS_FLOW_EDGE_PORT on, it is PS_FLOW_EDGE_PORT + port.
 *   HANDOFF: meta.hash is the worker that the packet belongs to
 *   ANSWER:  as net/icmp.h says
 */
enum ps_flow_edge {
	PS_FLOW_EDGE_NEW,
	PS_FLOW_EDGE_IP_OUTPUT,
	PS_FLOW_EDGE_ANSWER,
	PS_FLOW_EDGE_HANDOFF,
	PS_FLOW_EDGE_PUNT,
	PS_FLOW_EDGE_TO_MAIN,
	PS_FLOW_EDGE_DROP,
	PS_FLOW_EDGE_PORT,
};
/* A node must not have an edge to itself: flow_new, which never takes it, puts another name there. */
#define PS_FLOW_EDGE_NAMES PS_FLOW_EDGE_NAMES_BUT("flow_new")
#define PS_FLOW_EDGE_NAMES_BUT(new) \
	{ \
		[PS_FLOW_EDGE_NEW] = new, [PS_FLOW_EDGE_IP_OUTPUT] = "ip_output", \
		[PS_FLOW_EDGE_ANSWER] = "answer", [PS_FLOW_EDGE_HANDOFF] = "handoff", [PS_FLOW_EDGE_PUNT] = "punt", \
		[PS_FLOW_EDGE_TO_MAIN] = "to_main", [PS_FLOW_EDGE_DROP] = "drop", \
	}

struct ps_flows;

struct ps_flows_config {
	const char *runtime_dir;
	const char *instance;     /* names files in a shared hugetlbfs */
	uint32_t hugepages;       /* enum ps_hugepages */
	uint32_t workers;
	uint32_t flows_v4, flows_v6; /* records per worker */
	uint32_t snat_groups;
	uint32_t affinity;        /* entries */
	uint32_t endpoint_slots;
	uint32_t service_slots;
	uint32_t tcp_syn_ms, tcp_fin_ms, tcp_closed_ms; /* as struct ps_boot */
	uint64_t boot_id;         /* ps_boot_id() */
	uint32_t now_ms;          /* CLOCK_MONOTONIC, as worker.now_ms */
};

/*
 * Opens or makes the flow files of all workers, the affinity table and the SNAT port sets, and takes
 * over the flows found, wherever they were written by as many workers and records or by other numbers of them.
 * snapshot: the one about to go live (its SNAT addresses are configured first); NULL: none yet, FullNAT flows
 * found are then restored as soon as ps_flows_view names their address.
 *
 * 0; -EBUSY: another process has the files; -ENOMEM, -ENOSPC or another -errno; why says which file.
 */
int ps_flows_open(struct ps_flows **flows, const struct ps_flows_config *config, const struct ps_snapshot *snapshot,
		  char *why, size_t why_size);
void ps_flows_close(struct ps_flows *flows);

/* Are the tables in hugepages? For the status page. */
bool ps_flows_in_hugepages(const struct ps_flows *flows);
uint64_t ps_flows_restored(const struct ps_flows *flows);

/* Sets flow4, flow6, snat, affinity and peers of a worker whose index, counters and rows are set. */
void ps_flows_attach(struct ps_flows *flows, struct ps_worker *w);

/* Main: before a view goes live on any worker; 0 or -ENOMEM. */
int ps_flows_view(struct ps_flows *flows, const struct ps_view *view);
/* Main: every worker has passed a quiescent state since the view went live. */
void ps_flows_view_live(struct ps_flows *flows);

/*
 * Main: ends flows of an endpoint slot, of a service slot (PS_NONE: any). Carried out by the workers' ticks, one request after
 * the other. 0, or -EBUSY: PS_FLUSH_REQUESTS are under way already.
 */
int ps_flows_flush(struct ps_flows *flows, uint32_t endpoint_slot, uint32_t service_slot);

/* The worker, once per loop: ageing, bounded work; a few ns when nothing is due. */
void ps_flow_tick(struct ps_worker *w);

/*
 * Decides about one packet and rewrites it, given its ports (the first four bytes of its L4 header as loaded). m is
 * classified: meta.l3, proto, flags. has_l4: the packet carries its L4 header at meta.l4; otherwise (later fragment)
 * only addresses are rewritten. Makes a flow when there is none. Returns an edge (enum ps_flow_edge), never
 * NEW: to be mapped to the caller's own edges.
 */
uint32_t ps_flow_forward(struct ps_worker *w, struct rte_mbuf *m, uint32_t ports_be, bool has_l4);

#endif
