/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The housekeeping core's half of networking: neighbours (ARP, RFC 826; ND, RFC 4861), the
 * addresses we answer for, announcements, and the FIB and local set that views share.
 *
 * A pure core: it knows no mbuf, no EAL and no clock. Time comes in as milliseconds of a
 * monotonic clock, frames as bytes, packets that wait for a neighbour as opaque
 * pointers; everything that goes out leaves through struct ps_net_ops. net_main.h is the
 * adapter that ties it to rings and buffers.
 *
 * Thread: main only. Workers see the adjacency table, the FIB and the local set.
 *
 * Order of calls for a new configuration:
 *   ps_net_view(net, view)          fills view->fib, local, route_generation (shared when unchanged)
 *   ... view becomes the one that every worker uses ...
 *   ps_net_view_live(net, view)     from now on its addresses are answered for and announced
 *   ps_net_view_release(net, old)   when the old one is freed, or when one built was never used
 */
#ifndef PS_NET_NET_H
#define PS_NET_NET_H

#include "dataplane/api/counters.h"
#include "dataplane/net/adjacency.h"
#include "dataplane/pipeline/view.h"

struct ps_net;

struct ps_net_ops {
	void *arg;
	/* Sends a complete Ethernet frame out of an interface; frame is copied. 0 or -errno. */
	int (*send_frame)(void *arg, uint32_t iface, const void *frame, uint32_t size);
	/* Sends a packet that begins with its IP header, routed by a worker; copied. 0 or -errno. */
	int (*send_ip)(void *arg, const void *packet, uint32_t size);
	/* A packet given to ps_net_resolve goes back to a worker: adjacency is RESOLVED, or FAILED (then it is
	 * answered there). */
	void (*forward)(void *arg, void *packet, uint16_t adjacency);
	/* A packet given to ps_net_resolve ends here. */
	void (*drop)(void *arg, void *packet, enum ps_exit why);
};

struct ps_net_port {
	uint8_t mac[6];
};

struct ps_net_config {
	struct ps_net_ops ops;
	struct ps_adjacency *adjacency; /* table, zeroed; shared with workers */
	uint32_t adjacencies;           /* entries, at most PS_MAX_ADJACENCIES */
	uint32_t neighbours;            /* most neighbours at once */
	uint32_t routes;                /* most FIB entries per family */
	uint32_t ports;
	const struct ps_net_port *port; /* copied */
	uint32_t random;                /* seed for jitter */
};

struct ps_net_stats {
	uint64_t arp_requests_in, arp_replies_in, arp_requests_out, arp_replies_out;
	uint64_t ns_in, na_in, ns_out, na_out;
	uint64_t announcements;
	uint64_t conflicts;        /* somebody else claims one of our addresses */
	uint64_t malformed;        /* ARP or ND that its RFC says to discard */
	uint64_t neighbours_created, neighbours_failed, neighbours_aged;
	uint64_t table_full;
	uint64_t held, held_dropped;
};

int ps_net_new(struct ps_net **net, const struct ps_net_config *config);
void ps_net_free(struct ps_net *net);

/*
 * Fills view->fib, view->local and view->route_generation from view->snapshot (validated). Shares those of the
 * last view when the sections they come from are equal. 0; -ENOSPC (more routes or next hops than configured),
 * -ENETUNREACH (a route's next hop is on no connected prefix), -ENOMEM; why says which.
 */
int ps_net_view(struct ps_net *net, struct ps_view *view, char *why, size_t why_size);
void ps_net_view_live(struct ps_net *net, const struct ps_view *view, uint64_t now_ms);
void ps_net_view_release(struct ps_net *net, struct ps_view *view);

/*
 * Adjacencies that were given back may be used again only when no flow remembers them, that is after the
 * route generation has advanced. True: please build and swap in a view of the running snapshot again.
 */
bool ps_net_wants_view(const struct ps_net *net);

/* An ARP or ND frame that arrived on an interface: Ethernet header, tag still in place. */
void ps_net_input(struct ps_net *net, uint32_t iface, const void *frame, uint32_t size, uint64_t now_ms);

/*
 * A packet that waits for its next hop. adjacency: where it was going (GLEAN, INCOMPLETE, FREE, ...); dst: its
 * destination. The packet is owned by net until forward or drop is called for it, which may be at once.
 */
void ps_net_resolve(struct ps_net *net, void *packet, uint16_t adjacency, const struct ps_addr *dst,
		    uint64_t now_ms);

/* Starts resolving dst when nothing is known of it, without a packet. Returns its adjacency, 0: no route or no room. */
uint16_t ps_net_lookup(struct ps_net *net, const struct ps_addr *dst, uint64_t now_ms);

/* Timers: call at least every 100 ms. */
void ps_net_tick(struct ps_net *net, uint64_t now_ms);

/* Announce every address of ours again: at PS_CMD_ANNOUNCE; link changes do it by themselves. */
void ps_net_announce(struct ps_net *net, uint64_t now_ms);
void ps_net_link(struct ps_net *net, uint32_t port, bool up, uint64_t now_ms);

/* An address of the interface to send from, of dst's family, preferably with dst in its prefix. False: none. */
bool ps_net_source(const struct ps_net *net, uint32_t iface, const struct ps_addr *dst, struct ps_addr *source);

/* Writes up to room rows, returns how many. */
uint32_t ps_net_neighbours(const struct ps_net *net, struct ps_neighbour_status *out, uint32_t room,
			   uint64_t now_ms);
const struct ps_net_stats *ps_net_stats(const struct ps_net *net);

#endif
