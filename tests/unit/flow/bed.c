/* SPDX-License-Identifier: Apache-2.0 */
#include "bed.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "dataplane/flow/snat.h"
#include "dataplane/net/fib.h"
#include "dataplane/net/local.h"
#include "policies/listener/build.h"
#include "policies/maglev/build.h"

static const struct ps_addr vip[2] = {
	{{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 10}},
	{{0x20, 0x01, 0x0d, 0xb8, 0, 0xff, [15] = 0x10}},
};
static const struct ps_addr backend[2] = {
	{{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 2, [14] = 0, [15] = 5}},
	{{0xfd, 0, 0, 2, [15] = 5}},
};
static const struct ps_addr snat[2] = {
	{{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 2, [14] = 0, [15] = 100}},
	{{0xfd, 0, 0, 2, [14] = 1, [15] = 0}},
};
static const struct ps_addr gateway[2] = {
	{{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 2, [14] = 0, [15] = 1}},
	{{0xfd, 0, 0, 2, [15] = 1}},
};

uint16_t
ps_fib_lookup4(const struct ps_fib *fib, uint32_t dst_be)
{
	const uint8_t *a = (const uint8_t *)&dst_be;

	return a[0] != 10 ? 0 : a[1] == 1 ? 1 : a[1] == 2 ? 2 : 0;
}

uint16_t
ps_fib_lookup6(const struct ps_fib *fib, const uint8_t dst[16])
{
	return dst[0] == 0x20 ? 1 : dst[0] == 0xfd ? 2 : 0;
}

uint32_t
ps_local_find(const struct ps_local_set *set, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < 2; i++) {
		if (ps_addr_equal(addr, &vip[i]))
			return PS_LOCAL_VIP;
		if (ps_addr_equal(addr, &snat[i]))
			return PS_LOCAL_SNAT;
		if (ps_addr_equal(addr, &gateway[i]))
			return PS_LOCAL_IFACE;
	}
	return 0;
}

const struct ps_addr *
ps_local_iface(const struct ps_local_set *set, uint32_t iface, bool v6)
{
	return &gateway[v6];
}

uint32_t
bed_service(uint8_t proto, uint8_t mode, bool v6)
{
	return ((proto == IPPROTO_UDP) * PS_MODES + mode) * 2u + v6;
}

static void *
memory(size_t size)
{
	void *p = aligned_alloc(64, (size + 63u) & ~63ul);

	memset(p, 0, size);
	return p;
}

static struct ps_flow_table *
make_table(struct bed *b, bool v6, uint32_t capacity)
{
	struct ps_flow_table_config c = {.v6 = v6, .capacity = capacity, .seed = 99, .now_ms = b->w.now_ms};
	struct ps_flow_table *t = NULL;

	c.records = b->memory[v6 * 2] = memory((size_t)capacity * 128);
	c.buckets = b->memory[v6 * 2 + 1] = memory((size_t)ps_flow_table_buckets(capacity) * 64);
	ps_flow_table_new(&t, &c);
	return t;
}

