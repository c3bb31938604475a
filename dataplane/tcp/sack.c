/* SPDX-License-Identifier: Apache-2.0 */
/* The scoreboard: records of segments in flight and what SACK says about them (RFC 2018, 2883, 6675). */
#include "dataplane/tcp/internal.h"

uint32_t
ps_record_new(struct ps_tcp *s)
{
	uint32_t i = s->record_free;

	if (i == 0)
		return 0;
	s->record_free = s->record[i].next;
	s->records++;
	return i;
}

void
ps_record_free(struct ps_tcp *s, uint32_t i)
{
	s->record[i].next = s->record_free;
	s->record_free = i;
	s->records--;
}

bool
ps_record_split(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, uint32_t size)
{
	uint32_t i = ps_record_new(s), left = size;
	struct ps_tcp_record *rest;

	if (i == 0)
		return false;
	rest = &s->record[i];
	*rest = *r;
	rest->seq = r->seq + size;
	rest->size = (uint16_t)(r->size - size);
	while (rest->piece != 0 && rest->offset + left >= s->piece[rest->piece].size &&
		s->piece[rest->piece].next != 0) {
		left -= s->piece[rest->piece].size - rest->offset;
		rest->offset = 0;
		rest->piece = s->piece[rest->piece].next;
	}
	rest->offset += left;
	r->size = (uint16_t)size;
	r->flags &= (uint8_t)~R_FIN;
	r->next = i;
	if (&s->record[c->sent_tail] == r)
		c->sent_tail = i;
	return true;
}

/* A record has arrived, by cumulative or selective acknowledgement, for the first time. */
void
ps_record_delivered(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, const struct ps_tcp_options *o,
	struct ps_delivery *d)
{
	uint32_t length = ps_record_end(r) - r->seq, rtt = (uint32_t)s->now - r->time;

	d->bytes += length;
	if (ps_after(ps_record_end(r), c->fack))
		c->fack = ps_record_end(r);
	if (r->flags & R_LOST)
		c->lost -= length;
	if (r->flags & R_AGAIN)
		c->again -= length;
	if (!(r->flags & R_EVER)) {
		d->rtt = rtt != 0 ? rtt : 1;
		/* RFC 8985 6.2 step 4: what was overtaken shows how far the network reorders. */
		if (ps_before(ps_record_end(r), d->fack) && !(c->flags & F_REORDERING)) {
			ps_note(s, PS_TCP_REORDERED);
			c->flags |= F_REORDERING;
		}
	} else {
		/* RFC 8985 6.2 step 2: too soon for the copy, so the original it was. */
		if ((c->flags & F_TS) && o->has_ts && o->tsecr != 0) {
			uint32_t sent_ms = (uint32_t)((s->now - rtt) / 1000u) + c->ts_offset;

			if (ps_before(o->tsecr, sent_ms)) {
				d->spurious_time = true;
				r->flags &= (uint8_t)~(R_LOST | R_AGAIN);
				return;
			}
		} else if (rtt < c->min_rtt) {
			r->flags &= (uint8_t)~(R_LOST | R_AGAIN);
			return;
		}
	}
	r->flags &= (uint8_t)~(R_LOST | R_AGAIN);
	if (c->rack_rtt == 0 || ps_after(r->time, c->rack_time) ||
		(r->time == c->rack_time && ps_after(ps_record_end(r), c->rack_end))) {
		c->rack_time = r->time;
		c->rack_end = ps_record_end(r);
		c->rack_rtt = rtt != 0 ? rtt : 1;
	}
}

static void
on_dsack(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_delivery *d)
{
	ps_note(s, PS_TCP_DSACK_RECEIVED);
	d->dsack = true;
	/* RFC 8985 6.2 step 4: wait longer for stragglers, for sixteen recoveries. */
	c->flags |= F_REORDERING;
	if (c->rack_extra < 16)
		c->rack_extra++;
	c->rack_persist = 16;
	if (c->flags & F_UNDO && c->undo_retransmits > 0)
		c->undo_retransmits--;
}

void
ps_sack_process(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g,
	const struct ps_tcp_options *o, struct ps_delivery *d)
{
	uint32_t i, n;

	if (!(c->flags & F_SACK))
		return;
	for (n = 0; n < o->sacks; n++) {
		uint32_t start = o->sack[n].start, end = o->sack[n].end;

		if (n == 0 && ps_before(start, end) &&
			(!ps_after(end, g->ack) ||
				(o->sacks > 1 && !ps_before(start, o->sack[1].start) && !ps_after(end, o->sack[1].end)))) {
			if (!ps_before(start, c->snd_una - ps_most(c->max_wnd, 65535)))
				on_dsack(s, c, d);
			if (!ps_after(end, g->ack))
				continue;
		}
		if (!ps_before(start, end) || ps_before(start, c->snd_una) || ps_after(end, c->snd_nxt)) {
			ps_note(s, PS_TCP_SACK_INVALID);
			continue;
		}
		for (i = c->sent_head; i != 0; i = s->record[i].next) {
			struct ps_tcp_record *r = &s->record[i];

			if (!ps_before(r->seq, end))
				break;
			if ((r->flags & R_SACKED) || ps_before(r->seq, start) || ps_after(ps_record_end(r), end))
				continue;
			d->advanced = true;
			ps_record_delivered(s, c, r, o, d);
			r->flags |= R_SACKED;
			c->sacked += ps_record_end(r) - r->seq;
			if (c->sacked_records < 255)
				c->sacked_records++;
		}
	}
}

void
ps_sack_forget(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i;

	for (i = c->sent_head; i != 0; i = s->record[i].next)
		s->record[i].flags &= (uint8_t)~R_SACKED;
	c->sacked = 0;
	c->sacked_records = 0;
}
