/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker calls of the net stages outside the graph.
 *
 * Conventions between the net stages and the others:
 *   edge to `handoff` from fragment: PS_META_F_FRAGMENT is set and meta.hash is the index of the worker where the
 *       datagram's fragments meet; there the packet enters at classify with PS_META_F_HANDED
 *   edge to `to_main` with meta.adjacency != 0: the packet waits for that adjacency; otherwise it is a frame
 *       or a probe's answer
 *   edge to `answer`: see net/icmp.h
 */
#ifndef PS_NET_STAGES_H
#define PS_NET_STAGES_H

#include "dataplane/pipeline/worker.h"

/* Main, before the worker runs. capacity: datagrams. 0 or -ENOMEM. Sets w->frag. */
int ps_fragment_init(struct ps_worker *w, uint32_t capacity);
void ps_fragment_free(struct ps_worker *w);

/* The worker, about every 100 ms: gives up old datagrams. */
void ps_fragment_tick(struct ps_worker *w);

#endif
