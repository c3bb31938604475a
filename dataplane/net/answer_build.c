/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as bytes. IPv4: RFC 792, RFC 1122 3.2.2, RFC 1191, RFC 1812 4.3; IPv6: RFC 4443; TCP: RFC 9293 3.10.7.1.
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#include "dataplane/net/icmp.h"

#define ANSWER_TTL 64
/* RFC 1812 4.3.2.5: errors travel with precedence "internetwork control". */
#define ERROR_TOS 0xc0

struct error {
	uint8_t type, code;
};

static bool
error4(enum ps_exit why, struct error *e)
{
	switch (why) {
	case PS_EXIT_RST_NO_ENDPOINT:
	case PS_EXIT_RST_NO_FLOW:
	case PS_EXIT_UNREACH_NO_ENDPOINT:
		*e = (struct error){ICMP_DEST_UNREACH, ICMP_PORT_UNREACH};
		return true;
	case PS_EXIT_UNREACH_NO_ROUTE:
		*e = (struct error){ICMP_DEST_UNREACH, ICMP_NET_UNREACH};
		return true;
	case PS_EXIT_UNREACH_NO_NEIGHBOUR:
		*e = (struct error){ICMP_DEST_UNREACH, ICMP_HOST_UNREACH};
		return true;
	case PS_EXIT_TOO_BIG:
		*e = (struct error){ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED};
		return true;
	case PS_EXIT_TTL_EXPIRED:
		*e = (struct error){ICMP_TIME_EXCEEDED, ICMP_EXC_TTL};
		return true;
	default:
		return false;
	}
}

static bool
error6(enum ps_exit why, struct error *e)
{
	switch (why) {
	case PS_EXIT_RST_NO_ENDPOINT:
	case PS_EXIT_RST_NO_FLOW:
	case PS_EXIT_UNREACH_NO_ENDPOINT:
		*e = (struct error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT};
		return true;
	case PS_EXIT_UNREACH_NO_ROUTE:
		*e = (struct error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE};
		return true;
	case PS_EXIT_UNREACH_NO_NEIGHBOUR:
		*e = (struct error){ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR};
		return true;
	case PS_EXIT_TOO_BIG:
		*e = (struct error){ICMP6_PACKET_TOO_BIG, 0};
		return true;
	case PS_EXIT_TTL_EXPIRED:
		*e = (struct error){ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT};
		return true;
	default:
		return false;
	}
}

static bool
wants_reset(enum ps_exit why, uint8_t proto)
{
	return proto == IPPROTO_TCP && (why == PS_EXIT_RST_NO_ENDPOINT || why == PS_EXIT_RST_NO_FLOW);
}

/* One host, to which an answer may go. */
static bool
single4(uint32_t addr_be)
{
	uint32_t a = ntohl(addr_be);

	return a >> 24 != 0 && a >> 24 != 127 && a < 0xe0000000u;
}

static bool
single6(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LOOPBACK(a);
}

static bool
query4(uint8_t type)
{
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY || (type >= ICMP_TIMESTAMP && type <= ICMP_ADDRESSREPLY);
}

/*
 * Fills in the RST to the segment of size bytes at t (header possibly followed by less data than segment_size says).
 * Ports are swapped here; the checksum is the caller's. False: not answered.
 */
static bool
reset_fill(struct tcphdr *rst, const struct tcphdr *t, uint32_t segment_size)
{
	uint32_t header = t->doff * 4u, length;

	if (t->rst || header < sizeof(*t) || header > segment_size)
		return false;
	length = segment_size - header + t->syn + t->fin;
	memset(rst, 0, sizeof(*rst));
	rst->source = t->dest;
	rst->dest = t->source;
	rst->doff = sizeof(*rst) / 4;
	rst->rst = 1;
	if (t->ack) {
		rst->seq = t->ack_seq;
	} else {
		rst->ack = 1;
		rst->ack_seq = htonl(ntohl(t->seq) + length);
	}
	return true;
}

static void
header4(struct iphdr *h, const struct ps_answer *a, uint32_t src, uint32_t dst, uint8_t proto, uint32_t size)
{
	memset(h, 0, sizeof(*h));
	h->version = 4;
	h->ihl = 5;
	h->tot_len = htons((uint16_t)size);
	h->id = htons(a->id);
	h->ttl = ANSWER_TTL;
	h->protocol = proto;
	h->saddr = src;
	h->daddr = dst;
}

