/* SPDX-License-Identifier: Apache-2.0 */
/* Received packets: whose they are, whether they are right, what happens next. The fast path of the program. */
#include <time.h>

#include "perf/loadgen/engine.h"

#define AHEAD 6u
#define GUE_HEADER 8u /* UDP header; GUE variant 1 has none of its own */

/* Where things are in a frame, and what they say. Offsets in bytes from the start of the frame. */
struct seen {
	uint32_t l3, l4;
	uint32_t src_low, dst_low; /* network order */
	uint16_t src_port, dst_port;
	uint8_t proto;
	bool v6;
};

static inline bool
parse_ip(const uint8_t *frame, uint32_t l3, uint32_t length, struct seen *s)
{
	const uint8_t *ip = frame + l3;

	s->l3 = l3;
	if (likely(ip[0] == 0x45 && length >= l3 + 20)) {
		s->v6 = false;
		s->proto = ip[9];
		s->l4 = l3 + 20;
		memcpy(&s->src_low, ip + 12, 4);
		memcpy(&s->dst_low, ip + 16, 4);
	} else if ((ip[0] >> 4) == 6 && length >= l3 + 40) {
		s->v6 = true;
		s->proto = ip[6];
		s->l4 = l3 + 40;
		memcpy(&s->src_low, ip + 20, 4);
		memcpy(&s->dst_low, ip + 36, 4);
	} else {
		return false;
	}
	if (length < s->l4 + 8)
		return false;
	memcpy(&s->src_port, frame + s->l4, 2);
	memcpy(&s->dst_port, frame + s->l4 + 2, 2);
	return true;
}

static inline bool
parse(const uint8_t *frame, uint32_t length, uint16_t vlan, struct seen *s)
{
	uint32_t l3 = 14;
	uint16_t type;

	memcpy(&type, frame + 12, 2);
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		if (vlan == 0 || length < 18 || (((frame[14] << 8) | frame[15]) & 0xfff) != vlan)
			return false;
		memcpy(&type, frame + 16, 2);
		l3 = 18;
	}
	if (type != RTE_BE16(RTE_ETHER_TYPE_IPV4) && type != RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return false;
	return length >= l3 + 28 && parse_ip(frame, l3, length, s);
}

/* Is the address with these last 32 bits in the range? The rest is compared only for IPv6. */
static inline bool
in_range(const struct ps_addr_range *range, const uint8_t *ip, uint32_t low, uint32_t v6_offset, bool v6)
{
	if (ntohl(low) - range->low >= range->count)
		return false;
	return v6 ? memcmp(range->first.b, ip + v6_offset, 12) == 0 : ps_addr_range_is_v4(range);
}

static inline bool
from(const struct ps_addr_range *range, const uint8_t *frame, const struct seen *s)
{
	return in_range(range, frame + s->l3, s->src_low, 8, s->v6);
}

static inline bool
to(const struct ps_addr_range *range, const uint8_t *frame, const struct seen *s)
{
	return in_range(range, frame + s->l3, s->dst_low, 24, s->v6);
}

/* Reads the stamp; false when the packet carries none. */
static inline bool
read_stamp(const uint8_t *frame, uint32_t length, const struct seen *s, uint32_t *number, uint32_t *time)
{
	const uint8_t *l4 = frame + s->l4;
	uint16_t window;
	uint32_t magic;

	if (s->proto == IPPROTO_TCP) {
		if (length < s->l4 + 20)
			return false;
		memcpy(&window, l4 + 14, 2);
		memcpy(time, l4 + 4, 4);
		memcpy(number, l4 + 8, 4);
		return window == PS_STAMP_WINDOW;
	}
	if (s->proto != IPPROTO_UDP || length < s->l4 + 8 + PS_STAMP_SIZE)
		return false;
	memcpy(&magic, l4 + 8, 4);
	memcpy(number, l4 + 12, 4);
	memcpy(time, l4 + 16, 4);
	return magic == PS_STAMP_MAGIC;
}

/* Frees a received packet, with the others of its burst. */
static inline void
spend(struct ps_engine *e, struct rte_mbuf *m)
{
	if (likely(m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1))
		e->spent_list[e->spent++] = m;
	else
		rte_pktmbuf_free(m);
}

static inline void
arrived(struct ps_direction *d, uint32_t number, uint32_t time, uint32_t flow, uint64_t now)
{
	ps_track_packet(&d->track, number, flow);
	ps_histogram_record(&d->latency, (uint32_t)now - time);
}

