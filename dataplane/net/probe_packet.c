/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/probe.h"
#include "dataplane/net/probe_packet.h"

#define TTL 64
#define WINDOW 1024
#define MSS 536 /* RFC 9293 3.7.1: what anybody accepts */

/* ICMP echo: header, then the cookie. */
struct echo {
	uint8_t type, code;
	uint16_t checksum, id, sequence;
	uint32_t cookie;
} __attribute__((packed));

static uint8_t
protocol(uint8_t kind, bool v6)
{
	switch (kind) {
	case PS_PROBE_TCP:
		return IPPROTO_TCP;
	case PS_PROBE_UDP:
		return IPPROTO_UDP;
	default:
		return v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	}
}

/* L4 part; returns its size and where its checksum goes. */
static uint32_t
build_l4(const struct ps_probe_packet *p, bool v6, uint8_t *out, uint32_t *check_at)
{
	struct tcphdr *tcp = (struct tcphdr *)out;
	struct udphdr *udp = (struct udphdr *)out;
	struct echo *echo = (struct echo *)out;
	uint8_t *option = out + sizeof(*tcp);

	switch (p->kind) {
	case PS_PROBE_TCP:
		memset(tcp, 0, sizeof(*tcp));
		tcp->source = p->src_port;
		tcp->dest = p->dst_port;
		tcp->seq = htonl(p->cookie + (p->reset ? 1 : 0));
		tcp->doff = sizeof(*tcp) / 4;
		*check_at = offsetof(struct tcphdr, check);
		if (p->reset) {
			tcp->rst = 1;
			return sizeof(*tcp);
		}
		tcp->syn = 1;
		tcp->window = htons(WINDOW);
		tcp->doff++;
		option[0] = TCPOPT_MAXSEG;
		option[1] = TCPOLEN_MAXSEG;
		option[2] = MSS >> 8;
		option[3] = MSS & 0xff;
		return sizeof(*tcp) + TCPOLEN_MAXSEG;
	case PS_PROBE_UDP:
		memset(udp, 0, sizeof(*udp));
		udp->source = p->src_port;
		udp->dest = p->dst_port;
		udp->len = htons(sizeof(*udp));
		*check_at = offsetof(struct udphdr, check);
		return sizeof(*udp);
	default:
		memset(echo, 0, sizeof(*echo));
		echo->type = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
		echo->id = htons(PS_PROBE_ICMP_ID);
		echo->sequence = htons((uint16_t)p->cookie);
		echo->cookie = htonl(p->cookie);
		*check_at = offsetof(struct echo, checksum);
		return sizeof(*echo);
	}
}

uint32_t
ps_probe_build(const struct ps_probe_packet *p, uint8_t out[PS_PROBE_PACKET_MAX])
{
	bool v6 = !ps_addr_is_v4(&p->dst);
	uint8_t proto = protocol(p->kind, v6);
	uint32_t header = v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr), size, check_at, sum = 0;
	uint8_t *l4 = out + header;
	uint16_t check;

	size = build_l4(p, v6, l4, &check_at);
	if (v6) {
		struct ip6_hdr *ip = (struct ip6_hdr *)out;

		memset(ip, 0, sizeof(*ip));
		ip->ip6_flow = htonl(6u << 28);
		ip->ip6_plen = htons((uint16_t)size);
		ip->ip6_nxt = proto;
		ip->ip6_hlim = TTL;
		memcpy(&ip->ip6_src, p->src.b, 16);
		memcpy(&ip->ip6_dst, p->dst.b, 16);
		sum = ps_checksum_pseudo6(p->src.b, p->dst.b, proto, size);
	} else {
		struct iphdr *ip = (struct iphdr *)out;

		memset(ip, 0, sizeof(*ip));
		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = htons((uint16_t)(sizeof(*ip) + size));
		ip->frag_off = htons(IP_DF);
		ip->ttl = TTL;
		ip->protocol = proto;
		ip->saddr = ps_addr_v4(&p->src);
		ip->daddr = ps_addr_v4(&p->dst);
		ip->check = ps_checksum_finish(ps_checksum_add(0, ip, sizeof(*ip)));
		if (proto != IPPROTO_ICMP)
			sum = ps_checksum_pseudo4(&ip->saddr, &ip->daddr, proto, size);
	}
	check = ps_checksum_finish(ps_checksum_add(sum, l4, size));
	if (proto == IPPROTO_UDP && check == 0)
		check = 0xffff;
	memcpy(l4 + check_at, &check, 2);
	return header + size;
}

struct l3 {
	bool v6;
	uint8_t proto;
	struct ps_addr src, dst;
	const uint8_t *l4;
	uint32_t size; /* bytes of L4 that are there */
};

