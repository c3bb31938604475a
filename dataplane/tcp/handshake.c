/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake, and doing it without memory (RFC 4987)
 *
 * A cookie is an initial sequence number that the peer must have received to acknowledge it:
 *
 *   iss = h(tuple, isn) + minute << 24 + ((h(tuple, isn, minute) + index of MSS) mod 2^24)
 *
 * where isn is the peer's. It goes through the hash, not into the sum: else an ACK of a connection long over, in which both
 * sent as many bytes, would fit again.
 * What the SYN said about window scale, SACK and ECN travels in the low six bits of the timestamp that the SYN-ACK
 * carries and the peer echoes: 4 bits scale (15: none), 1 SACK, 1 ECN. A peer without timestamps gets none of the three.
 */
#include "dataplane/tcp/internal.h"

#include "dataplane/api/digest.h"

static const uint16_t cookie_mss[8] = {88, 536, 1220, 1300, 1400, 1440, 1460, 8940};

uint8_t
ps_window_scale(uint32_t buffer)
{
	uint8_t scale = 0;

	while (scale < 14 && buffer >> scale > 65535)
		scale++;
	return scale;
}

static uint32_t
cookie_hash(const struct ps_tcp *s, const struct ps_tcp_segment *g, uint32_t isn, uint32_t purpose)
{
	uint64_t h = ps_tuple_hash(s, purpose, &g->dst, g->dst_port, &g->src, g->src_port);

	return (uint32_t)ps_mix64(h ^ PS_DIGEST_K2 * (isn | 1ull << 32), PS_DIGEST_K3);
}

static uint32_t
cookie_minute(const struct ps_tcp *s)
{
	return (uint32_t)(s->now >> 26); /* 67 seconds */
}

static void
send_cookie(struct ps_tcp *s, const struct ps_tcp_segment *g, const struct ps_tcp_options *o)
{
	uint32_t minute = cookie_minute(s), mss = o->has_mss ? o->mss : 536, index = 7, clock;
	struct ps_tcp_conn c = {0}; /* only for the time of writing the SYN-ACK */

	while (index > 0 && cookie_mss[index] > mss)
		index--;
	c.local = g->dst;
	c.remote = g->src;
	c.local_port = g->dst_port;
	c.remote_port = g->src_port;
	c.state = PS_TCP_SYN_RECEIVED;
	c.flags = ps_addr_is_v4(&g->src) ? F_V4 : 0;
	c.mtu = (uint16_t)s->config.mtu;
	c.rcv_buf = s->config.receive_buffer;
	c.rcv_nxt = c.rcv_adv = g->seq + 1;
	c.rcv_scale = 0xff;
	c.iss = cookie_hash(s, g, g->seq, 3) + (minute << 24) +
		((cookie_hash(s, g, g->seq, 4 + minute) + index) & 0xffffffu);
	if (o->has_ts && !s->config.no_timestamps) {
		bool sack = o->sack_ok && !s->config.no_sack, scale = o->has_scale && !s->config.no_window_scale;
		bool ecn = s->config.ecn && (g->flags & (PS_TCP_ECE | PS_TCP_CWR)) == (PS_TCP_ECE | PS_TCP_CWR);

		c.flags |= F_TS | (sack ? F_SACK : 0) | (ecn ? F_ECN : 0);
		if (scale)
			c.rcv_scale = s->scale;
		clock = (s->now_ms & ~63u) | (scale ? o->scale : 15u) | (sack ? 16u : 0) | (ecn ? 32u : 0);
		if (ps_after(clock, s->now_ms))
			clock -= 64;
		/* ps_tcp_clock adds now_ms to it. */
		c.ts_offset = ps_timestamp_offset(s, &g->dst, &g->src, g->dst_port, g->src_port) + clock - s->now_ms;
		c.ts_recent = o->tsval;
	}
	s->cookie_at = s->now;
	ps_note(s, PS_TCP_COOKIES_SENT);
	ps_send_syn(s, &c);
}

/* The MSS that the cookie carries, 0: not one of ours, or too old. */
static uint32_t
check_cookie(const struct ps_tcp *s, const struct ps_tcp_segment *g)
{
	uint32_t isn = g->seq - 1u, cookie = g->ack - 1u - cookie_hash(s, g, isn, 3), minute = cookie_minute(s);
	uint32_t age, index;

	age = (minute - (cookie >> 24)) & 0xffu;
	if (age > 1)
		return 0;
	index = (cookie - cookie_hash(s, g, isn, 4 + minute - age)) & 0xffffffu;
	return index < 8 ? cookie_mss[index] : 0;
}

