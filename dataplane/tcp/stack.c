/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack's memory: one run of bytes given at creation, cut into blocks, pieces, records and hash buckets. Every
 * pool is a list threaded through its free members; taking and giving back is a few instructions.
 */
#include "dataplane/tcp/internal.h"

#include "policies/flowhash.h"

const struct ps_tcp_reason_text ps_tcp_reason_texts[PS_TCP_REASON_COUNT] = {
#define PS_TCP_REASON_ROW(name, kind, text) {#name, #kind, text},
	PS_TCP_REASONS(PS_TCP_REASON_ROW)
#undef PS_TCP_REASON_ROW
};

void
ps_tcp_config_init(struct ps_tcp_config *config)
{
	*config = (struct ps_tcp_config){
		.connections = 16384,
		.listeners = 256,
		.pieces = 65536,
		.records = 65536,
		.receive_buffer = 262144,
		.send_buffer = 262144,
		.mtu = 1500,
		.orphans = 4096,
		.ooo_pieces = 512,
		.rto_min_ms = 200,
		.rto_max_ms = 60000,
		.rto_initial_ms = 1000,
		.delayed_ack_ms = 40,
		.time_wait_ms = 60000,
		.fin_wait_2_ms = 60000,
		.keepalive_idle_ms = 7200000,
		.keepalive_interval_ms = 75000,
		.keepalive_probes = 9,
		.pmtu_raise_ms = 600000,
		.challenges_per_s = 1000,
		.retries = 15,
		.syn_retries = 6,
		.orphan_retries = 7,
		.ecn = true,
	};
}

static size_t
rounded(size_t size)
{
	return (size + 63u) & ~(size_t)63u;
}

static uint32_t
bucket_count(uint32_t connections)
{
	uint32_t n = 64;

	while (n < connections)
		n *= 2;
	return n;
}

size_t
ps_tcp_memory_size(const struct ps_tcp_config *config)
{
	return rounded(sizeof(struct ps_tcp)) + rounded(sizeof(uint32_t) * (size_t)bucket_count(config->connections)) +
	       rounded(sizeof(struct ps_tcp_conn) * ((size_t)config->connections + 1)) +
	       rounded(sizeof(struct ps_tcp_listener) * ((size_t)config->listeners + 1)) +
	       rounded(sizeof(struct ps_tcp_piece) * ((size_t)config->pieces + 1)) +
	       rounded(sizeof(struct ps_tcp_record) * ((size_t)config->records + 1));
}

static void *
cut(uint8_t **at, size_t size)
{
	void *p = *at;

	*at += rounded(size);
	return p;
}

int
ps_tcp_create(struct ps_tcp **stack, const struct ps_tcp_config *config, void *memory, size_t size, uint64_t now)
{
	struct ps_tcp *s = memory;
	uint8_t *at = memory;
	uint32_t i;

	if (config->connections == 0 || config->connections > 1u << 24 || config->pieces == 0 || config->records == 0 ||
	    config->listeners == 0 || config->listeners > 65534 || config->mtu < 128 || config->mtu > 65535 ||
	    config->receive_buffer == 0 || config->receive_buffer > 1u << 30 || config->send_buffer == 0 ||
	    config->send_buffer > 1u << 30 || config->rto_min_ms == 0 || config->rto_max_ms < config->rto_min_ms ||
	    config->output == NULL || config->retain == NULL || config->release == NULL ||
	    ((uintptr_t)memory & 63u) != 0)
		return -EINVAL;
	if (size < ps_tcp_memory_size(config))
		return -ENOSPC;
	memset(memory, 0, ps_tcp_memory_size(config));
	cut(&at, sizeof(*s));
	s->config = *config;
	if (s->config.initial_window == 0)
		s->config.initial_window = 10;
	s->bucket_mask = bucket_count(config->connections) - 1;
	s->bucket = cut(&at, sizeof(uint32_t) * (size_t)(s->bucket_mask + 1));
	s->conn = cut(&at, sizeof(*s->conn) * ((size_t)config->connections + 1));
	s->listener = cut(&at, sizeof(*s->listener) * ((size_t)config->listeners + 1));
	s->piece = cut(&at, sizeof(*s->piece) * ((size_t)config->pieces + 1));
	s->record = cut(&at, sizeof(*s->record) * ((size_t)config->records + 1));
	for (i = 1; i <= config->connections; i++)
		s->conn[i].hash_next = i < config->connections ? i + 1 : 0;
	for (i = 1; i <= config->listeners; i++)
		s->listener[i].next = i < config->listeners ? i + 1 : 0;
	for (i = 1; i <= config->pieces; i++)
		s->piece[i].next = i < config->pieces ? i + 1 : 0;
	for (i = 1; i <= config->records; i++)
		s->record[i].next = i < config->records ? i + 1 : 0;
	s->conn_free = s->listener_free = s->piece_free = s->record_free = 1;
	memcpy(&s->hash_seed, config->secret + 16, sizeof(s->hash_seed));
	s->scale = ps_window_scale(config->receive_buffer);
	ps_tcp_time(s, now);
	s->wheel_ms = s->now_ms;
	*stack = s;
	return 0;
}

