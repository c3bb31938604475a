/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet of a known flow, every case considered. The order matters: everything that may send the packet elsewhere, or
 * answer it, comes before the first byte is changed, because answers quote the packet as it arrived.
 */
#include "dataplane/flow/rewrite.h"
#include "dataplane/flow/segment.h"
#include "dataplane/flow/snat.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/net/fib.h"
#include "dataplane/net/local.h"
#include "policies/flowhash.h"

#define OWN_TTL 64u

uint32_t
ps_flow_find_packet(const struct ps_flow_table *t, const uint8_t *l3, uint32_t ports, uint8_t proto)
{
	uint8_t key[36];
	uint32_t addrs = t->v6 ? 32 : 8;

	memcpy(key, l3 + (t->v6 ? 8 : 12), addrs);
	memcpy(key + addrs, &ports, sizeof(ports));
	return ps_flow_table_find(t, key, proto);
}

struct ps_addr
ps_flow_source(const uint8_t *l3, bool v6)
{
	struct ps_addr a;
	uint32_t v4;

	if (v6) {
		memcpy(a.b, l3 + 8, sizeof(a.b));
		return a;
	}
	memcpy(&v4, l3 + 12, sizeof(v4));
	return ps_addr_from_v4(v4);
}

static const struct ps_service *
service_of(const struct ps_worker *w, const struct ps_flow *f)
{
	uint32_t i = w->view->service_of_slot[f->service_slot];

	return i != PS_NONE ? &w->view->service[i] : NULL;
}

static void
tunnel_source(struct ps_worker *w, struct ps_flow *f, bool v6)
{
	const struct ps_adjacency *a = &w->adjacency[f->adjacency[PS_FLOW_TO_ENDPOINT]];
	const struct ps_addr *source = ps_local_iface(w->view->local, a->iface, v6);

	if (source == NULL)
		return;
	if (v6)
		memcpy(((struct ps_flow6 *)f)->key[PS_FLOW_TO_CLIENT].dst, source->b, 16);
	else
		((struct ps_flow4 *)f)->key[PS_FLOW_TO_CLIENT].dst = ps_addr_v4(source);
}

void
ps_flow_route(struct ps_worker *w, struct ps_flow *f, bool v6)
{
	const struct ps_fib *fib = w->view->fib;
	bool back = ps_flow_two_way(f->mode);

	if (v6) {
		struct ps_flow6 *f6 = (struct ps_flow6 *)f;

		f->adjacency[0] = ps_fib_lookup6(fib, f6->key[PS_FLOW_TO_CLIENT].src);
		f->adjacency[1] = back ? ps_fib_lookup6(fib, f6->key[PS_FLOW_TO_ENDPOINT].src) : 0;
	} else {
		struct ps_flow4 *f4 = (struct ps_flow4 *)f;

		f->adjacency[0] = ps_fib_lookup4(fib, f4->key[PS_FLOW_TO_CLIENT].src);
		f->adjacency[1] = back ? ps_fib_lookup4(fib, f4->key[PS_FLOW_TO_ENDPOINT].src) : 0;
	}
	/* A tunnelled flow has no entry for the way back, so its words may change while it is linked. */
	if (f->mode == PS_MODE_IPIP || f->mode == PS_MODE_GUE)
		tunnel_source(w, f, v6);
	f->route_generation = w->view->route_generation;
}

void
ps_flow_deltas(struct ps_flow *f, bool v6)
{
	uint32_t d3, d4;

	if (v6) {
		const struct ps_flow_key6 *in = &((struct ps_flow6 *)f)->key[0], *out = &((struct ps_flow6 *)f)->key[1];

		d3 = 0;
		d4 = ps_delta(in->src, out->dst, 16) + ps_delta(in->dst, out->src, 16) +
		     ps_delta(&in->src_port, &out->dst_port, 2) + ps_delta(&in->dst_port, &out->src_port, 2);
	} else {
		const struct ps_flow_key4 *in = &((struct ps_flow4 *)f)->key[0], *out = &((struct ps_flow4 *)f)->key[1];

		d3 = ps_delta(&in->src, &out->dst, 4) + ps_delta(&in->dst, &out->src, 4);
		d4 = d3 + ps_delta(&in->src_port, &out->dst_port, 2) + ps_delta(&in->dst_port, &out->src_port, 2);
	}
	f->delta_l3 = ps_sum_fold(d3);
	f->delta_l4 = ps_sum_fold(d4);
}

