/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deciding what is lost: by time (RACK, RFC 8985). A segment is lost when one sent sufficiently later has
 * arrived. "Sufficiently" is nothing while the network has never reordered and three segments have been overtaken, which
 * is the rule of three duplicates; else a quarter of the shortest round trip, more when D-SACKs prove us hasty.
 */
#include "dataplane/tcp/internal.h"

void
ps_record_lost(struct ps_tcp_conn *c, struct ps_tcp_record *r)
{
	uint32_t length = ps_record_end(r) - r->seq;

	if (r->flags & R_SACKED)
		return;
	if (r->flags & R_AGAIN) {
		r->flags &= (uint8_t)~R_AGAIN;
		c->again -= length;
	}
	if (!(r->flags & R_LOST)) {
		r->flags |= R_LOST;
		c->lost += length;
	}
}

void
ps_all_lost(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i;

	for (i = c->sent_head; i != 0; i = s->record[i].next)
		ps_record_lost(c, &s->record[i]);
	if (!(c->flags & F_SACK))
		c->sacked = 0;
	c->dup_acks = 0;
}

static uint32_t
reordering_window(const struct ps_tcp_conn *c)
{
	uint32_t window;

	if (!(c->flags & F_REORDERING) && (c->episode == PS_RECOVERY || c->episode == PS_LOSS || c->sacked_records >= 3))
		return 0;
	window = c->min_rtt / 4u * c->rack_extra;
	return ps_least(window, c->srtt8 / 8u);
}

bool
ps_rack_detect(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i, window, wait = 0;
	bool found = false;

	if (!(c->flags & F_SACK) || c->rack_rtt == 0 || c->sent_head == 0)
		return false;
	if (c->sacked == 0 && c->again == 0 && !ps_after(c->fack, c->snd_una))
		return false; /* nothing was overtaken */
	window = reordering_window(c);
	for (i = c->sent_head; i != 0; i = s->record[i].next) {
		struct ps_tcp_record *r = &s->record[i];
		int32_t left;

		if ((r->flags & R_SACKED) || (r->flags & (R_LOST | R_AGAIN)) == R_LOST)
			continue;
		if (ps_after(r->time, c->rack_time) ||
			(r->time == c->rack_time && !ps_before(ps_record_end(r), c->rack_end)))
			continue;
		left = (int32_t)(r->time + c->rack_rtt + window - (uint32_t)s->now);
		if (left <= 0) {
			ps_record_lost(c, r);
			found = true;
		} else if ((uint32_t)left > wait) {
			wait = (uint32_t)left;
		}
	}
	if (wait != 0)
		ps_timer_set(s, c, PS_TIMER_RACK, wait);
	else
		ps_timer_off(c, PS_TIMER_RACK);
	return found;
}

/* An episode ends when everything in flight at its beginning is acknowledged. */
void
ps_enter(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_episode episode)
{
	bool timeout = episode == PS_LOSS;

	if (c->episode == episode && !timeout)
		return;
	if (timeout && c->episode == PS_LOSS && ps_before(c->snd_una, c->recovery_point) && c->backoff > 1) {
		c->cwnd = c->mss; /* the same loss again: RFC 5681 3.1 halves once only */
		return;
	}
	if (c->episode == PS_OPEN) {
		c->undo_cwnd = c->cwnd;
		c->undo_ssthresh = c->ssthresh;
		c->undo_una = c->snd_una;
		c->undo_retransmits = 0;
		c->flags |= F_UNDO;
	}
	if (c->episode != PS_REDUCE || timeout)
		ps_cc_reduce(s, c, timeout);
	c->undo_ms = s->now_ms | 1u;
	c->episode = (uint8_t)episode;
	c->recovery_point = c->snd_nxt;
	c->prr_delivered = c->prr_out = 0;
	c->prr_flight = ps_most(ps_flight(c), 1);
	if (episode == PS_RECOVERY)
		ps_note(s, PS_TCP_FAST_RECOVERY);
	if ((c->flags & F_ECN) && episode != PS_REDUCE)
		c->flags |= F_CWR;
	c->flags &= ~F_TLP_OPEN;
}
