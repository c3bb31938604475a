/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the housekeeping core's networking; nobody else includes it. */
#ifndef PS_NET_NET_INTERNAL_H
#define PS_NET_NET_INTERNAL_H

#include "dataplane/net/fib_build.h"
#include "dataplane/net/local_build.h"
#include "dataplane/net/net.h"

#define PS_HELD_MAX 4u               /* packets per neighbour */
#define PS_SOLICITATIONS 3u          /* RFC 4861 10: MAX_UNICAST_SOLICIT, MAX_MULTICAST_SOLICIT */
#define PS_RETRANS_MS 1000u          /* RFC 4861 10: RETRANS_TIMER */
#define PS_REACHABLE_MS 30000u       /* RFC 4861 10: REACHABLE_TIME, jittered by half */
#define PS_FAILED_MS 3000u           /* no new attempt before */
#define PS_UNUSED_MS 600000u         /* a neighbour nobody used is forgotten */
#define PS_TICK_MS 100u
#define PS_ANNOUNCE_TIMES 3u
#define PS_ANNOUNCE_GAP_MS 1000u
#define PS_ANNOUNCE_PER_TICK 512u
#define PS_DEFEND_MS 10000u          /* RFC 5227 1.1: DEFEND_INTERVAL */
#define PS_FRAME_MAX 128u

enum neighbour_state {
	NB_FREE,
	NB_GLEAN,     /* the adjacency of an interface's prefixes */
	NB_IDLE,      /* known by name only; the first packet starts asking */
	NB_ASKING,
	NB_REACHABLE,
	NB_STALE,
	NB_CONFIRMING, /* still used with its old MAC while asked again */
	NB_FAILED,
	NB_RESTING,   /* given back; waits for the next route generation */
};

/* Parallel to the adjacency table. Key (port, vlan, next hop) is the adjacency's. */
struct neighbour {
	uint8_t state; /* enum neighbour_state */
	uint8_t asked; /* requests without answer */
	uint8_t held;
	uint8_t mac[6];
	uint16_t pins; /* FIBs that route through it */
	uint32_t iface;
	uint32_t next;  /* resting list */
	uint8_t rest_generation;
	uint64_t due_ms;
	uint64_t confirmed_ms;
	uint64_t used_ms;
	void *packet[PS_HELD_MAX];
};

/* An address that we answer for. */
struct owned {
	struct ps_addr addr;
	uint32_t iface; /* PS_NONE: VIP or SNAT address, on interfaces whose prefix holds it, else on all */
	uint8_t left;   /* announcements to go */
	bool dad;       /* ask first whether somebody else has it */
	uint64_t due_ms;
	uint64_t defended_ms;
};

struct net_iface {
	uint16_t port, vlan, mtu;
	uint16_t glean;
	struct ps_addr link_local;
};

/* What follows from the routes and addresses of one or more snapshots. */
struct routes {
	uint32_t references;
	uint8_t generation;
	struct ps_fib *fib;
	uint32_t pinned_length;
	uint16_t *pinned; /* adjacencies of next hops */
	uint64_t digest;
};

struct locals {
	uint32_t references;
	struct ps_local_set *set;
	uint64_t digest;
};

struct ps_net {
	struct ps_net_ops ops;
	struct ps_adjacency *adjacency;
	struct neighbour *neighbour;
	struct ps_hosts *hosts;
	uint32_t adjacencies;   /* indices below this may be used */
	uint32_t first_unused;  /* never used so far */
	uint32_t resting_first, resting_last, resting;
	uint32_t neighbours, neighbours_max;
	uint32_t failed;        /* neighbours IDLE or FAILED and not pinned: room to be had */
	uint32_t routes_max;
	uint32_t ports;
	struct ps_net_port port[PS_MAX_PORTS];
	uint32_t random;
	bool force_routes;      /* the next view gets a new route generation */
	uint8_t last_generation;

	/* shared by views; the newest built */
	struct routes *routes;
	struct locals *locals;

	/* of the live view */
	struct routes *live_routes;
	struct locals *live_locals;
	uint32_t ifaces;
	struct net_iface iface[PS_MAX_IFACES];
	uint32_t addresses;
	struct ps_address *address;
	uint32_t owneds;
	struct owned *owned;
	uint32_t announce_at;   /* where the last tick stopped */
	uint64_t tick_ms;
	struct ps_net_stats stats;
};

/* neighbour.c */
uint16_t ps_neighbour_find(const struct ps_net *net, uint16_t port, uint16_t vlan, const struct ps_addr *addr);
/* Finds or makes. 0: table full. */
uint16_t ps_neighbour_get(struct ps_net *net, uint32_t iface, const struct net_iface *link,
			  const struct ps_addr *addr);
uint16_t ps_neighbour_glean(struct ps_net *net, uint32_t iface, const struct net_iface *link);
void ps_neighbour_give_back(struct ps_net *net, uint16_t index, enum ps_exit why);
void ps_neighbour_ask(struct ps_net *net, uint16_t index, uint64_t now_ms);
/* Evidence of a neighbour's MAC. confirmed: it answered us, or ARP told; otherwise only what it is called. */
void ps_neighbour_learn(struct ps_net *net, uint16_t index, const uint8_t mac[6], bool confirmed, uint64_t now_ms);
void ps_neighbour_pin(struct ps_net *net, uint16_t index);
void ps_neighbour_unpin(struct ps_net *net, uint16_t index);
void ps_neighbours_tick(struct ps_net *net, uint64_t now_ms);
void ps_neighbours_rest_over(struct ps_net *net);
uint32_t ps_net_random(struct ps_net *net);

/* announce.c */
int ps_announce_load(struct ps_net *net, const struct ps_snapshot *s, uint64_t now_ms);
void ps_announce_tick(struct ps_net *net, uint64_t now_ms);
/* Is the address ours on this interface: are requests for it answered, and is its use by another a conflict? */
bool ps_net_answers(const struct ps_net *net, uint32_t iface, const struct ps_addr *addr);
/* Another station uses an address of ours. */
void ps_net_conflict(struct ps_net *net, uint32_t iface, const struct ps_addr *addr, uint64_t now_ms);
bool ps_prefix_holds(const struct ps_address *a, const struct ps_addr *addr);

/* arp.c, nd.c. mac NULL: broadcast, or the solicited-node group */
void ps_arp_input(struct ps_net *net, uint32_t iface, const uint8_t *arp, uint32_t size, uint64_t now_ms);
void ps_arp_request(struct ps_net *net, uint32_t iface, const struct ps_addr *target, const uint8_t *mac);
void ps_arp_announce(struct ps_net *net, uint32_t iface, const struct ps_addr *addr);
void ps_nd_input(struct ps_net *net, uint32_t iface, const uint8_t *l2_source, const uint8_t *ip, uint32_t size,
		 uint64_t now_ms);
void ps_nd_solicit(struct ps_net *net, uint32_t iface, const struct ps_addr *target, const uint8_t *mac);
void ps_nd_detect(struct ps_net *net, uint32_t iface, const struct ps_addr *addr);
void ps_nd_announce(struct ps_net *net, uint32_t iface, const struct ps_addr *addr);

/* Ethernet header with the interface's tag; returns its size. */
uint32_t ps_frame_header(const struct ps_net *net, uint32_t iface, uint8_t *frame, const uint8_t *dst,
			 uint16_t ethertype);
struct ps_addr ps_link_local(const uint8_t mac[6]);

#endif
