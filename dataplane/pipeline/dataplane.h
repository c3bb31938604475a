/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane process: what main owns and hands to workers. One instance, `ps_dataplane`, filled
 * before workers start. Fields are main's own unless a comment says otherwise.
 */
#ifndef PS_PIPELINE_DATAPLANE_H
#define PS_PIPELINE_DATAPLANE_H

#include <rte_rcu_qsbr.h>

#include "dataplane/pipeline/worker.h"
#include "drivers/port/port.h"

struct ps_net_main;       /* dataplane/net/net_main.h */
struct ps_flows;          /* dataplane/flow/flow.h */
struct ps_blobs;          /* dataplane/pipeline/blobs.h */

struct ps_dataplane_port {
	struct ps_port_device device;
	bool spread; /* fewer rx queues than workers: packets go through ps_owner() */
	/* tx queue q is shared: workers without a queue of their own put packets here, worker q sends them */
	struct rte_ring *share[PS_MAX_WORKERS];
};

struct ps_dataplane {
	const char *runtime_dir, *state_dir;
	/* Of the snapshot that the process started with. */
	struct ps_boot boot;
	uint64_t boot_digest;
	uint64_t boot_ports; /* digest of port names, kinds and devices: a view with other ports cannot be used */
	char instance[64];
	char node_name[256];

	uint32_t ports;
	struct ps_dataplane_port port[PS_MAX_PORTS];
	uint16_t workers;
	struct ps_worker *worker[PS_MAX_WORKERS];
	struct rte_mempool *pool;
	struct rte_ring *to_main;
	struct rte_ring *from_main;
	struct ps_adjacency *adjacency;
	struct ps_net_main *net;
	struct ps_flows *flows;
	bool hugepages;

	struct ps_counters *counters;
	struct ps_worker_counters *main_counters; /* private: exits of packets that main drops */
	struct ps_blobs *blobs;

	/* main: writes (release); workers: read (acquire) at the top of each loop */
	_Atomic(const struct ps_view *) view;
	struct rte_rcu_qsbr *qsbr; /* thread id: worker index */
	/* main: sets; workers: read */
	_Atomic bool stop;
	_Atomic uint8_t tracing;
};

extern struct ps_dataplane ps_dataplane;

/* A line to stderr (the journal), prefixed by its level for systemd. */
void ps_log(enum ps_say_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- graph.c ---- */

/*
 * Clones nodes per port and queue, appends transmit edges, and creates one graph per worker. After ports are
 * started, before workers are. 0 or -errno with a reason in why.
 */
int ps_graph_build(char *why, size_t why_size);
/* Names and edges of worker 0's graph into the counters' header. */
void ps_graph_describe(struct ps_counters *c);
/* Refreshes a worker's node counters. Reads fields that the worker writes: each is one aligned word. */
void ps_graph_count(const struct ps_worker *w, const struct ps_counters *c);

/* ---- loop.c ---- */

/* A worker's life; arg is its struct ps_worker. Returns after ps_dataplane.stop. */
int ps_worker_run(void *arg);

#endif
