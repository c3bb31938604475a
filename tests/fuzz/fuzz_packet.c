/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as a stranger sends them, through classify, the flow stages and ICMP translation.
 *
 * Input: { flags, size (2 bytes), bytes from the IP header on } ..., played into one worker with a service of every mode.
 *   flags & 1   the IPv4 header checksum is made right first
 *   flags & 2   checksums of the port are not trusted
 *   flags & 4   every endpoint goes down before, or comes back
 *   flags & 8   some seconds pass before
 *   flags & 16  the L4 or ICMP checksum is made right first
 *
 * Beyond what the sanitizers see: a packet whose checksums are right leaves with right checksums, and the
 * tables stay sound.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "dataplane/flow/icmp_translate.h"
#include "dataplane/flow/segment.h"
#include "dataplane/flow/snat.h"
#include "dataplane/pipeline/classify.h"
#include "dataplane/pipeline/stage.h"
#include "tests/unit/flow/bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What classify.c wants of the pipeline. */
void
ps_trace_frame(struct ps_worker *w, struct rte_node *node, void **objs, uint16_t n)
{
}

int
ps_stage_init(const struct rte_graph *graph, struct rte_node *node)
{
	return 0;
}

void
ps_stage_register(struct ps_stage *stage)
{
}

#define HEADROOM 128u

static struct bed *bed;
static bool down;

static void
require(bool yes, const char *what)
{
	if (!yes) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

static void
set_up(void)
{
	struct bed_options o = {.endpoints = 2, .port_first = 20000, .port_last = 20063, .service_flags = PS_SERVICE_F_TOA};

	bed = bed_new(&o);
	bed->w.port_mac[0] = 0x010000000002ull;
}

static void
repair(uint8_t *ip, uint32_t size, uint8_t flags)
{
	uint32_t header, total;
	uint8_t proto, *field;
	uint16_t sum;
	bool v6 = size >= 40 && ip[0] >> 4 == 6;

	if (!v6 && (size < 20 || ip[0] >> 4 != 4))
		return;
	header = v6 ? 40 : (ip[0] & 15u) * 4u;
	total = v6 ? 40u + ((uint32_t)ip[4] << 8 | ip[5]) : (uint32_t)ip[2] << 8 | ip[3];
	if (header < 20 || total < header + 8 || total > size)
		return;
	if (!v6 && (flags & 1)) {
		ip[10] = ip[11] = 0;
		sum = (uint16_t)~ps_sum_fold(ps_sum(ip, header));
		memcpy(ip + 10, &sum, 2);
	}
	if (!(flags & 16))
		return;
	proto = v6 ? ip[6] : ip[9];
	if ((proto == IPPROTO_TCP && total < header + 20) ||
	    (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6))
		return;
	field = ip + header + (proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2);
	field[0] = field[1] = 0;
	sum = (uint16_t)~ps_sum_fold((proto == IPPROTO_ICMP ? 0 : ps_sum_pseudo(ip + (v6 ? 8 : 12), v6, proto, total - header)) +
				     ps_sum(ip + header, total - header));
	if (proto == IPPROTO_UDP && sum == 0)
		sum = 0xffff;
	memcpy(field, &sum, 2);
}

static uint32_t
play(struct rte_mbuf *m, rte_edge_t edge)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *l4 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3 + meta->l4);
	uint32_t left = m->data_len - meta->l3 - meta->l4, ports = 0;
	bool v6 = meta->flags & PS_META_F_V6;

	switch (edge) {
	case PS_CLASSIFY_FLOW4:
	case PS_CLASSIFY_FLOW6:
		return bed_run(bed, m);
	case PS_CLASSIFY_ICMP:
		/* icmp_input passes errors on */
		if (v6 ? l4[0] < 128 : l4[0] == 3 || l4[0] == 4 || l4[0] == 11 || l4[0] == 12)
			return ps_icmp_translate(&bed->w, m);
		return PS_FLOW_EDGE_DROP;
	case PS_CLASSIFY_FRAGMENT:
		if (meta->proto != IPPROTO_TCP && meta->proto != IPPROTO_UDP)
			return PS_FLOW_EDGE_DROP;
		if (meta->l4 == 0) {
			ports = 0x5000409cu;
			return ps_flow_forward(&bed->w, m, ports, false);
		}
		/* The fragment stage lets no first fragment through that is shorter than its header. */
		if (left < (meta->proto == IPPROTO_TCP ? 20u : 8u))
			return PS_FLOW_EDGE_DROP;
		if (meta->proto == IPPROTO_TCP && ((l4[12] >> 4) < 5 || (l4[12] >> 4) * 4u > left))
			return PS_FLOW_EDGE_DROP;
		memcpy(&ports, l4, 4);
		return ps_flow_forward(&bed->w, m, ports, true);
	default:
		return PS_FLOW_EDGE_DROP;
	}
}

