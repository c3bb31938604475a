/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "dataplane/api/boot_id.h"
#include "dataplane/boot/cpus.h"
#include "dataplane/boot/eal.h"
#include "dataplane/boot/process.h"
#include "dataplane/flow/flow.h"
#include "dataplane/net/net_main.h"
#include "dataplane/net/stages.h"
#include "dataplane/pipeline/counters_file.h"
#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/state_map.h"
#include "dataplane/pipeline/trace.h"

#define POOL_CACHE 512u
#define TO_MAIN_ENTRIES 4096u
#define FROM_MAIN_ENTRIES 1024u
#define MAX_BURST 128u
#define MIN_BURST 4u

struct ps_dataplane ps_dataplane = {.workers = 0};

static struct ps_sizes sizes;
static struct ps_cpus cpus;
static struct ps_state_table *first_state;
static bool eal_started;
static bool launched;

static uint64_t
random64(void)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = ps_digest(&(struct timespec){.tv_nsec = getpid()}, sizeof(struct timespec), (uint64_t)time(NULL));
	return v;
}

static void
say_port(void *arg, enum ps_say_level level, const char *text)
{
	ps_log(level, "%s", text);
}

static int
start_ports(const struct ps_snapshot *s, char *why, size_t why_size)
{
	int numa[PS_MAX_WORKERS];
	struct ps_port_config config = {
		.workers = ps_dataplane.workers,
		.rx_descriptors = (uint16_t)sizes.rx_descriptors,
		.tx_descriptors = (uint16_t)sizes.tx_descriptors,
		.mbuf_size = (uint16_t)sizes.mbuf_size,
		.hugepages = ps_dataplane.hugepages,
		.pool = ps_dataplane.pool,
		.worker_numa = numa,
		.say = say_port,
	};
	struct ps_port_spec spec;
	int rc;

	for (uint32_t w = 0; w < ps_dataplane.workers; w++)
		numa[w] = (int)rte_lcore_to_socket_id(w + 1);
	for (uint32_t p = 0; p < ps_snapshot_length(s, PS_SEC_PORT); p++) {
		struct ps_dataplane_port *port = &ps_dataplane.port[p];

		ps_port_spec_read(&spec, s, p);
		rc = ps_port_start(&port->device, &spec, &config, why, why_size);
		if (rc != 0)
			return rc;
		ps_dataplane.ports = p + 1;
		port->spread = port->device.rx_queues < ps_dataplane.workers;
	}
	return 0;
}

static struct rte_ring *
make_ring(const char *name, uint32_t entries, uint32_t flags)
{
	return rte_ring_create(name, rte_align32pow2(entries), SOCKET_ID_ANY, flags);
}

static int
make_shared_queues(void)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		struct ps_dataplane_port *port = &ps_dataplane.port[p];

		if (port->device.tx_queues >= ps_dataplane.workers)
			continue;
		for (uint32_t q = 0; q < port->device.tx_queues; q++) {
			snprintf(name, sizeof(name), "tx-%u-%u", p, q);
			port->share[q] = make_ring(name, sizes.tx_descriptors, RING_F_SC_DEQ);
			if (port->share[q] == NULL)
				return -ENOMEM;
		}
	}
	return 0;
}

/*
 * Whoever has a CPU to himself and serves hardware polls without rest: waking up would cost latency. Software ports
 * cost a system call or a cache miss per empty poll, and their peers may want the CPU.
 */
static bool
polls_hard(uint32_t worker)
{
	const struct ps_boot *b = &ps_dataplane.boot;

	if (b->idle != PS_IDLE_AUTO)
		return b->idle == PS_IDLE_POLL;
	if (cpus.crowded || b->worker_cpu[worker] == PS_NONE || ps_dataplane.ports == 0)
		return false;
	for (uint32_t p = 0; p < ps_dataplane.ports; p++)
		if (ps_dataplane.port[p].device.kind != PS_PORT_PCI)
			return false;
	return true;
}

