/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow tables in shared memory. One file per worker and family in the runtime directory; when
 * hugepages are to be had it lies in a hugetlbfs and the runtime directory has a symbolic link to it. A restarted
 * dataplane maps it again, checks each record, and rebuilds everything else: the hash that
 * finds records is private memory and no part of the file. penstockd maps it read-only to list flows; it may see a record change under its eyes and
 * copes by reading `state` before and after.
 *
 *   header (4096) | records[capacity]
 *
 * A record holds both directions of a flow, each in the order in which the four words
 * stand in an arriving packet, so that a key is compared with one load of the
 * packet and a rewrite is a load, a shuffle and a store:
 *
 *   to_endpoint (client -> VIP):       client, vip, client port, vip port
 *   to_client   (endpoint -> gateway): endpoint, local, endpoint port, local port
 *
 * FullNAT: local is a SNAT address and port. DNAT: local is the client itself.
 * DSR has no to_client direction. Its words hold the outer header instead: endpoint, the gateway's own address,
 * and for GUE the UDP ports (endpoint port: the GUE port, local port: source port); else endpoint port and client port.
 */
#ifndef PS_API_FLOW_H
#define PS_API_FLOW_H

#include <stdatomic.h>

#include "dataplane/api/abi.h"

#define PS_FLOWS_MAGIC 0x31574f4c46534e50ull

enum ps_flow_state {
	PS_FLOW_FREE,        /* record is on the free list */
	PS_FLOW_SYN,         /* client's SYN seen */
	PS_FLOW_ESTABLISHED, /* the client has acknowledged the SYN-ACK; with DSR: the client's ACK seen */
	PS_FLOW_FIN_CLIENT,  /* client has closed its half */
	PS_FLOW_FIN_ENDPOINT,
	PS_FLOW_CLOSING,     /* both have */
	PS_FLOW_RESET,
	PS_FLOW_UDP,         /* one direction seen */
	PS_FLOW_UDP_REPLIED,
	PS_FLOW_SYN_ACK,     /* endpoint's SYN-ACK seen; still half-open: a spoofed SYN gets this far */
	PS_FLOW_STATES
};

/* Common to both families: 40 bytes. worker: writes; penstockd: reads */
struct ps_flow {
	uint32_t next;          /* wheel or free list: record index, PS_NONE ends */
	uint32_t last_seen_ms;  /* CLOCK_MONOTONIC, wraps */
	uint32_t endpoint_slot;
	uint32_t service_slot;
	uint16_t endpoint_generation;
	_Atomic uint8_t state;  /* enum ps_flow_state; stored last (release) when a record is filled */
	uint8_t mode;           /* enum ps_mode */
	uint16_t adjacency[2];  /* by direction: index into the adjacency table, 0 unresolved */
	uint16_t delta_l3;      /* to_endpoint change of the IPv4 header checksum, one's complement; to_client is its complement */
	uint16_t delta_l4;      /* same for TCP/UDP */
	uint8_t route_generation; /* of the FIB when adjacency[] was looked up */
	uint8_t proto;
	uint16_t flags;         /* PS_FLOW_F_ */
	uint32_t packets[2];    /* by direction; wraps */
};
PS_SIZE_IS(struct ps_flow, 40);

#define PS_FLOW_F_TOA 0x1u        /* first data segment still gets the option */
#define PS_FLOW_F_AFFINITY 0x2u
#define PS_FLOW_TO_ENDPOINT 0
#define PS_FLOW_TO_CLIENT 1

struct ps_flow_key4 {
	uint32_t src, dst;           /* network order, as in the packet */
	uint16_t src_port, dst_port;
};
PS_SIZE_IS(struct ps_flow_key4, 12);

struct ps_flow_key6 {
	uint8_t src[16], dst[16];
	uint16_t src_port, dst_port;
};
PS_SIZE_IS(struct ps_flow_key6, 36);

struct ps_flow4 {
	struct ps_flow head;
	struct ps_flow_key4 key[2]; /* by direction, as arriving */
} __attribute__((aligned(64)));
PS_SIZE_IS(struct ps_flow4, 64);

struct ps_flow6 {
	struct ps_flow head;
	uint64_t created_ms;
	uint64_t spare;
	struct ps_flow_key6 key[2];
} __attribute__((aligned(64)));
PS_SIZE_IS(struct ps_flow6, 128);

struct ps_flows_header {
	uint64_t magic;
	uint32_t abi;
	uint32_t family;       /* 4 or 6 */
	uint32_t worker;
	uint32_t workers;      /* how many shared the work when it was written */
	uint32_t capacity;     /* records */
	uint32_t record_size;  /* 64 or 128 */
	uint64_t size;         /* bytes of the file */
	uint64_t records_offset;
	uint64_t boot_id;
	_Atomic uint32_t owner_pid; /* dataplane that has it now; the file's lock (flock) is what counts */
	uint32_t pad;
};

#endif