static void
one_packet(uint8_t flags, const uint8_t *ip, uint32_t size)
{
	static const uint8_t mac[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9};
	/* Exactly as large as the packet, so that reading past it is seen. */
	uint8_t *buffer = malloc(HEADROOM + 14 + size);
	struct rte_mbuf *m = aligned_alloc(64, sizeof(*m));
	bool sound = false, whole;
	rte_edge_t edge;
	uint32_t out;

	memset(m, 0, sizeof(*m));
	memset(buffer, 0, HEADROOM);
	m->buf_addr = buffer;
	m->buf_len = (uint16_t)(HEADROOM + 14 + size);
	m->data_off = HEADROOM;
	m->nb_segs = 1;
	m->refcnt = 1;
	m->data_len = (uint16_t)(14 + size);
	m->pkt_len = 14 + size;
	memcpy(buffer + HEADROOM, mac, sizeof(mac));
	buffer[HEADROOM + 12] = size != 0 && ip[0] >> 4 == 6 ? 0x86 : 0x08;
	buffer[HEADROOM + 13] = size != 0 && ip[0] >> 4 == 6 ? 0xdd : 0x00;
	memcpy(buffer + HEADROOM + 14, ip, size);
	repair(buffer + HEADROOM + 14, size, flags);
	if (flags & 2)
		ps_meta(m)->flags |= PS_META_F_RECHECKSUM;
	edge = ps_classify_packet(&bed->w, m);
	whole = (edge == PS_CLASSIFY_FLOW4 || edge == PS_CLASSIFY_FLOW6 || edge == PS_CLASSIFY_ICMP) &&
		(!(ps_meta(m)->flags & PS_META_F_V6) || ps_meta(m)->l4 == 40);
	if (whole)
		sound = bed_sound(m);
	out = play(m, edge);
	require(out != PS_FLOW_EDGE_NEW, "a decision was left open");
	require(out < PS_FLOW_EDGE_PORT + 2, "sent to a port that there is not");
	if (out >= PS_FLOW_EDGE_PORT && sound)
		require(bed_sound(m), "a right checksum became wrong");
	free(buffer);
	free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	uint32_t packets, i;

	if (bed == NULL)
		set_up();
	for (packets = 0; packets < 16 && end - data >= 3; packets++) {
		uint8_t flags = data[0];
		uint32_t length = (uint32_t)data[1] << 8 | data[2];

		data += 3;
		if (length > (uint32_t)(end - data))
			length = (uint32_t)(end - data);
		if (length > 9000)
			length = 9000;
		if (flags & 4) {
			down = !down;
			for (i = 0; i < BED_SERVICES * BED_ENDPOINTS; i += 2)
				atomic_store(&bed->verdict[i].word,
					     PS_CTL(7, 255, PS_CTL_IN_USE | (down && i % 4 == 0 ? PS_CTL_KILL : 0)) |
						     (down ? (uint64_t)PS_HEALTH(7, PS_HEALTH_DOWN) << 32 : 0));
		}
		if (flags & 8)
			bed_sleep(bed, 3000);
		one_packet(flags, data, length);
		data += length;
	}
	require(ps_flow_table_check(bed->w.flow4) == NULL, "the IPv4 table is not sound");
	require(ps_flow_table_check(bed->w.flow6) == NULL, "the IPv6 table is not sound");
	/* The next input finds everything as this one did. */
	ps_flow_table_flush(bed->w.flow4, PS_NONE, PS_NONE);
	ps_flow_table_flush(bed->w.flow6, PS_NONE, PS_NONE);
	down = false;
	for (i = 0; i < BED_SERVICES * BED_ENDPOINTS; i++)
		atomic_store(&bed->verdict[i].word, PS_CTL(7, 255, PS_CTL_IN_USE));
	bed_sleep(bed, 10000);
	require(ps_snat_in_use(bed->w.snat) == 0, "a source port was lost");
	require(bed->w.flow4->counters->active == 0 && bed->w.flow6->counters->active == 0, "a flow was lost");
	return 0;
}
