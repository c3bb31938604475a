/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbours and their states, for ARP and ND alike (RFC 4861 7.3):
 *
 *   IDLE --packet--> ASKING --answer--> REACHABLE --time--> STALE --unused--> given back
 *                      |                    ^  \--in use--> CONFIRMING --no answer--> FAILED
 *                      '--no answer--> FAILED --time--> IDLE (asks again at the next packet)
 *
 * Workers see less: RESOLVED from the first answer on, until FAILED. Whether a neighbour is in use is what
 * the workers leave in adjacency.used. Next hops of routes are pinned: always confirmed, asked again for ever.
 */
#include <errno.h>

#include "dataplane/net/net_internal.h"

static void
show(struct ps_net *net, uint16_t index, enum ps_adjacency_state state)
{
	/* release: pairs with the worker's load of state, after which it may copy the header */
	atomic_store_explicit(&net->adjacency[index].state, (uint8_t)state, memory_order_release);
}

static bool
spare(const struct neighbour *n)
{
	return n->pins == 0 && (n->state == NB_IDLE || n->state == NB_FAILED);
}

static void
set_state(struct ps_net *net, uint16_t index, enum neighbour_state state)
{
	struct neighbour *n = &net->neighbour[index];

	net->failed -= spare(n);
	n->state = (uint8_t)state;
	net->failed += spare(n);
}

void
ps_neighbour_pin(struct ps_net *net, uint16_t index)
{
	struct neighbour *n = &net->neighbour[index];

	net->failed -= spare(n);
	n->pins++;
}

void
ps_neighbour_unpin(struct ps_net *net, uint16_t index)
{
	struct neighbour *n = &net->neighbour[index];

	if (n->pins == 0 || n->state == NB_FREE || n->state == NB_RESTING)
		return;
	n->pins--;
	net->failed += spare(n);
}

static void
write_header(struct ps_net *net, uint16_t index, const uint8_t mac[6])
{
	struct ps_adjacency *a = &net->adjacency[index];
	uint8_t first[8];
	uint64_t word;

	memcpy(first, mac, 6);
	memcpy(first + 6, net->port[a->port].mac, 2);
	memcpy(&word, first, sizeof(word));
	atomic_store_explicit(&a->header0, word, memory_order_relaxed);
}

static uint16_t
take_index(struct ps_net *net)
{
	if (net->first_unused < net->adjacencies)
		return (uint16_t)net->first_unused++;
	if (net->resting_first != PS_NONE && net->neighbour[net->resting_first].state == NB_FREE) {
		uint16_t index = (uint16_t)net->resting_first;

		net->resting_first = net->neighbour[index].next;
		if (net->resting_first == PS_NONE)
			net->resting_last = PS_NONE;
		net->resting--;
		return index;
	}
	return 0;
}

static uint16_t
make(struct ps_net *net, uint32_t iface, const struct net_iface *link, const struct ps_addr *addr,
     enum neighbour_state state)
{
	uint16_t index = take_index(net);
	struct ps_adjacency *a = &net->adjacency[index];
	struct neighbour *n = &net->neighbour[index];
	static const uint8_t nobody[6];

	if (index == 0)
		return 0;
	memset(n, 0, sizeof(*n));
	n->iface = iface;
	a->next_hop = *addr;
	a->port = link->port;
	a->vlan = link->vlan;
	a->iface = (uint16_t)iface;
	a->mtu = link->mtu;
	a->header_size = link->vlan != 0 ? 18 : 14;
	memset(a->header8, 0, sizeof(a->header8));
	memcpy(a->header8, net->port[link->port].mac + 2, 4);
	if (link->vlan != 0) {
		a->header8[4] = 0x81;
		a->header8[6] = (uint8_t)(link->vlan >> 8);
		a->header8[7] = (uint8_t)link->vlan;
	}
	write_header(net, index, nobody);
	atomic_store_explicit(&a->used, 0, memory_order_relaxed);
	set_state(net, index, state);
	show(net, index, state == NB_GLEAN ? PS_ADJ_GLEAN : PS_ADJ_INCOMPLETE);
	return index;
}

