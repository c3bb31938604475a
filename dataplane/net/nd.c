/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour discovery: RFC 4861 7, duplicate address detection: RFC 4862 5.4. Routers are configured, never learnt. */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/net_internal.h"

#define ETHERTYPE_IPV6_ 0x86dd
#define ND_HOP_LIMIT 255

static const struct ps_addr all_nodes = {.b = {0xff, 0x02, [15] = 1}};
static const struct ps_addr unspecified;

struct nd {
	struct ip6_hdr ip;
	struct nd_neighbor_solicit body; /* an advertisement has the same layout */
	struct nd_opt_hdr option;
	uint8_t mac[6];
} __attribute__((packed));
_Static_assert(sizeof(struct nd) == 72, "neighbour discovery packet");

static struct ps_addr
solicited_node(const struct ps_addr *a)
{
	/* RFC 4291 2.7.1 */
	struct ps_addr group = {
		.b = {0xff, 0x02, [11] = 0x01, [12] = 0xff, [13] = a->b[13], [14] = a->b[14], [15] = a->b[15]}};

	return group;
}

static void
group_mac(uint8_t mac[6], const struct ps_addr *group)
{
	/* RFC 2464 7 */
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->b + 12, 4);
}

/* option 0: none. l2 NULL: the group's. */
static void
emit(struct ps_net *net, uint32_t iface, uint8_t type, uint32_t flags, const struct ps_addr *src,
     const struct ps_addr *dst, const uint8_t *l2, const struct ps_addr *target, uint8_t option)
{
	uint8_t frame[PS_FRAME_MAX] = {0}, mac[6];
	uint32_t size, payload = option != 0 ? 32 : 24;
	struct nd *nd;

	if (l2 == NULL) {
		group_mac(mac, dst);
		l2 = mac;
	}
	size = ps_frame_header(net, iface, frame, l2, ETHERTYPE_IPV6_);
	nd = (struct nd *)(frame + size);
	nd->ip.ip6_flow = htonl(6u << 28);
	nd->ip.ip6_plen = htons((uint16_t)payload);
	nd->ip.ip6_nxt = IPPROTO_ICMPV6;
	nd->ip.ip6_hlim = ND_HOP_LIMIT;
	memcpy(&nd->ip.ip6_src, src->b, 16);
	memcpy(&nd->ip.ip6_dst, dst->b, 16);
	nd->body.nd_ns_type = type;
	nd->body.nd_ns_reserved = flags;
	memcpy(&nd->body.nd_ns_target, target->b, 16);
	if (option != 0) {
		nd->option.nd_opt_type = option;
		nd->option.nd_opt_len = 1;
		memcpy(nd->mac, net->port[net->iface[iface].port].mac, 6);
	}
	nd->body.nd_ns_cksum = ps_checksum_finish(ps_checksum_add(
		ps_checksum_pseudo6(src->b, dst->b, IPPROTO_ICMPV6, payload), &nd->body, payload));
	net->ops.send_frame(net->ops.arg, iface, frame, size + sizeof(struct ip6_hdr) + payload);
}

void
ps_nd_solicit(struct ps_net *net, uint32_t iface, const struct ps_addr *target, const uint8_t *mac)
{
	struct ps_addr source = net->iface[iface].link_local, group = solicited_node(target);

	ps_net_source(net, iface, target, &source);
	net->stats.ns_out++;
	emit(net, iface, ND_NEIGHBOR_SOLICIT, 0, &source, mac != NULL ? target : &group, mac, target,
	     ND_OPT_SOURCE_LINKADDR);
}

void
ps_nd_detect(struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	struct ps_addr group = solicited_node(addr);

	net->stats.ns_out++;
	emit(net, iface, ND_NEIGHBOR_SOLICIT, 0, &unspecified, &group, NULL, addr, 0);
}

void
ps_nd_announce(struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	net->stats.na_out++;
	emit(net, iface, ND_NEIGHBOR_ADVERT, ND_NA_FLAG_ROUTER | ND_NA_FLAG_OVERRIDE, &net->iface[iface].link_local,
	     &all_nodes, NULL, addr, ND_OPT_TARGET_LINKADDR);
}

/* The link-layer address in an option of this type; false when an option is malformed. mac NULL: absent. */
static bool
find_option(const uint8_t *options, uint32_t size, uint8_t type, const uint8_t **mac)
{
	*mac = NULL;
	while (size > 0) {
		uint32_t length;

		if (size < 8)
			return false;
		length = options[1] * 8u;
		if (length == 0 || length > size)
			return false;
		if (options[0] == type && length == 8)
			*mac = options + 2;
		options += length;
		size -= length;
	}
	return true;
}

/* A neighbour on this link, made when its address is on link here. */
static uint16_t
neighbour_of(struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	const struct net_iface *link = &net->iface[iface];
	uint16_t index = ps_neighbour_find(net, link->port, link->vlan, addr);

	if (index != 0 || net->live_routes == NULL)
		return index;
	if ((addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80) ||
	    ps_fib_lookup6(net->live_routes->fib, addr->b) == link->glean)
		return ps_neighbour_get(net, iface, link, addr);
	return 0;
}

