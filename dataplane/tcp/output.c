/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments out. One pass per connection and burst: first what is lost, then what is new, and if neither carried it, an
 * ACK. Payload leaves by reference; a segment never holds more than SLICES runs.
 */
#include "dataplane/tcp/internal.h"

#define SLICES 16u

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

uint32_t
ps_tcp_clock(const struct ps_tcp *s, const struct ps_tcp_conn *c)
{
	return s->now_ms + c->ts_offset;
}

static void
begin(const struct ps_tcp_conn *c, struct ps_tcp_segment *g, uint32_t seq, uint8_t flags)
{
	memset(g, 0, sizeof(*g));
	g->src = c->local;
	g->dst = c->remote;
	g->src_port = c->local_port;
	g->dst_port = c->remote_port;
	g->seq = seq;
	g->flags = flags;
}

static void
add_timestamp(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_segment *g)
{
	uint8_t *p = g->options + g->options_size;

	p[0] = p[1] = 1;
	p[2] = 8;
	p[3] = 10;
	put32(p + 4, ps_tcp_clock(s, c));
	put32(p + 8, g->flags & PS_TCP_ACK ? c->ts_recent : 0);
	g->options_size += 12;
}

/* The D-SACK first (RFC 2883 4), then what lies out of order, latest first (RFC 2018 4). */
static void
add_sack(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_segment *g)
{
	uint8_t *p = g->options + g->options_size;
	uint32_t room = (PS_TCP_OPTIONS_SIZE - g->options_size - 4u) / 8u, n = 0, i;

	if (!(c->flags & F_SACK) || (c->sacks == 0 && !(c->flags & F_DSACK)))
		return;
	p[0] = p[1] = 1;
	p[2] = 5;
	if (c->flags & F_DSACK) {
		put32(p + 4, c->dsack.start);
		put32(p + 8, c->dsack.end);
		n = 1;
		c->flags &= ~F_DSACK;
		ps_note(s, PS_TCP_DSACK_SENT);
	}
	for (i = 0; i < c->sacks && n < room; i++, n++) {
		put32(p + 4 + 8 * n, c->sack[i].start);
		put32(p + 8 + 8 * n, c->sack[i].end);
	}
	p[3] = (uint8_t)(2 + 8 * n);
	g->options_size += (uint8_t)(4 + 8 * n);
}

/* RFC 5482 3.1 */
static void
add_user_timeout(struct ps_tcp_conn *c, struct ps_tcp_segment *g)
{
	uint8_t *p = g->options + g->options_size;
	uint32_t s = c->user_timeout_ms / 1000u, v = s <= 0x7fff ? s : 0x8000u | ps_least(s / 60u, 0x7fff);

	if (v == 0 || g->options_size > PS_TCP_OPTIONS_SIZE - 4)
		return;
	p[0] = 28;
	p[1] = 4;
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	g->options_size += 4;
}

static void
give(struct ps_tcp *s, const struct ps_tcp_segment *g)
{
	ps_note(s, PS_TCP_SEGMENTS_OUT);
	s->config.output(s->config.ctx, g);
}

/* Window and acknowledgement; whatever carries them settles what was owed. */
static void
add_ack(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_segment *g)
{
	uint32_t edge = ps_receive_edge(s, c, false), window = edge - c->rcv_nxt;
	uint32_t scale = c->rcv_scale == 0xff ? 0 : c->rcv_scale;
	uint32_t scaled = (window + (1u << scale) - 1u) >> scale;

	scaled = ps_least(scaled, 65535);
	window = scaled << scale;
	if (ps_after(c->rcv_nxt + window, c->rcv_adv))
		c->rcv_adv = c->rcv_nxt + window;
	g->window = (uint16_t)scaled;
	g->ack = c->rcv_nxt;
	g->flags |= PS_TCP_ACK;
	if (c->flags & F_ECE)
		g->flags |= PS_TCP_ECE;
	c->last_ack_sent = c->rcv_nxt;
	c->flags &= ~F_ACK_NOW;
	ps_timer_off(c, PS_TIMER_DELACK);
}