uint32_t
ps_answer_build4(const struct ps_answer *a, const uint8_t *ip, uint32_t size, uint32_t l4, uint8_t *out)
{
	struct iphdr in, *h = (struct iphdr *)out;
	struct icmphdr *icmp = (struct icmphdr *)(h + 1);
	uint32_t quoted, total, end;
	struct tcphdr tcp, *rst = (struct tcphdr *)(h + 1);
	struct error e;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, ip, sizeof(in));
	end = ntohs(in.tot_len);
	if (in.version != 4 || in.ihl < 5 || end < in.ihl * 4u || (ntohs(in.frag_off) & 0x1fff) != 0 ||
	    !single4(in.saddr) || !single4(in.daddr))
		return 0;
	if (l4 == 0)
		l4 = in.ihl * 4u;
	if (wants_reset(a->why, in.protocol)) {
		if (size < l4 + sizeof(tcp) || end < l4 + sizeof(tcp))
			return 0;
		memcpy(&tcp, ip + l4, sizeof(tcp));
		if (!reset_fill(rst, &tcp, end - l4))
			return 0;
		total = sizeof(*h) + sizeof(*rst);
		header4(h, a, in.daddr, in.saddr, IPPROTO_TCP, total);
		h->frag_off = htons(IP_DF);
		rst->check = ps_checksum_finish(ps_checksum_add(
			ps_checksum_pseudo4(&h->saddr, &h->daddr, IPPROTO_TCP, sizeof(*rst)), rst, sizeof(*rst)));
		h->check = ps_checksum_finish(ps_checksum_add(0, h, sizeof(*h)));
		return total;
	}
	if (!error4(a->why, &e) || !ps_addr_is_v4(&a->source))
		return 0;
	if (in.protocol == IPPROTO_ICMP && (size <= l4 || !query4(ip[l4])))
		return 0;
	quoted = end < size ? end : size;
	if (quoted > PS_ICMP4_ANSWER_MAX - sizeof(*h) - sizeof(*icmp))
		quoted = PS_ICMP4_ANSWER_MAX - sizeof(*h) - sizeof(*icmp);
	total = sizeof(*h) + sizeof(*icmp) + quoted;
	header4(h, a, ps_addr_v4(&a->source), in.saddr, IPPROTO_ICMP, total);
	h->tos = ERROR_TOS;
	memset(icmp, 0, sizeof(*icmp));
	icmp->type = e.type;
	icmp->code = e.code;
	if (a->why == PS_EXIT_TOO_BIG)
		icmp->un.frag.mtu = htons((uint16_t)(a->mtu > UINT16_MAX ? UINT16_MAX : a->mtu));
	memcpy(icmp + 1, ip, quoted);
	icmp->checksum = ps_checksum_finish(ps_checksum_add(0, icmp, sizeof(*icmp) + quoted));
	h->check = ps_checksum_finish(ps_checksum_add(0, h, sizeof(*h)));
	return total;
}

static void
header6(struct ip6_hdr *h, const void *src, const void *dst, uint8_t proto, uint32_t payload)
{
	memset(h, 0, sizeof(*h));
	h->ip6_flow = htonl(6u << 28);
	h->ip6_plen = htons((uint16_t)payload);
	h->ip6_nxt = proto;
	h->ip6_hlim = ANSWER_TTL;
	memcpy(&h->ip6_src, src, 16);
	memcpy(&h->ip6_dst, dst, 16);
}

uint32_t
ps_answer_build6(const struct ps_answer *a, const uint8_t *ip, uint32_t size, uint32_t l4, uint8_t proto,
		 uint8_t *out)
{
	struct ip6_hdr in, *h = (struct ip6_hdr *)out;
	struct icmp6_hdr *icmp = (struct icmp6_hdr *)(h + 1);
	uint32_t quoted, payload, end;
	struct tcphdr tcp, *rst = (struct tcphdr *)(h + 1);
	struct error e;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, ip, sizeof(in));
	end = sizeof(in) + ntohs(in.ip6_plen);
	/* Without an L4 header this is a later fragment. */
	if (l4 < sizeof(in) || l4 > end || !single6(&in.ip6_src) || !single6(&in.ip6_dst))
		return 0;
	if (wants_reset(a->why, proto)) {
		if (size < l4 + sizeof(tcp) || end < l4 + sizeof(tcp))
			return 0;
		memcpy(&tcp, ip + l4, sizeof(tcp));
		if (!reset_fill(rst, &tcp, end - l4))
			return 0;
		header6(h, &in.ip6_dst, &in.ip6_src, IPPROTO_TCP, sizeof(*rst));
		rst->check = ps_checksum_finish(ps_checksum_add(
			ps_checksum_pseudo6(&h->ip6_src, &h->ip6_dst, IPPROTO_TCP, sizeof(*rst)), rst, sizeof(*rst)));
		return sizeof(*h) + sizeof(*rst);
	}
	if (!error6(a->why, &e) || ps_addr_is_v4(&a->source))
		return 0;
	/* Errors are below 128; a redirect is never answered either (RFC 4443 2.4 (e)). */
	if (proto == IPPROTO_ICMPV6 && (size <= l4 || ip[l4] < 128 || ip[l4] == ND_REDIRECT))
		return 0;
	quoted = end < size ? end : size;
	if (quoted > PS_ANSWER_MAX - sizeof(*h) - sizeof(*icmp))
		quoted = PS_ANSWER_MAX - sizeof(*h) - sizeof(*icmp);
	payload = sizeof(*icmp) + quoted;
	header6(h, a->source.b, &in.ip6_src, IPPROTO_ICMPV6, payload);
	memset(icmp, 0, sizeof(*icmp));
	icmp->icmp6_type = e.type;
	icmp->icmp6_code = e.code;
	if (a->why == PS_EXIT_TOO_BIG)
		icmp->icmp6_mtu = htonl(a->mtu);
	memcpy(icmp + 1, ip, quoted);
	icmp->icmp6_cksum = ps_checksum_finish(
		ps_checksum_add(ps_checksum_pseudo6(&h->ip6_src, &h->ip6_dst, IPPROTO_ICMPV6, payload), icmp, payload));
	return sizeof(*h) + payload;
}
