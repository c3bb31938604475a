/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker without EAL: tables, one service per mode and family, two next hops, and mbufs on plain memory.
 *
 *   clients 10.1.0.0/16, 2001:db8:1::/64   port 0, adjacency 1
 *   endpoints 10.2.0.0/16, fd00:2::/64     port 1, adjacency 2
 *   VIP 192.0.2.10, 2001:db8:ff::10        port 80 + mode, TCP and UDP
 *   endpoint 10.2.0.5, fd00:2::5           port 8080 (NAT modes), 80 + mode (DSR)
 *   SNAT 10.2.0.100, fd00:2::100           ports set by the test
 */
#ifndef PS_TEST_FLOW_BED_H
#define PS_TEST_FLOW_BED_H

#include "dataplane/flow/flow_fast.h"

#define BED_SERVICES (2u * PS_MODES * 2u) /* [proto][mode][family] */
#define BED_ENDPOINTS 4u                  /* per service */
#define BED_ROOM 256u

struct bed {
	struct ps_worker w;
	struct ps_view view;
	struct ps_worker_counters counters;
	struct ps_service_counters service_row[BED_SERVICES];
	struct ps_endpoint_counters endpoint_row[BED_SERVICES * BED_ENDPOINTS];
	struct ps_state_verdict verdict[BED_SERVICES * BED_ENDPOINTS];
	struct ps_adjacency adjacency[4];
	struct ps_service service[BED_SERVICES];
	struct ps_endpoint endpoint[BED_SERVICES * BED_ENDPOINTS];
	struct ps_listener listener[BED_SERVICES];
	uint32_t index[64];
	struct ps_table table[BED_SERVICES];
	uint16_t entries[BED_SERVICES][1024];
	const uint16_t *table_entries[BED_SERVICES];
	uint32_t service_of_slot[BED_SERVICES];
	struct ps_snat_pool pool;
	struct ps_snat_address snat_address[2];
	struct ps_range range[2];
	void *memory[5];
	struct {
		struct rte_mbuf m;
		uint8_t room[BED_ROOM + 10240];
	} packet;
};

struct bed_options {
	uint32_t capacity;       /* 0: 64 */
	uint32_t endpoints;      /* per service, 0: 1 */
	uint16_t port_first, port_last; /* SNAT, 0: 20000 alone */
	uint16_t service_flags;
};

struct bed *bed_new(const struct bed_options *o);
void bed_free(struct bed *b);

/* The service of a proto, mode and family: its index, slot, and position of its first endpoint / BED_ENDPOINTS. */
uint32_t bed_service(uint8_t proto, uint8_t mode, bool v6);

/* Loads a frame (Ethernet untagged) into the bed's mbuf, classified. */
struct rte_mbuf *bed_load(struct bed *b, const uint8_t *frame, uint32_t size);

/* The way through flow_ip4 or flow_ip6 and, if need be, flow_new. */
uint32_t bed_run(struct bed *b, struct rte_mbuf *m);

/* Advances the clock and ages. */
void bed_sleep(struct bed *b, uint32_t ms);

/* Is every checksum of the packet right: IPv4, TCP, UDP, and those of what is inside a tunnel? */
bool bed_sound(struct rte_mbuf *m);

#endif