void
ps_flow_let_go(struct ps_worker *w, struct ps_flow *f, bool v6)
{
	if (w->service[f->service_slot].flows_active != 0)
		w->service[f->service_slot].flows_active--;
	if (w->endpoint[f->endpoint_slot].flows_active != 0)
		w->endpoint[f->endpoint_slot].flows_active--;
	if (f->mode == PS_MODE_FULLNAT) {
		struct ps_addr endpoint, local;
		uint16_t endpoint_port, local_port;

		if (v6) {
			const struct ps_flow_key6 *k = &((struct ps_flow6 *)f)->key[PS_FLOW_TO_CLIENT];

			memcpy(endpoint.b, k->src, 16);
			memcpy(local.b, k->dst, 16);
			endpoint_port = k->src_port;
			local_port = k->dst_port;
		} else {
			const struct ps_flow_key4 *k = &((struct ps_flow4 *)f)->key[PS_FLOW_TO_CLIENT];

			endpoint = ps_addr_from_v4(k->src);
			local = ps_addr_from_v4(k->dst);
			endpoint_port = k->src_port;
			local_port = k->dst_port;
		}
		ps_snat_give(w->snat, &local, local_port, ps_snat_tuple(&endpoint, endpoint_port, f->proto));
	}
}

void
ps_flow_end(struct ps_worker *w, struct ps_flow_table *t, struct ps_flow *f)
{
	ps_flow_let_go(w, f, t->v6);
	ps_flow_table_unlink(t, ps_flow_index(t, f));
}

/* A packet of our own beside the one at hand: IP header of size - header bytes of payload to come, all zero but for what is set here. */
static struct rte_mbuf *
own_packet(struct ps_worker *w, const struct ps_meta *cause, bool v6, uint8_t proto, uint32_t size)
{
	struct rte_mbuf *r;
	struct ps_meta *meta;
	uint8_t *p;

	if (w->pool == NULL || w->extras == PS_MAX_EXTRA)
		return NULL;
	r = rte_pktmbuf_alloc(w->pool);
	if (r == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(r, (uint16_t)(RTE_ETHER_HDR_LEN + size));
	if (p == NULL) {
		rte_pktmbuf_free(r);
		return NULL;
	}
	memset(p, 0, RTE_ETHER_HDR_LEN + size);
	meta = ps_meta(r);
	memset(meta, 0, sizeof(*meta));
	meta->l3 = RTE_ETHER_HDR_LEN;
	meta->l4 = v6 ? 40 : 20;
	meta->proto = proto;
	meta->iface = cause->iface;
	meta->port = cause->port;
	meta->flags = PS_META_F_LOCAL | (v6 ? PS_META_F_V6 : 0);
	p += RTE_ETHER_HDR_LEN;
	if (v6) {
		p[0] = 0x60;
		p[4] = (uint8_t)((size - 40) >> 8);
		p[5] = (uint8_t)(size - 40);
		p[6] = proto;
		p[7] = OWN_TTL + 1;
	} else {
		p[0] = 0x45;
		p[2] = (uint8_t)(size >> 8);
		p[3] = (uint8_t)size;
		p[6] = 0x40;
		p[8] = OWN_TTL + 1;
		p[9] = proto;
	}
	return r;
}

static void
finish_ip4(uint8_t *ip)
{
	uint16_t checksum = (uint16_t)~ps_sum_fold(ps_sum(ip, 20));

	memcpy(ip + 10, &checksum, 2);
}

/* A RST that continues the packet's own sequence, in its direction: for the side that the packet would have gone to. */
static void
reset_ahead(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_table *t, struct ps_flow *f,
	    uint32_t direction)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3), *tcp = l3 + meta->l4;
	bool v6 = t->v6;
	uint32_t header = v6 ? 40 : 20, size = header + 20;
	struct rte_mbuf *r;
	struct ps_meta *rm;
	uint8_t *p, *q;

	if ((tcp[13] & PS_TCP_RST) || (r = own_packet(w, meta, v6, IPPROTO_TCP, size)) == NULL)
		return;
	rm = ps_meta(r);
	p = rte_pktmbuf_mtod_offset(r, uint8_t *, rm->l3);
	q = p + header;
	memcpy(p + (v6 ? 8 : 12), l3 + (v6 ? 8 : 12), v6 ? 32 : 8);
	if (!v6)
		finish_ip4(p);
	memcpy(q, tcp, 12); /* ports, sequence, acknowledgement */
	q[12] = 5u << 4;
	q[13] = PS_TCP_RST | (tcp[13] & PS_TCP_ACK);
	ps_segment_checksum(r, p, header, IPPROTO_TCP, v6);
	rm->adjacency = f->adjacency[direction];
	if (f->mode > PS_MODE_DNAT) {
		p = v6 ? ps_flow_wrap(r, rm, f, p, size, t->outer_id++, true, true)
		       : ps_flow_wrap(r, rm, f, p, size, t->outer_id++, false, true);
		if (p == NULL) {
			rte_pktmbuf_free(r);
			return;
		}
		ps_flow_expose(r, rm, p);
	} else if (v6) {
		ps_flow_rewrite6((struct ps_flow6 *)f, direction, p, q, IPPROTO_TCP, true);
	} else {
		ps_flow_rewrite4((struct ps_flow4 *)f, direction, p, q, IPPROTO_TCP, true);
	}
	w->extra[w->extras++] = r;
}