void
ps_send_ack(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	struct ps_tcp_segment g;

	begin(c, &g, c->snd_nxt, 0);
	add_ack(s, c, &g);
	if (c->flags & F_TS)
		add_timestamp(s, c, &g);
	if (c->flags & F_USER_TIMEOUT) {
		c->flags &= ~F_USER_TIMEOUT;
		add_user_timeout(c, &g);
	}
	add_sack(s, c, &g);
	give(s, &g);
}

void
ps_send_probe(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	struct ps_tcp_segment g;

	begin(c, &g, c->snd_nxt - 1u, 0);
	add_ack(s, c, &g);
	if (c->flags & F_TS)
		add_timestamp(s, c, &g);
	give(s, &g);
}

void
ps_send_reset(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	struct ps_tcp_segment g;

	begin(c, &g, c->snd_nxt, PS_TCP_RST | PS_TCP_ACK);
	g.ack = c->rcv_nxt;
	if (c->flags & F_TS)
		add_timestamp(s, c, &g);
	ps_note(s, PS_TCP_RST_SENT);
	give(s, &g);
}

void
ps_answer_reset(struct ps_tcp *s, const struct ps_tcp_segment *in)
{
	struct ps_tcp_segment g;

	if (in->flags & PS_TCP_RST)
		return;
	if (!ps_budget_take(s)) {
		ps_note(s, PS_TCP_RST_LIMITED);
		return;
	}
	memset(&g, 0, sizeof(g));
	g.src = in->dst;
	g.dst = in->src;
	g.src_port = in->dst_port;
	g.dst_port = in->src_port;
	if (in->flags & PS_TCP_ACK) {
		g.seq = in->ack;
		g.flags = PS_TCP_RST;
	} else {
		g.ack = in->seq + in->size + ((in->flags & PS_TCP_SYN) != 0) + ((in->flags & PS_TCP_FIN) != 0);
		g.flags = PS_TCP_RST | PS_TCP_ACK;
	}
	ps_note(s, PS_TCP_RST_SENT);
	give(s, &g);
}

void
ps_send_syn(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	bool passive = c->state == PS_TCP_SYN_RECEIVED;
	bool ts = passive ? (c->flags & F_TS) != 0 : !s->config.no_timestamps;
	bool sack = passive ? (c->flags & F_SACK) != 0 : !s->config.no_sack;
	bool scale = passive ? c->rcv_scale != 0xff : !s->config.no_window_scale;
	uint32_t mss = c->mtu - (c->flags & F_V4 ? 40u : 60u), window;
	struct ps_tcp_segment g;
	uint8_t *p;

	begin(c, &g, c->iss, PS_TCP_SYN);
	if (passive) {
		g.flags |= PS_TCP_ACK;
		g.ack = c->rcv_nxt;
		c->last_ack_sent = c->rcv_nxt;
		if (c->flags & F_ECN)
			g.flags |= PS_TCP_ECE;
	} else if (c->flags & F_ECN) {
		g.flags |= PS_TCP_ECE | PS_TCP_CWR;
	}
	window = ps_least(ps_receive_edge(s, c, true) - c->rcv_nxt, 65535);
	g.window = (uint16_t)window;
	if (ps_after(c->rcv_nxt + window, c->rcv_adv))
		c->rcv_adv = c->rcv_nxt + window;
	p = g.options;
	p[0] = 2;
	p[1] = 4;
	p[2] = (uint8_t)(mss >> 8);
	p[3] = (uint8_t)mss;
	g.options_size = 4;
	if (sack) {
		p = g.options + g.options_size;
		if (!ts) {
			*p++ = 1;
			*p++ = 1;
			g.options_size += 2;
		}
		p[0] = 4;
		p[1] = 2;
		g.options_size += 2;
	}
	if (ts) {
		p = g.options + g.options_size;
		if (!sack) {
			*p++ = 1;
			*p++ = 1;
			g.options_size += 2;
		}
		p[0] = 8;
		p[1] = 10;
		put32(p + 2, ps_tcp_clock(s, c));
		put32(p + 6, passive ? c->ts_recent : 0);
		g.options_size += 10;
	}
	if (scale) {
		p = g.options + g.options_size;
		p[0] = 1;
		p[1] = 3;
		p[2] = 3;
		p[3] = s->scale;
		g.options_size += 4;
	}
	if (c->flags & F_USER_TIMEOUT)
		add_user_timeout(c, &g);
	give(s, &g);
}

