/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of clients: which flow is next, and the frame for it. */
#include "perf/loadgen/engine.h"

#define WINDOW_PATIENCE 0.005 /* seconds */

static inline uint32_t
next_flow(struct ps_engine *e)
{
	uint32_t flow = e->flow;

	switch (e->c->order) {
	case PS_ORDER_SCATTER:
		/* A fixed stride near the golden section of all flows, without common divisor: each flow once per
		 * round, neighbours far apart in time, so that no table is walked in the order in which it was filled. */
		e->flow += e->stride;
		if (e->flow >= e->c->flows)
			e->flow -= e->c->flows;
		break;
	case PS_ORDER_SEQUENTIAL:
		if (++e->flow == e->c->flows)
			e->flow = 0;
		break;
	case PS_ORDER_RANDOM:
		e->random ^= e->random << 13;
		e->random ^= e->random >> 17;
		e->random ^= e->random << 5;
		return (uint32_t)(((uint64_t)e->random * e->c->flows) >> 32);
	}
	return flow;
}

/* New flows take the numbers after the established ones, and begin again when the ranges are used up. */
static inline uint32_t
next_new_flow(struct ps_engine *e)
{
	uint64_t room = ps_space_size(&e->space) - e->c->flows;

	if (e->new_flow == room)
		e->new_flow = 0;
	return (uint32_t)(e->c->flows + e->new_flow++);
}

static inline const struct ps_frame *
next_frame(struct ps_engine *e, enum ps_frame_kind kind)
{
	const struct ps_sizes *s = &e->c->sizes;
	uint32_t step = e->schedule;

	if (s->sizes == 1)
		return &e->frame[kind][0];
	e->schedule = step + 1 == s->steps ? 0 : step + 1;
	return &e->frame[kind][s->schedule[step]];
}

static inline void
write_frame(struct ps_engine *e, struct rte_mbuf *m, enum ps_frame_kind kind, uint32_t flow, uint32_t now)
{
	const struct ps_frame *f = next_frame(e, kind);
	struct ps_tuple t;

	ps_space_tuple(&e->space, flow, &t);
	ps_frame_write(f, rte_pktmbuf_mtod(m, uint8_t *), &t, e->number++, now);
	m->data_len = f->length;
	m->pkt_len = f->length;
	e->dir[PS_TO_BACKEND].sent++;
}

struct rte_mbuf *
ps_send_build(struct ps_engine *e, enum ps_frame_kind kind, uint32_t flow, uint32_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(e->pool);

	if (m == NULL)
		e->tally.no_buffer++;
	else
		write_frame(e, m, kind, flow, now);
	return m;
}

static __rte_always_inline uint32_t
send_run(struct ps_engine *e, enum ps_frame_kind kind, uint32_t n, uint32_t now, uint32_t (*pick)(struct ps_engine *))
{
	struct rte_mbuf *m[64];
	uint32_t i;

	if (n == 0)
		return 0;
	if (rte_pktmbuf_alloc_bulk(e->pool, m, n) < 0) {
		e->tally.no_buffer++;
		return 0;
	}
	for (i = 0; i < n; i++) {
		if (i + 4 < n)
			rte_prefetch0_write(rte_pktmbuf_mtod(m[i + 4], void *));
		write_frame(e, m[i], kind, pick(e), now);
		ps_txq_add(e->client_port, m[i]);
	}
	return n;
}

static inline uint32_t
next_setup_flow(struct ps_engine *e)
{
	uint32_t index = e->setup_sent++;

	return e->setup_flow != NULL ? e->setup_flow[index] : index;
}

static enum ps_frame_kind
opening_kind(const struct ps_engine *e)
{
	return e->c->proto == IPPROTO_TCP ? PS_FRAME_SYN : PS_FRAME_DATA;
}

/*
 * With no rate given the device's rings set the pace, and a device faster than this core would drop what we are too slow
 * to fetch. So no more is under way than its last ring holds. Numbers tell: everything before the newest that came home is
 * home or lost.
 */
static uint32_t
window_left(struct ps_engine *e, uint64_t now)
{
	bool returns = e->c->backend.count != 0 && !e->c->no_return;
	uint32_t home = e->dir[returns ? PS_TO_CLIENT : PS_TO_BACKEND].track.next, under_way;

	if (ps_number_before(e->window_base, home)) {
		e->window_base = home;
		e->window_after = now + (uint64_t)(WINDOW_PATIENCE * e->hz);
	} else if (now > e->window_after) {
		e->window_base = e->number;
		e->window_after = now + (uint64_t)(WINDOW_PATIENCE * e->hz);
	}
	under_way = e->number - e->window_base;
	return under_way < e->window ? e->window - under_way : 0;
}

uint32_t
ps_send(struct ps_engine *e, uint64_t now)
{
	uint32_t burst = e->c->burst, n, sent = 0;

	if (ps_txq_waiting(e->client_port) != 0 || now < e->client_port->tx_after)
		return 0;
	if (e->setup_bitmap != NULL) {
		n = ps_pacer_due(&e->pacer, now, RTE_MIN(burst, e->setup_flows - e->setup_sent));
		n = send_run(e, opening_kind(e), n, (uint32_t)now, next_setup_flow);
		ps_pacer_take(&e->pacer, n);
		return n;
	}
	if (e->new_rate > 0) {
		n = ps_pacer_due(&e->new_pacer, now, burst);
		n = send_run(e, opening_kind(e), n, (uint32_t)now, next_new_flow);
		ps_pacer_take(&e->new_pacer, n);
		e->tally.new_flows += n;
		sent += n;
	}
	if (e->sending) {
		n = ps_pacer_due(&e->pacer, now, burst);
		if (e->window != 0 && e->pacer.per_cycle == 0.0)
			n = RTE_MIN(n, window_left(e, now));
		n = send_run(e, PS_FRAME_DATA, n, (uint32_t)now, next_flow);
		ps_pacer_take(&e->pacer, n);
		sent += n;
	}
	return sent;
}

uint64_t
ps_send_wait(const struct ps_engine *e, uint64_t now)
{
	uint64_t wait = UINT64_MAX;

	if (e->setup_bitmap != NULL)
		return e->setup_sent < e->setup_flows ? ps_pacer_wait(&e->pacer, now) : UINT64_MAX;
	if (e->sending)
		wait = ps_pacer_wait(&e->pacer, now);
	if (e->new_rate > 0)
		wait = RTE_MIN(wait, ps_pacer_wait(&e->new_pacer, now));
	return wait;
}
