/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One's complement arithmetic (RFC 1071) and incremental update (RFC 1624, eqn. 3). Sums are of 16-bit words as they
 * lie in memory: the result needs no byte swap, whatever the machine.
 *
 * A *delta* is what a rewrite adds to a sum: the sum of (~old + new) over all words it changes.
 * The rewrite back has the complement of the delta.
 */
#ifndef PS_FLOW_CHECKSUM_H
#define PS_FLOW_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
ps_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of size bytes, not folded; size below 2^31. An odd last byte counts as the first of its word. */
static inline uint64_t
ps_sum(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half = 0;

	for (; size >= 4; size -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (size >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		size -= 2;
		p += 2;
	}
	if (size != 0) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	return sum;
}

/* Pseudo header: addrs are source and destination as they stand in the packet. length: of the L4 part, host order. */
static inline uint64_t
ps_sum_pseudo(const void *addrs, bool v6, uint8_t proto, uint32_t length)
{
	return ps_sum(addrs, v6 ? 32 : 8) + __builtin_bswap16((uint16_t)proto) +
	       __builtin_bswap16((uint16_t)length) + __builtin_bswap16((uint16_t)(length >> 16));
}

/* A checksum field after a rewrite. */
static inline uint16_t
ps_checksum_update(uint16_t checksum, uint32_t delta)
{
	uint32_t sum = (uint16_t)~checksum + delta;

	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Delta of replacing size bytes (even) at old by those at now. */
static inline uint16_t
ps_delta(const void *old, const void *now, size_t size)
{
	const uint8_t *a = old, *b = now;
	uint64_t sum = 0;
	uint16_t x, y;

	for (; size >= 2; size -= 2, a += 2, b += 2) {
		memcpy(&x, a, 2);
		memcpy(&y, b, 2);
		sum += (uint16_t)~x;
		sum += y;
	}
	return ps_sum_fold(sum);
}

static inline void
ps_field_update(void *field, uint32_t delta)
{
	uint16_t checksum;

	memcpy(&checksum, field, 2);
	checksum = ps_checksum_update(checksum, delta);
	memcpy(field, &checksum, 2);
}

#endif
