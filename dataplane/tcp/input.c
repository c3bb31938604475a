/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments in: which connection, and the checks of RFC 9293 3.10.7.4 in its order, with those of RFC 7323 (PAWS) and
 * RFC 5961 (exact sequences, challenge ACKs) where they belong.
 */
#include "dataplane/tcp/internal.h"

/* Answers to strangers share one budget per second; its exact size is jittered, so that counting tells nothing. */
bool
ps_budget_take(struct ps_tcp *s)
{
	uint32_t second = (uint32_t)(s->now / 1000000u), limit = s->config.challenges_per_s;

	if (second != s->budget_s || s->budget == 0) {
		if (second != s->budget_s) {
			uint64_t h = ps_siphash(s->config.secret, &second, sizeof(second));

			s->budget_s = second;
			s->budget = 2 + limit / 2 + (uint32_t)(h % (limit / 2 + 1));
		}
	}
	if (s->budget <= 1)
		return false;
	s->budget--;
	return true;
}

/* RFC 5961 7, and no more than ten a second for one connection. */
void
ps_challenge(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_reason why)
{
	ps_note(s, why);
	if (s->now_ms - c->challenge_ms >= 1000 || c->challenges == 0) {
		c->challenge_ms = s->now_ms;
		c->challenges = 0;
	}
	if (c->challenges >= 10 || !ps_budget_take(s)) {
		ps_note(s, PS_TCP_CHALLENGE_LIMITED);
		return;
	}
	c->challenges++;
	ps_note(s, PS_TCP_CHALLENGE_ACKS);
	c->flags |= F_ACK_NOW;
	ps_conn_want_output(s, c);
}

static uint32_t
length_of(const struct ps_tcp_segment *g)
{
	return g->size + ((g->flags & PS_TCP_SYN) != 0) + ((g->flags & PS_TCP_FIN) != 0);
}

/* RFC 9293 3.4, table 5. */
static bool
acceptable(const struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	uint32_t window = c->rcv_adv - c->rcv_nxt, length = length_of(g);

	if (length == 0)
		return window == 0 ? g->seq == c->rcv_nxt : g->seq - c->rcv_nxt < window || g->seq == c->rcv_nxt;
	if (window == 0)
		return false;
	return g->seq - c->rcv_nxt < window || g->seq + length - 1u - c->rcv_nxt < window ||
	       (!ps_after(g->seq, c->rcv_nxt) && ps_after(g->seq + length, c->rcv_nxt));
}

/* RFC 7323 5.2, R1; a connection idle for 24 days has no timestamp to compare with (5.5). */
static bool
too_old(const struct ps_tcp *s, const struct ps_tcp_conn *c, const struct ps_tcp_options *o)
{
	return ps_before(o->tsval, c->ts_recent) && s->now_ms - c->ts_recent_ms < 24u * 86400u * 1000u;
}

static void
on_reset(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	if (g->seq != c->rcv_nxt) {
		ps_challenge(s, c, PS_TCP_RST_CHALLENGED);
		return;
	}
	ps_conn_end(s, c, c->state == PS_TCP_SYN_RECEIVED && (c->flags & F_ACTIVE) ? PS_TCP_REFUSED : PS_TCP_RESET_BY_PEER);
}

/* The handshake's last ACK. True: established now. */
static bool
on_handshake_ack(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_tcp_options *o)
{
	struct ps_tcp_listener *l = c->listener != 0 ? &s->listener[c->listener] : NULL;

	if (g->ack != c->snd_nxt) {
		ps_note(s, PS_TCP_HANDSHAKE_ACK);
		ps_answer_reset(s, g);
		return false;
	}
	if (l != NULL && !(c->flags & F_ACTIVE) && l->waiting >= l->backlog) {
		ps_note(s, PS_TCP_BACKLOG_FULL);
		return false;
	}
	if (c->backoff == 0)
		ps_rtt_sample(s, c, (s->now_ms - c->last_end_ms) * 1000u);
	else if ((c->flags & F_TS) && o->has_ts && o->tsecr != 0)
		ps_rtt_sample(s, c, (ps_tcp_clock(s, c) - o->tsecr) * 1000u);
	ps_established(s, c);
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	c->snd_wnd = (uint32_t)g->window << c->snd_scale;
	c->max_wnd = c->snd_wnd;
	return true;
}