/* Source nodes that ps_graph_build will give the worker. */
static uint32_t
count_sources(uint32_t worker)
{
	uint32_t sources = 1; /* inbox */

	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		const struct ps_dataplane_port *port = &ps_dataplane.port[p];

		if (port->device.rx_queues > worker)
			sources += (port->device.rx_queues - worker - 1) / ps_dataplane.workers + 1;
		sources += port->share[worker] != NULL;
		sources += worker == 0 && port->device.punt_id != PS_PORT_ID_NONE;
	}
	return sources;
}

static int
make_worker(uint32_t index)
{
	struct ps_worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (w == NULL)
		return -ENOMEM;
	ps_dataplane.worker[index] = w;
	w->index = (uint16_t)index;
	w->workers = ps_dataplane.workers;
	w->ports = (uint16_t)ps_dataplane.ports;
	w->lcore = (uint16_t)(index + 1);
	w->pool = ps_dataplane.pool;
	w->adjacency = ps_dataplane.adjacency;
	w->to_main = ps_dataplane.to_main;
	w->random = (uint32_t)random64() | 1;
	w->polls_hard = polls_hard(index);
	w->rx_queue = ps_port_rx_queue;
	snprintf(name, sizeof(name), "from-main-%u", index);
	w->from_main = make_ring(name, FROM_MAIN_ENTRIES, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (w->from_main == NULL)
		return -ENOMEM;
	for (uint32_t p = 0; p < PS_MAX_PORTS; p++)
		w->punt_port[p] = PS_PORT_ID_NONE;
	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		const struct ps_dataplane_port *port = &ps_dataplane.port[p];

		w->port_distrusts_checksum[p] = port->device.distrusts_checksum;
		w->port_tx_checksum[p] = port->device.tx_checksum;
		w->port_spread[p] = port->spread;
		if (ps_dataplane.workers > 1 && !port->spread && port->device.rss_key_size != 0)
			w->rss_port[p] = &port->device;
		w->punt_port[p] = port->device.punt_id;
		memcpy(&w->port_mac[p], port->device.mac, 6);
	}
	/* All sources together must not exceed a stream in one walk. */
	w->burst = (uint16_t)(RTE_GRAPH_BURST_SIZE / count_sources(index));
	if (w->burst > MAX_BURST)
		w->burst = MAX_BURST;
	if (w->burst < MIN_BURST)
		w->burst = MIN_BURST;
	ps_counters_attach(ps_dataplane.counters, w);
	if (ps_trace_init(w) != 0)
		return -ENOMEM;
	return ps_fragment_init(w, ps_dataplane.boot.fragments);
}

static int
connect_workers(void)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t from = 0; from < ps_dataplane.workers; from++) {
		for (uint32_t to = 0; to < ps_dataplane.workers; to++) {
			struct rte_ring *ring;

			if (from == to)
				continue;
			snprintf(name, sizeof(name), "hand-%u-%u", from, to);
			ring = make_ring(name, sizes.ring, RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (ring == NULL)
				return -ENOMEM;
			ps_dataplane.worker[from]->handoff[to] = ring;
			ps_dataplane.worker[to]->inbox[from] = ring;
		}
	}
	return 0;
}

static void
health_event(void *arg, uint32_t slot, bool down, enum ps_health_reason reason)
{
	ps_main_loop_health(arg, slot, down, reason);
}

