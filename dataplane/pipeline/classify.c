/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classify: what a frame is, and whether it is well-formed. IPv4 and IPv6 headers are validated here (RFC
 * 1812 5.2.2, RFC 8200 4), so that later stages may read them without further checks; frames are
 * trimmed to what the IP header says.
 *
 * meta: reads port, flags (HANDED, RECHECKSUM); sets iface, l3, l4, proto, flags (V6, FRAGMENT), owner, exit.
 *
 * After this stage: the IP header and, for unfragmented TCP, UDP and ICMP, the L4 header lie in the first segment.
 * Whether the source address is one of our own is left to who makes flows: an established flow needs no such check.
 */
#include <netinet/in.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "dataplane/net/local.h"
#include "dataplane/pipeline/classify.h"
#include "dataplane/pipeline/owner.h"
#include "dataplane/pipeline/stage.h"

#define ETHERTYPE_IPV4 RTE_BE16(RTE_ETHER_TYPE_IPV4)
#define ETHERTYPE_IPV6 RTE_BE16(RTE_ETHER_TYPE_IPV6)
#define ETHERTYPE_ARP RTE_BE16(RTE_ETHER_TYPE_ARP)
#define ETHERTYPE_VLAN RTE_BE16(RTE_ETHER_TYPE_VLAN)
#define MAC_MASK 0xffffffffffffull

/* What the slow path must look at: tags taken off by the device, a bad verdict on the checksum. */
#define UNUSUAL_RX (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_IP_CKSUM_BAD)

#define ND_FIRST 133 /* RFC 4861: router solicitation ... redirect */
#define ND_LAST 137
#define IPV4_OPTION_LSRR 131 /* RFC 791; refused as RFC 7126 advises */
#define IPV4_OPTION_SSRR 137
#define MAX_EXTENSIONS 8
#define MAX_L4_OFFSET 255 /* meta.l4 is a byte */

static __rte_always_inline uint64_t
load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint32_t
load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __rte_always_inline uint16_t
load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/*
 * A right header's one's complement sum is all ones (RFC 1071), which is to say that its 16-bit words add up to a multiple of
 * 65535; 32-bit words do so just as well, and the compiler turns the question into one multiply.
 */
static __rte_always_inline bool
ipv4_checksum20_ok(const uint8_t *ip)
{
	uint64_t sum = (uint64_t)load32(ip) + load32(ip + 4) + load32(ip + 8) + load32(ip + 12) + load32(ip + 16);

	return sum % 0xffff == 0;
}

static bool
ipv4_checksum_ok(const uint8_t *ip, uint32_t size)
{
	return rte_raw_cksum(ip, size) == 0xffff;
}

/* Loopback, "this network", class D and E (RFC 1122 3.2.1.3). First byte of the address. */
static __rte_always_inline bool
ipv4_source_bad(uint8_t first)
{
	return first == 0 || first == 127 || first >= 224;
}

/* Neither a source nor a destination of the plain case; for the slow path to name. */
static __rte_always_inline bool
ipv4_unusual(uint8_t first)
{
	return (uint8_t)(first - 1) >= 223 || first == 127;
}

static void
trim(struct rte_mbuf *m, uint32_t size)
{
	if (m->pkt_len > size)
		rte_pktmbuf_trim(m, (uint16_t)RTE_MIN(m->pkt_len - size, (uint32_t)UINT16_MAX));
}

/* Makes the first `size` bytes contiguous. */
static bool
contiguous(struct rte_mbuf *m, uint32_t size)
{
	if (likely(m->data_len >= size))
		return true;
	return m->pkt_len >= size && rte_pktmbuf_linearize(m) == 0;
}

static uint16_t
find_iface(const struct ps_view *v, uint16_t port, uint16_t vid)
{
	uint16_t low = 0, high = v->port[port].vlans;

	if (vid == 0)
		return v->port[port].untagged;
	while (low < high) {
		uint16_t middle = (uint16_t)((low + high) / 2);

		if (v->port[port].vlan[middle].vid == vid)
			return v->port[port].vlan[middle].iface;
		if (v->port[port].vlan[middle].vid < vid)
			low = middle + 1;
		else
			high = middle;
	}
	return UINT16_MAX;
}

