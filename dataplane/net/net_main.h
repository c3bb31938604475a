/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ties the pure parts of housekeeping (net.h, probe.h) to buffers and rings: what the main loop calls.
 *
 *   at start     ps_net_main_new
 *   new view     ps_net_view, swap, ps_net_main_live
 *   each loop    ps_net_main_poll: takes what workers sent to main, runs timers and probes; at least every 10 ms
 *   link change  ps_net_link(ps_net_main_net(main), ...)
 *
 * Packets leave through worker 0's from_main ring and enter its graph at ip_output:
 *   meta.adjacency == PS_ADJACENCY_FRAME   a complete frame, sent on the port of meta.iface as it is
 *   meta.adjacency == 0                    routed by destination
 *   else                                   sent to that adjacency
 */
#ifndef PS_NET_NET_MAIN_H
#define PS_NET_NET_MAIN_H

#include "dataplane/net/net.h"
#include "dataplane/net/probe.h"
#include "dataplane/pipeline/worker.h"

struct ps_net_main;

struct ps_net_main_config {
	struct ps_adjacency *adjacency; /* table of PS_MAX_ADJACENCIES, zeroed */
	uint32_t neighbours, routes;    /* from boot */
	uint32_t ports;
	const struct ps_net_port *port;
	struct rte_mempool *pool;
	struct rte_ring *to_main;       /* consumed here */
	struct rte_ring *from_main;     /* of worker 0; produced here */
	struct ps_worker_counters *counters; /* main's own page: packets that end here */
	const uint16_t *punt;           /* [ports] ethdev of the punt TAP, UINT16_MAX: none; main writes to its queue 0 */
	void *state;                    /* mapped state table; NULL: no probes */
	ps_probe_event_fn probe_event;  /* a verdict changed; may be NULL */
	void *probe_event_arg;
};

int ps_net_main_new(struct ps_net_main **main, const struct ps_net_main_config *config);
void ps_net_main_free(struct ps_net_main *main);
struct ps_net *ps_net_main_net(struct ps_net_main *main);

/* The view is in use on every worker: addresses and probes follow it. The view must stay until the next call. */
void ps_net_main_live(struct ps_net_main *main, const struct ps_view *view);

/* Packets from workers (at most 256 per call), timers, probes. Returns how many packets were taken. */
uint32_t ps_net_main_poll(struct ps_net_main *main);

/* CLOCK_MONOTONIC in ms, the clock of everything above. */
uint64_t ps_net_now_ms(void);

#endif
