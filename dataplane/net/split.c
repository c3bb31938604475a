/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/split.h"

#define DF 0x4000
#define MF 0x2000
#define OFFSET_MASK 0x1fff
#define HEADER 20u
#define OPTION_COPIED 0x80

/* The options that each piece carries (RFC 791 3.1), padded to a word. Returns the header's size. */
static uint32_t
copied_options(uint8_t *out, const uint8_t *ip, uint32_t header_size)
{
	uint32_t at = HEADER, used = HEADER, size;

	memcpy(out, ip, HEADER);
	while (at < header_size && ip[at] != 0) {
		if (ip[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= header_size)
			break;
		size = ip[at + 1];
		if (size < 2 || at + size > header_size)
			break;
		if (ip[at] & OPTION_COPIED) {
			memcpy(out + used, ip + at, size);
			used += size;
		}
		at += size;
	}
	while (used % 4 != 0)
		out[used++] = 0;
	out[0] = (uint8_t)(0x40 | used / 4);
	return used;
}

int
ps_split_plan(struct ps_split *s, const uint8_t *ip, uint32_t mtu)
{
	uint16_t field, total;
	uint32_t data;

	memcpy(&total, ip + 2, 2);
	memcpy(&field, ip + 6, 2);
	s->size = ntohs(total);
	s->header_size = (ip[0] & 15u) * 4;
	if ((ntohs(field) & DF) || s->size < s->header_size || mtu < s->header_size + 8)
		return -EMSGSIZE;
	s->more = (ntohs(field) & MF) != 0;
	s->offset = (uint16_t)((ntohs(field) & OFFSET_MASK) * 8);
	data = s->size - s->header_size;
	s->step = (mtu - s->header_size) & ~7u;
	s->pieces = (data + s->step - 1) / s->step;
	if (s->pieces == 0)
		s->pieces = 1;
	if (s->pieces > PS_SPLIT_MAX)
		return -EMSGSIZE;
	memcpy(s->first, ip, s->header_size);
	s->later_size = copied_options(s->later, ip, s->header_size);
	return 0;
}

uint32_t
ps_split_header(const struct ps_split *s, uint32_t piece, uint8_t *out, uint32_t *data_offset, uint32_t *data_size)
{
	uint32_t size = piece == 0 ? s->header_size : s->later_size, data = s->size - s->header_size;
	bool last = piece + 1 == s->pieces;
	uint16_t field, total, check;

	*data_offset = piece * s->step;
	*data_size = last ? data - *data_offset : s->step;
	memcpy(out, piece == 0 ? s->first : s->later, size);
	field = htons((uint16_t)((s->offset + *data_offset) / 8 | (!last || s->more ? MF : 0)));
	total = htons((uint16_t)(size + *data_size));
	memcpy(out + 2, &total, 2);
	memcpy(out + 6, &field, 2);
	memset(out + 10, 0, 2);
	check = ps_checksum_finish(ps_checksum_add(0, out, size));
	memcpy(out + 10, &check, 2);
	return size;
}
