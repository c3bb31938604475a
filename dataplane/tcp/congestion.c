/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much may be in the network: slow start and NewReno (RFC 5681), CUBIC (RFC 9438), proportional rate reduction while
 * repairing (RFC 6937), an initial window of ten (RFC 6928), and growth only of what has been used (RFC 7661).
 * Everything counts bytes.
 */
#include "dataplane/tcp/internal.h"

#define NEVER UINT32_MAX

void
ps_cc_init(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t initial = s->config.initial_window * c->mss;

	if (s->config.initial_window == 10)
		initial = ps_least(initial, ps_most(2u * c->mss, 14600));
	/* RFC 5681 3.1: a handshake that needed its timeout begins with one segment. */
	c->cwnd = c->backoff > 1 ? c->mss : initial;
	c->ssthresh = NEVER;
	c->pipe_ack = c->pipe_prev = NEVER;
	c->cubic_max = 0;
}

static uint32_t
cube_root(uint64_t x)
{
	uint64_t low = 0, high = 2642245;

	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;

		if (middle * middle * middle <= x)
			low = middle;
		else
			high = middle - 1;
	}
	return (uint32_t)low;
}

/* RFC 9438 4.2: W(t) = C (t - K)^3 + Wmax with C = 0.4 segments per s^3; t and K in ms, windows in bytes. */
static uint32_t
cubic_window(const struct ps_tcp_conn *c, uint32_t t)
{
	int64_t d = (int64_t)t - c->cubic_k;
	__int128_t w;

	if (d > 1000000)
		d = 1000000;
	w = (__int128_t)d * d * d * 4 * c->mss / 10000000000ll + c->cubic_max;
	if (w < 0)
		return 0;
	return w > 0x3fffffff ? 0x3fffffffu : (uint32_t)w;
}

static void
cubic_ack(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t acked)
{
	uint32_t target, t;

	if (c->cubic_epoch == 0) {
		c->cubic_epoch = s->now_ms | 1u;
		c->cubic_estimate = c->cwnd;
		c->cubic_part = 0;
		if (c->cwnd < c->cubic_max) {
			c->cubic_k = cube_root((uint64_t)(c->cubic_max - c->cwnd) * 2500000000ull / c->mss);
		} else {
			c->cubic_k = 0;
			c->cubic_max = c->cwnd;
		}
	}
	t = s->now_ms - c->cubic_epoch + c->srtt8 / 8000u;
	target = cubic_window(c, t);
	/* 4.3: what Reno would have, with a = 3(1-b)/(1+b), b = 0.7, and 1 after the old window is reached. */
	c->cubic_part += c->cubic_estimate >= c->cubic_prior ? acked : acked * 9u / 17u;
	while (c->cubic_part >= c->cwnd) {
		c->cubic_part -= c->cwnd;
		c->cubic_estimate += c->mss;
	}
	if (target < c->cubic_estimate) {
		c->cwnd = ps_most(c->cwnd, c->cubic_estimate);
		return;
	}
	target = ps_least(ps_most(target, c->cwnd), c->cwnd + c->cwnd / 2u);
	c->cwnd += (uint32_t)((uint64_t)(target - c->cwnd) * acked / c->cwnd);
}

/* RFC 7661 4.3: validated as long as half of it was really used. */
static bool
validated(const struct ps_tcp_conn *c, uint32_t flight)
{
	uint32_t used = ps_most(ps_most(c->pipe_ack, c->pipe_prev), flight);

	return used >= c->cwnd / 2u;
}

void
ps_cc_round(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (ps_before(c->snd_una, c->round_end))
		return;
	c->pipe_prev = c->pipe_ack;
	c->pipe_ack = c->snd_una - c->round_una;
	c->round_una = c->snd_una;
	c->round_end = c->snd_nxt;
}

