/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acknowledgements: what arrived, how long it took, what must be lost, and how much may be sent now. Order matters:
 * scoreboard, round-trip time, loss detection, window, then timers.
 */
#include "dataplane/tcp/internal.h"

/* RFC 6298 2; min_rtt is RACK's, over ten seconds. */
void
ps_rtt_sample(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t us)
{
	uint32_t srtt = c->srtt8 / 8u, off, var;

	us = ps_least(ps_most(us, 1), 120000000);
	if (c->min_rtt == 0 || us <= c->min_rtt || s->now_ms - c->min_rtt_ms > 10000) {
		c->min_rtt = us;
		c->min_rtt_ms = s->now_ms;
	}
	if (c->srtt8 == 0) {
		c->srtt8 = us * 8u;
		c->rttvar4 = us * 2u;
	} else {
		off = srtt > us ? srtt - us : us - srtt;
		c->rttvar4 = c->rttvar4 - c->rttvar4 / 4u + off;
		c->srtt8 = c->srtt8 - c->srtt8 / 8u + us;
	}
	var = ps_most(c->rttvar4, 1000); /* G: the clock's grain */
	c->rto_us = c->srtt8 / 8u + var;
	c->rto_us = ps_most(c->rto_us, s->config.rto_min_ms * 1000u);
	c->rto_us = ps_least(c->rto_us, s->config.rto_max_ms * 1000u);
}

static void
free_pieces(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_record *next)
{
	uint32_t keep = next != NULL ? next->piece : c->tx_piece;

	while (c->tx_head != 0 && c->tx_head != keep) {
		uint32_t after = s->piece[c->tx_head].next;

		ps_piece_free(s, c->tx_head);
		c->tx_head = after;
	}
	if (c->tx_head == 0) {
		c->tx_tail = 0;
	} else if (next == NULL && !ps_before(c->snd_una, c->snd_end)) {
		ps_chain_free(s, &c->tx_head, &c->tx_tail);
		c->tx_piece = c->tx_offset = 0;
	}
}

/* The first bytes of a record are acknowledged; the rest keeps its fate. */
static void
trim(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, uint32_t size, struct ps_delivery *d)
{
	d->bytes += size;
	if (r->flags & R_SACKED)
		c->sacked -= size;
	if (r->flags & R_LOST)
		c->lost -= size;
	if (r->flags & R_AGAIN)
		c->again -= size;
	r->seq += size;
	r->size = (uint16_t)(r->size - size);
	r->offset += size;
	while (r->offset >= s->piece[r->piece].size && s->piece[r->piece].next != 0) {
		r->offset -= s->piece[r->piece].size;
		r->piece = s->piece[r->piece].next;
	}
}

/* Takes acknowledged records off the front. */
static void
take_acked(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t ack, const struct ps_tcp_options *o, struct ps_delivery *d)
{
	while (c->sent_head != 0) {
		uint32_t i = c->sent_head;
		struct ps_tcp_record *r = &s->record[i];
		uint32_t end = ps_record_end(r);

		if (ps_after(end, ack)) {
			if (!ps_after(ack, r->seq))
				break;
			trim(s, c, r, ack - r->seq, d);
			break;
		}
		if (r->flags & R_SACKED) {
			c->sacked -= end - r->seq;
			if (c->sacked_records > 0)
				c->sacked_records--;
		} else {
			ps_record_delivered(s, c, r, o, d);
		}
		c->sent_head = r->next;
		if (c->sent_head == 0)
			c->sent_tail = 0;
		ps_record_free(s, i);
	}
	if (c->sent_head == 0)
		c->sacked_records = 0;
}

static void
update_window(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	uint32_t window = (uint32_t)g->window << c->snd_scale, before = c->snd_wnd;

	/*
	 * RFC 9293 3.10.7.4: only newer segments speak about the window. One that acknowledges more is newer too, although its
	 * sequence may be that of a retransmission.
	 */
	if (!ps_after(g->ack, c->snd_una) && !ps_before(c->snd_wl1, g->seq) && (c->snd_wl1 != g->seq || ps_after(c->snd_wl2, g->ack)))
		return;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	c->snd_wnd = window;
	if (window > c->max_wnd)
		c->max_wnd = window;
	if (before == 0 && window != 0) {
		c->backoff = 0;
		c->stall_ms = s->now_ms;
		/* What was sent into a closed window may have been thrown away: its head goes again at once. */
		if (c->sent_head != 0 && g->ack == s->record[c->sent_head].seq) {
			if (s->record[c->sent_head].flags & R_PROBE)
				ps_record_lost(c, &s->record[c->sent_head]);
			ps_timer_rto(s, c);
		}
	}
	if (window != before)
		ps_conn_want_output(s, c);
}

/* Without SACK, duplicates stand for it (RFC 5681 2, 3.2; RFC 6582). */
static void
on_duplicate(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t most = ps_flight(c) > c->mss ? ps_flight(c) - c->mss : 0;

	if (c->dup_acks < 255)
		c->dup_acks++;
	if (c->flags & F_SACK)
		return;
	c->sacked = ps_least(c->sacked + c->mss, most > c->lost ? most - c->lost : 0);
	if (c->episode != PS_OPEN && c->episode != PS_REDUCE)
		return;
	if (c->dup_acks < 3 && !(c->dup_acks >= 1 && ps_flight(c) <= (uint32_t)(c->dup_acks + 1) * c->mss &&
		c->snd_end == c->snd_nxt && ps_flight(c) > c->mss)) /* RFC 5827: early, when three cannot come */
		return;
	/* RFC 6582 3.2: a second fast retransmit for the same flight would be the echo of the first. */
	if (!ps_after(c->snd_una, c->recovery_point) && c->undo_ms != 0)
		return;
	ps_record_lost(c, &s->record[c->sent_head]);
	ps_enter(s, c, PS_RECOVERY);
}

