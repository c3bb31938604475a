/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "perf/loadgen/port.h"

#define MAX_ARGS 48
#define MBUF_CACHE 512

struct arguments {
	int count;
	char *list[MAX_ARGS + 1];
	bool overflow;
};

__attribute__((format(printf, 2, 3))) static void
add(struct arguments *a, const char *format, ...)
{
	va_list args;

	if (a->count == MAX_ARGS) {
		a->overflow = true;
		return;
	}
	va_start(args, format);
	if (vasprintf(&a->list[a->count], format, args) < 0)
		a->overflow = true;
	else
		a->count++;
	va_end(args);
}

static void
add_words(struct arguments *a, const char *words)
{
	size_t length;

	for (words += strspn(words, " "); *words != '\0'; words += length + strspn(words + length, " ")) {
		length = strcspn(words, " ");
		add(a, "%.*s", (int)length, words);
	}
}

static int
first_cpu(void)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				return cpu;
	return 0;
}

/* "memif:SOCKET[,OPTION...]" spares users the driver's spelling; everything else is a device as EAL names them. */
static void
add_port(struct arguments *a, uint32_t index, const char *device)
{
	const char *comma;

	if (strncmp(device, "memif:", 6) == 0) {
		device += 6;
		comma = strchrnul(device, ',');
		add(a, "--vdev=net_memif%u,socket=%.*s,socket-abstract=no,%s%s", index, (int)(comma - device), device,
			strstr(comma, "role=") == NULL ? "role=client" : "",
			strstr(comma, "role=") == NULL ? comma : comma + 1);
	} else if (strncmp(device, "net_", 4) == 0 || strncmp(device, "eth_", 4) == 0) {
		add(a, "--vdev=%s", device);
	} else {
		add(a, "--allow=%s", device);
	}
}

static bool
needs_pci(const struct ps_config *c)
{
	uint32_t i;

	for (i = 0; i < c->ports; i++)
		if (strncmp(c->port[i], "memif:", 6) != 0 && strncmp(c->port[i], "net_", 4) != 0 &&
			strncmp(c->port[i], "eth_", 4) != 0)
			return true;
	return false;
}

int
ps_eal_start(const struct ps_config *c, const char *program)
{
	struct arguments a = {0};
	uint32_t i;

	add(&a, "%s", program);
	add(&a, "--lcores=0@%d", c->core >= 0 ? c->core : first_cpu());
	add(&a, "--file-prefix=%s", c->file_prefix);
	add(&a, "--log-level=lib.eal:4");
	add(&a, "--no-telemetry");
	add(&a, "-m%u", c->memory_mb);
	if (!needs_pci(c))
		add(&a, "--no-pci");
	if (c->no_huge) {
		add(&a, "--no-huge");
	} else {
		add(&a, "--single-file-segments"); /* zero-copy memif hands its memory over by descriptor */
		if (c->huge_dir != NULL)
			add(&a, "--huge-dir=%s", c->huge_dir);
	}
	for (i = 0; i < c->ports; i++)
		add_port(&a, i, c->port[i]);
	if (c->eal != NULL)
		add_words(&a, c->eal);
	if (a.overflow) {
		fprintf(stderr, "penstock-loadgen: too many EAL options, at most %d\n", MAX_ARGS);
		return -E2BIG;
	}
	/* EAL keeps pointers into the list: it lives as long as the program */
	if (rte_eal_init(a.count, a.list) < 0) {
		fprintf(stderr, "penstock-loadgen: EAL did not start: %s\n", rte_strerror(rte_errno));
		return -rte_errno;
	}
	return 0;
}