static rte_edge_t
spread(const struct ps_worker *w, struct rte_mbuf *m, rte_edge_t edge)
{
	struct ps_meta *meta = ps_meta(m);

	if (meta->flags & PS_META_F_HANDED)
		return edge;
	meta->owner = ps_owner(w, m);
	return meta->owner == w->index ? edge : (rte_edge_t)PS_CLASSIFY_HANDOFF;
}

/* TCP and UDP: header present and consistent with the IP payload. size: bytes from the L4 header on. */
static __rte_always_inline bool
l4_ok(const uint8_t *l4, uint32_t size, uint8_t proto)
{
	if (proto == IPPROTO_TCP) {
		uint32_t header = (l4[12] >> 4) * 4u;

		return header >= sizeof(struct rte_tcp_hdr) && header <= size;
	}
	return rte_be_to_cpu_16(load16(l4 + 4)) >= sizeof(struct rte_udp_hdr) &&
	       rte_be_to_cpu_16(load16(l4 + 4)) <= size;
}

/* Neither TCP, UDP nor ICMP: the kernel may know it when it is for us. */
static rte_edge_t
other_protocol(const struct ps_worker *w, struct rte_mbuf *m, const struct ps_addr *dst)
{
	if (ps_local_find(w->view->local, dst) != 0)
		return ps_exit_to(m, PS_EXIT_NO_LISTENER, PS_CLASSIFY_PUNT);
	return ps_exit_to(m, PS_EXIT_NOT_FORWARDED, PS_CLASSIFY_DROP);
}

