/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters: one file in the runtime directory, made by the dataplane at start and mapped
 * read-only by penstockd. Each worker has its own pages and adds with plain
 * 64-bit stores; readers sum over workers. Nothing here is ever reset in place:
 * "reset" is a baseline that penstockd keeps.
 *
 *   header (4096) | worker blocks | service rows [worker][service slot] | endpoint rows [worker][endpoint slot]
 *
 * Every row array begins at a multiple of 4096. A restarted dataplane makes the file anew
 * (rename over the old one) with another epoch; penstockd notices by inode.
 */
#ifndef PS_API_COUNTERS_H
#define PS_API_COUNTERS_H

#include "dataplane/api/abi.h"
#include "dataplane/api/exits.h"

#define PS_COUNTERS_MAGIC 0x31544e4f43534e50ull
#define PS_MAX_NODES 64u
#define PS_MAX_EDGES 16u
#define PS_NODE_NAME 24u
#define PS_MAX_NEIGHBOURS_SHOWN 1024u
#define PS_EXIT_SLOTS 64u
_Static_assert(PS_EXIT_COUNT <= PS_EXIT_SLOTS, "exit counters outgrew their slots");

struct ps_node_counters {
	uint64_t calls;
	uint64_t packets;
	uint64_t cycles;
};

struct ps_flow_counters {
	uint64_t active;     /* records in use now */
	uint64_t capacity;
	uint64_t created;
	uint64_t expired;    /* idle, closed or reset, removed by age */
	uint64_t evicted;    /* half-open flow given up for a new one, table full */
	uint64_t refused;    /* table full and nothing to give up */
	uint64_t stateless;  /* packets balanced without record because the table is full (DSR) */
	uint64_t restored;   /* taken over from the previous process */
};

struct ps_worker_counters {
	/* worker: writes; everybody: reads */
	uint64_t cycles;        /* TSC since the worker started */
	uint64_t busy_cycles;   /* TSC in loops that moved at least one packet */
	uint64_t loops;
	uint64_t empty_loops;
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t handoff_out;   /* packets given to the owning worker */
	uint64_t handoff_in;
	uint64_t snat_ports_in_use;
	uint64_t snat_miss;     /* replies that arrived at another worker than planned */
	uint64_t generation;    /* snapshot generation in use */
	uint64_t state;         /* 0 starting, 1 polling, 2 sleeping, 3 stopped */
	uint32_t cpu;
	uint32_t tid;
	uint64_t pad[1];
	struct ps_flow_counters flow_v4, flow_v6;
	uint64_t exit[PS_EXIT_SLOTS];
	struct ps_node_counters node[PS_MAX_NODES];
} __attribute__((aligned(64)));

struct ps_service_counters {
	uint64_t packets_in;   /* client to endpoint */
	uint64_t bytes_in;     /* of L3 packet */
	uint64_t packets_out;  /* endpoint to client; 0 with DSR */
	uint64_t bytes_out;
	uint64_t flows_created;
	uint64_t flows_active;
	uint64_t refused;      /* new flows not accepted, for any reason */
	uint64_t rejected;     /* answered by RST or unreachable: no endpoint */
};
PS_SIZE_IS(struct ps_service_counters, 64);

struct ps_endpoint_counters {
	uint64_t flows_created;
	uint64_t flows_active;
	uint64_t packets_in;
	uint64_t packets_out;
};
PS_SIZE_IS(struct ps_endpoint_counters, 32);

struct ps_port_status {
	char name[32];
	char driver[32];     /* "net_memif" */
	char device[64];
	uint8_t mac[6];
	uint8_t link_up;
	uint8_t kind;        /* enum ps_port_kind */
	uint16_t rx_queues, tx_queues;
	uint32_t mtu;
	uint32_t speed_mbps;
	int32_t numa_node;
	uint32_t flags;      /* PS_PORT_CAN_ */
	uint32_t pad;
	uint64_t rx_packets, rx_bytes, rx_missed, rx_errors, rx_nombuf;
	uint64_t tx_packets, tx_bytes, tx_errors;
};
#define PS_PORT_CAN_RSS 0x1u
#define PS_PORT_CAN_RX_CHECKSUM 0x2u
#define PS_PORT_CAN_TX_CHECKSUM 0x4u
#define PS_PORT_CAN_CHAINS 0x8u
#define PS_PORT_CAN_RSS_KEY 0x10u
#define PS_PORT_DISTRUSTS_CHECKSUM 0x20u /* L4 checksums are recomputed in full */
#define PS_PORT_SPREADS 0x40u   /* fewer rx queues than workers: software hands packets to their worker */
#define PS_PORT_SHARES_TX 0x80u /* fewer tx queues than workers: workers without one send through another's */

struct ps_neighbour_status {
	struct ps_addr addr;
	uint8_t mac[6];
	uint8_t state;       /* 0 free, 1 incomplete, 2 reachable, 3 stale, 4 failed */
	uint8_t pad;
	uint32_t iface;
	uint32_t age_s;
};

struct ps_node_status {
	char name[PS_NODE_NAME];
	uint32_t edges;
	uint16_t edge[PS_MAX_EDGES]; /* indices of nodes */
	uint32_t pad;
};

struct ps_counters {
	uint64_t magic;
	uint32_t abi;
	uint32_t workers;
	uint64_t size;              /* bytes of the file */
	uint64_t epoch;             /* differs in every life of the dataplane */
	uint32_t pid;
	uint32_t ports;
	uint32_t service_slots;
	uint32_t endpoint_slots;
	uint64_t tsc_hz;
	uint64_t started_ns;        /* CLOCK_REALTIME */
	uint64_t worker_offset;     /* struct ps_worker_counters [workers] */
	uint64_t service_offset;    /* struct ps_service_counters [workers][service_slots] */
	uint64_t endpoint_offset;   /* struct ps_endpoint_counters [workers][endpoint_slots] */
	/* main: writes */
	uint64_t updated_ns;        /* CLOCK_REALTIME of the last refresh of what follows */
	uint64_t generation;        /* snapshot in use */
	uint64_t snapshots_applied, snapshots_rejected;
	uint64_t messages_rejected; /* malformed commands */
	uint32_t hugepages;         /* 1: packet buffers live in hugepages */
	uint32_t flows_hugepages;   /* 1: flow tables do */
	uint64_t mbufs_free, mbufs_total;
	uint32_t nodes;
	uint32_t neighbours;
	char last_rejection[208];
	uint64_t main_exit[PS_EXIT_SLOTS]; /* packets that left on the housekeeping core: add to those of workers */
	struct ps_node_status node[PS_MAX_NODES];
	struct ps_port_status port[PS_MAX_PORTS];
	struct ps_neighbour_status neighbour[PS_MAX_NEIGHBOURS_SHOWN];
};
#define PS_COUNTERS_HEADER_SIZE ((sizeof(struct ps_counters) + 4095u) & ~4095ul)

#endif
