/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lazy timers
 *
 * A connection has seven deadlines and hangs on the wheel once, at its earliest. Setting a deadline later, or clearing
 * it, which is what almost every ACK does, writes one word; the wheel learns of it when the old moment comes and
 * finds nothing due. Only a deadline earlier than where the connection hangs moves it.
 *
 * The wheel has two levels of 1,024 slots: milliseconds, and 1,024 of them. What lies further away than both (seventeen
 * minutes) hangs in the furthest slot and is looked at again there. Ticks are milliseconds in 32 bits.
 */
#include "dataplane/tcp/internal.h"

static void
unhang(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->wheel_slot == 0)
		return;
	if (c->wheel_prev != 0)
		s->conn[c->wheel_prev].wheel_next = c->wheel_next;
	else
		s->wheel[c->wheel_slot - 1] = c->wheel_next;
	if (c->wheel_next != 0)
		s->conn[c->wheel_next].wheel_prev = c->wheel_prev;
	if (c->wheel_slot <= PS_WHEEL_SLOTS)
		s->timers_near--;
	c->wheel_slot = 0;
	s->timers--;
}

static void
hang(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t at)
{
	uint32_t ahead, slot, i = ps_index(s, c);

	if (!ps_after(at, s->wheel_ms))
		at = s->wheel_ms + 1;
	ahead = at - s->wheel_ms;
	if (ahead < PS_WHEEL_SLOTS) {
		slot = at % PS_WHEEL_SLOTS;
	} else {
		if (ahead >= (PS_WHEEL_SLOTS - 1) * PS_WHEEL_SLOTS)
			at = s->wheel_ms + (PS_WHEEL_SLOTS - 1) * PS_WHEEL_SLOTS;
		slot = PS_WHEEL_SLOTS + at / PS_WHEEL_SLOTS % PS_WHEEL_SLOTS;
	}
	c->wheel_at = at;
	c->wheel_slot = slot + 1;
	c->wheel_prev = 0;
	c->wheel_next = s->wheel[slot];
	if (c->wheel_next != 0)
		s->conn[c->wheel_next].wheel_prev = i;
	s->wheel[slot] = i;
	if (slot < PS_WHEEL_SLOTS)
		s->timers_near++;
	s->timers++;
}

void
ps_timer_set(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_timer timer, uint64_t after_us)
{
	uint32_t at = (uint32_t)((s->now + after_us + 999u) / 1000u);

	c->deadline[timer] = at;
	c->armed |= (uint8_t)(1u << timer);
	if (c->wheel_slot != 0 && !ps_before(at, c->wheel_at))
		return;
	unhang(s, c);
	hang(s, c, at);
}

void
ps_timer_off(struct ps_tcp_conn *c, enum ps_tcp_timer timer)
{
	c->armed &= (uint8_t)~(1u << timer);
}

void
ps_timers_remove(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	c->armed = 0;
	unhang(s, c);
}

static bool
due(const struct ps_tcp *s, const struct ps_tcp_conn *c, enum ps_tcp_timer timer)
{
	return ps_timer_is_set(c, timer) && !ps_after(c->deadline[timer], s->now_ms);
}

static uint32_t
timeout_in_force(const struct ps_tcp_conn *c)
{
	return ps_most(c->user_timeout_ms, c->peer_timeout_ms);
}

static uint64_t
backed_off(const struct ps_tcp *s, const struct ps_tcp_conn *c)
{
	uint64_t max = (uint64_t)s->config.rto_max_ms * 1000u, us = (uint64_t)c->rto_us << ps_least(c->backoff, 20);
	uint32_t limit = timeout_in_force(c), stalled = s->now_ms - c->stall_ms;

	us = us < max ? us : max;
	if (limit != 0 && stalled < limit && us > (uint64_t)(limit - stalled) * 1000u)
		us = (uint64_t)(limit - stalled) * 1000u;
	return us;
}

/* RFC 6298 5: restarted whenever new data is acknowledged. */
void
ps_timer_rto(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	ps_timer_set(s, c, PS_TIMER_RTO, backed_off(s, c));
}

void
ps_timer_keepalive(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (!(c->flags & F_KEEPALIVE) || !ps_synchronised(c) || c->state == PS_TCP_TIME_WAIT)
		return;
	ps_timer_set(s, c, PS_TIMER_KEEPALIVE,
		(uint64_t)(c->probes == 0 ? s->config.keepalive_idle_ms : s->config.keepalive_interval_ms) * 1000u);
}