uint16_t
ps_neighbour_find(const struct ps_net *net, uint16_t port, uint16_t vlan, const struct ps_addr *addr)
{
	return ps_hosts_find(net->hosts, port, vlan, addr);
}

void
ps_neighbour_give_back(struct ps_net *net, uint16_t index, enum ps_exit why)
{
	struct neighbour *n = &net->neighbour[index];

	ps_hosts_remove(net->hosts, index);
	show(net, index, PS_ADJ_FREE);
	while (n->held > 0)
		net->ops.drop(net->ops.arg, n->packet[--n->held], why);
	set_state(net, index, NB_RESTING);
	n->pins = 0;
	n->rest_generation = net->last_generation;
	n->next = PS_NONE;
	if (net->resting_last != PS_NONE)
		net->neighbour[net->resting_last].next = index;
	else
		net->resting_first = index;
	net->resting_last = index;
	net->resting++;
	net->neighbours--;
}

void
ps_neighbours_rest_over(struct ps_net *net)
{
	uint32_t i;

	for (i = net->resting_first; i != PS_NONE; i = net->neighbour[i].next)
		if (net->neighbour[i].rest_generation != net->live_routes->generation)
			net->neighbour[i].state = NB_FREE;
}

bool
ps_net_wants_view(const struct ps_net *net)
{
	/* New indices last for another while, but not for ever. */
	return net->adjacencies - net->first_unused < net->adjacencies / 8 && net->resting_first != PS_NONE &&
	       net->neighbour[net->resting_first].state == NB_RESTING;
}

/* One that does not answer makes room for one that may. */
static bool
make_room(struct ps_net *net)
{
	uint32_t i;

	if (net->failed == 0)
		return false;
	for (i = 1; i < net->first_unused; i++) {
		if (spare(&net->neighbour[i])) {
			ps_neighbour_give_back(net, (uint16_t)i, PS_EXIT_NEIGHBOUR_TABLE_FULL);
			return true;
		}
	}
	return false;
}

uint16_t
ps_neighbour_get(struct ps_net *net, uint32_t iface, const struct net_iface *link, const struct ps_addr *addr)
{
	uint16_t index = ps_neighbour_find(net, link->port, link->vlan, addr);

	if (index != 0)
		return index;
	if (net->neighbours >= net->neighbours_max && !make_room(net)) {
		net->stats.table_full++;
		return 0;
	}
	index = make(net, iface, link, addr, NB_IDLE);
	if (index == 0) {
		net->force_routes = true;
		net->stats.table_full++;
		return 0;
	}
	net->neighbours++;
	if (ps_hosts_add(net->hosts, index) < 0) {
		ps_neighbour_give_back(net, index, PS_EXIT_NEIGHBOUR_TABLE_FULL);
		net->stats.table_full++;
		return 0;
	}
	net->stats.neighbours_created++;
	return index;
}

/* One per link, for the life of the process. */
uint16_t
ps_neighbour_glean(struct ps_net *net, uint32_t iface, const struct net_iface *link)
{
	static const struct ps_addr zero;
	uint32_t i;

	for (i = 1; i < net->first_unused; i++)
		if (net->neighbour[i].state == NB_GLEAN && net->adjacency[i].port == link->port &&
		    net->adjacency[i].vlan == link->vlan)
			return (uint16_t)i;
	return make(net, iface, link, &zero, NB_GLEAN);
}

static void
send_request(struct ps_net *net, uint16_t index, bool unicast)
{
	const struct neighbour *n = &net->neighbour[index];
	const struct ps_addr *target = &net->adjacency[index].next_hop;

	if (n->iface >= net->ifaces)
		return;
	if (ps_addr_is_v4(target))
		ps_arp_request(net, n->iface, target, unicast ? n->mac : NULL);
	else
		ps_nd_solicit(net, n->iface, target, unicast ? n->mac : NULL);
}

void
ps_neighbour_ask(struct ps_net *net, uint16_t index, uint64_t now_ms)
{
	struct neighbour *n = &net->neighbour[index];

	set_state(net, index, NB_ASKING);
	n->asked = 1;
	n->due_ms = now_ms + PS_RETRANS_MS;
	n->used_ms = now_ms;
	send_request(net, index, false);
}