static inline void
verify(struct ps_engine *e, const uint8_t *frame, uint32_t length, const struct seen *s)
{
	if (e->c->verify == 0 || --e->verify_countdown != 0)
		return;
	e->verify_countdown = e->c->verify;
	e->tally.checksums_checked++;
	if (!ps_frame_checksums_ok(frame + s->l3, length - s->l3))
		e->tally.wrong_checksum++;
}

static void
backend_first_seen(struct ps_engine *e, uint32_t index)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	e->backend[index].first_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
backend_changed(struct ps_engine *e, uint32_t index)
{
	struct ps_addr addr = ps_addr_range_at(&e->c->backend, index);
	char text[INET6_ADDRSTRLEN], event[80];

	e->last_backend = index;
	snprintf(event, sizeof(event), "backend %s", ps_addr_format(&addr, text, sizeof(text)));
	ps_event(event);
}

static inline void
count_backend(struct ps_engine *e, uint32_t dst_low)
{
	uint32_t index = ntohl(dst_low) - e->c->backend.low;

	if (unlikely(e->c->watch_backend && index != e->last_backend))
		backend_changed(e, index);
	if (index >= PS_BACKENDS_SHOWN)
		return;
	if (unlikely(e->backend[index].packets++ == 0 && e->backend[index].first_ns == 0))
		backend_first_seen(e, index);
}

/* Sends a packet back where it came from, as the server that it was addressed to. The checksum of swapped words stays. */
static inline void
turn_round(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint8_t *frame, const struct seen *s,
	   uint32_t time, uint32_t now)
{
	uint8_t *ip = frame + s->l3, *l4 = frame + s->l4, mac[6], addr[16];
	uint8_t *checksum_at = l4 + (s->proto == IPPROTO_TCP ? 16 : 6);
	uint8_t *time_at = l4 + (s->proto == IPPROTO_TCP ? 4 : 16);
	uint16_t checksum;

	memcpy(mac, frame, 6);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, mac, 6);
	if (s->v6) {
		memcpy(addr, ip + 8, 16);
		memcpy(ip + 8, ip + 24, 16);
		memcpy(ip + 24, addr, 16);
	} else {
		memcpy(ip + 12, &s->dst_low, 4);
		memcpy(ip + 16, &s->src_low, 4);
	}
	memcpy(l4, &s->dst_port, 2);
	memcpy(l4 + 2, &s->src_port, 2);
	memcpy(&checksum, checksum_at, 2);
	if (s->proto == IPPROTO_TCP || checksum != 0) {
		checksum = ps_checksum_change32(checksum, time, now);
		if (checksum == 0 && s->proto == IPPROTO_UDP)
			checksum = 0xffff;
		memcpy(checksum_at, &checksum, 2);
	}
	memcpy(time_at, &now, 4);
	e->dir[PS_TO_CLIENT].sent++;
	ps_txq_add(p, m);
}

static inline void
client_receive(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint8_t *frame, const struct seen *s,
	       uint64_t now)
{
	struct ps_direction *d = &e->dir[PS_TO_CLIENT];
	uint32_t number, time, flow;
	struct ps_tuple sent;

	if (s->proto == IPPROTO_TCP && unlikely((frame[s->l4 + 13] & (PS_TCP_SYN | PS_TCP_RST)) != 0)) {
		if ((frame[s->l4 + 13] & PS_TCP_RST) != 0) {
			e->tally.resets++;
			spend(e, m);
		} else {
			ps_answer_syn_ack(e, p, m, s->l3, s->l4);
		}
		return;
	}
	if (unlikely(!read_stamp(frame, m->pkt_len, s, &number, &time))) {
		if (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP) {
			ps_answer(e, p, m);
			return;
		}
		e->tally.unknown++;
		spend(e, m);
		return;
	}
	flow = ps_space_flow(&e->space, s->dst_low, s->dst_port);
	ps_space_destination(&e->space, flow, &sent);
	if (unlikely(flow == PS_NONE || sent.dst_low != s->src_low || sent.dst_port != s->src_port))
		e->tally.wrong_address++;
	verify(e, frame, m->pkt_len, s);
	arrived(d, number, time, flow, now);
	if (unlikely(e->setup_bitmap != NULL))
		ps_setup_mark(e, number);
	spend(e, m);
}