/*
 * L2 DSR: whoever resolves a next hop on link looks at the packet's destination, which is the VIP. So the endpoint is resolved by
 * an echo request to it, at most one per millisecond, and the client's packet is lost: its sender repeats it.
 */
static uint32_t
resolve_l2(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_table *t, struct ps_flow *f,
	   const struct ps_adjacency *a)
{
	struct ps_meta *meta = ps_meta(m);
	bool v6 = t->v6;
	const struct ps_addr *source = ps_local_iface(w->view->local, a->iface, v6);
	struct rte_mbuf *r = NULL;
	uint16_t checksum;
	uint8_t *p;

	if (source != NULL && t->asked_ms != w->now_ms)
		r = own_packet(w, meta, v6, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, v6 ? 48 : 28);
	if (r != NULL) {
		t->asked_ms = w->now_ms;
		p = rte_pktmbuf_mtod_offset(r, uint8_t *, RTE_ETHER_HDR_LEN);
		if (v6) {
			memcpy(p + 8, source->b, 16);
			memcpy(p + 24, ((struct ps_flow6 *)f)->key[PS_FLOW_TO_CLIENT].src, 16);
			p[40] = 128;
			checksum = (uint16_t)~ps_sum_fold(ps_sum_pseudo(p + 8, true, IPPROTO_ICMPV6, 8) +
							  ps_sum(p + 40, 8));
			memcpy(p + 42, &checksum, 2);
		} else {
			memcpy(p + 12, source->b + 12, 4);
			memcpy(p + 16, &((struct ps_flow4 *)f)->key[PS_FLOW_TO_CLIENT].src, 4);
			finish_ip4(p);
			p[20] = 8;
			checksum = (uint16_t)~ps_sum_fold(ps_sum(p + 20, 8));
			memcpy(p + 22, &checksum, 2);
		}
		ps_meta(r)->adjacency = f->adjacency[PS_FLOW_TO_ENDPOINT];
		w->extra[w->extras++] = r;
	}
	if (atomic_load_explicit(&a->state, memory_order_relaxed) == PS_ADJ_FAILED) {
		meta->exit = PS_EXIT_UNREACH_NO_NEIGHBOUR;
		return PS_FLOW_EDGE_ANSWER;
	}
	return ps_exit_drop(meta, PS_EXIT_NEIGHBOUR_QUEUE_FULL);
}

/* The flow's endpoint is gone for good: what UDP and new connections can go on with is another endpoint. */
static uint32_t
endpoint_gone(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_table *t, struct ps_flow *f,
	      uint32_t direction, bool syn, bool has_l4)
{
	struct ps_meta *meta = ps_meta(m);
	bool tcp = f->proto == IPPROTO_TCP;

	if (direction == PS_FLOW_TO_ENDPOINT && (!tcp || syn)) {
		ps_flow_end(w, t, f);
		return PS_FLOW_EDGE_NEW;
	}
	if (tcp && has_l4)
		reset_ahead(w, m, t, f, direction);
	ps_flow_end(w, t, f);
	if (!tcp || !has_l4)
		return ps_exit_drop(meta, PS_EXIT_NO_FLOW);
	meta->exit = PS_EXIT_RST_NO_FLOW;
	return PS_FLOW_EDGE_ANSWER;
}

