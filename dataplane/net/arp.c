/* SPDX-License-Identifier: Apache-2.0 */
/* ARP over Ethernet for IPv4: RFC 826, RFC 5227. */
#include <arpa/inet.h>

#include "dataplane/net/net_internal.h"

#define ETHERTYPE_ARP_ 0x0806

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
	uint16_t hardware, protocol;
	uint8_t hardware_size, protocol_size;
	uint16_t operation;
	uint8_t sender_mac[6];
	uint8_t sender[4];
	uint8_t target_mac[6];
	uint8_t target[4];
} __attribute__((packed));
_Static_assert(sizeof(struct arp) == 28, "ARP packet");

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct ps_addr
addr_of(const uint8_t b[4])
{
	uint32_t v4;

	memcpy(&v4, b, sizeof(v4));
	return ps_addr_from_v4(v4);
}

static void
emit(struct ps_net *net, uint32_t iface, uint16_t operation, const uint8_t *l2, const uint8_t sender[4],
     const uint8_t *target_mac, const uint8_t target[4])
{
	uint8_t frame[PS_FRAME_MAX] = {0};
	uint32_t size = ps_frame_header(net, iface, frame, l2, ETHERTYPE_ARP_);
	struct arp *a = (struct arp *)(frame + size);

	a->hardware = htons(1);
	a->protocol = htons(0x0800);
	a->hardware_size = 6;
	a->protocol_size = 4;
	a->operation = htons(operation);
	memcpy(a->sender_mac, net->port[net->iface[iface].port].mac, 6);
	memcpy(a->sender, sender, 4);
	if (target_mac != NULL)
		memcpy(a->target_mac, target_mac, 6);
	memcpy(a->target, target, 4);
	size += sizeof(*a);
	net->ops.send_frame(net->ops.arg, iface, frame, size);
}

void
ps_arp_request(struct ps_net *net, uint32_t iface, const struct ps_addr *target, const uint8_t *mac)
{
	/* Without an address of our own: an ARP probe, which is answered all the same (RFC 5227 1.1). */
	struct ps_addr source = ps_addr_from_v4(0);

	ps_net_source(net, iface, target, &source);
	net->stats.arp_requests_out++;
	emit(net, iface, ARP_REQUEST, mac != NULL ? mac : broadcast, source.b + 12, NULL, target->b + 12);
}

/* RFC 5227 3: announcements are requests. */
void
ps_arp_announce(struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	emit(net, iface, ARP_REQUEST, broadcast, addr->b + 12, NULL, addr->b + 12);
}

static bool
usable_sender(const struct arp *a)
{
	static const uint8_t zero[6];

	return !(a->sender_mac[0] & 1) && memcmp(a->sender_mac, zero, 6) != 0;
}

void
ps_arp_input(struct ps_net *net, uint32_t iface, const uint8_t *packet, uint32_t size, uint64_t now_ms)
{
	const struct net_iface *link = &net->iface[iface];
	static const uint8_t nobody[4];
	struct ps_addr sender, target;
	bool for_us, probe;
	uint16_t index;
	struct arp a;

	if (size < sizeof(a))
		goto malformed;
	memcpy(&a, packet, sizeof(a));
	if (ntohs(a.hardware) != 1 || ntohs(a.protocol) != 0x0800 || a.hardware_size != 6 || a.protocol_size != 4 ||
	    !usable_sender(&a))
		goto malformed;
	switch (ntohs(a.operation)) {
	case ARP_REQUEST:
		net->stats.arp_requests_in++;
		break;
	case ARP_REPLY:
		net->stats.arp_replies_in++;
		break;
	default:
		goto malformed;
	}
	if (memcmp(a.sender_mac, net->port[link->port].mac, 6) == 0)
		return;
	sender = addr_of(a.sender);
	target = addr_of(a.target);
	probe = memcmp(a.sender, nobody, 4) == 0;
	for_us = ps_net_answers(net, iface, &target);
	if (!probe && ps_net_answers(net, iface, &sender)) {
		ps_net_conflict(net, iface, &sender, now_ms);
		return;
	}
	if (!probe) {
		/* RFC 826: merge; make an entry only when we are the target. A sender off this link makes none. */
		index = ps_neighbour_find(net, link->port, link->vlan, &sender);
		if (index == 0 && for_us && ntohs(a.operation) == ARP_REQUEST && net->live_routes != NULL) {
			uint16_t via = ps_fib_lookup4(net->live_routes->fib, ps_addr_v4(&sender));

			if (via != 0 && via == link->glean)
				index = ps_neighbour_get(net, iface, link, &sender);
		}
		if (index != 0)
			ps_neighbour_learn(net, index, a.sender_mac, true, now_ms);
	}
	if (ntohs(a.operation) == ARP_REQUEST && for_us) {
		net->stats.arp_replies_out++;
		emit(net, iface, ARP_REPLY, a.sender_mac, a.target, a.sender_mac, a.sender);
	}
	return;
malformed:
	net->stats.malformed++;
}
