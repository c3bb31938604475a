/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at connections from outside: for status pages, and for tests that want every invariant checked. */
#include "dataplane/tcp/internal.h"

const char *
ps_tcp_state_name(enum ps_tcp_state state)
{
	static const char *const name[PS_TCP_STATES] = {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED",
		"FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"};

	return state < PS_TCP_STATES ? name[state] : "?";
}

void
ps_tcp_describe(const struct ps_tcp *s, const struct ps_tcp_conn *c, struct ps_tcp_info *info)
{
	*info = (struct ps_tcp_info){
		.local = c->local,
		.remote = c->remote,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.state = c->state,
		.timestamps = (c->flags & F_TS) != 0,
		.sack = (c->flags & F_SACK) != 0,
		.ecn = (c->flags & F_ECN) != 0,
		.recovery = c->episode != PS_OPEN,
		.send_scale = c->snd_scale,
		.receive_scale = c->rcv_scale == 0xff ? 0 : c->rcv_scale,
		.rtt_us = c->srtt8 / 8u,
		.rtt_var_us = c->rttvar4 / 4u,
		.rto_ms = c->rto_us / 1000u,
		.mss = c->mss,
		.mtu = c->mtu,
		.cwnd = c->cwnd,
		.ssthresh = c->ssthresh,
		.in_flight = ps_flight(c),
		.pipe = ps_pipe(c),
		.send_window = c->snd_wnd,
		.receive_window = c->rcv_adv - c->rcv_nxt,
		.unsent = c->flags & F_FIN_SENT ? 0 : c->snd_end - c->snd_nxt,
		.unacknowledged = ps_flight(c),
		.unread = c->rcv_queued,
		.retransmits = c->retransmits,
		.bytes_sent = c->sent_bytes,
		.bytes_received = c->received_bytes,
	};
}

void
ps_tcp_usage(const struct ps_tcp *s, struct ps_tcp_usage *usage)
{
	*usage = (struct ps_tcp_usage){
		.connections = s->conns,
		.time_wait = s->time_waits,
		.orphans = s->orphans,
		.half_open = s->half_open,
		.pieces = s->pieces,
		.records = s->records,
		.bytes_per_connection = sizeof(struct ps_tcp_conn),
	};
}

static const char *
verify(const struct ps_tcp *s, const struct ps_tcp_conn *c)
{
	uint32_t i, sacked = 0, lost = 0, again = 0, seq = c->snd_una, queued = 0, pieces = 0, last;

	if (ps_after(c->snd_una, c->snd_nxt))
		return "snd_una beyond snd_nxt";
	if (ps_after(c->snd_nxt, c->snd_end + 1u))
		return "snd_nxt beyond what was written";
	if (ps_before(c->rcv_adv + 1u, c->rcv_nxt))
		return "received beyond the promised window";
	for (i = c->sent_head; i != 0; i = s->record[i].next) {
		const struct ps_tcp_record *r = &s->record[i];
		uint32_t length = ps_record_end(r) - r->seq;

		if (r->seq != seq && (i != c->sent_head || ps_after(r->seq, seq)))
			return "records have a gap";
		seq = ps_record_end(r);
		sacked += r->flags & R_SACKED ? length : 0;
		lost += r->flags & R_LOST ? length : 0;
		again += r->flags & R_AGAIN ? length : 0;
		if (s->record[i].next == 0 && i != c->sent_tail)
			return "record tail is wrong";
	}
	if (ps_synchronised(c) && c->state != PS_TCP_TIME_WAIT && seq != c->snd_nxt)
		return "records do not reach snd_nxt";
	if ((c->flags & F_SACK) && sacked != c->sacked)
		return "sacked bytes miscounted";
	if (lost != c->lost)
		return "lost bytes miscounted";
	if (again != c->again)
		return "retransmitted bytes miscounted";
	for (i = c->rx_head; i != 0; i = s->piece[i].next)
		queued += s->piece[i].size;
	if (queued != c->rcv_queued)
		return "unread bytes miscounted";
	last = c->rcv_nxt;
	for (i = c->ooo_head; i != 0; i = s->piece[i].next, pieces++) {
		if (!ps_after(s->piece[i].seq, last) && (pieces == 0 || s->piece[i].seq != last))
			return "out-of-order queue overlaps";
		last = s->piece[i].seq + s->piece[i].size;
	}
	if (pieces != c->ooo_length)
		return "out-of-order pieces miscounted";
	if (c->ooo_head == 0 && c->sacks != 0)
		return "SACK blocks of nothing";
	if (ps_synchronised(c) && c->state != PS_TCP_TIME_WAIT && c->sent_head != 0 && !(c->flags & F_OUTPUT) &&
		!ps_timer_is_set(c, PS_TIMER_RTO))
		return "in flight without timer";
	if (c->armed != 0 && c->wheel_slot == 0)
		return "timer set but not hung";
	return NULL;
}

const char *
ps_tcp_verify(const struct ps_tcp *s)
{
	const char *wrong;
	uint32_t i;

	for (i = 1; i <= s->config.connections; i++) {
		const struct ps_tcp_conn *c = &s->conn[i];

		if (c->state == PS_TCP_CLOSED)
			continue;
		wrong = verify(s, c);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}
