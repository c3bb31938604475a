/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/icmp_translate.h"

#include "dataplane/flow/checksum.h"
#include "dataplane/flow/rewrite.h"
#include "dataplane/flow/tcp_state.h"

#define QUOTE_MAX 128u /* bytes of the quoted packet that are looked at and may change */
#define ICMP4_UNREACHABLE 3u
#define ICMP4_FRAGMENTATION_NEEDED 4u
#define ICMP6_TOO_BIG 2u

/* A quoted packet: where its parts are. */
struct quote {
	uint8_t *ip;
	uint8_t *l4;
	uint32_t left;  /* bytes from l4 on that are there */
	uint8_t proto;
	bool v6;
};

/* left: bytes at ip. False: too short, or nothing that can belong to a flow. */
static bool
parse_quote(struct quote *q, uint8_t *ip, uint32_t left, bool v6)
{
	uint32_t header = 40, headers;

	q->ip = ip;
	q->v6 = v6;
	if (!v6) {
		if (left < 20 || ip[0] >> 4 != 4)
			return false;
		header = (ip[0] & 15u) * 4u;
		if (header < 20 || left < header + 8 || ((ip[6] & 0x1fu) | ip[7]) != 0)
			return false;
		q->proto = ip[9];
	} else {
		if (left < 48 || ip[0] >> 4 != 6)
			return false;
		q->proto = ip[6];
		for (headers = 0; headers < 4; headers++) {
			const uint8_t *x = ip + header;
			uint32_t size = 8;

			if (q->proto != 0 && q->proto != 43 && q->proto != 60 && q->proto != 44)
				break;
			if (q->proto == 44) {
				if ((x[2] | (x[3] & 0xf8u)) != 0)
					return false; /* a later fragment has no ports */
			} else {
				size = (x[1] + 1u) * 8u;
			}
			q->proto = x[0];
			header += size;
			if (left < header + 8)
				return false;
		}
	}
	q->l4 = ip + header;
	q->left = left - header;
	return true;
}

static void
quote_key(const struct quote *q, bool reversed, uint8_t key[36])
{
	uint32_t n = q->v6 ? 16 : 4;
	const uint8_t *addrs = q->ip + (q->v6 ? 8 : 12);

	memcpy(key, addrs + (reversed ? n : 0), n);
	memcpy(key + n, addrs + (reversed ? 0 : n), n);
	memcpy(key + 2 * n, q->l4 + (reversed ? 2 : 0), 2);
	memcpy(key + 2 * n + 2, q->l4 + (reversed ? 0 : 2), 2);
}

static const uint8_t *
key_bytes(const struct ps_flow *f, uint32_t direction, bool v6)
{
	return v6 ? (const uint8_t *)&((const struct ps_flow6 *)f)->key[direction]
		  : (const uint8_t *)&((const struct ps_flow4 *)f)->key[direction];
}

/* Writes src, dst at the addresses of the IP header. Returns the delta of the two. */
static uint16_t
set_addresses(uint8_t *ip, const uint8_t *src, const uint8_t *dst, bool v6)
{
	uint32_t n = v6 ? 16 : 4;
	uint8_t *at = ip + (v6 ? 8 : 12), old[32];
	uint16_t delta;

	memcpy(old, at, 2 * n);
	memcpy(at, src, n);
	memcpy(at + n, dst, n);
	delta = ps_delta(old, at, 2 * n);
	if (!v6)
		ps_field_update(ip + 10, delta);
	return delta;
}

static uint32_t
send_on(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow *f, uint32_t direction, uint8_t *l3, bool v6)
{
	struct ps_meta *meta = ps_meta(m);
	struct ps_adjacency *a;

	if (f->adjacency[direction] == 0 || f->route_generation != w->view->route_generation)
		ps_flow_route(w, f, v6);
	a = &w->adjacency[f->adjacency[direction]];
	if (atomic_load_explicit(&a->state, memory_order_acquire) == PS_ADJ_RESOLVED &&
	    m->pkt_len <= a->mtu + (uint32_t)RTE_ETHER_HDR_LEN)
		return v6 ? ps_flow_transmit(m, meta, l3, a, true) : ps_flow_transmit(m, meta, l3, a, false);
	meta->adjacency = f->adjacency[direction];
	ps_flow_expose(m, meta, l3);
	return PS_FLOW_EDGE_IP_OUTPUT;
}