static bool
ipv4_routes_itself(const uint8_t *option, uint32_t size)
{
	uint32_t i = 0;

	while (i < size && option[i] != 0) {
		if (option[i] == IPV4_OPTION_LSRR || option[i] == IPV4_OPTION_SSRR)
			return true;
		if (option[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= size || option[i + 1] < 2 || option[i + 1] > size - i)
			return true;
		i += option[i + 1];
	}
	return false;
}

/* Any IPv4 packet; l3: offset of its header. */
static __rte_noinline rte_edge_t
ipv4(const struct ps_worker *w, struct rte_mbuf *m, uint32_t l3)
{
	struct ps_meta *meta = ps_meta(m);
	uint64_t verdict = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint32_t header, total;
	const uint8_t *ip;
	struct ps_addr dst;

	if (!contiguous(m, l3 + sizeof(struct rte_ipv4_hdr)))
		return ps_exit_to(m, PS_EXIT_IP_MALFORMED, PS_CLASSIFY_DROP);
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
	header = (ip[0] & 15u) * 4;
	total = rte_be_to_cpu_16(load16(ip + 2));
	if (ip[0] >> 4 != 4 || header < sizeof(struct rte_ipv4_hdr) || total < header || l3 + total > m->pkt_len ||
	    !contiguous(m, l3 + header))
		return ps_exit_to(m, PS_EXIT_IP_MALFORMED, PS_CLASSIFY_DROP);
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
	if (verdict == RTE_MBUF_F_RX_IP_CKSUM_BAD ||
	    (verdict != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !ipv4_checksum_ok(ip, header)))
		return ps_exit_to(m, PS_EXIT_IP_CHECKSUM, PS_CLASSIFY_DROP);
	if (ipv4_source_bad(ip[12]) || ip[16] == 127 || ip[16] == 0)
		return ps_exit_to(m, PS_EXIT_IP_MARTIAN, PS_CLASSIFY_DROP);
	if (header > sizeof(struct rte_ipv4_hdr) &&
	    ipv4_routes_itself(ip + sizeof(struct rte_ipv4_hdr), header - sizeof(struct rte_ipv4_hdr)))
		return ps_exit_to(m, PS_EXIT_IP_OPTIONS, PS_CLASSIFY_DROP);
	trim(m, l3 + total);
	meta->l3 = (uint8_t)l3;
	meta->l4 = (uint8_t)header;
	meta->proto = ip[9];
	if (load16(ip + 6) & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) {
		meta->flags |= PS_META_F_FRAGMENT;
		if (load16(ip + 6) & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
			meta->l4 = 0;
		return PS_CLASSIFY_FRAGMENT;
	}
	if (ip[16] >= 224) /* multicast and limited broadcast: nothing here is served that way */
		return ps_exit_to(m, PS_EXIT_NOT_FORWARDED, PS_CLASSIFY_DROP);
	switch (meta->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP: {
		uint32_t least = meta->proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);

		if (total < header + least || !contiguous(m, l3 + header + least) ||
		    !l4_ok(rte_pktmbuf_mtod_offset(m, const uint8_t *, l3 + header), total - header, meta->proto))
			return ps_exit_to(m, PS_EXIT_L4_MALFORMED, PS_CLASSIFY_DROP);
		if (w->port_spread[meta->port])
			return spread(w, m, PS_CLASSIFY_FLOW4);
		return PS_CLASSIFY_FLOW4;
	}
	case IPPROTO_ICMP:
		if (total < header + 8 || !contiguous(m, l3 + RTE_MIN(total, header + 128u)))
			return ps_exit_to(m, PS_EXIT_ICMP_MALFORMED, PS_CLASSIFY_DROP);
		if (w->port_spread[meta->port])
			return spread(w, m, PS_CLASSIFY_ICMP);
		return PS_CLASSIFY_ICMP;
	default:
		dst = ps_addr_from_v4(load32(ip + 16));
		return other_protocol(w, m, &dst);
	}
}

/*
 * Follows IPv6 extension headers (RFC 8200 4) from *proto at *at. False: not to be followed. A fragment
 * header ends the walk of later fragments: *later.
 */
static bool
ipv6_extensions(struct rte_mbuf *m, uint32_t l3, uint32_t total, uint8_t *proto, uint32_t *at, bool *later)
{
	for (uint32_t i = 0; i <= MAX_EXTENSIONS; i++) {
		const uint8_t *h;
		uint32_t size = 8;

		if (*proto != IPPROTO_HOPOPTS && *proto != IPPROTO_ROUTING && *proto != IPPROTO_DSTOPTS &&
		    *proto != IPPROTO_FRAGMENT)
			return true;
		if (*at + 8 > total || !contiguous(m, l3 + *at + 8))
			return false;
		h = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3 + *at);
		if (*proto == IPPROTO_FRAGMENT) {
			if (load16(h + 2) & RTE_BE16(0xfff9)) { /* offset or more: not an atomic one (RFC 6946) */
				ps_meta(m)->flags |= PS_META_F_FRAGMENT;
				*later = (load16(h + 2) & RTE_BE16(0xfff8)) != 0;
			}
		} else {
			size = (h[1] + 1u) * 8;
			if (*proto == IPPROTO_ROUTING && h[3] != 0) /* segments left: not ours to follow (RFC 5095) */
				return false;
			if (*proto == IPPROTO_HOPOPTS && i != 0)
				return false;
		}
		*proto = h[0];
		*at += size;
		if (*at > total || *at > MAX_L4_OFFSET)
			return false;
		if (*later)
			return true;
	}
	return false;
}

static rte_edge_t
ipv6_icmp(const struct ps_worker *w, struct rte_mbuf *m, uint32_t l3, uint32_t at, uint32_t total)
{
	const uint8_t *icmp;

	if (total < at + 8 || !contiguous(m, l3 + RTE_MIN(total, at + 128u)))
		return ps_exit_to(m, PS_EXIT_ICMP_MALFORMED, PS_CLASSIFY_DROP);
	icmp = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3 + at);
	if (icmp[0] >= ND_FIRST && icmp[0] <= ND_LAST)
		return ps_exit_to(m, PS_EXIT_TO_MAIN, PS_CLASSIFY_TO_MAIN);
	if (w->port_spread[ps_meta(m)->port])
		return spread(w, m, PS_CLASSIFY_ICMP);
	return PS_CLASSIFY_ICMP;
}