static bool
parse_l3(const uint8_t *packet, uint32_t size, struct l3 *l3)
{
	struct iphdr v4;
	struct ip6_hdr v6;
	uint32_t header;

	if (size < sizeof(v4))
		return false;
	l3->v6 = packet[0] >> 4 == 6;
	if (l3->v6) {
		if (size < sizeof(v6))
			return false;
		memcpy(&v6, packet, sizeof(v6));
		l3->proto = v6.ip6_nxt;
		memcpy(l3->src.b, &v6.ip6_src, 16);
		memcpy(l3->dst.b, &v6.ip6_dst, 16);
		header = sizeof(v6);
	} else {
		memcpy(&v4, packet, sizeof(v4));
		header = v4.ihl * 4u;
		if (v4.version != 4 || header < sizeof(v4) || header > size || (ntohs(v4.frag_off) & 0x1fff))
			return false;
		l3->proto = v4.protocol;
		l3->src = ps_addr_from_v4(v4.saddr);
		l3->dst = ps_addr_from_v4(v4.daddr);
	}
	l3->l4 = packet + header;
	l3->size = size - header;
	return true;
}

static bool
parse_tcp(const struct l3 *l3, struct ps_probe_answer *a)
{
	struct tcphdr tcp;

	if (l3->size < sizeof(tcp))
		return false;
	memcpy(&tcp, l3->l4, sizeof(tcp));
	if (!tcp.ack || (!tcp.rst && !tcp.syn))
		return false;
	a->type = tcp.rst ? PS_ANSWER_RST : PS_ANSWER_SYN_ACK;
	a->kind = PS_PROBE_TCP;
	a->remote_port = tcp.source;
	a->local_port = tcp.dest;
	a->cookie = ntohl(tcp.ack_seq) - 1;
	a->has_cookie = true;
	return true;
}

/* inner: the packet that an error quotes, ours. */
static bool
parse_error(const struct l3 *outer, struct ps_probe_answer *a)
{
	uint8_t type = outer->l4[0], code = outer->l4[1];
	struct l3 inner;
	uint16_t port[2];
	uint32_t cookie;

	if (outer->v6) {
		if (type != ICMP6_DST_UNREACH)
			return false;
		a->type = code == ICMP6_DST_UNREACH_NOPORT ? PS_ANSWER_PORT_UNREACHABLE : PS_ANSWER_UNREACHABLE;
	} else {
		if (type != ICMP_DEST_UNREACH || code == ICMP_FRAG_NEEDED)
			return false;
		a->type = code == ICMP_PORT_UNREACH ? PS_ANSWER_PORT_UNREACHABLE : PS_ANSWER_UNREACHABLE;
	}
	if (!parse_l3(outer->l4 + 8, outer->size - 8, &inner) || inner.v6 != outer->v6 || inner.size < 8)
		return false;
	a->remote = inner.dst;
	a->local = inner.src;
	switch (inner.proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		a->kind = inner.proto == IPPROTO_TCP ? PS_PROBE_TCP : PS_PROBE_UDP;
		memcpy(port, inner.l4, sizeof(port));
		a->local_port = port[0];
		a->remote_port = port[1];
		if (inner.proto == IPPROTO_TCP) {
			memcpy(&cookie, inner.l4 + 4, sizeof(cookie));
			a->cookie = ntohl(cookie);
			a->has_cookie = true;
		}
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		a->kind = PS_PROBE_ICMP;
		return true;
	default:
		return false;
	}
}

bool
ps_probe_parse(const uint8_t *packet, uint32_t size, struct ps_probe_answer *a)
{
	struct echo echo;
	uint16_t port[2];
	struct l3 l3;

	memset(a, 0, sizeof(*a));
	if (!parse_l3(packet, size, &l3))
		return false;
	a->remote = l3.src;
	a->local = l3.dst;
	switch (l3.proto) {
	case IPPROTO_TCP:
		return parse_tcp(&l3, a);
	case IPPROTO_UDP:
		if (l3.size < sizeof(struct udphdr))
			return false;
		memcpy(port, l3.l4, sizeof(port));
		a->type = PS_ANSWER_UDP;
		a->kind = PS_PROBE_UDP;
		a->remote_port = port[0];
		a->local_port = port[1];
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (l3.size < 8 || l3.v6 != (l3.proto == IPPROTO_ICMPV6))
			return false;
		if (l3.l4[0] != (l3.v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY))
			return parse_error(&l3, a);
		if (l3.size < sizeof(echo))
			return false;
		memcpy(&echo, l3.l4, sizeof(echo));
		if (echo.id != htons(PS_PROBE_ICMP_ID))
			return false;
		a->type = PS_ANSWER_ECHO;
		a->kind = PS_PROBE_ICMP;
		a->cookie = ntohl(echo.cookie);
		a->has_cookie = true;
		return true;
	default:
		return false;
	}
}
