/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the families of ports have in common and where they differ. One file per family gives one
 * struct ps_port_family; port.c does the rest for all.
 */
#ifndef PS_DRIVERS_PORT_FAMILY_H
#define PS_DRIVERS_PORT_FAMILY_H

#include "drivers/port/port.h"

#define PS_QUIRK_DISTRUST 0x1u      /* peers deliver partial L4 checksums without saying so */
#define PS_QUIRK_OFFLOADS 0x2u      /* checksum offloads are real, not computed by the driver in software */
#define PS_QUIRK_RSS 0x4u           /* RSS offered by the device is worth configuring */
#define PS_QUIRK_QUEUE_PAIRS 0x8u   /* rx and tx queues must be equal in number, and all rx queues polled */
#define PS_QUIRK_KERNEL_IFACE 0x10u /* a kernel interface lies below: up, MTU, multicast are its own */
#define PS_QUIRK_OWN_MAC 0x20u      /* without a configured MAC: a stable one made from the port's identity */
#define PS_QUIRK_PEER_MAC 0x40u     /* the ethdev's MAC is that of the kernel's end; ours is another one */
#define PS_QUIRK_UNIX_SERVER 0x80u  /* listens on a Unix socket, whose file a killed process leaves behind */
#define PS_QUIRK_NO_MTU_SET 0x100u  /* the ethdev MTU is meaningless: neither configured nor set */
#define PS_QUIRK_FIXED_QUEUES 0x200u /* the device decides about the number of queues */

struct ps_port_args {
	char *text;
	size_t size, length;
	bool overflow;
};

/* Appends "key=value" with a comma where needed. */
void ps_port_arg(struct ps_port_args *args, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Is key among the user's own options, which come last and win? */
bool ps_port_option_given(const struct ps_port_spec *spec, const char *key);

struct ps_port_family {
	const char *kind;    /* as in the configuration */
	const char *prefix;  /* of the ethdev name; NULL: the device's own name (PCI) */
	const char *bus;     /* "vdev" or "pci" */
	uint32_t quirks;
	uint16_t max_queues; /* 0: whatever the device says */
	/* May be NULL. queues: rx queues that are wanted. */
	int (*devargs)(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
		       struct ps_port_args *args, char *why, size_t why_size);
	/* Largest MTU with these buffers; NULL: no limit of its own. */
	uint32_t (*max_mtu)(const struct ps_port_config *config);
	/* mbuf_size that the MTU needs; NULL: packets may take several buffers. */
	uint32_t (*buffer_size)(uint32_t mtu);
};

extern const struct ps_port_family ps_port_pci, ps_port_af_xdp, ps_port_af_packet, ps_port_tap, ps_port_memif,
	ps_port_virtio_user, ps_port_vhost, ps_port_null, ps_port_pcap;

/* NULL: no such kind. */
const struct ps_port_family *ps_port_family_of(enum ps_port_kind kind);

/* rx queues to ask for: as configured, else one per worker, within the family's limit. */
uint16_t ps_port_queues(const struct ps_port_spec *spec, const struct ps_port_config *config);

/* A locally administered MAC that is the same in every life of this port. which tells several of one port apart. */
void ps_port_stable_mac(const struct ps_port_spec *spec, uint32_t which, uint8_t mac[6]);

/* fanout.c: IPv4 fragments arrive as fragments through AF_PACKET. */
extern const bool ps_fanout_keeps_fragments;

/* Kernel interfaces (kernel.c). Return 0 or -errno. */
int ps_kernel_iface_up(const char *iface, bool *was_down);
int ps_kernel_iface_mtu(const char *iface, uint32_t *mtu);
int ps_kernel_iface_set_mtu(const char *iface, uint32_t mtu);
int ps_kernel_iface_flags_add(const char *iface, short flags);
/* Receive queues of the interface; 1 when it does not say. */
uint16_t ps_kernel_iface_queues(const char *iface);
/* Its peer is a kernel interface, which may hand over packets that no device has cut yet. */
bool ps_kernel_iface_is_veth(const char *iface);
/* Switches off what merges received packets into larger ones (GRO, LRO). changed: something was on. */
int ps_kernel_iface_no_merging(const char *iface, bool *changed);
/* Removes the socket file that a dead process left; a live listener is -EADDRINUSE. */
int ps_unix_socket_clear(const char *path);

#endif