void
ps_cc_ack(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t acked, uint32_t flight)
{
	uint32_t grow;

	if (!validated(c, flight)) {
		if (c->unvalidated_ms == 0)
			c->unvalidated_ms = s->now_ms | 1u;
		return;
	}
	c->unvalidated_ms = 0;
	if (c->cwnd >= 0x3fffffff)
		return;
	if (c->cwnd < c->ssthresh) {
		/* RFC 3465 2.2: two segments at most for one ACK, one after a timeout. */
		grow = ps_least(acked, (c->episode == PS_LOSS ? 1u : 2u) * c->mss);
		/* One ACK may speak for a whole burst; what was in flight bounds it. */
		if (c->episode != PS_LOSS && acked > grow)
			grow = acked;
		c->cwnd = ps_least(c->cwnd + grow, ps_most(c->ssthresh, c->cwnd));
		return;
	}
	if (!(c->flags & F_NEWRENO)) {
		cubic_ack(s, c, acked);
		return;
	}
	c->cwnd_part += acked;
	while (c->cwnd_part >= c->cwnd) {
		c->cwnd_part -= c->cwnd;
		c->cwnd += c->mss;
	}
}

void
ps_cc_reduce(struct ps_tcp *s, struct ps_tcp_conn *c, bool timeout)
{
	uint32_t flight = ps_flight(c), window = c->cwnd, least = 2u * c->mss;

	c->pipe_prev = c->pipe_ack; /* RFC 7661 4.4.1: what was never used is no base */
	if (c->unvalidated_ms != 0)
		window = ps_least(window, ps_most(flight, c->pipe_ack));
	if (c->flags & F_NEWRENO) {
		c->ssthresh = ps_most(ps_least(flight, window) / 2u, least);
	} else {
		/* RFC 9438 4.6, 4.7 */
		c->cubic_prior = window;
		c->cubic_max = window < c->cubic_max ? window / 20u * 17u : window;
		c->ssthresh = ps_most((uint32_t)((uint64_t)window * 7u / 10u), least);
		c->cubic_epoch = 0;
	}
	c->cwnd_part = 0;
	c->unvalidated_ms = 0;
	if (timeout)
		c->cwnd = c->mss;
}

/* RFC 6937 3 */
void
ps_cc_prr(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t delivered)
{
	uint32_t pipe = ps_pipe(c), send, limit;

	c->prr_delivered += delivered;
	if (pipe > c->ssthresh) {
		uint64_t share = ((uint64_t)c->prr_delivered * c->ssthresh + c->prr_flight - 1) / c->prr_flight;

		send = share > c->prr_out ? (uint32_t)share - c->prr_out : 0;
	} else {
		limit = c->prr_delivered > c->prr_out ? c->prr_delivered - c->prr_out : 0;
		limit = ps_most(limit, delivered) + c->mss;
		send = ps_least(c->ssthresh - pipe, limit);
	}
	c->cwnd = ps_most(pipe + send, c->mss);
}

/* The loss was none (RFC 3522, 3708): everything as before. */
void
ps_cc_undo(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i;

	ps_note(s, PS_TCP_SPURIOUS);
	c->ssthresh = c->undo_ssthresh;
	c->cwnd = ps_most(c->cwnd, c->undo_cwnd);
	c->flags &= ~F_UNDO;
	for (i = c->sent_head; i != 0; i = s->record[i].next) {
		struct ps_tcp_record *r = &s->record[i];

		if ((r->flags & (R_LOST | R_AGAIN)) == R_LOST) {
			r->flags &= (uint8_t)~R_LOST;
			c->lost -= ps_record_end(r) - r->seq;
		}
	}
	c->episode = PS_OPEN;
}

/* Before something new is sent: what a pause means (RFC 7661 4.4.2, RFC 9438 5.8). */
void
ps_cc_sending(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t pause = s->now_ms - c->last_send_ms;

	if (ps_flight(c) == 0 && c->cubic_epoch != 0 && pause > 0)
		c->cubic_epoch = (c->cubic_epoch + pause) | 1u;
	if (ps_flight(c) == 0 && pause > 1000 && c->unvalidated_ms == 0)
		c->unvalidated_ms = (s->now_ms - pause) | 1u;
	if (c->unvalidated_ms != 0 && s->now_ms - c->unvalidated_ms >= 300000) {
		ps_note(s, PS_TCP_WINDOW_REDUCED);
		c->ssthresh = ps_most(c->ssthresh == NEVER ? 0 : c->ssthresh, c->cwnd / 4u * 3u);
		c->cwnd = ps_most(c->cwnd / 2u, s->config.initial_window * c->mss);
		c->unvalidated_ms = s->now_ms | 1u;
	}
}
