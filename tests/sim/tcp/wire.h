/* SPDX-License-Identifier: Apache-2.0 */
/* What simulations share: random numbers from a seed, counted buffers, and a wire that does what wires do. */
#ifndef PS_TESTS_SIM_WIRE_H
#define PS_TESTS_SIM_WIRE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/tcp.h"

struct buffer {
	uint32_t references;
	uint32_t size;
	uint8_t data[];
};

extern int64_t buffers_live;

static inline uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline uint32_t
below(uint64_t *state, uint32_t n)
{
	return n == 0 ? 0 : (uint32_t)(next_random(state) % n);
}

static inline struct buffer *
buffer_new(uint32_t size)
{
	struct buffer *b = malloc(sizeof(*b) + size + 1);

	if (b == NULL)
		abort();
	b->references = 1;
	b->size = size;
	buffers_live++;
	return b;
}

static inline void
buffer_retain(void *ctx, void *owner)
{
	(void)ctx;
	((struct buffer *)owner)->references++;
}

static inline void
buffer_release(void *ctx, void *owner)
{
	struct buffer *b = owner;

	(void)ctx;
	if (b->references == 0)
		abort();
	if (--b->references == 0) {
		buffers_live--;
		free(b);
	}
}

struct packet {
	struct packet *next;
	uint64_t at; /* when it arrives */
	uint64_t order;
	struct ps_addr src, dst;
	uint8_t ecn;
	uint8_t to;
	struct buffer *bytes; /* TCP header and payload */
};

#endif