void
ps_tcp_destroy(struct ps_tcp *s)
{
	uint32_t i;

	if (s == NULL)
		return;
	for (i = 1; i <= s->config.connections; i++) {
		struct ps_tcp_conn *c = &s->conn[i];

		ps_chain_free(s, &c->tx_head, &c->tx_tail);
		ps_chain_free(s, &c->rx_head, &c->rx_tail);
		ps_chain_free(s, &c->ooo_head, NULL);
	}
}

void
ps_tcp_time(struct ps_tcp *s, uint64_t now)
{
	s->now = now;
	s->now_ms = (uint32_t)(now / 1000u);
}

static uint32_t
bucket_of(const struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port, const struct ps_addr *remote,
	uint16_t remote_port)
{
	uint64_t h = ps_flow_hash6(remote->b, local->b, (uint32_t)remote_port | (uint32_t)local_port << 16, 6,
		s->hash_seed);

	return (uint32_t)h & s->bucket_mask;
}

struct ps_tcp_conn *
ps_conn_find(const struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port, const struct ps_addr *remote,
	uint16_t remote_port)
{
	uint32_t i;

	for (i = s->bucket[bucket_of(s, local, local_port, remote, remote_port)]; i != 0; i = s->conn[i].hash_next) {
		struct ps_tcp_conn *c = &s->conn[i];

		if (c->remote_port == remote_port && c->local_port == local_port &&
		    ps_addr_equal(&c->remote, remote) && ps_addr_equal(&c->local, local))
			return c;
	}
	return NULL;
}

/* The oldest connection in TIME-WAIT makes room: it has least to lose (RFC 9293 3.6.1, RFC 1337 notwithstanding). */
static void
recycle_time_wait(struct ps_tcp *s)
{
	if (s->conn_free == 0 && s->time_wait_head != 0) {
		ps_note(s, PS_TCP_TIME_WAIT_RECYCLED);
		ps_conn_end(s, &s->conn[s->time_wait_head], PS_TCP_NONE);
	}
}

struct ps_tcp_conn *
ps_conn_new(struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port, const struct ps_addr *remote,
	uint16_t remote_port)
{
	uint32_t bucket = bucket_of(s, local, local_port, remote, remote_port);
	struct ps_tcp_conn *c;
	uint32_t i;

	recycle_time_wait(s);
	i = s->conn_free;
	if (i == 0)
		return NULL;
	c = &s->conn[i];
	s->conn_free = c->hash_next;
	s->conns++;
	memset(c, 0, sizeof(*c));
	c->local = *local;
	c->remote = *remote;
	c->local_port = local_port;
	c->remote_port = remote_port;
	c->hash_next = s->bucket[bucket];
	s->bucket[bucket] = i;
	c->flags = F_HASHED | (ps_addr_is_v4(remote) ? F_V4 : 0);
	c->rcv_buf = s->config.receive_buffer;
	c->snd_buf = s->config.send_buffer;
	c->mtu = c->mtu_full = (uint16_t)s->config.mtu;
	c->peer_mss = 536; /* RFC 9293 3.7.1: what is assumed without option, for IPv6 1220 */
	if (!(c->flags & F_V4))
		c->peer_mss = 1220;
	c->rcv_mss = 536;
	c->rto_us = s->config.rto_initial_ms * 1000u;
	c->user_timeout_ms = s->config.user_timeout_ms;
	c->ts_offset = ps_timestamp_offset(s, local, remote, local_port, remote_port);
	c->heard_ms = c->last_send_ms = c->stall_ms = s->now_ms;
	c->rack_extra = 1;
	if (s->config.congestion == PS_TCP_NEWRENO)
		c->flags |= F_NEWRENO;
	return c;
}

static void
unhash(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t *link, i = ps_index(s, c);

	if (!(c->flags & F_HASHED))
		return;
	link = &s->bucket[bucket_of(s, &c->local, c->local_port, &c->remote, c->remote_port)];
	while (*link != i)
		link = &s->conn[*link].hash_next;
	*link = c->hash_next;
	c->flags &= ~F_HASHED;
}

