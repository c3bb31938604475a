/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet of no known flow: whose is it, may it begin one, and where does that go.
 *
 *   addressed to a listener         source ranges -> endpoint -> SNAT port -> record -> on its way
 *     later TCP segment, FullNAT    another worker has the flow: hand over; nobody has: RST to the client
 *     later TCP segment, DNAT, DSR  another gateway's flow, or one we have forgotten: Maglev picks the same endpoint, go on
 *   to a SNAT address               another worker's reply: hand over; else late: NO_FLOW
 *   to a probe's port               to_main
 *   to another address of ours      punt
 *   to anybody else                 NOT_FORWARDED
 *
 * When the table is full, the oldest half-open flow makes room. When there is none, DSR forwards the packet without record
 * (`stateless`): Maglev is pure, so the next packet finds the same endpoint, as long as the set of endpoints does not
 * change. FullNAT and DNAT refuse the new flow (FLOW_TABLE_FULL): without a record nobody could rewrite the replies.
 */
#include <errno.h>

#include "dataplane/flow/affinity.h"
#include "dataplane/flow/rewrite.h"
#include "dataplane/flow/snat.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/net/fib.h"
#include "dataplane/net/local.h"
#include "policies/flowhash.h"
#include "policies/listener/lookup.h"
#include "policies/maglev/lookup.h"

struct arrival {
	struct ps_worker *w;
	struct rte_mbuf *m;
	struct ps_meta *meta;
	struct ps_flow_table *table;
	uint8_t *l3;
	uint32_t ports;
	uint16_t src_port, dst_port;
	uint8_t proto, tcp_flags;
	bool v6, has_l4, syn;
	struct ps_addr src, dst;
};

uint64_t
ps_flow_hash_packet(const struct ps_worker *w, const uint8_t *l3, uint32_t ports, uint8_t proto, bool v6)
{
	uint32_t src, dst;

	if (v6)
		return ps_flow_hash6(l3 + 8, l3 + 24, ports, proto, w->view->hash_seed);
	memcpy(&src, l3 + 12, sizeof(src));
	memcpy(&dst, l3 + 16, sizeof(dst));
	return ps_flow_hash4(src, dst, ports, proto, w->view->hash_seed);
}

/* Among the service's endpoints, the one in this slot that takes new flows. first: where to look first. */
static uint32_t
endpoint_in_slot(const struct ps_worker *w, const struct ps_service *service, uint32_t first, uint32_t slot,
		 uint16_t generation)
{
	const struct ps_endpoint *e = w->view->endpoint;
	uint32_t i;

	if (slot >= w->endpoint_slots ||
	    !ps_verdict_accepts(atomic_load_explicit(&w->verdict[slot].word, memory_order_relaxed), generation))
		return PS_NONE;
	if (first != PS_NONE && e[first].slot == slot && e[first].slot_generation == generation)
		return first;
	for (i = service->first_endpoint; i < service->first_endpoint + service->balanced; i++)
		if (e[i].slot == slot && e[i].slot_generation == generation)
			return i;
	return PS_NONE;
}

uint32_t
ps_flow_choose(struct ps_worker *w, const struct ps_service *service, const struct ps_addr *client, uint64_t hash)
{
	const struct ps_view *v = w->view;
	bool sticky = (service->flags & PS_SERVICE_F_AFFINITY) && w->affinity != NULL;
	uint32_t position, chosen, slot, kept;
	uint16_t generation;
	uint64_t key = 0;

	if (service->table == PS_NONE)
		return PS_NONE;
	if (service->flags & PS_SERVICE_F_AFFINITY) {
		/* Ports do not count, so that a client keeps its endpoint even where the table has forgotten it. */
		key = ps_affinity_hash(client, service->id, v->hash_seed);
		hash = key;
	}
	position = ps_maglev_choose(v->table_entries[service->table], v->table[service->table].size,
				    &v->endpoint[service->first_endpoint], service->balanced, w->verdict,
				    service->flags, hash);
	chosen = position != PS_NONE ? service->first_endpoint + position : PS_NONE;
	if (sticky && ps_affinity_get(w->affinity, key, w->now_ms, &slot, &generation)) {
		kept = endpoint_in_slot(w, service, chosen, slot, generation);
		if (kept != PS_NONE)
			chosen = kept;
	}
	if (sticky && chosen != PS_NONE && v->endpoint[chosen].slot != PS_NONE)
		ps_affinity_put(w->affinity, key, w->now_ms, service->affinity_s, v->endpoint[chosen].slot,
				v->endpoint[chosen].slot_generation);
	return chosen;
}

