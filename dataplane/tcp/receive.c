/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload in: what is next goes to the reader's queue, what came early waits in order of sequence, without overlap. The
 * window's right edge never moves left (RFC 9293 3.8.6), and moves right only in steps worth having (3.8.6.2.2).
 */
#include "dataplane/tcp/internal.h"

void
ps_note_dsack(struct ps_tcp_conn *c, uint32_t start, uint32_t end)
{
	if (!(c->flags & F_SACK) || start == end)
		return;
	if (!(c->flags & F_DSACK) || c->dsack.end != start)
		c->dsack.start = start;
	c->dsack.end = end;
	c->flags |= F_DSACK;
}

uint32_t
ps_receive_edge(struct ps_tcp *s, struct ps_tcp_conn *c, bool always)
{
	uint32_t room = c->rcv_buf > c->rcv_queued ? c->rcv_buf - c->rcv_queued : 0, edge, step;

	if (s->pressure >= PS_TCP_PRESSURE_SHRINK)
		room = ps_least(room, 2u * c->rcv_mss);
	if (c->flags & F_FIN_RECEIVED)
		return c->rcv_nxt + ps_least(room, 65535);
	edge = c->rcv_nxt + room;
	if (!ps_after(edge, c->rcv_adv))
		return c->rcv_adv;
	step = ps_least(c->rcv_buf / 2u, c->rcv_mss);
	if (!always && edge - c->rcv_adv < step && c->rcv_adv != c->rcv_nxt)
		return c->rcv_adv;
	if (!always && c->rcv_adv == c->rcv_nxt && room < step)
		return c->rcv_adv;
	return edge;
}

/* The ranges to report: the one just touched comes first, those it has swallowed go. */
static void
remember_range(struct ps_tcp_conn *c, uint32_t start, uint32_t end)
{
	struct ps_tcp_range kept[4];
	uint32_t n = 0, i;

	for (i = 0; i < c->sacks; i++) {
		struct ps_tcp_range *r = &c->sack[i];

		if (ps_after(r->start, end) || ps_before(r->end, start)) {
			if (n < 3)
				kept[n++] = *r;
			continue;
		}
		if (ps_before(r->start, start))
			start = r->start;
		if (ps_after(r->end, end))
			end = r->end;
	}
	c->sack[0] = (struct ps_tcp_range){start, end};
	memcpy(&c->sack[1], kept, n * sizeof(kept[0]));
	c->sacks = (uint8_t)(n + 1);
}

static void
forget_ranges(struct ps_tcp_conn *c)
{
	uint32_t n = 0, i;

	for (i = 0; i < c->sacks; i++)
		if (ps_after(c->sack[i].end, c->rcv_nxt))
			c->sack[n++] = c->sack[i];
	c->sacks = (uint8_t)n;
}

/* One run of bytes at seq goes where it belongs. False: it had to be dropped. */
static bool
append(struct ps_tcp *s, struct ps_tcp_conn *c, const uint8_t *data, uint32_t size, void *owner)
{
	uint32_t i = ps_piece_new(s, data, size, owner, c->rcv_nxt);

	if (i == 0) {
		ps_note(s, PS_TCP_NO_PIECE);
		return false;
	}
	if (c->rx_tail != 0)
		s->piece[c->rx_tail].next = i;
	else
		c->rx_head = i;
	c->rx_tail = i;
	c->rcv_nxt += size;
	c->rcv_queued += size;
	c->received_bytes += size;
	return true;
}

static void
insert(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t seq, const uint8_t *data, uint32_t size, void *owner)
{
	uint32_t *link = &c->ooo_head, i, start = seq, end = seq + size;
	bool duplicate = false;

	/* Walk over what is there; gaps within our run are filled one by one. */
	while (size != 0) {
		uint32_t part = size;

		while (*link != 0 && !ps_after(s->piece[*link].seq + s->piece[*link].size, seq))
			link = &s->piece[*link].next;
		if (*link != 0) {
			struct ps_tcp_piece *p = &s->piece[*link];

			if (!ps_after(p->seq, seq)) {
				uint32_t covered = ps_least(p->seq + p->size - seq, size);

				if (!duplicate)
					ps_note_dsack(c, seq, seq + covered);
				duplicate = true;
				seq += covered;
				data += covered;
				size -= covered;
				continue;
			}
			if (p->seq - seq < part)
				part = p->seq - seq;
		}
		if (c->ooo_length >= s->config.ooo_pieces) {
			ps_note(s, PS_TCP_OOO_LIMIT);
			end = seq;
			break;
		}
		i = ps_piece_new(s, data, part, owner, seq);
		if (i == 0) {
			ps_note(s, PS_TCP_NO_PIECE);
			end = seq;
			break;
		}
		s->piece[i].next = *link;
		*link = i;
		c->ooo_length++;
		seq += part;
		data += part;
		size -= part;
	}
	if (duplicate)
		ps_note(s, PS_TCP_DUPLICATE_DATA);
	if (end != start)
		remember_range(c, start, end);
}

