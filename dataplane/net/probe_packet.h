/* SPDX-License-Identifier: Apache-2.0 */
/* Probes and their answers as bytes. Pure. */
#ifndef PS_NET_PROBE_PACKET_H
#define PS_NET_PROBE_PACKET_H

#include "dataplane/api/snapshot.h"

#define PS_PROBE_PACKET_MAX 96u

struct ps_probe_packet {
	uint8_t kind;          /* enum ps_probe_kind */
	bool reset;            /* TCP: RST instead of SYN */
	struct ps_addr src, dst;
	uint16_t src_port, dst_port; /* network order; not for ICMP */
	uint32_t cookie;       /* TCP: sequence number; ICMP: sequence and payload */
};

/* Returns the packet's size, from the IP header. */
uint32_t ps_probe_build(const struct ps_probe_packet *p, uint8_t out[PS_PROBE_PACKET_MAX]);

enum ps_probe_answer_type {
	PS_ANSWER_SYN_ACK,
	PS_ANSWER_RST,
	PS_ANSWER_UDP,
	PS_ANSWER_ECHO,
	PS_ANSWER_PORT_UNREACHABLE,
	PS_ANSWER_UNREACHABLE,
};

struct ps_probe_answer {
	enum ps_probe_answer_type type;
	uint8_t kind;          /* of the probe that it answers */
	struct ps_addr remote, local; /* the endpoint, and us */
	uint16_t remote_port, local_port; /* network order; 0 for ICMP */
	uint32_t cookie;       /* TCP: acknowledged minus 1; ICMP echo: payload */
	bool has_cookie;
};

/* False: no answer to any probe, or malformed. */
bool ps_probe_parse(const uint8_t *packet, uint32_t size, struct ps_probe_answer *answer);

#endif