static __rte_noinline rte_edge_t
ipv6(const struct ps_worker *w, struct rte_mbuf *m, uint32_t l3)
{
	static const uint8_t unspecified[16], loopback[16] = {[15] = 1};
	struct ps_meta *meta = ps_meta(m);
	uint32_t at = sizeof(struct rte_ipv6_hdr), total, least;
	bool later = false;
	struct ps_addr dst;
	const uint8_t *ip;
	uint8_t proto;

	if (!contiguous(m, l3 + sizeof(struct rte_ipv6_hdr)))
		return ps_exit_to(m, PS_EXIT_IP_MALFORMED, PS_CLASSIFY_DROP);
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
	total = (uint32_t)sizeof(struct rte_ipv6_hdr) + rte_be_to_cpu_16(load16(ip + 4));
	if (ip[0] >> 4 != 6 || l3 + total > m->pkt_len)
		return ps_exit_to(m, PS_EXIT_IP_MALFORMED, PS_CLASSIFY_DROP);
	if (ip[8] == 0xff || memcmp(ip + 8, loopback, 16) == 0 || memcmp(ip + 24, loopback, 16) == 0 ||
	    memcmp(ip + 24, unspecified, 16) == 0)
		return ps_exit_to(m, PS_EXIT_IP_MARTIAN, PS_CLASSIFY_DROP);
	trim(m, l3 + total);
	meta->flags |= PS_META_F_V6;
	meta->l3 = (uint8_t)l3;
	proto = ip[6];
	if (!ipv6_extensions(m, l3, total, &proto, &at, &later))
		return ps_exit_to(m, PS_EXIT_IP_OPTIONS, PS_CLASSIFY_DROP);
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, l3);
	meta->proto = proto;
	meta->l4 = later ? 0 : (uint8_t)at;
	/* Duplicate address detection comes from the unspecified address (RFC 4862 5.4.2), nothing else does. */
	if (memcmp(ip + 8, unspecified, 16) == 0 && proto != IPPROTO_ICMPV6)
		return ps_exit_to(m, PS_EXIT_IP_MARTIAN, PS_CLASSIFY_DROP);
	if (meta->flags & PS_META_F_FRAGMENT)
		return PS_CLASSIFY_FRAGMENT;
	if (proto == IPPROTO_ICMPV6)
		return ipv6_icmp(w, m, l3, at, total);
	if (ip[24] == 0xff)
		return ps_exit_to(m, PS_EXIT_NOT_FORWARDED, PS_CLASSIFY_DROP);
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP) {
		memcpy(dst.b, ip + 24, 16);
		return other_protocol(w, m, &dst);
	}
	least = proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);
	if (total < at + least || !contiguous(m, l3 + at + least) ||
	    !l4_ok(rte_pktmbuf_mtod_offset(m, const uint8_t *, l3 + at), total - at, proto))
		return ps_exit_to(m, PS_EXIT_L4_MALFORMED, PS_CLASSIFY_DROP);
	if (w->port_spread[meta->port])
		return spread(w, m, PS_CLASSIFY_FLOW6);
	return PS_CLASSIFY_FLOW6;
}

/* A group address: only neighbour discovery and ARP are listened to. */
static bool
group_wanted(const uint8_t *frame, uint16_t type)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (type == ETHERTYPE_ARP)
		return memcmp(frame, broadcast, 6) == 0;
	return type == ETHERTYPE_IPV6 && frame[0] == 0x33 && frame[1] == 0x33;
}

/*
 * The plain IPv6 case: untagged, to our MAC, TCP or UDP right behind the header, one segment. False: not that plain.
 * Addresses that begin with eight zero bytes (unspecified, loopback, mapped) are left to the long way.
 */
