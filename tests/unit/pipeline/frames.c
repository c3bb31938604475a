/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pipeline/frames.h"

#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>

#include "dataplane/net/local.h"
#include "dataplane/pipeline/stage.h"

/* What the process provides: stages register without it here. */
void
ps_stage_register(struct ps_stage *stage)
{
}

int
ps_stage_init(const struct rte_graph *graph, struct rte_node *node)
{
	return 0;
}

void
ps_trace_frame(struct ps_worker *w, struct rte_node *node, void **objs, uint16_t n)
{
}

/* 203.0.113.1 is a VIP, 192.0.2.1 a SNAT address. */
uint32_t
ps_local_find(const struct ps_local_set *set, const struct ps_addr *addr)
{
	struct ps_addr vip = ps_addr_from_v4(RTE_BE32(0xcb007101)), snat = ps_addr_from_v4(RTE_BE32(0xc0000201));

	return ps_addr_equal(addr, &vip) ? PS_LOCAL_VIP : ps_addr_equal(addr, &snat) ? PS_LOCAL_SNAT : 0;
}

static struct {
	struct rte_mbuf mbuf;
	uint8_t room[RTE_PKTMBUF_HEADROOM + FRAME_ROOM];
} buffer __attribute__((aligned(64)));

struct rte_mbuf *
frame_mbuf(const void *frame, uint32_t size)
{
	struct rte_mbuf *m = &buffer.mbuf;

	if (size > FRAME_ROOM)
		abort();
	memset(m, 0, sizeof(*m));
	m->buf_addr = buffer.room;
	m->buf_len = sizeof(buffer.room);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->nb_segs = 1;
	rte_mbuf_refcnt_set(m, 1);
	m->pkt_len = size;
	m->data_len = (uint16_t)size;
	memcpy(rte_pktmbuf_mtod(m, void *), frame, size);
	return m;
}

struct ps_worker *
frame_worker(void)
{
	static const struct {
		uint16_t vid, iface;
	} vlans[] = {{100, 1}};
	static const uint32_t index[2] = {PS_NONE, PS_NONE};
	static const uint8_t mac[8] = {2, 0, 0, 0, 0, 1};
	static struct ps_worker_counters counters;
	static struct ps_view view;
	static struct ps_worker w;

	memset(&view, 0, sizeof(view));
	memset(&w, 0, sizeof(w));
	for (uint32_t p = 0; p < PS_MAX_PORTS; p++)
		view.port[p].untagged = UINT16_MAX;
	view.port[0].untagged = 0;
	view.port[0].vlans = 1;
	view.port[0].vlan = (const void *)vlans;
	view.listener_index = index;
	view.listener_index_mask = 1;
	w.view = &view;
	w.counters = &counters;
	w.workers = 1;
	w.ports = 1;
	memcpy(&w.port_mac[0], mac, 8);
	return &w;
}

uint32_t
frame_hex(uint8_t *out, const char *hex)
{
	uint32_t n = 0;

	while (*hex != '\0') {
		char pair[3] = {hex[0], hex[1], '\0'};

		if (*hex == ' ' || *hex == '\n') {
			hex++;
			continue;
		}
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return n;
}

void
frame_ipv4_checksum(uint8_t *ip)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;

	h->hdr_checksum = 0;
	h->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, (ip[0] & 15u) * 4);
}