static void
leave_episode(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->episode == PS_RECOVERY || c->episode == PS_REDUCE)
		c->cwnd = c->ssthresh;
	if (c->episode == PS_RECOVERY && c->rack_persist > 0 && --c->rack_persist == 0)
		c->rack_extra = 1;
	c->episode = PS_OPEN;
	c->dup_acks = 0;
	if (!(c->flags & F_SACK))
		c->sacked = 0;
}

/* RFC 8985 7.4 */
static void
judge_tlp(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_delivery *d)
{
	if (!(c->flags & F_TLP_OPEN) || ps_before(g->ack, c->tlp_end))
		return;
	c->flags &= ~F_TLP_OPEN;
	if (!(c->flags & F_TLP_AGAIN) || d->dsack || d->spurious_time)
		return; /* nothing was lost */
	if (c->episode != PS_OPEN)
		return;
	ps_note(s, PS_TCP_TLP_LOSS);
	ps_enter(s, c, PS_REDUCE);
}

void
ps_ack(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_tcp_options *o)
{
	uint32_t acked = g->ack - c->snd_una, flight = ps_flight(c), before_window = c->snd_wnd;
	struct ps_delivery d = {.fack = c->fack};
	bool lost;

	update_window(s, c, g);
	ps_sack_process(s, c, g, o, &d);
	if (acked != 0) {
		if (!(c->flags & F_SACK))
			c->sacked = c->sacked > acked ? c->sacked - acked : 0;
		take_acked(s, c, g->ack, o, &d);
		c->snd_una = g->ack;
		c->stall_ms = s->now_ms;
		c->backoff = 0;
		free_pieces(s, c, c->sent_head != 0 ? &s->record[c->sent_head] : NULL);
		if (d.rtt == 0 && (c->flags & F_TS) && o->has_ts && o->tsecr != 0 &&
			 ps_tcp_clock(s, c) - o->tsecr < 120000)
			ps_rtt_sample(s, c, (ps_tcp_clock(s, c) - o->tsecr) * 1000u);
		/* RFC 6298 5.2, 5.3 */
		if (c->sent_head != 0)
			ps_timer_rto(s, c);
		else
			ps_timer_off(c, PS_TIMER_RTO);
		ps_timer_off(c, PS_TIMER_TLP);
		ps_cc_round(s, c);
	} else if (g->size == 0 && flight != 0 && c->sent_head != 0 && c->snd_wnd == before_window && before_window != 0 &&
		   (!(c->flags & F_SACK) || d.advanced) && !(g->flags & PS_TCP_FIN)) {
		on_duplicate(s, c);
	}
	if (d.rtt != 0)
		ps_rtt_sample(s, c, d.rtt); /* also of what SACK reports: RACK lives on it */
	judge_tlp(s, c, g, &d);
	if ((g->flags & PS_TCP_ECE) && (c->flags & F_ECN) && c->episode == PS_OPEN && flight != 0) {
		ps_note(s, PS_TCP_ECN_REDUCED);
		c->flags |= F_CWR;
		ps_enter(s, c, PS_REDUCE);
	}
	if (c->episode != PS_OPEN && acked != 0 && !ps_before(c->snd_una, c->recovery_point)) {
		if (c->flags & F_UNDO && c->undo_retransmits == 0 && d.dsack)
			ps_cc_undo(s, c);
		leave_episode(s, c);
	} else if (c->episode != PS_OPEN && (c->flags & F_UNDO) &&
		   ((d.dsack && c->undo_retransmits == 0) || (d.spurious_time && acked != 0))) {
		ps_cc_undo(s, c);
		leave_episode(s, c);
	}
	lost = ps_rack_detect(s, c);
	if (!(c->flags & F_SACK) && c->episode == PS_RECOVERY && acked != 0 && c->sent_head != 0 &&
		!(s->record[c->sent_head].flags & R_LOST))
		ps_record_lost(c, &s->record[c->sent_head]); /* a partial ACK: the next hole (RFC 6582 3.2) */
	if (lost && c->episode != PS_RECOVERY && c->episode != PS_LOSS)
		ps_enter(s, c, PS_RECOVERY);
	if (c->episode == PS_RECOVERY || c->episode == PS_REDUCE)
		ps_cc_prr(s, c, (c->flags & F_SACK) || acked != 0 ? d.bytes : c->mss);
	else if (acked != 0)
		ps_cc_ack(s, c, acked, flight);
	if (acked != 0 && !(c->flags & F_SACK) && c->episode == PS_OPEN) {
		c->sacked = 0;
		c->dup_acks = 0;
	}
	if (acked != 0 && (c->flags & F_WANT_WRITE) && c->snd_end - c->snd_una <= c->snd_buf / 2u) {
		c->flags &= ~F_WANT_WRITE;
		ps_conn_tell(s, c, PS_TCP_ON_WRITE);
	}
	if (acked != 0 && c->snd_una == c->snd_nxt && c->snd_end - c->snd_nxt + 1u <= 1u + ((c->flags & F_FIN_SENT) != 0) &&
		(c->flags & F_SENT_EVENT)) {
		c->flags &= ~F_SENT_EVENT;
		ps_conn_tell(s, c, PS_TCP_ON_SENT);
	}
	if (acked != 0 || c->lost != c->again || d.bytes != 0 || c->snd_end != c->snd_nxt)
		ps_conn_want_output(s, c);
}
