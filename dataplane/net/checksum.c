/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/net/icmp.h"

uint32_t
ps_checksum_add(uint32_t sum, const void *data, uint32_t size)
{
	const uint8_t *p = data;
	uint64_t wide = sum;
	uint32_t word;
	uint16_t half;

	for (; size >= 4; size -= 4, p += 4) {
		memcpy(&word, p, 4);
		wide += word;
	}
	if (size >= 2) {
		memcpy(&half, p, 2);
		wide += half;
		p += 2;
		size -= 2;
	}
	if (size != 0) {
		half = 0;
		memcpy(&half, p, 1);
		wide += half;
	}
	wide = (wide & 0xffffffff) + (wide >> 32);
	wide = (wide & 0xffff) + ((wide >> 16) & 0xffff) + (wide >> 32);
	return (uint32_t)wide;
}

uint16_t
ps_checksum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t
ps_checksum_pseudo4(const void *src, const void *dst, uint8_t proto, uint32_t size)
{
	uint32_t sum = ps_checksum_add(0, src, 4);

	sum = ps_checksum_add(sum, dst, 4);
	return sum + htons(proto) + htons((uint16_t)size);
}

uint32_t
ps_checksum_pseudo6(const void *src, const void *dst, uint8_t proto, uint32_t size)
{
	uint32_t sum = ps_checksum_add(0, src, 16), be = htonl(size);

	sum = ps_checksum_add(sum, dst, 16);
	sum = ps_checksum_add(sum, &be, 4);
	return sum + htons(proto);
}
