/* SPDX-License-Identifier: Apache-2.0 */
/* What the hosts played here say when they are asked: ARP, neighbour discovery, ping, TCP handshakes, UDP probes. */
#include <rte_arp.h>

#include "perf/loadgen/engine.h"

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129
#define ICMP6_NS 135
#define ICMP6_NA 136
#define ICMP6_OPTION_TARGET_MAC 2

bool
ps_plays(const struct ps_engine *e, const struct ps_addr *addr)
{
	uint32_t i;

	if (ps_addr_range_contains(&e->space.client, addr) || ps_addr_range_contains(&e->c->backend, addr))
		return true;
	for (i = 0; i < e->c->answers; i++)
		if (ps_addr_range_contains(&e->c->answer[i], addr))
			return true;
	return false;
}

static void
swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
	uint8_t copy[16];

	memcpy(copy, a, size);
	memcpy(a, b, size);
	memcpy(b, copy, size);
}

static void
send_back(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, p->mac, 6);
	e->tally.answered++;
	ps_txq_add(p, m);
}

static void
learn(struct ps_engine *e, const struct ps_addr *addr, const uint8_t *mac)
{
	struct ps_addr gateway = ps_engine_next_hop(e);

	if (!e->c->has_gateway_mac && ps_addr_equal(addr, &gateway))
		ps_engine_learn_gateway(e, mac);
}

static bool
answer_arp(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3)
{
	struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, l3);
	struct ps_addr sender, target;
	uint32_t asked;

	if (m->pkt_len < l3 + sizeof(*arp) || arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return false;
	sender = ps_addr_from_v4(arp->arp_data.arp_sip);
	target = ps_addr_from_v4(arp->arp_data.arp_tip);
	learn(e, &sender, arp->arp_data.arp_sha.addr_bytes);
	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) || !ps_plays(e, &target) || ps_addr_equal(&sender, &target))
		return false;
	asked = arp->arp_data.arp_tip;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sip = asked;
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	memcpy(arp->arp_data.arp_sha.addr_bytes, p->mac, 6);
	send_back(e, p, m);
	return true;
}

static void
checksum_icmp6(uint8_t *ip, uint32_t size)
{
	uint16_t sum;

	memset(ip + 42, 0, 2);
	sum = (uint16_t)~ps_sum_fold(ps_sum(ip + 40, size, ps_sum_pseudo(ip + 8, ip + 24, 16, IPPROTO_ICMPV6, size)));
	memcpy(ip + 42, &sum, 2);
}

/* Neighbour solicitation in, solicited advertisement out (RFC 4861 4.4). */
static bool
answer_solicitation(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3), *option = ip + 64;
	struct ps_addr target;
	bool probing;

	memcpy(target.b, ip + 48, 16);
	if (!ps_plays(e, &target))
		return false;
	probing = ps_addr_is_v4(&target) || memcmp(ip + 8, (uint8_t[16]){0}, 16) == 0;
	if (m->pkt_len < l3 + 72) {
		uint32_t missing = l3 + 72 - m->pkt_len;

		if (rte_pktmbuf_append(m, (uint16_t)missing) == NULL)
			return false;
	} else {
		rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - l3 - 72));
	}
	if (probing) {
		memset(ip + 24, 0, 16);
		memcpy(ip + 24, (uint8_t[]){0xff, 0x02}, 2);
		ip[39] = 1;
	} else {
		memcpy(ip + 24, ip + 8, 16);
	}
	memcpy(ip + 8, target.b, 16);
	ip[4] = 0;
	ip[5] = 32;
	ip[7] = 255;
	ip[40] = ICMP6_NA;
	memcpy(ip + 44, (uint8_t[4]){probing ? 0x20 : 0x60}, 4);
	option[0] = ICMP6_OPTION_TARGET_MAC;
	option[1] = 1;
	memcpy(option + 2, p->mac, 6);
	checksum_icmp6(ip, 32);
	send_back(e, p, m);
	return true;
}

