/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The space of flows: flow number <-> addresses and ports. Flow i comes from client address i mod A, client
 * port i / A, and goes to destination i mod D of all pairs (address, port) that are loaded.
 * One client address and port names one flow.
 */
#ifndef PS_LOADGEN_SPACE_H
#define PS_LOADGEN_SPACE_H

#include "perf/loadgen/frame.h"

struct ps_space {
	struct ps_addr_range client, vip;
	struct ps_port_range client_port, vip_port;
	uint64_t inverse; /* of client.count, set by ps_space_prepare */
};

/* After the ranges are set and before flows are turned into tuples. */
static inline void
ps_space_prepare(struct ps_space *s)
{
	s->inverse = s->client.count > 1 ? UINT64_MAX / s->client.count + 1 : 0;
}

/* flow / client.count without dividing: exact for 32-bit numbers (Granlund and Montgomery, 1994). */
static inline uint32_t
ps_space_row(const struct ps_space *s, uint32_t flow)
{
	return s->inverse != 0 ? (uint32_t)(((__uint128_t)flow * s->inverse) >> 64) : flow;
}

/* How many flows the ranges can name. */
static inline uint64_t
ps_space_size(const struct ps_space *s)
{
	return (uint64_t)s->client.count * s->client_port.count;
}

static inline void
ps_space_destination(const struct ps_space *s, uint32_t flow, struct ps_tuple *t)
{
	uint32_t d = 0, port = 0;

	if (s->vip.count != 1 || s->vip_port.count != 1) {
		d = (uint32_t)(flow % ((uint64_t)s->vip.count * s->vip_port.count));
		port = d / s->vip.count;
		d %= s->vip.count;
	}
	t->dst_low = htonl(s->vip.low + d);
	t->dst_port = htons((uint16_t)(s->vip_port.first + port));
}

static inline void
ps_space_tuple(const struct ps_space *s, uint32_t flow, struct ps_tuple *t)
{
	uint32_t row = ps_space_row(s, flow);

	t->src_low = htonl(s->client.low + (flow - row * s->client.count));
	t->src_port = htons((uint16_t)(s->client_port.first + row));
	ps_space_destination(s, flow, t);
}

/* The flow of a client address (last 32 bits) and port, both in network order; PS_NONE: not one of ours. */
static inline uint32_t
ps_space_flow(const struct ps_space *s, uint32_t client_low, uint16_t client_port)
{
	uint32_t column = ntohl(client_low) - s->client.low;
	uint32_t row = (uint32_t)ntohs(client_port) - s->client_port.first;

	if (column >= s->client.count || row >= s->client_port.count)
		return PS_NONE;
	return row * s->client.count + column;
}

#endif
