/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses that we answer for, and their announcement: gratuitous ARP (RFC 5227 3) and unsolicited
 * neighbour advertisement (RFC 4861 7.2.6), a few times each, paced so that thousands of VIPs do not burst.
 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/net_internal.h"

static bool
held_by(const struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < net->addresses; i++)
		if ((iface == PS_NONE || net->address[i].iface == iface) && ps_prefix_holds(&net->address[i], addr))
			return true;
	return false;
}

static bool
is_iface_address(const struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	uint32_t i;

	if (ps_addr_equal(&net->iface[iface].link_local, addr))
		return true;
	for (i = 0; i < net->addresses; i++)
		if (net->address[i].iface == iface && ps_addr_equal(&net->address[i].addr, addr))
			return true;
	return false;
}

bool
ps_net_answers(const struct ps_net *net, uint32_t iface, const struct ps_addr *addr)
{
	uint32_t flags = net->live_locals != NULL ? ps_local_find(net->live_locals->set, addr) : 0;

	if (flags == 0)
		return false;
	if (is_iface_address(net, iface, addr))
		return true;
	/* Another interface's own address is answered there alone (strong host). */
	if ((flags & PS_LOCAL_IFACE) || !(flags & (PS_LOCAL_ANNOUNCE | PS_LOCAL_SNAT)))
		return false;
	return held_by(net, iface, addr) || !held_by(net, PS_NONE, addr);
}

static void
announce_on(struct ps_net *net, uint32_t iface, const struct owned *o)
{
	net->stats.announcements++;
	if (ps_addr_is_v4(&o->addr)) {
		ps_arp_announce(net, iface, &o->addr);
		return;
	}
	if (o->dad && o->left == PS_ANNOUNCE_TIMES)
		ps_nd_detect(net, iface, &o->addr);
	ps_nd_announce(net, iface, &o->addr);
}

static uint32_t
announce(struct ps_net *net, const struct owned *o)
{
	bool anywhere;
	uint32_t i, sent = 0;

	if (o->iface != PS_NONE) {
		announce_on(net, o->iface, o);
		return 1;
	}
	anywhere = !held_by(net, PS_NONE, &o->addr);
	for (i = 0; i < net->ifaces; i++) {
		if (!anywhere && !held_by(net, i, &o->addr))
			continue;
		announce_on(net, i, o);
		sent++;
	}
	return sent;
}

void
ps_announce_tick(struct ps_net *net, uint64_t now_ms)
{
	uint32_t budget = PS_ANNOUNCE_PER_TICK, seen;

	for (seen = 0; seen < net->owneds && budget > 0; seen++) {
		struct owned *o = &net->owned[net->announce_at++ % net->owneds];
		uint32_t sent;

		if (o->left == 0 || now_ms < o->due_ms)
			continue;
		sent = announce(net, o);
		budget -= sent < budget ? sent : budget;
		o->left--;
		o->due_ms = now_ms + PS_ANNOUNCE_GAP_MS;
	}
}

void
ps_net_announce(struct ps_net *net, uint64_t now_ms)
{
	uint32_t i;

	for (i = 0; i < net->owneds; i++) {
		net->owned[i].left = PS_ANNOUNCE_TIMES;
		net->owned[i].due_ms = now_ms;
	}
}

void
ps_net_link(struct ps_net *net, uint32_t port, bool up, uint64_t now_ms)
{
	uint32_t i;

	if (!up)
		return;
	for (i = 0; i < net->owneds; i++) {
		struct owned *o = &net->owned[i];

		if (o->iface != PS_NONE && net->iface[o->iface].port != port)
			continue;
		o->left = PS_ANNOUNCE_TIMES;
		o->due_ms = now_ms;
	}
	/* A neighbour may have moved while the link was down. */
	for (i = 1; i < net->first_unused; i++) {
		struct neighbour *n = &net->neighbour[i];

		if (net->adjacency[i].port != port)
			continue;
		if (n->state == NB_REACHABLE || n->state == NB_STALE) {
			n->state = NB_STALE;
			n->due_ms = now_ms;
		} else if (n->state == NB_FAILED) {
			n->due_ms = now_ms;
		}
	}
}

static int
by_address(const void *pa, const void *pb)
{
	const struct owned *a = pa, *b = pb;
	int rc = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));

	if (rc != 0)
		return rc;
	/* an interface's own address comes before a VIP of the same value */
	return (a->iface > b->iface) - (a->iface < b->iface);
}

/* Addresses that were ours before keep their timers; new ones are announced. */
int
ps_announce_load(struct ps_net *net, const struct ps_snapshot *s, uint64_t now_ms)
{
	uint32_t vips = ps_snapshot_length(s, PS_SEC_VIP), snats = ps_snapshot_length(s, PS_SEC_SNAT_ADDRESS);
	struct owned *list = calloc(net->addresses + net->ifaces + vips + snats + 1, sizeof(*list));
	uint32_t length = 0, kept = 0, old = 0, i;

	if (list == NULL)
		return -ENOMEM;
	for (i = 0; i < net->addresses; i++)
		list[length++] = (struct owned){.addr = net->address[i].addr, .iface = net->address[i].iface, .dad = true};
	for (i = 0; i < net->ifaces; i++)
		list[length++] = (struct owned){.addr = net->iface[i].link_local, .iface = i, .dad = true};
	for (i = 0; i < vips; i++) {
		const struct ps_vip *v = ps_snapshot_item(s, PS_SEC_VIP, i);

		if (v->flags & PS_VIP_F_ANNOUNCE)
			list[length++] = (struct owned){.addr = v->addr, .iface = PS_NONE};
	}
	for (i = 0; i < snats; i++) {
		const struct ps_snat_address *a = ps_snapshot_item(s, PS_SEC_SNAT_ADDRESS, i);

		list[length++] = (struct owned){.addr = a->addr, .iface = PS_NONE};
	}
	qsort(list, length, sizeof(*list), by_address);
	for (i = 0; i < length; i++) {
		/* One interface address and one shared one of the same value are one. */
		if (kept > 0 && ps_addr_equal(&list[i].addr, &list[kept - 1].addr) &&
		    (list[i].iface == PS_NONE || list[i].iface == list[kept - 1].iface))
			continue;
		list[kept] = list[i];
		list[kept].left = PS_ANNOUNCE_TIMES;
		list[kept].due_ms = now_ms;
		while (old < net->owneds && by_address(&net->owned[old], &list[kept]) < 0)
			old++;
		if (old < net->owneds && by_address(&net->owned[old], &list[kept]) == 0)
			list[kept] = net->owned[old];
		kept++;
	}
	free(net->owned);
	net->owned = list;
	net->owneds = kept;
	net->announce_at = 0;
	return 0;
}

void
ps_net_conflict(struct ps_net *net, uint32_t iface, const struct ps_addr *addr, uint64_t now_ms)
{
	uint32_t i;

	net->stats.conflicts++;
	/* RFC 5227 2.4 (b): defend, but not in a war of announcements. VIPs may be shared on purpose. */
	for (i = 0; i < net->owneds; i++) {
		struct owned *o = &net->owned[i];

		if (o->iface != iface || !ps_addr_equal(&o->addr, addr))
			continue;
		if (o->defended_ms == 0 || now_ms - o->defended_ms >= PS_DEFEND_MS) {
			o->defended_ms = now_ms;
			announce_on(net, iface, o);
		}
		return;
	}
}