static void
on_fin(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	c->flags |= F_FIN_RECEIVED | F_ACK_NOW;
	c->rcv_nxt++;
	ps_conn_want_output(s, c);
	ps_conn_tell(s, c, PS_TCP_ON_END);
	switch (c->state) {
	case PS_TCP_ESTABLISHED:
		c->state = PS_TCP_CLOSE_WAIT;
		break;
	case PS_TCP_FIN_WAIT_1:
		c->state = PS_TCP_CLOSING;
		break;
	case PS_TCP_FIN_WAIT_2:
		ps_conn_time_wait(s, c);
		break;
	default:
		break;
	}
}

/* What our FIN being acknowledged means. True: the connection is gone. */
static bool
on_fin_acked(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (!(c->flags & F_FIN_SENT) || c->snd_una != c->snd_nxt)
		return false;
	switch (c->state) {
	case PS_TCP_FIN_WAIT_1:
		c->state = PS_TCP_FIN_WAIT_2;
		if (c->flags & F_ORPHAN)
			ps_timer_set(s, c, PS_TIMER_LINGER, (uint64_t)s->config.fin_wait_2_ms * 1000u);
		return false;
	case PS_TCP_CLOSING:
		ps_conn_time_wait(s, c);
		return false;
	case PS_TCP_LAST_ACK:
		ps_conn_end(s, c, PS_TCP_NONE);
		return true;
	default:
		return false;
	}
}

static void
on_ecn(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	if (!(c->flags & F_ECN))
		return;
	if (g->flags & PS_TCP_CWR)
		c->flags &= ~F_ECE;
	if (g->ecn == PS_TCP_CE) {
		ps_note(s, PS_TCP_ECN_MARKED);
		c->flags |= F_ECE | F_ACK_NOW;
		ps_conn_want_output(s, c);
	}
}

static void
on_payload(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	uint32_t fin = g->seq + g->size;

	if (g->size != 0) {
		if ((c->flags & F_ORPHAN) && !(c->flags & F_WAITING) && ps_after(fin, c->rcv_nxt)) {
			/* Nobody will read it: better said than swallowed (RFC 9293 3.6.1). */
			ps_note(s, PS_TCP_DATA_AFTER_CLOSE);
			ps_send_reset(s, c);
			ps_conn_end(s, c, PS_TCP_ABORTED);
			return;
		}
		ps_receive(s, c, g);
	}
	/* The FIN of a segment out of order is remembered: its place is known. */
	if ((g->flags & PS_TCP_FIN) && !(c->flags & (F_FIN_RECEIVED | F_FIN_KNOWN)) && !ps_after(fin, c->rcv_adv)) {
		c->flags |= F_FIN_KNOWN | F_ACK_NOW;
		c->rcv_fin = fin;
		ps_conn_want_output(s, c);
	}
	if ((c->flags & (F_FIN_KNOWN | F_FIN_RECEIVED)) == F_FIN_KNOWN && c->rcv_nxt == c->rcv_fin)
		on_fin(s, c);
}