static void
make_services(struct bed *b, const struct bed_options *o)
{
	uint32_t proto, mode, v6, n = o->endpoints != 0 ? o->endpoints : 1, i, duplicate;

	for (proto = 0; proto < 2; proto++)
		for (mode = 0; mode < PS_MODES; mode++)
			for (v6 = 0; v6 < 2; v6++) {
				uint32_t s = (proto * PS_MODES + mode) * 2u + v6;
				struct ps_maglev_endpoint weights[BED_ENDPOINTS];

				for (i = 0; i < n; i++) {
					uint32_t e = s * BED_ENDPOINTS + i;

					b->endpoint[e] = (struct ps_endpoint){
						.addr = backend[v6], .id = 1000 + e, .slot = e, .slot_generation = 7,
						.weight = 1,
						.port = __builtin_bswap16((uint16_t)(mode <= PS_MODE_DNAT ? 8080 : 80 + mode)),
					};
					b->endpoint[e].addr.b[15] = (uint8_t)(5 + i);
					weights[i] = (struct ps_maglev_endpoint){.id = 1000 + e, .weight = 1};
					atomic_store(&b->verdict[e].word, PS_CTL(7, 255, PS_CTL_IN_USE));
				}
				b->table[s].size = ps_maglev_size(weights, n);
				b->table[s].endpoints = n;
				ps_maglev_build(b->entries[s], b->table[s].size, weights, n);
				b->table_entries[s] = b->entries[s];
				b->service[s] = (struct ps_service){
					.id = s + 1, .slot = s, .first_endpoint = s * BED_ENDPOINTS, .endpoints = n,
					.balanced = n, .table = s, .snat_pool = mode == PS_MODE_FULLNAT ? 0 : PS_NONE,
					.probe = PS_NONE, .mode = (uint8_t)mode, .proto = proto ? 17 : 6,
					.flags = o->service_flags, .affinity_s = 60, .tcp_idle_s = 900, .udp_idle_s = 30,
					.gue_port = __builtin_bswap16(6080),
				};
				b->listener[s] = (struct ps_listener){
					.addr = vip[v6], .port = __builtin_bswap16((uint16_t)(80 + mode)),
					.proto = proto ? 17 : 6, .kind = PS_LISTENER_L4, .service = s,
				};
				b->service_of_slot[s] = s;
			}
	ps_listener_index_build(b->index, 64, b->listener, BED_SERVICES, &duplicate);
}

struct bed *
bed_new(const struct bed_options *options)
{
	static const struct bed_options plain;
	const struct bed_options *o = options != NULL ? options : &plain;
	struct bed *b = memory(sizeof(*b));
	uint32_t i;

	b->w.now_ms = 1000000;
	b->w.workers = 1;
	b->w.view = &b->view;
	b->w.counters = &b->counters;
	b->w.service = b->service_row;
	b->w.endpoint = b->endpoint_row;
	b->w.verdict = b->verdict;
	b->w.adjacency = b->adjacency;
	b->w.service_slots = BED_SERVICES;
	b->w.endpoint_slots = BED_SERVICES * BED_ENDPOINTS;
	b->w.flow4 = make_table(b, false, o->capacity != 0 ? o->capacity : 64);
	b->w.flow6 = make_table(b, true, o->capacity != 0 ? o->capacity : 64);
	for (i = 1; i < 3; i++) {
		struct ps_adjacency *a = &b->adjacency[i];
		const uint8_t header[14] = {2, 0, 0, 0, 0, (uint8_t)(0x10 + i), 2, 0, 0, 0, 0, (uint8_t)i, 8, 0};
		uint64_t first;

		memcpy(&first, header, 8);
		atomic_store(&a->header0, first);
		memcpy(a->header8, header + 8, 6);
		a->header_size = 14;
		a->port = (uint16_t)(i - 1);
		a->iface = (uint16_t)(i - 1);
		a->mtu = 1500;
		atomic_store(&a->state, PS_ADJ_RESOLVED);
	}
	make_services(b, o);
	b->pool = (struct ps_snat_pool){.first_address = 0, .addresses = 2};
	for (i = 0; i < 2; i++)
		b->snat_address[i] = (struct ps_snat_address){
			.addr = snat[i], .slot = i, .port_first = o->port_first != 0 ? o->port_first : 20000,
			.port_last = o->port_last != 0 ? o->port_last : 20000,
		};
	ps_snat_new(&b->w.snat, 0, 1, 4, 64, 5);
	ps_snat_configure(b->w.snat, b->snat_address, 2);
	b->view = (struct ps_view){
		.generation = 1, .listener = b->listener, .listener_index = b->index, .listener_index_mask = 63,
		.service = b->service, .endpoint = b->endpoint, .range = b->range, .table = b->table,
		.table_entries = b->table_entries, .snat_pool = &b->pool, .snat_address = b->snat_address,
		.service_of_slot = b->service_of_slot, .route_generation = 3,
	};
	return b;
}