/* What waited and is next now. */
static void
join(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	while (c->ooo_head != 0) {
		uint32_t i = c->ooo_head;
		struct ps_tcp_piece *p = &s->piece[i];

		if (ps_after(p->seq, c->rcv_nxt))
			break;
		c->ooo_head = p->next;
		c->ooo_length--;
		if (!ps_after(p->seq + p->size, c->rcv_nxt)) {
			ps_piece_free(s, i);
			continue;
		}
		p->data += c->rcv_nxt - p->seq;
		p->size -= c->rcv_nxt - p->seq;
		p->seq = c->rcv_nxt;
		p->next = 0;
		if (c->rx_tail != 0)
			s->piece[c->rx_tail].next = i;
		else
			c->rx_head = i;
		c->rx_tail = i;
		c->rcv_nxt += p->size;
		c->rcv_queued += p->size;
		c->received_bytes += p->size;
	}
	forget_ranges(c);
}

void
ps_receive_purge(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->ooo_head == 0)
		return;
	ps_note(s, PS_TCP_OOO_PURGED);
	ps_chain_free(s, &c->ooo_head, NULL);
	c->ooo_length = 0;
	c->sacks = 0; /* RFC 2018 8: the receiver may discard what it has reported */
}

void
ps_receive(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g)
{
	uint32_t seq = g->seq, before = c->rcv_nxt, edge = c->rcv_adv, i, skip, mark;
	bool early, gap = c->ooo_head != 0;

	if (c->flags & F_FIN_RECEIVED) {
		ps_note(s, PS_TCP_DATA_AFTER_FIN);
		return;
	}
	if (g->size > c->rcv_mss)
		c->rcv_mss = (uint16_t)ps_least(g->size, c->mtu);
	ps_conn_want_output(s, c);
	if (ps_before(seq, c->rcv_nxt)) {
		ps_note(s, PS_TCP_DUPLICATE_DATA);
		mark = ps_before(seq + g->size, c->rcv_nxt) ? seq + g->size : c->rcv_nxt;
		ps_note_dsack(c, seq, mark);
		c->flags |= F_ACK_NOW;
	}
	if (ps_after(seq + g->size, edge)) {
		ps_note(s, PS_TCP_BEYOND_WINDOW);
		c->flags |= F_ACK_NOW;
	}
	if ((c->flags & F_FIN_KNOWN) && ps_after(edge, c->rcv_fin))
		edge = c->rcv_fin;
	early = ps_after(seq, c->rcv_nxt);
	if (early && s->pressure >= PS_TCP_PRESSURE_DROP) {
		ps_note(s, PS_TCP_OOO_PRESSURE);
		ps_receive_purge(s, c);
		c->flags |= F_ACK_NOW;
		return;
	}
	for (i = 0; i < g->slices; i++) {
		const struct ps_tcp_slice *p = &g->slice[i];
		uint32_t size = p->size, start = seq;

		seq += size;
		if (!ps_before(start, edge))
			break;
		size = ps_least(size, edge - start);
		if (early) {
			insert(s, c, start, p->data, size, p->owner);
			continue;
		}
		skip = c->rcv_nxt - start;
		if (skip >= size)
			continue;
		if (!append(s, c, p->data + skip, size - skip, p->owner))
			break;
	}
	if (early) {
		if (c->flags & F_SACK)
			c->flags |= F_ACK_NOW;
		else if (c->dup_acks_due < 255)
			c->dup_acks_due++;
		return;
	}
	join(s, c);
	if (c->rcv_nxt == before)
		return;
	ps_conn_tell(s, c, PS_TCP_ON_READ);
	/* RFC 9293 3.8.6.3, RFC 5681 4.2: every second full segment, and at once when a gap closes. */
	if (gap || c->rcv_nxt - c->last_ack_sent >= 2u * c->rcv_mss) {
		c->flags |= F_ACK_NOW;
	} else if (!ps_timer_is_set(c, PS_TIMER_DELACK)) {
		ps_timer_set(s, c, PS_TIMER_DELACK, (uint64_t)s->config.delayed_ack_ms * 1000u);
	}
}