static int
start_port(const struct ps_config *c, struct ps_txport *p, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	uint16_t rx = (uint16_t)c->descriptors, tx = (uint16_t)c->descriptors;
	int rc;

	rc = rte_eth_dev_info_get(p->id, &info);
	if (rc < 0)
		return rc;
	if ((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) != 0)
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	rc = rte_eth_dev_configure(p->id, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(p->id, 0, rx, rte_eth_dev_socket_id(p->id), NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(p->id, 0, tx, rte_eth_dev_socket_id(p->id), NULL);
	if (rc == 0)
		rc = rte_eth_macaddr_get(p->id, &mac);
	if (rc < 0)
		return rc;
	memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	rc = rte_eth_dev_start(p->id);
	if (rc == 0)
		rte_eth_promiscuous_enable(p->id); /* memif and taps need none and may refuse */
	return rc;
}

static int
wait_for_link(struct ps_txport *p, double wait_s, volatile bool *stop)
{
	struct rte_eth_link link = {0};
	int tries = (int)(wait_s / 0.01);

	for (; tries >= 0 && !*stop; tries--) {
		if (rte_eth_link_get_nowait(p->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
			return 0;
		usleep(10000);
	}
	return *stop ? -EINTR : -ETIMEDOUT;
}

int
ps_ports_start(const struct ps_config *c, struct ps_txport *port, struct rte_mempool **pool, double wait_s,
	       volatile bool *stop)
{
	uint32_t mbufs = c->ports * (2 * c->descriptors + PS_TXQ_SLOTS) + 2 * MBUF_CACHE, i, largest = 0;
	uint16_t room;
	int rc;

	if (rte_eth_dev_count_avail() < c->ports) {
		fprintf(stderr, "penstock-loadgen: %u port(s) asked for, %u found\n", c->ports, rte_eth_dev_count_avail());
		return -ENODEV;
	}
	for (i = 0; i < c->sizes.sizes; i++)
		largest = RTE_MAX(largest, c->sizes.size[i]);
	room = (uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_MAX(RTE_ALIGN_CEIL(largest + 128u, 64u), 2048u));
	*pool = rte_pktmbuf_pool_create("loadgen", mbufs - 1, MBUF_CACHE, 0, room, SOCKET_ID_ANY);
	if (*pool == NULL) {
		fprintf(stderr, "penstock-loadgen: no memory for %u packet buffers: %s\n", mbufs, rte_strerror(rte_errno));
		return -rte_errno;
	}
	for (i = 0; i < c->ports; i++) {
		port[i].id = (uint16_t)i;
		port[i].vlan = c->vlan[i];
		rc = start_port(c, &port[i], *pool);
		if (rc < 0) {
			fprintf(stderr, "penstock-loadgen: port %s: %s\n", c->port[i], rte_strerror(-rc));
			return rc;
		}
	}
	for (i = 0; i < c->ports; i++) {
		rc = wait_for_link(&port[i], wait_s, stop);
		if (rc < 0) {
			fprintf(stderr, "penstock-loadgen: port %s: no link within %.0f s\n", c->port[i], wait_s);
			return rc;
		}
	}
	return 0;
}

void
ps_ports_stop(const struct ps_config *c, struct ps_txport *port)
{
	uint32_t i;

	for (i = 0; i < c->ports; i++) {
		rte_pktmbuf_free_bulk(port[i].queue + port[i].head, ps_txq_waiting(&port[i]));
		port[i].head = port[i].tail = 0;
		rte_eth_dev_stop(port[i].id);
		rte_eth_dev_close(port[i].id);
	}
	rte_eal_cleanup();
}

double
ps_port_line_rate(const struct ps_config *c, const struct ps_txport *port)
{
	struct rte_eth_link link = {0};

	if (c->line_rate > 0)
		return c->line_rate;
	if (rte_eth_link_get_nowait(port->id, &link) < 0 || link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ||
		link.link_speed == 0)
		return 10e9;
	return link.link_speed * 1e6;
}

void
ps_txq_make_room(struct ps_txport *p)
{
	memmove(p->queue, p->queue + p->head, ps_txq_waiting(p) * sizeof(p->queue[0]));
	p->tail -= p->head;
	p->head = 0;
}