static uint32_t
answer(const struct arrival *p, enum ps_exit why)
{
	p->meta->exit = (uint16_t)why;
	return PS_FLOW_EDGE_ANSWER;
}

static uint32_t
no_endpoint(const struct arrival *p, const struct ps_service *service)
{
	if (service != NULL) {
		p->w->service[service->slot].refused++;
		if (service->flags & PS_SERVICE_F_EMPTY_DROP)
			return ps_exit_drop(p->meta, PS_EXIT_NO_ENDPOINT);
		p->w->service[service->slot].rejected++;
	}
	if (!p->has_l4)
		return ps_exit_drop(p->meta, PS_EXIT_NO_ENDPOINT);
	return answer(p, p->proto == IPPROTO_TCP ? PS_EXIT_RST_NO_ENDPOINT : PS_EXIT_UNREACH_NO_ENDPOINT);
}

/*
 * Which other worker has a flow of this key? PS_NONE: none. Asked even for packets that were handed over: flows taken over
 * from another number of workers live with the owner of their port, not where their client's packets go. No
 * packet goes round in circles, because it is only sent where its flow was seen.
 */
static uint32_t
worker_with(const struct arrival *p)
{
	struct ps_flow_table *const *peer = p->v6 ? p->w->peer_flow6 : p->w->peer_flow4;
	uint8_t key[36];
	uint32_t addrs = p->v6 ? 32 : 8, i;

	if (peer == NULL || p->w->workers < 2)
		return PS_NONE;
	memcpy(key, p->l3 + (p->v6 ? 8 : 12), addrs);
	memcpy(key + addrs, &p->ports, sizeof(p->ports));
	for (i = 0; i < p->w->workers; i++)
		if (i != p->w->index && peer[i] != NULL &&
		    ps_flow_table_peek(peer[i], key, p->proto) != PS_NONE)
			return i;
	return PS_NONE;
}

static uint32_t
hand_over(const struct arrival *p, uint32_t worker)
{
	p->meta->owner = worker;
	return PS_FLOW_EDGE_HANDOFF;
}

/* Fills key[0] from the packet, key[1] for the endpoint, with the gateway's (addr, port) where the mode has one. */
static void
fill_keys(struct ps_flow *f, const struct arrival *p, const struct ps_endpoint *e, const struct ps_addr *local,
	  uint16_t local_port, uint16_t endpoint_port)
{
	if (p->v6) {
		struct ps_flow6 *f6 = (struct ps_flow6 *)f;

		memcpy(&f6->key[0], p->l3 + 8, 32);
		memcpy(&f6->key[0].src_port, &p->ports, 4);
		memcpy(f6->key[1].src, e->addr.b, 16);
		memcpy(f6->key[1].dst, local->b, 16);
		f6->key[1].src_port = endpoint_port;
		f6->key[1].dst_port = local_port;
	} else {
		struct ps_flow4 *f4 = (struct ps_flow4 *)f;

		memcpy(&f4->key[0], p->l3 + 12, 8);
		memcpy(&f4->key[0].src_port, &p->ports, 4);
		f4->key[1].src = ps_addr_v4(&e->addr);
		f4->key[1].dst = ps_addr_v4(local);
		f4->key[1].src_port = endpoint_port;
		f4->key[1].dst_port = local_port;
	}
}

/* The reply that a SNAT port would bring. */
struct reply {
	const struct ps_worker *w;
	const struct ps_port_device *port;
	const struct ps_endpoint *endpoint;
	uint8_t proto;
	bool v6;
};

/* Will the device bring the reply to this worker? What it cannot say counts as yes: the miss is handed over and counted. */
static bool
comes_back(void *arg, const struct ps_snat_port *local)
{
	const struct reply *r = arg;
	uint32_t skip = r->v6 ? 0 : 12;
	int queue = r->w->rx_queue(r->port, r->v6, r->endpoint->addr.b + skip, local->addr.b + skip, r->endpoint->port,
				   local->port, r->proto);

	return queue < 0 || (uint32_t)queue % r->w->workers == r->w->index;
}

