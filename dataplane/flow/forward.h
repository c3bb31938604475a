/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flow_fast.h leaves to do: flows in need of care, new flows, ends of flows. Functions over (worker, mbuf) that
 * answer an edge (flow.h). No EAL.
 */
#ifndef PS_FLOW_FORWARD_H
#define PS_FLOW_FORWARD_H

#include "dataplane/flow/flow.h"
#include "dataplane/flow/table.h"

/* Reference of the flow that a packet belongs to by its addresses at l3 and its ports; PS_NONE. */
uint32_t ps_flow_find_packet(const struct ps_flow_table *t, const uint8_t *l3, uint32_t ports, uint8_t proto);

/*
 * A packet of a known flow, every case considered. Returns PS_FLOW_EDGE_NEW when the flow has been ended and the packet
 * begins another. f may be a record outside the table (a packet balanced without record).
 */
uint32_t ps_flow_slow(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_table *t, struct ps_flow *f,
		      uint32_t direction, bool has_l4);

/* A packet of no known flow. Never returns PS_FLOW_EDGE_NEW. */
uint32_t ps_flow_create(struct ps_worker *w, struct rte_mbuf *m, uint32_t ports, bool has_l4);

/*
 * The endpoint for a new flow: what affinity remembers, else Maglev. hash: ps_flow_hash of the packet. An index into
 * ENDPOINT, PS_NONE: none takes new flows.
 */
uint32_t ps_flow_choose(struct ps_worker *w, const struct ps_service *service, const struct ps_addr *client,
			uint64_t hash);
uint64_t ps_flow_hash_packet(const struct ps_worker *w, const uint8_t *l3, uint32_t ports, uint8_t proto, bool v6);

/* Source address of a packet. */
struct ps_addr ps_flow_source(const uint8_t *l3, bool v6);

/* Looks up the adjacencies of both directions (and the tunnel's source address) in the worker's view. */
void ps_flow_route(struct ps_worker *w, struct ps_flow *f, bool v6);

/* Fills the checksum deltas from both keys. */
void ps_flow_deltas(struct ps_flow *f, bool v6);

/* What a flow holds outside its table: SNAT port, counters. Called before it is unlinked. */
void ps_flow_let_go(struct ps_worker *w, struct ps_flow *f, bool v6);

/* Lets go and unlinks a linked flow. */
void ps_flow_end(struct ps_worker *w, struct ps_flow_table *t, struct ps_flow *f);

static __rte_always_inline bool
ps_flow_in_table(const struct ps_flow_table *t, const struct ps_flow *f)
{
	return (uintptr_t)f - (uintptr_t)t->records < (uintptr_t)t->capacity << t->record_shift;
}

#endif
