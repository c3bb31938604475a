/* SPDX-License-Identifier: Apache-2.0 */
/* Segments from and to bytes. */
#include "dataplane/tcp/segment.h"

#include <errno.h>
#include <string.h>

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

int
ps_tcp_parse(struct ps_tcp_segment *segment, const uint8_t *data, size_t size, size_t total)
{
	size_t header;

	if (size < PS_TCP_HEADER_SIZE)
		return -EBADMSG;
	header = (size_t)(data[12] >> 4) * 4u;
	if (header < PS_TCP_HEADER_SIZE || header > size || header > total)
		return -EBADMSG;
	segment->src_port = get16(data);
	segment->dst_port = get16(data + 2);
	segment->seq = get32(data + 4);
	segment->ack = get32(data + 8);
	segment->flags = data[13];
	segment->window = get16(data + 14);
	segment->urgent = get16(data + 18);
	segment->options_size = (uint8_t)(header - PS_TCP_HEADER_SIZE);
	memcpy(segment->options, data + PS_TCP_HEADER_SIZE, segment->options_size);
	segment->size = (uint32_t)(total - header);
	return (int)header;
}

size_t
ps_tcp_emit(const struct ps_tcp_segment *segment, uint8_t *data)
{
	size_t header = PS_TCP_HEADER_SIZE + segment->options_size;

	put16(data, segment->src_port);
	put16(data + 2, segment->dst_port);
	put32(data + 4, segment->seq);
	put32(data + 8, segment->ack);
	data[12] = (uint8_t)(header / 4u << 4);
	data[13] = segment->flags;
	put16(data + 14, segment->window);
	put16(data + 16, 0);
	put16(data + 18, segment->urgent);
	memcpy(data + PS_TCP_HEADER_SIZE, segment->options, segment->options_size);
	return header;
}

uint32_t
ps_tcp_sum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *p = data;
	uint64_t total = sum;

	for (; size >= 4; size -= 4, p += 4)
		total += get32(p);
	if (size >= 2) {
		total += get16(p);
		p += 2;
		size -= 2;
	}
	if (size != 0)
		total += (uint32_t)p[0] << 8;
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

uint16_t
ps_tcp_checksum(const struct ps_tcp_segment *segment, const uint8_t *data, size_t size)
{
	uint32_t i, sum, odd = 0;
	bool v4 = ps_addr_is_v4(&segment->src);

	sum = ps_tcp_sum(segment->src.b + (v4 ? 12 : 0), v4 ? 4 : 16, 6u + (uint32_t)size + segment->size);
	sum = ps_tcp_sum(segment->dst.b + (v4 ? 12 : 0), v4 ? 4 : 16, sum);
	sum = ps_tcp_sum(data, size, sum);
	for (i = 0; i < segment->slices; i++) {
		uint32_t part = ps_tcp_sum(segment->slice[i].data, segment->slice[i].size, 0);

		/* A run that begins at an odd place has its bytes the other way round (RFC 1071 2B). */
		if (odd)
			part = (part & 0xff) << 8 | part >> 8;
		sum = ps_tcp_sum(NULL, 0, sum + part);
		odd ^= segment->slice[i].size & 1u;
	}
	return (uint16_t)~sum;
}
