/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel between penstockd and the dataplane: a SOCK_SEQPACKET Unix socket on
 * which the dataplane attaches and on which descriptors travel, and one shared
 * memfd with rings for everything else.
 *
 * Attach (dataplane connects to PS_CONTROL_SOCKET):
 *   1. dataplane -> HELLO {abi, pid, generation running}
 *   2. control   -> WELCOME {epoch} + descriptor of a fresh ring memfd, sealed
 *                   against resizing, laid out as struct ps_channel; or REFUSED {reason}
 *   3. control   -> BLOB {digest} + fd, for each blob; SNAPSHOT {generation} + fd
 *   4. dataplane -> event APPLIED or REJECTED on the ring, and a NUDGE on the socket
 * Later snapshots repeat 3 and 4, with only the blobs that the dataplane does not
 * hold: it holds those of the snapshot last applied in this attach, and those sent since. Control never has
 * two snapshots on the way, and sends every blob again after a rejection. A lost peer is a closed socket: the dataplane keeps forwarding and connects again.
 *
 * The socket carries no other payload: NUDGE says "look at the rings", so that both main
 * loops can sleep in epoll. Messages on it are struct ps_socket_message.
 *
 * Rings are `struct rte_ring` images, single producer and single consumer, made by
 * penstockd for each attach. The peer can write every shared byte, size and mask included;
 * therefore neither side calls rte_ring's functions on them: ps_channel_send and
 * ps_channel_receive (dataplane/api/channel_ring.h) use private copies of size and mask and
 * treat a head or tail that makes no sense as a broken peer.
 */
#ifndef PS_API_CHANNEL_H
#define PS_API_CHANNEL_H

#include "dataplane/api/abi.h"

enum ps_socket_type {
	PS_SOCKET_HELLO = 1, /* dataplane -> control */
	PS_SOCKET_WELCOME,   /* control -> dataplane, + fd */
	PS_SOCKET_REFUSED,   /* control -> dataplane: text says why; then the socket closes */
	PS_SOCKET_BLOB,      /* control -> dataplane, + fd: value is the digest */
	PS_SOCKET_SNAPSHOT,  /* control -> dataplane, + fd: value is the generation */
	PS_SOCKET_NUDGE,     /* both ways: the rings have something */
};

struct ps_socket_message {
	uint32_t type;       /* enum ps_socket_type */
	uint32_t abi;
	uint64_t epoch;      /* of this attach; 0 in HELLO */
	uint64_t value;
	uint32_t pid;
	uint32_t flags;
	char text[96];
};
PS_SIZE_IS(struct ps_socket_message, 128);

/* Elements of both main rings. Fixed size; type-specific content in a union. */
#define PS_MESSAGE_SIZE 256u

enum ps_message_type {
	/* commands: control -> dataplane */
	PS_CMD_TRACE = 1,     /* start tracing `count` packets matching a filter */
	PS_CMD_RESET_STATS,
	PS_CMD_ANNOUNCE,      /* send gratuitous ARP/ND for all VIPs now */
	PS_CMD_FLUSH_FLOWS,   /* end flows of an endpoint slot, or of a service slot */
	PS_CMD_SHUTDOWN,      /* stop cleanly */
	/* events: dataplane -> control */
	PS_EVENT_APPLIED = 64, /* generation is live on every worker */
	PS_EVENT_REJECTED,     /* generation was refused; text says why */
	PS_EVENT_HEALTH,       /* an endpoint's verdict changed */
	PS_EVENT_TRACE,        /* one step of one traced packet */
	PS_EVENT_REPLY,        /* answer to command `id`: rc and text */
	PS_EVENT_LOG,          /* text for the operator */
};

struct ps_trace_filter {
	struct ps_addr src, dst; /* all zero: any */
	uint16_t src_port, dst_port; /* network order; 0: any */
	uint8_t proto;               /* 0: any */
	uint8_t pad[3];
	uint32_t count;              /* packets, in all workers together; 0 stops */
	uint32_t pad1;
};
PS_SIZE_IS(struct ps_trace_filter, 48);

struct ps_trace_step {
	uint64_t packet;     /* number of the traced packet */
	uint64_t cycles;     /* TSC since the packet was received */
	uint32_t worker;
	uint32_t step;       /* 0, 1, ... */
	uint32_t length;     /* bytes of the frame */
	uint16_t head_size;  /* bytes in head */
	uint16_t pad;
	char stage[24];      /* graph node, or exit name when final */
	uint8_t final;
	uint8_t pad1[7];
	uint8_t head[128];   /* the frame's first bytes as they leave the stage */
};
PS_SIZE_IS(struct ps_trace_step, 192);

struct ps_message {
	uint32_t type; /* enum ps_message_type */
	int32_t rc;    /* replies: 0 or -errno */
	uint64_t id;   /* commands: chosen by control; replies repeat it */
	union {
		struct ps_trace_filter trace;
		struct ps_trace_step step;
		struct {
			uint64_t generation;
			uint64_t apply_ns;  /* received to live on every worker */
			uint32_t restart_needed; /* boot section differs from the running one */
			uint32_t pad;
			char text[208];
		} applied; /* APPLIED, REJECTED */
		struct {
			uint32_t slot;
			uint32_t down;
			uint32_t reason;
			uint32_t pad;
		} health;
		struct {
			uint32_t endpoint_slot; /* PS_NONE: any */
			uint32_t service_slot;  /* PS_NONE: any */
		} flush;
		char text[240];
		uint8_t bytes[240];
	};
};
PS_SIZE_IS(struct ps_message, PS_MESSAGE_SIZE);

#define PS_CHANNEL_MAGIC 0x3148434b4f545350ull
#define PS_COMMAND_SLOTS 256u  /* elements, power of two */
#define PS_EVENT_SLOTS 4096u

/*
 * The ring memfd. Each ring is a struct rte_ring (384 bytes, DPDK 22.11) followed by
 * its elements; offsets are fixed by the contract, not read from shared memory.
 */
struct ps_channel {
	uint64_t magic;
	uint32_t abi;
	uint32_t pad;
	uint64_t epoch;
	/* dataplane: writes */
	_Alignas(64) _Atomic uint64_t event_overflow; /* events dropped because the ring was full */
	/* control: writes */
	_Alignas(64) _Atomic uint64_t command_overflow;
};
#define PS_CHANNEL_RING_HEADER 384u
#define PS_CHANNEL_COMMAND_OFFSET 4096u
#define PS_CHANNEL_EVENT_OFFSET \
	(PS_CHANNEL_COMMAND_OFFSET + PS_CHANNEL_RING_HEADER + PS_COMMAND_SLOTS * PS_MESSAGE_SIZE)
#define PS_CHANNEL_SIZE \
	((PS_CHANNEL_EVENT_OFFSET + PS_CHANNEL_RING_HEADER + PS_EVENT_SLOTS * PS_MESSAGE_SIZE + 4095u) & ~4095u)

#endif
