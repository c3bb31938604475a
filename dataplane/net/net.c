/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/net/net_internal.h"

#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_ARP_ 0x0806
#define ETHERTYPE_IPV6_ 0x86dd

int
ps_net_new(struct ps_net **out, const struct ps_net_config *config)
{
	struct ps_net *net = calloc(1, sizeof(*net));

	if (net == NULL)
		return -ENOMEM;
	net->ops = config->ops;
	net->adjacency = config->adjacency;
	net->adjacencies = config->adjacencies < PS_MAX_ADJACENCIES ? config->adjacencies : PS_MAX_ADJACENCIES;
	net->neighbours_max = config->neighbours ? config->neighbours : 1;
	net->routes_max = config->routes;
	net->ports = config->ports;
	memcpy(net->port, config->port, config->ports * sizeof(*config->port));
	net->random = config->random | 1;
	net->first_unused = 1;
	net->resting_first = net->resting_last = PS_NONE;
	net->neighbour = calloc(net->adjacencies, sizeof(*net->neighbour));
	net->hosts = ps_hosts_new(net->adjacency, net->neighbours_max);
	if (net->neighbour == NULL || net->hosts == NULL) {
		ps_net_free(net);
		return -ENOMEM;
	}
	*out = net;
	return 0;
}

uint32_t
ps_net_random(struct ps_net *net)
{
	net->random ^= net->random << 13;
	net->random ^= net->random >> 17;
	net->random ^= net->random << 5;
	return net->random;
}

static void
routes_put(struct ps_net *net, struct routes *r)
{
	uint32_t i;

	if (r == NULL || --r->references > 0)
		return;
	for (i = 0; i < r->pinned_length; i++)
		ps_neighbour_unpin(net, r->pinned[i]);
	ps_fib_free(r->fib);
	free(r->pinned);
	free(r);
}

static void
locals_put(struct locals *l)
{
	if (l == NULL || --l->references > 0)
		return;
	ps_local_free(l->set);
	free(l);
}

void
ps_net_free(struct ps_net *net)
{
	uint32_t i;

	if (net == NULL)
		return;
	for (i = 1; net->neighbour != NULL && i < net->first_unused; i++)
		while (net->neighbour[i].held > 0)
			net->ops.drop(net->ops.arg, net->neighbour[i].packet[--net->neighbour[i].held],
				      PS_EXIT_UNREACH_NO_NEIGHBOUR);
	/* Views that were never released do not keep these alive: nobody may use them any more. */
	routes_put(net, net->routes);
	routes_put(net, net->live_routes);
	locals_put(net->locals);
	locals_put(net->live_locals);
	ps_hosts_free(net->hosts);
	free(net->neighbour);
	free(net->address);
	free(net->owned);
	free(net);
}

struct ps_addr
ps_link_local(const uint8_t mac[6])
{
	/* RFC 4291 2.5.6 and appendix A: modified EUI-64 */
	struct ps_addr a = {.b = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};

	return a;
}

static uint64_t
section_digest(const struct ps_snapshot *s, enum ps_section_id id, uint64_t seed)
{
	return ps_digest(ps_snapshot_item(s, id, 0),
			 (size_t)ps_snapshot_length(s, id) * s->section[id].item_size, seed ^ (id + 1));
}

/* Interfaces without their names, whose string offsets move between equal configurations. */
static uint64_t
iface_digest(const struct ps_snapshot *s)
{
	uint64_t digest = 1;
	uint32_t i;

	for (i = 0; i < ps_snapshot_length(s, PS_SEC_IFACE); i++) {
		struct ps_iface iface = *(const struct ps_iface *)ps_snapshot_item(s, PS_SEC_IFACE, i);

		iface.name = 0;
		digest = ps_digest(&iface, sizeof(iface), digest);
	}
	return digest;
}

static void
link_of(const struct ps_net *net, const struct ps_snapshot *s, uint32_t iface, struct net_iface *link)
{
	const struct ps_iface *i = ps_snapshot_item(s, PS_SEC_IFACE, iface);

	memset(link, 0, sizeof(*link));
	link->port = (uint16_t)i->port;
	link->vlan = i->vlan;
	link->mtu = i->mtu;
	link->link_local = ps_link_local(net->port[i->port].mac);
}