void
ps_input_synchronised(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *in,
	const struct ps_tcp_options *o)
{
	struct ps_tcp_segment segment = *in, *g = &segment;

	/* Both opened at once: the peer's SYN-ACK comes for a SYN already taken. */
	if (c->state == PS_TCP_SYN_RECEIVED && (g->flags & PS_TCP_SYN) && g->seq == c->irs) {
		if (!(g->flags & PS_TCP_ACK)) {
			ps_send_syn(s, c);
			return;
		}
		if (c->flags & F_ACTIVE) {
			g->flags &= (uint8_t)~PS_TCP_SYN;
			g->seq++;
			c->flags |= F_ACK_NOW;
			ps_conn_want_output(s, c);
		}
	}
	if ((c->flags & F_TS) && !(g->flags & PS_TCP_RST)) {
		if (!o->has_ts) {
			ps_note(s, PS_TCP_NO_TIMESTAMP);
			return;
		}
		if (too_old(s, c, o)) {
			ps_challenge(s, c, PS_TCP_PAWS);
			return;
		}
	}
	if (!acceptable(c, g)) {
		if (g->flags & PS_TCP_RST) {
			ps_note(s, PS_TCP_RST_OUT_OF_WINDOW);
			return;
		}
		if (g->flags & PS_TCP_SYN) {
			ps_challenge(s, c, PS_TCP_SYN_CHALLENGED);
			return;
		}
		/* A keepalive probe, one below what is next, is always answered (RFC 9293 3.8.4). */
		if (length_of(g) == 0 && g->seq != c->rcv_nxt - 1u) {
			ps_challenge(s, c, PS_TCP_OUT_OF_WINDOW);
			return;
		}
		ps_note(s, PS_TCP_OUT_OF_WINDOW);
		if (g->size != 0 && !ps_after(g->seq + g->size, c->rcv_nxt)) {
			ps_note(s, PS_TCP_DUPLICATE_DATA);
			ps_note_dsack(c, g->seq, g->seq + g->size);
		}
		c->flags |= F_ACK_NOW;
		ps_conn_want_output(s, c);
		if (c->state == PS_TCP_TIME_WAIT && (g->flags & PS_TCP_FIN))
			ps_timer_set(s, c, PS_TIMER_LINGER, (uint64_t)s->config.time_wait_ms * 1000u);
		/* Its acknowledgement is good all the same; the two ends of a closed window could else wait for ever. */
		if (!(g->flags & PS_TCP_ACK) || !ps_synchronised(c) || c->state == PS_TCP_TIME_WAIT ||
			ps_before(g->seq, c->rcv_nxt - 65535u) || ps_after(g->ack, c->snd_nxt) ||
			!ps_after(g->ack, c->snd_una))
			return;
		ps_ack(s, c, g, o);
		on_fin_acked(s, c);
		return;
	}
	if (g->flags & PS_TCP_RST) {
		if (c->state == PS_TCP_TIME_WAIT)
			ps_note(s, PS_TCP_RST_TIME_WAIT); /* RFC 1337 3: no assassination */
		else
			on_reset(s, c, g);
		return;
	}
	if (g->flags & PS_TCP_SYN) {
		ps_challenge(s, c, PS_TCP_SYN_CHALLENGED);
		return;
	}
	if (!(g->flags & PS_TCP_ACK)) {
		ps_note(s, PS_TCP_NO_ACK);
		return;
	}
	if (c->state == PS_TCP_SYN_RECEIVED) {
		if (!on_handshake_ack(s, c, g, o))
			return;
		ps_conn_want_output(s, c);
	} else if (ps_after(g->ack, c->snd_nxt)) {
		ps_challenge(s, c, PS_TCP_ACK_TOO_NEW);
		return;
	} else if (ps_before(g->ack, c->snd_una - ps_most(c->max_wnd, 65535))) {
		ps_challenge(s, c, PS_TCP_ACK_TOO_OLD); /* RFC 5961 5 */
		return;
	}
	/* RFC 7323 4.3: only what advances the left edge of what was acknowledged may set it. */
	if ((c->flags & F_TS) && !ps_after(g->seq, c->last_ack_sent) && !ps_before(o->tsval, c->ts_recent)) {
		c->ts_recent = o->tsval;
		c->ts_recent_ms = s->now_ms;
	}
	c->heard_ms = s->now_ms;
	if (c->probes != 0) {
		c->probes = 0;
		ps_timer_keepalive(s, c);
	}
	on_ecn(s, c, g);
	if (!ps_before(g->ack, c->snd_una)) {
		ps_ack(s, c, g, o);
		if (on_fin_acked(s, c))
			return;
	}
	if ((g->flags & PS_TCP_URG) && g->urgent != 0)
		ps_note(s, PS_TCP_URGENT); /* RFC 6093 3: in-line */
	if (c->state == PS_TCP_TIME_WAIT) {
		if (length_of(g) != 0) {
			c->flags |= F_ACK_NOW;
			ps_conn_want_output(s, c);
		}
		if (g->flags & PS_TCP_FIN)
			ps_timer_set(s, c, PS_TIMER_LINGER, (uint64_t)s->config.time_wait_ms * 1000u);
		return;
	}
	on_payload(s, c, g);
}

