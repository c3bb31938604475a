/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot is one immutable, position-independent arena: everything the
 * dataplane needs to know, at one generation. penstockd builds it in a memfd,
 * seals the memfd (F_SEAL_WRITE|GROW|SHRINK|SEAL) and hands it over; the dataplane
 * checks the seals, maps it read-only, validates it whole (ps_snapshot_validate),
 * and swaps one pointer.
 *
 *   +--------------------+ 0
 *   | ps_snapshot header |   magic, ABI, generation, digest, section directory
 *   +--------------------+ 4096
 *   | section 0          |   each 64-byte aligned: an array of fixed-size items
 *   | section 1 ...      |
 *   +--------------------+ size
 *
 * Large immutable parts (Maglev tables) live in blobs: sealed memfds of their own,
 * named by the digest of their content and shared by many generations, so
 * that a small change costs a small amount of work. A snapshot lists the blobs it needs.
 *
 * Things that outlive a burst (flows, counters, state) refer to services and
 * endpoints by slot: a small integer that penstockd assigns, that stays with the
 * service or endpoint through all generations, and that is reused only after the
 * slot's generation has been advanced (state.h).
 */
#ifndef PS_API_SNAPSHOT_H
#define PS_API_SNAPSHOT_H

#include "dataplane/api/abi.h"

#define PS_SNAPSHOT_MAGIC 0x31504e53534e4550ull /* "PENSSNP1" */
#define PS_BLOB_MAGIC 0x31424f4c424e4550ull     /* "PENBLOB1" */
#define PS_BUNDLE_MAGIC 0x31444e4255424550ull   /* "PEBUBND1" */

/* A snapshot larger than this is refused unread. */
#define PS_SNAPSHOT_MAX_SIZE (1ull << 32)

enum ps_section_id {
	PS_SEC_STRING,         /* char: NUL-terminated strings, offset 0 is "" */
	PS_SEC_BOOT,           /* struct ps_boot, exactly one */
	PS_SEC_PORT,           /* struct ps_port */
	PS_SEC_IFACE,          /* struct ps_iface */
	PS_SEC_ADDRESS,        /* struct ps_address: addresses of the gateway itself */
	PS_SEC_ROUTE,          /* struct ps_route */
	PS_SEC_VIP,            /* struct ps_vip: addresses that listeners are served on */
	PS_SEC_LISTENER,       /* struct ps_listener */
	PS_SEC_LISTENER_INDEX, /* uint32_t: open-addressing hash, see policies/listener */
	PS_SEC_SERVICE,        /* struct ps_service */
	PS_SEC_ENDPOINT,       /* struct ps_endpoint, those of one service adjacent */
	PS_SEC_RANGE,          /* struct ps_range: source ranges, sorted, disjoint per listener */
	PS_SEC_TABLE,          /* struct ps_table: Maglev tables inside blobs */
	PS_SEC_BLOB,           /* struct ps_blob_ref */
	PS_SEC_SNAT_POOL,      /* struct ps_snat_pool */
	PS_SEC_SNAT_ADDRESS,   /* struct ps_snat_address, those of one pool adjacent */
	PS_SEC_PROBE,          /* struct ps_probe */
	PS_SECTIONS
};

struct ps_section {
	uint64_t offset;    /* bytes from the start of the snapshot, multiple of 64 */
	uint32_t length;    /* items */
	uint32_t item_size; /* bytes; must equal the reader's sizeof */
};
PS_SIZE_IS(struct ps_section, 16);

struct ps_snapshot {
	uint64_t magic;
	uint32_t abi;
	uint32_t header_size; /* 4096 */
	uint64_t size;        /* bytes, equals the memfd's size */
	uint64_t generation;  /* grows by one per publication, never 0; continues across penstockd restarts */
	uint64_t digest;      /* ps_digest(bytes [header_size, size), seed = generation) */
	uint64_t boot_digest; /* ps_digest over BOOT, PORT (and strings they use): when it differs from the running one, a restart is needed */
	uint64_t built_ns;    /* CLOCK_REALTIME */
	uint64_t hash_seed;   /* seed of the flow hash; the same on every gateway of a fleet */
	uint32_t max_service_slot;  /* every slot in the snapshot is below these */
	uint32_t max_endpoint_slot;
	uint32_t sections;    /* PS_SECTIONS */
	uint32_t pad;
	struct ps_section section[PS_SECTIONS];
};
_Static_assert(sizeof(struct ps_snapshot) <= 4096, "snapshot header outgrew its page");
#define PS_SNAPSHOT_HEADER_SIZE 4096u

/* BOOT: what the dataplane must know before EAL starts. A change needs a restart. */
enum ps_hugepages { PS_HUGEPAGES_AUTO, PS_HUGEPAGES_REQUIRE, PS_HUGEPAGES_OFF };
enum ps_idle { PS_IDLE_AUTO, PS_IDLE_POLL, PS_IDLE_ADAPTIVE };