static bool
answer_icmp6(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3);
	struct ps_addr target;

	if (m->pkt_len < l3 + 48 || ip[6] != IPPROTO_ICMPV6)
		return false;
	memcpy(target.b, ip + 24, 16);
	if (ip[40] < 128) {
		e->tally.icmp_errors++;
	} else if (ip[40] == ICMP6_ECHO && ps_plays(e, &target)) {
		swap_bytes(ip + 8, ip + 24, 16);
		ip[40] = ICMP6_ECHO_REPLY;
		checksum_icmp6(ip, RTE_MIN((uint32_t)(ip[4] << 8 | ip[5]), m->pkt_len - l3 - 40));
		send_back(e, p, m);
		return true;
	} else if (ip[40] == ICMP6_NS && m->pkt_len >= l3 + 64) {
		if (m->pkt_len >= l3 + 72 && ip[64] == 1) {
			memcpy(target.b, ip + 8, 16);
			learn(e, &target, ip + 66);
		}
		return answer_solicitation(e, p, m, l3);
	} else if (ip[40] == ICMP6_NA && m->pkt_len >= l3 + 72 && ip[64] == ICMP6_OPTION_TARGET_MAC) {
		memcpy(target.b, ip + 48, 16);
		learn(e, &target, ip + 66);
	}
	return false;
}

static bool
answer_icmp4(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3), *icmp = ip + (ip[0] & 15) * 4;
	struct ps_addr target;
	uint32_t v4;
	uint16_t sum, size = (uint16_t)(ip[2] << 8 | ip[3]), header = (uint16_t)((ip[0] & 15) * 4);

	if (ip[9] != IPPROTO_ICMP || m->pkt_len < l3 + header + 8u || size < header + 8 || size > m->pkt_len - l3)
		return false;
	memcpy(&v4, ip + 16, 4);
	target = ps_addr_from_v4(v4);
	if (icmp[0] != ICMP_ECHO) {
		if (icmp[0] == 3 || icmp[0] == 11)
			e->tally.icmp_errors++;
		return false;
	}
	if (!ps_plays(e, &target))
		return false;
	swap_bytes(ip + 12, ip + 16, 4);
	icmp[0] = ICMP_ECHO_REPLY;
	memset(icmp + 2, 0, 2);
	sum = (uint16_t)~ps_sum_fold(ps_sum(icmp, (size_t)(size - header), 0));
	memcpy(icmp + 2, &sum, 2);
	send_back(e, p, m);
	return true;
}

/* UDP that is none of the load, to a backend: a probe, which any answer satisfies. */
static bool
answer_udp(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3, bool v6)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3), *udp = ip + (v6 ? 40 : 20);
	struct ps_addr target;
	uint32_t v4;

	if (m->pkt_len < l3 + (v6 ? 48u : 28u) || ip[v6 ? 6 : 9] != IPPROTO_UDP || (!v6 && ip[0] != 0x45))
		return false;
	if (v6) {
		memcpy(target.b, ip + 24, 16);
	} else {
		memcpy(&v4, ip + 16, 4);
		target = ps_addr_from_v4(v4);
	}
	if (!ps_addr_range_contains(&e->c->backend, &target))
		return false;
	swap_bytes(v6 ? ip + 8 : ip + 12, v6 ? ip + 24 : ip + 16, v6 ? 16 : 4);
	swap_bytes(udp, udp + 2, 2);
	send_back(e, p, m);
	return true;
}

void
ps_answer(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t l3 = 14;
	uint16_t type;
	uint64_t errors = e->tally.icmp_errors;
	bool done = false;

	memcpy(&type, frame + 12, 2);
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN) && m->pkt_len >= 18) {
		memcpy(&type, frame + 16, 2);
		l3 = 18;
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		done = answer_arp(e, p, m, l3);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && m->pkt_len >= l3 + 28)
		done = answer_icmp4(e, p, m, l3) || answer_udp(e, p, m, l3, false);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && m->pkt_len >= l3 + 48)
		done = answer_icmp6(e, p, m, l3) || answer_udp(e, p, m, l3, true);
	if (done)
		return;
	if (type != RTE_BE16(RTE_ETHER_TYPE_ARP) && e->tally.icmp_errors == errors)
		e->tally.unknown++;
	rte_pktmbuf_free(m);
}

