/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that the gateway makes itself: TCP RST, ICMP and ICMPv6 errors, echo replies.
 * Pure builders over bytes, and the rate limit.
 *
 * How a stage asks for an answer: meta.exit names it, the packet at meta.l3 is as it arrived (answers
 * quote it: decide before rewriting), and the `answer` edge is taken. TOO_BIG takes the MTU to report
 * from meta.hash. A packet that has been rewritten already may still be answered: the answer then goes to
 * the gateway's own address, and the answer stage passes it to icmp_flow, which finds the client.
 *
 * An answer is never made about an ICMP error, a fragment other than the first, a packet from or to a
 * group or broadcast address (RFC 1122 3.2.2, RFC 1812 4.3.2.7, RFC 4443 2.4 (e)), or a TCP RST.
 */
#ifndef PS_NET_ICMP_H
#define PS_NET_ICMP_H

#include "dataplane/api/abi.h"
#include "dataplane/api/exits.h"

/* Answers per worker: a bucket of this many, refilled at this rate (RFC 4443 2.4 (f)). */
#define PS_ICMP_BURST 2048u
#define PS_ICMP_PER_MS 20u

/* Room that any answer needs, from its IP header: RFC 4443 2.4 (c) minimum MTU. */
#define PS_ANSWER_MAX 1280u
/* RFC 1812 4.3.2.3: as much of the packet as fits without the datagram exceeding this. */
#define PS_ICMP4_ANSWER_MAX 576u

struct ps_worker;

/* Takes a token; false: the limit is reached. */
bool ps_icmp_allow(struct ps_worker *w);

struct ps_answer {
	enum ps_exit why;
	struct ps_addr source; /* address that the answer comes from */
	uint32_t mtu;          /* TOO_BIG */
	uint16_t id;           /* IPv4 identification */
};

/*
 * Builds the answer to the packet of size bytes at ip (from its IP header; at least what the header says, may be
 * cut to the first PS_ANSWER_MAX bytes: size is then the cut one). l4: offset of its L4 header, proto: its final
 * protocol. out has room for PS_ANSWER_MAX bytes. All checksums are filled in.
 *
 * Returns the answer's size, or 0: this packet must not be answered.
 */
uint32_t ps_answer_build4(const struct ps_answer *a, const uint8_t *ip, uint32_t size, uint32_t l4, uint8_t *out);
uint32_t ps_answer_build6(const struct ps_answer *a, const uint8_t *ip, uint32_t size, uint32_t l4, uint8_t proto,
			  uint8_t *out);

/* One's complement sum of bytes, added to sum; not folded to 16 bits, not complemented. */
uint32_t ps_checksum_add(uint32_t sum, const void *data, uint32_t size);
/* Folded and complemented, ready to store. */
uint16_t ps_checksum_finish(uint32_t sum);
/* Sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1). size: L4 bytes. */
uint32_t ps_checksum_pseudo4(const void *src, const void *dst, uint8_t proto, uint32_t size);
uint32_t ps_checksum_pseudo6(const void *src, const void *dst, uint8_t proto, uint32_t size);

#endif