struct ps_boot {
	uint32_t workers;          /* 1..PS_MAX_WORKERS */
	uint32_t main_cpu;         /* CPU number, PS_NONE: unpinned */
	uint32_t worker_cpu[PS_MAX_WORKERS]; /* CPU numbers, PS_NONE: unpinned */
	uint32_t hugepages;        /* enum ps_hugepages */
	uint32_t idle;             /* enum ps_idle: what a worker does when all queues are empty */
	uint32_t memory_mb;        /* MiB, 0: as needed */
	uint32_t mbufs;            /* packet buffers in all, 0: as needed */
	uint32_t mbuf_size;        /* bytes of data room without headroom */
	uint32_t rx_descriptors;   /* per queue */
	uint32_t tx_descriptors;
	uint32_t flows_v4;         /* flow records per worker */
	uint32_t flows_v6;
	uint32_t fragments;        /* datagrams in reassembly, per worker */
	uint32_t neighbours;       /* ARP and ND entries */
	uint32_t routes;           /* FIB entries per family */
	uint32_t affinity;         /* client affinity entries */
	uint32_t service_slots;    /* size of service counter arrays */
	uint32_t endpoint_slots;   /* size of the state table */
	uint32_t snat_groups;      /* port sets per SNAT address; see dataplane/flow/snat.h */
	uint32_t instance_name;    /* string */
	uint32_t eal_options;      /* string: further EAL options, space separated, "" usually */
	uint32_t node_name;        /* string, "" when not named */
	uint32_t tcp_syn_ms;       /* life of a TCP flow without answer yet; 0: the dataplane's own default */
	uint32_t tcp_fin_ms;       /* one side has closed; 0: likewise */
	uint32_t tcp_closed_ms;    /* both have, or reset; 0: likewise */
};
PS_SIZE_IS(struct ps_boot, 352);

enum ps_port_kind {
	PS_PORT_PCI,        /* device: PCI address */
	PS_PORT_AF_XDP,     /* device: kernel interface */
	PS_PORT_AF_PACKET,  /* device: kernel interface */
	PS_PORT_TAP,        /* device: name of the kernel interface that is made */
	PS_PORT_MEMIF,      /* device: socket path */
	PS_PORT_VIRTIO_USER,/* device: vhost socket path, or /dev/vhost-net */
	PS_PORT_VHOST,      /* device: socket path */
	PS_PORT_NULL,       /* device: "" */
	PS_PORT_PCAP,       /* device: file read; output: file written */
	PS_PORT_KINDS
};

#define PS_PORT_F_PROMISCUOUS 0x1u
#define PS_PORT_F_MEMIF_SERVER 0x2u
#define PS_PORT_F_ZERO_COPY 0x4u
#define PS_PORT_F_PUNT 0x8u            /* packets for the host's own services go to a TAP "<name>" */
#define PS_PORT_F_TRUST_CHECKSUM 0x10u /* a software port whose peers always fill in L4 checksums */
#define PS_PORT_F_REPLAY_LOOP 0x20u    /* pcap: read the file again and again */

struct ps_port {
	uint32_t name;      /* string, unique */
	uint32_t device;    /* string, see kind */
	uint32_t output;    /* string: pcap file written, or "" */
	uint32_t options;   /* string: further devargs, or "" */
	uint16_t kind;      /* enum ps_port_kind */
	uint16_t queues;    /* rx queues; 0: one per worker where the device can */
	uint32_t flags;     /* PS_PORT_F_ */
	uint32_t mtu;       /* bytes of L3 packet */
	uint32_t memif_id;
	uint8_t mac[6];     /* all zero: the device's own */
	uint8_t pad[2];
};
PS_SIZE_IS(struct ps_port, 40);

/* An L3 interface: a port, or one VLAN of a port. */
struct ps_iface {
	uint32_t name;  /* string: "wan" or "wan.100" */
	uint32_t port;  /* index into PORT */
	uint16_t vlan;  /* 802.1Q VID, host order; 0: untagged */
	uint16_t mtu;   /* bytes of L3 packet */
	uint32_t flags; /* 0 */
};
PS_SIZE_IS(struct ps_iface, 16);

struct ps_address {
	struct ps_addr addr;
	uint32_t iface;
	uint8_t prefix_length; /* bits in the address's own family: 0..32 or 0..128 */
	uint8_t pad[3];
};
PS_SIZE_IS(struct ps_address, 24);

/* Connected prefixes follow from ADDRESS and are not listed here. */
struct ps_route {
	struct ps_addr prefix;  /* host bits zero */
	struct ps_addr via;     /* next hop; all zero: on link */
	uint32_t iface;         /* PS_NONE: found through the connected prefix of via */
	uint8_t prefix_length;
	uint8_t pad[3];
};
PS_SIZE_IS(struct ps_route, 40);