/* A source port towards the endpoint; one whose replies the device brings here, if there is one within some tries. */
static int
take_port(const struct arrival *p, const struct ps_service *service, const struct ps_endpoint *e,
	  struct ps_snat_port *local)
{
	struct ps_worker *w = p->w;
	const struct ps_snat_pool *pool;
	struct reply r = {.w = w, .endpoint = e, .proto = p->proto, .v6 = p->v6};

	if (service->snat_pool == PS_NONE)
		return -ENOSPC;
	pool = &w->view->snat_pool[service->snat_pool];
	if (w->rx_queue != NULL && w->workers > 1) {
		/* Replies are taken to arrive where packets to the endpoint leave. */
		uint16_t adjacency = p->v6 ? ps_fib_lookup6(w->view->fib, e->addr.b)
					   : ps_fib_lookup4(w->view->fib, ps_addr_v4(&e->addr));

		if (adjacency != 0)
			r.port = w->rss_port[w->adjacency[adjacency].port];
	}
	return ps_snat_take(w->snat, &w->view->snat_address[pool->first_address], pool->addresses, p->v6,
			    ps_snat_tuple(&e->addr, e->port, p->proto), r.port != NULL ? comes_back : NULL, &r, local);
}

/* Everything of a record but list link and state. Returns 0 or the exit that says why not, negated. */
static int
fill(struct ps_flow *f, const struct arrival *p, const struct ps_service *service, const struct ps_endpoint *e,
     uint64_t hash)
{
	struct ps_worker *w = p->w;
	struct ps_snat_port local = {.addr = p->src, .port = p->src_port};
	uint16_t endpoint_port = e->port;

	f->last_seen_ms = w->now_ms;
	f->endpoint_slot = e->slot;
	f->service_slot = service->slot;
	f->endpoint_generation = e->slot_generation;
	f->mode = service->mode;
	f->proto = p->proto;
	f->flags = 0;
	f->packets[0] = f->packets[1] = 0;
	if (p->v6)
		((struct ps_flow6 *)f)->created_ms = w->now_ms;
	switch (service->mode) {
	case PS_MODE_FULLNAT:
		if (take_port(p, service, e, &local) != 0)
			return -PS_EXIT_SNAT_EXHAUSTED;
		if ((service->flags & PS_SERVICE_F_TOA) && p->proto == IPPROTO_TCP)
			f->flags |= PS_FLOW_F_TOA;
		break;
	case PS_MODE_GUE:
		endpoint_port = service->gue_port;
		local.port = __builtin_bswap16((uint16_t)(0xc000u | (hash & 0x3fffu)));
		break;
	default:
		break;
	}
	if (service->flags & PS_SERVICE_F_AFFINITY)
		f->flags |= PS_FLOW_F_AFFINITY;
	fill_keys(f, p, e, &local.addr, local.port, endpoint_port);
	ps_flow_deltas(f, p->v6);
	ps_flow_route(w, f, p->v6);
	return 0;
}

/* A client that uses one port towards two VIPs of one DNAT endpoint: the endpoint cannot tell them apart. The newer flow wins. */
static void
end_twin(struct ps_worker *w, struct ps_flow_table *t, const struct ps_flow *f)
{
	uint32_t twin = ps_flow_table_find(t, t->v6 ? (const void *)&((const struct ps_flow6 *)f)->key[1]
						    : (const void *)&((const struct ps_flow4 *)f)->key[1],
					   f->proto);

	if (twin != PS_NONE)
		ps_flow_end(w, t, ps_flow_at(t, twin >> 1));
}

static uint32_t
take_record(struct ps_worker *w, struct ps_flow_table *t)
{
	uint32_t index = ps_flow_table_take(t), victim;

	if (index != PS_NONE)
		return index;
	victim = ps_flow_table_oldest_young(t, w->now_ms);
	if (victim != PS_NONE) {
		ps_flow_let_go(w, ps_flow_at(t, victim), t->v6);
		ps_flow_table_evict(t, victim);
	}
	return ps_flow_table_take(t);
}