void
bed_free(struct bed *b)
{
	uint32_t i;

	ps_flow_table_free(b->w.flow4);
	ps_flow_table_free(b->w.flow6);
	ps_snat_free(b->w.snat);
	for (i = 0; i < 5; i++)
		free(b->memory[i]);
	free(b);
}

struct rte_mbuf *
bed_load(struct bed *b, const uint8_t *frame, uint32_t size)
{
	struct rte_mbuf *m = &b->packet.m;
	struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = frame + 14;

	memset(m, 0, sizeof(*m));
	memset(b->packet.room, 0xa5, sizeof(b->packet.room));
	m->buf_addr = b->packet.room;
	m->buf_len = UINT16_MAX;
	m->data_off = 128;
	m->nb_segs = 1;
	m->data_len = (uint16_t)size;
	m->pkt_len = size;
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), frame, size);
	meta->l3 = 14;
	if (ip[0] >> 4 == 6) {
		meta->flags = PS_META_F_V6;
		meta->l4 = 40;
		meta->proto = ip[6];
	} else {
		meta->l4 = (uint8_t)((ip[0] & 15u) * 4u);
		meta->proto = ip[9];
	}
	return m;
}

uint32_t
bed_run(struct bed *b, struct rte_mbuf *m)
{
	bool v6 = ps_meta(m)->flags & PS_META_F_V6;
	struct ps_flow_item item;
	uint32_t edge, ports;

	if (v6) {
		ps_flow_prepare(&b->w, m, &item, true);
		ps_flow_probe(&b->w, &item, true);
		edge = ps_flow_decide(&b->w, m, &item, true);
	} else {
		ps_flow_prepare(&b->w, m, &item, false);
		ps_flow_probe(&b->w, &item, false);
		edge = ps_flow_decide(&b->w, m, &item, false);
	}
	if (edge != PS_FLOW_EDGE_NEW)
		return edge;
	memcpy(&ports, rte_pktmbuf_mtod_offset(m, uint8_t *, ps_meta(m)->l3 + ps_meta(m)->l4), 4);
	return ps_flow_forward(&b->w, m, ports, true);
}

void
bed_sleep(struct bed *b, uint32_t ms)
{
	for (; ms != 0; ms -= ms < 50 ? ms : 50) {
		b->w.now_ms += ms < 50 ? ms : 50;
		ps_flow_tick(&b->w);
	}
}

static bool
sound_ip(const uint8_t *ip, uint32_t left)
{
	bool v6 = ip[0] >> 4 == 6;
	uint32_t header = v6 ? 40 : (ip[0] & 15u) * 4u;
	uint32_t size = v6 ? 40u + ((uint32_t)ip[4] << 8 | ip[5]) : (uint32_t)ip[2] << 8 | ip[3];
	uint8_t proto = v6 ? ip[6] : ip[9];
	const uint8_t *l4 = ip + header;

	if (size > left || (!v6 && ps_sum_fold(ps_sum(ip, header)) != 0xffff))
		return false;
	if (proto == IPPROTO_ICMP && !v6)
		return ps_sum_fold(ps_sum(l4, size - header)) == 0xffff;
	if (proto == IPPROTO_IPIP || proto == IPPROTO_IPV6)
		return sound_ip(l4, size - header);
	if (proto == IPPROTO_UDP && l4[2] == 6080 >> 8 && l4[3] == (6080 & 255) && !sound_ip(l4 + 8, size - header - 8))
		return false;
	if (proto == IPPROTO_UDP && !v6 && l4[6] == 0 && l4[7] == 0)
		return true;
	return ps_sum_fold(ps_sum_pseudo(ip + (v6 ? 8 : 12), v6, proto, size - header) + ps_sum(l4, size - header)) ==
	       0xffff;
}

bool
bed_sound(struct rte_mbuf *m)
{
	return sound_ip(rte_pktmbuf_mtod_offset(m, const uint8_t *, ps_meta(m)->l3), m->data_len - ps_meta(m)->l3);
}