static void
confirm(struct ps_net *net, uint16_t index, uint64_t now_ms)
{
	struct neighbour *n = &net->neighbour[index];

	set_state(net, index, NB_CONFIRMING);
	n->asked = 1;
	n->due_ms = now_ms + PS_RETRANS_MS;
	send_request(net, index, true);
}

static void
fail(struct ps_net *net, uint16_t index, uint64_t now_ms)
{
	struct neighbour *n = &net->neighbour[index];
	uint8_t held = n->held, i;
	void *packet[PS_HELD_MAX];

	set_state(net, index, NB_FAILED);
	show(net, index, PS_ADJ_FAILED);
	n->due_ms = now_ms + PS_FAILED_MS;
	net->stats.neighbours_failed++;
	memcpy(packet, n->packet, sizeof(packet));
	n->held = 0;
	for (i = 0; i < held; i++)
		net->ops.forward(net->ops.arg, packet[i], index);
}

void
ps_neighbour_learn(struct ps_net *net, uint16_t index, const uint8_t mac[6], bool confirmed, uint64_t now_ms)
{
	struct neighbour *n = &net->neighbour[index];
	bool resolved = n->state == NB_REACHABLE || n->state == NB_STALE || n->state == NB_CONFIRMING;
	bool changed = !resolved || memcmp(n->mac, mac, 6) != 0;
	uint8_t held = n->held, i;
	void *packet[PS_HELD_MAX];

	if (n->state == NB_FREE || n->state == NB_GLEAN || n->state == NB_RESTING)
		return;
	if (changed) {
		memcpy(n->mac, mac, 6);
		write_header(net, index, mac);
	}
	if (confirmed) {
		set_state(net, index, NB_REACHABLE);
		n->confirmed_ms = now_ms;
		n->due_ms = now_ms + PS_REACHABLE_MS / 2 + ps_net_random(net) % PS_REACHABLE_MS;
		n->asked = 0;
		/* From here on, use counts anew. */
		if (atomic_exchange_explicit(&net->adjacency[index].used, 0, memory_order_relaxed))
			n->used_ms = now_ms;
	} else if (changed || n->state == NB_IDLE) {
		set_state(net, index, NB_STALE);
		n->due_ms = now_ms;
	}
	if (n->used_ms == 0)
		n->used_ms = now_ms;
	show(net, index, PS_ADJ_RESOLVED);
	memcpy(packet, n->packet, sizeof(packet));
	n->held = 0;
	for (i = 0; i < held; i++)
		net->ops.forward(net->ops.arg, packet[i], index);
}

static void
hold(struct ps_net *net, uint16_t index, void *packet)
{
	struct neighbour *n = &net->neighbour[index];

	if (n->held == PS_HELD_MAX) {
		net->ops.drop(net->ops.arg, n->packet[0], PS_EXIT_NEIGHBOUR_QUEUE_FULL);
		memmove(n->packet, n->packet + 1, (PS_HELD_MAX - 1) * sizeof(n->packet[0]));
		n->held--;
		net->stats.held_dropped++;
	}
	n->packet[n->held++] = packet;
	net->stats.held++;
}

/* The neighbour behind an adjacency for this destination, being asked for when it is not known. 0: see why. */
static uint16_t
start(struct ps_net *net, uint16_t index, const struct ps_addr *dst, uint64_t now_ms, enum ps_exit *why)
{
	struct neighbour *n;

	*why = PS_EXIT_UNREACH_NO_ROUTE;
	if (index == 0 || index >= net->first_unused || net->neighbour[index].state == NB_FREE ||
	    net->neighbour[index].state == NB_RESTING) {
		if (net->live_routes == NULL)
			return 0;
		index = ps_addr_is_v4(dst) ? ps_fib_lookup4(net->live_routes->fib, ps_addr_v4(dst))
					   : ps_fib_lookup6(net->live_routes->fib, dst->b);
		if (index == 0)
			return 0;
	}
	n = &net->neighbour[index];
	if (n->state == NB_GLEAN) {
		if (n->iface >= net->ifaces)
			return 0;
		*why = PS_EXIT_NEIGHBOUR_TABLE_FULL;
		index = ps_neighbour_get(net, n->iface, &net->iface[n->iface], dst);
		if (index == 0)
			return 0;
		n = &net->neighbour[index];
	}
	if (n->state == NB_IDLE)
		ps_neighbour_ask(net, index, now_ms);
	return index;
}

