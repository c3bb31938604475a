/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/segment.h"

#include <netinet/in.h>

#include "dataplane/flow/checksum.h"

bool
ps_segment_clamp_mss(uint8_t *tcp, uint32_t bytes, uint16_t mss)
{
	uint32_t end = (uint32_t)(tcp[12] >> 4) * 4u, i;

	if (end > bytes)
		return false;
	for (i = 20; i < end;) {
		uint32_t kind = tcp[i], length;

		if (kind == 0)
			return false;
		if (kind == 1) {
			i++;
			continue;
		}
		if (i + 1 >= end || (length = tcp[i + 1]) < 2 || i + length > end)
			return false;
		if (kind == 2 && length == 4) {
			uint32_t now = (uint32_t)tcp[i + 2] << 8 | tcp[i + 3];
			uint16_t old, new_mss = __builtin_bswap16(mss), delta;

			if (now <= mss)
				return false;
			memcpy(&old, tcp + i + 2, 2);
			memcpy(tcp + i + 2, &new_mss, 2);
			delta = ps_delta(&old, &new_mss, 2);
			/* A value that straddles two checksum words counts with its bytes swapped (RFC 1071 2 B). */
			ps_field_update(tcp + 16, i & 1u ? __builtin_bswap16(delta) : delta);
			return true;
		}
		i += length;
	}
	return false;
}

uint32_t
ps_segment_add_toa(uint8_t *head, uint8_t *l3, uint8_t *tcp, const struct ps_flow *f, bool v6, uint32_t max)
{
	uint32_t grow = v6 ? PS_TOA6_SIZE : PS_TOA4_SIZE, options = (uint32_t)(tcp[12] >> 4) * 4u;
	uint32_t size = v6 ? 40u + ((uint32_t)l3[4] << 8 | l3[5]) : (uint32_t)l3[2] << 8 | l3[3];
	uint32_t segment = size - (uint32_t)(tcp - l3);
	uint8_t option[PS_TOA6_SIZE], before[2], *addrs;
	uint16_t delta, field;
	uint64_t sum;

	if (options + grow > 60u || size + grow > max)
		return 0;
	option[0] = PS_TOA_KIND;
	option[1] = (uint8_t)grow;
	if (v6) {
		memcpy(option + 2, &((const struct ps_flow6 *)f)->key[0].src_port, 2);
		memcpy(option + 4, ((const struct ps_flow6 *)f)->key[0].src, 16);
	} else {
		memcpy(option + 2, &((const struct ps_flow4 *)f)->key[0].src_port, 2);
		memcpy(option + 4, &((const struct ps_flow4 *)f)->key[0].src, 4);
	}
	memmove(head - grow, head, (size_t)(tcp + 20 - head));
	memcpy(tcp + 20 - grow, option, grow);
	l3 -= grow;
	tcp -= grow;
	memcpy(before, tcp + 12, 2);
	tcp[12] = (uint8_t)(tcp[12] + (grow / 4u << 4));
	delta = ps_delta(before, tcp + 12, 2);
	/* The pseudo header's length grows as well. */
	sum = ps_sum(option, grow) + delta + (uint16_t)~__builtin_bswap16((uint16_t)segment) +
	      __builtin_bswap16((uint16_t)(segment + grow));
	ps_field_update(tcp + 16, ps_sum_fold(sum));
	addrs = l3 + (v6 ? 4 : 2);
	memcpy(before, addrs, 2);
	field = __builtin_bswap16((uint16_t)(v6 ? size + grow - 40u : size + grow));
	memcpy(addrs, &field, 2);
	if (!v6)
		ps_field_update(l3 + 10, ps_delta(before, addrs, 2));
	return grow;
}

void
ps_segment_checksum(struct rte_mbuf *m, uint8_t *l3, uint32_t l4, uint8_t proto, bool v6)
{
	uint32_t size = v6 ? 40u + ((uint32_t)l3[4] << 8 | l3[5]) : (uint32_t)l3[2] << 8 | l3[3];
	uint32_t length = size - l4, left = length, skip = (uint32_t)(l3 - rte_pktmbuf_mtod(m, uint8_t *)) + l4;
	uint8_t *field = l3 + l4 + (proto == IPPROTO_UDP ? 6 : 16);
	const struct rte_mbuf *seg;
	uint16_t checksum, old;
	bool odd = false;
	uint64_t sum;

	memcpy(&old, field, 2);
	if (size <= l4 || (proto == IPPROTO_UDP && !v6 && old == 0))
		return;
	memset(field, 0, 2);
	sum = ps_sum_pseudo(l3 + (v6 ? 8 : 12), v6, proto, length);
	for (seg = m; seg != NULL && left != 0; seg = seg->next) {
		uint32_t n = seg->data_len;
		uint16_t part;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = n - skip < left ? n - skip : left;
		part = ps_sum_fold(ps_sum(rte_pktmbuf_mtod_offset(seg, const uint8_t *, skip), n));
		/* A segment that begins in the middle of a word counts with its bytes swapped. */
		sum += odd ? __builtin_bswap16(part) : part;
		odd ^= n & 1u;
		left -= n;
		skip = 0;
	}
	checksum = (uint16_t)~ps_sum_fold(sum);
	if (proto == IPPROTO_UDP && checksum == 0)
		checksum = 0xffff;
	memcpy(field, &checksum, 2);
}