#define PS_VIP_F_ANNOUNCE 0x1u /* answer ARP/ND and announce on interfaces whose prefix holds it, else on all */
#define PS_VIP_F_PING 0x2u     /* answer ICMP echo */

struct ps_vip {
	struct ps_addr addr;
	uint32_t flags;
	uint32_t pad;
};
PS_SIZE_IS(struct ps_vip, 24);

enum ps_listener_kind {
	PS_LISTENER_L4,     /* packets are balanced to endpoints of service */
	PS_LISTENER_REJECT, /* no usable backend: TCP RST, ICMP port unreachable */
};

struct ps_listener {
	struct ps_addr addr;
	uint16_t port;      /* network order */
	uint8_t proto;      /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t kind;       /* enum ps_listener_kind */
	uint32_t service;   /* index into SERVICE; PS_NONE only for PS_LISTENER_REJECT */
	uint32_t first_range; /* source ranges allowed; */
	uint32_t ranges;      /* 0: all sources */
	uint32_t name;      /* string: "gateway/ns/name/listener" or "service/ns/name:port/ClusterIP" */
	uint32_t pad[3];
};
PS_SIZE_IS(struct ps_listener, 48);

/* Inclusive range of source addresses, in network order like ps_addr. */
struct ps_range {
	struct ps_addr first;
	struct ps_addr last;
};
PS_SIZE_IS(struct ps_range, 32);

enum ps_mode {
	PS_MODE_FULLNAT, /* both addresses rewritten; works one-armed with untouched backends */
	PS_MODE_DNAT,    /* destination rewritten; replies must pass the gateway */
	PS_MODE_IPIP,    /* DSR: RFC 2003 / RFC 2473 tunnel to the endpoint */
	PS_MODE_GUE,     /* DSR: UDP encapsulation, IP in GUE variant 1 */
	PS_MODE_L2,      /* DSR: only the destination MAC changes */
	PS_MODES
};

#define PS_SERVICE_F_AFFINITY 0x1u   /* sessionAffinity: ClientIP */
#define PS_SERVICE_F_TOA 0x2u        /* FullNAT, TCP: add the client address option to SYN+first data */
#define PS_SERVICE_F_EMPTY_DROP 0x4u /* no endpoint: drop silently instead of RST/unreachable */
#define PS_SERVICE_F_ALL_DOWN_OPEN 0x8u /* all endpoints judged down: use them all the same */

struct ps_service {
	uint64_t id;             /* stable: digest of the identity the name spells */
	uint32_t slot;           /* stable small integer: counters */
	uint32_t name;           /* string: "ns/name:port" or "tcproute/ns/name/rule" */
	uint32_t first_endpoint; /* index into ENDPOINT */
	uint32_t endpoints;      /* count; all of one address family, that of its listeners */
	uint32_t balanced;       /* the first `balanced` of them are in the Maglev table; the others drain */
	uint32_t table;          /* index into TABLE; PS_NONE when balanced is 0 */
	uint32_t snat_pool;      /* index into SNAT_POOL; PS_NONE unless FullNAT */
	uint32_t probe;          /* index into PROBE; PS_NONE: endpoints count as up */
	uint8_t mode;            /* enum ps_mode */
	uint8_t proto;
	uint16_t flags;          /* PS_SERVICE_F_ */
	uint32_t affinity_s;     /* seconds */
	uint32_t tcp_idle_s;     /* seconds an established TCP flow may be silent */
	uint32_t udp_idle_s;
	uint16_t mss;            /* clamp TCP MSS to this; 0: from the MTU when encapsulating */
	uint16_t gue_port;       /* network order */
	uint32_t pad;
};
PS_SIZE_IS(struct ps_service, 64);

#define PS_ENDPOINT_F_DRAINING 0x1u /* takes no new flow; removed after its deadline */
#define PS_ENDPOINT_F_REJECT 0x2u   /* stands for the weight of an invalid backendRef: new flows are refused */

struct ps_endpoint {
	struct ps_addr addr;
	uint64_t id;         /* stable: digest of service identity, address, port, protocol */
	uint32_t slot;       /* index into the state table; PS_NONE only with F_REJECT */
	uint16_t slot_generation; /* of the slot when assigned, see state.h */
	uint16_t port;       /* network order */
	uint32_t weight;     /* share in the Maglev table, relative; 0 only beyond `balanced` */
	uint32_t flags;      /* PS_ENDPOINT_F_ */
	uint32_t name;       /* string: pod "ns/name", or "" */
	uint32_t pad;
};
PS_SIZE_IS(struct ps_endpoint, 48);