static __rte_always_inline bool
ipv6_plain(const struct ps_worker *w, struct rte_mbuf *m)
{
	const uint32_t l3 = sizeof(struct rte_ether_hdr), l4 = sizeof(struct rte_ipv6_hdr);
	const uint8_t *head = rte_pktmbuf_mtod(m, const uint8_t *), *ip = head + l3;
	struct ps_meta *meta = ps_meta(m);
	uint16_t iface = w->view->port[meta->port].untagged;
	uint32_t payload, least;

	if (m->nb_segs != 1 || m->data_len < l3 + l4 + sizeof(struct rte_udp_hdr) ||
	    (load32(head + 12) & 0xf0ffff) != (ETHERTYPE_IPV6 | 0x60u << 16) ||
	    (load64(head) & MAC_MASK) != w->port_mac[meta->port] || (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) ||
	    iface == UINT16_MAX || ip[8] == 0xff || ip[24] == 0xff || load64(ip + 8) == 0 || load64(ip + 24) == 0)
		return false;
	payload = rte_be_to_cpu_16(load16(ip + 4));
	least = ip[6] == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);
	if ((ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP) || payload < least || l3 + l4 + payload > m->data_len ||
	    !l4_ok(ip + l4, payload, ip[6]))
		return false;
	m->data_len = (uint16_t)(l3 + l4 + payload);
	m->pkt_len = m->data_len;
	meta->iface = iface;
	meta->l3 = (uint8_t)l3;
	meta->l4 = (uint8_t)l4;
	meta->proto = ip[6];
	meta->flags |= PS_META_F_V6;
	return true;
}

/* Everything that the fast path does not take. */
static __rte_noinline rte_edge_t
frame(const struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	uint32_t l3 = sizeof(struct rte_ether_hdr);
	const uint8_t *head;
	uint16_t type, vid = 0, iface;
	rte_edge_t edge;

	if (ipv6_plain(w, m))
		return w->port_spread[meta->port] ? spread(w, m, PS_CLASSIFY_FLOW6) : PS_CLASSIFY_FLOW6;
	if (!contiguous(m, sizeof(struct rte_ether_hdr)))
		return ps_exit_to(m, PS_EXIT_ETHERTYPE_UNKNOWN, PS_CLASSIFY_DROP);
	head = rte_pktmbuf_mtod(m, const uint8_t *);
	type = load16(head + 12);
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		vid = m->vlan_tci & 0xfff;
	} else if (type == ETHERTYPE_VLAN) {
		if (!contiguous(m, l3 + sizeof(struct rte_vlan_hdr)))
			return ps_exit_to(m, PS_EXIT_ETHERTYPE_UNKNOWN, PS_CLASSIFY_DROP);
		head = rte_pktmbuf_mtod(m, const uint8_t *);
		vid = rte_be_to_cpu_16(load16(head + 14)) & 0xfff;
		type = load16(head + 16);
		l3 += sizeof(struct rte_vlan_hdr);
	}
	if ((head[0] & 1) ? !group_wanted(head, type)
			  : (load64(head) & MAC_MASK) != w->port_mac[meta->port])
		return ps_exit_to(m, PS_EXIT_NOT_FOR_US_L2, PS_CLASSIFY_DROP);
	iface = find_iface(w->view, meta->port, vid);
	if (iface == UINT16_MAX)
		return ps_exit_to(m, PS_EXIT_VLAN_UNKNOWN, PS_CLASSIFY_DROP);
	meta->iface = iface;
	meta->l3 = (uint8_t)l3;
	switch (type) {
	case ETHERTYPE_IPV4:
		return ipv4(w, m, l3);
	case ETHERTYPE_IPV6:
		edge = ipv6(w, m, l3);
		/* The filter above let every group through: only neighbour discovery stays. */
		if ((rte_pktmbuf_mtod(m, const uint8_t *)[0] & 1) && edge != PS_CLASSIFY_TO_MAIN &&
		    edge != PS_CLASSIFY_DROP)
			return ps_exit_to(m, PS_EXIT_NOT_FOR_US_L2, PS_CLASSIFY_DROP);
		return edge;
	case ETHERTYPE_ARP:
		if (!contiguous(m, l3 + sizeof(struct rte_arp_hdr)))
			return ps_exit_to(m, PS_EXIT_IP_MALFORMED, PS_CLASSIFY_DROP);
		return ps_exit_to(m, PS_EXIT_TO_MAIN, PS_CLASSIFY_TO_MAIN);
	default:
		return ps_exit_to(m, PS_EXIT_ETHERTYPE_UNKNOWN, PS_CLASSIFY_DROP);
	}
}