void
ps_net_resolve(struct ps_net *net, void *packet, uint16_t adjacency, const struct ps_addr *dst, uint64_t now_ms)
{
	enum ps_exit why;
	uint16_t index = start(net, adjacency, dst, now_ms, &why);

	if (index == 0)
		net->ops.drop(net->ops.arg, packet, why);
	else if (net->neighbour[index].state == NB_ASKING)
		hold(net, index, packet);
	else
		net->ops.forward(net->ops.arg, packet, index);
}

uint16_t
ps_net_lookup(struct ps_net *net, const struct ps_addr *dst, uint64_t now_ms)
{
	enum ps_exit why;

	return start(net, 0, dst, now_ms, &why);
}

static void
tick_one(struct ps_net *net, uint16_t index, uint64_t now_ms)
{
	struct neighbour *n = &net->neighbour[index];
	bool used;

	if (n->state < NB_ASKING || n->state == NB_RESTING || now_ms < n->due_ms)
		return;
	switch ((enum neighbour_state)n->state) {
	case NB_ASKING:
		if (n->asked >= PS_SOLICITATIONS) {
			fail(net, index, now_ms);
			return;
		}
		n->asked++;
		n->due_ms = now_ms + PS_RETRANS_MS;
		send_request(net, index, false);
		return;
	case NB_CONFIRMING:
		if (n->asked >= 2 * PS_SOLICITATIONS) {
			fail(net, index, now_ms);
			return;
		}
		/* The address may have moved to another station: ask everybody after the one that had it. */
		send_request(net, index, n->asked++ < PS_SOLICITATIONS);
		n->due_ms = now_ms + PS_RETRANS_MS;
		return;
	case NB_REACHABLE:
	case NB_STALE:
		used = atomic_exchange_explicit(&net->adjacency[index].used, 0, memory_order_relaxed);
		if (used)
			n->used_ms = now_ms;
		if (used || n->pins > 0) {
			confirm(net, index, now_ms);
			return;
		}
		set_state(net, index, NB_STALE);
		n->due_ms = now_ms + PS_RETRANS_MS;
		if (now_ms - n->used_ms >= PS_UNUSED_MS) {
			ps_neighbour_give_back(net, index, PS_EXIT_UNREACH_NO_NEIGHBOUR);
			net->stats.neighbours_aged++;
		}
		return;
	case NB_FAILED:
		if (n->pins > 0) {
			n->due_ms = now_ms + PS_FAILED_MS;
			send_request(net, index, false);
			return;
		}
		set_state(net, index, NB_IDLE);
		show(net, index, PS_ADJ_INCOMPLETE);
		n->asked = 0;
		n->due_ms = 0;
		return;
	default:
		return;
	}
}

void
ps_neighbours_tick(struct ps_net *net, uint64_t now_ms)
{
	uint32_t i;

	for (i = 1; i < net->first_unused; i++)
		tick_one(net, (uint16_t)i, now_ms);
}

uint32_t
ps_net_neighbours(const struct ps_net *net, struct ps_neighbour_status *out, uint32_t room, uint64_t now_ms)
{
	static const uint8_t shown[] = {[NB_IDLE] = 1,	[NB_ASKING] = 1,     [NB_REACHABLE] = 2,
					[NB_STALE] = 3, [NB_CONFIRMING] = 3, [NB_FAILED] = 4};
	uint32_t i, length = 0;

	for (i = 1; i < net->first_unused && length < room; i++) {
		const struct neighbour *n = &net->neighbour[i];

		if (n->state < NB_IDLE || n->state > NB_FAILED)
			continue;
		out[length] = (struct ps_neighbour_status){.addr = net->adjacency[i].next_hop,
							   .state = shown[n->state],
							   .iface = n->iface,
							   .age_s = n->confirmed_ms != 0
									    ? (uint32_t)((now_ms - n->confirmed_ms) / 1000)
									    : 0};
		memcpy(out[length++].mac, n->mac, 6);
	}
	return length;
}
