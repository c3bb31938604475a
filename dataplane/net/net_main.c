/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/net/net_main.h"

#define BURST 32u
#define BURSTS 8u
#define PROBE_TICK_US 5000u

struct ps_net_main {
	struct ps_net_main_config config;
	uint16_t punt[PS_MAX_PORTS];
	struct ps_net *net;
	struct ps_probes *probes;
	uint64_t probe_tick_us;
};

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
ps_net_now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static int
to_worker(struct ps_net_main *n, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(n->config.from_main, m) == 0)
		return 0;
	rte_pktmbuf_free(m);
	return -ENOBUFS;
}

static struct rte_mbuf *
copy_in(struct ps_net_main *n, const void *data, uint32_t size)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(n->config.pool);
	void *to;

	if (m == NULL)
		return NULL;
	to = rte_pktmbuf_append(m, (uint16_t)size);
	if (to == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(to, data, size);
	*ps_meta(m) = (struct ps_meta){.flags = PS_META_F_LOCAL};
	return m;
}

static int
send_frame(void *arg, uint32_t iface, const void *frame, uint32_t size)
{
	struct rte_mbuf *m = copy_in(arg, frame, size);

	if (m == NULL)
		return -ENOMEM;
	ps_meta(m)->iface = (uint16_t)iface;
	ps_meta(m)->adjacency = PS_ADJACENCY_FRAME;
	return to_worker(arg, m);
}

static int
send_ip(void *arg, const void *packet, uint32_t size)
{
	struct rte_mbuf *m = copy_in(arg, packet, size);

	if (m == NULL)
		return -ENOMEM;
	if (*(const uint8_t *)packet >> 4 == 6)
		ps_meta(m)->flags |= PS_META_F_V6;
	return to_worker(arg, m);
}

static void
forward(void *arg, void *packet, uint16_t adjacency)
{
	ps_meta(packet)->adjacency = adjacency;
	to_worker(arg, packet);
}

static void
drop(void *arg, void *packet, enum ps_exit why)
{
	const struct ps_net_main *n = arg;

	n->config.counters->exit[why]++;
	rte_pktmbuf_free(packet);
}

static int
probe_route(void *arg, const struct ps_addr *dst, struct ps_addr *src)
{
	struct ps_net_main *n = arg;
	uint16_t index = ps_net_lookup(n->net, dst, ps_net_now_ms());
	const struct ps_adjacency *a = &n->config.adjacency[index];

	if (index == 0 || !ps_net_source(n->net, a->iface, dst, src))
		return -ENETUNREACH;
	return atomic_load_explicit(&a->state, memory_order_relaxed) == PS_ADJ_FAILED ? -EHOSTUNREACH : 0;
}

int
ps_net_main_new(struct ps_net_main **out, const struct ps_net_main_config *config)
{
	struct ps_net_main *n = calloc(1, sizeof(*n));
	uint32_t random = (uint32_t)(clock_ns(CLOCK_REALTIME) >> 10), i;
	struct ps_net_config net = {.ops = {.arg = n,
					    .send_frame = send_frame,
					    .send_ip = send_ip,
					    .forward = forward,
					    .drop = drop},
				    .adjacency = config->adjacency,
				    .adjacencies = PS_MAX_ADJACENCIES,
				    .neighbours = config->neighbours,
				    .routes = config->routes,
				    .ports = config->ports,
				    .port = config->port,
				    .random = random};
	struct ps_probe_ops probe = {.arg = n,
				     .route = probe_route,
				     .send = send_ip,
				     .event = config->probe_event,
				     .event_arg = config->probe_event_arg};
	int rc;

	if (n == NULL)
		return -ENOMEM;
	n->config = *config;
	for (i = 0; i < PS_MAX_PORTS; i++)
		n->punt[i] = config->punt != NULL && i < config->ports ? config->punt[i] : UINT16_MAX;
	rc = ps_net_new(&n->net, &net);
	if (rc == 0 && config->state != NULL)
		rc = ps_probes_new(&n->probes, &probe, config->state, random ^ 0x9e3779b9u);
	if (rc < 0) {
		ps_net_main_free(n);
		return rc;
	}
	*out = n;
	return 0;
}

void
ps_net_main_free(struct ps_net_main *n)
{
	if (n == NULL)
		return;
	ps_probes_free(n->probes);
	ps_net_free(n->net);
	free(n);
}

struct ps_net *
ps_net_main_net(struct ps_net_main *n)
{
	return n->net;
}