/* An error about a packet that was rewritten: in `direction`, towards the one who sent it. */
static uint32_t
translate_nat(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow *f, uint32_t direction, uint8_t *l3,
	      uint8_t *icmp, const struct quote *q)
{
	const uint8_t *sent = key_bytes(f, direction ^ 1u, q->v6); /* what the other side sent, as it sent it */
	bool v6 = q->v6;
	uint32_t n = v6 ? 16 : 4, span = (uint32_t)(q->l4 - q->ip) + q->left;
	uint8_t before[QUOTE_MAX], *field;
	uint16_t addresses, ports, outer;
	const uint8_t *from;

	span = (span < QUOTE_MAX ? span : QUOTE_MAX) & ~1u;
	memcpy(before, q->ip, span);
	addresses = set_addresses(q->ip, sent, sent + n, v6);
	ports = ps_delta(q->l4, sent + 2 * n, 4);
	memcpy(q->l4, sent + 2 * n, 4);
	field = q->l4 + (q->proto == IPPROTO_UDP ? 6 : 16);
	if (q->left >= (q->proto == IPPROTO_UDP ? 8u : 18u) &&
	    !(q->proto == IPPROTO_UDP && !v6 && field[0] == 0 && field[1] == 0)) {
		ps_field_update(field, (uint32_t)addresses + ports);
		if (q->proto == IPPROTO_UDP && field[0] == 0 && field[1] == 0)
			field[0] = field[1] = 0xff;
	}
	ps_field_update(icmp + 2, ps_delta(before, q->ip, span));
	/* From the peer that the receiver knows; a DNAT endpoint knows the real one. */
	from = direction == PS_FLOW_TO_ENDPOINT && f->mode == PS_MODE_DNAT ? l3 + (v6 ? 8 : 12) : sent + n;
	{
		uint8_t source[16];

		memcpy(source, from, n);
		outer = set_addresses(l3, source, sent, v6);
	}
	if (v6)
		ps_field_update(icmp + 2, outer); /* pseudo header */
	ps_flow_decrement(l3, v6);
	return send_on(w, m, f, direction, l3, v6);
}

/* An error about an outer header: cut the outer one out of the quote, so that the client sees its own packet. */
static uint32_t
translate_tunnel(struct ps_worker *w, struct rte_mbuf *m, struct ps_flow *f, uint8_t *l3, uint8_t *icmp,
		 const struct quote *outer, const struct quote *inner)
{
	struct ps_meta *meta = ps_meta(m);
	bool v6 = outer->v6;
	uint32_t cut = (uint32_t)(inner->ip - outer->ip), head = (uint32_t)(outer->ip - l3), size, n = v6 ? 16 : 4;
	const uint8_t *client = key_bytes(f, PS_FLOW_TO_ENDPOINT, v6);
	uint16_t removed = ps_sum_fold(ps_sum(outer->ip, cut)), length, addresses;
	uint8_t old[4];

	/* The flow ID of the way back is not kept for DSR: the client's next hop is looked up by ip_output. */
	memmove(l3 + cut, l3, head);
	l3 += cut;
	icmp += cut;
	/* Sum of the message without what was cut; an even number of bytes at an even place. */
	ps_field_update(icmp + 2, (uint16_t)~removed);
	memcpy(old, icmp + 4, 4);
	if (v6 && icmp[0] == ICMP6_TOO_BIG) {
		uint32_t mtu;

		memcpy(&mtu, icmp + 4, 4);
		mtu = __builtin_bswap32(mtu);
		mtu = mtu > cut + 1280u ? mtu - cut : 1280u;
		mtu = __builtin_bswap32(mtu);
		memcpy(icmp + 4, &mtu, 4);
	} else if (!v6 && icmp[0] == ICMP4_UNREACHABLE && icmp[1] == ICMP4_FRAGMENTATION_NEEDED) {
		uint32_t mtu = (uint32_t)icmp[6] << 8 | icmp[7];

		mtu = mtu > cut + 68u ? mtu - cut : 68u;
		icmp[6] = (uint8_t)(mtu >> 8);
		icmp[7] = (uint8_t)mtu;
	}
	ps_field_update(icmp + 2, ps_delta(old, icmp + 4, 4));
	size = (v6 ? (uint32_t)l3[4] << 8 | l3[5] : (uint32_t)l3[2] << 8 | l3[3]) - cut;
	memcpy(old, l3 + (v6 ? 4 : 2), 2);
	length = __builtin_bswap16((uint16_t)size);
	memcpy(l3 + (v6 ? 4 : 2), &length, 2);
	if (!v6)
		ps_field_update(l3 + 10, ps_delta(old, &length, 2));
	addresses = set_addresses(l3, client + n, client, v6);
	if (v6) /* pseudo header: addresses and length */
		ps_field_update(icmp + 2, (uint32_t)addresses + ps_delta(old, &length, 2));
	ps_flow_decrement(l3, v6);
	meta->adjacency = 0;
	ps_flow_expose(m, meta, l3);
	return PS_FLOW_EDGE_IP_OUTPUT;
}