static uint32_t
refuse(const struct arrival *p, const struct ps_service *service, enum ps_exit why)
{
	p->w->service[service->slot].refused++;
	if (why == PS_EXIT_FLOW_TABLE_FULL)
		p->table->counters->refused++;
	return ps_exit_drop(p->meta, why);
}

static uint32_t
forward_stateless(const struct arrival *p, const struct ps_service *service, const struct ps_endpoint *e,
		  uint64_t hash)
{
	struct ps_flow6 record = {0};

	if (ps_flow_two_way(service->mode))
		return refuse(p, service, PS_EXIT_FLOW_TABLE_FULL);
	fill(&record.head, p, service, e, hash);
	atomic_store_explicit(&record.head.state, p->proto == IPPROTO_TCP ? PS_FLOW_ESTABLISHED : PS_FLOW_UDP,
			      memory_order_relaxed);
	p->table->counters->stateless++;
	return ps_flow_slow(p->w, p->m, p->table, &record.head, PS_FLOW_TO_ENDPOINT, p->has_l4);
}

static uint32_t
begin(const struct arrival *p, const struct ps_service *service, const struct ps_endpoint *e, uint64_t hash)
{
	struct ps_worker *w = p->w;
	struct ps_flow_table *t = p->table;
	uint32_t index = take_record(w, t);
	struct ps_flow *f;
	uint32_t due;
	uint8_t state;
	int rc;

	if (index == PS_NONE)
		return forward_stateless(p, service, e, hash);
	f = ps_flow_at(t, index);
	rc = fill(f, p, service, e, hash);
	if (rc != 0) {
		ps_flow_table_put_back(t, index);
		return refuse(p, service, (enum ps_exit)-rc);
	}
	if (service->mode == PS_MODE_DNAT)
		end_twin(w, t, f);
	/*
	 * A later segment of a flow that we do not remember is on probation like a SYN: anybody can make one up.
	 */
	state = p->proto != IPPROTO_TCP ? PS_FLOW_UDP : p->syn ? PS_FLOW_SYN : PS_FLOW_SYN_ACK;
	w->service[service->slot].flows_active++;
	w->endpoint[e->slot].flows_active++;
	due = w->now_ms + ps_state_timeout_ms(state, 1, service->tcp_idle_s, service->udp_idle_s);
	if (ps_flow_table_link(t, index, state, ps_flow_two_way(service->mode), due) != 0) {
		ps_flow_let_go(w, f, p->v6);
		ps_flow_table_put_back(t, index);
		return forward_stateless(p, service, e, hash);
	}
	w->service[service->slot].flows_created++;
	w->endpoint[e->slot].flows_created++;
	return ps_flow_slow(w, p->m, t, f, PS_FLOW_TO_ENDPOINT, p->has_l4);
}

static uint32_t
to_listener(const struct arrival *p, const struct ps_listener *listener)
{
	struct ps_worker *w = p->w;
	const struct ps_service *service;
	uint32_t e, other;
	uint64_t hash;

	service = listener->service != PS_NONE ? &w->view->service[listener->service] : NULL;
	if (!ps_listener_admits(listener, w->view->range, &p->src)) {
		if (service != NULL)
			w->service[service->slot].refused++;
		return ps_exit_drop(p->meta, PS_EXIT_SOURCE_DENIED);
	}
	if (p->proto == IPPROTO_TCP && !p->syn) {
		if (service != NULL && service->mode == PS_MODE_FULLNAT) {
			if ((other = worker_with(p)) != PS_NONE)
				return hand_over(p, other);
			if ((p->tcp_flags & PS_TCP_RST) || !p->has_l4)
				return ps_exit_drop(p->meta, PS_EXIT_NO_FLOW);
			return answer(p, PS_EXIT_RST_NO_FLOW);
		}
		if ((p->tcp_flags & (PS_TCP_RST | PS_TCP_SYN)) || !(p->tcp_flags & PS_TCP_ACK))
			return ps_exit_drop(p->meta, PS_EXIT_NO_FLOW);
	}
	if (p->l3[p->v6 ? 7 : 8] <= 1)
		return answer(p, PS_EXIT_TTL_EXPIRED);
	if (service == NULL || listener->kind == PS_LISTENER_REJECT)
		return no_endpoint(p, service);
	hash = ps_flow_hash_packet(w, p->l3, p->ports, p->proto, p->v6);
	e = ps_flow_choose(w, service, &p->src, hash);
	if (e == PS_NONE || w->view->endpoint[e].slot == PS_NONE)
		return no_endpoint(p, service);
	return begin(p, service, &w->view->endpoint[e], hash);
}

