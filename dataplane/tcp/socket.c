/* SPDX-License-Identifier: Apache-2.0 */
/* What the owner of a connection calls. */
#include "dataplane/tcp/internal.h"

static uint32_t
listen_bucket(const struct ps_addr *address, uint16_t port)
{
	uint32_t h = port, i;

	for (i = 0; i < 16; i++)
		h = h * 31u + address->b[i];
	return (h ^ h >> 8) % 64u;
}

static struct ps_tcp_listener *
exact(struct ps_tcp *s, const struct ps_addr *address, uint16_t port)
{
	uint32_t i;

	for (i = s->listen_bucket[listen_bucket(address, port)]; i != 0; i = s->listener[i].next)
		if (s->listener[i].port == port && ps_addr_equal(&s->listener[i].address, address))
			return &s->listener[i];
	return NULL;
}

struct ps_tcp_listener *
ps_listener_find(struct ps_tcp *s, const struct ps_addr *address, uint16_t port)
{
	static const struct ps_addr any;
	struct ps_tcp_listener *l = exact(s, address, port);

	return l != NULL ? l : exact(s, &any, port);
}

int
ps_tcp_listen(struct ps_tcp *s, struct ps_tcp_listener **listener, const struct ps_addr *address, uint16_t port,
	uint32_t backlog, void *user)
{
	uint32_t i = s->listener_free, *bucket = &s->listen_bucket[listen_bucket(address, port)];
	struct ps_tcp_listener *l = &s->listener[i];

	if (exact(s, address, port) != NULL)
		return -EADDRINUSE;
	if (i == 0)
		return -ENOSPC;
	s->listener_free = l->next;
	*l = (struct ps_tcp_listener){
		.address = *address, .port = port, .backlog = backlog, .user = user, .used = true, .next = *bucket};
	*bucket = i;
	*listener = l;
	return 0;
}

void
ps_tcp_unlisten(struct ps_tcp *s, struct ps_tcp_listener *l)
{
	uint32_t i, self = (uint32_t)(l - s->listener), *link = &s->listen_bucket[listen_bucket(&l->address, l->port)];

	for (i = 1; i <= s->config.connections && (l->half_open != 0 || l->waiting != 0); i++) {
		struct ps_tcp_conn *c = &s->conn[i];

		if (c->listener == self && (c->flags & (F_HALF_OPEN | F_WAITING))) {
			ps_send_reset(s, c);
			ps_conn_end(s, c, PS_TCP_ABORTED);
		}
	}
	for (i = 1; i <= s->config.connections; i++)
		if (s->conn[i].listener == self)
			s->conn[i].listener = 0;
	while (*link != self)
		link = &s->listener[*link].next;
	*link = l->next;
	for (link = &s->listen_ready; *link != 0; link = &s->listener[*link].ready_next) {
		if (*link == self) {
			*link = l->ready_next;
			break;
		}
	}
	l->used = l->ready = false;
	l->next = s->listener_free;
	s->listener_free = self;
}

struct ps_tcp_conn *
ps_tcp_accept(struct ps_tcp *s, struct ps_tcp_listener *l, void *user)
{
	struct ps_tcp_conn *c;

	if (l->head == 0)
		return NULL;
	c = &s->conn[l->head];
	ps_list_remove(s, &l->head, &l->tail, c);
	l->waiting--;
	c->flags &= ~(F_WAITING | F_ORPHAN);
	c->listener = 0;
	c->user = user;
	ps_conn_tell(s, c, PS_TCP_ON_WRITE | (c->rcv_queued != 0 ? PS_TCP_ON_READ : 0) |
		(c->flags & F_FIN_RECEIVED ? PS_TCP_ON_END : 0));
	return c;
}

/* RFC 6056 3.3.3: a hash of the destination and a counter (here: time) choose where the search begins. */
static uint16_t
choose_port(const struct ps_tcp *s, const struct ps_addr *local, const struct ps_addr *remote, uint16_t remote_port)
{
	uint32_t from = (uint32_t)ps_tuple_hash(s, 0x10000u, local, 0, remote, remote_port) + (uint32_t)(s->now >> 4), i;

	for (i = 0; i < 28232; i++) {
		uint16_t port = (uint16_t)(32768u + (from + i) % 28232u);

		if (ps_conn_find(s, local, port, remote, remote_port) == NULL)
			return port;
	}
	return 0;
}