static void
agree(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_tcp_options *o)
{
	if (o->has_mss && o->mss != 0)
		c->peer_mss = o->mss;
	if (o->has_ts && !s->config.no_timestamps) {
		c->flags |= F_TS;
		c->ts_recent = o->tsval;
		c->ts_recent_ms = s->now_ms;
	}
	if (o->sack_ok && !s->config.no_sack)
		c->flags |= F_SACK;
	if (o->has_scale && !s->config.no_window_scale) {
		c->snd_scale = o->scale;
		c->rcv_scale = s->scale;
	} else {
		c->snd_scale = 0;
		c->rcv_scale = 0xff; /* none: until the SYN-ACK is out */
	}
	if (o->has_timeout && s->config.advertise_user_timeout)
		c->peer_timeout_ms = ps_least(ps_most(o->timeout_ms, 100000), 600000); /* RFC 5482 3.1 limits */
	ps_conn_set_mss(s, c);
}

/* A connection exists from here on: what the handshake must leave behind. */
void
ps_established(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->rcv_scale == 0xff)
		c->rcv_scale = 0;
	if (c->flags & F_HALF_OPEN) {
		c->flags &= ~F_HALF_OPEN;
		s->half_open--;
		if (c->listener != 0)
			s->listener[c->listener].half_open--;
	}
	c->state = c->flags & F_FIN_QUEUED ? PS_TCP_FIN_WAIT_1 : PS_TCP_ESTABLISHED;
	c->snd_una = c->snd_nxt = c->iss + 1; /* the SYN has no record */
	c->stall_ms = c->heard_ms = s->now_ms;
	/* RFC 6298 5.7: a SYN that had to be sent again leaves three seconds. */
	if (c->backoff != 0 && c->srtt8 == 0)
		c->rto_us = ps_most(c->rto_us, 3000000u);
	ps_cc_init(s, c);
	c->backoff = 0;
	ps_timer_off(c, PS_TIMER_RTO);
	ps_timer_keepalive(s, c);
	c->round_una = c->round_end = c->fack = c->snd_una;
	if (c->listener != 0 && !(c->flags & F_ACTIVE)) {
		struct ps_tcp_listener *l = &s->listener[c->listener];

		ps_note(s, PS_TCP_OPENED_PASSIVE);
		c->flags |= F_WAITING;
		ps_list_append(s, &l->head, &l->tail, c);
		l->waiting++;
		if (!l->ready) {
			l->ready = true;
			l->ready_next = s->listen_ready;
			s->listen_ready = c->listener;
		}
		return;
	}
	ps_note(s, PS_TCP_OPENED_ACTIVE);
	if (c->flags & F_ORPHAN)
		s->orphans++;
	ps_conn_tell(s, c, PS_TCP_ON_CONNECT | PS_TCP_ON_WRITE);
}

static void
from_cookie(struct ps_tcp *s, struct ps_tcp_listener *l, const struct ps_tcp_segment *g, const struct ps_tcp_options *in)
{
	uint32_t mss = check_cookie(s, g), clock;
	struct ps_tcp_options o = {0};
	struct ps_tcp_conn *c;

	if (mss == 0) {
		ps_note(s, PS_TCP_COOKIE_INVALID);
		/* While cookies are out, it may have overtaken the segment that makes the connection. */
		if (s->cookie_at == 0 || s->now - s->cookie_at > 134000000u)
			ps_answer_reset(s, g);
		return;
	}
	if (l->waiting >= l->backlog) {
		ps_note(s, PS_TCP_BACKLOG_FULL);
		return;
	}
	if (s->pressure >= PS_TCP_PRESSURE_REFUSE) {
		ps_note(s, PS_TCP_SYN_REFUSED);
		return;
	}
	c = ps_conn_new(s, &g->dst, g->dst_port, &g->src, g->src_port);
	if (c == NULL) {
		ps_note(s, PS_TCP_CONNECTIONS_FULL);
		return;
	}
	o.has_mss = true;
	o.mss = (uint16_t)mss;
	if (in->has_ts && !s->config.no_timestamps) {
		clock = in->tsecr - c->ts_offset;
		o.has_ts = true;
		o.tsval = in->tsval;
		o.sack_ok = (clock & 16u) != 0;
		o.has_scale = (clock & 15u) != 15u;
		o.scale = (uint8_t)(clock & 15u);
		if ((clock & 32u) && s->config.ecn)
			c->flags |= F_ECN;
	}
	ps_note(s, PS_TCP_COOKIES_ACCEPTED);
	c->flags |= F_ORPHAN;
	c->listener = (uint16_t)(l - s->listener);
	c->iss = g->ack - 1u;
	c->irs = g->seq - 1u;
	c->rcv_nxt = g->seq;
	c->last_ack_sent = c->rcv_nxt;
	c->snd_end = c->iss + 1;
	c->rcv_adv = c->rcv_nxt + ps_least(c->rcv_buf, 65535);
	agree(s, c, g, &o);
	ps_established(s, c);
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	c->snd_wnd = c->max_wnd = (uint32_t)g->window << c->snd_scale;
	if (g->size != 0 || (g->flags & PS_TCP_FIN))
		ps_input_synchronised(s, c, g, in);
}