static int
start_net(const struct ps_snapshot *s, char *why, size_t why_size)
{
	struct ps_net_port port[PS_MAX_PORTS] = {0};
	uint16_t punt[PS_MAX_PORTS];
	struct ps_net_main_config config = {
		.adjacency = ps_dataplane.adjacency,
		.neighbours = ps_dataplane.boot.neighbours,
		.routes = ps_dataplane.boot.routes,
		.ports = ps_dataplane.ports,
		.port = port,
		.pool = ps_dataplane.pool,
		.to_main = ps_dataplane.to_main,
		.from_main = ps_dataplane.worker[0]->from_main,
		.probe_event = health_event,
	};
	int rc;

	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		memcpy(port[p].mac, ps_dataplane.port[p].device.mac, 6);
		punt[p] = ps_dataplane.port[p].device.punt_id;
	}
	config.punt = punt;
	first_state = ps_state_map_get(s, why, why_size);
	if (first_state == NULL)
		return -EOVERFLOW;
	ps_state_map_live(first_state);
	config.state = ps_state_map_main();
	config.counters = ps_dataplane.main_counters;
	rc = ps_net_main_new(&ps_dataplane.net, &config);
	if (rc != 0)
		snprintf(why, why_size, "neighbours and probes: %s", strerror(-rc));
	return rc;
}

static uint32_t
clock_ms(void)
{
	return (uint32_t)ps_net_now_ms();
}

static int
start_flows(const struct ps_snapshot *s, char *why, size_t why_size)
{
	const struct ps_boot *b = &ps_dataplane.boot;
	struct ps_flows_config config = {
		.runtime_dir = ps_dataplane.runtime_dir,
		.instance = ps_dataplane.instance,
		.hugepages = b->hugepages,
		.workers = b->workers,
		.flows_v4 = b->flows_v4,
		.flows_v6 = b->flows_v6,
		.snat_groups = b->snat_groups,
		.affinity = b->affinity,
		.endpoint_slots = b->endpoint_slots,
		.service_slots = b->service_slots,
		.tcp_syn_ms = b->tcp_syn_ms,
		.tcp_fin_ms = b->tcp_fin_ms,
		.tcp_closed_ms = b->tcp_closed_ms,
		.boot_id = ps_boot_id(),
		.now_ms = clock_ms(),
	};
	int rc = ps_flows_open(&ps_dataplane.flows, &config, s, why, why_size);

	for (uint32_t w = 0; rc == 0 && w < ps_dataplane.workers; w++)
		ps_flows_attach(ps_dataplane.flows, ps_dataplane.worker[w]);
	if (rc == 0 && ps_flows_restored(ps_dataplane.flows) != 0)
		ps_log(PS_SAY_INFO, "%llu flows taken over",
		       (unsigned long long)ps_flows_restored(ps_dataplane.flows));
	return rc;
}

