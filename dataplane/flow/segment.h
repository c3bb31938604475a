/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes inside TCP segments: MSS clamping and the client address option (TOA). And full checksums. Pure.
 */
#ifndef PS_FLOW_SEGMENT_H
#define PS_FLOW_SEGMENT_H

#include <rte_mbuf.h>

#include "dataplane/api/flow.h"

#define PS_TOA_KIND 254u
#define PS_TOA4_SIZE 8u   /* kind, length, port, IPv4 address */
#define PS_TOA6_SIZE 20u  /* kind, length, port, IPv6 address */

/*
 * Lowers the MSS option of a SYN at tcp (bytes: contiguous from there) to mss, checksum included. A SYN without the option gets none:
 * its sender then assumes 536 or 1220 (RFC 9293 3.7.1). True: changed.
 */
bool ps_segment_clamp_mss(uint8_t *tcp, uint32_t bytes, uint16_t mss);

/*
 * Puts the client's port and address (key[0] of the flow) first among the options of the segment whose IP header is at l3, by moving
 * everything before down: there are PS_TOA6_SIZE bytes of room before `head`, the first byte of headers to move. Lengths and checksums
 * are updated. Returns the bytes added (the new IP header is at l3 - that), 0: options are full or would not fit max bytes.
 */
uint32_t ps_segment_add_toa(uint8_t *head, uint8_t *l3, uint8_t *tcp, const struct ps_flow *f, bool v6, uint32_t max);

/* Computes the L4 checksum over the whole packet (which may be a chain). l4: offset from l3. UDP over IPv4 with zero checksum stays. */
void ps_segment_checksum(struct rte_mbuf *m, uint8_t *l3, uint32_t l4, uint8_t proto, bool v6);

#endif