void
ps_list_append(struct ps_tcp *s, uint32_t *head, uint32_t *tail, struct ps_tcp_conn *c)
{
	uint32_t i = ps_index(s, c);

	c->list_next = 0;
	c->list_prev = *tail;
	if (*tail != 0)
		s->conn[*tail].list_next = i;
	else
		*head = i;
	*tail = i;
}

void
ps_list_remove(struct ps_tcp *s, uint32_t *head, uint32_t *tail, struct ps_tcp_conn *c)
{
	if (c->list_prev != 0)
		s->conn[c->list_prev].list_next = c->list_next;
	else
		*head = c->list_next;
	if (c->list_next != 0)
		s->conn[c->list_next].list_prev = c->list_prev;
	else
		*tail = c->list_prev;
	c->list_next = c->list_prev = 0;
}

static void
leave_lists(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	struct ps_tcp_listener *l = c->listener != 0 ? &s->listener[c->listener] : NULL;

	if (c->flags & F_HALF_OPEN) {
		s->half_open--;
		if (l != NULL)
			l->half_open--;
	}
	if (c->flags & F_WAITING) {
		ps_list_remove(s, &l->head, &l->tail, c);
		l->waiting--;
	}
	if (c->flags & F_TIME_WAIT) {
		ps_list_remove(s, &s->time_wait_head, &s->time_wait_tail, c);
		s->time_waits--;
	} else if ((c->flags & F_ORPHAN) && ps_synchronised(c) && !(c->flags & F_WAITING)) {
		s->orphans--;
	}
	c->flags &= ~(F_HALF_OPEN | F_WAITING | F_TIME_WAIT);
}

static void
drop_records(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	while (c->sent_head != 0) {
		uint32_t next = s->record[c->sent_head].next;

		ps_record_free(s, c->sent_head);
		c->sent_head = next;
	}
	c->sent_tail = 0;
	c->sacked = c->lost = c->again = 0;
}

static void
drop_sending(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	ps_chain_free(s, &c->tx_head, &c->tx_tail);
	drop_records(s, c);
	c->tx_piece = c->tx_offset = 0;
	c->snd_una = c->snd_nxt = c->snd_end;
}

/* Blocks still linked into the output or event list are freed when those lists are walked. */
void
ps_conn_free(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	ps_chain_free(s, &c->tx_head, &c->tx_tail);
	ps_chain_free(s, &c->rx_head, &c->rx_tail);
	ps_chain_free(s, &c->ooo_head, NULL);
	drop_records(s, c);
	ps_timers_remove(s, c);
	unhash(s, c);
	c->state = PS_TCP_CLOSED;
	c->flags = (c->flags & (F_OUTPUT | F_READY)) | F_ORPHAN;
	if (c->flags & (F_OUTPUT | F_READY))
		return;
	c->flags = 0;
	c->hash_next = s->conn_free;
	s->conn_free = ps_index(s, c);
	s->conns--;
}

void
ps_conn_end(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_reason reason)
{
	bool orphan = (c->flags & F_ORPHAN) != 0;

	if (reason != PS_TCP_NONE)
		ps_note(s, reason);
	leave_lists(s, c);
	if (orphan) {
		ps_conn_free(s, c);
		return;
	}
	drop_sending(s, c);
	ps_chain_free(s, &c->ooo_head, NULL);
	c->ooo_length = 0;
	c->sacks = 0;
	ps_timers_remove(s, c);
	unhash(s, c);
	c->state = PS_TCP_CLOSED;
	c->error = (uint8_t)reason;
	ps_conn_tell(s, c, PS_TCP_ON_CLOSE);
}

void
ps_conn_want_output(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t i = ps_index(s, c);

	if (c->flags & F_OUTPUT)
		return;
	c->flags |= F_OUTPUT;
	c->out_next = 0;
	if (s->out_tail != 0)
		s->conn[s->out_tail].out_next = i;
	else
		s->out_head = i;
	s->out_tail = i;
}

void
ps_conn_tell(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t mask)
{
	uint32_t i = ps_index(s, c);

	if (c->flags & F_ORPHAN)
		return;
	c->mask |= (uint8_t)mask;
	if (c->flags & F_READY)
		return;
	c->flags |= F_READY;
	c->ready_next = 0;
	if (s->ready_tail != 0)
		s->conn[s->ready_tail].ready_next = i;
	else
		s->ready_head = i;
	s->ready_tail = i;
}