/* RFC 6191 2, RFC 9293 3.6.1: a SYN that is surely new takes the place of a connection in TIME-WAIT. */
static bool
reusable(const struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_tcp_options *o)
{
	if (c->state != PS_TCP_TIME_WAIT || (g->flags & (PS_TCP_SYN | PS_TCP_ACK | PS_TCP_RST)) != PS_TCP_SYN)
		return false;
	if ((c->flags & F_TS) && o->has_ts)
		return ps_after(o->tsval, c->ts_recent) ||
		       (o->tsval == c->ts_recent && ps_after(g->seq, c->rcv_nxt));
	return ps_after(g->seq, c->rcv_nxt);
}

void
ps_tcp_input(struct ps_tcp *s, const struct ps_tcp_segment *g)
{
	struct ps_tcp_options o;
	struct ps_tcp_listener *l;
	struct ps_tcp_conn *c;
	uint32_t iss_least = 0;

	ps_note(s, PS_TCP_SEGMENTS_IN);
	if (g->src_port == 0 || g->dst_port == 0) {
		ps_note(s, PS_TCP_PORT_ZERO);
		return;
	}
	if ((g->flags & (PS_TCP_SYN | PS_TCP_ACK | PS_TCP_RST)) == 0 ||
		((g->flags & PS_TCP_SYN) && (g->flags & (PS_TCP_FIN | PS_TCP_RST)))) {
		ps_note(s, PS_TCP_FLAGS_INVALID);
		return;
	}
	if (ps_options_parse(&o, g) != 0) {
		ps_note(s, PS_TCP_OPTION_LENGTH);
		return;
	}
	c = ps_conn_find(s, &g->dst, g->dst_port, &g->src, g->src_port);
	if (c != NULL && reusable(c, g, &o)) {
		l = ps_listener_find(s, &g->dst, g->dst_port);
		if (l != NULL && s->pressure < PS_TCP_PRESSURE_REFUSE) {
			ps_note(s, PS_TCP_TIME_WAIT_REUSED);
			iss_least = c->snd_nxt + 65536u + 2u;
			ps_conn_end(s, c, PS_TCP_NONE);
			ps_input_listen(s, l, g, &o, iss_least);
			return;
		}
	}
	if (c == NULL) {
		l = ps_listener_find(s, &g->dst, g->dst_port);
		if (l != NULL && (g->flags & (PS_TCP_SYN | PS_TCP_ACK)) != 0 &&
			(g->flags & (PS_TCP_SYN | PS_TCP_ACK)) != (PS_TCP_SYN | PS_TCP_ACK)) {
			ps_input_listen(s, l, g, &o, 0);
			return;
		}
		if (g->flags & PS_TCP_RST) {
			ps_note(s, PS_TCP_RST_NO_CONNECTION);
			return;
		}
		ps_note(s, PS_TCP_NO_CONNECTION);
		ps_answer_reset(s, g);
		return;
	}
	if (c->state == PS_TCP_SYN_SENT)
		ps_input_syn_sent(s, c, g, &o);
	else
		ps_input_synchronised(s, c, g, &o);
}