static bool
inside_tunnel(const struct quote *outer, struct quote *inner)
{
	uint32_t skip = outer->proto == IPPROTO_UDP ? 8 : 0;

	if (outer->proto != (outer->v6 ? IPPROTO_IPV6 : IPPROTO_IPIP) && outer->proto != IPPROTO_UDP)
		return false;
	if (outer->left <= skip)
		return false;
	return parse_quote(inner, outer->l4 + skip, outer->left - skip, outer->v6) &&
	       (inner->proto == IPPROTO_TCP || inner->proto == IPPROTO_UDP);
}

static uint32_t
peer_with(const struct ps_worker *w, const uint8_t *key, uint8_t proto, bool v6)
{
	struct ps_flow_table *const *peer = v6 ? w->peer_flow6 : w->peer_flow4;
	uint32_t i;

	for (i = 0; peer != NULL && i < w->workers; i++)
		if (i != w->index && peer[i] != NULL && ps_flow_table_peek(peer[i], key, proto) != PS_NONE)
			return i;
	return PS_NONE;
}

uint32_t
ps_icmp_translate(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	bool v6 = meta->flags & PS_META_F_V6;
	struct ps_flow_table *t = v6 ? w->flow6 : w->flow4;
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3), *icmp = l3 + meta->l4;
	uint32_t there = m->data_len - meta->l3, size, left, reference, peer = PS_NONE;
	struct quote q, inner;
	uint8_t key[36];

	if (w->view == NULL)
		return ps_exit_drop(meta, PS_EXIT_NO_SNAPSHOT);
	size = v6 ? 40u + ((uint32_t)l3[4] << 8 | l3[5]) : (uint32_t)l3[2] << 8 | l3[3];
	left = size < there ? size : there; /* quotes that reach into another buffer are long enough in the first */
	if (left < meta->l4 + 8u)
		return ps_exit_drop(meta, PS_EXIT_ICMP_MALFORMED);
	if (!parse_quote(&q, icmp + 8, left - meta->l4 - 8u, v6))
		return ps_exit_drop(meta, PS_EXIT_ICMP_NO_FLOW);
	if (l3[v6 ? 7 : 8] <= 1)
		return ps_exit_drop(meta, PS_EXIT_TTL_EXPIRED);
	if (q.proto == IPPROTO_TCP || q.proto == IPPROTO_UDP) {
		quote_key(&q, true, key);
		reference = ps_flow_table_find(t, key, q.proto);
		if (reference != PS_NONE) {
			struct ps_flow *f = ps_flow_at(t, reference >> 1);
			uint32_t direction = reference & 1u;

			if (ps_flow_two_way(f->mode))
				return translate_nat(w, m, f, direction, l3, icmp, &q);
			l3 = v6 ? ps_flow_wrap(m, meta, f, l3, size, t->outer_id++, true, false)
				: ps_flow_wrap(m, meta, f, l3, size, t->outer_id++, false, false);
			if (l3 == NULL)
				return ps_exit_drop(meta, PS_EXIT_TX_NO_HEADROOM);
			return send_on(w, m, f, PS_FLOW_TO_ENDPOINT, l3, v6);
		}
		peer = peer_with(w, key, q.proto, v6);
	}
	if (peer == PS_NONE && inside_tunnel(&q, &inner)) {
		quote_key(&inner, false, key);
		reference = ps_flow_table_find(t, key, inner.proto);
		if (reference != PS_NONE && ps_flow_at(t, reference >> 1)->mode > PS_MODE_DNAT)
			return translate_tunnel(w, m, ps_flow_at(t, reference >> 1), l3, icmp, &q, &inner);
		peer = peer_with(w, key, inner.proto, v6);
	}
	if (peer != PS_NONE) {
		meta->owner = peer;
		return PS_FLOW_EDGE_HANDOFF;
	}
	return ps_exit_drop(meta, PS_EXIT_ICMP_NO_FLOW);
}