void
ps_conn_time_wait(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	ps_timers_remove(s, c);
	drop_records(s, c);
	if (c->flags & F_ORPHAN) {
		s->orphans--;
		c->flags |= F_TIME_WAIT;
		s->time_waits++;
		ps_list_append(s, &s->time_wait_head, &s->time_wait_tail, c);
	}
	c->state = PS_TCP_TIME_WAIT;
	ps_timer_set(s, c, PS_TIMER_LINGER, (uint64_t)s->config.time_wait_ms * 1000u);
}

/* RFC 6691: the MSS counts no options; what goes into a segment does. */
void
ps_conn_set_mss(struct ps_tcp *s, struct ps_tcp_conn *c)
{
	uint32_t header = (c->flags & F_V4 ? 20u : 40u) + PS_TCP_HEADER_SIZE;
	uint32_t path = c->mtu > header + 64u ? c->mtu - header : 64u;
	uint32_t mss = ps_least(ps_most(c->peer_mss, 64), path);

	if (c->flags & F_TS)
		mss -= 12;
	c->mss = (uint16_t)mss;
}

uint32_t
ps_piece_new(struct ps_tcp *s, const uint8_t *data, uint32_t size, void *owner, uint32_t seq)
{
	uint32_t i = s->piece_free;
	struct ps_tcp_piece *p = &s->piece[i];

	if (i == 0)
		return 0;
	s->piece_free = p->next;
	s->pieces++;
	*p = (struct ps_tcp_piece){.data = data, .owner = owner, .size = size, .seq = seq};
	if (owner != NULL)
		s->config.retain(s->config.ctx, owner);
	ps_update_pressure(s);
	return i;
}

void
ps_piece_free(struct ps_tcp *s, uint32_t i)
{
	struct ps_tcp_piece *p = &s->piece[i];

	if (p->owner != NULL)
		s->config.release(s->config.ctx, p->owner);
	p->next = s->piece_free;
	s->piece_free = i;
	s->pieces--;
	ps_update_pressure(s);
}

void
ps_chain_free(struct ps_tcp *s, uint32_t *head, uint32_t *tail)
{
	while (*head != 0) {
		uint32_t next = s->piece[*head].next;

		ps_piece_free(s, *head);
		*head = next;
	}
	if (tail != NULL)
		*tail = 0;
}

/* Eighths and sixteenths of the pool in use decide; the owner may demand more. */
void
ps_update_pressure(struct ps_tcp *s)
{
	uint32_t free = s->config.pieces - s->pieces, part = s->config.pieces / 32;
	uint8_t level = free > 8 * part   ? PS_TCP_PRESSURE_NONE
			: free > 6 * part ? PS_TCP_PRESSURE_RESERVE
			: free > 4 * part ? PS_TCP_PRESSURE_COOKIES
			: free > 3 * part ? PS_TCP_PRESSURE_SHRINK
			: free > 2 * part ? PS_TCP_PRESSURE_REFUSE
					  : PS_TCP_PRESSURE_DROP;

	if (level < s->pressure_outside)
		level = s->pressure_outside;
	if (level > s->pressure)
		ps_note(s, PS_TCP_PRESSURE);
	s->pressure = level;
}

void
ps_tcp_set_pressure(struct ps_tcp *s, enum ps_tcp_pressure level)
{
	s->pressure_outside = (uint8_t)level;
	ps_update_pressure(s);
}

enum ps_tcp_pressure
ps_tcp_get_pressure(const struct ps_tcp *s)
{
	return (enum ps_tcp_pressure)s->pressure;
}

void
ps_tcp_count(struct ps_tcp *s, enum ps_tcp_reason reason)
{
	ps_note(s, reason);
}

const uint64_t *
ps_tcp_counters(const struct ps_tcp *s)
{
	return s->counter;
}

void
ps_tcp_run(struct ps_tcp *s)
{
	uint32_t i, last = s->out_tail;

	ps_timers_run(s);
	last = s->out_tail;
	while (s->out_head != 0) {
		struct ps_tcp_conn *c;

		i = s->out_head;
		c = &s->conn[i];
		s->out_head = c->out_next;
		if (s->out_head == 0)
			s->out_tail = 0;
		c->flags &= ~F_OUTPUT;
		if (c->state == PS_TCP_CLOSED) {
			if (c->flags & F_ORPHAN)
				ps_conn_free(s, c);
		} else {
			ps_output(s, c);
		}
		if (i == last)
			break; /* what output itself marked waits for the next pass */
	}
}
