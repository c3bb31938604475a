/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments as the library takes and gives them, and the step between them and bytes (RFC 9293 3.1).
 * Everything is in host order; options are as on the wire.
 */
#ifndef PS_TCP_SEGMENT_H
#define PS_TCP_SEGMENT_H

#include <stddef.h>

#include "dataplane/api/abi.h"

#define PS_TCP_FIN 0x01u
#define PS_TCP_SYN 0x02u
#define PS_TCP_RST 0x04u
#define PS_TCP_PSH 0x08u
#define PS_TCP_ACK 0x10u
#define PS_TCP_URG 0x20u
#define PS_TCP_ECE 0x40u
#define PS_TCP_CWR 0x80u

/* ECN field of the IP header (RFC 3168 5). */
#define PS_TCP_NOT_ECT 0u
#define PS_TCP_ECT1 1u
#define PS_TCP_ECT0 2u
#define PS_TCP_CE 3u

#define PS_TCP_HEADER_SIZE 20u
#define PS_TCP_OPTIONS_SIZE 40u

/*
 * A run of payload bytes inside a buffer that others may hold too. owner: whatever retain and release take, for example
 * an mbuf; NULL: bytes that outlive everything, nobody counts them.
 */
struct ps_tcp_slice {
	const uint8_t *data;
	uint32_t size;
	void *owner;
};

struct ps_tcp_segment {
	struct ps_addr src, dst;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint16_t window; /* not scaled */
	uint16_t urgent;
	uint8_t flags;
	uint8_t ecn;
	uint8_t options_size;
	uint8_t options[PS_TCP_OPTIONS_SIZE];
	uint32_t size; /* of the payload, bytes */
	uint32_t slices;
	const struct ps_tcp_slice *slice;
};

/*
 * Reads header and options from the first `size` bytes at data, which must hold the whole header; total: bytes of the
 * whole segment, payload included. Sets everything but addresses, ecn and slices; segment->size is the payload's.
 * Returns the header's size, or -EBADMSG.
 */
int ps_tcp_parse(struct ps_tcp_segment *segment, const uint8_t *data, size_t size, size_t total);

/* Writes header and options with checksum 0; at most 60 bytes. Returns the header's size. */
size_t ps_tcp_emit(const struct ps_tcp_segment *segment, uint8_t *data);

/* One's complement sum of bytes added to sum; every run but the last must have an even size. */
uint32_t ps_tcp_sum(const void *data, size_t size, uint32_t sum);

/* The checksum over pseudo header (IPv4 or IPv6), `size` bytes of header at data and the segment's payload. */
uint16_t ps_tcp_checksum(const struct ps_tcp_segment *segment, const uint8_t *data, size_t size);

#endif
