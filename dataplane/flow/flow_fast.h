/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a packet whose flow is known, shared by flow_ip4 and flow_ip6 with the family as a
 * compile-time constant. Three passes over a chunk (ps_stage_run3):
 *
 *   prepare   read addresses and ports, hash, prefetch the bucket
 *   probe     compare signatures, prefetch the record
 *   decide    compare the key, rewrite, send
 *
 * decide collects everything out of the ordinary in one word and tests it once; whatever is set goes
 * to ps_flow_slow (slow.c), which does all of it step by step. What remains is straight-line code:
 * endpoint alive and well, state unchanged in kind, next hop resolved, fits the MTU.
 *
 * Works on mbufs without EAL; tests and benchmark call it on plain memory.
 */
#ifndef PS_FLOW_FAST_H
#define PS_FLOW_FAST_H

#include "dataplane/flow/flow.h"
#include "dataplane/flow/rewrite.h"
#include "dataplane/flow/table.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/net/adjacency.h"

struct ps_flow_item {
	uint8_t *l3;
	const struct ps_flow_bucket *bucket;
	struct ps_flow *flow;
	uint32_t reference;
	uint16_t signature;
};

#define PS_REFERENCE_FAR (PS_NONE - 1u) /* not in its own bucket, but it has overflowed */

static __rte_always_inline struct ps_flow_table *
ps_flow_table_of(const struct ps_worker *w, const bool v6)
{
	return v6 ? w->flow6 : w->flow4;
}

static __rte_always_inline void
ps_flow_prepare(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_item *item, const bool v6)
{
	const struct ps_flow_table *t = ps_flow_table_of(w, v6);
	const struct ps_meta *meta = ps_meta(m);
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3);
	uint32_t ports;
	uint64_t hash;

	memcpy(&ports, l3 + meta->l4, sizeof(ports));
	hash = v6 ? ps_flow_bucket_hash6(t, l3 + 8, ports, meta->proto)
		  : ps_flow_bucket_hash4(t, ps_digest_load(l3 + 12), ports, meta->proto);
	item->l3 = l3;
	item->bucket = &t->bucket[hash & t->bucket_mask];
	item->signature = ps_flow_signature(hash);
	rte_prefetch0(item->bucket);
}

static __rte_always_inline void
ps_flow_probe(struct ps_worker *w, struct ps_flow_item *item, const bool v6)
{
	const struct ps_flow_table *t = ps_flow_table_of(w, v6);
	uint32_t bits = ps_flow_bucket_match(item->bucket, item->signature);
	struct ps_flow *f;

	if (unlikely(bits == 0)) {
		item->reference = item->bucket->overflow != 0 ? PS_REFERENCE_FAR : PS_NONE;
		return;
	}
	item->reference = item->bucket->reference[__builtin_ctz(bits)];
	f = (struct ps_flow *)(t->records + ((uint64_t)(item->reference >> 1) << (v6 ? 7 : 6)));
	item->flow = f;
	rte_prefetch0(f);
	if (v6)
		rte_prefetch0((uint8_t *)f + 64);
}

/* DSR: the packet as it is, its outer header before it. */
static __rte_always_inline uint32_t
ps_flow_direct(struct rte_mbuf *m, struct ps_meta *meta, struct ps_flow_table *t, struct ps_flow *f, uint8_t *l3,
	       uint32_t size, struct ps_adjacency *a, const bool v6)
{
	l3 = ps_flow_wrap(m, meta, f, l3, size, t->outer_id++, v6, meta->l4 == 40);
	if (unlikely(l3 == NULL))
		return ps_exit_drop(meta, PS_EXIT_TX_NO_HEADROOM);
	return ps_flow_transmit(m, meta, l3, a, v6);
}

static __rte_always_inline rte_edge_t
ps_flow_decide(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow_item *item, const bool v6)
{
	struct ps_flow_table *t = ps_flow_table_of(w, v6);
	struct ps_meta *meta = ps_meta(m);
	uint8_t *l3 = item->l3, *l4 = l3 + meta->l4, flags, next, mode;
	uint32_t reference = item->reference, direction, ports, size;
	struct ps_flow *f = item->flow;
	struct ps_adjacency *a;
	uint64_t odd;

	memcpy(&ports, l4, sizeof(ports));
	if (unlikely(reference == PS_NONE))
		return PS_FLOW_EDGE_NEW;
	if (likely(reference != PS_REFERENCE_FAR)) {
		bool equal = v6 ? ps_flow_key_equal6((struct ps_flow6 *)f, reference & 1u, l3 + 8, ports,
						     meta->proto)
				: ps_flow_key_equal4((struct ps_flow4 *)f, reference & 1u,
						     ps_digest_load(l3 + 12), ports, meta->proto);
		if (unlikely(!equal))
			reference = PS_REFERENCE_FAR;
	}
	if (unlikely(reference == PS_REFERENCE_FAR)) {
		reference = ps_flow_find_packet(t, l3, ports, meta->proto);
		if (reference == PS_NONE)
			return PS_FLOW_EDGE_NEW;
		f = ps_flow_at(t, reference >> 1);
	}
	direction = reference & 1u;
	mode = f->mode;
	a = &w->adjacency[f->adjacency[direction]];
	if (v6)
		size = 40u + ((uint32_t)l3[4] << 8 | l3[5]);
	else
		size = (uint32_t)l3[2] << 8 | l3[3];
	flags = meta->proto == IPPROTO_TCP ? l4[13] : 0;
	next = ps_state_after(ps_flow_state(f), direction, flags, mode > PS_MODE_DNAT);

	/* As new flows may use the endpoint, this one may: anything less is looked at closely. */
	odd = (atomic_load_explicit(&w->verdict[f->endpoint_slot].word, memory_order_relaxed) ^
	       ((uint64_t)f->endpoint_generation << 16 | PS_CTL_IN_USE)) &
	      ((uint64_t)PS_HEALTH_DOWN << 32 | 0xffff0000u | PS_CTL_IN_USE | PS_CTL_DRAIN | PS_CTL_KILL);
	odd |= next & PS_STATE_SLOW;
	odd |= l3[v6 ? 7 : 8] <= 1;
	odd |= (uint64_t)(f->route_generation ^ w->view->route_generation);
	odd |= meta->flags & (PS_META_F_RECHECKSUM | PS_META_F_FRAGMENT);
	odd |= f->flags & PS_FLOW_F_TOA;
	odd |= (uint64_t)(atomic_load_explicit(&a->state, memory_order_relaxed) ^ PS_ADJ_RESOLVED);
	odd |= size + ps_encap_overhead[v6][mode] > a->mtu;
	if (unlikely(odd != 0))
		return (rte_edge_t)ps_flow_slow(w, m, t, f, direction, true);

	atomic_store_explicit(&f->state, next, memory_order_relaxed);
	f->last_seen_ms = w->now_ms;
	ps_flow_count(w, f, direction, size);
	if (likely(mode <= PS_MODE_DNAT)) {
		if (v6)
			ps_flow_rewrite6((struct ps_flow6 *)f, direction, l3, l4, meta->proto, true);
		else
			ps_flow_rewrite4((struct ps_flow4 *)f, direction, l3, l4, meta->proto, true);
		return (rte_edge_t)ps_flow_transmit(m, meta, l3, a, v6);
	}
	return (rte_edge_t)ps_flow_direct(m, meta, t, f, l3, size, a, v6);
}

#endif
