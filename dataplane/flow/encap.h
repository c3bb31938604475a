/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outer headers for DSR: IPIP (RFC 2003), IP6IP6 (RFC 2473), and GUE variant 1 (IP directly in UDP,
 * draft-ietf-intarea-gue). Written before the inner packet; nothing is copied.
 *
 *   outer addresses   gateway's address on the way to the endpoint -> endpoint (the flow's key[1])
 *   DSCP and ECN      copied (RFC 6040 normal mode)
 *   TTL               64; the inner TTL has been decremented like any forwarded packet's
 *   DF                as inside: a packet that says DF and does not fit is answered before it gets here
 *   UDP source port   from the flow's hash, 49152-65535, so that every hop spreads flows
 *   UDP checksum      IPv4: zero. IPv6: computed from headers alone, because a correct inner packet sums up to
 *                     its pseudo header; zero (RFC 6935) where the inner checksum is not to be relied on
 *
 * Pure: works on bytes.
 */
#ifndef PS_FLOW_ENCAP_H
#define PS_FLOW_ENCAP_H

#include "dataplane/api/flow.h"
#include "dataplane/api/snapshot.h"
#include "dataplane/flow/checksum.h"

#define PS_OUTER_TTL 64u

/* Bytes that a mode puts before the packet: [v6][mode]. */
static const uint8_t ps_encap_overhead[2][PS_MODES] __attribute__((unused)) = {
	{[PS_MODE_IPIP] = 20, [PS_MODE_GUE] = 28},
	{[PS_MODE_IPIP] = 40, [PS_MODE_GUE] = 48},
};

static inline void
ps_encap_udp(uint8_t *udp, uint16_t src_port, uint16_t dst_port, uint32_t size)
{
	uint64_t header = src_port | (uint64_t)dst_port << 16 | (uint64_t)__builtin_bswap16((uint16_t)size) << 32;

	memcpy(udp, &header, sizeof(header));
}

/* inner: an IPv4 header whose total length is size. Returns the outer header. id: for packets without DF. */
static inline uint8_t *
ps_encap4(const struct ps_flow4 *f, uint8_t *inner, uint32_t size, uint16_t id)
{
	bool gue = f->head.mode == PS_MODE_GUE;
	uint32_t overhead = gue ? 28 : 20, total = size + overhead;
	uint8_t *outer = inner - overhead;
	uint32_t df = inner[6] & 0x40u, from = f->key[PS_FLOW_TO_CLIENT].dst, to = f->key[PS_FLOW_TO_CLIENT].src;
	uint64_t first, second;
	uint16_t checksum;

	/* Put together in registers and stored at once: small stores before a larger load cost more than all the rest. */
	first = 0x45u | (uint64_t)inner[1] << 8 | (uint64_t)__builtin_bswap16((uint16_t)total) << 16 |
		(uint64_t)(df ? 0 : id) << 32 | (uint64_t)df << 48;
	second = PS_OUTER_TTL | (gue ? 17u : 4u) << 8 | (uint64_t)from << 32;
	checksum = (uint16_t)~ps_sum_fold((first & 0xffffffffu) + (first >> 32) + (second & 0xffffffffu) +
					  (uint64_t)from + to);
	second |= (uint64_t)checksum << 16;
	memcpy(outer, &first, 8);
	memcpy(outer + 8, &second, 8);
	memcpy(outer + 16, &to, 4);
	if (gue)
		ps_encap_udp(outer + 20, f->key[PS_FLOW_TO_CLIENT].dst_port, f->key[PS_FLOW_TO_CLIENT].src_port,
			     size + 8);
	return outer;
}

/*
 * inner: an IPv6 header, size bytes with its payload. sound: the packet is whole, proto stands right behind the fixed header
 * and its checksum is right.
 */
static inline uint8_t *
ps_encap6(const struct ps_flow6 *f, uint8_t *inner, uint32_t size, uint8_t proto, bool sound)
{
	bool gue = f->head.mode == PS_MODE_GUE;
	uint32_t overhead = gue ? 48 : 40, payload = size + overhead - 40;
	uint8_t *outer = inner - overhead;

	memcpy(outer, inner, 4); /* version, traffic class, flow label (RFC 6438: it spreads flows) */
	outer[4] = (uint8_t)(payload >> 8);
	outer[5] = (uint8_t)payload;
	outer[6] = gue ? 17 : 41;
	outer[7] = PS_OUTER_TTL;
	memcpy(outer + 8, f->key[PS_FLOW_TO_CLIENT].dst, 16);
	memcpy(outer + 24, f->key[PS_FLOW_TO_CLIENT].src, 16);
	if (gue) {
		ps_encap_udp(outer + 40, f->key[PS_FLOW_TO_CLIENT].dst_port,
			     f->key[PS_FLOW_TO_CLIENT].src_port, payload);
		if (sound) {
			uint64_t sum = ps_sum_pseudo(outer + 8, true, 17, payload) + ps_sum(outer + 40, 8) +
				       ps_sum(inner, 40);
			uint16_t checksum;

			/* The inner L4 part, its checksum included, sums up to the complement of its pseudo header. */
			sum += (uint16_t)~ps_sum_fold(ps_sum_pseudo(inner + 8, true, proto, size - 40));
			checksum = (uint16_t)~ps_sum_fold(sum);
			if (checksum == 0)
				checksum = 0xffff;
			memcpy(outer + 46, &checksum, 2);
		}
	}
	return outer;
}

#endif
