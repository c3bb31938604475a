/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragmentation of IPv4 packets that we send (RFC 791 3.2): what goes into each piece, as bytes. Pure.
 */
#ifndef PS_NET_SPLIT_H
#define PS_NET_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#define PS_SPLIT_MAX 64u /* pieces of one packet; 65535 bytes at the smallest MTU that is configurable */

struct ps_split {
	uint32_t pieces;
	uint32_t step;          /* bytes of data in every piece but the last */
	uint32_t header_size;   /* of the packet */
	uint32_t later_size;    /* header of the pieces after the first: only options that are copied */
	uint32_t size;          /* bytes of the packet */
	uint16_t offset;        /* the packet's own, bytes */
	bool more;              /* the packet is itself a fragment with more behind it */
	uint8_t first[60], later[60];
};

/*
 * Plans the split of the packet whose header (20..60 bytes, validated) is at ip. 0; -EMSGSIZE: it may not be
 * fragmented, or not at this MTU.
 */
int ps_split_plan(struct ps_split *split, const uint8_t *ip, uint32_t mtu);

/*
 * Header of a piece into out (room for 60 bytes); returns its size. data_offset, data_size: which bytes of the
 * packet's payload follow it.
 */
uint32_t ps_split_header(const struct ps_split *split, uint32_t piece, uint8_t *out, uint32_t *data_offset,
			 uint32_t *data_size);

#endif