int
ps_tcp_connect(struct ps_tcp *s, struct ps_tcp_conn **conn, const struct ps_addr *local, uint16_t local_port,
	const struct ps_addr *remote, uint16_t remote_port, void *user)
{
	struct ps_tcp_conn *c;

	if (remote_port == 0 || ps_addr_is_v4(local) != ps_addr_is_v4(remote))
		return -EINVAL;
	if (s->pressure >= PS_TCP_PRESSURE_REFUSE)
		return -ENOBUFS;
	if (local_port == 0) {
		local_port = choose_port(s, local, remote, remote_port);
		if (local_port == 0)
			return -EADDRNOTAVAIL;
	}
	c = ps_conn_find(s, local, local_port, remote, remote_port);
	if (c != NULL)
		return -EADDRINUSE;
	c = ps_conn_new(s, local, local_port, remote, remote_port);
	if (c == NULL)
		return -ENOBUFS;
	c->user = user;
	c->state = PS_TCP_SYN_SENT;
	c->flags |= F_ACTIVE | (s->config.ecn ? F_ECN : 0) |
		    (s->config.advertise_user_timeout && c->user_timeout_ms != 0 ? F_USER_TIMEOUT : 0);
	c->iss = ps_initial_sequence(s, local, local_port, remote, remote_port);
	c->snd_una = c->iss;
	c->snd_nxt = c->snd_end = c->iss + 1;
	ps_conn_set_mss(s, c);
	c->last_end_ms = s->now_ms;
	ps_send_syn(s, c);
	ps_timer_rto(s, c);
	*conn = c;
	return 0;
}

bool
ps_tcp_next_event(struct ps_tcp *s, struct ps_tcp_event *event)
{
	while (s->listen_ready != 0) {
		struct ps_tcp_listener *l = &s->listener[s->listen_ready];

		s->listen_ready = l->ready_next;
		l->ready = false;
		if (l->head == 0)
			continue;
		*event = (struct ps_tcp_event){.listener = l, .user = l->user, .mask = PS_TCP_ON_ACCEPT};
		return true;
	}
	while (s->ready_head != 0) {
		struct ps_tcp_conn *c = &s->conn[s->ready_head];

		s->ready_head = c->ready_next;
		if (s->ready_head == 0)
			s->ready_tail = 0;
		c->flags &= ~F_READY;
		if (c->flags & F_ORPHAN) {
			if (c->state == PS_TCP_CLOSED)
				ps_conn_free(s, c);
			continue;
		}
		if (c->mask == 0)
			continue;
		*event = (struct ps_tcp_event){.conn = c, .user = c->user, .mask = c->mask};
		c->mask = 0;
		return true;
	}
	return false;
}

uint32_t
ps_tcp_readable(const struct ps_tcp_conn *c)
{
	return c->rcv_queued;
}

bool
ps_tcp_at_end(const struct ps_tcp_conn *c)
{
	return (c->flags & F_FIN_RECEIVED) && c->rcv_queued == 0;
}

uint32_t
ps_tcp_peek(const struct ps_tcp *s, const struct ps_tcp_conn *c, struct ps_tcp_slice *slice, uint32_t length)
{
	uint32_t i, n = 0;

	for (i = c->rx_head; i != 0 && n < length; i = s->piece[i].next, n++)
		slice[n] = (struct ps_tcp_slice){
			.data = s->piece[i].data, .size = s->piece[i].size, .owner = s->piece[i].owner};
	return n;
}