static void
solicited(struct ps_net *net, uint32_t iface, const struct ps_addr *src, const struct ps_addr *dst,
	  const struct ps_addr *target, const uint8_t *l2_source, const uint8_t *mac, uint64_t now_ms)
{
	bool dad = ps_addr_equal(src, &unspecified);
	struct ps_addr group = solicited_node(target);
	const uint8_t *reply_to = mac != NULL ? mac : l2_source;
	uint16_t index;

	/* RFC 4861 7.1.1: a probe goes to the group and carries no link-layer address */
	if (dad && (mac != NULL || !ps_addr_equal(dst, &group))) {
		net->stats.malformed++;
		return;
	}
	if (!dad && ps_net_answers(net, iface, src)) {
		ps_net_conflict(net, iface, src, now_ms);
		return;
	}
	if (!ps_net_answers(net, iface, target))
		return;
	net->stats.na_out++;
	if (dad) {
		net->stats.conflicts++;
		ps_nd_announce(net, iface, target);
		return;
	}
	if (mac != NULL) {
		index = neighbour_of(net, iface, src);
		if (index != 0)
			ps_neighbour_learn(net, index, mac, false, now_ms);
	}
	emit(net, iface, ND_NEIGHBOR_ADVERT, ND_NA_FLAG_ROUTER | ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE, target, src,
	     reply_to, target, ND_OPT_TARGET_LINKADDR);
}

static void
advertised(struct ps_net *net, uint32_t iface, uint32_t flags, const struct ps_addr *target, const uint8_t *l2_source,
	   const uint8_t *mac, uint64_t now_ms)
{
	const struct net_iface *link = &net->iface[iface];
	const struct neighbour *n;
	uint16_t index;
	bool known;

	if (ps_net_answers(net, iface, target)) {
		ps_net_conflict(net, iface, target, now_ms);
		return;
	}
	/* RFC 4861 7.2.5: advertisements make no entry */
	index = ps_neighbour_find(net, link->port, link->vlan, target);
	if (index == 0)
		return;
	n = &net->neighbour[index];
	known = n->state == NB_REACHABLE || n->state == NB_STALE || n->state == NB_CONFIRMING;
	if (mac == NULL) {
		/* Allowed in answers to unicast solicitations, whose sender knows the address. */
		mac = known ? n->mac : l2_source;
	}
	if (known && !(flags & ND_NA_FLAG_OVERRIDE) && memcmp(mac, n->mac, 6) != 0)
		return;
	ps_neighbour_learn(net, index, mac, (flags & ND_NA_FLAG_SOLICITED) != 0, now_ms);
}

void
ps_nd_input(struct ps_net *net, uint32_t iface, const uint8_t *l2_source, const uint8_t *packet, uint32_t size,
	    uint64_t now_ms)
{
	struct ps_addr src, dst, target;
	const uint8_t *mac;
	uint32_t payload;
	struct nd nd;

	if (size < sizeof(nd.ip) + sizeof(nd.body))
		goto malformed;
	memcpy(&nd, packet, sizeof(nd.ip) + sizeof(nd.body));
	payload = ntohs(nd.ip.ip6_plen);
	/* RFC 4861 7.1: from this link, whole, and by its checksum */
	if (nd.ip.ip6_nxt != IPPROTO_ICMPV6)
		return;
	if (nd.body.nd_ns_type != ND_NEIGHBOR_SOLICIT && nd.body.nd_ns_type != ND_NEIGHBOR_ADVERT)
		return; /* router solicitations and advertisements, redirects: not for us */
	if (nd.ip.ip6_hlim != ND_HOP_LIMIT || payload < sizeof(nd.body) || payload > size - sizeof(nd.ip) ||
	    nd.body.nd_ns_code != 0)
		goto malformed;
	memcpy(src.b, &nd.ip.ip6_src, 16);
	memcpy(dst.b, &nd.ip.ip6_dst, 16);
	memcpy(target.b, &nd.body.nd_ns_target, 16);
	if (ps_checksum_finish(ps_checksum_add(ps_checksum_pseudo6(src.b, dst.b, IPPROTO_ICMPV6, payload),
					       packet + sizeof(nd.ip), payload)) != 0 ||
	    target.b[0] == 0xff || src.b[0] == 0xff)
		goto malformed;
	if (!find_option(packet + sizeof(nd.ip) + sizeof(nd.body), payload - sizeof(nd.body),
			 nd.body.nd_ns_type == ND_NEIGHBOR_SOLICIT ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR,
			 &mac))
		goto malformed;
	if (mac != NULL && (mac[0] & 1))
		goto malformed;
	if (nd.body.nd_ns_type == ND_NEIGHBOR_SOLICIT) {
		net->stats.ns_in++;
		solicited(net, iface, &src, &dst, &target, l2_source, mac, now_ms);
		return;
	}
	net->stats.na_in++;
	if ((nd.body.nd_ns_reserved & ND_NA_FLAG_SOLICITED) && dst.b[0] == 0xff)
		goto malformed;
	advertised(net, iface, nd.body.nd_ns_reserved, &target, l2_source, mac, now_ms);
	return;
malformed:
	net->stats.malformed++;
}