/*
 * The plain case is decided by a handful of compares that are all true: untagged, to our MAC, IPv4 of 20 bytes, no
 * fragment, unicast source, right checksum, TCP or UDP, one segment. Anything else goes the long way.
 */
static __rte_always_inline rte_edge_t
classify_one(struct ps_worker *w, struct rte_mbuf *m)
{
	const uint8_t *head = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = head + sizeof(struct rte_ether_hdr);
	struct ps_meta *meta = ps_meta(m);
	uint16_t port = meta->port, iface;
	uint32_t total, proto;

	/* 54: the smallest TCP packet; a shorter UDP packet takes the long way unless it is padded to the minimum. */
	if (unlikely(m->data_len < 54 || m->nb_segs != 1))
		return frame(w, m);
	total = rte_be_to_cpu_16(load16(ip + 2));
	proto = ip[9];
	iface = w->view->port[port].untagged;
	if (unlikely((load64(head) & MAC_MASK) != w->port_mac[port] ||
		     ((load32(head + 12) ^ (ETHERTYPE_IPV4 | 0x45u << 16)) & 0xffffff) != 0 ||
		     (load16(ip + 6) & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0 ||
		     (m->ol_flags & UNUSUAL_RX) != 0 || (proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
		     ipv4_unusual(ip[12]) || ipv4_unusual(ip[16]) || iface == UINT16_MAX ||
		     total + sizeof(struct rte_ether_hdr) > m->data_len || !ipv4_checksum20_ok(ip)))
		return frame(w, m);
	if (unlikely(total < sizeof(struct rte_ipv4_hdr) +
				     (proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)) ||
		     !l4_ok(ip + sizeof(struct rte_ipv4_hdr), total - sizeof(struct rte_ipv4_hdr), (uint8_t)proto)))
		return frame(w, m); /* it will find the right name */
	m->data_len = (uint16_t)(total + sizeof(struct rte_ether_hdr));
	m->pkt_len = m->data_len;
	meta->iface = iface;
	meta->l3 = sizeof(struct rte_ether_hdr);
	meta->l4 = sizeof(struct rte_ipv4_hdr);
	meta->proto = (uint8_t)proto;
	if (unlikely(w->port_spread[port]))
		return spread(w, m, PS_CLASSIFY_FLOW4);
	return PS_CLASSIFY_FLOW4;
}

static uint16_t
classify(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	const struct ps_worker *w = ps_node_worker(node);

	if (unlikely(w->view == NULL)) {
		for (uint16_t i = 0; i < n; i++)
			ps_meta((struct rte_mbuf *)objs[i])->exit = PS_EXIT_NO_SNAPSHOT;
		rte_node_next_stream_move(graph, node, PS_CLASSIFY_DROP);
		return n;
	}
	return ps_stage_run_warm(graph, node, objs, n, classify_one);
}

rte_edge_t
ps_classify_packet(struct ps_worker *w, struct rte_mbuf *m)
{
	return classify_one(w, m);
}

static struct rte_node_register classify_node = {
	.name = "classify",
	.process = classify,
	.init = ps_stage_init,
	.nb_edges = PS_CLASSIFY_EDGES,
	.next_nodes = PS_CLASSIFY_EDGE_NAMES,
};
PS_STAGE_REGISTER(classify_node, 0)