static int
start_memory(char *why, size_t why_size)
{
	size_t size = rte_rcu_qsbr_get_memsize(ps_dataplane.workers);

	ps_dataplane.pool = rte_pktmbuf_pool_create("packets", sizes.mbufs, POOL_CACHE, 0,
						    (uint16_t)(sizes.mbuf_size + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
	if (ps_dataplane.pool == NULL) {
		snprintf(why, why_size, "no memory for %u packet buffers", sizes.mbufs);
		return -ENOMEM;
	}
	ps_dataplane.adjacency =
		rte_zmalloc("adjacency", PS_MAX_ADJACENCIES * sizeof(struct ps_adjacency), RTE_CACHE_LINE_SIZE);
	ps_dataplane.main_counters = rte_zmalloc("main", sizeof(struct ps_worker_counters), RTE_CACHE_LINE_SIZE);
	ps_dataplane.to_main = make_ring("to-main", TO_MAIN_ENTRIES, RING_F_SC_DEQ);
	ps_dataplane.qsbr = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (ps_dataplane.adjacency == NULL || ps_dataplane.to_main == NULL || ps_dataplane.qsbr == NULL ||
	    ps_dataplane.main_counters == NULL ||
	    rte_rcu_qsbr_init(ps_dataplane.qsbr, ps_dataplane.workers) != 0) {
		snprintf(why, why_size, "no memory for tables and rings");
		return -ENOMEM;
	}
	return 0;
}

static int
start_workers(char *why, size_t why_size)
{
	int rc = make_shared_queues();

	for (uint32_t w = 0; rc == 0 && w < ps_dataplane.workers; w++)
		rc = make_worker(w);
	if (rc == 0)
		rc = connect_workers();
	if (rc != 0)
		snprintf(why, why_size, "no memory for workers: %s", strerror(-rc));
	return rc;
}

int
ps_start(struct ps_loaded *loaded, char *why, size_t why_size)
{
	const struct ps_snapshot *s = loaded->snapshot;
	cpu_set_t allowed;
	int rc;

	ps_dataplane.boot = *(const struct ps_boot *)ps_snapshot_item(s, PS_SEC_BOOT, 0);
	ps_dataplane.boot_digest = s->boot_digest;
	ps_dataplane.boot_ports = ps_ports_digest(s);
	ps_dataplane.workers = (uint16_t)ps_dataplane.boot.workers;
	snprintf(ps_dataplane.instance, sizeof(ps_dataplane.instance), "%s",
		 ps_snapshot_string(s, ps_dataplane.boot.instance_name));
	snprintf(ps_dataplane.node_name, sizeof(ps_dataplane.node_name), "%s",
		 ps_snapshot_string(s, ps_dataplane.boot.node_name));
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
		rc = -errno;
		snprintf(why, why_size, "CPU affinity: %s", strerror(-rc));
		return rc;
	}
	rc = ps_cpus_choose(&cpus, &ps_dataplane.boot, &allowed, why, why_size);
	if (rc != 0)
		return rc;
	if (cpus.note[0] != '\0')
		ps_log(PS_SAY_WARNING, "%s", cpus.note);
	ps_sizes_compute(&sizes, s);
	rc = ps_eal_start(s, &sizes, cpus.lcores, &ps_dataplane.hugepages, why, why_size);
	if (rc != 0)
		return rc;
	eal_started = true;
	rc = start_memory(why, why_size);
	if (rc == 0)
		rc = start_ports(s, why, why_size);
	if (rc == 0)
		rc = ps_counters_make(&ps_dataplane.counters, why, why_size);
	if (rc == 0)
		rc = start_workers(why, why_size);
	if (rc == 0)
		rc = start_net(s, why, why_size);
	if (rc == 0)
		rc = start_flows(s, why, why_size);
	if (rc == 0)
		rc = ps_graph_build(why, why_size);
	if (rc != 0)
		return rc;
	ps_dataplane.counters->flows_hugepages = ps_flows_in_hugepages(ps_dataplane.flows);
	ps_graph_describe(ps_dataplane.counters);
	return 0;
}

int
ps_run(char *why, size_t why_size)
{
	int rc = ps_counters_publish(ps_dataplane.counters, why, why_size);

	for (uint32_t w = 0; rc == 0 && w < ps_dataplane.workers; w++) {
		rc = rte_eal_remote_launch(ps_worker_run, ps_dataplane.worker[w], w + 1);
		if (rc != 0)
			snprintf(why, why_size, "worker %u does not start: %s", w, strerror(-rc));
		else
			launched = true;
	}
	return rc;
}

void
ps_end(void)
{
	atomic_store_explicit(&ps_dataplane.stop, true, memory_order_relaxed);
	if (launched)
		rte_eal_mp_wait_lcore();
	for (uint32_t p = 0; p < ps_dataplane.ports; p++)
		ps_port_stop(&ps_dataplane.port[p].device);
	if (ps_dataplane.net != NULL)
		ps_apply_end();
	ps_net_main_free(ps_dataplane.net);
	ps_state_map_put(first_state);
	for (uint32_t w = 0; w < ps_dataplane.workers && ps_dataplane.worker[w] != NULL; w++) {
		ps_fragment_free(ps_dataplane.worker[w]);
		ps_trace_free(ps_dataplane.worker[w]);
	}
	if (ps_dataplane.flows != NULL)
		ps_flows_close(ps_dataplane.flows);
	ps_counters_close(ps_dataplane.counters);
	if (eal_started)
		rte_eal_cleanup();
}