void
ps_net_main_live(struct ps_net_main *n, const struct ps_view *view)
{
	ps_net_view_live(n->net, view, ps_net_now_ms());
	if (n->probes != NULL)
		ps_probes_load(n->probes, view->snapshot, clock_ns(CLOCK_MONOTONIC) / 1000, clock_ns(CLOCK_REALTIME));
}

static void
give_to_kernel(struct ps_net_main *n, struct rte_mbuf *m)
{
	uint16_t port = ps_meta(m)->port;

	if (port >= n->config.ports || n->punt[port] == UINT16_MAX ||
	    rte_eth_tx_burst(n->punt[port], 0, &m, 1) != 1)
		drop(n, m, PS_EXIT_PUNT_FULL);
}

/* The kernel resolves its neighbours itself; answers reach the port's MAC, which is its own too. */
static bool
kernel_wants(const struct ps_net_main *n, const struct rte_mbuf *m, bool arp)
{
	const struct ps_meta *meta = ps_meta((struct rte_mbuf *)(uintptr_t)m);
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);

	if (meta->port >= n->config.ports || n->punt[meta->port] == UINT16_MAX)
		return false;
	if (arp)
		return m->data_len >= meta->l3 + 8u && l3[7] == 2; /* reply */
	return l3[meta->l4] == ND_NEIGHBOR_ADVERT;
}

static void
arp_or_nd(struct ps_net_main *n, struct rte_mbuf *m, bool arp, uint64_t now_ms)
{
	ps_net_input(n->net, ps_meta(m)->iface, rte_pktmbuf_mtod(m, const void *), m->data_len, now_ms);
	if (kernel_wants(n, m, arp))
		give_to_kernel(n, m);
	else
		rte_pktmbuf_free(m);
}

static void
resolve(struct ps_net_main *n, struct rte_mbuf *m, uint64_t now_ms)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	struct ps_addr dst;
	uint32_t v4;

	if (meta->flags & PS_META_F_V6) {
		memcpy(dst.b, ip + 24, 16);
	} else {
		memcpy(&v4, ip + 16, 4);
		dst = ps_addr_from_v4(v4);
	}
	ps_net_resolve(n->net, m, meta->adjacency, &dst, now_ms);
}

static void
take(struct ps_net_main *n, struct rte_mbuf *m, uint64_t now_ms)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *l3;
	bool arp;

	if (meta->adjacency == PS_ADJACENCY_FRAME) {
		give_to_kernel(n, m);
		return;
	}
	if (meta->adjacency != 0) {
		resolve(n, m, now_ms);
		return;
	}
	if ((m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) || m->data_len < meta->l3 + 8u) {
		rte_pktmbuf_free(m);
		return;
	}
	l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	/* An ARP packet begins with hardware type 1, an IP packet with its version. */
	arp = !(meta->flags & PS_META_F_V6) && l3[0] == 0;
	if (arp || ((meta->flags & PS_META_F_V6) && meta->proto == IPPROTO_ICMPV6 &&
		    m->data_len > meta->l3 + meta->l4 && l3[meta->l4] >= ND_ROUTER_SOLICIT &&
		    l3[meta->l4] <= ND_REDIRECT)) {
		arp_or_nd(n, m, arp, now_ms);
		return;
	}
	if (n->probes != NULL)
		ps_probes_input(n->probes, l3, m->data_len - meta->l3, clock_ns(CLOCK_MONOTONIC) / 1000,
				clock_ns(CLOCK_REALTIME));
	rte_pktmbuf_free(m);
}

uint32_t
ps_net_main_poll(struct ps_net_main *n)
{
	uint64_t now_us = clock_ns(CLOCK_MONOTONIC) / 1000;
	uint32_t burst, got, i, taken = 0;
	void *packet[BURST];

	for (burst = 0; burst < BURSTS; burst++) {
		got = rte_ring_dequeue_burst(n->config.to_main, packet, BURST, NULL);
		for (i = 0; i < got; i++)
			take(n, packet[i], now_us / 1000);
		taken += got;
		if (got < BURST)
			break;
	}
	ps_net_tick(n->net, now_us / 1000);
	if (n->probes != NULL && now_us - n->probe_tick_us >= PROBE_TICK_US) {
		n->probe_tick_us = now_us;
		ps_probes_tick(n->probes, now_us, clock_ns(CLOCK_REALTIME));
	}
	return taken;
}