/* Recomputes the IPv4 header checksum and that of TCP after a segment without data was edited in place. */
static void
checksum_tcp(uint8_t *ip, uint8_t *tcp)
{
	uint32_t size;
	uint16_t sum;

	memset(tcp + 16, 0, 2);
	if ((ip[0] >> 4) == 6) {
		size = (uint32_t)(ip[4] << 8 | ip[5]);
		sum = ps_sum_fold(ps_sum(tcp, size, ps_sum_pseudo(ip + 8, ip + 24, 16, IPPROTO_TCP, size)));
	} else {
		size = (uint32_t)(ip[2] << 8 | ip[3]) - 20;
		sum = ps_sum_fold(ps_sum(tcp, size, ps_sum_pseudo(ip + 12, ip + 16, 4, IPPROTO_TCP, size)));
	}
	sum = (uint16_t)~sum;
	memcpy(tcp + 16, &sum, 2);
}

static void
turn_tcp(uint8_t *ip, uint8_t *tcp)
{
	if ((ip[0] >> 4) == 6)
		swap_bytes(ip + 8, ip + 24, 16);
	else
		swap_bytes(ip + 12, ip + 16, 4);
	swap_bytes(tcp, tcp + 2, 2);
}

/* ack = seq + 1, seq = ack, as both sides of a handshake do (RFC 9293 3.5). */
static void
turn_numbers(uint8_t *tcp)
{
	uint32_t seq, ack;

	memcpy(&seq, tcp + 4, 4);
	memcpy(&ack, tcp + 8, 4);
	seq = htonl(ntohl(seq) + 1);
	memcpy(tcp + 4, &ack, 4);
	memcpy(tcp + 8, &seq, 4);
}

static bool
whole_tcp(const uint8_t *ip, const uint8_t *tcp, const struct rte_mbuf *m, uint32_t l3)
{
	uint32_t header = (ip[0] >> 4) == 6 ? 40 : 20;
	uint32_t size = (ip[0] >> 4) == 6 ? (uint32_t)(ip[4] << 8 | ip[5]) : (uint32_t)(ip[2] << 8 | ip[3]) - header;

	return size >= 20 && size <= m->pkt_len - l3 - header && (tcp[12] >> 4) * 4u <= size;
}

void
ps_answer_syn(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3, uint32_t l4)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3), *tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, l4);

	if (!whole_tcp(ip, tcp, m, l3)) {
		rte_pktmbuf_free(m);
		return;
	}
	turn_tcp(ip, tcp);
	turn_numbers(tcp);
	tcp[13] = PS_TCP_SYN | PS_TCP_ACK;
	checksum_tcp(ip, tcp);
	e->dir[PS_TO_CLIENT].sent++;
	send_back(e, p, m);
}

/* The SYN-ACK's sequence number is the number of the SYN; its acknowledgement is the SYN's time plus one. */
void
ps_answer_syn_ack(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3, uint32_t l4)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l3), *tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, l4);
	uint32_t number;

	if (!whole_tcp(ip, tcp, m, l3)) {
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(&number, tcp + 4, 4);
	e->tally.handshakes++;
	ps_track_packet(&e->dir[PS_TO_CLIENT].track, number, PS_TRACK_NO_FLOW);
	ps_setup_mark(e, number);
	turn_tcp(ip, tcp);
	turn_numbers(tcp);
	tcp[13] = PS_TCP_ACK;
	memset(tcp + 14, 0, 2); /* no stamp: it counts as nobody's packet */
	checksum_tcp(ip, tcp);
	send_back(e, p, m);
}