void
ps_tcp_consume(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t size)
{
	uint32_t edge;

	size = ps_least(size, c->rcv_queued);
	c->rcv_queued -= size;
	while (size != 0) {
		struct ps_tcp_piece *p = &s->piece[c->rx_head];
		uint32_t i = c->rx_head;

		if (size < p->size) {
			p->data += size;
			p->size -= size;
			break;
		}
		size -= p->size;
		c->rx_head = p->next;
		if (c->rx_head == 0)
			c->rx_tail = 0;
		ps_piece_free(s, i);
	}
	if (!ps_synchronised(c) || c->state == PS_TCP_TIME_WAIT || (c->flags & F_FIN_RECEIVED))
		return;
	/* The peer hears of room when it was closed out, or when there is much of it. */
	edge = ps_receive_edge(s, c, false);
	if (edge != c->rcv_adv && (c->rcv_adv - c->rcv_nxt < c->rcv_mss || edge - c->rcv_adv >= c->rcv_buf / 2u ||
		(edge - c->rcv_adv >= 2u * c->rcv_mss && c->rcv_adv - c->rcv_nxt < c->rcv_buf / 2u))) {
		c->flags |= F_ACK_NOW;
		ps_conn_want_output(s, c);
	}
}

static bool
may_write(const struct ps_tcp_conn *c)
{
	return !(c->flags & F_FIN_QUEUED) && c->state != PS_TCP_CLOSED;
}

uint32_t
ps_tcp_writable(const struct ps_tcp *s, const struct ps_tcp_conn *c)
{
	uint32_t used = c->snd_end - c->snd_una, room = c->snd_buf;

	if (!may_write(c))
		return 0;
	if (s->pressure >= PS_TCP_PRESSURE_RESERVE)
		room = ps_least(room, c->mss);
	return room > used ? room - used : 0;
}

ssize_t
ps_tcp_write(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_slice *slice, uint32_t slices)
{
	uint32_t n, i, size, room = ps_tcp_writable(s, c), taken = 0;

	if (!may_write(c))
		return -EPIPE;
	for (n = 0; n < slices; n++) {
		size = ps_least(slice[n].size, room - taken);
		if (size == 0)
			continue;
		i = ps_piece_new(s, slice[n].data, size, slice[n].owner, 0);
		if (i == 0)
			break;
		if (c->tx_tail != 0) {
			s->piece[c->tx_tail].next = i;
			if (c->tx_offset >= s->piece[c->tx_piece].size) {
				c->tx_offset = 0;
				c->tx_piece = i;
			}
		} else {
			c->tx_head = c->tx_piece = i;
			c->tx_offset = 0;
		}
		c->tx_tail = i;
		c->snd_end += size;
		taken += size;
	}
	if (taken != 0) {
		c->flags |= F_SENT_EVENT;
		ps_conn_want_output(s, c);
		return (ssize_t)taken;
	}
	c->flags |= F_WANT_WRITE;
	return s->pressure >= PS_TCP_PRESSURE_RESERVE ? -ENOBUFS : -EAGAIN;
}

static void
send_fin(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->flags & F_FIN_QUEUED)
		return;
	c->flags |= F_FIN_QUEUED | F_SENT_EVENT;
	if (c->state == PS_TCP_ESTABLISHED)
		c->state = PS_TCP_FIN_WAIT_1;
	else if (c->state == PS_TCP_CLOSE_WAIT)
		c->state = PS_TCP_LAST_ACK;
	ps_conn_want_output(s, c);
}

void
ps_tcp_shutdown(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (c->state != PS_TCP_CLOSED)
		send_fin(s, c);
}

void
ps_tcp_abort(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	if (ps_synchronised(c) && c->state != PS_TCP_TIME_WAIT)
		ps_send_reset(s, c);
	else if (c->state == PS_TCP_SYN_RECEIVED)
		ps_send_reset(s, c);
	if (c->state == PS_TCP_CLOSED) {
		ps_conn_free(s, c);
		return;
	}
	ps_conn_end(s, c, PS_TCP_ABORTED); /* to its owner, who leaves now */
	ps_conn_free(s, c);
}

