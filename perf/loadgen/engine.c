/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "perf/loadgen/engine.h"

#define RELAXED_SLEEP 50000 /* ns */

/* Near the golden section of n, without common divisor. */
static uint32_t
scatter_stride(uint32_t n)
{
	uint32_t stride = (uint32_t)(n * 0.6180339887), a, b, rest;

	for (stride += stride == 0; stride < n; stride++) {
		for (a = n, b = stride; b != 0; a = b, b = rest)
			rest = a % b;
		if (a == 1)
			return stride;
	}
	return 1 % n;
}

int
ps_engine_init(struct ps_engine *e, const struct ps_config *c)
{
	uint32_t shown = RTE_MIN(c->backend.count, PS_BACKENDS_SHOWN);

	e->c = c;
	e->space = c->space;
	ps_space_prepare(&e->space);
	e->window = c->window;
	e->random = 2463534242u;
	e->stride = c->flows > 1 ? scatter_stride(c->flows) : 0;
	e->verify_countdown = 1;
	e->number = 1;
	e->last_backend = PS_NONE;
	e->backend = calloc(shown != 0 ? shown : 1, sizeof(*e->backend));
	e->last_seen = calloc(c->flows != 0 ? c->flows : 1, sizeof(*e->last_seen));
	return e->backend != NULL && e->last_seen != NULL ? 0 : -ENOMEM;
}

void
ps_engine_fini(struct ps_engine *e)
{
	uint32_t kind, i;

	for (kind = 0; kind < PS_FRAME_KINDS; kind++)
		for (i = 0; i < PS_SIZES_MAX; i++)
			ps_frame_fini(&e->frame[kind][i]);
	free(e->backend);
	free(e->last_seen);
}

struct ps_addr
ps_engine_next_hop(const struct ps_engine *e)
{
	return e->c->has_gateway ? e->c->gateway : e->space.vip.first;
}

void
ps_engine_learn_gateway(struct ps_engine *e, const uint8_t mac[6])
{
	uint32_t kind, i;

	memcpy(e->gateway_mac, mac, 6);
	e->gateway_known = true;
	for (kind = 0; kind < PS_FRAME_KINDS; kind++)
		for (i = 0; i < e->c->sizes.sizes; i++)
			if (e->frame[kind][i].bytes != NULL)
				memcpy(e->frame[kind][i].bytes, mac, 6);
}

int
ps_engine_make_frames(struct ps_engine *e)
{
	struct ps_frame_spec spec = {
		.vlan = e->client_port->vlan,
		.proto = e->c->proto,
		.src = e->space.client.first,
		.dst = e->space.vip.first,
	};
	uint32_t kind, i;
	int rc;

	memcpy(spec.src_mac, e->client_port->mac, 6);
	memcpy(spec.dst_mac, e->gateway_mac, 6);
	for (kind = 0; kind < PS_FRAME_KINDS; kind++) {
		spec.tcp_flags = kind == PS_FRAME_SYN ? PS_TCP_SYN : PS_TCP_ACK;
		for (i = 0; i < e->c->sizes.sizes; i++) {
			spec.size = e->c->sizes.size[i];
			ps_frame_fini(&e->frame[kind][i]);
			rc = ps_frame_init(&e->frame[kind][i], &spec);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

void
ps_engine_phase(struct ps_engine *e)
{
	bool returns = e->c->backend.count != 0 && !e->c->no_return;
	uint32_t i;

	memset(&e->tally, 0, sizeof(e->tally));
	e->phase_first = e->number;
	for (i = 0; i < PS_DIRECTIONS; i++) {
		e->dir[i].sent = 0;
		ps_histogram_reset(&e->dir[i].latency);
		/* order is watched where packets still show whose they are: FullNAT hides that from backends */
		ps_track_start(&e->dir[i].track, e->number, (i == PS_TO_CLIENT) == returns ? e->last_seen : NULL,
			e->c->flows);
	}
	for (i = 0; i < RTE_MIN(e->c->backend.count, PS_BACKENDS_SHOWN); i++)
		e->backend[i].packets = 0;
	for (i = 0; i < e->c->ports; i++) {
		struct ps_txport *p = &e->port[i];

		p->sent = p->sent_bytes = p->received = p->received_bytes = p->full = p->dropped = 0;
	}
}

/* Stays off the rings until one may have changed or a packet is due. */
static void
rest(struct ps_engine *e)
{
	uint64_t now = rte_rdtsc(), until = now + e->backoff, wait = ps_send_wait(e, now);
	uint32_t i;

	if (e->c->relaxed && wait > e->backoff) {
		nanosleep(&(struct timespec){.tv_nsec = RELAXED_SLEEP}, NULL);
		return;
	}
	for (i = 0; i < e->c->ports; i++) {
		until = RTE_MIN(until, e->port[i].rx_after);
		if (ps_txq_waiting(&e->port[i]) != 0)
			until = RTE_MIN(until, e->port[i].tx_after);
	}
	if (wait < e->backoff && ps_txq_waiting(e->client_port) == 0) {
		wait += now;
		wait = RTE_MAX(wait, e->client_port->tx_after);
		until = RTE_MIN(until, wait);
	}
	while (rte_rdtsc() < until)
		rte_pause();
}

bool
ps_engine_turn(struct ps_engine *e)
{
	uint64_t now = rte_rdtsc();
	uint32_t moved = 0, i;

	for (i = 0; i < e->c->ports; i++)
		moved += ps_receive(e, &e->port[i], now);
	for (i = 0; i < e->c->ports; i++)
		if (ps_txq_waiting(&e->port[i]) != 0)
			moved += ps_txq_flush(&e->port[i], now, e->c->burst, e->backoff);
	if (ps_send(e, now) != 0)
		moved += ps_txq_flush(e->client_port, now, e->c->burst, e->backoff);
	if (moved == 0)
		rest(e);
	return moved != 0;
}

void
ps_event(const char *name)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(stderr, "event %s %lld%09ld\n", name, (long long)now.tv_sec, now.tv_nsec);
}