/* A segment of payload that begins at a place in the send queue. */
static void
send_data(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, bool again)
{
	struct ps_tcp_slice slice[SLICES];
	uint32_t piece = r->piece, offset = r->offset, left = r->size, n = 0;
	struct ps_tcp_segment g;

	begin(c, &g, r->seq, 0);
	add_ack(s, c, &g);
	if (c->flags & F_TS)
		add_timestamp(s, c, &g);
	if (c->sacks == 0 && (c->flags & F_DSACK))
		c->flags |= F_ACK_NOW; /* does not ride on data: an ACK of its own follows */
	while (left != 0 && n < SLICES) {
		const struct ps_tcp_piece *p = &s->piece[piece];
		uint32_t size = ps_least(left, p->size - offset);

		slice[n++] = (struct ps_tcp_slice){.data = p->data + offset, .size = size, .owner = p->owner};
		left -= size;
		offset = 0;
		piece = p->next;
	}
	g.slice = slice;
	g.slices = n;
	g.size = r->size;
	if (r->flags & R_FIN)
		g.flags |= PS_TCP_FIN;
	if (r->size != 0 && r->seq + r->size == c->snd_end)
		g.flags |= PS_TCP_PSH;
	/* RFC 3168 6.1.5: neither retransmissions nor probes nor bare FINs are marked. */
	if ((c->flags & F_ECN) && !again && r->size != 0 && c->snd_wnd != 0) {
		g.ecn = PS_TCP_ECT0;
		if (c->flags & F_CWR) {
			g.flags |= PS_TCP_CWR;
			c->flags &= ~F_CWR;
		}
	}
	r->time = (uint32_t)s->now;
	if (r->tries < 255)
		r->tries++;
	c->last_send_ms = s->now_ms;
	c->sent_bytes += r->size;
	c->prr_out += r->size;
	give(s, &g);
}

/* How much of `size` bytes from a place on fits into SLICES runs. */
static uint32_t
fits(const struct ps_tcp *s, uint32_t piece, uint32_t offset, uint32_t size)
{
	uint32_t n = 0, total = 0;

	while (n < SLICES && total < size && piece != 0) {
		total += s->piece[piece].size - offset;
		offset = 0;
		piece = s->piece[piece].next;
		n++;
	}
	return ps_least(total, size);
}

bool
ps_send_new(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t size)
{
	uint32_t unsent = c->snd_end - c->snd_nxt, i;
	struct ps_tcp_record *r;

	if (c->flags & F_FIN_SENT)
		return false;
	i = ps_record_new(s);
	if (i == 0)
		return false;
	if (ps_flight(c) == 0)
		c->stall_ms = s->now_ms;
	ps_cc_sending(s, c);
	r = &s->record[i];
	size = ps_least(ps_least(size, unsent), c->mss);
	size = fits(s, c->tx_piece, c->tx_offset, size);
	*r = (struct ps_tcp_record){
		.seq = c->snd_nxt, .piece = c->tx_piece, .offset = c->tx_offset, .size = (uint16_t)size};
	if (size == unsent && (c->flags & F_FIN_QUEUED)) {
		r->flags |= R_FIN;
		c->flags |= F_FIN_SENT;
	}
	if (c->sent_tail != 0)
		s->record[c->sent_tail].next = i;
	else
		c->sent_head = i;
	c->sent_tail = i;
	c->snd_nxt = ps_record_end(r);
	c->tx_offset += size;
	while (c->tx_piece != 0 && c->tx_offset >= s->piece[c->tx_piece].size) {
		if (s->piece[c->tx_piece].next == 0)
			break; /* more may be appended: the place is then behind this piece */
		c->tx_offset -= s->piece[c->tx_piece].size;
		c->tx_piece = s->piece[c->tx_piece].next;
	}
	send_data(s, c, r, false);
	return true;
}