void
ps_input_listen(struct ps_tcp *s, struct ps_tcp_listener *l, const struct ps_tcp_segment *g,
	const struct ps_tcp_options *o, uint32_t iss_least)
{
	struct ps_tcp_conn *c;

	if (g->flags & PS_TCP_RST) {
		ps_note(s, PS_TCP_RST_NO_CONNECTION);
		return;
	}
	if (g->flags & PS_TCP_ACK) {
		from_cookie(s, l, g, o);
		return;
	}
	if (s->pressure >= PS_TCP_PRESSURE_REFUSE) {
		ps_note(s, PS_TCP_SYN_REFUSED);
		return;
	}
	if (g->size != 0)
		ps_note(s, PS_TCP_SYN_DATA);
	if (s->config.always_cookies || s->pressure >= PS_TCP_PRESSURE_COOKIES || l->half_open >= l->backlog ||
		(s->conn_free == 0 && s->time_wait_head == 0)) {
		send_cookie(s, g, o);
		return;
	}
	c = ps_conn_new(s, &g->dst, g->dst_port, &g->src, g->src_port);
	if (c == NULL) {
		ps_note(s, PS_TCP_CONNECTIONS_FULL);
		return;
	}
	c->state = PS_TCP_SYN_RECEIVED;
	c->flags |= F_ORPHAN | F_HALF_OPEN;
	c->listener = (uint16_t)(l - s->listener);
	l->half_open++;
	s->half_open++;
	c->irs = g->seq;
	c->rcv_nxt = c->rcv_adv = g->seq + 1;
	c->iss = ps_initial_sequence(s, &c->local, c->local_port, &c->remote, c->remote_port);
	if (iss_least != 0 && !ps_after(c->iss, iss_least))
		c->iss = iss_least;
	c->snd_una = c->iss;
	c->snd_nxt = c->snd_end = c->iss + 1;
	if (s->config.ecn && (g->flags & (PS_TCP_ECE | PS_TCP_CWR)) == (PS_TCP_ECE | PS_TCP_CWR))
		c->flags |= F_ECN;
	agree(s, c, g, o);
	c->snd_wnd = c->max_wnd = g->window;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = c->iss;
	ps_send_syn(s, c);
	c->last_end_ms = s->now_ms;
	ps_timer_rto(s, c);
}

void
ps_input_syn_sent(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g,
	const struct ps_tcp_options *o)
{
	bool acks = (g->flags & PS_TCP_ACK) != 0;
	struct ps_tcp_segment rest;

	if (acks && g->ack != c->snd_nxt) {
		ps_note(s, PS_TCP_HANDSHAKE_ACK);
		ps_answer_reset(s, g);
		return;
	}
	/* RFC 7323 3.2, RFC 9293 3.5.2: an echo of what we never said is not from our peer. */
	if (acks && o->has_ts && o->tsecr != 0 && ps_after(o->tsecr, ps_tcp_clock(s, c))) {
		ps_note(s, PS_TCP_HANDSHAKE_ACK);
		ps_answer_reset(s, g);
		return;
	}
	if (g->flags & PS_TCP_RST) {
		if (acks)
			ps_conn_end(s, c, PS_TCP_REFUSED);
		else
			ps_note(s, PS_TCP_RST_OUT_OF_WINDOW);
		return;
	}
	if (!(g->flags & PS_TCP_SYN)) {
		ps_note(s, PS_TCP_NO_ACK);
		return;
	}
	c->irs = g->seq;
	c->rcv_nxt = g->seq + 1;
	c->rcv_adv = c->rcv_nxt + ps_least(c->rcv_buf, 65535);
	c->last_ack_sent = c->rcv_nxt;
	agree(s, c, g, o);
	c->snd_wl1 = g->seq;
	c->snd_wl2 = acks ? g->ack : c->iss;
	c->snd_wnd = c->max_wnd = g->window; /* never scaled in a SYN */
	if (!acks) {
		/* Both opened at once (RFC 9293 3.5, figure 7). */
		c->state = PS_TCP_SYN_RECEIVED;
		if ((g->flags & (PS_TCP_ECE | PS_TCP_CWR)) != (PS_TCP_ECE | PS_TCP_CWR))
			c->flags &= ~F_ECN;
		c->backoff = 0;
		ps_send_syn(s, c);
		ps_timer_rto(s, c);
		return;
	}
	/* RFC 3168 6.1.1: ECE without CWR means yes. */
	if ((g->flags & (PS_TCP_ECE | PS_TCP_CWR)) != PS_TCP_ECE)
		c->flags &= ~F_ECN;
	if (c->backoff == 0)
		ps_rtt_sample(s, c, (uint32_t)(s->now_ms - c->last_end_ms) * 1000u);
	else if (c->flags & F_TS && o->tsecr != 0)
		ps_rtt_sample(s, c, (ps_tcp_clock(s, c) - o->tsecr) * 1000u);
	ps_established(s, c);
	c->flags |= F_ACK_NOW;
	ps_conn_want_output(s, c);
	if (g->size != 0 || (g->flags & PS_TCP_FIN)) {
		rest = *g;
		rest.flags &= (uint8_t)~PS_TCP_SYN;
		rest.seq++;
		ps_input_synchronised(s, c, &rest, o);
	}
}