static uint32_t
to_nobody(const struct arrival *p)
{
	struct ps_worker *w = p->w;
	uint32_t local = ps_local_find(w->view->local, &p->dst), owner, port = __builtin_bswap16(p->dst_port);

	if (local == 0) {
		owner = worker_with(p);
		if (owner != PS_NONE)
			return hand_over(p, owner);
		return ps_exit_drop(p->meta, PS_EXIT_NOT_FORWARDED);
	}
	if ((local & PS_LOCAL_IFACE) && port >= PS_PROBE_PORT_FIRST && port <= PS_PROBE_PORT_LAST) {
		p->meta->exit = PS_EXIT_TO_MAIN;
		return PS_FLOW_EDGE_TO_MAIN;
	}
	if ((local & PS_LOCAL_SNAT) && port > PS_PROBE_PORT_LAST) {
		owner = ps_snat_owner(p->dst_port, w->workers);
		if (owner != w->index && !(p->meta->flags & PS_META_F_HANDED)) {
			w->counters->snat_miss++;
			return hand_over(p, owner);
		}
		if (!(local & PS_LOCAL_IFACE))
			return ps_exit_drop(p->meta, PS_EXIT_NO_FLOW);
	}
	p->meta->exit = PS_EXIT_NO_LISTENER;
	return PS_FLOW_EDGE_PUNT;
}

uint32_t
ps_flow_create(struct ps_worker *w, struct rte_mbuf *m, uint32_t ports, bool has_l4)
{
	struct ps_meta *meta = ps_meta(m);
	struct arrival p = {
		.w = w, .m = m, .meta = meta, .ports = ports, .proto = meta->proto, .has_l4 = has_l4,
		.v6 = meta->flags & PS_META_F_V6, .l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3),
	};
	const struct ps_view *v = w->view;
	uint32_t listener;

	if (v == NULL)
		return ps_exit_drop(meta, PS_EXIT_NO_SNAPSHOT);
	p.table = p.v6 ? w->flow6 : w->flow4;
	p.src = ps_flow_source(p.l3, p.v6);
	p.dst = ps_flow_source(p.l3 + (p.v6 ? 16 : 4), p.v6);
	memcpy(&p.src_port, &ports, 2);
	memcpy(&p.dst_port, (const uint8_t *)&ports + 2, 2);
	if (p.proto == IPPROTO_TCP) {
		p.tcp_flags = has_l4 ? p.l3[meta->l4 + 13] : PS_TCP_ACK;
		p.syn = ps_tcp_is_syn(p.tcp_flags);
	}
	/* classify leaves this to us: an established flow needs no such check. */
	if (!(meta->flags & PS_META_F_LOCAL) && ps_local_find(v->local, &p.src) != 0)
		return ps_exit_drop(meta, PS_EXIT_IP_MARTIAN);
	listener = ps_listener_find(v->listener, v->listener_index, v->listener_index_mask, &p.dst, p.dst_port,
				    p.proto);
	return listener != PS_NONE ? to_listener(&p, &v->listener[listener]) : to_nobody(&p);
}

uint32_t
ps_flow_forward(struct ps_worker *w, struct rte_mbuf *m, uint32_t ports_be, bool has_l4)
{
	struct ps_meta *meta = ps_meta(m);
	struct ps_flow_table *t = meta->flags & PS_META_F_V6 ? w->flow6 : w->flow4;
	uint32_t reference, edge;

	if (w->view == NULL)
		return ps_exit_drop(meta, PS_EXIT_NO_SNAPSHOT);
	reference = ps_flow_find_packet(t, rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3), ports_be, meta->proto);
	if (reference != PS_NONE) {
		edge = ps_flow_slow(w, m, t, ps_flow_at(t, reference >> 1), reference & 1u, has_l4);
		if (edge != PS_FLOW_EDGE_NEW)
			return edge;
	}
	return ps_flow_create(w, m, ports_be, has_l4);
}