bool
ps_send_again(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r)
{
	struct ps_tcp_record part;

	if (r->size > c->mss && !ps_record_split(s, c, r, c->mss)) {
		/* No record for the rest: its first part goes, and will be cut off when acknowledged. */
		if (r->flags & R_AGAIN)
			return false;
		part = *r;
		part.size = c->mss;
		part.flags &= (uint8_t)~R_FIN;
		send_data(s, c, &part, true);
		r->time = part.time;
		r->flags |= R_EVER;
		ps_note(s, PS_TCP_RETRANSMITS);
		return false;
	}
	if (!(r->flags & R_AGAIN)) {
		r->flags |= R_AGAIN | R_EVER;
		if (r->flags & R_LOST)
			c->again += ps_record_end(r) - r->seq;
		else
			r->flags &= (uint8_t)~R_AGAIN; /* still counted as in flight: a probe */
	}
	c->retransmits++;
	if (c->flags & F_UNDO && c->undo_retransmits < UINT16_MAX)
		c->undo_retransmits++;
	ps_note(s, PS_TCP_RETRANSMITS);
	send_data(s, c, r, true);
	return true;
}

/* RFC 8985 7.3: something new if there is, else the last segment once more. */
void
ps_send_tlp(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t unsent = c->snd_end - c->snd_nxt, room = c->snd_una + c->snd_wnd - c->snd_nxt;

	if (c->sent_head == 0 || c->episode != PS_OPEN || (c->flags & F_TLP_OPEN))
		return;
	c->flags &= ~F_TLP_AGAIN;
	if (unsent != 0 && !ps_after(c->snd_nxt, c->snd_una + c->snd_wnd) && room >= ps_least(unsent, c->mss)) {
		if (!ps_send_new(s, c, c->mss))
			return;
	} else {
		if (!ps_send_again(s, c, &s->record[c->sent_tail]))
			return;
		c->flags |= F_TLP_AGAIN;
	}
	ps_note(s, PS_TCP_TLP);
	c->flags |= F_TLP_OPEN;
	c->tlp_end = c->snd_nxt;
	ps_timer_rto(s, c);
}

static void
send_lost(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i;
	bool first = ps_pipe(c) == 0 || (c->episode == PS_RECOVERY && c->prr_out == 0);

	if (c->lost == c->again)
		return;
	for (i = c->sent_head; i != 0; i = s->record[i].next) {
		struct ps_tcp_record *r = &s->record[i];

		if ((r->flags & (R_LOST | R_AGAIN | R_SACKED)) != R_LOST)
			continue;
		/* The first one always goes: it is what fast retransmit means (RFC 5681 3.2). */
		if (!first && ps_pipe(c) + ps_least(r->size, c->mss) > c->cwnd)
			return;
		/* A window taken back gets no more than its head as probe (RFC 9293 3.8.6). */
		if (i != c->sent_head && ps_after(ps_record_end(r), c->snd_una + c->snd_wnd))
			return;
		if (!ps_send_again(s, c, r))
			return;
		first = false;
	}
}

/* Silly windows and Nagle (RFC 9293 3.8.6.2.1, 3.7.4): how much of what waits may go now. */
static uint32_t
sendable(const struct ps_tcp_conn *c)
{
	uint32_t unsent = c->snd_end - c->snd_nxt, edge = c->snd_una + c->snd_wnd, room;

	if (ps_after(c->snd_nxt, edge))
		return 0;
	room = edge - c->snd_nxt;
	if (room >= c->mss && unsent >= c->mss)
		return c->mss;
	if (unsent <= room && unsent <= c->mss) {
		if ((c->flags & (F_NODELAY | F_FIN_QUEUED)) || ps_flight(c) == 0)
			return unsent;
		return 0;
	}
	if (room != 0 && room * 2u >= c->max_wnd)
		return ps_least(ps_least(unsent, room), c->mss);
	return 0;
}