/*
 * A Maglev table: size entries of uint16_t, each the position of an endpoint among the
 * first `endpoints` of the service. size is prime. Layout and lookup: policies/maglev.
 */
struct ps_table {
	uint64_t digest; /* content address: of the endpoints' ids and weights, in order, and size */
	uint64_t offset; /* bytes into the blob, multiple of 64 */
	uint32_t blob;   /* index into BLOB */
	uint32_t size;   /* entries */
	uint32_t endpoints; /* every entry is below this */
	uint32_t pad;
};
PS_SIZE_IS(struct ps_table, 32);

struct ps_blob_ref {
	uint64_t digest; /* ps_digest(bytes [64, size), seed 0), the blob's name */
	uint64_t size;   /* bytes, with its header */
};
PS_SIZE_IS(struct ps_blob_ref, 16);

struct ps_blob {
	uint64_t magic;
	uint32_t abi;
	uint32_t pad0;
	uint64_t size;
	uint64_t digest;
	uint64_t pad[4];
};
PS_SIZE_IS(struct ps_blob, 64);

/* Pool 0 is the default pool; it may be empty when no interface has an address. */
struct ps_snat_pool {
	uint32_t name;  /* string */
	uint32_t first_address;
	uint32_t addresses;
	uint32_t pad;
};
PS_SIZE_IS(struct ps_snat_pool, 16);

struct ps_snat_address {
	struct ps_addr addr;  /* answered in ARP/ND like an interface address */
	uint16_t port_first;  /* host order, inclusive */
	uint16_t port_last;
	uint32_t slot;        /* stable small integer, < PS_MAX_SNAT_ADDRESSES */
};
PS_SIZE_IS(struct ps_snat_address, 24);
#define PS_MAX_SNAT_ADDRESSES 256u

enum ps_probe_kind { PS_PROBE_NONE, PS_PROBE_TCP, PS_PROBE_ICMP, PS_PROBE_UDP };

struct ps_probe {
	uint8_t kind;         /* enum ps_probe_kind */
	uint8_t rise;         /* successes in a row until up, 1..255 */
	uint8_t fall;         /* failures in a row until down, 1..255 */
	uint8_t jitter;       /* percent of the interval, 0..50 */
	uint16_t port;        /* network order; 0: the endpoint's own */
	uint16_t pad;
	uint32_t interval_ms;
	uint32_t timeout_ms;  /* below interval_ms */
	uint64_t id;
};
PS_SIZE_IS(struct ps_probe, 24);

/*
 * On disk: the last snapshot that the dataplane accepted, with its blobs, so that a
 * dataplane can serve when nobody else is up. Written beside and renamed into place.
 *
 *   ps_bundle | snapshot bytes | blob bytes ... (in the order of its BLOB section), each 64-byte aligned
 */
struct ps_bundle {
	uint64_t magic;
	uint32_t abi;
	uint32_t blobs;
	uint64_t size;          /* of the whole file */
	uint64_t snapshot_size; /* starts at 64 */
	uint64_t digest;        /* ps_digest(bytes [64, size), seed 0) */
	uint64_t pad[3];
};
PS_SIZE_IS(struct ps_bundle, 64);

/* Item `index` of a section; no check: only for validated snapshots. */
static inline const void *
ps_snapshot_item(const struct ps_snapshot *s, enum ps_section_id id, uint32_t index)
{
	const struct ps_section *sec = &s->section[id];

	return (const uint8_t *)s + sec->offset + (uint64_t)index * sec->item_size;
}

static inline uint32_t
ps_snapshot_length(const struct ps_snapshot *s, enum ps_section_id id)
{
	return s->section[id].length;
}

static inline const char *
ps_snapshot_string(const struct ps_snapshot *s, uint32_t offset)
{
	return (const char *)s + s->section[PS_SEC_STRING].offset + offset;
}

/*
 * Checks header, directory, every index, range and enumeration of a snapshot of
 * mapped_size bytes. blob[i]/blob_size[i] are the mapped blobs in the order of the BLOB section
 * (blobs: how many). Blob contents are checked with ps_blob_validate() once,
 * when mapped; here only that tables lie inside them.
 *
 * Returns 0, or -EINVAL / -EPROTO (other ABI) / -EFBIG, and writes a reason
 * ("service 12: table 7 beyond 5") into why. Pure: no allocation, no side effect.
 * Implemented in dataplane/api/validate.c, linked into both processes.
 */
int ps_snapshot_validate(const void *snapshot, uint64_t mapped_size,
			 const void *const *blob, const uint64_t *blob_size, uint32_t blobs,
			 char *why, size_t why_size);

/* Header and digest of a blob. Table entries are checked by ps_table_validate. */
int ps_blob_validate(const void *blob, uint64_t mapped_size, char *why, size_t why_size);

#endif
