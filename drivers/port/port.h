/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port drivers: from what the configuration says about a port to a started ethdev, for every
 * family behind one table (family.h, one file per family).
 *
 * Thread: main only, before workers poll (start), while they poll (status, link), after
 * they stopped (stop). Workers use only port_id, their queues and the flags copied for them.
 *
 * Nothing is adjusted silently: fewer queues, other descriptor counts, a smaller MTU, a foreign
 * NUMA node are told through `say` and visible in the port's status.
 */
#ifndef PS_DRIVERS_PORT_H
#define PS_DRIVERS_PORT_H

#include "dataplane/api/counters.h"
#include "dataplane/api/snapshot.h"

struct rte_mempool;

#define PS_PORT_DEVARGS_SIZE 1024u
#define PS_PORT_RSS_KEY_MAX 64u
#define PS_PORT_RETA_MAX 1024u
#define PS_PORT_ID_NONE UINT16_MAX

enum ps_say_level { PS_SAY_INFO, PS_SAY_WARNING, PS_SAY_ERROR };

/* One line for the operator, without newline. */
typedef void (*ps_say_fn)(void *arg, enum ps_say_level level, const char *text);

/* A PORT item with its strings resolved. Borrowed; must outlive ps_port_start only. */
struct ps_port_spec {
	uint32_t index;      /* into PORT */
	enum ps_port_kind kind;
	const char *name, *device, *output, *options;
	uint16_t queues;     /* 0: one per worker where the device can */
	uint32_t flags;      /* PS_PORT_F_ */
	uint32_t mtu;        /* bytes of L3 packet */
	uint32_t memif_id;
	uint8_t mac[6];      /* all zero: the device's own */
};

/* What the process offers to each port. */
struct ps_port_config {
	uint16_t workers;          /* tx queues: one per worker, so that none is shared */
	uint16_t rx_descriptors, tx_descriptors; /* per queue; adjusted to the device's limits */
	uint16_t mbuf_size;        /* bytes of data room without headroom */
	bool hugepages;            /* packet buffers live in hugepages */
	struct rte_mempool *pool;
	const int *worker_numa;    /* [workers], -1 unknown; NULL: not compared */
	ps_say_fn say;             /* may be NULL */
	void *say_arg;
};

/* A started port. */
struct ps_port_device {
	uint16_t port_id;          /* ethdev; PS_PORT_ID_NONE: not started */
	uint16_t punt_id;          /* ethdev of the punt TAP; PS_PORT_ID_NONE: none. One queue each way */
	uint16_t rx_queues;        /* what the device gave */
	uint16_t tx_queues;        /* always the number of workers, or less: see tx_shared */
	bool tx_shared;            /* fewer tx queues than workers: they must take a lock or use a ring */
	bool distrusts_checksum;   /* L4 checksums of received packets may be partial: recompute in full when rewriting */
	bool tx_checksum;          /* device fills in IPv4, TCP and UDP checksums when asked */
	bool chains;               /* device sends chained buffers */
	uint8_t mac[6];
	uint16_t mtu;              /* of the device, at most the configured one */
	int numa;
	uint64_t rx_offloads, tx_offloads;
	uint32_t flags;            /* PS_PORT_CAN_ and PS_PORT_DISTRUSTS_CHECKSUM */
	char device_name[64];      /* ethdev name */
	char punt_name[64];
	/* RSS as the device runs it; rss_key_size 0: not known, replies cannot be predicted */
	uint8_t rss_key_size;
	uint8_t rss_key[PS_PORT_RSS_KEY_MAX];
	uint64_t rss_types;        /* RTE_ETH_RSS_ in force */
	uint16_t reta_size;
	uint16_t reta[PS_PORT_RETA_MAX];
	enum ps_port_kind kind;
	bool plugged, punt_plugged;
	char driver[32];
	char name[32];
	char device[64];
};

void ps_port_spec_read(struct ps_port_spec *spec, const struct ps_snapshot *s, uint32_t index);

/*
 * ethdev name and devargs of a port: "net_memif3" and "role=server,id=0,...". Pure. name is unique per index
 * and the same in every life of the process. qpairs: queues that the family has to be told about in
 * advance. Returns 0, -EINVAL (device missing or unusable characters), -ENOTSUP (a flag that the family cannot
 * serve), -ENAMETOOLONG, with a reason in why.
 */
int ps_port_devargs(const struct ps_port_spec *spec, const struct ps_port_config *config,
		    char *name, size_t name_size, char *args, size_t args_size, char *why, size_t why_size);

/* The mbuf_size that a port of this kind needs for its MTU to fit one buffer; 0: it takes as many as it needs. Pure. */
uint32_t ps_port_buffer_size(enum ps_port_kind kind, uint32_t mtu);

/*
 * Plugs the device in, configures it, starts it. On error nothing stays behind. Returns 0 or -errno with a
 * reason in why.
 */
int ps_port_start(struct ps_port_device *dev, const struct ps_port_spec *spec, const struct ps_port_config *config,
		  char *why, size_t why_size);

/* Stops and unplugs. Takes a device that was never started, too. */
void ps_port_stop(struct ps_port_device *dev);

/* Fills the port's row in the counters: description, link state, statistics. */
void ps_port_status(const struct ps_port_device *dev, struct ps_port_status *status);

/* Link state alone; cheap enough for every tick. */
bool ps_port_link_up(const struct ps_port_device *dev);

/*
 * The rx queue that a packet with these fields arrives on, by the device's key and table. IPv4: addresses are 4
 * bytes, IPv6: 16. All in network order. l4: ports are part of the hash input. -1: not predictable.
 */
int ps_port_rx_queue(const struct ps_port_device *dev, bool v6, const void *src, const void *dst,
		     uint16_t src_port, uint16_t dst_port, uint8_t proto);

/* The key that every RSS device gets: Toeplitz over it is symmetric, both directions of a flow hash alike. */
extern const uint8_t ps_port_rss_key[PS_PORT_RSS_KEY_MAX];

/* "pci", "af_xdp", ...; NULL: no such kind. */
const char *ps_port_kind_name(enum ps_port_kind kind);

#endif