static bool
fin_waits(const struct ps_tcp_conn *c)
{
	return (c->flags & (F_FIN_QUEUED | F_FIN_SENT)) == F_FIN_QUEUED && c->snd_nxt == c->snd_end;
}

static void
send_fresh(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t size;

	c->flags &= ~F_CWND_LIMITED;
	while (c->snd_end != c->snd_nxt && !(c->flags & F_FIN_SENT)) {
		size = sendable(c);
		if (size == 0)
			return;
		if (ps_pipe(c) != 0 && ps_pipe(c) + size > c->cwnd) {
			c->flags |= F_CWND_LIMITED;
			return;
		}
		if (!ps_send_new(s, c, size))
			return;
	}
	if (fin_waits(c))
		ps_send_new(s, c, 0);
}

static void
arm(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint64_t pto;

	if (c->sent_head == 0) {
		ps_timer_off(c, PS_TIMER_RTO);
		ps_timer_off(c, PS_TIMER_TLP);
		ps_timer_off(c, PS_TIMER_RACK);
		if ((c->snd_end != c->snd_nxt || fin_waits(c)) && !(c->flags & F_FIN_SENT)) {
			if (!ps_timer_is_set(c, PS_TIMER_PERSIST)) {
				c->backoff = 0;
				c->stall_ms = s->now_ms;
				ps_timer_set(s, c, PS_TIMER_PERSIST, c->rto_us);
			}
		} else {
			ps_timer_off(c, PS_TIMER_PERSIST);
		}
		return;
	}
	ps_timer_off(c, PS_TIMER_PERSIST);
	if (!ps_timer_is_set(c, PS_TIMER_RTO))
		ps_timer_rto(s, c);
	if (!(c->flags & F_SACK) || c->episode != PS_OPEN || (c->flags & F_TLP_OPEN) || c->sacked != 0 ||
		c->backoff != 0 || c->snd_wnd == 0) {
		ps_timer_off(c, PS_TIMER_TLP);
		return;
	}
	if (ps_timer_is_set(c, PS_TIMER_TLP))
		return;
	/* RFC 8985 7.2 */
	pto = c->srtt8 != 0 ? 2u * (uint64_t)(c->srtt8 / 8u) : 1000000u;
	if (c->sent_head == c->sent_tail)
		pto += 200000u; /* the peer may delay its ACK that long */
	if (pto < 2000u)
		pto = 2000u;
	if (pto < c->rto_us)
		ps_timer_set(s, c, PS_TIMER_TLP, pto);
}

void
ps_output(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint64_t before = s->counter[PS_TCP_SEGMENTS_OUT];

	if (!ps_synchronised(c) || c->state == PS_TCP_TIME_WAIT) {
		if (c->flags & F_ACK_NOW && c->state != PS_TCP_SYN_SENT)
			ps_send_ack(s, c);
		return;
	}
	if (c->mtu < c->mtu_full && c->episode == PS_OPEN && c->backoff == 0 && s->now_ms - c->lowered_ms >= s->config.pmtu_raise_ms) {
		ps_note(s, PS_TCP_PMTU_RAISED);
		c->mtu = c->mtu_full;
		ps_conn_set_mss(s, c);
	}
	/* Without SACK, each segment out of order is worth a duplicate ACK of its own (RFC 5681 4.2). */
	for (; !(c->flags & F_SACK) && c->dup_acks_due > 0; c->dup_acks_due--)
		ps_send_ack(s, c);
	c->dup_acks_due = 0;
	if (c->sacks != 0 && (c->flags & F_ACK_NOW))
		ps_send_ack(s, c); /* blocks do not ride on data: segments stay full */
	send_lost(s, c);
	send_fresh(s, c);
	if (s->counter[PS_TCP_SEGMENTS_OUT] != before) {
		/* whatever was sent after the last arming starts the probe's clock anew */
		ps_timer_off(c, PS_TIMER_TLP);
	}
	if (c->flags & F_ACK_NOW)
		ps_send_ack(s, c);
	arm(s, c);
}
