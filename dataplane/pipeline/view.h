/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view is what a worker sees of one snapshot: the snapshot's sections as plain
 * pointers, plus what main derives from it before the swap (Maglev pointers,
 * slot maps, FIB). Built by main off the packet path, swapped as one
 * pointer, freed after every worker has reported a quiescent state (rte_rcu_qsbr).
 *
 * Thread: main builds and frees; workers read between two quiescent states, and
 * keep no pointer into it beyond a burst.
 */
#ifndef PS_PIPELINE_VIEW_H
#define PS_PIPELINE_VIEW_H

#include "dataplane/api/snapshot.h"

struct ps_state_verdict; /* dataplane/api/state.h */
struct ps_fib;       /* dataplane/net/fib.h */
struct ps_local_set; /* dataplane/net/local.h */

struct ps_view {
	const struct ps_snapshot *snapshot;
	uint64_t generation;
	uint64_t hash_seed;

	const struct ps_listener *listener;
	const uint32_t *listener_index;
	uint32_t listener_index_mask;
	const struct ps_service *service;
	const struct ps_endpoint *endpoint;
	const struct ps_range *range;
	const struct ps_table *table;
	const uint16_t *const *table_entries; /* by index into TABLE */
	const struct ps_iface *iface;
	const struct ps_snat_pool *snat_pool;
	const struct ps_snat_address *snat_address;
	const uint32_t *service_of_slot;      /* [boot.service_slots]: index into SERVICE or PS_NONE */
	struct ps_state_verdict *verdict;     /* shared state table: changes with a view when penstockd makes a new file */

	const struct ps_fib *fib;             /* shared by views whose routes are equal */
	const struct ps_local_set *local;     /* our own addresses: interface, VIP, SNAT */
	uint8_t route_generation;             /* changes with fib; flows compare it */
	void *net_routes, *net_locals;        /* what holds fib and local; dataplane/net/net.c alone */

	uint32_t ifaces;
	/* [port * 4096 + vid] would be large: per port, sorted (vid, iface) pairs */
	struct {
		uint16_t untagged;            /* iface, UINT16_MAX: none */
		uint16_t vlans;
		const struct {
			uint16_t vid, iface;
		} *vlan;
	} port[PS_MAX_PORTS];
};

#endif