bool
ps_prefix_holds(const struct ps_address *a, const struct ps_addr *addr)
{
	uint32_t bits = a->prefix_length, bytes;

	if (ps_addr_is_v4(&a->addr) != ps_addr_is_v4(addr))
		return false;
	if (ps_addr_is_v4(addr))
		bits += 96;
	bytes = bits / 8;
	if (memcmp(a->addr.b, addr->b, bytes) != 0)
		return false;
	return bits % 8 == 0 || ((a->addr.b[bytes] ^ addr->b[bytes]) >> (8 - bits % 8)) == 0;
}

/* The interface of a route: given, or that of the longest connected prefix which holds its next hop. */
static uint32_t
route_iface(const struct ps_snapshot *s, const struct ps_route *r)
{
	uint32_t best = PS_NONE, i;
	int length = -1;

	if (r->iface != PS_NONE)
		return r->iface;
	for (i = 0; i < ps_snapshot_length(s, PS_SEC_ADDRESS); i++) {
		const struct ps_address *a = ps_snapshot_item(s, PS_SEC_ADDRESS, i);

		if ((int)a->prefix_length > length && ps_prefix_holds(a, &r->via)) {
			length = a->prefix_length;
			best = a->iface;
		}
	}
	return best;
}

static struct ps_addr
mask_addr(const struct ps_addr *addr, uint32_t bits)
{
	struct ps_addr out = *addr;
	uint32_t i;

	if (ps_addr_is_v4(addr))
		bits += 96;
	for (i = bits; i < 128; i++)
		out.b[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
	return out;
}

static int
build_routes(struct ps_net *net, struct routes **out, const struct ps_snapshot *s, uint64_t digest, char *why,
	     size_t why_size)
{
	static const struct ps_addr zero;
	uint32_t addresses = ps_snapshot_length(s, PS_SEC_ADDRESS), routes = ps_snapshot_length(s, PS_SEC_ROUTE);
	uint32_t ifaces = ps_snapshot_length(s, PS_SEC_IFACE), length = 0, per_family[2] = {0, 0}, i;
	struct ps_fib_entry *entries = calloc(addresses + routes + 1, sizeof(*entries));
	struct routes *r = calloc(1, sizeof(*r));
	uint16_t glean[PS_MAX_IFACES] = {0};
	struct net_iface link;
	int rc = -ENOMEM;

	if (entries == NULL || r == NULL)
		goto fail;
	r->pinned = calloc(routes + 1, sizeof(*r->pinned));
	if (r->pinned == NULL)
		goto fail;
	for (i = 0; i < ifaces; i++) {
		link_of(net, s, i, &link);
		glean[i] = ps_neighbour_glean(net, i, &link);
		if (glean[i] == 0) {
			snprintf(why, why_size, "interface %u: no room in the table of next hops", i);
			rc = -ENOSPC;
			goto fail;
		}
	}
	for (i = 0; i < addresses; i++) {
		const struct ps_address *a = ps_snapshot_item(s, PS_SEC_ADDRESS, i);
		bool v6 = !ps_addr_is_v4(&a->addr);

		entries[length++] = (struct ps_fib_entry){.prefix = mask_addr(&a->addr, a->prefix_length),
							  .length = a->prefix_length,
							  .v6 = v6,
							  .adjacency = glean[a->iface]};
		per_family[v6]++;
	}
	for (i = 0; i < routes; i++) {
		const struct ps_route *route = ps_snapshot_item(s, PS_SEC_ROUTE, i);
		uint32_t iface = ps_addr_equal(&route->via, &zero) ? route->iface : route_iface(s, route);
		struct ps_fib_entry e = {.prefix = mask_addr(&route->prefix, route->prefix_length),
					 .length = route->prefix_length,
					 .v6 = !ps_addr_is_v4(&route->prefix)};

		if (iface >= ifaces) {
			snprintf(why, why_size, "route %u: its next hop is on no connected prefix", i);
			rc = -ENETUNREACH;
			goto fail;
		}
		e.adjacency = glean[iface];
		if (!ps_addr_equal(&route->via, &zero)) {
			link_of(net, s, iface, &link);
			e.adjacency = ps_neighbour_get(net, iface, &link, &route->via);
			if (e.adjacency == 0) {
				snprintf(why, why_size, "route %u: no room for its next hop, neighbours are limited to %u",
					 i, net->neighbours_max);
				rc = -ENOSPC;
				goto fail;
			}
			ps_neighbour_pin(net, e.adjacency);
			r->pinned[r->pinned_length++] = e.adjacency;
		}
		entries[length++] = e;
		per_family[e.v6]++;
	}
	if (net->routes_max != 0 && (per_family[0] > net->routes_max || per_family[1] > net->routes_max)) {
		snprintf(why, why_size, "%u IPv4 and %u IPv6 routes, limited to %u each", per_family[0], per_family[1],
			 net->routes_max);
		rc = -ENOSPC;
		goto fail;
	}
	rc = ps_fib_build(&r->fib, entries, length, net->adjacency, net->hosts, glean, ifaces);
	if (rc < 0)
		goto fail;
	free(entries);
	r->digest = digest;
	r->references = 1;
	r->generation = ++net->last_generation;
	*out = r;
	return 0;
fail:
	if (rc == -ENOMEM)
		snprintf(why, why_size, "out of memory for the FIB");
	free(entries);
	if (r != NULL) {
		r->references = 1;
		routes_put(net, r);
	}
	return rc;
}

static int
build_locals(struct ps_net *net, struct locals **out, const struct ps_snapshot *s, uint64_t digest)
{
	struct ps_addr link_local[PS_MAX_IFACES];
	struct locals *l = calloc(1, sizeof(*l));
	struct net_iface link;
	uint32_t i;
	int rc;

	if (l == NULL)
		return -ENOMEM;
	for (i = 0; i < ps_snapshot_length(s, PS_SEC_IFACE); i++) {
		link_of(net, s, i, &link);
		link_local[i] = link.link_local;
	}
	rc = ps_local_build(&l->set, s, link_local);
	if (rc < 0) {
		free(l);
		return rc;
	}
	l->digest = digest;
	l->references = 1;
	*out = l;
	return 0;
}

int
ps_net_view(struct ps_net *net, struct ps_view *view, char *why, size_t why_size)
{
	const struct ps_snapshot *s = view->snapshot;
	uint64_t base = section_digest(s, PS_SEC_ADDRESS, iface_digest(s));
	uint64_t routes = section_digest(s, PS_SEC_ROUTE, base);
	uint64_t locals = section_digest(s, PS_SEC_VIP, section_digest(s, PS_SEC_SNAT_ADDRESS, base));
	int rc;

	if (net->routes == NULL || net->routes->digest != routes || net->force_routes || ps_net_wants_view(net)) {
		struct routes *made;

		rc = build_routes(net, &made, s, routes, why, why_size);
		if (rc < 0)
			return rc;
		routes_put(net, net->routes);
		net->routes = made;
		net->force_routes = false;
	}
	if (net->locals == NULL || net->locals->digest != locals) {
		struct locals *made;

		rc = build_locals(net, &made, s, locals);
		if (rc < 0) {
			snprintf(why, why_size, "out of memory for the set of local addresses");
			return rc;
		}
		locals_put(net->locals);
		net->locals = made;
	}
	net->routes->references++;
	net->locals->references++;
	view->fib = net->routes->fib;
	view->route_generation = net->routes->generation;
	view->local = net->locals->set;
	view->net_routes = net->routes;
	view->net_locals = net->locals;
	return 0;
}

void
ps_net_view_release(struct ps_net *net, struct ps_view *view)
{
	routes_put(net, view->net_routes);
	locals_put(view->net_locals);
	view->net_routes = NULL;
	view->net_locals = NULL;
	view->fib = NULL;
	view->local = NULL;
}

/* Interfaces of the live view; neighbours follow their link to its new index, or go. */
static void
adopt_ifaces(struct ps_net *net, const struct ps_snapshot *s)
{
	uint32_t i, k;

	net->ifaces = ps_snapshot_length(s, PS_SEC_IFACE);
	for (i = 0; i < net->ifaces; i++) {
		link_of(net, s, i, &net->iface[i]);
		net->iface[i].glean = ps_neighbour_glean(net, i, &net->iface[i]);
	}
	for (i = 1; i < net->first_unused; i++) {
		struct neighbour *n = &net->neighbour[i];
		struct ps_adjacency *a = &net->adjacency[i];

		if (n->state == NB_FREE || n->state == NB_RESTING)
			continue;
		for (k = 0; k < net->ifaces; k++)
			if (net->iface[k].port == a->port && net->iface[k].vlan == a->vlan)
				break;
		if (k == net->ifaces) {
			if (n->state != NB_GLEAN && n->pins == 0)
				ps_neighbour_give_back(net, (uint16_t)i, PS_EXIT_UNREACH_NO_ROUTE);
			continue;
		}
		n->iface = k;
		a->iface = (uint16_t)k;
		a->mtu = net->iface[k].mtu;
	}
}

void
ps_net_view_live(struct ps_net *net, const struct ps_view *view, uint64_t now_ms)
{
	const struct ps_snapshot *s = view->snapshot;
	struct routes *old = net->live_routes;
	uint32_t length = ps_snapshot_length(s, PS_SEC_ADDRESS), i;
	struct ps_address *address = calloc(length + 1, sizeof(*address));

	if (address != NULL) {
		memcpy(address, ps_snapshot_item(s, PS_SEC_ADDRESS, 0), length * sizeof(*address));
		free(net->address);
		net->address = address;
		net->addresses = length;
	}
	net->live_routes = view->net_routes;
	net->live_routes->references++;
	locals_put(net->live_locals);
	net->live_locals = view->net_locals;
	net->live_locals->references++;
	adopt_ifaces(net, s);
	if (old == NULL || old->generation != net->live_routes->generation)
		ps_neighbours_rest_over(net);
	routes_put(net, old);
	ps_announce_load(net, s, now_ms);
	/* Gateways are asked for before anybody needs them. */
	for (i = 0; i < net->live_routes->pinned_length; i++)
		if (net->neighbour[net->live_routes->pinned[i]].state == NB_IDLE)
			ps_neighbour_ask(net, net->live_routes->pinned[i], now_ms);
}

bool
ps_net_source(const struct ps_net *net, uint32_t iface, const struct ps_addr *dst, struct ps_addr *source)
{
	const struct ps_address *best = NULL;
	bool v6 = !ps_addr_is_v4(dst);
	uint32_t i;

	if (v6 && dst->b[0] == 0xfe && (dst->b[1] & 0xc0) == 0x80 && iface < net->ifaces) {
		*source = net->iface[iface].link_local;
		return true;
	}
	for (i = 0; i < net->addresses; i++) {
		const struct ps_address *a = &net->address[i];

		if (a->iface != iface || ps_addr_is_v4(&a->addr) == v6)
			continue;
		if (best == NULL || (!ps_prefix_holds(best, dst) && ps_prefix_holds(a, dst)))
			best = a;
	}
	if (best == NULL)
		return false;
	*source = best->addr;
	return true;
}

uint32_t
ps_frame_header(const struct ps_net *net, uint32_t iface, uint8_t *frame, const uint8_t *dst, uint16_t ethertype)
{
	const struct net_iface *link = &net->iface[iface];
	uint32_t size = 12;

	memcpy(frame, dst, 6);
	memcpy(frame + 6, net->port[link->port].mac, 6);
	if (link->vlan != 0) {
		uint16_t tag[2] = {htons(ETHERTYPE_VLAN), htons(link->vlan)};

		memcpy(frame + size, tag, sizeof(tag));
		size += sizeof(tag);
	}
	ethertype = htons(ethertype);
	memcpy(frame + size, &ethertype, sizeof(ethertype));
	return size + 2;
}

void
ps_net_input(struct ps_net *net, uint32_t iface, const void *frame, uint32_t size, uint64_t now_ms)
{
	const uint8_t *f = frame;
	uint32_t at = 12;
	uint16_t type;

	if (iface >= net->ifaces || size < 14)
		return;
	type = (uint16_t)(f[at] << 8 | f[at + 1]);
	if ((type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) && size >= 18) {
		at += 4;
		type = (uint16_t)(f[at] << 8 | f[at + 1]);
	}
	at += 2;
	/* Our own frame, come back */
	if (memcmp(f + 6, net->port[net->iface[iface].port].mac, 6) == 0)
		return;
	if (type == ETHERTYPE_ARP_)
		ps_arp_input(net, iface, f + at, size - at, now_ms);
	else if (type == ETHERTYPE_IPV6_)
		ps_nd_input(net, iface, f + 6, f + at, size - at, now_ms);
}

void
ps_net_tick(struct ps_net *net, uint64_t now_ms)
{
	if (now_ms - net->tick_ms < PS_TICK_MS && net->tick_ms != 0)
		return;
	net->tick_ms = now_ms;
	ps_neighbours_tick(net, now_ms);
	ps_announce_tick(net, now_ms);
}

const struct ps_net_stats *
ps_net_stats(const struct ps_net *net)
{
	return &net->stats;
}