/* Would the packet's flow go to another endpoint if it began now? */
static bool
has_better(struct ps_worker *w, const struct ps_flow *f, const uint8_t *l3, uint32_t ports, bool v6)
{
	const struct ps_service *service = service_of(w, f);
	struct ps_addr client = ps_flow_source(l3, v6);
	uint32_t e;

	if (service == NULL)
		return false;
	e = ps_flow_choose(w, service, &client, ps_flow_hash_packet(w, l3, ports, f->proto, v6));
	return e != PS_NONE && w->view->endpoint[e].slot != f->endpoint_slot &&
	       w->view->endpoint[e].slot != PS_NONE;
}

/* The MSS that a SYN through this flow may announce; UINT16_MAX: as it likes. */
static uint16_t
mss_limit(const struct ps_worker *w, const struct ps_flow *f, const struct ps_adjacency *a, bool v6)
{
	const struct ps_service *service = service_of(w, f);
	uint32_t overhead = ps_encap_overhead[v6][f->mode] + (v6 ? 60u : 40u);

	if (service != NULL && service->mss != 0)
		return service->mss;
	if (ps_encap_overhead[v6][f->mode] == 0 || a->mtu <= overhead)
		return UINT16_MAX;
	return (uint16_t)(a->mtu - overhead);
}

/* Adds the client's address where the service wants it and the segment has room. Returns where l3 is now. */
static uint8_t *
announce_client(struct rte_mbuf *m, struct ps_flow *f, uint8_t *l3, uint8_t l4, uint32_t size, uint16_t mtu,
		bool v6)
{
	struct ps_meta *meta = ps_meta(m);
	uint8_t *tcp = l3 + l4, *data = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t header = (uint32_t)(tcp[12] >> 4) * 4u, grown;
	bool syn = tcp[13] & PS_TCP_SYN;

	if (!syn && size <= l4 + header)
		return l3; /* no data yet */
	if (!syn)
		f->flags = (uint16_t)(f->flags & ~PS_FLOW_F_TOA);
	if (m->data_off < PS_TOA6_SIZE || header < 20 || l4 + header > size)
		return l3;
	grown = ps_segment_add_toa(data, l3, tcp, f, v6, mtu);
	m->data_off = (uint16_t)(m->data_off - grown);
	m->data_len = (uint16_t)(m->data_len + grown);
	m->pkt_len += grown;
	return rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3);
}