/* True: the connection is over. */
static bool
given_up(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t limit = timeout_in_force(c);
	enum ps_tcp_reason why;

	if (limit != 0 && s->now_ms - c->stall_ms >= limit) {
		why = PS_TCP_USER_TIMEOUT;
	} else if (!ps_synchronised(c)) {
		if (c->backoff < s->config.syn_retries)
			return false;
		why = PS_TCP_TIMED_OUT;
	} else if (c->snd_wnd == 0 && s->now_ms - c->heard_ms < s->config.rto_max_ms * 2u) {
		/* RFC 9293 3.8.6.1: a window may stay closed as long as probes are answered. Nobody waits for an orphan. */
		if (!(c->flags & F_ORPHAN) || c->backoff < s->config.orphan_retries)
			return false;
		why = PS_TCP_PERSIST_TIMEOUT;
	} else {
		if (c->backoff < (c->flags & F_ORPHAN ? s->config.orphan_retries : s->config.retries) || limit != 0)
			return false;
		why = PS_TCP_TIMED_OUT;
	}
	if (ps_synchronised(c))
		ps_send_reset(s, c);
	ps_conn_end(s, c, why);
	return true;
}

/*
 * Large segments that vanish while nothing says why: the path drops them and the router's words with them. Two timeouts of
 * one large segment lower the size (RFC 4821 7.7's way of ending a black hole).
 */
static void
suspect_black_hole(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint16_t smaller = c->flags & F_V4 ? (c->mtu > 1064 ? 1064 : 576) : 1280;

	if (c->backoff % 2u != 0)
		return;
	if (c->mtu <= smaller || c->sent_head == 0 ||
	    s->record[c->sent_head].size + (c->flags & F_V4 ? 40u : 60u) + (c->flags & F_TS ? 12u : 0) <= smaller)
		return;
	ps_note(s, PS_TCP_BLACK_HOLE);
	c->flags |= F_BLACK_HOLE;
	c->mtu = smaller;
	c->lowered_ms = s->now_ms;
	ps_conn_set_mss(s, c);
}

static void
on_rto(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (given_up(s, c))
		return;
	c->backoff++;
	if (!ps_synchronised(c)) {
		ps_note(s, PS_TCP_RETRANSMITS);
		c->retransmits++;
		if (c->flags & F_ECN && c->state == PS_TCP_SYN_SENT && c->backoff == 2) {
			c->flags &= ~F_ECN; /* RFC 3168 6.1.1.1: the path may not like it */
			ps_note(s, PS_TCP_ECN_SUMMED);
		}
		ps_send_syn(s, c);
		ps_timer_rto(s, c);
		return;
	}
	if (c->sent_head == 0)
		return;
	if (c->snd_wnd == 0) {
		/* The window closed over it: a probe, not a sign of congestion. */
		ps_note(s, PS_TCP_WINDOW_PROBES);
		ps_send_again(s, c, &s->record[c->sent_head]);
		ps_timer_rto(s, c);
		return;
	}
	ps_note(s, PS_TCP_RTO);
	suspect_black_hole(s, c);
	if (s->record[c->sent_head].flags & R_SACKED) {
		/* RFC 2018 8: the peer took its word back. */
		ps_note(s, PS_TCP_SACK_RENEGED);
		ps_sack_forget(s, c);
	}
	ps_enter(s, c, PS_LOSS);
	ps_all_lost(s, c);
	ps_timer_off(c, PS_TIMER_TLP);
	ps_timer_off(c, PS_TIMER_RACK);
	c->flags &= ~F_TLP_OPEN;
	ps_timer_rto(s, c);
	ps_conn_want_output(s, c);
}

/* Nothing in flight, something to send, and a window too small for it: one octet at least must go (RFC 9293 3.8.6.1). */
static void
on_persist(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->sent_head != 0)
		return;
	if (c->snd_wnd == 0 && given_up(s, c))
		return;
	if (c->snd_wnd == 0)
		ps_note(s, PS_TCP_WINDOW_PROBES);
	if (!ps_send_new(s, c, ps_most(c->snd_wnd, 1)))
		ps_timer_set(s, c, PS_TIMER_PERSIST, backed_off(s, c));
	else if (c->snd_wnd == 0)
		s->record[c->sent_tail].flags |= R_PROBE;
	ps_timer_rto(s, c);
}

