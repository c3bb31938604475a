/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One's complement sums (RFC 1071) over words as they lie in memory: the sum is the same in any byte
 * order, so nothing is swapped. Partial sums are 64 bits wide and folded once.
 */
#ifndef PS_LOADGEN_CHECKSUM_H
#define PS_LOADGEN_CHECKSUM_H

#include <stdint.h>
#include <string.h>

static inline uint64_t
ps_sum(const void *data, size_t size, uint64_t sum)
{
	const uint8_t *p = data;
	uint32_t word;
	uint16_t half;

	for (; size >= 4; size -= 4, p += 4) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (size >= 2) {
		memcpy(&half, p, sizeof(half));
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

/* 16 bits, not complemented. */
static inline uint16_t
ps_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of the IPv4 or IPv6 pseudo header; addresses point at 4 or 16 bytes, l4_size in bytes. */
static inline uint64_t
ps_sum_pseudo(const void *src, const void *dst, size_t addr_size, uint8_t proto, uint32_t l4_size)
{
	uint8_t tail[8] = {(uint8_t)(l4_size >> 24), (uint8_t)(l4_size >> 16), (uint8_t)(l4_size >> 8),
		(uint8_t)l4_size, 0, 0, 0, proto};

	return ps_sum(tail, sizeof(tail), ps_sum(src, addr_size, ps_sum(dst, addr_size, 0)));
}

/* The checksum field `csum` after a 32-bit word it covers changed (RFC 1624, eqn. 3). */
static inline uint16_t
ps_checksum_change32(uint16_t csum, uint32_t old, uint32_t new)
{
	return (uint16_t)~ps_sum_fold((uint64_t)(uint16_t)~csum + (uint64_t)(uint32_t)~old + new);
}

#endif