uint32_t
ps_flow_slow(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_table *t, struct ps_flow *f,
	     uint32_t direction, bool has_l4)
{
	struct ps_meta *meta = ps_meta(m);
	bool v6 = t->v6, tcp = f->proto == IPPROTO_TCP, linked = ps_flow_in_table(t, f);
	bool whole = has_l4 && !(meta->flags & PS_META_F_FRAGMENT);
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3), *l4 = l3 + meta->l4;
	uint8_t flags = !tcp ? 0 : has_l4 ? l4[13] : PS_TCP_ACK, state = ps_flow_state(f), next;
	bool syn = direction == PS_FLOW_TO_ENDPOINT && tcp && ps_tcp_is_syn(flags);
	uint32_t size = v6 ? 40u + ((uint32_t)l3[4] << 8 | l3[5]) : (uint32_t)l3[2] << 8 | l3[3];
	uint64_t verdict = atomic_load_explicit(&w->verdict[f->endpoint_slot].word, memory_order_relaxed);
	uint32_t overhead = ps_encap_overhead[v6][f->mode], ports;
	struct ps_adjacency *a;
	bool fits;

	if (linked) {
		if (!ps_verdict_alive(verdict, f->endpoint_generation) && !(flags & PS_TCP_RST))
			return endpoint_gone(w, m, t, f, direction, syn, has_l4);
		if (has_l4 && direction == PS_FLOW_TO_ENDPOINT && (syn || !tcp) &&
		    (!tcp || ps_flow_half_open(state)) && (verdict >> 32 & PS_HEALTH_DOWN) &&
		    PS_HEALTH_GENERATION((uint32_t)(verdict >> 32)) == f->endpoint_generation) {
			memcpy(&ports, l4, sizeof(ports));
			if (has_better(w, f, l3, ports, v6)) {
				ps_flow_end(w, t, f);
				return PS_FLOW_EDGE_NEW;
			}
		}
		if (syn && (state == PS_FLOW_CLOSING || state == PS_FLOW_RESET ||
			    (state == PS_FLOW_FIN_CLIENT && !ps_flow_two_way(f->mode)))) {
			ps_flow_end(w, t, f);
			return PS_FLOW_EDGE_NEW;
		}
	}
	if (l3[v6 ? 7 : 8] <= 1) {
		meta->exit = PS_EXIT_TTL_EXPIRED;
		return PS_FLOW_EDGE_ANSWER;
	}

	a = &w->adjacency[f->adjacency[direction]];
	if (f->route_generation != w->view->route_generation ||
	    atomic_load_explicit(&a->state, memory_order_acquire) != PS_ADJ_RESOLVED) {
		ps_flow_route(w, f, v6);
		a = &w->adjacency[f->adjacency[direction]];
	}
	if (f->adjacency[direction] == 0) {
		meta->exit = PS_EXIT_UNREACH_NO_ROUTE;
		return PS_FLOW_EDGE_ANSWER;
	}
	fits = a->mtu == 0 || size + overhead <= a->mtu;
	if (!fits && (v6 || (l3[6] & 0x40))) {
		meta->exit = PS_EXIT_TOO_BIG;
		meta->adjacency = f->adjacency[direction];
		meta->hash = a->mtu - overhead;
		return PS_FLOW_EDGE_ANSWER;
	}
	if (f->mode == PS_MODE_L2 && atomic_load_explicit(&a->state, memory_order_relaxed) != PS_ADJ_RESOLVED)
		return resolve_l2(w, m, t, f, a);

	/* The packet that made the flow has been judged already: a later segment of an unknown flow proves nothing yet. */
	next = state;
	if ((f->packets[0] | f->packets[1]) != 0)
		next = (uint8_t)(ps_state_after(state, direction, flags, !ps_flow_two_way(f->mode)) & ~PS_STATE_SLOW);
	atomic_store_explicit(&f->state, next, memory_order_relaxed);
	if (!ps_flow_half_open(next))
		f->last_seen_ms = w->now_ms;
	ps_flow_count(w, f, direction, size);

	if (tcp && whole && (flags & PS_TCP_SYN))
		ps_segment_clamp_mss(l4, m->data_len - (uint32_t)(l4 - rte_pktmbuf_mtod(m, uint8_t *)),
				     mss_limit(w, f, a, v6));
	if ((f->flags & PS_FLOW_F_TOA) && direction == PS_FLOW_TO_ENDPOINT && tcp && whole &&
	    !(flags & PS_TCP_RST)) {
		l3 = announce_client(m, f, l3, meta->l4, size, a->mtu, v6);
		l4 = l3 + meta->l4;
		size = v6 ? 40u + ((uint32_t)l3[4] << 8 | l3[5]) : (uint32_t)l3[2] << 8 | l3[3];
	}
	if (f->mode <= PS_MODE_DNAT) {
		if (v6)
			ps_flow_rewrite6((struct ps_flow6 *)f, direction, l3, l4, f->proto, has_l4);
		else
			ps_flow_rewrite4((struct ps_flow4 *)f, direction, l3, l4, f->proto, has_l4);
	}
	if ((meta->flags & PS_META_F_RECHECKSUM) && whole)
		ps_segment_checksum(m, l3, meta->l4, f->proto, v6);
	if (f->mode > PS_MODE_DNAT) {
		l3 = v6 ? ps_flow_wrap(m, meta, f, l3, size, t->outer_id++, true, whole && meta->l4 == 40)
			: ps_flow_wrap(m, meta, f, l3, size, t->outer_id++, false, false);
		if (l3 == NULL)
			return ps_exit_drop(meta, PS_EXIT_TX_NO_HEADROOM);
	}
	if (fits && atomic_load_explicit(&a->state, memory_order_acquire) == PS_ADJ_RESOLVED)
		return v6 ? ps_flow_transmit(m, meta, l3, a, true) : ps_flow_transmit(m, meta, l3, a, false);
	meta->adjacency = f->adjacency[direction];
	ps_flow_expose(m, meta, l3);
	return PS_FLOW_EDGE_IP_OUTPUT;
}