static void
on_keepalive(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t quiet = s->now_ms - c->heard_ms;

	if (c->probes == 0 && quiet < s->config.keepalive_idle_ms) {
		ps_timer_set(s, c, PS_TIMER_KEEPALIVE, (uint64_t)(s->config.keepalive_idle_ms - quiet) * 1000u);
		return;
	}
	if (ps_flight(c) != 0) {
		ps_timer_keepalive(s, c); /* data in flight asks the same question */
		return;
	}
	if (c->probes >= s->config.keepalive_probes) {
		ps_send_reset(s, c);
		ps_conn_end(s, c, PS_TCP_KEEPALIVE_TIMEOUT);
		return;
	}
	c->probes++;
	ps_note(s, PS_TCP_KEEPALIVES);
	ps_send_probe(s, c);
	ps_timer_keepalive(s, c);
}

static void
fire(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	enum ps_tcp_timer timer;
	uint32_t i, earliest = 0;
	bool any = false;

	for (timer = 0; timer < PS_TIMERS; timer++) {
		if (!due(s, c, timer))
			continue;
		ps_timer_off(c, timer);
		switch (timer) {
		case PS_TIMER_RTO:
			on_rto(s, c);
			break;
		case PS_TIMER_TLP:
			ps_send_tlp(s, c);
			break;
		case PS_TIMER_RACK:
			ps_note(s, PS_TCP_RACK_TIMER);
			if (ps_rack_detect(s, c)) {
				ps_enter(s, c, PS_RECOVERY);
				ps_conn_want_output(s, c);
			}
			break;
		case PS_TIMER_PERSIST:
			on_persist(s, c);
			break;
		case PS_TIMER_DELACK:
			c->flags |= F_ACK_NOW;
			ps_conn_want_output(s, c);
			break;
		case PS_TIMER_KEEPALIVE:
			on_keepalive(s, c);
			break;
		case PS_TIMER_LINGER:
			ps_conn_end(s, c, c->state == PS_TCP_FIN_WAIT_2 ? PS_TCP_ORPHAN_TIMEOUT : PS_TCP_NONE);
			break;
		case PS_TIMERS:
			break;
		}
		if (c->state == PS_TCP_CLOSED)
			return;
	}
	for (i = 0; i < PS_TIMERS; i++) {
		if (ps_timer_is_set(c, i) && (!any || ps_before(c->deadline[i], earliest))) {
			earliest = c->deadline[i];
			any = true;
		}
	}
	unhang(s, c);
	if (any)
		hang(s, c, earliest);
}

static void
walk(struct ps_tcp *s, uint32_t slot)
{
	uint32_t i;

	while ((i = s->wheel[slot]) != 0) {
		unhang(s, &s->conn[i]);
		fire(s, &s->conn[i]);
	}
}

void
ps_timers_run(struct ps_tcp *s)
{
	if (s->timers == 0) {
		s->wheel_ms = s->now_ms;
		return;
	}
	while (ps_before(s->wheel_ms, s->now_ms)) {
		if (s->timers_near == 0) {
			/* Nothing until the second level's next slot. */
			uint32_t end = s->wheel_ms | (PS_WHEEL_SLOTS - 1u);

			s->wheel_ms = ps_before(end, s->now_ms) ? end : s->now_ms - 1u;
		}
		s->wheel_ms++;
		if (s->wheel_ms % PS_WHEEL_SLOTS == 0)
			walk(s, PS_WHEEL_SLOTS + s->wheel_ms / PS_WHEEL_SLOTS % PS_WHEEL_SLOTS);
		walk(s, s->wheel_ms % PS_WHEEL_SLOTS);
		if (s->timers == 0)
			s->wheel_ms = s->now_ms;
	}
}

uint64_t
ps_tcp_next_timer(const struct ps_tcp *s)
{
	uint32_t i, at;

	if (s->timers == 0)
		return UINT64_MAX;
	for (i = 1; i <= PS_WHEEL_SLOTS; i++) {
		at = s->wheel_ms + i;
		if (s->wheel[at % PS_WHEEL_SLOTS] != 0 ||
		    (at % PS_WHEEL_SLOTS == 0 && s->wheel[PS_WHEEL_SLOTS + at / PS_WHEEL_SLOTS % PS_WHEEL_SLOTS] != 0))
			break;
	}
	at = s->wheel_ms + i;
	if (!ps_after(at, s->now_ms))
		return 0;
	return (uint64_t)(at - s->now_ms) * 1000u - s->now % 1000u;
}