/* Tunnelled to a backend, or addressed to a VIP and still here: delivered as a server without NAT would see it. */
static inline void
deliver(struct ps_engine *e, struct rte_mbuf *m, const uint8_t *frame, const struct seen *s, uint64_t now)
{
	uint32_t number, time;

	if (!read_stamp(frame, m->pkt_len, s, &number, &time)) {
		e->tally.unknown++;
	} else {
		verify(e, frame, m->pkt_len, s);
		arrived(&e->dir[PS_TO_BACKEND], number, time,
			from(&e->space.client, frame, s) ? ps_space_flow(&e->space, s->src_low, s->src_port) : PS_NONE, now);
		if (unlikely(e->setup_bitmap != NULL))
			ps_setup_mark(e, number);
	}
	spend(e, m);
}

/* The packet inside a tunnel to a backend; false when this is no tunnel. */
static inline bool
parse_tunnel(const struct ps_engine *e, const uint8_t *frame, uint32_t length, const struct seen *s, struct seen *inner)
{
	uint32_t l3;

	if (s->proto == IPPROTO_IPIP || s->proto == IPPROTO_IPV6)
		l3 = s->l4;
	else if (s->proto == IPPROTO_UDP && s->dst_port == htons(e->c->gue_port) && (frame[s->l4 + GUE_HEADER] & 0xc0) != 0)
		l3 = s->l4 + GUE_HEADER;
	else
		return false;
	return length >= l3 + 28 && parse_ip(frame, l3, length, inner);
}

static inline void
backend_receive(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint8_t *frame, const struct seen *s,
		uint64_t now)
{
	uint32_t number, time, flow = PS_NONE;
	struct seen inner;

	if (unlikely(!read_stamp(frame, m->pkt_len, s, &number, &time))) {
		if (parse_tunnel(e, frame, m->pkt_len, s, &inner)) {
			count_backend(e, s->dst_low);
			deliver(e, m, frame, &inner, now);
		} else if (s->proto == IPPROTO_TCP && (frame[s->l4 + 13] & (PS_TCP_SYN | PS_TCP_ACK)) == PS_TCP_SYN) {
			ps_answer_syn(e, p, m, s->l3, s->l4); /* a health probe */
		} else if (s->proto == IPPROTO_TCP) {
			e->tally.accepted++; /* the client's ACK of a handshake, or the end of a probe */
			spend(e, m);
		} else {
			ps_answer(e, p, m);
		}
		return;
	}
	count_backend(e, s->dst_low);
	verify(e, frame, m->pkt_len, s);
	if (from(&e->space.client, frame, s))
		flow = ps_space_flow(&e->space, s->src_low, s->src_port);
	arrived(&e->dir[PS_TO_BACKEND], number, time, flow, now);
	if (s->proto == IPPROTO_TCP && unlikely((frame[s->l4 + 13] & PS_TCP_SYN) != 0)) {
		if (e->c->no_return)
			ps_setup_mark(e, number);
		if (e->c->no_return || (e->c->tcp == PS_TCP_MODE_SYN && e->setup_bitmap == NULL))
			spend(e, m);
		else
			ps_answer_syn(e, p, m, s->l3, s->l4);
	} else if (e->c->no_return) {
		if (unlikely(e->setup_bitmap != NULL))
			ps_setup_mark(e, number);
		spend(e, m);
	} else {
		turn_round(e, p, m, frame, s, time, (uint32_t)now);
	}
}

static inline void
receive_one(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint64_t now)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct seen s;

	if (unlikely(!parse(frame, rte_pktmbuf_data_len(m), p->vlan, &s)))
		ps_answer(e, p, m);
	else if (to(&e->space.client, frame, &s))
		client_receive(e, p, m, frame, &s, now);
	else if (to(&e->c->backend, frame, &s))
		backend_receive(e, p, m, frame, &s, now);
	else if (to(&e->space.vip, frame, &s) && from(&e->space.client, frame, &s))
		deliver(e, m, frame, &s, now);
	else
		ps_answer(e, p, m);
}

uint32_t
ps_receive(struct ps_engine *e, struct ps_txport *p, uint64_t now)
{
	struct rte_mbuf *m[64];
	uint16_t n, i;

	if (now < p->rx_after)
		return 0;
	n = rte_eth_rx_burst(p->id, 0, m, RTE_DIM(m));
	if (n < RTE_DIM(m) / 2)
		p->rx_after = now + e->backoff;
	for (i = 0; i < AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (i = 0; i < n; i++) {
		if (i + AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		p->received_bytes += m[i]->pkt_len;
		receive_one(e, p, m[i], now);
	}
	if (e->spent != 0)
		rte_mempool_put_bulk(e->pool, (void **)e->spent_list, e->spent);
	e->spent = 0;
	p->received += n;
	return n;
}