void
ps_tcp_close(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	c->user = NULL;
	switch (c->state) {
	case PS_TCP_CLOSED:
		ps_conn_free(s, c);
		return;
	case PS_TCP_SYN_SENT:
		if (c->snd_end == c->snd_nxt) {
			ps_conn_end(s, c, PS_TCP_NONE);
			ps_conn_free(s, c);
			return;
		}
		c->flags |= F_ORPHAN;
		send_fin(s, c);
		return;
	case PS_TCP_TIME_WAIT:
		ps_chain_free(s, &c->rx_head, &c->rx_tail);
		c->rcv_queued = 0;
		c->flags |= F_ORPHAN | F_TIME_WAIT;
		s->time_waits++;
		ps_list_append(s, &s->time_wait_head, &s->time_wait_tail, c);
		return;
	default:
		break;
	}
	if (c->rcv_queued != 0 || c->ooo_head != 0) {
		ps_tcp_abort(s, c);
		return;
	}
	if (s->orphans >= s->config.orphans) {
		ps_note(s, PS_TCP_ORPHAN_LIMIT);
		ps_tcp_abort(s, c);
		return;
	}
	c->flags |= F_ORPHAN;
	if (ps_synchronised(c))
		s->orphans++;
	if (c->state == PS_TCP_FIN_WAIT_2)
		ps_timer_set(s, c, PS_TIMER_LINGER, (uint64_t)s->config.fin_wait_2_ms * 1000u);
	send_fin(s, c);
}

int
ps_tcp_set(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_option option, uint32_t value)
{
	switch (option) {
	case PS_TCP_OPT_NODELAY:
		c->flags = value != 0 ? c->flags | F_NODELAY : c->flags & ~F_NODELAY;
		ps_conn_want_output(s, c);
		return 0;
	case PS_TCP_OPT_KEEPALIVE:
		c->flags = value != 0 ? c->flags | F_KEEPALIVE : c->flags & ~F_KEEPALIVE;
		c->probes = 0;
		if (value != 0)
			ps_timer_keepalive(s, c);
		else
			ps_timer_off(c, PS_TIMER_KEEPALIVE);
		return 0;
	case PS_TCP_OPT_USER_TIMEOUT:
		c->user_timeout_ms = value;
		if (s->config.advertise_user_timeout && value != 0 && ps_synchronised(c)) {
			c->flags |= F_USER_TIMEOUT | F_ACK_NOW;
			ps_conn_want_output(s, c);
		}
		if (ps_timer_is_set(c, PS_TIMER_RTO))
			ps_timer_rto(s, c);
		return 0;
	case PS_TCP_OPT_RECEIVE_BUFFER:
		if (value == 0 || value > 1u << 30)
			return -EINVAL;
		c->rcv_buf = ps_most(value, c->rcv_adv - c->rcv_nxt + c->rcv_queued);
		if (value < c->rcv_buf)
			c->rcv_buf = value; /* the edge stays where it is until it is reached */
		return 0;
	case PS_TCP_OPT_SEND_BUFFER:
		if (value == 0 || value > 1u << 30)
			return -EINVAL;
		c->snd_buf = value;
		return 0;
	case PS_TCP_OPT_MTU:
		if (value < 128 || value > s->config.mtu)
			return -EINVAL;
		c->mtu = (uint16_t)value;
		c->mtu_full = (uint16_t)value;
		ps_conn_set_mss(s, c);
		return 0;
	case PS_TCP_OPT_CONGESTION:
		if (value > PS_TCP_NEWRENO)
			return -EINVAL;
		c->flags = value == PS_TCP_NEWRENO ? c->flags | F_NEWRENO : c->flags & ~F_NEWRENO;
		return 0;
	}
	return -EINVAL;
}

void
ps_tcp_set_user(struct ps_tcp_conn *c, void *user)
{
	c->user = user;
}

void *
ps_tcp_user(const struct ps_tcp_conn *c)
{
	return c->user;
}

enum ps_tcp_state
ps_tcp_state(const struct ps_tcp_conn *c)
{
	return (enum ps_tcp_state)c->state;
}

enum ps_tcp_reason
ps_tcp_error(const struct ps_tcp_conn *c)
{
	return (enum ps_tcp_reason)c->error;
}
